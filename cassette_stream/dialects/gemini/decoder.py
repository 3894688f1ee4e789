"""Gemini generateContent: the body of a stream in, chunks out.

Every frame is a whole response with the next parts in it. There is no terminator, and a
finish reason is no end: candidates do go on after one (code that runs, tools on the server,
older models in every frame). So finish reasons wait for the end of the body, as the usage
does, which every frame repeats; of both the last one counts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

from cassette_stream.chunks import Delta, ModelResponseStream, StreamingChoices
from cassette_stream.dialects.decoding import (
    UNREADABLE,
    Chunks,
    EventDecoder,
    field,
    json_object,
    unix_seconds,
)
from cassette_stream.dialects.error_body import complains
from cassette_stream.dialects.errors import stream_error
from cassette_stream.dialects.gemini.answer import Answer
from cassette_stream.dialects.gemini.frames import Frames
from cassette_stream.dialects.gemini.usage import usage_of
from cassette_stream.dialects.whole import whole_text
from cassette_stream.exceptions import MalformedStreamError
from cassette_stream.wire import ServerSentEvent

__all__ = ("Decoder", "whole_body")

_FRAME_FIELDS: Final = frozenset(
    {"candidates", "createTime", "modelVersion", "promptFeedback", "responseId", "usageMetadata"}
)


class _Part(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    text: str
    thought: bool = False


class _Content(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    parts: list[_Part]
    role: str = ""


class _Candidate(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    content: _Content
    index: int = 0


class _Frame(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    candidates: list[_Candidate]
    createTime: str = ""  # noqa: N815 - the provider's names
    usageMetadata: msgspec.Raw = msgspec.Raw()  # noqa: N815
    modelVersion: str = ""  # noqa: N815
    responseId: str = ""  # noqa: N815


_quick = msgspec.json.Decoder(_Frame).decode


class Decoder(EventDecoder):
    """A decoder of one stream; chunks are raw progress, for `NormalForm` to put in order.

    The body may be an event stream or a JSON array; the first byte tells. *complete* says
    whether every candidate that was seen has a finish reason, or the prompt was blocked;
    *terminal_seen* whether the array was closed, for streams have no such sign. *warnings*
    says what was left out because *strict* is off.

    What has no place in a chunk goes along as the provider's: parts of other kinds in
    ``provider_specific_fields["parts"]`` of a delta, signatures in ``["thought_signatures"]``
    or, as ``["thought_signature"]``, at the call that they belong to; ratings, citations and
    sources as extras of the choice.

    Args:
        strict: Frames that are not as the format says are errors. Else they are left out, and a
            number where a text belongs is written as one.
    """

    __slots__ = ("_answers", "_frames", "_id", "_started", "_usage")

    def __init__(self, *, strict: bool = True) -> None:
        self._frames = Frames()
        super().__init__(self._frames, strict=strict)
        self._answers: dict[int, Answer] = {}
        self._started = False
        self._id = ""
        self._usage: bytes | Mapping[str, Any] | None = None

    @property
    def complete(self) -> bool:
        return bool(self._answers) and not self._unfinished()

    def _unfinished(self) -> list[int]:
        return [index for index, answer in self._answers.items() if answer.reason is None]

    def _what_is_missing(self) -> str:
        if not self._answers:
            return "before any candidate began"
        return f"without a finish reason for candidate {', '.join(map(str, self._unfinished()))}"

    def _chunks(self, events: Iterator[ServerSentEvent]) -> Chunks:
        yield from super()._chunks(events)
        self.terminal_seen = self.terminal_seen or self._frames.ended

    def _quick(self, event: ServerSentEvent) -> ModelResponseStream | None:
        if not self._started:
            return None
        try:
            frame = _quick(event.data)
        except UNREADABLE:
            return None
        if len(frame.candidates) != 1 or len(frame.candidates[0].content.parts) != 1:
            return None
        candidate = frame.candidates[0]
        if candidate.index not in self._answers:
            return None
        usage, part = bytes(frame.usageMetadata), candidate.content.parts[0]
        text = part.text
        if not text or (usage and not usage.startswith(b"{")):
            return None
        if b"TokenCount" in usage:
            self._usage = usage
        delta = Delta(reasoning_content=text) if part.thought else Delta(content=text)
        return ModelResponseStream(choices=[StreamingChoices(index=candidate.index, delta=delta)])

    def _read(self, event: ServerSentEvent) -> Chunks:
        return self._take(json_object(event.data))

    def take(self, frame: Mapping[str, Any]) -> Chunks:
        """What one *frame* says.

        Raises:
            APIError: While iterating: as `feed`.
        """
        return self._guarded(lambda: self._take(frame))

    def _take(self, frame: Mapping[str, Any]) -> Chunks:
        if frame.get("error") or (_FRAME_FIELDS.isdisjoint(frame) and complains(frame)):
            raise stream_error(frame)
        usage = field(frame, "usageMetadata", dict) or {}
        if any(name.endswith("TokenCount") for name in usage):
            self._usage = usage
        yield from self._head(frame)
        for position, candidate in enumerate(field(frame, "candidates", list) or ()):
            self._seen = True
            if not isinstance(candidate, Mapping):
                raise MalformedStreamError(f"a candidate must be an object, not {candidate!r}")
            index = field(candidate, "index", int)
            yield from self._answer(position if index is None else index).take(candidate)

    def _head(self, frame: Mapping[str, Any]) -> Chunks:
        """What *frame* says of the response as a whole."""
        feedback = field(frame, "promptFeedback", dict)
        extras = {name: it for name, it in frame.items() if name not in _FRAME_FIELDS}
        self._seen = self._seen or len(extras) < len(frame)
        if feedback and (reason := self._text(feedback, "blockReason")):
            message = self._text(feedback, "blockReasonMessage")
            self._answer(0).end("content_filter", message, raw=reason)
        if self._started and not feedback and not extras:
            return
        self._started = True
        self._id = self._id or self._text(frame, "responseId")
        yield ModelResponseStream(
            id=self._id,
            created=unix_seconds(self._text(frame, "createTime")),
            model=self._text(frame, "modelVersion"),
            provider_specific_fields={"promptFeedback": feedback} if feedback else None,
            extras=extras or None,
        )

    def _answer(self, index: int) -> Answer:
        answer = self._answers.get(index)
        if answer is None:
            seed = f"{self._id}/{index}"
            answer = self._answers[index] = Answer(index, seed=seed, strict=self._strict)
        return answer

    def _last_chunks(self) -> Chunks:
        for _, answer in sorted(self._answers.items()):
            yield from answer.last_chunks()
        counts, self._usage = self._usage, None
        if counts is not None:
            told = json_object(counts) if isinstance(counts, bytes) else counts
            yield ModelResponseStream(usage=self._if_valid(lambda: usage_of(told)))


def whole_body(body: bytes, *, strict: bool = True) -> list[ModelResponseStream]:
    """The chunks for a response that is no stream, but one JSON text.

    Raises:
        APIError: It reports an error; the class says which.
        MalformedStreamError: It is no response: a page, or any other text.
        EmptyStreamError: There is nothing in it.
        StreamTruncatedError: A candidate has no finish reason.
    """
    text = whole_text(body)
    decoder = Decoder(strict=strict)
    is_array = text.startswith("[")
    said = decoder.feed(text.encode()) if is_array else decoder.take(json_object(text))
    return [*said, *decoder.finish()]
