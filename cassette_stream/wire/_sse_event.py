"""One server-sent event: as a value, and as the bytes that a server sends for it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ("LONGEST_RETRY", "LocatedEvent", "ServerSentEvent", "encode_event")

LONGEST_RETRY = 18
"""Digits of the longest `retry` that is believed: no wait takes 32 million years, and
`int` refuses to read numbers of thousands of digits."""

_LINE_END = re.compile(r"\r\n|\r|\n")


# A struct, because a frozen dataclass takes eight times as long to make, and *data*
# first, because `map` makes events of nothing else. No field can hold a cycle.
class ServerSentEvent(msgspec.Struct, frozen=True, gc=False):
    """One event.

    *id* is the last event id in force, so it persists from event to event. *retry* is the
    reconnection time, in milliseconds, that came in the same block as this event.
    """

    data: str
    event: str = "message"
    id: str = ""
    retry: int | None = None


class LocatedEvent(ServerSentEvent, frozen=True, gc=False, kw_only=True):
    """An event and the bytes of the stream that it stands in.

    *start* is the first byte of its first line, which may be a comment; *end* is the byte
    after its blank line. Both count from the first byte of the stream, a byte order mark
    included.
    """

    start: int
    end: int


def encode_event(
    data: str | None = None,
    *,
    event: str | None = None,
    id: str | None = None,  # noqa: A002 - the name of the field
    retry: int | None = None,
    comment: str | None = None,
) -> bytes:
    """The bytes of one event, its blank line included.

    Each line of *data* becomes a data line, so a CR or CRLF in it arrives as LF. Without
    *data* a client dispatches nothing, but takes note of *id* and *retry* (milliseconds).

    Raises:
        ValueError: There is nothing to encode, or a value that no stream can carry: a line
            end in *event* or *id*, a NUL in *id*, an empty *event* (clients read it as
            "message"), a *retry* below 0 or beyond 18 digits, a lone surrogate.
    """
    if event == "" or _has_line_end(event):
        raise ValueError(f"an event name is one line that is not empty, not {event!r}")
    if id is not None and ("\0" in id or _has_line_end(id)):
        raise ValueError(f"an id is one line without NUL, not {id!r}")
    if retry is not None and not 0 <= retry < 10**LONGEST_RETRY:
        raise ValueError(f"retry is 0 or more milliseconds, of up to 18 digits, not {retry}")
    lines = [
        *_lines("", comment),
        *_lines("event", event),
        *_lines("id", id),
        *_lines("retry", None if retry is None else str(retry)),
        *_lines("data", data),
    ]
    if not lines:
        raise ValueError("nothing to encode: give data, or at least one of the other fields")
    return "".join([*lines, "\n"]).encode()


def _has_line_end(text: str | None) -> bool:
    return text is not None and _LINE_END.search(text) is not None


def _lines(name: str, text: str | None) -> Iterator[str]:
    if text is not None:
        for line in _LINE_END.split(text):
            yield f"{name}: {line}\n"
