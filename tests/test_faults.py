from __future__ import annotations

import itertools
import json
import math
from typing import TYPE_CHECKING

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from support import SOAK

from cassette_stream import faults
from cassette_stream.exceptions import PlanError, UnknownFaultError
from cassette_stream.faults import (
    AfterText,
    Byte,
    Chunk,
    Event,
    Rule,
    Time,
    When,
    parse,
    parse_rule,
    spec_of,
    text_of,
    watch,
    why_unfired,
)
from cassette_stream.faults.info import LAYERS
from cassette_stream.faults.inside import INSIDES
from cassette_stream.script import Emit, Fail, FailureKind, Head, Step, Wait
from cassette_stream.wire.sse import LocatedEvent, SSEDecoder

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from cassette_stream.faults import Fault, Place
    from cassette_stream.script import Script

Fin, Stall, Cut = faults.body.Fin, faults.body.Stall, faults.json.Cut
FIN = Fail(FailureKind.FIN)
CUTTABLE = ("escape", "json", "json_string")


def sent(script: Iterable[Step]) -> bytes:
    return b"".join(step.data for step in script if isinstance(step, Emit))


def events_of(body: bytes) -> list[LocatedEvent]:
    decoder = SSEDecoder(offsets=True, errors="replace")
    return [*decoder.feed(body), *decoder.finish()]


def apply(fault: Fault, steps: list[Step]) -> list[Step]:
    return list(fault(iter(steps)))


def offset_of(place: Place, steps: list[Step]) -> int | None:
    """How many bytes come before *place*."""
    told = apply(Fin(at=place), steps)
    return len(sent(told)) if told[-1:] == [FIN] else None


def chunked(body: bytes, cuts: Iterable[int]) -> list[bytes]:
    bounds = [0, *sorted(cuts), len(body)]
    return [body[start:end] for start, end in itertools.pairwise(bounds)]


texts = st.text(st.sampled_from('az "\\\n\té→🎉'), max_size=8)
values = st.recursive(
    st.one_of(st.none(), st.integers(), texts),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)


@st.composite
def blocks(draw: st.DrawFn) -> list[str]:
    """The lines of one block; some dispatch nothing."""
    kind = draw(st.sampled_from(["json", "json", "lines", "text", "comment", "retry"]))
    if kind == "comment":
        return [": é keep-alive"]
    if kind == "retry":
        return ["retry: 100"]
    if kind == "text":
        return [draw(st.sampled_from(["data: [DONE]", "data", "data: é", "data: {"]))]
    value = {"v": draw(values)}
    indent = 1 if kind == "lines" else None
    lines = json.dumps(value, ensure_ascii=draw(st.booleans()), indent=indent).split("\n")
    named = draw(st.sampled_from([[], [": first"], ["event: message_stop"]]))
    return [*named, *(draw(st.sampled_from(["data: ", "data:"])) + line for line in lines)]


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    end = draw(st.sampled_from(["\n", "\r\n", "\r"]))
    text = "".join(end.join([*lines, "", ""]) for lines in draw(st.lists(blocks(), max_size=6)))
    text += draw(st.sampled_from(["", "data: {"]))
    return draw(st.sampled_from([b"", b"\xef\xbb\xbf"])) + text.encode()


@st.composite
def scripts(draw: st.DrawFn) -> list[Step]:
    body = draw(bodies())
    steps: list[Step] = [Wait(0.1), Head(200)]
    for chunk in chunked(body, draw(st.lists(st.integers(0, len(body)), max_size=6))):
        if draw(st.booleans()):
            steps.append(Wait(draw(st.floats(0, 1))))
        steps.append(Emit(chunk))
    ending: list[Step] = draw(st.sampled_from([[], [Wait(2), Fail(FailureKind.RESET)]]))
    return steps + ending


numbers = st.integers(1, 8) | st.integers(-8, -1)
insides = st.none() | st.sampled_from(INSIDES)
events = st.builds(
    Event,
    numbers | st.sampled_from(["first", "last"]),
    inside=insides,
    type=st.sampled_from([None, "message_stop"]),
)
places = events | st.builds(Byte, st.integers(-90, 90)) | st.builds(Chunk, numbers)
stalls = st.builds(Stall, at=places, seconds=st.floats(0, exclude_min=True) | st.integers(1, 600))
cuts = st.builds(Cut, at=st.builds(Event, numbers, inside=st.sampled_from((None, *CUTTABLE))))
all_faults = st.builds(Fin, at=places) | stalls | cuts


@given(all_faults)
def test_what_spec_of_writes_parse_reads(fault: Fault) -> None:
    assert parse(spec_of(fault)) == fault


@given(all_faults, scripts())
def test_a_fault_strikes_or_says_why_not_and_leaves_the_stream_whole(
    fault: Fault, script: list[Step]
) -> None:
    strikes: list[int] = []
    told: list[Step] = []
    for step in watch(fault, iter(script), lambda: strikes.append(len(told))):
        told.append(step)

    assert told == apply(fault, script)
    assert len(strikes) == (told != script)
    if strikes:
        assert told[: strikes[0]] == script[: strikes[0]]
        assert told[strikes[0] :] != script[strikes[0] :]
    else:
        assert why_unfired(fault, [iter(script)]).startswith(f"{spec_of(fault)} never fired: ")


@given(places, scripts())
def test_fin_tells_the_beginning_and_then_fails(at: Place, script: list[Step]) -> None:
    told = apply(Fin(at=at), script)
    assume(told != script)
    *before, last, fail = told

    assert fail == FIN
    assert before == script[: len(before)]
    if last != script[len(before)]:
        assert isinstance(last, Emit)
        assert isinstance(script[len(before)], Emit)
        assert script[len(before)].data.startswith(last.data)


@given(places, scripts(), st.floats(0.1, 10))
def test_a_stall_that_ends_adds_one_wait_and_cuts_at_most_one_chunk(
    at: Place, script: list[Step], seconds: float
) -> None:
    told = apply(Stall(at=at, seconds=seconds), script)
    assume(told != script)
    index = len(apply(Stall(at=at), script)) - 1
    before, after = told[:index], told[index + 1 :]

    assert told[index] == Wait(seconds)
    if before + after != script:
        first, second = before.pop(), after.pop(0)
        assert [*before, Emit(first.data + second.data), *after] == script


@given(places, scripts())
def test_a_stall_without_end_waits_where_fin_would_close(at: Place, script: list[Step]) -> None:
    fin, stall = apply(Fin(at=at), script), apply(Stall(at=at), script)
    assume(fin != script)

    assert stall == [*fin[:-1], Wait(math.inf)]


@given(cuts, scripts())
def test_a_cut_breaks_the_json_of_one_event_and_nothing_else(
    fault: Cut, script: list[Step]
) -> None:
    told = apply(fault, script)
    before, after = events_of(sent(script)), events_of(sent(told))
    changed = [
        index for index, (a, b) in enumerate(zip(before, after, strict=True)) if a.data != b.data
    ]

    assert [step for step in told if not isinstance(step, Emit)] == [
        step for step in script if not isinstance(step, Emit)
    ]
    assert [event.event for event in after] == [event.event for event in before]
    assert len(changed) == (told != script)
    for index in changed:
        assert index == (fault.at.n - 1 if fault.at.n > 0 else len(before) + fault.at.n)
        assert before[index].data.startswith(after[index].data.rstrip("\n"))
        with pytest.raises(ValueError):
            json.loads(after[index].data)


@given(places, bodies(), st.data())
def test_a_place_does_not_depend_on_where_the_network_cut(
    at: Place, body: bytes, data: st.DataObject
) -> None:
    assume(not isinstance(at, Chunk))
    chunks = chunked(body, data.draw(st.lists(st.integers(0, len(body)), max_size=6)))

    assert offset_of(at, [Head(200), *map(Emit, chunks)]) == offset_of(at, [Head(200), Emit(body)])


@given(scripts())
def test_before_event_n_there_are_n_minus_one_events(script: list[Step]) -> None:
    spans = events_of(sent(script))

    for n, event in enumerate(spans, start=1):
        assert offset_of(Event(n), script) == event.start
        assert offset_of(Event(n - 1 - len(spans)), script) == event.start
    assert offset_of(Event(len(spans) + 1), script) is None
    assert offset_of(Event(-len(spans) - 1), script) is None


@given(scripts())
def test_bytes_and_chunks_count_from_both_ends(script: list[Step]) -> None:
    chunks = [step.data for step in script if isinstance(step, Emit) and step.data]
    size = sum(map(len, chunks))

    for n in range(size):
        assert offset_of(Byte(n), script) == offset_of(Byte(n - size), script) == n
    assert offset_of(Byte(size), script) == size
    assert offset_of(Byte(size + 1), script) is None
    assert offset_of(Byte(-size - 1), script) is None
    for n in range(len(chunks)):
        start = len(b"".join(chunks[:n]))
        assert offset_of(Chunk(n + 1), script) == start
        assert offset_of(Chunk(n - len(chunks)), script) == start
    assert offset_of(Chunk(len(chunks) + 1), script) is None
    assert offset_of(Chunk(-len(chunks) - 1), script) is None


def endless(steps: Iterable[Step]) -> Iterator[Step]:
    for step in steps:
        yield step
        yield Wait(1)


@pytest.mark.parametrize(
    ("at", "held"),
    [
        (Event(3), 0),
        (Event("first"), 0),
        (Event(9_999), 1),
        (Event("terminator"), 1),
        (Event(-1), 1),
        (Event(-5), 5),
        (Byte(9_999_999), 0),
        (Byte(-1), 1),
        (Chunk(9_999_999), 0),
        (Chunk(-2), 2),
    ],
    ids=str,
)
def test_no_more_is_read_ahead_than_it_takes(at: Place, held: int) -> None:
    read = itertools.count()
    script = (Emit(b"data: {}\n\n") for _ in iter(lambda: next(read), -1))
    told = list(itertools.islice(Fin(at=at)(script), 20))

    assert next(read) - sum(isinstance(step, Emit) for step in told) <= held + 1


ESCAPED = b'data: {"text":"a\\u00e9b"}\n\n'


@pytest.mark.parametrize(
    ("event", "inside", "before"),
    [
        (b'data: {"t":"\xc3\xa9"}\n\n', "utf8", b'data: {"t":"\xc3'),
        (b"id: \xc3\xa9\ndata: \xe2\x86\x92\n\n", "utf8", b"id: \xc3\xa9\ndata: \xe2"),
        (b"data: \xf0\x9f\x8e\x89\n\n", "utf8", b"data: \xf0"),
        (b"data: {}\r\n\r\n", "crlf", b"data: {}\r"),
        (b"event: a\r\ndata: 1\r\n\r\n", "crlf", b"event: a\r"),
        (b'data: {"a":1}\n\n', "json", b'data: {"a'),
        (b"data: {}\n\n", "json", b"data: {"),
        (b"data:  [1,2]  \n\n", "json", b"data:  [1"),
        (b'data: {"":"\xc3\xa9"}\n\n', "json", b'data: {"":'),
        (b'data: ["\xc3\xa9a"]\n\n', "json", b'data: ["'),
        (b'data: {"":"\xf0\x9f\x8e\x89"}\n\n', "json", b'data: {"":"'),
        (b'data: {\ndata: "a":1\ndata: }\n\n', "json", b'data: {\ndata: "a'),
        (b"data: {\ndata:}\n\n", "json", b"data: {"),
        (b'data: {"k":' + b"9" * 5000 + b"}\n\n", "json", b'data: {"k":' + b"9" * 2498),
        (b'data: {"a":"abcd","b":"wxyz"}\n\n', "json_string", b'data: {"a":"ab'),
        (b'data: {"longest":"short"}\n\n', "json_string", b'data: {"lon'),
        (b'data: [""]\n\n', "json_string", b'data: ["'),
        (ESCAPED, "json_string", b'data: {"text":"a'),
        (b'data: ["a\xf0\x9f\x8e\x89"]\n\n', "json_string", b'data: ["a'),
        (b'data: ["\\\\\\\\"]\n\n', "json_string", b'data: ["\\\\'),
        (ESCAPED, "escape", b'data: {"text":"a\\'),
        (b'data: {"a":\ndata: "\\n"}\n\n', "escape", b'data: {"a":\ndata: "\\'),
    ],
)
def test_inside_is_one_exact_place(event: bytes, inside: str, before: bytes) -> None:
    script = [Head(200), Emit(event)]

    assert sent(apply(Fin(at=Event(1, inside=inside)), script)) == before
    assert apply(Fin(at=Event(1, inside=inside)), script)[-1] == FIN


@pytest.mark.parametrize(
    ("event", "fault", "why"),
    [
        (b"data: {}\n\n", "body.fin@event=2", "the stream has 1 event"),
        (b"data: {}\n\n", "body.fin@event=-2", "the stream has 1 event"),
        (b": ping\n\ndata: {", "body.fin@event=first", "the stream has 0 events"),
        (b"data: {}\n\n", "body.fin@byte=11", "the stream has 10 bytes"),
        (b"data: {}\n\n", "body.fin@chunk=2", "the stream has 1 chunk"),
        (b"data: {}\n\n", "body.fin@event=1,inside=utf8", "event 1 has no character of several bytes"),
        (b"data: {}\n\n", "body.fin@event=1,inside=crlf", "event 1 has no CRLF"),
        (b"data: {}\n\n", "body.fin@event=1,inside=escape", "event 1 has no JSON with an escape"),
        (b"data: {}\n\n", "body.fin@event=1,inside=json_string", "event 1 has no JSON with a string"),
        (b"data: [DONE]\n\n", "body.fin@event=last,inside=json", "event last has no JSON"),
        (b"data: 12\n\n", "json.cut@event=1", "event 1 has no JSON"),
        (b'data: "\xff"\n\n', "json.cut@event=1", "event 1 has no JSON"),
        (b"data: " + b"[" * 100_000 + b"\n\n", "json.cut@event=1", "event 1 has no JSON"),
        (
            b'data: {"type":"message_start","text":"message_stop"}\n\n'
            b"data: [" + b'["message_stop",' * 100_000 + b"\n\n"
            b'data: {"message_stop"\n\ndata: ["message_stop"]\n\n'
            b'data: {"type":["message_stop"]}\n\n',
            "body.stall@event=terminator",
            "the stream has no terminator ([DONE], message_stop, response.completed ...)",
        ),
    ],
)  # fmt: skip
def test_a_fault_that_never_fired_says_what_there_was_instead(
    event: bytes, fault: str, why: str
) -> None:
    full = spec_of(parse(fault))
    script = [Head(200), Emit(event)]

    assert apply(parse(fault), script) == script
    assert why_unfired(parse(fault), [iter(script)]) == f"{full} never fired: {why}"


def test_all_streams_are_told_apart_when_a_fault_never_fired() -> None:
    one, two = [Head(200), Emit(b"data: 1\n\n")], [Head(200), Emit(b"data: 1\n\n" * 2)]
    fault = parse("body.fin@event=3")

    assert why_unfired(fault, map(iter, [one, two, one])) == (
        "body.fin@event=3 never fired: the stream has 1 event; the stream has 2 events"
    )
    assert why_unfired(fault, []) == "body.fin@event=3 never fired: no recorded response was played"
    assert why_unfired(parse("body.fin@event=2"), [iter(two)]) == (
        "body.fin@event=2 never fired: the stream was not read that far"
    )


def test_a_fault_that_changes_nothing_where_it_strikes_has_not_struck() -> None:
    script = [Head(200), Emit(b"abc"), FIN]
    strikes: list[str] = []
    list(watch(Fin(at=Byte(3)), iter(script), lambda: strikes.append("fin")))

    assert strikes == []
    assert why_unfired(Fin(at=Byte(3)), [iter(script)]) == (
        "body.fin@byte=3 never fired: the stream is the same with it"
    )


@pytest.mark.parametrize(
    "fault",
    [
        lambda script: itertools.islice(script, 1),
        lambda script: iter([*script, Wait(1)]),
        lambda script: itertools.chain([Wait(1)], script),
        lambda _: iter([]),
        lambda script: list(script)[:-1],
    ],
    ids=["ends early", "appends", "prepends", "says nothing", "is a list"],
)
def test_the_faults_of_others_are_watched_too(fault: Fault) -> None:
    strikes: list[str] = []
    told = list(watch(fault, iter([Head(200), Emit(b"a")]), lambda: strikes.append("struck")))

    assert strikes == ["struck"]
    assert told == list(fault(iter([Head(200), Emit(b"a")])))


def test_a_fault_of_others_has_its_repr_for_a_name() -> None:
    def nothing(script: Script) -> Script:
        return script

    assert why_unfired(nothing, [iter([Head(200)])]) == (
        f"{nothing!r} never fired: the stream is the same with it"
    )
    with pytest.raises(UnknownFaultError, match="is not in the catalogue"):
        spec_of(nothing)


@pytest.mark.parametrize(
    "terminator",
    [
        b"data: [DONE]\n\n",
        b"data: [DONE] \n\n",
        b'event: message_stop\ndata: {"type":"message_stop"}\n\n',
        b'data: {"type": "message_stop"}\n\n',
        b'event: response.completed\ndata: {"type":"response.completed"}\n\n',
        b'data: {"type":"response.incomplete"}\n\n',
        b'data: {"type":"message-end"}\r\r',
    ],
)
def test_the_terminator_is_the_event_that_ends_the_answer(terminator: bytes) -> None:
    first = b'data: {"type":"delta","text":"message_stop"}\n\n'
    script = [Head(200), Emit(first + terminator)]

    assert offset_of(Event("terminator"), script) == len(first)


@pytest.mark.parametrize(
    "script",
    [[], [Wait(1)], [Wait(1), Fail(FailureKind.REFUSED)]],
    ids=["nothing", "silence", "refused"],
)
def test_without_a_response_there_is_no_place(script: list[Step]) -> None:
    assert apply(Fin(at=Byte(0)), script) == script


def test_a_body_without_bytes_has_one_place() -> None:
    script = [Head(200), Fail(FailureKind.RESET)]

    assert apply(Fin(at=Byte(0)), script) == [Head(200), FIN]


def test_what_follows_a_failure_is_no_part_of_the_stream() -> None:
    script = [Head(200), Emit(b"a"), Fail(FailureKind.RESET), Emit(b"b")]

    assert apply(Fin(at=Byte(2)), script)[:3] == script[:3]


def test_faults_compose_in_the_order_in_which_they_are_applied() -> None:
    script = [Head(200), *(Emit(b'data: {"n":%d}\n\n' % n) for n in range(4))]
    cut, fin = parse("json.cut@event=2"), parse("body.fin@event=-1")

    assert list(fin(cut(iter(script)))) == [
        Head(200),
        Emit(b'data: {"n":0}\n\n'),
        Emit(b'data: {"n\n\n'),
        Emit(b'data: {"n":2}\n\n'),
        FIN,
    ]


def test_a_cut_drops_the_chunks_that_it_empties_and_keeps_their_waits() -> None:
    event = b'event: e\ndata: {"text":\ndata: "abc"}\nid: 7\n\n'
    chunks = [event[:18], event[18:31], event[31:36], event[36:]]
    script = [Head(200), *itertools.chain(*zip([Wait(1)] * 4, map(Emit, chunks), strict=True))]

    assert apply(parse("json.cut@event=1"), script) == [
        Head(200),
        Wait(1),
        Emit(b'event: e\ndata: {"t'),
        Wait(1),
        Emit(b'ext"\ndata: '),
        Wait(1),
        Wait(1),
        Emit(b"\nid: 7\n\n"),
    ]


@pytest.mark.parametrize(
    ("spec", "fault"),
    [
        ("body.fin@event=6,inside=utf8", Fin(at=Event(6, inside="utf8"))),
        ("body.fin@event=last", Fin(at=Event("last"))),
        (" body.fin @ byte = -1 ", Fin(at=Byte(-1))),
        ("body.stall@seconds=2.5,chunk=3", Stall(at=Chunk(3), seconds=2.5)),
        ("body.stall@event=1,seconds=inf", Stall(at=Event(1))),
        ("json.cut@event=terminator", Cut(at=Event("terminator", inside="json"))),
    ],
)
def test_a_spec_reads_as_the_fault_that_it_tells(spec: str, fault: Fault) -> None:
    assert parse(spec) == fault


@pytest.mark.parametrize(
    ("spec", "error", "words"),
    [
        ("body.fi@event=1", UnknownFaultError, "no fault 'body.fi'; nearest: body.fin; there are "),
        ("", UnknownFaultError, "no fault ''; there are "),
        ("body.fin@evnt=1", UnknownFaultError, "body.fin takes no 'evnt'; nearest: event; there are event, byte, chunk, after_text"),
        ("body.fin@event=1,seconds=1", UnknownFaultError, "body.fin takes no 'seconds'"),
        ("json.cut@byte=1", UnknownFaultError, "json.cut takes no 'byte'; nearest: type; there are event, inside"),
        ("body.fin", PlanError, "body.fin takes a place (event, byte, chunk, after_text, time, when), as in body.fin@event=3"),
        ("body.fin@event=1,byte=2", PlanError, "this has 2"),
        ("body.fin@event=1,event=2", PlanError, "event is there twice, in body.fin@event=1,event=2"),
        ("body.fin@event", PlanError, "'event' is not of the form name=value, in body.fin@event"),
        ("body.fin@event=one", PlanError, "event is 'one'; it can be a whole number, first, last or terminator"),
        ("body.fin@byte=1.5", PlanError, "byte is '1.5'; it can be a whole number"),
        ("body.fin@chunk=0", PlanError, "chunk is 0; chunks are counted from 1, or from the end with -1"),
        ("body.fin@event=0", PlanError, "event is 0; events are counted from 1"),
        ("body.fin@event=1,inside=word", PlanError, "inside is 'word'; it can be blank_line, crlf, escape, json"),
        ("body.fin@byte=1,inside=utf8", PlanError, "inside=utf8 says more of an event, and this has a byte"),
        ("json.cut@event=1,inside=crlf", PlanError, "inside is 'crlf'; here it can be escape, json, json_string"),
        ("body.stall@event=1,seconds=soon", PlanError, "seconds is 'soon'; it can be a number of seconds"),
        ("body.stall@event=1,seconds=nan", PlanError, "seconds is 'nan'; it can be a number of seconds, above 0"),
    ],
)  # fmt: skip
def test_a_spec_that_makes_no_sense_says_what_would(
    spec: str, error: type[PlanError], words: str
) -> None:
    with pytest.raises(error) as refused:
        parse(spec)

    assert words in str(refused.value)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Event("middle"), "event is 'middle'"),
        (lambda: Event(True), "event is True"),
        (lambda: Byte(1.5), "byte is 1.5"),
        (lambda: Chunk("first"), "chunk is 'first'; it can be a whole number$"),
        (lambda: Fin(at=6), "at is 6; it can be an Event, a Byte, a Chunk"),
        (lambda: Stall(at="last"), "at is 'last'"),
        (lambda: Cut(at=Byte(3)), r"at is Byte\(n=3\); json.cut takes an Event"),
    ],
)
def test_a_place_that_cannot_be_is_refused_at_once(make: object, words: str) -> None:
    with pytest.raises(PlanError, match=words):
        make()


SOME_PLACES = {
    "event": Event(2),
    "byte": Byte(2),
    "chunk": Chunk(2),
    "after_text": AfterText(2),
    "time": Time(0.5),
    "when": When("choices[0].finish_reason", "stop"),
}


@pytest.mark.parametrize("info", faults.catalogue().values(), ids=lambda info: info.id)
def test_the_catalogue_says_what_the_fault_takes(info: faults.FaultInfo) -> None:
    assert faults.catalogue()[info.id] is info
    assert info.layer in LAYERS
    assert (info.make is None) == (info.kind == "probe")
    assert info.description.endswith(".")
    for at in [SOME_PLACES[name] for name in info.places] or [None]:
        rule = Rule(info.id, at=at)

        assert parse_rule(text_of(rule)) == rule
    if "event" in info.places:
        for inside in info.insides:
            assert parse_rule(f"{info.id}@event=2,inside={inside}").at.inside == inside
        where = {"at": Event(2)}
    else:
        where = {"at": at}
    for parameter in info.parameters:
        assert parameter.read(parameter.default) == parameter.default
        assert Rule(info.id, **where, parameters={parameter.name: parameter.default})
        with pytest.raises(PlanError, match=parameter.name):
            Rule(info.id, **where, parameters={parameter.name: []})


def test_every_place_of_real_streams_is_where_it_says(corpus: Path) -> None:
    rows = (corpus / "corpus" / "public_index.jsonl").read_text(encoding="utf-8").splitlines()
    streams = [row for row in map(json.loads, rows) if row["kind"] == "sse"]
    for row in streams if SOAK else streams[:: len(streams) // 40]:
        body = (corpus / "corpus" / row["file"]).read_bytes()
        script = [Head(200), *map(Emit, chunked(body, range(0, len(body), 1000)))]
        spans = events_of(body)
        for n in (1, len(spans) // 2 or 1, -1) if spans else ():
            event = spans[n - 1 if n > 0 else n]
            assert offset_of(Event(n), script) == event.start
            for inside in INSIDES:
                at = offset_of(Event(n, inside=inside), script)
                assert at is None or event.start < at < event.end
            broken = events_of(sent(apply(Cut(at=Event(n)), script)))
            assert len(broken) == len(spans)
