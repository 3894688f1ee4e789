"""Looking for a place in bytes that come chunk by chunk."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections import deque
from typing import TYPE_CHECKING, Protocol

from cassette_stream.cassette.json_path import Path, parse_path, same_json, values_at
from cassette_stream.faults.dialect import DIALECTS, Dialect, dialect_of, text_in
from cassette_stream.faults.framing import EventReader, Framing
from cassette_stream.faults.place import AfterText, Byte, Chunk, Event, When
from cassette_stream.wire.sse import LocatedEvent

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ("Seeker", "seeker_of")

_TERMINAL_TYPES = (
    "message-end",
    "message_stop",
    "response.completed",
    "response.failed",
    "response.incomplete",
)
# Only of frames: elsewhere events are named so that say something else.
_TERMINAL_FRAMES = ("messageStop", "metadata")


class Seeker(Protocol):
    """Looks for one place in the bytes of a body, given chunk by chunk.

    What it finds is a start and an end in that body, of the event or chunk; both are the
    place where it looks for a byte.
    """

    @property
    def safe(self) -> int:
        """The place does not begin before this byte."""
        ...

    @property
    def framing(self) -> Framing:
        """What the events of the body stand in, as far as that was looked at."""
        ...

    def feed(self, data: bytes) -> tuple[int, int] | None: ...

    def end(self) -> tuple[int, int] | None: ...

    def why(self) -> str:
        """What there was instead of the place."""
        ...


def seeker_of(place: Event | Byte | Chunk | AfterText | When) -> Seeker:
    """Who looks for *place* in one body."""
    match place:
        case Byte(n):
            return _ByteSeeker(n)
        case Chunk(n):
            return _ChunkSeeker(n)
        case AfterText(n):
            return _TextSeeker(n)
        case When(path, value):
            return _ValueSeeker(place, parse_path(path), value)
        case Event("terminator"):
            return _TerminatorSeeker()
        case Event(n):
            number = n if isinstance(n, int) else 1 if n == "first" else -1
            return _EventSeeker(number, place.type)


class _ByteSeeker:
    framing: Framing = "sse"

    def __init__(self, n: int) -> None:
        self._n = n
        self._total = 0

    @property
    def safe(self) -> int:
        return self._total if self._n >= 0 else self._total + self._n

    def feed(self, data: bytes) -> tuple[int, int] | None:
        self._total += len(data)
        return (self._n, self._n) if 0 <= self._n < self._total else None

    def end(self) -> tuple[int, int] | None:
        at = self._n if self._n >= 0 else self._total + self._n
        return (at, at) if 0 <= at <= self._total else None

    def why(self) -> str:
        return f"the stream has {_count(self._total, 'byte')}"


class _NthSeeker:
    """Counts spans; from the end where *n* is negative, and then holds back so many."""

    def __init__(self, n: int, noun: str) -> None:
        self._n = n
        self._noun = noun
        self._count = 0
        self._last: deque[tuple[int, int]] = deque(maxlen=max(1, -n))
        self._passed = 0

    @property
    def safe(self) -> int:
        if self._n < 0 and self._last:
            return self._last[0][0]  # it, or one behind it
        return self._passed

    def add(self, span: tuple[int, int]) -> bool:
        """Take the next span; True if it is the one."""
        self.skip(span)
        self._count += 1
        self._last.append(span)
        return self._count == self._n

    def skip(self, span: tuple[int, int]) -> None:
        """Pass a span that does not count."""
        self._passed = span[1]

    def end(self) -> tuple[int, int] | None:
        return self._last[0] if self._count >= -self._n > 0 else None

    def why(self) -> str:
        return f"the stream has {_count(self._count, self._noun)}"


class _ChunkSeeker(_NthSeeker):
    framing: Framing = "sse"

    def __init__(self, n: int) -> None:
        super().__init__(n, "chunk")
        self._total = 0

    def feed(self, data: bytes) -> tuple[int, int] | None:
        if not data:
            return None
        span = (self._total, self._total + len(data))
        self._total += len(data)
        return span if self.add(span) else None


class _EventSeeker(_NthSeeker):
    def __init__(self, n: int, kind: str | None) -> None:
        super().__init__(n, "event" if kind is None else f"event of the type {kind}")
        self._kind = kind
        self._reader = EventReader()

    @property
    def framing(self) -> Framing:
        return self._reader.framing

    def feed(self, data: bytes) -> tuple[int, int] | None:
        return self._look(events_fed(self._reader, data))

    def end(self) -> tuple[int, int] | None:
        return self._look(self._reader.finish()) or super().end()

    def _look(self, events: Iterable[LocatedEvent]) -> tuple[int, int] | None:
        for event in events:
            span = event.start, event.end
            if self._kind is not None and not _is_of(event, self._kind):
                self.skip(span)
            elif self.add(span):
                return span
        return None


class _FirstSeeker(ABC):
    """Finds the first event that the children pick."""

    def __init__(self) -> None:
        self._reader = EventReader()
        self.safe = 0

    @property
    def framing(self) -> Framing:
        return self._reader.framing

    def feed(self, data: bytes) -> tuple[int, int] | None:
        return self._look(events_fed(self._reader, data))

    def end(self) -> tuple[int, int] | None:
        return self._look(self._reader.finish())

    @abstractmethod
    def picks(self, event: LocatedEvent) -> tuple[int, int] | None: ...

    def _look(self, events: Iterable[LocatedEvent]) -> tuple[int, int] | None:
        for event in events:
            if (span := self.picks(event)) is not None:
                return span
            self.safe = event.end
        return None


class _TerminatorSeeker(_FirstSeeker):
    def picks(self, event: LocatedEvent) -> tuple[int, int] | None:
        return (event.start, event.end) if self._ends(event) else None

    def _ends(self, event: LocatedEvent) -> bool:
        return is_terminal(event.event, event.data, self.framing)

    def why(self) -> str:
        return "the stream has no terminator ([DONE], message_stop, response.completed ...)"


class _TextSeeker(_FirstSeeker):
    def __init__(self, n: int) -> None:
        super().__init__()
        self._n = n
        self._said = 0
        self._dialect: Dialect | None = None

    def picks(self, event: LocatedEvent) -> tuple[int, int] | None:
        value = _json_of(event.data)
        self._dialect = self._dialect or dialect_of([value])
        if self._dialect is not None:
            self._said += len(text_in(value, self._dialect))
        return (event.end, event.end) if self._said >= self._n else None

    def why(self) -> str:
        if self._dialect is None:
            return f"the stream is of no dialect that is known ({', '.join(DIALECTS)})"
        return f"the answer has {_count(self._said, 'character')}"


class _ValueSeeker(_FirstSeeker):
    def __init__(self, place: When, path: Path, value: object) -> None:
        super().__init__()
        self._place = place
        self._path = path
        self._value = value

    def picks(self, event: LocatedEvent) -> tuple[int, int] | None:
        found = values_at(_json_of(event.data), self._path)
        is_it = any(same_json(value, self._value) for value in found)
        return (event.start, event.end) if is_it else None

    def why(self) -> str:
        return f"the stream has no event with {self._place}"


def events_fed(reader: EventReader, data: bytes) -> Iterable[LocatedEvent]:
    """The events that *data*, the next of the stream, completes."""
    event = reader.only(data)  # most chunks are one event, and quickly read as that
    return reader.feed(data) if event is None else (event,)


def is_terminal(name: str, data: str, framing: Framing = "sse") -> bool:
    """Whether the event of this type and *data* says that the answer is over."""
    if framing == "aws" and name in _TERMINAL_FRAMES:
        return True
    if framing == "ndjson":
        value = _json_of(data) if '"done"' in data else None
        return isinstance(value, dict) and value.get("done") is True
    if data.strip() == "[DONE]" or name in _TERMINAL_TYPES:
        return True
    # Parsed only where it can be one: most events are not.
    if not any(known in data for known in _TERMINAL_TYPES):
        return False
    value = _json_of(data)
    return isinstance(value, dict) and value.get("type") in _TERMINAL_TYPES


def _is_of(event: LocatedEvent, kind: str) -> bool:
    if event.event == kind:
        return True
    value = _json_of(event.data) if kind in event.data else None
    return isinstance(value, dict) and value.get("type") == kind


def _json_of(data: str) -> object:
    """The JSON value of *data*; None if it is none."""
    try:
        # Python refuses to make a number of more than 4,300 digits; it is JSON all the same.
        return json.loads(data, parse_int=_whole)
    except (ValueError, RecursionError):
        return None


def _whole(digits: str) -> int | str:
    return int(digits) if len(digits) < 4000 else digits


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" + ("" if number == 1 else "s")
