"""The accumulator, on what providers send and on all that they do otherwise."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from parley import Answer, Client
from pytest_cassette_stream import laws, strategies
from pytest_cassette_stream.laws import LawError, accumulator_machine, check_accumulator
from pytest_cassette_stream.strategies import (
    ChunkStream,
    MeantCall,
    Quirk,
    chunk_streams,
    completions,
    interleavings,
    json_arguments,
    quirks,
    tool_calls,
)

SENT_AGAIN = ("cumulative_arguments", "final_copy")
"""What this package does not bear: arguments that are sent once more."""

TestSteps = accumulator_machine(Answer).TestCase


def accumulate(chunks: Iterable[dict[str, Any]]) -> dict[str, Any]:
    answer = Answer()
    for chunk in chunks:
        answer.add(chunk)
    return answer.response()


def calls_of(answer: dict[str, Any]) -> list[tuple[str, str, object]]:
    return [(it["id"], it["name"], json.loads(it["arguments"])) for it in answer["tool_calls"]]


def test_it_keeps_the_laws():
    check_accumulator(accumulate, exclude=SENT_AGAIN)


def test_what_it_does_not_bear_is_told_by_name():
    assert laws.QUIRKS.keys() >= strategies.QUIRKS.keys() > {*SENT_AGAIN}
    for quirk in SENT_AGAIN:
        with pytest.raises(LawError) as raised:
            check_accumulator(accumulate, exclude=laws.QUIRKS.keys() - {quirk}, cost=False)

        assert quirk in raised.value.seen


@given(quirks(exclude=SENT_AGAIN))
def test_what_is_odd_is_understood(quirk):
    answer = accumulate(quirk.chunks)

    assert isinstance(quirk, Quirk)
    assert all(isinstance(call, MeantCall) for call in quirk.calls)
    assert [call["name"] for call in answer["tool_calls"]] == [call.name for call in quirk.calls]


@given(completions(dialect="openai_chat", max_calls=2))
def test_an_answer_is_what_was_completed(completion):
    [choice] = completion.choices
    answer = accumulate(ChunkStream("openai_chat", completion, pieces=(1, 3)).chunks)

    assert answer["content"] == (choice.message.content or "")
    assert len(answer["tool_calls"]) == len(choice.message.tool_calls or ())


@given(chunk_streams(dialect="openai_chat", completions=completions(dialect="openai_chat")))
def test_an_answer_is_what_was_streamed(stream):
    assert accumulate(stream.chunks)["content"] == (
        stream.expected.choices[0].message.content or ""
    )


@given(
    st.lists(
        tool_calls(arguments=json_arguments()), max_size=3, unique_by=lambda call: call.id
    ).flatmap(lambda calls: st.tuples(st.just(calls), interleavings(calls)))
)
def test_parallel_calls_are_kept_apart(case):
    calls, deltas = case
    answer = accumulate({"choices": [{"index": 0, "delta": delta}]} for delta in deltas)

    assert sorted(calls_of(answer), key=str) == sorted(
        ((it.id, it.function.name, json.loads(it.function.arguments)) for it in calls), key=str
    )


@given(json_arguments())
def test_arguments_are_objects(arguments):
    assert isinstance(json.loads(arguments), dict)


@pytest.mark.cassette("counting")
@given(repeats=st.integers(1, 3))
def test_each_example_has_the_whole_cassette(current_cassette, repeats):
    assert current_cassette().played == ()
    with Client("http://127.0.0.1:1/v1") as client:
        assert client.ask("Count from 1 to 5") == "1, 2, 3, 4, 5."
