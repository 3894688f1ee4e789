"""Requests to Cohere, read as what the embedded model needs to know."""

from __future__ import annotations

from itertools import takewhile

import msgspec

from cassette_stream.server.asks import (
    Asked,
    FunctionTool,
    Limit,
    Message,
    Thinking,
    count_words,
    last_of_user,
    text_of,
    tools_of,
)
from cassette_stream.server.embedded import Ask

__all__ = ("read_cohere",)


class _Request(msgspec.Struct):
    model: str
    messages: list[Message]
    stream: bool | None = None
    tools: list[FunctionTool] | None = None
    tool_choice: str | None = None
    thinking: Thinking | None = None
    max_tokens: Limit | None = None


def read_cohere(body: bytes) -> Asked:
    """The request for a chat in *body*."""
    asked = msgspec.json.decode(body, type=_Request)
    functions = [tool.function for tool in asked.tools or () if tool.function is not None]
    trailing = takewhile(lambda message: message.role == "tool", reversed(asked.messages))
    ask = Ask(
        model=asked.model,
        key=body,
        prompt=last_of_user(asked.messages),
        prompt_words=count_words(text_of(message.content) for message in asked.messages),
        results=tuple(text_of(message.content) for message in trailing)[::-1],
        tools=() if asked.tool_choice == "NONE" else tools_of(functions),
        reasoning=asked.thinking is not None and asked.thinking.type != "disabled",
        max_tokens=asked.max_tokens,
    )
    return Asked(ask=ask, stream=bool(asked.stream))
