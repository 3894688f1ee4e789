from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING, Any

import fault_laws as laws
import pytest
from breaking import FRAMINGS, outcome, stream
from fault_laws import at, by_wait, dialects_of, is_within, judge, params, said, streams, whole
from hypothesis import assume, given
from hypothesis import strategies as st
from test_faults import apply, events_of, sent

from cassette_stream.exceptions import (
    APIError,
    MalformedStreamError,
    PlanError,
    StreamTruncatedError,
    Timeout,
)
from cassette_stream.faults import (
    AfterText,
    Byte,
    Event,
    Rule,
    When,
    parse,
    parse_rule,
    sse,
    text_of,
)
from cassette_stream.script import Emit, Fail, FailureKind, Head, Wait

if TYPE_CHECKING:
    from cassette_stream.faults.dialect import Dialect

pytestmark = pytest.mark.matrix(8)

IDS = [
    "comments",
    "keepalive_stall",
    "meta_only",
    "comment_as_data",
    "no_space",
    "newlines",
    "unicode_newlines",
    "bom",
    "multiline",
    "event_added",
    "event_missing",
    "unknown_field",
    "id_retry",
    "no_final_blank",
    "huge",
    "bare_error",
    "newline_corruption",
    "space_padded_cut",
    "two_spaces",
]
ENDLESS = ("sse.keepalive_stall",)
ENDING = ("sse.bare_error",)
ERRORS: dict[str, type[APIError] | tuple[type[APIError], ...]] = {
    "sse.keepalive_stall": Timeout,
    "sse.newlines": (MalformedStreamError, StreamTruncatedError),
    "sse.comment_as_data": MalformedStreamError,
    "sse.no_final_blank": APIError,
    "sse.two_spaces": APIError,
    "sse.bare_error": APIError,
    "sse.newline_corruption": MalformedStreamError,
    "sse.space_padded_cut": MalformedStreamError,
}
PUTS_IN = {
    "sse.comments",
    "sse.meta_only",
    "sse.comment_as_data",
    "sse.unicode_newlines",
    "sse.bom",
    "sse.multiline",
    "sse.event_added",
    "sse.unknown_field",
    "sse.id_retry",
    "sse.huge",
    "sse.newline_corruption",
    "sse.two_spaces",
}
TAKES_OUT = {"sse.no_space", "sse.event_missing", "sse.no_final_blank"}
SAYS_THE_SAME = [
    it for it in laws.rules("sse") if it.at is None and it.fault != "sse.no_final_blank"
]
NOTHING_TO_DO = [
    (Rule("sse.newlines", parameters={"kind": "crlf"}), "gemini"),  # it has CRLF
    (parse_rule("sse.keepalive_stall@event=2,kind=ping"), "ollama"),  # lines have no pings
    *(  # they stand in a comment
        (parse_rule(f"sse.unicode_newlines@event=2,kind={kind}"), dialect)
        for kind in ("vt", "ff", "fs")
        for dialect in FRAMINGS
    ),
]
BODIES = params("sse", without=ENDLESS)
places = st.integers(1, 30)


def small(rule: Rule) -> Rule:
    """Megabytes tell no more than kilobytes, where it is about their place."""
    return (
        Rule(rule.fault, at=rule.at, parameters={"size": 2_000})
        if rule.fault == "sse.huge"
        else rule
    )


def test_the_layer_has_all_its_rows_in_their_order() -> None:
    assert [info.id for info in sse.FAULTS] == [f"sse.{name}" for name in IDS]
    assert [info.id for info in sse.FAULTS if info.common] == [
        "sse.comments",
        "sse.keepalive_stall",
        "sse.meta_only",
    ]


@pytest.mark.parametrize("rule", BODIES)
@laws.EXAMPLES
@given(data=st.data(), n=places)
def test_it_does_not_depend_on_where_the_network_cut(rule: Rule, data: Any, n: int) -> None:
    steps = data.draw(streams(dialects_of(rule)))
    fault = at(small(rule), n).build() if rule.at else rule.build()

    assert sent(apply(fault, steps)) == sent(apply(fault, whole(steps)))


@pytest.mark.parametrize("rule", params("sse", without=(*ENDLESS, *ENDING)))
@laws.EXAMPLES
@given(data=st.data(), n=places)
def test_each_chunk_keeps_its_wait_and_what_it_had(rule: Rule, data: Any, n: int) -> None:
    steps = data.draw(streams(dialects_of(rule)))
    fault = small(at(rule, n)).build()
    before, after = by_wait(steps), by_wait(apply(fault, steps))

    assert list(after) == list(before)
    for wait, chunks in before.items():
        [old], new = chunks or [b""], after[wait]
        assert len(new) <= 1 or rule.parameters == {"kind": "crlf_split"}
        told = b"".join(new)
        if rule.fault in PUTS_IN:
            assert is_within(old, told)
        elif rule.fault in TAKES_OUT:
            assert is_within(told, old)
        elif rule.fault == "sse.newlines":
            assert re.sub(rb"[\r\n]", b"", told) == re.sub(rb"[\r\n]", b"", old)
        else:
            assert len(told) == len(old)  # sse.space_padded_cut


@pytest.mark.parametrize("rule", params("sse", without=ENDLESS))
@laws.EXAMPLES
@given(data=st.data(), n=places)
def test_what_is_at_one_event_leaves_all_others_alone(rule: Rule, data: Any, n: int) -> None:
    if rule.at is None:
        return
    steps = data.draw(streams(dialects_of(rule)))
    body, told = sent(steps), sent(apply(small(at(rule, n)).build(), steps))
    event = next(iter(events_of(body)[n - 1 : n]), None)
    if event is None:
        assert told == body
        return
    assert told.startswith(body[: event.start])
    assert rule.fault in ENDING or told.endswith(body[event.end :])


@pytest.mark.parametrize("rule", SAYS_THE_SAME, ids=text_of)
@laws.EXAMPLES
@given(data=st.data())
def test_what_is_all_over_the_stream_says_the_same_as_before(rule: Rule, data: Any) -> None:
    steps = data.draw(streams(dialects_of(rule)))
    body, told = sent(steps), sent(apply(rule.build(), steps))
    before, after = said(body), said(told)
    if rule.fault == "sse.event_missing":
        assert b"event:" not in re.sub(rb"(?m)^data.*", b"", told.replace(b"\r", b"\n"))
        before = [("message", value) for _, value in before]

    assert after == before


@laws.EXAMPLES
@given(st.data(), places, st.sampled_from(["comment", "ping"]), st.floats(0.1, 100))
def test_a_stall_with_signs_of_life_is_the_beginning_and_then_these(
    data: Any, n: int, kind: str, every: float
) -> None:
    steps = data.draw(streams(dialects_of(Rule("sse.comments"))))
    assume(Wait(every) not in steps)  # else the stream's own waits would be taken for the fault's
    body, events = sent(steps), events_of(sent(steps))
    fault = sse.KeepaliveStall(at=Event(n), kind=kind, every=every)
    told = list(itertools.islice(fault(iter(steps)), len(steps) + 20))
    if n > len(events):
        assert told == steps
        return
    before = list(itertools.takewhile(lambda step: step != Wait(every), told))
    first, *beats = told[len(before) :]

    assert sent(before) == body[: events[n - 1].start]
    assert by_wait(steps).keys() >= by_wait(before).keys()
    assert first == Wait(every)
    assert set(beats[1::2]) == {first}
    assert len(set(beats[::2])) == 1
    assert isinstance(beats[0], Emit)
    assert events_of(sent(before) + beats[0].data)[n - 1 :] == events_of(beats[0].data) or (
        # where the event begins is told from the beginning of the stream
        kind == "ping"
    )
    assert len(events_of(beats[0].data)) == (kind == "ping")


CHAT = b'data: {"choices":[{"delta":{"content":"a"}}]}\n\n'
NAMED = b'event: ping\ndata: {"type":"ping"}\n\n'
STOP = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
DONE = b"data: [DONE]\n\n"
CUT = b'event: e\nid: 1\ndata: {"text":\ndata: "abcd"}\nretry: 2\n\n'


@pytest.mark.parametrize(
    ("spec", "before", "after"),
    [
        ("sse.comments", CHAT + DONE, b": OPENROUTER PROCESSING\n\n" + CHAT + b": OPENROUTER PROCESSING\n\n" + DONE),
        ("sse.comments@text=é,every=2,count=2", CHAT * 2 + DONE, (": é\n\n" * 2).encode() + CHAT * 2 + (": é\n\n" * 2).encode() + DONE),
        ("sse.comments@text=", b"data: 1\r\n\r\n", b":\r\n\r\ndata: 1\r\n\r\n"),
        ("sse.meta_only@event=2", CHAT * 2, CHAT + b"retry: 3000\n\n" + CHAT),
        ("sse.meta_only@event=1,after=true,kind=id", CHAT * 2, CHAT + b"id: 1\n\n" + CHAT),
        ("sse.meta_only@event=1,kind=event", b"data: 1\r\n\r\n", b"event: keepalive\r\n\r\ndata: 1\r\n\r\n"),
        ("sse.meta_only@event=-1,kind=empty_data", b"data: 1\r\r", b"data:\r\rdata: 1\r\r"),
        ("sse.comment_as_data@event=2", CHAT + DONE, CHAT + b"data: : OPENROUTER PROCESSING\n\n" + DONE),
        ("sse.no_space", NAMED + b": a\n\ndata:  x\n\nretry: 1\n\n" + DONE, b'event:ping\ndata:{"type":"ping"}\n\n: a\n\ndata:  x\n\nretry: 1\n\ndata:[DONE]\n\n'),
        ("sse.newlines", b": a\n\ndata: 1\n\ndata: {", b": a\r\n\r\ndata: 1\r\n\r\ndata: {"),
        ("sse.newlines@kind=cr", b"data: 1\r\n\r\ndata: 2\n\n", b"data: 1\r\rdata: 2\r\r"),
        ("sse.newlines@kind=mixed", b"data: 1\n\ndata: 2\n\n", b"data: 1\n\rdata: 2\r\n\n"),
        ("sse.unicode_newlines@event=1", CHAT, CHAT[:-3] + b',"extra":"x\xe2\x80\xa8data: x"}\n\n'),
        ("sse.unicode_newlines@event=1,kind=ps", b"data: {}\n\n", b'data: {"extra":"x\xe2\x80\xa9data: x"}\n\n'),
        ("sse.unicode_newlines@event=1,kind=nel", b"data: {} \n\n", b'data: {"extra":"x\xc2\x85data: x"} \n\n'),
        ("sse.unicode_newlines@event=2,kind=vt", CHAT + NAMED, CHAT + b": x\x0bdata: x\n" + NAMED),
        ("sse.unicode_newlines@event=2,kind=ff", CHAT + NAMED, CHAT + b": x\x0cdata: x\n" + NAMED),
        ("sse.unicode_newlines@event=2,kind=fs", CHAT + NAMED, CHAT + b": x\x1cdata: x\n" + NAMED),
        ("sse.unicode_newlines@event=1,kind=fs", DONE, DONE),
        ("sse.bom", CHAT, b"\xef\xbb\xbf" + CHAT),
        ("sse.bom", b"\xef\xbb\xbf" + CHAT, b"\xef\xbb\xbf" + CHAT),
        ("sse.multiline", b'data: {"a":1}\n\ndata: [1,2] \n\n' + DONE, b'data: {\ndata: "a":1\ndata: }\n\ndata: [\ndata: 1,2\ndata: ] \n\n' + DONE),
        ("sse.multiline", CUT, b'event: e\nid: 1\ndata: {\ndata: "text":\ndata: "abcd"\ndata: }\nretry: 2\n\n'),
        ("sse.event_added", CHAT + b"event: x\n" + CHAT + DONE, b"event: message\n" + CHAT + b"event: x\n" + CHAT + b"event: message\n" + DONE),
        ("sse.event_added", NAMED + STOP, NAMED + STOP),
        ("sse.event_missing", STOP + NAMED + b"event: done\ndata: {}\n\n", STOP[20:] + NAMED[12:] + b"event: done\ndata: {}\n\n"),
        ("sse.event_missing", CHAT + NAMED, CHAT + NAMED),
        ("sse.unknown_field", NAMED + DONE, b"x-trace: 7f\n" + NAMED + b"x-trace: 7f\n" + DONE),
        ("sse.id_retry", NAMED + DONE, b"id: 1\nretry: 3000\n" + NAMED + b"id: 2\nretry: 3000\n" + DONE),
        ("sse.no_final_blank", CHAT + DONE, CHAT + DONE[:-1]),
        ("sse.no_final_blank", b"data: 1\r\n\r\n", b"data: 1\r\n"),
        ("sse.no_final_blank", CHAT + b": bye\n\n", CHAT + b": bye\n\n"),
        ("sse.no_final_blank", b": bye\n\n", b": bye\n\n"),
        ("sse.huge@event=1,size=5", b'data: {"a":1}\n\n', b'data: {"a":1,"extra":"xxxxx"}\n\n'),
        ("sse.bare_error@event=2", NAMED + STOP + DONE, NAMED + b'{"type": "error", "error": {"type": "api_error", "message": "Internal error"}}\n\n'),
        ("sse.bare_error@event=1,kind=html", b"data: 1\r\r", b"<html><head><title>502 Bad Gateway</title></head><body>502 Bad Gateway</body></html>\r\r"),
        ("sse.newline_corruption@event=1", NAMED, b'event: ping\ndata: {"ty\npe":"ping"}\n\n'),
        ("sse.newline_corruption@event=1,count=2,inside=json", b'data: {"a":"\xc3\xa9"}\r\r', b'data: {"a":\r\r"\xc3\xa9"}\r\r'),
        ("sse.newline_corruption@event=1", DONE, DONE),
        ("sse.space_padded_cut@event=1,inside=json_string", CUT, b'event: e\nid: 1\ndata: {"te    \ndata:        \nretry: 2\n\n'),
        ("sse.space_padded_cut@event=1", b'data: {"a":1}\n\n', b'data: {"a    \n\n'),
        ("sse.space_padded_cut@event=1", DONE, DONE),
        ("sse.two_spaces", b"data:1\ndata: 2\n\n" + DONE, b"data:  1\ndata:  2\n\ndata:  [DONE]\n\n"),
    ],
)  # fmt: skip
def test_it_writes_exactly_this(spec: str, before: bytes, after: bytes) -> None:
    assert apply(parse(spec), [Head(200), Emit(before)]) == [Head(200), Emit(after)]


def test_crlf_is_split_where_it_was_not() -> None:
    script = [
        Head(200),
        Emit(b"data: 1\r"),
        Wait(1),
        Emit(b"\n\r\nda"),
        Wait(2),
        Emit(b"ta: 2\n\n"),
    ]

    assert apply(parse("sse.newlines@kind=crlf_split"), script) == [
        Head(200),
        Emit(b"data: 1\r"),
        Wait(1),
        Emit(b"\n\r"),
        Emit(b"\nda"),
        Wait(2),
        Emit(b"ta: 2\r"),
        Emit(b"\n\r"),
        Emit(b"\n"),
    ]


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("crlf", [Emit(b"data: 1\r\n\r"), Wait(1), Emit(b""), Wait(2), Emit(b"\n"), Wait(3)]),
        ("cr", [Emit(b"data: 1\r\r"), Wait(1), Emit(b""), Wait(2), Wait(3)]),
        ("mixed", [Emit(b"data: 1\n\r"), Wait(1), Emit(b""), Wait(2), Wait(3)]),
    ],
)
def test_a_line_end_in_two_chunks_stays_where_it_began(kind: str, told: list[Any]) -> None:
    ends = [Emit(b"data: 1\n\r"), Wait(1), Emit(b""), Wait(2), Emit(b"\n"), Wait(3)]
    reset = [Fail(FailureKind.RESET)]

    assert apply(parse(f"sse.newlines@kind={kind}"), [*ends, *reset]) == [*told, *reset]


@pytest.mark.parametrize("body", [b"data: 1\r\r", b"data: 1\r\r\n"])
def test_a_cr_at_the_end_is_a_line_end(body: bytes) -> None:
    script = [Head(200), Emit(body[:9]), *([Emit(body[9:])] if body[9:] else []), Wait(3)]

    assert sent(apply(parse("sse.newlines"), script)) == b"data: 1\r\n\r\n"


def test_a_byte_order_mark_comes_with_the_first_byte() -> None:
    script = [Head(200), Emit(b""), Wait(1), Emit(b"d"), Emit(b"ata: 1\n\n")]

    assert apply(parse("sse.bom"), script) == [*script[:3], Emit(b"\xef\xbb\xbfd"), script[-1]]
    assert apply(parse("sse.bom"), script[:3]) == script[:3]


@pytest.mark.parametrize(
    ("dialect", "ping"),
    [
        ("openai_chat", b'event: ping\ndata: {"type": "ping"}\n\n'),
        ("openai_responses", b'event: keepalive\ndata: {"type": "keepalive"}\n\n'),
        ("anthropic", b'event: ping\ndata: {"type": "ping"}\n\n'),
        ("gemini", b'event: ping\r\ndata: {"type": "ping"}\r\n\r\n'),
    ],
)
def test_a_ping_is_written_as_the_dialect_writes_it(dialect: Dialect, ping: bytes) -> None:
    steps = stream(dialect)
    told = parse("sse.keepalive_stall@after_text=5,kind=ping,every=2s")(iter(steps))

    assert Wait(2) in (step for step in told)
    assert [next(told) for _ in range(3)] == [Emit(ping), Wait(2), Emit(ping)]


@pytest.mark.parametrize(
    "place",
    [AfterText(5), When("choices[0].finish_reason", "stop"), Event(4, after=True), Event("last")],
    ids=str,
)
def test_a_stall_with_signs_of_life_takes_places_between_events(place: Any) -> None:
    steps = stream("openai_chat")
    told = sse.KeepaliveStall(at=place, every=1.5)(iter(steps))
    before = list(itertools.takewhile(lambda step: step != Wait(1.5), told))

    assert before == steps[: len(before)]
    assert next(told) == Emit(b": keep-alive\n\n")


@pytest.mark.parametrize("rule", params("sse"))
def test_a_stream_without_end_is_told_as_it_comes(rule: Rule) -> None:
    read = itertools.count()
    told = list(itertools.islice(small(rule).build()(laws.endless(read)), 40))

    if rule.fault == "sse.bare_error":
        assert [type(step) for step in told] == [Head, Emit, Emit]
    else:
        assert len(told) == 40
    assert next(read) <= 42


@pytest.mark.parametrize(("library", "is_async"), laws.SHELLS)
@pytest.mark.parametrize("rule", params("sse"))
def test_our_client_does_what_is_expected(rule: Rule, library: str, is_async: bool) -> None:
    how = {"library": laws.LIBRARIES[library], "is_async": is_async}
    for dialect in dialects_of(rule):
        assert judge(rule, dialect, ERRORS, **how) or (rule, dialect) in NOTHING_TO_DO


@pytest.mark.parametrize("rule", params("sse"))
def test_our_client_does_it_where_tools_are_called_as_well(rule: Rule) -> None:
    for dialect in dialects_of(rule):
        assert judge(rule, dialect, ERRORS, calls=True) or (rule, dialect) in NOTHING_TO_DO


@pytest.mark.parametrize("dialect", ["openai_chat", "openai_responses", "anthropic", "gemini"])
def test_an_error_that_is_no_event_is_told_in_its_own_words(dialect: Dialect) -> None:
    steps, fault = stream(dialect), parse("sse.bare_error@event=8")
    error = outcome(lambda _: fault(iter(steps)), dialect)

    assert isinstance(error, APIError)
    assert "Internal error" in error.message
    assert error.mid_stream
    assert error.generated_content


@pytest.mark.parametrize("kind", ["html", "json"])
def test_only_an_error_in_words_breaks_a_whole_answer_where_strict_is_off(kind: str) -> None:
    steps, fault = stream("openai_chat"), parse(f"sse.bare_error@event=terminator,kind={kind}")
    got = outcome(lambda _: fault(iter(steps)), "openai_chat", strict=False)

    if kind == "html":
        assert got == outcome(lambda _: steps, "openai_chat")
    else:
        assert isinstance(got, APIError)


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("sse.comments@every=0", "every is '0'; it can be a whole number of events, from 1"),
        ("sse.comments@count=1.5", "count is '1.5'; it can be a whole number, from 1"),
        ("sse.comments@event=1", "sse.comments takes no 'event'"),
        ("sse.keepalive_stall", "takes a place (event, after_text, when)"),
        ("sse.keepalive_stall@event=1,inside=utf8", "sse.keepalive_stall takes a whole event: leave out inside=utf8"),
        ("sse.keepalive_stall@byte=1", "sse.keepalive_stall takes no 'byte'"),
        ("sse.keepalive_stall@event=1,kind=pin", "kind is 'pin'; it can be comment, ping; nearest: ping"),
        ("sse.keepalive_stall@event=1,every=0", "every is '0'; it can be a number of seconds, above 0"),
        ("sse.meta_only@event=1,kind=data", "it can be retry, id, event, empty_data"),
        ("sse.meta_only@event=1,inside=json", "leave out inside=json"),
        ("sse.newlines@kind=lf", "kind is 'lf'; it can be crlf, cr, mixed, crlf_split"),
        ("sse.unicode_newlines@event=1,kind=rs", "it can be ls, ps, nel, vt, ff, fs"),
        ("sse.unicode_newlines@event=1,after=true", "sse.unicode_newlines changes an event, there is no after"),
        ("sse.huge@event=1,size=0", "size is '0'; it can be a whole number of bytes, from 1"),
        ("sse.bare_error@event=1,kind=xml", "kind is 'xml'; it can be json, html"),
        ("sse.newline_corruption@event=1,inside=utf8", "inside is 'utf8'; here it can be json, json_string"),
        ("sse.newline_corruption@event=1,count=0", "count is '0'; it can be a whole number, from 1"),
        ("sse.space_padded_cut@event=1,inside=crlf", "inside is 'crlf'; here it can be json, json_string"),
    ],
)  # fmt: skip
def test_a_spec_that_makes_no_sense_says_what_would(spec: str, words: str) -> None:
    with pytest.raises(PlanError, match=re.escape(words)):
        parse(spec)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: sse.Comments(text="a\nb"), r"text is 'a\\nb'; a comment is one line"),
        (lambda: sse.Comments(every=0), "every is 0 and count 1; both are from 1"),
        (lambda: sse.KeepaliveStall(at=Byte(3)), r"at is Byte\(n=3\); sse.keepalive_stall takes"),
        (lambda: sse.KeepaliveStall(at=3), "at is 3; it can be an Event"),
        (lambda: sse.KeepaliveStall(at=Event(1), kind="data"), "kind is 'data'; it can be comment"),
        (lambda: sse.KeepaliveStall(at=Event(1), every=0), "every is 0; it is more than 0 seconds"),
        (lambda: sse.MetaOnly(at=Byte(1)), r"at is Byte\(n=1\); sse.meta_only takes an Event"),
        (lambda: sse.MetaOnly(at=Event(1), kind=""), "kind is ''; it can be retry, id"),
        (lambda: sse.CommentAsData(at=1), "at is 1; sse.comment_as_data takes an Event"),
        (lambda: sse.Newlines(kind="lf"), "kind is 'lf'; it can be crlf"),
        (lambda: sse.UnicodeNewlines(at=Event(1), kind="lf"), "kind is 'lf'; it can be ls"),
        (lambda: sse.Huge(at=Event(1), size=0), "size is 0; it is from 1 byte"),
        (lambda: sse.BareError(at=Event(1), kind="xml"), "kind is 'xml'; it can be json"),
        (lambda: sse.NewlineCorruption(at=Event(1), count=0), "count is 0; it is from 1"),
        (lambda: sse.SpacePaddedCut(at=None), "at is None; sse.space_padded_cut takes an Event"),
    ],
)
def test_a_fault_that_cannot_be_is_refused_at_once(make: Any, words: str) -> None:
    with pytest.raises(PlanError, match=words):
        make()
