"""Interception of clients that somebody else built.

While a session is open, the transport that a client of httpx or httpx2 picks for a URL
comes wrapped. The choice itself stays the client's: mounts, proxies, mock and custom
transports, redirect hops and retries all pass here. Transports of a session are left
alone, or they would record twice. So are those that call an application in this process
(ASGI, WSGI, the test clients of web frameworks): the application is what is under test,
and the requests that count are its own.
"""

from __future__ import annotations

import importlib
import importlib.util
import threading
from collections.abc import Callable
from functools import partial
from types import ModuleType
from typing import Any, Protocol

from cassette_stream.exceptions import SessionError
from cassette_stream.transport.desk import Desk
from cassette_stream.transport.httpx import OurTransport, async_transport, sync_transport

__all__ = ("Answering", "install", "remove")

_METHOD = "_transport_for_url"
_lock = threading.Lock()
_users = 0
_undo: list[Callable[[], None]] = []


class Answering(Desk, Protocol):
    """A desk that may answer by a router of respx, which mocks the clients itself."""

    def leaves_to_router(self, transport: object) -> bool: ...


def install(find: Callable[[], Answering | None]) -> None:
    """Wrap what clients pick, from the first user on; *find* says who answers, if anyone.

    Raises:
        SessionError: A library no longer has what is wrapped; nothing is.
    """
    global _users  # noqa: PLW0603 - the patch is one for the process, and so is its count
    with _lock:
        if _users == 0:
            try:
                for name in ("httpx", "httpx2"):
                    if importlib.util.find_spec(name):
                        _patch(importlib.import_module(name), find)
            except SessionError:
                _undo_all()
                raise
        _users += 1


def remove() -> None:
    """Give the clients back as they were, with the last user."""
    global _users  # noqa: PLW0603 - as above
    with _lock:
        _users -= 1
        if _users == 0:
            _undo_all()


def _undo_all() -> None:
    while _undo:
        _undo.pop()()


def _patch(library: ModuleType, find: Callable[[], Answering | None]) -> None:
    for client, wrap in ((library.Client, sync_transport), (library.AsyncClient, async_transport)):
        original = getattr(client, _METHOD, None)
        if original is None:
            raise SessionError(
                f"{library.__name__} {library.__version__} has no {client.__name__}.{_METHOD}: "
                "pass session.transport() to the client instead"
            )
        setattr(client, _METHOD, _wrapping(library, original, wrap, find))
        _undo.append(partial(setattr, client, _METHOD, original))


def _wrapping(
    library: ModuleType,
    original: Callable[[Any, Any], Any],
    wrap: Callable[[ModuleType, Desk, Any], Any],
    find: Callable[[], Answering | None],
) -> Callable[[Any, Any], Any]:
    def transport_for_url(client: Any, url: Any) -> Any:
        inner = original(client, url)
        desk = None if isinstance(inner, OurTransport) or _is_application(inner) else find()
        if desk is None or desk.leaves_to_router(inner):
            return inner
        return wrap(library, desk, inner)

    return transport_for_url


def _is_application(transport: object) -> bool:
    # They have no class in common, but all hold it by this name.
    return callable(getattr(transport, "app", None))
