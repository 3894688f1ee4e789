"""Recordings that the loopback server breaks, for real, by the plans that replays take."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import httpx
import httpx2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import SOAK
from test_injector import BROKEN, EVENTS, FIN, WHOLE, ask, interaction

from cassette_stream import use_cassette
from cassette_stream.cassette import dumps
from cassette_stream.cassette.model import Cassette
from cassette_stream.exceptions import (
    CassetteMissError,
    PlanError,
    UnfiredRuleError,
    UnfiredRuleWarning,
)
from cassette_stream.faults import Match, Plan, Rule, catalogue, parse_rule
from cassette_stream.script import Emit
from cassette_stream.server import LoopbackServer

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from cassette_stream.faults import Strike

PATH = "/v1/chat/completions"


@pytest.fixture
def server() -> Iterator[LoopbackServer]:
    with LoopbackServer() as server:
        yield server


def heard(
    server: LoopbackServer, library: Any = httpx, path: str = PATH, timeout: float = 5
) -> list[Any]:
    """Status, body and the error that ends it, if one does."""
    told: list[Any] = []
    patience = library.Timeout(60, read=timeout)
    try:
        with library.stream("POST", server.url + path, json=0, timeout=patience) as response:
            told.append(response.status_code)
            for chunk in response.iter_raw():
                told.append(chunk)
    except library.HTTPError as error:
        told.append(type(error).__name__)
    return [*told[:1], b"".join(it for it in told if isinstance(it, bytes)), *told[1:][-1:]][:3]


@pytest.mark.parametrize("library", [httpx, httpx2], ids=lambda it: it.__name__)
@pytest.mark.parametrize(
    ("spec", "status", "body", "error"),
    [
        ("body.fin@event=2", 200, EVENTS[0], "RemoteProtocolError"),
        ("body.reset@event=3,after=true", 200, WHOLE, "ReadError"),
        ("body.stall@event=2", 200, EVENTS[0], "ReadTimeout"),
        ("body.clean_end@event=2", 200, EVENTS[0], None),
        ("body.slice@size=2", 200, WHOLE, None),
        ("json.cut@event=2", 200, WHOLE, None),
        ("sse.comments", 200, None, None),
        ("head.503", 503, None, None),
        ("head.close", "RemoteProtocolError", b"", None),
        ("head.stall", "ReadTimeout", b"", None),
    ],
)
def test_a_recording_breaks_on_the_socket_as_the_plan_says(
    server: LoopbackServer,
    library: Any,
    spec: str,
    *,
    status: Any,
    body: bytes | None,
    error: Any,
) -> None:
    rule = parse_rule(spec)
    unfit = rule.fault == "json.cut"  # there is no JSON in it
    plan = Plan((rule,), on_unfired="warn" if unfit else "error")
    server.play([interaction()], pace="instant", faults=plan)
    told = heard(server, library, timeout=0.3 if "stall" in spec else 5)

    assert told[0] == status
    assert body is None or told[1] == body
    assert error is None or told[-1] == error
    assert [strike.rule.fault for strike in server.strikes] == ([] if unfit else [rule.fault])
    if unfit:
        with pytest.warns(UnfiredRuleWarning, match="json.cut@event=2 never fired"):
            server.stop()


def test_who_asks_again_gets_what_was_broken_and_then_its_neighbours(
    server: LoopbackServer,
) -> None:
    other = tuple(it.replace(b": ", b": 1") for it in EVENTS)
    recorded = Cassette(interactions=(interaction(), interaction(frames=other)))
    server.play(recorded, pace="instant", faults=[f"{FIN},request=1,attempt=1..2"])
    told = [heard(server) for _ in range(5)]

    assert [it[1] for it in told[:4]] == [EVENTS[0], EVENTS[0], WHOLE, b"".join(other)]
    assert told[4][0] == 404
    assert [(it.occasion.number, it.occasion.attempt) for it in server.strikes] == [(1, 1), (1, 2)]


def test_a_gentle_fault_does_not_keep_the_next_recording_waiting(server: LoopbackServer) -> None:
    other = tuple(it.replace(b": ", b": 1") for it in EVENTS)
    server.play([interaction(), interaction(frames=other)], pace="instant", faults="body.slice")

    assert [heard(server)[1] for _ in range(3)] == [WHOLE, b"".join(other), WHOLE]


def test_several_plans_are_for_the_recordings_that_they_came_with(server: LoopbackServer) -> None:
    server.play([interaction(url="http://a/one")], pace="instant", faults=[FIN])
    server.play([interaction(url="http://a/two")], pace="instant")

    assert heard(server, path="/two")[:2] == [200, WHOLE]
    assert heard(server, path="/one") == [200, EVENTS[0], BROKEN]
    assert heard(server, path="/two")[0] == 404


def test_a_fault_of_ones_own_works_on_the_socket(server: LoopbackServer) -> None:
    def shout(script: Any) -> Any:
        for step in script:
            yield Emit(step.data.upper()) if isinstance(step, Emit) else step

    server.play([interaction()], pace="instant", faults=shout)

    assert heard(server)[1] == WHOLE.upper()


def test_a_redirect_leads_to_what_the_fault_has_there(server: LoopbackServer) -> None:
    server.play([interaction()], pace="instant", faults="head.redirect_login")
    response = httpx.post(server.url + PATH, json=0, follow_redirects=True)

    assert response.history
    assert response.status_code == 200
    assert "html" in response.headers["content-type"]


UNPERFORMED = [
    info
    for info in catalogue().values()
    if info.layer == "connect" or info.id.startswith("body.h2_")
]


@pytest.mark.parametrize("info", UNPERFORMED, ids=lambda info: info.id)
def test_what_no_server_can_do_is_refused_at_the_call(info: Any) -> None:
    rule = parse_rule(info.id + ("@event=1" if info.places else ""))
    with pytest.raises(PlanError, match=f"^{info.id} does not happen at a server, as "):
        LoopbackServer().play([interaction()], faults=[rule])


@pytest.mark.parametrize(
    ("faults", "error", "words"),
    [
        ("body.fim@event=1", PlanError, "nearest: body.fin"),
        ("end.abandoned", PlanError, "end.abandoned is a way to run code"),
        (5, TypeError, "faults are values of cassette_stream.faults"),
    ],
)
def test_what_makes_no_sense_is_refused_at_the_call(faults: Any, error: Any, words: str) -> None:
    with pytest.raises(error, match=words):
        LoopbackServer().play([interaction()], faults=faults)


def test_a_rule_that_never_struck_is_raised_when_the_server_stops() -> None:
    server = LoopbackServer()
    server.play([interaction()], pace="instant", faults=["body.fin@event=60"])
    with (
        pytest.raises(UnfiredRuleError, match="event=60 never fired: the stream has 3 events"),
        server,
    ):
        assert heard(server)[1] == WHOLE


def test_or_becomes_a_note_of_the_error_that_is_on_its_way() -> None:
    server = LoopbackServer()
    server.play([interaction()], faults=["body.fin@event=60"])
    with pytest.raises(KeyError) as raised, server:
        raise KeyError("own")

    assert "no recorded response was played" in raised.value.__notes__[0]


def test_or_is_a_warning_where_the_plan_says_so() -> None:
    server = LoopbackServer()
    plan = Plan((parse_rule("body.fin@event=2,attempt=2"),), on_unfired="warn")
    server.play([interaction()], pace="instant", faults=plan)
    with pytest.warns(UnfiredRuleWarning, match="nothing was in its scope"), server:
        heard(server)


def test_the_scope_sees_the_request_as_it_came(server: LoopbackServer) -> None:
    match = Match(path=PATH, host="127.0.0.1", body={"model": "m"})
    rule = Rule("head.503", match=match)
    server.play([interaction(), interaction()], pace="instant", faults=[rule])
    asked = [httpx.post(server.url + PATH, json=body) for body in ({"model": "x"}, {"model": "m"})]

    assert [response.status_code for response in asked] == [200, 503]


specs = st.lists(
    st.sampled_from(
        [
            "body.fin@event=2", "body.reset@byte=5", "body.clean_end@event=3", "body.slice@size=3",
            "head.503", "sse.comments", "body.fin@event=1,attempt=2", "body.fin@chunk=2,times=2",
            "head.429@attempt=1", "body.fin@event=2,p=0.5", "body.slice@size=1..4",
        ]
    ),
    max_size=3,
)  # fmt: skip


@settings(max_examples=60 if SOAK else 12, deadline=None)
@given(specs, st.integers(0, 99), st.integers(1, 4))
def test_a_plan_does_the_same_on_the_socket_as_in_process(
    tmp_path_factory: Any, told: list[str], seed: int, count: int
) -> None:
    plan = Plan(tuple(map(parse_rule, told)), seed=seed, on_unfired="warn")
    # As the server's: over TLS a reset is something else.
    url = "http://a" + PATH
    recorded = Cassette(interactions=(interaction(url=url), interaction(url=url)))
    path: Path = tmp_path_factory.mktemp("cassettes") / "a.yaml"
    path.write_bytes(dumps(recorded))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnfiredRuleWarning)
        with LoopbackServer() as server:
            server.play(recorded, pace="instant", faults=plan)
            real = [answered(server.url + PATH) for _ in range(count)]
        with use_cassette(path, mode="none", faults=plan) as session:
            played = [answered(url) for _ in range(count)]
            session.misses.clear()

    assert real == played
    assert struck(server.strikes) == struck(session.strikes)


def answered(url: str) -> bytes | str:
    """What comes, the error that does, or that there is no more."""
    try:
        told = ask(url=url)
    except CassetteMissError:
        return "miss"
    return "miss" if b"everything recorded for" in str(told).encode() else told


def struck(strikes: Iterable[Strike]) -> list[Any]:
    return [(it.rule, it.occasion.number, it.occasion.attempt) for it in strikes]
