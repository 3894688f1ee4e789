"""An error that waits in an iterator until its reader gets there."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, NoReturn, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ("then_raise",)

T = TypeVar("T")


def then_raise(items: Iterator[T], error: Exception) -> Iterator[T]:
    """The *items*, and then the *error*: what came before the break is still delivered."""
    return chain(items, map(_raise, (error,)))


def _raise(error: Exception) -> NoReturn:
    raise error
