"""Faults after which the data of an event is no JSON; the framing around it stays whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

from cassette_stream.exceptions import PlanError
from cassette_stream.faults.edit import Edit, Seen, edit_event, edit_events, edit_pair
from cassette_stream.faults.place import Event, event_at
from cassette_stream.script import Emit, Fail

if TYPE_CHECKING:
    from cassette_stream.script import Script

__all__ = (
    "CONTROLS",
    "CUTTABLE",
    "ILLEGAL",
    "ArrayFrame",
    "Concat",
    "Control",
    "ControlKind",
    "Cut",
    "Html",
    "Illegal",
    "InvalidUtf8",
)

CUTTABLE: tuple[Literal["escape", "json", "json_string"], ...] = ("escape", "json", "json_string")

Illegal: TypeAlias = Literal["ff", "cesu"]
ILLEGAL: tuple[str, ...] = get_args(Illegal)

ControlKind: TypeAlias = Literal["tab", "esc", "nul"]
CONTROLS: tuple[str, ...] = get_args(ControlKind)

_ILLEGAL = {"ff": b"\xff", "cesu": b"\xed\xa0\xbc\xed\xbe\x89"}
_CONTROLS = {"tab": b"\t", "esc": b"\x1b", "nul": b"\0"}
_PAGE = b"<html><head><title>502 Bad Gateway</title></head><body>502 Bad Gateway</body></html>"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """The JSON of one event ends *at* a place inside it; the rest of the stream goes on.

    The event keeps its other fields, its line ends and its blank line. ``Event(3)`` is
    taken as ``Event(3, inside="json")``. A stream without the place is left whole.
    """

    at: Event

    def __post_init__(self) -> None:
        at = event_at(self.at, "json.cut", insides=CUTTABLE, default="json")
        object.__setattr__(self, "at", at)

    def __call__(self, script: Script) -> Script:
        def change(seen: Seen) -> Sequence[Edit]:
            offset = seen.inside(self.at.inside or "json")
            if offset is None:
                return ()
            return seen.edits([(max(a, offset), b, b"") for a, b in seen.values if b > offset])

        return edit_event(script, replace(self.at, inside=None), change)


@dataclass(frozen=True, slots=True, kw_only=True)
class Html:
    """The data of one event is a page of HTML."""

    at: Event

    def __post_init__(self) -> None:
        event_at(self.at, "json.html")

    def __call__(self, script: Script) -> Script:
        return edit_event(script, self.at, lambda seen: seen.with_data(_PAGE))


@dataclass(frozen=True, slots=True, kw_only=True)
class Concat:
    """What is between the JSON of an event and that of the next is lost: both are one event.

    Where one of the two has no JSON object the stream is left whole.
    """

    at: Event

    def __post_init__(self) -> None:
        event_at(self.at, "json.concat")

    def __call__(self, script: Script) -> Script:
        def change(first: Seen, second: Seen, begins: int) -> Sequence[Edit]:
            if not (isinstance(first.value, dict) and isinstance(second.value, dict)):
                return ()
            assert first.brackets is not None
            assert second.brackets is not None
            if first.framing == "aws":
                both = first.text + second.text
                return [*first.with_data(both), (begins, begins + len(second.raw), b"")]
            return [(first.brackets[1] + 1, begins + second.brackets[0], b"")]

        return edit_pair(script, self.at, change)


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrayFrame:
    """Gemini sends one JSON array instead of events, as it does without ``alt=sse``."""

    def __call__(self, script: Script) -> Script:
        begun = failed = False

        def change(seen: Seen) -> Sequence[Edit]:
            nonlocal begun
            if seen.dialect != "gemini":
                return ()
            data = b"\n".join(seen.raw[start:end] for start, end in seen.values)
            before, begun = (b"," if begun else b"["), True
            return seen.replaced_by(before + data + seen.line_end)

        for step in edit_events(script, change):
            failed = isinstance(step, Fail)
            yield step
        if begun and not failed:
            yield Emit(b"]")


@dataclass(frozen=True, slots=True, kw_only=True)
class InvalidUtf8:
    """In a string of one event there are bytes that are no UTF-8: 0xFF, or CESU surrogates."""

    at: Event
    kind: Illegal = "ff"

    def __post_init__(self) -> None:
        object.__setattr__(self, "at", _in_string(self.at, "json.invalid_utf8"))
        if self.kind not in ILLEGAL:
            raise PlanError(f"kind is {self.kind!r}; it can be {', '.join(ILLEGAL)}")

    def __call__(self, script: Script) -> Script:
        return _put_into_string(script, self.at, _ILLEGAL[self.kind])


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """In a string of one event there is a control character that is not escaped."""

    at: Event
    kind: ControlKind = "tab"

    def __post_init__(self) -> None:
        object.__setattr__(self, "at", _in_string(self.at, "json.control"))
        if self.kind not in CONTROLS:
            raise PlanError(f"kind is {self.kind!r}; it can be {', '.join(CONTROLS)}")

    def __call__(self, script: Script) -> Script:
        return _put_into_string(script, self.at, _CONTROLS[self.kind])


def _in_string(at: object, fault: str) -> Event:
    return event_at(at, fault, insides=("json_string",), default="json_string")


def _put_into_string(script: Script, at: Event, data: bytes) -> Script:
    def change(seen: Seen) -> Sequence[Edit]:
        offset = seen.inside("json_string")
        return () if offset is None else seen.edits([(offset, offset, data)])

    return edit_event(script, at, change)
