"""Frames as text: ``gap:size`` items, gaps in milliseconds with up to three decimals.

Microseconds are whole and no digit is lost either way: what is written reads back equal.
"""

from __future__ import annotations

import re
from array import array
from contextlib import suppress

import msgspec

__all__ = ("fold", "fold_frames", "microseconds", "milliseconds", "read_frames")

COLUMNS = 96
"""What a folded line holds beside its indent of four."""

MAX_MILLISECONDS = 10**12
"""31 years. Up to here a float, times a thousand and rounded, is exact."""

_FOUR_DECIMALS = re.compile(r"\.\d{4}", re.ASCII)
_MILLISECONDS = re.compile(r"(?:0|[1-9]\d{0,11})(?:\.\d{1,3})?", re.ASCII)
_ITEM = re.compile(rf"{_MILLISECONDS.pattern}:(?:0|[1-9]\d{{0,17}})", re.ASCII)


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
    # An encoder of JSON writes floats as Python does, and a thousand of them in one go. Up
    # to 15 digits the shortest text of a float is the decimal itself.
    pairs = msgspec.json.encode(list(zip([us / 1000 for us in gaps_us], sizes, strict=True)))
    items = pairs[2:-2].replace(b"],[", b" ").replace(b".0,", b":").replace(b",", b":")
    return fold(items.decode())


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
    # A decoder of JSON reads a thousand numbers in one go. Colons and blanks must take
    # turns, which is seen once all that numbers are made of is gone; what is no number the
    # decoder refuses.
    data = text.encode()
    signs = data.translate(None, b"0123456789.")
    if signs == b": " * (len(signs) // 2) + b":" and not _FOUR_DECIMALS.search(text):
        with suppress(msgspec.DecodeError, TypeError, OverflowError):
            flat = data.replace(b":", b",").replace(b" ", b",")
            numbers = msgspec.json.decode(b"[%b]" % flat)
            gaps = numbers[::2]
            gaps_us = [int(gap * 1000 + 0.5) for gap in gaps]
            if max(gaps) < MAX_MILLISECONDS:
                return array("q", numbers[1::2]), array("q", gaps_us)
    at, item = next(
        (at, item) for at, item in enumerate(text.split(" "), 1) if not _ITEM.fullmatch(item)
    )
    raise ValueError(
        f"frame {at} is {item!r}, not gap:size (milliseconds with up to three decimals, a "
        "colon, bytes)"
    )
