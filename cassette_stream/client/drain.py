"""The end of a connection's part: what is read after a stream's end, and what is cut short.

Servers end the body right after the last event, and with it read to its end a connection can
be used again. One that does not is not waited for: its connection is closed instead.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from itertools import islice
from socket import SHUT_RDWR
from typing import Any

from cassette_stream.client.reading import Piece

__all__ = ("adrain", "drain", "interrupt", "unwind")

_SECONDS = 0.25
_PIECES = 8


def drain(pieces: Iterator[Piece], response: Any) -> None:
    """Read a few more *pieces* of *response*, none of which may take long."""
    stream = response.extensions.get("network_stream")
    if stream is None:  # a replay, which does not keep anybody waiting
        _take_few(pieces)
        return
    if not response.http_version.startswith("HTTP/1"):  # others share the connection
        return
    # The read timeout of a body cannot be changed once it is being read, so the stream below
    # is told to wait less; but not for the next one, once this response is closed.
    read = stream.read

    def hurried(max_bytes: int, timeout: float | None = None) -> bytes:
        data: bytes = read(max_bytes, timeout if response.is_closed else _SECONDS)
        return data

    stream.read = hurried
    try:
        _take_few(pieces)
    finally:
        if vars(stream).get("read") is hurried:
            del stream.read


async def adrain(pieces: AsyncIterator[Piece]) -> None:
    """The same for asynchronous code."""
    import anyio  # noqa: PLC0415 - only asynchronous callers pay for it

    with anyio.move_on_after(_SECONDS):
        for _ in range(_PIECES):
            if await anext(pieces, None) is None:
                break


def interrupt(response: Any) -> None:
    """Let the thread that reads *response* find its connection at its end."""
    stream = response.extensions.get("network_stream")
    connection = stream and stream.get_extra_info("socket")
    if connection is not None:
        with suppress(OSError):  # it may be at its end already
            connection.shutdown(SHUT_RDWR)


async def unwind(pieces: AsyncIterator[Piece]) -> None:
    """Let *pieces* of a connection that was closed come to their end.

    A body is a nest of generators, and trio warns of each that is dropped half way. With
    nothing left to read they end by themselves.
    """
    import anyio  # noqa: PLC0415 - as above

    with anyio.move_on_after(_SECONDS):  # a connection that others share is not closed
        async for _ in pieces:
            pass


def _take_few(pieces: Iterator[Piece]) -> None:
    for _ in islice(pieces, _PIECES):
        pass
