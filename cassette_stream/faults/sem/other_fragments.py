"""What servers of the other dialects do otherwise to the events of tool calls."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from cassette_stream.faults.sem.calls import Rewrite, interleaved, parsed
from cassette_stream.faults.sem.words import Json, objects, text_at

__all__ = ("ANTHROPIC", "GEMINI", "RESPONSES")

Key: TypeAlias = Callable[[Json], object]


def _block_call(value: Json) -> object:
    return value.get("index") if str(value.get("type")).startswith("content_block") else None


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


def _blocks(alter: Callable[[Json], object]) -> Rewrite:
    """Alters where a call of Anthropic's begins."""

    def rewrite(values: list[Json]) -> list[list[Json]]:
        for value in values:
            block = value.get("content_block")
            if isinstance(block, dict) and block.get("type") == "tool_use":
                alter(block)
        return [[value] for value in values]

    return rewrite


def _null_json(values: list[Json]) -> list[list[Json]]:
    for value in values:
        delta = value.get("delta")
        if isinstance(delta, dict) and delta.get("partial_json") == "":
            delta["partial_json"] = None
    return [[value] for value in values]


def _whole_input(values: list[Json]) -> list[list[Json]]:
    """A call of Anthropic's with its input where it begins, as proxies do, and no deltas."""
    starts: dict[str, Json] = {}
    words: dict[str, str] = {}
    told: list[list[Json]] = []
    for value in values:
        block, delta = value.get("content_block"), value.get("delta")
        if isinstance(block, dict) and block.get("type") == "tool_use":
            starts[repr(value.get("index"))] = block
        is_part = isinstance(delta, dict) and "partial_json" in delta
        if isinstance(delta, dict) and is_part:
            index = repr(value.get("index"))
            words[index] = words.get(index, "") + text_at(delta, "partial_json")
        told.append([] if is_part else [value])
    for index, text in words.items():
        if text and index in starts:
            starts[index]["input"] = parsed(text)
    return told


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


def _at_one(name: str, key: Key) -> Rewrite:
    """All calls at the index of the first."""

    def rewrite(values: list[Json]) -> list[list[Json]]:
        first = next((key(value) for value in values if key(value) is not None), None)
        for value in values:
            if key(value) is not None:
                value[name] = first
        return [[value] for value in values]

    return rewrite


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


def _pop(name: str) -> Callable[[Json], object]:
    return lambda holder: holder.pop(name, None)


def _nulled(name: str) -> Callable[[Json], object]:
    return lambda holder: holder.update({name: None})


RESPONSES: Final[Mapping[str, Rewrite]] = {
    "same_index": _at_one("output_index", _item_call),
    "missing_id": _items(_pop("call_id")),
    "null_id": _items(_nulled("call_id")),
    "changed_id": _changing_item,
    "interleaved": _numbered(interleaved(_item_call)),
    "one_chunk": _numbered(_without_deltas),
}
ANTHROPIC: Final[Mapping[str, Rewrite]] = {
    "same_index": _at_one("index", _block_call),
    "missing_id": _blocks(_pop("id")),
    "null_id": _blocks(_nulled("id")),
    "null_arguments": _null_json,
    "object_arguments": _whole_input,
    "interleaved": interleaved(_block_call),
}
GEMINI: Final[Mapping[str, Rewrite]] = {
    "missing_id": _functions(_pop("id")),
    "null_id": _functions(_nulled("id")),
}
