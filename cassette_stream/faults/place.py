"""Places in a stream: an event, a byte, a chunk, so much text, a moment, a value.

A place is exact: it is there or it is not, and nothing near it will do. Events are those
that a decoder of server-sent events dispatches: comments and blocks without data are
none, and neither is one that lacks its blank line.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import KW_ONLY, dataclass, replace
from typing import Literal, TypeAlias

from cassette_stream.cassette.json_path import parse_path
from cassette_stream.exceptions import PlanError
from cassette_stream.faults.inside import INSIDES, Inside
from cassette_stream.faults.parameter import quoted

__all__ = (
    "EVENT_PLACES",
    "PLACES",
    "AfterText",
    "Byte",
    "Chunk",
    "Event",
    "EventPlace",
    "Place",
    "Time",
    "When",
    "check_event",
    "check_place",
    "kind_of",
)

_NAMES = ("first", "last", "terminator")
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')


@dataclass(frozen=True, slots=True)
class Event:
    """The place before the first byte of event *n*, or *inside* that event.

    *n* counts from 1, or from the end with -1; ``first`` and ``last`` are 1 and -1;
    ``terminator`` is the first event that says that the answer is over: ``[DONE]``, or of
    the type ``message_stop``, ``message-end``, ``response.completed``, ``.failed`` or
    ``.incomplete``. With a *type*, only events of that type are counted: by their ``event``
    line, or by the ``type`` in their JSON. *inside* is one of ``blank_line``, ``crlf``,
    ``escape``, ``json``, ``json_string`` and ``utf8``; see `cassette_stream.faults.inside`
    for which of several. *after* is the place after its last byte, blank line included.

    Raises:
        PlanError: There can be no such event.
    """

    n: int | Literal["first", "last", "terminator"]
    _: KW_ONLY
    type: str | None = None
    inside: Inside | None = None
    after: bool = False

    def __post_init__(self) -> None:
        if self.n not in _NAMES:
            _check_number("event", self.n, zero=False)
        if self.inside is not None and self.inside not in INSIDES:
            raise PlanError(f"inside is {self.inside!r}; it can be {', '.join(INSIDES)}")
        if not isinstance(self.after, bool):
            raise PlanError(f"after is {self.after!r}; it can be true or false")
        kind: object = self.type
        if kind is not None and not (isinstance(kind, str) and kind):
            raise PlanError(f"type is {kind!r}; it can be the type of an event")
        if self.after and self.inside is not None:
            raise PlanError(f"a place after event {self.n} is not inside it: give one of the two")
        if self.type is not None and self.n == "terminator":
            raise PlanError(f"the terminator has its own type: leave out type={self.type}")

    def __str__(self) -> str:
        text = f"event={self.n}"
        text += f",type={quoted(self.type)}" if self.type else ""
        text += f",inside={self.inside}" if self.inside else ""
        return text + (",after=true" if self.after else "")


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


@dataclass(frozen=True, slots=True)
class AfterText:
    """The place after the event with which the answer has *n* characters of text.

    Raises:
        PlanError: *n* is no whole number above 0.
    """

    n: int

    def __post_init__(self) -> None:
        _check_number("after_text", self.n, zero=False)
        if self.n < 0:
            raise PlanError(f"after_text is {self.n}; characters are counted from 1")

    def __str__(self) -> str:
        return f"after_text={self.n}"


@dataclass(frozen=True, slots=True)
class Time:
    """The moment *seconds* after the request, as the recording counts them.

    Raises:
        PlanError: *seconds* is no number from 0.
    """

    seconds: float

    def __post_init__(self) -> None:
        if isinstance(self.seconds, bool) or not isinstance(self.seconds, int | float):
            raise PlanError(f"time is {self.seconds!r}; it can be a number of seconds")
        if not 0 <= self.seconds < math.inf:
            raise PlanError(f"time is {self.seconds!r}; it can be from 0 seconds on")

    def __str__(self) -> str:
        return f"time={self.seconds!r}"


@dataclass(frozen=True, slots=True)
class When:
    """The place before the first event whose JSON has *value* at *path*.

    A path is written as in ``choices[0].finish_reason`` or ``content[*].type``; a name with
    a comma or an equals sign stands in brackets and quotes.

    Raises:
        PlanError: *path* is none, or no value of JSON but a list or object is *value*.
    """

    path: str
    value: str | float | bool | None

    def __post_init__(self) -> None:
        try:
            parse_path(self.path)
        except ValueError as error:
            raise PlanError(f"when: {error}") from None
        if {",", "="} & {*_QUOTED.sub("", self.path)}:
            raise PlanError(
                f'when: {self.path!r} has a comma or an equals sign in a name: write it as ["a,b"]'
            )
        value = self.value
        is_number = isinstance(value, int | float) and math.isfinite(value)
        if not (value is None or is_number or isinstance(value, str)):
            raise PlanError(f"when: {value!r} is no text, number, true, false or null of JSON")

    def __str__(self) -> str:
        return f"when={self.path}=={json.dumps(self.value, ensure_ascii=False)}"


Place: TypeAlias = Event | Byte | Chunk | AfterText | Time | When

EventPlace: TypeAlias = Event | AfterText | When
"""Where one event can be meant: that event, the next one after so much text, the first with
a value."""

EVENT_PLACES = ("event", "after_text", "when")
"""The locators of these."""

PLACES = ("event", "byte", "chunk", "after_text", "time", "when")
"""The locators by name: the places where something can happen between two bytes."""


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
    if not isinstance(at, Event | Byte | Chunk | AfterText | Time | When):
        raise PlanError(f"at is {at!r}; it can be an Event, a Byte, a Chunk ...")


def check_event(at: object, *, named_only: bool = True) -> None:
    """Refuse what does not mean one whole event; or, *named_only*, does not name it.

    Raises:
        PlanError: *at* is another place.
    """
    if not isinstance(at, Event if named_only else EventPlace):
        raise PlanError(f"at is {at!r}; it can be an Event")
    if isinstance(at, Event) and (at.inside is not None or at.after):
        more = "after" if at.after else f"inside={at.inside}"
        raise PlanError(f"this happens to event {at.n} as a whole: leave out {more}")


def event_at(
    at: object,
    fault: str,
    *,
    insides: tuple[Inside, ...] = (),
    default: Inside | None = None,
    after: bool = False,
) -> Event:
    """*at* as the place of a *fault* of one event: inside of *default* if it says nothing else.

    Raises:
        PlanError: It is no event, or says more of it than *insides* and *after* allow.
    """
    if not isinstance(at, Event):
        raise PlanError(f"at is {at!r}; {fault} takes an Event")
    if at.after and not after:
        raise PlanError(f"{fault} changes an event, there is no after: leave out after=true")
    if at.inside is None:
        return replace(at, inside=default)
    if at.inside not in insides:
        known = ", ".join(insides)
        raise PlanError(
            f"inside is {at.inside!r}; here it can be {known}"
            if known
            else f"{fault} takes a whole event: leave out inside={at.inside}"
        )
    return at


def kind_of(at: Place) -> str:
    """The name of the locator, one of `PLACES`."""
    return str(at).partition("=")[0]
