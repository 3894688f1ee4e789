"""Faults in how all events of a stream are written; each says the same as before.

What is no event, such as a comment between two, stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from cassette_stream.exceptions import PlanError
from cassette_stream.faults.edit import Edit, Seen, edit_blocks
from cassette_stream.faults.framing import frames_begin
from cassette_stream.faults.inside import data_values
from cassette_stream.script import Emit, Script

__all__ = (
    "Bom",
    "Comments",
    "EventAdded",
    "EventMissing",
    "IdRetry",
    "Multiline",
    "NoSpace",
    "TwoSpaces",
    "UnknownField",
)

_BOM = b"\xef\xbb\xbf"
# The value of a field begins with its second blank, so that stays.
_SPACE = re.compile(rb"(?:\A|(?<=[\r\n]))[^:\r\n]+:( )(?! )")
_EVENT_LINE = re.compile(rb"(?:\A|(?<=[\r\n]))event(?::[^\r\n]*)?(?:\r\n|\r|\n)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Comments:
    """Before one event of *every* so many, from the first on, stand *count* comments."""

    text: str = "OPENROUTER PROCESSING"
    every: int = 1
    count: int = 1

    def __post_init__(self) -> None:
        if {"\r", "\n"} & set(self.text):
            raise PlanError(f"text is {self.text!r}; a comment is one line")
        if self.every < 1 or self.count < 1:
            raise PlanError(f"every is {self.every} and count {self.count}; both are from 1")

    def __call__(self, script: Script) -> Script:
        comment = f": {self.text}".rstrip(" ").encode("utf-8", "replace")

        def change(seen: Seen) -> Sequence[Edit]:
            if (seen.number - 1) % self.every:
                return ()
            return seen.preceded_by((comment + seen.line_end * 2) * self.count)

        return edit_blocks(script, change)


@dataclass(frozen=True, slots=True, kw_only=True)
class NoSpace:
    """No field has a blank after its colon, as in ``data:{...}``; a value keeps its own blanks."""

    def __call__(self, script: Script) -> Script:
        def change(seen: Seen) -> Sequence[Edit]:
            return [(*match.span(1), b"") for match in _SPACE.finditer(seen.raw)]

        return edit_blocks(script, change)


@dataclass(frozen=True, slots=True, kw_only=True)
class TwoSpaces:
    """All data has two blanks after its colon, as in ``data:  [DONE]``: the second is data."""

    def __call__(self, script: Script) -> Script:
        def change(seen: Seen) -> Sequence[Edit]:
            starts = [start for start, _ in data_values(seen.raw)]
            return [(at, at, b" " if seen.raw[at - 1 : at] == b" " else b"  ") for at in starts]

        return edit_blocks(script, change)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bom:
    """The body begins with a byte order mark; one that does already, and frames, are left whole."""

    def __call__(self, script: Script) -> Script:
        for step in script:
            if isinstance(step, Emit) and step.data:
                begun = _BOM.startswith(step.data[:3]) or frames_begin(step.data)
                yield step if begun else Emit(_BOM + step.data)
                break
            yield step
        yield from script


@dataclass(frozen=True, slots=True, kw_only=True)
class Multiline:
    """Each event's JSON stands on three data lines: its bracket, what is in it, its bracket."""

    def __call__(self, script: Script) -> Script:
        def change(seen: Seen) -> Sequence[Edit]:
            if seen.brackets is None:
                return ()
            opens, closes = seen.brackets
            cut = seen.line_end + b"data: "
            return [(opens + 1, opens + 1, cut), (closes, closes, cut)]

        return edit_blocks(script, change)


@dataclass(frozen=True, slots=True, kw_only=True)
class EventAdded:
    """Each event of OpenAI chat completions, which have no names, is named ``message``."""

    def __call__(self, script: Script) -> Script:
        def change(seen: Seen) -> Sequence[Edit]:
            if seen.dialect != "openai_chat" or _EVENT_LINE.search(seen.block):
                return ()
            return seen.preceded_by(b"event: message" + seen.line_end)

        return edit_blocks(script, change)


@dataclass(frozen=True, slots=True, kw_only=True)
class EventMissing:
    """No event has its name on a line of its own; those whose JSON has no ``type`` keep it."""

    def __call__(self, script: Script) -> Script:
        def change(seen: Seen) -> Sequence[Edit]:
            value = seen.value
            if seen.dialect not in {"anthropic", "cohere", "openai_responses"}:
                return ()
            if not isinstance(value, dict) or value.get("type") != seen.name:
                return ()
            return [(*match.span(), b"") for match in _EVENT_LINE.finditer(seen.raw)]

        return edit_blocks(script, change)


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownField:
    """Each event has a field that no reader knows."""

    def __call__(self, script: Script) -> Script:
        return edit_blocks(script, lambda seen: seen.preceded_by(b"x-trace: 7f" + seen.line_end))


@dataclass(frozen=True, slots=True, kw_only=True)
class IdRetry:
    """Each event has an id, and says after how many milliseconds to reconnect."""

    def __call__(self, script: Script) -> Script:
        def change(seen: Seen) -> Sequence[Edit]:
            lines = (b"id: %d" % seen.number, b"retry: 3000", b"")
            return seen.preceded_by(seen.line_end.join(lines))

        return edit_blocks(script, change)
