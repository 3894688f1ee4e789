"""The loopback server: another process, replies that break for real, tool calls."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from parley import AsyncClient, BrokenError, Client, ParleyError
from pytest_cassette_stream.strategies import cassettes, scripts

from cassette_stream import ChatCompletionMessageToolCall, Function, Message

QUESTION = "What is the weather?"


def run(url: str, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "parley", *options, url, QUESTION],
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("options", [(), ("--async",)], ids=["sync", "async"])
def test_another_process(stream_server, options):
    stream_server.answer("Sunny.")
    done = run(stream_server.environment["OPENAI_BASE_URL"], *options)

    assert (done.stdout, done.stderr) == ("Sunny.\n", "")


def test_a_connection_that_breaks_for_real(stream_server):
    stream_server.play("counting", faults="body.fin@event=4")
    with Client(stream_server.openai_url) as client, pytest.raises(BrokenError, match="^1,"):
        client.ask(QUESTION)


def test_a_call_and_then_an_answer(stream_server):
    function = Function(name="weather", arguments='{"city": "Köln"}')
    call = ChatCompletionMessageToolCall(id="call_1", function=function)
    stream_server.answer(Message(tool_calls=[call]), "Sunny.")
    with Client(stream_server.openai_url) as client:
        [called] = client.answer(QUESTION).response()["tool_calls"]
        assert client.ask(QUESTION) == "Sunny."

    assert (called["id"], called["name"]) == ("call_1", "weather")
    assert json.loads(called["arguments"]) == {"city": "Köln"}


@pytest.mark.anyio
async def test_an_asynchronous_client_sees_the_break_too(stream_server):
    stream_server.play("counting", faults="body.fin@event=4")
    async with AsyncClient(stream_server.openai_url) as client:
        with pytest.raises(BrokenError, match="^1,"):
            await client.ask(QUESTION)


@given(scripts(endings=["complete", "failure", "no_response"], max_wait=0, on_socket=True))
def test_whatever_a_server_does_is_an_error_of_ours(stream_server, script):
    stream_server.respond(script)
    with Client(stream_server.openai_url) as client, pytest.raises(ParleyError):
        client.ask(QUESTION)


@given(cassettes(dialect="openai_chat", endings="complete", max_size=1))
def test_whatever_a_model_says_is_an_answer_or_an_error_of_ours(stream_server, cassette):
    stream_server.play(cassette)
    with Client(stream_server.openai_url) as client:
        try:
            answer = client.answer(QUESTION)
        except ParleyError:
            return
    assert answer.finish
