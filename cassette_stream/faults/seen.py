"""The events of a script as a fault sees them, with their places in the body."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, TypeAlias

from cassette_stream.faults.dialect import Dialect, dialect_of
from cassette_stream.faults.inside import data_values
from cassette_stream.faults.seekers import event_decoder, events_fed, is_terminal
from cassette_stream.script import Emit, Script, Step
from cassette_stream.wire.sse import LocatedEvent

__all__ = ("NO_JSON", "Edit", "Heard", "Seen", "dialect_in", "events_in", "json_bytes")

Edit: TypeAlias = tuple[int, int, bytes]
"""Where it begins, where it ends, and what stands there instead."""

_BLANK_LINE = re.compile(rb"(?:\r\n|\n|\r(?!\n)){2}")
_DATA_LINE = re.compile(rb"(?:\A|(?<=[\r\n]))data(?:: ?([^\r\n]*)|(?=[\r\n]))")
_BOM = b"\xef\xbb\xbf"

NO_JSON = object()
"""The value of an event whose data is no JSON."""


@dataclass(frozen=True)
class Seen:
    """One event as a fault sees it.

    Attributes:
        raw: Its bytes, from the end of the event before to its own blank line.
        number: Its number, counted from 1.
        name: Its event type, ``message`` if it has none.
        data: Its data.
        dialect: The dialect that this event or one before it told, None if none did.
    """

    raw: bytes
    number: int
    name: str
    data: str
    dialect: Dialect | None

    @cached_property
    def value(self) -> object:
        """The JSON value of the data, `NO_JSON` if it is none."""
        try:
            # Python refuses to make a number of more than 4,300 digits; it is JSON all the same.
            return json.loads(self.data)
        except (ValueError, RecursionError):
            return NO_JSON

    @cached_property
    def is_terminal(self) -> bool:
        """Whether it says that the answer is over."""
        return is_terminal(self.name, self.data)

    @property
    def line_end(self) -> bytes:
        """How its lines end."""
        end = self.raw[-2:]
        return b"\r\n" if end == b"\r\n" else end[-1:]

    @cached_property
    def start(self) -> int:
        """Where in *raw* its own lines begin, after blocks that are no events."""
        ends = [match.end() for match in _BLANK_LINE.finditer(self.raw)]
        before = [end for end in ends if end < len(self.raw)]
        return before[-1] if before else len(_BOM) * self.raw.startswith(_BOM)

    @property
    def block(self) -> bytes:
        """Its own lines."""
        return self.raw[self.start :]

    def with_data(self, data: bytes) -> list[Edit]:
        """The edits that give it other *data*, on the line where its data begins."""
        first, *others = _DATA_LINE.finditer(self.raw)
        # A field without a colon has no value to stand behind.
        told = (
            (*first.span(1), data)
            if first[1] is not None
            else (first.end(), first.end(), b": " + data)
        )
        gone = [(_before(self.raw, line.start()), line.end(), b"") for line in others]
        return [told, *gone]

    def with_value(self, value: object) -> list[Edit]:
        """The edits that make its data the JSON of *value*."""
        return self.with_data(json_bytes(value))

    def altered(self, alter: Callable[[Any], object]) -> list[Edit]:
        """The edits that make its JSON what *alter* makes of it; none if that is the same."""
        if not isinstance(self.value, dict):
            return []
        value = deepcopy(self.value)
        alter(value)
        return [] if value == self.value else self.with_value(value)

    @cached_property
    def brackets(self) -> tuple[int, int] | None:
        """Where in *raw* its JSON object or array opens, and where it closes; None if none does."""
        if not isinstance(self.value, dict | list):
            return None
        told = [(a, b) for a, b in data_values(self.raw) if self.raw[a:b].strip()]
        opens, closes = told[0][0], told[-1][1]
        opens += len(self.raw[opens:]) - len(self.raw[opens:].lstrip())
        return opens, len(self.raw[:closes].rstrip()) - 1

    def with_member(self, name: str, value: bytes) -> list[Edit]:
        """The edits that give its JSON one more member, the last; none if it is no object.

        *value* is JSON, or what is taken for it.
        """
        if self.brackets is None or not isinstance(self.value, dict):
            return []
        at = self.brackets[1]
        comma = b"," if self.value else b""
        return [(at, at, comma + json_bytes(name) + b":" + value)]

    def preceded_by(self, data: bytes) -> list[Edit]:
        return [(self.start, self.start, data)]

    def followed_by(self, data: bytes) -> list[Edit]:
        return [(len(self.raw), len(self.raw), data)]

    def replaced_by(self, data: bytes) -> list[Edit]:
        return [(self.start, len(self.raw), data)]


def _before(raw: bytes, start: int) -> int:
    """Where the line end before the line at *start* begins."""
    return start - (2 if raw[:start].endswith(b"\r\n") else 1)


def json_bytes(value: object) -> bytes:
    """The JSON of *value* as providers write it: compact, in UTF-8."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "surrogatepass")


def events_in(steps: Iterable[Step]) -> list[Seen]:
    """The events of a whole script."""
    heard = Heard()
    for _ in heard.listen(iter(steps)):
        pass
    heard.finish()
    return [seen for seen, _ in heard.new]


def dialect_in(steps: Iterable[Step]) -> Dialect | None:
    """The dialect of a whole script."""
    return next((seen.dialect for seen in reversed(events_in(steps))), None)


class Heard:
    """The events of a body that is listened to, with their places.

    Attributes:
        size: Bytes of the body so far.
        whole: The bytes up to the end of the last whole event.
        new: The events that came since it was emptied, and where each begins.
    """

    def __init__(self) -> None:
        self.size = 0
        self.whole = 0
        self.new: list[tuple[Seen, int]] = []
        self._decoder = event_decoder()
        self._body = bytearray()  # from `whole` on
        self._count = 0
        self._dialect: Dialect | None = None

    def listen(self, script: Script) -> Script:
        for step in script:
            if isinstance(step, Emit):
                self.size += len(step.data)
                self._body += step.data
                self._add(events_fed(self._decoder, step.data))
            yield step

    def finish(self) -> None:
        """The body is over: a last CR was no half of a CRLF."""
        self._add(self._decoder.finish())

    def seen(self, start: int) -> Seen:
        """The event that begins at *start*."""
        if not any(at == start for _, at in self.new):
            self.finish()
        return next(seen for seen, at in self.new if at == start)

    def after(self, start: int) -> tuple[Seen, int] | None:
        """The first event that begins after *start*, and where; None if none came."""
        return next(((seen, at) for seen, at in self.new if at > start), None)

    def _add(self, events: Iterable[LocatedEvent]) -> None:
        for event in events:
            self._count += 1
            raw = bytes(self._body[event.start - self.whole : event.end - self.whole])
            del self._body[: event.end - self.whole]
            self.whole = event.end
            seen = Seen(
                raw=raw,
                number=self._count,
                name=event.event,
                data=event.data,
                dialect=self._dialect,
            )
            if self._dialect is None:
                self._dialect = dialect_of([seen.value])
                seen = replace(seen, dialect=self._dialect)
            self.new.append((seen, event.start))
