"""A conversation, as Bedrock's Converse reads it: system texts apart, then turns of two roles.

A turn is a list of blocks, each named by its only key. What a tool returned is a block of the
user's. Parts without a type are taken for the provider's own and go out as they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
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

__all__ = ("cache_point", "conversation")

# What a media type is called here; of an image it is what stands behind the slash.
_DOCUMENTS: Final = {
    "application/msword": "doc",
    "application/pdf": "pdf",
    "application/vnd.ms-excel": "xls",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "text/csv": "csv",
    "text/html": "html",
    "text/markdown": "md",
    "text/plain": "txt",
}
_IMAGES: Final = {"jpg": "jpeg"}
_NO_NAME: Final = re.compile(r"[^A-Za-z0-9\s()\[\]-]+|\s{2,}")


def conversation(messages: Sequence[Json]) -> tuple[list[Json], list[Json]]:
    """The system blocks and the turns.

    Raises:
        ValueError: A message has a role that there is not, or lacks a field; a part is of a
            type or a format that there is not; or the arguments of a tool call are no object.
        TypeError: A message, or what it holds, is of the wrong type.
    """
    system, spoken = instructions_of(messages)
    return list(_blocks(system)), turns(
        spoken, _SPEAKERS, field="content", dialect="bedrock_converse"
    )


def cache_point(value: Json) -> Iterator[Json]:
    """The block that caches what stands before it, where *value* has a ``cache_control``."""
    if control := value.get("cache_control"):
        ttl = mapping(control, "cache_control").get("ttl")
        yield {"cachePoint": {"type": "default"} | ({"ttl": ttl} if ttl else {})}


def _blocks(found: Iterable[Json]) -> Iterator[Json]:
    for part in found:
        yield _block(part)
        if part.get("type") is not None:
            yield from cache_point(part)


def _asked(message: Json) -> Iterator[Json]:
    return _blocks(parts(message))


def _said(message: Json) -> Iterator[Json]:
    """What an assistant thought, said and called. Only signed thoughts are taken back."""
    for thought in mappings(message.get("thinking_blocks"), "thinking_blocks", "a thinking block"):
        if thought.get("data"):
            yield {"reasoningContent": {"redactedContent": thought["data"]}}
        elif thought.get("signature"):
            text = {"text": thought.get("thinking") or "", "signature": thought["signature"]}
            yield {"reasoningContent": {"reasoningText": text}}
    yield from _asked(message)
    if refusal := message.get("refusal"):
        yield {"text": refusal}
    for call in mappings(message.get("tool_calls"), "tool_calls", "a tool call"):
        function = function_of(call, "a tool call")
        yield {
            "toolUse": {
                "toolUseId": need(call, "id"),
                "name": function["name"],
                "input": arguments_of(function),
            }
        }


def _result(message: Json) -> Iterator[Json]:
    content = [_block(part) for part in parts(message)]
    yield {"toolResult": {"toolUseId": need(message, "tool_call_id"), "content": content}}


def _block(part: Json) -> Json:
    match part.get("type"):
        case "text":
            return {"text": need(part, "text")}
        case "refusal":
            return {"text": need(part, "refusal")}
        case "image_url":
            return {"image": _image(url_of(part))}
        case "file":
            return {"document": _document(mapping(need(part, "file"), "a file"))}
        case None:
            return part
        case other:
            raise ValueError(
                f"bedrock_converse has no parts of type {other!r}; "
                "it takes text, image_url and file, and its own, without a type"
            )


def _image(url: str) -> Json:
    inline = data_uri(url)
    if inline is not None:
        kind, data = inline
        name = kind.removeprefix("image/")
        return {"format": _IMAGES.get(name, name), "source": {"bytes": data}}
    name = url.rpartition(".")[2].lower()
    return {"format": _IMAGES.get(name, name), "source": _stored(url)}


def _document(file: Json) -> Json:
    data = need(file, "file_data")
    inline = data_uri(data)
    named, _, ending = str(file.get("filename") or "").rpartition(".")
    if inline is not None:
        source: Json = {"bytes": inline[1]}
        kind = _DOCUMENTS.get(inline[0], ending)
    else:
        source, kind = _stored(data), data.rpartition(".")[2]
    name = _NO_NAME.sub(" ", named or ending).strip() or "document"
    return {"format": kind.lower(), "name": name, "source": source}


def _stored(url: str) -> Json:
    if not url.startswith("s3://"):
        raise ValueError(
            f"bedrock_converse fetches nothing from {url!r}; send a data: URI or an s3:// address"
        )
    return {"s3Location": {"uri": url}}


_SPEAKERS: Final[Mapping[str, Speaker]] = {
    "user": ("user", _asked),
    "assistant": ("assistant", _said),
    "tool": ("user", _result),
}
