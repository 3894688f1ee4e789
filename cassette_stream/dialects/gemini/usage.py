"""What Gemini bills, in the shape of `Usage`.

Its counts overlap: thoughts stand beside the answer or within it, and the prompts of its own
tools are part of the total or not. The total tells which.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from cassette_stream.chunks import CompletionTokensDetails, PromptTokensDetails, Usage
from cassette_stream.dialects.decoding import field

__all__ = ("usage_of",)

_PROMPT: Final = "promptTokenCount"
_ANSWER: Final = "candidatesTokenCount"
_THOUGHTS: Final = "thoughtsTokenCount"
_CACHED: Final = "cachedContentTokenCount"
_TOOLS: Final = "toolUsePromptTokenCount"
_TOTAL: Final = "totalTokenCount"
_BY_KIND: Final = ("promptTokensDetails", "candidatesTokensDetails")
_UNDERSTOOD: Final = frozenset({_PROMPT, _ANSWER, _THOUGHTS, _CACHED, _TOOLS, _TOTAL, *_BY_KIND})
_MODALITIES: Final[Mapping[object, str]] = {
    "TEXT": "text_tokens",
    "AUDIO": "audio_tokens",
    "IMAGE": "image_tokens",
    "VIDEO": "video_tokens",
}


def usage_of(counts: Mapping[str, Any]) -> Usage:
    """The usage that *counts*, a ``usageMetadata``, come to; what else is in them is kept.

    Raises:
        MalformedStreamError: A count is no number.
    """
    prompt, answer = field(counts, _PROMPT, int) or 0, field(counts, _ANSWER, int) or 0
    thoughts, tools = field(counts, _THOUGHTS, int), field(counts, _TOOLS, int)
    total = field(counts, _TOTAL, int)
    within = total is not None and total == prompt + answer + (tools or 0)
    completion = answer if within else answer + (thoughts or 0)
    if total is None or prompt + completion + (tools or 0) <= total:
        prompt += tools or 0
    return Usage(
        prompt_tokens=prompt,
        completion_tokens=completion,
        total_tokens=prompt + completion if total is None else total,
        prompt_tokens_details=_prompt_details(counts, tools),
        completion_tokens_details=_completion_details(counts, thoughts),
        extras={name: it for name, it in counts.items() if name not in _UNDERSTOOD} or None,
    )


def _prompt_details(counts: Mapping[str, Any], tools: int | None) -> PromptTokensDetails | None:
    cached = field(counts, _CACHED, int)
    kinds = _by_kind(counts, "promptTokensDetails")
    if cached is None and tools is None and not kinds:
        return None
    return PromptTokensDetails(cached_tokens=cached, tool_use_tokens=tools, **kinds)


def _completion_details(
    counts: Mapping[str, Any], thoughts: int | None
) -> CompletionTokensDetails | None:
    kinds = _by_kind(counts, "candidatesTokensDetails")
    kinds.pop("video_tokens", None)  # there is no such answer
    if thoughts is None and not kinds:
        return None
    return CompletionTokensDetails(reasoning_tokens=thoughts, **kinds)


def _by_kind(counts: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The counts of the modalities that *name* lists, by the names that we have for them."""
    kinds: dict[str, Any] = {}
    for item in field(counts, name, list) or ():
        kind = item.get("modality") if isinstance(item, Mapping) else None
        if isinstance(kind, str) and (known := _MODALITIES.get(kind)):  # some send numbers
            kinds[known] = field(item, "tokenCount", int)
    return kinds
