"""What a caller chose of the words that there are, checked when a strategy is asked for."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

__all__ = ("chosen", "whole_number")


def chosen(name: str, given: object, known: Iterable[str]) -> tuple[str, ...]:
    """The words that *given* names, one or several of *known*, in their order; all for None.

    Raises:
        TypeError: *given* is neither a text nor several.
        ValueError: It names a word that there is not, or none at all.
    """
    words = tuple(known)
    if given is None:
        return words
    several = [given] if isinstance(given, str) else given
    if not isinstance(several, Iterable):
        raise TypeError(f"{name} is {given!r}; it can be a text or several")
    named = list(several)
    for word in named:
        if word not in words:
            near = get_close_matches(str(word), words, 1)
            hint = f"; nearest: {near[0]}" if near else ""
            raise ValueError(f"{name} names {word!r}; there are {', '.join(words)}{hint}")
    if not named:
        raise ValueError(f"{name} names nothing; leave it out for all of them")
    return tuple(word for word in words if word in named)


def whole_number(name: str, given: object, *, low: int) -> int:
    """*given*, if it is a whole number from *low* on.

    Raises:
        TypeError: It is no whole number.
        ValueError: It is less.
    """
    if isinstance(given, bool) or not isinstance(given, int):
        raise TypeError(f"{name} is {given!r}; it can be a whole number")
    if given < low:
        raise ValueError(f"{name} is {given}; it can be {low} or more")
    return given
