"""Which dialect a stream speaks, told by its own events.

A fault gets a script and nothing else, so it knows the dialect as a person would: by
looking. A stream whose events are of no dialect of ours has none.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, TypeAlias

__all__ = ("DIALECTS", "Dialect", "dialect_of", "text_in")

Dialect: TypeAlias = Literal[
    "anthropic",
    "bedrock_converse",
    "cohere",
    "gemini",
    "ollama",
    "openai_chat",
    "openai_responses",
]

DIALECTS: tuple[Dialect, ...] = (
    "openai_chat",
    "openai_responses",
    "anthropic",
    "gemini",
    "cohere",
    "ollama",
    "bedrock_converse",
)

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
_COHERE_TYPES = frozenset(
    {
        "citation-end",
        "citation-start",
        "content-delta",
        "content-end",
        "content-start",
        "message-end",
        "message-start",
        "tool-call-delta",
        "tool-call-end",
        "tool-call-start",
        "tool-plan-delta",
    }
)
_TYPES: dict[str, Dialect] = {
    **dict.fromkeys(_ANTHROPIC_TYPES, "anthropic"),
    **dict.fromkeys(_COHERE_TYPES, "cohere"),
}
_KEYS: tuple[tuple[frozenset[str], Dialect], ...] = (
    (frozenset({"choices"}), "openai_chat"),
    (frozenset({"contentBlockIndex", "stopReason"}), "bedrock_converse"),
    (frozenset({"candidates", "promptFeedback", "usageMetadata"}), "gemini"),
)
_OLLAMA_KEYS = frozenset({"done", "message"})
# How a stream of Converse begins: the name of the event is not in its JSON, padding may be.
_CONVERSE_START = frozenset({"p", "role"})


def dialect_of(values: Iterable[object]) -> Dialect | None:
    """The dialect of a stream whose events hold these JSON *values*; None if it has none."""
    for value in values:
        if isinstance(value, dict) and (found := _told_by(value)):
            return found
    return None


def _told_by(value: dict[str, object]) -> Dialect | None:
    kind = value.get("type")
    if isinstance(kind, str) and (found := _TYPES.get(kind)):
        return found
    if isinstance(kind, str) and kind.startswith("response."):
        return "openai_responses"
    if value.get("object") == "chat.completion.chunk":
        return "openai_chat"
    if value.keys() >= _OLLAMA_KEYS:
        return "ollama"
    if value and value.keys() <= _CONVERSE_START:
        return "bedrock_converse"
    return next((dialect for keys, dialect in _KEYS if not keys.isdisjoint(value)), None)


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
        case "cohere":
            said = value.get("type") in {"content-delta", "content-start"}
            pieces = [_at(value, "delta", "message", "content", "text")] if said else []
        case "ollama":
            pieces = [_at(value, "message", "content")]
        case "bedrock_converse":
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
