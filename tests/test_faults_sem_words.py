"""What Cohere, Ollama and Converse call what the semantic faults change."""

from __future__ import annotations

import json
from typing import Any

import pytest
from breaking import answer
from test_faults_sem import applied, built, quirks, sent

from cassette_stream.dialects import cohere
from cassette_stream.exceptions import APIError, StreamProtocolError
from cassette_stream.faults import sem
from cassette_stream.faults.dialect import Dialect
from cassette_stream.faults.edit import Seen, events_in
from cassette_stream.faults.sem.block_fragments import COHERE, CONVERSE
from cassette_stream.faults.sem.cut_calls import CUTS
from cassette_stream.faults.sem.nothing import _converse, _ollama
from cassette_stream.faults.sem.other_fragments import OLLAMA
from cassette_stream.faults.sem.words import content_of, is_content, is_finish, kind_of, set_reason
from cassette_stream.script import Emit, Head, Step

ROWS = [info for info in sem.FAULTS if info.has("cohere")]
# What Cohere does not have of the quirks of a fault.
ABSENT = {
    "sem.content_shape": {"null", "empty", "parts", "role_each", "id_changing", "created_string"},
    "sem.tool_delta": {"missing_index", "null_index", "empty_id", "repeated_id", "changed_id"}
    | {"repeated_name", "empty_name", "one_chunk"},
    "sem.usage": {"null_each", "cumulative", "early", "twice", "with_choices"},
}
CASES = [
    pytest.param(info, told, id=" ".join([info.id, *map(str, told.values())]))
    for info in ROWS
    for told in quirks(info)
    if told.get("quirk", next((it.default for it in info.parameters if it.name == "quirk"), ""))
    not in ABSENT.get(info.id, ())
]


def recorded() -> list[Step]:
    return [Head(200), *map(Emit, cohere.encode(answer(calls=True)))]


def decoded(steps: list[Step]) -> list[Any]:
    decoder = cohere.Decoder()
    return [*decoder.feed(sent(steps)), *decoder.finish()]


@pytest.mark.parametrize(("info", "told"), CASES)
def test_a_fault_in_the_words_of_cohere_strikes_and_is_told_or_tolerated(
    info: Any, told: dict[str, object]
) -> None:
    steps = recorded()
    numbers = range(1, len(events_in(steps)) - 1) if info.places else [None]
    struck = [
        out
        for number in numbers
        if (out := applied(built(info, number, told), steps, most=200)) != steps
    ]

    assert struck
    for out in struck:
        if info.expected("cohere") == "raises" and info.id != "sem.tool_cut":
            with pytest.raises(APIError):
                decoded(out)
        elif info.expected("cohere") == "tolerates":
            assert len(decoded(out)) > 10


def test_a_second_beginning_is_no_part_of_a_message_of_cohere() -> None:
    with pytest.raises(StreamProtocolError, match="began again"):
        decoded(applied(sem.Order(quirk="second_start"), recorded()))


def test_an_empty_success_of_cohere_ends_plainly() -> None:
    body = sent(applied(sem.EmptySuccess(), recorded()))

    assert b"COMPLETE" in body
    assert not any(it in body for it in (b"content-", b"tool-call-", b"TOOL_CALL"))


def seen(value: object, dialect: Dialect) -> Seen:
    return Seen(
        raw=b"data: {}\n\n", number=1, name="message", data=json.dumps(value), dialect=dialect
    )


LINE = {"model": "m", "message": {"role": "assistant", "content": "a"}, "done": False}
END = {"model": "m", "message": {"role": "assistant", "content": ""}, "done": True}


@pytest.mark.parametrize(
    ("value", "dialect", "kind", "content", "finish"),
    [
        (LINE, "ollama", "", ["a"], False),
        (END | {"done_reason": "stop"}, "ollama", "", [], True),
        (END, "ollama", "", [], False),
        ({"role": "assistant", "p": "a"}, "bedrock_converse", "messageStart", [], False),
        ({"contentBlockIndex": 0, "delta": {"text": "a"}}, "bedrock_converse", "contentBlockDelta", ["a"], False),
        ({"contentBlockIndex": 0, "delta": {"toolUse": {"input": "{"}}}, "bedrock_converse", "contentBlockDelta", ["{"], False),
        ({"contentBlockIndex": 0, "start": {"toolUse": {}}}, "bedrock_converse", "contentBlockStart", [], False),
        ({"contentBlockIndex": 0}, "bedrock_converse", "contentBlockStop", [], False),
        ({"stopReason": "end_turn"}, "bedrock_converse", "messageStop", [], True),
        ({"usage": {}, "metrics": {}}, "bedrock_converse", "metadata", [], False),
        ({"p": "a"}, "bedrock_converse", "", [], False),
    ],
)  # fmt: skip
def test_an_event_is_known_by_its_json(
    value: Any, dialect: Dialect, kind: str, content: list[str], finish: bool
) -> None:
    event = seen(value, dialect)

    assert kind_of(event) == kind
    assert content_of(value, dialect) == content
    assert is_content(event) is bool(content)
    assert is_finish(event) is finish
    set_reason(value := dict(value), dialect, None)
    assert is_finish(seen(value, dialect)) is False


def use(index: int, city: str) -> list[Any]:
    start = {"toolUse": {"toolUseId": f"t{index}", "name": "f"}}
    parts = ['{"at":', f'"{city}"}}']
    return [
        {"contentBlockIndex": index, "start": start},
        *({"contentBlockIndex": index, "delta": {"toolUse": {"input": it}}} for it in parts),
        {"contentBlockIndex": index},
    ]


def calls() -> list[Any]:
    return [*use(1, "Paris"), *use(2, "Oslo"), {"stopReason": "tool_use"}]


def test_converse_tells_arguments_as_an_object_where_their_first_part_was() -> None:
    told = [it for each in CONVERSE["object_arguments"](calls()) for it in each]

    inputs = [it["delta"]["toolUse"]["input"] for it in told if "delta" in it]
    assert inputs == [{"at": "Paris"}, {"at": "Oslo"}]
    assert len(told) == len(calls()) - 2


def test_converse_tells_calls_at_one_index_without_ids_and_in_turn() -> None:
    same = [it for each in CONVERSE["same_index"](calls()) for it in each]
    nameless = [it for each in CONVERSE["missing_id"](calls()) for it in each]
    turns = [it for each in CONVERSE["interleaved"](calls()) for it in each]

    assert {it.get("contentBlockIndex", 1) for it in same} == {1}
    assert not any("toolUseId" in it.get("start", {}).get("toolUse", {}) for it in nameless)
    assert [it.get("contentBlockIndex") for it in turns] == [1, 2, 1, 2, 1, 2, 1, 2, None]


def test_the_last_call_of_converse_is_cut_and_no_other() -> None:
    told = [it for each in CUTS["bedrock_converse"](calls()) for it in each]
    words = {1: "", 2: ""}
    for it in told:
        words[it.get("contentBlockIndex", 1)] += (
            it.get("delta", {}).get("toolUse", {}).get("input", "")
        )

    assert words == {1: '{"at":"Paris"}', 2: '{"at":"Oslo"}'[:6]}


def line(*names: str, content: str = "") -> Any:
    made = [{"id": it, "function": {"index": 3, "name": it, "arguments": {}}} for it in names]
    return {"message": {"role": "assistant", "content": content, "tool_calls": made}, "done": False}


def test_ollama_tells_all_calls_in_one_line() -> None:
    lines = [line("a"), line("b"), END]

    assert OLLAMA["one_chunk"](lines) == [[line("a", "b")], [], [END]]


@pytest.mark.parametrize(
    "quirk", ["missing_index", "null_index", "same_index", "missing_id", "null_id"]
)
def test_ollama_tells_calls_otherwise(quirk: str) -> None:
    ((told,), (end,)) = OLLAMA[quirk]([line("a"), dict(END)])
    (call,) = told["message"]["tool_calls"]
    holder, name = (call, "id") if quirk.endswith("id") else (call["function"], "index")

    assert holder.get(name) == (0 if quirk == "same_index" else None)
    assert (name in holder) is not quirk.startswith("missing")
    assert end == END


def test_cohere_has_every_quirk_that_converse_has() -> None:
    assert COHERE.keys() == CONVERSE.keys()


def test_an_empty_answer_of_ollama_and_converse_has_neither_text_nor_calls() -> None:
    gone = [(0, len(seen(LINE, "ollama").raw), b"")]
    change = _converse()

    assert _ollama(seen(LINE, "ollama")) == gone
    assert _ollama(seen(END | {"done_reason": "stop"}, "ollama")) == []
    assert [change(seen(it, "bedrock_converse")) for it in use(1, "Paris")] == [gone] * 4
    thought = {"contentBlockIndex": 1, "delta": {"reasoningContent": {"text": "a"}}}
    assert change(seen(thought, "bedrock_converse")) == []
    ((_, _, stop),) = change(seen({"stopReason": "tool_use"}, "bedrock_converse"))
    assert stop == b'{"stopReason":"end_turn"}'
