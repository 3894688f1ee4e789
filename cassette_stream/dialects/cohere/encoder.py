"""Cohere chat: what the provider sends for a completion.

Every event has an ``event:`` line that repeats the type of its data, and ``[DONE]`` comes
behind the last. Thoughts and text are contents, counted together; tool calls are counted by
themselves, and come behind them.
"""

from __future__ import annotations

from collections.abc import Iterator

from cassette_stream.chunks import (
    ChatCompletionMessageToolCall,
    Choices,
    Message,
    ModelResponse,
)
from cassette_stream.dialects.cohere.citations import citations_of
from cassette_stream.dialects.cohere.usage import told
from cassette_stream.dialects.encoding import (
    Cut,
    Pieces,
    as_cut,
    compact,
    only_choice,
    only_functions,
    weave,
    words,
)
from cassette_stream.wire import encode_event

__all__ = ("encode", "encode_body", "encode_error", "encode_error_body")

_FINISH_REASONS = {
    "stop": "COMPLETE",
    "length": "MAX_TOKENS",
    "tool_calls": "TOOL_CALL",
    "function_call": "TOOL_CALL",
    "content_filter": "ERROR_TOXIC",
}
_TIMEOUTS = frozenset({408, 504})


def encode(
    completion: ModelResponse, *, pieces: Pieces = words, interleave: bool = False
) -> Iterator[bytes]:
    """The events that stream *completion*, one per item, and ``[DONE]``.

    A refusal goes as text. Reasoning is thought, but for what the provider's own field
    ``tool_plan`` says of it, which goes as a plan.

    Args:
        completion: What to send.
        pieces: How texts and arguments are cut into deltas.
        interleave: Tool calls send an event each in turn, not one after the other.

    Raises:
        ValueError: There is not exactly one choice, a custom tool is called, or *pieces* are
            no sizes; while iterating: they do not join to the text.
    """
    only_functions(completion, "cohere")
    return _events(completion, only_choice(completion, "cohere"), as_cut(pieces), interleave)


def _events(
    completion: ModelResponse, choice: Choices, cut: Cut, interleave: bool
) -> Iterator[bytes]:
    message = choice.message
    empty = {"role": message.role, "content": [], "tool_plan": "", "tool_calls": []}
    start = {"delta": {"message": empty | {"citations": []}}}
    # The id goes before the type in this event alone.
    head: dict[str, object] = {"id": completion.id, "type": "message-start"}
    yield encode_event(compact(head | start), event="message-start")
    yield from _spoken(message, cut)
    calls = (_call(index, call, cut) for index, call in enumerate(message.tool_calls or ()))
    yield from weave(calls, interleave=interleave)
    yield _event("message-end", delta=_end(completion, choice))
    yield encode_event("[DONE]")


def _event(kind: str, **fields: object) -> bytes:
    return encode_event(compact({"type": kind} | fields), event=kind)


def _part(kind: str, index: int | None = None, **parts: object) -> bytes:
    """An event that adds *parts* to the message."""
    place = {} if index is None else {"index": index}
    return _event(kind, **place, delta={"message": parts})


def _spoken(message: Message, cut: Cut) -> Iterator[bytes]:
    """All that comes before the calls; citations stand at the end of the last content."""
    thoughts, plan = _reasoning(message)
    contents = _contents(message, thoughts)
    cited = list(_cited(message))
    for index, (kind, text) in enumerate(contents):
        yield _part("content-start", index, content={"type": kind, kind: ""})
        for piece in cut(text):
            yield _part("content-delta", index, content={kind: piece})
        if index == len(contents) - 1:
            yield from cited
            cited = []
        yield _event("content-end", index=index)
    yield from cited
    for piece in cut(plan):
        yield _part("tool-plan-delta", tool_plan=piece)


def _reasoning(message: Message) -> tuple[str, str]:
    """What is thought, and what of it is a plan to use tools."""
    reasoning = message.reasoning_content or ""
    plan = (message.provider_specific_fields or {}).get("tool_plan")
    if not isinstance(plan, str):
        plan = ""
    return reasoning.removesuffix(plan), plan


def _contents(message: Message, thoughts: str) -> list[tuple[str, str]]:
    texts = (("thinking", thoughts), ("text", message.refusal), ("text", message.content))
    return [(kind, text) for kind, text in texts if text]


def _cited(message: Message) -> Iterator[bytes]:
    for index, citation in enumerate(citations_of(message)):
        yield _part("citation-start", index, citations=citation)
        yield _event("citation-end", index=index)


def _call(index: int, call: ChatCompletionMessageToolCall, cut: Cut) -> Iterator[bytes]:
    yield _part("tool-call-start", index, tool_calls=_called(call, ""))
    # A call without arguments sends none.
    for piece in cut("" if call.function.arguments == "{}" else call.function.arguments):
        yield _part("tool-call-delta", index, tool_calls={"function": {"arguments": piece}})
    yield _event("tool-call-end", index=index)


def _called(call: ChatCompletionMessageToolCall, arguments: str) -> dict[str, object]:
    function = {"name": call.function.name, "arguments": arguments}
    return {"id": call.id, "type": "function", "function": function}


def _end(completion: ModelResponse, choice: Choices) -> dict[str, object]:
    reason = choice.finish_reason and _FINISH_REASONS.get(
        choice.finish_reason, choice.finish_reason
    )
    end: dict[str, object] = {"finish_reason": "ERROR_TOXIC" if choice.message.refusal else reason}
    if completion.usage is not None:
        end["usage"] = told(completion.usage)
    return end


def encode_body(completion: ModelResponse) -> bytes:
    """The body that answers a request without ``stream``.

    Raises:
        ValueError: There is not exactly one choice, or a custom tool is called.
    """
    only_functions(completion, "cohere")
    choice = only_choice(completion, "cohere")
    message = choice.message
    thoughts, plan = _reasoning(message)
    contents = _contents(message, thoughts)
    value: dict[str, object] = {"role": message.role}
    if contents:
        value["content"] = [{"type": kind, kind: text} for kind, text in contents]
    if plan:
        value["tool_plan"] = plan
    if message.tool_calls:
        value["tool_calls"] = [_called(it, it.function.arguments) for it in message.tool_calls]
    if cited := citations_of(message):
        value["citations"] = cited
    return compact({"id": completion.id, "message": value} | _end(completion, choice)).encode()


def encode_error(status: int, message: str, *, kind: str | None = None) -> bytes:
    """The event that reports an error in the middle of a stream, which is its last.

    *kind* is the finish reason, ``TIMEOUT`` or ``ERROR`` by *status* if not given; there is no
    place for the status itself.
    """
    reason = kind or ("TIMEOUT" if status in _TIMEOUTS else "ERROR")
    return _event("message-end", delta={"error": message, "finish_reason": reason})


def encode_error_body(status: int, message: str) -> bytes:  # noqa: ARG001 - as all dialects
    """The body of a response with this error *status*, which it does not repeat."""
    return compact({"message": message}).encode()
