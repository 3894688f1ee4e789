"""The events of a script as a fault sees them, with their places in the body.

An edit of what an event says leaves what it stands in whole: a frame gets the lengths and
checksums that fit, and what it holds in base64 is base64 again.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, TypeAlias

from cassette_stream.faults.dialect import Dialect, dialect_of
from cassette_stream.faults.framing import (
    EventReader,
    Framing,
    inner_of,
    payload_span,
    reframed,
    with_inner,
)
from cassette_stream.faults.inside import Inside, data_values, offset_inside
from cassette_stream.faults.seekers import events_fed, is_terminal
from cassette_stream.script import Emit, Script, Step
from cassette_stream.wire.eventstream import encode_message
from cassette_stream.wire.sse import LocatedEvent

__all__ = (
    "NO_JSON",
    "Edit",
    "Heard",
    "Seen",
    "dialect_in",
    "events_in",
    "framing_in",
    "json_bytes",
)

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
        raw: Its bytes, from the end of the event before to its own blank line; a line; a frame.
        number: Its number, counted from 1.
        name: Its event type, ``message`` if it has none.
        data: Its data.
        dialect: The dialect that this event or one before it told, None if none did.
        framing: What it stands in.
    """

    raw: bytes
    number: int
    name: str
    data: str
    dialect: Dialect | None
    framing: Framing = "sse"

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
        return is_terminal(self.name, self.data, self.framing)

    @property
    def line_end(self) -> bytes:
        """How its lines end; nothing in a frame."""
        end = self.raw[-2:]
        if self.framing == "sse":
            return b"\r\n" if end == b"\r\n" else end[-1:]
        return b"" if self.framing == "aws" else b"\r\n" if end == b"\r\n" else b"\n"

    @cached_property
    def start(self) -> int:
        """Where in *raw* its own lines begin, after blocks that are no events."""
        if self.framing != "sse":
            return 0
        ends = [match.end() for match in _BLANK_LINE.finditer(self.raw)]
        before = [end for end in ends if end < len(self.raw)]
        return before[-1] if before else len(_BOM) * self.raw.startswith(_BOM)

    @property
    def block(self) -> bytes:
        """Its own lines."""
        return self.raw[self.start :]

    @cached_property
    def text(self) -> bytes:
        """The bytes in which its JSON stands as it is: *raw*, or what a frame holds."""
        if self.framing != "aws":
            return self.raw
        payload = self.raw[slice(*payload_span(self.raw))]
        inner = inner_of(payload)
        return payload if inner is None else inner

    @cached_property
    def values(self) -> list[tuple[int, int]]:
        """Where in *text* its data stands, line by line."""
        if self.framing == "aws":
            return [(0, len(self.text))]
        return data_values(self.raw, self.framing)

    def inside(self, inside: Inside) -> int | None:
        """Where in *text* it can be cut inside a thing of that kind; None if it holds none."""
        if self.framing != "aws":
            return offset_inside(self.raw, inside, self.framing)
        return offset_inside(self.text, inside, "ndjson") if inside != "crlf" else None

    def edits(self, changes: Sequence[Edit]) -> list[Edit]:
        """The edits of *raw* that make these *changes* of *text*, which are in order."""
        if self.framing != "aws" or not changes:
            return list(changes)
        pieces, at = [], 0
        for start, end, new in changes:
            pieces += [self.text[at:start], new]
            at = end
        return [(0, len(self.raw), self._framed(b"".join([*pieces, self.text[at:]])))]

    def event(self, data: bytes, name: str | None = None) -> bytes:
        """Another event as this one is written, with *data* that is one line.

        *name* is its type, where that is no part of its data: without it, it has none, and
        a frame has the type of this one. One that ends in ``Exception`` is no event to AWS.
        """
        if self.framing == "ndjson":
            return data + self.line_end
        if self.framing == "sse":
            lines = [b"data: " + data, b""]
            named = [] if name is None else [b"event: " + name.encode()]
            return b"".join(line + self.line_end for line in [*named, *lines])
        kind = "exception" if name is not None and name.endswith("Exception") else "event"
        if kind == "event" and (name is None or self._is_chunk):
            return self._framed(data)
        headers = {f":{kind}-type": name or "", ":content-type": "application/json"}
        return encode_message(headers | {":message-type": kind}, data)

    @cached_property
    def _is_chunk(self) -> bool:
        return inner_of(self.raw[slice(*payload_span(self.raw))]) is not None

    def _framed(self, text: bytes) -> bytes:
        """The frame with another *text*."""
        payload = self.raw[slice(*payload_span(self.raw))]
        return reframed(self.raw, with_inner(payload, text) if self._is_chunk else text)

    def with_data(self, data: bytes) -> list[Edit]:
        """The edits that give it other *data*, on the line where its data begins."""
        if self.framing != "sse":
            return self.edits([(*self.values[0], data)])
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
        """Where in *text* its JSON object or array opens and closes; None if none does."""
        if not isinstance(self.value, dict | list):
            return None
        text = self.text
        told = [(a, b) for a, b in self.values if text[a:b].strip()]
        opens, closes = told[0][0], told[-1][1]
        opens += len(text[opens:]) - len(text[opens:].lstrip())
        return opens, len(text[:closes].rstrip()) - 1

    def with_member(self, name: str, value: bytes) -> list[Edit]:
        """The edits that give its JSON one more member, the last; none if it is no object.

        *value* is JSON, or what is taken for it.
        """
        if self.brackets is None or not isinstance(self.value, dict):
            return []
        at = self.brackets[1]
        comma = b"," if self.value else b""
        return self.edits([(at, at, comma + json_bytes(name) + b":" + value)])

    def preceded_by(self, data: bytes) -> list[Edit]:
        return [(self.start, self.start, data)]

    def followed_by(self, data: bytes) -> list[Edit]:
        if self.framing == "ndjson" and not self.raw.endswith(b"\n"):
            data = self.line_end + data
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


def framing_in(steps: Iterable[Step]) -> Framing:
    """What the events of a whole script stand in."""
    return next((seen.framing for seen in events_in(steps)), "sse")


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
        self._reader = EventReader()
        self._body = bytearray()  # from `whole` on
        self._count = 0
        self._dialect: Dialect | None = None

    def listen(self, script: Script) -> Script:
        for step in script:
            if isinstance(step, Emit):
                self.size += len(step.data)
                self._body += step.data
                self._add(events_fed(self._reader, step.data))
            yield step

    @property
    def framing(self) -> Framing:
        """What its events stand in."""
        return self._reader.framing

    def finish(self) -> None:
        """The body is over: a last CR was no half of a CRLF."""
        self._add(self._reader.finish())

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
                framing=self._reader.framing,
            )
            if self._dialect is None:
                self._dialect = dialect_of([seen.value])
                seen = replace(seen, dialect=self._dialect)
            self.new.append((seen, event.start))
