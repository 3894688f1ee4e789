"""What of a completion the stream of each dialect carries, and in which words.

A completion that is `carried` comes back whole: a correct decoder and accumulator make of its
stream what `expected` says, and nothing is lost or made up on the way.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from pytest_cassette_stream.strategies.json_arguments import respelt

__all__ = ("ANYTHING", "CARRIED", "Carried")

_SAME = {word: word for word in ("stop", "length", "content_filter", "tool_calls")}
_OF_ANTHROPIC = {
    "stop": "end_turn",
    "length": "max_tokens",
    "content_filter": "refusal",
    "tool_calls": "tool_use",
}


@dataclass(frozen=True, kw_only=True)
class Carried:
    """What there is a place for.

    *blocks* are signed thinking blocks, *spelling* is what arguments come to; *finishes* are the
    provider's words for the finish reasons. A stream that names no model has the one model "",
    and *interleaved* says whether choices and calls may take turns in it. *beside* is what it
    always tells as the provider's own.
    """

    id_prefix: str
    models: tuple[str, ...]
    several_choices: bool = False
    refusal: bool = False
    blocks: bool = False
    unsigned_reasoning: bool = True
    spelling: Callable[[str], str] = str
    created: bool = False
    service_tier: bool = False
    fingerprint: bool = False
    empty_content: bool = False
    has_id: bool = True
    usage_always: bool = False
    interleaved: bool = True
    beside: Mapping[str, Any] | None = None
    finishes: Mapping[str, str] = field(default_factory=lambda: _SAME)


_ANTHROPIC = Carried(
    id_prefix="msg_",
    models=("claude-sonnet-4-5", "claude-opus-4-1"),
    blocks=True,
    unsigned_reasoning=False,
    # The provider sends no blank before the arguments, and its SDK cannot read one.
    spelling=str.lstrip,
    usage_always=True,
    interleaved=False,
    finishes=_OF_ANTHROPIC,
)

CARRIED: Mapping[str, Carried] = {
    "openai_chat": Carried(
        id_prefix="chatcmpl-",
        models=("gpt-4o", "deepseek-chat"),
        several_choices=True,
        refusal=True,
        created=True,
        service_tier=True,
        fingerprint=True,
        empty_content=True,
    ),
    "openai_responses": Carried(
        id_prefix="resp_",
        models=("gpt-5", "o3"),
        refusal=True,
        created=True,
        service_tier=True,
        finishes={
            "stop": "stop",
            "length": "max_output_tokens",
            "content_filter": "content_filter",
            "tool_calls": "tool_calls",
        },
    ),
    "anthropic": _ANTHROPIC,
    "bedrock_invoke": replace(
        _ANTHROPIC,
        id_prefix="msg_bdrk_",
        models=("claude-sonnet-4-5-20250929", "claude-opus-4-1-20250805"),
    ),
    "bedrock_converse": Carried(
        id_prefix="",
        models=("",),
        blocks=True,
        unsigned_reasoning=False,
        has_id=False,
        usage_always=True,
        interleaved=False,
        beside={"metrics": {"latencyMs": 0}},
        finishes={
            "stop": "end_turn",
            "length": "max_tokens",
            "content_filter": "content_filtered",
            "tool_calls": "tool_use",
        },
    ),
    "cohere": Carried(
        id_prefix="",
        models=("",),
        finishes={
            "stop": "COMPLETE",
            "length": "MAX_TOKENS",
            "content_filter": "ERROR_TOXIC",
            "tool_calls": "TOOL_CALL",
        },
    ),
    "ollama": Carried(
        id_prefix="",
        models=("llama3.2", "qwen3:8b"),
        created=True,
        has_id=False,
        interleaved=False,
        # They go as values there.
        spelling=respelt,
        finishes=_SAME | {"tool_calls": "stop"},
    ),
    "gemini": Carried(
        id_prefix="",
        models=("gemini-2.5-flash", "gemini-2.5-pro"),
        several_choices=True,
        spelling=respelt,
        finishes={
            "stop": "STOP",
            "length": "MAX_TOKENS",
            "content_filter": "SAFETY",
            "tool_calls": "STOP",
        },
    ),
}

ANYTHING = Carried(
    id_prefix="chatcmpl-",
    models=tuple(model for it in CARRIED.values() for model in it.models if model),
    several_choices=True,
    refusal=True,
    blocks=True,
    created=True,
    service_tier=True,
    fingerprint=True,
)
"""What a completion has at all; an encoder leaves out what its dialect has no place for."""
