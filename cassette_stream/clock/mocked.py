"""The time of a trio run that goes by trio's own `MockClock`."""

from __future__ import annotations

import math

import trio
from trio.testing import MockClock

from cassette_stream.clock.real import hang

__all__ = ("mocked_clock",)


class _MockedClock:
    """*clock* as a clock of ours. It jumps when it is told to, or by its own autojump.

    Trio waits for ever where it has nothing to jump to, so what is to end an endless wait
    must be there when it begins.
    """

    def __init__(self, clock: MockClock) -> None:
        self._clock = clock

    def now(self) -> float:
        return self._clock.current_time()

    def sleep_until(self, moment: float) -> None:
        if moment == math.inf:
            raise hang()
        self._clock.jump(max(0.0, moment - self.now()))

    async def asleep_until(self, moment: float) -> None:
        if min(moment, trio.current_effective_deadline()) == math.inf:
            raise hang()
        await trio.sleep_until(moment)

    def join(self) -> None:
        pass

    def leave(self) -> None:
        pass


def mocked_clock() -> _MockedClock | None:
    """The clock of this trio run, if it is a `MockClock`."""
    clock = trio.lowlevel.current_clock()
    return _MockedClock(clock) if isinstance(clock, MockClock) else None
