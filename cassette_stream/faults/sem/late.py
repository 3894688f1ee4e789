"""Content behind the finish reason, or together with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cassette_stream.faults.edit import Edit, Seen, edit_ahead, edit_events
from cassette_stream.faults.info import FaultInfo
from cassette_stream.faults.parameter import Parameter, check_parameters
from cassette_stream.faults.sem.words import Json, dialects, is_content, is_finish, objects

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cassette_stream.script import Script

__all__ = ("LATE_CONTENT", "LateContent")

_LATE = (
    Parameter(
        name="quirk",
        default="after_finish",
        choices=("after_finish", "finish_twice", "finish_with_content"),
        description="The last content comes behind the finish reason, or together with it "
        "(openai_chat and gemini); or the finish reason comes twice.",
    ),
)
# Elsewhere the event that says why also says that nothing more comes.
_HAVE: Final = dialects("openai_chat", "anthropic", "gemini", "bedrock_converse")
_WITH_CONTENT: Final = ("openai_chat", "gemini")


@dataclass(frozen=True, slots=True, kw_only=True)
class LateContent:
    """Content and finish reason come in an order that nobody expects; all of both is there."""

    quirk: str = "after_finish"

    def __post_init__(self) -> None:
        check_parameters(self, _LATE)

    def __call__(self, script: Script) -> Script:
        if self.quirk == "finish_twice":
            return edit_events(
                script, lambda seen: seen.followed_by(seen.block) if _ends(seen) else []
            )
        return edit_ahead(script, self._settle)

    def _settle(self, waiting: Sequence[Seen], over: bool) -> list[list[Edit]]:
        """Holds back the last event with content, and what is between that and its finish."""
        first, last = waiting[0], waiting[-1]
        if over or not is_content(first):
            return [[] for _ in waiting]
        if len(waiting) > 1 and _ends(last):
            return self._moved(waiting)
        if len(waiting) > 1 and is_content(last):
            return [[] for _ in waiting[:-1]]
        return []

    def _moved(self, waiting: Sequence[Seen]) -> list[list[Edit]]:
        content, *between, finish = waiting
        if self.quirk == "finish_with_content":
            merged = _merged(content, finish)
            return [merged, *([] for _ in between), finish.replaced_by(b"") if merged else []]
        blocks = [seen.block for seen in (finish, content, *between)]
        return [seen.replaced_by(block) for seen, block in zip(waiting, blocks, strict=True)]


def _ends(seen: Seen) -> bool:
    return seen.dialect in _HAVE and is_finish(seen) and not is_content(seen)


def _merged(content: Seen, finish: Seen) -> list[Edit]:
    """The edits that give *content* what *finish* says of the same choice; none if it cannot be."""
    if content.dialect not in _WITH_CONTENT or not isinstance(finish.value, dict):
        return []
    ends = objects(finish.value, "choices" if content.dialect == "openai_chat" else "candidates")
    name, reason = (
        ("choices", "finish_reason")
        if content.dialect == "openai_chat"
        else ("candidates", "finishReason")
    )
    if len(ends) != 1:
        return []

    def merge(value: Json) -> None:
        for choice in objects(value, name):
            if choice.get("index", 0) == ends[0].get("index", 0):
                choice[reason] = ends[0][reason]
        # What the last event says of all of the answer.
        for key, told in finish.value.items() if isinstance(finish.value, dict) else ():
            if key != name and told is not None:
                value[key] = told

    return content.altered(merge)


LATE_CONTENT = FaultInfo(
    id="sem.late_content",
    name="content after the finish reason",
    expect="either",
    transport="nothing: the framing is valid",
    description="The last content comes behind the finish reason or with it, or that comes twice.",
    reference="Chevey339/kelivo#1003",
    make=LateContent,
    parameters=_LATE,
    dialects=_HAVE,
)
