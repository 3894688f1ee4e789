"""A conversation, as Ollama reads it: each message with one text, its images beside it.

What a tool returned is named like the function that was called: the call is looked up by its
id.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from cassette_stream.dialects.messages import (
    Json,
    arguments_of,
    data_uri,
    function_of,
    mapping,
    mappings,
    need,
    parts,
    url_of,
)

__all__ = ("conversation",)

_ROLES: Final = frozenset({"assistant", "developer", "system", "tool", "user"})


def conversation(messages: Sequence[Json]) -> list[Json]:
    """The messages.

    Raises:
        ValueError: A message has a role that there is not, lacks a field, or holds what is
            neither text nor an image that comes with it; the arguments of a tool call are no
            JSON object; or a tool answers a call that nobody made.
        TypeError: A message, or what it holds, is of the wrong type.
    """
    names: dict[object, str] = {}
    return [_message(mapping(message, "a message"), names) for message in messages]


def _message(message: Json, names: dict[object, str]) -> Json:
    role = message.get("role")
    if not isinstance(role, str) or role not in _ROLES:
        raise ValueError(
            f"ollama has no messages of role {role!r}; it takes {', '.join(sorted(_ROLES))}"
        )
    made: dict[str, Any] = {"role": "system" if role == "developer" else role, **_content(message)}
    if role == "assistant":
        made |= _said(message, names)
    if role == "tool":
        made |= _answers(message, names)
    return made


def _content(message: Json) -> dict[str, Any]:
    texts: list[str] = []
    images: list[str] = []
    for part in parts(message):
        match part.get("type"):
            case "text" | "refusal" as kind:
                texts.append(need(part, kind))
            case "image_url":
                images.append(_image(url_of(part)))
            case other:
                raise ValueError(
                    f"ollama has no parts of type {other!r}; it takes text and image_url"
                )
    return {"content": "".join(texts)} | ({"images": images} if images else {})


def _image(url: str) -> str:
    inline = data_uri(url)
    if inline is None:
        raise ValueError(f"ollama fetches no images: send a data: URL, not {url[:100]!r}")
    return inline[1]


def _said(message: Json, names: dict[object, str]) -> Json:
    """What a model thought and called; of the calls, *names* takes down who is who."""
    said: dict[str, Any] = {}
    if message.get("reasoning_content"):
        said["thinking"] = message["reasoning_content"]
    if message.get("refusal") and not message.get("content"):
        said["content"] = message["refusal"]
    calls = [
        _call(call, names)
        for call in mappings(message.get("tool_calls"), "tool_calls", "a tool call")
    ]
    return said | ({"tool_calls": calls} if calls else {})


def _call(call: Any, names: dict[object, str]) -> Json:
    function = function_of(call, "a tool call")
    made = {"function": {"name": function["name"], "arguments": arguments_of(function)}}
    if call.get("id"):
        names[call["id"]] = function["name"]
        return {"id": call["id"], **made}
    return made


def _answers(message: Json, names: dict[object, str]) -> Json:
    call_id = message.get("tool_call_id")
    name = names.get(call_id) or message.get("name")
    if name is None:
        raise ValueError(f"a tool answers call {call_id!r}, and no assistant before it made that")
    return {"tool_name": name} | ({"tool_call_id": call_id} if call_id else {})
