"""What the Responses API sends for a completion.

Every event has an ``event:`` line that repeats the type of its data, and a number: they are
counted from 0. The output is a list of items, one after the other: reasoning, a message,
tool calls. Each is announced empty, told in deltas, and told again as a whole; the last
event tells all of them once more. There is no ``[DONE]``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any, TypeAlias

from cassette_stream.chunks import (
    ChatCompletionMessageToolCall,
    Choices,
    Message,
    ModelResponse,
    Usage,
)
from cassette_stream.dialects.encoding import (
    Cut,
    Pieces,
    as_cut,
    compact,
    only_choice,
    weave,
    words,
)
from cassette_stream.dialects.openai_chat import encode_error_body
from cassette_stream.wire import encode_event

__all__ = ("encode", "encode_body", "encode_error", "encode_error_body")

Item: TypeAlias = dict[str, Any]
Event: TypeAlias = tuple[str, dict[str, object]]

_COMPLETED = frozenset({"stop", "tool_calls", "function_call"})
_ERRORS = {400: "invalid_prompt", 429: "rate_limit_exceeded", 500: "server_error"}
# What of an item its deltas tell, so that it is announced without it.
_TOLD: Mapping[str, Mapping[str, object]] = {
    "reasoning": {"summary": []},
    "message": {"status": "in_progress", "content": []},
    "function_call": {"status": "in_progress", "arguments": ""},
    "custom_tool_call": {"status": "in_progress", "input": ""},
}


def encode(
    completion: ModelResponse, *, pieces: Pieces = words, interleave: bool = False
) -> Iterator[bytes]:
    """The events that stream *completion*, one per item.

    Reasoning goes as its reasoning items if there are any.

    Args:
        completion: What to send. Without a finish reason it gets no last event.
        pieces: How texts and arguments are cut into deltas.
        interleave: Tool calls send an event each in turn, not one call after the other.

    Raises:
        ValueError: There is not exactly one choice, or *pieces* are no sizes; while
            iterating: they do not join to the text.
    """
    choice = only_choice(completion, "openai_responses")
    return _numbered(_events(completion, choice, as_cut(pieces), interleave))


def _numbered(events: Iterator[Event]) -> Iterator[bytes]:
    for number, (kind, fields) in enumerate(events):
        yield _event(kind, fields | {"sequence_number": number})


def _event(kind: str, fields: dict[str, object]) -> bytes:
    return encode_event(compact({"type": kind} | dict(sorted(fields.items()))), event=kind)


def _events(
    completion: ModelResponse, choice: Choices, cut: Cut, interleave: bool
) -> Iterator[Event]:
    begun = _response(completion, status="in_progress", output=[], usage=None)
    yield "response.created", {"response": begun}
    yield "response.in_progress", {"response": begun}
    items = _items(completion, choice)
    calls = [_item_events(n, item, cut) for n, item in enumerate(items) if "call_id" in item]
    told = (_item_events(n, item, cut) for n, item in enumerate(items) if "call_id" not in item)
    yield from chain(chain.from_iterable(told), weave(calls, interleave=interleave))
    if choice.finish_reason is not None:
        whole = _whole(completion, choice)
        yield f"response.{whole['status']}", {"response": whole}


def _item_events(index: int, item: Item, cut: Cut) -> Iterator[Event]:
    at: dict[str, object] = {"output_index": index}
    yield "response.output_item.added", at | {"item": {**item, **_TOLD[item["type"]]}}
    at |= {"item_id": item["id"]}
    match item["type"]:
        case "reasoning":
            for number, part in enumerate(item["summary"]):
                yield from _summary_events(at | {"summary_index": number}, part, cut)
        case "message":
            for number, part in enumerate(item["content"]):
                yield from _part_events(at | {"content_index": number}, part, cut)
        case "function_call":
            kind = "response.function_call_arguments"
            for piece in cut(item["arguments"]):
                yield f"{kind}.delta", at | {"delta": piece}
            yield f"{kind}.done", at | {"arguments": item["arguments"]}
        case _:
            for piece in cut(item["input"]):
                yield "response.custom_tool_call_input.delta", at | {"delta": piece}
            yield "response.custom_tool_call_input.done", at | {"input": item["input"]}
    yield "response.output_item.done", {"output_index": index, "item": item}


def _summary_events(at: dict[str, object], part: Item, cut: Cut) -> Iterator[Event]:
    empty = {"type": "summary_text", "text": ""}
    yield "response.reasoning_summary_part.added", at | {"part": empty}
    for piece in cut(part["text"]):
        yield "response.reasoning_summary_text.delta", at | {"delta": piece}
    yield "response.reasoning_summary_text.done", at | {"text": part["text"]}
    yield "response.reasoning_summary_part.done", at | {"part": part}


def _part_events(at: dict[str, object], part: Item, cut: Cut) -> Iterator[Event]:
    if part["type"] == "refusal":
        yield "response.content_part.added", at | {"part": part | {"refusal": ""}}
        for piece in cut(part["refusal"]):
            yield "response.refusal.delta", at | {"delta": piece}
        yield "response.refusal.done", at | {"refusal": part["refusal"]}
    else:
        empty = part | {"annotations": [], "text": ""}
        yield "response.content_part.added", at | {"part": empty}
        for piece in cut(part["text"]):
            yield "response.output_text.delta", at | {"delta": piece, "logprobs": []}
        for number, note in enumerate(part["annotations"]):
            fields: dict[str, object] = {"annotation": note, "annotation_index": number}
            yield "response.output_text.annotation.added", at | fields
        yield "response.output_text.done", at | {"text": part["text"], "logprobs": []}
    yield "response.content_part.done", at | {"part": part}


def encode_body(completion: ModelResponse) -> bytes:
    """The body that answers a request without ``stream``.

    Raises:
        ValueError: There is not exactly one choice.
    """
    whole = _whole(completion, only_choice(completion, "openai_responses"))
    return (json.dumps(whole, ensure_ascii=False, indent=2) + "\n").encode()


def _whole(completion: ModelResponse, choice: Choices) -> dict[str, object]:
    usage = completion.usage and _usage(completion.usage)
    return _response(
        completion, status=_status(choice), output=_items(completion, choice), usage=usage
    ) | {"incomplete_details": _incomplete_details(choice)}


def _status(choice: Choices) -> str:
    if choice.finish_reason is None:
        return "in_progress"
    return "completed" if choice.finish_reason in _COMPLETED else "incomplete"


def _incomplete_details(choice: Choices) -> dict[str, object] | None:
    if _status(choice) != "incomplete":
        return None
    reason = choice.finish_reason
    return {"reason": "max_output_tokens" if reason == "length" else reason}


def _response(
    completion: ModelResponse, *, status: str, output: list[Item], usage: object
) -> dict[str, object]:
    tier = completion.service_tier
    return {
        "id": completion.id,
        "object": "response",
        "created_at": completion.created,
        "status": status,
        "background": False,
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "max_output_tokens": None,
        "model": completion.model,
        "output": output,
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "reasoning": {"effort": None, "summary": None},
        **({} if tier is None else {"service_tier": tier}),
        "store": True,
        "temperature": 1.0,
        "text": {"format": {"type": "text"}},
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "truncation": "disabled",
        "usage": usage,
        "user": None,
        "metadata": {},
    }


def _items(completion: ModelResponse, choice: Choices) -> list[Item]:
    """The output as it stands in the end."""
    message = choice.message
    items = [*_reasoning(message), *_message(message), *map(_call, message.tool_calls or ())]
    stem = completion.id.removeprefix("resp_")
    prefixes = {"reasoning": "rs", "message": "msg", "function_call": "fc"}
    named = [
        {"id": f"{prefixes.get(item['type'], 'ctc')}_{stem}_{number}"} | item
        for number, item in enumerate(items)
    ]
    if named and _status(choice) == "incomplete" and "status" in named[-1]:
        named[-1]["status"] = "incomplete"
    return named


def _reasoning(message: Message) -> list[Item]:
    if message.reasoning_items:
        return [{"type": "reasoning", "summary": []} | item for item in message.reasoning_items]
    if not message.reasoning_content:
        return []
    summary = [{"type": "summary_text", "text": message.reasoning_content}]
    return [{"type": "reasoning", "summary": summary}]


def _message(message: Message) -> list[Item]:
    content: list[Item] = []
    if message.refusal:
        content.append({"type": "refusal", "refusal": message.refusal})
    if message.content:
        notes = [_annotation(note) for note in message.annotations or ()]
        content.append(
            {"type": "output_text", "annotations": notes, "logprobs": [], "text": message.content}
        )
    if not content:
        return []
    item = {"type": "message", "status": "completed", "content": content, "role": "assistant"}
    return [item]


def _annotation(note: Mapping[str, Any]) -> Item:
    """*note* of the chat completions API, which puts the fields of a kind into an object."""
    kind = note["type"]
    return {"type": kind, **note[kind]}


def _call(call: ChatCompletionMessageToolCall) -> Item:
    item: Item = {"type": "function_call", "status": "completed", "call_id": call.id}
    if call.custom is not None:
        named = {"name": call.custom.name, "input": call.custom.input}
        return item | {"type": "custom_tool_call"} | named
    return item | {"name": call.function.name, "arguments": call.function.arguments}


def _usage(usage: Usage) -> dict[str, object]:
    told: dict[str, object] = {"input_tokens": usage.prompt_tokens}
    if usage.prompt_tokens_details is not None:
        told["input_tokens_details"] = usage.prompt_tokens_details.model_dump(exclude_none=True)
    told["output_tokens"] = usage.completion_tokens
    if usage.completion_tokens_details is not None:
        details = usage.completion_tokens_details.model_dump(exclude_none=True)
        told["output_tokens_details"] = details
    return told | {"total_tokens": usage.total_tokens}


def encode_error(
    status: int, message: str, *, code: str | None = None, sequence_number: int = 0
) -> bytes:
    """The event that reports an error in the middle of a stream.

    *code* is what belongs to *status* if not given.
    """
    known = _ERRORS.get(status, _ERRORS[400 if status < 500 else 500])
    error: dict[str, object] = {"code": code or known, "message": message, "param": None}
    return _event("error", error | {"sequence_number": sequence_number})
