"""What providers of this format say otherwise, put as the format has it.

Only what differs in place or type is moved; what is merely unknown stays where it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import Any

from cassette_stream.chunks import Delta, PromptTokensDetails, Usage

__all__ = ("RESPONSE_WIDE", "mended", "settle_calls", "settle_usage")

# Azure: what its filter thought of the prompt belongs to the response, not to a choice.
RESPONSE_WIDE = ("prompt_filter_results", "prompt_annotations")


def mended(value: Mapping[str, Any]) -> dict[str, Any]:
    """*value*, an event, as the format has it; types that cannot be told stay as they are."""
    chunk = dict(value)
    chunk["created"] = _seconds(chunk.get("created"))
    groq = chunk.get("x_groq")
    if chunk.get("usage") is None and isinstance(groq, Mapping):
        chunk["usage"] = groq.get("usage")
    usage = chunk.get("usage")
    if isinstance(usage, Mapping) and isinstance(usage.get("cost"), Mapping):  # Perplexity
        cost = usage["cost"]
        chunk["usage"] = {"cost_details": cost, **usage, "cost": cost.get("total_cost")}
    wide = {name: chunk.pop(name) for name in RESPONSE_WIDE if chunk.get(name) is not None}
    if wide:
        chunk["provider_specific_fields"] = (chunk.get("provider_specific_fields") or {}) | wide
    if isinstance(chunk.get("choices"), list):
        chunk["choices"] = [part for choice in chunk["choices"] for part in _parts(choice)]
    return chunk


def _seconds(created: object) -> object:
    if isinstance(created, str):
        try:
            created = float(created)
        except ValueError:
            return created
    return int(created) if isinstance(created, float) and created < 1e18 else created


def _parts(choice: object) -> list[object]:
    """*choice*, or where its content is a list of parts, one for each run of a kind of them."""
    delta = choice.get("delta") if isinstance(choice, Mapping) else None
    if not isinstance(delta, Mapping) or not isinstance(delta.get("content"), list):
        return [choice]
    runs = [
        _run(kind, [text for _, text in run])
        for kind, run in groupby(map(_part, delta["content"]), key=lambda part: part[0])
    ]
    assert isinstance(choice, Mapping)
    rest = {key: item for key, item in delta.items() if key not in {"role", "content"}}
    first, last = {"role": delta.get("role")}, {**choice, "delta": rest}
    index = choice.get("index")
    texts: list[object] = [{"index": index, "delta": first | run} for run in runs]
    return [*texts, last] if rest or not texts or choice.get("finish_reason") else texts


def _part(part: object) -> tuple[str, object]:
    if isinstance(part, str):
        return "content", part
    if isinstance(part, Mapping):
        if isinstance(part.get("text"), str):
            return "content", part["text"]
        if part.get("type") == "thinking":
            return "reasoning_content", "".join(_thoughts(part.get("thinking")))
    return "content_parts", part


def _thoughts(thinking: object) -> Iterator[str]:
    for part in thinking if isinstance(thinking, list) else [thinking]:
        text = part.get("text") if isinstance(part, Mapping) else part
        if isinstance(text, str):
            yield text


def _run(kind: str, items: list[Any]) -> dict[str, object]:
    if kind == "content_parts":
        return {"provider_specific_fields": {kind: items}}
    return {kind: "".join(items)}


def settle_calls(delta: Delta) -> None:
    """Put the tool calls of *delta* right, in place: no list for none, a type, no "null" id."""
    for call in delta.tool_calls or ():
        call.type = call.type or "function"
        if call.id == "null":  # Mistral
            call.id = None
    delta.tool_calls = delta.tool_calls or None


def settle_usage(usage: Usage) -> None:
    """Put *usage* right, in place: a total that is missing, DeepSeek's cached tokens."""
    if not usage.total_tokens:
        usage.total_tokens = usage.prompt_tokens + usage.completion_tokens
    cached = (usage.extras or {}).get("prompt_cache_hit_tokens")
    if isinstance(cached, int):
        details = usage.prompt_tokens_details or PromptTokensDetails()
        if details.cached_tokens is None:
            details.cached_tokens = cached
        usage.prompt_tokens_details = details
