"""What servers of dialects that open and close each call do otherwise to its events."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from cassette_stream.faults.sem.calls import Rewrite, interleaved, nulled, parsed, popped, same_key
from cassette_stream.faults.sem.words import Json, object_at, text_at

__all__ = ("ANTHROPIC", "COHERE", "CONVERSE")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Form:
    """How a dialect tells a call.

    Attributes:
        start: The call, in the event that opens it; an empty object in all others.
        part: What has a part of the arguments; an empty object where nothing has.
        call: Of which call an event is, None if of none.
        index: The name of what tells that.
        id: What the id of a call is called.
        arguments: What a part of the arguments is called.
    """

    start: Callable[[Json], Json]
    part: Callable[[Json], Json]
    call: Callable[[Json], object]
    index: str = "index"
    id: str = "id"
    arguments: str


def _block(value: Json) -> Json:
    block = object_at(value, "content_block")
    return block if block.get("type") == "tool_use" else {}


def _of_block(value: Json) -> object:
    return value.get("index") if text_at(value, "type").startswith("content_block") else None


def _of_call(value: Json) -> object:
    return value.get("index") if text_at(value, "type").startswith("tool-call-") else None


_ANTHROPIC: Final = _Form(
    start=_block,
    part=lambda value: object_at(value, "delta"),
    call=_of_block,
    arguments="partial_json",
)
_COHERE: Final = _Form(
    start=lambda value: object_at(value, "delta", "message", "tool_calls"),
    part=lambda value: object_at(value, "delta", "message", "tool_calls", "function"),
    call=_of_call,
    arguments="arguments",
)
_CONVERSE: Final = _Form(
    start=lambda value: object_at(value, "start", "toolUse"),
    part=lambda value: object_at(value, "delta", "toolUse"),
    call=lambda value: value.get("contentBlockIndex"),
    index="contentBlockIndex",
    id="toolUseId",
    arguments="input",
)


def _with_id(form: _Form, alter: Callable[[str], Callable[[Json], object]]) -> Rewrite:
    def rewrite(values: list[Json]) -> list[list[Json]]:
        for start in map(form.start, values):
            if form.id in start:
                alter(form.id)(start)
        return [[value] for value in values]

    return rewrite


def _null_arguments(form: _Form) -> Rewrite:
    def rewrite(values: list[Json]) -> list[list[Json]]:
        for part in map(form.part, values):
            if part.get(form.arguments) == "":
                part[form.arguments] = None
        return [[value] for value in values]

    return rewrite


def _whole_arguments(form: _Form) -> Rewrite:
    """Each call with its arguments as an object, where their first part was."""

    def rewrite(values: list[Json]) -> list[list[Json]]:
        first: dict[str, Json] = {}
        words: dict[str, str] = {}
        told: list[list[Json]] = []
        for value in values:
            part, call = form.part(value), repr(form.call(value))
            is_more = form.arguments in part and call in first
            if form.arguments in part:
                first.setdefault(call, part)
                words[call] = words.get(call, "") + text_at(part, form.arguments)
            told.append([] if is_more else [value])
        for call, part in first.items():
            part[form.arguments] = parsed(words[call])
        return told

    return rewrite


def _whole_input(values: list[Json]) -> list[list[Json]]:
    """A call of Anthropic's with its input where it begins, as proxies do, and no deltas."""
    starts: dict[str, Json] = {}
    words: dict[str, str] = {}
    told: list[list[Json]] = []
    for value in values:
        index, delta = repr(value.get("index")), object_at(value, "delta")
        if block := _block(value):
            starts[index] = block
        if "partial_json" in delta:
            words[index] = words.get(index, "") + text_at(delta, "partial_json")
        told.append([] if "partial_json" in delta else [value])
    for index, text in words.items():
        if text and index in starts:
            starts[index]["input"] = parsed(text)
    return told


def _quirks(form: _Form) -> dict[str, Rewrite]:
    return {
        "same_index": same_key(form.index, form.call),
        "missing_id": _with_id(form, popped),
        "null_id": _with_id(form, nulled),
        "null_arguments": _null_arguments(form),
        "object_arguments": _whole_arguments(form),
        "interleaved": interleaved(form.call),
    }


ANTHROPIC: Final[Mapping[str, Rewrite]] = _quirks(_ANTHROPIC) | {"object_arguments": _whole_input}
COHERE: Final[Mapping[str, Rewrite]] = _quirks(_COHERE)
CONVERSE: Final[Mapping[str, Rewrite]] = _quirks(_CONVERSE)
