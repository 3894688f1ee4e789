"""How the servers with a quirk tell an answer: one function for each, by its name.

Each draws an answer and gives the deltas that such a server makes of it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from hypothesis import strategies as st

from pytest_cassette_stream.strategies.fragments import (
    Json,
    continued,
    fragments_of,
    opened,
    pieces_of,
)
from pytest_cassette_stream.strategies.interleavings import Called, merged
from pytest_cassette_stream.strategies.json_arguments import json_arguments
from pytest_cassette_stream.strategies.made import made
from pytest_cassette_stream.strategies.texts import texts

__all__ = ("TELLINGS", "Told")

_NAMES = ("get_weather", "now", "search-web")
_IDS = ("call_a", "call_b", "call_c")
_TEXTS = texts().filter(bool)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """The *deltas* of an answer, and what they mean; *without_ids* if the server gives none."""

    deltas: Sequence[Json] = ()
    calls: Sequence[Called] = ()
    without_ids: bool = False
    content: str | None = None
    refusal: str | None = None
    finish: str = "tool_calls"


def _calls(draw: st.DrawFn, *, least: int = 1, most: int = 3, long: bool = False) -> list[Called]:
    """Calls of one answer; *long* if their arguments have something in them."""
    count = draw(st.integers(least, most))
    names = [draw(st.sampled_from(_NAMES)) for _ in range(count)]
    return [
        Called(id_, name, draw(_LONG if long else _ARGUMENTS))
        for id_, name in zip(_IDS, names, strict=False)
    ]


_ARGUMENTS = json_arguments(max_leaves=1)
_LONG = made(json.dumps, st.dictionaries(st.sampled_from(["city", "größe"]), texts(), min_size=1))


def _streamed(draw: st.DrawFn, calls: Sequence[Called]) -> list[list[Json]]:
    """The fragments of each call, as they should be."""
    return [
        fragments_of(index, call.id, call.name, draw(pieces_of(call.arguments)))
        for index, call in enumerate(calls)
    ]


def _whole(calls: Sequence[Called]) -> list[list[Json]]:
    """The same, each call in one."""
    return [[opened(n, call.id, call.name, call.arguments)] for n, call in enumerate(calls)]


def _deltas(queues: Sequence[Sequence[Json]]) -> list[Json]:
    return [{"tool_calls": [fragment]} for queue in queues for fragment in queue]


def _without(fragment: Json, name: str) -> Json:
    return {key: value for key, value in fragment.items() if key != name}


def _function(fragment: Json, **changed: object) -> Json:
    return {**fragment, "function": {**fragment["function"], **changed}}


def _either(draw: st.DrawFn, calls: Sequence[Called]) -> tuple[list[list[Json]], bool]:
    """Calls in fragments with their ids, or whole without: a server needs one of the two."""
    if draw(st.booleans()):
        return [[_without(it, "id") for it in queue] for queue in _whole(calls)], True
    return _streamed(draw, calls), False


def _missing_index(draw: st.DrawFn) -> Told:
    calls = _calls(draw)
    queues, without_ids = _either(draw, calls)
    null: Json = draw(st.sampled_from([{}, {"index": None}]))
    told = [[_without(it, "index") | null for it in queue] for queue in queues]
    return Told(deltas=_deltas(told), calls=calls, without_ids=without_ids)


def _same_index(draw: st.DrawFn) -> Told:
    calls = _calls(draw, least=2)
    # The same call twice, without an id, is one that was sent again.
    is_told = all(one[1:] != other[1:] for one, other in pairwise(calls))
    queues, without_ids = _either(draw, calls) if is_told else (_streamed(draw, calls), False)
    told = [[it | {"index": 0} for it in queue] for queue in queues]
    return Told(deltas=_deltas(told), calls=calls, without_ids=without_ids)


def _interleaved(draw: st.DrawFn) -> Told:
    calls = _calls(draw, least=2)
    return Told(deltas=_deltas([draw(merged(_streamed(draw, calls)))]), calls=calls)


def _index_not_from_zero(draw: st.DrawFn) -> Told:
    calls = _calls(draw)
    first, apart = draw(st.integers(1, 5)), draw(st.integers(1, 3))
    told = [
        [it | {"index": first + apart * it["index"]} for it in queue]
        for queue in _streamed(draw, calls)
    ]
    return Told(deltas=_deltas(told), calls=calls)


def _each_continued(
    change: Callable[[Json, Called], Json],
) -> Callable[[st.DrawFn], Told]:
    """One that changes every fragment of a call but the first."""

    def tell(draw: st.DrawFn) -> Told:
        calls = _calls(draw)
        told = [
            [first, *(change(it, call) for it in rest)]
            for (first, *rest), call in zip(_streamed(draw, calls), calls, strict=True)
        ]
        return Told(deltas=_deltas(told), calls=calls)

    return tell


def _missing_id(draw: st.DrawFn) -> Told:
    calls = _calls(draw)
    empty: Json = draw(st.sampled_from([{}, {"id": None}, {"id": ""}]))
    told = [[_without(it, "id") | empty for it in queue] for queue in _streamed(draw, calls)]
    return Told(deltas=_deltas(told), calls=calls, without_ids=True)


def _late_id(draw: st.DrawFn) -> Told:
    calls = _calls(draw)
    told = []
    for call, (first, *rest) in zip(calls, _streamed(draw, calls), strict=True):
        late = draw(st.integers(0, len(rest) - 1))
        named = [it | {"id": call.id} if n == late else it for n, it in enumerate(rest)]
        told.append([_without(first, "id"), *named])
    return Told(deltas=_deltas(told), calls=calls)


def _split_name(draw: st.DrawFn) -> Told:
    calls = _calls(draw)
    told = []
    for index, (call, (first, *rest)) in enumerate(zip(calls, _streamed(draw, calls), strict=True)):
        at = draw(st.integers(1, len(call.name) - 1))
        second = {"index": index, "function": {"name": call.name[at:]}}
        told.append([_function(first, name=call.name[:at]), second, *rest])
    return Told(deltas=_deltas(told), calls=calls)


def _first_arguments(*values: Json) -> Callable[[st.DrawFn], Told]:
    """One whose first fragments have, in place of no text, one of these."""

    def tell(draw: st.DrawFn) -> Told:
        calls = _calls(draw)
        given = draw(st.sampled_from(values))
        told = [
            [first | {"function": {"name": call.name, **given}}, *rest]
            for call, (first, *rest) in zip(calls, _streamed(draw, calls), strict=True)
        ]
        return Told(deltas=_deltas(told), calls=calls)

    return tell


def _object_arguments(draw: st.DrawFn) -> Told:
    calls = _calls(draw)
    told = [
        [_function(it, arguments=json.loads(call.arguments)) for it in queue]
        for call, queue in zip(calls, _whole(calls), strict=True)
    ]
    return Told(deltas=_deltas(told), calls=calls)


def _whole_call(draw: st.DrawFn) -> Told:
    calls = _calls(draw)
    queues = _whole(calls)
    together = [{"tool_calls": [it for queue in queues for it in queue]}]
    return Told(deltas=together if draw(st.booleans()) else _deltas(queues), calls=calls)


def _no_arguments(draw: st.DrawFn) -> Told:
    calls = [call._replace(arguments="{}") for call in _calls(draw)]
    given: Json = draw(st.sampled_from([{}, {"arguments": ""}, {"arguments": None}]))
    told = [
        [it | {"function": {"name": call.name, **given}}]
        for call, [it] in zip(calls, _whole(calls), strict=True)
    ]
    return Told(deltas=_deltas(told), calls=calls)


def _between(make: Callable[[int], Json]) -> Callable[[st.DrawFn], Told]:
    """One that puts another fragment behind one of each call."""

    def tell(draw: st.DrawFn) -> Told:
        calls = _calls(draw)
        queues = _streamed(draw, calls)
        for index, queue in enumerate(queues):
            queue.insert(draw(st.integers(1, len(queue))), make(index))
        return Told(deltas=_deltas(queues), calls=calls)

    return tell


def _cumulative_arguments(draw: st.DrawFn) -> Told:
    calls = _calls(draw, long=True)
    told = []
    for index, call in enumerate(calls):
        # Once is no habit yet: it takes three to tell.
        pieces = draw(pieces_of(call.arguments, least=3))
        so_far = ["".join(pieces[: n + 1]) for n in range(len(pieces))]
        told.append(fragments_of(index, call.id, call.name, so_far))
    return Told(deltas=_deltas(told), calls=calls)


def _final_copy(draw: st.DrawFn) -> Told:
    calls = _calls(draw, long=True)
    named = draw(st.booleans())
    told = [
        [*queue, opened(n, *call) if named else continued(n, call.arguments)]
        for n, (call, queue) in enumerate(zip(calls, _streamed(draw, calls), strict=True))
    ]
    return Told(deltas=_deltas(told), calls=calls)


def _finish_stop(draw: st.DrawFn) -> Told:
    calls = _calls(draw)
    return Told(deltas=_deltas(_streamed(draw, calls)), calls=calls, finish="stop")


def _empty_tool_calls(draw: st.DrawFn) -> Told:
    content = draw(_TEXTS)
    pieces = draw(pieces_of(content))
    deltas = [{"content": piece, "tool_calls": []} for piece in pieces]
    return Told(deltas=deltas, content=content, finish="stop")


def _signed_calls(draw: st.DrawFn) -> Told:
    calls = _calls(draw)
    queues = _streamed(draw, calls)
    signature = draw(st.text("abcXYZ+/=", min_size=1, max_size=12))
    extra = {"google": {"thought_signature": signature}}
    told = [[first | {"extra_content": extra}, *rest] for first, *rest in queues]
    return Told(deltas=_deltas(told), calls=calls)


def _text_around_calls(draw: st.DrawFn) -> Told:
    calls = _calls(draw)
    before, after = draw(_TEXTS), draw(texts())
    deltas = [{"content": before}, *_deltas(_streamed(draw, calls))]
    deltas += [{"content": after}] if after else []
    return Told(deltas=deltas, calls=calls, content=before + after)


def _refusal(draw: st.DrawFn) -> Told:
    refusal = draw(_TEXTS)
    pieces = draw(pieces_of(refusal))
    deltas: list[Json] = [{"content": None, "refusal": ""}]
    deltas += [{"refusal": piece} for piece in pieces]
    return Told(deltas=deltas, refusal=refusal, finish="stop")


TELLINGS: Mapping[str, Callable[[st.DrawFn], Told]] = {
    "missing_index": _missing_index,
    "same_index": _same_index,
    "interleaved": _interleaved,
    "index_not_from_zero": _index_not_from_zero,
    "repeated_id": _each_continued(lambda it, call: it | {"id": call.id}),
    "empty_id": _each_continued(lambda it, _: it | {"id": ""}),
    "missing_id": _missing_id,
    "late_id": _late_id,
    "repeated_name": _each_continued(lambda it, call: _function(it, name=call.name)),
    "empty_name": _each_continued(lambda it, _: _function(it, name="")),
    "split_name": _split_name,
    "late_arguments": _first_arguments({}),
    "null_arguments": _first_arguments({"arguments": None}),
    "object_arguments": _object_arguments,
    "whole_call": _whole_call,
    "no_arguments": _no_arguments,
    "empty_delta": _between(lambda index: continued(index, "")),
    "cumulative_arguments": _cumulative_arguments,
    "final_copy": _final_copy,
    "finish_stop": _finish_stop,
    "empty_tool_calls": _empty_tool_calls,
    "null_function": _between(lambda index: {"index": index, "function": None}),
    "signed_calls": _signed_calls,
    "text_around_calls": _text_around_calls,
    "refusal": _refusal,
}
