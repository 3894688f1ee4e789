"""Chunks for a function under test, and all that it gives, whether it is async or not."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from typing import Any, Generic, TypeVar

from hypothesis.errors import HypothesisException

__all__ = ("Chunks", "outcome")

T = TypeVar("T")


class Chunks(Generic[T]):
    """Chunks to be iterated once, by ``for`` or by ``async for``."""

    def __init__(self, chunks: Iterable[T]) -> None:
        self._left = iter(chunks)

    def __iter__(self) -> Iterator[T]:
        return self

    def __next__(self) -> T:
        return next(self._left)

    def __aiter__(self) -> AsyncIterator[T]:
        return self

    async def __anext__(self) -> T:
        for chunk in self._left:
            return chunk
        raise StopAsyncIteration


def outcome(function: Callable[[Any], Any], chunks: Iterable[object]) -> Any:
    """What *function* gives for *chunks*, iterators as lists, or the exception that it raised."""
    try:
        given = function(Chunks(chunks))
        # Some can do both, as the readers of httpx2 do.
        is_async = inspect.isawaitable(given) or hasattr(given, "__aiter__")
        if is_async and not _is_iterator(given):
            given = asyncio.run(_awaited(given))
        return list(given) if _is_iterator(given) else given
    except HypothesisException:
        raise  # it is about the test, as one within another
    except Exception as error:  # noqa: BLE001 - whatever it is, it is what came of the stream
        return error


async def _awaited(given: Any) -> Any:
    if inspect.isawaitable(given):
        given = await given
    if hasattr(given, "__aiter__"):
        return [item async for item in given]
    return list(given) if _is_iterator(given) else given


def _is_iterator(value: object) -> bool:
    # Models of pydantic can be iterated too, over their fields.
    return (
        isinstance(value, Iterable)
        and not isinstance(value, (str, bytes, list, tuple, Mapping))
        and not hasattr(value, "model_dump")
    )
