"""The tokens that were billed, in one shape for every provider."""

from __future__ import annotations

from cassette_stream.chunks.base import ResponseObject
from cassette_stream.chunks.parts import Json

__all__ = ("CompletionTokensDetails", "PromptTokensDetails", "Usage")


class PromptTokensDetails(ResponseObject):
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None
    audio_tokens: int | None = None
    text_tokens: int | None = None
    image_tokens: int | None = None
    video_tokens: int | None = None
    tool_use_tokens: int | None = None
    cache_creation_token_details: Json | None = None

    @property
    def cache_creation_tokens(self) -> int | None:
        """LiteLLM's other name for *cache_write_tokens*."""
        return self.cache_write_tokens


class CompletionTokensDetails(ResponseObject):
    reasoning_tokens: int | None = None
    audio_tokens: int | None = None
    text_tokens: int | None = None
    image_tokens: int | None = None
    accepted_prediction_tokens: int | None = None
    rejected_prediction_tokens: int | None = None


class Usage(ResponseObject):
    """Tokens that were billed: a prompt includes what was cached, a completion what was thought.

    Nothing here is ever estimated; *cost* is what the provider reports.
    """

    prompt_tokens: int = 0
    completion_tokens: int = 0
    total_tokens: int = 0
    prompt_tokens_details: PromptTokensDetails | None = None
    completion_tokens_details: CompletionTokensDetails | None = None
    cache_read_input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    cost: float | None = None
    server_tool_use: Json | None = None
