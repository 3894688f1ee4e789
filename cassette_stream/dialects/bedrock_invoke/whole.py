"""A message of Anthropic's that came whole by Bedrock."""

from __future__ import annotations

from cassette_stream.chunks import ModelResponseStream
from cassette_stream.dialects import anthropic
from cassette_stream.dialects.decoding import json_object
from cassette_stream.dialects.error_body import complains
from cassette_stream.dialects.errors import stream_error
from cassette_stream.dialects.whole import whole_text

__all__ = ("whole_body",)


def whole_body(body: bytes, *, strict: bool = True) -> list[ModelResponseStream]:
    """The chunks for a response that is no stream, but one JSON text.

    Raises:
        APIError: As Anthropic's `whole_body`, or the service reports an error in its own shape.
    """
    said = json_object(whole_text(body))
    if "type" not in said and complains(said):
        raise stream_error(said)
    return anthropic.whole_body(body, strict=strict)
