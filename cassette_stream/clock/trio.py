"""Runs of trio whose time is that of a virtual clock: new ones, and the one that runs here.

The law is that of `LoopTime`. (Trio's own `MockClock` jumps while a socket is about to
answer or a thread works.) An instrument decides, whenever trio is about to wait, and
wakes it at once if time may jump.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Awaitable, Callable, Collection, Coroutine, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from itertools import dropwhile, pairwise
from time import perf_counter
from typing import Any, TypeVar, cast

import outcome
import trio
from trio._core import _run

from cassette_stream.clock.agenda import Wake
from cassette_stream.clock.mocked import mocked_clock
from cassette_stream.clock.places import place_of
from cassette_stream.clock.virtual import VirtualClock
from cassette_stream.exceptions import HangError

__all__ = ("TrioTime", "arun", "run")

T = TypeVar("T")

_LONGEST_WAIT = 24 * 60 * 60.0
"""What trio makes of a longer one."""

_MOST_BREAKS = 16
"""How often a task may be woken by force that waits again, before trio as a whole is."""


class TrioTime(trio.abc.Clock, trio.abc.Instrument):
    """The clock of a trio run, and the instrument that lets its time pass.

    Attributes:
        error: Set when nothing was left that could have ended the run.
    """

    def __init__(self, clock: VirtualClock) -> None:
        self.clock = clock
        self.error: HangError | None = None
        self._scope = trio.CancelScope()
        self._deadline = self._offered = math.inf
        self._since: float | None = None
        self._broken_off = 0
        self._is_lost = False

    async def watch(self, main: Callable[[], Awaitable[T]]) -> T | None:
        """Run *main*; give None where it was cancelled because nothing else was left."""
        self._token = trio.lowlevel.current_trio_token()
        self._main = trio.lowlevel.current_task()
        self._outer = frozenset(self._main.child_nurseries)  # of fixtures, say
        with self._scope:
            return await main()
        return None

    def nudge(self) -> None:
        with suppress(trio.RunFinishedError):  # it has woken everybody already
            self._token.run_sync_soon(_nothing, idempotent=True)

    async def wait_until(self, moment: float) -> None:
        """Wait as a stream does: before the deadlines of the same moment."""
        if moment <= self.clock.now():
            await trio.lowlevel.checkpoint()
            return
        task = trio.lowlevel.current_task()
        wake = Wake(moment, lambda: trio.lowlevel.reschedule(task))

        def abort(_: object) -> trio.lowlevel.Abort:
            wake.gone = True
            return trio.lowlevel.Abort.SUCCEEDED

        self.clock.agenda.enter(wake)
        await trio.lowlevel.wait_task_rescheduled(abort)

    def start_clock(self) -> None:
        pass

    def current_time(self) -> float:
        return self.clock.now()

    def deadline_to_sleep_time(self, deadline: float) -> float:
        if self._is_lost and self.error is not None:
            raise self.error  # trio breaks down, and leaves everything as it is
        self._deadline = deadline
        self._offered = min(deadline, self.clock.agenda.next()) - self.clock.now()
        return self._offered

    def before_io_wait(self, timeout: float) -> None:
        self.clock.agenda.end_due(self.clock.now())
        # A shorter wait than was offered is for `wait_all_tasks_blocked`.
        if timeout > 0 and timeout >= min(self._offered, _LONGEST_WAIT):
            self._idle()

    def after_io_wait(self, timeout: float) -> None:
        if self._since is not None:
            passed, self._since = perf_counter() - self._since, None
            self.clock.move(self.clock.now() + min(passed, timeout))

    def _idle(self) -> None:
        found = trio.lowlevel.current_statistics()
        if found.run_sync_soon_queue_size:
            return  # this will wake the loop at once
        moment = min(self._deadline, self.clock.agenda.next())
        reason = self._outside(found.io_statistics)
        if reason is not None:
            self.clock.real_time_waits[reason] += 1
            self._since = perf_counter()
        elif moment < math.inf:
            self.clock.move(moment)
            self.clock.agenda.end_due(moment)
            self.nudge()
        elif not self.clock.end_endless_sleeps(self.clock.hang):
            self._hang()

    def _outside(self, sockets: Any) -> str | None:
        """Why something may happen that is on no agenda."""
        # One is trio's own task, by which threads wake the loop.
        if sum(getattr(sockets, name) for name in _waiting(sockets.__class__)) > 1:
            return "a socket or pipe"
        if threading.active_count() == 1:
            return None
        sleeping = sum(sleep.is_awaited for sleep in self.clock.agenda.sleeping())
        root = trio.lowlevel.current_root_task()
        jobs = sum(map(_waits_for_thread, _tasks(root))) if root is not None else 0
        return "a job in another thread" if jobs > sleeping else None

    def _hang(self) -> None:
        if self.error is None:
            frames = (frame for frame, _ in self._main.iter_await_frames())
            inner = dropwhile(lambda frame: frame.f_code is not TrioTime.watch.__code__, frames)
            self.error = self.clock.hang(place_of(inner))
            self._token.run_sync_soon(self._scope.cancel)
        elif self._broken_off < _MOST_BREAKS:
            # What was cancelled waits again, shielded: so it is woken by force.
            self._broken_off += 1
            for task in _tasks(self._main, self._outer):
                if not any(it.child_tasks for it in _nurseries(task, self._outer)):
                    trio.lowlevel.reschedule(task, outcome.Error(self.error))
            self.nudge()
        else:
            self._is_lost = True
            self.nudge()


@cache
def _waiting(kind: type) -> list[str]:
    """The statistics of this platform that count the tasks which wait for sockets."""
    return [name for name in dir(kind) if name.startswith("tasks_waiting")]


def _nurseries(
    task: trio.lowlevel.Task, without: Collection[trio.Nursery]
) -> Iterator[trio.Nursery]:
    return (nursery for nursery in task.child_nurseries if nursery not in without)


def _tasks(
    task: trio.lowlevel.Task, without: Collection[trio.Nursery] = ()
) -> Iterator[trio.lowlevel.Task]:
    yield task
    for nursery in _nurseries(task, without):
        for child in nursery.child_tasks:
            yield from _tasks(child)


def _waits_for_thread(task: trio.lowlevel.Task) -> bool:
    # Not where the thread has come back to have something done by the loop.
    codes = (frame.f_code for frame, _ in task.iter_await_frames())
    return (
        trio.to_thread.run_sync.__code__,
        trio.lowlevel.wait_task_rescheduled.__code__,
    ) in pairwise(codes)


def _nothing() -> None:
    pass


@contextmanager
def _same_every_time() -> Iterator[None]:
    """Trio shuffles the tasks that are ready, by a generator that it seeds for nobody."""
    is_deterministic, state = _run._ALLOW_DETERMINISTIC_SCHEDULING, _run._r.getstate()  # noqa: SLF001 - as its plugin for Hypothesis does
    _run._ALLOW_DETERMINISTIC_SCHEDULING = True  # type: ignore[misc]  # noqa: SLF001
    _run._r.seed(0)  # noqa: SLF001
    try:
        yield
    finally:
        _run._ALLOW_DETERMINISTIC_SCHEDULING = is_deterministic  # type: ignore[misc]  # noqa: SLF001
        _run._r.setstate(state)  # noqa: SLF001


def run(main: Callable[[], Awaitable[T]], clock: VirtualClock) -> T:
    """Run *main* under trio in the time of *clock*."""
    time = TrioTime(clock)
    with clock.driven_by(time), _same_every_time(), _told(time):
        result = trio.run(time.watch, main, clock=time, instruments=[time])
    return cast("T", result)


@contextmanager
def _told(time: TrioTime) -> Iterator[None]:
    """Where nothing was left in the block, what it raised or gave is of no account."""
    try:
        yield
    except BaseException as error:
        if time.error is None:
            raise
        raise time.error from error
    if time.error is not None:
        raise time.error


class _Onward(trio.abc.Clock):
    """The clock of a run that was virtual for a while: *real*, and what it is *ahead* of it.

    So it never goes back, and deadlines that were set meanwhile pass when they should.
    """

    def __init__(self, real: trio.abc.Clock, ahead: float) -> None:
        self.real = real
        self.ahead = ahead

    def start_clock(self) -> None:
        pass

    def current_time(self) -> float:
        return self.real.current_time() + self.ahead

    def deadline_to_sleep_time(self, deadline: float) -> float:
        return self.real.deadline_to_sleep_time(deadline - self.ahead)


@contextmanager
def _visiting(time: TrioTime) -> Iterator[None]:
    """Within the block the run that is here goes by *time*; its time is real again afterwards."""
    runner = _run.GLOBAL_RUN_CONTEXT.runner
    clock = runner.clock
    real = clock.real if isinstance(clock, _Onward) else clock
    time.clock.move(math.ceil(clock.current_time()))  # so sums of whole seconds are exact
    runner.clock = time
    trio.lowlevel.add_instrument(time)
    try:
        yield
    finally:
        trio.lowlevel.remove_instrument(time)
        runner.clock = _Onward(real, time.clock.now() - real.current_time())


async def arun(main: Callable[[], Coroutine[Any, Any, T]], clock: VirtualClock) -> T:
    """Await *main* in the run of trio that is here, which goes by *clock* meanwhile."""
    if mocked_clock() is not None:
        raise RuntimeError(
            "this run of trio goes by a MockClock, which is virtual already: leave one of them out"
        )
    time = TrioTime(clock)
    with clock.driven_by(time), _same_every_time(), _told(time), _visiting(time):
        result = await time.watch(main)
    return cast("T", result)
