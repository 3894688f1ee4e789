"""An event loop in a thread that accepts connections until it is told to stop.

Nothing outlives `stop`: every task is cancelled and every socket closed before the
thread ends, and the thread has ended when `stop` returns.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Coroutine
from contextlib import ExitStack
from threading import Thread
from typing import TYPE_CHECKING

from cassette_stream.server.link import Handshake, Link

if TYPE_CHECKING:
    import ssl

__all__ = ("ServerThread",)

_HOST = "127.0.0.1"
_PATIENCE = 10.0


class ServerThread:
    """A listening server; *serve* is run for each connection, with the server's URL.

    It listens from the moment it is made. Connections are encrypted by *tls*, and with
    *close_notify* they say so when they end.

    Raises:
        OSError: There is no port, or no file descriptor.
    """

    def __init__(
        self,
        serve: Callable[[Link, str], Coroutine[None, None, None]],
        *,
        tls: ssl.SSLContext | None = None,
        close_notify: bool = True,
    ) -> None:
        self._serve = serve
        self._tls = tls
        self._close_notify = close_notify
        self._links: set[Link] = set()
        self._handshakes: set[asyncio.Task[None]] = set()
        self._stopped = asyncio.Event()
        with ExitStack() as undo:
            # asyncio turns off Nagle's delays only where the protocol is given by its number.
            family = socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP
            self._socket = undo.enter_context(socket.socket(*family))
            self._socket.bind((_HOST, 0))
            self._socket.listen()
            self._loop = asyncio.new_event_loop()
            undo.pop_all()
        scheme = "http" if tls is None else "https"
        self.url = f"{scheme}://{_HOST}:{self._socket.getsockname()[1]}"
        self._thread = Thread(target=self._run, name="cassette-stream server", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Come back when everything is closed.

        Raises:
            RuntimeError: The thread did not end, because a script blocks it.
        """
        self._loop.call_soon_threadsafe(self._stopped.set)
        self._thread.join(_PATIENCE)
        if self._thread.is_alive():
            raise RuntimeError(f"the server did not stop within {_PATIENCE} s: a script blocks it")

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._accept())

    async def _accept(self) -> None:
        server = await self._loop.create_server(
            self._accepted,
            sock=self._socket,
        )
        await self._stopped.wait()
        # What the loop is just accepting becomes a link first, else its socket would leak.
        while accepting := asyncio.all_tasks() - {asyncio.current_task()} - self._serving():
            for handshake in self._handshakes:
                handshake.cancel()
            await asyncio.wait(accepting)
        server.close()
        links = tuple(self._links)
        for link in links:
            link.task.cancel()
        for link in links:
            await link.close()

    def _serving(self) -> set[asyncio.Task[None]]:
        return {link.task for link in self._links}

    def _accepted(self) -> asyncio.Protocol:
        link = Link(lambda link: self._serve(link, self.url), self._links)
        if self._tls is None:
            return link
        return Handshake(link, self._tls, close_notify=self._close_notify, tasks=self._handshakes)
