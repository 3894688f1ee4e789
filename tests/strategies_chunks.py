"""Streams of raw chunks, together with the completion that they stream."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from hypothesis import strategies as st
from pytest_cassette_stream.strategies import chunk_streams

from cassette_stream.chunks import ModelResponse, ModelResponseStream, NormalForm, read_chunk


def streams() -> st.SearchStrategy[tuple[ModelResponse, list[dict[str, Any]]]]:
    """A completion, and the chunks of its stream as their JSON values."""
    return chunk_streams(dialect="openai_chat").map(lambda it: (it.completion, it.chunks))


def normal(chunks: Iterable[Any], **options: Any) -> list[ModelResponseStream]:
    """The normal chunks of a whole stream of dicts or raw chunks."""
    form = NormalForm(**options)
    return [*form.feed(map(read_chunk, chunks)), *form.end()]


def told(response: ModelResponse) -> list[tuple[Any, ...]]:
    """What a response says, choice by choice; an empty text and none are the same here."""
    return [
        (
            choice.index,
            choice.message.content or "",
            choice.message.reasoning_content or "",
            choice.message.refusal or "",
            calls_of(choice.message.tool_calls),
            choice.finish_reason,
        )
        for choice in response.choices
    ]


def calls_of(calls: Iterable[Any] | None) -> list[tuple[str, str | None, str]]:
    return [(call.id, call.function.name, call.function.arguments) for call in calls or ()]


def concatenated(chunks: Iterable[ModelResponseStream]) -> list[tuple[Any, ...]]:
    """What a caller gets who adds up the deltas of normal chunks by hand, in the form of `told`."""
    sums: dict[int, dict[str, Any]] = {}
    for chunk in chunks:
        for choice in chunk.choices:
            if chunk.usage is not None:
                continue
            kept = sums.setdefault(
                choice.index, {"content": "", "reasoning_content": "", "refusal": "", "calls": {}}
            )
            kept["finish"] = choice.finish_reason
            for name in ("content", "reasoning_content", "refusal"):
                kept[name] += choice.delta[name] or ""
            for delta in choice.delta.tool_calls or ():
                call = kept["calls"].setdefault(delta.index, ["", "", ""])
                call[0] += delta.id or ""
                call[1] += delta.function.name or ""
                call[2] += delta.function.arguments
    return [
        (
            index,
            kept["content"],
            kept["reasoning_content"],
            kept["refusal"],
            [tuple(call) for call in kept["calls"].values()],
            kept["finish"],
        )
        for index, kept in sorted(sums.items())
    ]
