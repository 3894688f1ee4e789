from __future__ import annotations

import asyncio
import contextlib
import math
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import anyio
import anyio.from_thread
import anyio.to_thread
import httpx
import httpx2
import openai
import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st
from support import PROJECT

from cassette_stream import LoopbackServer, acompletion, use_cassette
from cassette_stream.clock import (
    RealClock,
    TimeByName,
    VirtualClock,
    VirtualLoop,
    clock_here,
    run_virtually,
    time_by_name,
    virtual_time,
)
from cassette_stream.exceptions import HangError
from cassette_stream.script import Emit, Head, Wait

CASSETTE = PROJECT / "fixtures" / "openai_text.yaml"
URL = "https://api.openai.com/v1/chat/completions"
STALL = "body.stall@event=4"
backends = pytest.mark.parametrize("backend", ["asyncio", "trio"])

replay = partial(use_cassette, CASSETTE, mode="none", match_on=("method",), allow_repeats=True)


async def read(library: Any = httpx) -> int:
    """Read a replayed stream without a read timeout, and count its chunks."""
    count = 0
    async with (
        library.AsyncClient(timeout=None) as client,
        client.stream("POST", URL) as response,
    ):
        async for _ in response.aiter_raw():
            count += 1
    return count


def read_synchronously() -> int:
    with httpx.Client(timeout=None) as client, client.stream("POST", URL) as response:
        return sum(1 for _ in response.iter_raw())


moments = st.lists(st.integers(0, 12), max_size=8)
wide = st.lists(st.floats(0, 1e12), max_size=8)


@given(timers=moments | wide, streams=moments | wide)
def test_timers_and_streams_come_in_the_order_of_their_moments_streams_first(
    timers: list[float], streams: list[float]
) -> None:
    clock, seen = VirtualClock(), []

    async def stream(number: int, moment: float) -> None:
        await clock.asleep_until(moment)
        seen.append((clock.now(), 0, number))

    async def main() -> None:
        loop = asyncio.get_running_loop()
        for moment in timers:
            loop.call_at(moment, lambda: seen.append((clock.now(), 1, -1)))
        await asyncio.gather(*(stream(n, moment) for n, moment in enumerate(streams)))
        await asyncio.sleep(max([*timers, 0.0]) - clock.now() + 1)

    start = clock.now()
    run_virtually(main, clock=clock)

    expected = [(moment, 0, number) for number, moment in enumerate(streams)]
    expected += [(moment, 1, -1) for moment in timers]
    # What is due from the beginning comes in the order of the passes it takes.
    assert [it for it in seen if it[0] > start] == sorted(it for it in expected if it[0] > start)
    assert len(seen) == len(expected)
    assert not clock.real_time_waits


@backends
@given(plan=st.lists(st.tuples(st.booleans(), st.integers(0, 6)), max_size=6))
def test_every_wait_takes_its_time_and_two_runs_go_alike(
    backend: Any, plan: list[tuple[bool, int]]
) -> None:
    def once() -> tuple[list[tuple[float, int]], float]:
        clock, seen = VirtualClock(), []

        async def wait(number: int) -> None:
            is_stream, seconds = plan[number]
            for times in range(1, 4):
                if is_stream:
                    await clock.asleep_until(times * seconds)
                else:
                    await anyio.sleep(seconds)
                seen.append((clock.now(), number))

                assert clock.now() == times * seconds == anyio.current_time()

        async def main() -> None:
            async with anyio.create_task_group() as tasks:
                for number in range(len(plan)):
                    tasks.start_soon(wait, number)

        run_virtually(main, clock=clock, backend=backend)
        return seen, clock.now()

    seen, end = once()

    assert [moment for moment, _ in seen] == sorted(moment for moment, _ in seen)
    assert end == max((3 * seconds for _, seconds in plan), default=0)
    assert once() == (seen, end)


async def by_timeout() -> None:
    async with asyncio.timeout(300):
        await read()


async def by_wait_for() -> None:
    await asyncio.wait_for(read(httpx2), 300)


async def by_wait() -> None:
    task = asyncio.create_task(read())
    done, _ = await asyncio.wait([task], timeout=300)
    task.cancel()
    if not done:
        raise TimeoutError


async def by_fail_after() -> None:
    with anyio.fail_after(300):
        await read(httpx2)


async def by_move_on_after() -> None:
    with anyio.move_on_after(300) as scope:
        await read()
    if scope.cancelled_caught:
        raise TimeoutError


async def by_trio_fail_after() -> None:
    try:
        with trio.fail_after(300):
            await read()
    except trio.TooSlowError:
        raise TimeoutError from None


async def in_a_thread() -> None:
    with anyio.fail_after(300):
        await anyio.to_thread.run_sync(read_synchronously, abandon_on_cancel=True)


async def in_an_executor() -> None:
    job = asyncio.get_running_loop().run_in_executor(None, read_synchronously)
    await asyncio.wait_for(job, 300)


@pytest.mark.parametrize(
    ("backend", "subject"),
    [
        ("asyncio", by_timeout),
        ("asyncio", by_wait_for),
        ("asyncio", by_wait),
        ("asyncio", in_an_executor),
        *(
            (backend, it)
            for backend in ("asyncio", "trio")
            for it in (by_fail_after, by_move_on_after, in_a_thread)
        ),
        ("trio", by_trio_fail_after),
    ],
    ids=lambda it: getattr(it, "__name__", it),
)
def test_a_stall_without_end_meets_the_subjects_own_deadline(
    backend: Any, subject: Callable[[], Awaitable[None]]
) -> None:
    clock = VirtualClock()
    with replay(faults=STALL), pytest.raises(TimeoutError):
        run_virtually(subject, clock=clock, backend=backend)

    assert clock.hangs == 0
    # A thread that nobody waits for any more may still have been at work.
    assert clock.now() == pytest.approx(
        300, abs=0.5 if subject in {in_a_thread, in_an_executor} else 0
    )


@backends
def test_one_that_ends_in_time_does_not(backend: Any) -> None:
    clock = VirtualClock()
    with replay(faults=f"{STALL},seconds=299"):
        run_virtually(by_fail_after, clock=clock, backend=backend)

    assert 299 < clock.now() < 300


@backends
def test_what_comes_at_the_very_moment_of_a_deadline_is_in_time(backend: Any) -> None:
    clock = VirtualClock()

    async def main() -> str:
        with anyio.move_on_after(5):
            await clock.asleep_until(5)
            return "came"
        return "late"

    assert run_virtually(main, clock=clock, backend=backend) == "came"


@backends
def test_a_stall_that_nothing_ends_is_a_hang_even_where_exceptions_are_swallowed(
    backend: Any,
) -> None:
    clock, cleaned = VirtualClock(), []

    async def main() -> None:
        try:
            await read()
        except Exception:
            cleaned.append("swallowed")
        finally:
            cleaned.append("cleaned")

    with replay(faults=STALL), pytest.raises(HangError, match="silent for ever") as caught:
        run_virtually(main, clock=clock, backend=backend)

    assert cleaned == ["cleaned"]
    assert clock.hangs == 1
    assert "in read" in caught.value.__notes__[0]
    assert clock.now() < 1


async def for_an_event() -> None:
    await anyio.Event().wait()


async def for_a_moment_that_never_comes() -> None:
    await anyio.sleep(math.inf)


async def for_one_another() -> None:
    first, second = anyio.Lock(), anyio.Lock()

    async def take(one: anyio.Lock, other: anyio.Lock) -> None:
        async with one:
            await anyio.sleep(1)
            async with other:
                pass

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(take, first, second)
        tasks.start_soon(take, second, first)


async def once_more_when_cancelled() -> None:
    try:
        await anyio.Event().wait()
    finally:
        with anyio.CancelScope(shield=True):
            await anyio.Event().wait()


async def in_an_asynchronous_generator() -> None:
    async def events() -> Any:
        await anyio.Event().wait()
        yield

    async with contextlib.aclosing(events()) as stream:
        async for _ in stream:
            pass


@backends
@pytest.mark.parametrize(
    "subject",
    [for_an_event, for_a_moment_that_never_comes, for_one_another, in_an_asynchronous_generator],
)
def test_a_deadlock_is_a_hang_and_never_blocks(backend: Any, subject: Any) -> None:
    clock = VirtualClock()
    with pytest.raises(HangError, match="nothing is left") as caught:
        run_virtually(subject, clock=clock, backend=backend)

    assert subject.__name__ in caught.value.__notes__[0]


@backends
def test_so_is_one_while_it_is_cleaned_up(backend: Any) -> None:
    clock = VirtualClock()
    with pytest.raises(HangError, match="nothing is left"):
        run_virtually(once_more_when_cancelled, clock=clock, backend=backend)


STUBBORN = """
import sys, trio
from cassette_stream.clock import run_virtually
from cassette_stream.exceptions import HangError

async def main():
    with trio.CancelScope(shield=True):
        while True:
            try:
                await trio.Event().wait()
            except (trio.Cancelled, HangError):
                pass

try:
    run_virtually(main, backend="trio")
except HangError:
    print("hang", flush=True)
"""


def test_so_is_one_in_a_task_that_takes_no_hint() -> None:
    command = [sys.executable, "-c", STUBBORN]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    assert result.stdout == "hang\n", result.stderr


def test_a_thread_that_hangs_is_told_so_and_its_task_goes_on() -> None:
    clock = VirtualClock()

    async def main() -> str:
        try:
            await asyncio.to_thread(read_synchronously)
        except HangError:
            await asyncio.sleep(5)
            return "told"
        return "not told"

    with replay(faults=STALL):
        assert run_virtually(main, clock=clock) == "told"
    assert clock.hangs == 1


def busy(request: Any, seen: list[Any]) -> Any:
    seen.append(request)
    if len(seen) == 1:
        return httpx2.Response(429, headers={"retry-after": "30"}, json={"error": {}})
    answer = {"id": "1", "object": "chat.completion", "created": 0, "model": "m", "choices": []}
    return httpx2.Response(200, json=answer)


@pytest.fixture
def busy_cassette(tmp_path: Path) -> Path:
    """A provider that wants to be left alone for 30 seconds, and then answers."""
    seen: list[Any] = []
    path = tmp_path / "busy.yaml"
    transport = httpx2.MockTransport(lambda request: busy(request, seen))
    with use_cassette(path), httpx2.Client(transport=transport) as client:
        for _ in range(2):
            client.post(URL)
    return path


@backends
def test_the_back_off_of_an_asynchronous_sdk_passes(busy_cassette: Path, backend: Any) -> None:
    clock = VirtualClock()

    async def ask() -> Any:
        async with openai.AsyncOpenAI(api_key="k", max_retries=2) as client:
            return await client.chat.completions.create(model="m", messages=[])

    with use_cassette(busy_cassette, mode="none", match_on=("method",)) as session:
        answer = run_virtually(ask, clock=clock, backend=backend)

    assert answer.id == "1"
    assert len(session.played) == 2
    assert 30 <= clock.now() < 31


def test_so_does_that_of_a_synchronous_one(busy_cassette: Path) -> None:
    clock = VirtualClock()
    with (
        use_cassette(busy_cassette, mode="none", match_on=("method",)) as session,
        virtual_time(clock),
        openai.OpenAI(api_key="k", max_retries=2) as client,
    ):
        answer = client.chat.completions.create(model="m", messages=[])

    assert answer.id == "1"
    assert len(session.played) == 2
    assert 30 <= clock.now() < 31


@backends
def test_our_own_client_backs_off_in_the_same_time(busy_cassette: Path, backend: Any) -> None:
    clock = VirtualClock()

    async def ask() -> Any:
        with anyio.move_on_after(20) as scope:
            await acompletion("openai/m", [], api_key="k", num_retries=2)
        return scope.cancelled_caught

    with use_cassette(busy_cassette, mode="none", match_on=("method",)):
        assert run_virtually(ask, clock=clock, backend=backend)
    assert clock.now() == 20


STEPS = (Head(200), Wait(0.02), Emit(b"one"), Wait(0.02), Emit(b"two"))


@backends
def test_a_real_socket_is_waited_for_in_real_time_and_that_is_noted(backend: Any) -> None:
    clock = VirtualClock()

    async def ask() -> bytes:
        with anyio.fail_after(3600):
            async with httpx.AsyncClient(timeout=600) as client:
                return (await client.get(server.url)).content

    with LoopbackServer() as server:
        server.respond(STEPS)

        assert run_virtually(ask, clock=clock, backend=backend) == b"onetwo"
    assert set(clock.real_time_waits) <= {"a socket or pipe", "a job in another thread"}
    assert clock.real_time_waits["a socket or pipe"] >= 1
    assert 0 < clock.now() < 600


def test_a_server_in_the_loop_that_only_listens_does_not_stop_the_time() -> None:
    clock = VirtualClock()

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.read(100))
        writer.close()
        await writer.wait_closed()

    async def main() -> bytes:
        async with await asyncio.start_server(echo, "127.0.0.1", 0) as server:
            await asyncio.sleep(3600)

            assert not clock.real_time_waits
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            writer.write(b"hello")
            try:
                return await reader.read()
            finally:
                writer.close()

    assert run_virtually(main, clock=clock) == b"hello"


class OwnExecutor(Executor):
    """An executor that no event loop has heard of."""

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        threading.Thread(target=lambda: future.set_result(fn(*args, **kwargs))).start()
        return future


async def to_thread(job: Callable[[], str]) -> str:
    return await anyio.to_thread.run_sync(job)


async def to_thread_with_a_limiter(job: Callable[[], str]) -> str:
    return await anyio.to_thread.run_sync(job, limiter=anyio.CapacityLimiter(1))


async def to_executor(job: Callable[[], str]) -> str:
    return await asyncio.get_running_loop().run_in_executor(None, job)


async def to_pool(job: Callable[[], str]) -> str:
    with ThreadPoolExecutor(1) as pool:
        return await asyncio.get_running_loop().run_in_executor(pool, job)


async def to_own_executor(job: Callable[[], str]) -> str:
    return await asyncio.get_running_loop().run_in_executor(OwnExecutor(), job)


@pytest.mark.parametrize(
    ("backend", "hand_over"),
    [
        *(("asyncio", it) for it in (to_executor, to_pool, to_own_executor)),
        *(
            (backend, it)
            for backend in ("asyncio", "trio")
            for it in (to_thread, to_thread_with_a_limiter)
        ),
    ],
    ids=lambda it: getattr(it, "__name__", it),
)
def test_so_is_a_job_in_another_thread(backend: Any, hand_over: Any) -> None:
    clock, gate = VirtualClock(), threading.Event()

    def work() -> str:
        # It is at work for as long as the loop has not begun to wait for it.
        while not clock.real_time_waits:
            gate.wait(0.001)
        return "done"

    async def main() -> str:
        with anyio.fail_after(3600):
            return await hand_over(work)

    assert run_virtually(main, clock=clock, backend=backend) == "done"
    assert set(clock.real_time_waits) == {"a job in another thread"}
    assert clock.now() < 3600


@pytest.mark.parametrize("seconds", [3600, 10])
@pytest.mark.parametrize(
    ("backend", "hand_over"),
    [("asyncio", to_executor), ("asyncio", to_thread), ("trio", to_thread)],
    ids=lambda it: getattr(it, "__name__", it),
)
def test_a_job_that_sleeps_goes_by_the_time_of_its_loop(
    backend: Any, hand_over: Any, seconds: int
) -> None:
    clock = VirtualClock()
    told: list[float] = []

    def work() -> str:
        time.sleep(seconds)
        return "slept"

    async def tick() -> None:
        for _ in range(3):
            await anyio.sleep(4)
            told.append(clock.now())

    async def main() -> str:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(tick)
            return await hand_over(work)

    assert run_virtually(main, clock=clock, backend=backend) == "slept"
    assert told == pytest.approx([4, 8, 12], abs=0.5)
    assert clock.now() == pytest.approx(max(seconds, 12), abs=0.5)


@backends
def test_a_job_that_comes_back_to_its_loop_does_not_stop_the_time(backend: Any) -> None:
    clock = VirtualClock()

    def work() -> None:
        anyio.from_thread.run(anyio.sleep, 10)
        anyio.from_thread.run(read)

    async def main() -> None:
        with anyio.fail_after(300):
            await anyio.to_thread.run_sync(work)

    with replay(faults=STALL), pytest.raises(TimeoutError):
        run_virtually(main, clock=clock, backend=backend)

    assert clock.now() == pytest.approx(300, abs=0.5)


def test_a_child_process_is_waited_for_in_real_time() -> None:
    clock = VirtualClock()

    async def main() -> int:
        child = await asyncio.create_subprocess_exec(sys.executable, "-c", "")
        async with asyncio.timeout(3600):
            return await child.wait()

    assert run_virtually(main, clock=clock) == 0
    assert set(clock.real_time_waits) <= {"a child process", "a socket or pipe"}


def when_it_waits(clock: VirtualClock, act: Callable[[], None]) -> threading.Thread:
    """A thread that does *act* as soon as the loop of *clock* waits for real."""
    gate = threading.Event()

    def work() -> None:
        while not clock.real_time_waits:
            gate.wait(0.001)
        act()

    thread = threading.Thread(target=work)
    thread.start()
    return thread


def test_so_is_a_pipe() -> None:
    clock = VirtualClock()
    reader, writer = os.pipe()
    other = when_it_waits(clock, lambda: os.close(writer))

    async def main() -> None:
        closed = asyncio.Event()
        asyncio.get_running_loop().add_reader(reader, closed.set)
        async with asyncio.timeout(3600):
            await closed.wait()
        asyncio.get_running_loop().remove_reader(reader)

    run_virtually(main, clock=clock)
    other.join()
    os.close(reader)

    assert set(clock.real_time_waits) == {"a socket or pipe"}
    assert clock.now() < 3600


def test_where_there_is_nothing_but_a_listening_socket_somebody_may_still_come() -> None:
    clock = VirtualClock()
    addresses: list[Any] = []
    other = when_it_waits(clock, lambda: socket.create_connection(addresses[0]).close())

    async def main() -> None:
        came = asyncio.Event()

        def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.close()
            came.set()

        async with await asyncio.start_server(greet, "127.0.0.1", 0) as server:
            addresses.append(server.sockets[0].getsockname())
            await came.wait()

    run_virtually(main, clock=clock)
    other.join()

    assert clock.real_time_waits["a listening socket"] == 1
    assert not clock.hangs


def test_a_loop_that_serves_other_threads_waits_for_them() -> None:
    clock = VirtualClock()
    options = {"loop_factory": partial(VirtualLoop, clock)}
    with anyio.from_thread.start_blocking_portal(backend_options=options) as portal:
        for _ in range(2):
            portal.call(anyio.sleep, 0)

        assert portal.call(anyio.current_time) >= 0
    assert set(clock.real_time_waits) <= {"a blocking portal"}


@pytest.mark.parametrize(
    "run",
    [
        lambda main, factory: asyncio.Runner(loop_factory=factory).run(main()),
        lambda main, factory: anyio.run(main, backend_options={"loop_factory": factory}),
        lambda main, factory: factory().run_until_complete(main()),
    ],
    ids=["asyncio.Runner", "anyio.run", "run_until_complete"],
)
def test_the_loop_alone_does_the_same(run: Any) -> None:
    loops: list[VirtualLoop] = []

    def factory() -> VirtualLoop:
        loops.append(VirtualLoop())
        return loops[-1]

    with replay(faults=STALL), pytest.raises(TimeoutError):
        run(by_timeout, factory)
    loops[0].close()

    assert loops[0].clock.now() == 300


def test_a_clock_of_its_own_waits_by_the_loop_that_it_is_used_in() -> None:
    clock, own = VirtualClock(), VirtualClock()

    async def main() -> None:
        await asyncio.sleep(100)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(own.asleep_until(math.inf), 300)
        await own.asleep_until(5)

    run_virtually(main, clock=clock)

    assert (clock.now(), own.now()) == (405, 5)


def test_a_clock_drives_one_loop_at_a_time_and_any_number_one_after_another() -> None:
    clock = VirtualClock()

    async def sleep() -> None:
        await anyio.sleep(10)

    async def nested() -> None:
        with ThreadPoolExecutor(1) as pool, pytest.raises(RuntimeError, match="one at a time"):
            pool.submit(run_virtually, sleep, clock=clock).result()

    run_virtually(sleep, clock=clock)
    run_virtually(nested, clock=clock)
    run_virtually(sleep, clock=clock, backend="trio")

    assert clock.now() == 20


def test_there_are_two_backends() -> None:
    with pytest.raises(ValueError, match="no backend 'curio': 'asyncio' or 'trio'"):
        run_virtually(read, backend="curio")  # type: ignore[arg-type]


def test_trio_still_waits_until_all_tasks_are_blocked() -> None:
    clock, seen = VirtualClock(), []

    async def sleep() -> None:
        await trio.sleep(5)
        seen.append("slept")

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(sleep)
            for cushion in (0.0, 0.001):
                await trio.testing.wait_all_tasks_blocked(cushion)
                seen.append("blocked")

    run_virtually(main, clock=clock, backend="trio")

    assert seen == ["blocked", "blocked", "slept"]


def test_trios_own_mock_clock_meets_the_stall_too() -> None:
    with replay(faults=STALL), pytest.raises(TimeoutError):
        trio.run(by_trio_fail_after, clock=trio.testing.MockClock(autojump_threshold=0))
    with replay(faults=STALL), pytest.raises(HangError):
        trio.run(read, clock=trio.testing.MockClock(autojump_threshold=0))
    with replay():
        assert trio.run(read, clock=trio.testing.MockClock(autojump_threshold=0)) == 24


def test_a_virtual_clock_goes_by_a_mock_clock() -> None:
    clock, mock = VirtualClock(), trio.testing.MockClock(autojump_threshold=0)

    async def main() -> None:
        await trio.sleep(10)
        await clock.asleep_until(7)
        clock_here().sleep_until(20)
        with pytest.raises(HangError):
            clock_here().sleep_until(math.inf)

    trio.run(main, clock=mock)

    assert clock.now() == 7
    assert mock.current_time() == 20


READINGS = ("monotonic", "perf_counter", "time", "monotonic_ns", "perf_counter_ns", "time_ns")


@pytest.mark.parametrize("name", READINGS)
def test_a_sleep_of_an_hour_returns_at_once_an_hour_later(name: str) -> None:
    unit = 1e9 if name.endswith("_ns") else 1
    clock, real = VirtualClock(), getattr(time, name)
    before = real()
    with virtual_time(clock):
        start = getattr(time, name)()
        time.sleep(3600)
        end = getattr(time, name)()

    assert end - start == pytest.approx(3600 * unit)
    assert type(end) is type(before)
    assert before <= start <= real() < before + 3600 * unit
    assert clock.now() == 3600
    assert getattr(time, name) is real


@pytest.mark.parametrize(
    ("seconds", "error"), [(-1, ValueError), (math.nan, ValueError), ("1", TypeError)], ids=repr
)
def test_what_is_no_length_of_time_is_refused_as_ever(seconds: Any, error: Any) -> None:
    with virtual_time(VirtualClock()), pytest.raises(error):
        time.sleep(seconds)


@pytest.mark.anyio
async def test_a_wait_for_ever_on_the_clock_on_the_wall_is_one_too() -> None:
    with pytest.raises(HangError):
        RealClock().sleep_until(math.inf)
    with pytest.raises(HangError):
        await RealClock().asleep_until(math.inf)


def test_a_sleep_for_ever_is_a_hang() -> None:
    clock = VirtualClock()
    with virtual_time(clock), pytest.raises(HangError):
        time.sleep(math.inf)

    assert clock.hangs == 1


def test_a_synchronous_subject_sees_the_time_of_its_stream() -> None:
    told = []
    clock = VirtualClock()
    with replay(), virtual_time(clock), httpx.Client() as client:
        with client.stream("POST", URL) as response:
            for _ in response.iter_raw():
                told.append(clock.now())

    assert told == sorted(set(told))
    assert len(told) == 24
    assert 0.25 < told[-1] < 0.35


def test_a_synchronous_stall_is_a_hang() -> None:
    clock = VirtualClock()
    with replay(faults=STALL), virtual_time(clock), pytest.raises(HangError):
        read_synchronously()

    assert clock.hangs == 1


def test_other_threads_keep_real_time_and_those_that_are_started_within_do_not() -> None:
    clock = VirtualClock()
    ask, told = threading.Event(), []

    def bystander() -> None:
        ask.wait(10)
        told.append(time.monotonic())

    def within() -> None:
        time.sleep(100)
        told.append(time.monotonic())

    old = threading.Thread(target=bystander)
    old.start()
    real = time.monotonic()
    with virtual_time(clock):
        time.sleep(3600)
        ask.set()
        old.join()
        new = threading.Thread(target=within)
        new.start()
        new.join()

    assert real <= told[0] < real + 3600
    assert told[1] >= real + 3700
    assert clock.now() == 3700


def test_a_thread_that_outlives_the_block_is_back_in_real_time() -> None:
    clock, told = VirtualClock(), []
    go = threading.Event()

    def work() -> None:
        go.wait(10)
        time.sleep(0.0)
        told.append(time.monotonic())

    with virtual_time(clock):
        time.sleep(3600)
        thread = threading.Thread(target=work)
        thread.start()
    go.set()
    thread.join()

    assert told[0] <= time.monotonic()
    assert clock.now() == 3600


def test_the_standard_library_waits_for_real() -> None:
    clock, gate = VirtualClock(), threading.Event()
    with virtual_time(clock):
        assert not gate.wait(0.001)
        subprocess.run([sys.executable, "-c", ""], check=True, timeout=60)

    assert clock.now() == 0


def test_whoever_only_watches_the_time_sees_it_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cassette_stream.clock.threads._PATIENCE", 0.001)
    clock = VirtualClock()
    with virtual_time(clock):
        end = time.monotonic() + 0.005
        while time.monotonic() < end:
            pass
        time.sleep(10)

    assert clock.real_time_waits["somebody who watches the time"] >= 1
    assert clock.now() >= 10.005 - 1e-9


def test_blocks_nest_and_the_innermost_counts() -> None:
    outer, inner = VirtualClock(), VirtualClock()
    real = time.sleep
    with virtual_time(outer):
        with virtual_time(inner):
            time.sleep(5)
            assert clock_here() is inner
        time.sleep(7)
        assert clock_here() is outer

    assert (inner.now(), outer.now()) == (5, 7)
    assert clock_here() is None
    assert time.sleep is real


def test_who_took_the_time_by_name_is_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    subject = ModuleType("a_subject")
    exec("from time import sleep as nap, monotonic\nimport time", subject.__dict__)
    monkeypatch.setitem(sys.modules, "a_subject", subject)
    expected = [
        TimeByName("a_subject", "monotonic", "monotonic"),
        TimeByName("a_subject", "nap", "sleep"),
    ]

    assert [it for it in time_by_name() if it.module == "a_subject"] == expected
    with virtual_time(VirtualClock()):
        assert [it for it in time_by_name() if it.module == "a_subject"] == expected
    assert str(expected[1]) == "a_subject.nap is time.sleep"


def test_neither_the_http_libraries_nor_the_sdks_time_by_name() -> None:
    libraries = {"anyio", "httpcore", "httpcore2", "httpx", "httpx2", "openai"}
    found = {it.module.partition(".")[0] for it in time_by_name()}

    assert not found & libraries
    assert not found & sys.stdlib_module_names


def test_asking_for_a_clock_imports_no_event_loop() -> None:
    code = (
        "import sys, cassette_stream.clock as c; c.VirtualClock().sleep_until(1)\n"
        "assert not {'asyncio', 'anyio', 'trio'} & set(sys.modules), sorted(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_the_plugins_of_anyio_and_pytest_are_undisturbed(pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\nfilterwarnings = error\n")
    pytester.makepyfile(
        """
        import asyncio
        import anyio, pytest
        from cassette_stream.clock import VirtualClock, VirtualLoop, run_virtually

        @pytest.fixture(params=["asyncio", "trio"])
        def anyio_backend(request):
            return request.param

        virtual = pytest.mark.parametrize(
            "anyio_backend", [("asyncio", {"loop_factory": VirtualLoop})], ids=["virtual"]
        )

        @pytest.fixture
        async def resource():
            await anyio.sleep(0)
            yield 1
            await anyio.sleep(0)

        @pytest.mark.anyio
        async def test_real(resource):
            assert not isinstance(getattr(asyncio, "get_running_loop"), type)
            with anyio.move_on_after(0.001) as scope:
                await anyio.sleep(60)
            assert scope.cancelled_caught

        @virtual
        @pytest.mark.anyio
        async def test_virtual(resource, anyio_backend):
            await anyio.sleep(3600)
            assert anyio.current_time() >= 3600

        @pytest.mark.parametrize("backend", ["asyncio", "trio"])
        def test_within(backend):
            clock = VirtualClock()
            run_virtually(anyio.sleep, 3600, clock=clock, backend=backend)
            assert clock.now() == 3600
        """
    )
    result = pytester.runpytest_subprocess("-p", "anyio", "-q", timeout=120)

    result.assert_outcomes(passed=5)
