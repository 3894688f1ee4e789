"""A stream as one line of marks over time.

Time runs to the right at one scale: a column is a slice of it, and what happened in the
slice is one mark. The last mark says how the stream ended; it stands one column after
the moment, so it hides no frame.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter

from rich.text import Text

from cassette_stream.cassette.model import How

__all__ = ("ASCII", "UNICODE", "Course", "Glyphs", "bar", "legend")


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """What happened when, in milliseconds since the request.

    *head_ms* is None where no response head came, *frames_ms* are in order.
    """

    head_ms: float | None
    frames_ms: Sequence[float]
    end_ms: float
    how: How


@dataclass(frozen=True, slots=True, kw_only=True)
class Glyphs:
    """The marks, one character each; *crowds* stand for 1, for 2 to 4, and for more frames."""

    waiting: str
    open: str
    crowds: tuple[str, str, str]
    complete: str
    failure: str
    left: str


UNICODE = Glyphs(waiting="┄", open="─", crowds=("│", "┃", "█"), complete="●", failure="✕", left="○")
ASCII = Glyphs(waiting=".", open="-", crowds=("|", "H", "#"), complete="]", failure="x", left="o")


def bar(course: Course, *, width: int, span_ms: float, glyphs: Glyphs) -> Text:
    """*course* in at most *width* columns, which stand for *span_ms*.

    Several courses with one span, no shorter than any of them, are drawn at one scale.
    """

    def column(moment_ms: float) -> int:
        return int(moment_ms / span_ms * (width - 2)) if span_ms else 0

    end = column(course.end_ms)
    head = end + 1 if course.head_ms is None else column(course.head_ms)
    crowds = Counter(map(column, course.frames_ms))
    cells = [
        (glyphs.crowds[0 if crowd == 1 else 1 if crowd < 5 else 2], "cyan")
        if (crowd := crowds[place])
        else (glyphs.waiting if place < head else glyphs.open, "dim")
        for place in range(end + 1)
    ]
    line = Text()
    for style, run in groupby(cells, key=itemgetter(1)):
        line.append("".join(glyph for glyph, _ in run), style)
    return line.append(*_end(course.how, glyphs))


def _end(how: How, glyphs: Glyphs) -> tuple[str, str]:
    match how:
        case How.COMPLETE:
            return glyphs.complete, "bold green"
        case How.FAILURE:
            return glyphs.failure, "bold red"
        case How.CLOSED_BY_CALLER | How.CANCELLED:
            return glyphs.left, "bold yellow"


def legend(glyphs: Glyphs) -> Text:
    """What the marks mean, in 70 columns."""
    one, few, many = glyphs.crowds
    meanings = (
        (glyphs.waiting * 2, "dim", "waiting"),
        (one, "cyan", "a frame"),
        (few, "cyan", "2 to 4"),
        (many, "cyan", "more"),
        (glyphs.complete, "bold green", "end"),
        (glyphs.failure, "bold red", "failure"),
        (glyphs.left, "bold yellow", "caller left"),
    )
    line = Text()
    for mark, style, meaning in meanings:
        line.append(mark, style).append(f" {meaning}  ", "dim")
    line.rstrip()
    return line
