"""What the clients make of broken streams, by sweeps and by plans that Hypothesis draws."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest
from hypothesis import given
from parley import AsyncClient, Client, ParleyError
from pytest_cassette_stream.laws import LawError, check_client
from pytest_cassette_stream.strategies import faults, plans

from cassette_stream import use_cassette
from cassette_stream.exceptions import UnfiredRuleWarning
from cassette_stream.faults import Plan

COUNTING = Path(__file__).parent / "cassettes" / "counting.yaml"
QUESTION = "Count from 1 to 5"
FAULTS = ["body.fin", "body.clean_end", "body.stall", "json.cut", "sem.error_event"]
MATCH_ON = ("method", "path", "body")
URL = "http://127.0.0.1:1/v1"  # nobody is there

counting = pytest.mark.cassette("counting")


def ask(url: str = URL) -> str:
    with Client(url) as client:
        return client.ask(QUESTION)


async def aask(url: str = URL) -> str:
    async with AsyncClient(url) as client:
        return await client.ask(QUESTION)


def ask_carelessly() -> str:
    with Client(URL) as client:
        try:
            return client.ask(QUESTION)
        except ParleyError as error:
            return str(error)


@counting
def test_no_broken_stream_passes_for_an_answer(chaos):
    assert chaos.check(ask, FAULTS, raises=ParleyError).tried


@counting
@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_nor_does_one_of_the_asynchronous_client(chaos, backend):
    assert chaos.check(aask, FAULTS[:3], raises=ParleyError, backend=backend).tried


@pytest.mark.cassette
def test_a_sweep_records_first_what_it_breaks(chaos, url):
    report = chaos.sweep(ask, "body.fin", args=[url], raises=ParleyError)

    assert report.tried
    assert not report.bad


@counting
def test_the_smallest_plan_shows_what_a_careless_caller_loses(chaos):
    report = chaos.sweep(ask_carelessly, "body.clean_end", raises=ParleyError, recovery=False)
    shrunk = chaos.shrink(ask_carelessly, "body.clean_end@event=3", raises=ParleyError)

    assert report.bad
    assert len(shrunk.plan.rules) == 1


@counting
@given(plans(COUNTING, layer="body", harmful=True))
def test_whatever_happens_to_the_body_is_noticed(chaos, plan):
    chaos.check(ask, plan, raises=ParleyError)


@given(faults(layer="connect"))
def test_a_connection_that_fails_is_an_error_of_ours(rule):
    plan = Plan([rule], on_unfired="warn")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnfiredRuleWarning)  # not each rule has a place here
        with use_cassette(COUNTING, mode="none", match_on=MATCH_ON, faults=plan) as session:
            try:
                assert ask() == "1, 2, 3, 4, 5."
            except ParleyError:
                assert session.strikes


def test_a_client_keeps_the_law():
    assert not check_client(ask, COUNTING, FAULTS, raises=ParleyError, match_on=MATCH_ON).bad


def test_a_careless_one_does_not():
    with pytest.raises(LawError, match="silent"):
        check_client(ask_carelessly, COUNTING, "body.clean_end", match_on=MATCH_ON)
