"""Where an official SDK and ours read the same bytes, they hear the same.

Text, tool calls (id, name, and what the arguments say) and finish reason of every choice.
Where the SDK does not see the answer come to its end, with or without an error, both gave the
same until then, and ours raises. What is otherwise stands in a table, with the sentence of the
format's documentation that decides it.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Collection
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from official_sdks import (
    Answer,
    Anthropic,
    BedrockConverse,
    BedrockInvoke,
    Cohere,
    Gemini,
    Heard,
    Ollama,
    OpenAIChat,
    OpenAIResponses,
    Ours,
)
from support import SOAK

from cassette_stream.exceptions import APIError, MalformedStreamError, StreamProtocolError

SAMPLE = 150

# What the providers' words for an end are in those of the chat completions API.
FINISHES = {
    "COMPLETE": "stop",
    "STOP_SEQUENCE": "stop",
    "completed": "stop",
    "end_turn": "stop",
    "eos": "stop",
    "stop_sequence": "stop",
    "STOP": "stop",
    "max_output_tokens": "length",
    "max_tokens": "length",
    "MAX_TOKENS": "length",
    "TOOL_CALL": "tool_calls",
    "tool_use": "tool_calls",
    "content_filtered": "content_filter",
    "guardrail_intervened": "content_filter",
    "refusal": "content_filter",
    "RECITATION": "content_filter",
    "SAFETY": "content_filter",
}

CHUNK = "https://platform.openai.com/docs/api-reference/chat-streaming/streaming"
STOPPED = (
    "finish_reason: 'The reason the model stopped generating tokens.' It goes on after one, so "
    f"ours raises where the SDK passes on what the model cannot have meant. {CHUNK}"
)
LOST = (
    "sequence_number: 'The sequence number of this event.' They jump, so events were lost, and "
    "ours raises. https://platform.openai.com/docs/api-reference/responses-streaming"
)
NUMBERED = (
    "Asked for enum-encoding=int, it has finishReason 1. 'Parsers accept both enum names and "
    "integer values.' The SDK does not. https://protobuf.dev/programming-guides/json/"
)
EXCEPTIONS = {
    "openai-chat": {
        # Two answers of one conversation, one behind the other.
        "ai__cererebras-structured-output-tools.1__3d61bad6": STOPPED,
        # Each of two parallel calls ends with a reason.
        "openllmetry-js__should-set-function_call-attributes-in-span-for-stream-completion-when-multiple-__63a3f09b": STOPPED,
        # Made up for a test: every chunk is a whole answer, and ends with a reason.
        "semantic-kernel__chat_completion_streaming_chatclient_multiple_function_calls_test_response__3f4e31e7": STOPPED,
        "semantic-kernel__chat_completion_streaming_multiple_function_calls_test_async_filter_response__3be1986a": STOPPED,
        "semantic-kernel__chat_completion_streaming_multiple_function_calls_test_response__2bff2495": STOPPED,
        "semantic-kernel__filters_chatclient_streaming_multiple_function_calls_test_response__8c0ad6cf": STOPPED,
        "semantic-kernel__filters_streaming_multiple_function_calls_test_response__a0eae9bd": STOPPED,
        "openai-dotnet__ChatWithBasicAudioOutputAsync__5f553618": (
            "finish_reason: 'Omitted from the final audio update containing only "
            f"delta.audio.expires_at.' So that update is an end, and ours does not raise. {CHUNK}"
        ),
    },
    "openai-responses": {
        # Captured by hand, and shortened: its deltas say less than its own last event.
        "ai__openai-phase.1__39bad97a": LOST,
        "client__ResponseImageGenerationCreate__e63640de": (
            "'response.completed: Emitted when the model response is complete.' That event is there, "
            "but for its blank line, and ours takes it; the SDK goes by 'If the file ends in the "
            "middle of an event, before the final empty line, the incomplete event is not "
            "dispatched.' https://platform.openai.com/docs/api-reference/responses-streaming, "
            "https://html.spec.whatwg.org/multipage/server-sent-events.html"
        ),
    },
    "gemini": {
        "langchaingo__TestGoogleAIWithStreaming__d5af2f26": NUMBERED,
        "openinference__test_gemini_token_counts_streaming__f49e97b7": NUMBERED,
    },
}

SDKS = [
    pytest.param(OpenAIChat, id="openai chat"),
    pytest.param(OpenAIResponses, id="openai responses"),
    pytest.param(Anthropic, id="anthropic"),
    pytest.param(BedrockConverse, id="bedrock converse"),
    pytest.param(BedrockInvoke, id="bedrock invoke"),
    pytest.param(Cohere, id="cohere", marks=pytest.mark.sdk),
    pytest.param(Gemini, id="gemini", marks=pytest.mark.sdk),
    pytest.param(Ollama, id="ollama", marks=pytest.mark.sdk),
]

OPTIONAL = {Cohere: "cohere", Gemini: "google.genai", Ollama: "ollama"}


def rows_of(corpus: Path, forms: Collection[str]) -> list[dict[str, Any]]:
    lines = (corpus / "corpus" / "public_index.jsonl").read_text("utf-8").splitlines()
    return [row for row in map(json.loads, lines) if row["format"] in forms]


def readable(body: bytes, row: dict[str, Any]) -> bytes:
    """*body* as the SDK wants to be told it, where it cannot read what ours can.

    Gemini's never asks for an array. Anthropic's goes by the names of the events alone, as the
    documentation has it: "Each event uses a named SSE event type". Streams of which only the
    data was kept are given their names back.
    """
    if row["format"] == "gemini-jsonarray":
        frames = [json.dumps(frame) for frame in json.loads(body)]
        return "".join(f"data: {frame}\r\n\r\n" for frame in frames).encode()
    if row["format"] == "anthropic" and row["framing"] == "rebuilt" and b"event:" not in body:
        return b"".join(map(named, body.strip().split(b"\n\n")))
    return body


def named(block: bytes) -> bytes:
    kind = json.loads(block.removeprefix(b"data:"))["type"]
    return b"event: %b\n%b\n\n" % (kind.encode(), block)


Said: TypeAlias = tuple[str, str, list[Any], str | None]


def said(answer: Answer, finish: str | None, *, without: Collection[int] = ()) -> Said:
    """What must agree: texts, calls and the end; not the ids of calls at the places *without*."""
    calls = [
        ("" if place in without else call.id, call.name, call.value)
        for place, call in enumerate(answer.calls.values())
    ]
    return answer.text, answer.refusal, calls, finish


def said_by_sdk(heard: Heard) -> dict[int, Said]:
    found = {index: said(answer, finish_of(answer)) for index, answer in heard.answers.items()}
    return {index: it for index, it in found.items() if any(it)}


def finish_of(answer: Answer) -> str | None:
    """The finish reason in our words: a plain end after calls is one for calls."""
    finish = answer.finish and FINISHES.get(answer.finish, answer.finish)
    return "tool_calls" if finish == "stop" and answer.calls else finish


def said_by_us(heard: Heard, theirs: Heard) -> dict[int, Said]:
    """The same of ours, which makes an id for every call to which the provider gave none."""
    found = {}
    for index, answer in heard.answers.items():
        given = theirs.answers.get(index, Answer()).calls.values()
        without = [place for place, call in enumerate(given) if not call.id]
        found[index] = said(answer, answer.finish, without=without)
    return {index: it for index, it in found.items() if any(it)}


def differences(theirs: Heard, ours: Heard) -> list[str]:
    found = []
    if (there := said_by_sdk(theirs)) != (here := said_by_us(ours, theirs)):
        found.append(f"{there} is not {here}")
    if not all(call.id for answer in ours.answers.values() for call in answer.calls.values()):
        found.append("a call without an id")
    if calls_cut(theirs):
        if not isinstance(ours.error, MalformedStreamError):
            found.append(f"a call was cut by the provider, and we raise {ours.error!r}")
        return found
    if theirs.broken and not isinstance(ours.error, APIError):
        found.append(f"broken for the SDK ({theirs.error!r}), and we raise {ours.error!r}")
    if not theirs.broken and ours.error is not None:
        found.append(f"whole for the SDK, and we raise {ours.error!r}")
    return found


def calls_cut(theirs: Heard) -> bool:
    """Whether an answer ends as for its calls, and the arguments of one are no JSON.

    Nobody may make such a call. The SDKs leave it to their callers to find out.
    """
    return any(
        finish_of(answer) == "tool_calls" and not is_json(call.spelt)
        for answer in theirs.answers.values()
        for call in answer.calls.values()
        if call.spelt.startswith("{")  # the input of a custom tool is any text
    )


def is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


@pytest.mark.parametrize("sdk", SDKS)
@pytest.mark.filterwarnings("ignore:.* is not a valid:UserWarning:google")
def test_the_official_sdk_hears_what_we_hear_in_every_public_stream(corpus: Path, sdk: Any) -> None:
    if package := OPTIONAL.get(sdk):
        pytest.importorskip(package, reason=f"{package} is in the group 'sdks'")
    form, *_ = sdk.formats
    rows, excepted = rows_of(corpus, sdk.formats), EXCEPTIONS.get(form, {})
    few = not SOAK and len(rows) > SAMPLE
    sample = random.Random(form).sample(rows, SAMPLE) if few else rows
    counts: Counter[str] = Counter()
    differing, ends = {}, {}
    for row in sample:
        body = (corpus / "corpus" / row["file"]).read_bytes()
        head = row["status"], row.get("content_type") or "text/event-stream"
        told = readable(body, row)
        theirs = sdk.hear(told, *head)
        ours = Ours(sdk.model).hear(body, *head)
        if found := differences(theirs, ours):
            differing[row["id"]], ends[row["id"]] = found, type(ours.error)
        counts["reframed for the SDK"] += told is not body
        counts["broken" if theirs.broken else "whole"] += 1
        counts["choices"] += len(ours.answers)
        counts["calls"] += sum(len(answer.calls) for answer in ours.answers.values())
        counts["characters"] += sum(len(answer.text) for answer in ours.answers.values())
    agreed = len(sample) - len(differing)
    print(
        f"\n{form}: {len(sample)} of {len(rows)} streams compared, {agreed} agree, "
        f"{len(differing)} are exceptions; {dict(counts)}"
    )

    unexpected = {name: found for name, found in differing.items() if name not in excepted}
    assert not unexpected
    assert ends == {
        row["id"]: StreamProtocolError if excepted[row["id"]] in {STOPPED, LOST} else type(None)
        for row in sample
        if row["id"] in excepted
    }
    assert excepted.keys() <= {row["id"] for row in rows}
    assert len(excepted) <= len(rows) / 100
    assert len(rows) >= FLOORS[form]
    assert counts["calls"] > 0


# How many streams of a format there are at least.
FLOORS = {
    "openai-chat": 800,
    "openai-responses": 400,
    "anthropic": 350,
    "gemini": 250,
    "bedrock-converse": 32,
    "bedrock-invoke": 52,
    "cohere-v2": 27,
    "ollama": 22,
}
