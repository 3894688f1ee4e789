"""Interleavings of parallel calls, and the quirks of providers, on our own accumulators."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import Any

import pytest
from drawing import PASTED, drawn, pasted, smallest
from hypothesis import given, settings
from hypothesis import strategies as st
from pytest_cassette_stream.strategies import (
    QUIRKS,
    MeantCall,
    Quirk,
    interleavings,
    quirks,
    tool_calls,
)
from support import SOAK

from cassette_stream import (
    ChatCompletionMessageToolCall,
    Custom,
    Function,
    ToolCallAccumulator,
    stream_chunk_builder,
)
from cassette_stream.chunks import NormalForm
from cassette_stream.dialects import openai_chat

Json = dict[str, Any]
parallel = st.lists(tool_calls(), max_size=3, unique_by=lambda call: call.id)
F = ChatCompletionMessageToolCall(id="a", function=Function(name="f", arguments='{"x":1}'))
G = ChatCompletionMessageToolCall(id="b", function=Function(name="g", arguments="{}"))


@settings(max_examples=200 if SOAK else 25)
@given(calls=parallel, data=st.data())
def test_interleaved_fragments_are_the_calls(calls: list[Any], data: st.DataObject) -> None:
    deltas = data.draw(interleavings(calls))
    summed: dict[int, list[str]] = {}
    accumulator = ToolCallAccumulator()
    for fragment in (it for delta in deltas for it in delta["tool_calls"]):
        call = summed.setdefault(fragment["index"], ["", "", ""])
        function = fragment["function"]
        for n, piece in enumerate(
            (fragment.get("id"), function.get("name"), function["arguments"])
        ):
            call[n] += piece or ""
        accumulator.add([fragment])

    # Calls begin in their order, so whoever goes by that is right as well.
    assert list(summed) == list(range(len(calls)))
    assert list(summed.values()) == [
        [it.id, it.function.name, it.function.arguments] for it in calls
    ]
    assert accumulator.calls == calls


def test_every_order_of_two_calls_is_reached() -> None:
    orders = Counter(
        tuple(it["index"] for delta in deltas for it in delta["tool_calls"])
        for deltas in drawn(interleavings([F, G]), 100)
    )

    # Each of the two begins, and goes on with at least one piece.
    assert {(0, 0, 1, 1), (0, 1, 0, 1), (0, 1, 1, 0)} <= {*orders}
    assert len(orders) > 10


def test_interleavings_shrink_to_what_makes_them_one() -> None:
    def told(index: int, arguments: str) -> Json:
        return {"index": index, "function": {"arguments": arguments}}

    def opened(index: int, call: Any) -> Json:
        function = {"name": call.function.name, "arguments": ""}
        return {"index": index, "id": call.id, "type": "function", "function": function}

    serial = [[opened(0, F)], [told(0, '{"x":1}')], [opened(1, G)], [told(1, "{}")]]
    mixed = [serial[0], serial[2], serial[3], serial[1]]
    together = [[opened(0, F), opened(1, G)], serial[1], serial[3]]

    def least(condition: Any) -> list[list[Json]]:
        return [it["tool_calls"] for it in smallest(interleavings([F, G]), condition)]

    assert least(lambda _: True) == serial
    assert least(lambda it: it[1]["tool_calls"][0]["index"] == 1) == mixed
    assert least(lambda it: len(it[0]["tool_calls"]) == 2) == together


@pytest.mark.parametrize(
    ("calls", "error"),
    [
        ([F, F], ValueError),
        ([ChatCompletionMessageToolCall(id="", function=F.function)], ValueError),
        ([{"id": "a"}], TypeError),
        (
            [ChatCompletionMessageToolCall(id="a", type="custom", custom=Custom(name="c"))],
            TypeError,
        ),
    ],
    ids=["an id twice", "no id", "a dict", "a custom tool"],
)
def test_calls_that_cannot_be_told_apart_are_refused(
    calls: list[Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        interleavings(calls)


def meant(response: Any) -> list[tuple[str, str, str]]:
    calls = response.choices[0].message.tool_calls or ()
    return [(call.id, call.function.name, call.function.arguments) for call in calls]


def same_calls(quirk: Quirk, calls: list[tuple[str, str, str]]) -> bool:
    """Whether *calls* are what the quirk means; where it gives no id any will do, but its own."""
    assert len({call[0] for call in calls}) == len(calls)
    assert all(call[0] for call in calls)
    said = [
        (one if it.id else None, *rest) for it, (one, *rest) in zip(quirk.calls, calls, strict=True)
    ]
    told = [(it.id, it.name, it.arguments) for it in quirk.calls]
    if quirk.name == "object_arguments":
        said, told = ([(*it[:2], json.loads(it[2])) for it in several] for several in (said, told))
    return said == told


@pytest.mark.parametrize("name", QUIRKS)
def test_our_accumulators_make_of_a_quirk_what_it_means(name: str) -> None:
    @settings(max_examples=200 if SOAK else 8)
    @given(quirks(only=name))
    def check(quirk: Quirk) -> None:
        raw = stream_chunk_builder(quirk.chunks)
        decoder, form = openai_chat.Decoder(), NormalForm()
        chunks = [*form.feed(decoder.feed(quirk.body)), *form.feed(decoder.finish()), *form.end()]
        response = stream_chunk_builder(chunks)
        assert raw is not None
        assert response is not None
        message = response.choices[0].message

        assert same_calls(quirk, meant(raw))
        assert same_calls(quirk, meant(response))
        assert message.content == quirk.content
        assert message.refusal == quirk.refusal
        assert response.choices[0].finish_reason == quirk.finish_reason

    check()


def test_every_quirk_is_reached_and_named_by_who_does_it() -> None:
    found = Counter(quirk.name for quirk in drawn(quirks(), 300))

    assert set(found) == set(QUIRKS)
    reported = {name for name, text in QUIRKS.items() if re.search(r"[\w.-]+/[\w.-]+#\d+", text)}
    assert {name for name, text in QUIRKS.items() if "no public report" in text} == (
        set(QUIRKS) - reported
    )
    assert all(text.endswith(".") and text.count(". ") == 0 for text in QUIRKS.values())


def test_quirks_are_switched_by_their_names() -> None:
    only = drawn(quirks(only=["refusal", "same_index"]), 40)
    rest = drawn(quirks(exclude=set(QUIRKS) - {"late_id", "refusal"}), 40)
    one = drawn(quirks(only=["refusal", "same_index"], exclude="refusal"), 10)

    assert {it.name for it in only} == {"refusal", "same_index"}
    assert {it.name for it in rest} == {"late_id", "refusal"}
    assert {it.name for it in one} == {"same_index"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"only": "same_idx"}, "nearest: same_index"),
        ({"exclude": ["nothing"]}, "there are missing_index"),
        ({"only": []}, "leave it out"),
        ({"only": 3}, "a text or several"),
        ({"exclude": QUIRKS}, "leaves none"),
        ({"only": "refusal", "exclude": "refusal"}, "leaves none"),
    ],
    ids=str,
)
def test_quirks_that_there_are_not_are_refused(options: Json, message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        quirks(**options)


@pytest.mark.parametrize(
    ("name", "fragments"),
    [
        ("null_arguments", [("get_weather", None), (None, "{}")]),
        ("whole_call", [("get_weather", "{}")]),
        ("no_arguments", [("get_weather", "absent")]),
        ("object_arguments", [("get_weather", {})]),
        ("empty_delta", [("get_weather", ""), (None, ""), (None, "{}")]),
        ("same_index", [("get_weather", ""), (None, "{}")] * 2),
    ],
)
def test_a_quirk_shrinks_to_the_fewest_fragments(name: str, fragments: list[Any]) -> None:
    quirk = smallest(quirks(only=name))
    told = [
        (it["function"].get("name"), it["function"].get("arguments", "absent"))
        for chunk in quirk.chunks
        for it in chunk["choices"][0]["delta"].get("tool_calls", ())
    ]

    assert told == fragments
    assert {it.name for it in quirk.calls} == {"get_weather"}


def test_a_quirk_has_its_bytes() -> None:
    quirk = smallest(quirks(only="refusal"))

    assert quirk.calls == ()
    assert quirk.body.count(b"data: ") == len(quirk.chunks) + 1
    assert quirk.body.endswith(b"data: [DONE]\n\n")


@pytest.mark.parametrize(
    "name", ["same_index", "cumulative_arguments", "refusal", "signed_calls", "object_arguments"]
)
def test_what_is_printed_can_be_pasted(name: str) -> None:
    for value in drawn(quirks(only=name), 5):
        assert eval(repr(value), PASTED) == value
    printed, value = pasted(quirks(only=name), lambda it: len(it.body) > 1_000)
    assert printed == value


def test_the_calls_of_an_interleaving_can_be_pasted() -> None:
    printed, value = pasted(interleavings([F, G]), lambda it: len(it) == 3)
    assert printed == value


def test_a_call_without_an_id_says_so() -> None:
    assert smallest(quirks(only="missing_id")).calls == (MeantCall(None, "get_weather", "{}"),)
