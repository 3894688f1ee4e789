"""Plans for one recording: every rule strikes where it is played from its first byte to its last.

That is not guessed: each rule was tried on the recorded reply, and each plan as a whole.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from cassette_stream import Cassette, read_cassette
from cassette_stream.exceptions import CassetteNotFoundError
from cassette_stream.faults import Injector, Plan, Rule, catalogue
from pytest_cassette_stream.strategies.faults import parameters_of, rows
from pytest_cassette_stream.strategies.made import made
from pytest_cassette_stream.strategies.options import whole_number
from pytest_cassette_stream.strategies.replies import Reply, silences

__all__ = ("plans",)

_MOST_STEPS = 20_000
"""Some scripts never end; what has not struck by then is left out."""


def plans(
    cassette: Cassette | str | Path,
    *,
    layer: str | Collection[str] | None = None,
    harmful: bool | None = None,
    max_rules: int = 3,
) -> st.SearchStrategy[Plan]:
    """Plans of rules that strike on *cassette*: none of them is there in vain.

    They hold for code that makes the recorded requests in the recorded order, and reads each
    reply as far as it goes, with a read timeout of five seconds or more. Chance has no part in
    them. Where a rule holds for the first attempt alone, the next one gets what was recorded.
    Examples shrink to one rule, an early place, and no parameters.

    Args:
        cassette: The recording, or its path; it is read here and now.
        layer: As for `faults`; there is nothing of ``end``, as those are no rewrites.
        harmful: As for `faults`.
        max_rules: How many rules there are at most; there is always one.

    Raises:
        CassetteError: There is no such file, or it is no cassette.
        ValueError: There is no such layer, or nothing of it can strike here.
        TypeError: *cassette* is something else.
    """
    if isinstance(cassette, str | Path):
        try:
            cassette = read_cassette(cassette)
        except CassetteNotFoundError as error:
            error.add_note(
                "plans reads it where the strategy is made, which is when its module is imported: "
                "record it by a test of another module"
            )
            raise
    if not isinstance(cassette, Cassette):
        raise TypeError(f"plans breaks a Cassette, or one at a path, not {cassette!r}")
    most = whole_number("max_rules", max_rules, low=1)
    told = [info for info in rows(layer, harmful) if info.make is not None]
    every = [Reply(it, number) for number, it in enumerate(cassette.interactions, 1)]
    scoped = len(every) > 1
    strikes = [(reply, found) for reply in every if (found := reply.strikes_of(told))]
    if not strikes:
        raise ValueError(
            "nothing of these layers can strike on this cassette: name other layers"
            if every
            else "this cassette holds no interactions: record one"
        )
    one = st.sampled_from(strikes).flatmap(lambda it: _rules(*it, scoped=scoped))
    # Of each layer the first rule wins.
    whole = st.lists(one, min_size=1, max_size=most, unique_by=lambda it: (it.layer, it.request))
    return made(partial(_without_idle, every), whole)


@st.composite
def _rules(draw: st.DrawFn, reply: Reply, faults: Sequence[Rule], *, scoped: bool) -> Rule:
    """One that strikes on *reply*, made from one of *faults*, which all do."""
    sure = draw(st.sampled_from(faults))
    assert isinstance(sure.fault, str)
    info = catalogue()[sure.fault]
    scope: dict[str, Any] = {"attempt": draw(st.sampled_from([None, 1]))}
    if scoped:
        scope["request"] = reply.number
    rule = replace(sure, **scope)
    if info.places:
        moved = replace(rule, at=draw(reply.places_for(info)))
        rule = moved if reply.is_struck_by(moved) else rule
    given = draw(st.fixed_dictionaries({}, optional=parameters_of(info)))
    changed = replace(rule, parameters={**rule.parameters, **given})
    return changed if given and reply.is_struck_by(changed) else rule


def _without_idle(replies: Sequence[Reply], rules: Sequence[Rule]) -> Plan:
    """The plan of those that strike when all are there: an earlier one may end the stream."""
    plan = Plan(tuple(rules))
    while len(struck := _struck(plan, replies)) < len(plan.rules):
        plan = Plan(tuple(replace(it, name="") for it in plan.rules if it.name in struck))
    return plan


def _struck(plan: Plan, replies: Sequence[Reply]) -> set[str]:
    injector = Injector(plan)
    struck: set[str] = set()
    for reply in replies:
        script = injector.rewrite(
            iter(reply.steps), reply.request, reply.number, lambda it: struck.add(it.name)
        )
        _read(script, reply.patience, struck, len(plan.rules))
    return struck


def _read(script: Iterator[object], patience: float, struck: set[str], enough: int) -> None:
    for silence in islice(silences(script), _MOST_STEPS):
        if len(struck) == enough or silence > patience:
            return
