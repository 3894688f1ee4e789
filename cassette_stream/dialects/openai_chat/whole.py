"""OpenAI chat completions: the whole answer of a server that does not stream, as chunks."""

from __future__ import annotations

from collections.abc import Mapping

from cassette_stream.chunks import ModelResponseStream
from cassette_stream.dialects.openai_chat.decoder import Decoder, event_object
from cassette_stream.dialects.whole import whole_text

__all__ = ("whole_body",)


def whole_body(body: bytes, *, strict: bool = True) -> list[ModelResponseStream]:
    """The chunks for a *body* that is no stream, but one JSON text.

    Raises:
        APIError: It reports an error; the class says which.
        MalformedStreamError: It is no completion: a page, or any other text.
        EmptyStreamError: There is nothing in it.
        StreamTruncatedError: A choice has no finish reason.
    """
    value = event_object(whole_text(body))
    choices = value.get("choices")
    if isinstance(choices, list):
        value = {
            **value,
            "object": "chat.completion.chunk",
            "choices": [_as_delta(choice) for choice in choices],
        }
    decoder = Decoder(strict=strict)
    return [*decoder.take(value), *decoder.finish()]


def _as_delta(choice: object) -> object:
    """A choice of a whole answer as one of a chunk."""
    if not isinstance(choice, Mapping) or not isinstance(choice.get("message"), Mapping):
        return choice
    message = dict(choice["message"])
    calls = message.get("tool_calls")
    if isinstance(calls, list):
        message["tool_calls"] = [
            {"index": index, **call} if isinstance(call, Mapping) else call
            for index, call in enumerate(calls)
        ]
    return {key: item for key, item in choice.items() if key != "message"} | {"delta": message}
