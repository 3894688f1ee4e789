"""Verdicts by law, over every combination of what can come of a run."""

from __future__ import annotations

import itertools

import pytest
from breaking import ENCODERS, TEXT, answer
from hypothesis import example, given
from hypothesis import strategies as st

from cassette_stream.chaos import Flag, Verdict
from cassette_stream.chaos.verdict import Outcome, is_good, judge


class DocumentedError(Exception):
    """What users are told to expect."""


FAMILIES = (DocumentedError,)
BODY = b"".join(ENCODERS["openai_chat"].encode(answer()))
CLEAN = Outcome(result="abc", bodies=(BODY,))
texts = st.text("ab ", max_size=8)


def chat(content: str = TEXT, finish: str | None = "stop", calls: object = None) -> dict:
    message = {"role": "assistant", "content": content, "tool_calls": calls}
    return {"choices": [{"index": 0, "message": message, "finish_reason": finish}]}


@pytest.mark.parametrize("left_open", [(), ("the task of f still runs",)], ids=["tidy", "leaks"])
@pytest.mark.parametrize("hung", [False, True], ids=["ends", "hangs"])
@pytest.mark.parametrize(
    "error",
    [None, DocumentedError(), ValueError(), ExceptionGroup("", [DocumentedError()])],
    ids=["returns", "raises", "leaks_out", "group"],
)
@pytest.mark.parametrize("result", ["abc", "ab"], ids=["whole", "cut"])
def test_a_hang_counts_before_an_error_and_an_error_before_a_result(
    result: str, error: Exception | None, hung: bool, left_open: tuple[str, ...]
) -> None:
    outcome = Outcome(
        result=result if error is None else None, error=error, hung=hung, left_open=left_open
    )
    verdict, flags = judge(outcome, CLEAN, FAMILIES)

    if hung:
        assert verdict is Verdict.HANG
    elif error is not None:
        leaks = isinstance(error, ValueError)
        assert verdict is (Verdict.WRONG_ERROR if leaks else Verdict.RAISED)
    else:
        assert verdict is (Verdict.OK if result == "abc" else Verdict.SILENT)
    assert (Flag.LEAKED in flags) == bool(left_open)


def test_a_group_of_several_exceptions_is_none_that_users_are_told_of() -> None:
    several = ExceptionGroup("", [DocumentedError(), DocumentedError()])

    assert judge(Outcome(error=several), CLEAN, FAMILIES)[0] is Verdict.WRONG_ERROR


@pytest.mark.parametrize("expect", ["raises", "tolerates", "either", "undetectable"])
def test_the_whole_result_is_always_good_and_a_leak_never(expect: str) -> None:
    assert is_good(Verdict.OK, (), expect)
    for verdict in Verdict:
        assert not is_good(verdict, (Flag.LEAKED,), expect)
    for verdict in (Verdict.HANG, Verdict.WRONG_ERROR):
        assert not is_good(verdict, (), expect)


@pytest.mark.parametrize("expect", ["raises", "tolerates", "either"])
def test_silence_is_good_only_where_nobody_could_have_noticed(expect: str) -> None:
    assert not is_good(Verdict.SILENT, (), expect)
    assert is_good(Verdict.SILENT, (), "undetectable")
    assert is_good(Verdict.RAISED, (), expect) is (expect != "tolerates")


def test_a_key_decides_alone_what_counts() -> None:
    outcome = Outcome(result={"text": "abc", "at": 2})
    clean = Outcome(result={"text": "abc", "at": 1})

    assert judge(outcome, clean, FAMILIES)[0] is Verdict.SILENT
    assert judge(outcome, clean, FAMILIES, lambda it: it["text"])[0] is Verdict.OK
    assert judge(clean, clean, FAMILIES, lambda it: object())[0] is Verdict.SILENT


def flags_of(result: object, clean: object, body: bytes = BODY) -> tuple[Flag, ...]:
    clean_run = Outcome(result=clean, bodies=(BODY,))
    verdict, flags = judge(Outcome(result=result, bodies=(body,)), clean_run, FAMILIES)

    assert verdict is Verdict.SILENT or not flags
    return flags


@given(texts)
@example("abcabdX")
def test_a_beginning_that_is_said_again_is_always_found(clean: str) -> None:
    ends = range(1, len(clean) + 1)
    for again, upto in itertools.product(ends, ends):
        text = clean[:again] + clean[:upto]
        if not clean.startswith(text):
            assert Flag.DUPLICATED in flags_of(text, clean)


@given(texts, st.integers(0, 8), st.integers(1, 8))
def test_a_part_that_is_said_twice_in_a_row_is_always_found(
    clean: str, start: int, size: int
) -> None:
    part = clean[start : start + size]
    if part:
        text = clean[: start + len(part)] + part + clean[start + len(part) :]

        assert Flag.DUPLICATED in flags_of(text, clean)


@given(texts, st.integers(0, 8))
def test_nothing_is_said_twice_where_less_is_said(clean: str, upto: int) -> None:
    assert Flag.DUPLICATED not in flags_of(clean[:upto], clean)


def test_a_long_text_is_compared_in_a_moment() -> None:
    clean = "a" * 200_000 + "b"

    assert Flag.DUPLICATED in flags_of("a" * 150_000 + clean, clean)
    assert Flag.DUPLICATED not in flags_of(clean[:-1] + "c", clean)


def call(arguments: str) -> dict:
    return {"id": "c", "type": "function", "function": {"name": "f", "arguments": arguments}}


@pytest.mark.parametrize("arguments", ["{", '{"a": ', '"a"', "[]", "[" * 100_000])
def test_a_tool_call_is_incomplete_unless_its_arguments_are_an_object(arguments: str) -> None:
    broken = chat(calls=[call(arguments)], finish="tool_calls")
    whole = chat(calls=[call('{"a": 1}')], finish="tool_calls")

    assert Flag.INCOMPLETE_TOOL_CALL in flags_of(broken, whole)
    assert Flag.INCOMPLETE_TOOL_CALL not in flags_of(chat("", calls=[call("{}")]), whole)


def test_a_tool_call_that_is_made_again_is_said_twice() -> None:
    one, two = call('{"a": 1}'), call('{"b": 1}')

    assert Flag.DUPLICATED in flags_of(chat(calls=[one, two, one]), chat(calls=[one, two]))
    assert Flag.DUPLICATED not in flags_of(chat(calls=[one]), chat(calls=[one, two]))


UNFINISHED = BODY.replace(b'"finish_reason":"stop"', b'"finish_reason":null')


def test_a_finish_that_no_stream_told_is_made_up_though_it_is_that_of_the_clean_run() -> None:
    assert flags_of(chat(), chat(), UNFINISHED) == (Flag.MADE_UP_FINISH,)
    assert flags_of(chat("cut"), chat(), UNFINISHED) == (Flag.MADE_UP_FINISH,)
    assert flags_of(chat(finish=None), chat(), UNFINISHED) == ()


@pytest.mark.parametrize("dialect", ENCODERS)
def test_a_finish_that_was_told_is_not_made_up_however_broken_the_rest_is(dialect: str) -> None:
    events = list(ENCODERS[dialect].encode(answer()))
    bodies = [b"".join(events), b"\xff\xfe{" + b"".join(events[-3:])]

    for body in bodies:
        outcome = Outcome(result=chat(), bodies=(body,))
        assert judge(outcome, Outcome(result=chat(), bodies=(BODY,)), FAMILIES) == (Verdict.OK, ())


def test_nobody_is_accused_by_bodies_that_cannot_be_read() -> None:
    clean = Outcome(result=chat(), bodies=(b"some other format",))

    assert judge(Outcome(result=chat(), bodies=(b"",)), clean, FAMILIES) == (Verdict.OK, ())
    readable = Outcome(result=chat(), bodies=(BODY,))
    assert judge(Outcome(result=chat(), bodies=()), readable, FAMILIES) == (Verdict.OK, ())


@pytest.mark.parametrize("finish", ["length", "content_filter"])
def test_a_finish_that_is_no_good_one_and_was_told_tells_the_user(finish: str) -> None:
    body = BODY.replace(b'"stop"', f'"{finish}"'.encode())
    clean = Outcome(result=chat(), bodies=(BODY,))
    cut = Outcome(result=chat("Gr", finish), bodies=(body,))
    made_up = Outcome(result=chat("Gr", finish), bodies=(UNFINISHED,))

    assert judge(cut, clean, FAMILIES)[0] is Verdict.RAISED
    assert judge(made_up, clean, FAMILIES) == (Verdict.SILENT, (Flag.MADE_UP_FINISH,))
