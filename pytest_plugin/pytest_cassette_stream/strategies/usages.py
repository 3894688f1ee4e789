"""What was billed for an answer, told as each dialect tells it.

Counts add up: what was cached is part of the prompt, what was thought part of the completion.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from hypothesis import strategies as st

from cassette_stream import CompletionTokensDetails, PromptTokensDetails, Usage
from pytest_cassette_stream.strategies.carried import CARRIED

__all__ = ("usages",)


@dataclass(frozen=True)
class _Counts:
    fresh: int
    cached: int
    written: int
    spoken: int
    thought: int
    prompt_details: bool
    completion_details: bool

    def usage(
        self, prompt: PromptTokensDetails | None, completion: CompletionTokensDetails | None
    ) -> Usage:
        asked, answered = self.fresh + self.cached + self.written, self.spoken + self.thought
        return Usage(
            prompt_tokens=asked,
            completion_tokens=answered,
            total_tokens=asked + answered,
            prompt_tokens_details=prompt,
            completion_tokens_details=completion,
        )


def usages(dialect: str | None) -> st.SearchStrategy[Usage | None]:
    """None where the provider told none; Anthropic and Bedrock always do."""
    tokens = st.integers(0, 500)
    told = st.builds(_Counts, *[tokens] * 5, st.booleans(), st.booleans())
    usage = told.map(_TELLERS.get(dialect or "", _as_openai))
    always = dialect is not None and CARRIED[dialect].usage_always
    return usage if always else st.none() | usage


def _as_openai(counts: _Counts) -> Usage:
    prompt = PromptTokensDetails(cached_tokens=counts.cached, cache_write_tokens=counts.written)
    completion = CompletionTokensDetails(reasoning_tokens=counts.thought)
    return counts.usage(
        prompt if counts.prompt_details else None,
        completion if counts.completion_details else None,
    )


def _as_anthropic(counts: _Counts) -> Usage:
    prompt = PromptTokensDetails(cached_tokens=counts.cached, cache_write_tokens=counts.written)
    completion = CompletionTokensDetails(reasoning_tokens=counts.thought)
    usage = counts.usage(prompt, completion if counts.completion_details else None)
    usage.cache_read_input_tokens = counts.cached
    usage.cache_creation_input_tokens = counts.written
    return usage


def _as_gemini(counts: _Counts) -> Usage:
    """Nothing cached and nothing thought is not said there."""
    usage = counts.usage(
        PromptTokensDetails(cached_tokens=counts.cached or None),
        CompletionTokensDetails(reasoning_tokens=counts.thought) if counts.thought else None,
    )
    assert usage.prompt_tokens_details is not None
    usage.prompt_tokens_details.text_tokens = usage.prompt_tokens
    return usage


def _as_converse(counts: _Counts) -> Usage:
    """What was thought is not told apart there."""
    usage = _as_anthropic(replace(counts, completion_details=False))
    usage.total_tokens = usage.prompt_tokens + usage.completion_tokens
    return usage


def _as_cohere(counts: _Counts) -> Usage:
    """What was billed is told beside what was counted; nothing there is written to a cache."""
    usage = counts.usage(
        PromptTokensDetails(cached_tokens=counts.cached) if counts.prompt_details else None,
        CompletionTokensDetails(reasoning_tokens=counts.thought)
        if counts.completion_details
        else None,
    )
    billed = {"input_tokens": counts.fresh, "output_tokens": usage.completion_tokens}
    usage.extras = {"billed_units": billed}
    return usage


def _as_ollama(counts: _Counts) -> Usage:
    """How long it took is told as well, in nanoseconds."""
    usage = counts.usage(None, None)
    read, written = usage.prompt_tokens * 1_000_003, usage.completion_tokens * 20_000_007
    usage.extras = {
        "total_duration": 50_000_001 + read + written,
        "load_duration": 50_000_001,
        "prompt_eval_duration": read,
        "eval_duration": written,
    }
    return usage


_TELLERS: Mapping[str, Callable[[_Counts], Usage]] = {
    "anthropic": _as_anthropic,
    "bedrock_converse": _as_converse,
    "bedrock_invoke": _as_anthropic,
    "cohere": _as_cohere,
    "gemini": _as_gemini,
    "ollama": _as_ollama,
}
