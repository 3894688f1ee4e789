"""Whose time it is here: of the event loop that runs in this thread, or of the thread itself.

This is asked whenever a replay begins or waits, so it costs no more than a look.
"""

from __future__ import annotations

import math
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from time import perf_counter  # by name, which stays real
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from cassette_stream.clock.real import Clock
    from cassette_stream.clock.virtual import VirtualClock

__all__ = ("Activation", "Driver", "active", "clock_here", "does", "here", "is_awaited")


class Driver(Protocol):
    """An event loop that lets the time of a virtual clock pass."""

    @property
    def clock(self) -> VirtualClock: ...

    def nudge(self) -> None:
        """Have the loop look at the agenda of its clock again; from any thread."""
        ...

    async def wait_until(self, moment: float) -> None: ...


class Activation:
    """One use of `virtual_time`. It ends, though threads that it saw starting live on.

    *origins* is what the functions of `time` gave at its beginning, by name.
    """

    def __init__(self, clock: VirtualClock, origins: dict[str, float]) -> None:
        self.clock = clock
        self.origins = origins
        self.start = clock.now()
        self.is_active = True
        self._seen, self._since = math.nan, 0.0

    def watch(self, patience: float) -> float:
        """The time of the clock, which goes on by itself where it is watched too long.

        Whoever looks at it again and again, for *patience* real seconds in which it stood
        still, waits for something real; so its time is real for him, and that is noted.
        """
        now, real = self.clock.now(), perf_counter()
        if now != self._seen:
            self._seen, self._since = now, real
        elif real - self._since > patience:
            self.clock.real_time_waits["somebody who watches the time"] += 1
            self.clock.move(now + real - self._since - patience)
            self._seen, self._since = self.clock.now(), real - patience
        return self._seen


class _Here(threading.local):
    driver: Driver | None = None
    """The event loop that runs in this thread, if it does in virtual time."""
    job: object = None
    """The job of such a loop that this thread does."""


here = _Here()

active: ContextVar[Activation | None] = ContextVar("active", default=None)

is_awaited: ContextVar[bool] = ContextVar("is_awaited", default=True)
"""False in a thread that somebody started by hand: no loop knows that it waits for it."""


@contextmanager
def does(job: object) -> Iterator[None]:
    """This thread does *job* within the block."""
    before, here.job = here.job, job
    try:
        yield
    finally:
        here.job = before


def clock_here() -> Clock | None:
    """The virtual clock of what runs here; None where time is real.

    That is the clock of the event loop, trio's own `MockClock` included, else the one
    of `virtual_time`.
    """
    if here.driver is not None:
        return here.driver.clock
    if (mocked := mock_clock_here()) is not None:
        return mocked
    activation = active.get()
    return activation.clock if activation is not None and activation.is_active else None


def mock_clock_here() -> Clock | None:
    """The clock of a trio run that goes by a `MockClock`."""
    lowlevel = sys.modules.get("trio.lowlevel")
    if lowlevel is None or not lowlevel.in_trio_run():
        return None
    from cassette_stream.clock.mocked import mocked_clock  # noqa: PLC0415 - imports trio

    return mocked_clock()
