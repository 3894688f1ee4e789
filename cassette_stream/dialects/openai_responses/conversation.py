"""A conversation, as the items that the Responses API reads.

A message of an assistant that called tools is its text and an item for each call; what a tool
returned is an item too. System messages at the start are the instructions. The *name* of a
message is left out: there is no place for it, and nothing depends on it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import takewhile
from typing import Any, TypeAlias

from cassette_stream.chunks import arguments_text

__all__ = ("conversation",)

Json: TypeAlias = Mapping[str, Any]


def conversation(messages: Sequence[object]) -> tuple[str | None, list[Json]]:
    """The instructions, None where there are none, and the items after them.

    Raises:
        ValueError: A message has a role that the API does not know, or lacks a field.
        TypeError: A message, or what it holds, is of the wrong type.
    """
    checked = [_checked(message) for message in messages]
    system = list(takewhile(_is_instruction, checked))
    texts = ["".join(_need(part, "text") for part in _parts(message)) for message in system]
    return "\n\n".join(texts) if system else None, list(_items(checked[len(system) :]))


def _checked(message: object) -> Json:
    if not isinstance(message, Mapping):
        raise TypeError(f"a message is a mapping, not {type(message).__name__}")
    content = message.get("content")
    if not (content is None or isinstance(content, str | Sequence)):
        raise TypeError(f"content is a text, a list of parts or None, not {content!r}")
    return message


def _is_instruction(message: Json) -> bool:
    if message.get("role") != "system":
        return False
    return all(part.get("type") in {"text", "input_text"} for part in _parts(message))


def _parts(message: Json) -> list[Json]:
    """The content of *message* as parts; the type of each is in it."""
    content = message.get("content")
    if content is None:
        return []
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    for part in content:
        if not isinstance(part, Mapping):
            raise TypeError(f"a part of content is a mapping, not {part!r}")
    return list(content)


def _need(value: Json, name: str) -> Any:
    if not isinstance(value, Mapping):
        raise TypeError(f"a mapping with {name!r} belongs here, not {value!r}")
    if name not in value:
        raise ValueError(f"{name!r} is missing beside {', '.join(map(repr, value))}")
    return value[name]


def _items(messages: Sequence[Json]) -> Iterator[Json]:
    # What a custom tool returned has a type of its own.
    custom: set[object] = set()
    for message in messages:
        match message.get("role"):
            case "user" | "system" | "developer" as role:
                content = [_input(part) for part in _parts(message)]
                yield {"type": "message", "role": role, "content": content}
            case "assistant":
                items = list(_said(message))
                custom |= {it["call_id"] for it in items if it.get("type") == "custom_tool_call"}
                yield from items
            case "tool":
                call_id = _need(message, "tool_call_id")
                kind = "custom_tool_call_output" if call_id in custom else "function_call_output"
                yield {"type": kind, "call_id": call_id, "output": _output(message)}
            case other:
                raise ValueError(
                    f"the Responses API has no messages of role {other!r}; "
                    "it takes system, developer, user, assistant and tool"
                )


def _said(message: Json) -> Iterator[Json]:
    """What an assistant thought, said and called; reasoning goes back as it came."""
    yield from message.get("reasoning_items") or ()
    content = [_output_part(part) for part in _parts(message) if part.get("text") != ""]
    if message.get("refusal"):
        content.append({"type": "refusal", "refusal": message["refusal"]})
    if content:
        yield {"type": "message", "role": "assistant", "content": content}
    yield from map(_call, message.get("tool_calls") or ())


def _output_part(part: Json) -> Json:
    if part.get("type") != "text":
        return part
    return {"type": "output_text", "text": _need(part, "text")}


def _call(call: Json) -> dict[str, Any]:
    item: dict[str, Any] = {"call_id": _need(call, "id")}
    custom = call.get("custom")
    if call.get("type") == "custom" and isinstance(custom, Mapping):
        named = {key: _need(custom, key) for key in ("name", "input")}
        return {"type": "custom_tool_call"} | item | named
    function = _need(call, "function")
    # Some stream a call without arguments without any text; the API wants an object.
    arguments = arguments_text(_need(function, "arguments")) or "{}"
    named = {"name": _need(function, "name"), "arguments": arguments}
    return {"type": "function_call"} | item | named


def _output(message: Json) -> object:
    content = message.get("content")
    if isinstance(content, str) or content is None:
        return content or ""
    return [_input(part) for part in _parts(message)]


def _input(part: Json) -> Json:
    match part.get("type"):
        case "text":
            return {"type": "input_text", "text": _need(part, "text")}
        case "image_url":
            image = _need(part, "image_url")
            image = {"url": image} if isinstance(image, str) else image
            return {"type": "input_image", "image_url": _need(image, "url")} | {
                key: value for key, value in image.items() if key != "url"
            }
        case "file":
            return {"type": "input_file", **_need(part, "file")}
        case _:
            return part
