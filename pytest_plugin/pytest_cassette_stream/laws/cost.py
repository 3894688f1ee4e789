"""One law of cost: eight times the chunks cost about eight times the time.

Time is that of the processor for this thread, the least of several runs, with the garbage
collector off. A busy machine can only make a run seem longer, so nothing is reported before
it was measured again, longer streams included.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Sequence
from typing import Any

from pytest_cassette_stream.laws.broken import LawError
from pytest_cassette_stream.laws.feeding import outcome

__all__ = ("LINEAR", "costs_are_linear")

LINEAR = "eight times the chunks cost about eight times the time"

_TIMES = 8
# Linear code measures 7 to 10, quadratic code up to 64. Between the two a longer stream decides.
_LINEAR_AT_MOST = 12.0
_QUADRATIC_FROM = 20.0
_SIZES = (500, 1_000, 2_000, 4_000)
_SECONDS = 0.3
"""A run as long as this need not be repeated: what disturbs it is short."""


def costs_are_linear(
    function: Callable[[Any], Any],
    stream: Callable[[int], Sequence[object]],
) -> None:
    """Measure *function* on a *stream* of so many chunks.

    Raises:
        LawError: It took too much at two sizes, each of them measured twice.
    """
    suspicions = 0
    for size in _SIZES:
        ratio = _ratio(function, stream, size, runs=3)
        if ratio > _LINEAR_AT_MOST:
            ratio = min(ratio, _ratio(function, stream, size, runs=5))
        if ratio <= _LINEAR_AT_MOST:
            return
        suspicions += ratio >= _QUADRATIC_FROM
        if suspicions == 2:
            raise LawError(
                LINEAR,
                stream=stream(3),
                came=f"{_TIMES * size:,} such chunks cost {ratio:.0f} times what {size:,} cost",
                expected=f"about {_TIMES} times",
            )


def _ratio(
    function: Callable[[Any], Any],
    stream: Callable[[int], Sequence[object]],
    size: int,
    *,
    runs: int,
) -> float:
    """How many times the cost of *size* chunks that of eight times as many is."""
    # What a single chunk costs is the same for both, and would hide the rest.
    fixed, short, long = (
        _least(function, stream, count, runs) for count in (1, size, _TIMES * size)
    )
    return (long - fixed) / max(short - fixed, 1e-6)


def _least(
    function: Callable[[Any], Any],
    stream: Callable[[int], Sequence[object]],
    count: int,
    runs: int,
) -> float:
    least = _seconds(function, stream(count))
    for _ in range(runs - 1):
        if least < _SECONDS:
            least = min(least, _seconds(function, stream(count)))
    return least


def _seconds(function: Callable[[Any], Any], chunks: Sequence[object]) -> float:
    collecting = gc.isenabled()
    gc.disable()
    try:
        begun = time.thread_time()
        result = outcome(function, chunks)
        spent = time.thread_time() - begun
    finally:
        if collecting:
            gc.enable()
    if isinstance(result, Exception):
        raise result
    return spent
