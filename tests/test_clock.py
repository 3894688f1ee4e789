from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import anyio
import anyio.lowlevel
import anyio.to_thread
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cassette_stream.clock import Clock, RealClock, VirtualClock

gaps = st.lists(st.integers(0, 50), max_size=8)


@given(st.lists(gaps, max_size=6), st.lists(st.integers(0, 5), min_size=6, max_size=6))
def test_streams_interleave_by_their_moments_whatever_their_consumers_do(
    streams: list[list[int]], laziness: list[int]
) -> None:
    clock = VirtualClock()
    seen: list[tuple[float, int]] = []

    async def consume(number: int) -> None:
        clock.join()
        moment = 0.0
        for gap in streams[number]:
            moment += gap
            await clock.asleep_until(moment)
            seen.append((moment, number))
            for _ in range(laziness[number]):
                await asyncio.sleep(0)
        clock.leave()

    async def main() -> None:
        async with anyio.create_task_group() as tasks:
            for number in range(len(streams)):
                tasks.start_soon(consume, number)

    asyncio.run(main())

    assert [moment for moment, _ in seen] == sorted(moment for moment, _ in seen)
    assert len(seen) == sum(map(len, streams))


@given(st.lists(st.floats(0, 1e6), max_size=20))
def test_a_virtual_clock_never_goes_back(moments: list[float]) -> None:
    clock, told = VirtualClock(), [0.0]
    for moment in moments:
        clock.sleep_until(moment)
        told.append(clock.now())

    assert told == sorted(told)
    assert told[-1] == max([0.0, *moments])


@pytest.mark.anyio
async def test_a_consumer_that_waits_for_another_stream_holds_nobody_up() -> None:
    clock = VirtualClock()
    clock.join()
    clock.join()
    for moment in (3.0, 5.0):
        await clock.asleep_until(moment)

    assert clock.now() == 5.0


@pytest.mark.anyio
async def test_a_cancelled_waiter_is_forgotten() -> None:
    clock = VirtualClock()
    with anyio.CancelScope() as scope:
        scope.cancel()
        await clock.asleep_until(1.0)
    await clock.asleep_until(7.0)

    assert scope.cancelled_caught
    assert clock.now() == 7.0


@pytest.mark.anyio
async def test_nobody_waits_for_a_loop_that_was_closed() -> None:
    clock = VirtualClock()

    def leave_a_waiter_behind() -> asyncio.Task[None]:
        loop = asyncio.new_event_loop()
        task = loop.create_task(clock.asleep_until(1.0))
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()
        return task

    clock.join()
    clock.join()
    task = await anyio.to_thread.run_sync(leave_a_waiter_behind)
    with anyio.fail_after(5):
        await clock.asleep_until(7.0)
    task.get_coro().close()

    assert clock.now() == 7.0


@pytest.mark.anyio
async def test_nobody_waits_for_a_loop_that_waits_for_this_one(anyio_backend: str) -> None:
    clock = VirtualClock()

    async def inner() -> None:
        with anyio.fail_after(5):
            await clock.asleep_until(2.0)

    clock.join()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(clock.asleep_until, 1.0)
        await anyio.lowlevel.checkpoint()
        with ThreadPoolExecutor() as pool:  # which blocks this loop
            pool.submit(anyio.run, inner, backend=anyio_backend).result()

    assert clock.now() == 2.0


@pytest.mark.anyio
@pytest.mark.parametrize("clock", [RealClock(), VirtualClock()], ids=["real", "virtual"])
async def test_every_wait_is_a_checkpoint_even_for_a_moment_that_is_past(clock: Clock) -> None:
    with anyio.CancelScope() as scope:
        scope.cancel()
        await clock.asleep_until(clock.now() - 1)

    assert scope.cancelled_caught


def test_the_real_clock_waits_for_a_moment_and_not_for_one_that_is_past() -> None:
    clock: Clock = RealClock()
    clock.join()
    start = clock.now()
    clock.sleep_until(start - 1)
    clock.sleep_until(start + 0.002)
    clock.leave()

    assert clock.now() >= start + 0.002


def test_dates_are_utc_in_whole_milliseconds() -> None:
    date = RealClock().date()

    assert date.tzinfo is UTC
    assert date.microsecond % 1000 == 0
    assert date <= datetime.now(UTC)
