"""Where within one event its characters, line ends and JSON can be cut.

Offsets count the bytes of the event as the network sent it, a frame's headers included. A
cut inside JSON leaves no whole JSON before it; one inside a string leaves no half escape and
no half character.
"""

from __future__ import annotations

import json
import re
from typing import Literal, TypeAlias, get_args

from cassette_stream.faults.framing import Framing, payload_span

__all__ = ("INSIDES", "Inside", "data_values", "offset_inside")

Inside: TypeAlias = Literal["blank_line", "crlf", "escape", "json", "json_string", "utf8"]

INSIDES: tuple[str, ...] = get_args(Inside)

_DATA_LINE = re.compile(rb"(?:\A|(?<=[\r\n]))data: ?([^\r\n]*)")
_WIDE_CHARACTER = re.compile(
    rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}"
)
_STRING = re.compile(rb'"([^"\\]*(?:\\.[^"\\]*)*)"', re.DOTALL)
_UNIT = re.compile(rb"\\u[0-9a-fA-F]{4}|\\.|[\xc0-\xff][\x80-\xbf]*|.", re.DOTALL)
_BLANKS = b" \t\r\n"


def data_values(event: bytes, framing: Framing = "sse") -> list[tuple[int, int]]:
    """Start and end of what *event* says: each ``data`` line's value, a line, a payload."""
    if framing == "ndjson":
        return [(0, len(event.rstrip(b"\r\n")))]
    if framing == "aws":
        return [payload_span(event)]
    return [match.span(1) for match in _DATA_LINE.finditer(event)]


def offset_inside(event: bytes, inside: Inside, framing: Framing = "sse") -> int | None:
    """Where *event* is cut to be cut inside a thing of that kind; None if it holds none.

    ``blank_line`` is before the line end of its blank line, ``crlf`` the first CRLF,
    ``utf8`` the first character of several bytes in the data, ``json`` the middle of the
    data if that is a JSON object or array, ``json_string`` the middle of its longest
    string, ``escape`` its first escape, after the backslash. A line of NDJSON has no blank
    line, and a frame no line ends; in base64 there is nothing but base64.
    """
    if inside == "blank_line":
        is_ended = framing == "sse"
        return len(event) - (2 if event.endswith(b"\r\n") else 1) if is_ended else None
    if inside == "crlf":
        return (framing != "aws" and event.find(b"\r\n") + 1) or None
    values = data_values(event, framing)
    data = b"\n".join(event[start:end] for start, end in values)
    offset = _wide_character(data) if inside == "utf8" else _inside_json(data, inside)
    return None if offset is None else _in_event(offset, values)


def _in_event(offset: int, values: list[tuple[int, int]]) -> int:
    for start, end in values[:-1]:
        if offset <= end - start:
            return start + offset
        offset -= end - start + 1
    return values[-1][0] + offset


def _wide_character(data: bytes) -> int | None:
    match = _WIDE_CHARACTER.search(data)
    return match and match.start() + 1


def _inside_json(data: bytes, inside: Literal["escape", "json", "json_string"]) -> int | None:
    if not _is_json(data):
        return None
    if inside == "json":
        return _middle(data)
    if inside == "escape":
        return data.find(b"\\") + 1 or None
    longest = max(_STRING.finditer(data), key=lambda match: len(match[1]), default=None)
    return longest and _middle_unit(data, *longest.span(1))


def _is_json(data: bytes) -> bool:
    try:
        # Python refuses to make a number of more than 4,300 digits; it is JSON all the same.
        return isinstance(json.loads(data.decode(), parse_int=str), dict | list)
    except (ValueError, RecursionError):
        return False


def _middle(data: bytes) -> int:
    middle = (len(data) - len(data.lstrip(_BLANKS)) + len(data.rstrip(_BLANKS))) // 2
    while data[middle] & 0xC0 == 0x80:
        middle -= 1
    return middle


def _middle_unit(data: bytes, start: int, end: int) -> int:
    middle, cut = (start + end) // 2, start
    for unit in _UNIT.finditer(data, start, end):
        if unit.start() > middle:
            break
        cut = unit.start()
    return cut
