"""How figures and texts look in a terminal, whatever it can show."""

from __future__ import annotations

import io
import sys

from rich.console import Console
from rich.text import Text

from cassette_stream.cli.timeline import ASCII, UNICODE, Glyphs

__all__ = ("console", "count", "duration", "glyphs_of", "shortened", "size")


def console(*, stderr: bool = False) -> Console:
    """A console that escapes what the terminal cannot write, and never guesses at colours."""
    stream = sys.stderr if stderr else sys.stdout
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="backslashreplace")
    return Console(stderr=stderr, highlight=False, markup=False, emoji=False, soft_wrap=False)


def glyphs_of(console: Console) -> Glyphs:
    return ASCII if console.options.ascii_only else UNICODE


def count(number: int, noun: str) -> str:
    """*number* and *noun*, which takes an s unless it is one."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def size(number: float) -> str:
    return count(int(number), "byte") if number == int(number) else f"{number:,} bytes"


def duration(milliseconds: float) -> str:
    """A time in three digits, in the unit that suits it."""
    if milliseconds < 1000:
        return f"{milliseconds:.3g} ms"
    seconds = milliseconds / 1000
    if seconds < 120:
        return f"{seconds:.3g} s"
    return f"{seconds / 60:,.3g} min"


def shortened(text: str, width: int) -> str:
    """*text* on one line of at most *width* columns; what is left out is three dots."""
    line = Text(" ".join(text.split()))
    line.truncate(width, overflow="crop")
    if line.cell_len < Text(" ".join(text.split())).cell_len:
        line.truncate(width - 3, overflow="crop")
        line.append("...")
    return line.plain
