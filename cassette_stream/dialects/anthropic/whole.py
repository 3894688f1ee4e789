"""An Anthropic message that came whole: the same chunks, by the same rules."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from cassette_stream.chunks import ModelResponseStream
from cassette_stream.dialects.anthropic.decoder import Decoder
from cassette_stream.dialects.decoding import field, json_object
from cassette_stream.dialects.errors import stream_error
from cassette_stream.dialects.whole import taken, whole_text

__all__ = ("whole_body",)


def whole_body(body: bytes, *, strict: bool = True) -> list[ModelResponseStream]:
    """The chunks for a response that is no stream, but one JSON text.

    Raises:
        APIError: It reports an error; the class says which.
        MalformedStreamError: It is no message: a page, or any other text.
        EmptyStreamError: There is nothing in it.
        StreamTruncatedError: It has no stop reason.
    """
    message = json_object(whole_text(body))
    if "error" in message:
        raise stream_error(message)
    return taken(Decoder(strict=strict), _as_events(message))


def _as_events(message: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The fewest events that say what *message* does."""
    if message.get("type") != "message":
        return
    yield "message_start", {"message": message}
    for index, block in enumerate(field(message, "content", list) or ()):
        yield "content_block_start", {"index": index, "content_block": block}
        yield "content_block_stop", {"index": index}
    yield "message_delta", {"delta": _end(message), "usage": message.get("usage")}


def _end(message: Mapping[str, Any]) -> Mapping[str, Any]:
    return {name: it for name, it in message.items() if name.startswith("stop_")}
