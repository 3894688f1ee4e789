"""Which trials a sweep makes: rules without chance, in an order that is always the same.

Every fault is told in each of its variants, and at the places that were asked for, in
each recorded reply that it can break. What it cannot break is not tried.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
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
    write_plan,
)
from cassette_stream.faults.draws import draw
from cassette_stream.faults.edit import Seen, dialect_in, events_in
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
                yield Plan((Rule(told.id, at=at, parameters=parameters, request=scope),))


def _selected(faults: object) -> Iterator[FaultInfo | Rule]:
    rows = catalogue()
    if faults in {"all", "common"} if isinstance(faults, str) else False:
        yield from (info for info in rows.values() if faults == "all" or info.common)
        return
    several = [faults] if isinstance(faults, str | Rule) or callable(faults) else faults
    if not isinstance(several, Iterable):
        raise PlanError(f"faults is {faults!r}; it can be 'common', 'all', ids, rules or a plan")
    for it in several:
        if not isinstance(it, str) or "@" in it:
            yield from plan_of(it).rules
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
    if not info.has(dialect_in(reply.steps)):
        return
    places = list(_places(info, reply, positions, seed)) if info.places else [None]
    yield from ((at, {}) for at in places)
    # A variant is another failure, where a place is the same one earlier or later.
    for parameter in info.parameters:
        for choice in parameter.choices:
            if choice != parameter.default:
                for at in places[len(places) // 2 :][:1]:
                    yield at, {parameter.name: choice}


def _places(info: FaultInfo, reply: Recorded, positions: Positions, seed: int) -> Iterator[Place]:
    events = events_in(reply.steps)
    if "event" in info.places and events:
        if positions == "every-byte" and "byte" in info.places:
            yield from map(Byte, range(reply.bytes))
            return
        numbers = range(1, len(events) + 1)
        yield from map(Event, numbers if positions != "sampled" else _sampled(info, numbers, seed))
        yield from _insides(info, events)
    elif "byte" in info.places:
        every = range(reply.bytes)
        yield from map(Byte, every if positions == "every-byte" else _sampled(info, every, seed))
    elif "chunk" in info.places:
        every = range(1, reply.chunks + 1)
        yield from map(Chunk, every if positions != "sampled" else _sampled(info, every, seed))
    elif "time" in info.places:
        yield Time(reply.seconds / 2)


def _sampled(info: FaultInfo, numbers: range, seed: int) -> list[int]:
    """The first, the last, and some between, by *seed*."""
    if len(numbers) <= _SAMPLES:
        return list(numbers)
    between = numbers[1:-1]
    drawn = sorted(range(len(between)), key=lambda number: draw(seed, info.id, "position", number))[
        : _SAMPLES - 2
    ]
    return [numbers[0], *(between[number] for number in sorted(drawn)), numbers[-1]]


def _insides(info: FaultInfo, events: Sequence[Seen]) -> Iterator[Place]:
    """One event for each thing that the fault can be inside of: the first that has one."""
    for inside in info.insides:
        for seen in events:
            if offset_inside(seen.raw, inside) is not None:  # type: ignore[arg-type]  # of the catalogue
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
    dialect = next((dialect_in(reply.steps) for reply in recorded), None)
    return info.expected(dialect)
