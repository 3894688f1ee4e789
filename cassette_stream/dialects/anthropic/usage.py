"""What Anthropic bills, in the shape of `Usage`: its input leaves out what was cached."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from cassette_stream.chunks import CompletionTokensDetails, PromptTokensDetails, Usage
from cassette_stream.dialects.decoding import field

__all__ = ("usage_of",)

_READ: Final = "cache_read_input_tokens"
_WRITTEN: Final = "cache_creation_input_tokens"
_UNDERSTOOD: Final = frozenset(
    {
        _READ,
        _WRITTEN,
        "cache_creation",
        "input_tokens",
        "output_tokens",
        "output_tokens_details",
        "server_tool_use",
    }
)


def usage_of(counts: Mapping[str, Any]) -> Usage:
    """The usage that all *counts* of a message come to; what else is in them is kept.

    Raises:
        MalformedStreamError: A count is no number.
    """
    read, written = field(counts, _READ, int), field(counts, _WRITTEN, int)
    prompt = (field(counts, "input_tokens", int) or 0) + (read or 0) + (written or 0)
    completion = field(counts, "output_tokens", int) or 0
    thinking = field(field(counts, "output_tokens_details", dict) or {}, "thinking_tokens", int)
    return Usage(
        prompt_tokens=prompt,
        completion_tokens=completion,
        total_tokens=prompt + completion,
        prompt_tokens_details=_cached(counts, read, written),
        completion_tokens_details=None
        if thinking is None
        else CompletionTokensDetails(reasoning_tokens=thinking),
        cache_read_input_tokens=read,
        cache_creation_input_tokens=written,
        server_tool_use=field(counts, "server_tool_use", dict),
        extras={name: it for name, it in counts.items() if name not in _UNDERSTOOD} or None,
    )


def _cached(
    counts: Mapping[str, Any], read: int | None, written: int | None
) -> PromptTokensDetails | None:
    if read is None and written is None:
        return None
    return PromptTokensDetails(
        cached_tokens=read,
        cache_write_tokens=written,
        cache_creation_token_details=field(counts, "cache_creation", dict),
    )
