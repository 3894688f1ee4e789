"""Faults after which the data of an event is JSON that readers trip over.

What is odd stands in a member that is none of the answer's, so the answer is the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from cassette_stream.exceptions import PlanError
from cassette_stream.faults.edit import Edit, Seen, edit_event, insert_event, json_bytes
from cassette_stream.faults.place import Event, event_at
from cassette_stream.script import Script

__all__ = (
    "NUMBERS",
    "SCALARS",
    "BigInt",
    "Deep",
    "DupKeys",
    "Nan",
    "Nul",
    "Number",
    "Scalar",
    "ScalarKind",
)

Number: TypeAlias = Literal["nan", "infinity", "-infinity"]
NUMBERS: tuple[str, ...] = get_args(Number)

ScalarKind: TypeAlias = Literal["null", "array", "string"]
SCALARS: tuple[str, ...] = get_args(ScalarKind)

_NUMBERS = {"nan": b"NaN", "infinity": b"Infinity", "-infinity": b"-Infinity"}
_SCALARS = {"null": b"null", "array": b"[]", "string": b'"processing"'}


@dataclass(frozen=True, slots=True, kw_only=True)
class Nan:
    """The JSON object of an event has a log probability that Python writes and JSON has not."""

    at: Event
    kind: Number = "nan"

    def __post_init__(self) -> None:
        event_at(self.at, "json.nan")
        if self.kind not in NUMBERS:
            raise PlanError(f"kind is {self.kind!r}; it can be {', '.join(NUMBERS)}")

    def __call__(self, script: Script) -> Script:
        return edit_event(
            script, self.at, lambda seen: seen.with_member("logprob", _NUMBERS[self.kind])
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Scalar:
    """Beside an event there is one whose JSON is no object."""

    at: Event
    kind: ScalarKind = "null"

    def __post_init__(self) -> None:
        event_at(self.at, "json.scalar", after=True)
        if self.kind not in SCALARS:
            raise PlanError(f"kind is {self.kind!r}; it can be {', '.join(SCALARS)}")

    def __call__(self, script: Script) -> Script:
        return insert_event(script, self.at, _SCALARS[self.kind])


@dataclass(frozen=True, slots=True, kw_only=True)
class Nul:
    """The JSON object of an event has one more member, a string with an escaped NUL."""

    at: Event

    def __post_init__(self) -> None:
        event_at(self.at, "json.nul")

    def __call__(self, script: Script) -> Script:
        return edit_event(script, self.at, lambda seen: seen.with_member("extra", b'"x\\u0000x"'))


@dataclass(frozen=True, slots=True, kw_only=True)
class DupKeys:
    """The JSON object of an event has all its members twice, with the same values."""

    at: Event

    def __post_init__(self) -> None:
        event_at(self.at, "json.dup_keys")

    def __call__(self, script: Script) -> Script:
        def change(seen: Seen) -> Sequence[Edit]:
            value = seen.value
            if seen.brackets is None or not isinstance(value, dict) or not value:
                return ()
            at = seen.brackets[1]
            return seen.edits([(at, at, b"," + json_bytes(value)[1:-1])])

        return edit_event(script, self.at, change)


@dataclass(frozen=True, slots=True, kw_only=True)
class BigInt:
    """The JSON object of an event has one more member, a number of so many *digits*."""

    at: Event
    digits: int = 5_000

    def __post_init__(self) -> None:
        event_at(self.at, "json.big_int")
        if self.digits < 1:
            raise PlanError(f"digits is {self.digits}; it is from 1")

    def __call__(self, script: Script) -> Script:
        return edit_event(
            script, self.at, lambda seen: seen.with_member("extra", b"9" * self.digits)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Deep:
    """The JSON object of an event has one more member, arrays in each other to a *depth*."""

    at: Event
    depth: int = 10_000

    def __post_init__(self) -> None:
        event_at(self.at, "json.deep")
        if self.depth < 1:
            raise PlanError(f"depth is {self.depth}; it is from 1")

    def __call__(self, script: Script) -> Script:
        arrays = b"[" * self.depth + b"]" * self.depth
        return edit_event(script, self.at, lambda seen: seen.with_member("extra", arrays))
