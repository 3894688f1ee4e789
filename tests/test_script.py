from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cassette_stream.script import (
    Emit,
    Fail,
    FailureKind,
    Head,
    Step,
    Wait,
    limit_silence,
    stretch,
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


def silences(script: list[Step]) -> list[float]:
    """How long nothing comes, before each thing that comes."""
    found, silent = [], 0.0
    for step in script:
        if isinstance(step, Wait):
            silent += step.seconds
        else:
            found.append(silent)
            silent = 0.0
    return [*found, silent]


@given(steps, st.floats(0.1, 10))
def test_no_silence_outlasts_the_read_timeout(script: list[Step], read: float) -> None:
    limited = list(limit_silence(iter(script), read))

    assert all(silent <= read * (1 + 1e-9) for silent in silences(limited))


@given(steps, st.floats(0.1, 10))
def test_a_read_timeout_changes_nothing_before_it_strikes(script: list[Step], read: float) -> None:
    limited = list(limit_silence(iter(script), read))

    if limited == script:
        return
    *before, wait, fail = limited

    assert before == script[: len(before)]
    assert isinstance(wait, Wait)
    assert fail == Fail(FailureKind.READ_TIMEOUT)


@given(steps)
def test_without_a_read_timeout_a_script_stays_as_it_is(script: list[Step]) -> None:
    assert list(limit_silence(iter(script), None)) == script


@pytest.mark.parametrize(
    ("waits", "ends"),
    [((0.6,), "timeout"), ((0.3, 0.3), "timeout"), ((0.5,), "ok"), ((math.inf,), "timeout")],
    ids=["one wait", "waits add up", "just in time", "for ever"],
)
def test_waits_add_up_until_something_comes(waits: tuple[float, ...], ends: str) -> None:
    script = [Head(200), Emit(b"a"), *map(Wait, waits), Emit(b"b")]
    limited = list(limit_silence(iter(script), 0.5))

    assert (limited[-1] == Fail(FailureKind.READ_TIMEOUT)) is (ends == "timeout")
    assert sum(s.seconds for s in limited if isinstance(s, Wait)) <= 0.5


@given(steps, st.floats(0.1, 100))
def test_stretching_changes_waits_only(script: list[Step], factor: float) -> None:
    stretched = list(stretch(iter(script), factor))

    assert [type(s) for s in stretched] == [type(s) for s in script]
    for before, after in zip(script, stretched, strict=True):
        if isinstance(before, Wait):
            assert after == Wait(before.seconds / factor)
        else:
            assert after is before
