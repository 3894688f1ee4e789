"""OpenAI chat completions: the body of a stream in, chunks out.

Every chunk that adds nothing odd is read from its JSON straight into our objects. Whatever
that refuses, an unknown key already, is read again as a plain value and mended; the
result is the same wherever both can read. What is not understood is an error, never a skip.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

import msgspec

from cassette_stream.chunks import ModelResponseStream, StreamingChoices
from cassette_stream.chunks.reading import read_chunk
from cassette_stream.dialects.errors import finish_error, stream_error
from cassette_stream.dialects.openai_chat.mending import mended, settle_calls, settle_usage
from cassette_stream.exceptions import (
    EmptyStreamError,
    MalformedStreamError,
    StreamTruncatedError,
    WireFormatError,
)
from cassette_stream.wire import ServerSentEvent, SSEDecoder

__all__ = ("Decoder", "event_object")

Chunks: TypeAlias = Iterator[ModelResponseStream]

_quick = msgspec.json.Decoder(ModelResponseStream).decode
_plain = msgspec.json.Decoder().decode
# Nested deeper than the stack, a text is JSON and still nothing to read.
_UNREADABLE = (msgspec.DecodeError, RecursionError)
_PINGS = frozenset({"heartbeat", "keep-alive", "keepalive", "ping"})


class Decoder:
    """A decoder of one stream; chunks are raw progress, for `NormalForm` to put in order.

    *complete* says whether every choice that was seen has its finish reason, and
    *terminal_seen* whether ``[DONE]`` came; what comes after it is ignored. *warnings* says
    what was left out because *strict* is off.

    Args:
        strict: Bytes that are not as the format says are errors. Else an event that cannot be
            read is left out, and a number where a text belongs is written as one.
    """

    __slots__ = ("_finished", "_open", "_seen", "_sse", "_strict", "terminal_seen", "warnings")

    def __init__(self, *, strict: bool = True) -> None:
        self.terminal_seen = False
        self.warnings: list[str] = []
        self._strict = strict
        self._sse = SSEDecoder()
        self._seen = False  # an event of any use
        self._open: set[int] = set()  # choices without a finish reason
        self._finished: set[int] = set()

    @property
    def complete(self) -> bool:
        return bool(self._finished) and not self._open

    def feed(self, data: bytes) -> Chunks:
        """Take *data*, and give an iterator over the chunks that it completes.

        *data* is taken when this is called. The chunks before an error are still yours; after
        an error the decoder must not be used.

        Raises:
            MalformedStreamError: While iterating, as are all but the last: bytes, JSON or types
                that cannot be read.
            APIError: The provider reports an error; the class says which.
            ValueError: After `finish`.
        """
        return self._chunks(self._sse.feed(data))

    def finish(self) -> Chunks:
        """Say that the body has ended, and give what that completes.

        Raises:
            StreamTruncatedError: While iterating, as all: a choice has no finish reason.
            EmptyStreamError: The body held no event of any use.
            APIError: As `feed`.
        """
        yield from self._chunks(self._sse.finish(lenient=True))
        if self.complete:
            return
        if not self._seen and not self._sse.truncated:
            raise EmptyStreamError("the body ended, and there was no chunk in it")
        raise StreamTruncatedError(f"the stream ended {self._where()}")

    def _where(self) -> str:
        if self._sse.truncated:
            return "inside an event"
        after = "after [DONE], but " if self.terminal_seen else ""
        if not self._open:
            return f"{after}before any answer began"
        choices = ", ".join(map(str, sorted(self._open)))
        return f"{after}without a finish reason for choice {choices}"

    def _chunks(self, events: Iterator[ServerSentEvent]) -> Chunks:
        try:
            for event in events:
                if self.terminal_seen:
                    return
                try:
                    chunk = _quick(event.data)
                except _UNREADABLE:
                    yield from self._unusual(event)
                    continue
                choices = chunk.choices
                if len(choices) == 1 and chunk.usage is None:
                    choice = choices[0]
                    delta = choice.delta
                    if (
                        choice.finish_reason is None
                        and choice.index in self._open
                        and delta.audio is None
                    ):
                        if delta.tool_calls is not None:
                            settle_calls(delta)
                        yield chunk
                        continue
                yield from self._settled(chunk) if choices else self._unusual(event)
        except WireFormatError as error:
            raise MalformedStreamError(f"the stream cannot be read: {error}") from error

    def _unusual(self, event: ServerSentEvent) -> Chunks:
        """What the quick way refuses: the end, errors, unknown keys, odd values."""
        data = event.data.strip()
        if data == "[DONE]":
            self.terminal_seen = True
        elif data:
            try:
                value = event_object(data)
                yield from self.take(value, failed=event.event == "error")
            except MalformedStreamError as error:
                if event.event in _PINGS:
                    return
                if self._strict:
                    raise
                self.warnings.append(f"an event was left out: {error.message}")

    def take(self, value: Mapping[str, Any], *, failed: bool = False) -> Chunks:
        """The chunks for one event whose JSON was read already; *failed* if it is named an error.

        Raises:
            APIError: As `feed`.
        """
        error = _error_in(value, failed=failed)
        if error is not None:
            if value.get("choices"):
                yield from self._last_words(value)
            raise stream_error(error, body=value)
        chunk = read_chunk(mended(value), strict=self._strict)
        # An event without either is none of this format: a ping, or of a kind yet to come.
        if "choices" in value or chunk.usage is not None:
            yield from self._settled(chunk)

    def _last_words(self, value: Mapping[str, Any]) -> Chunks:
        """What a chunk that reports an error says besides."""
        try:
            chunk = read_chunk(mended({**value, "error": None}), strict=False)
        except MalformedStreamError:
            return  # the error that the caller is about to hear of tells more
        chunk.choices = [choice for choice in chunk.choices if _speaks(choice)]
        for choice in chunk.choices:
            choice.finish_reason = None
        if chunk.choices:
            yield chunk

    def _settled(self, chunk: ModelResponseStream) -> Chunks:
        """*chunk*, with its oddities put right and its finish reasons noted."""
        self._seen = True
        if chunk.usage is not None:
            settle_usage(chunk.usage)
        failure = None
        for choice in chunk.choices:
            settle_calls(choice.delta)
            reason = choice.finish_reason
            broken = finish_error(reason or _native_reason(choice))
            if broken:
                choice.finish_reason = None
                failure = broken
            elif reason or _spoken(choice):
                self._open.discard(choice.index)
                self._finished.add(choice.index)
            elif choice.index not in self._finished:
                self._open.add(choice.index)
        if failure is None or any(map(_speaks, chunk.choices)):
            yield chunk
        if failure is not None:
            raise failure


def event_object(text: str | bytes) -> Mapping[str, Any]:
    """The JSON object that *text* spells, or the only item of an array, if that is an error.

    Raises:
        MalformedStreamError: It spells none.
    """
    try:
        value = _plain(text)
    except _UNREADABLE as error:
        raise MalformedStreamError(f"no JSON: {_excerpt(text)}: {error}", body=text) from error
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], dict):
        value = value[0] if "error" in value[0] else value
    if not isinstance(value, dict):
        raise MalformedStreamError(f"no JSON object: {_excerpt(text)}", body=text)
    return value


def _excerpt(text: str | bytes) -> str:
    shown = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    return repr(shown if len(shown) <= 100 else f"{shown[:100]}...")


def _error_in(value: Mapping[str, Any], *, failed: bool) -> object:
    """The error that an event reports, None where it reports none.

    *failed* is the word of the event's name. What is no chunk and has a message is an error
    as well: there is nothing else that a provider could mean.
    """
    groq = value.get("x_groq")
    for place in (value, groq if isinstance(groq, Mapping) else {}):
        if place.get("error"):
            return place
    if value.get("choices") or not (
        failed
        or value.get("object") == "error"
        or ("choices" not in value and (isinstance(value.get("message"), str) or "detail" in value))
    ):
        return None
    return value


def _native_reason(choice: StreamingChoices) -> str:
    """OpenRouter: what its provider says where it says nothing itself."""
    native = (choice.extras or {}).get("native_finish_reason")
    return native if isinstance(native, str) else ""


def _speaks(choice: StreamingChoices) -> bool:
    delta = choice.delta
    return bool(
        delta.content
        or delta.reasoning_content
        or delta.refusal
        or delta.tool_calls
        or delta.function_call
        or delta.audio
        or delta.images
    )


def _spoken(choice: StreamingChoices) -> bool:
    """Whether a spoken answer is at its end: its audio has a date, and no finish reason comes."""
    audio = choice.delta.audio
    return audio is not None and audio.expires_at is not None
