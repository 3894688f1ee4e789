"""A message of Cohere's that came whole: the same chunks, by the same rules."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from cassette_stream.chunks import ModelResponseStream
from cassette_stream.dialects.cohere.decoder import Decoder
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
        StreamTruncatedError: It has no finish reason.
    """
    value = json_object(whole_text(body))
    if isinstance(value.get("message"), str) or value.get("error"):
        raise stream_error(value)
    return taken(Decoder(strict=strict), _as_events(value))


def _as_events(value: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The fewest events that say what *value* does."""
    message = field(value, "message", dict)
    if message is None:
        return
    yield "message-start", {"id": value.get("id")}
    probable = {"logprobs": value.get("logprobs")}
    for index, content in enumerate(field(message, "content", list) or ()):
        of_text = probable if isinstance(content, dict) and content.get("type") == "text" else {}
        yield "content-start", {"index": index, **_delta(content=content), **of_text}
        yield "content-end", {"index": index}
        probable = {} if of_text else probable
    yield "tool-plan-delta", _delta(tool_plan=message.get("tool_plan"))
    for index, call in enumerate(field(message, "tool_calls", list) or ()):
        yield "tool-call-start", {"index": index, **_delta(tool_calls=call)}
        yield "tool-call-end", {"index": index}
    for citation in field(message, "citations", list) or ():
        yield "citation-start", _delta(citations=citation)
    yield "message-end", {"delta": {name: value.get(name) for name in ("finish_reason", "usage")}}


def _delta(**parts: object) -> Mapping[str, Any]:
    return {"delta": {"message": parts}}
