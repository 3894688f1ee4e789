"""How the arguments of the last call are cut, in each dialect that streams them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from cassette_stream.faults.sem.calls import Rewrite, fragments, start_of
from cassette_stream.faults.sem.words import Json, kind_in, object_at, objects

if TYPE_CHECKING:
    from cassette_stream.faults.dialect import Dialect

__all__ = ("CUTS",)


class _Scissors:
    """Lets the first half of the arguments through; a call without any stays."""

    def __init__(self, whole: str) -> None:
        self.kept = whole[: len(whole.rstrip()) // 2] if len(whole.rstrip()) > 1 else whole
        self._left = len(self.kept)

    def __call__(self, words: str) -> str:
        kept = words[: self._left]
        self._left -= len(kept)
        return kept


def _words(holder: object, name: str) -> str:
    words = holder.get(name) if isinstance(holder, dict) else None
    return words if isinstance(words, str) else ""


def _cut(values: list[Json], holders: Callable[[Json], list[Json]], name: str) -> list[list[Json]]:
    """Cuts what the *holders* in all *values* have as *name*; an event that is left empty goes."""
    scissors = _Scissors("".join(_words(it, name) for value in values for it in holders(value)))
    told: list[list[Json]] = []
    for value in values:
        found = [it for it in holders(value) if _words(it, name)]
        for holder in found:
            holder[name] = scissors(holder[name])
        is_empty = bool(found) and not any(holder[name] for holder in found)
        told.append([] if is_empty and _is_only(value) else [value])
    return told


def _is_only(value: Json) -> bool:
    """Whether the event told nothing but arguments, of one call."""
    if kind_in(value, None) in {"content_block_delta", "tool-call-delta"} or _use(value):
        return True
    found = [fragment for _, fragment in fragments(value)]
    choices = objects(value, "choices")
    return (
        len(found) == len(choices) == 1
        and set(object_at(choices[0], "delta")) == {"tool_calls"}
        and not found[0].get("id")
        and not object_at(found[0], "function").get("name")
        and not choices[0].get("finish_reason")
    )


def _chat(values: list[Json]) -> list[list[Json]]:
    calls = list(dict.fromkeys(call for value in values for call, _ in fragments(value)))

    def holders(value: Json) -> list[Json]:
        found = [it.get("function") for call, it in fragments(value) if call == calls[-1]]
        return [it for it in found if isinstance(it, dict)]

    return _cut(values, holders, "arguments")


def _anthropic(values: list[Json]) -> list[list[Json]]:
    kind, name = "content_block_start", "content_block"
    last = [it.get("index") for it in values if start_of(it, kind, name) == "tool_use"][-1]

    def holders(value: Json) -> list[Json]:
        delta = value.get("delta")
        return [delta] if isinstance(delta, dict) and value.get("index") == last else []

    return _cut(values, holders, "partial_json")


def _cohere(values: list[Json]) -> list[list[Json]]:
    last = [it.get("index") for it in values if it.get("type") == "tool-call-start"][-1]

    def holders(value: Json) -> list[Json]:
        call = object_at(value, "delta", "message", "tool_calls", "function")
        return [call] if value.get("index") == last else []

    return _cut(values, holders, "arguments")


def _converse(values: list[Json]) -> list[list[Json]]:
    name = "contentBlockIndex"
    last = [it.get(name) for it in values if object_at(it, "start", "toolUse")][-1]
    return _cut(values, lambda value: [_use(value)] if value.get(name) == last else [], "input")


def _use(value: Json) -> Json:
    """What an event of Converse's tells of the arguments of a call."""
    return object_at(value, "delta", "toolUse")


def _responses(values: list[Json]) -> list[list[Json]]:
    """The copies of the arguments are cut as well; no event goes, for they are numbered."""
    kind = "response.output_item.added"
    begun = [it for it in values if start_of(it, kind, "item") == "function_call"][-1]
    index, call = begun.get("output_index"), begun["item"].get("call_id")
    of_call = [it for it in values if it.get("output_index") == index]
    deltas = [it for it in of_call if it.get("type") == "response.function_call_arguments.delta"]
    scissors = _Scissors("".join(_words(it, "delta") for it in deltas))
    for delta in deltas:
        delta["delta"] = scissors(_words(delta, "delta"))
    items = [item for value in values for item in objects(value.get("response"), "output")]
    copies = [*of_call, *(it.get("item") for it in of_call)]
    copies += [item for item in items if item.get("call_id") == call]
    for copy in copies if deltas else ():
        if isinstance(copy, dict) and _words(copy, "arguments"):
            copy["arguments"] = scissors.kept
    return [[value] for value in values]


CUTS: Final[dict[Dialect, Rewrite]] = {
    "openai_chat": _chat,
    "openai_responses": _responses,
    "anthropic": _anthropic,
    "cohere": _cohere,
    "bedrock_converse": _converse,
}
