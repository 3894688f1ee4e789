"""The way from events to chunks that the decoders share, and what the end of a body means.

A dialect says what an event means, by a quick way for the common one and a thorough way for
all, with the same result wherever both can read. What is not understood is an error, never
a skip, unless *strict* is off: then it is left out, and a warning says so.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from hashlib import blake2b
from typing import Any, Protocol, TypeAlias, TypeVar

import msgspec

from cassette_stream.chunks import ModelResponseStream
from cassette_stream.dialects.errors import stream_error
from cassette_stream.exceptions import (
    APIResponseValidationError,
    EmptyStreamError,
    MalformedStreamError,
    StreamTruncatedError,
    WireFormatError,
)
from cassette_stream.wire import ServerSentEvent

__all__ = (
    "UNREADABLE",
    "Chunks",
    "EventDecoder",
    "EventSource",
    "call_id",
    "field",
    "json_object",
    "text_of",
    "unix_seconds",
)

Chunks: TypeAlias = Iterator[ModelResponseStream]
T = TypeVar("T")

UNREADABLE = (msgspec.DecodeError, RecursionError, UnicodeDecodeError)
"""Nested deeper than the stack, a text is JSON and still nothing to read."""

# No line of a server-sent event begins like the first, and most begin like one of the others.
_NO_LINES = (b"{", b"<")
_FIELDS = (b":", b"data:", b"event:", b"id:", b"retry:")

_ERROR_KEYS = frozenset({"detail", "error", "message"})

_plain = msgspec.json.Decoder().decode


class EventSource(Protocol):
    """What bytes become events by, as `wire.SSEDecoder` does."""

    @property
    def truncated(self) -> bool: ...
    @property
    def stray(self) -> str: ...
    def feed(self, data: bytes) -> Iterator[ServerSentEvent]: ...
    def only(self, data: bytes) -> ServerSentEvent | None: ...
    def finish(self, *, lenient: bool = False) -> Iterator[ServerSentEvent]: ...


class EventDecoder(ABC):
    """A decoder of one stream but for what its events mean, which a dialect adds.

    *complete* says whether the model came to its end, *terminal_seen* whether the provider
    said that nothing more comes; what comes after that is ignored. *warnings* says what was
    left out because *strict* is off.
    """

    __slots__ = ("_events", "_seen", "_strict", "terminal_seen", "warnings")

    def __init__(self, events: EventSource, *, strict: bool) -> None:
        self.terminal_seen = False
        self.warnings: list[str] = []
        self._events = events
        self._strict = strict
        self._seen = False  # an event of any use

    @property
    @abstractmethod
    def complete(self) -> bool: ...

    @staticmethod
    def is_stream(start: bytes) -> bool | None:
        """Whether a body is a stream of this format, by how it begins; None if that tells nothing.

        *start* has at least one byte, and begins with no byte order mark and no blank.
        """
        return False if start[:1] in _NO_LINES else start.startswith(_FIELDS) or None

    def feed(self, data: bytes) -> Chunks:
        """Take *data*, and give an iterator over the chunks that it completes.

        *data* is taken when this is called. The chunks before an error are still yours; after
        an error the decoder must not be used.

        Raises:
            MalformedStreamError: While iterating, as are all but the last: bytes, JSON or types
                that cannot be read.
            StreamProtocolError: Events that the format does not allow at that place.
            APIError: The provider reports an error; the class says which.
            ValueError: After `finish`.
        """
        return self._chunks(self._events.feed(data))

    def read(self, data: bytes) -> ModelResponseStream | Chunks:
        """The same as `feed`, but the chunk itself where *data* is one event that is common.

        So it is for callers who read all that one call gives before the next.

        Raises:
            APIError: As `feed`.
        """
        event = None if self.terminal_seen else self._events.only(data)
        if event is None:
            return self.feed(data)
        return self._quick(event) or self._thorough(event)

    def finish(self) -> Chunks:
        """Say that the body has ended, and give what that completes.

        To be called as well where the connection broke after the stream was *complete*.

        Raises:
            StreamTruncatedError: While iterating, as all: the model did not come to its end.
            EmptyStreamError: The body held no event of any use.
            APIError: As `feed`.
        """
        yield from self._chunks(self._events.finish(lenient=True))
        yield from self._guarded(self._last_chunks)
        if self._events.stray and not self.terminal_seen:
            yield from self._guarded(lambda: self._stray(self._events.stray))
        if self.complete:
            return
        if not self._seen and not self._events.truncated:
            raise EmptyStreamError("the body ended, and there was no event of any use in it")
        where = "inside an event" if self._events.truncated else self._what_is_missing()
        raise StreamTruncatedError(f"the stream ended {where}")

    def _chunks(self, events: Iterator[ServerSentEvent]) -> Chunks:
        # What comes behind the end is not even read: it may be broken, and nobody cares.
        try:
            while not self.terminal_seen and (event := next(events, None)) is not None:
                chunk = self._quick(event)
                if chunk is not None:
                    yield chunk
                else:
                    yield from self._thorough(event)
        except WireFormatError as error:
            raise MalformedStreamError(f"the stream cannot be read: {error}") from error

    def _thorough(self, event: ServerSentEvent) -> Chunks:
        data = event.data.strip()
        if data == "[DONE]":  # proxies say so, whatever they speak
            self.terminal_seen = True
        if not data or self.terminal_seen:
            return
        yield from self._guarded(lambda: self._read(event))

    def _guarded(self, read: Callable[[], Chunks]) -> Chunks:
        """What *read* gives; where that cannot be told, an error or a warning."""
        try:
            yield from read()
        except APIResponseValidationError as error:
            self._odd(f"an event was left out: {error.message}", error)
        except RecursionError as error:
            deep = MalformedStreamError("an event is nested too deeply to be read")
            deep.__cause__ = error
            self._odd(f"an event was left out: {deep.message}", deep)

    def _odd(self, warning: str, error: APIResponseValidationError) -> None:
        """Raise *error*, or where that is too strict note the *warning*."""
        if self._strict:
            raise error
        self.warnings.append(warning)

    def _if_valid(self, make: Callable[[], T]) -> T | None:
        """What *make* gives; None where that is not valid, and *strict* is off."""
        try:
            return make()
        except APIResponseValidationError as error:
            self._odd(f"a part of an event was left out: {error.message}", error)
        return None

    def _stray(self, line: str) -> Chunks:
        """What it means that a *line* is no event, and that the provider's end did not come."""
        try:
            value = json_object(line)
        except MalformedStreamError:
            value = {}
        if not value.keys().isdisjoint(_ERROR_KEYS):
            raise stream_error(value)
        if self.complete:  # else it is truncated, and that says more
            raise MalformedStreamError(f"a line that is no event: {_excerpt(line)}", body=line)
        return iter(())

    def _text(self, value: Mapping[str, Any], name: str) -> str:
        return text_of(value, name, strict=self._strict)

    @abstractmethod
    def _quick(self, event: ServerSentEvent) -> ModelResponseStream | None:
        """The chunk of the common *event*, None where it takes the thorough way."""

    @abstractmethod
    def _read(self, event: ServerSentEvent) -> Chunks:
        """The chunks of any *event*."""

    def _last_chunks(self) -> Chunks:
        """What was held back until the end of the body."""
        return iter(())

    @abstractmethod
    def _what_is_missing(self) -> str:
        """How a stream that is not complete ended, as in "the stream ended ..."."""


def json_object(text: str | bytes) -> Mapping[str, Any]:
    """The JSON object that *text* spells.

    Raises:
        MalformedStreamError: It spells something else, or nothing.
    """
    try:
        value = _plain(text)
    except UNREADABLE as error:
        raise MalformedStreamError(f"no JSON: {_excerpt(text)}: {error}", body=text) from error
    if not isinstance(value, dict):
        raise MalformedStreamError(f"no JSON object: {_excerpt(text)}", body=text)
    return value


def field(value: Mapping[str, Any], name: str, kind: type[T]) -> T | None:
    """What *value* has as *name*, None where it has nothing or a null.

    Raises:
        MalformedStreamError: It is not of that *kind*.
    """
    item = value.get(name)
    if item is None or (isinstance(item, kind) and not isinstance(item, bool)):
        return item
    raise MalformedStreamError(
        f"{name} must be {_KINDS.get(kind, kind.__name__)}, not {_excerpt(repr(item))}", body=value
    )


def text_of(value: Mapping[str, Any], name: str, *, strict: bool) -> str:
    """The text that *value* has as *name*, "" where there is none.

    A number is written as text unless *strict*.

    Raises:
        MalformedStreamError: It is something else.
    """
    item = value.get(name)
    if not strict and isinstance(item, (int, float)):
        return str(item)
    return field(value, name, str) or ""


def call_id(seed: str, number: int, name: str, arguments: str) -> str:
    """An id for a tool call that came without one: the same in every replay.

    *seed* tells the answer from others, *number* the call from those before it.
    """
    made = blake2b(f"{seed}/{number}/{name}/{arguments}".encode(), digest_size=12)
    return f"call_{made.hexdigest()}"


def unix_seconds(time: str) -> int:
    """*time*, in ISO 8601 with its zone, in seconds since 1970; 0 where it is none."""
    try:
        date = datetime.fromisoformat(time)
    except ValueError:
        return 0
    return int(date.timestamp()) if date.tzinfo else 0


_KINDS: Mapping[type, str] = {str: "a text", int: "a number", dict: "an object", list: "a list"}


def _excerpt(text: str | bytes) -> str:
    shown = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    return repr(shown if len(shown) <= 100 else f"{shown[:100]}...")
