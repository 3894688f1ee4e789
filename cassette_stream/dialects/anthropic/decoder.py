"""Anthropic messages: the body of a stream in, chunks out.

An event means what the type in its data says; the ``event:`` line counts only where there is
none, because proxies leave either out. Content comes in blocks, each opened, filled and
closed; calls are counted in the order of their blocks, for nobody else knows how many blocks
of text stand between them. Usage is cumulative and comes in two parts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from cassette_stream.chunks import (
    Delta,
    ModelResponseStream,
    RedactedThinking,
    StreamingChoices,
    Thinking,
)
from cassette_stream.dialects.anthropic.blocks import CALLS, Block, native, spoken
from cassette_stream.dialects.anthropic.usage import usage_of
from cassette_stream.dialects.decoding import (
    UNREADABLE,
    Chunks,
    EventDecoder,
    EventSource,
    field,
    json_object,
)
from cassette_stream.dialects.error_body import complains
from cassette_stream.dialects.errors import finish_error, stream_error
from cassette_stream.exceptions import StreamProtocolError
from cassette_stream.wire import ServerSentEvent, SSEDecoder

__all__ = ("Decoder",)

_KNOWN_BLOCKS: Final = CALLS | {"text", "thinking", "redacted_thinking"}
# Which block takes which delta; what is not here is passed on as it came.
_TAKERS: Final[Mapping[str, frozenset[str]]] = {
    "text_delta": frozenset({"text"}),
    "citations_delta": frozenset({"text"}),
    "thinking_delta": frozenset({"thinking"}),
    "signature_delta": frozenset({"thinking"}),
    "input_json_delta": CALLS,
}


class _TextDelta(msgspec.Struct, gc=False, tag_field="type", tag="text_delta"):
    text: str


class _ArgumentsDelta(msgspec.Struct, gc=False, tag_field="type", tag="input_json_delta"):
    partial_json: str


class _BlockDelta(msgspec.Struct, gc=False, tag_field="type", tag="content_block_delta"):
    index: int
    delta: _TextDelta | _ArgumentsDelta


_quick = msgspec.json.Decoder(_BlockDelta).decode


class Decoder(EventDecoder):
    """A decoder of one stream; chunks are raw progress, for `NormalForm` to put in order.

    *complete* says whether there was a stop reason, *terminal_seen* whether ``message_stop``
    came; what comes after it is ignored. *warnings* says what was left out because *strict*
    is off.

    What has no place in a chunk goes along as the provider's: blocks of other kinds in
    ``provider_specific_fields["content_blocks"]`` and deltas of other kinds in ``["deltas"]``
    of a delta, ``stop_sequence`` and its like as extras of the choice that ends.

    Args:
        strict: Events that are not as the format says are errors. Else they are left out, and a
            number where a text belongs is written as one.
        events: What bytes become events by, where that is not server-sent events.
    """

    __slots__ = ("_blocks", "_calls", "_complete", "_has_blocks", "_started", "_usage")

    def __init__(self, *, strict: bool = True, events: EventSource | None = None) -> None:
        super().__init__(SSEDecoder() if events is None else events, strict=strict)
        self._complete = False
        self._started = False
        self._has_blocks = False
        self._blocks: dict[int, Block] = {}
        self._calls = 0
        self._usage: dict[str, Any] = {}

    @property
    def complete(self) -> bool:
        return self._complete

    def _what_is_missing(self) -> str:
        if self._blocks:
            return f"within content block {max(self._blocks)}"
        return "without a stop reason"

    def _quick(self, event: ServerSentEvent) -> ModelResponseStream | None:
        if event.event != "content_block_delta" and "content_block_delta" not in event.data[:40]:
            return None
        try:
            value = _quick(event.data)
        except UNREADABLE:
            return None
        block = self._blocks.get(value.index)
        if block is None:
            return None
        delta = value.delta
        if isinstance(delta, _TextDelta):
            told = delta.text and block.kind == "text"
            return spoken(Delta(content=delta.text)) if told else None
        written = delta.partial_json and block.kind in CALLS
        return block.fragment(delta.partial_json) if written else None

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
        match kind:
            case "content_block_delta":
                return self._block_delta(value)
            case "content_block_start":
                return self._block_start(value)
            case "content_block_stop":
                return self._block_stop(value)
            case "message_start":
                return self._message_start(value)
            case "message_delta":
                return self._message_delta(value)
            case "message_stop":
                self._seen = self.terminal_seen = True
            case _ if kind == "error" or value.get("error"):
                raise stream_error(value)
            case _ if "type" not in value and complains(value):
                raise stream_error(value)
        # A ping, or of a kind that is yet to come.
        return iter(())

    def _message_start(self, value: Mapping[str, Any]) -> Chunks:
        message = field(value, "message", dict) or {}
        self._seen = True
        self._take_usage(message)
        if self._started:
            # There are proxies that send it twice; but what has begun does not begin again.
            if self._has_blocks:
                raise StreamProtocolError("the message began again, in its middle", body=value)
            return
        self._started = True
        container = message.get("container")
        yield ModelResponseStream(
            id=self._text(message, "id"),
            model=self._text(message, "model"),
            service_tier=self._text(self._usage, "service_tier") or None,
            provider_specific_fields={"container": container} if container else None,
        )

    def _take_usage(self, value: Mapping[str, Any]) -> bool:
        usage = field(value, "usage", dict) or {}
        self._usage |= {name: item for name, item in usage.items() if item is not None}
        return bool(usage)

    def _block_start(self, value: Mapping[str, Any]) -> Chunks:
        index, content = _index(value), field(value, "content_block", dict) or {}
        self._seen = True
        if index in self._blocks:
            raise StreamProtocolError(f"content block {index} began twice", body=value)
        kind = self._text(content, "type")
        self._has_blocks = True
        block = self._blocks[index] = Block(kind)
        if kind in CALLS:
            yield block.open(self._calls, content, self._text)
            self._calls += 1
        elif kind == "redacted_thinking":
            redacted = RedactedThinking(data=self._text(content, "data"), index=index)
            yield spoken(Delta(thinking_blocks=[redacted]))
        elif kind in {"text", "thinking"}:
            # Nearly always empty; whoever sends a whole block at once fills it here.
            yield from self._said(content, index)
            for citation in field(content, "citations", list) or ():
                yield native(citation=citation)
        else:
            yield native(content_blocks=[content])

    def _block_delta(self, value: Mapping[str, Any]) -> Chunks:
        index, delta = _index(value), field(value, "delta", dict) or {}
        self._seen = True
        block = self._blocks.get(index)
        if block is None:
            raise StreamProtocolError(f"a delta of content block {index}, not open", body=value)
        kind = self._text(delta, "type")
        takers = _TAKERS.get(kind)
        if takers is None or block.kind not in _KNOWN_BLOCKS:
            yield native(deltas=[{**delta, "index": index}])
        elif block.kind not in takers:
            raise StreamProtocolError(f"a {kind} in a block of {block.kind}", body=value)
        elif kind == "citations_delta":
            yield native(citation=delta.get("citation"))
        elif kind == "input_json_delta":
            if arguments := self._text(delta, "partial_json"):
                yield block.fragment(arguments)
        else:
            yield from self._said(delta, index)

    def _said(self, value: Mapping[str, Any], index: int) -> Chunks:
        """What a block, or a delta of it, has in text, thoughts and their signature."""
        if text := self._text(value, "text"):
            yield spoken(Delta(content=text))
        if thinking := self._text(value, "thinking"):
            thought = Thinking(thinking=thinking, index=index)
            yield spoken(Delta(reasoning_content=thinking, thinking_blocks=[thought]))
        if signature := self._text(value, "signature"):
            signed = Thinking(thinking="", signature=signature, index=index)
            yield spoken(Delta(thinking_blocks=[signed]))

    def _block_stop(self, value: Mapping[str, Any]) -> Chunks:
        index = _index(value)
        self._seen = True
        block = self._blocks.pop(index, None)
        if block is None:
            raise StreamProtocolError(f"content block {index} ended, and was not open", body=value)
        yield from block.close()

    def _message_delta(self, value: Mapping[str, Any]) -> Chunks:
        delta = field(value, "delta", dict) or {}
        self._seen = True
        reason = self._text(delta, "stop_reason")
        if failure := finish_error(reason):
            raise failure
        told = self._take_usage(value)
        usage = self._if_valid(lambda: usage_of(self._usage)) if told else None
        beside = {key: it for key, it in value.items() if key not in {"type", "delta", "usage"}}
        chunk = ModelResponseStream(usage=usage, provider_specific_fields=beside or None)
        if reason:
            while self._blocks:  # not closed, and yet there will be no more of them
                yield from self._blocks.pop(min(self._blocks)).close()
            self._complete = True
            extras = {key: it for key, it in delta.items() if it is not None}
            del extras["stop_reason"]
            chunk.choices = [StreamingChoices(finish_reason=reason, extras=extras or None)]
        yield chunk


def _index(value: Mapping[str, Any]) -> int:
    index = field(value, "index", int)
    if index is None:
        raise StreamProtocolError("an event of a content block without its index", body=value)
    return index
