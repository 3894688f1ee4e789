"""Events that are alike but for some of their texts: where these stand, and what they say.

Most of what a stream sends it has sent before. What an outline says of an event is what the
JSON of it says, and of an event that cannot be told apart at its quotes alone it says nothing.
"""

from __future__ import annotations

import re
from collections.abc import Container, Hashable, Mapping, Sequence
from operator import itemgetter
from typing import TypeAlias

import msgspec

from cassette_stream.cassette.lanes import IDENTITIES, events

__all__ = ("Outline", "Parts", "outline", "quoted", "said")

Parts: TypeAlias = Sequence[int | str]
"""The texts of a lane in one event: the number of a piece between its quotes, or the text."""

_MARK = "\x7f"
_QUOTE = re.compile(rb'(?<!\\)"')
_NAMES = frozenset(name.encode() for name in IDENTITIES)


def quoted(event: bytes) -> list[bytes] | None:
    """The pieces of *event* between its quotes, every other a string; None if that is unsure."""
    if b'\\"' not in event:
        return event.split(b'"')
    return None if b"\\\\" in event else _QUOTE.split(event)


def said(
    pieces: Sequence[bytes], lanes: Mapping[Hashable, Parts]
) -> dict[Hashable, list[str]] | None:
    """What *lanes* say in an event of these *pieces*; None if one is not surely text of JSON."""
    found: dict[Hashable, list[str]] = {}
    for key, parts in lanes.items():
        found[key] = texts = []
        for part in parts:
            text = part if isinstance(part, str) else _text(pieces[part])
            if text is None:
                return None
            texts.append(text)
    return found


def _text(piece: bytes) -> str | None:
    try:
        if b"\\" in piece:
            escaped: str = msgspec.json.decode(b'"%b"' % piece)
            return escaped
        text = piece.decode()
    except ValueError:  # msgspec's own errors are ValueErrors
        return None
    return text if text.isprintable() else None  # what controls has no place in JSON


class Outline:
    """Events that are alike but for what some *lanes* say; their line begins at *start*.

    Attributes:
        free: Which pieces may differ.
    """

    __slots__ = ("_others", "_rest", "_size", "free", "lanes", "start")

    def __init__(
        self, start: int, pieces: Sequence[bytes], lanes: Mapping[Hashable, Parts]
    ) -> None:
        self.start = start
        self.lanes = lanes
        free = {part for parts in lanes.values() for part in parts if isinstance(part, int)}
        self.free = sorted(free)
        # The first, which is no string, twice: so there are always some.
        self._others = itemgetter(0, *(at for at in range(len(pieces)) if at not in free))
        self._rest = self._others(pieces)
        self._size = len(pieces)

    def has(self, pieces: Sequence[bytes]) -> bool:
        """Whether an event of these *pieces* is one of them."""
        return len(pieces) == self._size and bool(self._others(pieces) == self._rest)

    def narrowed(self, pieces: Sequence[bytes], keys: Container[Hashable]) -> Outline:
        """Those of them in which the lanes that are not in *keys* say what these *pieces* say."""
        lanes = {key: parts for key, parts in self.lanes.items() if key in keys}
        return Outline(self.start, pieces, lanes)


def outline(event: bytes, pieces: Sequence[bytes]) -> Outline | None:
    """All that are like *event*, which is these *pieces*; None if it is no JSON, or unsure."""
    first = pieces[0]
    rest = event[len(first) :].rstrip()
    is_line = rest[-1:] in {b"}", b"]"} and b"\n" not in rest and b"\r" not in rest
    marked = _marked(pieces) if is_line and _MARK.encode() not in event else None
    if marked is None:
        return None
    found = list(events(b'"'.join(marked)))
    if len(found) != 1 or found[0][0] > len(first):
        return None
    [(start, strings)] = found
    # In what is no JSON the marks stand anywhere.
    if any(_MARK in text[1:] for texts in strings.values() for text in texts):
        return None
    lanes = {key: tuple(map(_part, texts)) for key, texts in strings.items()}
    return Outline(first.rfind(b"\n", 0, start) + 1, pieces, lanes)


def _marked(pieces: Sequence[bytes]) -> Sequence[bytes] | None:
    """The *pieces* with their numbers for the strings that may differ; None if that is unsure."""
    if len(pieces) % 2 == 0:
        return None
    marked = list(pieces)
    for at in range(1, len(pieces), 2):
        if _names_lane(pieces, at):
            if b"\\" in pieces[at]:
                return None
        elif pieces[at + 1].lstrip()[:1] != b":":  # or it is the name of a member
            if _text(pieces[at]) is None:
                return None
            marked[at] = b"%b%d" % (_MARK.encode(), at)
    return marked


def _names_lane(pieces: Sequence[bytes], at: int) -> bool:
    """Whether string *at* tells which lanes the others of its object are in."""
    return at > 1 and pieces[at - 1].strip() == b":" and pieces[at - 2] in _NAMES


def _part(text: str) -> int | str:
    return int(text[1:]) if text.startswith(_MARK) else text
