"""Strategies as tests of strategies use them: many examples, the smallest, what is printed."""

from __future__ import annotations

import datetime as dt
import re
from array import array
from collections.abc import Callable
from math import inf
from typing import Any

import pytest_cassette_stream.strategies
from hypothesis import Phase, find, given, seed, settings
from hypothesis import strategies as st

import cassette_stream
from cassette_stream import faults

# Draws are the same in every run, so that a count is no matter of luck.
same = settings(
    database=None,
    derandomize=True,
    max_examples=100,
    phases=[it for it in Phase if it is not Phase.explain],
)


_RUN = 25


def drawn(strategy: st.SearchStrategy[Any], count: int) -> list[Any]:
    """About *count* examples, with every health check there is.

    They come from many short runs: a long one goes on with what it had, more and more.
    """
    found: list[Any] = []
    for number in range(-(-count // _RUN)):

        @seed(number)
        @settings(same, derandomize=False, max_examples=min(count, _RUN))
        @given(strategy)
        def collect(value: Any) -> None:
            found.append(value)

        collect()
    return found


def smallest(
    strategy: st.SearchStrategy[Any], condition: Callable[[Any], bool] = lambda _: True
) -> Any:
    """What an example for which *condition* holds shrinks to."""
    return find(strategy, condition, settings=settings(same, max_examples=1000))


PASTED: dict[str, Any] = {
    "array": array,
    "datetime": dt,
    "inf": inf,
    **{
        name: getattr(room, name)
        for room in (cassette_stream, faults, pytest_cassette_stream.strategies)
        for name in room.__all__
    },
}
"""What a test imports that a failing example was pasted into."""


def pasted(strategy: st.SearchStrategy[Any], condition: Callable[[Any], bool]) -> tuple[Any, Any]:
    """What Hypothesis prints for an example with *condition*, as Python reads it; and the value."""
    failed: list[Any] = []

    @same
    @given(strategy)
    def fail(value: Any) -> None:
        if condition(value):
            failed.append(value)
            raise AssertionError

    try:
        fail()
    except AssertionError as error:
        [printed] = re.findall(r"\A[^(]*fail(\(.*\))\s*\Z", error.__notes__[0], re.DOTALL)
        return eval(f"dict{printed}", PASTED)["value"], failed[-1]
    raise TypeError("no example was tried")
