"""Places in a stream: an event, a byte, a chunk.

A place is exact: it is there or it is not, and nothing near it will do. Events are those
that a decoder of server-sent events dispatches: comments and blocks without data are
none, and neither is one that lacks its blank line.
"""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Literal, TypeAlias

from cassette_stream.exceptions import PlanError
from cassette_stream.faults.inside import INSIDES, Inside

__all__ = ("Byte", "Chunk", "Event", "Place", "check_place")

_NAMES = ("first", "last", "terminator")


@dataclass(frozen=True, slots=True)
class Event:
    """The place before the first byte of event *n*, or *inside* that event.

    *n* counts from 1, or from the end with -1; ``first`` and ``last`` are 1 and -1;
    ``terminator`` is the first event that says that the answer is over: ``[DONE]``, or of
    the type ``message_stop``, ``message-end``, ``response.completed``, ``.failed`` or
    ``.incomplete``. *inside* is one of ``crlf``, ``escape``, ``json``, ``json_string`` and
    ``utf8``; see `cassette_stream.faults.inside` for which of several.

    Raises:
        PlanError: There can be no such event.
    """

    n: int | Literal["first", "last", "terminator"]
    _: KW_ONLY
    inside: Inside | None = None

    def __post_init__(self) -> None:
        if self.n not in _NAMES:
            _check_number("event", self.n, zero=False)
        if self.inside is not None and self.inside not in INSIDES:
            raise PlanError(f"inside is {self.inside!r}; it can be {', '.join(INSIDES)}")

    def __str__(self) -> str:
        return f"event={self.n}" + (f",inside={self.inside}" if self.inside else "")


@dataclass(frozen=True, slots=True)
class Byte:
    """The place after the first *n* bytes of the body; -1 is before the last byte.

    Raises:
        PlanError: *n* is no whole number.
    """

    n: int

    def __post_init__(self) -> None:
        _check_number("byte", self.n, zero=True)

    def __str__(self) -> str:
        return f"byte={self.n}"


@dataclass(frozen=True, slots=True)
class Chunk:
    """The place before chunk *n*, counted from 1, or from the end with -1.

    A chunk is what one network read gives; reads that gave nothing are not counted.

    Raises:
        PlanError: There can be no such chunk.
    """

    n: int

    def __post_init__(self) -> None:
        _check_number("chunk", self.n, zero=False)

    def __str__(self) -> str:
        return f"chunk={self.n}"


Place: TypeAlias = Event | Byte | Chunk


def _check_number(what: str, n: object, *, zero: bool) -> None:
    if not isinstance(n, int) or isinstance(n, bool):
        names = ", first, last or terminator" if what == "event" else ""
        raise PlanError(f"{what} is {n!r}; it can be a whole number{names}")
    if n == 0 and not zero:
        raise PlanError(f"{what} is 0; {what}s are counted from 1, or from the end with -1")


def check_place(at: object) -> None:
    """Refuse what is no place.

    Raises:
        PlanError: *at* is something else.
    """
    if not isinstance(at, Event | Byte | Chunk):
        raise PlanError(f"at is {at!r}; it can be an Event, a Byte or a Chunk")
