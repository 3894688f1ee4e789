"""The cassettes in fixtures/ are what their names say."""

from __future__ import annotations

import base64
import json
import runpy
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from support import PROJECT
from typer.testing import CliRunner

from cassette_stream import use_cassette
from cassette_stream.cassette import How, Interaction, dumps, loads
from cassette_stream.cli import app
from cassette_stream.script import FailureKind
from cassette_stream.wire import EventStreamDecoder, SSEDecoder

FOLDER = PROJECT / "fixtures"
FILES = sorted(FOLDER.glob("*.yaml"))
every_fixture = pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)


def only(file: Path) -> Interaction:
    [interaction] = loads(file.read_bytes(), file=str(file)).interactions
    return interaction


@dataclass
class Answer:
    """What a caller understands of a stream."""

    text: str = ""
    reasoning: str = ""
    calls: list[dict[str, str]] = field(default_factory=list)
    finish: str | None = None


def openai(events: list[Any]) -> Answer:
    answer = Answer()
    for event in events:
        for choice in event["choices"]:
            delta = choice["delta"]
            answer.text += delta.get("content") or ""
            answer.reasoning += delta.get("reasoning_content") or ""
            answer.finish = choice["finish_reason"] or answer.finish
            for call in delta.get("tool_calls", ()):
                if call["index"] == len(answer.calls):
                    answer.calls.append({"name": call["function"]["name"], "arguments": ""})
                answer.calls[call["index"]]["arguments"] += call["function"]["arguments"]
    return answer


def anthropic(events: list[Any]) -> Answer:
    answer = Answer()
    for event in events:
        if event["type"] == "content_block_start" and event["content_block"]["type"] == "tool_use":
            answer.calls.append({"name": event["content_block"]["name"], "arguments": ""})
        if event["type"] == "message_delta":
            answer.finish = event["delta"]["stop_reason"]
        if event["type"] == "content_block_delta":
            delta = event["delta"]
            answer.text += delta.get("text", "")
            answer.reasoning += delta.get("thinking", "")
            if "partial_json" in delta:
                answer.calls[-1]["arguments"] += delta["partial_json"]
    return answer


def gemini(events: list[Any]) -> Answer:
    answer = Answer()
    for event in events:
        [candidate] = event["candidates"]
        answer.finish = candidate.get("finishReason", answer.finish)
        for part in candidate["content"]["parts"]:
            if call := part.get("functionCall"):
                arguments = json.dumps(call["args"])
                answer.calls.append({"name": call["name"], "arguments": arguments})
            elif part.get("thought"):
                answer.reasoning += part["text"]
            else:
                answer.text += part["text"]
    return answer


def cohere(events: list[Any]) -> Answer:
    answer = Answer()
    for event in events:
        delta = event.get("delta", {})
        answer.finish = delta.get("finish_reason", answer.finish)
        message = delta.get("message", {})
        match event["type"]:
            case "content-delta":
                answer.text += message["content"]["text"]
            case "tool-call-start":
                answer.calls.append(message["tool_calls"]["function"])
            case "tool-call-delta":
                answer.calls[-1]["arguments"] += message["tool_calls"]["function"]["arguments"]
    return answer


def ollama(events: list[Any]) -> Answer:
    answer = Answer()
    for event in events:
        answer.text += event["message"]["content"]
        for call in event["message"].get("tool_calls", ()):
            arguments = json.dumps(call["function"]["arguments"])
            answer.calls.append({"name": call["function"]["name"], "arguments": arguments})
        answer.finish = event.get("done_reason", answer.finish)
    return answer


def converse(events: list[Any]) -> Answer:
    answer = Answer()
    for event in events:
        delta = event.get("delta", {})
        answer.finish = event.get("stopReason", answer.finish)
        answer.text += delta.get("text", "")
        if "toolUse" in event.get("start", {}):
            answer.calls.append({"name": event["start"]["toolUse"]["name"], "arguments": ""})
        if "toolUse" in delta:
            answer.calls[-1]["arguments"] += delta["toolUse"]["input"]
    return answer


def events_of(body: bytes, kind: str) -> list[Any]:
    """The JSON of the events of a *body* of this content type."""
    if kind == "application/x-ndjson":
        return [json.loads(line) for line in body.decode().splitlines()]
    if kind == "application/vnd.amazon.eventstream":
        payloads = [json.loads(it.payload) for it in EventStreamDecoder().feed(body)]
        return [
            json.loads(base64.b64decode(it["bytes"])) if "bytes" in it else it for it in payloads
        ]
    decoder = SSEDecoder()
    data = [event.data for event in decoder.decode([body])]

    assert not decoder.truncated
    return [json.loads(text) for text in data if text != "[DONE]"]


def events_in(file: Path, chunks: list[bytes]) -> list[Any]:
    response = only(file).response
    assert response is not None
    return events_of(b"".join(chunks), response.headers["content-type"][0])


def replayed(file: Path) -> tuple[list[bytes], type[Exception] | None]:
    """The chunks that a caller of the recorded address gets, and what is raised."""
    request, chunks = only(file).request, []
    with (
        use_cassette(file, mode="none") as session,
        httpx.Client(transport=session.transport()) as client,
    ):
        try:
            with client.stream(request.method, request.url, content=request.body) as response:
                chunks.extend(response.iter_raw())
        except Exception as error:
            return chunks, type(error)
    return chunks, None


@every_fixture
def test_a_fixture_is_written_as_it_was_read(file: Path) -> None:
    data = file.read_bytes()

    assert dumps(loads(data, file=file.name)) == data


@every_fixture
def test_a_fixture_lints_clean(file: Path) -> None:
    result = CliRunner().invoke(app, ["lint", str(file)])

    assert (result.exit_code, result.stdout) == (0, "")


@every_fixture
def test_a_fixture_replays_the_frames_it_says(file: Path) -> None:
    response = only(file).response
    assert response is not None
    chunks, _ = replayed(file)

    assert chunks == [frame.data for frame in response.frames() if frame.data]


COUNT = "1, 2, 3, 4, 5, 6, 7, 8, 9, 10."
COUNTED = Answer(text=COUNT)
THOUGHT = Answer(
    text=COUNT, reasoning="The user wants me to count from 1 to 10. One number at a time."
)
WEATHER = {"name": "get_weather", "arguments": '{"city": "Paris"}'}
TIME = {"name": "get_time", "arguments": '{"city": "Paris"}'}
STOPS = {
    openai: "stop",
    anthropic: "end_turn",
    gemini: "STOP",
    cohere: "COMPLETE",
    ollama: "stop",
    converse: "end_turn",
}
CALLS = {
    openai: "tool_calls",
    anthropic: "tool_use",
    gemini: "STOP",
    cohere: "TOOL_CALL",
    ollama: "stop",
    converse: "tool_use",
}
WHOLE = {
    "text": (COUNTED, STOPS),
    "reasoning": (THOUGHT, STOPS),
    "tool_call": (Answer(calls=[WEATHER]), CALLS),
    "parallel_tool_calls": (Answer(calls=[WEATHER, TIME]), CALLS),
    "compressed": (COUNTED, STOPS),
    "crlf": (COUNTED, STOPS),
}
READERS = {
    "openai": openai,
    "deepseek": openai,
    "anthropic": anthropic,
    "gemini": gemini,
    "cohere": cohere,
    "ollama": ollama,
    "bedrock_converse": converse,
    "bedrock_invoke": anthropic,
}


def parts(file: Path) -> tuple[Callable[[list[Any]], Answer], str]:
    provider = next(name for name in READERS if file.stem.startswith(f"{name}_"))
    return READERS[provider], file.stem.removeprefix(f"{provider}_")


@pytest.mark.parametrize(
    "file", [file for file in FILES if parts(file)[1] in WHOLE], ids=lambda file: file.stem
)
def test_a_whole_answer_is_what_its_name_says(file: Path) -> None:
    read, kind = parts(file)
    expected, finish = WHOLE[kind]
    chunks, error = replayed(file)

    assert error is None
    assert read(events_in(file, chunks)) == replace(expected, finish=finish[read])


@pytest.mark.parametrize(
    "file",
    [file for file in FILES if parts(file)[1] == "died_mid_stream"],
    ids=lambda file: file.stem,
)
def test_a_server_that_died_is_heard_to_die_after_eight_events(file: Path) -> None:
    read, _ = parts(file)
    interaction = only(file)
    assert interaction.response is not None
    ending = interaction.response.ending
    chunks, error = replayed(file)

    assert (ending.how, ending.failure) == (How.FAILURE, FailureKind.FIN)
    assert error is httpx.RemoteProtocolError
    events = events_in(file, chunks)
    assert len(events) == 8
    assert read(events).finish is None


def test_the_fixtures_of_one_request_differ_in_how_they_were_sent_and_nothing_else() -> None:
    def response(name: str) -> Any:
        return only(FOLDER / f"{name}.yaml").response

    text = response("openai_text")

    assert response("openai_closed_early").ending.how is How.CLOSED_BY_CALLER
    assert text.body.startswith(response("openai_closed_early").body)
    assert text.body.startswith(response("openai_died_mid_stream").body)
    assert response("openai_compressed").removed_coding == "gzip"
    assert response("openai_compressed").body == text.body
    assert response("openai_crlf").body == text.body.replace(b"\n", b"\r\n")
    assert response("gemini_text").body.endswith(b"\r\n\r\n")


@every_fixture
def test_recording_again_gives_the_same_but_for_dates_and_times(file: Path, tmp_path: Path) -> None:
    make = runpy.run_path(str(FOLDER / "make.py"))
    again = tmp_path / file.name
    make["record"](again, make["FIXTURES"][file.stem], gap=0.001)

    assert timeless(only(again)) == timeless(only(file))


def test_the_script_and_the_folder_name_the_same_fixtures() -> None:
    make = runpy.run_path(str(FOLDER / "make.py"))

    assert set(make["FIXTURES"]) == {file.stem for file in FILES}


def timeless(interaction: Interaction) -> tuple[Any, ...]:
    response = interaction.response
    assert response is not None
    ending = replace(response.ending, after_us=0)
    gaps = type(response.gaps_us)("q", [0] * len(response.gaps_us))
    return interaction.request, replace(response, head_after_us=0, gaps_us=gaps, ending=ending)
