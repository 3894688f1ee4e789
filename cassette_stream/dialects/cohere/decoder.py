"""Cohere chat: the body of a stream in, chunks out.

An event means what the type in its data says; the ``event:`` line counts only where there is
none. Contents and tool calls are each opened, filled and closed by an index, and each have
indices of their own. A plan to use tools is reasoning, and told as the provider's as well, for
it is to be sent back as what it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Final

from cassette_stream.chunks import (
    ChatCompletionDeltaToolCall,
    Delta,
    Function,
    ModelResponseStream,
    StreamingChoices,
    arguments_text,
)
from cassette_stream.dialects.cohere.calls import OpenCall, said
from cassette_stream.dialects.cohere.citations import annotations_of
from cassette_stream.dialects.cohere.quick import CallDelta, quick_event
from cassette_stream.dialects.cohere.usage import usage_of
from cassette_stream.dialects.decoding import (
    UNREADABLE,
    Chunks,
    EventDecoder,
    field,
    json_object,
)
from cassette_stream.dialects.error_body import complains
from cassette_stream.dialects.errors import finish_error, stream_error
from cassette_stream.exceptions import APIError, StreamProtocolError
from cassette_stream.wire import ServerSentEvent, SSEDecoder

__all__ = ("Decoder",)

_OF_CALLS: Final = frozenset({"id", "type", "function"})
_OF_EVENTS: Final = frozenset({"type", "id", "delta"})
_OF_ENDS: Final = frozenset({"finish_reason", "usage", "error"})


class Decoder(EventDecoder):
    """A decoder of one stream; chunks are raw progress, for `NormalForm` to put in order.

    *complete* says whether there was a finish reason, *terminal_seen* whether ``message-end``
    came; what comes after it is ignored. *warnings* says what was left out because *strict*
    is off.

    What has no place in a chunk goes along as the provider's, in ``provider_specific_fields``
    of a delta: ``citation``, ``tool_plan``, ``logprobs``, and contents of other kinds as
    ``contents``.

    Args:
        strict: Events that are not as the format says are errors. Else they are left out, and a
            number where a text belongs is written as one.
    """

    __slots__ = ("_calls", "_complete", "_contents", "_has_parts", "_number", "_started")

    def __init__(self, *, strict: bool = True) -> None:
        super().__init__(SSEDecoder(), strict=strict)
        self._complete = False
        self._started = False
        self._has_parts = False
        self._contents: dict[int, str] = {}  # the kinds of those that are open
        self._calls: dict[int, OpenCall] = {}
        self._number = 0

    @property
    def complete(self) -> bool:
        return self._complete

    def _what_is_missing(self) -> str:
        if self.terminal_seen:
            return "with its last event, but without a finish reason"
        if self._calls:
            return f"within tool call {max(self._calls)}"
        if self._contents:
            return f"within content {max(self._contents)}"
        return "without a finish reason"

    def _quick(self, event: ServerSentEvent) -> ModelResponseStream | None:
        try:
            value = quick_event(event.data)
        except UNREADABLE:
            return None
        if isinstance(value, CallDelta):
            call, arguments = self._calls.get(value.index), value.delta.message.tool_calls.function
            written = call is not None and arguments.arguments
            return call.fragment(arguments.arguments) if call and written else None
        kind, content = self._contents.get(value.index), value.delta.message.content
        if content.text and kind == "text" and not content.thinking:
            return said(Delta(content=content.text))
        if content.thinking and kind == "thinking" and not content.text:
            return said(Delta(reasoning_content=content.thinking))
        return None

    def _read(self, event: ServerSentEvent) -> Chunks:
        value = json_object(event.data)
        return self._take(value, field(value, "type", str) or event.event)

    def take(self, value: Mapping[str, Any], kind: str) -> Chunks:
        """What an event of this *kind* says.

        Raises:
            APIError: While iterating: as `feed`.
        """
        return self._guarded(lambda: self._take(value, kind))

    def _take(self, value: Mapping[str, Any], kind: str) -> Chunks:
        if reader := self._READERS.get(kind):
            return reader(self, value)
        if kind == "error" or value.get("error") or ("type" not in value and complains(value)):
            raise stream_error(value)
        # The end of a citation, a prompt for debugging, or of a kind that is yet to come.
        return iter(())

    def _message_start(self, value: Mapping[str, Any]) -> Chunks:
        self._seen = True
        if self._started:
            if self._has_parts:
                raise StreamProtocolError("the message began again, in its middle", body=value)
            return
        self._started = True
        yield ModelResponseStream(id=self._text(value, "id"))

    def _content_start(self, value: Mapping[str, Any]) -> Chunks:
        index, content = _index(value), _part(value, "content")
        self._seen = self._has_parts = True
        if index in self._contents:
            raise StreamProtocolError(f"content {index} began twice", body=value)
        # Nearly always empty; whoever sends a whole text at once fills it here.
        self._contents[index] = self._text(content, "type")
        yield from self._filled(value, index, content)

    def _content_delta(self, value: Mapping[str, Any]) -> Chunks:
        index, content = _index(value), _part(value, "content")
        self._seen = True
        if index not in self._contents:
            raise StreamProtocolError(f"a delta of content {index}, not open", body=value)
        yield from self._filled(value, index, content)

    def _filled(self, value: Mapping[str, Any], index: int, content: Mapping[str, Any]) -> Chunks:
        kind = self._contents[index]
        if kind not in {"text", "thinking", ""}:
            yield said(Delta(provider_specific_fields={"contents": [{**content, "index": index}]}))
            return
        text, thinking = self._text(content, "text"), self._text(content, "thinking")
        if (text and kind == "thinking") or (thinking and kind == "text"):
            other = "text" if text and kind == "thinking" else "thinking"
            raise StreamProtocolError(f"{other} in a content of {kind}", body=value)
        if thinking:
            yield said(Delta(reasoning_content=thinking))
        if text:
            yield said(Delta(content=text))
        if probable := value.get("logprobs"):
            items = probable if isinstance(probable, list) else [probable]
            yield said(Delta(provider_specific_fields={"logprobs": items}))

    def _content_end(self, value: Mapping[str, Any]) -> Chunks:
        index = _index(value)
        self._seen = True
        if self._contents.pop(index, None) is None:
            raise StreamProtocolError(f"content {index} ended, and was not open", body=value)
        return iter(())

    def _plan(self, value: Mapping[str, Any]) -> Chunks:
        self._seen = self._has_parts = True
        if plan := self._text(_message(value), "tool_plan"):
            native = {"tool_plan": plan}
            yield said(Delta(reasoning_content=plan, provider_specific_fields=native))

    def _call_start(self, value: Mapping[str, Any]) -> Chunks:
        index, call = _index(value), _part(value, "tool_calls")
        self._seen = self._has_parts = True
        if index in self._calls:
            raise StreamProtocolError(f"tool call {index} began twice", body=value)
        function = field(call, "function", dict) or {}
        arguments = arguments_text(function.get("arguments"))
        opened = self._calls[index] = OpenCall(self._number)
        self._number += 1
        opened.streamed = bool(arguments)
        first = ChatCompletionDeltaToolCall(
            index=opened.number,
            id=self._text(call, "id"),
            function=Function(name=self._text(function, "name"), arguments=arguments),
            extras={name: it for name, it in call.items() if name not in _OF_CALLS} or None,
        )
        yield said(Delta(tool_calls=[first]))

    def _call_delta(self, value: Mapping[str, Any]) -> Chunks:
        index, call = _index(value), _part(value, "tool_calls")
        self._seen = True
        opened = self._calls.get(index)
        if opened is None:
            raise StreamProtocolError(f"a delta of tool call {index}, not open", body=value)
        if arguments := arguments_text((field(call, "function", dict) or {}).get("arguments")):
            yield opened.fragment(arguments)

    def _call_end(self, value: Mapping[str, Any]) -> Chunks:
        index = _index(value)
        self._seen = True
        opened = self._calls.pop(index, None)
        if opened is None:
            raise StreamProtocolError(f"tool call {index} ended, and was not open", body=value)
        yield from opened.close()

    def _citation(self, value: Mapping[str, Any]) -> Chunks:
        self._seen = self._has_parts = True
        if citation := _part(value, "citations"):
            notes = annotations_of(citation) or None
            native = {"citation": citation}
            yield said(Delta(annotations=notes, provider_specific_fields=native))

    def _message_end(self, value: Mapping[str, Any]) -> Chunks:
        delta = field(value, "delta", dict) or {}
        self._seen = self.terminal_seen = True
        reason = self._text(delta, "finish_reason")
        if failure := _failure(reason, delta.get("error"), value):
            raise failure
        while self._calls:  # not closed, and yet there will be no more of them
            yield from self._calls.pop(min(self._calls)).close()
        told = self._if_valid(lambda: field(delta, "usage", dict))
        usage = self._if_valid(lambda: usage_of(told)) if told else None
        beside = {name: it for name, it in value.items() if name not in _OF_EVENTS}
        chunk = ModelResponseStream(usage=usage, provider_specific_fields=beside or None)
        if reason:
            self._complete = True
            extras = {name: it for name, it in delta.items() if name not in _OF_ENDS}
            chunk.choices = [StreamingChoices(finish_reason=reason, extras=extras or None)]
        yield chunk

    _READERS: ClassVar[Mapping[str, Callable[[Decoder, Mapping[str, Any]], Chunks]]] = {
        "citation-start": _citation,
        "content-delta": _content_delta,
        "content-end": _content_end,
        "content-start": _content_start,
        "message-end": _message_end,
        "message-start": _message_start,
        "tool-call-delta": _call_delta,
        "tool-call-end": _call_end,
        "tool-call-start": _call_start,
        "tool-plan-delta": _plan,
    }


def _index(value: Mapping[str, Any]) -> int:
    index = field(value, "index", int)
    if index is None:
        raise StreamProtocolError("an event of a content or a call without its index", body=value)
    return index


def _part(value: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """What an event adds to the message as *name*."""
    return field(_message(value), name, dict) or {}


def _message(value: Mapping[str, Any]) -> Mapping[str, Any]:
    return field(field(value, "delta", dict) or {}, "message", dict) or {}


def _failure(reason: str, error: object, body: Mapping[str, Any]) -> APIError | None:
    """The exception for a message that ends with an *error*, or with a *reason* that is one."""
    if not error:
        return finish_error(reason)
    failure = stream_error({"error": error}, body=body)
    if failure.status_code is None:
        return finish_error(reason, message=failure.message, body=body) or failure
    return failure
