"""What may still become a secret: texts that break off where one has begun, or may have.

A text of which this is not said can go on as it likes: nothing of it is part of a secret.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache

from cassette_stream.cassette.secrets import PREFIXES

__all__ = ("Beginnings", "spellings")

_GRAM = 4
_OPEN = r'[^\s"{}]*\Z'
_PEM = re.compile(
    r"(?:(?<!-)-{1,5}|-----B(?:E|EG|EGI|EGIN)?|-----BEGIN [A-Z ]*(?:-{0,5}|"
    r"(?<=PRIVATE KEY)-----[\w+/=\s\\:,-]*))\Z"
)
# A sign that stands for another may be any letter of a secret.
_ENCODED = re.compile(rf'[^\s"{{}}]*[%\\]{_OPEN}')
_URL = re.compile(rf"(?<=[A-Za-z]):(?:/{{0,1}}\Z|//{_OPEN})")


def spellings(pattern: str) -> set[str]:
    """The texts that *pattern* matches, which has letters, choices and question marks alone."""
    found, rest = _choices(pattern)
    if rest:
        raise ValueError(f"{pattern!r} has more than letters, choices and question marks: {rest!r}")
    return found


def _choices(pattern: str) -> tuple[set[str], str]:
    found, rest = _sequence(pattern)
    while rest.startswith("|"):
        more, rest = _sequence(rest[1:])
        found |= more
    return found, rest


def _sequence(pattern: str) -> tuple[set[str], str]:
    found = {""}
    while pattern and pattern[0] not in "|)":
        atom, pattern = _atom(pattern)
        if pattern.startswith("?"):
            atom, pattern = atom | {""}, pattern[1:]
        found = {text + more for text in found for more in atom}
    return found, pattern


def _atom(pattern: str) -> tuple[set[str], str]:
    if pattern.startswith("(?:"):
        found, rest = _choices(pattern[3:])
        return found, rest[1:]
    if pattern.startswith("["):
        letters, _, rest = pattern[1:].partition("]")
        return set(letters), rest
    pattern = pattern.removeprefix("\\")
    return {pattern[0]}, pattern[1:]


@cache
def _shapes() -> re.Pattern[str]:
    whole = {text for prefix in PREFIXES for text in spellings(prefix.decode())}
    begun = {text[:size] for text in whole for size in range(1, len(text))} - whole
    # A letter beyond ASCII is no part of a word, as it is none where secrets are searched for.
    pattern = rf"(?<![\w-])(?:(?:{_any_of(whole)}){_OPEN}|(?:{_any_of(begun)})\Z)"
    return re.compile(pattern, re.ASCII)


def _any_of(texts: Iterable[str]) -> str:
    return "|".join(map(re.escape, sorted(texts, key=lambda text: (-len(text), text))))


class Beginnings:
    """Tells texts in which a secret has begun; *known* are texts that are secrets."""

    def __init__(self, known: Iterable[str]) -> None:
        self._known: dict[str, list[str]] = {}
        self._first: set[str] = set()
        for text in known:
            self._known.setdefault(text[:_GRAM], []).append(text)
            self._first.update(text[:size] for size in range(1, _GRAM))
        self._grams = re.compile(f"(?=({_any_of(self._known)}))") if self._known else None

    def start(self, text: str) -> int | None:
        """Where what may become a secret begins in *text*, which breaks off in it."""
        found = [
            match.start()
            for pattern in (_shapes(), _PEM, _URL, _ENCODED)
            if (match := pattern.search(text))
        ]
        if self._grams is not None:
            found += [len(text) - size for size in range(1, _GRAM) if text[-size:] in self._first]
            found += [
                match.start()
                for match in self._grams.finditer(text)
                if any(it.startswith(text[match.start() :]) for it in self._known[match[1]])
            ]
        return min(found, default=None)
