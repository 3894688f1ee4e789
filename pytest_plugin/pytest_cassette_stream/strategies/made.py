"""Values that are shown as what they are, and not as the calls that made them.

Hypothesis prints what `st.builds` or ``map`` made as a call, which is no help to who
cannot make it: the functions in here are nobody else's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from hypothesis import strategies as st

__all__ = ("made",)

T = TypeVar("T")


def made(make: Callable[..., T], *parts: st.SearchStrategy[Any]) -> st.SearchStrategy[T]:
    """As ``st.builds(make, *parts)``; a value is shown by its repr."""
    return _made(make, parts)


@st.composite
def _made(draw: st.DrawFn, make: Callable[..., T], parts: tuple[st.SearchStrategy[Any], ...]) -> T:
    return make(*map(draw, parts))
