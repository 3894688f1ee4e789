"""Whole answers of a model, with everything in them that a stream may carry.

Restricted to a dialect, an answer is one that survives it: what the provider sends for it
says all of it and nothing else.
"""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from msgspec.structs import replace

from cassette_stream import ChatCompletionMessageToolCall, Choices, ModelResponse, Usage
from pytest_cassette_stream.strategies.answers import Answers
from pytest_cassette_stream.strategies.carried import ANYTHING, CARRIED, Carried
from pytest_cassette_stream.strategies.made import made
from pytest_cassette_stream.strategies.options import flag, one_of, strategy, whole_number
from pytest_cassette_stream.strategies.texts import texts as all_texts
from pytest_cassette_stream.strategies.tool_calls import idents, tool_calls
from pytest_cassette_stream.strategies.usages import usages

__all__ = ("completions",)


def completions(
    *,
    dialect: str | None = None,
    max_choices: int = 1,
    min_calls: int = 0,
    max_calls: int = 3,
    calls: st.SearchStrategy[ChatCompletionMessageToolCall] | None = None,
    texts: st.SearchStrategy[str] | None = None,
    reasoning: bool = True,
) -> st.SearchStrategy[ModelResponse]:
    """Finished answers, as `cassette_stream.ModelResponse`.

    With text, reasoning, refusals, tool calls and usage, in every combination. Shrinks to an
    empty answer that stopped.

    Args:
        dialect: "openai_chat", "openai_responses", "anthropic", "gemini", "cohere", "ollama",
            "bedrock_converse" or "bedrock_invoke": only what that one carries, in the form in
            which it comes back. None: whatever a completion may hold; encoders leave out what
            they have no place for.
        max_choices: The most choices; "openai_chat" and "gemini" alone have several.
        min_calls: The fewest tool calls of each choice.
        max_calls: The most.
        calls: The tool calls; by default `tool_calls`. An id that is there already is left out.
        texts: Contents, refusals and thoughts; by default of any kind.
        reasoning: Whether there may be any.

    Raises:
        TypeError: An option is of another type.
        ValueError: An option has no such value, or the dialect has no place for it.
    """
    carried = ANYTHING if dialect is None else CARRIED[one_of("dialect", dialect, CARRIED)]
    if whole_number("max_choices", max_choices, low=1) > 1 and not carried.several_choices:
        raise ValueError(f"{dialect} sends one choice, so max_choices is 1, not {max_choices}")
    whole_number("min_calls", min_calls, low=0)
    whole_number("max_calls", max_calls, low=min_calls)
    answers = Answers(
        carried=carried,
        exact=dialect is not None,
        calls=st.lists(
            tool_calls() if calls is None else strategy("calls", calls),
            min_size=min_calls,
            max_size=max_calls,
            unique_by=_id,
        ),
        texts=all_texts() if texts is None else strategy("texts", texts),
        reasoning=flag("reasoning", reasoning),
    )
    choices = st.lists(answers.choices(), min_size=1, max_size=max_choices).map(_numbered)
    return made(
        _completion,
        st.sampled_from(_heads(carried)),
        idents(carried.id_prefix) if carried.has_id else st.just(""),
        choices,
        usages(dialect),
    )


# One draw, whatever the dialect: the simplest stream of any is that of the first.
def _heads(carried: Carried) -> list[dict[str, Any]]:
    return [
        {
            "model": model,
            "created": created,
            "service_tier": tier,
            "system_fingerprint": fingerprint,
            "provider_specific_fields": carried.beside,
        }
        for model in carried.models
        for created in ((0, 1_700_000_000) if carried.created else (0,))
        for tier in ((None, "default") if carried.service_tier else (None,))
        for fingerprint in ((None, "fp_1") if carried.fingerprint else (None,))
    ]


def _completion(
    head: dict[str, Any], id_: str, choices: list[Choices], usage: Usage | None
) -> ModelResponse:
    return ModelResponse(id=id_, choices=choices, usage=usage, **head)


def _id(call: ChatCompletionMessageToolCall) -> str:
    return call.id


def _numbered(choices: list[Choices]) -> list[Choices]:
    return [replace(choice, index=index) for index, choice in enumerate(choices)]
