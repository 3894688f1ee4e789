"""The fixture `chaos`: the cassette of the running test, broken in many ways."""

from __future__ import annotations

import pytest
from inner import INI

SUBJECT = """
import httpx
import pytest
from cassette_stream import LoopbackServer, use_cassette

URL = "https://api.openai.com/v1/chat/completions"
ASK = {"model": "m", "stream": True, "messages": [{"role": "user", "content": "count to 5"}]}


class Broken(Exception):
    pass


def read(lines):
    text = [line for line in lines if line.startswith("data: ")]
    if text[-1] != "data: [DONE]":
        raise Broken(text)
    return text


def careful(url=URL):
    try:
        with httpx.Client(timeout=5) as client, client.stream("POST", url, json=ASK) as response:
            response.raise_for_status()
            return read(response.iter_lines())
    except (httpx.HTTPError, IndexError) as error:
        raise Broken from error


async def acareful(url=URL):
    try:
        async with httpx.AsyncClient(timeout=5) as client:
            async with client.stream("POST", url, json=ASK) as response:
                response.raise_for_status()
                return read([line async for line in response.aiter_lines()])
    except (httpx.HTTPError, IndexError) as error:
        raise Broken from error


def careless(url=URL):
    with httpx.Client(timeout=5) as client, client.stream("POST", url, json=ASK) as response:
        return "".join(response.iter_lines())


@pytest.fixture(scope="session", autouse=True)
def recorded(tmp_path_factory):
    from dataclasses import replace
    from pathlib import Path
    from cassette_stream import Cassette, read_cassette, write_cassette

    path = tmp_path_factory.mktemp("it") / "a.yaml"
    with LoopbackServer() as server, use_cassette(path):
        careful(server.openai_url + "/chat/completions")
    [it] = read_cassette(path).interactions
    it = replace(it, request=replace(it.request, url=URL))
    write_cassette(Path(__file__).parent / "cassettes" / "count.yaml", Cassette(interactions=(it,)))

"""


@pytest.fixture(autouse=True)
def ini(pytester: pytest.Pytester) -> None:
    pytester.makeini(INI)


def test_a_sweep_is_one_line_of_a_test(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        SUBJECT
        + """
@pytest.mark.cassette("count")
@pytest.mark.parametrize("subject", [careful, acareful])
def test_careful(chaos, subject):
    report = chaos.check(subject, ["body.fin", "body.stall", "body.split"])
    assert len(report.tried) > 5


@pytest.mark.cassette("count")
def test_careless(chaos):
    chaos.check(careless, "body.clean_end")


def test_by_name(chaos):
    assert chaos.sweep(careless, "body.clean_end", cassette="count").bad
    assert len(chaos.shrink(careless, "body.clean_end@event=3", cassette="count").plan.rules) == 1
"""
    )
    result = pytester.runpytest()

    result.assert_outcomes(passed=3, failed=1)
    result.stdout.fnmatch_lines(["*trials went wrong*", "*silent: body.clean_end*"])
    result.stdout.fnmatch_lines("*trials, seed 0")


def test_the_seed_of_the_run_is_that_of_its_sweeps(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        SUBJECT
        + """
@pytest.mark.cassette("count")
def test_it(chaos):
    assert chaos.sweep(careful, "body.fin").seed == 7
    assert chaos.sweep(careful, "body.fin", seed=8).seed == 8
"""
    )

    pytester.runpytest("--cassette-seed=7").assert_outcomes(passed=1)


def test_where_there_is_no_cassette_yet_the_subject_records_it(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        SUBJECT
        + """
@pytest.mark.cassette
@pytest.mark.parametrize("subject", [careful, acareful])
def test_it(chaos, subject, stream_server):
    kwargs = {"url": stream_server.openai_url + "/chat/completions"}
    chaos.check(subject, "body.fin", kwargs=kwargs)
    chaos.check(subject, "body.fin", kwargs=kwargs)
    assert len(stream_server.wait_for_exchanges(1)) == 1
"""
    )

    pytester.runpytest("--cassette-mode=none").assert_outcomes(failed=2)
    pytester.runpytest().assert_outcomes(passed=2)
    assert len(list((pytester.path / "cassettes").rglob("test_it*.yaml"))) == 2


def test_a_sweep_may_be_of_examples(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        SUBJECT
        + """
from hypothesis import given, settings, strategies as st


@pytest.mark.cassette("count")
@given(st.integers(1, 5))
@settings(max_examples=10, deadline=None)
def test_it(chaos, event):
    chaos.check(careful, f"body.fin@event={event}")


@given(st.integers(1, 5))
@settings(max_examples=10, deadline=None)
def test_it_without_a_marker(chaos, event):
    chaos.check(careful, f"body.fin@event={event}", cassette="count")
"""
    )

    pytester.runpytest().assert_outcomes(passed=2)


def test_what_a_sweep_records_first_is_in_the_summary(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        SUBJECT
        + """
def test_it(chaos, stream_server):
    chaos.check(careful, "body.fin", args=[f"{stream_server.openai_url}/chat/completions"])
"""
    )
    result = pytester.runpytest()

    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["1 recorded, *", "recorded *test_it.yaml"])


def test_what_fails_before_a_sweep_is_not_recorded(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        SUBJECT
        + """
def fails(url):
    careful(url)
    raise KeyError("a mistake")


def test_it(chaos, stream_server):
    chaos.check(fails, "body.fin", args=[f"{stream_server.openai_url}/chat/completions"])
"""
    )
    pytester.runpytest().assert_outcomes(failed=1)

    assert [path.name for path in pytester.path.rglob("*.yaml")] == ["count.yaml"]
