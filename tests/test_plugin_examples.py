"""Tests of Hypothesis: one cassette, one server, as new for each example."""

from __future__ import annotations

import pytest
from inner import INI, MODULE

GIVEN = (
    MODULE
    + """
from hypothesis import given, settings, strategies as st


@pytest.mark.cassette("a")
def test_records():
    ask(answer)

"""
)


@pytest.mark.parametrize("randomly", [False, True])
def test_a_session_is_rewound_for_each_example(
    pytester: pytest.Pytester, *, randomly: bool
) -> None:
    pytester.makeini(INI)
    pytester.makepyfile(
        GIVEN
        + """
COUNT = 0


@pytest.mark.cassette("a")
@given(st.integers())
@settings(max_examples=100)
def test_plays(n):
    global COUNT
    COUNT += 1
    assert ask(offline) == [b"data: 1\\n\\n", b"data: 2\\n\\n"]


@pytest.mark.cassette("a")
class TestMethods:
    @given(n=st.integers())
    @pytest.mark.parametrize("twice", [1, 2])
    def test_plays(self, n, twice, current_cassette):
        assert current_cassette().played == ()
        ask(offline)
        assert len(current_cassette().played) == 1


def test_all_examples_ran():
    assert COUNT == 100
"""
    )
    pytester.runpytest("-k", "records").assert_outcomes(passed=1, deselected=4)

    pytester.runpytest("--cassette-mode=none").assert_outcomes(passed=5)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_examples_may_be_asynchronous(pytester: pytest.Pytester, backend: str) -> None:
    pytester.makeini(INI)
    pytester.makepyfile(
        GIVEN
        + f"""
@pytest.fixture
def anyio_backend():
    return {backend!r}


@pytest.mark.cassette("a")
@pytest.mark.anyio
@given(st.integers())
async def test_plays(n):
    async with httpx.AsyncClient() as client:
        assert (await client.post(URL, json={{"n": 2}})).content == b"data: 1\\n\\ndata: 2\\n\\n"
"""
    )

    pytester.runpytest().assert_outcomes(passed=2)


def test_an_example_that_fails_is_shrunk_and_told(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        GIVEN
        + """
@pytest.mark.cassette("a")
@given(st.integers(0))
def test_fails(n):
    assert len(ask(offline)) == 2
    assert n < 10
"""
    )
    result = pytester.runpytest()

    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*n=10,*", "*18 bytes were delivered*"])


def test_examples_never_record(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        GIVEN
        + """
@pytest.mark.cassette(mode="rewrite")
@given(st.integers())
def test_asks(n):
    ask(answer)
"""
    )
    result = pytester.runpytest("--cassette-mode=all")

    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*CassetteNotFoundError*", "*tests of Hypothesis only play*"])


def test_a_server_is_as_new_for_each_example(pytester: pytest.Pytester) -> None:
    pytester.makeini(INI)
    pytester.makepyfile(
        GIVEN
        + """
@given(st.sampled_from(["one", "two", None]))
def test_it(stream_server, text):
    assert stream_server.exchanges == ()
    if text:
        stream_server.answer(text)
    request = {"model": "m", "messages": [{"role": "user", "content": "count to 2"}]}
    got = httpx.post(f"{stream_server.openai_url}/chat/completions", json=request).json()
    assert got["choices"][0]["message"]["content"] == text or "1, 2."
    stream_server.wait_for_exchanges(1)
"""
    )

    pytester.runpytest("-k", "test_it").assert_outcomes(passed=1, deselected=1)


def test_a_state_machine_runs_beside_a_server_and_plays(pytester: pytest.Pytester) -> None:
    pytester.makeini(INI)
    pytester.makepyfile(
        GIVEN
        + """
from hypothesis.stateful import RuleBasedStateMachine, rule


def test_served(stream_server):
    assert httpx.get(stream_server.url).status_code == 404


class Machine(RuleBasedStateMachine):
    @rule()
    def play(self):
        assert ask(offline) == [b"data: 1\\n\\n", b"data: 2\\n\\n"]


TestMachine = pytest.mark.cassette("a", allow_repeats=True)(Machine.TestCase)


class Counting(RuleBasedStateMachine):
    @rule()
    def count(self):
        pass


TestCounting = Counting.TestCase
"""
    )
    pytester.runpytest().assert_outcomes(passed=4)


def test_a_test_without_a_cassette_is_told_so(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_it(current_cassette):\n    current_cassette()\n")
    result = pytester.runpytest()

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines("*test_it has no cassette: mark it with*")
