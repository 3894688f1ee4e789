"""The fixture `stream_server`: one address for the run, another story for each test."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from inner import INI, MODULE

FIXTURES = Path(__file__).parents[1] / "fixtures"


@pytest.fixture(autouse=True)
def cassettes(pytester: pytest.Pytester) -> None:
    pytester.makeini(INI)
    (pytester.path / "cassettes").mkdir()
    for name in ("openai_text", "anthropic_text", "gemini_text"):
        shutil.copy(FIXTURES / f"{name}.yaml", pytester.path / "cassettes")


SDKS = """
import os

import anthropic
import openai
import pytest

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend():
    return "asyncio"  # openai leaves generators for trio to complain of


ASK = [{"role": "user", "content": "Count from 1 to 10"}]


@pytest.fixture
def environment(monkeypatch, stream_server):
    for name, value in stream_server.environment.items():
        monkeypatch.setenv(name, value)


def openai_text(client):
    stream = client.chat.completions.create(model="gpt-4o-mini", messages=ASK, stream=True)
    with stream:
        return "".join(it.choices[0].delta.content or "" for it in stream if it.choices)


async def aopenai_text(client):
    stream = await client.chat.completions.create(model="gpt-4o-mini", messages=ASK, stream=True)
    async with stream:
        parts = [it.choices[0].delta.content or "" async for it in stream if it.choices]
    return "".join(parts)


def anthropic_text(client):
    with client.messages.stream(model="claude-x", max_tokens=99, messages=ASK) as stream:
        return stream.get_final_text()


async def aanthropic_text(client):
    ask = {"model": "claude-x", "max_tokens": 99, "messages": ASK}
    async with client.messages.stream(**ask) as stream:
        return await stream.get_final_text()
"""


def test_official_sdks_are_offline_by_the_server(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        SDKS
        + """
import anyio
TEN = "1, 2, 3, 4, 5, 6, 7, 8, 9, 10."


def test_openai(environment, stream_server):
    stream_server.play("openai_text")
    with openai.OpenAI() as client:
        assert openai_text(client) == TEN


async def test_openai_async(environment, stream_server):
    stream_server.answer("Sunny.")
    async with openai.AsyncOpenAI() as client:
        assert await aopenai_text(client) == "Sunny."
        assert await aopenai_text(client) == "Sunny."


def test_anthropic(environment, stream_server):
    stream_server.play("anthropic_text.yaml")
    with anthropic.Anthropic() as client:
        assert anthropic_text(client) == TEN


async def test_anthropic_async(environment, stream_server):
    stream_server.answer("Sunny.", None)
    async with anthropic.AsyncAnthropic() as client:
        assert await aanthropic_text(client) == "Sunny."
        assert await aanthropic_text(client) == TEN


def test_what_was_told_is_forgotten(environment, stream_server):
    assert stream_server.exchanges == ()
    with openai.OpenAI() as client:
        assert openai_text(client) == TEN


def test_another_program(environment, stream_server):
    import subprocess, sys
    stream_server.play("openai_text")
    code = "import test_it, openai; print(test_it.openai_text(openai.OpenAI()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == TEN + "\\n", done.stderr
    [exchange] = stream_server.wait_for_exchanges(1)
    assert exchange.request.method == "POST"


def test_a_fault(environment, stream_server):
    stream_server.play("openai_text", faults="body.clean_end@event=4")
    with openai.OpenAI() as client:
        assert openai_text(client) == "1,"
    assert [str(it.rule.fault) for it in stream_server.strikes] == ["body.clean_end"]
"""
    ).rename(pytester.path / "test_it.py")
    result = pytester.runpytest("-p", "no:cacheprovider", "test_it.py")

    result.assert_outcomes(passed=7)
    result.stdout.fnmatch_lines("1 faults struck, 9 requests served")


def test_official_sdks_are_offline_by_the_marker(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        SDKS
        + """
TEN = "1, 2, 3, 4, 5, 6, 7, 8, 9, 10."
openai_cassette = pytest.mark.cassette("openai_text", match_on=["method", "url"], mode="none")
anthropic_cassette = pytest.mark.cassette("anthropic_text", match_on=["method", "url"], mode="none")


@openai_cassette
def test_openai():
    with openai.OpenAI(api_key="none") as client:
        assert openai_text(client) == TEN


@openai_cassette
async def test_openai_async():
    async with openai.AsyncOpenAI(api_key="none") as client:
        assert await aopenai_text(client) == TEN


@anthropic_cassette
def test_anthropic():
    with anthropic.Anthropic(api_key="none") as client:
        assert anthropic_text(client) == TEN


@anthropic_cassette
async def test_anthropic_async():
    async with anthropic.AsyncAnthropic(api_key="none") as client:
        assert await aanthropic_text(client) == TEN
"""
    )

    pytester.runpytest("-p", "no:cacheprovider").assert_outcomes(passed=4)


def test_a_client_may_outlive_a_test(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
import openai
import pytest


@pytest.fixture(scope="module")
def client(stream_server):
    with openai.OpenAI(base_url=stream_server.openai_url, api_key="none") as client:
        yield client


@pytest.mark.parametrize("text", ["one", "two"])
def test_it(client, stream_server, text):
    stream_server.answer(text)
    ask = [{"role": "user", "content": "hi"}]
    answer = client.chat.completions.create(model="m", messages=ask)
    assert answer.choices[0].message.content == text
"""
    )

    pytester.runpytest("-p", "no:cacheprovider").assert_outcomes(passed=2)


@pytest.mark.parametrize(
    ("told", "outcomes", "words"),
    [
        ("play('openai_txt')", {"failed": 1}, "*there is no cassette *openai_txt.yaml*"),
        (
            "play('openai_text', faults='body.fin@event=3')",
            {"passed": 1, "errors": 1},
            "*body.fin@event=3*",
        ),
        ("play('openai_text', faults='connect.dns')", {"failed": 1}, "*does not happen at a*"),
        ("answer(7)", {"failed": 1}, "*a model answers with a text*not 7*"),
    ],
)
def test_what_goes_wrong_is_told_by_the_test(
    pytester: pytest.Pytester, told: str, outcomes: dict[str, int], words: str
) -> None:
    pytester.makepyfile(
        f"def test_it(stream_server):\n    stream_server.{told}\n\n\n"
        "def test_next(stream_server): pass\n"
    )
    result = pytester.runpytest("-p", "no:cacheprovider")

    outcomes = outcomes | {"passed": outcomes.get("passed", 0) + 1}
    result.assert_outcomes(**outcomes)
    result.stdout.fnmatch_lines(words)


def test_paths_and_values_can_be_played_as_well(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        MODULE
        + """
from pathlib import Path
from cassette_stream import read_cassette


@pytest.mark.parametrize("wrap", [Path, read_cassette], ids=["path", "value"])
def test_it(stream_server, wrap):
    stream_server.play(wrap(Path(__file__).parent / "cassettes" / "openai_text.yaml"))
    assert "[DONE]" in httpx.post(f"{stream_server.openai_url}/chat/completions", json={}).text
"""
    )

    pytester.runpytest("-p", "no:cacheprovider").assert_outcomes(passed=2)
