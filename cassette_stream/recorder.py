"""Bytes and moments in, an interaction out.

The recorder asks nobody what time it is: whoever overhears a stream says ``at=``, in
seconds of one clock. Chunks are kept as they come and put together once, at the end,
so hearing a chunk costs one append.
"""

from __future__ import annotations

import math
import zlib
from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus

from cassette_stream.cassette.model import Ending, Headers, How, Interaction, Request, Response
from cassette_stream.script import FailureKind

__all__ = ("Recorder", "coding_of", "undoing")

# wbits of zlib: 16 + 15 reads a gzip member, 15 a zlib stream. RFC 9110, 8.4.1, calls
# the latter "deflate"; a raw deflate stream under that name does not decode here and so
# stays as it was sent.
_CODINGS = {"gzip": 31, "x-gzip": 31, "deflate": 15}


@dataclass(frozen=True, slots=True)
class _Head:
    status: int
    http_version: str
    reason: str | None
    headers: dict[str, tuple[str, ...]]
    at: float


class Recorder:
    """One request and what comes of it.

    Args:
        request: What is asked.
        recorded_at: The date of asking, in UTC and whole milliseconds.
        at: The moment of asking.
    """

    def __init__(self, request: Request, *, recorded_at: datetime, at: float) -> None:
        self.request = request
        self._recorded_at = recorded_at
        self._asked = at
        self._head: _Head | None = None
        self._heard: list[tuple[float, bytes]] = []

    def head(
        self,
        status: int,
        headers: dict[str, tuple[str, ...]],
        *,
        at: float,
        http_version: str = "HTTP/1.1",
        reason: str | None = None,
    ) -> Response:
        """The response head came; gives the response as far as it tells.

        A standard *reason* phrase is not worth keeping.
        """
        if reason == _standard_reason(status):
            reason = None
        self._head = _Head(status, http_version, reason, headers, at)
        return Response(
            status=status,
            http_version=http_version,
            reason=reason,
            headers=headers,
            ending=Ending(how=How.COMPLETE),
        )

    def hear(self, data: bytes, at: float) -> None:
        """*data* came, as one read of the transport."""
        self._heard.append((at, data))

    def finish(
        self,
        how: How,
        *,
        at: float,
        failure: FailureKind | None = None,
        message: str = "",
        read: float | None = None,
    ) -> Interaction:
        """It is over. Give the interaction.

        No silence is kept that is longer than *read*, or a replay would time out where
        the caller did not: what was beyond was not spent in listening to the server, but
        in a pool, in connecting, or with whatever the caller did between two chunks.

        Args:
            how: How it ended.
            at: When.
            failure: What kind of failure it was, if *how* is one.
            message: The text of the exception, if *how* is a failure.
            read: The read timeout of the request, in seconds; None for none.
        """
        most = math.inf if read is None else math.floor(read * 1_000_000)
        # A copy: another thread may still be listening while this one closes the session.
        heard = list(self._heard)
        last = heard[-1][0] if heard else self._head.at if self._head else self._asked
        after_us = 0 if how is How.COMPLETE else _silence(at - last, most)
        ending = Ending(how=how, after_us=after_us, failure=failure, message=message)
        response = self._response(self._head, heard, ending, most) if self._head else None
        return Interaction(
            recorded_at=self._recorded_at,
            request=self.request,
            response=response,
            failure=None if response else ending,
        )

    def _response(
        self, head: _Head, heard: list[tuple[float, bytes]], ending: Ending, most: float
    ) -> Response:
        chunks = [data for _, data in heard]
        coding, decoded = _without_coding(head.headers, chunks)
        return Response(
            status=head.status,
            http_version=head.http_version,
            reason=head.reason,
            headers=head.headers,
            head_after_us=_silence(head.at - self._asked, most),
            body=b"".join(decoded),
            sizes=array("q", map(len, decoded)),
            gaps_us=_gaps((at for at, _ in heard), head.at, most),
            ending=ending,
            removed_coding=coding,
        )


def _microseconds(seconds: float) -> int:
    return round(seconds * 1_000_000)


def _silence(seconds: float, most: float) -> int:
    return int(min(most, max(0, _microseconds(seconds))))


def _gaps(moments: Iterable[float], start: float, most: float) -> array[int]:
    # The moments are rounded, not the gaps: so the error does not add up over a stream.
    gaps, before = array("q"), 0
    for moment in moments:
        now = max(before, _microseconds(moment - start))
        gaps.append(int(min(most, now - before)))
        before = now
    return gaps


def _without_coding(headers: Headers, chunks: list[bytes]) -> tuple[str | None, list[bytes]]:
    """The name of the coding that could be undone, and the chunks without it."""
    named = coding_of(headers)
    if named not in _CODINGS or not chunks:
        return None, chunks
    decoder = undoing(named)
    try:
        decoded = [decoder.decompress(chunk) for chunk in chunks]
    except zlib.error:
        return None, chunks
    if not decoder.eof or decoder.unused_data:
        return None, chunks
    return named, decoded


def coding_of(headers: Headers) -> str:
    """The content coding that *headers* name, in lower case; "" if they name none."""
    return ", ".join(headers.get("content-encoding", ())).strip().lower()


def undoing(coding: str) -> zlib._Decompress:
    """What undoes *coding* chunk by chunk.

    Raises:
        KeyError: That is not known.
    """
    return zlib.decompressobj(_CODINGS[coding])


def _standard_reason(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""
