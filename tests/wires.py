"""The wire formats that the client speaks, in pieces that tests put together and break."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cassette_stream.chunks import Choices, Message, ModelResponse
from cassette_stream.dialects import anthropic, gemini, openai_chat, openai_responses
from cassette_stream.wire import encode_event

DONE = b"data: [DONE]\n\n"


def event(value: object, kind: str | None = None) -> bytes:
    return encode_event(json.dumps(value, ensure_ascii=False), event=kind)


def typed(kind: str, **fields: Any) -> bytes:
    """An event whose name is in its data as well."""
    return event({"type": kind, **fields}, kind)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wire:
    """One format: the pieces of the answer "Hello, you", and what may stand between them.

    Attributes:
        provider: Who speaks it; it begins the name of a model.
        base: The path of its address.
        begin: What comes before the first word.
        word: The event of a word.
        finish: The events that end the answer.
        terminal: The event that says that nothing more comes, "" where *finish* says so or
            nothing does.
        nothing: An event without an answer in it.
        failure: An error as an event, `RateLimitError` with us.
        error_body: The same as a body.
        answer_body: The whole answer "whole" as a body.
    """

    provider: str
    base: str = "/v1"
    begin: bytes = b""
    word: Callable[[Any], bytes]
    finish: bytes
    terminal: bytes = b""
    nothing: bytes
    failure: bytes
    error_body: bytes
    answer_body: bytes

    @property
    def hello(self) -> bytes:
        """The answer up to its first word."""
        return self.begin + self.word("Hello")

    @property
    def you(self) -> bytes:
        """Its second word."""
        return self.word(", you")

    @property
    def whole(self) -> bytes:
        """All of it."""
        return self.hello + self.you + self.finish + self.terminal


ANSWER = ModelResponse(
    id="c1",
    created=1,
    model="m",
    choices=[Choices(index=0, message=Message(content="whole"), finish_reason="stop")],
)


def _chat(delta: dict[str, Any], finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return event({"id": "c1", "created": 1, "model": "m", "choices": [choice]})


def _candidate(part: dict[str, Any], **fields: Any) -> bytes:
    candidate = {"index": 0, "content": {"role": "model", "parts": [part]}, **fields}
    return event({"candidates": [candidate], "responseId": "c1"})


def chat_wire(provider: str) -> Wire:
    """What *provider* speaks, if that is OpenAI chat completions."""
    return Wire(
        provider=provider,
        word=lambda text: _chat({"role": "assistant", "content": text}),
        finish=_chat({}, "stop"),
        terminal=DONE,
        nothing=event({"id": "c1"}),
        failure=openai_chat.encode_error(429, "no"),
        error_body=openai_chat.encode_error_body(429, "no"),
        answer_body=openai_chat.encode_body(ANSWER),
    )


OPENAI = chat_wire("openai")
RESPONSES = Wire(
    provider="openai/responses",
    begin=typed("response.created", response={"id": "c1", "created_at": 1, "model": "m"}),
    word=lambda text: typed("response.output_text.delta", output_index=0, delta=text),
    finish=typed("response.completed", response={"status": "completed", "output": []}),
    nothing=typed("keepalive"),
    failure=openai_responses.encode_error(429, "no"),
    error_body=openai_responses.encode_error_body(429, "no"),
    answer_body=openai_responses.encode_body(ANSWER),
)
ANTHROPIC = Wire(
    provider="anthropic",
    base="",
    begin=typed("message_start", message={"id": "c1", "model": "m", "usage": {"input_tokens": 1}})
    + typed("content_block_start", index=0, content_block={"type": "text", "text": ""}),
    word=lambda text: typed(
        "content_block_delta", index=0, delta={"type": "text_delta", "text": text}
    ),
    finish=typed("content_block_stop", index=0)
    + typed("message_delta", delta={"stop_reason": "end_turn"}, usage={"output_tokens": 2}),
    terminal=typed("message_stop"),
    nothing=typed("ping"),
    failure=anthropic.encode_error(429, "no"),
    error_body=anthropic.encode_error_body(429, "no"),
    answer_body=anthropic.encode_body(ANSWER),
)
GEMINI = Wire(
    provider="gemini",
    base="/v1beta",
    word=lambda text: _candidate({"text": text}),
    finish=_candidate({"text": ""}, finishReason="STOP"),
    nothing=event({"usageMetadata": {"promptTokenCount": 1, "totalTokenCount": 1}}),
    failure=gemini.encode_error(429, "no"),
    error_body=gemini.encode_error_body(429, "no"),
    answer_body=gemini.encode_body(ANSWER),
)
WIRES = (OPENAI, RESPONSES, ANTHROPIC, GEMINI)
