"""The tokens that were billed, in one shape for every provider."""

from __future__ import annotations

from msgspec.structs import replace

from cassette_stream.chunks.base import ResponseObject, public_fields
from cassette_stream.chunks.parts import Json

__all__ = ("CompletionTokensDetails", "PromptTokensDetails", "Usage", "later_usage")


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


def later_usage(known: Usage | None, report: Usage) -> Usage:
    """What is known after *report*: its counts, and the known ones where it has none.

    The total is the sum where the provider gives none. Neither argument is changed.
    """
    later = replace(report)
    if known is not None:
        for name in _FIELDS:
            if not getattr(later, name):
                setattr(later, name, getattr(known, name))
        later.extras = {**(known.extras or {}), **(report.extras or {})} or None
    if not report.total_tokens:
        later.total_tokens = later.prompt_tokens + later.completion_tokens
    return later


_FIELDS = public_fields(Usage)
