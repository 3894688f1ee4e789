"""Bedrock's Converse stream: the body in AWS frames in, chunks out.

What a frame says its own headers tell. Content comes in blocks; one of text or thoughts is
opened by its first delta. Calls are counted in the order of their blocks. The reason comes
first and the usage behind it: an answer without usage is complete, but not at its end.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
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
from cassette_stream.dialects.aws_frames import FIRST_BYTES, Frames, refusal
from cassette_stream.dialects.bedrock_converse.usage import usage_of
from cassette_stream.dialects.decoding import (
    UNREADABLE,
    Chunks,
    EventDecoder,
    field,
    json_object,
)
from cassette_stream.dialects.errors import finish_error
from cassette_stream.exceptions import StreamProtocolError
from cassette_stream.wire import ServerSentEvent

__all__ = ("Decoder",)

# The padding hides from eavesdroppers how long a text is; it says nothing.
_PADDING: Final = "p"

# What contradicts a block of a call; a kind that is yet to come may be anywhere.
_OF_NO_CALL: Final = frozenset({"citation", "reasoningContent", "text"})


class _ToolUse(msgspec.Struct, gc=False):
    input: str


class _Delta(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    text: str | None = None
    toolUse: _ToolUse | None = None  # noqa: N815 - as it stands on the wire


class _BlockDelta(msgspec.Struct, gc=False):
    contentBlockIndex: int  # noqa: N815
    delta: _Delta


_quick = msgspec.json.Decoder(_BlockDelta).decode


class Decoder(EventDecoder):
    """A decoder of one stream; chunks are raw progress, for `NormalForm` to put in order.

    *complete* says whether ``messageStop`` came, *terminal_seen* whether ``metadata`` came
    behind it; what comes after that is ignored. *warnings* says what was left out because
    *strict* is off.

    What has no place in a chunk goes along as the provider's: blocks of other kinds in
    ``provider_specific_fields["content_blocks"]`` and deltas of other kinds in ``["deltas"]``
    of a delta, ``metrics``, ``trace`` and their like in those of the chunk.

    Args:
        strict: Events that are not as the format says are errors. Else they are left out, and a
            number where a text belongs is written as one.
    """

    __slots__ = ("_blocks", "_calls", "_complete", "_has_blocks")

    def __init__(self, *, strict: bool = True) -> None:
        super().__init__(Frames(), strict=strict)
        self._complete = False
        self._has_blocks = False
        self._blocks: dict[int, Block] = {}
        self._calls = 0

    @staticmethod
    def is_stream(start: bytes) -> bool:
        return start[:1] in FIRST_BYTES

    @property
    def complete(self) -> bool:
        return self._complete

    def _what_is_missing(self) -> str:
        if self._blocks:
            return f"within content block {max(self._blocks)}"
        return "without a stop reason"

    def _quick(self, event: ServerSentEvent) -> ModelResponseStream | None:
        if event.event != "contentBlockDelta" or refusal(event):
            return None
        try:
            value = _quick(event.data)
        except UNREADABLE:
            return None
        block, delta = self._blocks.get(value.contentBlockIndex), value.delta
        if block is None:
            return None
        calls = block.kind in CALLS
        if delta.text and delta.toolUse is None and not calls:
            return spoken(Delta(content=delta.text))
        if delta.toolUse is not None and delta.toolUse.input and delta.text is None and calls:
            return block.fragment(delta.toolUse.input)
        return None

    def _read(self, event: ServerSentEvent) -> Chunks:
        if error := refusal(event):
            raise error
        return self._take(json_object(event.data), event.event)

    def take(self, value: Mapping[str, Any], kind: str) -> Chunks:
        """What an event of this *kind* says.

        Raises:
            APIError: While iterating: as `feed`.
        """
        return self._guarded(lambda: self._take(value, kind))

    def _take(self, value: Mapping[str, Any], kind: str) -> Chunks:
        match kind:
            case "contentBlockDelta":
                return self._block_delta(value)
            case "contentBlockStart":
                return self._block_start(value)
            case "contentBlockStop":
                return self._block_stop(value)
            case "messageStart":
                self._seen = True
                if self._has_blocks:
                    raise StreamProtocolError("the message began again, in its middle", body=value)
            case "messageStop":
                return self._message_stop(value)
            case "metadata":
                return self._metadata(value)
        return iter(())  # of a kind that is yet to come

    def _block_start(self, value: Mapping[str, Any]) -> Chunks:
        index, start = _index(value), field(value, "start", dict) or {}
        self._seen = self._has_blocks = True
        if index in self._blocks:
            raise StreamProtocolError(f"content block {index} began twice", body=value)
        tool = field(start, "toolUse", dict)
        if tool is not None:
            kind = self._text(tool, "type")
            block = Block(kind if kind in CALLS else "tool_use")
            beside = {"toolUseId", "type"}
            content = {"id": tool.get("toolUseId")}
            content |= {key: it for key, it in tool.items() if key not in beside}
            yield block.open(self._calls, content, self._text)
            self._calls += 1
        else:
            block = Block(next(iter(start), "text"))
            if start:
                yield native(content_blocks=[start])
        self._blocks[index] = block

    def _block_delta(self, value: Mapping[str, Any]) -> Chunks:
        index, delta = _index(value), field(value, "delta", dict) or {}
        self._seen = self._has_blocks = True
        for kind in delta:
            block = self._blocks.get(index)
            calls = block is not None and block.kind in CALLS
            if kind in _OF_NO_CALL if calls else kind == "toolUse":
                of = "not open" if block is None else f"of {block.kind}"
                raise StreamProtocolError(f"a {kind} in content block {index}, {of}", body=value)
            if block is None:
                block = self._blocks[index] = Block(kind)
            yield from self._progress(index, block, delta, kind)

    def _progress(self, index: int, block: Block, delta: Mapping[str, Any], kind: str) -> Chunks:
        match kind:
            case "text":
                if text := self._text(delta, "text"):
                    yield spoken(Delta(content=text))
            case "toolUse":
                if arguments := self._text(field(delta, "toolUse", dict) or {}, "input"):
                    yield block.fragment(arguments)
            case "reasoningContent":
                yield from self._thought(index, field(delta, "reasoningContent", dict) or {})
            case "citation":
                yield native(citation=delta["citation"])
            case _:
                yield native(deltas=[{kind: delta[kind], "index": index}])

    def _thought(self, index: int, value: Mapping[str, Any]) -> Chunks:
        if text := self._text(value, "text"):
            thought = Thinking(thinking=text, index=index)
            yield spoken(Delta(reasoning_content=text, thinking_blocks=[thought]))
        if signature := self._text(value, "signature"):
            signed = Thinking(thinking="", signature=signature, index=index)
            yield spoken(Delta(thinking_blocks=[signed]))
        if data := self._text(value, "redactedContent"):
            redacted = RedactedThinking(data=data, index=index)
            yield spoken(Delta(thinking_blocks=[redacted]))

    def _block_stop(self, value: Mapping[str, Any]) -> Chunks:
        self._seen = True
        # A block of text that is empty has neither a beginning nor a delta, but it has an end.
        block = self._blocks.pop(_index(value), None)
        if block is not None:
            yield from block.close()

    def _message_stop(self, value: Mapping[str, Any]) -> Chunks:
        self._seen = True
        reason = self._text(value, "stopReason")
        if failure := finish_error(reason):
            raise failure
        chunk = ModelResponseStream(provider_specific_fields=_beside(value, "stopReason"))
        if reason:
            while self._blocks:  # not closed, and yet there will be no more of them
                yield from self._blocks.pop(min(self._blocks)).close()
            self._complete = True
            chunk.choices = [StreamingChoices(finish_reason=reason)]
        yield chunk

    def _metadata(self, value: Mapping[str, Any]) -> Iterator[ModelResponseStream]:
        self._seen = True
        self.terminal_seen = self._complete
        counts = field(value, "usage", dict)
        tier = field(value, "serviceTier", dict) or {}
        yield ModelResponseStream(
            usage=None if counts is None else self._if_valid(lambda: usage_of(counts)),
            service_tier=self._text(tier, "type") or None,
            provider_specific_fields=_beside(value, "usage", "serviceTier"),
        )


def _beside(value: Mapping[str, Any], *understood: str) -> dict[str, Any] | None:
    return {key: it for key, it in value.items() if key not in {*understood, _PADDING}} or None


def _index(value: Mapping[str, Any]) -> int:
    index = field(value, "contentBlockIndex", int)
    if index is None:
        raise StreamProtocolError("an event of a content block without its index", body=value)
    return index
