"""A conversation, as the items that the Responses API reads.

A message of an assistant that called tools is its text and an item for each call; what a tool
returned is an item too. System messages at the start are the instructions. The *name* of a
message is left out: there is no place for it, and nothing depends on it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import takewhile

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


def conversation(messages: Sequence[object]) -> tuple[str | None, list[Json]]:
    """The instructions, None where there are none, and the items after them.

    Raises:
        ValueError: A message has a role that the API does not know, or lacks a field.
        TypeError: A message, or what it holds, is of the wrong type.
    """
    checked = [mapping(message, "a message") for message in messages]
    system = list(takewhile(_is_instruction, checked))
    texts = ["".join(need(part, "text") for part in parts(message)) for message in system]
    return "\n\n".join(texts) if system else None, list(_items(checked[len(system) :]))


def _is_instruction(message: Json) -> bool:
    if message.get("role") != "system":
        return False
    return all(part.get("type") in {"text", "input_text"} for part in parts(message))


def _items(messages: Sequence[Json]) -> Iterator[Json]:
    # What a custom tool returned has a type of its own.
    custom: set[object] = set()
    for message in messages:
        match message.get("role"):
            case "user" | "system" | "developer" as role:
                content = [_input(part) for part in parts(message)]
                yield {"type": "message", "role": role, "content": content}
            case "assistant":
                items = list(_said(message))
                custom |= {it["call_id"] for it in items if it.get("type") == "custom_tool_call"}
                yield from items
            case "tool":
                call_id = need(message, "tool_call_id")
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
    content = [_output_part(part) for part in parts(message)]
    if message.get("refusal"):
        content.append({"type": "refusal", "refusal": message["refusal"]})
    if content:
        yield {"type": "message", "role": "assistant", "content": content}
    yield from map(_call, mappings(message.get("tool_calls"), "tool_calls", "a tool call"))


def _output_part(part: Json) -> Json:
    if part.get("type") != "text":
        return part
    return {"type": "output_text", "text": need(part, "text")}


def _call(call: object) -> Json:
    known = mapping(call, "a tool call")
    called = {"call_id": need(known, "id")}
    if known.get("type") == "custom":
        custom = mapping(need(known, "custom"), "the custom tool of a tool call")
        named = {"name": need(custom, "name"), "input": need(custom, "input")}
        return {"type": "custom_tool_call", **called, **named}
    function = function_of(known, "a tool call")
    # Some stream a call without arguments without any text; the API wants an object.
    arguments = arguments_text(function.get("arguments")) or "{}"
    named = {"name": function["name"], "arguments": arguments}
    return {"type": "function_call", **called, **named}


def _output(message: Json) -> object:
    content = message.get("content")
    if isinstance(content, str) or content is None:
        return content or ""
    return [_input(part) for part in parts(message)]


def _input(part: Json) -> Json:
    match part.get("type"):
        case "text":
            return {"type": "input_text", "text": need(part, "text")}
        case "image_url":
            image = part.get("image_url")
            extras = dict(image) if isinstance(image, Mapping) else {}
            extras.pop("url", None)
            return {"type": "input_image", **extras, "image_url": url_of(part)}
        case "file":
            return {"type": "input_file", **mapping(need(part, "file"), "a file")}
        case _:
            return part
