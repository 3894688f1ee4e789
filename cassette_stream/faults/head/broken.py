"""Faults in place of a head: the connection ends, falls silent, or speaks no HTTP."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial

from cassette_stream.faults.head.found import before_head
from cassette_stream.faults.info import FaultInfo
from cassette_stream.faults.parameter import Parameter
from cassette_stream.script import Fail, FailureKind, Script, Wait

__all__ = ("BROKEN", "Garbage", "Headless", "Silent")


@dataclass(frozen=True, slots=True, kw_only=True)
class Headless:
    """The connection fails with *kind* instead of the head; *raw* of it comes on a socket."""

    kind: FailureKind
    raw: bytes = b""

    def __call__(self, script: Script) -> Script:
        head = yield from before_head(script)
        if head is not None:
            yield Fail(self.kind, raw=self.raw)


@dataclass(frozen=True, slots=True, kw_only=True)
class Silent:
    """The request is taken, and no head ever comes."""

    def __call__(self, script: Script) -> Script:
        head = yield from before_head(script)
        if head is not None:
            yield Wait(math.inf)


_BANNER = b"SSH-2.0-OpenSSH_9.6"
_SAID = {
    "banner": (_BANNER + b"\r\n\r\n", f"illegal status line: {bytearray(_BANNER)!r}"),
    "tls_alert": (b"\x15\x03\x01\x00\x02\x02\x46", "illegal request line"),
}
_WHAT = Parameter(
    name="what",
    default="banner",
    choices=tuple(_SAID),
    description="What comes instead of a head: the banner of an SSH server, or a TLS alert.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Garbage:
    """*what* is no HTTP comes instead of the head."""

    what: str = "banner"

    def __post_init__(self) -> None:
        _WHAT.read(self.what)

    def __call__(self, script: Script) -> Script:
        head = yield from before_head(script)
        if head is not None:
            raw, words = _SAID[self.what]
            yield Fail(FailureKind.PROTOCOL_ERROR, words, raw)


BROKEN = (
    FaultInfo(
        id="head.close",
        name="stale keep-alive",
        expect="raises",
        transport="RemoteProtocolError: Server disconnected without sending a response.",
        description="The connection is closed without a response.",
        reference="OpenHands/OpenHands#7627",
        make=partial(Headless, kind=FailureKind.NO_RESPONSE),
        common=True,
        kind="exchange",
    ),
    FaultInfo(
        id="head.reset",
        name="connection reset before the head",
        expect="raises",
        transport="ReadError: [Errno 104] Connection reset by peer; no message (async); over "
        "TLS RemoteProtocolError: Server disconnected without sending a response. (sync)",
        description="The connection is reset without a response.",
        reference="anthropics/claude-code#83943",
        make=partial(Headless, kind=FailureKind.RESET),
        kind="exchange",
    ),
    FaultInfo(
        id="head.stall",
        name="read timeout before the first byte",
        expect="raises",
        transport="ReadTimeout, after the read timeout",
        description="The request is taken, and nothing comes.",
        reference="agentscope-ai/QwenPaw#4494",
        make=Silent,
        common=True,
        kind="exchange",
    ),
    FaultInfo(
        id="head.cut",
        name="end of file within the head",
        expect="raises",
        transport="RemoteProtocolError: Server disconnected without sending a response.",
        description="The connection is closed within the head.",
        reference="measured",
        make=partial(Headless, kind=FailureKind.NO_RESPONSE, raw=b"HTTP/1.1 200 OK\r\ncontent-ty"),
        kind="exchange",
    ),
    FaultInfo(
        id="head.garbage",
        name="no HTTP",
        expect="raises",
        transport=f"RemoteProtocolError: illegal status line: {bytearray(_BANNER)!r}",
        description="What answers speaks another protocol.",
        reference="measured",
        make=Garbage,
        parameters=(_WHAT,),
        kind="exchange",
    ),
)
