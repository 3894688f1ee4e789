"""What a recorded stream says, by the decoder of the dialect that its address names.

The decoders are strict, so a stream that a client should not take for a whole answer
says here why: what came of it by then, and the error.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from types import ModuleType
from urllib.parse import urlsplit

from cassette_stream.cassette.model import Interaction
from cassette_stream.chunks import (
    ChatCompletionMessageToolCall,
    Choices,
    NormalForm,
    ResponseAccumulator,
    Usage,
)
from cassette_stream.dialects import (
    anthropic,
    bedrock_converse,
    bedrock_invoke,
    cohere,
    gemini,
    ollama,
    openai_chat,
    openai_responses,
)
from cassette_stream.exceptions import APIError

__all__ = ("AnswerFigures", "ChoiceFigures", "ToolCallFigures", "UsageFigures", "answer_figures")

_DIALECTS = (
    (re.compile(r"/chat/completions$"), openai_chat),
    (re.compile(r"/responses$"), openai_responses),
    (re.compile(r"/messages$"), anthropic),
    (re.compile(r"/v2/chat$"), cohere),
    (re.compile(r"/api/chat$"), ollama),
    (re.compile(r"/converse-stream$"), bedrock_converse),
    (re.compile(r"/invoke-with-response-stream$"), bedrock_invoke),
    (re.compile(r":streamGenerateContent$"), gemini),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCallFigures:
    """*arguments* is the text that the model wrote: JSON, or any text for a custom tool."""

    name: str
    arguments: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChoiceFigures:
    """One answer. What the model did not say is None."""

    text: str | None
    reasoning: str | None
    refusal: str | None
    tool_calls: tuple[ToolCallFigures, ...]
    finish_reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageFigures:
    prompt_tokens: int
    completion_tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerFigures:
    """*error* is what a strict client raises behind what came, and None for a whole answer."""

    choices: tuple[ChoiceFigures, ...]
    usage: UsageFigures | None
    error: str | None


def answer_figures(interaction: Interaction) -> AnswerFigures | None:
    """The answer in the event stream of *interaction*; None where no dialect is known."""
    response, dialect = interaction.response, _dialect_of(interaction.request.url)
    if response is None or response.status != 200 or dialect is None:
        return None
    decoder, form, answer = dialect.Decoder(), NormalForm(), ResponseAccumulator()
    error = None
    try:
        raw = chain(decoder.feed(response.body), decoder.finish())
        for chunk in chain(form.feed(raw), form.end()):
            answer.add(chunk)
    except APIError as raised:
        error = f"{type(raised).__name__}: {raised.message}"
    whole = answer.response()
    return AnswerFigures(
        choices=tuple(_choices(whole.choices)) if whole else (),
        usage=_usage(form.usage),
        error=error,
    )


def _dialect_of(url: str) -> ModuleType | None:
    path = urlsplit(url).path
    return next((dialect for pattern, dialect in _DIALECTS if pattern.search(path)), None)


def _choices(choices: list[Choices]) -> Iterator[ChoiceFigures]:
    for choice in choices:
        message = choice.message
        yield ChoiceFigures(
            text=message.content,
            reasoning=message.reasoning_content,
            refusal=message.refusal,
            tool_calls=tuple(map(_call, message.tool_calls or ())),
            finish_reason=choice.finish_reason,
        )


def _call(call: ChatCompletionMessageToolCall) -> ToolCallFigures:
    if call.custom is not None:
        return ToolCallFigures(name=call.custom.name or "", arguments=call.custom.input)
    return ToolCallFigures(name=call.function.name or "", arguments=call.function.arguments)


def _usage(usage: Usage | None) -> UsageFigures | None:
    if usage is None:
        return None
    return UsageFigures(
        prompt_tokens=usage.prompt_tokens, completion_tokens=usage.completion_tokens
    )
