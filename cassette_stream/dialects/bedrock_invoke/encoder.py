"""Anthropic's events in Bedrock's chunks: what the service sends for a completion."""

from __future__ import annotations

from collections.abc import Iterator

from cassette_stream.chunks import ModelResponse
from cassette_stream.dialects import anthropic
from cassette_stream.dialects.anthropic import encode_body
from cassette_stream.dialects.bedrock_converse import encode_error, encode_error_body
from cassette_stream.dialects.bedrock_invoke.chunks import chunk_frame
from cassette_stream.dialects.encoding import Pieces, words
from cassette_stream.wire import SSEDecoder

__all__ = ("encode", "encode_body", "encode_error", "encode_error_body")


def encode(completion: ModelResponse, *, pieces: Pieces = words) -> Iterator[bytes]:
    """The frames that stream *completion*, one per item, cut into deltas by *pieces*.

    Raises:
        ValueError: As Anthropic's `encode`.
    """
    return _framed(anthropic.encode(completion, pieces=pieces))


def _framed(events: Iterator[bytes]) -> Iterator[bytes]:
    decoder = SSEDecoder()
    for event in events:
        for found in decoder.feed(event):
            if found.event != "ping":  # Bedrock sends none
                yield chunk_frame(found.data)
