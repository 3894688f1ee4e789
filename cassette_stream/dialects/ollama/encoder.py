"""Ollama's chat: what the server sends for a completion.

Lines of compact JSON, escaped as Go does it; the one that is ``done`` has the counts and how
long it took. A tool call comes in one piece. The same completion always gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from cassette_stream.chunks import ChatCompletionMessageToolCall, Choices, ModelResponse, Usage
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

_DONE_REASONS = {"tool_calls": "stop", "function_call": "stop"}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Milliseconds: what a small model takes to load, for a token it reads and for one it writes.
_LOAD, _READ, _WRITE = 50, 1, 20
# Go escapes these wherever they stand in a text, so that JSON can stand in a page.
_GO = str.maketrans({char: f"\\u{ord(char):04x}" for char in "<>&\u2028\u2029"})


def encode(completion: ModelResponse, *, pieces: Pieces = words) -> Iterator[bytes]:
    """The lines that stream *completion*, one per item, its texts cut by *pieces*.

    A refusal goes as text. A choice without a finish reason gets no last line.

    Raises:
        ValueError: There is not exactly one choice, a custom tool is called, the arguments of
            a tool call are not a JSON object, or *pieces* are no sizes; while iterating: they
            do not join to the text.
    """
    only_functions(completion, "ollama")
    choice = only_choice(completion, "ollama")
    calls = [_call(*call) for call in enumerate(choice.message.tool_calls or ())]
    return _lines(completion, choice, calls, as_cut(pieces))


def _lines(
    completion: ModelResponse, choice: Choices, calls: list[dict[str, object]], cut: Cut
) -> Iterator[bytes]:
    number = 0
    for number, message in enumerate(_messages(choice, calls, cut), 1):
        yield _line(_response(completion, message, number - 1) | {"done": False})
    if choice.finish_reason is not None:
        last = _response(completion, {"content": ""}, number)
        yield _line(last | _end(completion, choice))


def _messages(
    choice: Choices, calls: list[dict[str, object]], cut: Cut
) -> Iterator[dict[str, object]]:
    message = choice.message
    for piece in cut(message.reasoning_content or ""):
        yield {"content": "", "thinking": piece}
    for piece in cut((message.refusal or "") + (message.content or "")):
        yield {"content": piece}
    for call in calls:
        yield {"content": "", "tool_calls": [call]}


def _call(index: int, call: ChatCompletionMessageToolCall) -> dict[str, object]:
    arguments = json_object(call.function.arguments)
    function = {"index": index, "name": call.function.name, "arguments": arguments}
    return ({"id": call.id} if call.id else {}) | {"function": function}


def _response(
    completion: ModelResponse, message: dict[str, object], number: int
) -> dict[str, object]:
    """The beginning of the line *number*, counted from 0."""
    date = _EPOCH + timedelta(seconds=completion.created, milliseconds=number * _WRITE)
    return {
        "model": completion.model,
        "created_at": date.isoformat(timespec="microseconds").replace("+00:00", "Z"),
        "message": {"role": "assistant"} | message,
    }


def _end(completion: ModelResponse, choice: Choices) -> dict[str, object]:
    reason = choice.finish_reason or ""
    end: dict[str, object] = {"done": True, "done_reason": _DONE_REASONS.get(reason, reason)}
    return end if completion.usage is None else end | _counts(completion.usage)


def _counts(usage: Usage) -> dict[str, object]:
    """What was counted, and how many nanoseconds that takes, unless it is known."""
    read, written = usage.prompt_tokens * _READ, usage.completion_tokens * _WRITE
    counts: dict[str, object] = {
        "total_duration": (_LOAD + read + written) * 1_000_000,
        "load_duration": _LOAD * 1_000_000,
        "prompt_eval_count": usage.prompt_tokens,
        "prompt_eval_duration": read * 1_000_000,
        "eval_count": usage.completion_tokens,
        "eval_duration": written * 1_000_000,
    }
    return counts | {name: it for name, it in (usage.extras or {}).items() if name in counts}


def encode_body(completion: ModelResponse) -> bytes:
    """The body that answers a request that is not streamed.

    Raises:
        ValueError: As `encode`.
    """
    only_functions(completion, "ollama")
    choice = only_choice(completion, "ollama")
    said = choice.message
    message: dict[str, object] = {"content": (said.refusal or "") + (said.content or "")}
    if said.reasoning_content:
        message["thinking"] = said.reasoning_content
    if said.tool_calls:
        message["tool_calls"] = [_call(*call) for call in enumerate(said.tool_calls)]
    done = {"done": False} if choice.finish_reason is None else _end(completion, choice)
    return _json(_response(completion, message, 0) | done)


def encode_error(status: int, message: str) -> bytes:  # noqa: ARG001
    """The line that reports an error in the middle of a stream; it does not tell the *status*."""
    return _line({"error": message})


def encode_error_body(status: int, message: str) -> bytes:  # noqa: ARG001
    """The body of a response with this error *status*, which it does not tell again."""
    return _json({"error": message})


def _line(value: object) -> bytes:
    return _json(value) + b"\n"


def _json(value: object) -> bytes:
    return compact(value).translate(_GO).encode()
