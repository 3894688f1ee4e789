"""A plan at work: which faults break which reply, what struck, and why something did not.

It is told of each request that is about to be answered, in their order, and gives the
script to perform instead. It waits for nothing and sends nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from cassette_stream.exceptions import PlanError
from cassette_stream.faults.occasion import Occasion, Span
from cassette_stream.faults.plan import Plan
from cassette_stream.faults.reframe import unmeasured
from cassette_stream.faults.rule import Rule
from cassette_stream.faults.spec import text_of
from cassette_stream.faults.watch import watch, why_unfired

if TYPE_CHECKING:
    from cassette_stream.cassette.model import Request
    from cassette_stream.faults.info import Fault
    from cassette_stream.script import Script, Step

__all__ = ("Injector", "Strike")


@dataclass(frozen=True, slots=True, kw_only=True)
class Strike:
    """A rule that struck, without chance, and on which occasion."""

    rule: Rule
    occasion: Occasion


@dataclass(frozen=True, slots=True)
class _Applied:
    """A rule that was applied to the reply *key*, after the faults *inner*."""

    rule: Rule
    key: object
    inner: tuple[Fault, ...]

    def given(self, script_of: Callable[[object], Script]) -> Script:
        """What its fault was given."""
        script = script_of(self.key)
        for fault in self.inner:
            script = iter(fault(script))
        return script


_OF_WORDS = frozenset({"own", "sem", "json", "sse"})
"""The layers that change what a body says, and mean no harm to how it is sent."""


class Injector:
    """Breaks the replies of one run, as *plan* says.

    Args:
        plan: What is to break.
        lock: Held while a strike is counted, where replies are performed on several threads.

    Attributes:
        strikes: What struck, in order.
    """

    def __init__(self, plan: Plan, *, lock: AbstractContextManager[object] | None = None) -> None:
        for rule in plan.active():
            if rule.info is not None and rule.info.make is None:
                rule.build()  # says why it cannot be
        self.strikes: list[Strike] = []
        self._plan = plan
        self._lock = nullcontext() if lock is None else lock
        self._numbers: dict[object, int] = {}
        self._attempts: Counter[object] = Counter()
        self._most_attempts = 0
        self._struck: Counter[str] = Counter()  # since the beginning, or since it was rewound
        self._applied: dict[str, list[_Applied]] = {rule.name: [] for rule in plan.active()}
        self._in_scope: Counter[str] = Counter()
        self._follow_ups: dict[tuple[str, str], Sequence[Step]] = {}

    def rewrite(
        self,
        script: Script,
        request: Request,
        key: object,
        on_strike: Callable[[Rule], object] = lambda _: None,
    ) -> Script:
        """What is performed instead of *script*, the faithful reply to *request*.

        *key* tells the recorded interaction that answers it: who asks for the same one
        again tries again. *on_strike* is called with each rule, when it first makes a
        difference.
        """
        self._attempts[key] += 1
        self._most_attempts = max(self._most_attempts, self._attempts[key])
        number = self._numbers.setdefault(key, len(self._numbers) + 1)
        occasion = Occasion(request=request, number=number, attempt=self._attempts[key])
        plan = self._plan
        spent = [rule.name for rule in plan.rules if self._is_spent(rule)]
        inner: list[Fault] = []
        self._in_scope.update(rule.name for rule in plan.active() if rule.applies(occasion))
        for rule in plan.hits(occasion, spent):
            rewrite = rule.build()
            self._applied[rule.name].append(_Applied(rule, key, tuple(inner)))
            led = _led_to(rewrite, request)
            note = partial(self._note, rule, occasion, led, on_strike)
            if rule.layer in _OF_WORDS:
                rewrite = partial(unmeasured, rewrite=rewrite)
            script = watch(rewrite, script, note)
            inner.append(rewrite)
        return script

    def rewind(self) -> None:
        """Count attempts from the first again, and how often a rule may strike; *strikes* stay."""
        self._attempts.clear()
        self._struck.clear()

    @property
    def asked(self) -> tuple[object, ...]:
        """The keys of the interactions that were asked for, in the order of their requests."""
        return tuple(self._numbers)

    def follow_up(self, request: Request) -> Script | None:
        """The answer to *request*, which no recording has, where a fault that struck led there."""
        steps = self._follow_ups.get(_place_of(request.url))
        return None if steps is None else iter(steps)

    def concrete(self) -> Plan:
        """The plan, without chance, that breaks the same replies in the same way."""
        ranks = {rule.name: rank for rank, rule in enumerate(self._plan.rules)}
        strikes = {
            (ranks[it.rule.name], it.occasion.number, it.occasion.attempt): it
            for it in self.strikes
        }
        # As they were asked, not as they came to strike: several are applied in this order.
        rules = [
            replace(
                strikes[place].rule,
                name=f"{strikes[place].rule.name}/{rank}",
                request=Span(place[1], place[1]),
                attempt=Span(place[2], place[2]),
                times=None,
            )
            for rank, place in enumerate(sorted(strikes), 1)
        ]
        return replace(self._plan, rules=tuple(rules), mode="all")

    def unfired(self, script_of: Callable[[object], Script]) -> list[str]:
        """Why each rule that never struck did not; *script_of* gives the faithful replies anew."""
        struck = {strike.rule.name for strike in self.strikes}
        return [
            self._why(rule, script_of) for rule in self._plan.active() if rule.name not in struck
        ]

    def _is_spent(self, rule: Rule) -> bool:
        return rule.times is not None and self._struck[rule.name] >= rule.times

    def _note(
        self,
        rule: Rule,
        occasion: Occasion,
        led: Mapping[tuple[str, str], Sequence[Step]],
        on_strike: Callable[[Rule], object],
    ) -> bool:
        with self._lock:
            if self._is_spent(rule):  # by a reply that was asked for as this one was
                return False
            self._struck[rule.name] += 1
            self._follow_ups.update(led)
            self.strikes.append(Strike(rule=rule, occasion=occasion))
            on_strike(rule)
        return True

    def _why(self, rule: Rule, script_of: Callable[[object], Script]) -> str:
        if applied := self._applied[rule.name]:
            hit = applied[0].rule
            given = {(it.key, repr(it.inner)): it for it in applied}.values()
            return why_unfired(hit.build(), (it.given(script_of) for it in given), hit)
        return f"{_text(rule)} never fired: {self._why_never_asked(rule)}"

    def _why_never_asked(self, rule: Rule) -> str:
        if not self._numbers:
            return "no recorded response was played"
        if in_scope := self._in_scope[rule.name]:
            if rule.p < 1:
                return (
                    f"its chance of {rule.p:g} was not drawn in {in_scope} tries; "
                    f"the seed is {self._plan.seed}"
                )
            return "another rule of its layer came first"
        return (
            f"nothing was in its scope: there were {len(self._numbers)} requests, "
            f"and at most {self._most_attempts} attempts at one"
        )


def _led_to(fault: Fault, request: Request) -> dict[tuple[str, str], Sequence[Step]]:
    """Where *fault* leads who makes *request*, by its `follow_ups`, and what is answered there."""
    told: Mapping[str, Sequence[Step]] = getattr(fault, "follow_ups", {})
    host, _ = _place_of(request.url)
    return {(host, path): steps for path, steps in told.items()}


def _place_of(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.netloc, parts.path


def _text(rule: Rule) -> str:
    try:
        return text_of(rule)
    except PlanError:
        return rule.name
