"""An event loop in a thread that accepts connections until it is told to stop.

Nothing outlives `stop`: every task is cancelled and every socket closed before the
thread ends, and the thread has ended when `stop` returns.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from threading import Thread

from cassette_stream.server.link import Link

__all__ = ("ServerThread",)

_HOST = "127.0.0.1"
_PATIENCE = 10.0


class ServerThread:
    """A listening server; *serve* is run for each connection, with the server's URL."""

    def __init__(self, serve: Callable[[Link, str], Awaitable[None]]) -> None:
        self._serve = serve
        self._links: set[Link] = set()
        self._ready: Future[str] = Future()
        self._thread = Thread(target=self._run, name="cassette-stream server", daemon=True)

    @property
    def url(self) -> str:
        return self._ready.result()

    def start(self) -> None:
        """Come back when connections are accepted.

        Raises:
            OSError: There is no port.
            TimeoutError: The thread did not come up.
        """
        self._thread.start()
        self._ready.result(_PATIENCE)

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
        try:
            asyncio.run(self._accept())
        except OSError as error:
            self._ready.set_exception(error)

    async def _accept(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stopped = asyncio.Event()
        server = await self._loop.create_server(lambda: Link(self._connected), _HOST, 0)
        port = server.sockets[0].getsockname()[1]
        self._ready.set_result(f"http://{_HOST}:{port}")
        await self._stopped.wait()
        server.close()
        links = tuple(self._links)
        for link in links:
            link.task.cancel()
        for link in links:
            await link.closed()
        await server.wait_closed()

    async def _connected(self, link: Link) -> None:
        self._links.add(link)
        try:
            await self._serve(link, self.url)
            await link.closed()
        finally:
            link.abort()
            self._links.discard(link)
