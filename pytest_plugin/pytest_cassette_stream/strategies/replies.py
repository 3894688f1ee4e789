"""A recorded reply as a target: where in it a fault can strike, by trying.

The places are those of the reply: events, bytes, chunks, text, moments and JSON values
that it has.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import cached_property
from itertools import islice
from typing import Any

from hypothesis import strategies as st

from cassette_stream import Emit, Interaction, Wait, script_of
from cassette_stream.exceptions import PlanError
from cassette_stream.faults import (
    AfterText,
    Byte,
    Chunk,
    Event,
    FaultInfo,
    Place,
    Rule,
    Time,
    When,
    watch,
)
from cassette_stream.faults.seen import events_in

__all__ = ("Reply", "silences")

_MOST_EVENTS = 24
"""Half of them from either end: what strikes at all strikes there."""
_MOST_VALUES = 24
_A_FLOOD = 1_000_000
_PATIENCE = 4.999
"""Below the read timeout of httpx, the shortest that a client has unless it is told another."""
_LESS = 1_000
"""What takes millions by default takes this much instead: an example is made in no time."""


def silences(script: Iterable[object]) -> Iterator[float]:
    """For each step, how many seconds it is since the last byte came."""
    silent = 0.0
    for step in script:
        if isinstance(step, Wait):
            silent += step.seconds
        elif not isinstance(step, Emit) or step.data:
            silent = 0.0
        yield silent


class Reply:
    """What came back in *interaction*, the answer to the request with this *number*."""

    def __init__(self, interaction: Interaction, number: int) -> None:
        self.number = number
        self.request = interaction.request
        self.steps = tuple(script_of(interaction))
        self._places: dict[str, st.SearchStrategy[Place]] = {}

    def __repr__(self) -> str:
        return f"<reply {self.number}: {len(self.steps)} steps>"

    def is_struck_by(self, rule: Rule) -> bool:
        """Whether *rule* changes anything here; one that cannot be had does not."""
        struck: list[bool] = []
        try:
            fault = rule.build()
        except PlanError:  # a coding for which there is no package
            return False
        for _ in watch(fault, iter(self.steps), lambda: struck.append(True)):
            if struck:
                break
        return bool(struck)

    @cached_property
    def patience(self) -> float:
        """How many seconds of silence whoever reads it waits at the least."""
        return max(_PATIENCE, *silences(self.steps))

    def strikes_of(self, faults: Iterable[FaultInfo]) -> list[Rule]:
        """A rule for each of *faults* that can strike here, in their order."""
        found = (next(self._strikes(info), None) for info in faults)
        return [rule for rule in found if rule is not None]

    def _strikes(self, info: FaultInfo) -> Iterator[Rule]:
        less = {
            it.name: _LESS
            for it in info.parameters
            if isinstance(it.default, int) and it.default > _A_FLOOD
        }
        choices = [{it.name: word} for it in info.parameters for word in it.choices]
        for parameters in ({}, *choices):
            for at in self._events_or_bytes(info):
                with suppress(PlanError):
                    rule = Rule(info.id, at=at, parameters={**less, **parameters})
                    if self.is_struck_by(rule):
                        yield rule

    def _events_or_bytes(self, info: FaultInfo) -> list[Place | None]:
        if not info.places:
            return [None]
        events: list[Place | None] = [Event(n) for n in self._numbers]
        return events + ([Byte(0)] if "byte" in info.places else [])

    def places_for(self, info: FaultInfo) -> st.SearchStrategy[Place]:
        """The places of this reply that the fault takes; at most of them it strikes."""
        if info.id not in self._places:
            self._places[info.id] = st.one_of(list(self._kinds(info)))
        return self._places[info.id]

    def _kinds(self, info: FaultInfo) -> Iterator[st.SearchStrategy[Place]]:
        """One strategy for each kind of place."""
        numbers = self._numbers if "event" in info.places else []
        if numbers:
            yield st.sampled_from([Event(n) for n in numbers])
            insides: tuple[Any, ...] = info.insides
            told = [Event(n, inside=it) for it in insides for n in numbers]
            if within := [at for at in told if self.is_struck_by(Rule(info.id, at=at))]:
                yield st.sampled_from(within)
        if "byte" in info.places:
            yield st.builds(Byte, st.integers(0, self._size))
        if "chunk" in info.places and self._chunks:
            yield st.builds(Chunk, st.integers(1, self._chunks))
        if "after_text" in info.places and self._text:
            yield st.builds(AfterText, st.integers(1, self._text))
        if "time" in info.places:
            yield st.builds(Time, st.floats(0, self._seconds))
        if "when" in info.places and self._values:
            yield st.sampled_from(self._values)

    @cached_property
    def _data(self) -> list[bytes]:
        return [step.data for step in self.steps if isinstance(step, Emit) and step.data]

    @cached_property
    def _events(self) -> list[str]:
        """The data of its events, lines or frames."""
        return [seen.data for seen in events_in(self.steps)]

    @property
    def _numbers(self) -> list[int]:
        count, half = len(self._events), _MOST_EVENTS // 2
        return [n for n in range(1, count + 1) if n <= half or n > count - half]

    @property
    def _size(self) -> int:
        return sum(map(len, self._data))

    @property
    def _chunks(self) -> int:
        return len(self._data)

    @property
    def _seconds(self) -> float:
        return sum(it.seconds for it in self.steps if isinstance(it, Wait))

    @cached_property
    def _text(self) -> int:
        """How many characters of text there are: as many as there are places behind."""
        known, beyond = 0, 1
        while self._has_text(beyond):
            known, beyond = beyond, 2 * beyond
        while beyond - known > 1:
            half = (known + beyond) // 2
            known, beyond = (half, beyond) if self._has_text(half) else (known, half)
        return known

    def _has_text(self, count: int) -> bool:
        return self.is_struck_by(Rule("body.fin", at=AfterText(count)))

    @cached_property
    def _values(self) -> list[Place]:
        """JSON values in its events, by their paths."""
        found: dict[Place, None] = {}
        for number in self._numbers:
            with suppress(ValueError):
                for path, value in _leaves(json.loads(self._events[number - 1]), ""):
                    found[When(path, value)] = None
        return list(islice(found, _MOST_VALUES))


def _leaves(value: object, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            if name.isidentifier():
                yield from _leaves(inner, f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        for rank, inner in enumerate(value):
            yield from _leaves(inner, f"{path}[{rank}]")
    elif path:
        yield path, value
