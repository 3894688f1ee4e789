"""OpenAI chat completions: the body of a stream in, chunks out.

A chunk that has nothing odd about it is read from its JSON straight into our objects, and
one that only has unknown keys nearly so. Everything else is read as a plain value and
mended; the result is the same wherever more than one way can read it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from cassette_stream.chunks import ModelResponseStream, StreamingChoices
from cassette_stream.chunks.reading import read_chunk
from cassette_stream.dialects.decoding import (
    UNREADABLE,
    Chunks,
    EventDecoder,
    json_object,
)
from cassette_stream.dialects.error_body import complains
from cassette_stream.dialects.errors import finish_error, stream_error
from cassette_stream.dialects.openai_chat.extras import with_extras
from cassette_stream.dialects.openai_chat.mending import mended, settle_calls, settle_usage
from cassette_stream.exceptions import MalformedStreamError
from cassette_stream.wire import ServerSentEvent, SSEDecoder

__all__ = ("Decoder", "event_object")

_typed = msgspec.json.Decoder(ModelResponseStream).decode
_PINGS = frozenset({"heartbeat", "keep-alive", "keepalive", "ping"})


class Decoder(EventDecoder):
    """A decoder of one stream; chunks are raw progress, for `NormalForm` to put in order.

    *complete* says whether every choice that was seen has its finish reason, *terminal_seen*
    whether ``[DONE]`` came.

    Args:
        strict: Bytes that are not as the format says are errors. Else an event that cannot be
            read is left out, and a number where a text belongs is written as one.
    """

    __slots__ = ("_finished", "_open")

    def __init__(self, *, strict: bool = True) -> None:
        super().__init__(SSEDecoder(), strict=strict)
        self._open: set[int] = set()  # choices without a finish reason
        self._finished: set[int] = set()

    @property
    def complete(self) -> bool:
        return bool(self._finished) and not self._open

    def _what_is_missing(self) -> str:
        after = "after [DONE], but " if self.terminal_seen else ""
        if not self._open:
            return f"{after}before any answer began"
        choices = ", ".join(map(str, sorted(self._open)))
        return f"{after}without a finish reason for choice {choices}"

    def _quick(self, event: ServerSentEvent) -> ModelResponseStream | None:
        try:
            chunk = _typed(event.data)
        except UNREADABLE:
            rest = with_extras(event.data)
            if rest is None:
                return None
            chunk = rest
        choices = chunk.choices
        if len(choices) != 1 or chunk.usage is not None:
            return None
        choice = choices[0]
        delta = choice.delta
        # What begins or ends a choice is noted the other way.
        if choice.index not in self._open or choice.finish_reason or delta.audio is not None:
            return None
        if delta.tool_calls is not None:
            settle_calls(delta)
        return chunk

    def _read(self, event: ServerSentEvent) -> Chunks:
        data = event.data.strip()
        if event.event not in _PINGS or data.startswith("{"):
            yield from self.take(event_object(data), failed=event.event == "error")

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


def event_object(text: str) -> Mapping[str, Any]:
    """The JSON object of an event, or the only one in an array: so Google sends an error.

    Raises:
        MalformedStreamError: There is none.
    """
    return json_object(text[1:-1] if text.startswith("[") and text.endswith("]") else text)


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
        failed or value.get("object") == "error" or ("choices" not in value and complains(value))
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
