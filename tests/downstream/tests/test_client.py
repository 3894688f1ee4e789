"""Cassettes by the marker: recorded by the tests themselves, or committed."""

from __future__ import annotations

import time
from uuid import uuid4

import anyio
import pytest
from parley import AsyncClient, BrokenError, Client, RefusedError

QUESTION, ANSWER = "Count from 1 to 5", "1, 2, 3, 4, 5."
counting = pytest.mark.cassette("counting", mode="once")
broken = pytest.mark.cassette("counting", faults="body.stall@event=4", virtual_time=True)


@pytest.mark.cassette
def test_a_question_is_recorded_and_then_played(url, cassette_session):
    with Client(url) as client:
        assert client.ask(QUESTION) == ANSWER
        assert client.ask("Again") == ANSWER
    assert [it.request.url for it in cassette_session.interactions]


@pytest.mark.anyio
@pytest.mark.cassette(keep_failed=True)
async def test_so_is_an_asynchronous_one(url):
    async with AsyncClient(url) as client:
        assert await client.ask(QUESTION) == ANSWER


@counting
def test_one_cassette_serves_several_tests(url, cassette_session):
    with Client(url) as client:
        assert client.ask(QUESTION) == ANSWER
    assert len(cassette_session.interactions) == 1


@counting
@pytest.mark.anyio
async def test_asynchronous_ones_too(url, current_cassette):
    async with AsyncClient(url) as client:
        assert await client.ask(QUESTION) == ANSWER
    assert len(current_cassette().played) == 1


@pytest.mark.cassette("growing", mode="new_episodes", unplayed="ignore")
@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_cassette_grows_by_what_is_asked_anew(url, number):
    with Client(url) as client:
        assert client.ask(f"Count, and that for the {number}. time") == ANSWER


@pytest.mark.cassette(name="counting", ignore=["user"])
def test_what_differs_each_time_is_ignored(url):
    with Client(url, user=str(uuid4())) as client:
        assert client.ask(QUESTION) == ANSWER


@pytest.mark.cassette("counting", match_on=("method", "path"))
def test_what_is_not_compared_does_not_matter(url):
    with Client(url) as client:
        assert client.ask("Anything") == ANSWER


@pytest.mark.cassette("counting", pace="recorded", virtual_time=True)
def test_a_recorded_pace_takes_as_long_as_it_took(url, cassette_session):
    [interaction] = cassette_session.interactions
    start = time.monotonic()
    with Client(url) as client:
        client.ask(QUESTION)

    response = interaction.response
    took = (response.head_after_us + sum(response.gaps_us)) / 1e6
    assert time.monotonic() - start == pytest.approx(took, abs=1e-4)


@broken
def test_a_silence_is_a_broken_answer(url):
    with Client(url, timeout=300) as client, pytest.raises(BrokenError, match="^1,"):
        client.ask(QUESTION)


@broken
@pytest.mark.anyio
async def test_a_deadline_of_five_minutes(url):
    start = anyio.current_time()
    async with AsyncClient(url, timeout=600) as client:
        with pytest.raises(TimeoutError), anyio.fail_after(300):
            await client.ask(QUESTION)

    assert anyio.current_time() - start == pytest.approx(300, abs=1)


@pytest.mark.cassette("counting", faults="head.429@attempt=1..2", virtual_time=True)
class TestRefused:
    def test_it_waits_and_tries_again(self, url, cassette_session):
        start = time.monotonic()
        with Client(url, retries=2) as client:
            assert client.ask(QUESTION) == ANSWER

        assert len(cassette_session.strikes) == 2
        assert time.monotonic() - start == pytest.approx(3, abs=0.1)

    @pytest.mark.anyio
    async def test_so_does_an_asynchronous_one(self, url, cassette_session):
        start = anyio.current_time()
        async with AsyncClient(url, retries=2) as client:
            assert await client.ask(QUESTION) == ANSWER

        assert len(cassette_session.strikes) == 2
        assert anyio.current_time() - start == pytest.approx(3, abs=0.1)

    @pytest.mark.cassette(faults="head.429")
    def test_it_gives_up(self, url):
        with Client(url) as client, pytest.raises(RefusedError, match="429"):
            client.ask(QUESTION)
