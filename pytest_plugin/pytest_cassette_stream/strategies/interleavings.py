"""Parallel tool calls as a provider may send them: fragments in every order there can be.

The fragments of one call come in their order, and calls begin in theirs; joined by their
index they are the calls.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from hypothesis import strategies as st

from cassette_stream import ChatCompletionMessageToolCall
from pytest_cassette_stream.strategies.fragments import Json, fragments_of, pieces_of

__all__ = ("Called", "interleavings", "merged")


class Called(NamedTuple):
    """A call as far as fragments tell it."""

    id: str
    name: str
    arguments: str


def interleavings(
    calls: Iterable[ChatCompletionMessageToolCall],
) -> st.SearchStrategy[list[Json]]:
    """Ways to stream parallel *calls*, as the deltas of OpenAI's chat format.

    A delta has one fragment, or those of several calls. Examples shrink to one call after
    the other, each in one piece.

    Raises:
        TypeError: One of *calls* is no call of a function.
        ValueError: Two of them have one id, or one has none.
    """
    told = [_called(call) for call in calls]
    ids = [call.id for call in told]
    if "" in ids or len({*ids}) < len(ids):
        raise ValueError(f"calls that are streamed side by side need ids of their own, not {ids}")
    return _interleavings(told)


def _called(call: object) -> Called:
    if not isinstance(call, ChatCompletionMessageToolCall):
        raise TypeError(f"calls are ChatCompletionMessageToolCall, not {call!r}")
    name = call.function.name
    if call.custom is not None or not name:
        raise TypeError(f"interleavings takes calls of functions, this is none: {call!r}")
    return Called(call.id, name, call.function.arguments)


@st.composite
def _interleavings(draw: st.DrawFn, calls: Sequence[Called]) -> list[Json]:
    queues = [
        fragments_of(index, call.id, call.name, draw(pieces_of(call.arguments)))
        for index, call in enumerate(calls)
    ]
    deltas: list[Json] = []
    for fragment in draw(merged(queues)):
        several = deltas[-1]["tool_calls"] if deltas else []
        # A list has one fragment of a call: no provider is known to send two.
        alone = fragment["index"] in {it["index"] for it in several}
        if several and not alone and draw(st.booleans()):
            several.append(fragment)
        else:
            deltas.append({"tool_calls": [fragment]})
    return deltas


@st.composite
def merged(draw: st.DrawFn, queues: Sequence[Sequence[Json]]) -> list[Json]:
    """The fragments of all *queues* in some order that keeps that of each, and of their firsts."""
    left = [list(queue) for queue in queues]
    begun, found = 0, []
    while any(left):
        ready = [n for n, queue in enumerate(left) if queue and n <= begun]
        chosen = draw(st.sampled_from(ready)) if len(ready) > 1 else ready[0]
        begun = max(begun, chosen + 1)
        found.append(left[chosen].pop(0))
    return found
