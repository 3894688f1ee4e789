"""A clock on which waiting costs nothing."""

from __future__ import annotations

import math
import threading
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import cache
from heapq import heappop, heappush
from itertools import count

from cassette_stream.clock.agenda import Agenda, Sleep
from cassette_stream.clock.here import Driver, here, is_awaited, mock_clock_here
from cassette_stream.clock.real import hang
from cassette_stream.exceptions import HangError

__all__ = ("VirtualClock",)


@cache
def _lowlevel() -> tuple[Callable[[], Awaitable[None]], Callable[[], object]]:
    # Once, and not in every wait: a stream waits before each of its chunks.
    from anyio.lowlevel import checkpoint, current_token  # noqa: PLC0415 - as above

    return checkpoint, current_token


class _Waiter:
    __slots__ = ("gone",)

    def __init__(self) -> None:
        self.gone = False


class VirtualClock:
    """A clock that jumps to the next moment somebody waits for.

    Where an event loop runs in its time (`run_virtually`), the loop moves it: all waits
    of streams, of timers and of the threads that the loop's jobs run in end in the order
    of their moments. Of equal ones the streams come first, so that what arrives in time
    is in time.

    Elsewhere synchronous waits move it at once. Asynchronous ones are ordered by their
    moments: a waiter lets the event loop go round until it is the earliest and a whole
    pass brought no earlier one. While every stream on this clock waits, one pass is
    enough. Where some stream does not wait, its consumer is busy with something that
    takes passes of its own, so it is given `patience` of them before the clock goes on
    without it (it may well be waiting for this very stream). Only the waiters of one
    event loop are ordered. Another loop may be blocked, waiting for this one, or be
    closed with a stream still open: nobody waits for it.

    Attributes:
        real_time_waits: How often an event loop in this time had to wait for real, by
            the reason. Whether it has to, for a job that is quickly done, is chance.
        hangs: How many waits could never have ended; each was a `HangError`, which the
            code under test may have swallowed. A thread that nobody waits for any more
            does not count.
    """

    patience = 16

    def __init__(self) -> None:
        self.real_time_waits: Counter[str] = Counter()
        self.hangs = 0
        self.agenda = Agenda()
        self._driver: Driver | None = None
        self._now = 0.0
        self._streams = 0
        self._asleep = 0
        self._changes = 0
        self._order = count()
        self._queues: dict[object, list[tuple[float, int, _Waiter]]] = {}
        self._lock = threading.Lock()

    def now(self) -> float:
        return self._now

    def hang(self, place: str | None = None) -> HangError:
        """The error for a wait that can never end, at *place* if it is known; it is counted."""
        self.hangs += 1
        if place is None or self.agenda:
            error = hang()
        else:
            error = HangError("nothing is left that could end this wait: set a deadline")
        if place is not None:
            error.add_note(f"waiting at {place}")
        return error

    def sleep_until(self, moment: float) -> None:
        with self._lock:
            driver = self._driver
            if driver is None or driver is here.driver:
                if moment == math.inf:
                    raise self.hang()
                self._now = max(self._now, moment)
                return
            # This thread and the loop of another go by the same time, so it passes for
            # neither before both have come so far.
            sleep = Sleep(moment, job=here.job, is_awaited=is_awaited.get())
            self.agenda.enter(sleep)
        driver.nudge()
        sleep.wait()

    async def asleep_until(self, moment: float) -> None:
        driver = here.driver
        if driver is not None and driver is self._driver:
            await driver.wait_until(moment)
            return
        other = mock_clock_here() if driver is None else driver.clock
        if other is not None:
            await other.asleep_until(other.now() + moment - self._now)
            self._now = max(self._now, moment)
            return
        if moment == math.inf:
            raise self.hang()
        checkpoint, current_token = _lowlevel()
        if self._streams <= 1 and not self._asleep:
            # Alone, so this is the earliest unless the pass brings another.
            seen = self._changes
            await checkpoint()
            if seen == self._changes:
                self.move(moment)
                return
        await self._queue(moment, checkpoint, current_token())

    async def _queue(
        self, moment: float, checkpoint: Callable[[], Awaitable[None]], token: object
    ) -> None:
        waiter = _Waiter()
        with self._lock:
            queue = self._queues.setdefault(token, [])
            heappush(queue, (moment, next(self._order), waiter))
            self._asleep += 1
            self._changes += 1
        try:
            quiet = 0
            while True:
                seen = self._changes
                await checkpoint()
                quiet = quiet + 1 if seen == self._changes else 0
                if self._jump(queue, waiter, quiet):
                    return
        finally:
            with self._lock:
                waiter.gone = True
                self._asleep -= 1
                self._changes += 1

    def _jump(self, queue: list[tuple[float, int, _Waiter]], waiter: _Waiter, quiet: int) -> bool:
        with self._lock:
            while queue[0][2].gone:
                heappop(queue)
            moment, _, first = queue[0]
            if first is not waiter:
                return False
            if quiet < (1 if self._asleep >= self._streams else self.patience):
                return False
            self._now = max(self._now, moment)
            return True

    def join(self) -> None:
        """A stream begins to be played on this clock."""
        with self._lock:
            self._streams += 1
            self._changes += 1

    def leave(self) -> None:
        """A stream is no longer played on this clock."""
        with self._lock:
            self._streams -= 1
            self._changes += 1

    @contextmanager
    def driven_by(self, driver: Driver) -> Iterator[None]:
        """*driver*, an event loop of this thread, lets the time pass within the block.

        It may say so again within.

        Raises:
            RuntimeError: Another does already.
        """
        if self._driver is driver:
            yield
            return
        with self._lock:
            if self._driver is not None:
                raise RuntimeError("this virtual clock drives an event loop already: one at a time")
            self._driver = driver
        before, here.driver = here.driver, driver
        try:
            yield
        finally:
            here.driver = before
            with self._lock:
                self._driver = None
                sleeps = self.agenda.sleeping()
            # Their loop has ended, and it is nobody's time any more.
            for sleep in sleeps:
                self.agenda.wake(sleep, hang() if sleep.moment == math.inf else None)

    def move(self, moment: float) -> None:
        """It is *moment*, if not later; the driver says so."""
        with self._lock:
            self._now = max(self._now, moment)

    def end_endless_sleeps(self, error: Callable[[], HangError]) -> bool:
        """Raise an *error* in threads that sleep for ever; False if there are none."""
        endless = [sleep for sleep in self.agenda.sleeping() if sleep.moment == math.inf]
        for sleep in endless:
            self.agenda.wake(sleep, error())
        return bool(endless)
