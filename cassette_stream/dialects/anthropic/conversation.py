"""A conversation, as Anthropic reads it: system texts apart, then turns of two roles.

A turn is a list of blocks. What a tool returned is a block of the user's, and messages of one
role that follow each other are one turn. Parts that are no chat completions' are taken for
the provider's own blocks and go out as they are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from cassette_stream.dialects.messages import (
    Json,
    arguments_of,
    data_uri,
    function_of,
    instructions_of,
    mapping,
    mappings,
    need,
    parts,
    url_of,
)
from cassette_stream.dialects.turns import Speaker, turns

__all__ = ("conversation",)


def conversation(messages: Sequence[Json]) -> tuple[list[Json], list[Json]]:
    """The system texts and the turns.

    Raises:
        ValueError: A message has a role that there is not, or lacks a field; or the arguments
            of a tool call are no JSON object.
        TypeError: A message, or what it holds, is of the wrong type.
    """
    system, spoken = instructions_of(messages)
    return system, turns(spoken, _SPEAKERS, field="content", dialect="anthropic")


def _asked(message: Json) -> list[Json]:
    return [_block(part) for part in parts(message)]


def _said(message: Json) -> Iterator[Json]:
    """What an assistant thought, said and called. Only signed thoughts are taken back."""
    for thought in mappings(message.get("thinking_blocks"), "thinking_blocks", "a thinking block"):
        if thought.get("data"):
            yield {"type": "redacted_thinking", "data": thought["data"]}
        elif thought.get("signature"):
            kept = {name: thought.get(name) or "" for name in ("thinking", "signature")}
            yield {"type": "thinking", **kept}
    yield from _asked(message)
    if refusal := message.get("refusal"):
        yield {"type": "text", "text": refusal}
    for call in mappings(message.get("tool_calls"), "tool_calls", "a tool call"):
        function = function_of(call, "a tool call")
        yield {
            "type": "tool_use",
            "id": need(call, "id"),
            "name": function["name"],
            "input": arguments_of(function),
        }


def _result(message: Json) -> Iterator[Json]:
    content = message.get("content")
    said = content or "" if content is None or isinstance(content, str) else None
    yield {
        "type": "tool_result",
        "tool_use_id": need(message, "tool_call_id"),
        "content": _asked(message) if said is None else said,
    }


def _block(part: Json) -> Json:
    match part.get("type"):
        case "image_url":
            block = {"type": "image", "source": _source(url_of(part))}
        case "file":
            block = {"type": "document", **_document(mapping(need(part, "file"), "a file"))}
        case "refusal":
            return {"type": "text", "text": need(part, "refusal")}
        case "input_audio":
            raise ValueError("anthropic takes no audio; it takes texts, images and files")
        case _:
            return part
    return block | {name: part[name] for name in ("cache_control",) if name in part}


def _source(url: str) -> Json:
    inline = data_uri(url)
    if inline is None:
        return {"type": "url", "url": url}
    return {"type": "base64", "media_type": inline[0], "data": inline[1]}


def _document(file: Json) -> Json:
    if file.get("file_id"):
        source: Json = {"type": "file", "file_id": file["file_id"]}
    else:
        source = _source(need(file, "file_data"))
    return {"source": source} | ({"title": file["filename"]} if file.get("filename") else {})


_SPEAKERS: Final[Mapping[str, Speaker]] = {
    "user": ("user", _asked),
    "assistant": ("assistant", _said),
    "tool": ("user", _result),
}
