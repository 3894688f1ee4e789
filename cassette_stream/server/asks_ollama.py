"""Requests to Ollama, read as what the embedded model needs to know."""

from __future__ import annotations

from itertools import takewhile

import msgspec

from cassette_stream.server.asks import Asked, Json, count_words
from cassette_stream.server.embedded import Ask, Tool

__all__ = ("read_ollama",)


class _Message(msgspec.Struct):
    role: str
    content: str = ""


class _Function(msgspec.Struct):
    name: str
    parameters: Json | None = None


class _Tool(msgspec.Struct):
    function: _Function | None = None


class _Options(msgspec.Struct):
    num_predict: int | None = None


class _Request(msgspec.Struct):
    model: str
    messages: list[_Message] = []
    stream: bool | None = None
    tools: list[_Tool] | None = None
    think: bool | str | None = None
    options: _Options | None = None


def read_ollama(body: bytes) -> Asked:
    """The request for a chat in *body*. Who does not say how gets a stream."""
    asked = msgspec.json.decode(body, type=_Request)
    limit = None if asked.options is None else asked.options.num_predict
    texts = [message.content for message in asked.messages if message.role == "user"]
    trailing = takewhile(lambda message: message.role == "tool", reversed(asked.messages))
    functions = [tool.function for tool in asked.tools or () if tool.function is not None]
    ask = Ask(
        model=asked.model,
        key=body,
        prompt=next((text for text in reversed(texts) if text), ""),
        prompt_words=count_words(message.content for message in asked.messages),
        results=tuple(message.content for message in trailing)[::-1],
        tools=tuple(Tool(name=it.name, parameters=it.parameters or {}) for it in functions),
        reasoning=bool(asked.think),
        # Less than 0 is no limit there.
        max_tokens=limit if limit is not None and limit >= 0 else None,
    )
    return Asked(ask=ask, stream=asked.stream is not False)
