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
    if milliseconds < 1000:
        return f"{milliseconds:.3g} ms"
    seconds = milliseconds / 1000
    if seconds < 120:
        return f"{seconds:.3g} s"
    return f"{seconds / 60:,.3g} min"


def row(out: Console, label: str, text: str, *, indent: int) -> None:
    """Print *label*, and *text* wrapped in a column that begins at *indent*."""
    lines = Text(text).wrap(out, max(20, out.width - indent))
    for number, line in enumerate(lines):
        line.rstrip()
        head = Text(label if number == 0 else "", "dim")
        head.pad_right(indent - head.cell_len)
        out.print(head.append_text(line))
