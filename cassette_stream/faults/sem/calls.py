"""The tool calls of a stream as one piece of work: held back, changed, and given again.

A change gets the JSON values of the events from the first fragment of a call to the finish
reason, and gives for each the values that come in its place: itself, others, or none.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from typing import Final, TypeAlias

from cassette_stream.dialects.encoding import weave
from cassette_stream.faults.dialect import Dialect
from cassette_stream.faults.edit import Edit, Seen, Settle
from cassette_stream.faults.sem.words import (
    Json,
    is_finish,
    kind_in,
    kind_of,
    object_at,
    objects,
    written,
)

__all__ = (
    "Rewrite",
    "fragments",
    "interleaved",
    "name_of",
    "nulled",
    "parsed",
    "popped",
    "rewriting",
    "same_key",
    "start_of",
)

Rewrite: TypeAlias = Callable[[list[Json]], list[list[Json]]]
Key: TypeAlias = Callable[[Json], object]

_MOST_HELD: Final = 10_000
"""Calls of more events than this are left alone: a loop must not fill the memory."""


def rewriting(rewrites: dict[Dialect, Rewrite]) -> Settle:
    """Holds back the calls of a stream, and changes them as its dialect says."""

    def settle(waiting: Sequence[Seen], over: bool) -> list[list[Edit]]:
        first, last = waiting[0], waiting[-1]
        rewrite = rewrites.get(first.dialect) if first.dialect is not None else None
        if rewrite is None or not _begins(first) or len(waiting) >= _MOST_HELD:
            return [[] for _ in waiting]
        if not (over or is_finish(last)):
            return []
        values = [seen.value if isinstance(seen.value, dict) else {} for seen in waiting]
        told = rewrite(deepcopy(values))
        return [_edits(*it) for it in zip(waiting, values, told, strict=True)]

    return settle


def _begins(seen: Seen) -> bool:
    """Whether a call begins with it."""
    value = object_at(seen.value)
    told: object
    match seen.dialect:
        case "openai_chat":
            told = list(fragments(value))
        case "openai_responses":
            told = start_of(value, "response.output_item.added", "item") == "function_call"
        case "anthropic":
            told = start_of(value, "content_block_start", "content_block") == "tool_use"
        case "cohere":
            told = kind_of(seen) == "tool-call-start"
        case "ollama":
            told = objects(value, "message", "tool_calls")
        case "bedrock_converse":
            told = object_at(value, "start", "toolUse")
        case _:
            candidates = objects(value, "candidates")
            parts = [it for each in candidates for it in objects(each, "content", "parts")]
            told = any(part.get("functionCall") for part in parts)
    return bool(told)


def start_of(value: Json, kind: str, name: str) -> object:
    """The type of what begins with the event *value*; None if it is not of that *kind*."""
    begun = value.get(name) if value.get("type") == kind else None
    return begun.get("type") if isinstance(begun, dict) else None


def fragments(value: Json) -> Iterator[tuple[str, Json]]:
    """The fragments of calls in a chunk of a chat completion, and the call that each is of."""
    for choice in objects(value, "choices"):
        for fragment in objects(choice, "delta", "tool_calls"):
            yield name_of(choice, fragment), fragment


def name_of(choice: Json, fragment: Json) -> str:
    """Which call a *fragment* is of."""
    return f"{choice.get('index', 0)!r}/{fragment.get('index', 0)!r}"


def _edits(seen: Seen, value: Json, told: list[Json]) -> list[Edit]:
    if told == [value] or (not value and told == [{}]):
        return []
    if len(told) == 1 and kind_in(told[0], seen.dialect) == kind_of(seen):
        return seen.with_value(told[0])
    return seen.replaced_by(b"".join(written(seen, it) for it in told))


def interleaved(key: Key) -> Rewrite:
    """The events of several calls in turn; *key* tells of which call an event is, if of any."""

    def rewrite(values: list[Json]) -> list[list[Json]]:
        calls: dict[str, list[Json]] = {}
        for value in values:
            if (call := key(value)) is not None:
                calls.setdefault(repr(call), []).append(value)
        turns = weave(calls.values(), interleave=True)
        return [[next(turns) if key(value) is not None else value] for value in values]

    return rewrite


def same_key(name: str, key: Key) -> Rewrite:
    """All calls with the *name* of the first; *key* as for `interleaved`."""

    def rewrite(values: list[Json]) -> list[list[Json]]:
        first = next((key(value) for value in values if key(value) is not None), None)
        for value in values:
            if key(value) is not None:
                value[name] = first
        return [[value] for value in values]

    return rewrite


def popped(name: str) -> Callable[[Json], object]:
    return lambda holder: holder.pop(name, None)


def nulled(name: str) -> Callable[[Json], object]:
    return lambda holder: holder.update({name: None})


def parsed(arguments: object) -> object:
    """The value that *arguments* spell; themselves where they spell none."""
    try:
        return json.loads(str(arguments))
    except ValueError:
        return arguments
