"""Two laws for decoders: what comes out is what the stream says, and it does not depend on cuts.

A network cuts bytes where it likes, so a decoder that is right on whole streams and wrong
on pieces is wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from hypothesis import strategies as st

from pytest_cassette_stream.laws.broken import LawError
from pytest_cassette_stream.laws.feeding import outcome
from pytest_cassette_stream.strategies import chunkings

__all__ = ("REASSEMBLY", "SPLIT", "Body", "DecoderLaws", "cut")

REASSEMBLY = "what comes out is what the stream says"
SPLIT = "any way to cut the bytes gives the same"

_CUTS = {
    "cuts": "every network, proxy and buffer cuts where it likes (continuedev/continue#13181, "
    "ggml-org/llama.cpp#28926, astrid-runtime/astrid#171)"
}
_SHORT = 200
"""Bytes up to which each way to cut them in two is tried for each stream."""


class Body(Protocol):
    """A stream to be decoded."""

    @property
    def body(self) -> bytes: ...
    @property
    def seen(self) -> dict[str, str]: ...
    def told(self, came: object) -> Any:
        """What *came* tells."""

    def expected(self, came: object) -> Any:
        """What should have come, in the form of what *came*."""


@dataclass(frozen=True)
class DecoderLaws:
    """The laws, for one *decode*."""

    decode: Callable[[Any], Any]

    def says_what_the_stream_says(self, stream: Body) -> None:
        chunks = _whole(stream)
        came = outcome(self.decode, chunks)
        told, expected = stream.told(came), stream.expected(came)
        if told != expected:
            raise LawError(
                REASSEMBLY, stream=chunks, came=told, expected=expected, seen=stream.seen
            )

    def is_the_same_for_simple_cuts(self, stream: Body) -> None:
        """Cut in two at each place, and byte by byte: as a stream shrinks, nothing else moves."""
        body = stream.body
        whole = self._told(stream, _whole(stream))
        each = [body[n : n + 1] for n in range(len(body))]
        if len(body) > _SHORT and _alike(self._told(stream, each), whole):
            return
        for chunks in (*_in_two(body), each):
            came = self._told(stream, chunks)
            if not _alike(came, whole):
                raise LawError(
                    SPLIT, stream=chunks, came=came, expected=whole, seen=stream.seen | _CUTS
                )

    def is_the_same(self, case: tuple[Body, list[bytes]]) -> None:
        stream, chunks = case
        whole, came = self._told(stream, _whole(stream)), self._told(stream, chunks)
        if not _alike(came, whole):
            raise LawError(
                SPLIT, stream=chunks, came=came, expected=whole, seen=stream.seen | _CUTS
            )

    def _told(self, stream: Body, chunks: list[bytes]) -> Any:
        return stream.told(outcome(self.decode, chunks))


def cut(stream: Body) -> st.SearchStrategy[tuple[Body, list[bytes]]]:
    """*stream* with every way to cut it."""
    return chunkings(stream.body).map(lambda chunks: (stream, chunks))


def _whole(stream: Body) -> list[bytes]:
    return [stream.body] if stream.body else []


def _in_two(body: bytes) -> Iterator[list[bytes]]:
    return ([body[:n], body[n:]] for n in range(1, len(body)))


def _alike(one: object, other: object) -> bool:
    if isinstance(one, Exception) and isinstance(other, Exception):
        return type(one) is type(other)
    return one == other
