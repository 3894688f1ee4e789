"""Faults in the framing of one event, or beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from cassette_stream.exceptions import PlanError
from cassette_stream.faults.edit import Edit, Seen, edit_event, insert_block
from cassette_stream.faults.place import Event, event_at
from cassette_stream.script import Script

__all__ = (
    "CUTTABLE",
    "META",
    "SEPARATORS",
    "CommentAsData",
    "Huge",
    "Meta",
    "MetaOnly",
    "NewlineCorruption",
    "Separator",
    "SpacePaddedCut",
    "UnicodeNewlines",
)

Meta: TypeAlias = Literal["retry", "id", "event", "empty_data"]
META: tuple[str, ...] = get_args(Meta)

Separator: TypeAlias = Literal["ls", "ps", "nel", "vt", "ff", "fs"]
SEPARATORS: tuple[str, ...] = get_args(Separator)

CUTTABLE: tuple[Literal["json", "json_string"], ...] = ("json", "json_string")

_META_LINES = {
    "retry": b"retry: 3000",
    "id": b"id: 1",
    "event": b"event: keepalive",
    "empty_data": b"data:",
}
_SEPARATORS = {
    "ls": "\u2028",
    "ps": "\u2029",
    "nel": "\u0085",
    "vt": "\v",
    "ff": "\f",
    "fs": "\x1c",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class MetaOnly:
    """Beside an event there is a block that says nothing: one field, and no data in it."""

    at: Event
    kind: Meta = "retry"

    def __post_init__(self) -> None:
        event_at(self.at, "sse.meta_only", after=True)
        if self.kind not in META:
            raise PlanError(f"kind is {self.kind!r}; it can be {', '.join(META)}")

    def __call__(self, script: Script) -> Script:
        return insert_block(script, self.at, _META_LINES[self.kind])


@dataclass(frozen=True, slots=True, kw_only=True)
class CommentAsData:
    """Beside an event there is a comment that a proxy sends on as if it were data."""

    at: Event

    def __post_init__(self) -> None:
        event_at(self.at, "sse.comment_as_data", after=True)

    def __call__(self, script: Script) -> Script:
        return insert_block(script, self.at, b"data: : OPENROUTER PROCESSING")


@dataclass(frozen=True, slots=True, kw_only=True)
class UnicodeNewlines:
    """An event holds a character that Python's ``splitlines`` ends a line at, and no standard.

    JSON may hold the first three kinds as they are: they come in a string of an additional
    member, so the answer stays the same. The others come in a comment before the event,
    with what would be data if a line began there. An event without a JSON object is left
    alone.
    """

    at: Event
    kind: Separator = "ls"

    def __post_init__(self) -> None:
        event_at(self.at, "sse.unicode_newlines")
        if self.kind not in SEPARATORS:
            raise PlanError(f"kind is {self.kind!r}; it can be {', '.join(SEPARATORS)}")

    def __call__(self, script: Script) -> Script:
        text = f"x{_SEPARATORS[self.kind]}data: x".encode()

        def change(seen: Seen) -> Sequence[Edit]:
            if self.kind in {"ls", "ps", "nel"}:
                return seen.with_member("extra", b'"%s"' % text)
            if seen.framing != "sse" or not seen.brackets:
                return ()
            return seen.preceded_by(b": " + text + seen.line_end)

        return edit_event(script, self.at, change)


@dataclass(frozen=True, slots=True, kw_only=True)
class Huge:
    """The JSON object of an event has one more member, a string of *size* bytes."""

    at: Event
    size: int = 4_000_000

    def __post_init__(self) -> None:
        event_at(self.at, "sse.huge")
        if self.size < 1:
            raise PlanError(f"size is {self.size}; it is from 1 byte")

    def __call__(self, script: Script) -> Script:
        return edit_event(
            script, self.at, lambda seen: seen.with_member("extra", b'"%s"' % (b"x" * self.size))
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class NewlineCorruption:
    """In the JSON of an event there are *count* raw line ends; two of them end the event."""

    at: Event
    count: int = 1

    def __post_init__(self) -> None:
        at = event_at(self.at, "sse.newline_corruption", insides=CUTTABLE, default="json_string")
        object.__setattr__(self, "at", at)
        if self.count < 1:
            raise PlanError(f"count is {self.count}; it is from 1")

    def __call__(self, script: Script) -> Script:
        def change(seen: Seen) -> Sequence[Edit]:
            offset = seen.inside(self.at.inside or "json_string")
            if offset is None or seen.framing == "aws":
                return ()
            return [(offset, offset, seen.line_end * self.count)]

        return edit_event(script, self.at, change)


@dataclass(frozen=True, slots=True, kw_only=True)
class SpacePaddedCut:
    """The JSON of an event breaks off, and blanks stand where the rest of it was."""

    at: Event

    def __post_init__(self) -> None:
        at = event_at(self.at, "sse.space_padded_cut", insides=CUTTABLE, default="json")
        object.__setattr__(self, "at", at)

    def __call__(self, script: Script) -> Script:
        def change(seen: Seen) -> Sequence[Edit]:
            if seen.framing == "aws":
                return ()
            offset = seen.inside(self.at.inside or "json") or len(seen.raw)
            # Byte for byte: each blank comes in the chunk of the byte that it stands for.
            return [
                (at, at + 1, b" ")
                for start, end in seen.values
                for at in range(max(start, offset), end)
            ]

        return edit_event(script, self.at, change)
