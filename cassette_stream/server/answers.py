"""Scripts of plain answers, and what can be done to any script on its way to a socket."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable

from cassette_stream.script import Emit, Fail, Head, Script, Wait

__all__ = ("gzipped", "json_response", "streamed", "whole")


def whole(
    status: int, body: bytes, *, content_type: str = "application/json", delay: float = 0.0
) -> Script:
    """A response of known length, *delay* seconds after the request."""
    if delay:
        yield Wait(delay)
    yield Head(status, (("content-type", content_type), ("content-length", str(len(body)))))
    yield Emit(body)


def json_response(status: int, value: object) -> Script:
    return whole(status, json.dumps(value, ensure_ascii=False).encode())


def streamed(
    events: Iterable[bytes],
    *,
    gap: float = 0.0,
    first_gap: float = 0.0,
    content_type: str = "text/event-stream; charset=utf-8",
) -> Script:
    """A stream of *events*: the head at once, the first after *first_gap*, *gap* between them."""
    yield Head(200, (("content-type", content_type), ("cache-control", "no-cache")))
    pause = first_gap
    for event in events:
        if pause:
            yield Wait(pause)
        yield Emit(event)
        pause = gap


def gzipped(script: Script) -> Script:
    """The *script* of a server that compresses, and flushes after each `Emit`.

    What fails before its end ends without the end of the gzip data too.
    """
    squeeze = zlib.compressobj(wbits=16 + zlib.MAX_WBITS)
    begun = False
    for step in script:
        match step:
            case Head():
                begun = True
                yield _gzip_head(step)
            case Emit(data):
                yield Emit(squeeze.compress(data) + squeeze.flush(zlib.Z_SYNC_FLUSH))
            case Fail():
                yield step
                return
            case _:
                yield step
    if begun:
        yield Emit(squeeze.flush())


def _gzip_head(head: Head) -> Head:
    kept = tuple(field for field in head.headers if field[0] != "content-length")
    headers = (*kept, ("content-encoding", "gzip"))
    return Head(head.status, headers, head.http_version, head.reason)
