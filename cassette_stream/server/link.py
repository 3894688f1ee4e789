"""One accepted connection: bytes in, bytes out, and the moment the client leaves.

Whoever waits or writes here is told at once that the client has left. A client that
closes only its sending half counts as gone: no HTTP client does that and still listens.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import sys
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    import ssl

__all__ = ("ClientGoneError", "Handshake", "Link")

_INBOX_LIMIT = 1 << 20
_GOODBYE = 0.1
"""How many seconds a client may take to say goodbye in its turn."""
_LINGER_ZERO = struct.pack("ii", 1, 0)


class ClientGoneError(Exception):
    """The client closed the connection."""


class Link(asyncio.Protocol):
    """The protocol of one connection.

    Args:
        serve: Run as the task *task*; when it is over, what is still open is dropped.
        links: Holds this link as long as its socket is open.
    """

    def __init__(
        self,
        serve: Callable[[Link], Coroutine[None, None, None]],
        links: set[Link],
    ) -> None:
        self._serve = serve
        self._links = links
        self._below: asyncio.Transport | None = None  # what TLS goes over
        self._inbox = bytearray()
        self._news = asyncio.Event()
        self._gone = asyncio.Event()
        self._closed = asyncio.Event()
        self._writable = asyncio.Event()
        self._writable.set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = self._closing = cast("asyncio.Transport", transport)
        # A write is over when the kernel has all of it, so what counts as sent was sent.
        self._transport.set_write_buffer_limits(0)
        self._begin()

    def encrypted(
        self, transport: asyncio.Transport, below: asyncio.Transport, *, close_notify: bool
    ) -> None:
        """Begin to speak over *transport*, which is TLS over *below*."""
        self._transport, self._below = transport, below
        self._closing = transport if close_notify else below
        self._begin()

    def _begin(self) -> None:
        self._links.add(self)
        self.task = asyncio.get_running_loop().create_task(self._serve(self))
        self.task.add_done_callback(lambda _: self._transport.abort())

    def data_received(self, data: bytes) -> None:
        self._inbox += data
        self._news.set()
        if len(self._inbox) > _INBOX_LIMIT:
            self._transport.pause_reading()

    def eof_received(self) -> None:
        self._leave()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the protocol's signature
        self._leave()
        self._closed.set()
        self._links.discard(self)

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def _leave(self) -> None:
        self._gone.set()
        self._news.set()
        self._writable.set()

    @property
    def protocol(self) -> str | None:
        """What the two agreed to speak, as ALPN has it; None if they did not."""
        tls = self._transport.get_extra_info("ssl_object")
        return None if tls is None else tls.selected_alpn_protocol()

    async def read(self) -> bytes:
        """The bytes that came, at least one; none once the client is gone."""
        await self._news.wait()
        data = bytes(self._inbox)
        self._inbox.clear()
        if not self._gone.is_set():
            self._news.clear()
            self._transport.resume_reading()
        return data

    async def write(self, data: bytes) -> None:
        """Send *data*; comes back when the kernel has it.

        Raises:
            ClientGoneError: The client left before that.
        """
        if not self._gone.is_set():
            self._transport.write(data)
            await self._writable.wait()
            # Of what TLS holds back, and of what is held back below it, nobody tells.
            while self._below and (
                self._transport.get_write_buffer_size() or self._below.get_write_buffer_size()
            ):
                await self.wait(0.001)
        if self._gone.is_set():
            raise ClientGoneError

    async def wait(self, seconds: float) -> None:
        """Let *seconds* pass; infinitely many are allowed.

        Raises:
            ClientGoneError: The client left meanwhile.
        """
        try:
            async with asyncio.timeout(seconds):
                await self._gone.wait()
        except TimeoutError:
            return
        raise ClientGoneError

    async def close(self) -> None:
        """Close with FIN, after everything that was written; comes back when that is done."""
        self._closing.close()
        await self._closed.wait()

    async def reset(self) -> None:
        """Close with RST, once the client's side has everything that was written.

        Raises:
            ClientGoneError: The client left before it had everything.
        """
        sock = cast("socket.socket", self._transport.get_extra_info("socket"))
        # A reset discards what the kernel still holds for a client that reads slowly.
        while _unsent(sock):
            await self.wait(0.001)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
        self._transport.abort()


class Handshake(asyncio.Protocol):
    """The protocol of a connection until it is encrypted; from then on that is *link*.

    A client that does not come to the end of the handshake is dropped.

    Args:
        link: What speaks then.
        tls: How to encrypt.
        close_notify: Whether TLS says that it ends before the connection is closed.
        tasks: Holds the task of this handshake as long as it takes.
    """

    def __init__(
        self,
        link: Link,
        tls: ssl.SSLContext,
        *,
        close_notify: bool,
        tasks: set[asyncio.Task[None]],
    ) -> None:
        self._link = link
        self._tls = tls
        self._close_notify = close_notify
        self._tasks = tasks

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        below = cast("asyncio.Transport", transport)
        task = asyncio.get_running_loop().create_task(self._encrypt(below))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _encrypt(self, below: asyncio.Transport) -> None:
        try:
            above = await asyncio.get_running_loop().start_tls(
                below,
                self._link,
                self._tls,
                server_side=True,
                ssl_shutdown_timeout=_GOODBYE,
            )
        except OSError:
            return
        if above is not None and not above.is_closing():
            self._link.encrypted(above, below, close_notify=self._close_notify)


def _unsent(sock: socket.socket) -> int:
    """Bytes written to *sock* that its peer has not acknowledged; 0 where only Linux could tell."""
    if sys.platform != "linux":
        return 0
    import fcntl  # noqa: PLC0415 - neither module is on Windows
    import termios  # noqa: PLC0415

    answer = fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, b"\0" * 4)
    return int(struct.unpack("i", answer)[0])
