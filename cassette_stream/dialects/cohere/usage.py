"""What Cohere counts and what it bills, in the shape of `Usage`, and back.

The tokens that went through the model are the usage; where only what was billed is told, that
is. A count may be written with a point, since the API says no more than "number".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from cassette_stream.chunks import CompletionTokensDetails, PromptTokensDetails, Usage
from cassette_stream.dialects.decoding import field

__all__ = ("told", "usage_of")

_UNDERSTOOD: Final = frozenset({"cached_tokens", "tokens"})


def usage_of(counts: Mapping[str, Any]) -> Usage:
    """The usage that *counts* are; what was billed and whatever else is in them is kept.

    Raises:
        MalformedStreamError: A count is no number, or a fraction.
    """
    billed = field(counts, "billed_units", dict) or {}
    tokens = field(counts, "tokens", dict) or billed
    prompt, completion = _count(tokens, "input_tokens") or 0, _count(tokens, "output_tokens") or 0
    cached, images = _count(counts, "cached_tokens"), _count(tokens, "image_tokens")
    thought = _count(tokens, "reasoning_tokens")
    asked = PromptTokensDetails(cached_tokens=cached, image_tokens=images)
    return Usage(
        prompt_tokens=prompt,
        completion_tokens=completion,
        total_tokens=prompt + completion,
        prompt_tokens_details=None if (cached, images) == (None, None) else asked,
        completion_tokens_details=None
        if thought is None
        else CompletionTokensDetails(reasoning_tokens=thought),
        extras={name: it for name, it in counts.items() if name not in _UNDERSTOOD} or None,
    )


def _count(counts: Mapping[str, Any], name: str) -> int | None:
    count = counts.get(name)
    return (
        int(count) if isinstance(count, float) and count.is_integer() else field(counts, name, int)
    )


def told(usage: Usage) -> dict[str, object]:
    """*usage* as Cohere tells it; billed is what was counted, unless it is known."""
    counted: dict[str, object] = {
        "input_tokens": usage.prompt_tokens,
        "output_tokens": usage.completion_tokens,
    }
    asked, answered = usage.prompt_tokens_details, usage.completion_tokens_details
    details = {
        "image_tokens": asked and asked.image_tokens,
        "reasoning_tokens": answered and answered.reasoning_tokens,
    }
    tokens = counted | {name: count for name, count in details.items() if count is not None}
    value: dict[str, object] = {"billed_units": counted, "tokens": tokens, **(usage.extras or {})}
    if asked is not None and asked.cached_tokens is not None:
        value["cached_tokens"] = asked.cached_tokens
    return value
