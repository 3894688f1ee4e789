"""Anthropic's events in Bedrock's chunks: the body of a stream in, chunks out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from cassette_stream.chunks import ModelResponseStream
from cassette_stream.dialects import anthropic
from cassette_stream.dialects.aws_frames import FIRST_BYTES, refusal
from cassette_stream.dialects.bedrock_invoke.chunks import CHUNK, ChunkFrames
from cassette_stream.dialects.decoding import Chunks
from cassette_stream.exceptions import MalformedStreamError
from cassette_stream.wire import ServerSentEvent

__all__ = ("Decoder",)

_METRICS: Final = "amazon-bedrock-invocationMetrics"


class Decoder(anthropic.Decoder):
    """Anthropic's decoder of one stream, for another framing.

    What Bedrock measured goes along in ``provider_specific_fields`` of a chunk, under its own
    name. Models of others have events of their own, which are refused.

    Args:
        strict: As Anthropic's.
    """

    __slots__ = ()

    def __init__(self, *, strict: bool = True) -> None:
        super().__init__(strict=strict, events=ChunkFrames())

    @staticmethod
    def is_stream(start: bytes) -> bool:
        return start[:1] in FIRST_BYTES

    def _quick(self, event: ServerSentEvent) -> ModelResponseStream | None:
        return None if refusal(event) else super()._quick(event)

    def _read(self, event: ServerSentEvent) -> Chunks:
        if error := refusal(event):
            raise error
        return super()._read(event)

    def _take(self, value: Mapping[str, Any], kind: str) -> Chunks:
        if kind == CHUNK:
            raise MalformedStreamError(
                f"a chunk that is no event of Anthropic's, with {', '.join(map(repr, value))}: "
                "ask for other models by Converse",
                body=value,
            )
        yield from super()._take(value, kind)
        if metrics := value.get(_METRICS):
            yield ModelResponseStream(provider_specific_fields={_METRICS: metrics})
