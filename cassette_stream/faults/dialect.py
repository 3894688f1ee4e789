"""Which dialect a stream speaks, told by its own events.

A fault gets a script and nothing else, so it knows the dialect as a person would: by
looking. A stream whose events are of no dialect of ours has none.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, TypeAlias

__all__ = ("DIALECTS", "Dialect", "dialect_of", "text_in")

Dialect: TypeAlias = Literal["anthropic", "gemini", "openai_chat", "openai_responses"]

DIALECTS: tuple[Dialect, ...] = ("openai_chat", "openai_responses", "anthropic", "gemini")

_ANTHROPIC_TYPES = frozenset(
    {
        "content_block_delta",
        "content_block_start",
        "content_block_stop",
        "message_delta",
        "message_start",
        "message_stop",
    }
)
_GEMINI_KEYS = frozenset({"candidates", "promptFeedback", "usageMetadata"})


def dialect_of(values: Iterable[object]) -> Dialect | None:
    """The dialect of a stream whose events hold these JSON *values*; None if it has none."""
    for value in values:
        if isinstance(value, dict) and (found := _told_by(value)):
            return found
    return None


def _told_by(value: dict[str, object]) -> Dialect | None:
    kind = value.get("type")
    if isinstance(kind, str):
        if kind.startswith("response."):
            return "openai_responses"
        if kind in _ANTHROPIC_TYPES:
            return "anthropic"
    if value.get("object") == "chat.completion.chunk" or "choices" in value:
        return "openai_chat"
    return "gemini" if not _GEMINI_KEYS.isdisjoint(value) else None


def text_in(value: object, dialect: Dialect) -> str:
    """The text of the answer that an event with the JSON *value* adds."""
    if not isinstance(value, dict):
        return ""
    match dialect:
        case "openai_chat":
            pieces = [_at(choice, "delta", "content") for choice in _items(value.get("choices"))]
        case "openai_responses":
            said = value.get("type") == "response.output_text.delta"
            pieces = [value.get("delta")] if said else []
        case "anthropic":
            pieces = [_at(value, "delta", "text")]
        case "gemini":
            pieces = [
                _at(part, "text")
                for candidate in _items(value.get("candidates"))
                for part in _items(_at(candidate, "content", "parts"))
                if not _at(part, "thought")
            ]
    return "".join(piece for piece in pieces if isinstance(piece, str))


def _items(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _at(value: object, *names: str) -> object:
    for name in names:
        if not isinstance(value, dict):
            return None
        value = value.get(name)
    return value
