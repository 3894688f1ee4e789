"""A plan: rules and a seed. What it comes to on each occasion is a function of the two.

Rules are asked in their order; of each layer the first that hits wins, and rules of
different layers compose, from the words of the answer out to the connection.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Literal, TypeAlias

from cassette_stream.exceptions import PlanError
from cassette_stream.faults.draws import draw
from cassette_stream.faults.info import Fault
from cassette_stream.faults.occasion import Occasion
from cassette_stream.faults.rule import Rule
from cassette_stream.faults.spec import parse_rule

__all__ = ("Faults", "Plan", "plan_of")

Faults: TypeAlias = "str | Fault | Rule | Plan | Iterable[str | Fault | Rule]"
"""How replayed streams break: a plan, or what several make one of, applied in turn."""

_ORDER = {"own": 0, "sem": 1, "json": 2, "sse": 3, "body": 4, "head": 5, "connect": 6, "end": 7}
_SWARM = re.compile(r"swarm\(([01]|0?\.\d+|1\.0+)\)")


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to go wrong.

    Attributes:
        rules: In the order in which they are asked. Names are made where they are missing,
            and are unique.
        seed: What chances are drawn by.
        mode: Which rules a run has: ``all``; ``one``, drawn; or, as in ``swarm(0.5)``, each
            with this chance.
        on_unfired: What a rule that never struck is: an ``error``, or a warning (``warn``).
        layered: The first rule of each layer wins; else all that apply do, in their order.

    Raises:
        PlanError: Two rules have one name, or a value is none that there is.
    """

    rules: tuple[Rule, ...]
    seed: int = field(default=0, kw_only=True)
    mode: str = field(default="all", kw_only=True)
    on_unfired: Literal["error", "warn"] = field(default="error", kw_only=True)
    layered: bool = field(default=True, kw_only=True)

    def __post_init__(self) -> None:
        if isinstance(self.seed, bool) or not isinstance(self.seed, int):
            raise PlanError(f"seed is {self.seed!r}; it can be a whole number")
        mode: object = self.mode
        if not (isinstance(mode, str) and (mode in {"all", "one"} or _SWARM.fullmatch(mode))):
            raise PlanError(f"mode is {mode!r}; it can be all, one, or as in swarm(0.5)")
        if self.on_unfired not in ("error", "warn"):
            raise PlanError(f"on_unfired is {self.on_unfired!r}; it can be error or warn")
        if not isinstance(self.layered, bool):
            raise PlanError(f"layered is {self.layered!r}; it can be true or false")
        object.__setattr__(self, "rules", tuple(_named(self.rules)))

    def active(self) -> tuple[Rule, ...]:
        """The rules that this run has, by the mode."""
        if self.mode == "one" and self.rules:
            return (self.rules[int(draw(self.seed, "one") * len(self.rules))],)
        if swarm := _SWARM.fullmatch(self.mode):
            share = float(swarm[1])
            return tuple(rule for rule in self.rules if draw(self.seed, "swarm", rule.name) < share)
        return self.rules

    def hits(self, occasion: Occasion, spent: Iterable[str] = ()) -> list[Rule]:
        """The rules for *occasion*, without chance, in the order in which they apply.

        *spent* names the rules that struck as often as they may.
        """
        gone = set(spent)
        found: list[Rule] = []
        taken: set[str] = set()
        for rule in self.active():
            if rule.name in gone or (self.layered and rule.layer in taken):
                continue
            if not rule.applies(occasion):
                continue
            hit = rule.resolve(self.seed, occasion.number, occasion.attempt)
            if hit is not None:
                found.append(hit)
                taken.add(rule.layer)
        return sorted(found, key=lambda rule: _ORDER[rule.layer]) if self.layered else found

    def resolve(self, *, requests: int, attempts: int) -> Plan:
        """The same plan without chance, for so many requests and attempts at each."""
        occasions = [(n, k) for n in range(1, requests + 1) for k in range(1, attempts + 1)]
        rules: list[Rule] = []
        for rule in self.active():
            if not rule.is_random:
                rules.append(rule)
                continue
            hits = (
                replace(hit, name=f"{rule.name}/{number}/{attempt}", times=None)
                for number, attempt in occasions
                if rule.spans(number, attempt)
                and (hit := rule.resolve(self.seed, number, attempt)) is not None
            )
            rules += islice(hits, rule.times)
        return replace(self, rules=tuple(rules), mode="all")


def plan_of(faults: object) -> Plan:
    """The plan that *faults*, in any of the forms that users give them in, stands for.

    A plan, a rule, a fault, the text of one, or several of them; several apply in turn.

    Raises:
        PlanError: A rule makes no sense.
        TypeError: It is something else.
    """
    if isinstance(faults, Plan):
        return faults
    if isinstance(faults, str | Rule) or callable(faults):
        faults = (faults,)
    if not isinstance(faults, Iterable):
        raise TypeError(f"faults are values of cassette_stream.faults or their text: {faults!r}")
    return Plan(tuple(map(_rule_of, faults)), layered=False)


def _rule_of(fault: object) -> Rule:
    if isinstance(fault, Rule):
        return fault
    if isinstance(fault, str):
        return parse_rule(fault)
    if callable(fault):
        own: Fault = fault
        return Rule(own)
    raise TypeError(f"a fault is a value of cassette_stream.faults or its text: {fault!r}")


def _named(rules: Iterable[Rule]) -> Iterable[Rule]:
    rules = tuple(rules)
    names = [rule.name for rule in rules if rule.name]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise PlanError(f"two rules are called {twice[0]!r}: a name is part of what is drawn")
    taken = set(names)
    for rule in rules:
        if rule.name:
            yield rule
            continue
        stem = (
            rule.fault
            if isinstance(rule.fault, str)
            else getattr(rule.fault, "__name__", type(rule.fault).__name__)
        )
        name, number = stem, 1
        while name in taken:
            number += 1
            name = f"{stem}-{number}"
        taken.add(name)
        yield replace(rule, name=name)
