"""Whole answers of a model, with everything in them that an encoder must carry."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

from cassette_stream.chunks import (
    ChatCompletionMessageToolCall,
    Choices,
    CompletionTokensDetails,
    Function,
    Message,
    ModelResponse,
    PromptTokensDetails,
    RedactedThinking,
    Thinking,
    Usage,
)

# What breaks naive writers and readers of event streams: every line end that is none in
# SSE, a byte order mark, NUL, quotes, a character outside the first plane, bare blanks.
TRICKY = (
    "Hello, wörld! 🌍 你好",
    "\u2028line\u2029sep\x85nel\x0bvt\x0cff\x1crs",
    "a\r\nb\rc\n\nd",
    "\ufeffbom",
    "nul\x00 \\ \" '",
    "data: [DONE]\n\n",
    "  ",
    "x" * 40,
)


def texts() -> st.SearchStrategy[str]:
    return st.text(max_size=30) | st.sampled_from(TRICKY)


def arguments() -> st.SearchStrategy[str]:
    """JSON text of an object, written as models write it: with and without blanks."""
    leaves = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | texts()
    values = st.recursive(
        leaves,
        lambda inner: (
            st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2)
        ),
        max_leaves=3,
    )
    objects = st.dictionaries(st.text(max_size=5), values, max_size=3)
    return st.builds(_written, objects, st.sampled_from([None, 2]), st.booleans())


def _written(value: Any, indent: int | None, ascii_only: bool) -> str:
    return json.dumps(value, indent=indent, ensure_ascii=ascii_only)


def thinking_blocks() -> st.SearchStrategy[list[Thinking | RedactedThinking]]:
    letters = st.text("abcXYZ+/=", min_size=1, max_size=12)
    signed = st.builds(Thinking, thinking=texts(), signature=letters)
    return st.lists(signed | st.builds(RedactedThinking, data=letters), min_size=1, max_size=2)


@st.composite
def messages(draw: st.DrawFn) -> Message:
    names = draw(st.lists(st.sampled_from(["get_weather", "now", "f-1"]), max_size=3))
    calls = [
        ChatCompletionMessageToolCall(
            id=f"call_{number}", function=Function(name=name, arguments=draw(arguments()))
        )
        for number, name in enumerate(names)
    ]
    return Message(
        content=draw(st.none() | texts()),
        reasoning_content=draw(st.none() | texts()),
        thinking_blocks=draw(st.none() | thinking_blocks()),
        tool_calls=calls or None,
        refusal=draw(st.none() | st.none() | texts()),
    )


@st.composite
def usages(draw: st.DrawFn) -> Usage:
    counts = st.integers(0, 500)
    cached, written, fresh, thought, spoken = (draw(counts) for _ in range(5))
    details = draw(st.booleans())
    prompt, completion = cached + written + fresh, thought + spoken
    return Usage(
        prompt_tokens=prompt,
        completion_tokens=completion,
        total_tokens=prompt + completion,
        prompt_tokens_details=PromptTokensDetails(cached_tokens=cached, cache_write_tokens=written)
        if details
        else None,
        completion_tokens_details=CompletionTokensDetails(reasoning_tokens=thought)
        if details
        else None,
    )


@st.composite
def completions(draw: st.DrawFn, *, max_choices: int = 1) -> ModelResponse:
    """Answers with one to *max_choices* choices, all of them finished."""
    reasons = st.sampled_from(["stop", "length", "content_filter"])
    choices = [
        Choices(
            index=index,
            message=message,
            finish_reason="tool_calls" if message.tool_calls else draw(reasons),
        )
        for index, message in enumerate(
            draw(st.lists(messages(), min_size=1, max_size=max_choices))
        )
    ]
    return ModelResponse(
        id=draw(st.sampled_from(["chatcmpl-1", "msg_01"])),
        created=draw(st.integers(0, 2**31)),
        model=draw(st.sampled_from(["gpt-4o", "claude-sonnet-4-5", "gemini-2.5-flash"])),
        choices=choices,
        usage=draw(st.none() | usages()),
        system_fingerprint=draw(st.none() | st.just("fp_1")),
        service_tier=draw(st.none() | st.just("default")),
    )


def cuts() -> st.SearchStrategy[Any]:
    """Every kind of *pieces* that an encoder takes."""
    from cassette_stream.dialects.encoding import words

    sizes = st.lists(st.integers(1, 7), min_size=1, max_size=4)
    return sizes | st.sampled_from([words, list, lambda text: [text], lambda text: ["", text, ""]])
