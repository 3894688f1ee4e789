"""Ollama's chat: the body of a stream in, chunks out.

Every line is a response with the next of the answer in it, and the one that is ``done`` is
the last. What ``/api/generate`` says in other places is read as well. Tags in a text stay
text: a server that tells thoughts apart has a field for them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from cassette_stream.chunks import Delta, ModelResponseStream, StreamingChoices, Usage
from cassette_stream.dialects.decoding import (
    UNREADABLE,
    Chunks,
    EventDecoder,
    field,
    json_object,
    unix_seconds,
)
from cassette_stream.dialects.error_body import complains
from cassette_stream.dialects.errors import finish_error, stream_error
from cassette_stream.dialects.lines import Lines
from cassette_stream.dialects.ollama.message import calls_of, logprobs_of
from cassette_stream.dialects.whole import whole_text
from cassette_stream.exceptions import MalformedStreamError
from cassette_stream.wire import ServerSentEvent

__all__ = ("Decoder", "whole_body")

_PROMPT: Final = "prompt_eval_count"
_ANSWER: Final = "eval_count"
_DURATIONS: Final = (
    "total_duration",
    "load_duration",
    "prompt_eval_duration",
    "eval_duration",
)
_COUNTS: Final = frozenset({_PROMPT, _ANSWER, *_DURATIONS})
# What a line of this format has at least one of.
_SAYS: Final = frozenset({"done", "message", "response"})
_LINE_FIELDS: Final = _SAYS | _COUNTS | {"created_at", "done_reason", "logprobs", "model"}
_MESSAGE_FIELDS: Final = frozenset({"content", "role", "thinking", "tool_calls"})
_SSE_FIELDS: Final = ("data:", "event:", "id:", "retry:", ":")


class _Message(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    role: str
    content: str = ""
    thinking: str = ""


class _Line(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    model: str
    created_at: str
    message: _Message
    done: bool = False


_quick = msgspec.json.Decoder(_Line).decode


class Decoder(EventDecoder):
    """A decoder of one stream; chunks are raw progress, for `NormalForm` to put in order.

    *complete* says whether the model came to its end, *terminal_seen* whether a line was
    ``done``. Tool calls are counted over the stream, and have an id even where the server
    gives none. How long things took goes along as extras of the usage, in nanoseconds; what
    else has no place in a chunk, as ``provider_specific_fields`` of the delta or as extras.

    Args:
        strict: Lines that are not as the format says are errors. Else they are left out, and a
            number where a text belongs is written as one.
    """

    __slots__ = ("_calls", "_complete", "_seed")

    def __init__(self, *, strict: bool = True) -> None:
        super().__init__(Lines(), strict=strict)
        self._calls = 0
        self._complete = False
        self._seed: str | None = None  # of the ids of calls; None before the first line

    @property
    def complete(self) -> bool:
        return self._complete

    @staticmethod
    def is_stream(start: bytes) -> bool | None:
        """Whether lines follow: each is an object, and none is broken over several lines."""
        return start[:1] == b"{" and not start[1:].lstrip(b" \t").startswith((b"\n", b"\r"))

    def _what_is_missing(self) -> str:
        after = "after [DONE], but " if self.terminal_seen else ""
        return f"{after}without a line that is done"

    def _quick(self, event: ServerSentEvent) -> ModelResponseStream | None:
        if self._seed is None:
            return None
        try:
            line = _quick(event.data)
        except UNREADABLE:
            return None
        message = line.message
        if line.done or bool(message.content) == bool(message.thinking):
            return None
        if message.content:
            delta = Delta(content=message.content)
        else:
            delta = Delta(reasoning_content=message.thinking)
        return ModelResponseStream(choices=[StreamingChoices(delta=delta)])

    def _read(self, event: ServerSentEvent) -> Chunks:
        return self._take(_line_object(event.data))

    def take(self, line: Mapping[str, Any]) -> Chunks:
        """What one *line* says.

        Raises:
            APIError: While iterating: as `feed`.
        """
        return self._guarded(lambda: self._take(line))

    def _take(self, line: Mapping[str, Any]) -> Chunks:
        if line.get("error") or (_LINE_FIELDS.isdisjoint(line) and complains(line)):
            raise stream_error(line)
        if _SAYS.isdisjoint(line):
            return  # of a kind yet to come, or another endpoint's
        done = line.get("done")
        if not (done is None or isinstance(done, bool)):
            raise MalformedStreamError(f"done must be true or false, not {done!r}", body=line)
        self._seen = True
        yield from self._head(line)
        choice = StreamingChoices(delta=self._delta(line), logprobs=logprobs_of(line))
        reason = (self._text(line, "done_reason") or "stop") if done else None
        failure = finish_error(reason or "")
        if failure is None:
            choice.finish_reason = reason
        yield ModelResponseStream(choices=[choice])
        if not done:
            return
        if _PROMPT in line or _ANSWER in line:
            yield ModelResponseStream(usage=self._if_valid(lambda: _usage(line)))
        self.terminal_seen = True
        if failure is not None:
            raise failure
        self._complete = True

    def _head(self, line: Mapping[str, Any]) -> Chunks:
        """What *line* says of the response as a whole."""
        extras = {name: it for name, it in line.items() if name not in _LINE_FIELDS}
        if "message" not in line:
            extras.pop("thinking", None)
        if self._seed is not None and not extras:
            return
        model, date = self._text(line, "model"), self._text(line, "created_at")
        if self._seed is None:
            self._seed = f"{model}/{date}"
        yield ModelResponseStream(created=unix_seconds(date), model=model, extras=extras or None)

    def _delta(self, line: Mapping[str, Any]) -> Delta:
        message = field(line, "message", dict)
        if message is None:  # /api/generate
            message = {"content": line.get("response"), "thinking": line.get("thinking")}
        calls = calls_of(message, self._calls, seed=self._seed or "", strict=self._strict)
        self._calls += len(calls)
        others = {name: it for name, it in message.items() if name not in _MESSAGE_FIELDS}
        return Delta(
            content=self._text(message, "content") or None,
            reasoning_content=self._text(message, "thinking") or None,
            tool_calls=calls or None,
            provider_specific_fields=others or None,
        )


def _usage(line: Mapping[str, Any]) -> Usage:
    """What was counted and timed; a prompt that was in the cache is not counted."""
    prompt, answer = field(line, _PROMPT, int) or 0, field(line, _ANSWER, int) or 0
    return Usage(
        prompt_tokens=prompt,
        completion_tokens=answer,
        total_tokens=prompt + answer,
        extras={name: line[name] for name in _DURATIONS if name in line} or None,
    )


def _line_object(text: str) -> Mapping[str, Any]:
    """The JSON object of a line.

    Raises:
        MalformedStreamError: It is something else.
    """
    if text.startswith(_SSE_FIELDS):
        raise MalformedStreamError(
            f"server-sent events where lines of JSON are due: {text[:100]!r}; "
            "is the base that of another API?",
            body=text,
        )
    return json_object(text)


def whole_body(body: bytes, *, strict: bool = True) -> list[ModelResponseStream]:
    """The chunks for a response that is no stream, but one JSON text.

    Raises:
        APIError: It reports an error; the class says which.
        MalformedStreamError: It is no response: a page, or any other text.
        EmptyStreamError: There is nothing in it.
        StreamTruncatedError: It is not done.
    """
    text = whole_text(body)
    decoder = Decoder(strict=strict)
    return [*decoder.take(_line_object(text)), *decoder.finish()]
