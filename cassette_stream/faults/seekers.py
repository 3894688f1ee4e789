"""Looking for a place in bytes that come chunk by chunk."""

from __future__ import annotations

import json
import sys
from collections import deque
from typing import TYPE_CHECKING, Protocol

from cassette_stream.faults.place import Byte, Chunk, Place
from cassette_stream.wire.sse import LocatedEvent, ServerSentEvent, SSEDecoder

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ("Seeker", "seeker_of")

_TERMINAL_TYPES = (
    "message-end",
    "message_stop",
    "response.completed",
    "response.failed",
    "response.incomplete",
)


class Seeker(Protocol):
    """Looks for one place in the bytes of a body, given chunk by chunk.

    What it finds is a start and an end in that body, of the event or chunk; both are the
    place where it looks for a byte.
    """

    @property
    def safe(self) -> int:
        """The place does not begin before this byte."""
        ...

    def feed(self, data: bytes) -> tuple[int, int] | None: ...

    def end(self) -> tuple[int, int] | None: ...

    def why(self) -> str:
        """What there was instead of the place."""
        ...


def seeker_of(place: Place) -> Seeker:
    """Who looks for *place* in one body."""
    if isinstance(place, Byte):
        return _ByteSeeker(place.n)
    if isinstance(place, Chunk):
        return _ChunkSeeker(place.n)
    if place.n == "terminator":
        return _TerminatorSeeker()
    if isinstance(place.n, int):
        return _EventSeeker(place.n)
    return _EventSeeker(1 if place.n == "first" else -1)


class _ByteSeeker:
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

    @property
    def safe(self) -> int:
        if self._n < 0:
            return self._last[0][0] if self._count >= -self._n else 0
        return self._last[0][1] if self._last else 0

    def add(self, span: tuple[int, int]) -> bool:
        """Take the next span; True if it is the one."""
        self._count += 1
        self._last.append(span)
        return self._count == self._n

    def end(self) -> tuple[int, int] | None:
        return self._last[0] if self._count >= -self._n > 0 else None

    def why(self) -> str:
        return f"the stream has {_count(self._count, self._noun)}"


class _ChunkSeeker(_NthSeeker):
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
    def __init__(self, n: int) -> None:
        super().__init__(n, "event")
        self._decoder = _decoder()

    def feed(self, data: bytes) -> tuple[int, int] | None:
        return self._look(self._decoder.feed(data))

    def end(self) -> tuple[int, int] | None:
        return self._look(self._decoder.finish()) or super().end()

    def _look(self, events: Iterator[LocatedEvent]) -> tuple[int, int] | None:
        spans = ((event.start, event.end) for event in events)
        return next(filter(self.add, spans), None)


class _TerminatorSeeker:
    def __init__(self) -> None:
        self._decoder = _decoder()
        self.safe = 0

    def feed(self, data: bytes) -> tuple[int, int] | None:
        return self._look(self._decoder.feed(data))

    def end(self) -> tuple[int, int] | None:
        return self._look(self._decoder.finish())

    def why(self) -> str:
        return "the stream has no terminator ([DONE], message_stop, response.completed ...)"

    def _look(self, events: Iterator[LocatedEvent]) -> tuple[int, int] | None:
        for event in events:
            if _is_terminal(event):
                return event.start, event.end
            self.safe = event.end
        return None


def _decoder() -> SSEDecoder[LocatedEvent]:
    # A fault raises nothing: what is wrong with a stream is for the code under test to find.
    return SSEDecoder(offsets=True, errors="replace", max_event_bytes=sys.maxsize)


def _is_terminal(event: ServerSentEvent) -> bool:
    if event.data.strip() == "[DONE]" or event.event in _TERMINAL_TYPES:
        return True
    # Parsed only where it can be one: most events are not.
    if not any(name in event.data for name in _TERMINAL_TYPES):
        return False
    try:
        value = json.loads(event.data, parse_int=str)
    except (ValueError, RecursionError):
        return False
    return isinstance(value, dict) and value.get("type") in _TERMINAL_TYPES


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" + ("" if number == 1 else "s")
