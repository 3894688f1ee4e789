from __future__ import annotations

import itertools
import json
import re
from typing import Any

import fault_laws as laws
import pytest
from fault_laws import at, by_wait, dialects_of, is_within, judge, params, said, streams, whole
from hypothesis import given
from hypothesis import strategies as st
from test_faults import apply, events_of, sent

from cassette_stream.exceptions import APIError, MalformedStreamError, PlanError
from cassette_stream.faults import Event, Rule, parse
from cassette_stream.faults import json as json_layer
from cassette_stream.script import Emit, Fail, FailureKind, Head, Wait

pytestmark = pytest.mark.matrix(8)

IDS = [
    "cut",
    "html",
    "concat",
    "array_frame",
    "nan",
    "scalar",
    "invalid_utf8",
    "surrogate",
    "nul",
    "control",
    "dup_keys",
    "big_int",
    "deep",
]
ERRORS: dict[str, type[APIError]] = {f"json.{name}": MalformedStreamError for name in IDS}
ONE_EVENT = ("json.array_frame",)
TWO_EVENTS = {"json.concat", "json.surrogate"}
PUTS_IN = {
    "json.nan",
    "json.scalar",
    "json.invalid_utf8",
    "json.nul",
    "json.control",
    "json.dup_keys",
    "json.big_int",
    "json.deep",
}
places = st.integers(1, 30)


def test_the_layer_has_all_its_rows_in_their_order() -> None:
    assert [info.id for info in json_layer.FAULTS] == [f"json.{name}" for name in IDS]
    assert not any(info.common for info in json_layer.FAULTS)


@pytest.mark.parametrize("rule", params("json"))
@laws.EXAMPLES
@given(data=st.data(), n=places)
def test_it_does_not_depend_on_where_the_network_cut(rule: Rule, data: Any, n: int) -> None:
    steps = data.draw(streams(dialects_of(rule)))
    fault = at(rule, n).build()

    assert sent(apply(fault, steps)) == sent(apply(fault, whole(steps)))


@pytest.mark.parametrize("rule", params("json", without=ONE_EVENT))
@laws.EXAMPLES
@given(data=st.data(), n=places)
def test_all_other_events_and_all_other_chunks_stay(rule: Rule, data: Any, n: int) -> None:
    steps = data.draw(streams(dialects_of(rule)))
    body, told = sent(steps), apply(at(rule, n).build(), steps)
    first, *others = [*events_of(body)[n - 1 :], None]
    if first is None or (rule.fault in TWO_EVENTS and others[0] is None):
        assert told == steps
        return
    end = others[0].end if others[0] and rule.fault in TWO_EVENTS else first.end
    assert sent(told).startswith(body[: first.start])
    assert sent(told).endswith(body[end:])

    before, after = by_wait(steps), by_wait(told)
    assert list(after) == list(before)
    position = 0
    for wait, chunks in before.items():
        [old], new = chunks or [b""], b"".join(after[wait])
        assert len(after[wait]) <= 1
        assert new == old or (position <= end and position + len(old) >= first.start)
        assert rule.fault not in PUTS_IN or is_within(old, new)
        position += len(old)


BEFORE = b'event: e\nid: 7\ndata: {"a":1,"b":"cd"}\nretry: 1\n\n'
LINES = b'data: {"a":\r\ndata: "bc"}\r\n\r\n'
CHAT = '{"choices":[{"delta":{"content":"%s"}}]}'
DONE = b"data: [DONE]\n\n"
TWO_CHOICES = (
    'data: {"choices":[{"delta":{"content":"🎉"}},{"delta":{"content":"a"}}]}\n\n'.encode()
)


def deltas(*texts: str) -> bytes:
    """Events of OpenAI chat with these texts, as they are written."""
    return b"".join(f"data: {CHAT % text}\n\n".encode() for text in texts)


@pytest.mark.parametrize(
    ("spec", "before", "after"),
    [
        ("json.cut@event=1", BEFORE, b'event: e\nid: 7\ndata: {"a":1,"\nretry: 1\n\n'),
        ("json.cut@event=1,type=e", DONE + BEFORE, DONE + b'event: e\nid: 7\ndata: {"a":1,"\nretry: 1\n\n'),
        ("json.html@event=1", BEFORE, b"event: e\nid: 7\ndata: <html><head><title>502 Bad Gateway</title></head><body>502 Bad Gateway</body></html>\nretry: 1\n\n"),
        ("json.concat@event=1", BEFORE * 2 + DONE, BEFORE[:-11] + b'{"a":1,"b":"cd"}\nretry: 1\n\n' + DONE),
        ("json.concat@event=1", b"data: {}\n\n: x\n\nevent: y\n" + LINES, b'data: {}{"a":\r\ndata: "bc"}\r\n\r\n'),
        ("json.concat@event=-2", b"data: {}\n\n" * 3, b"data: {}\n\ndata: {}{}\n\n"),
        ("json.concat@event=2", b"data: {}\n\n" * 2, b"data: {}\n\n" * 2),
        ("json.concat@event=1", BEFORE + DONE, BEFORE + DONE),
        ("json.array_frame", b'data: {"candidates":[]}\r\n\r\ndata: {"candidates":[1]}\r\n\r\n', b'[{"candidates":[]}\r\n,{"candidates":[1]}\r\n'),
        ("json.array_frame", BEFORE + DONE, BEFORE + DONE),
        ("json.nan@event=1", BEFORE, BEFORE.replace(b"}", b',"logprob":NaN}')),
        ("json.nan@event=1,kind=infinity", LINES, LINES.replace(b"}", b',"logprob":Infinity}')),
        ("json.nan@event=1,kind=-infinity", b"data: {}\n\n", b'data: {"logprob":-Infinity}\n\n'),
        ("json.nan@event=2", BEFORE + DONE, BEFORE + DONE),
        ("json.scalar@event=2", BEFORE + DONE, BEFORE + b"data: null\n\n" + DONE),
        ("json.scalar@event=1,after=true,kind=array", LINES, LINES + b"data: []\r\n\r\n"),
        ("json.scalar@event=1,kind=string", LINES, b'data: "processing"\r\n\r\n' + LINES),
        ("json.invalid_utf8@event=1", BEFORE, BEFORE.replace(b"cd", b"c\xffd")),
        ("json.invalid_utf8@event=1,kind=cesu", BEFORE, BEFORE.replace(b"cd", b"c\xed\xa0\xbc\xed\xbe\x89d")),
        ("json.invalid_utf8@event=1", DONE, DONE),
        ("json.surrogate@event=1", deltas("a🎉b🎉", "c"), deltas("a\\ud83c", "\\udf89b🎉c")),
        ("json.surrogate@event=1", deltas('\\\\n\\uD83C\\uDF89\\"', "c") + DONE, deltas("\\\\n\\ud83c", '\\udf89\\"c') + DONE),
        ("json.surrogate@event=1,kind=lone", deltas("a🎉b", "c"), deltas("a\\ud83cb", "c")),
        ("json.surrogate@event=1,kind=lone", deltas("a\\ud83c\\udf89"), deltas("a\\ud83c")),
        ("json.surrogate@event=1", deltas("🎉") + DONE, deltas("🎉") + DONE),
        ("json.surrogate@event=1", deltas("🎉"), deltas("🎉")),
        ("json.surrogate@event=1,kind=lone", TWO_CHOICES, TWO_CHOICES),
        ("json.surrogate@event=1,kind=lone", deltas("aé\\u00e9\\\\ud83c\\\\udf89"), deltas("aé\\u00e9\\\\ud83c\\\\udf89")),
        ("json.surrogate@event=1,kind=lone", BEFORE.replace(b"cd", "🎉".encode()), BEFORE.replace(b"cd", "🎉".encode())),
        ("json.nul@event=1", BEFORE, BEFORE.replace(b"}", b',"extra":"x\\u0000x"}')),
        ("json.control@event=1", BEFORE, BEFORE.replace(b"cd", b"c\td")),
        ("json.control@event=1,kind=esc", BEFORE, BEFORE.replace(b"cd", b"c\x1bd")),
        ("json.control@event=1,kind=nul", BEFORE, BEFORE.replace(b"cd", b"c\0d")),
        ("json.dup_keys@event=1", BEFORE, BEFORE.replace(b"}", b',"a":1,"b":"cd"}')),
        ("json.dup_keys@event=1", b"data: {}\n\n", b"data: {}\n\n"),
        ("json.big_int@event=1,digits=4", BEFORE, BEFORE.replace(b"}", b',"extra":9999}')),
        ("json.deep@event=1,depth=3", BEFORE, BEFORE.replace(b"}", b',"extra":[[[]]]}')),
    ],
)  # fmt: skip
def test_it_writes_exactly_this(spec: str, before: bytes, after: bytes) -> None:
    told = apply(parse(spec), [Head(200), Emit(before)])

    assert told == [Head(200), Emit(after), *([Emit(b"]")] if after.startswith(b"[") else [])]


@laws.EXAMPLES
@given(streams(["gemini"]))
def test_an_array_has_what_the_events_had(steps: list[Any]) -> None:
    told = apply(parse("json.array_frame"), steps)
    array = re.sub(rb"(?m)^: .*", b"", sent(told).replace(b"\r", b"\n"))
    values = [value for _, value in said(sent(steps))]

    assert json.loads(array) == values
    assert list(by_wait(told)) == list(by_wait(steps))


def test_an_array_that_fails_is_not_closed() -> None:
    script = [Head(200), Emit(b'data: {"candidates":[]}\n\n'), Fail(FailureKind.RESET)]

    assert apply(parse("json.array_frame"), script) == [
        Head(200),
        Emit(b'[{"candidates":[]}\n'),
        Fail(FailureKind.RESET),
    ]


def test_two_events_become_one_in_the_chunks_that_they_came_in() -> None:
    chunks = [b'data: {"a":', b"1}", b"\n", b"\nevent", b": e\ndata", b': {"b":2', b"}\n\n"]
    script = [Head(200), *itertools.chain(*((Wait(n), Emit(it)) for n, it in enumerate(chunks)))]

    assert apply(parse("json.concat@event=1"), script) == [
        Head(200),
        Wait(0),
        Emit(b'data: {"a":'),
        Wait(1),
        Emit(b"1}"),
        Wait(2),
        Wait(3),
        Wait(4),
        Wait(5),
        Emit(b'{"b":2'),
        Wait(6),
        Emit(b"}\n\n"),
    ]


@pytest.mark.parametrize(
    ("spec", "body"),
    [
        # what only looks like the text, beside it
        ("json.surrogate@event=1", b': "content": "\xff"\n' + deltas("🎉") + deltas("a")),
        ("json.dup_keys@event=1", b'data: {"a":"\xff"}\n\n'),
        ("json.deep@event=1", b"data: " + b"[" * 100_000 + b"\n\n"),
        ("json.nan@event=1", b'data: {"a":' + b"9" * 5_000 + b"}\n\n"),
        ("json.concat@event=1", b"data: [\n\ndata: {\n\n"),
        ("json.control@event=1", b'data\ndata: {"a":"b"}\n\n'),
    ],
)
def test_it_raises_nothing_whatever_the_stream(spec: str, body: bytes) -> None:
    told = apply(parse(spec), [Head(200), Emit(body)])

    assert [type(step) for step in told] == [Head, Emit]


@pytest.mark.parametrize("rule", params("json"))
def test_a_stream_without_end_is_told_as_it_comes(rule: Rule) -> None:
    read = itertools.count()
    told = list(itertools.islice(rule.build()(laws.endless(read)), 40))

    assert len(told) == 40
    assert next(read) <= 42


@pytest.mark.parametrize(("library", "is_async"), laws.SHELLS)
@pytest.mark.parametrize("rule", params("json"))
def test_our_client_does_what_is_expected(rule: Rule, library: str, is_async: bool) -> None:
    how = {"library": laws.LIBRARIES[library], "is_async": is_async}
    for dialect in dialects_of(rule):
        assert judge(rule, dialect, ERRORS, **how)


@pytest.mark.parametrize("rule", params("json"))
def test_our_client_does_it_where_tools_are_called_as_well(rule: Rule) -> None:
    for dialect in dialects_of(rule):
        assert judge(rule, dialect, ERRORS, calls=True)


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("json.cut@event=1,after=true", "json.cut changes an event, there is no after"),
        ("json.html@event=1,inside=json", "json.html takes a whole event: leave out inside=json"),
        ("json.concat", "json.concat takes a place (event), as in json.concat@event=3"),
        ("json.array_frame@event=1", "json.array_frame takes no 'event'"),
        ("json.nan@event=1,kind=inf", "kind is 'inf'; it can be nan, infinity, -infinity"),
        ("json.scalar@event=1,kind=number", "kind is 'number'; it can be null, array, string"),
        ("json.invalid_utf8@event=1,kind=fe", "kind is 'fe'; it can be ff, cesu"),
        ("json.invalid_utf8@event=1,inside=json", "inside is 'json'; here it can be json_string"),
        ("json.surrogate@event=1,kind=low", "kind is 'low'; it can be split, lone"),
        ("json.control@event=1,kind=cr", "kind is 'cr'; it can be tab, esc, nul"),
        ("json.big_int@event=1,digits=0", "digits is '0'; it can be a whole number, from 1 to"),
        ("json.deep@event=1,depth=x", "depth is 'x'; it can be a whole number, from 1 to"),
        ("json.nul@event=1,kind=x", "json.nul takes no 'kind'"),
        ("json.dup_keys@byte=1", "json.dup_keys takes no 'byte'"),
    ],
)
def test_a_spec_that_makes_no_sense_says_what_would(spec: str, words: str) -> None:
    with pytest.raises(PlanError, match=re.escape(words)):
        parse(spec)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: json_layer.Nan(at=Event(1), kind="inf"), "kind is 'inf'; it can be nan"),
        (lambda: json_layer.Scalar(at=Event(1), kind=""), "kind is ''; it can be null"),
        (lambda: json_layer.InvalidUtf8(at=Event(1), kind=""), "kind is ''; it can be ff"),
        (lambda: json_layer.Surrogate(at=Event(1), kind=""), "kind is ''; it can be split"),
        (lambda: json_layer.Control(at=Event(1), kind=""), "kind is ''; it can be tab"),
        (lambda: json_layer.BigInt(at=Event(1), digits=0), "digits is 0; it is from 1"),
        (lambda: json_layer.Deep(at=Event(1), depth=0), "depth is 0; it is from 1"),
        (lambda: json_layer.Html(at=1), "at is 1; json.html takes an Event"),
    ],
)
def test_a_fault_that_cannot_be_is_refused_at_once(make: Any, words: str) -> None:
    with pytest.raises(PlanError, match=words):
        make()
