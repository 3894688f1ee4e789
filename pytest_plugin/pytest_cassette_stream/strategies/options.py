"""Options of strategies and laws, checked when one is asked for and not when it first draws."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from difflib import get_close_matches
from typing import TypeVar

from hypothesis import strategies as st

__all__ = ("chosen", "flag", "one_of", "strategy", "whole_number", "words")

T = TypeVar("T")


def strategy(name: str, value: st.SearchStrategy[T]) -> st.SearchStrategy[T]:
    if not isinstance(value, st.SearchStrategy):
        raise TypeError(f"{name} is a strategy, not {value!r}: st.just(...) makes one of a value")
    return value


def flag(name: str, value: bool) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"{name} is True or False, not {value!r}")
    return value


def words(name: str, value: Iterable[str]) -> tuple[str, ...]:
    """*value* as a tuple of texts, one at least and none of them empty."""
    if isinstance(value, str):
        raise TypeError(f"{name} are several texts, not {value!r}: write [{value!r}]")
    found = tuple(value)
    for word in found:
        if not isinstance(word, str):
            raise TypeError(f"{name} are texts, not {word!r}")
    if not all(found) or not found:
        raise ValueError(f"{name} are one text or more, and none is empty, not {found!r}")
    return found


def one_of(name: str, value: str, known: Collection[str]) -> str:
    if value not in known:
        raise ValueError(f"{name} is one of {', '.join(known)}, not {value!r}")
    return value


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
