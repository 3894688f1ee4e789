"""What may still become a secret: texts that break off where one has begun, or may have.

A text of which this is not said can go on as it likes: nothing of it is part of a secret.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache

from cassette_stream.cassette.secrets import PREFIXES

__all__ = ("Beginnings", "spellings")

_GRAM = 4
_FEW = range(1, _GRAM)
_OPEN = r'[^\s"{}]*\Z'
_PEM = re.compile(
    r"(?:(?<!-)-{1,5}|-----B(?:E|EG|EGI|EGIN)?|-----BEGIN [A-Z ]*(?:-{0,5}|"
    r"(?<=PRIVATE KEY)-----[\w+/=\s\\:,-]*))\Z"
)
# A sign that stands for another may be any letter of a secret.
_ENCODED = re.compile(rf'[^\s"{{}}]*[%\\]{_OPEN}')
_SIGNS = ("-----", "://", "%", "\\")
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


_WHOLE = {text for prefix in PREFIXES for text in spellings(prefix.decode())}
_BEGUN = {text[:size] for text in _WHOLE for size in range(1, len(text))} - _WHOLE


# A letter beyond ASCII is no part of a word, as it is none where secrets are searched for.
@cache
def _hint() -> re.Pattern[str]:
    """What finds something wherever a shape, a sign or a URL has begun, and seldom elsewhere."""
    letters = sorted({text[0] for text in _WHOLE})
    words = "|".join(map(_words, letters))
    return re.compile(rf"[%\\]|:(?:/|\Z)|-(?:-|\Z)|(?<![\w-])(?:{words})", re.ASCII)


def _words(letter: str) -> str:
    """What begins with this *letter*: most words begin with none of them, which is seen at once."""
    whole = _any_of(text[1:] for text in _WHOLE if text[0] == letter)
    begun = _any_of(text[1:] for text in _BEGUN if text[0] == letter)
    return rf"{re.escape(letter)}(?:{whole}|(?:{begun})\Z)"


@cache
def _open() -> re.Pattern[str]:
    """What finds the beginning of a shape that goes on at the end of a text."""
    whole, begun = _any_of(_WHOLE), _any_of(_BEGUN)
    return re.compile(rf"(?<![\w-])(?:(?:{whole}){_OPEN}|(?:{begun})\Z)", re.ASCII)


@cache
def _anywhere() -> re.Pattern[str]:
    return re.compile(rf"(?<![\w-])(?:{_any_of(_WHOLE)})", re.ASCII)


def _any_of(texts: Iterable[str]) -> str:
    return "|".join(map(re.escape, sorted(texts, key=lambda text: (-len(text), text))))


class Beginnings:
    """Tells texts in which a secret has begun; *known* are texts that are secrets."""

    def __init__(self, known: Iterable[str]) -> None:
        self._known: dict[str, list[str]] = {}
        self._first: set[str] = set()
        for text in filter(None, known):
            self._known.setdefault(text[:_GRAM], []).append(text)
            self._first.update(text[:size] for size in _FEW)
        self._hint = _hint()
        # No known text begins where this finds nothing.
        grams, first = _any_of(self._known), _any_of(self._first)
        self._known_hint = re.compile(rf"{grams}|(?:{first})\Z") if self._known else None

    def start(self, text: str, begin: int = 0) -> int | None:
        """Where what may become a secret begins in *text*, which breaks off in it.

        It is looked for from *begin* on: before, it is known, none does.
        """
        found = []
        if self._hint.search(text, begin):
            # A shape is a word, and some have one before them.
            words = text.rfind(" ", begin, max(0, text.rfind(" ", begin)))
            found = [
                _open().search(text, max(begin, words)),
                _PEM.search(text, begin),
                _URL.search(text, begin),
            ]
            if text.find("%", begin) >= 0 or text.find("\\", begin) >= 0:
                found.append(_ENCODED.search(text, begin))
        starts = [match.start() for match in found if match]
        hint = self._known_hint
        if hint is not None and hint.search(text, max(0, begin - _GRAM)):
            starts += [max(0, len(text) - it) for it in _FEW if text[-it:] in self._first]
            starts += [
                start
                for start, known in self._knowns(text, begin)
                if known.startswith(text[start:])
            ]
        return min(starts) if starts else None

    def may_have_ended(self, text: str, begin: int) -> bool:
        """Whether one that began at *begin* in *text*, or behind, may have come to its end."""
        if _anywhere().search(text, begin):
            return True
        if any(sign in text for sign in _SIGNS):
            return True
        return any(text.startswith(known, start) for start, known in self._knowns(text, begin))

    def _knowns(self, text: str, begin: int) -> Iterator[tuple[int, str]]:
        """The known texts that begin in *text*, and where, by their first letters."""
        for gram, known in self._known.items():
            start = text.find(gram, begin)
            while start >= 0:
                yield from ((start, it) for it in known)
                start = text.find(gram, start + 1)
