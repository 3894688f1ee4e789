"""Chunks that are shaped otherwise than most, and say the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from cassette_stream.faults.edit import Edit, Seen, edit_events
from cassette_stream.faults.info import FaultInfo
from cassette_stream.faults.parameter import Parameter, check_parameters
from cassette_stream.faults.sem.words import ALL, Json, object_at, objects

if TYPE_CHECKING:
    from cassette_stream.script import Script

__all__ = ("CONTENT_SHAPE", "ContentShape")

Alter: TypeAlias = Callable[[Json, int], object]


def _deltas(value: Json) -> list[Json]:
    return [it["delta"] for it in objects(value, "choices") if isinstance(it.get("delta"), dict)]


def _blank(content: object, holders: Callable[[Json], list[Json]]) -> Alter:
    def alter(value: Json, _: int) -> None:
        for holder in holders(value):
            if not holder.get("content"):
                holder["content"] = content

    return alter


def _parts(value: Json, _: int) -> None:
    for delta in _deltas(value):
        if isinstance(delta.get("content"), str) and delta["content"]:
            delta["content"] = [{"type": "text", "text": delta["content"]}]


def _role_each(value: Json, _: int) -> None:
    for delta in _deltas(value):
        delta["role"] = "assistant"


def _without_role(holders: Callable[[Json], list[Json]]) -> Alter:
    def alter(value: Json, _: int) -> None:
        for holder in holders(value):
            holder.pop("role", None)

    return alter


def _put(within: str, name: str, make: Callable[[object, int], object]) -> Alter:
    """Puts what *make* gives of it and of the number of the event in the place of *name*."""

    def alter(value: Json, number: int) -> None:
        holder = value.get(within) if within else value
        if isinstance(holder, dict) and name in holder:
            holder[name] = make(holder[name], number)

    return alter


def _contents(value: Json) -> list[Json]:
    found = [it.get("content") for it in objects(value, "candidates")]
    return [it for it in found if isinstance(it, dict)]


def _message(value: Json) -> list[Json]:
    return [object_at(value, "message")]


def _delta_message(value: Json) -> list[Json]:
    return [object_at(value, "delta", "message")]


def _null(_: object, __: int) -> None:
    return None


def _other(known: object, number: int) -> str:
    return f"{known}-{number}"


def _text(known: object, _: int) -> str:
    return f"{known}"


_SHAPES: Final[Mapping[str, Mapping[str, Alter]]] = {
    "null": {"openai_chat": _blank(None, _deltas), "ollama": _blank(None, _message)},
    "empty": {"openai_chat": _blank("", _deltas)},
    "parts": {"openai_chat": _parts},
    "role_each": {"openai_chat": _role_each},
    "role_never": {
        "openai_chat": _without_role(_deltas),
        "anthropic": _without_role(_message),
        "gemini": _without_role(_contents),
        "cohere": _without_role(_delta_message),
        "ollama": _without_role(_message),
        "bedrock_converse": _without_role(lambda value: [value]),
    },
    "id_null": {
        "openai_chat": _put("", "id", _null),
        "openai_responses": _put("response", "id", _null),
        "anthropic": _put("message", "id", _null),
        "gemini": _put("", "responseId", _null),
        "cohere": _put("", "id", _null),
    },
    "id_changing": {
        "openai_chat": _put("", "id", _other),
        "openai_responses": _put("", "item_id", _other),
        "gemini": _put("", "responseId", _other),
    },
    "created_string": {
        "openai_chat": _put("", "created", _text),
        "openai_responses": _put("response", "created_at", _text),
    },
}
_SHAPE = (
    Parameter(
        name="quirk",
        default="null",
        choices=tuple(_SHAPES),
        description="Content that is null, empty or a list of parts; the role on every chunk or "
        "none; an id that is null or changes; the time as a text. openai_chat has them all.",
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentShape:
    """All events have one *quirk* in their shape that changes nothing of what they say.

    A stream of a dialect without it is left whole.
    """

    quirk: str = "null"

    def __post_init__(self) -> None:
        check_parameters(self, _SHAPE)

    def __call__(self, script: Script) -> Script:
        return edit_events(script, self._change)

    def _change(self, seen: Seen) -> list[Edit]:
        alter = _SHAPES[self.quirk].get(seen.dialect or "")
        return [] if alter is None else seen.altered(lambda value: alter(value, seen.number))


CONTENT_SHAPE = FaultInfo(
    id="sem.content_shape",
    name="unusual shapes of chunks",
    expect="tolerates",
    transport="nothing: the framing is valid",
    description="Content, role, id or time have another shape, and mean the same.",
    reference="router-for-me/CLIProxyAPI#530",
    make=ContentShape,
    parameters=_SHAPE,
    dialects=ALL,
)
