"""Gemini generateContent: what the provider sends for a completion.

Every frame is a whole response with the next parts in it, ends in CRLF CRLF, and
repeats the usage so far. There is no terminator. A tool call comes in one piece.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TypeAlias

from cassette_stream.chunks import ChatCompletionMessageToolCall, Choices, ModelResponse, Usage
from cassette_stream.dialects.encoding import (
    Cut,
    Pieces,
    as_cut,
    json_object,
    only_functions,
    weave,
    words,
)
from cassette_stream.wire import encode_event

__all__ = ("encode", "encode_body", "encode_error", "encode_error_body")

_FINISH_REASONS = {
    "stop": "STOP",
    "tool_calls": "STOP",
    "function_call": "STOP",
    "length": "MAX_TOKENS",
    "content_filter": "SAFETY",
}
_ERRORS = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "ABORTED",
    429: "RESOURCE_EXHAUSTED",
    499: "CANCELLED",
    500: "INTERNAL",
    501: "UNIMPLEMENTED",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}

_Frame: TypeAlias = tuple[dict[str, object], int]
"""A candidate, and how many tokens of its answer it brings."""


def encode(
    completion: ModelResponse, *, pieces: Pieces = words, interleave: bool = False
) -> Iterator[bytes]:
    """The events that stream *completion*, one per item.

    A refusal goes as the finish message of a candidate that was stopped for safety.

    Args:
        completion: What to send. A choice without a finish reason gets no last frame.
        pieces: How texts are cut into frames.
        interleave: Candidates send a frame each in turn, not one after the other.

    Raises:
        ValueError: *pieces* are no sizes or do not join to the text, a custom tool is called,
            or the arguments of a tool call are not a JSON object.
    """
    only_functions(completion, "gemini")
    cut = as_cut(pieces)
    calls = [_calls(choice) for choice in completion.choices]
    streams = (_frames(*pair, cut) for pair in zip(completion.choices, calls, strict=True))
    return _events(completion, list(weave(streams, interleave=interleave)))


def _events(completion: ModelResponse, frames: list[_Frame]) -> Iterator[bytes]:
    spoken = 0
    for number, (candidate, tokens) in enumerate(frames, 1):
        spoken += tokens
        last = number == len(frames)
        yield _event(_response(completion, [candidate], None if last else spoken))


def _event(value: object) -> bytes:
    # Blanks after colons only: so the provider writes it.
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ": "))
    return encode_event(text).replace(b"\n", b"\r\n")


def _frames(choice: Choices, calls: list[dict[str, object]], cut: Cut) -> Iterator[_Frame]:
    for part in _texts(choice, cut):
        yield _candidate(choice, [part]), 0 if "thought" in part else 1
    if calls:
        yield _candidate(choice, calls), len(calls)
    if choice.finish_reason is not None or choice.message.refusal:
        yield _candidate(choice, [{"text": ""}], last=True), 0


def _texts(choice: Choices, cut: Cut) -> Iterator[dict[str, object]]:
    for piece in cut(choice.message.reasoning_content or ""):
        yield {"text": piece, "thought": True}
    for piece in cut(choice.message.content or ""):
        yield {"text": piece}


def _calls(choice: Choices) -> list[dict[str, object]]:
    return [{"functionCall": _call(call)} for call in choice.message.tool_calls or ()]


def _call(call: ChatCompletionMessageToolCall) -> dict[str, object]:
    value: dict[str, object] = {
        "name": call.function.name,
        "args": json_object(call.function.arguments),
    }
    return value | {"id": call.id} if call.id else value


def _candidate(
    choice: Choices, parts: list[dict[str, object]], *, last: bool = False
) -> dict[str, object]:
    content = {"content": {"parts": parts, "role": "model"}}
    return content | (_finish(choice) if last else {}) | {"index": choice.index}


def _finish(choice: Choices) -> dict[str, object]:
    if choice.message.refusal:
        return {"finishReason": "SAFETY", "finishMessage": choice.message.refusal}
    if choice.finish_reason is None:
        return {}
    return {"finishReason": _FINISH_REASONS.get(choice.finish_reason, choice.finish_reason)}


def encode_body(completion: ModelResponse) -> bytes:
    """The body that answers a request that is not streamed.

    Raises:
        ValueError: A custom tool is called, or the arguments of a tool call are not a JSON
            object.
    """
    only_functions(completion, "gemini")
    candidates = [
        _candidate(choice, [*_texts(choice, _whole), *_calls(choice)], last=True)
        for choice in completion.choices
    ]
    return _page(_response(completion, candidates, None))


def _whole(text: str) -> list[str]:
    return [text] if text else []


def _response(
    completion: ModelResponse, candidates: list[dict[str, object]], sent: int | None
) -> dict[str, object]:
    value: dict[str, object] = {"candidates": candidates}
    if completion.usage is not None:
        value["usageMetadata"] = _usage(completion.usage, sent)
    return value | {"modelVersion": completion.model, "responseId": completion.id}


def _usage(usage: Usage, sent: int | None) -> dict[str, object]:
    """The usage after *sent* parts of the answer, a token each, or at the end (None)."""
    details = usage.completion_tokens_details
    thoughts = (details and details.reasoning_tokens) or 0
    answer = usage.completion_tokens - thoughts
    so_far = answer if sent is None else min(sent, answer)
    value: dict[str, object] = {
        "promptTokenCount": usage.prompt_tokens,
        "candidatesTokenCount": so_far,
        "totalTokenCount": usage.total_tokens - answer + so_far,
    }
    cached = usage.prompt_tokens_details and usage.prompt_tokens_details.cached_tokens
    if cached:
        value["cachedContentTokenCount"] = cached
    value["promptTokensDetails"] = [{"modality": "TEXT", "tokenCount": usage.prompt_tokens}]
    if thoughts:
        value["thoughtsTokenCount"] = thoughts
    return value


def encode_error(status: int, message: str, *, kind: str | None = None) -> bytes:
    """The event that reports an error in the middle of a stream.

    *kind* is the error's ``status``, the one that belongs to the HTTP *status* if not given.
    """
    return _event(_error(status, message, kind))


def encode_error_body(status: int, message: str, *, kind: str | None = None) -> bytes:
    """The body of a response with this error *status*; *kind* as in `encode_error`."""
    return _page(_error(status, message, kind))


def _error(status: int, message: str, kind: str | None) -> dict[str, object]:
    fallback = _ERRORS[400 if status < 500 else 500]
    return {
        "error": {
            "code": status,
            "message": message,
            "status": kind or _ERRORS.get(status, fallback),
        }
    }


def _page(value: object) -> bytes:
    return (json.dumps(value, ensure_ascii=False, allow_nan=False, indent=2) + "\n").encode()
