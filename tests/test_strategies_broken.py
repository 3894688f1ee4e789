"""Scripts, rules of the catalogue, and plans for one recording."""

from __future__ import annotations

from array import array
from collections import Counter
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import httpx
import pytest
from drawing import PASTED, drawn, pasted, smallest
from hypothesis import given, settings
from hypothesis import strategies as st
from pytest_cassette_stream.strategies import faults, plans, scripts
from pytest_cassette_stream.strategies.plans import _without_idle
from pytest_cassette_stream.strategies.replies import Reply
from support import PROJECT, SOAK

from cassette_stream import (
    Cassette,
    Emit,
    Fail,
    FailureKind,
    Head,
    LoopbackServer,
    Wait,
    read_cassette,
    use_cassette,
    write_cassette,
)
from cassette_stream.clock import VirtualClock
from cassette_stream.exceptions import CassetteNotFoundError
from cassette_stream.faults import Event, Plan, Rule, catalogue
from cassette_stream.faults.place import kind_of
from cassette_stream.script import framed
from cassette_stream.transport.desk import Play
from cassette_stream.transport.httpx import sync_transport

FIXTURES = PROJECT / "fixtures"
UNLIKE = [FIXTURES / f"{name}.yaml" for name in ("ollama_text", "bedrock_converse_text")]
"""Recordings of what is no event stream of the web."""
ONE = FIXTURES / "openai_parallel_tool_calls.yaml"
LAYERS = ("connect", "head", "body", "sse", "json", "sem", "end")
few = settings(max_examples=200 if SOAK else 10)


def performed(script: list[Any], *, read: float | None = 5.0) -> tuple[bytes, Exception | None]:
    """What a client gets of *script*, and how it ends."""

    class Desk:
        def decide(self, request: Any) -> Play:
            return Play(iter(script), VirtualClock())

    got = b""
    transport = sync_transport(httpx, Desk(), httpx.MockTransport(lambda _: httpx.Response(500)))
    with httpx.Client(transport=transport, timeout=httpx.Timeout(5, read=read)) as client:
        try:
            with client.stream("GET", "http://server/") as response:
                for data in response.iter_raw():
                    got += data
        except Exception as error:
            return got, error
    return got, None


@few
@given(scripts(endings=["complete", "failure", "no_response"]))
def test_a_script_is_performed_to_its_end(script: list[Any]) -> None:
    got, error = performed(script, read=None)
    last = script[-1]

    assert got == b"".join(step.data for step in script if isinstance(step, Emit))
    assert (error is not None) == isinstance(last, Fail)
    assert list(framed(iter(script))) == script or isinstance(last, Fail)


@few
@given(scripts(endings="silence"))
def test_a_silence_is_what_a_read_timeout_ends(script: list[Any]) -> None:
    _, error = performed(script)

    assert isinstance(error, httpx.ReadTimeout)


def test_the_loopback_server_performs_what_is_for_a_socket() -> None:
    kinds: Counter[str] = Counter()
    with LoopbackServer() as server, httpx.Client() as client:

        @settings(max_examples=300 if SOAK else 30)
        @given(scripts(on_socket=True, max_wait=0, endings=["complete", "failure", "no_response"]))
        def check(script: list[Any]) -> None:
            server.respond(script)
            whole, got = b"".join(it.data for it in script if isinstance(it, Emit)), b""
            failed = False
            try:
                with client.stream("GET", server.url) as response:
                    for data in response.iter_raw():
                        got += data
            except httpx.TransportError:
                failed = True

            assert failed == isinstance(script[-1], Fail)
            # What the kernel still holds for a reader is lost by a reset.
            assert got == whole or (failed and whole.startswith(got))
            kinds[str(getattr(script[-1], "kind", "complete"))] += 1

        check()
    assert kinds


def test_every_step_ending_and_failure_is_reached() -> None:
    seen = drawn(scripts(), 100)
    steps = {type(step) for script in seen for step in script}
    failing = drawn(scripts(endings=["failure", "no_response"], max_chunks=0, max_wait=0), 400)

    assert steps == {Wait, Head, Emit, Fail}
    assert {_ending(script) for script in seen} == {
        "complete",
        "failure",
        "no_response",
        "silence",
    }
    assert {script[-1].kind for script in failing} == set(FailureKind)


def _ending(script: list[Any]) -> str:
    last = script[-1]
    if isinstance(last, Fail):
        return "failure" if any(isinstance(step, Head) for step in script) else "no_response"
    return "silence" if last == Wait(float("inf")) else "complete"


@pytest.mark.parametrize(
    ("options", "least"),
    [
        ({"endings": "complete"}, [Head(200)]),
        ({"endings": "failure"}, [Head(200), Fail(FailureKind.FIN)]),
        ({"endings": "no_response", "on_socket": True}, [Fail(FailureKind.NO_RESPONSE)]),
        ({"endings": "silence"}, [Head(200), Wait(float("inf"))]),
    ],
    ids=lambda it: str(it.get("endings")) if isinstance(it, dict) else "",
)
def test_the_smallest_script_is_its_ending(options: dict[str, Any], least: list[Any]) -> None:
    assert smallest(scripts(**options)) == least


def test_a_script_shrinks_to_the_chunk_that_matters() -> None:
    assert smallest(scripts(), lambda script: any(isinstance(it, Emit) for it in script)) == [
        Head(200),
        Emit(b"\0"),
    ]


@given(faults())
def test_a_rule_is_one_that_there_is(rule: Rule) -> None:
    info = catalogue()[str(rule.fault)]

    assert (info.make is None) == (rule.layer == "end")
    assert info.make is None or callable(rule.build())
    assert (rule.at is not None) == bool(info.places)
    assert not rule.is_random


def test_every_fault_of_every_layer_is_reached() -> None:
    found = Counter(str(rule.fault) for rule in drawn(faults(), 900))

    assert set(found) == set(catalogue())
    assert {fault.partition(".")[0] for fault in found} == {*LAYERS}


@pytest.mark.parametrize("layer", LAYERS)
def test_a_layer_is_asked_for_by_its_name(layer: str) -> None:
    assert {rule.layer for rule in drawn(faults(layer=layer), 25)} == {layer}


def test_every_kind_of_place_and_every_refinement_is_reached() -> None:
    kinds = {kind_of(it.at) for it in drawn(faults(layer="body"), 150) if it.at is not None}
    told = [it.at for it in drawn(faults(layer=["json", "sse"]), 300)]
    events = [at for at in told if isinstance(at, Event)]

    assert kinds == {"event", "byte", "chunk", "after_text", "time", "when"}
    assert {True, False} == {at.after for at in events} == {at.type is None for at in events}
    assert {"first", "last", "terminator"} <= {at.n for at in events}
    assert {"json", "json_string"} <= {at.inside for at in events}


@pytest.mark.parametrize("harmful", [True, False])
def test_harm_is_what_the_catalogue_says(harmful: bool) -> None:
    found = {str(rule.fault) for rule in drawn(faults(harmful=harmful), 150)}
    expected = {
        frozenset({info.expect, *info.expects.values()})
        for info in (catalogue()[fault] for fault in found)
    }

    assert (frozenset({"tolerates"}) in expected) is not harmful
    assert len(expected) == 1 or harmful


def test_rules_shrink_to_those_that_take_least() -> None:
    assert smallest(faults()) == Rule("connect.refused")
    assert smallest(faults(layer="sse", harmful=False)) == Rule("sse.no_space")
    assert smallest(faults(), lambda it: it.fault == "json.html") == Rule("json.html", at=Event(1))
    assert smallest(faults(), lambda it: "every" in it.parameters and it.at is None).layer in {
        "body",
        "sse",
    }


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cassette with three requests that differ."""
    names = ("openai_text", "anthropic_tool_call", "gemini_reasoning")
    held = [it for name in names for it in read_cassette(FIXTURES / f"{name}.yaml").interactions]
    path = tmp_path_factory.mktemp("three") / "three.yaml"
    write_cassette(path, Cassette(interactions=tuple(held)))
    return path


def played(path: Path, plan: Plan) -> None:
    """All requests of the cassette, in their order; what is raised on the way is expected."""
    recorded = read_cassette(path)
    with use_cassette(path, mode="none", faults=plan, allow_repeats=True), httpx.Client() as client:
        for it in recorded.interactions:
            request = client.build_request(
                it.request.method,
                it.request.url,
                headers={name: ", ".join(texts) for name, texts in it.request.headers.items()},
                content=it.request.body,
            )
            try:
                response = client.send(request, stream=True)
                # Some never end; byte by byte, the longest of these has 13,509 chunks.
                for _ in islice(response.iter_raw(), 20_000):
                    pass
                response.close()
            except httpx.HTTPError:
                pass


@few
@given(st.data())
def test_every_rule_of_a_plan_strikes(three: Path, data: st.DataObject) -> None:
    path = data.draw(st.sampled_from([ONE, three, *UNLIKE]))
    plan = data.draw(plans(path))

    assert 1 <= len(plan.rules) <= 3
    played(path, plan)  # else leaving the session raises UnfiredRuleError


@pytest.mark.parametrize(
    ("recorded", "seconds", "kept"),
    [
        (0.1, 1, True),
        (0.1, 4.9, False),
        (0.1, 5, False),
        (9, 1, True),
        (9, 5, True),
        (9, 10, False),
    ],
)
def test_nothing_strikes_behind_a_silence_that_no_reader_waits_through(
    recorded: float, seconds: float, kept: bool
) -> None:
    [told] = read_cassette(ONE).interactions
    assert told.response is not None
    gaps_us = array("q", [int(recorded * 1e6), *told.response.gaps_us[1:]])
    response = replace(told.response, head_after_us=200_000, gaps_us=gaps_us)
    reply = Reply(replace(told, response=response), 1)
    rules = [
        Rule("head.delay", parameters={"seconds": seconds}),
        Rule("sem.error_event", at=Event(3)),
    ]

    assert len(_without_idle([reply], rules).rules) == 1 + kept


def test_every_layer_place_and_scope_of_plans_is_reached(three: Path) -> None:
    found = [rule for plan in drawn(plans(three), 120) for rule in plan.rules]
    kinds = {kind_of(rule.at) for rule in found if rule.at is not None}

    assert {rule.layer for rule in found} == {*LAYERS} - {"end"}
    assert kinds == {"event", "byte", "chunk", "after_text", "time", "when"}
    assert {rule.attempt is None for rule in found} == {True, False}
    assert {str(rule.request) for rule in found} == {"1", "2", "3"}
    assert {True, False} == {bool(rule.parameters) for rule in found}


@pytest.mark.matrix(2)
@pytest.mark.parametrize("path", UNLIKE, ids=lambda it: it.stem)
def test_plans_know_the_events_of_lines_and_frames(path: Path) -> None:
    found = [rule for plan in drawn(plans(path, layer=["body", "json"]), 25) for rule in plan.rules]
    kinds = {kind_of(rule.at) for rule in found if rule.at is not None}

    assert kinds >= {"event", "byte", "when"}
    assert any(isinstance(rule.at, Event) and rule.at.n == 2 for rule in found)


def test_most_of_the_catalogue_can_strike_one_stream_of_tool_calls() -> None:
    found = {rule.fault for plan in drawn(plans(ONE, max_rules=1), 250) for rule in plan.rules}

    assert len(found) > 80


def test_plans_shrink_to_one_rule_at_the_first_event() -> None:
    assert smallest(plans(ONE)) == Plan((Rule("connect.refused"),))
    [rule] = smallest(plans(ONE, layer="json")).rules
    assert (rule.at, rule.parameters, rule.attempt) == (Event(1), {}, None)


@pytest.mark.parametrize("value", [Cassette(), 5], ids=["no interactions", "no cassette"])
def test_there_are_no_plans_for_nothing(value: Any) -> None:
    with pytest.raises((ValueError, TypeError), match=r"no interactions|breaks a Cassette"):
        plans(value)


def test_what_cannot_strike_is_told_at_once() -> None:
    page = Cassette(interactions=read_cassette(ONE).interactions)
    with pytest.raises(ValueError, match="name other layers"):
        plans(page, layer="end")


def test_plans_of_what_is_not_recorded_yet_say_where_to_record_it(tmp_path: Path) -> None:
    with pytest.raises(CassetteNotFoundError, match="record one") as raised:
        plans(tmp_path / "none.yaml")

    assert "record it by a test of another module" in raised.value.__notes__[0]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: scripts(endings="finish"), "there are complete, failure"),
        (lambda: scripts(endings=[]), "leave it out"),
        (lambda: scripts(max_wait=-1), "0 seconds or more"),
        (lambda: scripts(max_wait="1"), "a number of seconds"),
        (lambda: scripts(max_chunks=-1), "0 or more"),
        (lambda: scripts(max_chunks=1.5), "a whole number"),
        (lambda: scripts(on_socket=1), "True or False"),
        (lambda: faults(layer="bdy"), "nearest: body"),
        (lambda: faults(layer=7), "a text or several"),
        (lambda: faults(harmful="yes"), "True or False"),
        (lambda: faults(layer="connect", harmful=False), "name other layers"),
        (lambda: plans(ONE, max_rules=0), "1 or more"),
    ],
    ids=lambda it: it if isinstance(it, str) else "given",
)
def test_arguments_are_checked_when_a_strategy_is_made(make: Any, message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        make()


@pytest.mark.parametrize(
    ("strategy", "condition"),
    [
        (scripts(), lambda it: len(it) > 3 and isinstance(it[-1], Fail)),
        (scripts(), lambda it: Wait(float("inf")) in it),
        (faults(), lambda it: it.at is not None and it.parameters),
        (plans(ONE), lambda it: len(it.rules) > 1),
    ],
    ids=["a script", "a silence", "a rule", "a plan"],
)
def test_what_is_printed_can_be_pasted(strategy: Any, condition: Any) -> None:
    for value in drawn(strategy, 10):
        assert eval(repr(value), PASTED) == value
    printed, value = pasted(strategy, condition)
    assert printed == value
