"""An array of JSON objects that is sent bit by bit: bytes in, the text of each object out.

An object is given as soon as its last byte is there, the same ones wherever the network
cut. Only where objects begin and end is looked at: whether one of them is valid JSON is
for its reader to find out. No byte is searched again when more come.
"""

from __future__ import annotations

import re
from enum import Enum, auto
from typing import TYPE_CHECKING

from cassette_stream.exceptions import WireFormatError
from cassette_stream.wire._late_error import then_raise
from cassette_stream.wire.sse import MAX_EVENT_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ("JSONArrayDecoder",)


class _Place(Enum):
    """Where in the array the next byte stands."""

    BEFORE = auto()
    FIRST = auto()
    OBJECT = auto()
    BEHIND_OBJECT = auto()
    BEHIND_COMMA = auto()
    END = auto()


# What may come at a place, blanks apart, and where that leads.
_WAYS: Mapping[_Place, Mapping[bytes, _Place]] = {
    _Place.BEFORE: {b"[": _Place.FIRST},
    _Place.FIRST: {b"{": _Place.OBJECT, b"]": _Place.END},
    _Place.BEHIND_OBJECT: {b",": _Place.BEHIND_COMMA, b"]": _Place.END},
    _Place.BEHIND_COMMA: {b"{": _Place.OBJECT},
    _Place.END: {},
}
_NO_BLANK = re.compile(rb"[^ \t\r\n]")
_MARKS = re.compile(rb'["\[\]{}]')
_MARKS_IN_STRING = re.compile(rb'["\\]')


class JSONArrayDecoder:
    """An incremental decoder of one array of objects.

    *truncated* is True once `finish` found the closing bracket missing.

    Args:
        max_object_bytes: The longest object.

    Raises:
        ValueError: *max_object_bytes* is less than 1.
    """

    __slots__ = (
        "_depth",
        "_error",
        "_escaped",
        "_held",
        "_in_string",
        "_limit",
        "_place",
        "_start",
        "truncated",
    )

    def __init__(self, *, max_object_bytes: int = MAX_EVENT_BYTES) -> None:
        if max_object_bytes < 1:
            raise ValueError(f"max_object_bytes is 1 or more, not {max_object_bytes}")
        self.truncated = False
        self._limit = max_object_bytes
        self._place = _Place.BEFORE
        self._held = bytearray()  # the unfinished object
        self._start = 0  # how many bytes came before those at hand
        self._depth = 0  # brackets that are open in the object
        self._in_string = False
        self._escaped = False  # the last byte was the backslash of an escape
        self._error: WireFormatError | None = None

    @property
    def ended(self) -> bool:
        """Whether the closing bracket came."""
        return self._place is _Place.END

    @property
    def pending(self) -> int:
        """How many bytes are held because their object has not ended."""
        return len(self._held)

    def feed(self, data: bytes) -> Iterator[str]:
        """Take *data*, and give an iterator over the objects that it completes.

        *data* is taken when this is called, whether you iterate or not. An error waits in
        the iterator until you reach it, so the objects before a broken one are still yours.

        Raises:
            WireFormatError: While iterating: this is no array of objects, or one of them is
                no UTF-8 or longer than *max_object_bytes*. Every later call says the same.
        """
        objects: list[str] = []
        at = 0
        try:
            while at < len(data) and self._error is None:
                within = self._place is _Place.OBJECT
                at = self._within(data, at, objects) if within else self._between(data, at)
        except WireFormatError as error:
            self._error = error
            self._held.clear()
        self._start += len(data)
        return self._and_error(objects)

    def finish(self) -> Iterator[str]:
        """Say that the stream has ended. Objects do not wait for that, so none is left.

        Raises:
            WireFormatError: While iterating: the stream was broken before it ended.
        """
        self.truncated = not self.ended
        return self._and_error([])

    def _and_error(self, objects: list[str]) -> Iterator[str]:
        if self._error is None:
            return iter(objects)
        return then_raise(iter(objects), self._error)

    def _between(self, data: bytes, at: int) -> int:
        """Read one mark between objects; where to go on."""
        found = _NO_BLANK.search(data, at)
        if found is None:
            return len(data)
        ways = _WAYS[self._place]
        place = ways.get(found[0])
        if place is None:
            due = b" or ".join(ways).decode() or "nothing"
            raise WireFormatError(
                f"{due} must come at this place of a JSON array, not {found[0]!r}",
                offset=self._start + found.start(),
            )
        self._place = place
        # The bracket that opens an object belongs to it.
        return found.start() if place is _Place.OBJECT else found.end()

    def _within(self, data: bytes, start: int, objects: list[str]) -> int:
        """Read up to the end of the object, or of *data*; where to go on."""
        at = start + self._escaped
        self._escaped = False
        while found := (_MARKS_IN_STRING if self._in_string else _MARKS).search(data, at):
            at = found.end()
            match found[0]:
                case b'"':
                    self._in_string = not self._in_string
                case b"\\":
                    # Whatever it is that is escaped ends nothing.
                    self._escaped = at == len(data)
                    at += 1
                case b"{" | b"[":
                    self._depth += 1
                case _:
                    self._depth -= 1
                    if not self._depth:
                        self._hold(data[start:at], at)
                        objects.append(self._text(self._start + at))
                        return at
        self._hold(data[start:], len(data))
        return len(data)

    def _hold(self, data: bytes, end: int) -> None:
        self._held += data
        if len(self._held) > self._limit:
            raise WireFormatError(
                f"an object of more than {self._limit} bytes; max_object_bytes allows longer ones",
                offset=self._start + end - len(self._held) + self._limit,
            )

    def _text(self, end: int) -> str:
        """What is held, which is a whole object and ends at byte *end*."""
        self._place = _Place.BEHIND_OBJECT
        try:
            text = self._held.decode()
        except UnicodeDecodeError as error:
            raise WireFormatError(
                f"no UTF-8: 0x{self._held[error.start]:02x} ({error.reason})",
                offset=end - len(self._held) + error.start,
            ) from error
        self._held.clear()
        return text
