"""Server-sent events: bytes in, events out, the same events wherever the network cut.

The rules are the WHATWG's (https://html.spec.whatwg.org/multipage/server-sent-events.html).
One is stricter: bytes that are no UTF-8 are an error, unless *errors* is "replace", because
a replacement character in a model's answer is text that nobody sent.

What has come of an unfinished block is held as it came. When a blank line ends it, all
whole blocks are read at once: by a shortcut that proves that it applies, else line by
line. No byte is searched again when more come, so the cost is linear however small the pieces.
"""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar, overload

from cassette_stream.exceptions import WireFormatError
from cassette_stream.wire._late_error import then_raise
from cassette_stream.wire._sse_block import Block, is_stray
from cassette_stream.wire._sse_event import LocatedEvent, ServerSentEvent, encode_event
from cassette_stream.wire._sse_shortcuts import only_event, shortcut

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ("MAX_EVENT_BYTES", "LocatedEvent", "SSEDecoder", "ServerSentEvent", "encode_event")

MAX_EVENT_BYTES = 64 * 1024 * 1024
"""Far more than any provider sends (an image or a minute of audio in base64 takes a few MB),
and little enough that a server that never ends its event does not fill the memory."""

EventT = TypeVar("EventT", bound=ServerSentEvent)

_BOM = b"\xef\xbb\xbf"
_CR = 13
_LF = 10
# Only for bytes that end with a line end: at a long line without one it would try to begin at
# each of its bytes.
_LINES = re.compile(rb"([^\r\n]*)(?:\r\n|\r|\n)")
# The last byte of one line end and the first of the next. CR LF is not among them: that is
# one line end.
_BLANK_LINES = (b"\n\n", b"\n\r", b"\r\r")
_NOTHING: Iterator[Any] = iter(())


class SSEDecoder(Generic[EventT]):
    """An incremental decoder of one event stream.

    *truncated* is True once `finish` found the stream to end inside a block and gave no event
    for it. *last_event_id* and *retry* (milliseconds, None before the first) are what a
    client would reconnect with; both also come in blocks without data. *stray* is the first
    line that looks like JSON or HTML and is in no event, "" if none was: readers pass over it
    as over any unknown field, and servers that fail in mid-stream do write their error so.

    Args:
        offsets: Give each event as a `LocatedEvent`. An event whose blank line is a CR then
            waits for the next byte: only that tells whether a LF still belongs to it.
        errors: What to do with bytes that are no UTF-8: "strict" reports them, "replace"
            reads U+FFFD as browsers do.
        max_event_bytes: The longest block, its blank line not counted.

    Raises:
        ValueError: *errors* or *max_event_bytes* (1 or more) is none of these.
    """

    __slots__ = (
        "_after_cr",
        "_error",
        "_errors",
        "_finished",
        "_guarded",
        "_held",
        "_limit",
        "_offsets",
        "_prelude",
        "_start",
        "last_event_id",
        "retry",
        "stray",
        "truncated",
    )

    @overload
    def __init__(
        self: SSEDecoder[ServerSentEvent],
        *,
        offsets: Literal[False] = False,
        errors: Literal["strict", "replace"] = "strict",
        max_event_bytes: int = MAX_EVENT_BYTES,
    ) -> None: ...
    @overload
    def __init__(
        self: SSEDecoder[LocatedEvent],
        *,
        offsets: Literal[True],
        errors: Literal["strict", "replace"] = "strict",
        max_event_bytes: int = MAX_EVENT_BYTES,
    ) -> None: ...
    def __init__(
        self,
        *,
        offsets: bool = False,
        errors: Literal["strict", "replace"] = "strict",
        max_event_bytes: int = MAX_EVENT_BYTES,
    ) -> None:
        if errors not in {"strict", "replace"}:
            raise ValueError(f'errors is "strict" or "replace", not {errors!r}')
        if max_event_bytes < 1:
            raise ValueError(f"max_event_bytes is 1 or more, not {max_event_bytes}")
        self.last_event_id = ""
        self.retry: int | None = None
        self.stray = ""
        self.truncated = False
        self._offsets = offsets
        self._errors = errors
        self._limit = max_event_bytes
        self._held = bytearray()  # the unfinished block
        self._start = 0  # where in the stream it begins
        self._prelude: bytes | None = b""  # what may become a byte order mark
        self._after_cr = False  # the last byte ended a blank line, unless a LF follows
        self._error: WireFormatError | None = None
        self._finished = False
        self._guarded = True  # one of the four above is to be looked at before anything else

    @property
    def pending(self) -> int:
        """How many bytes are held because their block has not ended."""
        return len(self._held) + len(self._prelude or b"")

    def only(self, data: bytes) -> EventT | None:
        """Take *data* if it is one event of a common shape, and give that.

        Else give None and take nothing: *data* is for `feed`.
        """
        if self._guarded or self._held or len(data) > self._limit:
            return None
        event: Any = only_event(data, self._errors, self.last_event_id)
        if event is not None:
            start, self._start = self._start, self._start + len(data)
            if self._offsets:
                end = self._start
                event = LocatedEvent(event.data, event.event, event.id, start=start, end=end)
        return event  # type: ignore[no-any-return]  # it is one of the kind that was asked for

    def feed(self, data: bytes) -> Iterator[EventT]:
        """Take *data*, and give an iterator over the events that it completes.

        *data* is taken when this is called, whether you iterate or not. An error waits in
        the iterator until you reach it, so the events before a broken one are still yours.

        Raises:
            WireFormatError: While iterating: bytes that are no UTF-8, or an event of more
                than *max_event_bytes*. Every later call says the same again.
            ValueError: After `finish`.
        """
        held = self._held
        if self._guarded:
            data = self._admit(data)
        elif held and _LF not in data and _CR not in data and len(held) < self._limit - len(data):
            held += data
            return _NOTHING
        if held or (data[-2:] != b"\n\n" and data[-4:] != b"\r\n\r\n"):
            data = self._take_blocks(data)
        events = self._read(data)
        self._start += len(data)
        if held and len(held) > self._limit and not self._after_cr:
            self._fail_too_long(self._start)
        return self._and_error(events) if self._guarded else events

    def finish(self, *, lenient: bool = False) -> Iterator[EventT]:
        """Say that the stream has ended, and give what that completes.

        An event without its blank line is dropped, as the WHATWG says; *lenient* gives it if
        its data is a complete JSON text or ``[DONE]``, because servers do forget the last
        blank line. Afterwards *truncated* tells whether something was dropped.

        Raises:
            WireFormatError: While iterating: the stream was broken before it ended.
        """
        tail = (self._prelude or b"") + bytes(self._held)
        self._finished = self._guarded = True
        self._prelude = None
        self._held.clear()
        if self._error is not None or self._after_cr:
            return self._and_error(self._read(tail))
        return iter(self._read_tail(tail, lenient=lenient))

    def decode(self, chunks: Iterable[bytes], *, lenient: bool = False) -> Iterator[EventT]:
        """The events of the *chunks* of a whole stream: `feed` each, then `finish`.

        Faster than calling `feed` where chunks are much smaller than events.

        Raises:
            WireFormatError: As `feed`.
        """
        chunks = iter(chunks)
        for chunk in chunks:
            yield from self.feed(chunk)
            if self._held and not self._guarded:
                yield from self.feed(self._hold_to_line_end(chunks))
        yield from self.finish(lenient=lenient)

    def _hold_to_line_end(self, chunks: Iterator[bytes]) -> bytes:
        """Hold *chunks* up to the first that has a line end, and return that one.

        After many without one, return nothing: `feed` is to look at the limit.
        """
        held = self._held
        for chunk in islice(chunks, 256):
            # By number: looking for one byte in bytes takes eight times as long.
            if _LF in chunk or _CR in chunk:
                return chunk
            held += chunk
        return b""

    def _admit(self, data: bytes) -> bytes:
        """What of *data* there is to read, at the places where that may be less than all."""
        if self._finished:
            raise ValueError("feed() after finish(): a new stream takes a new decoder")
        if self._error is not None:
            return b""
        if self._prelude is not None:
            data = self._prelude + data
            if len(data) < len(_BOM) and _BOM.startswith(data):
                self._prelude = data
                return b""
            self._prelude = None
            if data.startswith(_BOM):
                self._start = len(_BOM)
                data = data[len(_BOM) :]
        # A CR ends its line at once, without waiting to see whether it was half of a CRLF;
        # if it was, the other half is dropped here. So no event is late, and none depends
        # on where the network cut.
        if self._after_cr and data and not self._offsets:
            self._after_cr = False
            if data[0] == _LF:
                self._start += 1
                data = data[1:]
        self._guarded = self._after_cr
        return data

    def _take_blocks(self, data: bytes) -> bytes:
        """What is held and *data*, up to the last blank line; the rest is held."""
        held = self._held
        end = data.rfind(b"\n\n") + 2
        if end < 2 or _CR in data or self._after_cr:
            end = self._last_blank_line(data)
        if end < 0:
            held += data
            return b""
        blocks = bytes(held) + data[:end]
        held[:] = data[end:]
        return blocks

    def _last_blank_line(self, data: bytes) -> int:
        """Where the last blank line of *data* ends, -1 if there is none to be sure of."""
        end = self._first_blank_line(data)
        for pair in _BLANK_LINES:
            at = data.rfind(pair)
            if at >= 0:
                end = max(end, at + 2)
        if end > 0 and data[end - 1] == _CR:
            if data[end : end + 1] == b"\n":
                return end + 1
            if end == len(data):
                self._after_cr = self._guarded = True
                return -1 if self._offsets else end
        return end

    def _first_blank_line(self, data: bytes) -> int:
        """Where in *data* a blank line ends that began before it, else -1."""
        if self._after_cr and data:
            self._after_cr = self._guarded = False
            return 1 if data[0] in {_CR, _LF} else 0
        if not data or data[0] not in {_CR, _LF}:
            return -1
        before = self._held[-1] if self._held else _LF
        return 1 if before == _LF or before == data[0] == _CR else -1

    def _read(self, blocks: bytes) -> Iterator[Any]:
        """The events of whole *blocks*; where one is broken, `_error` is set."""
        if not blocks:
            return _NOTHING
        if len(blocks) <= self._limit and not self._offsets:
            try:
                events = shortcut(blocks.decode("utf-8", self._errors), self.last_event_id)
            except UnicodeDecodeError:
                events = None  # line by line, for the events before it and for its place
            if events is not None:
                return events
        return iter(self._read_lines(blocks))

    def _read_lines(self, blocks: bytes) -> list[ServerSentEvent]:
        """The state machine of the WHATWG, over whole blocks."""
        events: list[ServerSentEvent] = []
        block = Block()
        start = 0
        # Told at the end of its block: if the network cut within a block that is too long
        # as well, nobody looked at its lines.
        invalid: tuple[str, int] | None = None
        for match in _LINES.finditer(blocks):
            line, end = match[1], match.end()
            if not line:
                if invalid:
                    self._fail(*invalid)
                    break
                if not block.empty:
                    events += self._dispatch(block, start, end)
                    block = Block()
                start = end
            elif end - start > self._limit:
                self._fail_too_long(self._start + start)
                break
            elif not invalid:
                try:
                    block.read(line.decode("utf-8", self._errors))
                except UnicodeDecodeError as error:
                    problem = f"no UTF-8: 0x{line[error.start]:02x} ({error.reason})"
                    invalid = problem, self._start + match.start() + error.start
        return events

    def _dispatch(self, block: Block, start: int, end: int) -> list[ServerSentEvent]:
        if block.id is not None:
            self.last_event_id = block.id
        if block.retry is not None:
            self.retry = block.retry
        self.stray = self.stray or block.stray
        if not block.data:
            return []
        data = "\n".join(block.data)
        name = block.event or "message"
        if not self._offsets:
            return [ServerSentEvent(data, name, self.last_event_id, block.retry)]
        return [
            LocatedEvent(
                data,
                name,
                self.last_event_id,
                block.retry,
                start=self._start + start,
                end=self._start + end,
            )
        ]

    def _read_tail(self, tail: bytes, *, lenient: bool) -> list[Any]:
        """What an unfinished block comes to."""
        block = Block()
        end = max(tail.rfind(b"\n"), tail.rfind(b"\r")) + 1
        try:
            for match in _LINES.finditer(tail, 0, end):
                block.read(match[1].decode("utf-8", self._errors))
            rest = tail[end:].decode("utf-8", self._errors)
        except UnicodeDecodeError:
            self.truncated = True
            return []
        if block.retry is not None:
            self.retry = block.retry
        # Of an unfinished line only data can be known to be whole.
        is_data = rest.startswith("data:")
        if is_data:
            block.read(rest)
        unknown = rest and not is_data and not rest.startswith(":")
        self.stray = self.stray or block.stray or (rest if is_stray(rest) else "")
        if lenient and not unknown and block.is_complete(line_ended=not is_data):
            return self._dispatch(block, 0, len(tail))
        self.truncated = self.truncated or not block.empty or bool(unknown)
        return []

    def _fail_too_long(self, start: int) -> None:
        self._fail(
            f"an event of more than {self._limit} bytes; max_event_bytes allows longer ones",
            start + self._limit,
        )

    def _fail(self, message: str, at: int) -> None:
        self._error = WireFormatError(message, offset=at)
        self._guarded = True
        self._held.clear()  # so nothing fails after it

    def _and_error(self, events: Iterator[EventT]) -> Iterator[EventT]:
        """*events*, and then the error, if there is one."""
        return events if self._error is None else then_raise(events, self._error)
