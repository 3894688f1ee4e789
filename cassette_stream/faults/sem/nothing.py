"""An answer that is whole and valid, and empty."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cassette_stream.faults.edit import Edit, Seen, edit_events
from cassette_stream.faults.info import FaultInfo
from cassette_stream.faults.sem.words import (
    ALL,
    FINISHES,
    Json,
    is_content,
    is_finish,
    kind_of,
    object_at,
    objects,
    set_reason,
    text_at,
)

if TYPE_CHECKING:
    from cassette_stream.script import Script

__all__ = ("EMPTY_SUCCESS", "EmptySuccess")

_IN_DELTAS: Final = ("content", "refusal", "tool_calls", "function_call")
_KEPT: Final = ("role", "reasoning_content", "reasoning")
_BLOCKS: Final = frozenset({"text", "tool_use"})
_ITEMS: Final = frozenset({"message", "function_call", "custom_tool_call"})
_CALLED: Final = frozenset({"tool_calls", "function_call", "tool_use", "TOOL_CALL"})
_OF_ANSWERS: Final = ("tool-call-", "citation-")
_CONTENTS: Final = frozenset({"text", "toolUse", "citation"})


@dataclass(frozen=True, slots=True, kw_only=True)
class EmptySuccess:
    """Texts and tool calls are missing, as if the model had not said any; the rest is valid."""

    def __call__(self, script: Script) -> Script:
        changes = {
            "openai_chat": _chat,
            "openai_responses": _responses(),
            "anthropic": _anthropic(),
            "gemini": _gemini,
            "cohere": _cohere(),
            "ollama": _ollama,
            "bedrock_converse": _converse(),
        }

        def change(seen: Seen) -> list[Edit]:
            return [] if seen.dialect is None else changes[seen.dialect](seen)

        return edit_events(script, change)


def _chat(seen: Seen) -> list[Edit]:
    def empty(value: Json) -> None:
        for choice in objects(value, "choices"):
            delta = object_at(choice, "delta")
            for name in filter(delta.get, _IN_DELTAS):
                delta[name] = "" if name == "content" else None
            if text_at(choice, "finish_reason") in _CALLED:
                choice["finish_reason"] = FINISHES["openai_chat"]

    deltas = [object_at(it, "delta") for it in objects(seen.value, "choices")]
    stays = is_finish(seen) or any(it.get(name) for it in deltas for name in _KEPT)
    return seen.replaced_by(b"") if is_content(seen) and not stays else seen.altered(empty)


def _anthropic() -> Callable[[Seen], list[Edit]]:
    gone: set[str] = set()

    def change(seen: Seen) -> list[Edit]:
        value = object_at(seen.value)
        index, kind = repr(value.get("index")), kind_of(seen)
        block = text_at(object_at(value, "content_block"), "type")
        if kind == "content_block_start" and block in _BLOCKS:
            gone.add(index)
        if kind.startswith("content_block") and index in gone:
            if kind == "content_block_stop":
                gone.discard(index)
            return seen.replaced_by(b"")
        return _plain(seen, object_at(value, "delta").get("stop_reason"))

    return change


def _plain(seen: Seen, reason: object) -> list[Edit]:
    """The edits after which an answer that ended with a call for this *reason* plainly ended."""
    dialect = seen.dialect
    if dialect is None or reason not in _CALLED:
        return []
    return seen.altered(lambda value: set_reason(value, dialect, FINISHES[dialect]))


def _responses() -> Callable[[Seen], list[Edit]]:
    gone: set[str] = set()
    left_out = 0

    def settle(value: Json) -> None:
        response = value.get("response")
        if isinstance(response, dict) and response.get("output"):
            output = objects(response, "output")
            response["output"] = [it for it in output if text_at(it, "type") not in _ITEMS]
        # The numbers are those of a stream in which the others never were.
        if isinstance(value.get("sequence_number"), int):
            value["sequence_number"] -= left_out

    def change(seen: Seen) -> list[Edit]:
        nonlocal left_out
        value = object_at(seen.value)
        item, index = object_at(value, "item"), repr(value.get("output_index"))
        if kind_of(seen) == "response.output_item.added":
            (gone.add if text_at(item, "type") in _ITEMS else gone.discard)(index)
        if "output_index" in value and index in gone:
            left_out += 1
            return seen.replaced_by(b"")
        return seen.altered(settle)

    return change


def _gemini(seen: Seen) -> list[Edit]:
    def empty(value: Json) -> None:
        for candidate in objects(value, "candidates"):
            content = candidate.get("content")
            if isinstance(content, dict) and isinstance(content.get("parts"), list):
                content["parts"] = [it for it in objects(content, "parts") if not _speaks(it)]

    parts = [
        part
        for candidate in objects(seen.value, "candidates")
        for part in objects(candidate, "content", "parts")
    ]
    if parts and all(map(_speaks, parts)) and not is_finish(seen):
        return seen.replaced_by(b"")
    return seen.altered(empty)


def _speaks(part: Json) -> bool:
    return bool(part.get("functionCall") or (part.get("text") and not part.get("thought")))


def _cohere() -> Callable[[Seen], list[Edit]]:
    gone: set[str] = set()

    def change(seen: Seen) -> list[Edit]:
        value, kind = object_at(seen.value), kind_of(seen)
        delta, index = object_at(value, "delta"), repr(value.get("index"))
        if kind == "content-start":
            is_text = object_at(delta, "message", "content").get("type") == "text"
            (gone.add if is_text else gone.discard)(index)
        if kind.startswith(_OF_ANSWERS) or (kind.startswith("content-") and index in gone):
            return seen.replaced_by(b"")
        return _plain(seen, delta.get("finish_reason"))

    return change


def _ollama(seen: Seen) -> list[Edit]:
    def empty(value: Json) -> None:
        message = object_at(value, "message")
        if message.get("content"):
            message["content"] = ""
        message.pop("tool_calls", None)

    stays = is_finish(seen) or object_at(seen.value, "message").get("thinking")
    return seen.replaced_by(b"") if is_content(seen) and not stays else seen.altered(empty)


def _converse() -> Callable[[Seen], list[Edit]]:
    gone: set[str] = set()

    def change(seen: Seen) -> list[Edit]:
        value = object_at(seen.value)
        index = repr(value.get("contentBlockIndex"))
        # A block of text begins with its first delta.
        if told := object_at(value, "start") | object_at(value, "delta"):
            (gone.discard if _CONTENTS.isdisjoint(told) else gone.add)(index)
        if "contentBlockIndex" in value and index in gone:
            return seen.replaced_by(b"")
        return _plain(seen, value.get("stopReason"))

    return change


EMPTY_SUCCESS = FaultInfo(
    id="sem.empty_success",
    name="success without an answer",
    expect="undetectable",
    transport="nothing: the framing is valid",
    description="The stream is whole and valid, and there is no text and no tool call in it.",
    reference="open-legal-products/mike#379",
    make=EmptySuccess,
    dialects=ALL,
)
