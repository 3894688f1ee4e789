"""How the time of a virtual clock passes in an asyncio loop that waits by a selector.

The time jumps to the next timer when nothing is ready, and nothing outside the loop can
make anything ready: no socket is waited for and no thread works for it. Else the loop
waits in real time, and its clock counts that. Where nothing is left that could ever
happen somebody is told, instead of waiting.
"""

from __future__ import annotations

import asyncio
import math
import selectors
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from functools import partial
from time import perf_counter
from types import FrameType
from typing import Any, TypeVar

from cassette_stream.clock.agenda import Wake
from cassette_stream.clock.here import does
from cassette_stream.clock.places import awaited_frames
from cassette_stream.clock.real import hang
from cassette_stream.clock.selector import Events, WatchedSelector
from cassette_stream.clock.virtual import VirtualClock
from cassette_stream.clock.workers import is_child_awaited, workers_of

__all__ = ("LoopTime",)

T = TypeVar("T")

_JOB = "a job in another thread"

_GLANCE = 0.01
"""How often to see whether such a job waits for the loop by now, which nobody tells."""


class LoopTime:
    """Lets the time of *clock* pass in *loop*.

    Args:
        loop: It is to wait by `selector`, tell its time by *clock*, and hand over its jobs
            by `run_in_executor`.
        clock: Whose time it is.
        inner: By what the loop would wait without us.
        break_off: Called where nothing is left that could end the waiting.

    Attributes:
        main: The coroutine that all is about, if it is known.
        is_shutting_down: Whether the loop waits for threads that nobody else waits for.
    """

    def __init__(
        self,
        loop: asyncio.BaseEventLoop,
        clock: VirtualClock,
        inner: selectors.BaseSelector,
        break_off: Callable[[], object],
    ) -> None:
        self.clock = clock
        self.selector = WatchedSelector(inner, self._pass_time)
        self.main: Any = None
        self.is_shutting_down = False
        self._loop = loop
        self._break_off = break_off
        self._jobs: set[object] = set()
        self._reason: str | None = None

    def nudge(self) -> None:
        try:
            self._loop.call_soon_threadsafe(_nothing)
        except RuntimeError:
            if not self._loop.is_closed():  # then it has woken everybody already
                raise

    async def wait_until(self, moment: float) -> None:
        """Wait as a stream does: before the timers of the same moment."""
        if moment <= self.clock.now():
            await asyncio.sleep(0)
            return
        future = self._loop.create_future()
        wake = Wake(moment, partial(_finish, future))
        self.clock.agenda.enter(wake)
        try:
            await future
        finally:
            wake.gone = True

    def run_in_executor(
        self,
        submit: Callable[..., asyncio.Future[T]],
        executor: Executor | None,
        func: Callable[..., T],
        *args: Any,
    ) -> asyncio.Future[T]:
        """Give the loop's own *submit* a job, and remember that it works for the loop."""
        job = object()
        if executor is None or isinstance(executor, ThreadPoolExecutor):
            func = partial(_do, job, func)
        future = submit(executor, func, *args)
        self._jobs.add(job)
        future.add_done_callback(lambda _: self._jobs.discard(job))
        return future

    def frames(self) -> Iterator[FrameType]:
        """Where `main` waits."""
        return iter(()) if self.main is None else awaited_frames(self.main)

    def _pass_time(self, timeout: float | None) -> Events:
        """What the selector says instead of waiting for *timeout* seconds."""
        events = self.selector.poll(0)
        if not events and timeout != 0:
            events = self._idle()
        else:
            self._reason = None
        now = self.clock.now()
        # Streams before timers: the loop looks for the timers that are due after this.
        self.clock.agenda.end_due(now)
        # A timer is due if it is no later than now, exactly. The loop adds its
        # resolution, and a constant one would vanish beside a large number.
        self._loop._clock_resolution = math.ulp(now)  # type: ignore[attr-defined]  # noqa: SLF001 - private
        return events

    def _idle(self) -> Events:
        if self.is_shutting_down and self.clock.end_endless_sleeps(hang):
            return []
        # The timers that were cancelled are gone from the head of the heap already.
        timers = self._loop._scheduled  # type: ignore[attr-defined]  # noqa: SLF001 - private
        moment = min(timers[0].when() if timers else math.inf, self.clock.agenda.next())
        reason = self._outside() or (moment == math.inf and self._may_be_called())
        if reason:
            return self._wait_for_real(moment, reason)
        # A thread that was seen to wait for the loop may have called it just before.
        if events := self.selector.poll(0):
            return events
        if moment < math.inf:
            self.clock.move(moment)
        elif not self.clock.end_endless_sleeps(self.clock.hang):
            self._break_off()
        return []

    def _wait_for_real(self, moment: float, reason: str) -> Events:
        if reason != self._reason:
            self._reason = reason
            self.clock.real_time_waits[reason] += 1
        start, now = perf_counter(), self.clock.now()
        left = moment - now
        if reason == _JOB:
            left = min(left, _GLANCE)
        events = self.selector.poll(None if left == math.inf else left)
        self.clock.move(min(now + perf_counter() - start, moment))
        return events

    def _outside(self) -> str | None:
        """Why something may happen that is on no agenda."""
        if self.selector.outside:
            return "a socket or pipe"
        sleeping = self.clock.agenda.sleeping()
        jobs = self._jobs.difference([sleep.job for sleep in sleeping])
        if self.is_shutting_down and not any(sleep.job for sleep in sleeping):
            return _JOB
        if jobs or set(workers_of(self._loop)).difference([sleep.thread for sleep in sleeping]):
            return _JOB
        if is_child_awaited(self._loop):
            return "a child process"
        if self._is_portal():
            return "a blocking portal"
        return None

    def _may_be_called(self) -> str:
        return "a listening socket" if len(self.selector.get_map()) > 1 else ""

    def _is_portal(self) -> bool:
        """Whether this loop is there for other threads to call into, by anyio's portal."""
        module = sys.modules.get("anyio.from_thread")
        if module is None or self.main is None:
            return False
        waits = module.BlockingPortal.sleep_until_stopped.__code__
        return any(frame.f_code is waits for frame in self.frames())


def _do(job: object, func: Callable[..., T], *args: Any) -> T:
    with does(job):
        return func(*args)


def _nothing() -> None:
    pass


def _finish(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
