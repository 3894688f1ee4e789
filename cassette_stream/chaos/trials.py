"""Which trials a sweep makes: rules without chance, in an order that is always the same.

Every fault is told in each of its variants, and at the places that were asked for, in
each recorded reply that it can break. What it cannot break is not tried, and neither is
a variant that takes a package which is not here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, TypeAlias

import msgspec

from cassette_stream.exceptions import PlanError
from cassette_stream.faults import (
    Byte,
    Chunk,
    Event,
    Expect,
    FaultInfo,
    Place,
    Plan,
    Rule,
    Time,
    catalogue,
    plan_of,
    text_of,
    watch,
    write_plan,
)
from cassette_stream.faults.dialect import Dialect
from cassette_stream.faults.draws import draw
from cassette_stream.faults.edit import Seen, events_in
from cassette_stream.faults.framing import Framing
from cassette_stream.faults.inside import offset_inside
from cassette_stream.faults.rule import info_of
from cassette_stream.script import Emit, Step, Wait

__all__ = ("Positions", "Recorded", "Trial", "told_rule", "trials_of")

Positions: TypeAlias = Literal["every-event", "every-byte", "sampled"]
_SAMPLES = 5


@dataclass(frozen=True)
class Recorded:
    """One reply of the clean run: what there is to break.

    Attributes:
        number: The number of its request, counted from 1.
        steps: Its faithful script.
    """

    number: int
    steps: tuple[Step, ...]

    @cached_property
    def events(self) -> list[Seen]:
        return events_in(self.steps)

    @property
    def dialect(self) -> Dialect | None:
        return next((seen.dialect for seen in reversed(self.events)), None)

    @property
    def framing(self) -> Framing | None:
        return next((seen.framing for seen in self.events), None)

    @property
    def bytes(self) -> int:
        return sum(len(step.data) for step in self.steps if isinstance(step, Emit))

    @property
    def chunks(self) -> int:
        return sum(isinstance(step, Emit) and bool(step.data) for step in self.steps)

    @property
    def seconds(self) -> float:
        return sum(step.seconds for step in self.steps if isinstance(step, Wait))


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """One trial: what goes wrong, and what a correct client does then.

    Attributes:
        number: Its number in the sweep, counted from 1.
        plan: What goes wrong; one rule, unless the user gave a plan.
        expect: What a correct client does.
    """

    number: int
    plan: Plan
    expect: Expect

    @property
    def rule(self) -> Rule:
        return self.plan.rules[0]

    @property
    def fault(self) -> str:
        """The id of its fault; of the first, where there are several."""
        return self.rule.fault if isinstance(self.rule.fault, str) else self.rule.name

    @property
    def text(self) -> str:
        """Its one line, or its YAML where one line cannot say it."""
        return told_rule(self.plan)


def told_rule(plan: Plan) -> str:
    """The rules of *plan* on one line, or its YAML where that cannot say it."""
    try:
        return " + ".join(map(text_of, plan.rules))
    except PlanError:
        try:
            return write_plan(plan)
        except PlanError:  # a function of the user's own
            return " + ".join(rule.name for rule in plan.rules)


def trials_of(
    faults: object,
    recorded: Sequence[Recorded],
    *,
    positions: Positions,
    seed: int,
    expect: Mapping[str, Expect],
) -> list[Trial]:
    """The trials that *faults*, as `sweep` takes them, come to.

    Raises:
        PlanError: There is no such fault, or nothing of it can be tried.
    """
    if isinstance(faults, Plan):
        rules: Iterable[Plan] = [faults.resolve(requests=len(recorded), attempts=4)]
    else:
        rules = _plans(faults, recorded, positions, seed)
    made = [
        Trial(number=number, plan=plan, expect=_expected(plan, recorded, expect))
        for number, plan in enumerate(rules, 1)
    ]
    if not made:
        raise PlanError(f"there is nothing to try: {faults!r} breaks none of the recorded replies")
    return made


def _plans(
    faults: object, recorded: Sequence[Recorded], positions: Positions, seed: int
) -> Iterator[Plan]:
    for told in _selected(faults):
        if isinstance(told, Rule):
            yield Plan((told,))
            continue
        for reply in recorded:
            scope = reply.number if len(recorded) > 1 else None
            for at, parameters in _variants(told, reply, positions, seed):
                try:
                    rule = Rule(told.id, at=at, parameters=parameters, request=scope)
                except PlanError:
                    if not parameters:
                        raise
                    continue  # what it takes is not installed here: a coding, say
                yield Plan((rule,))


def _selected(faults: object) -> Iterator[FaultInfo | Rule]:
    rows = catalogue()
    several = [faults] if isinstance(faults, str | Rule) or callable(faults) else faults
    if not isinstance(several, Iterable):
        raise PlanError(f"faults is {faults!r}; it can be 'common', 'all', ids, rules or a plan")
    for it in several:
        if not isinstance(it, str) or "@" in it:
            yield from plan_of(it).rules
        elif it in {"all", "common"}:
            yield from (info for info in rows.values() if it == "all" or info.common)
        elif it.endswith(".*"):
            found = [info for info in rows.values() if info.layer == it[:-2]]
            if not found:
                raise PlanError(f"there is no layer {it!r}")
            yield from found
        else:
            yield info_of(it)


def _variants(
    info: FaultInfo, reply: Recorded, positions: Positions, seed: int
) -> Iterator[tuple[Place | None, dict[str, object]]]:
    """Where and how the fault is told of one reply; once in vain, if it does nothing there."""
    if not info.has(reply.dialect, reply.framing):
        return
    told = False
    for at in _places(info, reply, positions, seed):
        told = True
        yield at, {}
    # A variant is another failure, where a place is the same one earlier or later.
    for parameter in info.parameters:
        for choice in parameter.choices:
            parameters: dict[str, object] = {parameter.name: choice}
            if choice != parameter.default:
                found = _somewhere(info, reply, parameters, seed)
                if found is not None:
                    told = True
                    yield found[0], parameters
    if not told:
        # Its one trial says why.
        yield (_every(info, reply)[0] if info.places else None), {}


def _places(
    info: FaultInfo, reply: Recorded, positions: Positions, seed: int
) -> Iterator[Place | None]:
    if not info.places:
        if info.make is None or _strikes(info, reply, None, {}):
            yield None
        return
    if positions == "every-byte" and "byte" in info.places:
        yield from map(Byte, range(reply.bytes))
        return
    every = _every(info, reply)
    if positions == "sampled":
        yield from _sampled(info, reply, every, seed)
    else:
        yield from every
    if "event" in info.places:
        yield from _insides(info, reply.events)


def _every(info: FaultInfo, reply: Recorded) -> list[Place]:
    """All places of the first kind that the fault takes; there is always one."""
    if "event" in info.places:
        return [Event(n) for n in range(1, len(reply.events) + 1)] or [Event(1)]
    if "chunk" in info.places:
        return [Chunk(n) for n in range(1, reply.chunks + 1)] or [Chunk(1)]
    if "byte" in info.places:
        return [Byte(n) for n in range(reply.bytes)] or [Byte(0)]
    return [Time(reply.seconds / 2)]


def _sampled(info: FaultInfo, reply: Recorded, every: Sequence[Place], seed: int) -> list[Place]:
    """Of the places at which the fault does something the first, the last, and some between."""
    between = sorted(range(1, len(every) - 1), key=lambda at: draw(seed, info.id, "place", at))
    ends = (range(len(every)), reversed(range(len(every))))
    found = [
        next((at for at in order if _strikes(info, reply, every[at], {})), None) for order in ends
    ]
    taken = {at for at in found if at is not None}
    if not taken:
        return []
    for at in between:
        if len(taken) >= _SAMPLES:
            break
        if min(taken) < at < max(taken) and _strikes(info, reply, every[at], {}):
            taken.add(at)
    return [every[at] for at in sorted(taken)]


def _somewhere(
    info: FaultInfo, reply: Recorded, parameters: dict[str, object], seed: int
) -> tuple[Place | None] | None:
    """One place at which the fault does something, with these *parameters*."""
    every: Sequence[Place | None] = _every(info, reply) if info.places else [None]
    drawn = sorted(range(len(every)), key=lambda at: draw(seed, info.id, *parameters, at))
    found = (every[at] for at in drawn if _strikes(info, reply, every[at], parameters))
    return next(((at,) for at in found), None)


def _strikes(
    info: FaultInfo, reply: Recorded, at: Place | None, parameters: dict[str, object]
) -> bool:
    """Whether the fault changes anything there."""
    try:
        fault = Rule(info.id, at=at, parameters=parameters).build()
    except PlanError:  # a coding for which there is no compressor, say
        return False
    struck: list[bool] = []
    for _ in watch(fault, iter(reply.steps), lambda: struck.append(True)):
        if struck:
            break
    return bool(struck)


def _insides(info: FaultInfo, events: Sequence[Seen]) -> Iterator[Place]:
    """One event for each thing that the fault can be inside of: the first that has one."""
    for inside in info.insides:
        for seen in events:
            if offset_inside(seen.raw, inside, seen.framing) is not None:  # type: ignore[arg-type]  # of the catalogue
                yield Event(seen.number, inside=inside)  # type: ignore[arg-type]  # the same
                break


def _expected(plan: Plan, recorded: Sequence[Recorded], expect: Mapping[str, Expect]) -> Expect:
    """What a correct client does; of several faults the most harmful counts."""
    order: tuple[Expect, ...] = ("raises", "undetectable", "either", "tolerates")
    found = [_of_rule(rule, recorded, expect) for rule in plan.rules]
    return min(found, key=order.index, default="either")


def _of_rule(rule: Rule, recorded: Sequence[Recorded], expect: Mapping[str, Expect]) -> Expect:
    if rule.expect is not None:
        return rule.expect
    info = rule.info
    if info is None:
        return "either"
    if info.id in expect:
        return expect[info.id]
    dialect = next((reply.dialect for reply in recorded), None)
    return info.expected(dialect)
