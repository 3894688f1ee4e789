"""Changing events where they stand, and nothing beside them.

An edit takes the bytes between two places out and puts others in. What it leaves alone
keeps its chunk and its time; what it puts in comes in the chunk in which its place is.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeAlias

from cassette_stream.faults.dialect import Dialect, dialect_of
from cassette_stream.faults.inside import data_values
from cassette_stream.faults.place import Event
from cassette_stream.faults.seek import seek
from cassette_stream.faults.seekers import event_decoder, is_terminal
from cassette_stream.script import Emit, Fail, Script, Step
from cassette_stream.wire.sse import LocatedEvent

__all__ = (
    "NO_JSON",
    "Change",
    "Edit",
    "Seen",
    "dialect_in",
    "edit_event",
    "edit_events",
    "edited",
    "events_in",
    "json_bytes",
)

Edit: TypeAlias = tuple[int, int, bytes]
"""Where it begins, where it ends, and what stands there instead."""

NO_JSON = object()
"""The value of an event whose data is no JSON."""


@dataclass(frozen=True)
class Seen:
    """One event as a fault sees it.

    Attributes:
        raw: Its bytes, from the end of the event before to its own blank line.
        number: Its number, counted from 1.
        name: Its event type, ``message`` if it has none.
        data: Its data.
        dialect: The dialect that this event or one before it told, None if none did.
    """

    raw: bytes
    number: int
    name: str
    data: str
    dialect: Dialect | None

    @cached_property
    def value(self) -> object:
        """The JSON value of the data, `NO_JSON` if it is none."""
        try:
            # Python refuses to make a number of more than 4,300 digits; it is JSON all the same.
            return json.loads(self.data)
        except (ValueError, RecursionError):
            return NO_JSON

    @cached_property
    def is_terminal(self) -> bool:
        """Whether it says that the answer is over."""
        return is_terminal(self.name, self.data)

    @property
    def line_end(self) -> bytes:
        """How its lines end."""
        end = self.raw[-2:]
        return b"\r\n" if end == b"\r\n" else end[-1:]

    def with_data(self, data: bytes) -> list[Edit]:
        """The edits that give it other *data*, on the line where its data begins."""
        values = data_values(self.raw)
        first, *others = values
        # A line that goes takes its field name and its line end along.
        gone = [(values[number][1], end, b"") for number, (_, end) in enumerate(others)]
        return [(*first, data), *gone]

    def with_value(self, value: object) -> list[Edit]:
        """The edits that make its data the JSON of *value*."""
        return self.with_data(json_bytes(value))

    def preceded_by(self, data: bytes) -> list[Edit]:
        return [(0, 0, data)]

    def followed_by(self, data: bytes) -> list[Edit]:
        return [(len(self.raw), len(self.raw), data)]

    def replaced_by(self, data: bytes) -> list[Edit]:
        return [(0, len(self.raw), data)]


Change: TypeAlias = Callable[[Seen], Sequence[Edit]]


def json_bytes(value: object) -> bytes:
    """The JSON of *value* as providers write it: compact, in UTF-8."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "surrogatepass")


def edit_event(script: Script, place: Event, change: Change) -> Script:
    """The *script* with one event changed; one without it is left whole.

    *change* gets the event, and gives edits in order, in places of its `Seen.raw`.
    """
    heard = _Heard()
    found = yield from seek(heard.listen(script), place)
    if found is None:
        return
    before = heard.size - sum(map(_size, found.steps))
    edits = change(heard.seen(before + found.start))
    yield from edited(found.steps, [(found.start + a, found.start + b, new) for a, b, new in edits])
    yield from script


def edit_events(script: Script, change: Change) -> Script:
    """The *script* with every event as *change* gives it; what is no event stays."""
    heard = _Heard()
    held: deque[Step] = deque()
    edits: deque[Edit] = deque()
    released = 0  # bytes of the body, before the first step that is held

    def release(upto: int) -> Iterator[Step]:
        nonlocal released
        for seen, start in heard.new:
            edits.extend((start + a, start + b, new) for a, b, new in change(seen))
        heard.new.clear()
        ready, end = [], released
        while held and end + _size(held[0]) <= upto:
            end += _size(held[0])
            ready.append(held.popleft())
        due = []
        while edits and edits[0][1] <= end:
            start, stop, new = edits.popleft()
            due.append((start - released, stop - released, new))
        yield from edited(ready, due)
        released = end

    for step in heard.listen(script):
        held.append(step)
        if isinstance(step, Fail):
            break
        yield from release(heard.whole)
    heard.finish()
    yield from release(heard.size)


def edited(steps: Iterable[Step], edits: Sequence[Edit]) -> Iterator[Step]:
    """The *steps* with *edits*, which are in order and count bytes from the first step.

    A chunk that an edit empties goes.
    """
    left = deque(edits)
    position = 0
    for step in steps:
        if not isinstance(step, Emit):
            yield step
            continue
        data, end = step.data, position + len(step.data)
        pieces, at = [], position
        while left and left[0][0] <= end:
            start, stop, new = left[0]
            if start == end and start < stop:
                break  # what it changes begins with the next chunk
            pieces += [data[at - position : max(start, at) - position], new]
            at = max(at, min(stop, end))
            if stop > end:
                left[0] = (end, stop, b"")
                break
            left.popleft()
        pieces.append(data[at - position :])
        position = end
        told = b"".join(pieces)
        if told or not data:
            yield step if told == data else Emit(told)


def events_in(steps: Iterable[Step]) -> list[Seen]:
    """The events of a whole script."""
    heard = _Heard()
    for _ in heard.listen(iter(steps)):
        pass
    heard.finish()
    return [seen for seen, _ in heard.new]


def dialect_in(steps: Iterable[Step]) -> Dialect | None:
    """The dialect of a whole script."""
    return next((seen.dialect for seen in reversed(events_in(steps))), None)


class _Heard:
    """The events of a body that is listened to, with their places.

    Attributes:
        size: Bytes of the body so far.
        whole: The bytes up to the end of the last whole event.
        new: The events that came since it was emptied, and where each begins.
    """

    def __init__(self) -> None:
        self.size = 0
        self.whole = 0
        self.new: list[tuple[Seen, int]] = []
        self._decoder = event_decoder()
        self._body = bytearray()  # from `whole` on
        self._count = 0
        self._dialect: Dialect | None = None

    def listen(self, script: Script) -> Script:
        for step in script:
            if isinstance(step, Emit):
                self.size += len(step.data)
                self._body += step.data
                self._add(self._decoder.feed(step.data))
            yield step

    def finish(self) -> None:
        """The body is over: a last CR was no half of a CRLF."""
        self._add(self._decoder.finish())

    def seen(self, start: int) -> Seen:
        """The event that begins at *start*."""
        if not any(at == start for _, at in self.new):
            self.finish()
        return next(seen for seen, at in self.new if at == start)

    def _add(self, events: Iterable[LocatedEvent]) -> None:
        for event in events:
            self._count += 1
            raw = bytes(self._body[event.start - self.whole : event.end - self.whole])
            del self._body[: event.end - self.whole]
            self.whole = event.end
            seen = Seen(
                raw=raw, number=self._count, name=event.event, data=event.data, dialect=None
            )
            if self._dialect is None:
                self._dialect = dialect_of([seen.value])
            self.new.append((replace(seen, dialect=self._dialect), event.start))


def _size(step: Step) -> int:
    return len(step.data) if isinstance(step, Emit) else 0
