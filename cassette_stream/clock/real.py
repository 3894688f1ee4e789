"""What a clock is, and the one on the wall.

This room is the only one that imports `time`. Everything below the transports takes
``at=`` instead; the transports take a `Clock`.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime

# By name: these stay real while `virtual_time` is active.
from time import perf_counter, sleep
from typing import Protocol

from cassette_stream.exceptions import HangError

__all__ = ("Clock", "RealClock", "hang")


class Clock(Protocol):
    """Tells the time, in seconds, and lets it pass.

    A stream that is played on a clock says so by `join` and `leave`, so that a virtual
    clock knows for whom it may have to wait.

    The moment `math.inf` never comes. Waiting for it is a `HangError`, unless something
    else may still end the wait, such as a deadline in the time of the same clock.
    """

    def now(self) -> float:
        """Seconds since some fixed moment; never goes back."""
        ...

    def sleep_until(self, moment: float) -> None: ...

    async def asleep_until(self, moment: float) -> None: ...

    def join(self) -> None: ...

    def leave(self) -> None: ...


def hang() -> HangError:
    """What is raised where somebody waits for a moment that never comes."""
    return HangError(
        "the stream is silent for ever, and the request has no timeout for that: "
        "set one, or a deadline of your own"
    )


class RealClock:
    """The clock on the wall.

    Args:
        factor: How many times as fast it goes.
    """

    def __init__(self, factor: float = 1.0) -> None:
        self._factor = factor

    def now(self) -> float:
        return perf_counter() * self._factor

    def date(self) -> datetime:
        """The date in UTC, in whole milliseconds."""
        date = datetime.now(UTC)
        return date.replace(microsecond=date.microsecond // 1000 * 1000)

    def sleep_until(self, moment: float) -> None:
        left = moment - self.now()
        if left == math.inf:
            raise hang()
        if left > 0:
            sleep(left / self._factor)

    async def asleep_until(self, moment: float) -> None:
        import anyio  # noqa: PLC0415 - only asynchronous callers pay for it

        if moment == math.inf:
            raise hang()
        await anyio.sleep(max(0.0, moment - self.now()) / self._factor)

    def join(self) -> None:
        pass

    def leave(self) -> None:
        pass
