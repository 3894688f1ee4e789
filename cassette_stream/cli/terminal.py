"""How figures and texts look in a terminal, whatever it can show."""

from __future__ import annotations

import io
import sys

from rich.console import Console
from rich.text import Text

from cassette_stream.cli.timeline import ASCII, UNICODE, Glyphs

__all__ = ("console", "count", "duration", "glyphs_of", "row")


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


def duration(milliseconds: float) -> str:
    """A time in three digits, in the unit that suits it."""
    for unit, length, most in (("ms", 1, 1000), ("s", 1000, 120)):
        number = _three_digits(milliseconds / length)
        if number < most:
            return f"{number:g} {unit}"
    return f"{_three_digits(milliseconds / 60_000):,g} min"


def _three_digits(number: float) -> float:
    return float(f"{number:.3g}")


def row(out: Console, text: str | Text, *, label: str = "", indent: int = 0) -> None:
    """Print *text*, wrapped in a column that begins at *indent*, after *label*."""
    text = Text(text) if isinstance(text, str) else text
    for number, line in enumerate(text.wrap(out, max(20, out.width - indent))):
        line.rstrip()
        begin = Text(label if number == 0 else "", "dim")
        begin.pad_right(indent - begin.cell_len)
        out.print(begin, line, sep="", soft_wrap=True)
