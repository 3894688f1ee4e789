"""Something that a later version of the format may tell: a client must not fail on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cassette_stream.faults.edit import Edit, Seen, edit_event
from cassette_stream.faults.info import FaultInfo
from cassette_stream.faults.parameter import Parameter, check_parameters
from cassette_stream.faults.place import Event, check_event
from cassette_stream.faults.sem.words import (
    ALL,
    CHAT_HEAD,
    Json,
    kind_of,
    object_at,
    objects,
    written,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cassette_stream.script import Script

__all__ = ("UNKNOWN_EVENT", "UnknownEvent")

_UNKNOWN = (
    Parameter(
        name="quirk",
        default="event",
        choices=("event", "delta", "field"),
        description="An event of an unknown type comes before it, or an unknown kind of progress "
        "(not for openai_responses), or it has unknown fields.",
    ),
)
_HINT: Final[Json] = {"hint": {"text": "as of a later version"}}


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownEvent:
    """Something of a later version of the format comes at the event *at*; nothing is missing."""

    at: Event
    quirk: str = "event"

    def __post_init__(self) -> None:
        check_event(self.at)
        check_parameters(self, _UNKNOWN)

    def __call__(self, script: Script) -> Script:
        return edit_event(script, self.at, self._change)

    def _change(self, seen: Seen) -> list[Edit]:
        if seen.dialect is None:
            return []
        if self.quirk == "field":
            return seen.altered(lambda value: value.update(_HINT))
        told = _event(seen) if self.quirk == "event" else _delta(seen)
        return [] if told is None else seen.preceded_by(written(seen, told))


def _event(seen: Seen) -> Json:
    match seen.dialect:
        case "openai_chat":
            return {"id": "", "object": "chat.completion.hint"} | _HINT
        case "openai_responses":
            return {"type": "response.hint.added"} | _HINT
        case "anthropic":
            return {"type": "message_hint"} | _HINT
        case "cohere":
            return {"type": "message-hint"} | _HINT
        case _:
            return dict(_HINT)


def _delta(seen: Seen) -> Json | None:
    value, kind = object_at(seen.value), kind_of(seen)
    told: Json | None = None
    match seen.dialect:
        case "openai_chat" if objects(
            value, "choices"
        ):  # behind the finish reason it would be late
            choice = {"index": 0, "delta": _HINT, "finish_reason": None}
            told = _head(value, CHAT_HEAD) | {"choices": [choice]}
        case "anthropic" if kind == "content_block_delta":
            told = value | {"delta": {"type": "hint_delta"} | _HINT}
        case "gemini":
            told = {"candidates": [{"index": 0, "content": {"role": "model", "parts": [_HINT]}}]}
        case "cohere" if kind == "content-delta":
            told = value | {"delta": {"message": {"content": _HINT}}}
        case "ollama":
            message = {"role": "assistant"} | _HINT
            told = _head(value, ("model", "created_at")) | {"message": message, "done": False}
        case "bedrock_converse" if kind == "contentBlockDelta":
            told = value | {"delta": _HINT}
    return told


def _head(value: Json, names: Iterable[str]) -> Json:
    return {name: value[name] for name in names if name in value}


UNKNOWN_EVENT = FaultInfo(
    id="sem.unknown_event",
    name="unknown event, delta or field",
    expect="tolerates",
    transport="nothing: the framing is valid",
    description="Something of a later version of the format comes; it can be ignored.",
    reference="measured",
    make=UnknownEvent,
    places=("event",),
    parameters=_UNKNOWN,
    dialects=ALL,
)
