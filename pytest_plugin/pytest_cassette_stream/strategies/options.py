"""Options of strategies, checked when a strategy is made and not when it first draws."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TypeVar

from hypothesis import strategies as st

__all__ = ("flag", "one_of", "strategy", "words")

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
