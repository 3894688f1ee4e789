"""JSON values with something else at one place, as whoever sends them may have it one day."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

__all__ = ("otherwise",)

_OTHERS: list[Any] = [None, True, 7, 0.5, "", "x", [], {}, [7], {"x": 7}, [{}], [None]]


@st.composite
def otherwise(draw: st.DrawFn, value: Any) -> Any:
    """*value* with something else at the place of anything that it holds, itself included."""
    way = draw(st.sampled_from(list(_places(value))))
    return _changed(value, way, draw(st.sampled_from(_OTHERS)))


def _places(value: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield way
    held = dict(enumerate(value)) if isinstance(value, list) else value
    for key, item in held.items() if isinstance(held, dict) else ():
        yield from _places(item, (*way, key))


def _changed(value: Any, way: tuple[Any, ...], other: Any) -> Any:
    if not way:
        return other
    key, *rest = way
    changed = _changed(value[key], tuple(rest), other)
    if isinstance(value, dict):
        return {**value, key: changed}
    return [*value[:key], changed, *value[key + 1 :]]
