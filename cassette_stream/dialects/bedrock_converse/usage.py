"""What Bedrock bills, in the shape of `Usage`: its input leaves out what was cached."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from cassette_stream.chunks import PromptTokensDetails, Usage
from cassette_stream.dialects.decoding import field

__all__ = ("usage_of",)

_READ: Final = "cacheReadInputTokens"
_WRITTEN: Final = "cacheWriteInputTokens"
_UNDERSTOOD: Final = frozenset(
    {_READ, _WRITTEN, "inputTokens", "outputTokens", "serverToolUsage", "totalTokens"}
)


def usage_of(counts: Mapping[str, Any]) -> Usage:
    """The usage that *counts* come to; what else is in them is kept.

    Raises:
        MalformedStreamError: A count is no number.
    """
    read, written = field(counts, _READ, int), field(counts, _WRITTEN, int)
    prompt = (field(counts, "inputTokens", int) or 0) + (read or 0) + (written or 0)
    completion = field(counts, "outputTokens", int) or 0
    total = field(counts, "totalTokens", int)
    cached = PromptTokensDetails(cached_tokens=read, cache_write_tokens=written)
    return Usage(
        prompt_tokens=prompt,
        completion_tokens=completion,
        total_tokens=prompt + completion if total is None else total,
        prompt_tokens_details=None if read is None and written is None else cached,
        cache_read_input_tokens=read,
        cache_creation_input_tokens=written,
        server_tool_use=field(counts, "serverToolUsage", dict) or None,
        extras={name: it for name, it in counts.items() if name not in _UNDERSTOOD} or None,
    )
