"""A script performed on a socket: the third performer, beside the two transports.

One `Emit` is one write and, in a chunked body, one chunk. Responses are written here
byte by byte and not by an HTTP library: what breaks HTTP on purpose must not be
refused or mended on the way.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import assert_never

from cassette_stream.script import (
    Emit,
    Fail,
    FailureKind,
    Framing,
    Head,
    Script,
    Wait,
    framing_of,
)
from cassette_stream.server.link import Link

__all__ = ("Performance", "refuse")

_CLOSING = frozenset({FailureKind.FIN, FailureKind.SHORT_BODY, FailureKind.NO_RESPONSE})
_RESETTING = frozenset({FailureKind.RESET, FailureKind.READ_ERROR})
_SILENT = frozenset({FailureKind.READ_TIMEOUT, FailureKind.RECORDING_ENDED})
_WITH_BYTES = frozenset({FailureKind.PROTOCOL_ERROR, FailureKind.DECODING_ERROR})


def refuse(fail: Fail) -> str | None:
    """Why a server cannot perform *fail*; None if it can."""
    if fail.kind in _CLOSING | _RESETTING | _SILENT:
        return None
    if fail.kind in _WITH_BYTES:
        return None if fail.raw else f"a server fails with {fail.kind} only by its raw= bytes"
    return f"{fail.kind} does not happen at a server: let a transport perform it"


class Performance:
    """One script on its way to one client.

    Args:
        link: The connection.
        method: The request's; a response to HEAD has no body.
        client_version: The client's HTTP version; HTTP/1.0 knows no chunks.
        keep_alive: Whether the client takes another response on this connection.

    Attributes:
        bytes_sent: Bytes of the body that the kernel took, without the transfer coding.
        reusable: The connection can take the next request.
        begun: Something of the response was sent.
    """

    def __init__(self, link: Link, *, method: str, client_version: str, keep_alive: bool) -> None:
        self.bytes_sent = 0
        self.reusable = keep_alive
        self.begun = False
        self._link = link
        self._method = method
        self._client_version = client_version
        self._framing = Framing.NO_BODY
        self._promised = ""

    async def run(self, script: Script) -> FailureKind | None:
        """Perform *script* to its end, and tell how it failed.

        Waits are measured from when the last one should have ended, so that delays of
        this process do not add up over a long stream.

        Raises:
            ClientGoneError: The client left before the end.
            ValueError: The script makes no sense on a socket.
        """
        loop = asyncio.get_running_loop()
        due = loop.time()
        for step in script:
            match step:
                case Wait(seconds):
                    due = max(due + seconds, loop.time())
                    await self._link.wait(due - loop.time())
                case Head():
                    await self._head(step)
                case Emit(data):
                    await self._emit(data)
                case Fail():
                    return await self._fail(step)
                case _:
                    assert_never(step)
        await self._end()
        return None

    async def _head(self, head: Head) -> None:
        if self.begun:
            raise ValueError(f"a script has one head, this one has another with {head.status}")
        fields = {name.lower(): value for name, value in head.headers}
        self._framing = framing_of(head, method=self._method, client_version=self._client_version)
        closes = "close" in fields.get("connection", "").lower()
        if closes or self._framing is Framing.UNTIL_CLOSE:
            self.reusable = False
        if self._framing is Framing.LENGTH:
            self._promised = fields["content-length"]
        version = "HTTP/1.0" if head.http_version == "HTTP/1.0" else "HTTP/1.1"
        lines = "".join(f"{name}: {value}\r\n" for name, value in head.headers)
        if self._framing is Framing.CHUNKED and "transfer-encoding" not in fields:
            lines += "transfer-encoding: chunked\r\n"
        self.begun = True
        text = f"{version} {head.status} {_reason(head)}\r\n{lines}\r\n"
        await self._link.write(text.encode("latin-1"))

    async def _emit(self, data: bytes) -> None:
        if not self.begun:
            raise ValueError(
                f"a script emits after its head, this one has none before {data[:40]!r}"
            )
        # Lets other connections live, and news that the client has left come in.
        await asyncio.sleep(0)
        if self._framing is Framing.NO_BODY or not data:
            return  # a chunk of no bytes would end the body
        chunked = self._framing is Framing.CHUNKED
        await self._link.write(b"%x\r\n%b\r\n" % (len(data), data) if chunked else data)
        self.bytes_sent += len(data)

    async def _end(self) -> None:
        if not self.begun:
            self.reusable = False
        elif self._framing is Framing.CHUNKED:
            await self._link.write(b"0\r\n\r\n")
        elif self._framing is Framing.LENGTH and self._promised != str(self.bytes_sent):
            self.reusable = False

    async def _fail(self, fail: Fail) -> FailureKind:
        reason = refuse(fail)
        if reason is not None:
            raise ValueError(reason)
        self.reusable = False
        if fail.raw:
            await self._link.write(fail.raw)
        if fail.kind in _SILENT:
            await self._link.wait(float("inf"))
        if fail.kind in _RESETTING:
            await self._link.reset()
        return fail.kind


def _reason(head: Head) -> str:
    if head.reason is not None:
        return head.reason
    try:
        return HTTPStatus(head.status).phrase
    except ValueError:
        return ""
