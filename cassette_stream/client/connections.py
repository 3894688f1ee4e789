"""The HTTP clients that calls share, so that a second call finds a connection open.

One for each place that is asked: of this process for synchronous code, of the event loop for
asynchronous code. The former are closed when the process ends, the latter when their loop
does. A forked child has its own: the sockets of its parent are not its to use or to close.
"""

from __future__ import annotations

import atexit
import os
from collections.abc import AsyncGenerator
from functools import cache
from threading import Lock
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    import ssl

    import httpx

__all__ = ("async_client", "sync_client")

_lock = Lock()
_clients: dict[str, httpx.Client] = {}
_of_parents: list[dict[str, httpx.Client]] = []  # kept, for dropping them would close sockets


def sync_client(url: str) -> httpx.Client:
    """This process's client for where *url* is."""
    import httpx  # noqa: PLC0415 - a caller who brings a client of his own does not need it

    with _lock:
        found = _clients.get(origin := _origin(url))
        if found is None:
            found = _clients[origin] = httpx.Client(verify=_certificates())
        return found


async def async_client(url: str) -> httpx.AsyncClient:
    """This event loop's client for where *url* is."""
    import httpx  # noqa: PLC0415 - as above

    clients = _of_this_loop().get(None)
    if clients is None:
        clients = _Clients()
        _of_this_loop().set(clients)
        await anext(clients.keeper)
    found: httpx.AsyncClient | None = clients.get(origin := _origin(url))
    if found is None:
        found = clients[origin] = httpx.AsyncClient(verify=_certificates())
    return found


@cache
def _certificates() -> ssl.SSLContext:
    # Reading them takes 50 ms, which each event loop would pay again.
    import httpx  # noqa: PLC0415 - as above

    return httpx.create_ssl_context()


class _Clients(dict[str, Any]):
    """The clients of one event loop, and the generator that the loop closes at its end."""

    def __init__(self) -> None:
        super().__init__()
        self.keeper: AsyncGenerator[None, None] = self._keep()

    async def _keep(self) -> AsyncGenerator[None, None]:
        try:
            yield
        finally:
            for client in self.values():
                await client.aclose()
            self.clear()


@cache
def _of_this_loop() -> Any:
    from anyio.lowlevel import RunVar  # noqa: PLC0415 - only asynchronous callers pay for it

    return RunVar("cassette_stream_clients")


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _close() -> None:
    for client in _clients.values():
        client.close()
    _clients.clear()


def _forget() -> None:
    global _lock, _clients  # noqa: PLW0603 - the child of a fork begins anew
    _lock = Lock()
    _of_parents.append(_clients)
    _clients = {}


atexit.register(_close)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
