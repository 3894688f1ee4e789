"""Hypothesis, run by a function: the smallest case that breaks a law, and nothing around it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import hypothesis
from hypothesis import strategies as st

from pytest_cassette_stream.laws.broken import LawError

__all__ = ("checked", "functions", "hold")

T = TypeVar("T")


def hold(
    law: Callable[[T], None],
    cases: st.SearchStrategy[T],
    *,
    settings: hypothesis.settings | None,
    seed: int | None,
) -> None:
    """Try *law* on *cases*, as many as *settings* or the current profile say.

    Raises:
        LawError: It is broken; the error is that of the smallest case.
    """
    __tracebackhide__ = True
    # A deadline would be an assertion on the time of a busy machine; blobs and explanations
    # are of no use for a test that is made on the fly.
    given = settings or hypothesis.settings()
    told = hypothesis.settings(
        given,
        deadline=None,
        phases=[phase for phase in given.phases if phase is not hypothesis.Phase.explain],
        print_blob=False,
        report_multiple_bugs=False,
    )

    def case_keeps_the_law(case: T) -> None:
        law(case)

    test = told(hypothesis.given(case=cases)(case_keeps_the_law))
    if seed is not None:
        test = hypothesis.seed(seed)(test)
    broken = None
    try:
        test()
    except LawError as error:
        # What Hypothesis notes beside it calls a function that nobody wrote.
        broken = error
        broken.__notes__ = []
    if broken is not None:
        raise broken.with_traceback(None)


def checked(settings: hypothesis.settings | None, seed: int | None, **told: object) -> None:
    """Refuse what is no function, settings or seed.

    Raises:
        TypeError: One is not; the text says which.
    """
    functions(**told)
    if settings is not None and not isinstance(settings, hypothesis.settings):
        raise TypeError(f"settings must be hypothesis.settings(...), not {settings!r}")
    if seed is not None and type(seed) is not int:
        raise TypeError(f"seed must be a number, not {seed!r}")


def functions(**told: object) -> None:
    """Refuse what is no function.

    Raises:
        TypeError: The text says which.
    """
    for name, function in told.items():
        if not callable(function):
            raise TypeError(f"{name} must be a function, not {function!r}")
