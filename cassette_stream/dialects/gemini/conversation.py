"""A conversation, as Gemini reads it: instructions apart, then contents of two roles.

What a tool returned is a part of the user's, named like the function that was called: the
call is looked up by its id. Signatures that came with calls, or with text, go back with them.
Parts that are no chat completions' are taken for the provider's own and go out as they are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

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
    """The parts of the instructions, and the contents.

    Raises:
        ValueError: A message has a role that there is not, or lacks a field; the arguments of
            a tool call are no JSON object; or a tool answers a call that nobody made.
        TypeError: A message, or what it holds, is of the wrong type.
    """
    system, spoken = instructions_of(messages)
    names: dict[object, str] = {}
    speakers: Mapping[str, Speaker] = {
        "user": ("user", _asked),
        "assistant": ("model", lambda message: _said(message, names)),
        "tool": ("user", lambda message: [_result(message, names)]),
    }
    contents = turns(spoken, speakers, field="parts", dialect="gemini")
    return [_part(part) for part in system], contents


def _asked(message: Json) -> list[Json]:
    return [_part(part) for part in parts(message)]


def _said(message: Json, names: dict[object, str]) -> Iterator[Json]:
    """What a model said and called; of the calls, *names* takes down who is who."""
    said = _asked(message)
    signatures = _fields(message).get("thought_signatures")
    if said and isinstance(signatures, list) and signatures:
        said[-1] = {**said[-1], "thoughtSignature": signatures[-1]}
    yield from said
    for call in mappings(message.get("tool_calls"), "tool_calls", "a tool call"):
        function = function_of(call, "a tool call")
        made = {"name": function["name"], "args": arguments_of(function)}
        if call.get("id"):
            names[call["id"]] = function["name"]
            made["id"] = call["id"]
        signature = _fields(call).get("thought_signature")
        signed = {"thoughtSignature": signature} if signature else {}
        yield {"functionCall": made, **signed}


def _fields(value: Json) -> Json:
    return mapping(value.get("provider_specific_fields") or {}, "provider_specific_fields")


def _result(message: Json, names: dict[object, str]) -> Json:
    call_id = message.get("tool_call_id")
    name = names.get(call_id) or message.get("name")
    if name is None:
        raise ValueError(f"a tool answers call {call_id!r}, and no assistant before it made that")
    content = message.get("content")
    if not (content is None or isinstance(content, str)):
        content = "".join(need(part, "text") for part in parts(message))
    result = {"name": name, "response": {"content": content or ""}}
    return {"functionResponse": result | ({"id": call_id} if call_id else {})}


def _part(part: Json) -> Json:
    match part.get("type"):
        case "text":
            return {"text": need(part, "text")}
        case "refusal":
            return {"text": need(part, "refusal")}
        case "image_url":
            return _media(url_of(part))
        case "input_audio":
            audio = mapping(need(part, "input_audio"), "input_audio")
            kind = f"audio/{need(audio, 'format')}"
            return {"inlineData": {"mimeType": kind, "data": need(audio, "data")}}
        case "file":
            file = mapping(need(part, "file"), "a file")
            return _media(file.get("file_id") or need(file, "file_data"))
        case None:
            return part
        case other:
            raise ValueError(
                f"gemini has no parts of type {other!r}; "
                "it takes text, image_url, input_audio and file, and its own, without a type"
            )


def _media(url: str) -> Json:
    inline = data_uri(url)
    if inline is None:
        return {"fileData": {"fileUri": url}}
    return {"inlineData": {"mimeType": inline[0], "data": inline[1]}}
