"""Frames as text: ``gap:size`` items, gaps in milliseconds with up to three decimals.

Microseconds are whole and no digit is lost either way: what is written reads back equal.
"""

from __future__ import annotations

import re
from array import array
from itertools import repeat
from operator import mul

__all__ = ("fold", "fold_frames", "microseconds", "milliseconds", "read_frames", "refit_sizes")

COLUMNS = 96
"""What a folded line holds beside its indent of four."""

# Twelve digits of milliseconds are 31 years; so far a float, times a thousand and rounded,
# is exact.
_NUMBER = r"\d{1,12}(?:\.\d{1,3})?"
_MILLISECONDS = re.compile(_NUMBER, re.ASCII)
_ITEM = re.compile(rf"{_NUMBER}:\d{{1,15}}", re.ASCII)
_ITEMS = re.compile(rf"{_ITEM.pattern}(?: {_ITEM.pattern})*", re.ASCII)


def milliseconds(us: int) -> str:
    whole, rest = divmod(us, 1000)
    return f"{whole}.{rest:03}".rstrip("0") if rest else str(whole)


def microseconds(text: str) -> int:
    """The number of *text*, milliseconds.

    Raises:
        ValueError: It is no decimal number with at most three decimals.
    """
    if not _MILLISECONDS.fullmatch(text):
        raise ValueError(text)
    return round(float(text) * 1000)


def fold_frames(sizes: array[int], gaps_us: array[int]) -> list[str]:
    """The frames as text, in lines of at most `COLUMNS` characters."""
    # The repr of a float is its shortest text: up to 15 digits that is the decimal itself.
    items = zip([us / 1000 for us in gaps_us], sizes, strict=True)
    return fold(" ".join([f"{gap!r}:{size}" for gap, size in items]).replace(".0:", ":"))


def fold(text: str) -> list[str]:
    """*text* in lines of at most `COLUMNS` characters, cut at blanks."""
    lines = []
    start = 0
    while len(text) - start > COLUMNS:
        end = text.rindex(" ", start, start + COLUMNS + 1)
        lines.append(text[start:end])
        start = end + 1
    lines.append(text[start:])
    return lines


def read_frames(text: str) -> tuple[array[int], array[int]]:
    """The sizes and the gaps in microseconds.

    Raises:
        ValueError: An item is not ``gap:size``; the message names it.
    """
    if not _ITEMS.fullmatch(text):
        items = text.split(" ")
        at, item = next((at, item) for at, item in enumerate(items) if not _ITEM.fullmatch(item))
        raise ValueError(
            f"frame {at + 1} is {item!r}, not gap:size (milliseconds with up to three decimals, "
            "a colon, bytes)"
        )
    numbers = text.replace(":", " ").split(" ")
    gaps = map(round, map(mul, map(float, numbers[::2]), repeat(1000.0)))
    return array("q", map(int, numbers[1::2])), array("q", gaps)


def refit_sizes(sizes: array[int], length: int) -> array[int]:
    """*sizes* for a body of *length* bytes that they no longer fit.

    Frames stay as long as they lie within the body; the last of them takes what is left.
    """
    kept = array("q")
    total = 0
    for size in sizes:
        if total + size > length:
            break
        kept.append(size)
        total += size
    if not kept and length:
        kept.append(0)
    if kept:
        kept[-1] += length - total
    return kept
