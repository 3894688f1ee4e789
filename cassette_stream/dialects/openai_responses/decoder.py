"""The Responses API: the body of a stream in, chunks out.

Deltas of text and of arguments, nearly all of a stream, are read from their JSON straight
into a struct; everything else as a plain value, with the same result wherever both can read.
What is not understood is an error, never a skip; only events of unknown types are ignored.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeAlias

import msgspec

from cassette_stream.chunks import Delta, ModelResponseStream
from cassette_stream.dialects.openai_responses.progress import Progress
from cassette_stream.dialects.openai_responses.reading import (
    UNREADABLE,
    failure,
    json_object,
    text,
)
from cassette_stream.exceptions import (
    EmptyStreamError,
    MalformedStreamError,
    StreamProtocolError,
    StreamTruncatedError,
    WireFormatError,
)
from cassette_stream.wire import ServerSentEvent, SSEDecoder

__all__ = ("Decoder", "whole_body")

Chunks: TypeAlias = Iterator[ModelResponseStream]

_ENDS = {"": "completed", "completed": "completed", "incomplete": "incomplete"}


class _Delta(msgspec.Struct, gc=False):
    """An event, as far as the two common kinds go."""

    type: str
    delta: str = ""
    output_index: int = -1
    logprobs: list[Any] | None = None


_quick = msgspec.json.Decoder(_Delta).decode


class Decoder:
    """A decoder of one stream; chunks are raw progress, for `NormalForm` to put in order.

    *complete* and *terminal_seen* say whether an event told the end of the response; what
    comes after it is ignored. *warnings* says what was left out because *strict* is off.

    Args:
        strict: Bytes that are not as the format says are errors, and so are arguments that
            are told otherwise in the end. Else an event that cannot be read is left out, and
            a number where a text belongs is written as one.
    """

    __slots__ = ("_progress", "_seen", "_sse", "_strict")

    def __init__(self, *, strict: bool = True) -> None:
        self._strict = strict
        self._sse = SSEDecoder()
        self._progress = Progress(strict=strict)
        self._seen = False  # an event of any use

    @property
    def terminal_seen(self) -> bool:
        return self._progress.ended

    @property
    def complete(self) -> bool:
        return self._progress.ended

    @property
    def warnings(self) -> list[str]:
        return self._progress.warnings

    def feed(self, data: bytes) -> Chunks:
        """Take *data*, and give an iterator over the chunks that it completes.

        *data* is taken when this is called. The chunks before an error are still yours; after
        an error the decoder must not be used.

        Raises:
            MalformedStreamError: While iterating, as are all but the last: bytes, JSON or types
                that cannot be read.
            StreamProtocolError: A delta belongs to no tool call, or a tool call is told
                otherwise in the end.
            APIError: The provider reports an error; the class says which.
            ValueError: After `finish`.
        """
        return self._chunks(self._sse.feed(data))

    def finish(self) -> Chunks:
        """Say that the body has ended, and give what that completes.

        Raises:
            StreamTruncatedError: While iterating, as all: no event told the end.
            EmptyStreamError: The body held no event of any use.
            APIError: As `feed`.
        """
        yield from self._chunks(self._sse.finish(lenient=True))
        if self._progress.ended:
            return
        if self._sse.truncated:
            raise StreamTruncatedError("the stream ended inside an event")
        if not self._seen:
            raise EmptyStreamError("the body ended, and there was no event in it")
        raise StreamTruncatedError("the stream ended without response.completed")

    def _chunks(  # noqa: C901 - each chunk passes here, so the two quick ways stand in line
        self, events: Iterator[ServerSentEvent]
    ) -> Chunks:
        progress = self._progress
        if progress.ended:
            return
        open_calls = progress.calls.open
        try:
            for event in events:
                try:
                    delta = _quick(event.data)
                except UNREADABLE:
                    delta = None
                else:
                    self._seen = True
                if delta is None or not delta.delta or delta.output_index < 0 or delta.logprobs:
                    yield from self._unusual(event)
                elif delta.type == "response.output_text.delta":
                    if delta.output_index != progress.speaking:
                        progress.speak(delta.output_index)
                    yield progress.chunk(Delta(content=delta.delta))
                elif (
                    delta.type == "response.function_call_arguments.delta"
                    and delta.output_index in open_calls
                ):
                    fragment = open_calls[delta.output_index].add(delta.delta)
                    yield progress.chunk(Delta(tool_calls=[fragment]))
                else:
                    yield from self._unusual(event)
                if progress.ended:
                    return
        except WireFormatError as error:
            raise MalformedStreamError(f"the stream cannot be read: {error}") from error

    def _unusual(self, event: ServerSentEvent) -> Chunks:
        """What the quick way does not read."""
        data = event.data.strip()
        if not data or data == "[DONE]":
            return
        try:
            value = json_object(data)
            self._seen = True
            yield from self._progress.take(value)
        except (MalformedStreamError, StreamProtocolError) as error:
            if self._strict:
                raise
            self.warnings.append(f"an event was left out: {error.message}")


def whole_body(body: bytes, *, strict: bool = True) -> list[ModelResponseStream]:
    """The chunks for a response that is no stream, but one JSON text.

    Raises:
        APIError: It reports an error; the class says which.
        MalformedStreamError: It is no response: a page, or any other text.
        EmptyStreamError: There is nothing in it.
        StreamTruncatedError: The response has not ended, or was cancelled.
    """
    if not body.strip():
        raise EmptyStreamError("the body is empty")
    value = json_object(body)
    status = text(value, "status", strict=strict)
    if value.get("error") or status == "failed":
        raise failure(value.get("error"), value)
    if not isinstance(value.get("output"), list):
        raise MalformedStreamError(f"no response: {body[:100]!r}", body=value)
    if status not in _ENDS:
        raise StreamTruncatedError(f"the response is {status}, not completed", body=value)
    event = {"type": f"response.{_ENDS[status]}", "response": value}
    return list(Progress(strict=strict).take(event))
