"""A selector that lets somebody else decide how long to wait, and knows who is outside."""

from __future__ import annotations

import selectors
import socket
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

__all__ = ("Events", "WatchedSelector")

Events: TypeAlias = list[tuple[selectors.SelectorKey, int]]


class WatchedSelector(selectors.BaseSelector):
    """*inner*, which asks *pass_time* for events instead of waiting for them.

    Attributes:
        poll: Waits for events, as *inner* does.
        outside: The file descriptors through which somebody else may wake the loop. A
            listening socket is none: nobody is there yet.
    """

    def __init__(
        self, inner: selectors.BaseSelector, pass_time: Callable[[float | None], Events]
    ) -> None:
        self.poll = inner.select
        self.outside = {key.fd for key in inner.get_map().values() if not _listens(key.fd)}
        self._inner = inner
        self._pass_time = pass_time

    def select(self, timeout: float | None = None) -> Events:
        return self._pass_time(timeout)

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        key = self._inner.register(fileobj, events, data)
        if not _listens(key.fd):
            self.outside.add(key.fd)
        return key

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        key = self._inner.unregister(fileobj)
        self.outside.discard(key.fd)
        return key

    def modify(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._inner.modify(fileobj, events, data)

    def close(self) -> None:
        self._inner.close()

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._inner.get_map()


def _listens(fd: int) -> bool:
    try:
        found = socket.socket(fileno=fd)
    except OSError:
        return False  # it is a pipe, say
    try:
        return bool(found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
    finally:
        found.detach()
