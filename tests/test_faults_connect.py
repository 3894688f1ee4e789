from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from breaking import LIBRARIES, SPOKEN, outcome, stream
from hypothesis import given
from hypothesis import strategies as st

from cassette_stream.clock import RealClock
from cassette_stream.exceptions import APIConnectionError, APIError, PlanError, Timeout
from cassette_stream.faults import Injector, Rule, connect, parse, plan_of, spec_of, watch
from cassette_stream.script import Emit, Fail, FailureKind, Head, Step, Wait

pytestmark = pytest.mark.matrix(2)

ROWS = connect.FAULTS
rows = pytest.mark.parametrize("info", ROWS, ids=lambda info: info.id)
dialects = pytest.mark.parametrize("dialect", SPOKEN)
is_async = pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])

TIMEOUTS = {"connect.timeout", "connect.tls_stall", "connect.pool_timeout"}
HOPELESS = {
    "connect.dns",
    "connect.tls_untrusted",
    "connect.tls_hostname",
    "connect.tls_plain",
    "connect.pool_timeout",
    "connect.bad_url",
}


@pytest.fixture(autouse=True)
def _nobody_sleeps(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> Any:
        raise AssertionError("somebody was about to sleep")

    monkeypatch.setattr(RealClock, "sleep_until", refuse)
    monkeypatch.setattr(RealClock, "asleep_until", refuse)


steps = st.lists(
    st.one_of(
        st.builds(Wait, st.floats(0, 9)),
        st.builds(Emit, st.binary(max_size=9)),
        st.just(Head(200)),
        st.just(Fail(FailureKind.RESET)),
    )
)


@rows
@given(steps)
def test_nothing_comes_but_the_failure_whatever_was_recorded(info: Any, script: list[Step]) -> None:
    fault = Rule(info.id).build()
    strikes: list[str] = []
    (failure,) = watch(fault, iter(script), lambda: strikes.append("struck"))

    assert isinstance(failure, Fail)
    assert strikes == ([] if script[:1] == [failure] and len(script) == 1 else ["struck"])


@rows
def test_nothing_of_the_script_is_read(info: Any) -> None:
    def script() -> Iterator[Step]:
        raise AssertionError("the script was read")
        yield Head(200)

    assert len(list(Rule(info.id).build()(script()))) == 1


@rows
def test_a_fault_has_a_text_that_reads_as_itself(info: Any) -> None:
    fault = Rule(info.id).build()

    assert parse(spec_of(fault)) == fault


@rows
@dialects
@is_async
def test_a_client_is_told(info: Any, dialect: Any, *, is_async: bool) -> None:
    fault = Rule(info.id).build()
    for library in LIBRARIES.values():
        error = outcome(
            lambda _: fault(iter(stream(dialect))), dialect, is_async=is_async, library=library
        )

        expected = (
            Timeout if info.id in {*TIMEOUTS, "connect.write_timeout"} else APIConnectionError
        )
        assert type(error) is expected
        assert isinstance(error, APIError)
        assert getattr(error, "phase", None) in {
            "connect" if info.id in TIMEOUTS else "headers",
            None,
        }
        assert isinstance(error.__cause__, library.TransportError)
        assert not error.mid_stream


@rows
@is_async
def test_what_can_help_is_tried_again_and_nothing_else(info: Any, *, is_async: bool) -> None:
    fault = Rule(info.id).build()
    attempts = itertools.count()

    def answer(_: Any) -> Any:
        next(attempts)
        return fault(iter(stream("openai_chat")))

    error = outcome(answer, "openai_chat", is_async=is_async, num_retries=2)

    assert isinstance(error, APIConnectionError)
    assert next(attempts) == (1 if info.id in HOPELESS else 3)
    assert error.num_retries == (0 if info.id in HOPELESS else 2)


@is_async
def test_a_resolver_that_cannot_tell_now_is_asked_again(*, is_async: bool) -> None:
    fault = parse("connect.dns@code=EAI_AGAIN")
    attempts = itertools.count()

    def answer(_: Any) -> Any:
        next(attempts)
        return fault(iter(stream("anthropic")))

    error = outcome(answer, "anthropic", is_async=is_async, num_retries=2)

    assert "Temporary failure in name resolution" in str(error)
    assert next(attempts) == 3


@pytest.mark.parametrize(
    "info", [info for info in ROWS if info.id not in HOPELESS], ids=lambda it: it.id
)
@is_async
def test_who_tries_again_gets_the_answer_once_the_fault_is_over(
    info: Any, *, is_async: bool
) -> None:
    injector = Injector(plan_of(Rule(info.id, attempt="1..2")))

    def answer(request: Any) -> Any:
        return injector.rewrite(iter(stream("gemini")), request, "the one")

    clean = outcome(lambda _: stream("gemini"), "gemini")

    assert outcome(answer, "gemini", is_async=is_async, num_retries=2) == clean
    assert [strike.occasion.attempt for strike in injector.strikes] == [1, 2]


def test_whose_certificate_is_not_trusted_names_what_can_be_set() -> None:
    fault = parse("connect.tls_untrusted")
    error = outcome(lambda _: fault(iter(())), "openai_chat")

    assert "CERTIFICATE_VERIFY_FAILED" in str(error)
    assert "SSL_CERT_FILE" in str(error)


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("connect.dns@code=EAI_AGAI", "code is 'EAI_AGAI'; it can be EAI_NONAME, EAI_AGAIN; nearest: EAI_AGAIN"),
        ("connect.refused@event=1", "connect.refused takes no 'event'"),
        ("connect.timeout@seconds=1", "connect.timeout takes no 'seconds'"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused_with_what_would(spec: str, words: str) -> None:
    with pytest.raises(PlanError) as refused:
        parse(spec)

    assert words in str(refused.value)


def test_the_hands_of_httpx_get_the_genuine_exception() -> None:
    from test_conformance import nowhere

    from cassette_stream.clock import VirtualClock
    from cassette_stream.transport.desk import Play
    from cassette_stream.transport.httpx import sync_transport

    class Desk:
        def decide(self, _: Any) -> Play:
            return Play(parse("connect.tls_hostname")(iter(())), VirtualClock())

    with httpx.Client(transport=sync_transport(httpx, Desk(), nowhere(httpx))) as client:
        with pytest.raises(httpx.ConnectError, match="Hostname mismatch.*'api.test'") as caught:
            client.get("https://api.test/v1")

    assert caught.value.request.url == "https://api.test/v1"
