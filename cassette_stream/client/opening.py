"""The two shells that send a request, again where `Exchange` says so, until an answer begins."""

from __future__ import annotations

from typing import Any

from cassette_stream.client.access import adone_in_time, done_in_time
from cassette_stream.client.asked import Asked
from cassette_stream.client.exchange import Exchange, Opened
from cassette_stream.client.stream import alet_go, apieces

__all__ = ("aopened", "opened")


def opened(asked: Asked, client: Any) -> tuple[Opened, Any]:
    """The answer to *asked* that *client* got, and the response that it is read from.

    Raises:
        APIError: There is none, or it is a refusal.
    """
    exchange = Exchange(asked)
    while True:
        try:
            request = exchange.request(client)
            if (access := exchange.stale) is not None:
                with exchange.asking():
                    done_in_time(access.refresh, exchange.patience)
            exchange.let_in()
            response = client.send(request, stream=True)
            body = None if exchange.streams(response) else _body(response)
        except Exception as error:  # noqa: BLE001 - `failed` raises what is not to be tried again
            settled: Opened | float = exchange.failed(error)
        else:
            settled = exchange.settle(response, body)
        if isinstance(settled, Opened):
            return settled, response
        exchange.clock.sleep_until(exchange.clock.now() + settled)


async def aopened(asked: Asked, client: Any) -> tuple[Opened, Any]:
    """The same for asynchronous code."""
    exchange = Exchange(asked)
    while True:
        try:
            request = exchange.request(client)
            if (access := exchange.stale) is not None:
                with exchange.asking():
                    await adone_in_time(access.refresh, exchange.patience)
            exchange.let_in()
            response = await client.send(request, stream=True)
            body = None if exchange.streams(response) else await _abody(response)
        except Exception as error:  # noqa: BLE001 - `failed` raises what is not to be tried again
            settled: Opened | float = exchange.failed(error)
        else:
            settled = exchange.settle(response, body)
        if isinstance(settled, Opened):
            return settled, response
        await exchange.clock.asleep_until(exchange.clock.now() + settled)


def _body(response: Any) -> bytes:
    try:
        body: bytes = response.read()
    finally:
        response.close()
    return body


async def _abody(response: Any) -> bytes:
    pieces, body = apieces(response), bytearray()
    try:
        async for piece in pieces:
            if isinstance(piece, Exception):
                raise piece
            if piece is None:
                break
            body += piece
    finally:
        await alet_go(response, pieces)
    return bytes(body)
