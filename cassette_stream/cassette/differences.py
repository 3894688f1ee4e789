"""In what two JSON values or two texts differ, in lines that a person reads.

What was recorded stands on the left, what is live on the right. Nothing here is
quadratic: a miss must not take longer than the request would have.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice, zip_longest

from cassette_stream.cassette.json_path import below

__all__ = ("clipped", "differences")

_WIDTH = 60
_BEFORE = 20
"""Of _WIDTH characters of a long text, how many stand before the first that differs."""

_CONTEXT = 4
_ABSENT = object()


def differences(recorded: object, live: object, *, label: str) -> Iterator[str]:
    """A line for each place where the JSON values differ: ``label: path: 'a' != 'b'``.

    True is not 1, and bytes are shown as text if both are UTF-8.
    """
    todo: list[tuple[str, object, object]] = [("", recorded, live)]
    while todo:  # no recursion: the depth of the values is not ours
        path, left, right = todo.pop()
        if isinstance(left, dict) and isinstance(right, dict):
            names = [*left, *(name for name in right if name not in left)]
            todo += [
                (below(path, name), left.get(name, _ABSENT), right.get(name, _ABSENT))
                for name in reversed(names)
            ]
        elif isinstance(left, list) and isinstance(right, list):
            pairs = list(zip_longest(left, right, fillvalue=_ABSENT))
            todo += [(below(path, index), *pairs[index]) for index in range(len(pairs) - 1, -1, -1)]
        elif type(left) is not type(right) or left != right:
            yield from _lines(f"{label}: {path}: " if path else f"{label}: ", left, right)


def clipped(lines: Iterable[str], limit: int) -> list[str]:
    """At most *limit* of the *lines*; the last says how many more there are."""
    lines = list(lines)
    if len(lines) <= limit:
        return lines
    return [*lines[: limit - 1], f"... and {len(lines) - limit + 1} more lines"]


def _lines(label: str, recorded: object, live: object) -> Iterator[str]:
    if live is _ABSENT:
        yield f"{label}only recorded: {_window(repr(recorded), 0)}"
        return
    if recorded is _ABSENT:
        yield f"{label}only live: {_window(repr(live), 0)}"
        return
    left, right = _decoded(recorded, live)
    if isinstance(left, str) and isinstance(right, str) and "\n" in left and "\n" in right:
        yield from _text_difference(label, left.split("\n"), right.split("\n"))
        return
    before, after = repr(left), repr(right)
    same = _same(before, after)
    yield f"{label}{_window(before, same)} != {_window(after, same)}"


def _decoded(left: object, right: object) -> tuple[object, object]:
    if isinstance(left, bytes) and isinstance(right, bytes):
        try:
            return left.decode(), right.decode()
        except UnicodeDecodeError:
            pass
    return left, right


def _text_difference(label: str, recorded: list[str], live: list[str]) -> Iterator[str]:
    first = _same(recorded, live)
    last = _same(recorded[:first:-1], live[:first:-1])
    gone, come = (lines[first : len(lines) - last] for lines in (recorded, live))
    yield f"{label}from line {first + 1}:"
    for sign, lines, others in (("-", gone, come), ("+", come, gone)):
        for number, line in enumerate(islice(lines, _CONTEXT)):
            same = _same(line, others[number]) if number < len(others) else 0
            yield f"{sign} {_window(line, same)}"
        if len(lines) > _CONTEXT:
            yield f"{sign} ... and {len(lines) - _CONTEXT} more lines"


def _same(left: str | list[str], right: str | list[str]) -> int:
    pairs = enumerate(zip(left, right, strict=False))
    return next((at for at, (a, b) in pairs if a != b), min(len(left), len(right)))


def _window(text: str, same: int) -> str:
    if len(text) <= _WIDTH:
        return text
    start = max(0, min(same - _BEFORE, len(text) - _WIDTH))
    end = start + _WIDTH
    return ("..." if start else "") + text[start:end] + ("..." if end < len(text) else "")
