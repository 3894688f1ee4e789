"""Tool calls and whole responses, put together from what was streamed."""

from __future__ import annotations

import copy
import sys
from base64 import b64encode
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from openai.types.chat import ChatCompletionChunk
from quirks import ID_0, ID_1, QUIRKS, fragment
from strategies_chunks import calls_of, concatenated, normal, streams, told
from strategies_completions import arguments, texts
from support import SOAK

from cassette_stream.chunks import (
    Audio,
    ChatCompletionDeltaToolCall,
    ChoiceLogprobs,
    Custom,
    Function,
    FunctionCall,
    ModelResponse,
    ModelResponseStream,
    NormalForm,
    RedactedThinking,
    ResponseAccumulator,
    StreamingChoices,
    Thinking,
    ToolCallAccumulator,
    Usage,
    read_chunk,
    stream_chunk_builder,
)
from cassette_stream.chunks.arguments import Arguments, is_json
from cassette_stream.exceptions import MalformedStreamError

many = settings(max_examples=200 if SOAK else 25, deadline=None)
Json = dict[str, Any]


def built(chunks: Any) -> ModelResponse:
    response = stream_chunk_builder(chunks)
    assert response is not None
    return response


def pieces_of(text: str, cuts: list[int]) -> list[str]:
    """*text* cut at the places that *cuts* point to, in any order and as often as they like."""
    places = sorted({cut % (len(text) + 1) for cut in cuts} | {0, len(text)})
    return [text[start:end] for start, end in pairwise(places)] or [text]


cut_lists = st.lists(st.integers(0, 500), max_size=12)


@many
@given(stream=streams())
def test_a_response_is_the_completion_that_was_streamed(stream: Any) -> None:
    completion, raw = stream
    response = built(raw)
    chunks = normal(copy.deepcopy(raw), include_usage=True)

    assert told(response) == told(completion) == concatenated(chunks)
    assert response.usage == completion.usage
    for field in ("id", "created", "model", "system_fingerprint", "service_tier"):
        assert response[field] == completion[field]
    assert told(built(chunks)) == told(completion)
    assert response.complete
    assert response.warnings == []


@many
@given(stream=streams(), data=st.data())
def test_a_response_is_the_same_however_its_deltas_are_cut(
    stream: Any, data: st.DataObject
) -> None:
    raw = stream[1]
    finer = []
    for value in raw:
        content = value["choices"] and value["choices"][0]["delta"].get("content")
        for piece in pieces_of(content, data.draw(cut_lists)) if content else [content]:
            finer.append(copy.deepcopy(value))
            if content:
                finer[-1]["choices"][0]["delta"]["content"] = piece

    assert built(finer) == built(raw)


@many
@given(stream=streams())
def test_what_was_said_is_never_taken_back(stream: Any) -> None:
    accumulator = ResponseAccumulator()
    before: Json = {}
    for chunk in normal(stream[1]):
        accumulator.add(chunk)
        (choice,) = chunk.choices
        said = [
            accumulator.text(choice.index),
            *(call.function.arguments for call in accumulator.tool_calls(choice.index).calls),
        ]
        known = before.get(choice.index, [])

        # A call without arguments yet is told as one with none, which are `{}`.
        assert all(
            new.startswith(old) or old == "{}" for old, new in zip(known, said, strict=False)
        )
        assert len(said) >= len(known)
        before[choice.index] = said


@many
@given(stream=streams())
def test_the_chunks_and_the_accumulator_are_left_alone(stream: Any) -> None:
    chunks = [read_chunk(value) for value in stream[1]]
    kept = copy.deepcopy(chunks)
    accumulator = ResponseAccumulator()
    responses = []
    for chunk in chunks:
        accumulator.add(chunk)
        responses.append((accumulator.response(), copy.deepcopy(accumulator.response())))

    assert chunks == kept
    assert all(response == then for response, then in responses)


@many
@given(stream=streams())
def test_the_chunks_of_an_sdk_are_as_good_as_ours(stream: Any) -> None:
    raw = [value | {"system_fingerprint": None} for value in stream[1]]
    for value in raw:
        value.pop("service_tier", None)

    assert built(ChatCompletionChunk.model_validate(value) for value in raw) == built(raw)


@many
@given(calls=st.lists(arguments(), min_size=1, max_size=4), data=st.data())
def test_any_interleaving_of_parallel_calls_gives_the_same_calls(
    calls: list[str], data: st.DataObject
) -> None:
    queues = [
        [
            {"index": number, "id": f"c{number}", "function": {"name": f"f{number}"}},
            *(
                {"index": number, "function": {"arguments": piece}}
                for piece in pieces_of(text, data.draw(cut_lists))
            ),
        ]
        for number, text in enumerate(calls)
    ]
    order = data.draw(st.permutations([n for n, queue in enumerate(queues) for _ in queue]))
    accumulator = ToolCallAccumulator()
    for number in order:
        accumulator.add([queues[number].pop(0)])

    assert sorted(calls_of(accumulator.calls)) == [
        (f"c{number}", f"f{number}", text) for number, text in enumerate(calls)
    ]


@many
@given(text=arguments() | texts(), cuts=cut_lists)
def test_pieces_of_arguments_join_to_the_text(text: str, cuts: list[int]) -> None:
    together = Arguments()
    given_out = "".join(together.add(piece) for piece in pieces_of(text, cuts))

    assert together.whole == text
    assert given_out + together.settle() == together.text == text


@many
@given(text=arguments(), cuts=st.lists(st.integers(1, 500), min_size=3))
def test_arguments_that_are_sent_over_and_over_are_told_once(text: str, cuts: list[int]) -> None:
    ends = sorted({1} | {1 + cut % len(text) for cut in cuts} | {len(text)})
    assume(len(ends) > 2)
    together = Arguments()
    given_out = "".join(together.add(text[:end]) for end in ends)

    assert given_out + together.settle() == text
    assert together.resent


@many
@given(texts=st.lists(st.sampled_from(['{"a": "]"', "}", '"', "\\", '"\\"', "[", "x", "]"])))
def test_closed_means_that_brackets_outside_strings_balance(texts: list[str]) -> None:
    together, asked = Arguments(), Arguments()
    for text in texts:
        together.add(text)
        asked.add(text)
        _ = asked.closed

        assert asked.closed == balanced(asked.text)
    assert together.closed == asked.closed


def balanced(text: str) -> bool:
    depth, opened, quoted, escaped = 0, False, False, False
    for letter in text:
        if escaped or letter == "\\":
            escaped = not escaped
        elif letter == '"':
            quoted = not quoted
        elif letter in "{[}]" and not quoted:
            opened = True
            depth += 1 if letter in "{[" else -1
    return opened and not depth and not quoted


quirks = pytest.mark.parametrize(("fragments", "calls"), QUIRKS.values(), ids=QUIRKS.keys())


def chunk(fragments: list[Json], finish: str | None = None) -> Json:
    return {"choices": [{"index": 0, "delta": {"tool_calls": fragments}, "finish_reason": finish}]}


def sums(deltas: list[ChatCompletionDeltaToolCall]) -> list[tuple[str, str, str]]:
    """What a caller gets who adds up deltas by their index."""
    found: dict[int, list[str]] = {}
    for delta in deltas:
        call = found.setdefault(delta.index, ["", "", ""])
        call[0] += delta.id or ""
        call[1] += delta.function.name or ""
        call[2] += delta.function.arguments
    assert list(found) == list(range(len(found)))
    return [(call[0], call[1], call[2]) for call in found.values()]


@quirks
def test_a_quirk_of_a_server_gives_the_calls_that_it_meant(
    fragments: list[Json], calls: list[tuple[str, str, str]]
) -> None:
    accumulator = ToolCallAccumulator()
    for it in fragments:
        accumulator.add([it])
    taker = ToolCallAccumulator()
    taken = [taker.take(read_chunk(chunk([it])).choices[0].delta.tool_calls[0]) for it in fragments]

    assert calls_of(accumulator.calls) == calls
    assert sums([it for it in taken if it is not None] + taker.finish()) == calls
    assert calls_of(taker.calls) == calls


@quirks
def test_a_quirk_of_a_server_never_reaches_the_callers(
    fragments: list[Json], calls: list[tuple[str, str, str]]
) -> None:
    chunks = normal([*(chunk([it]) for it in fragments), chunk([], "stop")])
    deltas = [it for each in chunks for it in each.choices[0].delta.tool_calls or ()]
    made = {ID_0, ID_1}

    assert [call[1:] for call in sums(deltas)] == [call[1:] for call in calls]
    assert [call[0] for call in sums(deltas) if call[0] in {c[0] for c in calls}] == [
        call[0] for call in calls if call[0] not in made
    ]
    assert all(call[0] for call in sums(deltas))
    assert chunks[-1].choices[0].finish_reason == "tool_calls"


@quirks
def test_objects_of_every_kind_are_taken(
    fragments: list[Json], calls: list[tuple[str, str, str]]
) -> None:
    ours = [read_chunk(chunk([it])) for it in fragments]
    kept = copy.deepcopy(ours)
    theirs = [ChatCompletionChunk.model_construct(**chunk([it])) for it in fragments]
    accumulator = ToolCallAccumulator()
    for it in ours:
        accumulator.add(it.choices[0].delta.tool_calls)

    assert calls_of(accumulator.calls) == calls
    assert ours == kept
    assert [call[1:] for call in calls_of(built(theirs).choices[0].message.tool_calls)] == [
        call[1:] for call in calls
    ]


def test_the_sdks_own_fragments_are_taken() -> None:
    value = chunk([{"index": 0, "id": "a", "type": "function", "function": {"name": "f"}}])
    sdk = ChatCompletionChunk.model_validate(
        value | {"id": "", "created": 0, "model": "", "object": "chat.completion.chunk"}
    )
    accumulator = ToolCallAccumulator()
    accumulator.add(sdk.choices[0].delta.tool_calls)
    accumulator.add(None)

    assert calls_of(accumulator.calls) == [("a", "f", "{}")]
    assert len(accumulator) == 1


@pytest.mark.parametrize(
    ("value", "error"), [(5, TypeError), ({"index": "0"}, MalformedStreamError)], ids=repr
)
def test_what_is_no_fragment_is_refused(value: object, error: type[Exception]) -> None:
    with pytest.raises(error):
        ToolCallAccumulator().add([value])


def test_the_first_fragment_of_a_call_has_its_id_and_name_and_no_other_has() -> None:
    taker = ToolCallAccumulator()
    fragments = [
        fragment(3, "a", "f", ""),
        fragment(3, "a", "f", "{"),
        fragment(3, "a", "f", ""),
        fragment(3, "a", "f", "}", extra_content={"google": 1}),
    ]
    deltas = [
        taker.take(read_chunk(chunk([it])).choices[0].delta.tool_calls[0]) for it in fragments
    ]

    assert deltas == [
        ChatCompletionDeltaToolCall(index=0, id="a", function=Function(name="f"), raw_index=3),
        ChatCompletionDeltaToolCall(index=0, function=Function(arguments="{"), raw_index=3),
        None,
        ChatCompletionDeltaToolCall(
            index=0,
            function=Function(arguments="}"),
            raw_index=3,
            extras={"extra_content": {"google": 1}},
        ),
    ]


def test_a_call_without_a_name_is_no_call_and_is_reported() -> None:
    form = NormalForm()
    raw = [chunk([fragment(0, "a", None, "{}")]), chunk([fragment(1, "b", "g", "{}")], "stop")]
    chunks = list(form.feed(map(read_chunk, raw)))
    response = built(raw)

    assert sums([it for each in chunks for it in each.choices[0].delta.tool_calls or ()]) == [
        ("b", "g", "{}")
    ]
    assert form.warnings == ["a tool call never got a name (id 'a') and was left out"]
    assert calls_of(response.choices[0].message.tool_calls) == [("b", "g", "{}")]
    assert response.warnings == [f"choice 0: {form.warnings[0]}"]


@pytest.mark.parametrize(
    ("fragments", "finish", "warning"),
    [
        ([fragment(0, "a", "f", '{"x')], "tool_calls", "tool call 0 (f): arguments are no JSON"),
        ([fragment(0, "a", "f", '{"x')], "length", "tool call 0 (f): arguments were cut by the length limit"),
        ([fragment(0, "a", "f", '{"x')], None, None),
        ([fragment(0, "a", "f", '"\ud800"')], "stop", "tool call 0 (f): arguments are no JSON"),
        ([fragment(0, "a", "f", "{}"), fragment(0, None, None, "{}")], "stop", "tool call 0 (f): arguments were sent again from their start"),
        ([fragment(0, "a", "f", "{"), fragment(0, "b", None, "}")], "stop", "tool call 'a' was called 'b' later"),
        ([fragment(0, "a", "f", "")], "stop", None),
    ],
)  # fmt: skip
def test_what_is_odd_about_a_call_is_told(
    fragments: list[Json], finish: str | None, warning: str | None
) -> None:
    response = built([*(chunk([it]) for it in fragments), chunk([], finish)])

    assert response.warnings == ([f"choice 0: {warning}"] if warning else [])


def test_custom_tools_take_any_text() -> None:
    raw = [
        chunk([{"index": 0, "id": "a", "type": "custom", "custom": {"name": "c", "input": "ha"}}]),
        chunk([{"index": 0, "custom": {"input": "ha"}}]),
        chunk([{"index": 0, "function": {"arguments": "ha"}}], "tool_calls"),
    ]
    deltas = [it for each in normal(raw) for it in each.choices[0].delta.tool_calls or ()]
    (call,) = built(raw).choices[0].message.tool_calls or ()

    assert [it.custom for it in deltas] == [
        Custom(name="c", input="ha"), Custom(input="ha"), Custom(input="ha"),
    ]  # fmt: skip
    assert {(it.type, it.function.arguments) for it in deltas} == {("custom", "")}
    assert (call.type, call.custom) == ("custom", Custom(name="c", input="hahaha"))


def test_a_custom_tool_may_be_told_nothing() -> None:
    raw = [chunk([{"index": 0, "id": "a", "custom": {"name": "c"}}], "stop")]
    response = built(raw)

    assert response.choices[0].message.tool_calls is not None
    assert response.choices[0].message.tool_calls[0].custom == Custom(name="c")
    assert response.warnings == []


def test_made_ids_are_the_same_each_time_and_others_for_each_call_and_response() -> None:
    def ids(seed: str) -> list[str]:
        accumulator = ToolCallAccumulator(seed=seed)
        accumulator.add([fragment(0, None, "f"), fragment(1, None, "g")])
        return [call.id for call in accumulator.calls]

    assert ids("x") == ids("x")
    assert len({*ids("x"), *ids("y")}) == 4
    assert all(each.startswith("call_") for each in ids(""))


def test_the_two_ways_make_the_same_ids() -> None:
    raw = [{"id": "r1"} | chunk([fragment(0, None, "f", "{}")], "stop")]
    (delta, given) = (it for each in normal(raw) for it in each.choices[0].delta.tool_calls or ())
    (call,) = built(raw).choices[0].message.tool_calls or ()

    assert (delta.id, given.id) == (None, call.id)


def test_signatures_beside_a_call_are_kept() -> None:
    raw = [
        chunk([fragment(0, "a", None, provider_specific_fields={"one": 1})]),
        chunk([fragment(0, None, "f", "{", provider_specific_fields={"two": 2}, caller="x")]),
        chunk([fragment(0, None, None, "}", caller="y")], "stop"),
    ]
    (call,) = built(raw).choices[0].message.tool_calls or ()
    first, second = (it for each in normal(raw) for it in each.choices[0].delta.tool_calls or ())

    assert (call.provider_specific_fields, call.caller) == ({"one": 1, "two": 2}, "y")
    assert (first.provider_specific_fields, first.caller) == ({"one": 1, "two": 2}, "x")
    assert (second.provider_specific_fields, second.caller) == (None, "y")


def test_what_was_held_back_comes_when_the_stream_breaks_off() -> None:
    raw = [
        chunk([fragment(0, "a", "f", '{"x":'), fragment(1, "b", "g", "{")]),
        chunk([fragment(0, None, None, '{"x":{')]),
    ]
    form = NormalForm()
    before = list(form.feed(map(read_chunk, copy.deepcopy(raw))))
    (rest,) = form.end()

    assert len(before) == 1
    assert rest.choices[0].delta.tool_calls == [
        ChatCompletionDeltaToolCall(index=0, function=Function(arguments='{"x":{'), raw_index=0)
    ]
    assert list(form.end()) == []
    assert calls_of(built(raw).choices[0].message.tool_calls)[0] == ("a", "f", '{"x":{"x":{')


def test_arguments_that_stop_repeating_go_on_as_they_are() -> None:
    together = Arguments()
    pieces = ["{", '{"a"', '{"a":', "1", "}"]

    assert "".join(map(together.add, pieces)) == together.text == '{"a":1}'


def test_a_piece_after_the_held_one_may_itself_be_suspect() -> None:
    together = Arguments()
    given_out = [together.add(piece) for piece in ("{", "{}", "{{}x", "!")]

    assert given_out == ["{", "", "{}", "{{}x!"]
    assert not together.resent


def test_what_is_held_back_closes_nothing() -> None:
    together = Arguments()
    together.add('{"a":')
    together.add('{"a":1}')

    assert not together.closed
    assert together.settle() == "1}"
    assert together.closed


def test_a_preview_is_nearly_everything_and_seldom_made_anew() -> None:
    accumulator = ToolCallAccumulator()
    accumulator.add([fragment(0, "a", "f", '{"x": "')])
    previews = []
    for _ in range(20_000):
        accumulator.add([fragment(0, None, None, "abcd")])
        previews.append(accumulator.preview(0))
    sizes = sorted({len(it) for it in previews})

    assert all(len(it) >= 0.8 * (7 + 4 * number) for number, it in enumerate(previews, 1))
    assert len({id(it) for it in previews}) <= 50
    assert sum(sizes) < 6 * sizes[-1]
    with pytest.raises(IndexError):
        accumulator.preview(1)


def test_arguments_in_small_pieces_are_not_joined_again_and_again() -> None:
    joins = 0

    def count(_frame: Any, event: str, called: Any) -> None:
        nonlocal joins
        joins += event == "c_call" and called.__name__ == "join"

    piece = read_chunk(chunk([fragment(0, None, None, "abcd")]))
    accumulator = ResponseAccumulator()
    accumulator.add(chunk([fragment(0, "a", "f", '{"x":"')]))
    before = sys.getprofile()
    sys.setprofile(count)
    try:
        for _ in range(2**16):
            accumulator.add(piece)
        response = accumulator.response()
    finally:
        sys.setprofile(before)

    assert response is not None
    assert 1 <= joins <= 5
    assert calls_of(response.choices[0].message.tool_calls) == [
        ("a", "f", '{"x":"' + "abcd" * 2**16)
    ]


def test_a_server_that_names_a_call_anew_each_time_is_reported_once() -> None:
    accumulator = ToolCallAccumulator()
    accumulator.add([fragment(0, "a", "f", "{")])
    for number in range(10):
        accumulator.add([fragment(0, f"b{number}", None, " ")])

    assert accumulator.warnings() == ["tool call 'a' was called 'b0' later"]
    assert calls_of(accumulator.calls) == [("a", "f", "{" + " " * 10)]


def test_a_response_is_the_callers_to_change() -> None:
    accumulator = ResponseAccumulator()
    accumulator.add(
        {
            "choices": [
                {
                    "index": 0,
                    "delta": {
                        "thinking_blocks": [thinking("t", "S")],
                        "tool_calls": [fragment(0, "a", "f", provider_specific_fields={"s": 1})],
                        "images": [{"n": 1}],
                        "own": [1],
                    },
                }
            ],
            "usage": {"prompt_tokens": 1},
            "citations": ["u"],
            "provider_specific_fields": {"list": [1]},
        }
    )
    first, kept = accumulator.response(), accumulator.response()
    assert first is not None
    message = first.choices[0].message
    message.thinking_blocks[0].thinking = "other"
    message.tool_calls[0].provider_specific_fields.clear()
    message.images.clear()
    message.own.clear()
    first.usage.prompt_tokens = 2
    first.citations.clear()
    first.provider_specific_fields["list"].clear()

    assert accumulator.response() == kept
    assert first != kept


def delta(index: int = 0, finish: str | None = None, **fields: Any) -> Json:
    return {"choices": [{"index": index, "delta": fields, "finish_reason": finish}]}


def message_of(*chunks: Any) -> Any:
    (choice,) = built(chunks).choices
    return choice.message


def test_no_chunks_are_no_response() -> None:
    assert stream_chunk_builder([]) is None
    assert stream_chunk_builder(iter([]), messages=[{"role": "user", "content": "hi"}]) is None
    assert ResponseAccumulator().response() is None


def test_the_head_of_a_response_is_the_first_that_was_said() -> None:
    response = built(
        [
            {"id": "", "created": 0, "model": ""},
            {"id": "a", "created": 1, "model": "m", "system_fingerprint": "f", "service_tier": "x"},
            {"id": "b", "created": 2, "model": "n", "system_fingerprint": "g", "service_tier": "y"},
            {"citations": ["u"], "provider": "P", "provider_specific_fields": {"a": [1], "b": 1}},
            {"citations": ["v"], "provider": "Q", "provider_specific_fields": {"a": [2], "b": 2}},
        ]
    )

    assert response == ModelResponse(
        id="a",
        created=1,
        model="n",
        choices=[],
        system_fingerprint="f",
        service_tier="y",
        citations=["v"],
        provider_specific_fields={"a": [1, 2], "b": 2},
        extras={"provider": "Q"},
    )
    assert not response.complete


@pytest.mark.parametrize(
    ("fields", "content"),
    [
        ([{"content": None}], None),
        ([{"content": ""}], ""),
        ([{"content": ""}, {"content": "a"}, {"content": None}, {"content": "b"}], "ab"),
        ([{"content": ""}, {"tool_calls": [fragment(0, "a", "f")]}], None),
        ([{"content": ""}, {"refusal": "no"}], None),
        ([{"content": ""}, {"function_call": {"name": "f"}}], None),
        ([{"content": "so "}, {"tool_calls": [fragment(0, "a", "f")]}], "so "),
    ],
)
def test_content_is_what_was_said_and_none_beside_a_call(
    fields: list[Json], content: str | None
) -> None:
    assert message_of(*(delta(**each) for each in fields)).content == content


def test_texts_are_concatenated_each_by_its_kind() -> None:
    message = message_of(
        delta(role="tool", reasoning_content="h"),
        delta(role="assistant", reasoning_content="m", refusal="n"),
        delta(refusal="o", function_call={"name": "f", "arguments": "{"}),
        delta(function_call={"name": "g", "arguments": "}"}),
    )

    assert (message.role, message.reasoning_content, message.refusal) == ("tool", "hm", "no")
    assert message.function_call == FunctionCall(name="f", arguments="{}")


def test_lists_are_concatenated_and_fields_replaced() -> None:
    message = message_of(
        delta(images=[{"n": 1}], annotations=[{"n": 1}], reasoning_items=[{"n": 1}], own=[1], x=1),
        delta(images=[{"n": 2}], annotations=[{"n": 2}], reasoning_items=[{"n": 2}], own=[2], x=2),
        delta(provider_specific_fields={"citation": {"n": 1}, "a": 1, "l": [1]}),
        delta(provider_specific_fields={"citation": {"n": 2}, "a": [2], "l": [2]}),
    )
    both = [{"n": 1}, {"n": 2}]

    assert message.images == message.annotations == message.reasoning_items == both
    assert message.provider_specific_fields == {"citations": both, "a": [2], "l": [1, 2]}
    assert message.extras == {"own": [1, 2], "x": 2}


def thinking(text: str, signature: str | None = None, index: int | None = None) -> Json:
    return {"type": "thinking", "thinking": text, "signature": signature, "index": index}


@pytest.mark.parametrize(
    ("pieces", "blocks", "unsigned"),
    [
        ([thinking("a"), thinking("b"), thinking("", "S")], [Thinking(thinking="ab", signature="S")], 0),
        (
            [thinking("a", "S"), {"type": "redacted_thinking", "data": "R", "index": 1}, thinking("b", "T")],
            [Thinking(thinking="a", signature="S"), RedactedThinking(data="R"), Thinking(thinking="b", signature="T")],
            0,
        ),
        (
            [thinking("a", index=0), thinking("b", index=1), {"type": "redacted_thinking", "data": "R"}],
            [Thinking(thinking="a"), Thinking(thinking="b"), RedactedThinking(data="R")],
            2,
        ),
        ([thinking("a")], [Thinking(thinking="a")], 1),
        ([thinking("", "S")], [Thinking(thinking="", signature="S")], 0),
    ],
    ids=["signed", "three blocks", "never signed", "cut", "only signed"],
)  # fmt: skip
def test_thinking_is_collected_until_it_is_signed(
    pieces: list[Json], blocks: list[Any], unsigned: int
) -> None:
    response = built(delta(thinking_blocks=[piece]) for piece in pieces)

    assert response.choices[0].message.thinking_blocks == blocks
    assert response.warnings == (
        [f"choice 0: {unsigned} of the thinking blocks without a signature"] if unsigned else []
    )


def test_speech_is_joined_as_bytes() -> None:
    first, second = b64encode(b"ab").decode(), b64encode(b"cde").decode()
    pieces: list[Any] = [
        {"id": "a1", "transcript": "Hel"},
        {"id": "a1", "data": first, "transcript": "lo"},
        {"data": second, "codec": "pcm"},
        {"expires_at": 5},
    ]
    sdk = [
        ChatCompletionChunk.model_construct(
            choices=[{"index": 0, "delta": {"audio": each}, "finish_reason": None}]
        )
        for each in pieces
    ]
    wanted = Audio(
        id="a1",
        data=b64encode(b"abcde").decode(),
        transcript="Hello",
        expires_at=5,
        extras={"codec": "pcm"},
    )

    assert message_of(*(delta(audio=each) for each in pieces)).audio == wanted
    assert message_of(*sdk).audio == wanted
    assert message_of(delta(audio={"id": "a"})).audio == Audio(id="a")


def test_speech_that_is_one_text_cut_anywhere_is_joined_as_text() -> None:
    text = b64encode(b"abcdef").decode()

    assert message_of(*(delta(audio={"data": it}) for it in (text[:3], text[3:]))).audio == Audio(
        data=text
    )


def test_log_probabilities_are_joined() -> None:
    def scored(**lists: Any) -> Json:
        return {"choices": [{"index": 0, "delta": {"content": "x"}, "logprobs": lists}]}

    token = {"token": "a", "logprob": -1.0}
    (choice,) = built([scored(content=[token]), scored(content=[token], refusal=[], own=1)]).choices

    assert isinstance(choice.logprobs, ChoiceLogprobs)
    assert choice.logprobs.content is not None
    assert [it.token for it in choice.logprobs.content] == ["a", "a"]
    assert (choice.logprobs.refusal, choice.logprobs.own) == ([], 1)


def test_the_last_reason_counts_and_none_is_made_up() -> None:
    first, second, third = built(
        [
            delta(content="a", finish="length"),
            delta(finish="stop"),
            delta(index=1, content="b"),
            delta(index=2, content="c"),
            ending(2),
        ]
    ).choices

    assert (first.finish_reason, second.finish_reason) == ("stop", None)
    assert (third.finish_reason, third.raw_finish_reason, third.abnormal_finish) == ("x", "X", True)


def ending(index: int) -> ModelResponseStream:
    end = StreamingChoices(
        index=index, finish_reason="x", raw_finish_reason="X", abnormal_finish=True
    )
    return ModelResponseStream(choices=[end])


def test_choices_come_in_the_order_of_their_indices() -> None:
    response = built([delta(index=2, content="c"), delta(index=0, content="a")])

    assert [(it.index, it.message.content) for it in response.choices] == [(0, "a"), (2, "c")]


def test_beside_a_choice_lists_grow_and_the_rest_is_replaced() -> None:
    values = [{"stop_reason": None, "token_ids": [1]}, {"stop_reason": 5, "token_ids": [2]}]
    (choice,) = built({"choices": [{"delta": {}} | it]} for it in values).choices

    assert choice.extras == {"stop_reason": 5, "token_ids": [1, 2]}


def test_the_placeholder_of_a_usage_chunk_is_no_answer() -> None:
    chunks = normal(
        [delta(index=1, content="b", finish="stop"), {"usage": {"prompt_tokens": 1}}],
        include_usage=True,
    )
    response = built(chunks)

    assert [it.index for it in response.choices] == [1]
    assert response.usage == Usage(prompt_tokens=1, total_tokens=1)


def test_no_usage_is_no_usage() -> None:
    assert built([delta(content="a", finish="stop")]).usage is None


def test_the_text_so_far_can_be_had_at_any_time() -> None:
    accumulator = ResponseAccumulator()

    assert (accumulator.text(), len(accumulator.tool_calls())) == ("", 0)
    accumulator.add(delta(content="a"))
    accumulator.add(delta(index=1, content="b"))
    accumulator.add(delta(tool_calls=[fragment(0, "i", "f", '{"x')]))
    assert (accumulator.text(), accumulator.text(1), accumulator.text(2)) == ("a", "b", "")
    assert accumulator.tool_calls().preview(0) == '{"x'


def test_the_response_of_a_normal_stream_keeps_who_answered() -> None:
    response = built(normal([delta(content="a") | {"model": "served"}], model="asked"))

    assert response.model == "asked"
    assert response._hidden_params == {"provider_response_model": "served"}


@pytest.mark.parametrize(
    "text", ["[" * 100_000, '{"a":' * 100_000, "\ud83d", "{", ""], ids=range(5)
)
def test_what_nobody_can_read_is_no_json_and_no_error(text: str) -> None:
    assert not is_json(text)
