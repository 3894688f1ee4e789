"""Requests to the Responses API, read as what the embedded model needs to know."""

from __future__ import annotations

from itertools import takewhile

import msgspec

from cassette_stream.server.asks import Asked, Json, Limit, count_words
from cassette_stream.server.embedded import Ask, Tool

__all__ = ("read_openai_responses",)


class _Part(msgspec.Struct):
    text: str = ""


class _Item(msgspec.Struct):
    """A message or, told by its type, something else; a message need not have one."""

    type: str = "message"
    role: str | None = None
    content: str | list[_Part] | None = None
    output: str | list[_Part] | None = None


class _Tool(msgspec.Struct):
    type: str
    name: str = ""
    parameters: Json | None = None


class _ToolChoice(msgspec.Struct):
    name: str | None = None


class _Reasoning(msgspec.Struct):
    effort: str | None = None


class _Request(msgspec.Struct):
    model: str
    input: str | list[_Item]
    instructions: str | None = None
    stream: bool | None = None
    tools: list[_Tool] | None = None
    tool_choice: str | _ToolChoice | None = None
    reasoning: _Reasoning | None = None
    max_output_tokens: Limit | None = None


def read_openai_responses(body: bytes) -> Asked:
    """The request for a response in *body*."""
    asked = msgspec.json.decode(body, type=_Request)
    given = asked.input
    items = [_Item(role="user", content=given)] if isinstance(given, str) else given
    said = [_text(item.content) for item in items if item.role == "user"]
    trailing = takewhile(lambda item: item.type == "function_call_output", reversed(items))
    texts = [asked.instructions or "", *(_text(item.content or item.output) for item in items)]
    choice = asked.tool_choice
    tools = tuple(
        Tool(name=tool.name, parameters=tool.parameters or {})
        for tool in asked.tools or ()
        if tool.type == "function"
    )
    ask = Ask(
        model=asked.model,
        key=body,
        prompt=next((text for text in reversed(said) if text), ""),
        prompt_words=count_words(texts),
        results=tuple(_text(item.output) for item in trailing)[::-1],
        tools=() if choice == "none" else tools,
        forced_tool=choice.name if isinstance(choice, _ToolChoice) else None,
        reasoning=asked.reasoning is not None and asked.reasoning.effort not in {None, "none"},
        max_tokens=asked.max_output_tokens,
        id_prefix="resp_",
    )
    return Asked(ask=ask, stream=bool(asked.stream))


def _text(content: str | list[_Part] | None) -> str:
    if isinstance(content, list):
        return " ".join(part.text for part in content)
    return content or ""
