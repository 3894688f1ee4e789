"""The frames of AWS event streams as events, and as the bytes that the services send.

The type of a frame is the name of its event, the payload its data. Of which kind a frame is
stays known: an exception is none because of its name, but because the service says so.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from cassette_stream.dialects.encoding import compact
from cassette_stream.dialects.error_body import decoded
from cassette_stream.dialects.errors import stream_error
from cassette_stream.exceptions import APIError, WireFormatError
from cassette_stream.wire import (
    EventStreamDecoder,
    EventStreamMessage,
    ServerSentEvent,
    encode_message,
)

__all__ = ("FIRST_BYTES", "Frame", "Frames", "error_frame", "exception_frame", "frame", "refusal")

FIRST_BYTES: Final = (b"\x00", b"\x01")
"""What every stream begins with: no message is of 32 MiB or more."""

_JSON: Final = "application/json"
# Each kind of frame, and the header that has its type.
_TYPES: Final = {"event": ":event-type", "exception": ":exception-type", "error": ":error-code"}


class Frame(ServerSentEvent, frozen=True, gc=False, kw_only=True):
    """An event and its *kind*: ``event``, ``exception`` or ``error``.

    The data of an error is never empty: where it has no payload, it is what the headers say.
    """

    kind: str


class Frames:
    """An incremental decoder; *truncated* says whether what came so far ends inside a frame."""

    __slots__ = ("_error", "_finished", "_messages")

    stray = ""  # there is nothing between two frames

    def __init__(self) -> None:
        self._messages = EventStreamDecoder()
        self._finished = False
        self._error: Exception | None = None  # of a frame that came alone

    @property
    def truncated(self) -> bool:
        return self._messages.pending > 0

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Take *data*, and give an iterator over the frames that it completes.

        Raises:
            WireFormatError: While iterating: as `EventStreamDecoder` says, or a frame is of no
                known kind, of no type, or its payload is no UTF-8.
            ValueError: After `finish`.
        """
        if self._finished:
            raise ValueError("the stream is finished, nothing can be fed")
        return self._frames(data)

    def only(self, data: bytes) -> Frame | None:
        """Take *data* if it is one frame, and give that.

        Else give None: *data* is for `feed`, which also tells what is wrong with it.
        """
        if self._finished or self._error is not None:
            return None
        message = self._messages.only(data)
        try:
            return None if message is None else self._opened(_read(message))
        except (APIError, WireFormatError) as error:
            self._error = error
            return None

    def finish(self, *, lenient: bool = False) -> Iterator[Frame]:  # noqa: ARG002
        """Say that the body has ended; half a frame is nothing, however *lenient* one is.

        Raises:
            WireFormatError: While iterating: the stream was broken before it ended.
        """
        self._finished = True
        return self._frames(b"")

    def _frames(self, data: bytes) -> Iterator[Frame]:
        messages = self._messages.feed(data)  # taken at the call, as `feed` says
        return self._told(messages)

    def _told(self, messages: Iterator[EventStreamMessage]) -> Iterator[Frame]:
        if self._error is not None:
            raise self._error
        for message in messages:
            yield self._opened(_read(message))

    def _opened(self, found: Frame) -> Frame:
        """What *found* is for the one who reads the frames."""
        return found


def _read(message: EventStreamMessage) -> Frame:
    headers = message.headers
    kind = headers.get(":message-type")
    name = _TYPES.get(kind) if isinstance(kind, str) else None
    if not isinstance(kind, str) or name is None:
        known = ", ".join(_TYPES)
        raise WireFormatError(
            f"a frame of :message-type {kind!r}; there are {known}", offset=message.start
        )
    type_ = headers.get(name)
    if not isinstance(type_, str):
        raise WireFormatError(f"an {kind} frame of {name} {type_!r}", offset=message.start)
    try:
        data = message.payload.decode()
    except UnicodeDecodeError as error:
        raise WireFormatError(
            f"an {kind} frame {type_!r} with a payload that is no UTF-8", offset=message.start
        ) from error
    if kind != "event" and not data.strip():
        said = headers.get(":error-message")
        data = compact({"message": said} if isinstance(said, str) else {})
    return Frame(data, type_, kind=kind)


def refusal(event: ServerSentEvent) -> APIError | None:
    """The exception that a frame of an exception or an error stands for; None for an event."""
    if not isinstance(event, Frame) or event.kind == "event":
        return None
    said = decoded(event.data.encode())
    fields = said if isinstance(said, dict) else {"message": event.data}
    # The model's own words come behind the service's, and are often all there is.
    message = fields.get("message") or fields.get("originalMessage")
    return stream_error({**fields, "message": message, "type": event.event}, body=said)


def frame(event_type: str, payload: bytes) -> bytes:
    """The frame of an event whose *payload* is JSON."""
    return _written("event", event_type, payload)


def exception_frame(exception_type: str, payload: bytes) -> bytes:
    """The frame of an exception that the service's model knows; its *payload* is JSON."""
    return _written("exception", exception_type, payload)


def error_frame(code: str, message: str) -> bytes:
    """The frame of an error that the service's model does not know: it has no payload."""
    return encode_message(
        {":message-type": "error", ":error-code": code, ":error-message": message}
    )


def _written(kind: str, type_: str, payload: bytes) -> bytes:
    # The order in which the services write them.
    headers = {_TYPES[kind]: type_, ":content-type": _JSON, ":message-type": kind}
    return encode_message(headers, payload)
