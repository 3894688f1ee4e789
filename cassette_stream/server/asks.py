"""Requests to OpenAI and Anthropic, read as what the embedded model needs to know.

A request is read by its types, and only the fields that matter to an answer. What does
not fit is a `msgspec.MsgspecError` that names the place.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Annotated, TypeAlias

import msgspec

from cassette_stream.server.embedded import Ask, Tool

__all__ = (
    "Asked",
    "Choices",
    "FunctionTool",
    "Json",
    "Limit",
    "Message",
    "Thinking",
    "count_words",
    "last_of_user",
    "read_anthropic",
    "read_openai_chat",
    "text_of",
    "tools_of",
)

Json: TypeAlias = dict[str, object]
Choices = Annotated[int, msgspec.Meta(ge=1, le=128)]
Limit = Annotated[int, msgspec.Meta(ge=0)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is asked, and in which form it is to be answered."""

    ask: Ask
    stream: bool
    include_usage: bool = False


class _Part(msgspec.Struct):
    type: str = "text"
    text: str = ""
    content: str | list[_Part] = ""


class Message(msgspec.Struct):
    role: str
    content: str | list[_Part] | None = None


class _Function(msgspec.Struct):
    name: str
    parameters: Json | None = None


class _Named(msgspec.Struct):
    name: str | None = None


class FunctionTool(msgspec.Struct):
    function: _Function | None = None


class _OpenAIToolChoice(msgspec.Struct):
    function: _Named | None = None


class _StreamOptions(msgspec.Struct):
    include_usage: bool | None = None


class _OpenAIRequest(msgspec.Struct):
    model: str
    messages: list[Message]
    stream: bool | None = None
    stream_options: _StreamOptions | None = None
    tools: list[FunctionTool] | None = None
    tool_choice: str | _OpenAIToolChoice | None = None
    reasoning_effort: str | None = None
    n: Choices | None = None
    max_tokens: Limit | None = None
    max_completion_tokens: Limit | None = None


def read_openai_chat(body: bytes) -> Asked:
    """The request for a chat completion in *body*."""
    asked = msgspec.json.decode(body, type=_OpenAIRequest)
    functions = [tool.function for tool in asked.tools or () if tool.function is not None]
    choice = asked.tool_choice
    forced = choice.function if isinstance(choice, _OpenAIToolChoice) else None
    limits = (asked.max_completion_tokens, asked.max_tokens)
    trailing = takewhile(lambda message: message.role == "tool", reversed(asked.messages))
    ask = Ask(
        model=asked.model,
        key=body,
        prompt=last_of_user(asked.messages),
        prompt_words=count_words(text_of(message.content) for message in asked.messages),
        results=tuple(text_of(message.content) for message in trailing)[::-1],
        tools=() if choice == "none" else tools_of(functions),
        forced_tool=forced.name if forced else None,
        reasoning=asked.reasoning_effort not in {None, "none"},
        choices=asked.n or 1,
        max_tokens=next((limit for limit in limits if limit is not None), None),
    )
    usage = asked.stream_options is not None and bool(asked.stream_options.include_usage)
    return Asked(ask=ask, stream=bool(asked.stream), include_usage=usage)


class _AnthropicTool(msgspec.Struct):
    name: str
    input_schema: Json | None = None


class _AnthropicToolChoice(msgspec.Struct):
    type: str
    name: str | None = None


class Thinking(msgspec.Struct):
    type: str


class _AnthropicRequest(msgspec.Struct):
    model: str
    messages: list[Message]
    max_tokens: Limit
    system: str | list[_Part] | None = None
    stream: bool | None = None
    tools: list[_AnthropicTool] | None = None
    tool_choice: _AnthropicToolChoice | None = None
    thinking: Thinking | None = None


def read_anthropic(body: bytes) -> Asked:
    """The request for a message in *body*."""
    asked = msgspec.json.decode(body, type=_AnthropicRequest)
    choice = asked.tool_choice
    forbidden = choice is not None and choice.type == "none"
    last = asked.messages[-1].content if asked.messages else None
    parts = last if isinstance(last, list) else []
    functions = [_Function(tool.name, tool.input_schema) for tool in asked.tools or ()]
    texts = [asked.system, *(message.content for message in asked.messages)]
    ask = Ask(
        model=asked.model,
        key=body,
        prompt=last_of_user(asked.messages),
        prompt_words=count_words(map(text_of, texts)),
        results=tuple(text_of(part.content) for part in parts if part.type == "tool_result"),
        tools=() if forbidden else tools_of(functions),
        forced_tool=choice.name if choice else None,
        reasoning=asked.thinking is not None and asked.thinking.type != "disabled",
        max_tokens=asked.max_tokens,
        id_prefix="msg_",
        call_id_prefix="toolu_",
    )
    return Asked(ask=ask, stream=bool(asked.stream))


def tools_of(functions: Iterable[_Function]) -> tuple[Tool, ...]:
    return tuple(Tool(name=item.name, parameters=item.parameters or {}) for item in functions)


def last_of_user(messages: Sequence[Message]) -> str:
    texts = [text_of(message.content) for message in messages if message.role == "user"]
    return next((text for text in reversed(texts) if text), "")


def text_of(content: str | list[_Part] | None) -> str:
    if isinstance(content, list):
        return " ".join(part.text or text_of(part.content) for part in content)
    return content or ""


def count_words(texts: Iterable[str]) -> int:
    return sum(len(text.split()) for text in texts)
