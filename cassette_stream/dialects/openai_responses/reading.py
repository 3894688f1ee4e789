"""Values of the Responses API's JSON, checked as they are taken out.

None is the same as an absent key; anything else of the wrong type is a `MalformedStreamError`
that says what was found where.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

import msgspec

from cassette_stream.chunks import Usage, read_chunk
from cassette_stream.dialects.errors import stream_error
from cassette_stream.exceptions import APIError, MalformedStreamError

__all__ = (
    "UNREADABLE",
    "annotation",
    "failure",
    "integer",
    "json_object",
    "mappings",
    "seconds",
    "text",
    "usage",
)

Json: TypeAlias = Mapping[str, Any]

# Nested deeper than the stack, a text is JSON and still nothing to read.
UNREADABLE = (msgspec.DecodeError, RecursionError)

_plain = msgspec.json.Decoder().decode
_USAGE = {
    "input_tokens": "prompt_tokens",
    "input_tokens_details": "prompt_tokens_details",
    "output_tokens": "completion_tokens",
    "output_tokens_details": "completion_tokens_details",
}
# Codes by which the provider says that the request is to blame, and has no other word for it.
_BLAMING = (
    "bio_policy",
    "cyber_policy",
    "data_residency_mismatch",
    "empty_image",
    "failed_to_download_image",
    "image_",
    "invalid_",
    "misalignment_policy",
    "unsupported_",
)


def json_object(data: str | bytes) -> dict[str, Any]:
    """The JSON object that *data* spells."""
    try:
        value = _plain(data)
    except UNREADABLE as error:
        raise MalformedStreamError(f"no JSON: {_excerpt(data)}: {error}", body=data) from error
    if not isinstance(value, dict):
        raise MalformedStreamError(f"no JSON object: {_excerpt(data)}", body=data)
    return value


def _excerpt(data: str | bytes) -> str:
    shown = data.decode("utf-8", "replace") if isinstance(data, bytes) else data
    return repr(shown if len(shown) <= 100 else f"{shown[:100]}...")


def text(value: Json, name: str, *, strict: bool) -> str:
    """The text at *name*; a number there is written as one unless *strict*."""
    found = value.get(name)
    if isinstance(found, str):
        return found
    if found is None:
        return ""
    if not strict and isinstance(found, int | float):
        return str(found)
    raise MalformedStreamError(f"{name} is no text: {found!r}", body=value)


def integer(value: Json, name: str, *, default: int | None = None) -> int:
    """The integer at *name*, *default* where there is nothing."""
    found = value.get(name, default)
    if isinstance(found, int) and not isinstance(found, bool):
        return found
    raise MalformedStreamError(f"{name} is no integer: {found!r}", body=value)


def mappings(value: Json, name: str) -> Iterator[Json]:
    """The objects in the list at *name*."""
    found = value.get(name)
    if not isinstance(found, list | None):
        raise MalformedStreamError(f"{name} is no list: {found!r}", body=value)
    for item in found or ():
        if not isinstance(item, Mapping):
            raise MalformedStreamError(f"{name} holds what is no object: {item!r}", body=value)
        yield item


def seconds(created: object) -> int:
    """*created* in whole seconds, 0 where it is no time; some servers send a fraction."""
    known = isinstance(created, int | float) and abs(created) < 1e18
    return int(created) if known and isinstance(created, int | float) else 0


def annotation(note: Json) -> dict[str, Any]:
    """*note* as the chat completions API has it: the fields of a kind in an object of its own."""
    kind = note.get("type")
    if not isinstance(kind, str):
        raise MalformedStreamError(f"an annotation without a type: {note!r}", body=note)
    return {"type": kind, kind: {key: value for key, value in note.items() if key != "type"}}


def usage(told: object, *, strict: bool) -> Usage | None:
    """What was billed, None where nothing was said."""
    if not isinstance(told, Mapping):
        return None
    named = {_USAGE.get(name, name): value for name, value in told.items()}
    billed = read_chunk({"usage": named}, strict=strict).usage
    if billed is not None and "total_tokens" not in told:
        billed.total_tokens = billed.prompt_tokens + billed.completion_tokens
    return billed


def failure(error: object, body: Json) -> APIError:
    """The exception for an *error* of the provider's; *body* is the event around it."""
    if isinstance(error, Mapping):
        # An event that is the error itself has a type that says no more than that.
        known = {key: value for key, value in error.items() if (key, value) != ("type", "error")}
        code = error.get("code")
        if isinstance(code, str) and code.startswith(_BLAMING):
            known = {"status_code": 400} | known
        error = known
    return stream_error(error, body=body)
