"""AWS event-stream framing (application/vnd.amazon.eventstream): bytes in, messages out.

A message is a prelude (total length, length of the headers, checksum of these two), headers,
payload, and a checksum of all before it; numbers are big-endian. Nothing is believed before
its checksum was, and a length never beyond its limit; the messages are the same wherever
the network cut.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, TypeAlias
from uuid import UUID
from zlib import crc32

from cassette_stream.exceptions import WireFormatError
from cassette_stream.wire._late_error import then_raise

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

__all__ = (
    "MAX_HEADERS_BYTES",
    "MAX_PAYLOAD_BYTES",
    "EventStreamDecoder",
    "EventStreamMessage",
    "HeaderValue",
    "encode_message",
)

# What botocore takes: the services send nothing larger.
MAX_HEADERS_BYTES = 128 * 1024
MAX_PAYLOAD_BYTES = 24 * 1024 * 1024

HeaderValue: TypeAlias = bool | int | bytes | str | datetime | UUID

_PRELUDE = struct.Struct(">III")
_CHECKSUM = struct.Struct(">I")
_LENGTH = struct.Struct(">H")
_INT8 = struct.Struct(">b")
_INT16 = struct.Struct(">h")
_INT32 = struct.Struct(">i")
_INT64 = struct.Struct(">q")
_OVERHEAD = _PRELUDE.size + _CHECKSUM.size
_LONGEST_NAME = 0xFF
_LONGEST_VALUE = 0xFFFF
# What is longer is not worth a shortcut, and may be longer than is allowed.
_LONGEST_ALONE = MAX_HEADERS_BYTES
# A stream has as many kinds of headers as of events; who sends more gets no shortcut.
_MOST_KNOWN = 32
_LONGEST_KNOWN = 1024
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class EventStreamMessage:
    """One message. Header integers of every width are `int`, timestamps aware UTC dates.

    *start* is the byte of the stream at which it was found.
    """

    headers: Mapping[str, HeaderValue] = field(default_factory=dict)
    payload: bytes = b""
    start: int = field(default=0, compare=False, kw_only=True)


class EventStreamDecoder:
    """An incremental decoder of one event stream."""

    __slots__ = ("_error", "_held", "_known", "_prelude", "_start")

    def __init__(self) -> None:
        self._held = bytearray()  # the unfinished message
        self._start = 0  # where in the stream it begins
        self._prelude: tuple[int, int] | None = None  # its length and that of its headers
        self._error: WireFormatError | None = None
        self._known: dict[bytes, dict[str, HeaderValue]] = {}

    @property
    def pending(self) -> int:
        """How many bytes of an unfinished message are held; at the end of a whole stream, 0."""
        return len(self._held)

    def feed(self, data: bytes) -> Iterator[EventStreamMessage]:
        """Take *data*, and give an iterator over the messages that it completes.

        *data* is taken when this is called, whether you iterate or not. An error waits in
        the iterator until you reach it, so the messages before a broken one are still yours.

        Raises:
            WireFormatError: While iterating: a checksum, a length or a header is wrong. There
                is no way to find the next message, so every later call says the same.
        """
        messages = []
        if self._error is None:
            self._held += data
            try:
                while (message := self._next()) is not None:
                    messages.append(message)
            except WireFormatError as error:
                self._error = error
                self._held.clear()
        if self._error is not None:
            return then_raise(iter(messages), self._error)
        return iter(messages)

    def only(self, data: bytes) -> EventStreamMessage | None:
        """Take *data* if it is one message, and give that.

        Else give None and take nothing: *data* is for `feed`.
        """
        if self._held or self._error is not None or len(data) < _OVERHEAD:
            return None
        length, headers_length, checksum = _PRELUDE.unpack_from(data)
        end = length - _CHECKSUM.size
        headers_end = _PRELUDE.size + headers_length
        if length != len(data) or headers_end > end or length > _LONGEST_ALONE:
            return None
        if checksum != crc32(data[:8]) or _CHECKSUM.unpack_from(data, end)[0] != crc32(data[:end]):
            return None
        try:
            headers = self._headers(data[_PRELUDE.size : headers_end], self._start)
        except WireFormatError:
            return None
        message = EventStreamMessage(headers, data[headers_end:end], start=self._start)
        self._start += length
        return message

    def _headers(self, data: bytes, start: int) -> dict[str, HeaderValue]:
        """The headers of the message that begins at *start*; most are those of one before."""
        known = self._known.get(data)
        if known is None:
            known = _Headers(data, start + _PRELUDE.size).read()
            if len(self._known) < _MOST_KNOWN and len(data) <= _LONGEST_KNOWN:
                self._known[data] = known
        return known.copy()

    def _next(self) -> EventStreamMessage | None:
        if self._prelude is None:
            if len(self._held) < _PRELUDE.size:
                return None
            self._prelude = self._read_prelude()
        length, headers_length = self._prelude
        if len(self._held) < length:
            return None
        message = bytes(self._held[:length])
        del self._held[:length]
        start, end = self._start, length - _CHECKSUM.size
        self._prelude = None
        self._start += length
        _check(message[:end], message[end:], "message", start + end)
        headers_end = _PRELUDE.size + headers_length
        headers = self._headers(message[_PRELUDE.size : headers_end], start)
        return EventStreamMessage(headers, message[headers_end:end], start=start)

    def _read_prelude(self) -> tuple[int, int]:
        length, headers_length, _ = _PRELUDE.unpack_from(self._held)
        _check(bytes(self._held[:8]), bytes(self._held[8:12]), "prelude", self._start + 8)
        if headers_length > MAX_HEADERS_BYTES:
            raise WireFormatError(
                f"{headers_length} bytes of headers; at most {MAX_HEADERS_BYTES} are allowed",
                offset=self._start + 4,
            )
        payload_length = length - headers_length - _OVERHEAD
        if not 0 <= payload_length <= MAX_PAYLOAD_BYTES:
            raise WireFormatError(
                f"a message of {length} bytes with {headers_length} bytes of headers has "
                f"{payload_length} bytes of payload; 0 to {MAX_PAYLOAD_BYTES} are allowed",
                offset=self._start,
            )
        return length, headers_length


def encode_message(headers: Mapping[str, HeaderValue] | None = None, payload: bytes = b"") -> bytes:
    """The bytes of one message.

    An `int` takes 4 bytes where it fits, else 8; a date is kept to the millisecond.

    Raises:
        ValueError: A name, a value or the whole is longer than the format allows, a date is
            naive or finer than a millisecond.
        TypeError: A value is of no type that a header can have.
    """
    head = b"".join(_encode_header(name, value) for name, value in (headers or {}).items())
    if len(head) > MAX_HEADERS_BYTES:
        raise ValueError(f"headers take up to {MAX_HEADERS_BYTES} bytes, not {len(head)}")
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise ValueError(f"a payload is up to {MAX_PAYLOAD_BYTES} bytes, not {len(payload)}")
    lengths = struct.pack(">II", _OVERHEAD + len(head) + len(payload), len(head))
    message = b"".join((lengths, _CHECKSUM.pack(crc32(lengths)), head, payload))
    return message + _CHECKSUM.pack(crc32(message))


def _check(data: bytes, checksum: bytes, what: str, at: int) -> None:
    (found,) = _CHECKSUM.unpack(checksum)
    if found != crc32(data):
        raise WireFormatError(
            f"the {what} has checksum {found:#010x}, its bytes have {crc32(data):#010x}",
            offset=at,
        )


class _Headers:
    """Reads the headers of one message; *start* is where in the stream they begin."""

    __slots__ = ("_at", "_data", "_start")

    def __init__(self, data: bytes, start: int) -> None:
        self._data = data
        self._start = start
        self._at = 0

    def read(self) -> dict[str, HeaderValue]:
        headers: dict[str, HeaderValue] = {}
        while self._at < len(self._data):
            at = self._at
            name = self.text(self.take(1)[0])
            if not name or name in headers:
                problem = f"a second header {name!r}" if name else "a header without a name"
                raise self._error(problem, at)
            headers[name] = self._value()
        return headers

    def _value(self) -> HeaderValue:
        at = self._at
        kind = self.take(1)[0]
        if kind not in _VALUES:
            raise self._error(f"header value of type {kind}; 0 to 9 are known", at)
        return _VALUES[kind](self)

    def take(self, size: int) -> bytes:
        at = self._at
        self._at += size
        if self._at > len(self._data):
            raise self._error(f"{size} bytes do not fit into the headers of this message", at)
        return self._data[at : self._at]

    def integer(self, form: struct.Struct) -> int:
        (value,) = form.unpack(self.take(form.size))
        return int(value)

    def text(self, size: int) -> str:
        at = self._at
        try:
            return self.take(size).decode()
        except UnicodeDecodeError as error:
            raise self._error("header text that is no UTF-8", at + error.start) from error

    def date(self) -> datetime:
        at = self._at
        milliseconds = self.integer(_INT64)
        try:
            return _EPOCH + timedelta(milliseconds=milliseconds)
        except OverflowError as error:
            problem = f"a date of {milliseconds} ms from 1970 is not within the years 1 to 9999"
            raise self._error(problem, at) from error

    def _error(self, message: str, at: int) -> WireFormatError:
        return WireFormatError(message, offset=self._start + at)


_VALUES: dict[int, Callable[[_Headers], HeaderValue]] = {
    0: lambda _: True,
    1: lambda _: False,
    2: lambda headers: headers.integer(_INT8),
    3: lambda headers: headers.integer(_INT16),
    4: lambda headers: headers.integer(_INT32),
    5: lambda headers: headers.integer(_INT64),
    6: lambda headers: headers.take(headers.integer(_LENGTH)),
    7: lambda headers: headers.text(headers.integer(_LENGTH)),
    8: lambda headers: headers.date(),
    9: lambda headers: UUID(bytes=headers.take(16)),
}


def _encode_header(name: str, value: HeaderValue) -> bytes:
    encoded = name.encode()
    if not 1 <= len(encoded) <= _LONGEST_NAME:
        raise ValueError(f"a header name takes 1 to {_LONGEST_NAME} bytes, not {len(encoded)}")
    return bytes((len(encoded),)) + encoded + _encode_value(name, value)


def _encode_value(name: str, value: HeaderValue) -> bytes:
    match value:
        case bool():
            return b"\x00" if value else b"\x01"
        case int():
            return _encode_integer(name, value)
        case bytes():
            return b"\x06" + _with_length(name, value)
        case str():
            return b"\x07" + _with_length(name, value.encode())
        case datetime():
            return b"\x08" + _INT64.pack(_milliseconds(name, value))
        case UUID():
            return b"\x09" + value.bytes
        case _:
            raise TypeError(f"header {name!r} is a {type(value).__name__}, which has no form here")


def _encode_integer(name: str, value: int) -> bytes:
    if -(2**31) <= value < 2**31:
        return b"\x04" + _INT32.pack(value)
    if -(2**63) <= value < 2**63:
        return b"\x05" + _INT64.pack(value)
    raise ValueError(f"header {name!r} is {value}, which does not fit 64 bits")


def _with_length(name: str, value: bytes) -> bytes:
    if len(value) > _LONGEST_VALUE:
        raise ValueError(f"header {name!r} takes up to {_LONGEST_VALUE} bytes, not {len(value)}")
    return _LENGTH.pack(len(value)) + value


def _milliseconds(name: str, date: datetime) -> int:
    if date.tzinfo is None:
        raise ValueError(f"header {name!r} is {date}, a date without a time zone")
    milliseconds, rest = divmod(date - _EPOCH, _MILLISECOND)
    if rest:
        raise ValueError(f"header {name!r} is {date}, finer than the milliseconds that are kept")
    return milliseconds
