"""The fields of one block of an event stream, as its lines come."""

from __future__ import annotations

import json

from cassette_stream.wire._sse_event import LONGEST_RETRY

__all__ = ("Block", "is_complete", "is_stray")

_NO_FIELD = ("{", "[", "<")


class Block:
    """What the lines between two blank lines say; *empty* as long as they are comments.

    *stray* is the first that `is_stray`.
    """

    __slots__ = ("data", "empty", "event", "id", "retry", "stray")

    def __init__(self) -> None:
        self.data: list[str] = []
        self.empty = True
        self.event = ""
        self.id: str | None = None
        self.retry: int | None = None
        self.stray = ""

    def read(self, line: str) -> None:
        """Take one *line*, without its end."""
        name, _, value = line.partition(":")
        if not name:
            return
        self.empty = False
        value = value.removeprefix(" ")
        match name:
            case "data":
                self.data.append(value)
            case "event":
                self.event = value
            case "id" if "\0" not in value:
                self.id = value
            case "retry" if value.isascii() and value.isdigit() and len(value) <= LONGEST_RETRY:
                self.retry = int(value)
            case _ if is_stray(line):
                self.stray = self.stray or line

    def is_complete(self, *, line_ended: bool) -> bool:
        """Whether the data `is_complete`."""
        return is_complete("\n".join(self.data), line_ended=line_ended)


def is_complete(text: str, *, line_ended: bool) -> bool:
    """Whether *text* is a whole JSON text or the end marker, so that nothing can miss.

    A number is whole only if its line has ended: ``12`` may be the beginning of ``123``.
    """
    text = text.strip()
    if text == "[DONE]":
        return True
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return line_ended or isinstance(value, bool) or not isinstance(value, int | float)


def is_stray(line: str) -> bool:
    """Whether *line* is JSON or HTML that nobody made an event of: a field has no such name."""
    return line.startswith(_NO_FIELD)
