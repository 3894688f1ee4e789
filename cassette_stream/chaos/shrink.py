"""Making a plan that goes wrong as small as it can be, and still go wrong in the same way.

Fewer rules come before simpler faults, simpler faults before fewer words, and those before
earlier places. Every step is tried, none is guessed: what comes out did fail.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from cassette_stream.exceptions import PlanError
from cassette_stream.faults import Byte, Chunk, Event, Place, Plan, Rule, catalogue
from cassette_stream.faults.place import kind_of

__all__ = ("Shrunk", "shrink_plan")


@dataclass(frozen=True, slots=True)
class Shrunk:
    """The smallest plan that was found, and how many trials it took."""

    plan: Plan
    trials: int


def shrink_plan(plan: Plan, fails: Callable[[Plan], bool], *, most: int = 200) -> Shrunk:
    """The smallest plan like *plan*, which fails, that *fails* too, after at most *most* trials."""
    search = _Search(fails, most)
    while True:
        smaller = next(filter(search.fails, _smaller(plan)), None)
        if smaller is None:
            break
        plan = smaller
    # What is halved again and again may step over an earlier place.
    plan = next(filter(search.fails, _earliest(plan)), plan)
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
    """Plans that are one step smaller, the boldest steps first."""
    rules = plan.rules
    if len(rules) > 1:
        yield from (_of(plan, (rule,)) for rule in rules)
        yield from (_of(plan, rules[:at] + rules[at + 1 :]) for at in range(len(rules)))
    for at, rule in enumerate(rules):
        for step in (_plainer, _simpler_faults, _simpler_places):
            for smaller in step(rule):
                yield _of(plan, (*rules[:at], smaller, *rules[at + 1 :]))


def _of(plan: Plan, rules: tuple[Rule, ...]) -> Plan:
    return replace(plan, rules=rules)


def _plainer(rule: Rule) -> Iterator[Rule]:
    """The same fault, told with fewer words."""
    for name in ("match", "times", "attempt", "request"):
        if getattr(rule, name) is not None:
            yield from _made(rule, **{name: None})
    for name in rule.parameters:
        left = {it: value for it, value in rule.parameters.items() if it != name}
        yield from _made(rule, parameters=left)


def _simpler_faults(rule: Rule) -> Iterator[Rule]:
    """The faults of the same layer that stand before it in the catalogue."""
    for info in catalogue().values():
        if info.id == rule.fault:
            return
        if info.layer == rule.layer and info.make is not None:
            at = rule.at if info.places else None
            if at is None and info.places:
                at = Event(1) if "event" in info.places else Byte(0)
            yield from _made(rule, fault=info.id, name="", at=at, parameters={})


def _simpler_places(rule: Rule) -> Iterator[Rule]:
    at = rule.at
    if at is None:
        return
    for place in _before(at):
        yield from _made(rule, at=place)


def _before(at: Place) -> Iterator[Place]:
    match at:
        case Event(int(n)):
            if at.inside is not None or at.type is not None or at.after:
                yield Event(n)
                yield replace(at, type=None)
            yield from (replace(at, n=number) for number in _numbers(n, least=1))
        case Event():
            yield from (Event(1), Event(1, inside=at.inside))
        case Byte(n):
            yield Event(1)
            yield from map(Byte, _numbers(n, least=0))
        case Chunk(n):
            yield Event(1)
            yield from map(Chunk, _numbers(n, least=1))
        case _:
            yield Event(1)


def _numbers(n: int, *, least: int) -> Iterator[int]:
    """Smaller numbers than *n*, the smallest first."""
    if n < 0:
        yield least
        return
    yield from dict.fromkeys(it for it in (least, n // 2, n - n // 4, n - 1) if least <= it < n)


def _earliest(plan: Plan) -> Iterator[Plan]:
    """Plans of a single rule at each earlier place, in order."""
    if len(plan.rules) != 1:
        return
    [rule] = plan.rules
    at = rule.at
    if isinstance(at, Event | Byte | Chunk) and isinstance(at.n, int):
        least = 0 if kind_of(at) == "byte" else 1
        for number in range(least, at.n):
            for earlier in _made(rule, at=replace(at, n=number)):
                yield _of(plan, (earlier,))


def _made(rule: Rule, **changes: object) -> Iterator[Rule]:
    """*rule* with *changes*, if there is such a rule."""
    try:
        yield replace(rule, **changes)  # type: ignore[arg-type]  # it is checked when it is made
    except PlanError:
        return
