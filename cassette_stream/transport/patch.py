"""Interception of clients that somebody else built.

While a session is open, the transport that a client of httpx or httpx2 picks for a URL
comes wrapped. The choice itself stays the client's: mounts, proxies, mock and custom
transports, redirect hops and retries all pass here. Transports of a session are left
alone, or they would record twice. So are those that call an application in this process
(ASGI, WSGI, the test clients of web frameworks): the application is what is under test,
and the requests that count are its own.

A library that nobody has imported is not imported for this, which would take longer than
most tests: it is wrapped when somebody does.
"""

from __future__ import annotations

import importlib
import sys
import threading
from collections.abc import Callable, Sequence
from functools import partial
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, Protocol

from cassette_stream.exceptions import SessionError
from cassette_stream.transport.desk import Desk
from cassette_stream.transport.httpx import OurTransport, async_transport, sync_transport

__all__ = ("Answering", "install", "remove")

_LIBRARIES = ("httpx", "httpx2")
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
                for name in _LIBRARIES:
                    if name in sys.modules:
                        # Another thread may be half way through it.
                        _patch(importlib.import_module(name), find)
            except SessionError:
                _undo_all()
                raise
            latecomers = _Latecomers(find)
            sys.meta_path.insert(0, latecomers)
            _undo.append(partial(_leave, latecomers))
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


class _Latecomers:
    """Wraps the clients of a library that is imported while somebody needs them wrapped.

    It finds what the others on `sys.meta_path` find, and looks at it once it has run.
    """

    def __init__(self, find: Callable[[], Answering | None]) -> None:
        self._find = find

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name not in _LIBRARIES:
            return None
        others = [finder for finder in sys.meta_path if finder is not self]
        specs = (finder.find_spec(name, path, target) for finder in others)
        spec = next((spec for spec in specs if spec is not None), None)
        if spec is not None and spec.loader is not None:
            loader: Any = spec.loader
            seen: Any = _Loader(loader, self._see)
            spec.loader = seen
        return spec

    def _see(self, library: ModuleType) -> None:
        with _lock:
            if self in sys.meta_path:
                _patch(library, self._find)


class _Loader:
    """Loads as *loader* does, and lets *see* have a look; then *loader* is the module's again."""

    def __init__(self, loader: Any, see: Callable[[ModuleType], None]) -> None:
        self._loader = loader
        self._see = see

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        module: ModuleType | None = self._loader.create_module(spec)
        return module

    def exec_module(self, module: ModuleType) -> None:
        assert module.__spec__ is not None
        module.__loader__ = module.__spec__.loader = self._loader
        self._loader.exec_module(module)
        self._see(module)


def _leave(latecomers: _Latecomers) -> None:
    sys.meta_path.remove(latecomers)


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
