"""The same bytes in other chunks: what every network does, and every client must bear."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from cassette_stream.faults.info import FaultInfo
from cassette_stream.faults.inside import offset_inside
from cassette_stream.faults.parameter import Parameter
from cassette_stream.faults.seen import Heard, Seen
from cassette_stream.script import Emit, Fail, Script, Step, Wait

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
_DATA = re.compile(rb"(?:\A(?:\xef\xbb\xbf)?|(?<=[\r\n]))data(?=[:\r\n])")
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
        heard = Heard()
        held: deque[Step] = deque()  # from the first step on whose events are not whole
        places: list[int] = []
        position = 0  # bytes before them
        for step in heard.listen(script):
            held.append(step)
            if isinstance(step, Fail):
                break
            places += self._places(heard)
            while held and position + _size(held[0]) <= heard.whole:
                yield from _split(held[0], position, places)
                position += _size(held.popleft())
            places = [place for place in places if place > position]
        heard.finish()
        places += self._places(heard)
        for step in held:
            yield from _split(step, position, places)
            position += _size(step)

    def _places(self, heard: Heard) -> list[int]:
        """Where the new events are to be cut."""
        kinds = _KINDS if self.inside == "any" else (self.inside,)
        cuts = ((start, _cut(seen, kind)) for seen, start in heard.new for kind in kinds)
        places = sorted({start + cut for start, cut in cuts if cut is not None})
        heard.new.clear()
        return places


def _cut(seen: Seen, kind: str) -> int | None:
    event = seen.raw
    if kind == "data":
        line = _DATA.search(event) if seen.framing == "sse" else None
        return line and line.end() - len(b"ta")
    if kind == "surrogate":
        pair = _PAIR.search(event)
        return pair and pair.end()
    inside: Any = kind
    return offset_inside(event, inside, seen.framing)


def _split(step: Step, start: int, places: Iterable[int]) -> Iterator[Step]:
    """*step*, which begins at *start*, in as many pieces as *places* cut it into."""
    end = start + _size(step)
    cuts = [place - start for place in places if start < place < end]
    if not isinstance(step, Emit) or not cuts:
        yield step
        return
    for first, last in pairwise((0, *cuts, end - start)):
        yield Emit(step.data[first:last])


def _size(step: Step) -> int:
    return len(step.data) if isinstance(step, Emit) else 0


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
