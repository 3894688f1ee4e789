"""The page of a report, and what terminal and page have in common: rows, findings, remedies."""

from __future__ import annotations

import re
import shlex
from collections import Counter
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cassette_stream.chaos import CleanRun, Delivery, Flag, Report, Result, Verdict
from cassette_stream.chaos.again import (
    command_of,
    line_of_command,
    line_of_python,
    plan_json,
    plan_told,
)
from cassette_stream.chaos.page_style import STYLE
from cassette_stream.chaos.page_text import shown
from cassette_stream.chaos.page_timeline import _Scale
from cassette_stream.chaos.remedies import advice_on, remedy
from cassette_stream.chaos.summary import findings, rows, unfired
from cassette_stream.chaos.verdict import is_good
from cassette_stream.cli.faults import example_of
from cassette_stream.faults import catalogue, read_plan

pytestmark = pytest.mark.matrix(3)

VOID = {"meta", "br", "hr", "img", "input", "link"}
TAGS = frozenset(
    re.findall(
        r"\S+",
        "html head meta title style body main h1 h2 p b ul li dl dt dd section a code div span svg "
        "defs g use path rect table thead tbody tr th td details summary",
    )
)
ATTRIBUTES = frozenset(
    re.findall(
        r"\S+",
        "lang charset http-equiv content name class id href open style width height viewbox d x y "
        "preserveaspectratio aria-hidden",
    )
)

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=https://evil.example/x onerror=alert(1)>',
    "</style></title></details></code><h1>",
    "' onload='x",
    "&lt;b&gt; &amp; &#60;",
    "javascript:alert(1)",
    "url(//evil.example)",
    "]]> <!-- --> <![CDATA[",
    "\x00\x1b[31m\x07\r\n\x85",
    "\u202e\u2066 \ud83d \ufffe",
    "faults:\n  rules: <b>",
    "a + b + <i>",
)
texts = st.sampled_from(HOSTILE) | st.text(max_size=30)
moments = st.floats(0, 1e7)
FAULTS = tuple(catalogue())


@st.composite
def deliveries(draw: st.DrawFn) -> Delivery:
    times = draw(st.lists(moments, max_size=6).map(sorted))
    return Delivery(
        request=draw(texts),
        bytes=draw(st.integers(0, 10**7)),
        events=draw(st.integers(0, 10**4)),
        frames=tuple((at, 7) for at in times),
        ending=draw(st.none() | texts | st.sampled_from(["complete", "fin", "endless"])),
        struck_bytes=draw(st.none() | st.integers(0, 10**7)),
        struck_ms=draw(st.none() | moments),
        is_closed=draw(st.booleans()),
    )


@st.composite
def results(draw: st.DrawFn) -> Result:
    verdict = draw(st.none() | st.sampled_from(Verdict))
    flags = tuple(draw(st.sets(st.sampled_from(Flag)))) if verdict is not None else ()
    expect: Any = draw(st.sampled_from(["raises", "tolerates", "either", "undetectable"]))
    info = catalogue()[draw(st.sampled_from(FAULTS))]
    return Result(
        number=draw(st.integers(1, 10**6)),
        fault=draw(st.just(info.id) | texts),
        rule=draw(st.just(example_of(info)) | texts),
        expect=expect,
        verdict=verdict,
        flags=flags,
        good=verdict is None or is_good(verdict, flags, expect),
        recovered=draw(st.none() | st.booleans()),
        error=draw(st.none() | texts),
        answer=draw(st.none() | texts),
        left_open=tuple(draw(st.lists(texts, max_size=2))),
        seconds=draw(st.floats(0, 1e5)),
        deliveries=tuple(draw(st.lists(deliveries(), max_size=2))),
        real_time=draw(st.dictionaries(texts, st.integers(1, 9), max_size=1)),
        missed=tuple(draw(st.lists(texts, max_size=1))),
        why=draw(texts) if verdict is None else None,
    )


@st.composite
def reports(draw: st.DrawFn) -> Report:
    return Report(
        version=draw(texts),
        subject=draw(texts),
        cassette=draw(texts),
        catalogue=len(FAULTS),
        positions=draw(texts),
        seed=draw(st.integers()),
        clean=CleanRun(
            seconds=draw(st.floats(0, 1e4)),
            answer=draw(texts),
            deliveries=tuple(draw(st.lists(deliveries(), max_size=2))),
        ),
        families=tuple(draw(st.lists(texts, max_size=2))),
        time_by_name=tuple(draw(st.lists(texts, max_size=2))),
        results=tuple(draw(st.lists(results(), max_size=6, unique_by=lambda it: it.number))),
    )


class Reader(HTMLParser):
    """What a browser would make of a page; it fails where tags do not nest."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.style: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        (self.style if self.open and self.open[-1] == "style" else self.text).append(data)

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data}")


def seen_as(text: str) -> str:
    """*text* as the page shows it."""
    reader = Reader(shown(text))
    assert not reader.seen
    return "".join(reader.text)


@given(report=reports())
def test_whatever_a_report_holds_its_page_is_well_formed_and_loads_nothing(report: Report) -> None:
    page = report.to_html()
    reader = Reader(page)
    tags = {tag for tag, _ in reader.seen}
    attributes = [(name, value or "") for _, attrs in reader.seen for name, value in attrs.items()]
    ids = [value for name, value in attributes if name == "id"]
    links = [value for name, value in attributes if name == "href"]

    page.encode()
    assert reader.open == []
    assert tags <= TAGS
    assert {name for name, _ in attributes} <= ATTRIBUTES
    assert "".join(reader.style) == STYLE
    assert [link for link in links if not link.startswith("#") or link[1:] not in ids] == []
    assert not any("//" in value for name, value in attributes if name != "content")
    assert "//" not in STYLE
    assert "url(" not in STYLE


@given(report=reports())
def test_every_text_of_a_report_is_on_the_page_as_text(report: Report) -> None:
    text = "".join(Reader(report.to_html()).text)
    told = [report.subject, report.cassette, report.clean.answer, *report.families]
    told += [result.rule for result in report.results] + [result.fault for result in report.results]
    told += [result.error for result in report.results if result.error and not result.good]

    assert [it for it in told if seen_as(it) not in text] == []


@given(text=texts)
def test_shown_text_has_no_control_and_says_all_that_can_be_said(text: str) -> None:
    assert not any(ord(char) < 32 and char not in "\t\n" for char in shown(text))
    assert not set('<>"') & set(shown(text))
    if text.isprintable():
        assert seen_as(text) == text


@given(report=reports())
def test_the_matrix_and_the_findings_add_up_to_the_report(report: Report) -> None:
    several = rows(report)
    found = findings(report)
    counted = {verdict: sum(row.count(verdict) for row in several) for verdict in Verdict}
    bad = [result for finding in found for result in finding.results]

    assert counted == report.verdicts
    assert sorted(it.number for row in several for it in row.results) == sorted(
        it.number for it in report.results
    )
    assert Counter(it.number for it in bad) == Counter(it.number for it in report.bad)
    assert [row.is_bad for row in several] == sorted((row.is_bad for row in several), reverse=True)
    assert sum(map(len, unfired(report).values())) == sum(row.unfired for row in several)


@given(main=st.floats(1e-3, 1e7), more=st.floats(0, 1e7), times=st.lists(moments, max_size=9))
def test_a_scale_keeps_the_order_of_moments_and_its_width(
    main: float, more: float, times: list[float]
) -> None:
    scale = _Scale(main, main + more)
    places = [scale(at) for at in sorted(times)]

    assert places == sorted(places)
    assert all(0 <= place <= 1000 for place in places)
    assert scale(0) == 0
    assert scale(main) == 800


@pytest.mark.parametrize("fault", FAULTS)
def test_there_is_a_remedy_for_whatever_happens(fault: str) -> None:
    told = [
        remedy(fault, verdict, flags)
        for verdict in Verdict
        for flags in ((), (Flag.LEAKED,), tuple(Flag))
    ]

    assert all(text and text == text.strip() and not text.endswith(".") for text in told)
    assert list(advice_on(fault, catalogue()[fault].expect))


def test_a_new_fault_has_the_remedy_of_its_layer_or_of_its_verdict() -> None:
    assert "standard" in remedy("sse.new", Verdict.SILENT)
    assert "nobody is told" in remedy("own", Verdict.SILENT)
    assert "catch httpx.HTTPError" in remedy("body.fin", Verdict.WRONG_ERROR, (), "httpx.ReadError")
    assert "parser" in remedy("body.clean_end", Verdict.WRONG_ERROR, (), "json.decoder.Error: x")
    assert "name it with raises" in remedy("body.fin", Verdict.WRONG_ERROR, (), "RuntimeError: x")


def result(number: int, rule: str, **changes: Any) -> Result:
    fields: dict[str, Any] = {
        "fault": rule.partition("@")[0],
        "expect": "raises",
        "verdict": Verdict.SILENT,
        "good": False,
        "seconds": 0.1,
        "deliveries": (Delivery(request="POST /", bytes=9, events=1, frames=((5.0, 9),)),),
    }
    return Result(number=number, rule=rule, **fields | changes)


def report_of(*results: Result) -> Report:
    clean = CleanRun(
        seconds=0.25,
        answer="'whole'",
        deliveries=(
            Delivery(
                request="POST /",
                bytes=900,
                events=3,
                frames=tuple((at, 300) for at in (50.0, 150.0, 250.0)),
                ending="complete",
            ),
        ),
    )
    return Report(
        version="1",
        subject="app:answer",
        cassette="chat.yaml",
        catalogue=122,
        positions="sampled",
        seed=7,
        clean=clean,
        families=("app.Error",),
        time_by_name=(),
        results=results,
    )


@pytest.mark.parametrize("info", catalogue().values(), ids=lambda info: info.id)
def test_a_line_of_command_and_the_json_tell_the_rule_of_the_trial(info: Any) -> None:
    rule = example_of(info)
    report = report_of(result(1, rule))
    line, python, plan = (
        line_of_command(rule, command_of(report)),
        line_of_python(rule, report),
        plan_json(rule),
    )

    assert line is not None
    assert python is not None
    assert plan is not None
    assert shlex.split(line)[-2:] == ["--fault", rule]
    assert repr(rule) in python
    assert read_plan(plan) == plan_told(rule)


@pytest.mark.parametrize("rule", ["a fault of my own", "body.fin@event=1 + ", "faults: {}"])
def test_what_is_no_rule_has_no_line(rule: str) -> None:
    assert line_of_command(rule, "x") is None
    assert line_of_python(rule, report_of()) is None
    assert plan_json(rule) is None


def test_a_plan_of_several_rules_has_a_line_of_python_and_none_of_command() -> None:
    rule = "sse.comments + json.cut@event=7"

    assert line_of_command(rule, "x") is None
    assert "faults.read_plan(" in str(line_of_python(rule, report_of()))


def test_a_timeline_shows_what_came_where_it_struck_and_what_the_subject_did() -> None:
    broken = Delivery(
        request="POST /",
        bytes=600,
        events=2,
        frames=((50.0, 300), (150.0, 300)),
        ending="fin",
        struck_bytes=600,
        struck_ms=150.0,
    )
    fine = result(
        1, "body.fin@event=3", verdict=Verdict.RAISED, good=True, deliveries=(broken,), error="E: x"
    )
    reader = Reader(report_of(fine).to_html(command="cassette-stream chaos app:answer"))
    text = " ".join("".join(reader.text).split())
    paths = [attrs for tag, attrs in reader.seen if tag == "path"]

    assert "3 events, 900 bytes, complete" in text
    assert "2 events, 600 bytes, fin; struck after 600 bytes" in text
    assert "raised after 100 ms" in text
    assert "cassette-stream chaos app:answer --fault body.fin@event=3" in text
    # 265 ms, a little more than the clean run, are four fifths of the width.
    assert {"class": "f", "d": "M151 3v14M453 3v14"} in paths
    assert {"class": "x", "d": "M453 0v20"} in paths


def test_thousands_of_trials_stay_one_page_that_says_what_it_leaves_out() -> None:
    frames = tuple((float(at), 33) for at in range(120))
    one = Delivery(request="POST /", bytes=4000, events=20, frames=frames, struck_ms=60.0)
    several = (
        result(at + 1, f"body.clean_end@byte={at}", deliveries=(one,), answer="'12'" * 30)
        for at in range(4000)
    )
    page = report_of(*several).to_html()

    assert len(page) < 1_500_000
    assert page.count('<details class="trial"') == 12
    assert page.count("body.clean_end@byte=3999") == 1
    assert "Timelines for 12 of 4,000 trials" in page


def test_a_page_draws_no_more_than_600_timelines() -> None:
    faults = [f"layer{number}.fault" for number in range(400)]
    several = [
        result(2 * at + more, fault, verdict=verdict)
        for at, fault in enumerate(faults)
        for more, verdict in ((1, Verdict.SILENT), (2, Verdict.HANG))
    ]
    page = report_of(*several).to_html()

    assert page.count('<details class="trial"') == 600
