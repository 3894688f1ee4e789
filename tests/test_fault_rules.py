"""Rules: their text both ways, what they take, and which requests they are for."""

from __future__ import annotations

import json
import math
import pickle
import re
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from strategies_faults import PERFORMED, parameter_values, places, rules, texts
from support import SOAK

from cassette_stream import faults
from cassette_stream.cassette.model import Request
from cassette_stream.exceptions import PlanError, UnknownFaultError
from cassette_stream.faults import (
    Distribution,
    Event,
    FaultInfo,
    Match,
    Occasion,
    Parameter,
    Range,
    Rule,
    Span,
    When,
    parse_rule,
    text_of,
)
from cassette_stream.faults.draws import drawn, random_of
from cassette_stream.faults.occasion import span_of
from cassette_stream.faults.parameter import quoted, seconds_of, unquoted
from cassette_stream.faults.place import check_event

pytestmark = pytest.mark.matrix(2)

some = settings(
    max_examples=2000 if SOAK else 200,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@some
@given(rules())
def test_what_text_of_writes_parse_rule_reads(rule: Rule) -> None:
    assert parse_rule(text_of(rule)) == rule


@pytest.mark.parametrize("info", PERFORMED, ids=lambda info: info.id)
@settings(max_examples=20 if SOAK else 3, deadline=None)
@given(data=st.data())
def test_so_it_is_for_every_fault_and_each_of_its_parameters(
    info: FaultInfo, data: st.DataObject
) -> None:
    for parameter in (None, *info.parameters):
        told = {} if parameter is None else {parameter.name: data.draw(parameter_values(parameter))}
        try:
            rule = Rule(info.id, at=data.draw(places(info)), parameters=told)
        except PlanError:
            continue  # a fault may know more of its values than its row says

        assert parse_rule(text_of(rule)) == rule
        assert rule.is_random or rule.build() == parse_rule(text_of(rule)).build()


@pytest.mark.parametrize("info", PERFORMED, ids=lambda info: info.id)
@settings(max_examples=2, deadline=None)
@given(data=st.data())
def test_what_a_fault_does_anyway_need_not_be_said(info: FaultInfo, data: st.DataObject) -> None:
    at = data.draw(places(info).filter(lambda place: _is_taken(info, place)))
    told = {it.name: it.default for it in info.parameters}

    assert Rule(info.id, at=at, parameters=told) == Rule(info.id, at=at)
    assert info.make is not None
    assert info.make(**_place(at), **told) == info.make(**_place(at))


def _is_taken(info: FaultInfo, place: Any) -> bool:
    try:
        return bool(Rule(info.id, at=place))
    except PlanError:
        return False


def _place(at: Any) -> dict[str, Any]:
    return {} if at is None else {"at": at}


@some
@given(rules())
def test_rules_can_be_printed_and_pickled(rule: Rule) -> None:
    assert pickle.loads(pickle.dumps(rule)) == rule
    assert rule.fault in repr(rule)


@given(texts)
def test_quotes_are_taken_off_as_they_were_put_on(text: str) -> None:
    assert unquoted(quoted(text)) == text


@pytest.mark.parametrize("text", ['"', '"a', '"a" b', '""x"'], ids=repr)
def test_a_quote_that_begins_no_string_stands_for_itself(text: str) -> None:
    assert unquoted(text) == text


@given(st.text() | st.sampled_from(PERFORMED).map(lambda info: info.id), st.text('"\\,=@1 .ae'))
def test_any_text_is_a_rule_or_a_plan_error(id_: str, rest: str) -> None:
    try:
        rule = parse_rule(f"{id_}@{rest}")
    except PlanError:
        return

    assert parse_rule(text_of(rule)) == rule


ALL = f"there are {len(faults.catalogue())}: cassette-stream faults lists them"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("body.fim@event=1", f"no fault 'body.fim'; nearest: body.fin; {ALL}"),
        ("fin@event=1", f"no fault 'fin'; nearest: body.fin; {ALL}"),
        ("body.fin@event=1,requests=2", "body.fin takes no 'requests'; nearest: request; "),
        ("body.fin@event=1,attemt=2", "body.fin takes no 'attemt'; nearest: attempt; "),
        ("connect.refused@event=1", "connect.refused takes no 'event'; nearest: "),
        ("body.fin@event=1,request=0", "request is '0'; it can be a number from 1, or as in 1..2 or 2.."),
        ("body.fin@event=1,attempt=2..1", "attempt is '2..1'; it can be a number from 1"),
        ("body.fin@event=1,attempt=..2", "attempt is '..2'"),
        ("body.fin@event=1,times=0", "times is 0; it can be a whole number from 1"),
        ("body.fin@event=1,times=x", "times is 'x'; it can be a whole number"),
        ("body.fin@event=1,p=2", "p is 2.0; it can be a number from 0 to 1"),
        ("body.fin@event=1,p=nan", "p is nan; it can be a number from 0 to 1"),
        ("body.fin@event=1,p=often", "p is 'often'; it can be a number"),
        ("body.fin@event=1,expect=raise", "expect is 'raise'; it can be raises, tolerates, either, undetectable"),
        ("body.fin@event=1,after=yes", "after is 'yes'; it can be true or false"),
        ("body.fin@time=soon", "time is 'soon'; it can be a number of seconds, or as in 900ms"),
        ("body.fin@when=type", "when is 'type'; write it like choices[0].finish_reason==stop"),
        ("body.fin@when=a==[1]", "when is 'a==[1]'; write it like"),
        ("body.fin@when=a b==1", "when: 'a b' is no path into JSON"),
        ("body.fin@inside=utf8", "body.fin takes one place (event, byte, chunk, after_text, time, when), this has 0"),
        ("body.fin@event=1,,byte=2", "'' is not of the form name=value, in body.fin@event=1,,byte=2"),
        ('body.fin@when="a,b', "'b' is not of the form name=value, in body.fin@when"),
        ("body.stall@event=1,seconds=2..1", "seconds is '2..1'; a range goes up, and has an end"),
        ("body.stall@event=1,seconds=1..inf", "seconds is '1..inf'; a range goes up, and has an end"),
        ("body.stall@event=1,seconds=0..1", "seconds is '0'; it can be a number of seconds, above 0"),
        ("body.stall@event=1,seconds=-1", "seconds is '-1'; it can be a number of seconds, above 0"),
        ("body.slice@size=1.5", "size is '1.5'; it can be a whole number of bytes, from 1"),
        ("body.slice@size=inf", "size is 'inf'; it can be a whole number of bytes, from 1"),
        ("head.429@form=second", "form is 'second'; it can be seconds, http-date, ms, absent, inf; nearest: seconds"),
    ],
)  # fmt: skip
def test_a_text_that_makes_no_sense_is_told_with_what_would(text: str, message: str) -> None:
    with pytest.raises(PlanError) as refused:
        parse_rule(text)

    assert message in str(refused.value)


def a_fault(script: Any) -> Any:
    return script


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: faults.json.Cut(at=3), "at is 3; json.cut takes an Event"),
        (lambda: check_event(3), "at is 3; it can be an Event"),
        (lambda: check_event(Event(1, after=True)), "this happens to event 1 as a whole: leave out after"),
        (lambda: check_event(Event(1, inside="json")), "leave out inside=json"),
        (lambda: Rule("body.fin"), "body.fin takes a place (event, byte, chunk, after_text, time, when), as in body.fin@event=3"),
        (lambda: Rule("body.fin", at=3), "at is 3; it can be an Event, a Byte, a Chunk"),
        (lambda: Rule("json.nul", at=Event(1, after=True), p=0.5), "json.nul changes an event, there is no after"),
        (lambda: Rule("connect.dns", at=Event(1)), "connect.dns takes no place, and not event=1"),
        (lambda: Rule("sse.bom", at=When("a", 1)), "sse.bom takes no place, and not when=a==1"),
        (lambda: Rule("body.fin", at=Event(1), parameters={"x": 1}), "body.fin takes no 'x'; there are http_chunk"),
        (lambda: Rule("body.fin", at=Event(1), name=5), "name is 5; it can be a text"),
        (lambda: Rule("body.fin", at=Event(1), match={"path": "*"}), "match is {'path': '*'}; it can be a Match"),
        (lambda: Rule("body.fin", at=Event(1), request=(2, 1)), "request is (2, 1)"),
        (lambda: Rule("body.fin", at=Event(1), attempt=True), "attempt is True"),
        (lambda: Rule("body.fin", at=Event(1), p=True), "p is True"),
        (lambda: Rule(5), "a fault is an id of the catalogue or a callable, not 5"),
        (lambda: Rule(faults.body.Fin), "Fin is a class of faults: call it to make one"),
        (lambda: Rule(a_fault, at=Event(1)), "has its place and parameters in it"),
        (lambda: Rule("end.abandoned").build(), "end.abandoned is a way to run code: chaos.sweep does that, no replay"),
        (lambda: Rule("head.delay", parameters={"seconds": "1..2"}).build(), "head.delay has parameters that are drawn: resolve the plan first"),
        (lambda: Match(path=5), "path is 5; it can be a text, * stands for anything"),
        (lambda: Match(headers=["x"]), "headers is ['x']; it can be a map from text"),
        (lambda: Match(headers={"x": 1}), "x is 1; it can be a text"),
        (lambda: Match(body={"a b": 1}), "body: 'a b' is no path into JSON"),
    ],
)  # fmt: skip
def test_a_rule_that_makes_no_sense_is_refused_when_it_is_made(make: Any, words: str) -> None:
    with pytest.raises(PlanError, match=re.escape(words)):
        make()


@pytest.mark.parametrize(
    ("value", "span", "text"),
    [
        (1, Span(1, 1), "1"),
        ("2", Span(2, 2), "2"),
        (" 1..2 ", Span(1, 2), "1..2"),
        ("3..", Span(3), "3.."),
        ((2, 5), Span(2, 5), "2..5"),
        ((2, None), Span(2), "2.."),
        (Span(1, 4), Span(1, 4), "1..4"),
    ],
    ids=repr,
)
def test_spans(value: object, span: Span, text: str) -> None:
    assert span_of("attempt", value) == span
    assert str(span) == text
    assert [n for n in range(8) if n in span] == [
        n for n in range(8) if span.first <= n and (span.last is None or n <= span.last)
    ]


@pytest.mark.parametrize("value", [0, -1, "", "0", "x", "1.5", "1..0", "1..x", "..", 1.0, [1, 2], (1,), None, "²"], ids=repr)  # fmt: skip
def test_what_is_no_span(value: object) -> None:
    with pytest.raises(PlanError, match=r"^request is .*; it can be a number from 1, or as in"):
        span_of("request", value)


def request(
    url: str = "https://API.example.com/v1/chat/completions?k=v", body: Any = None, **more: Any
) -> Request:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Request(method="POST", url=url, body=raw, **more)


CHAT = request(body={"model": "gpt-4o", "stream": True, "tools": [{"type": "function"}, {"n": 1}]})
CONVERSE = request("https://b.example/model/amazon.nova-lite-v1%3A0/converse-stream", body={})
GEMINI = request("https://g.example/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse")


@pytest.mark.parametrize(
    ("match", "asked", "agrees"),
    [
        (Match(), CHAT, True),
        (Match(method="POST"), CHAT, True),
        (Match(method="post"), CHAT, True),
        (Match(method="GET"), CHAT, False),
        (Match(host="api.example.com"), CHAT, True),
        (Match(host="*.Example.com"), CHAT, True),
        (Match(host="example.com"), CHAT, False),
        (Match(path="*/completions"), CHAT, True),
        (Match(path="/v1/messages"), CHAT, False),
        (Match(model="gpt-*"), CHAT, True),
        (Match(model="claude-*"), CHAT, False),
        (Match(model="gemini-2.5-*"), GEMINI, True),
        (Match(model="gpt-*"), GEMINI, False),
        (Match(model="amazon.nova-lite-v1:0"), CONVERSE, True),
        (Match(model="anthropic.*"), CONVERSE, False),
        (Match(model="*"), request(body=b"\xff"), True),
        (Match(model="?*"), request(body=b"\xff"), False),
        (Match(model="?*"), request(body={"model": 5}), False),
        (Match(model="?*"), request(body=b"[" * 100_000), False),
        (Match(headers={"X-Team": "a*"}), request(headers={"x-team": ("b", "ab")}), True),
        (Match(headers={"x-team": "a*"}), request(headers={"x-team": ("b",)}), False),
        (Match(headers={"x-team": "*"}), CHAT, False),
        (Match(body={"stream": True}), CHAT, True),
        (Match(body={"stream": 1}), CHAT, False),
        (Match(body={"tools[*].type": "function", "model": "gpt-4o"}), CHAT, True),
        (Match(body={"tools[1].type": "function"}), CHAT, False),
        (Match(body={"tools[*]": {"n": 1.0}}), CHAT, True),
        (Match(body={"a": None}), request(body=b"[" * 100_000), False),
    ],
)  # fmt: skip
def test_what_a_request_is_like(match: Match, asked: Request, *, agrees: bool) -> None:
    rule = Rule("body.fin", at=Event(1), match=match)

    assert match(asked) is agrees
    assert rule.applies(Occasion(request=asked, number=1, attempt=1)) is agrees


def test_a_match_of_nothing_is_none() -> None:
    assert Match(headers={}, body={}) == Match()
    assert Rule("body.fin", at=Event(1), match=Match()).match is None


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("900ms", 0.9), ("5min", 300), ("1 h", 3600), ("2", 2), (" 1.5s ", 1.5), ("1e3", 1000), ("inf", math.inf),
     (3, 3), (True, None), ("soon", None), ("1 2", None), ("ms", None), ("1..2", None), (None, None), ("--1", None),
     (10**400, None)],
    ids=lambda value: repr(value)[:12],
)  # fmt: skip
def test_durations(text: object, seconds: float | None) -> None:
    assert seconds_of(text) == (None if seconds is None else pytest.approx(seconds))


NUMBER = Parameter(name="n", default=1, description=".", unit="bytes", low=1, high=9)
SECONDS = Parameter(name="s", default=1.0, description=".", unit="seconds", above=True)
FLAG = Parameter(name="f", default=False, description=".")
WORD = Parameter(name="w", default="a", description=".")
CHOICE = Parameter(name="c", default="one", description=".", choices=("one", "two"))


@pytest.mark.parametrize(
    ("parameter", "value", "told"),
    [
        (NUMBER, "7", 7), (NUMBER, 7.0, 7), (SECONDS, "900ms", 0.9), (SECONDS, math.inf, math.inf),
        (FLAG, "true", True), (FLAG, True, True), (WORD, 5, "5"), (WORD, "x", "x"), (CHOICE, "two", "two"),
    ],
)  # fmt: skip
def test_values_are_read_by_the_type_of_their_default(
    parameter: Parameter, value: object, told: object
) -> None:
    read = parameter.read(value)

    assert read == told
    assert type(read) is type(parameter.default)


@pytest.mark.parametrize(
    ("parameter", "value", "message"),
    [
        (NUMBER, 0, "n is 0; it can be a whole number of bytes, from 1 to 9"),
        (NUMBER, 10, "n is 10; it can be a whole number of bytes, from 1 to 9"),
        (NUMBER, 1.5, "n is 1.5; it can be a whole number of bytes, from 1 to 9"),
        (NUMBER, "nan", "n is 'nan'; it can be a whole number of bytes, from 1 to 9"),
        (NUMBER, True, "n is True; it can be"),
        (NUMBER, None, "n is None; it can be"),
        (SECONDS, 0, "s is 0; it can be a number of seconds, above 0"),
        (SECONDS, math.nan, "s is nan; it can be a number of seconds, above 0"),
        (FLAG, "yes", "f is 'yes'; it can be true or false"),
        (FLAG, 1, "f is 1; it can be true or false"),
        (WORD, True, "w is True; it can be a text"),
        (WORD, [], "w is []; it can be a text"),
        (CHOICE, "too", "c is 'too'; it can be one, two; nearest: two"),
        (CHOICE, "x", "c is 'x'; it can be one, two"),
    ],
)  # fmt: skip
def test_values_out_of_range_are_refused(parameter: Parameter, value: object, message: str) -> None:
    with pytest.raises(PlanError, match=re.escape(message)):
        parameter.read(value)


@pytest.mark.parametrize(
    ("parameter", "value", "message"),
    [
        (FLAG, "false..true", "f is 'false..true'; it can be true or false"),
        (FLAG, Range(0, 1), "it can be true or false"),
        (WORD, Range(0, 1), "it can be a text"),
        (WORD, {"distribution": "uniform", "low": 0, "high": 1}, "it can be a text"),
        (NUMBER, Range(0, 5), "n is 0; it can be a whole number of bytes, from 1 to 9"),
        (NUMBER, Range(1.5, 5), "n is 1.5"),
        (NUMBER, Range(5, 1), "a range goes up, and has an end"),
        (NUMBER, "1...7", "n is '.7'"),
        (SECONDS, Range(-2, -1), "s is -2"),
        (SECONDS, Range(1, math.inf), "a range goes up, and has an end"),
        (SECONDS, {"distribution": "normal"}, "s: distribution is 'normal'; it can be fixed, uniform, lognormal"),
        (SECONDS, {"low": 1}, "s: distribution is None"),
        (SECONDS, {"distribution": "uniform", "low": 1}, "s: uniform takes low, high and max, this has low"),
        (SECONDS, {"distribution": "fixed"}, "s: fixed takes value and max, this has nothing"),
        (SECONDS, {"distribution": "fixed", 5: 1}, "s: fixed takes value and max, this has 5"),
        (SECONDS, {"distribution": "uniform", "low": 2, "high": 1}, "s: from 2.0 to 1.0 is no range"),
        (SECONDS, {"distribution": "uniform", "low": "x", "high": 1}, "s: low is 'x'; it can be a number from 0"),
        (SECONDS, {"distribution": "lognormal", "median": 0, "sigma": 1}, "the median is above 0"),
        (SECONDS, Distribution(median=-1.0, sigma=1), "the median is above 0"),
        (SECONDS, Distribution(median=1.0, sigma=math.nan), "sigma from 0"),
        (SECONDS, Distribution(median="1s", sigma=1), "the median is above 0"),
        (SECONDS, Distribution(median=1.0, sigma=1, most=0.0), "s is 0.0; it can be a number of seconds, above 0"),
    ],
)  # fmt: skip
def test_what_could_only_be_drawn_out_of_range_is_refused(
    parameter: Parameter, value: object, message: str
) -> None:
    with pytest.raises(PlanError, match=re.escape(message)):
        random_of(value, parameter)


extremes = st.floats(1e-300, 1e300)


@some
@given(
    st.builds(Distribution, median=extremes, sigma=st.floats(0, 1e6), most=extremes | st.just(math.inf))
    | st.builds(lambda a, b: Range(min(a, b), max(a, b)), extremes, extremes),
    st.sampled_from([SECONDS, Parameter(name="x", default=1.0, description=".", low=0.5, high=2)]),
    st.integers(),
)  # fmt: skip
def test_whatever_is_drawn_is_a_value(value: object, parameter: Parameter, seed: int) -> None:
    try:
        told = random_of(value, parameter)
    except PlanError:
        return
    number = drawn(told, parameter, seed)

    assert isinstance(number, float)
    assert parameter.low <= number <= min(parameter.high, 1.8e308)
    if isinstance(told, Range):
        assert told.low <= number <= told.high


@some
@given(st.integers(1, 9), st.integers(1, 9), st.integers())
def test_whole_numbers_are_drawn_of_both_ends_and_all_between(a: int, b: int, seed: int) -> None:
    told = Range(min(a, b), max(a, b))
    numbers = {drawn(told, NUMBER, seed, n) for n in range(200)}

    assert numbers == set(range(min(a, b), max(a, b) + 1))


def test_a_comma_stands_in_quotes() -> None:
    text = 'sem.error_event@event=2,message="Wait, please",path="/a,b"'
    rule = parse_rule(text)

    assert rule.parameters == {"message": "Wait, please"}
    assert rule.match == Match(path="/a,b")
    assert text_of(rule) == text


def test_a_type_is_that_of_the_fault_where_the_fault_has_one() -> None:
    rule = Rule(
        "sem.error_event", at=Event(2, type="ping"), parameters={"type": "overloaded_error"}
    )

    assert text_of(rule) == "sem.error_event@event=2,event_type=ping,type=overloaded_error"
    assert parse_rule(text_of(rule)) == rule


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (Rule("head.delay", parameters={"seconds": Distribution(median=1.0, sigma=1)}), "head.delay: a distribution is told by YAML, not by a line"),
        (Rule("body.fin", at=Event(1), name="x", match=Match(body={"a": 1})), "x: headers and bodies are told by YAML, not by a line"),
        (Rule(a_fault), "is not in the catalogue, so it has no text"),
    ],
)  # fmt: skip
def test_what_a_line_cannot_say_is_told(rule: Rule, words: str) -> None:
    with pytest.raises(PlanError, match=re.escape(words)):
        text_of(rule)


@pytest.mark.parametrize(
    "spec", ["body.fin@event=1,attempt=2", "body.fin@event=1,p=0.5", "head.delay@seconds=1..2"]
)
def test_a_fault_alone_does_not_say_when(spec: str) -> None:
    with pytest.raises(PlanError, match="says when, and a fault alone is always: leave that out"):
        faults.parse(spec)


def test_a_rule_is_gentle_where_a_correct_client_gives_the_full_answer() -> None:
    assert parse_rule("body.split").is_gentle
    assert not parse_rule("body.fin@event=1").is_gentle
    assert parse_rule("body.fin@event=1,expect=tolerates").is_gentle
    assert not Rule(a_fault).is_gentle


def test_an_unknown_parameter_is_an_unknown_fault_error() -> None:
    with pytest.raises(UnknownFaultError, match="body.slice takes no 'sizes'; nearest: size"):
        parse_rule("body.slice@sizes=2")
