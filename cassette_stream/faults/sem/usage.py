"""Usage that is told otherwise: not at all, too often, too early; the answer is whole."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from cassette_stream.faults.edit import Edit, Seen, edit_ahead, edit_events
from cassette_stream.faults.info import FaultInfo
from cassette_stream.faults.parameter import Parameter, check_parameters
from cassette_stream.faults.sem.words import (
    ALL,
    Json,
    is_content,
    is_finish,
    kind_of,
    object_at,
    written,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cassette_stream.script import Script

__all__ = ("USAGE", "Usage")

_QUIRKS = (
    Parameter(
        name="quirk",
        default="missing",
        choices=("missing", "null_each", "cumulative", "early", "twice", "with_choices"),
        description="There is none; a null on each chunk, or a count so far; it comes before the "
        "finish reason, twice, or with it. openai_chat has them all, gemini, anthropic and "
        "bedrock_converse those that are not their own way, the others only missing.",
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What was billed is told with one *quirk*; nothing of the answer changes.

    What was told last is what the recording says. A stream without usage, or of a dialect
    without the quirk, is left whole.
    """

    quirk: str = "missing"

    def __post_init__(self) -> None:
        check_parameters(self, _QUIRKS)

    def __call__(self, script: Script) -> Script:
        match self.quirk:
            case "missing":
                return edit_events(script, _missing)
            case "null_each":
                return edit_events(script, _null_each)
            case "cumulative":
                return edit_events(script, _counting())
            case "twice":
                return edit_events(script, _twice)
            case "early":
                return edit_ahead(script, _from_finish_on(_early, _BEHIND))
            case _:
                return edit_ahead(script, _from_finish_on(_with_choices, ("openai_chat",)))


_WITHIN: Final = {"openai_responses": "response", "anthropic": "message", "cohere": "delta"}
_NAMES: Final = {"gemini": ("usageMetadata",), "ollama": ("prompt_eval_count", "eval_count")}


def _holder(value: Json, seen: Seen) -> tuple[Json, tuple[str, ...]]:
    """The object that has the usage, and under which names."""
    dialect = seen.dialect or ""
    inner = value.get(_WITHIN[dialect]) if dialect in _WITHIN else None
    return (inner if isinstance(inner, dict) else value), _NAMES.get(dialect, ("usage",))


def _told(seen: Seen) -> object:
    """The usage that an event tells."""
    if not isinstance(seen.value, dict):
        return None
    holder, names = _holder(seen.value, seen)
    return next(filter(None, map(holder.get, names)), None)


def _is_bare(seen: Seen) -> bool:
    """Whether it is an event with the usage and nothing else."""
    if seen.dialect == "openai_chat":
        return bool(_told(seen)) and not object_at(seen.value).get("choices")
    return seen.dialect == "bedrock_converse" and bool(_told(seen))


def _missing(seen: Seen) -> list[Edit]:
    def leave_out(value: Json) -> None:
        holder, names = _holder(value, seen)
        for name in names:
            holder.pop(name, None)

    if _is_bare(seen):
        return seen.replaced_by(b"")
    return seen.altered(leave_out) if _told(seen) else []


def _null_each(seen: Seen) -> list[Edit]:
    value = seen.value if isinstance(seen.value, dict) else {}
    if seen.dialect == "openai_chat" and value.get("choices") and not _told(seen):
        return seen.altered(lambda value: value.update(usage=None))
    if seen.dialect == "gemini" and not is_finish(seen):
        return seen.altered(lambda value: value.update(usageMetadata=None))
    return []


def _counting() -> Callable[[Seen], list[Edit]]:
    count = 0

    def change(seen: Seen) -> list[Edit]:
        nonlocal count
        if seen.dialect not in {"openai_chat", "anthropic"} or not is_content(seen):
            return []
        count += 1
        if seen.dialect == "anthropic":
            told = {"type": "message_delta", "delta": {}, "usage": {"output_tokens": count}}
            return seen.followed_by(written(seen, told))
        usage = {"prompt_tokens": 1, "completion_tokens": count, "total_tokens": count + 1}
        return [] if _told(seen) else seen.altered(lambda value: value.update(usage=usage))

    return change


def _twice(seen: Seen) -> list[Edit]:
    usage = _told(seen)
    if not usage:
        return []
    if _is_bare(seen):
        return seen.followed_by(seen.block)
    if seen.dialect == "anthropic" and kind_of(seen) == "message_delta":
        return seen.preceded_by(
            written(seen, {"type": "message_delta", "delta": {}, "usage": usage})
        )
    if seen.dialect == "gemini" and is_finish(seen):
        return seen.followed_by(written(seen, {"usageMetadata": usage}))
    return []


Arrange: TypeAlias = Callable[[Seen, Seen], tuple[list[Edit], list[Edit]]]

_BEHIND: Final = ("openai_chat", "bedrock_converse")
"""The dialects that tell the usage behind the finish reason."""


def _from_finish_on(
    arrange: Arrange, known: tuple[str, ...]
) -> Callable[[Sequence[Seen], bool], list[list[Edit]]]:
    """Holds back the finish of an answer until its usage comes, and arranges the two."""

    def settle(waiting: Sequence[Seen], over: bool) -> list[list[Edit]]:
        first, last = waiting[0], waiting[-1]
        if over or first.dialect not in known or not is_finish(first) or _told(first):
            return [[] for _ in waiting]
        if not _is_bare(last):
            return []
        finish, usage = arrange(first, last)
        return [finish, *([] for _ in waiting[1:-1]), usage]

    return settle


def _early(finish: Seen, usage: Seen) -> tuple[list[Edit], list[Edit]]:
    return finish.preceded_by(usage.block), usage.replaced_by(b"")


def _with_choices(finish: Seen, usage: Seen) -> tuple[list[Edit], list[Edit]]:
    told = _told(usage)
    return finish.altered(lambda value: value.update(usage=told)), usage.replaced_by(b"")


USAGE = FaultInfo(
    id="sem.usage",
    name="usage anomalies",
    expect="tolerates",
    transport="nothing: the framing is valid",
    description="Usage is missing, null or counted on each chunk, early, twice, or with choices.",
    reference="router-for-me/CLIProxyAPI#3221",
    make=Usage,
    parameters=_QUIRKS,
    dialects=ALL,
)
