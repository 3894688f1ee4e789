"""The common shapes of an event stream, read without looking at each line.

A shortcut proves that it applies, else it stands back and the stream is read line by line.
"""

from __future__ import annotations

import re
from itertools import repeat
from typing import TYPE_CHECKING

from cassette_stream.wire._sse_event import ServerSentEvent

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ("only_event", "shortcut")

_CR = 13
_LF = 10
# The second half takes all that is left where the first does not match, so `findall`
# skips nothing: what it took shows as a last pair without a name.
_NAMED = re.compile(r"event: ([^\n]+)\ndata: ([^\n]*)\n\n|(?s:.+)")


def only_event(data: bytes, errors: str, last_event_id: str) -> ServerSentEvent | None:
    """The event that *data* is, None where that is not a name or none and one line of data."""
    try:
        if data[:6] == b"data: ":
            name, body = "message", data[6:-2]
        else:
            start, _, body = data[:-2].partition(b"\ndata: ")
            name = start[7:].decode("utf-8", errors)
            if start[:7] != b"event: " or not name or _LF in start:
                return None
        if body and _LF not in body and _CR not in data and data[-2:] == b"\n\n":
            return ServerSentEvent(body.decode("utf-8", errors), name, last_event_id)
    except UnicodeDecodeError:
        pass  # line by line, for its place
    return None


def shortcut(text: str, last_event_id: str) -> Iterator[ServerSentEvent] | None:
    """The events of *text*, or None where it is not of a common shape.

    *text* is made of whole blocks, so its last line is blank.
    """
    if "\r" in text:
        text = text.replace("\r\n", "\n")
        if "\r" in text:
            text = text.replace("\r", "\n")
    if text[:6] == "data: ":
        body = text[6:-2]
        if "\n" not in body:
            return iter((ServerSentEvent(body, "message", last_event_id),))
        pieces = body.split("\n\ndata: ")
        # Each cut takes two line ends away: if none is left, every piece is one line.
        if body.count("\n") == 2 * (len(pieces) - 1):
            return map(ServerSentEvent, pieces, repeat("message"), repeat(last_event_id))
    elif text[:7] == "event: ":
        pairs = _NAMED.findall(text)
        if pairs[-1][0]:
            return iter([ServerSentEvent(data, name, last_event_id) for name, data in pairs])
    return None
