from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from cassette_stream.exceptions import HangError
from cassette_stream.script import (
    Emit,
    Fail,
    FailureKind,
    Head,
    Step,
    Wait,
    stretch,
    timeline,
)

seconds = st.one_of(st.floats(0, 10), st.just(math.inf))
steps = st.lists(
    st.one_of(
        seconds.map(Wait),
        st.binary(max_size=4).map(Emit),
        st.just(Head(200)),
        st.just(Fail(FailureKind.RESET)),
    ),
    max_size=12,
)


def told(script: list[Step], read: float | None = None, start: float = 0.0) -> list[Any]:
    try:
        return list(timeline(iter(script), start=start, read=read))
    except HangError:
        return []


@given(steps, st.floats(0.1, 10))
def test_no_silence_outlasts_the_read_timeout(script: list[Step], read: float) -> None:
    moments = [0.0, *(moment for moment, _ in told(script, read))]

    assert all(after - before <= read + 1e-6 for before, after in pairwise(moments))


@given(steps, st.floats(0.1, 10))
def test_a_read_timeout_changes_nothing_before_it_strikes(script: list[Step], read: float) -> None:
    endless = script.index(Wait(math.inf)) if Wait(math.inf) in script else len(script)
    free, limited = told(script[:endless]), told(script, read)
    if limited and limited[-1][1] == Fail(FailureKind.READ_TIMEOUT):
        limited.pop()

    assert limited == free[: len(limited)]


@given(steps, st.floats(0, 1e6))
def test_what_comes_comes_in_order_and_at_its_time(script: list[Step], start: float) -> None:
    assume(Wait(math.inf) not in script)
    things = told(script, start=start)
    waits = sum(step.seconds for step in script if isinstance(step, Wait))

    assert [thing for _, thing in things if thing != Emit(b"")] == [
        step for step in script if not isinstance(step, Wait) and step != Emit(b"")
    ]
    assert all(before <= after for (before, _), (after, _) in pairwise(things))
    assert not things or math.isclose(things[-1][0], start + waits, abs_tol=1e-6)


@pytest.mark.parametrize(
    ("waits", "ends"),
    [((0.6,), "timeout"), ((0.3, 0.3), "timeout"), ((0.5,), "ok"), ((math.inf,), "timeout")],
    ids=["one wait", "waits add up", "just in time", "for ever"],
)
def test_waits_add_up_until_something_comes(waits: tuple[float, ...], ends: str) -> None:
    script = [Head(200), Emit(b"a"), *map(Wait, waits), Emit(b"b")]
    moment, thing = told(script, 0.5)[-1]

    assert moment == 0.5
    assert (thing == Fail(FailureKind.READ_TIMEOUT)) is (ends == "timeout")


def test_a_silence_for_ever_without_a_read_timeout_is_a_hang() -> None:
    with pytest.raises(HangError, match="set one"):
        list(timeline(iter([Head(200), Wait(math.inf)])))


@given(steps, st.floats(0.1, 100))
def test_stretching_changes_waits_only(script: list[Step], factor: float) -> None:
    stretched = list(stretch(iter(script), factor))

    assert [type(s) for s in stretched] == [type(s) for s in script]
    for before, after in zip(script, stretched, strict=True):
        if isinstance(before, Wait):
            assert after == Wait(before.seconds / factor)
        else:
            assert after is before
