"""Clocks: the real one, and one on which waiting costs nothing.

This is the only module that imports `time`. Everything below the transports takes
``at=`` instead; the transports take a `Clock`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import cache
from heapq import heappop, heappush
from itertools import count
from typing import Protocol

__all__ = ("Clock", "RealClock", "VirtualClock")


class Clock(Protocol):
    """Tells the time, in seconds, and lets it pass.

    A stream that is played on a clock says so by `join` and `leave`, so that a virtual
    clock knows for whom it may have to wait.
    """

    def now(self) -> float:
        """Seconds since some fixed moment; never goes back."""
        ...

    def sleep_until(self, moment: float) -> None: ...

    async def asleep_until(self, moment: float) -> None: ...

    def join(self) -> None: ...

    def leave(self) -> None: ...


class RealClock:
    """The clock on the wall.

    Args:
        factor: How many times as fast it goes.
    """

    def __init__(self, factor: float = 1.0) -> None:
        self._factor = factor

    def now(self) -> float:
        return time.perf_counter() * self._factor

    def date(self) -> datetime:
        """The date in UTC, in whole milliseconds."""
        date = datetime.now(UTC)
        return date.replace(microsecond=date.microsecond // 1000 * 1000)

    def sleep_until(self, moment: float) -> None:
        left = moment - self.now()
        if left > 0:
            time.sleep(left / self._factor)

    async def asleep_until(self, moment: float) -> None:
        import anyio  # noqa: PLC0415 - only asynchronous callers pay for it

        await anyio.sleep(max(0.0, moment - self.now()) / self._factor)

    def join(self) -> None:
        pass

    def leave(self) -> None:
        pass


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

    Synchronous waits move it at once. Asynchronous ones are ordered by their moments:
    a waiter lets the event loop go round until it is the earliest and a whole pass
    brought no earlier one. While every stream on this clock waits, one pass is enough.
    Where some stream does not wait, its consumer is busy with something that takes
    passes of its own, so it is given `patience` of them before the clock goes on
    without it (it may well be waiting for this very stream).

    Only the waiters of one event loop are ordered. Another loop may be blocked, waiting
    for this one, or be closed with a stream still open: nobody waits for it.
    """

    patience = 16

    def __init__(self) -> None:
        self._now = 0.0
        self._streams = 0
        self._asleep = 0
        self._changes = 0
        self._order = count()
        self._queues: dict[object, list[tuple[float, int, _Waiter]]] = {}
        self._lock = threading.Lock()

    def now(self) -> float:
        return self._now

    def sleep_until(self, moment: float) -> None:
        with self._lock:
            self._now = max(self._now, moment)

    async def asleep_until(self, moment: float) -> None:
        checkpoint, current_token = _lowlevel()
        if self._streams <= 1 and not self._asleep:
            # Alone, so this is the earliest unless the pass brings another.
            seen = self._changes
            await checkpoint()
            if seen == self._changes:
                self.sleep_until(moment)
                return
        waiter = _Waiter()
        with self._lock:
            queue = self._queues.setdefault(current_token(), [])
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
