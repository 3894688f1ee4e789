"""What servers of chat completions do otherwise to the fragments of tool calls."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Final

from cassette_stream.faults.sem.calls import Rewrite, fragments, interleaved, name_of, parsed
from cassette_stream.faults.sem.words import Json, objects, text_at

__all__ = ("CHAT",)


def _each(alter: Callable[[Json, Json, bool], object]) -> Rewrite:
    """Alters each fragment of a chat completion, given the first of its call and if it is that."""

    def rewrite(values: list[Json]) -> list[list[Json]]:
        starts: dict[str, Json] = {}
        for value in values:
            for call, fragment in list(fragments(value)):
                is_first = call not in starts
                start = starts.setdefault(call, deepcopy(fragment))
                alter(fragment, start, is_first)
        return [[value] for value in values]

    return rewrite


def _function(fragment: Json) -> Json:
    function = fragment.get("function")
    if not isinstance(function, dict):
        function = fragment["function"] = {}
    return function


def _set(name: str, value: object, *, first: bool = True) -> Rewrite:
    def alter(fragment: Json, _: Json, is_first: bool) -> None:
        if first or not is_first:
            fragment[name] = value

    return _each(alter)


def _null_id(fragment: Json, _: Json, __: bool) -> None:
    if "id" in fragment:
        fragment["id"] = None


def _changed_id(fragment: Json, start: Json, is_first: bool) -> None:
    if not is_first:
        fragment["id"] = f"{start.get('id')}-2"


def _repeated_id(fragment: Json, start: Json, _: bool) -> None:
    fragment["id"] = start.get("id")


def _repeated_name(fragment: Json, start: Json, _: bool) -> None:
    _function(fragment)["name"] = _function(start).get("name")


def _empty_name(fragment: Json, _: Json, is_first: bool) -> None:
    if not is_first:
        _function(fragment)["name"] = ""


def _null_arguments(fragment: Json, _: Json, is_first: bool) -> None:
    if is_first and not _function(fragment).get("arguments"):
        _function(fragment)["arguments"] = None


def _joined(*, as_object: bool, together: bool) -> Rewrite:
    """Each call whole in its first fragment, or all of them *together* in the first of all."""

    def rewrite(values: list[Json]) -> list[list[Json]]:
        calls: dict[str, Json] = {}
        holders: list[list[Json]] = []
        for value in values:
            for choice in objects(value, "choices"):
                delta = choice.get("delta")
                kept: list[Json] = []
                for fragment in objects(choice, "delta", "tool_calls"):
                    call = name_of(choice, fragment)
                    if call not in calls:
                        calls[call] = fragment
                        (holders[0] if together and holders else kept).append(fragment)
                    else:
                        whole = _function(calls[call])
                        words = text_at(_function(fragment), "arguments")
                        whole["arguments"] = text_at(whole, "arguments") + words
                if isinstance(delta, dict) and "tool_calls" in delta:
                    holders += [kept] if kept else []
                    delta["tool_calls"] = kept
        for whole in map(_function, calls.values() if as_object else ()):
            whole["arguments"] = parsed(whole.get("arguments"))
        return [[value] if _is_of_use(value) else [] for value in values]

    return rewrite


def _is_of_use(value: Json) -> bool:
    """Whether anything is left in a chunk whose fragments went elsewhere."""
    choices = objects(value, "choices")
    if not choices:
        return True
    for choice in choices:
        delta = choice.get("delta")
        if not isinstance(delta, dict) or "tool_calls" not in delta or choice.get("finish_reason"):
            return True
        if delta["tool_calls"] or any(it for name, it in delta.items() if name != "tool_calls"):
            return True
    return False


def _chat_call(value: Json) -> object:
    calls = [call for call, _ in fragments(value)]
    return calls[0] if len(calls) == 1 else None


CHAT: Final[Mapping[str, Rewrite]] = {
    "missing_index": _each(lambda it, _, __: it.pop("index", None)),
    "null_index": _set("index", None),
    "same_index": _set("index", 0),
    "missing_id": _each(lambda it, _, __: it.pop("id", None)),
    "null_id": _each(_null_id),
    "empty_id": _set("id", "", first=False),
    "repeated_id": _each(_repeated_id),
    "changed_id": _each(_changed_id),
    "repeated_name": _each(_repeated_name),
    "empty_name": _each(_empty_name),
    "null_arguments": _each(_null_arguments),
    "object_arguments": _joined(as_object=True, together=False),
    "interleaved": interleaved(_chat_call),
    "one_chunk": _joined(as_object=False, together=True),
}
