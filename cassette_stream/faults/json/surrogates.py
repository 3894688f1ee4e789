"""Faults in how the text of an answer writes a character beyond the 65,536 of UCS-2."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from cassette_stream.exceptions import PlanError
from cassette_stream.faults.dialect import Dialect, text_in
from cassette_stream.faults.edit import Edit, Seen, edit_event, edit_pair
from cassette_stream.faults.place import Event, event_at
from cassette_stream.script import Script

__all__ = ("HALVES", "Half", "Surrogate")

Half: TypeAlias = Literal["split", "lone"]
HALVES: tuple[str, ...] = get_args(Half)

_KEYS: dict[Dialect, bytes] = {
    "anthropic": b"text",
    "bedrock_converse": b"text",
    "cohere": b"text",
    "gemini": b"text",
    "ollama": b"content",
    "openai_chat": b"content",
    "openai_responses": b"delta",
}
_STRING = rb'"\s*:\s*("(?:[^"\\]|\\.)*")'
_UNIT = re.compile(
    rb"(?P<wide>[\xf0-\xf4][\x80-\xbf]{3}"
    rb"|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})|\\.|.",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Surrogate:
    """The first emoji in the text of an event is written as the escapes of its two halves.

    ``split``: the second half, and what comes after it, begin the text of the next event.
    ``lone``: there is no second half. An event without such a character in its text is left
    alone, and so is one whose next has no text to ``split`` it with.
    """

    at: Event
    kind: Half = "split"

    def __post_init__(self) -> None:
        event_at(self.at, "json.surrogate")
        if self.kind not in HALVES:
            raise PlanError(f"kind is {self.kind!r}; it can be {', '.join(HALVES)}")

    def __call__(self, script: Script) -> Script:
        return (
            edit_event(script, self.at, _without_second_half)
            if self.kind == "lone"
            else edit_pair(script, self.at, _split)
        )


def _without_second_half(seen: Seen) -> Sequence[Edit]:
    start, end = _wide_in(seen) or (0, 0)
    return seen.edits([(start, end, _halves(seen, start, end)[0])]) if end else ()


def _split(first: Seen, second: Seen, begins: int) -> Sequence[Edit]:
    wide, text, more = _wide_in(first), _text_span(first), _text_span(second)
    if wide is None or text is None or more is None:
        return ()
    high, low = _halves(first, *wide)
    rest = first.text[wide[1] : text[1]]
    behind = second.edits([(more[0], more[0], low + rest)])
    return [
        *first.edits([(wide[0], text[1], high)]),
        *((begins + a, begins + b, new) for a, b, new in behind),
    ]


def _halves(seen: Seen, start: int, end: int) -> tuple[bytes, bytes]:
    escapes = json.dumps(json.loads(b'"%s"' % seen.text[start:end])).strip('"').encode()
    return escapes[:6], escapes[6:]


def _wide_in(seen: Seen) -> tuple[int, int] | None:
    """Where in `Seen.text` the first character of two halves in its text is written."""
    units = _UNIT.finditer(seen.text, *(_text_span(seen) or (0, 0)))
    return next((unit.span() for unit in units if unit["wide"]), None)


def _text_span(seen: Seen) -> tuple[int, int] | None:
    """Where in `Seen.text` its text is written; None if it has none, or not in one piece."""
    text = text_in(seen.value, seen.dialect) if seen.dialect else ""
    if not text or not seen.dialect:
        return None
    for match in re.finditer(b'"' + _KEYS[seen.dialect] + _STRING, seen.text):
        if _spells(match[1], text):
            return match.start(1) + 1, match.end(1) - 1
    return None


def _spells(string: bytes, text: str) -> bool:
    try:
        return bool(json.loads(string) == text)
    except ValueError:  # it only looks like JSON: a comment, bytes that are no UTF-8
        return False
