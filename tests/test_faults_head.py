from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from typing import Any

import pytest
from breaking import ENCODERS, FRAMINGS, LIBRARIES, SPOKEN, answer, expected, outcome, stream, told
from hypothesis import given, settings
from hypothesis import strategies as st

from cassette_stream.clock import RealClock
from cassette_stream.exceptions import (
    APIConnectionError,
    APIError,
    APIStatusError,
    AuthenticationError,
    BadGatewayError,
    EmptyStreamError,
    InternalServerError,
    MalformedStreamError,
    OverloadedError,
    PermissionDeniedError,
    PlanError,
    RateLimitError,
    ServiceUnavailableError,
    StreamTruncatedError,
    Timeout,
)
from cassette_stream.faults import Fault, Injector, Rule, head, parse, plan_of, spec_of, watch
from cassette_stream.faults.seen import framing_in
from cassette_stream.script import Emit, Fail, FailureKind, Head, Step, Wait

pytestmark = pytest.mark.matrix(8)

ROWS = {info.id: info for info in head.FAULTS}
rows = pytest.mark.parametrize("info", ROWS.values(), ids=lambda info: info.id)
dialects = pytest.mark.parametrize("dialect", SPOKEN)
is_async = pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])

SPECS = [
    *ROWS,
    "head.garbage@what=tls_alert",
    *(f"head.429@form={form}" for form in ("http-date", "ms", "absent", "inf")),
    "head.429@retry_after=1e9",
    "head.200_empty@kind=comments",
    "head.200_empty@kind=terminator",
    "head.wrong_content_type@content_type=application/octet-stream",
    "head.wrong_content_type@content_type=none",
    "head.late_flush@bursts=3",
    "head.delay@seconds=20",
]
KEEPING = [spec for spec in SPECS if ROWS[spec.partition("@")[0]].kind == "script"]
REPLACING = [spec for spec in SPECS if spec not in KEEPING]
some = settings(max_examples=25)  # of each fault


@pytest.fixture(autouse=True)
def _nobody_sleeps(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> Any:
        raise AssertionError("somebody was about to sleep")

    monkeypatch.setattr(RealClock, "sleep_until", refuse)
    monkeypatch.setattr(RealClock, "asleep_until", refuse)


def apply(fault: Fault, steps: list[Step]) -> list[Step]:
    return list(fault(iter(steps)))


def sent(steps: list[Step]) -> bytes:
    return b"".join(step.data for step in steps if isinstance(step, Emit))


def waited(steps: list[Step]) -> float:
    return sum(step.seconds for step in steps if isinstance(step, Wait))


BODIES = {dialect: b"".join(ENCODERS[dialect].encode(answer())) for dialect in SPOKEN}


@st.composite
def scripts(draw: st.DrawFn) -> list[Step]:
    """A stream of some dialect, cut and paced in any way, whole or not."""
    dialect = draw(st.sampled_from(SPOKEN))
    body = BODIES[dialect]
    cuts = draw(st.lists(st.integers(0, len(body)), max_size=8).map(sorted))
    fields = draw(
        st.sampled_from(
            [
                (("content-type", "text/event-stream"),),
                (("date", "Thu, 26 Nov 2026 10:00:00 GMT"), ("content-type", "text/event-stream")),
                (("content-length", str(len(body))), ("x", "y")),
                (),
            ]
        )
    )
    steps: list[Step] = [Wait(draw(st.integers(1, 9)))] if draw(st.booleans()) else []
    steps.append(Head(200, fields, draw(st.sampled_from(["HTTP/1.1", "HTTP/2"]))))
    for start, end in itertools.pairwise([0, *cuts, len(body)]):
        if draw(st.booleans()):
            steps.append(Wait(draw(st.integers(1, 9))))
        steps.append(Emit(body[start:end]))
    return steps + draw(st.sampled_from([[], [Wait(2), Fail(FailureKind.RESET)]]))


def split(steps: list[Step]) -> tuple[list[Step], list[Step]]:
    """What comes before the head, and what comes from it on."""
    at = next(number for number, step in enumerate(steps) if isinstance(step, Head))
    return steps[:at], steps[at:]


@pytest.mark.parametrize("spec", SPECS)
@some
@given(script=scripts())
def test_what_comes_before_the_head_stays(spec: str, script: list[Step]) -> None:
    before, _ = split(script)

    assert apply(parse(spec), script)[: len(before)] == before


@pytest.mark.parametrize("spec", REPLACING)
@some
@given(script=scripts())
def test_what_comes_instead_is_whole_and_comes_at_once(spec: str, script: list[Step]) -> None:
    before, _ = split(script)
    got = apply(parse(spec), script)
    if got == script:  # there is no whole answer to tell
        if framing_in(script) == "sse":
            assert spec == "head.200_json_completion"
            assert isinstance(script[-1], Fail)
        else:
            assert spec.startswith(("head.200_json_completion", "head.200_empty@"))
        return
    rest = got[len(before) :]
    if isinstance(rest[0], Head):
        assert [step for step in rest[1:] if not isinstance(step, Emit)] == []
        if length := dict(rest[0].headers).get("content-length"):
            assert int(length) == len(sent(rest))
    else:
        assert len(rest) == 1
        assert rest in ([Wait(math.inf)], [step for step in rest if isinstance(step, Fail)])


@pytest.mark.parametrize("spec", KEEPING)
@some
@given(script=scripts())
def test_a_delivery_keeps_every_chunk_and_every_ending(spec: str, script: list[Step]) -> None:
    got = apply(parse(spec), script)

    assert [step for step in got if isinstance(step, Emit | Fail)] == [
        step for step in script if isinstance(step, Emit | Fail)
    ]
    later = 0.0
    if spec.startswith("head.delay"):
        later = parse(spec).seconds
    assert waited(got) == waited(script) + later
    if spec.startswith(("head.delay", "head.late_flush")):
        assert [it for it in got if isinstance(it, Head)] == [
            it for it in script if isinstance(it, Head)
        ]
    if not spec.startswith("head.late_flush"):
        assert split(got)[1][1:] == split(script)[1][1:]


@pytest.mark.parametrize("spec", SPECS)
@some
@given(script=scripts())
def test_it_strikes_unless_nothing_changes(spec: str, script: list[Step]) -> None:
    strikes: list[str] = []
    got = list(watch(parse(spec), iter(script), lambda: strikes.append("struck")))

    assert len(strikes) == (got != script)


@pytest.mark.parametrize("spec", SPECS)
def test_a_request_that_failed_before_the_head_is_left_as_it_is(spec: str) -> None:
    script: list[Step] = [Wait(1), Fail(FailureKind.REFUSED)]

    assert apply(parse(spec), script) == script


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize(
    "data", [b'data: {"choices":[]}\n\n', b": ping\n\n"], ids=["chat", "pings"]
)
def test_a_stream_without_an_end_is_broken_too(spec: str, data: bytes) -> None:
    def endless() -> Iterator[Step]:
        yield Head(200)
        for _ in itertools.count():
            yield Wait(1)
            yield Emit(data * 100)

    got = list(itertools.islice(parse(spec)(endless()), 3))

    assert isinstance(got[0], Head | Fail | Wait)


@pytest.mark.parametrize("spec", SPECS)
def test_a_fault_has_a_text_that_reads_as_itself(spec: str) -> None:
    assert parse(spec_of(parse(spec))) == parse(spec)


# What a client makes of it.

MET: dict[str, type[APIError]] = {
    "head.close": APIConnectionError,
    "head.reset": APIConnectionError,
    "head.stall": Timeout,
    "head.cut": APIConnectionError,
    "head.garbage": APIConnectionError,
    "head.401": AuthenticationError,
    "head.403_html": PermissionDeniedError,
    "head.408": Timeout,
    "head.429": RateLimitError,
    "head.500": InternalServerError,
    "head.503": ServiceUnavailableError,
    "head.529": OverloadedError,
    "head.502_html": BadGatewayError,
    "head.504_empty": Timeout,
    "head.524_html": InternalServerError,
    "head.redirect_loop": APIStatusError,
    "head.redirect_login": APIStatusError,
    "head.200_html": MalformedStreamError,
    "head.200_json_error": InternalServerError,
    "head.200_empty": EmptyStreamError,
}
ONCE = {
    "head.401",
    "head.403_html",
    "head.redirect_loop",
    "head.redirect_login",
    "head.200_html",
    "head.200_json_error",
    "head.200_empty",
}
"""What is not asked again: it would be the same, or an answer has begun."""


UNTYPED = {"cohere", "ollama", "bedrock_converse", "bedrock_invoke"}
"""Those whose errors say which they are by the status or in a header."""


def due(spec: str, dialect: Any) -> Any:
    id_ = spec.partition("@")[0]
    info = ROWS[id_]
    if spec == "head.200_empty@kind=terminator":
        if dialect in {"ollama", "bedrock_converse"}:  # there is none
            return None
        return (EmptyStreamError, StreamTruncatedError)
    if spec == "head.200_empty@kind=comments" and FRAMINGS.get(dialect) == "aws":
        return None
    if spec == "head.200_json_error" and dialect in UNTYPED:
        return APIError
    return MET.get(id_) if expected(info, dialect) == "raises" else None


@pytest.mark.parametrize("spec", SPECS)
@dialects
@is_async
def test_a_client_gives_the_answer_or_says_what_is_wrong(
    spec: str, dialect: Any, *, is_async: bool
) -> None:
    fault, kind = parse(spec), due(spec, dialect)
    for library in LIBRARIES.values():
        met = outcome(
            lambda _: fault(iter(stream(dialect))), dialect, is_async=is_async, library=library
        )

        if kind is None:
            assert met == told(answer())
        elif isinstance(kind, tuple):
            assert type(met) in kind
        else:
            assert type(met) is kind


def test_every_fault_has_its_expectation() -> None:
    assert set(MET) == {info.id for info in ROWS.values() if info.expect == "raises"}


@pytest.mark.parametrize("id_", MET)
@is_async
def test_what_can_help_is_tried_again_and_nothing_else(id_: str, *, is_async: bool) -> None:
    fault, attempts = parse(id_), itertools.count()

    def make(_: Any) -> Any:
        next(attempts)
        return fault(iter(stream("openai_chat")))

    error = outcome(make, "openai_chat", is_async=is_async, num_retries=2)

    assert type(error) is MET[id_]
    assert next(attempts) == (1 if id_ in ONCE else 3)


@pytest.mark.parametrize("id_", [id_ for id_ in MET if id_ not in ONCE])
@is_async
def test_who_tries_again_gets_the_answer_once_the_fault_is_over(
    id_: str, *, is_async: bool
) -> None:
    injector = Injector(plan_of(Rule(id_, attempt="1..2")))

    def make(request: Any) -> Any:
        return injector.rewrite(iter(stream("anthropic")), request, "the one")

    met = outcome(make, "anthropic", is_async=is_async, num_retries=2)

    assert met == told(answer())
    assert [strike.occasion.attempt for strike in injector.strikes] == [1, 2]


# What stands in the heads and bodies.


def head_of(steps: list[Step]) -> Head:
    return next(step for step in steps if isinstance(step, Head))


def fields_of(spec: str, dialect: Any = "openai_chat", *fields: tuple[str, str]) -> dict[str, str]:
    first, _, *rest = stream(dialect)
    return dict(head_of(apply(parse(spec), [first, Head(200, fields), *rest])).headers)


@pytest.mark.parametrize("status", [401, 408, 429, 500, 503, 529])
@dialects
def test_an_error_is_told_in_the_words_of_the_provider(status: int, dialect: Any) -> None:
    got = apply(parse(f"head.{status}"), stream(dialect))
    value = json.loads(sent(got))
    error = value.get("error", value)
    message = error if isinstance(error, str) else error["message"]

    assert head_of(got).status == status
    assert sent(got) == ENCODERS[dialect].encode_error_body(status, message)
    assert message in str(outcome(lambda _: iter(got), dialect))


@pytest.mark.parametrize("spec", ["head.500", "head.200_json_error"])
def test_without_a_dialect_it_is_plain_json(spec: str) -> None:
    script = [Head(200, (("content-type", "text/plain"),)), Emit(b"data: hello\n\n")]
    got = apply(parse(spec), script)

    assert json.loads(sent(got))["error"]["code"] == 500
    assert "request" not in str(head_of(got).headers)


def test_providers_name_the_request_as_they_do() -> None:
    assert "x-request-id" in fields_of("head.500")
    assert "request-id" in fields_of("head.500", "anthropic")
    assert set(fields_of("head.500", "gemini")) == {"content-type", "content-length"}


@pytest.mark.parametrize(
    ("spec", "fields"),
    [
        ("head.429", {"retry-after": "1"}),
        ("head.429@retry_after=7.5", {"retry-after": "7.5"}),
        ("head.429@retry_after=inf", {"retry-after": "inf"}),
        ("head.429@retry_after=7.5,form=ms", {"retry-after-ms": "7500"}),
        ("head.429@form=absent", {}),
        ("head.429@form=inf", {"retry-after": "inf"}),
        (
            "head.429@form=http-date,retry_after=90",
            {"date": "Thu, 26 Nov 2026 10:00:00 GMT", "retry-after": "Thu, 26 Nov 2026 10:01:30 GMT"},
        ),
    ],
)  # fmt: skip
def test_a_rate_limit_asks_in_its_form(spec: str, fields: dict[str, str]) -> None:
    dated = ("date", "Thu, 26 Nov 2026 10:00:00 GMT")
    got = fields_of(spec, "gemini", dated)

    assert {name: it for name, it in got.items() if not name.startswith("content-")} == fields


@pytest.mark.parametrize("date", [(), (("date", "yesterday"),)], ids=["none", "no date"])
def test_a_recording_without_a_date_gets_one(date: Any) -> None:
    got = fields_of("head.429@form=http-date,retry_after=90", "gemini", *date)
    first, then = (parsedate_to_datetime(got[name]) for name in ("date", "retry-after"))

    assert (then - first).total_seconds() == 90


@pytest.mark.parametrize(
    ("spec", "wait", "attempts"),
    [
        ("head.429@retry_after=7", 7, 3),
        ("head.429@retry_after=7,form=ms", 7, 3),
        ("head.429@retry_after=7,form=http-date", 7, 3),
        ("head.429@form=absent", None, 3),
        ("head.429@form=inf", 86_400, 1),
        ("head.429@retry_after=1e9", 86_400, 1),
        ("head.429@retry_after=121", 121, 1),
    ],
)
@is_async
def test_a_client_waits_as_it_is_asked_to_or_gives_up(
    spec: str, wait: float | None, attempts: int, *, is_async: bool
) -> None:
    asked = itertools.count()

    def make(_: Any) -> Any:
        next(asked)
        return parse(spec)(iter(stream("openai_responses")))

    error = outcome(make, "openai_responses", is_async=is_async, num_retries=2)

    assert type(error) is RateLimitError
    assert error.retry_after == wait
    assert next(asked) == attempts


@pytest.mark.parametrize(
    "spec", ["head.403_html", "head.502_html", "head.524_html", "head.200_html"]
)
def test_a_page_is_a_page(spec: str) -> None:
    got = apply(parse(spec), stream("openai_chat"))

    assert dict(head_of(got).headers)["content-type"].startswith("text/html")
    assert sent(got).lstrip().startswith(b"<")


def test_an_empty_answer_of_a_gateway_has_no_byte() -> None:
    got = apply(parse("head.504_empty"), stream("openai_chat"))

    assert got == [Wait(0.2), Head(504, (("server", "awselb/2.0"), ("content-length", "0")))]


@dialects
@pytest.mark.parametrize("calls", [False, True], ids=["text", "calls"])
def test_a_completion_is_the_answer_that_was_streamed(dialect: Any, *, calls: bool) -> None:
    got = apply(parse("head.200_json_completion"), stream(dialect, calls=calls))

    assert dict(head_of(got).headers)["content-type"] == "application/json"
    assert outcome(lambda _: iter(got), dialect) == told(answer(calls=calls))


@pytest.mark.parametrize(
    "steps",
    [
        stream("openai_chat")[:-6],
        [Head(200), Emit(b"data: hello\n\n")],
        [Head(200)],
        [Head(200), Emit(b'data: {"choices":[]}\n\n'), Emit(b": " + b"x" * 17_000_000)],
    ],
    ids=["cut", "of no dialect", "empty", "huge"],
)
def test_what_is_no_whole_answer_is_no_completion_either(steps: list[Step]) -> None:
    assert apply(parse("head.200_json_completion"), steps) == steps


@pytest.mark.parametrize(
    ("kind", "dialect", "body"),
    [
        ("empty", "gemini", b""),
        ("comments", "gemini", b": keep-alive\n\n" * 3),
        ("terminator", "openai_chat", b"data: [DONE]\n\n"),
        ("terminator", "gemini", b"data: [DONE]\n\n"),
        ("terminator", "anthropic", b'event: message_stop\ndata: {"type":"message_stop"}\n\n'),
    ],
)
def test_an_empty_stream_has_the_head_of_a_full_one(kind: str, dialect: Any, body: bytes) -> None:
    script = stream(dialect)
    got = apply(parse(f"head.200_empty@kind={kind}"), script)

    assert got[:2] == script[:2]
    assert sent(got) == body


@pytest.mark.parametrize("content_type", ["text/plain", "application/octet-stream", "none"])
def test_a_stream_can_be_called_something_else(content_type: str) -> None:
    got = fields_of(
        f"head.wrong_content_type@content_type={content_type}",
        "openai_chat",
        ("a", "b"),
        ("content-type", "text/event-stream"),
        ("c", "d"),
    )

    assert got.get("content-type", "none") == content_type
    assert list(got) == ["a", *(["content-type"] if content_type != "none" else []), "c"]


def test_two_framings_are_told() -> None:
    got = fields_of("head.te_and_cl", "gemini", ("content-length", "9"), ("connection", "close"))

    assert got == {"transfer-encoding": "chunked", "content-length": "1"}


CHUNKS = [Emit(bytes([number])) for number in range(6)]
PACED: list[Step] = [Head(200), *itertools.chain(*zip([Wait(2.0)] * 6, CHUNKS, strict=True))]


@pytest.mark.parametrize(
    ("bursts", "groups"),
    [(1, [6]), (2, [3, 3]), (4, [1, 2, 1, 2]), (6, [1] * 6), (9, [1] * 6)],
)
def test_bursts_come_when_their_last_chunk_came(bursts: int, groups: list[int]) -> None:
    got = apply(parse(f"head.late_flush@bursts={bursts}"), PACED)
    chunks = iter(CHUNKS)
    expected = [Head(200)]
    for size in groups:
        expected += [Wait(2.0 * size), *itertools.islice(chunks, size)]

    assert got == expected


def test_what_never_ends_is_let_through_once_the_buffer_is_full() -> None:
    def endless() -> Iterator[Step]:
        yield Head(200)
        while True:
            yield Wait(0.5)
            yield Emit(b"a")

    got = list(itertools.islice(parse("head.late_flush")(endless()), 50_006))

    assert got[:3] == [Head(200), Wait(25_000), Emit(b"a")]
    assert got[-4:] == [Wait(0.5), Emit(b"a")] * 2


def test_a_silence_that_never_ends_is_never_flushed() -> None:
    script = [Head(200), Wait(1), Emit(b"a"), Wait(math.inf)]

    assert waited(apply(parse("head.late_flush"), script)) == math.inf


def test_a_delay_can_be_drawn() -> None:
    rule = Rule(
        "head.delay",
        parameters={"seconds": {"distribution": "lognormal", "median": "900ms", "sigma": 0.6, "max": "30s"}},
        name="slow",
    )  # fmt: skip
    drawn = [rule.resolve(7, 1, attempt) for attempt in range(1, 200)]
    seconds = [it.build().seconds for it in drawn if it is not None]

    assert len(seconds) == 199
    assert len(set(seconds)) > 190
    assert 0 < min(seconds) <= max(seconds) <= 30
    assert 0.6 < sorted(seconds)[100] < 1.3


def test_a_head_that_is_too_late_is_a_timeout() -> None:
    fault = parse("head.delay@seconds=31")
    met = outcome(lambda _: fault(iter(stream("openai_chat"))), "openai_chat")

    assert type(met) is Timeout
    assert met.phase == "headers"


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("head.429@form=date", "form is 'date'; it can be seconds, http-date, ms, absent, inf"),
        ("head.429@retry_after=soon", "retry_after is 'soon'; it can be a number from 0, or inf"),
        ("head.429@retry_after=-1", "retry_after is '-1'; it can be a number from 0, or inf"),
        ("head.429@retry_after=nan", "retry_after is 'nan'"),
        ("head.429@retry_after=inf,form=http-date", "no date is so far away"),
        ("head.200_empty@kind=nothing", "kind is 'nothing'; it can be empty, comments, terminator"),
        ("head.garbage@what=ssh", "what is 'ssh'; it can be banner, tls_alert"),
        ("head.wrong_content_type@content_type=html", "content_type is 'html'; it can be text/plain"),
        ("head.late_flush@bursts=0", "bursts is '0'; it can be a whole number, from 1"),
        ("head.late_flush@bursts=1.5", "bursts is '1.5'"),
        ("head.delay@seconds=0", "seconds is '0'; it can be a number of seconds, above 0"),
        ("head.delay@seconds=inf", "seconds is inf; a delay ends, head.stall does not"),
        ("head.stall@seconds=1", "head.stall takes no 'seconds'"),
        ("head.close@event=1", "head.close takes no 'event'"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused_with_what_would(spec: str, words: str) -> None:
    with pytest.raises(PlanError) as refused:
        parse(spec)

    assert words in str(refused.value)
