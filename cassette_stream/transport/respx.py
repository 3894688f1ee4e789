"""Recorded interactions as a route of respx.

The route is asked in its turn, performs what the session plays as any transport of ours
does, and leaves to the routes behind it what the cassette does not hold.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import FrameType
from typing import Any, Protocol

import httpx
import respx
from respx.patterns import Pattern

from cassette_stream.exceptions import CassetteError, CassetteMissError
from cassette_stream.transport.desk import Desk
from cassette_stream.transport.httpx import async_transport, sync_transport

__all__ = ("answers", "mount")


class _Player(Desk, Protocol):
    """A session that plays."""

    misses: list[CassetteError]


class _Recorded(Pattern):
    """Any request. No other route has this pattern, or respx would take them for the same."""

    key = "cassette_stream"

    def parse(self, request: httpx.Request) -> object:  # noqa: ARG002 - as respx calls it
        return self.value


class _Passed(Exception):  # noqa: N818 - nobody sees it
    """The session looks away from this request."""


class _Through:
    """What is asked for the requests that a session looks away from."""

    def handle_request(self, _: object) -> httpx.Response:
        raise _Passed

    async def handle_async_request(self, _: object) -> httpx.Response:
        raise _Passed


def mount(router: respx.Router, player: _Player) -> respx.Route:
    """Add a route to *router*, behind those that it has, that answers as *player* does.

    Raises:
        TypeError: That is no router of respx.
    """
    if not isinstance(router, respx.Router):
        kind = type(router)
        raise TypeError(
            f"a router of respx is needed, not {kind.__module__}.{kind.__qualname__}; respx mocks "
            "httpx alone: clients of httpx2 are answered by the session, without a router"
        )
    sync = sync_transport(httpx, player, _Through())
    asynchronous = async_transport(httpx, player, _Through())

    def answer(request: httpx.Request, route: respx.Route) -> Any:
        if _is_awaited():
            return aanswer(request, route)
        try:
            return sync.handle_request(request)
        except (_Passed, CassetteMissError) as reason:
            return otherwise(request, route, reason)

    async def aanswer(request: httpx.Request, route: respx.Route) -> Any:
        try:
            return await asynchronous.handle_async_request(request)
        except (_Passed, CassetteMissError) as reason:
            return otherwise(request, route, reason)

    def otherwise(request: httpx.Request, route: respx.Route, reason: Exception) -> Any:
        is_answered = any(it.pattern.match(request) for it in _behind(router, route))
        if not isinstance(reason, CassetteMissError):
            return None if is_answered else request  # which respx lets through
        if not is_answered:
            raise reason
        player.misses.remove(reason)
        return None

    route = router.route(_Recorded(player))
    route.side_effect = answer
    return route


def answers(router: respx.Router, transport: object) -> bool:
    """Whether *router* is asked where a client of httpx has picked *transport*."""
    if not isinstance(transport, httpx.BaseTransport | httpx.AsyncBaseTransport):
        return False
    if getattr(getattr(transport, "handler", None), "__self__", None) is router:
        return True  # it is a mock transport, to which somebody gave the router
    mocker = getattr(router, "Mocker", None)
    if mocker is None or router not in mocker.routers:
        return False
    # The others mock the choice of the transport, this one what is below it.
    return mocker.name != "httpcore" or isinstance(
        transport, httpx.HTTPTransport | httpx.AsyncHTTPTransport
    )


def _behind(router: respx.Router, route: respx.Route) -> Iterator[respx.Route]:
    """The routes that are tried after *route*, those of routers behind *router* included."""
    mocker = getattr(router, "Mocker", None)
    routers = [router] if mocker is None or router not in mocker.routers else mocker.routers
    ordered = iter([each for it in routers[routers.index(router) :] for each in it.routes])
    for each in ordered:
        if each is route:
            break
    return ordered


def _is_awaited() -> bool:
    """Whether respx awaits what a side effect gives. It tells nobody, so its caller does."""
    kinds = {respx.Router.resolve.__code__: False, respx.Router.aresolve.__code__: True}
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 - as `warnings` does
    while frame is not None and frame.f_code not in kinds:
        frame = frame.f_back
    return frame is not None and kinds[frame.f_code]
