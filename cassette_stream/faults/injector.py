"""A plan at work: which faults break which reply, what struck, and why something did not.

It is told of each request that is about to be answered, in their order, and gives the
script to perform instead. It waits for nothing and sends nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
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


_OF_WORDS = frozenset({"own", "sem", "json", "sse"})
"""The layers that change what a body says, and mean no harm to how it is sent."""


class Injector:
    """Breaks the replies of one run, as *plan* says.

    Attributes:
        strikes: What struck, in order.
    """

    def __init__(self, plan: Plan) -> None:
        for rule in plan.active():
            if rule.info is not None and rule.info.make is None:
                rule.build()  # says why it cannot be
        self.strikes: list[Strike] = []
        self._plan = plan
        self._numbers: dict[object, int] = {}
        self._attempts: Counter[object] = Counter()
        self._struck: Counter[str] = Counter()
        self._applied: dict[str, list[tuple[Rule, object]]] = {
            rule.name: [] for rule in plan.active()
        }
        self._in_scope: Counter[str] = Counter()
        self._follow_ups: dict[tuple[str, str], Sequence[Step]] = {}

    def rewrite(
        self,
        script: Script,
        request: Request,
        key: object,
        on_strike: Callable[[], object] = lambda: None,
    ) -> Script:
        """What is performed instead of *script*, the faithful reply to *request*.

        *key* tells the recorded interaction that answers it: who asks for the same one
        again tries again. *on_strike* is called when something is first different.
        """
        self._attempts[key] += 1
        number = self._numbers.setdefault(key, len(self._numbers) + 1)
        occasion = Occasion(request=request, number=number, attempt=self._attempts[key])
        plan = self._plan
        spent = [
            rule.name for rule in plan.rules if rule.times and self._struck[rule.name] >= rule.times
        ]
        self._in_scope.update(rule.name for rule in plan.active() if rule.applies(occasion))
        for rule in plan.hits(occasion, spent):
            self._applied[rule.name].append((rule, key))
            rewrite = rule.build()
            led = _led_to(rewrite, request)
            note = partial(self._note, rule, occasion, led, on_strike)
            if rule.layer in _OF_WORDS:
                rewrite = partial(unmeasured, rewrite=rewrite)
            script = watch(rewrite, script, note)
        return script

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
        rules = []
        for rank, strike in enumerate(self.strikes, 1):
            at = strike.occasion
            rules.append(
                replace(
                    strike.rule,
                    name=f"{strike.rule.name}/{rank}",
                    request=Span(at.number, at.number),
                    attempt=Span(at.attempt, at.attempt),
                    times=None,
                )
            )
        return replace(self._plan, rules=tuple(rules), mode="all")

    def unfired(self, script_of: Callable[[object], Script]) -> list[str]:
        """Why each rule that never struck did not; *script_of* gives the faithful replies anew."""
        return [
            self._why(rule, script_of)
            for rule in self._plan.active()
            if not self._struck[rule.name]
        ]

    def _note(
        self,
        rule: Rule,
        occasion: Occasion,
        led: Mapping[tuple[str, str], Sequence[Step]],
        on_strike: Callable[[], object],
    ) -> None:
        self._struck[rule.name] += 1
        self._follow_ups.update(led)
        self.strikes.append(Strike(rule=rule, occasion=occasion))
        on_strike()

    def _why(self, rule: Rule, script_of: Callable[[object], Script]) -> str:
        if applied := self._applied[rule.name]:
            hit, _ = applied[0]
            keys = dict.fromkeys(key for _, key in applied)
            return why_unfired(hit.build(), map(script_of, keys), hit)
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
        most = max(self._attempts.values())
        return (
            f"nothing was in its scope: there were {len(self._numbers)} requests, "
            f"and at most {most} attempts at one"
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
