"""Bedrock's Converse: what the service sends for a completion.

Blocks of text and thoughts have no beginning, only calls do. Usage comes last, and there is
no way to leave it out: a completion without usage is sent with zeros.
"""

from __future__ import annotations

from collections.abc import Iterator

from cassette_stream.chunks import (
    ChatCompletionMessageToolCall,
    Choices,
    ModelResponse,
    RedactedThinking,
    Thinking,
    ThinkingBlock,
    Usage,
)
from cassette_stream.dialects.anthropic.encoder import blocks_of
from cassette_stream.dialects.aws_frames import exception_frame, frame
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

__all__ = ("encode", "encode_body", "encode_error", "encode_error_body")

_STOP_REASONS = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "function_call": "tool_use",
    "content_filter": "content_filtered",
}
_ERRORS = {
    400: "validationException",
    403: "accessDeniedException",
    404: "resourceNotFoundException",
    408: "modelTimeoutException",
    424: "modelStreamErrorException",
    429: "throttlingException",
    500: "internalServerException",
    503: "serviceUnavailableException",
}
_NO_TIME = {"latencyMs": 0}


def encode(completion: ModelResponse, *, pieces: Pieces = words) -> Iterator[bytes]:
    """The frames that stream *completion*, one per item, cut into deltas by *pieces*.

    Reasoning goes as its thinking blocks if there are any, a refusal as text. What is redacted
    goes as it is: clients read it as base64, which it is where the service made it.

    Raises:
        ValueError: There is not exactly one choice, a custom tool is called, or *pieces* are
            no sizes; while iterating: they do not join to the text.
    """
    only_functions(completion, "bedrock_converse")
    return _events(completion, only_choice(completion, "bedrock_converse"), as_cut(pieces))


def _events(completion: ModelResponse, choice: Choices, cut: Cut) -> Iterator[bytes]:
    yield _event("messageStart", role="assistant")
    for index, block in enumerate(blocks_of(choice.message)):
        if isinstance(block, ChatCompletionMessageToolCall):
            start = {"toolUse": {"toolUseId": block.id, "name": block.function.name}}
            yield _event("contentBlockStart", contentBlockIndex=index, start=start)
        for delta in _deltas(block, cut):
            yield _event("contentBlockDelta", contentBlockIndex=index, delta=delta)
        yield _event("contentBlockStop", contentBlockIndex=index)
    yield _event("messageStop", stopReason=_stop_reason(choice))
    yield _event("metadata", usage=_usage(completion.usage or Usage()), metrics=_NO_TIME)


def _event(kind: str, **fields: object) -> bytes:
    return frame(kind, compact(fields).encode())


def _deltas(
    block: ThinkingBlock | str | ChatCompletionMessageToolCall, cut: Cut
) -> Iterator[dict[str, object]]:
    match block:
        case str():
            for piece in cut(block):
                yield {"text": piece}
        case Thinking(thinking=thinking, signature=signature):
            for piece in cut(thinking):
                yield {"reasoningContent": {"text": piece}}
            if signature is not None:
                yield {"reasoningContent": {"signature": signature}}
        case RedactedThinking(data=data):
            yield {"reasoningContent": {"redactedContent": data}}
        case ChatCompletionMessageToolCall(function=function):
            # A call without arguments sends no more than an empty delta.
            yield {"toolUse": {"input": ""}}
            for piece in cut("" if function.arguments == "{}" else function.arguments):
                yield {"toolUse": {"input": piece}}


def encode_body(completion: ModelResponse) -> bytes:
    """The body that answers a request without a stream.

    Raises:
        ValueError: There is not exactly one choice, a custom tool is called, or the arguments
            of a tool call are not a JSON object.
    """
    only_functions(completion, "bedrock_converse")
    choice = only_choice(completion, "bedrock_converse")
    content = [_whole(block) for block in blocks_of(choice.message)]
    body = {
        "output": {"message": {"role": "assistant", "content": content}},
        "stopReason": _stop_reason(choice),
        "usage": _usage(completion.usage or Usage()),
        "metrics": _NO_TIME,
    }
    return compact(body).encode()


def _whole(block: ThinkingBlock | str | ChatCompletionMessageToolCall) -> dict[str, object]:
    match block:
        case str():
            return {"text": block}
        case Thinking(thinking=thinking, signature=signature):
            signed = {} if signature is None else {"signature": signature}
            return {"reasoningContent": {"reasoningText": {"text": thinking, **signed}}}
        case RedactedThinking(data=data):
            return {"reasoningContent": {"redactedContent": data}}
        case ChatCompletionMessageToolCall(id=name, function=function):
            arguments = json_object(function.arguments)
            return {"toolUse": {"toolUseId": name, "name": function.name, "input": arguments}}


def _stop_reason(choice: Choices) -> str | None:
    if choice.message.refusal:
        return "content_filtered"
    return choice.finish_reason and _STOP_REASONS.get(choice.finish_reason, choice.finish_reason)


def _usage(usage: Usage) -> dict[str, object]:
    details = usage.prompt_tokens_details
    read = (details and details.cached_tokens) or 0
    written = (details and details.cache_write_tokens) or 0
    return {
        "inputTokens": usage.prompt_tokens - read - written,
        "outputTokens": usage.completion_tokens,
        "totalTokens": usage.total_tokens,
        "cacheReadInputTokens": read,
        "cacheWriteInputTokens": written,
    }


def encode_error(status: int, message: str, *, kind: str | None = None) -> bytes:
    """The frame of the exception that ends a stream.

    *kind* is the exception's type, the one that belongs to *status* if not given.
    """
    fallback = _ERRORS[400 if status < 500 else 500]
    type_ = kind or _ERRORS.get(status, fallback)
    return exception_frame(type_, compact({"message": message}).encode())


def encode_error_body(status: int, message: str, *, kind: str | None = None) -> bytes:  # noqa: ARG001
    """The body of a response with this error *status*; its type stands in a header alone."""
    return compact({"message": message}).encode()
