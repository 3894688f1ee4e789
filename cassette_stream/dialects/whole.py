"""The body of a response that is no stream: the text that it is, and the chunks of its events."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from cassette_stream.chunks import ModelResponseStream
from cassette_stream.dialects.decoding import Chunks
from cassette_stream.exceptions import EmptyStreamError, MalformedStreamError

__all__ = ("taken", "whole_text")


def whole_text(body: bytes) -> str:
    """The text of a *body* that is no stream, without a mark of its byte order.

    Raises:
        EmptyStreamError: There is none.
        MalformedStreamError: It is no UTF-8.
    """
    try:
        text = body.decode("utf-8-sig").strip()
    except UnicodeDecodeError as error:
        raise MalformedStreamError(f"the body is no UTF-8: {error}", body=body) from error
    if not text:
        raise EmptyStreamError("the body is empty")
    return text


class _Decoder(Protocol):
    def take(self, value: Mapping[str, Any], kind: str) -> Chunks: ...
    def finish(self) -> Chunks: ...


def taken(
    decoder: _Decoder, events: Iterable[tuple[str, Mapping[str, Any]]]
) -> list[ModelResponseStream]:
    """The chunks of the *events*, each behind its kind, that say what a whole answer does.

    Raises:
        APIError: As the *decoder* says.
    """
    chunks = [chunk for kind, event in events for chunk in decoder.take(event, kind)]
    return [*chunks, *decoder.finish()]
