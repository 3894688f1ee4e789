"""Parts of the Responses API's events, in our words.

None is the same as an absent key; anything else of the wrong type is a `MalformedStreamError`
that says what was found where.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

from cassette_stream.chunks import Usage, read_chunk
from cassette_stream.dialects.decoding import field
from cassette_stream.dialects.errors import stream_error
from cassette_stream.exceptions import APIError, MalformedStreamError

__all__ = (
    "annotation",
    "failure",
    "mappings",
    "place",
    "seconds",
    "usage",
)

Json: TypeAlias = Mapping[str, Any]

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


def place(event: Json, *, default: int | None = None) -> int:
    """Which item of the output an *event* is about; *default* where it does not say."""
    index = field(event, "output_index", int)
    if index is None:
        index = default
    if index is None:
        raise MalformedStreamError(f"{event.get('type')} without an output_index", body=event)
    return index


def mappings(value: Json, name: str) -> Iterator[Json]:
    """The objects in the list at *name*."""
    for item in field(value, name, list) or ():
        if not isinstance(item, Mapping):
            raise MalformedStreamError(f"{name} holds what is no object: {item!r}", body=value)
        yield item


def seconds(created: object) -> int:
    """*created* in whole seconds, 0 where it is no time; some servers send a fraction."""
    if isinstance(created, int | float) and abs(created) < 1e18:
        return int(created)
    return 0


def annotation(note: Json) -> dict[str, Any]:
    """*note* as the chat completions API has it: the fields of a kind in an object of its own."""
    kind = field(note, "type", str)
    if kind is None:
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
