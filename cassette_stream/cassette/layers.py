"""Texts within texts: percent signs, JSON escapes, base64 and gzip undone, with the way back.

What is found in the inner text is replaced in the outer one. Each layer costs one pass over
the text, and nothing where a text has none of its signs.
"""

from __future__ import annotations

import re
import zlib
from array import array
from base64 import b64encode
from binascii import a2b_base64
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from cassette_stream.cassette.secrets import runs

__all__ = ("GZIP", "Encoded", "View", "encoded", "inflated", "views")

_PERCENT = re.compile(rb"%[0-9A-Fa-f]{2}")
_ESCAPE = re.compile(rb"\\+(?:u00([2-7][0-9A-Fa-f])|(/))")


class View:
    """The *text* that *raw* is once each *sign* stands for the one byte that it means."""

    def __init__(self, text: bytes, raw: bytes, sign: re.Pattern[bytes]) -> None:
        self.text = text
        self._raw = raw
        self._sign = sign

    def back(self, start: int, end: int) -> tuple[int, int]:
        """Where in *raw* the bytes from *start* to *end* of the text stand."""
        first, last = bisect_left(self._places, start), bisect_left(self._places, end)
        return start + self._shorter[first], end + self._shorter[last]

    @cached_property
    def _places(self) -> array[int]:
        """Where in the text the bytes are that signs stand for."""
        places = array("q")
        self._shorter = array("q", [0])
        for match in self._sign.finditer(self._raw):
            places.append(match.start() - self._shorter[-1])
            self._shorter.append(self._shorter[-1] + len(match[0]) - 1)
        return places


def views(raw: bytes) -> Iterator[View]:
    """What *raw* says without its percent signs, and without its JSON escapes of letters."""
    if b"%" in raw and _PERCENT.search(raw):
        yield View(unquote_to_bytes(raw), raw, _PERCENT)
    if b"\\u00" in raw or b"\\/" in raw:
        yield View(_ESCAPE.sub(_meant, raw), raw, _ESCAPE)


def _meant(match: re.Match[bytes]) -> bytes:
    return match[2] or bytes([int(match[1], 16)])


_LEAST = 24
_LETTERS = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_")
_MASK = bytes(1 if byte in _LETTERS else 0 for byte in range(256))
_STANDARD, _URL_SAFE = re.compile(rb"[A-Za-z0-9+/]{24,}"), re.compile(rb"[\w-]{24,}")
_TO_STANDARD = bytes.maketrans(b"-_", b"+/")
_TO_URL_SAFE = bytes.maketrans(b"+/", b"-_")


class _Run(NamedTuple):
    """Letters of base64 from *start* to *end* of the outer text: *inner* is their text's start."""

    start: int
    end: int
    inner: int
    size: int
    url_safe: bool


@dataclass(frozen=True, slots=True)
class Encoded:
    """The *text* that the base64 in a text holds: a line for each run of letters.

    Runs that are lines of one text are one line; runs that are equal share one.
    """

    text: bytes
    runs: tuple[_Run, ...]

    def back(self, spans: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int, int]]:
        """Where the letters of the *spans* of the text stand, whole runs, and of which span.

        The spans are in order, and none overlaps another.
        """
        ends = [end for _, end in spans]
        for run in self.runs:
            which = bisect_right(ends, run.inner)
            if which < len(spans) and spans[which][0] < run.inner + run.size:
                yield run.start, run.end, which

    def with_text(self, text: bytes, raw: bytes) -> bytes:
        """The outer text, *raw* so far, with a *text* of the same length in its base64."""
        out = bytearray(raw)
        done = 0
        for run in self.runs:
            inner = slice(run.inner, run.inner + run.size)
            if text[inner] != self.text[inner] and run.start >= done:
                letters = b64encode(text[inner]).rstrip(b"=")
                out[run.start : run.end] = (
                    letters.translate(_TO_URL_SAFE) if run.url_safe else letters
                )
                done = run.end
        return bytes(out)


def encoded(raw: bytes) -> Encoded | None:
    """The base64 in *raw*; None where there is none."""
    texts: list[bytes] = []
    found: list[_Run] = []
    size = 0
    known: dict[bytes, int] = {}  # a stream repeats its ids in every event
    for start, end, url_safe in _parts(raw):
        letters = raw[start:end]
        goes_on = bool(found) and _goes_on(found[-1], size, raw[found[-1].end : start])
        if not goes_on and (inner := known.get(letters)) is not None:
            found.append(_Run(start, end, inner, (end - start) * 3 // 4, url_safe))
            continue
        if not goes_on:
            texts.append(b"\n")
            size += 1
            known[letters] = size
        text = a2b_base64(letters.translate(_TO_STANDARD) + b"=" * (-len(letters) % 4))
        found.append(_Run(start, end, size, len(text), url_safe))
        texts.append(text)
        size += len(text)
    return Encoded(b"".join(texts), tuple(found)) if found else None


def _goes_on(last: _Run, size: int, between: bytes) -> bool:
    """Whether the letters after *between* are the next line of those of the *last* run."""
    return (
        last.inner + last.size == size
        and (last.end - last.start) % 4 == 0
        and 0 < len(between) < _LEAST
        and between.startswith((b"\n", b"\r\n"))
        and not between.strip()
    )


def _parts(raw: bytes) -> Iterator[tuple[int, int, bool]]:
    """From where to where letters of one alphabet stand, and whether it is the one of URLs."""
    known: dict[bytes, tuple[tuple[int, int, bool], ...]] = {}
    for start, end in runs(raw, _MASK, _LEAST):
        run = raw[start:end]
        if (parts := known.get(run)) is None:
            parts = known[run] = tuple(_parts_of_run(run))
        for begin, after, url_safe in parts:
            yield start + begin, start + after, url_safe


def _parts_of_run(run: bytes) -> Iterator[tuple[int, int, bool]]:
    has_standard, has_url_safe = (b"+" in run or b"/" in run), (b"-" in run or b"_" in run)
    patterns = [_STANDARD] * (has_standard or not has_url_safe) + [_URL_SAFE] * has_url_safe
    for pattern in patterns:
        for match in pattern.finditer(run):
            # One letter over groups of four means nothing.
            yield match.start(), match.end() - (len(match[0]) % 4 == 1), pattern is _URL_SAFE


_MOST = 64 * 1024 * 1024
GZIP = b"\x1f\x8b"


def inflated(body: bytes, coding: str) -> bytes | None:
    """What *body* holds if it is gzip or of this *coding*, as far as it can be told."""
    if not (body.startswith(GZIP) or coding in {"gzip", "x-gzip", "deflate"}):
        return None
    decoder = zlib.decompressobj(47)  # gzip or zlib, whichever it is
    out = bytearray()
    try:
        # In pieces: what comes before the place where it is broken can be read.
        for at in range(0, len(body), 64):
            out += decoder.decompress(body[at : at + 64], _MOST - len(out) or 1)
            if len(out) >= _MOST:
                break
    except zlib.error:
        pass
    return bytes(out) or None
