"""Semantic faults in lines and frames: what they make of a stream is lines and frames again."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from breaking import answer
from test_faults_sem import ROWS, applied, built, quirks, sent
from test_faults_sem_words import calls

from cassette_stream.dialects import anthropic
from cassette_stream.dialects.aws_frames import frame
from cassette_stream.faults import FaultInfo
from cassette_stream.faults.dialect import Dialect
from cassette_stream.faults.edit import events_in
from cassette_stream.faults.sem.words import kind_in
from cassette_stream.script import Emit, Head, Step
from cassette_stream.wire import EventStreamDecoder


def lines() -> list[Step]:
    def line(content: str, *names: str, done: bool = False) -> dict[str, Any]:
        made = [{"id": it, "function": {"index": 1, "name": it, "arguments": {}}} for it in names]
        message = {"role": "assistant", "content": content} | ({"tool_calls": made} if made else {})
        return {"model": "m", "created_at": "t", "message": message, "done": done}

    end = line("", done=True) | {"done_reason": "stop", "prompt_eval_count": 1, "eval_count": 2}
    told = [line("a"), line("b"), line("", "x"), line("", "y"), end]
    return [Head(200), *(Emit(json.dumps(it).encode() + b"\n") for it in told)]


def frames() -> list[Step]:
    text = [{"contentBlockIndex": 0, "delta": {"text": it}} for it in "ab"]
    usage = {"usage": {"inputTokens": 1}, "metrics": {}}
    told = [{"role": "assistant"}, *text, {"contentBlockIndex": 0}, *calls(), usage]
    made = [frame(kind_in(it, "bedrock_converse"), json.dumps(it).encode()) for it in told]
    return [Head(200), *map(Emit, made)]


def chunks() -> list[Step]:
    events = [
        event.split(b"data: ", 1)[1].strip() for event in anthropic.encode(answer(calls=True))
    ]
    held = [json.dumps({"bytes": base64.b64encode(it).decode()}).encode() for it in events]
    return [Head(200), *(Emit(frame("chunk", it)) for it in held)]


def is_whole(dialect: Dialect, body: bytes) -> bool:
    """Whether it is lines of JSON, or frames with it."""
    if dialect == "ollama":
        return all(isinstance(json.loads(it), dict) for it in body.splitlines())
    decoder = EventStreamDecoder()
    messages = list(decoder.feed(body))
    # An error has no payload: what it says is in its headers.
    told = [json.loads(it.payload) for it in messages if it.headers[":message-type"] != "error"]
    return not decoder.pending and all(isinstance(it, dict) for it in told)


@pytest.mark.parametrize("info", ROWS.values(), ids=ROWS)
@pytest.mark.parametrize(
    ("dialect", "steps"),
    [("ollama", lines()), ("bedrock_converse", frames()), ("anthropic", chunks())],
    ids=["lines", "frames", "chunks"],
)
def test_what_a_fault_makes_of_a_stream_is_framed_as_that_is(
    info: FaultInfo, dialect: Dialect, steps: list[Step]
) -> None:
    strikes = 0
    for told in quirks(info):
        for number in range(1, len(events_in(steps))) if info.places else [None]:
            out = applied(built(info, number, told), steps, most=60)
            if out != steps:
                strikes += 1
                assert is_whole(dialect, sent(out))

    assert bool(strikes) is info.has(dialect, events_in(steps)[0].framing)
