"""Finding a place in a script, and taking the script apart there.

A script is read ahead only as far as it takes to know that the place is there: to the
end of the event for an `Event`; for what is counted from the end, by as many events,
bytes or chunks as are counted. What is read ahead is held back and nothing else, and a
script without the place comes out as it went in. So does one in which more than 100,000
steps would have to be held back, as it may be one that never ends.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cassette_stream.faults.framing import Framing
from cassette_stream.faults.inside import offset_inside
from cassette_stream.faults.place import Event, Place, Time
from cassette_stream.faults.seekers import Seeker, seeker_of
from cassette_stream.script import Emit, Fail, Head, Script, Step, Wait

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Sequence

__all__ = ("Found", "seek", "why_missing")

_MOST_HELD = 100_000
_INSIDE_WORDS = {
    "blank_line": "blank line",
    "crlf": "CRLF",
    "escape": "JSON with an escape",
    "json": "JSON",
    "json_string": "JSON with a string",
    "utf8": "character of several bytes",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A place, in the steps that were held back to find it.

    *at*, *start* and *end* count bytes from the first of these *steps*: the place, and
    the event or chunk that it is before or in. A byte spans nothing: all three are equal.
    *at_once* says that the place is before the first step, even if that is a wait, *framing*
    what the event stands in.
    """

    steps: Sequence[Step]
    at: int
    start: int
    end: int
    at_once: bool = False
    framing: Framing = "sse"

    def split(self) -> tuple[list[Step], list[Step]]:
        """The steps before the place and those from it on; a chunk around it is cut in two.

        Waits before the next byte, or before the failure that comes instead, stand before
        the place.
        """
        if self.at_once:
            return [], list(self.steps)
        before: list[Step] = []
        after, left = deque(self.steps), self.at
        while after:
            step = after[0]
            size = len(step.data) if isinstance(step, Emit) else 0
            if size > left or isinstance(step, Fail):
                break
            left -= size
            before.append(after.popleft())
        if left and isinstance(step, Emit):
            before.append(Emit(step.data[:left]))
            after[0] = Emit(step.data[left:])
        return before, list(after)

    def event(self) -> bytes:
        """The bytes of the event."""
        body = b"".join(step.data for step in self.steps if isinstance(step, Emit))
        return body[self.start : self.end]


def seek(script: Script, place: Place) -> Generator[Step, None, Found | None]:
    """Give the steps before *place*, then return it with what was held back to find it.

    What follows is still in *script*. Where the script has no such place, it is given to
    its end, and None is returned.
    """
    if isinstance(place, Time):
        return (yield from _wait(script, place.seconds))
    found = yield from _hold(script, seeker_of(place))
    if found is None or not isinstance(place, Event):
        return found
    if place.after:
        return replace(found, at=found.end)
    if place.inside is None:
        return found
    offset = offset_inside(found.event(), place.inside, found.framing)
    if offset is not None:
        return replace(found, at=found.start + offset)
    yield from found.steps
    yield from script
    return None


def why_missing(script: Script, place: Place) -> str | None:
    """What *script* has instead of *place*, in words; None if it has the place."""
    steps = list(script)
    if isinstance(place, Time):
        seconds = 0.0
        for step in steps:
            seconds += step.seconds if isinstance(step, Wait) else 0
        is_there = _exhausted(_wait(iter(steps), place.seconds))
        return None if is_there else f"the stream is over after {seconds:g} s"
    if not any(isinstance(step, Head | Emit) for step in steps):
        return "there is no response"
    seeker = seeker_of(place)
    chunks = [step.data for step in steps if isinstance(step, Emit)]
    span = next(filter(None, map(seeker.feed, chunks)), None) or seeker.end()
    if span is None:
        return seeker.why()
    if not isinstance(place, Event) or place.inside is None:
        return None
    inside = place.inside
    if offset_inside(b"".join(chunks)[slice(*span)], inside, seeker.framing) is not None:
        return None
    return f"event {place.n} has no {_INSIDE_WORDS[inside]}"


def _exhausted(seeking: Generator[Step, None, Found | None]) -> bool:
    """Whether the place is found in the end."""
    while True:
        try:
            next(seeking)
        except StopIteration as end:
            return end.value is not None


def _wait(script: Script, seconds: float) -> Generator[Step, None, Found | None]:
    """As `seek`, for the moment *seconds* after the beginning; there is none behind the end."""
    passed = 0.0
    for step in script:
        if isinstance(step, Wait) and passed + step.seconds >= seconds:
            left = seconds - passed
            if left:
                yield Wait(left)
            rest = max(0.0, step.seconds - left)
            steps = (Wait(rest),) if rest else ()
            return Found(steps=steps, at=0, start=0, end=0, at_once=True)
        if isinstance(step, Wait):
            passed += step.seconds
        elif passed == seconds:
            return Found(steps=(step,), at=0, start=0, end=0, at_once=True)
        yield step
        if isinstance(step, Fail):
            break
    return None


def _hold(script: Script, seeker: Seeker) -> Generator[Step, None, Found | None]:
    held: deque[Step] = deque()
    released, has_body = 0, False
    for step in script:
        held.append(step)
        if isinstance(step, Fail):
            break
        if len(held) > _MOST_HELD:
            yield from held
            yield from script
            return None
        has_body = has_body or not isinstance(step, Wait)
        if isinstance(step, Emit) and (span := seeker.feed(step.data)):
            return _found(held, span, released, seeker.framing)
        while held:
            size = len(held[0].data) if isinstance(held[0], Emit) else 0
            if size and released + size > seeker.safe:
                break
            released += size
            yield held.popleft()
    if has_body and (span := seeker.end()):
        return _found(held, span, released, seeker.framing)
    yield from held
    return None


def _found(held: Iterable[Step], span: tuple[int, int], released: int, framing: Framing) -> Found:
    start, end = span[0] - released, span[1] - released
    return Found(steps=tuple(held), at=start, start=start, end=end, framing=framing)
