"""The transport that a client has by default, made when something is really sent.

It loads certificates, which costs more than a whole replay.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

__all__ = ("OnDemand",)


class OnDemand:
    """The transport called *name* of *library*, from the first request on."""

    def __init__(self, library: ModuleType, name: str) -> None:
        self._make = getattr(library, name)
        self._made: Any = None

    def _inner(self) -> Any:
        if self._made is None:
            self._made = self._make()
        return self._made

    def handle_request(self, request: Any) -> Any:
        return self._inner().handle_request(request)

    async def handle_async_request(self, request: Any) -> Any:
        return await self._inner().handle_async_request(request)

    def close(self) -> None:
        if self._made is not None:
            self._made.close()

    async def aclose(self) -> None:
        if self._made is not None:
            await self._made.aclose()
