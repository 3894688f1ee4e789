"""OpenAI chat completions: what is asked, and how providers want it asked otherwise.

Parameters go out as they were given, unknown ones too: the format is the callers' own. What
a provider wants otherwise is a function from a `Call` to a `Call`, named for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import cast

from cassette_stream.dialects.call import Call, HttpRequest, post

__all__ = (
    "for_deepseek",
    "for_fireworks",
    "for_groq",
    "for_mistral",
    "for_openrouter",
    "request",
    "without_stream_options",
)

_NOT_IN_MISTRAL_SCHEMAS = frozenset({"$id", "$schema", "additionalProperties", "strict"})


def request(call: Call) -> HttpRequest:
    """The request for *call*, on any provider of this format.

    Raises:
        TypeError: A value in it is nothing that JSON has.
        ValueError: A number is not finite, or a text holds half a surrogate pair.
    """
    stream = {"stream": True} if call.stream else {}
    body = {"model": call.model, "messages": list(call.messages), **stream, **call.params}
    return post("/chat/completions", body, call)


def without_stream_options(call: Call) -> Call:
    """For providers that refuse them, and report usage all the same."""
    params = {name: value for name, value in call.params.items() if name != "stream_options"}
    return replace(call, params=params)


def for_mistral(call: Call) -> Call:
    """``any`` where others say ``required``, simpler schemas, names on tool messages only."""
    params = dict(without_stream_options(call).params)
    if params.get("tool_choice") == "required":
        params["tool_choice"] = "any"
    if "tools" in params:
        params["tools"] = _simpler(params["tools"])
    messages = [
        message if message.get("role") == "tool" else _without(message, "name")
        for message in call.messages
    ]
    return replace(call, params=params, messages=messages)


def _simpler(schema: object, *, names: bool = False) -> object:
    """*schema* without the keys that Mistral refuses; where keys are *names*, all of them stay."""
    if isinstance(schema, Mapping):
        return {
            key: _simpler(value, names=key == "properties" and not names)
            for key, value in schema.items()
            if names or key not in _NOT_IN_MISTRAL_SCHEMAS
        }
    return [_simpler(each) for each in schema] if isinstance(schema, list) else schema


def _without(message: Mapping[str, object], name: str) -> Mapping[str, object]:
    return {key: value for key, value in message.items() if key != name}


def for_groq(call: Call) -> Call:
    """Fields of the assistant that are null are left out."""
    messages = [
        {key: value for key, value in message.items() if value is not None}
        if message.get("role") == "assistant"
        else message
        for message in call.messages
    ]
    return replace(call, messages=messages)


def for_deepseek(call: Call) -> Call:
    """Content that is a list of texts is one text. A list with anything else stays a list."""
    return replace(call, messages=[_one_text(message) for message in call.messages])


def _one_text(message: Mapping[str, object]) -> Mapping[str, object]:
    parts = message.get("content")
    if not isinstance(parts, list):
        return message
    texts = [part.get("text") for part in parts if isinstance(part, Mapping)]
    if len(texts) < len(parts) or not all(isinstance(text, str) for text in texts):
        return message
    return {**message, "content": "".join(cast("list[str]", texts))}


def for_openrouter(call: Call) -> Call:
    """Asks for the usage, which is not reported unasked."""
    return replace(call, params={"usage": {"include": True}, **call.params})


def for_fireworks(call: Call) -> Call:
    """A bare name stands for one of their own models."""
    if "/" in call.model:
        return call
    return replace(call, model=f"accounts/fireworks/models/{call.model}")
