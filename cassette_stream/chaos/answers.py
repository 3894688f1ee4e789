"""What an answer says, whatever its type: text, tool calls, why it ended.

The objects of the official SDKs, ours, dicts, and lists of their chunks or events all
become JSON, and JSON of a dialect goes through that dialect's own decoder. So two
answers can be compared that differ in what does not count: ids, dates, token counts.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from types import ModuleType
from typing import Any

import msgspec

from cassette_stream.chunks import (
    ModelResponse,
    ModelResponseStream,
    NormalForm,
    ResponseAccumulator,
)
from cassette_stream.dialects import (
    anthropic,
    bedrock_converse,
    bedrock_invoke,
    cohere,
    gemini,
    ollama,
    openai_chat,
    openai_responses,
)
from cassette_stream.dialects.aws_frames import frame
from cassette_stream.exceptions import APIError
from cassette_stream.faults.dialect import Dialect, dialect_of
from cassette_stream.faults.edit import events_in
from cassette_stream.faults.sem.words import kind_in
from cassette_stream.script import Emit

__all__ = ("Answer", "Call", "answer_of", "tells_finish")

_DIALECTS: dict[Dialect, ModuleType] = {
    "anthropic": anthropic,
    "bedrock_converse": bedrock_converse,
    "cohere": cohere,
    "gemini": gemini,
    "ollama": ollama,
    "openai_chat": openai_chat,
    "openai_responses": openai_responses,
}

_FINISH = re.compile(
    rb'"(?:done_reason|finish_reason|finishReason|stopReason|stop_reason)"\s*:\s*"[^"]'
    rb'|"type"\s*:\s*"response\.(?:completed|failed|incomplete)"'
)
"""How the dialects tell it, in bytes that no decoder of ours may be able to read."""


_CHUNK = re.compile(rb'"bytes"\s*:\s*"([A-Za-z0-9+/]+=*)"')


class Call(msgspec.Struct, frozen=True):
    """A tool call; *arguments* is the text, as it came."""

    name: str
    arguments: str

    @property
    def is_whole(self) -> bool:
        """Whether the arguments are a JSON object."""
        try:
            return isinstance(json.loads(self.arguments), dict)
        except (ValueError, RecursionError):
            return False

    @property
    def meant(self) -> object:
        """The arguments as a value, where they are one."""
        try:
            return json.loads(self.arguments)
        except (ValueError, RecursionError):
            return self.arguments


class Answer(msgspec.Struct, frozen=True):
    """What the first choice of an answer says."""

    text: str
    calls: tuple[Call, ...] = ()
    finish_reason: str | None = None

    def says_the_same(self, other: Answer) -> bool:
        """Whether the two mean the same, however their JSON is written."""
        mine, others = ([(it.name, it.meant) for it in one.calls] for one in (self, other))
        return (self.text, mine, self.finish_reason) == (other.text, others, other.finish_reason)


def answer_of(value: object) -> Answer | None:
    """The answer that *value* holds; None if it is of no type that is known."""
    if isinstance(value, str):
        return Answer(value)
    if isinstance(value, ModelResponse):
        return _told(value)
    if isinstance(value, list | tuple):
        return _of_stream([_plain(item) for item in value]) if value else None
    plain = _plain(value)
    return _of_whole(plain) if isinstance(plain, dict) else None


def tells_finish(body: bytes) -> bool:
    """Whether the stream *body*, as far as it goes, tells a finish reason, however broken it is."""
    if _FINISH.search(body) or any(map(_FINISH.search, _in_base64(body))):
        return True
    events = events_in([Emit(body)])
    name = next((seen.dialect for seen in reversed(events)), None)
    if name is None:
        whole = _whole(body)
        return whole is not None and whole.finish_reason is not None
    is_framed = name == "anthropic" and events[0].framing == "aws"
    speaks = bedrock_invoke if is_framed else _DIALECTS[name]
    chunks = _fed(speaks.Decoder(strict=False), [body])
    return any(choice.finish_reason is not None for chunk in chunks for choice in chunk.choices)


def _in_base64(body: bytes) -> Iterator[bytes]:
    """What the chunks of Bedrock's frames hold, wherever they are in *body*."""
    for found in _CHUNK.finditer(body):
        with suppress(binascii.Error):
            yield base64.b64decode(found[1])


def _plain(value: object) -> Any:
    """*value* as JSON has it, if it can say so."""
    dump = getattr(value, "model_dump", None)
    if callable(dump) and not isinstance(value, type):
        try:
            # Only what was said: what an SDK adds as a default is no part of the answer.
            return dump(mode="json", exclude_none=True, by_alias=True, warnings=False)
        except TypeError:
            return dump()
    return dict(value) if isinstance(value, Mapping) else value


def _whole(body: bytes) -> Answer | None:
    """The answer that *body* is, where it is no stream."""
    value = _loaded(body)
    return _of_whole(value) if isinstance(value, dict) else None


def _loaded(text: bytes) -> Any:
    """The JSON value that *text* is, None if it is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _of_whole(value: dict[str, Any]) -> Answer | None:
    name = _whole_dialect(value)
    if name is None:
        return None
    try:
        return _folded(_DIALECTS[name].whole_body(_json(value)))
    except APIError:
        return None


def _whole_dialect(value: dict[str, Any]) -> Dialect | None:
    if value.get("type") == "message":
        return "anthropic"
    if value.get("object") == "response":
        return "openai_responses"
    if "candidates" in value:
        return "gemini"
    if "output" in value and "stopReason" in value:
        return "bedrock_converse"
    if "message" in value:
        return "ollama" if "done" in value else "cohere"
    return "openai_chat" if "choices" in value else None


def _of_stream(values: list[Any]) -> Answer | None:
    if all(isinstance(value, str) for value in values):
        return Answer("".join(values))
    values = [_opened(value) for value in values]
    name = dialect_of(values)
    if name is None:
        return None
    pieces = (_piece(value, name) for value in values)
    return _folded(_fed(_DIALECTS[name].Decoder(strict=False), pieces))


def _opened(value: Any) -> Any:
    """The event in a *value* of botocore's, which has its name around it, or is in a chunk."""
    if not isinstance(value, dict) or len(value) != 1:
        return value
    [(name, inner)] = value.items()
    if not isinstance(inner, dict):
        return value
    if name == "chunk" and isinstance(event := inner.get("bytes"), bytes):
        return _loaded(event)
    return inner if kind_in(inner, "bedrock_converse") == name else value


def _piece(value: Any, dialect: Dialect) -> bytes:
    """The event with the JSON *value*, as its provider sends it."""
    if dialect == "bedrock_converse":
        kind = kind_in(value, dialect) if isinstance(value, dict) else ""
        return frame(kind or "unknown", _json(value))
    return _json(value) + b"\n" if dialect == "ollama" else b"data: " + _json(value) + b"\n\n"


def _fed(decoder: Any, pieces: Iterable[bytes]) -> Iterator[ModelResponseStream]:
    # What is missing at the end is for the verdict to find, and no error here.
    try:
        for piece in pieces:
            yield from decoder.feed(piece)
        yield from decoder.finish()
    except APIError:
        return


def _folded(chunks: Iterable[ModelResponseStream]) -> Answer | None:
    form, accumulator = NormalForm(include_usage=False), ResponseAccumulator()
    try:
        for chunk in form.feed(chunks):
            accumulator.add(chunk)
    except APIError:
        pass  # as above
    return _told(accumulator.response())


def _told(response: ModelResponse | None) -> Answer | None:
    if response is None or not response.choices:
        return None
    choice = response.choices[0]
    calls = [
        Call(name=it.function.name or "", arguments=it.function.arguments)
        for it in choice.message.tool_calls or ()
    ]
    return Answer(choice.message.content or "", tuple(calls), choice.finish_reason)


def _json(value: object) -> bytes:
    return json.dumps(value, default=str).encode()
