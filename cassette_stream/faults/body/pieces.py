"""The same bytes in other chunks: what every network does, and every client must bear."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from cassette_stream.faults.info import FaultInfo
from cassette_stream.faults.inside import data_values, offset_inside
from cassette_stream.faults.parameter import Parameter
from cassette_stream.faults.place import Event
from cassette_stream.faults.seek import seek
from cassette_stream.script import Emit, Script, Step, Wait

__all__ = ("SLICE", "SPLIT", "Slice", "Split")

_SIZE = Parameter(
    name="size", unit="bytes", default=1, low=1, description="How long a piece is at most."
)
_EVERY = Parameter(
    name="every",
    unit="seconds",
    default=0.0,
    description="The time between two pieces of a chunk.",
)
_KINDS = ("utf8", "crlf", "json", "data", "surrogate")
_INSIDE = Parameter(
    name="inside",
    default="any",
    choices=("any", *_KINDS),
    description="What each event is cut inside of: a character of several bytes, a line end, "
    "its JSON, the name of its data field, a pair of escapes; all that it has, if any.",
)
_PAIR = re.compile(rb"\\u[dD][89abAB][0-9a-fA-F]{2}(?=\\u[dD][c-fC-F])")


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """Each event comes in two chunks, cut *inside* the first thing of that kind that it has.

    ``any`` cuts inside one thing of every kind, so there may be more than two. An event
    that has none, or comes in two there anyway, is left as it is.
    """

    inside: str = "any"

    def __post_init__(self) -> None:
        _INSIDE.read(self.inside)

    def __call__(self, script: Script) -> Script:
        rest = _Rest(script)
        while found := (yield from seek(rest, Event(1))):
            event = found.event()
            kinds = _KINDS if self.inside == "any" else (self.inside,)
            places = {place for kind in kinds if (place := _cut(event, kind)) is not None}
            before, after = replace(found, at=found.end).split()
            yield from _split(before, [found.start + place for place in sorted(places)])
            rest.put_back(after)


def _cut(event: bytes, kind: str) -> int | None:
    if kind == "data":
        return event.rindex(b"data", 0, data_values(event)[0][0]) + len(b"da")
    if kind == "surrogate":
        pair = _PAIR.search(event)
        return pair and pair.end()
    inside: Any = kind
    return offset_inside(event, inside)


def _split(steps: Iterable[Step], places: Iterable[int]) -> Iterator[Step]:
    """The *steps*, with a chunk ending at each of *places*, which count bytes from the first."""
    start = 0
    for step in steps:
        size = len(step.data) if isinstance(step, Emit) else 0
        cuts = [place - start for place in places if start < place < start + size]
        if isinstance(step, Emit) and cuts:
            for first, last in pairwise((0, *cuts, size)):
                yield Emit(step.data[first:last])
        else:
            yield step
        start += size


class _Rest:
    """A script to which steps can be given back."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self._back: deque[Step] = deque()

    def __iter__(self) -> Iterator[Step]:
        return self

    def __next__(self) -> Step:
        return self._back.popleft() if self._back else next(self._script)

    def put_back(self, steps: Sequence[Step]) -> None:
        self._back.extendleft(reversed(steps))


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """Each chunk comes in pieces of *size* bytes, *every* so many seconds."""

    size: int = 1
    every: float = 0.0

    def __post_init__(self) -> None:
        _SIZE.read(self.size)
        _EVERY.read(self.every)

    def __call__(self, script: Script) -> Script:
        for step in script:
            if not isinstance(step, Emit):
                yield step
                continue
            for start in range(0, len(step.data) or 1, self.size):
                if start and self.every:
                    yield Wait(self.every)
                yield Emit(step.data[start : start + self.size])


SPLIT = FaultInfo(
    id="body.split",
    name="chunk boundary inside a character, line end, JSON or field",
    expect="tolerates",
    transport="nothing: it is what TCP does",
    description="Each event comes in two chunks, cut where decoding by the chunk goes wrong.",
    reference="danielmiessler/Fabric#2203",
    make=Split,
    common=True,
    parameters=(_INSIDE,),
)

SLICE = FaultInfo(
    id="body.slice",
    name="small chunks",
    expect="tolerates",
    transport="nothing: it is what TCP does",
    description="The same bytes come in pieces of a given size.",
    reference="measured",
    make=Slice,
    parameters=(_SIZE, _EVERY),
)
