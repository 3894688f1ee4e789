"""An answer on the terminal while it comes: its text on standard output, all else beside it.

Standard output gets the text as it is, fragment by fragment, and nothing else: a pipe sees
the answer and no more. Where it is a terminal, characters that would control it are shown
and not obeyed, and the last line is ended.
"""

from __future__ import annotations

import re
import sys

from rich.text import Text

from cassette_stream.cli.terminal import console, row

__all__ = ("Screen", "visible")

_COLUMN = 10
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def visible(text: str) -> str:
    """*text* with its control characters spelled out, but for tabs and line ends."""
    return _CONTROLS.sub(lambda found: f"\\x{ord(found[0]):02x}", text)


class Screen:
    """Writes each fragment at once, and keeps apart what belongs to different things."""

    def __init__(self) -> None:
        self._notes = console(stderr=True)
        console()  # what standard output cannot encode is spelled out there too
        self._on_terminal = sys.stdout.isatty()
        self._together = self._on_terminal and self._notes.is_terminal
        self._part: str | None = None
        self._mid_line = False

    def text(self, fragment: str) -> None:
        """The next *fragment* of the text."""
        self._turn_to("text")
        sys.stdout.write(visible(fragment) if self._on_terminal else fragment)
        sys.stdout.flush()
        self._mid_line = not fragment.endswith("\n")

    def beside(self, label: str, fragment: str, *, style: str = "") -> None:
        """The next *fragment* of what *label* names, such as the reasoning."""
        if self._turn_to(label):
            self._note(f"{label:<{_COLUMN}}", "dim")
            self._mid_line = True
        self._note(visible(fragment).replace("\n", "\n" + " " * _COLUMN), style)

    def row(self, label: str, text: str) -> None:
        """A line of its own, wrapped where it is long."""
        self._turn_to("rows")
        row(self._notes, visible(text), label=label, indent=_COLUMN)

    def error(self, text: str) -> None:
        """What went wrong, in one line."""
        self._turn_to("error")
        self._note(f"error: {visible(' '.join(text.split()))}\n", "")

    def _turn_to(self, part: str) -> bool:
        """Begin *part*, and tell whether it is another one; a terminal sets the text apart."""
        if part == self._part:
            return False
        if self._mid_line:
            self._end_line()
        if self._together and self._part and "text" in {part, self._part}:
            self._note("\n", "")
        self._part = part
        return True

    def _end_line(self) -> None:
        # Only text that went to a terminal on its own is ended there: a pipe gets no byte more.
        if self._part == "text" and self._on_terminal and not self._together:
            sys.stdout.write("\n")
            sys.stdout.flush()
        else:
            self._note("\n", "")
        self._mid_line = False

    def _note(self, text: str, style: str) -> None:
        self._notes.print(Text(text, style), end="", soft_wrap=True)
