"""What a replay does next, as data.

A script is an iterator of steps. Faults rewrite scripts; transports and the loopback
server perform them. Nothing here waits, fails or sends, so a fault is tested by
listing its output.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from enum import Enum, StrEnum, auto
from typing import TypeAlias

import msgspec

from cassette_stream.exceptions import HangError

__all__ = (
    "Emit",
    "Fail",
    "FailureKind",
    "Framing",
    "Head",
    "Script",
    "Step",
    "Wait",
    "chunk_in",
    "framed",
    "framing_of",
    "stretch",
    "timeline",
)


class FailureKind(StrEnum):
    """How a connection fails, by the name that a cassette writes.

    Which exception each becomes is one table, `cassette_stream.transport.errors`.
    """

    DNS = "dns"
    REFUSED = "refused"
    CONNECT_ERROR = "connect_error"
    CONNECT_TIMEOUT = "connect_timeout"
    TLS_UNTRUSTED = "tls_untrusted"
    TLS_HOSTNAME = "tls_hostname"
    TLS_EOF = "tls_eof"
    """The server closes within the handshake."""
    TLS_PLAIN = "tls_plain"
    """What answers the handshake does not speak TLS."""
    TLS_TIMEOUT = "tls_timeout"
    POOL_TIMEOUT = "pool_timeout"
    PROXY_ERROR = "proxy_error"
    UNSUPPORTED_PROTOCOL = "unsupported_protocol"
    WRITE_ERROR = "write_error"
    WRITE_RESET = "write_reset"
    """The server resets the connection before it has taken the whole request."""
    WRITE_TIMEOUT = "write_timeout"
    NO_RESPONSE = "no_response"
    """The server closes before a whole response head came."""
    FIN = "fin"
    """The server closes within a chunked body, without the last chunk."""
    SHORT_BODY = "short_body"
    """The server closes before the bytes that Content-Length promised."""
    RESET = "reset"
    READ_ERROR = "read_error"
    READ_TIMEOUT = "read_timeout"
    PROTOCOL_ERROR = "protocol_error"
    """The server breaks HTTP in some other way; the message says how."""
    LOCAL_PROTOCOL_ERROR = "local_protocol_error"
    DECODING_ERROR = "decoding_error"
    CLOSE_ERROR = "close_error"
    RECORDING_ENDED = "recording_ended"
    """The recorded caller stopped listening here; nobody knows what came next."""
    OTHER = "other"
    """An exception that is of no HTTP library; the message begins with its class."""

    def __repr__(self) -> str:  # as it is written in code
        return f"FailureKind.{self.name}"


# Steps are made by the thousand, two for each chunk of each replay. A msgspec struct is
# made in a quarter of the time of a frozen dataclass.
class Wait(msgspec.Struct, frozen=True, gc=False):
    """Nothing happens for *seconds*; `math.inf` is a silence that never ends."""

    seconds: float


class Head(msgspec.Struct, frozen=True, gc=False):
    """The response head comes. *headers* are lower-case name and value, in order, as latin-1."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    http_version: str = "HTTP/1.1"
    reason: str | None = None


class Emit(msgspec.Struct, frozen=True, gc=False):
    """*data* comes, as one network read of the caller."""

    data: bytes


class Fail(msgspec.Struct, frozen=True, gc=False):
    """The connection fails, and that is the end.

    *detail* is the message of the exception; an empty one stands for the message that
    the HTTP library itself gives for this kind. *raw* is what a server sends on the
    socket to bring it about, where that takes bytes. A timeout before the response that no
    wait leads to comes when the caller's own limit for that is over.
    """

    kind: FailureKind
    detail: str = ""
    raw: bytes = b""


Step: TypeAlias = Wait | Head | Emit | Fail
Script: TypeAlias = Iterator[Step]


_LIMITS = {
    FailureKind.CONNECT_TIMEOUT: "connect",
    FailureKind.TLS_TIMEOUT: "connect",
    FailureKind.POOL_TIMEOUT: "pool",
    FailureKind.WRITE_TIMEOUT: "write",
}
_NONE: Mapping[str, float | None] = {}


class Framing(Enum):
    """How a client can tell where a body ends."""

    NO_BODY = auto()
    CHUNKED = auto()
    LENGTH = auto()
    UNTIL_CLOSE = auto()


def framing_of(head: Head, *, method: str = "GET", client_version: str = "HTTP/1.1") -> Framing:
    """How the body behind *head* is framed, as the answer to *method* of such a client."""
    fields = {name.lower(): value for name, value in head.headers}
    if method == "HEAD" or head.status in {204, 304}:
        return Framing.NO_BODY
    if "transfer-encoding" in fields:
        return Framing.CHUNKED
    if "content-length" in fields:
        return Framing.LENGTH
    # Unframed is what HTTP/1.0 does; in HTTP/1.1 it is meant only where it says close.
    closes = "close" in fields.get("connection", "").lower()
    old = "HTTP/1.0" in {head.http_version, client_version}
    return Framing.UNTIL_CLOSE if closes or old else Framing.CHUNKED


def framed(
    script: Script,
    *,
    method: str = "GET",
    http_version: str = "HTTP/1.1",
    reset_is_end: bool = False,
) -> Script:
    """What a client sees of *script*, once HTTP is done with it.

    A body ends where its head says that it does: what is beyond the promised length does
    not come, and an end before it is a failure. A server that closes before the head gives
    no response; later it breaks a body in chunks, and ends one that lasts until then. Of
    the bytes that a failure takes on a socket, those in a chunk arrive.

    Args:
        script: What happens.
        method: Of the request; a response to HEAD has no body.
        http_version: What is spoken, as long as no head tells.
        reset_is_end: Whether a client cannot tell a reset from an end.
    """
    body = _Body(http_version, reset_is_end=reset_is_end)
    for step in script:
        if isinstance(step, Emit):
            yield body.cut(step)
        elif isinstance(step, Fail):
            yield from body.broken_by(step)
            return
        else:
            if isinstance(step, Head):
                body.begin(step, method)
            yield step
        if body.left == 0:
            return
    if body.left < math.inf:
        yield from body.broken_by(Fail(FailureKind.SHORT_BODY))


def chunk_in(raw: bytes) -> bytes:
    """The data of the chunk that begins the *raw* bytes of a body in chunks, as far as it goes."""
    header = _CHUNK.match(raw)
    return raw[header.end() :][: int(header[1], 16)] if header else b""


_CHUNK = re.compile(rb"([0-9a-fA-F]{1,8})\r\n")
_CLOSED = {FailureKind.FIN, FailureKind.SHORT_BODY, FailureKind.NO_RESPONSE}


class _Body:
    """A body on its way to a client.

    Attributes:
        head: What it began with.
        left: How many bytes are still to come, if the head says that.
    """

    def __init__(self, http_version: str, *, reset_is_end: bool) -> None:
        self.head: Head | None = None
        self.left = math.inf
        self._http_version = http_version
        self._reset_is_end = reset_is_end
        self._framing = Framing.CHUNKED
        self._received = 0

    def begin(self, head: Head, method: str) -> None:
        self.head = head
        self._http_version = head.http_version
        self._framing = framing_of(head, method=method)
        if self._framing is Framing.NO_BODY:
            self.left = 0
        elif self._framing is Framing.LENGTH:
            told = dict(head.headers).get("content-length", "")
            self.left = int(told) if told.isdecimal() else math.inf

    def cut(self, step: Emit) -> Emit:
        if len(step.data) > self.left:
            step = Emit(step.data[: int(self.left)])
        self._received += len(step.data)
        self.left -= len(step.data)
        return step

    def broken_by(self, fail: Fail) -> Script:
        """What comes of *fail*; one with words of its own is as it says."""
        chunked = self._framing is Framing.CHUNKED
        if chunked and self.head is not None and (data := chunk_in(fail.raw)):
            yield Emit(data)
        if self._reset_is_end and fail.kind is FailureKind.RESET and not fail.detail:
            fail = Fail(FailureKind.FIN, raw=fail.raw)
        if fail.detail or fail.kind not in _CLOSED:
            yield fail
        elif self._http_version == "HTTP/2" and fail.kind is not FailureKind.SHORT_BODY:
            yield Fail(FailureKind.PROTOCOL_ERROR, "Server disconnected")
        elif self.head is None:
            yield Fail(FailureKind.NO_RESPONSE, raw=fail.raw)
        elif self._framing is Framing.LENGTH:
            yield Fail(
                FailureKind.SHORT_BODY,
                "peer closed connection without sending complete message body "
                f"(received {self._received} bytes, expected {self._received + self.left})",
            )
        elif chunked:
            yield Fail(FailureKind.FIN, raw=fail.raw)


def timeline(
    script: Script,
    *,
    start: float = 0.0,
    read: float | None = None,
    limits: Mapping[str, float | None] = _NONE,
) -> Iterator[tuple[float, Head | Emit | Fail]]:
    """What comes in *script*, and the moment at which each thing comes.

    Waits add up until the next thing. Where they exceed *read*, a read timeout comes in
    its place, *read* seconds after the thing before, and that is the end. Waiting behind
    the last thing gives an empty emit. Another timeout, if no wait leads to it, comes after
    its own limit.

    Args:
        script: What happens.
        start: The moment at which it begins, in seconds.
        read: The read timeout of whoever it happens to, in seconds; None for none.
        limits: The others, by the names that HTTP clients give them: ``connect``, ``pool``
            and ``write``.

    Raises:
        HangError: While iterating: a silence never ends, and there is no limit to it.
    """
    moment, silent, most = start, 0.0, math.inf if read is None else read
    for step in script:
        if isinstance(step, Wait):
            silent += step.seconds
            if silent > most:
                yield moment + most, Fail(FailureKind.READ_TIMEOUT)
                return
            if silent == math.inf:
                raise HangError(
                    "the stream is silent for ever, and the request has no read timeout: "
                    "set one, or a deadline of your own"
                )
        else:
            if silent:
                moment += silent
                silent = 0.0
            elif isinstance(step, Fail) and (name := _LIMITS.get(step.kind)):
                moment += _limit(limits, name)
            yield moment, step
    if silent:
        yield moment + silent, Emit(b"")


def _limit(limits: Mapping[str, float | None], name: str) -> float:
    seconds = limits.get(name)
    if seconds is None:
        raise HangError(f"the request waits for ever: it has no {name} timeout, so set one")
    return seconds


def stretch(script: Script, factor: float) -> Script:
    """The *script* played *factor* times as fast; what never ends still does not."""
    for step in script:
        if isinstance(step, Wait) and not math.isinf(step.seconds):
            yield Wait(step.seconds / factor)
        else:
            yield step
