"""What servers of the other dialects do otherwise to the events of tool calls."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from cassette_stream.faults.sem.calls import Rewrite, interleaved, nulled, popped, same_key
from cassette_stream.faults.sem.words import Json, object_at, objects

__all__ = ("GEMINI", "OLLAMA", "RESPONSES")


def _item_call(value: Json) -> object:
    return value.get("output_index")


def _numbered(rewrite: Rewrite) -> Rewrite:
    """The same, with the numbers of a stream of the Responses API as it counts them."""

    def numbered(values: list[Json]) -> list[list[Json]]:
        number = next(
            (it["sequence_number"] for it in values if isinstance(it.get("sequence_number"), int)),
            None,
        )
        told = rewrite(values)
        for value in (it for each in told for it in each if "sequence_number" in it):
            value["sequence_number"], number = number, (number or 0) + 1
        return told

    return numbered


def _items(alter: Callable[[Json], object]) -> Rewrite:
    """Alters the items of calls of the Responses API, wherever they are told."""

    def rewrite(values: list[Json]) -> list[list[Json]]:
        for value in values:
            item, response = value.get("item"), value.get("response")
            told = [item] if isinstance(item, dict) else objects(response, "output")
            for each in told:
                if each.get("type") == "function_call":
                    alter(each)
        return [[value] for value in values]

    return rewrite


def _without_deltas(values: list[Json]) -> list[list[Json]]:
    kind = "response.function_call_arguments"
    return [[] if str(value.get("type")).startswith(kind) else [value] for value in values]


def _changing_item(values: list[Json]) -> list[list[Json]]:
    for number, value in enumerate(values):
        if "item_id" in value:
            value["item_id"] = f"{value['item_id']}-{number}"
    return [[value] for value in values]


def _functions(alter: Callable[[Json], object]) -> Rewrite:
    """Alters the calls of Gemini's."""

    def rewrite(values: list[Json]) -> list[list[Json]]:
        for value in values:
            for candidate in objects(value, "candidates"):
                for part in objects(candidate, "content", "parts"):
                    if isinstance(part.get("functionCall"), dict):
                        alter(part["functionCall"])
        return [[value] for value in values]

    return rewrite


def _calls(value: Json) -> list[Json]:
    return objects(value, "message", "tool_calls")


def _each_call(alter: Callable[[Json], object]) -> Rewrite:
    """Alters the calls of Ollama's."""

    def rewrite(values: list[Json]) -> list[list[Json]]:
        for value in values:
            for call in _calls(value):
                alter(call)
        return [[value] for value in values]

    return rewrite


def _indexed(alter: Callable[[Json], object]) -> Rewrite:
    return _each_call(lambda call: alter(object_at(call, "function")))


def _in_one_line(values: list[Json]) -> list[list[Json]]:
    """All calls of Ollama's in the line of the first; a line that is left empty goes."""
    calls = [call for value in values for call in _calls(value)]
    told: list[list[Json]] = []
    for value in values:
        message = object_at(value, "message")
        had_calls = bool(_calls(value))
        if had_calls:
            message["tool_calls"], calls = calls, []
        says = any(message.get(name) for name in ("content", "thinking", "tool_calls"))
        told.append([value] if says or value.get("done") or not had_calls else [])
    return told


RESPONSES: Final[Mapping[str, Rewrite]] = {
    "same_index": same_key("output_index", _item_call),
    "missing_id": _items(popped("call_id")),
    "null_id": _items(nulled("call_id")),
    "changed_id": _changing_item,
    "interleaved": _numbered(interleaved(_item_call)),
    "one_chunk": _numbered(_without_deltas),
}
GEMINI: Final[Mapping[str, Rewrite]] = {
    "missing_id": _functions(popped("id")),
    "null_id": _functions(nulled("id")),
}
OLLAMA: Final[Mapping[str, Rewrite]] = {
    "missing_index": _indexed(popped("index")),
    "null_index": _indexed(nulled("index")),
    "same_index": _indexed(lambda function: function.update(index=0)),
    "missing_id": _each_call(popped("id")),
    "null_id": _each_call(nulled("id")),
    "one_chunk": _in_one_line,
}
