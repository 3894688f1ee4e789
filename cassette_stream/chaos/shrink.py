"""Making a plan that goes wrong as small as it can be, and still go wrong in the same way.

Fewer rules come before simpler faults, simpler faults before fewer words, and those before
earlier places. Every step is tried, none is guessed: what comes out did fail. And each is
strictly smaller than the one before, so it ends.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from cassette_stream.exceptions import PlanError
from cassette_stream.faults import Byte, Chunk, Event, FaultInfo, Place, Plan, Rule, catalogue

__all__ = ("Shrunk", "shrink_plan")

_SCOPE = ("match", "times", "attempt", "request")

_FEW = 3
"""How many events from the first on are tried for a place that is told otherwise."""

_Size: TypeAlias = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Shrunk:
    """The smallest plan that was found, and how many trials it took."""

    plan: Plan
    trials: int


def shrink_plan(plan: Plan, fails: Callable[[Plan], bool], *, most: int = 200) -> Shrunk:
    """The smallest plan like *plan*, which fails, that *fails* too, after at most *most* trials."""
    search = _Search(fails, most)
    while (smaller := next(filter(search.fails, _smaller(plan)), None)) is not None:
        plan = smaller
    return Shrunk(plan, search.trials)


class _Search:
    def __init__(self, fails: Callable[[Plan], bool], most: int) -> None:
        self.trials = 0
        self._fails = fails
        self._most = most
        self._known: dict[str, bool] = {}

    def fails(self, plan: Plan) -> bool:
        text = repr(plan)
        if text not in self._known:
            if self.trials >= self._most:
                return False
            self.trials += 1
            self._known[text] = self._fails(plan)
        return self._known[text]


def _smaller(plan: Plan) -> Iterator[Plan]:
    """Smaller plans, the boldest steps first; what costs many trials comes last."""
    rules = plan.rules
    if len(rules) > 1:
        yield from (_of(plan, (rule,)) for rule in rules)
        yield from (_of(plan, rules[:at] + rules[at + 1 :]) for at in range(len(rules)))
    for step in (_plainer, _nearer, _simpler_faults, _earlier):
        for at, rule in enumerate(rules):
            for smaller in step(rule):
                if _size(smaller) < _size(rule):
                    yield _of(plan, (*rules[:at], smaller, *rules[at + 1 :]))


def _of(plan: Plan, rules: tuple[Rule, ...]) -> Plan:
    return replace(plan, rules=rules)


def _size(rule: Rule) -> _Size:
    """What is compared: the fault's rank, the words beside it, its place."""
    rank = list(catalogue()).index(rule.fault) if isinstance(rule.fault, str) else 0
    scope = sum(getattr(rule, name) is not None for name in _SCOPE)
    return rank, scope + len(rule.parameters), *_size_of_place(rule.at)


def _size_of_place(at: Place | None) -> _Size:
    match at:
        case None:
            return 0, 0, 0
        case Event(n):
            more = sum((at.inside is not None, at.type is not None, at.after))
            return 1, more, n if isinstance(n, int) and n > 0 else math.inf
        case Byte(n) | Chunk(n):
            return 2, 0, n if n >= 0 else math.inf
        case _:
            return 3, 0, 0


def _plainer(rule: Rule) -> Iterator[Rule]:
    """The same fault, told with fewer words."""
    for name in _SCOPE:
        if getattr(rule, name) is not None:
            yield from _made(rule, **{name: None})
    for name in rule.parameters:
        left = {it: value for it, value in rule.parameters.items() if it != name}
        yield from _made(rule, parameters=left)


def _nearer(rule: Rule) -> Iterator[Rule]:
    """The same fault at a few places before: it is told with fewer words, or halfway."""
    for at in _places_before(rule):
        yield from _made(rule, at=at)


def _simpler_faults(rule: Rule) -> Iterator[Rule]:
    """The faults of the same layer that stand before it in the catalogue."""
    for info in catalogue().values():
        if info.id == rule.fault:
            return
        if info.layer == rule.layer and info.make is not None:
            for at in _places_for(info, rule.at):
                yield from _made(rule, fault=info.id, name="", at=at, parameters={})


def _places_for(info: FaultInfo, at: Place | None) -> Iterator[Place | None]:
    """Where *info* could do what another fault does at *at*: there, or right at the beginning."""
    if not info.places:
        yield None
        return
    if at is not None:
        yield at
    if isinstance(at, Event) and at != Event(at.n):
        yield Event(at.n)
    yield Event(1) if "event" in info.places else Byte(0)


def _places_before(rule: Rule) -> Iterator[Place]:
    match rule.at:
        case Event(n):
            yield from (Event(1), Event(n), replace(rule.at, n=1))
            yield from (replace(rule.at, type=None), replace(rule.at, inside=None))
            if isinstance(n, int):
                yield from (replace(rule.at, n=it) for it in _halfway(n, least=1))
        case None:
            return
        case at:
            insides = rule.info.insides if rule.info is not None else ()
            for n in range(1, _FEW + 1):
                yield Event(n)
                yield from (Event(n, inside=inside) for inside in insides)  # type: ignore[arg-type]  # of the catalogue
            if isinstance(at, Byte | Chunk):
                least = 0 if isinstance(at, Byte) else 1
                yield from (replace(at, n=it) for it in _halfway(at.n, least=least))


def _halfway(n: int, *, least: int) -> Iterator[int]:
    yield from (least, max(least, n // 2), max(least, n - n // 4)) if n > 0 else (least,)


def _earlier(rule: Rule) -> Iterator[Rule]:
    """The same fault at each earlier place, in order: what was halved may step over one."""
    at = rule.at
    if isinstance(at, Event | Byte | Chunk) and isinstance(at.n, int):
        for number in range(0 if isinstance(at, Byte) else 1, at.n):
            yield from _made(rule, at=replace(at, n=number))


def _made(rule: Rule, **changes: object) -> Iterator[Rule]:
    """*rule* with *changes*, if there is such a rule."""
    try:
        yield replace(rule, **changes)  # type: ignore[arg-type]  # it is checked when it is made
    except PlanError:
        return
