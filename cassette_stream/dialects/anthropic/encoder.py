"""Anthropic messages: what the provider sends for a completion.

Every event has an ``event:`` line that repeats the type of its data. Content comes in
blocks, one after the other: reasoning, text, tool calls. Usage is cumulative, and there
is no way to leave it out: a completion without usage is sent with zeros.
"""

from __future__ import annotations

from collections.abc import Iterator

from cassette_stream.chunks import (
    ChatCompletionMessageToolCall,
    Choices,
    Message,
    ModelResponse,
    RedactedThinking,
    Thinking,
    ThinkingBlock,
    Usage,
)
from cassette_stream.dialects.encoding import (
    Cut,
    Pieces,
    as_cut,
    compact,
    json_object,
    only_choice,
    only_functions,
    words,
)
from cassette_stream.wire import encode_event

__all__ = ("blocks_of", "encode", "encode_body", "encode_error", "encode_error_body")

_STOP_REASONS = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "function_call": "tool_use",
    "content_filter": "refusal",
}
_ERRORS = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    504: "timeout_error",
    529: "overloaded_error",
}
# The only event that the provider writes with a blank.
_PING = encode_event('{"type": "ping"}', event="ping")


def encode(completion: ModelResponse, *, pieces: Pieces = words) -> Iterator[bytes]:
    """The events that stream *completion*, one per item, cut into deltas by *pieces*.

    Reasoning goes as its thinking blocks if there are any, a refusal as text.

    Raises:
        ValueError: There is not exactly one choice, a custom tool is called, or *pieces* are
            no sizes; while iterating: they do not join to the text.
    """
    only_functions(completion, "anthropic")
    return _events(completion, only_choice(completion, "anthropic"), as_cut(pieces))


def _events(completion: ModelResponse, choice: Choices, cut: Cut) -> Iterator[bytes]:
    usage = completion.usage or Usage()
    # What the first event counts of the output is a placeholder, here as at the provider.
    first = _input_usage(usage) | {"output_tokens": min(1, usage.completion_tokens)}
    message = _envelope(completion) | {"content": [], "stop_reason": None, "stop_sequence": None}
    yield _event("message_start", message=message | {"usage": first})
    for index, block in enumerate(blocks_of(choice.message)):
        yield _event("content_block_start", index=index, content_block=_opening(block))
        if index == 0:
            yield _PING
        for delta in _deltas(block, cut):
            yield _event("content_block_delta", index=index, delta=delta)
        yield _event("content_block_stop", index=index)
    end = {"stop_reason": _stop_reason(choice), "stop_sequence": None}
    yield _event("message_delta", delta=end, usage=_usage(usage))
    yield _event("message_stop")


def _event(kind: str, **fields: object) -> bytes:
    return encode_event(compact({"type": kind} | fields), event=kind)


def _envelope(completion: ModelResponse) -> dict[str, object]:
    return {
        "model": completion.model,
        "id": completion.id,
        "type": "message",
        "role": "assistant",
    }


def blocks_of(message: Message) -> Iterator[ThinkingBlock | str | ChatCompletionMessageToolCall]:
    """The blocks of *message*, in their order; a text is a block by itself."""
    if message.thinking_blocks:
        yield from message.thinking_blocks
    elif message.reasoning_content:
        yield Thinking(thinking=message.reasoning_content)
    for text in (message.refusal, message.content):
        if text:
            yield text
    yield from message.tool_calls or ()


def _opening(block: ThinkingBlock | str | ChatCompletionMessageToolCall) -> dict[str, object]:
    match block:
        case str():
            return {"type": "text", "text": ""}
        case Thinking():
            return {"type": "thinking", "thinking": "", "signature": ""}
        case RedactedThinking(data=data):
            return {"type": "redacted_thinking", "data": data}
        case ChatCompletionMessageToolCall(id=name, function=function):
            return {"type": "tool_use", "id": name, "name": function.name, "input": {}}


def _deltas(
    block: ThinkingBlock | str | ChatCompletionMessageToolCall, cut: Cut
) -> Iterator[dict[str, object]]:
    match block:
        case str():
            for piece in cut(block):
                yield {"type": "text_delta", "text": piece}
        case Thinking(thinking=thinking, signature=signature):
            for piece in cut(thinking):
                yield {"type": "thinking_delta", "thinking": piece}
            if signature is not None:
                yield {"type": "signature_delta", "signature": signature}
        case RedactedThinking():
            return
        case ChatCompletionMessageToolCall(function=function):
            yield {"type": "input_json_delta", "partial_json": ""}
            # A call without arguments sends no more than that empty delta.
            for piece in cut("" if function.arguments == "{}" else function.arguments):
                yield {"type": "input_json_delta", "partial_json": piece}


def encode_body(completion: ModelResponse) -> bytes:
    """The body that answers a request without ``stream``.

    Raises:
        ValueError: There is not exactly one choice, a custom tool is called, or the arguments
            of a tool call are not a JSON object.
    """
    only_functions(completion, "anthropic")
    choice = only_choice(completion, "anthropic")
    body = _envelope(completion) | {
        "content": [_whole(block) for block in blocks_of(choice.message)],
        "stop_reason": _stop_reason(choice),
        "stop_sequence": None,
        "usage": _usage(completion.usage or Usage()),
    }
    return compact(body).encode()


def _whole(block: ThinkingBlock | str | ChatCompletionMessageToolCall) -> dict[str, object]:
    opening = _opening(block)
    match block:
        case str():
            return opening | {"text": block}
        case Thinking(thinking=thinking, signature=signature):
            return opening | {"thinking": thinking, "signature": signature or ""}
        case RedactedThinking():
            return opening
        case ChatCompletionMessageToolCall(function=function):
            return opening | {"input": json_object(function.arguments)}


def _stop_reason(choice: Choices) -> str | None:
    if choice.message.refusal:
        return "refusal"
    return choice.finish_reason and _STOP_REASONS.get(choice.finish_reason, choice.finish_reason)


def _input_usage(usage: Usage) -> dict[str, object]:
    details = usage.prompt_tokens_details
    read = (details and details.cached_tokens) or 0
    written = (details and details.cache_write_tokens) or 0
    return {
        "input_tokens": usage.prompt_tokens - read - written,
        "cache_creation_input_tokens": written,
        "cache_read_input_tokens": read,
    }


def _usage(usage: Usage) -> dict[str, object]:
    value = _input_usage(usage) | {"output_tokens": usage.completion_tokens}
    details = usage.completion_tokens_details
    if details is not None and details.reasoning_tokens is not None:
        value["output_tokens_details"] = {"thinking_tokens": details.reasoning_tokens}
    return value


def encode_error(status: int, message: str, *, kind: str | None = None) -> bytes:
    """The event that reports an error in the middle of a stream.

    *kind* is the error's ``type``, the one that belongs to *status* if not given.
    """
    return _event("error", error=_error(status, message, kind))


def encode_error_body(status: int, message: str, *, kind: str | None = None) -> bytes:
    """The body of a response with this error *status*; *kind* as in `encode_error`."""
    error = _error(status, message, kind)
    return compact({"type": "error", "error": error, "request_id": None}).encode()


def _error(status: int, message: str, kind: str | None) -> dict[str, object]:
    fallback = _ERRORS[400 if status < 500 else 500]
    return {"type": kind or _ERRORS.get(status, fallback), "message": message}
