"""Clocks: the real one, and one that costs no time.

This is the only module that imports `time`. Everything below the transports takes
``at=`` instead; the transports take a `Clock`.
"""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta
from heapq import heappop, heappush
from typing import Protocol

__all__ = ("Clock", "RealClock", "VirtualClock")


class Clock(Protocol):
    """Tells the time and lets it pass, in seconds."""

    def now(self) -> float:
        """Seconds since some fixed moment; never goes back."""
        ...

    def date(self) -> datetime:
        """The date in UTC, in whole milliseconds."""
        ...

    def sleep(self, seconds: float) -> None: ...

    async def asleep(self, seconds: float) -> None: ...


class RealClock:
    """The clock on the wall."""

    def now(self) -> float:
        return time.perf_counter()

    def date(self) -> datetime:
        date = datetime.now(UTC)
        return date.replace(microsecond=date.microsecond // 1000 * 1000)

    def sleep(self, seconds: float) -> None:
        if seconds > 0:
            time.sleep(seconds)

    async def asleep(self, seconds: float) -> None:
        import anyio  # noqa: PLC0415 - costs 40 ms, and only asynchronous callers need it

        await anyio.sleep(seconds)
