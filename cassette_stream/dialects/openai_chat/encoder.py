"""OpenAI chat completions: what the provider sends for a completion.

``data:`` lines of compact JSON, one choice and one kind of progress in each, then
``[DONE]``. The same completion always gives the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import chain

from cassette_stream.chunks import (
    ChatCompletionMessageToolCall,
    Choices,
    Message,
    ModelResponse,
    Usage,
)
from cassette_stream.dialects.encoding import Cut, Pieces, as_cut, compact, weave, words
from cassette_stream.wire import encode_event

__all__ = ("encode", "encode_body", "encode_error", "encode_error_body")

_ERRORS = {
    400: ("invalid_request_error", None),
    401: ("invalid_request_error", "invalid_api_key"),
    403: ("invalid_request_error", "unsupported_country_region_territory"),
    404: ("invalid_request_error", "model_not_found"),
    429: ("requests", "rate_limit_exceeded"),
    500: ("server_error", None),
    503: ("service_unavailable_error", None),
}


def encode(
    completion: ModelResponse,
    *,
    pieces: Pieces = words,
    interleave: bool = False,
    include_usage: bool = False,
) -> Iterator[bytes]:
    """The events that stream *completion*, one per item.

    Args:
        completion: What to send. A choice without a finish reason gets no finish chunk.
        pieces: How texts and arguments are cut into deltas.
        interleave: Choices, and the tool calls of each, send a delta each in turn, not
            one after the other.
        include_usage: Ends with a usage chunk, as ``stream_options`` asks for it.

    Raises:
        ValueError: *pieces* are no sizes; while iterating: they do not join to the text.
    """
    return _events(completion, as_cut(pieces), interleave, include_usage)


def _events(
    completion: ModelResponse, cut: Cut, interleave: bool, include_usage: bool
) -> Iterator[bytes]:
    head: dict[str, object] = {
        "id": completion.id,
        "object": "chat.completion.chunk",
        "created": completion.created,
        "model": completion.model,
    }
    if completion.service_tier is not None:
        head["service_tier"] = completion.service_tier
    head["system_fingerprint"] = completion.system_fingerprint
    # Every chunk but the last says that the usage is still to come.
    tail: dict[str, object] = {"usage": None} if include_usage else {}
    streams = (_choice_deltas(choice, cut, interleave) for choice in completion.choices)
    for choice in chain(weave(streams, interleave=interleave), _finishes(completion)):
        yield _event(head | {"choices": [choice]} | tail)
    if include_usage and completion.usage is not None:
        yield _event(head | {"choices": [], "usage": _usage(completion.usage)})
    yield encode_event("[DONE]")


def _event(value: object) -> bytes:
    return encode_event(compact(value))


def _choice_deltas(choice: Choices, cut: Cut, interleave: bool) -> Iterator[dict[str, object]]:
    for delta in _deltas(choice.message, cut, interleave):
        yield _choice(choice.index, delta, None)


def _finishes(completion: ModelResponse) -> Iterator[dict[str, object]]:
    # The provider finishes its choices together, after the last delta of all.
    for choice in completion.choices:
        if choice.finish_reason is not None:
            yield _choice(choice.index, {}, choice.finish_reason)


def _choice(index: int, delta: object, finish_reason: str | None) -> dict[str, object]:
    return {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish_reason}


def _deltas(message: Message, cut: Cut, interleave: bool) -> Iterator[dict[str, object]]:
    calls = [_call_deltas(*call, cut) for call in enumerate(message.tool_calls or ())]
    texts: list[dict[str, object]] = [
        {field: piece}
        for field in ("reasoning_content", "refusal", "content")
        for piece in cut(getattr(message, field) or "")
    ]
    yield _opening(message.role, calls, silent=not texts)
    yield from texts
    yield from weave(calls, interleave=interleave)


def _opening(
    role: str, calls: list[Iterator[dict[str, object]]], *, silent: bool
) -> dict[str, object]:
    """The first delta. Without a text a single call begins in it, and several after it."""
    if not (silent and calls):
        return {"role": role, "content": "", "refusal": None}
    if len(calls) > 1:
        return {"role": role, "content": None}
    return {"role": role, "content": None} | next(calls[0]) | {"refusal": None}


def _call_deltas(
    index: int, call: ChatCompletionMessageToolCall, cut: Cut
) -> Iterator[dict[str, object]]:
    kind, name, field, text = _called(call)
    start = {"index": index, "id": call.id, "type": kind, kind: {"name": name, field: ""}}
    yield {"tool_calls": [start]}
    for piece in cut(text):
        yield {"tool_calls": [{"index": index, kind: {field: piece}}]}


def _called(call: ChatCompletionMessageToolCall) -> tuple[str, str | None, str, str]:
    """What kind of tool is called, its name, and what it is called with: the field and its text."""
    if call.custom is not None:
        return "custom", call.custom.name, "input", call.custom.input
    return "function", call.function.name, "arguments", call.function.arguments


def encode_body(completion: ModelResponse) -> bytes:
    """The body that answers a request without ``stream``."""
    body: dict[str, object] = {
        "id": completion.id,
        "object": completion.object,
        "created": completion.created,
        "model": completion.model,
        "choices": [
            {
                "index": choice.index,
                "message": _message(choice.message),
                "logprobs": None,
                "finish_reason": choice.finish_reason,
            }
            for choice in completion.choices
        ],
    }
    if completion.usage is not None:
        body["usage"] = _usage(completion.usage)
    if completion.service_tier is not None:
        body["service_tier"] = completion.service_tier
    body["system_fingerprint"] = completion.system_fingerprint
    return _page(body)


def _message(message: Message) -> dict[str, object]:
    value: dict[str, object] = {"role": message.role, "content": message.content}
    if message.reasoning_content is not None:
        value["reasoning_content"] = message.reasoning_content
    if message.tool_calls:
        value["tool_calls"] = [_whole_call(call) for call in message.tool_calls]
    return value | {"refusal": message.refusal, "annotations": []}


def _whole_call(call: ChatCompletionMessageToolCall) -> dict[str, object]:
    kind, name, field, text = _called(call)
    return {"id": call.id, "type": kind, kind: {"name": name, field: text}}


def _usage(usage: Usage) -> dict[str, object]:
    value: dict[str, object] = {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.total_tokens,
    }
    for name in ("prompt_tokens_details", "completion_tokens_details"):
        details = getattr(usage, name)
        if details is not None:
            value[name] = details.model_dump(exclude_none=True)
    return value


def encode_error(
    status: int, message: str, *, kind: str | None = None, code: str | None = None
) -> bytes:
    """The event that reports an error in the middle of a stream.

    *kind* is the error's ``type``; it and *code* are what belongs to *status* if not given.
    """
    return _event(_error(status, message, kind, code))


def encode_error_body(
    status: int, message: str, *, kind: str | None = None, code: str | None = None
) -> bytes:
    """The body of a response with this error *status*; *kind* and *code* as in `encode_error`."""
    return _page(_error(status, message, kind, code))


def _error(status: int, message: str, kind: str | None, code: str | None) -> dict[str, object]:
    known = _ERRORS.get(status, _ERRORS[400 if status < 500 else 500])
    return {
        "error": {
            "message": message,
            "type": kind or known[0],
            "param": None,
            "code": code or known[1],
        }
    }


def _page(value: object) -> bytes:
    return (json.dumps(value, ensure_ascii=False, indent=2) + "\n").encode()
