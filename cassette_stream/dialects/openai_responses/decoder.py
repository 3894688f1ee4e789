"""The Responses API: the body of a stream in, chunks out.

Deltas of text and of arguments, nearly all of a stream, are read from their JSON straight
into a struct, everything else as a plain value. Events of unknown types are ignored.
"""

from __future__ import annotations

from typing import Any

import msgspec

from cassette_stream.chunks import Delta, ModelResponseStream
from cassette_stream.dialects.decoding import (
    UNREADABLE,
    Chunks,
    EventDecoder,
    json_object,
    text_of,
)
from cassette_stream.dialects.openai_responses.numbers import Numbers
from cassette_stream.dialects.openai_responses.progress import Progress
from cassette_stream.dialects.openai_responses.reading import failure
from cassette_stream.dialects.whole import whole_text
from cassette_stream.exceptions import (
    MalformedStreamError,
    StreamProtocolError,
    StreamTruncatedError,
)
from cassette_stream.wire import ServerSentEvent, SSEDecoder

__all__ = ("Decoder", "whole_body")

_FAILURES = ("error", "response.failed")
_LAST = (*_FAILURES, "response.completed", "response.incomplete")
_ENDS = {"": "completed", "completed": "completed", "incomplete": "incomplete"}


class _Delta(msgspec.Struct, gc=False):
    """An event, as far as the two common kinds go."""

    type: str
    delta: str = ""
    output_index: int = -1
    sequence_number: int | None = None
    logprobs: list[Any] | None = None


_delta = msgspec.json.Decoder(_Delta).decode


class Decoder(EventDecoder):
    """A decoder of one stream; chunks are raw progress, for `NormalForm` to put in order.

    *complete* and *terminal_seen* say whether an event told the end of the response; what
    comes after it is ignored. *warnings* says what was left out because *strict* is off.

    Args:
        strict: Bytes that are not as the format says are errors, and so are arguments that
            are told otherwise in the end. Else an event that cannot be read is left out, and
            a number where a text belongs is written as one.
    """

    __slots__ = ("_numbers", "_progress")

    def __init__(self, *, strict: bool = True) -> None:
        super().__init__(SSEDecoder(), strict=strict)
        self._numbers = Numbers()
        self._progress = Progress(strict=strict, warnings=self.warnings)

    @property
    def complete(self) -> bool:
        return self._progress.ended

    def _quick(self, event: ServerSentEvent) -> ModelResponseStream | None:
        try:
            delta = _delta(event.data)
        except UNREADABLE:
            return None
        words, index, progress = delta.delta, delta.output_index, self._progress
        if not words or index < 0 or delta.logprobs or delta.sequence_number != self._numbers.next:
            return None
        if delta.type == "response.output_text.delta":
            if index != progress.speaking:
                progress.speak(index)
            made = Delta(content=words)
        elif (
            delta.type == "response.function_call_arguments.delta" and index in progress.calls.open
        ):
            made = Delta(tool_calls=[progress.calls.open[index].add(words)])
        else:
            return None
        self._seen = True
        if delta.sequence_number is not None:
            self._numbers.passed(delta.sequence_number)
        return progress.chunk(made)

    def _read(self, event: ServerSentEvent) -> Chunks:
        value = json_object(event.data)
        self._seen = True
        kind = value.get("type")
        # A failure says more than that its number is odd, which those who make it up get wrong.
        if kind not in _FAILURES and (odd := self._numbers.take(value.get("sequence_number"))):
            self._odd(odd, StreamProtocolError(odd, body=value))
        self.terminal_seen = kind in _LAST
        yield from self._progress.take(value)

    def _what_is_missing(self) -> str:
        return "without response.completed"


def whole_body(body: bytes, *, strict: bool = True) -> list[ModelResponseStream]:
    """The chunks for a response that is no stream, but one JSON text.

    Raises:
        APIError: It reports an error; the class says which.
        MalformedStreamError: It is no response: a page, or any other text.
        EmptyStreamError: There is nothing in it.
        StreamTruncatedError: The response has not ended, or was cancelled.
    """
    value = json_object(whole_text(body))
    status = text_of(value, "status", strict=strict)
    if value.get("error") or status == "failed":
        raise failure(value.get("error"), value)
    if not isinstance(value.get("output"), list):
        raise MalformedStreamError(f"no response: {body[:100]!r}", body=value)
    if status not in _ENDS:
        raise StreamTruncatedError(f"the response is {status}, not completed", body=value)
    event = {"type": f"response.{_ENDS[status]}", "response": value}
    return list(Progress(strict=strict, warnings=[]).take(event))
