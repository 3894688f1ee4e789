"""Loops that run already, and are virtual for the length of a call."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import anyio
import anyio.to_thread
import httpx
import pytest
import trio
import trio.testing
from hypothesis import given, settings
from hypothesis import strategies as st
from support import PROJECT, SOAK

from cassette_stream import (
    VirtualClock,
    arun_virtually,
    read_cassette,
    run_virtually,
    use_cassette,
    virtual_time,
)
from cassette_stream.exceptions import HangError

HOUR = 3600.0
URL = "https://api.openai.com/v1/chat/completions"
backends = pytest.mark.parametrize("backend", ["asyncio", "trio"])
replay = partial(
    use_cassette,
    PROJECT / "fixtures" / "openai_text.yaml",
    mode="none",
    match_on=("method",),
    allow_repeats=True,
    faults="body.stall@event=4",
)


def run(subject: Callable[[], Awaitable[Any]], backend: str) -> Any:
    return anyio.run(subject, backend=backend)


async def read(*, timeout: float | None) -> None:
    async with (
        httpx.AsyncClient(timeout=timeout) as client,
        client.stream("POST", URL) as response,
    ):
        async for _ in response.aiter_raw():
            pass


@backends
@settings(max_examples=100 if SOAK else 20)
@given(
    visits=st.lists(st.lists(st.integers(0, 4), max_size=3), max_size=4),
    timers=st.lists(st.integers(0, 12).map(lambda hours: hours + 0.5), max_size=6),
)
def test_a_timer_is_due_at_its_moment_however_often_its_loop_was_virtual(
    backend: str, visits: list[list[int]], timers: list[float]
) -> None:
    due: list[float] = []

    async def timer(hours: float) -> None:
        await anyio.sleep(hours * HOUR)
        due.append(hours)

    async def subject() -> float:
        async with anyio.create_task_group() as group:
            for hours in timers:
                group.start_soon(timer, hours)
            await anyio.sleep(0)
            start = anyio.current_time()
            for visit in visits:
                for hours in visit:
                    await arun_virtually(anyio.sleep, hours * HOUR)
            passed = anyio.current_time() - start
            group.cancel_scope.cancel()
        return passed

    total = sum(map(sum, visits))
    passed = run(subject, backend)

    assert total * HOUR <= passed < (total + 0.5) * HOUR
    assert due == [hours for hours in sorted(timers) if hours < total]


@backends
@settings(max_examples=100 if SOAK else 20)
@given(hours=st.lists(st.integers(1, 9), min_size=1, max_size=4))
def test_a_timer_that_is_set_meanwhile_is_still_due_at_its_moment_afterwards(
    backend: str, hours: list[int]
) -> None:
    late: list[float] = []

    async def timer(seconds: float) -> None:
        moment = anyio.current_time() + seconds
        await anyio.sleep(seconds)
        late.append(anyio.current_time() - moment)

    async def subject() -> None:
        async with anyio.create_task_group() as group:
            for number, each in enumerate(hours):

                async def visit(each: int = each) -> None:
                    group.start_soon(timer, each * HOUR + 60)
                    await anyio.sleep(each * HOUR)

                await arun_virtually(visit)
                await arun_virtually(anyio.sleep, 30)
                assert len(late) == number
                await arun_virtually(anyio.sleep, 31)
                assert len(late) == number + 1

    run(subject, backend)

    assert late == [0] * len(hours)


@backends
def test_it_gives_what_is_given_and_raises_what_is_raised(backend: str) -> None:
    async def add(a: int, b: int) -> int:
        await anyio.sleep(HOUR)
        return a + b

    async def fail() -> None:
        await anyio.sleep(HOUR)
        raise LookupError("mine")

    async def subject() -> int:
        with pytest.raises(LookupError, match="mine"):
            await arun_virtually(fail)
        return await arun_virtually(add, 1, 2)

    assert run(subject, backend) == 3


@backends
def test_streams_deadlines_and_the_module_time_go_by_one_time(backend: str) -> None:
    clock = VirtualClock()

    async def visit() -> tuple[float, float, float]:
        moments = clock.now(), anyio.current_time(), time.monotonic()
        with pytest.raises(httpx.ReadTimeout):
            await read(timeout=300)
        with pytest.raises(TimeoutError), anyio.fail_after(600):
            await read(timeout=None)
        time.sleep(60)
        await anyio.to_thread.run_sync(time.sleep, 60)
        after = clock.now(), anyio.current_time(), time.monotonic()
        one, other, third = (b - a for a, b in zip(moments, after, strict=True))
        return one, other, third

    async def subject() -> tuple[float, float, float]:
        with replay():
            return await arun_virtually(visit, clock=clock)

    assert run(subject, backend) == (pytest.approx(1020, abs=60),) * 3


@pytest.mark.parametrize("backend", [None, "asyncio", "trio"])
@pytest.mark.parametrize(("pace", "factor"), [("instant", 1), ("recorded", 1), (4.0, 4)])
def test_a_replay_takes_the_virtual_time_that_its_pace_says(
    backend: str | None, pace: Any, factor: float
) -> None:
    clock = VirtualClock()

    async def visit() -> float:
        start = clock.now()
        await read(timeout=None)
        return clock.now() - start

    [recorded] = read_cassette(PROJECT / "fixtures" / "openai_text.yaml").interactions
    assert recorded.response is not None
    gaps = [recorded.response.head_after_us, *recorded.response.gaps_us]
    with replay(pace=pace, faults=()):
        if backend is None:
            with virtual_time(clock), httpx.Client() as client:
                client.post(URL)
                passed = clock.now()
        else:
            passed = run(partial(arun_virtually, visit, clock=clock), backend)

    assert passed == pytest.approx(sum(gaps) / 1_000_000 / factor, abs=1e-6)


@backends
def test_a_deadline_around_it_passes_in_its_time(backend: str) -> None:
    async def subject() -> float:
        with anyio.move_on_after(300) as scope:
            await arun_virtually(anyio.sleep, HOUR)
        assert scope.cancelled_caught
        start = anyio.current_time()
        await arun_virtually(anyio.sleep, HOUR)
        return anyio.current_time() - start

    assert run(subject, backend) == pytest.approx(HOUR, abs=60)


def test_so_does_one_of_asyncio() -> None:
    async def subject() -> int:
        task = asyncio.current_task()
        assert task is not None
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(300):
                await arun_virtually(asyncio.sleep, HOUR)
        return task.cancelling()

    assert asyncio.run(subject()) == 0


async def _waits_for_nothing() -> None:
    await anyio.Event().wait()


async def _swallows_that_it_is_cancelled() -> int:
    try:
        await asyncio.Event().wait()
    except BaseException:
        await asyncio.sleep(1)
    return 1


async def _waits_again() -> None:
    for _ in range(5):
        try:
            await asyncio.Event().wait()
        except BaseException:
            pass


async def _has_a_task_that_waits_again() -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(_waits_again())


async def _reads_what_is_silent() -> None:
    with replay():
        await read(timeout=None)


async def _waits_in_a_nursery() -> None:
    async with anyio.create_task_group() as group:
        group.start_soon(_waits_for_nothing)
        group.start_soon(_waits_for_nothing)


async def _waits_shielded() -> None:
    try:
        await trio.sleep_forever()
    finally:
        with trio.CancelScope(shield=True):
            await trio.sleep_forever()


async def _waits_shielded_in_a_nursery() -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_waits_shielded)


HANGS = [
    ("asyncio", _waits_for_nothing),
    ("asyncio", _swallows_that_it_is_cancelled),
    ("asyncio", _waits_again),
    ("asyncio", _has_a_task_that_waits_again),
    ("asyncio", _reads_what_is_silent),
    ("asyncio", _waits_in_a_nursery),
    ("trio", _waits_for_nothing),
    ("trio", _reads_what_is_silent),
    ("trio", _waits_in_a_nursery),
    ("trio", _waits_shielded),
    ("trio", _waits_shielded_in_a_nursery),
]


@pytest.mark.parametrize(("backend", "hangs"), HANGS, ids=lambda it: getattr(it, "__name__", it))
def test_where_nothing_is_left_it_is_a_hang_and_the_loop_and_its_other_tasks_go_on(
    backend: str, hangs: Callable[[], Awaitable[object]]
) -> None:
    async def subject() -> str:
        gate, passed = anyio.Event(), anyio.Event()

        async def bystander() -> None:
            await gate.wait()
            passed.set()

        async with anyio.create_task_group() as group:
            group.start_soon(bystander)
            with pytest.raises(HangError) as caught:
                await arun_virtually(hangs)
            await arun_virtually(anyio.sleep, HOUR)
            gate.set()
            with anyio.fail_after(60):
                await passed.wait()
        return str(caught.value.__notes__)

    assert hangs.__name__ in run(subject, backend)


def test_what_never_ends_is_left_behind_in_a_loop_that_does_not_block() -> None:
    async def stubborn() -> None:
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                pass

    runner = asyncio.Runner()
    with pytest.raises(HangError):
        runner.run(arun_virtually(stubborn))
    with pytest.raises(HangError):
        runner.run(asyncio.Event().wait())  # type: ignore[arg-type]  # it is a coroutine
    with pytest.raises(HangError):
        runner.close()

    assert run_virtually(anyio.sleep, HOUR) is None


@backends
def test_a_loop_that_is_virtual_already_stays_in_its_time(backend: str) -> None:
    clock = VirtualClock()

    async def subject() -> float:
        await arun_virtually(anyio.sleep, HOUR, clock=clock)
        await arun_virtually(anyio.sleep, HOUR)
        with pytest.raises(RuntimeError, match="another virtual clock already"):
            await arun_virtually(anyio.sleep, HOUR, clock=VirtualClock())
        return clock.now()

    assert run_virtually(subject, clock=clock, backend=backend) == 2 * HOUR  # type: ignore[arg-type]  # a literal


def test_two_loops_do_not_share_a_clock_at_a_time() -> None:
    clock = VirtualClock()

    async def subject() -> None:
        await anyio.to_thread.run_sync(asyncio.run, arun_virtually(asyncio.sleep, 1, clock=clock))

    with pytest.raises(RuntimeError, match="one at a time"):
        asyncio.run(arun_virtually(subject, clock=clock))


class _Foreign(asyncio.BaseEventLoop):
    """A loop that waits by no selector, as those of other libraries do."""

    _selector = type("_Nothing", (), {"select": lambda self, timeout: []})()

    def _process_events(self, events: object) -> None:
        pass


def test_one_that_waits_by_no_selector_cannot_be_made_virtual() -> None:
    with (
        asyncio.Runner(loop_factory=_Foreign) as runner,
        pytest.raises(RuntimeError, match=r"test_arun_virtually\._Foreign cannot be made virtual"),
    ):
        runner.run(arun_virtually(asyncio.sleep, HOUR))


def test_nor_a_run_of_trio_that_goes_by_its_own_mock_clock() -> None:
    with pytest.raises(RuntimeError, match="MockClock, which is virtual already"):
        trio.run(arun_virtually, trio.sleep, HOUR, clock=trio.testing.MockClock())


@backends
def test_a_socket_is_waited_for_in_real_time_and_that_is_noted(backend: str) -> None:
    clock = VirtualClock()
    one, other = socket.socketpair()

    def answer() -> None:
        while not clock.real_time_waits["a socket or pipe"]:
            os.sched_yield()
        other.sendall(b"late")

    async def visit() -> bytes:
        async with anyio.create_task_group() as group:
            group.start_soon(anyio.to_thread.run_sync, answer)
            await anyio.wait_readable(one)
        return one.recv(4)

    async def subject() -> Any:
        return await arun_virtually(visit, clock=clock)

    with one, other:
        answered = run(subject, backend)

    assert answered == b"late"


@pytest.mark.parametrize("debug", [False, True])
def test_the_loop_is_as_it_was_but_for_its_time(debug: bool) -> None:
    async def subject() -> tuple[dict[str, Any], dict[str, Any]]:
        loop = asyncio.get_running_loop()
        before = dict(vars(loop))
        await arun_virtually(asyncio.sleep, HOUR)
        await arun_virtually(asyncio.to_thread, lambda: time.sleep(HOUR))
        after = dict(vars(loop))
        after.pop("time")
        for name in ("_current_handle", "_default_executor", "_ready", "_scheduled"):
            del before[name], after[name]
        return before, after

    before, after = asyncio.run(subject(), debug=debug)

    assert before == after


def test_virtual_time_makes_a_clock_where_none_is_given() -> None:
    with virtual_time() as clock:
        time.sleep(HOUR)

    assert clock.now() == HOUR
