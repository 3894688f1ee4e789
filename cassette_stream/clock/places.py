"""Where a task waits: the frames from its coroutine down to what it awaits."""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator
from types import AsyncGeneratorType, FrameType
from typing import Any

__all__ = ("awaited_frames", "place_of")


def awaited_frames(coroutine: Any) -> Iterator[FrameType]:
    """The frames of *coroutine* and of all that it awaits, outermost first."""
    while coroutine is not None:
        kind = next((it for it in ("cr", "gi", "ag") if hasattr(coroutine, f"{it}_frame")), None)
        if kind is None:
            # The step of an asynchronous generator does not tell whose it is, but the
            # garbage collector does (python/cpython#76991).
            steps = gc.get_referents(coroutine) if _is_step(coroutine) else ()
            coroutine = next((it for it in steps if isinstance(it, AsyncGeneratorType)), None)
            continue
        if (frame := getattr(coroutine, f"{kind}_frame")) is not None:
            yield frame
        coroutine = getattr(coroutine, f"{kind}_{'yieldfrom' if kind == 'gi' else 'await'}")


def _is_step(coroutine: object) -> bool:
    return type(coroutine).__name__ in {"async_generator_asend", "async_generator_athrow"}


def place_of(frames: Iterable[FrameType]) -> str:
    """The way down *frames* in words."""
    places = [
        f"{frame.f_code.co_filename}:{frame.f_lineno} in {frame.f_code.co_qualname}"
        for frame in frames
    ]
    return "\n  ".join(["", *places]) if places else "no task is left"
