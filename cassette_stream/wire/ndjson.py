"""JSON values, one a line (NDJSON, JSON Lines): bytes in, the text of each line out.

A line is given as soon as its line end is there, the same ones wherever the network cut.
Only where lines end is looked at: whether one of them is valid JSON is for its reader to
find out. No byte is searched again when more come.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar, overload

from cassette_stream.exceptions import WireFormatError
from cassette_stream.wire._late_error import then_raise
from cassette_stream.wire._sse_block import is_complete
from cassette_stream.wire.sse import MAX_EVENT_BYTES, LocatedEvent

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ("NDJSONDecoder",)

LineT = TypeVar("LineT")

_BOM = b"\xef\xbb\xbf"
_BLANKS = " \t\r"


class NDJSONDecoder(Generic[LineT]):
    """An incremental decoder of one body of lines.

    A line ends with LF, and a CR before that is no part of it. Blank lines are nothing, and
    so is a byte order mark. *truncated* is True once `finish` found a last line that has no
    LF and is no whole JSON text.

    Args:
        offsets: Give each line as a `LocatedEvent`. Its *end* is the byte after its LF.
        errors: What to do with bytes that are no UTF-8: "strict" reports them, "replace"
            reads U+FFFD.
        max_line_bytes: The longest line, all but its LF counted.

    Raises:
        ValueError: *errors* or *max_line_bytes* (1 or more) is none of these.
    """

    __slots__ = (
        "_error",
        "_errors",
        "_finished",
        "_held",
        "_limit",
        "_offsets",
        "_start",
        "truncated",
    )

    @overload
    def __init__(
        self: NDJSONDecoder[str],
        *,
        offsets: Literal[False] = False,
        errors: Literal["strict", "replace"] = "strict",
        max_line_bytes: int = MAX_EVENT_BYTES,
    ) -> None: ...
    @overload
    def __init__(
        self: NDJSONDecoder[LocatedEvent],
        *,
        offsets: Literal[True],
        errors: Literal["strict", "replace"] = "strict",
        max_line_bytes: int = MAX_EVENT_BYTES,
    ) -> None: ...
    def __init__(
        self,
        *,
        offsets: bool = False,
        errors: Literal["strict", "replace"] = "strict",
        max_line_bytes: int = MAX_EVENT_BYTES,
    ) -> None:
        if errors not in {"strict", "replace"}:
            raise ValueError(f'errors is "strict" or "replace", not {errors!r}')
        if max_line_bytes < 1:
            raise ValueError(f"max_line_bytes is 1 or more, not {max_line_bytes}")
        self.truncated = False
        self._offsets = offsets
        self._errors = errors
        self._limit = max_line_bytes
        self._held = bytearray()  # the unfinished line
        self._start = 0  # where in the stream it begins
        self._error: WireFormatError | None = None
        self._finished = False

    @property
    def pending(self) -> int:
        """How many bytes are held because their line has not ended."""
        return len(self._held)

    def only(self, data: bytes) -> LineT | None:
        """Take *data* if it is one line, and give that.

        Else, and where it is the first of the stream, give None and take nothing: *data* is
        for `feed`.
        """
        last = len(data) - 1
        if self._held or not self._start or last > self._limit or data.find(b"\n") != last:
            return None
        if self._error is not None or self._finished:
            return None
        try:
            line: LineT | None = self._line(data[:-1], self._start, self._start + len(data))
        except WireFormatError:
            return None
        if line is not None:
            self._start += len(data)
        return line

    def feed(self, data: bytes) -> Iterator[LineT]:
        """Take *data*, and give an iterator over the lines that it completes.

        *data* is taken when this is called, whether you iterate or not. An error waits in
        the iterator until you reach it, so the lines before a broken one are still yours.

        Raises:
            WireFormatError: While iterating: bytes that are no UTF-8, or a line of more than
                *max_line_bytes*. Every later call says the same again.
            ValueError: After `finish`.
        """
        if self._finished:
            raise ValueError("feed() after finish(): a new stream takes a new decoder")
        lines: list[LineT] = []
        if self._error is None:
            try:
                self._take(data, lines)
            except WireFormatError as error:
                self._error = error
                self._held.clear()
        return self._and_error(lines)

    def finish(self) -> Iterator[LineT]:
        """Say that the stream has ended, and give what that completes.

        A last line without its LF is given if it is a whole JSON text: servers do forget it.
        Afterwards *truncated* tells whether something was dropped.

        Raises:
            WireFormatError: While iterating: the stream was broken before it ended.
        """
        self._finished = True
        tail = bytes(self._held)
        self._held.clear()
        return self._and_error(self._tail(tail))

    def _and_error(self, lines: list[LineT]) -> Iterator[LineT]:
        if self._error is None:
            return iter(lines)
        return then_raise(iter(lines), self._error)

    def _take(self, data: bytes, lines: list[LineT]) -> None:
        """Add to *lines* those that *data* completes, and hold the rest of it."""
        end = data.rfind(b"\n") + 1
        if end:
            whole = bytes(self._held) + data[:end]
            self._held.clear()
            for text in whole[:-1].split(b"\n"):
                self._check(len(text))
                start, self._start = self._start, self._start + len(text) + 1
                line = self._line(text, start, self._start)
                if line is not None:
                    lines.append(line)
        self._held += data[end:]
        self._check(len(self._held))

    def _check(self, length: int) -> None:
        """Refuse a line of this *length*, or what there is of it, if that is too long."""
        if length > self._limit:
            raise WireFormatError(
                f"a line of more than {self._limit} bytes; max_line_bytes allows longer ones",
                offset=self._start + self._limit,
            )

    def _line(self, data: bytes, start: int, end: int) -> Any:
        """The line that *data* is, None if it is blank. *end* is where the next one begins."""
        if not start and data.startswith(_BOM):
            start = len(_BOM)
            data = data[start:]
        try:
            text = data.decode("utf-8", self._errors).removesuffix("\r")
        except UnicodeDecodeError as error:
            raise WireFormatError(
                f"no UTF-8: 0x{data[error.start]:02x} ({error.reason})", offset=start + error.start
            ) from error
        if not text.strip(_BLANKS):
            return None
        return LocatedEvent(text, start=start, end=end) if self._offsets else text

    def _tail(self, data: bytes) -> list[LineT]:
        """What *data*, a line without its LF, comes to."""
        try:
            line = self._line(data, self._start, self._start + len(data))
        except WireFormatError:  # half a character, as like as not
            self.truncated = True
            return []
        if line is None:
            return []
        text = line.data if self._offsets else line
        if is_complete(text, line_ended=False):
            return [line]
        self.truncated = True
        return []
