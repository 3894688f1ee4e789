"""What the events of a body stand in, told by how it begins, and where each of them stands.

A fault gets a script and nothing else, so it knows the framing as a person would: by looking.
AWS frames begin with a byte that no text begins with; a body that begins with ``{`` is NDJSON
once one of its lines is an object with the key ``done``, as Ollama's are; all else is taken
for server-sent events, in which a JSON document has none. Nothing here ever raises: what is
wrong with a body is for the code under test to find.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import struct
import sys
from collections.abc import Callable, Iterable
from typing import Literal, TypeAlias
from zlib import crc32

from cassette_stream.exceptions import WireFormatError
from cassette_stream.wire.eventstream import EventStreamDecoder, EventStreamMessage
from cassette_stream.wire.ndjson import NDJSONDecoder
from cassette_stream.wire.sse import LocatedEvent, SSEDecoder

__all__ = (
    "FRAMINGS",
    "EventReader",
    "Framing",
    "frames_begin",
    "inner_of",
    "payload_span",
    "reframed",
    "with_inner",
)

Framing: TypeAlias = Literal["aws", "ndjson", "sse"]

FRAMINGS: dict[Framing, str] = {
    "aws": "AWS frames",
    "ndjson": "lines of NDJSON",
    "sse": "server-sent events",
}
"""What people call each."""

_BOM = b"\xef\xbb\xbf"
_NO_BLANK = re.compile(rb"[^ \t\r\n]")
_LINE_END = re.compile(rb"[\r\n]")
_FIELDS = (b":", b"data:", b"event:", b"id:", b"retry:")
_LENGTHS = struct.Struct(">II")
_CHECKSUM = struct.Struct(">I")
_PRELUDE_SIZE = _LENGTHS.size + _CHECKSUM.size
_TYPES = (":event-type", ":exception-type", ":error-code")


class EventReader:
    """The events of a body that comes in chunks; the same ones wherever it was cut.

    *framing* is "sse" until something else is known. *feed* takes the next bytes and gives the
    events that they complete, *only* gives the one event that they quickly are, or takes
    nothing; *finish* gives what ends with the body.
    """

    # The three are set anew when the framing is known, so that from then on nothing stands
    # between a caller and the decoder.
    __slots__ = ("_at", "_held", "_searched", "feed", "finish", "framing", "only")

    feed: Callable[[bytes], Iterable[LocatedEvent]]
    only: Callable[[bytes], LocatedEvent | None]
    finish: Callable[[], Iterable[LocatedEvent]]

    def __init__(self) -> None:
        self.framing: Framing = "sse"
        self.feed = self._tell
        self.only = _nothing_only
        self.finish = self._end
        self._held = bytearray()
        self._at = 0  # where the line begins that is to be looked at
        self._searched = 0  # how far its end was looked for

    def _tell(self, data: bytes) -> Iterable[LocatedEvent]:
        self._held += data
        framing = self._told()
        return () if framing is None else self._begin(framing)

    def _end(self) -> Iterable[LocatedEvent]:
        return [*self._begin("sse"), *self.finish()]

    def _begin(self, framing: Framing) -> Iterable[LocatedEvent]:
        self.framing = framing
        if framing == "aws":
            frames = _Frames()
            self.feed, self.finish = frames.feed, tuple
        elif framing == "ndjson":
            lines = NDJSONDecoder(offsets=True, errors="replace", max_line_bytes=sys.maxsize)
            self.feed, self.only, self.finish = lines.feed, lines.only, lines.finish
        else:
            events = SSEDecoder(offsets=True, errors="replace", max_event_bytes=sys.maxsize)
            self.feed, self.only, self.finish = events.feed, events.only, events.finish
        held, self._held = bytes(self._held), bytearray()
        return self.feed(held)

    def _told(self) -> Framing | None:
        """The framing, None if it takes more bytes to tell."""
        held = self._held
        if frames_begin(held):
            return "aws"
        if not self._at:
            begun = _NO_BLANK.search(held, len(_BOM) * held.startswith(_BOM))
            if begun is None or (len(held) < len(_BOM) and _BOM.startswith(held)):
                return None
            if begun[0] != b"{":
                return "sse"
        while (end := _LINE_END.search(held, self._searched)) is not None:
            line = bytes(held[self._at : end.start()])
            self._at = self._searched = end.end()
            if line.startswith(_FIELDS):
                return "sse"
            if _is_progress(line.removeprefix(_BOM)):
                return "ndjson"
        self._searched = len(held)
        return None


def _nothing_only(data: bytes) -> LocatedEvent | None:  # noqa: ARG001 - as the decoders have it
    return None


def frames_begin(body: bytes | bytearray) -> bool:
    """Whether a body that begins like this is AWS frames: none of them is of 32 MiB or more."""
    return body.startswith((b"\x00", b"\x01"))


def _is_progress(line: bytes) -> bool:
    """Whether it is an object that says whether the answer is done."""
    if b'"done"' not in line:
        return False
    try:
        value = json.loads(line.decode("utf-8", "replace"), parse_int=str)
    except (ValueError, RecursionError):
        return False
    return isinstance(value, dict) and "done" in value


class _Frames:
    """The frames of a body; behind one that is wrong, nothing can be told."""

    __slots__ = ("_held", "_is_broken", "_start")

    def __init__(self) -> None:
        self._held = bytearray()
        self._start = 0  # where in the body it begins
        self._is_broken = False

    def feed(self, data: bytes) -> Iterable[LocatedEvent]:
        if self._is_broken:
            return ()
        self._held += data
        events = []
        try:
            while (found := self._next()) is not None:
                events.append(found)
        except WireFormatError:
            self._is_broken = True
            self._held.clear()
        return events

    def _next(self) -> LocatedEvent | None:
        if len(self._held) < _PRELUDE_SIZE:
            return None
        decoder = EventStreamDecoder()
        tuple(decoder.feed(bytes(self._held[:_PRELUDE_SIZE])))  # a wrong length is no length
        length = _LENGTHS.unpack_from(self._held)[0]
        if len(self._held) < length:
            return None
        (message,) = decoder.feed(bytes(self._held[_PRELUDE_SIZE:length]))
        start, self._start = self._start, self._start + length
        del self._held[:length]
        return _located(message, start, self._start)


def _located(message: EventStreamMessage, start: int, end: int) -> LocatedEvent:
    names = [message.headers.get(header) for header in _TYPES]
    name = next((it for it in names if isinstance(it, str) and it), "message")
    inner = inner_of(message.payload)
    data = (message.payload if inner is None else inner).decode("utf-8", "replace")
    if inner is not None:
        name = _type_in(data) or name
    return LocatedEvent(data, name, start=start, end=end)


def _type_in(data: str) -> str | None:
    value = _object_in(data)
    kind = None if value is None else value.get("type")
    return kind if isinstance(kind, str) else None


def _object_in(text: str | bytes) -> dict[str, object] | None:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def inner_of(payload: bytes) -> bytes | None:
    """The event of the model's own format that a ``chunk`` holds; None if *payload* is none."""
    value = _object_in(payload) if b'"bytes"' in payload else None
    told = None if value is None else value.get("bytes")
    if not isinstance(told, str):
        return None
    try:
        return base64.b64decode(told, validate=True)
    except (ValueError, binascii.Error):
        return None


def with_inner(payload: bytes, inner: bytes) -> bytes:
    """The *payload* of a ``chunk`` with another event in it; all else in it stays."""
    value = (_object_in(payload) or {}) | {"bytes": base64.b64encode(inner).decode()}
    return json.dumps(value, separators=(",", ":")).encode()


def payload_span(frame: bytes) -> tuple[int, int]:
    """Where in *frame* its payload begins and ends."""
    return _PRELUDE_SIZE + _LENGTHS.unpack_from(frame)[1], len(frame) - _CHECKSUM.size


def reframed(frame: bytes, payload: bytes) -> bytes:
    """The *frame* with another *payload*: its headers to the byte, lengths and checksums right.

    As long as it takes: what a service would not send is for its reader to find.
    """
    headers = frame[_PRELUDE_SIZE : payload_span(frame)[0]]
    size = _PRELUDE_SIZE + len(headers) + len(payload) + _CHECKSUM.size
    lengths = _LENGTHS.pack(size, len(headers))
    told = b"".join((lengths, _CHECKSUM.pack(crc32(lengths)), headers, payload))
    return told + _CHECKSUM.pack(crc32(told))
