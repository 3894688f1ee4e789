"""What the events of a stream say one after the other, put together, with the way back.

A model that prints a key prints it in pieces: no event holds it, their texts put together
do. A *lane* is the texts at one place of the JSON of successive events, in order: of one
choice, one content block, one tool call. It is found by the shape of the JSON alone, so no
provider is known here. Events of SSE are lines ``data:``, of JSON lines lines, of AWS frames;
a JSON document is an event, and what its arrays hold comes in their order; of one that was
cut, the elements that are whole are.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from json import scanner
from json.decoder import scanstring  # type: ignore[attr-defined]  # typeshed knows it not
from typing import Any, Self, TypeAlias

import msgspec

from cassette_stream.exceptions import WireFormatError
from cassette_stream.wire.jsonarray import JSONArrayDecoder

__all__ = ("IDENTITIES", "Lane", "Said", "events", "lanes", "texts")

_Key: TypeAlias = tuple[Any, ...]
_Strings: TypeAlias = dict[_Key, list[str]]

IDENTITIES = ("index", "output_index", "content_index", "type")
"""Members that tell which of several things that are under way an event goes on with."""

_DEEPEST = 64
_SPACE = b" \t\r\n"


Said: TypeAlias = Mapping[Any, Sequence[str]]
"""What an event says, by lane."""


def events(lines: bytes) -> Iterator[tuple[int, Said]]:
    """What the events in whole *lines* say, and where the text of each begins."""
    for start, end in _lines(lines):
        strings: _Strings = {}
        _sort(_value(lines[start:end]), (), strings)
        yield start, strings


def texts(body: bytes, content_type: str = "") -> Iterator[bytes]:
    """The text of each lane of *body* that changes from event to event."""
    strings: _Strings = {}
    for start, end in _events(body, content_type):
        _sort(_value(body[start:end]), (), strings)
    for found in strings.values():
        if len(found) > 1 and found.count(found[0]) < len(found):
            yield _bytes("".join(found))


@dataclass(frozen=True, slots=True)
class Lane:
    """The *text* of a lane; each piece tells where it begins in the text and in the body."""

    text: bytes
    body: bytes
    pieces: tuple[tuple[int, int, int], ...]

    def back(self, start: int, end: int) -> list[tuple[int, int]]:
        """Where in the body bytes *start* to *end* of the text stand, piece by piece."""
        found = []
        first = max(bisect_right(self.pieces, (start, len(self.body))) - 1, 0)
        for at in range(first, len(self.pieces)):
            begin, raw_start, raw_end = self.pieces[at]
            after = self.pieces[at + 1][0] if at + 1 < len(self.pieces) else len(self.text)
            if begin >= end:
                break
            if start < after:
                raw = self.body[raw_start:raw_end]
                inner = _raw_span(raw, max(start - begin, 0), min(end, after) - begin)
                found.append((raw_start + inner[0], raw_start + inner[1]))
        return found


def lanes(body: bytes, content_type: str = "") -> Iterator[Lane]:
    """The lanes of `texts`, with the way back. It costs ten times as much."""
    strings: _Strings = {}
    for start, end in _events(body, content_type):
        event = body[start:end]
        text = event.decode(errors="surrogateescape")
        try:
            msgspec.json.decode(event)
            value = _Decoder().decode(text)
        except (ValueError, RecursionError):
            value = _Located(text, 0, len(text))
        pieces: _Strings = {}
        _sort(value, (), pieces)
        for key, found in pieces.items():
            strings.setdefault(key, []).extend(_moved(piece, text, start) for piece in found)
    for found in strings.values():
        if len(found) > 1:
            yield _lane(found, body)


def _lane(strings: list[str], body: bytes) -> Lane:
    parts: list[bytes] = []
    pieces = []
    size = 0
    for string in strings:
        assert isinstance(string, _Located)
        part = _bytes(string)
        pieces.append((size, string.begin, string.end))
        parts.append(part)
        size += len(part)
    return Lane(b"".join(parts), body, tuple(pieces))


def _value(event: bytes) -> Any:
    """The JSON of an *event*; its text where it is none."""
    try:
        return msgspec.json.decode(event)
    except (ValueError, RecursionError):  # msgspec's own errors are ValueErrors
        return event.decode(errors="surrogateescape")


def _sort(value: Any, key: _Key, strings: _Strings, depth: int = 0) -> None:
    """Add each string in *value* to its lane."""
    if isinstance(value, dict):
        # One pass: most of what a stream costs is spent here.
        inner_key: _Key | None = None
        for name, inner in value.items():
            if isinstance(inner, str):
                inner_key = inner_key or _key(key, value)
                strings.setdefault((inner_key, name), []).append(inner)
            elif isinstance(inner, dict | list) and inner and depth < _DEEPEST:
                inner_key = inner_key or _key(key, value)
                _sort(inner, (inner_key, name), strings, depth + 1)
    elif isinstance(value, list):
        for inner in value:
            if isinstance(inner, dict) or depth < _DEEPEST:
                _sort(inner, key, strings, depth + 1)
    elif isinstance(value, str):
        strings.setdefault((key, 0), []).append(value)


def _key(key: _Key, members: dict[str, Any]) -> _Key:
    names = [members[name] for name in IDENTITIES if name in members]
    return (key, *(name for name in names if not isinstance(name, dict | list)))


# Where events stand.

_LINE = re.compile(rb"[^\r\n]+")
# What is neither data nor begins as JSON does is no event: the lines of a page, say. In a
# cassette the events of AWS are comments.
_EVENT = re.compile(rb"[ \t]*(?:data:[ \t]?|(?:# [\w:-]+ )?(?=[\[{]))")


def _events(body: bytes, content_type: str) -> Iterator[tuple[int, int]]:
    if "vnd.amazon.eventstream" in content_type:
        yield from _frames(body)
    elif body.lstrip(_SPACE)[:1] in {b"{", b"["} and _is_json(body):
        yield 0, len(body)
    elif body.lstrip(_SPACE)[:1] == b"[":
        yield from _elements(body)
    else:
        yield from _lines(body)


def _is_json(body: bytes) -> bool:
    try:
        msgspec.json.decode(body, type=msgspec.Raw)
    except (ValueError, RecursionError):
        return False
    return True


def _elements(body: bytes) -> Iterator[tuple[int, int]]:
    """The objects of an array that was cut; where it is another thing, lines from there on."""
    end = 0
    with suppress(WireFormatError):
        for text in JSONArrayDecoder().feed(body):
            element = text.encode()
            start = body.index(element, end)
            end = start + len(element)
            yield start, end
    yield from _lines(body, end)


def _lines(body: bytes, start: int = 0) -> Iterator[tuple[int, int]]:
    for line in _LINE.finditer(body, start):
        if match := _EVENT.match(body, line.start(), line.end()):
            yield match.end(), line.end()


_PRELUDE = 12
_CHECKSUM = 4


def _frames(body: bytes) -> Iterator[tuple[int, int]]:
    """The payloads of AWS frames, as far as there are frames."""
    start = 0
    while start + _PRELUDE + _CHECKSUM <= len(body):
        end = start + int.from_bytes(body[start : start + 4])
        payload = start + _PRELUDE + int.from_bytes(body[start + 4 : start + 8])
        if not payload <= end - _CHECKSUM <= len(body) - _CHECKSUM:
            return
        yield payload, end - _CHECKSUM
        start = end


# Strings that know where they stand.


class _Located(str):
    """A string that stands from *begin* to *end*, without its quotes."""

    __slots__ = ("begin", "end")
    begin: int
    end: int

    def __new__(cls, text: str, begin: int, end: int) -> Self:
        self = super().__new__(cls, text)
        self.begin, self.end = begin, end
        return self


def _moved(piece: str, text: str, start: int) -> _Located:
    """The *piece* of *text* by the bytes of a body in which *text* begins at *start*."""
    assert isinstance(piece, _Located)  # names of members are in no lane
    if text.isascii():
        return _Located(piece, start + piece.begin, start + piece.end)
    begin = start + len(_bytes(text[: piece.begin]))
    return _Located(piece, begin, begin + len(_bytes(text[piece.begin : piece.end])))


class _Decoder(json.JSONDecoder):
    """Gives strings that know where they stand; names of members are plain."""

    def __init__(self) -> None:
        super().__init__(strict=False)
        self.parse_string = _located_string
        self.scan_once = scanner.py_make_scanner(self)  # type: ignore[attr-defined]


def _located_string(text: str, start: int, strict: bool) -> tuple[_Located, int]:
    value, end = scanstring(text, start, strict)
    return _Located(value, start, end - 1), end


_CHARACTER = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|\\."
    rb"|[^\\][\x80-\xbf]*",
    re.DOTALL,
)
_PAIR = 12


def _raw_span(raw: bytes, start: int, end: int) -> tuple[int, int]:
    """Where in the JSON string *raw* bytes *start* to *end* of its text stand."""
    if b"\\" not in raw:
        return start, end
    width = begin = 0
    for match in _CHARACTER.finditer(raw):
        if width <= start:
            begin = match.start()
        if width >= end:
            return begin, match.start()
        width += _width(match[0])
    return (begin if start < width else len(raw)), len(raw)


def _width(character: bytes) -> int:
    """How many bytes *character*, as JSON writes it, has as text."""
    if len(character) == _PAIR:
        return 4
    if character.startswith(b"\\u"):
        return len(_bytes(chr(int(character[2:].decode(), 16))))
    return 1 if character.startswith(b"\\") else len(character)


def _bytes(text: str) -> bytes:
    # What was no UTF-8 is what it was; a lone surrogate of an escape is three bytes.
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")
