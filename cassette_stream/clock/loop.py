"""An asyncio event loop whose time is that of a virtual clock.

The time jumps to the next timer when nothing is ready, and nothing outside the loop can
make anything ready: no socket is waited for and no thread works for it. Else the loop
waits in real time, and its clock counts that. Where nothing is left that could ever
happen it raises a `HangError` instead of waiting.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import selectors
import socket
import sys
from collections.abc import Awaitable, Callable, Coroutine, Generator, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from functools import partial
from time import perf_counter
from types import FrameType
from typing import Any, TypeVar

from cassette_stream.clock.agenda import Wake
from cassette_stream.clock.here import does
from cassette_stream.clock.places import awaited_frames, place_of
from cassette_stream.clock.real import hang
from cassette_stream.clock.virtual import VirtualClock
from cassette_stream.clock.workers import is_child_awaited, workers_of

__all__ = ("VirtualLoop", "run")

T = TypeVar("T")

_MOST_BREAKS = 16
"""How often tasks are cancelled that wait again."""

_JOB = "a job in another thread"

_GLANCE = 0.01
"""How often to see whether such a job waits for the loop by now, which nobody tells."""

_Events = list[tuple[selectors.SelectorKey, int]]


class _Selector(selectors.DefaultSelector):
    """A selector that asks *pass_time* for events, and knows who is at the other end.

    *outside* holds the file descriptors through which somebody else may wake the loop. A
    listening socket is none: nobody is there yet.
    """

    def __init__(self, pass_time: Callable[[float | None], _Events]) -> None:
        super().__init__()
        self.poll = super().select
        self.outside: set[int] = set()
        self._pass_time = pass_time

    def select(self, timeout: float | None = None) -> _Events:
        return self._pass_time(timeout)

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        key = super().register(fileobj, events, data)
        if not _listens(key.fd):
            self.outside.add(key.fd)
        return key

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        key = super().unregister(fileobj)
        self.outside.discard(key.fd)
        return key


def _listens(fd: int) -> bool:
    try:
        found = socket.socket(fileno=fd)
    except OSError:
        return False  # it is a pipe, say
    try:
        return bool(found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
    finally:
        found.detach()


class VirtualLoop(asyncio.SelectorEventLoop):
    """Give it as *loop_factory* to `asyncio.Runner` or, in *backend_options*, to `anyio.run`.

    Args:
        clock: Whose time it is; a new one if not given. It drives one loop at a time.
    """

    def __init__(self, clock: VirtualClock | None = None) -> None:
        self.clock = VirtualClock() if clock is None else clock
        self._jobs: set[object] = set()
        self._is_shutting_down = False
        self._is_hung = False
        self._reason: str | None = None
        self._broken_off = 0
        self._main: asyncio.Task[Any] | None = None
        self._descriptors = _Selector(self._pass_time)
        super().__init__(self._descriptors)
        self._descriptors.outside.clear()  # the loop's own pipe, by which threads wake it

    def time(self) -> float:
        return self.clock.now()

    def run_forever(self) -> None:
        with self.clock.driven_by(self):
            super().run_forever()

    def run_until_complete(self, future: Generator[Any, None, T] | Awaitable[T]) -> T:
        self._main = future if isinstance(future, asyncio.Task) else None
        self._broken_off = 0
        return super().run_until_complete(future)

    def nudge(self) -> None:
        try:
            self.call_soon_threadsafe(_nothing)
        except RuntimeError:
            if not self.is_closed():  # then it has woken everybody already
                raise

    async def wait_until(self, moment: float) -> None:
        """Wait as a stream does: before the timers of the same moment."""
        if moment <= self.clock.now():
            await asyncio.sleep(0)
            return
        future = self.create_future()
        wake = Wake(moment, partial(_finish, future))
        self.clock.agenda.enter(wake)
        try:
            await future
        finally:
            wake.gone = True

    def run_in_executor(  # type: ignore[override]  # typeshed has more type variables than arguments
        self, executor: Executor | None, func: Callable[..., T], *args: Any
    ) -> asyncio.Future[T]:
        job = object()
        if executor is None or isinstance(executor, ThreadPoolExecutor):
            func = partial(_do, job, func)
        future = super().run_in_executor(executor, func, *args)
        self._jobs.add(job)
        future.add_done_callback(lambda _: self._jobs.discard(job))
        return future

    async def shutdown_default_executor(self, *args: Any, **options: Any) -> None:
        # It waits in a thread of its own for those that nobody else waits for any more.
        self._is_shutting_down = True
        try:
            await super().shutdown_default_executor(*args, **options)
        finally:
            self._is_shutting_down = False

    def _pass_time(self, timeout: float | None) -> _Events:
        """What the selector says instead of waiting for *timeout* seconds."""
        events = self._descriptors.poll(0)
        if not events and timeout != 0:
            events = self._idle()
        else:
            self._reason = None
        now = self.clock.now()
        # Streams before timers: the loop looks for the timers that are due after this.
        self.clock.agenda.end_due(now)
        # A timer is due if it is no later than now, exactly. The loop adds its
        # resolution, and a constant one would vanish beside a large number.
        self._clock_resolution = math.ulp(now)
        return events

    def _idle(self) -> _Events:
        if self._is_shutting_down and self.clock.end_endless_sleeps(hang):
            return []
        # The timers that were cancelled are gone from the head of the heap already.
        timer = self._scheduled[0].when() if self._scheduled else math.inf  # type: ignore[attr-defined]  # private
        moment = min(timer, self.clock.agenda.next())
        reason = self._outside() or (moment == math.inf and self._may_be_called())
        if reason:
            return self._wait_for_real(moment, reason)
        # A thread that was seen to wait for the loop may have called it just before.
        if events := self._descriptors.poll(0):
            return events
        if moment < math.inf:
            self.clock.move(moment)
        elif not self.clock.end_endless_sleeps(self.clock.hang):
            self._break_off()
        return []

    def _break_off(self) -> None:
        """Raise a `HangError`, or cancel the tasks once more that wait while they clean up."""
        if self._is_hung and self._main is None and self._broken_off < _MOST_BREAKS:
            self._broken_off += 1
            for task in asyncio.all_tasks(self):
                task.cancel()
        else:
            self._is_hung = True
            raise self.clock.hang(place_of(self._frames()))

    def _wait_for_real(self, moment: float, reason: str) -> _Events:
        if reason != self._reason:
            self._reason = reason
            self.clock.real_time_waits[reason] += 1
        start, now = perf_counter(), self.clock.now()
        left = moment - now
        if reason == _JOB:
            left = min(left, _GLANCE)
        events = self._descriptors.poll(None if left == math.inf else left)
        self.clock.move(min(now + perf_counter() - start, moment))
        return events

    def _outside(self) -> str | None:
        """Why something may happen that is on no agenda."""
        if self._descriptors.outside:
            return "a socket or pipe"
        sleeping = self.clock.agenda.sleeping()
        jobs = self._jobs.difference([sleep.job for sleep in sleeping])
        if self._is_shutting_down and not any(sleep.job for sleep in sleeping):
            return _JOB
        if jobs or set(workers_of(self)).difference([sleep.thread for sleep in sleeping]):
            return _JOB
        if is_child_awaited(self):
            return "a child process"
        if self._is_portal():
            return "a blocking portal"
        return None

    def _may_be_called(self) -> str:
        return "a listening socket" if len(self._descriptors.get_map()) > 1 else ""

    def _is_portal(self) -> bool:
        """Whether this loop is there for other threads to call into, by anyio's portal."""
        module = sys.modules.get("anyio.from_thread")
        if module is None or self._main is None:
            return False
        waits = module.BlockingPortal.sleep_until_stopped.__code__
        return any(frame.f_code is waits for frame in self._frames())

    def _frames(self) -> Iterator[FrameType]:
        return iter(()) if self._main is None else awaited_frames(self._main.get_coro())


def _do(job: object, func: Callable[..., T], *args: Any) -> T:
    with does(job):
        return func(*args)


def _nothing() -> None:
    pass


def _finish(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def run(main: Callable[[], Coroutine[Any, Any, T]], clock: VirtualClock) -> T:
    """Run *main* under asyncio in the time of *clock*."""
    loop = VirtualLoop(clock)
    with (
        contextlib.closing(loop),
        clock.driven_by(loop),
        asyncio.Runner(loop_factory=lambda: loop) as runner,
    ):
        return runner.run(main())
