"""A conversation, as Cohere reads it: much as chat completions have it.

A message has the fields that Cohere knows and no others. Thoughts are sent back beside the
tool calls that they led to, and nowhere else: a plan as the plan that it was.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from cassette_stream.chunks import arguments_text
from cassette_stream.dialects.messages import (
    Json,
    function_of,
    mapping,
    mappings,
    need,
    parts,
    url_of,
)

__all__ = ("conversation",)

_ROLES: Final = {"developer": "system", "system": "system", "user": "user"}


def conversation(messages: Sequence[Json]) -> list[Json]:
    """The *messages* in Cohere's words.

    Raises:
        ValueError: A message has a role that there is not, or lacks a field; or it holds what
            Cohere does not take.
        TypeError: A message, or what it holds, is of the wrong type.
    """
    return [_message(mapping(message, "a message")) for message in messages]


def _message(message: Json) -> Json:
    match message.get("role"):
        case "assistant":
            return _assistant(message)
        case "tool":
            named = {"role": "tool", "tool_call_id": need(message, "tool_call_id")}
            return named | {"content": _content(message)}
        case str(role) if role in _ROLES:
            return {"role": _ROLES[role], "content": _content(message)}
        case other:
            raise ValueError(
                f"cohere has no messages of role {other!r}; "
                "it takes system, developer, user, assistant and tool"
            )


def _assistant(message: Json) -> Json:
    said: dict[str, Any] = {"role": "assistant"}
    calls = [
        _call(call) for call in mappings(message.get("tool_calls"), "tool_calls", "a tool call")
    ]
    thoughts, plan = _thoughts(message) if calls else ("", "")
    thought: list[Json] = [{"type": "thinking", "thinking": thoughts}] if thoughts else []
    refusal = message.get("refusal")
    refused: list[Json] = [{"type": "text", "text": refusal}] if refusal else []
    if thought or refused:
        said["content"] = [*thought, *refused, *map(_part, parts(message))]
    elif message.get("content"):
        said["content"] = _content(message)
    if plan:
        said["tool_plan"] = plan
    if calls:
        said["tool_calls"] = calls
    return said


def _thoughts(message: Json) -> tuple[str, str]:
    """What was thought, and what of it was a plan."""
    native = mapping(message.get("provider_specific_fields") or {}, "provider_specific_fields")
    plan = _text(message, "tool_plan") or _text(native, "tool_plan")
    return _text(message, "reasoning_content").removesuffix(plan), plan


def _text(value: Json, name: str) -> str:
    text = value.get(name) or ""
    if not isinstance(text, str):
        raise TypeError(f"{name} is a text, not {text!r}")
    return text


def _call(call: Json) -> Json:
    function = function_of(call, "a tool call")
    called = {"name": function["name"], "arguments": arguments_text(function.get("arguments"))}
    return {"id": need(call, "id"), "type": "function", "function": called}


def _content(message: Json) -> object:
    content = message.get("content")
    if content is None or isinstance(content, str):
        return content or ""
    return [_part(part) for part in parts(message)]


def _part(part: Json) -> Json:
    match part.get("type"):
        case "text":
            return {"type": "text", "text": part["text"]}
        case "image_url":
            url_of(part)
            return part if isinstance(part["image_url"], dict) else _image(part["image_url"])
        case "refusal":
            return {"type": "text", "text": need(part, "refusal")}
        case "input_audio" | "file" as kind:
            raise ValueError(f"cohere takes no {kind}; it takes texts, images and documents")
        case _:
            return part  # the provider's own


def _image(url: str) -> Json:
    return {"type": "image_url", "image_url": {"url": url}}
