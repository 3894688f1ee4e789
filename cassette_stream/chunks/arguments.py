"""The arguments of one tool call, put together from pieces.

What `add` and `settle` give, joined, is always the text. The cost is linear: a piece is looked
at again only where it is as long as everything before it, and then once.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

__all__ = ("Arguments", "is_json")

_MOST_PARTS: Final = 20_000
"""Pieces that are kept as they came: one of four characters takes sixty bytes."""

_SIGNS: Final = re.compile(r'\\.?|["{}\[\]]', re.DOTALL)


def is_json(text: str) -> bool:
    """Whether *text* is one whole JSON value."""
    try:
        msgspec.json.decode(text, type=msgspec.Raw)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return False
    return True


class Arguments:
    """Text that mostly grows by what is new, and sometimes is sent again from its start.

    Some servers send the whole text so far in every piece. That is believed only after two
    pieces in a row extended everything before them; the first of them is held back until
    the next shows what it was. Only what begins as an object is suspected, blanks before it
    included: custom tools may well be told "haha".
    """

    __slots__ = ("_balance", "_held", "_joined", "_length", "_parts", "_preview", "resent")

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._joined = 0  # how many of the parts are many pieces each
        self._length = 0
        self._held: str | None = None
        self._balance: _Balance | None = None
        self._preview = ""
        self.resent = False

    def __len__(self) -> int:
        return self._length

    @property
    def text(self) -> str:
        """All that was given out so far."""
        parts = self._parts
        if len(parts) > 1:
            self._join(0)
        return parts[0] if parts else ""

    @property
    def whole(self) -> str:
        """What the text will be if no more comes."""
        return self.text + self._rest()

    def preview(self) -> str:
        """A beginning of the text, four fifths of it or more; asking often costs little."""
        if self._length > len(self._preview) * 1.25:
            self._preview = self.text
        return self._preview

    def add(self, piece: str) -> str:
        """What *piece* adds to the text."""
        if self.append(piece) or not piece:
            return piece
        return self._add_long(piece)

    def append(self, piece: str) -> bool:
        """Add a *piece* that cannot be the text once more; False if it might, or is empty."""
        if piece and self._held is None and (len(piece) < self._length or not self._length):
            self._parts.append(piece)
            self._length += len(piece)
            if len(self._parts) - self._joined > _MOST_PARTS:
                self._join(self._joined)
            return True
        return False

    def settle(self) -> str:
        """What is still to be given out when no more comes."""
        rest = self._rest()
        if self._held is not None and rest != self._held:
            self.resent = True
        self._held = None
        return self._give(rest) if rest else ""

    @property
    def closed(self) -> bool:
        """Whether the last bracket closed the first, as far as the text goes."""
        if self._held is not None:
            return False
        if self._balance is None:
            self._balance = _Balance()
        return self._balanced()

    def _join(self, start: int) -> None:
        """Make the parts from *start* on one; what is joined already need not be again."""
        self._balanced()
        self._parts[start:] = ["".join(self._parts[start:])]
        self._joined = len(self._parts)
        if self._balance is not None:
            self._balance.seen = len(self._parts)

    def _balanced(self) -> bool:
        return self._balance is not None and self._balance.read(self._parts)

    def _give(self, piece: str) -> str:
        self._parts.append(piece)
        self._length += len(piece)
        return piece

    def _add_long(self, piece: str) -> str:
        """Take a piece that is no shorter than the text, or that shows what the held one was."""
        held, self._held = self._held, None
        text = self.text
        if held is not None:
            if not _goes_on(piece, held):
                return self._give(held) + self.add(piece)
            self.resent = True
        elif not "{".startswith(piece.lstrip()[:1]) or not _goes_on(piece, text):
            return self._give(piece)
        elif len(piece) == len(text):
            self.resent = True
        elif not self.resent:
            self._held = piece
            return ""
        return self._give(piece[len(text) :])

    def _rest(self) -> str:
        """What the held piece adds: itself, unless only without the text is it JSON."""
        if self._held is None:
            return ""
        if is_json(self._held) and not is_json(self.text + self._held):
            return self._held[self._length :]
        return self._held


def _goes_on(piece: str, text: str) -> bool:
    """Whether *piece* is *text* and more, or *text* again where that is a whole value."""
    return piece.startswith(text) and (len(piece) > len(text) or is_json(text))


class _Balance:
    """Counts brackets outside strings, each part of the text once."""

    __slots__ = ("_depth", "_escaped", "_opened", "_quoted", "seen")

    def __init__(self) -> None:
        self.seen = 0
        self._depth = 0
        self._opened = self._quoted = self._escaped = False

    def read(self, parts: list[str]) -> bool:
        """Read the *parts* that were not *seen*; whether everything opened is closed."""
        text = "".join(parts[self.seen :])
        self.seen = len(parts)
        if text:
            start = int(self._escaped)
            self._escaped = False
            for sign in _SIGNS.finditer(text, start):
                self._take(sign[0])
        return self._opened and not self._depth and not self._quoted

    def _take(self, sign: str) -> None:
        if sign[0] == "\\":
            self._escaped = len(sign) == 1
        elif sign == '"':
            self._quoted = not self._quoted
        elif not self._quoted:
            self._opened = True
            self._depth += 1 if sign in "{[" else -1
