"""The wire formats that the client speaks, in pieces that tests put together and break."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cassette_stream.chunks import Choices, Message, ModelResponse
from cassette_stream.dialects import (
    anthropic,
    bedrock_converse,
    bedrock_invoke,
    cohere,
    gemini,
    ollama,
    openai_chat,
    openai_responses,
)
from cassette_stream.dialects.aws_frames import frame
from cassette_stream.dialects.bedrock_invoke.chunks import chunk_frame
from cassette_stream.exceptions import APIError, InternalServerError, RateLimitError
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
        kind: The content type of its streams.
        begin: What comes before the first word.
        word: The event of a word.
        finish: The events that end the answer.
        terminal: The event that says that nothing more comes, "" where *finish* says so or
            nothing does.
        nothing: An event without an answer in it.
        broken: An event that is no JSON.
        failure: An error as an event.
        failure_raises: What it is with us.
        error_body: The error as a body.
        refusal_raises: What that is with us, where the status is 200.
        answer_body: The whole answer "whole" as a body.
    """

    provider: str
    base: str = "/v1"
    kind: str = "text/event-stream"
    begin: bytes = b""
    word: Callable[[Any], bytes]
    finish: bytes
    terminal: bytes = b""
    nothing: bytes
    broken: bytes = b"data: {nope\n\n"
    failure: bytes
    failure_raises: type[APIError] = RateLimitError
    error_body: bytes
    refusal_raises: type[APIError] = RateLimitError
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
COHERE = Wire(
    provider="cohere",
    base="",
    begin=typed("message-start", id="c1", delta={"message": {"role": "assistant"}})
    + typed("content-start", index=0, delta={"message": {"content": {"type": "text"}}}),
    word=lambda text: typed(
        "content-delta", index=0, delta={"message": {"content": {"text": text}}}
    ),
    finish=typed("content-end", index=0)
    + typed("message-end", delta={"finish_reason": "COMPLETE", "usage": {}}),
    nothing=typed("debug"),
    failure=cohere.encode_error(429, "no"),
    failure_raises=InternalServerError,
    error_body=cohere.encode_error_body(429, "no"),
    refusal_raises=APIError,
    answer_body=cohere.encode_body(ANSWER),
)


def _line(content: object, **more: object) -> bytes:
    message = {"role": "assistant", "content": content}
    date = "2026-01-01T00:00:00Z"
    said = {"model": "m", "created_at": date, "message": message, "done": False} | more
    return json.dumps(said, separators=(",", ":")).encode() + b"\n"


OLLAMA = Wire(
    provider="ollama",
    base="",
    kind="application/x-ndjson",
    word=_line,
    finish=_line("", done=True, done_reason="stop"),
    nothing=b'{"status":"pulling"}\n',
    broken=b"{nope\n",
    failure=ollama.encode_error(429, "no"),
    failure_raises=APIError,
    error_body=ollama.encode_error_body(429, "no"),
    refusal_raises=APIError,
    answer_body=ollama.encode_body(ANSWER),
)


def _framed(kind: str, **fields: object) -> bytes:
    return frame(kind, json.dumps(fields).encode())


def _chunk(kind: str, **fields: object) -> bytes:
    return chunk_frame(json.dumps({"type": kind, **fields}))


_AWS = "application/vnd.amazon.eventstream"
CONVERSE = Wire(
    provider="bedrock",
    base="",
    kind=_AWS,
    begin=_framed("messageStart", role="assistant"),
    word=lambda text: _framed("contentBlockDelta", contentBlockIndex=0, delta={"text": text}),
    finish=_framed("contentBlockStop", contentBlockIndex=0)
    + _framed("messageStop", stopReason="end_turn"),
    terminal=_framed("metadata", metrics={"latencyMs": 1}),
    nothing=_framed("news"),
    broken=frame("contentBlockDelta", b"{nope"),
    failure=bedrock_converse.encode_error(429, "no"),
    error_body=bedrock_converse.encode_error_body(429, "no"),
    refusal_raises=APIError,
    answer_body=bedrock_converse.encode_body(ANSWER),
)
INVOKE = Wire(
    provider="bedrock/invoke",
    base="",
    kind=_AWS,
    begin=_chunk("message_start", message={"id": "c1", "model": "m", "usage": {"input_tokens": 1}})
    + _chunk("content_block_start", index=0, content_block={"type": "text", "text": ""}),
    word=lambda text: _chunk(
        "content_block_delta", index=0, delta={"type": "text_delta", "text": text}
    ),
    finish=_chunk("content_block_stop", index=0)
    + _chunk("message_delta", delta={"stop_reason": "end_turn"}, usage={"output_tokens": 2}),
    terminal=_chunk("message_stop"),
    nothing=_chunk("ping"),
    broken=chunk_frame("{nope"),
    failure=bedrock_invoke.encode_error(429, "no"),
    error_body=bedrock_invoke.encode_error_body(429, "no"),
    refusal_raises=APIError,
    answer_body=bedrock_invoke.encode_body(ANSWER),
)
EVENTS = (OPENAI, RESPONSES, ANTHROPIC, GEMINI, COHERE)
"""Those of server-sent events."""
LINES = (*EVENTS, OLLAMA)
"""Those of lines."""
FRAMES = (CONVERSE, INVOKE)
"""Those of AWS frames."""
WIRES = (*LINES, *FRAMES)
