"""What each dialect calls things: progress, the end of an answer, an event of its own.

Nothing here decides what goes wrong; the faults beside it do, in these words.
"""

from __future__ import annotations

import re
from typing import Any, Final, TypeAlias

from cassette_stream.faults.dialect import DIALECTS, Dialect
from cassette_stream.faults.seen import Seen, json_bytes

__all__ = (
    "ALL",
    "CHAT_HEAD",
    "FINISHES",
    "NAMED",
    "Json",
    "content_of",
    "dialects",
    "in_style",
    "is_content",
    "is_finish",
    "is_terminator",
    "kind_in",
    "kind_of",
    "object_at",
    "objects",
    "set_reason",
    "text_at",
    "written",
)

Json: TypeAlias = dict[str, Any]

ALL: Final = frozenset(DIALECTS)
"""For what can happen in every stream of a dialect that is known."""

NAMED: Final = frozenset({"anthropic", "cohere", "openai_responses"})
"""The dialects whose events have a type, and mostly an ``event`` line that repeats it."""

FINISHES: Final[dict[Dialect, str]] = {
    "openai_chat": "stop",
    "openai_responses": "completed",
    "anthropic": "end_turn",
    "gemini": "STOP",
    "cohere": "COMPLETE",
    "ollama": "stop",
    "bedrock_converse": "end_turn",
}
"""What a plain end is called."""

_REASONS: Final[dict[Dialect | None, str]] = {
    "openai_chat": "finish_reason",
    "anthropic": "stop_reason",
    "gemini": "finishReason",
    "cohere": "finish_reason",
    "ollama": "done_reason",
    "bedrock_converse": "stopReason",
}
_NULLED: Final = frozenset({"openai_chat", "anthropic"})  # where there is no reason yet

CHAT_HEAD: Final = ("id", "object", "created", "model")

_PROGRESS: Final = (
    "content",
    "reasoning_content",
    "reasoning",
    "refusal",
    "tool_calls",
    "function_call",
)
_BLOCK_PROGRESS: Final = ("text", "thinking", "partial_json")
_LINE_PROGRESS: Final = ("content", "thinking", "tool_calls")
# What tells a frame of Converse from the others; its JSON does not say what it is called.
_FRAMES: Final = {
    "role": "messageStart",
    "start": "contentBlockStart",
    "delta": "contentBlockDelta",
    "stopReason": "messageStop",
    "usage": "metadata",
    "contentBlockIndex": "contentBlockStop",
}
_DATA_LINE: Final = re.compile(rb"(?m)^data: (\{.*)$")
_NAME_LINE: Final = re.compile(rb"(?m)^event:[^\r\n]*(?:\r\n|\r|\n)")


def dialects(*names: Dialect) -> frozenset[Dialect]:
    return frozenset(names)


def objects(value: object, *path: str) -> list[Json]:
    """The objects in the list that *value* has at *path*; none where it has no such list."""
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return [it for it in value if isinstance(it, dict)] if isinstance(value, list) else []


def object_at(value: object, *path: str) -> Json:
    """The object that *value* has at *path*; an empty one of its own where it has none."""
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}


def text_at(holder: Json, name: str) -> str:
    """The text that *holder* has as *name*, "" where it has none."""
    text = holder.get(name)
    return text if isinstance(text, str) else ""


def kind_of(seen: Seen) -> str:
    """The type that its JSON says, "" if it says none."""
    return kind_in(object_at(seen.value), seen.dialect)


def kind_in(value: Json, dialect: Dialect | None) -> str:
    """The type of an event with the JSON *value*, "" if that says none."""
    if dialect == "bedrock_converse":
        return next((kind for name, kind in _FRAMES.items() if name in value), "")
    return text_at(value, "type")


def content_of(value: object, dialect: Dialect | None) -> list[object]:
    """What of an answer an event with the JSON *value* brings: texts, thoughts, calls."""
    if not isinstance(value, dict):
        return []
    delta = value.get("delta")
    match dialect:
        case "openai_chat":
            deltas = [choice.get("delta") for choice in objects(value, "choices")]
            found = [it.get(name) for it in deltas if isinstance(it, dict) for name in _PROGRESS]
        case "openai_responses":
            found = [delta] if str(value.get("type")).endswith(".delta") else []
        case "anthropic":
            is_delta = value.get("type") == "content_block_delta"
            told = delta if isinstance(delta, dict) and is_delta else {}
            found = [told.get(name) for name in _BLOCK_PROGRESS]
        case "cohere":
            message = object_at(delta, "message")
            content, call = object_at(message, "content"), object_at(message, "tool_calls")
            found = [content.get("text"), content.get("thinking"), message.get("tool_plan")]
            found += [object_at(call, "function").get("arguments")]
        case "ollama":
            found = [object_at(value, "message").get(name) for name in _LINE_PROGRESS]
        case "bedrock_converse":
            told = object_at(delta)
            thought, call = object_at(told, "reasoningContent"), object_at(told, "toolUse")
            found = [told.get("text"), thought.get("text"), call.get("input")]
        case _:
            candidates = objects(value, "candidates")
            parts = [
                it for candidate in candidates for it in objects(candidate, "content", "parts")
            ]
            found = [part.get(name) for part in parts for name in ("text", "functionCall")]
    return [it for it in found if it]


def is_content(seen: Seen) -> bool:
    """Whether it brings some of the answer."""
    return bool(content_of(seen.value, seen.dialect))


def is_finish(seen: Seen) -> bool:
    """Whether it says why the answer ended."""
    dialect = seen.dialect
    if dialect == "openai_responses":
        return seen.is_terminal and kind_of(seen).startswith("response.")
    return any(it.get(_REASONS[dialect]) for it in _endings(seen.value, dialect))


def is_terminator(seen: Seen) -> bool:
    """Whether it says that nothing more comes, and does not say why."""
    # With Ollama and Converse nothing comes that says no more than that.
    is_told = seen.dialect not in {"ollama", "bedrock_converse"}
    return is_told and seen.is_terminal and not is_finish(seen)


def set_reason(value: Json, dialect: Dialect | None, reason: str | None) -> None:
    """Put *reason* wherever the event with the JSON *value* says why the answer ended."""
    for holder in _endings(value, dialect):
        name = _REASONS[dialect]
        if holder.get(name):
            holder[name] = reason
            if reason is None and dialect not in _NULLED:
                del holder[name]


def _endings(value: object, dialect: Dialect | None) -> list[Json]:
    """What in an event with the JSON *value* says why the answer ended, if it does."""
    match dialect:
        case None | "openai_responses":
            return []
        case "openai_chat":
            return objects(value, "choices")
        case "gemini":
            return objects(value, "candidates")
        case "anthropic" | "cohere":
            return [object_at(value, "delta")]
        case _:  # ollama and bedrock_converse
            return [object_at(value)]


def written(seen: Seen, value: Json) -> bytes:
    """An event with the JSON *value*, written as *seen* is."""
    if seen.framing != "sse":
        kind = kind_in(value, seen.dialect) or ("hint" if seen.dialect else None)
        return seen.event(json_bytes(value), kind)
    told = b"event: %b\n" % str(value.get("type")).encode() if seen.dialect in NAMED else b""
    return in_style(seen, told + b"data: " + json_bytes(value) + b"\n\n")


def in_style(seen: Seen, event: bytes) -> bytes:
    """*event* as *seen* is written: its line ends, its name if that has one, its frame."""
    if seen.framing != "sse":
        told = _DATA_LINE.search(event)
        return seen.event(told[1]) if told else b""
    if seen.dialect in NAMED and not _NAME_LINE.search(seen.block):
        event = _NAME_LINE.sub(b"", event)
    return event.replace(b"\r\n", b"\n").replace(b"\n", seen.line_end)
