"""Who waits for which moment while an event loop lets virtual time pass.

Waits end in the order of their moments, and equal ones in the order in which they began.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count
from typing import Final

__all__ = ("Agenda", "Sleep", "Wake")


class Wake:
    """A wait of a task; *wake* is called in the loop's thread when its moment comes."""

    __slots__ = ("gone", "moment", "wake")

    def __init__(self, moment: float, wake: Callable[[], object]) -> None:
        self.moment: Final = moment
        self.wake = wake
        self.gone = False


class Sleep(Wake):
    """A wait of a whole thread.

    Attributes:
        job: What the loop knows the thread's work by; None if it is not told.
        thread: The thread.
        is_awaited: Whether some task may wait for this thread.
        error: What the thread is to raise when it wakes up.
    """

    __slots__ = ("_over", "error", "is_awaited", "job", "thread")

    def __init__(self, moment: float, *, job: object, is_awaited: bool) -> None:
        self._over = threading.Event()
        super().__init__(moment, self._over.set)
        self.job: Final = job
        self.thread: Final = threading.current_thread()
        self.is_awaited: Final = is_awaited
        self.error: Exception | None = None

    def wait(self) -> None:
        self._over.wait()
        if self.error is not None:
            raise self.error


class Agenda:
    """The waits of one clock. Threads enter theirs at any time; the loop ends them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._order = count()
        self._heap: list[tuple[float, int, Wake]] = []
        self._sleeps: set[Sleep] = set()

    def __bool__(self) -> bool:
        return not all(wait.gone for _, _, wait in self._heap)

    def enter(self, wait: Wake) -> None:
        with self._lock:
            heappush(self._heap, (wait.moment, next(self._order), wait))
            if isinstance(wait, Sleep):
                self._sleeps.add(wait)

    def next(self) -> float:
        """The first moment that somebody waits for; `math.inf` if there is none."""
        with self._lock:
            heap = self._heap
            while heap and heap[0][2].gone:
                heappop(heap)
            return heap[0][0] if heap else math.inf

    def end_due(self, now: float) -> None:
        """End the waits for *now* and earlier."""
        heap = self._heap
        while heap and heap[0][0] <= now:
            with self._lock:
                wait = heappop(heap)[2]
                if isinstance(wait, Sleep):
                    self._sleeps.discard(wait)
            if not wait.gone:
                wait.gone = True
                wait.wake()

    def sleeping(self) -> list[Sleep]:
        """The threads that wait."""
        with self._lock:
            return list(self._sleeps)

    def wake(self, sleep: Sleep, error: Exception | None) -> None:
        """Wake the thread of *sleep* before its moment, to raise *error* if there is one."""
        with self._lock:
            self._sleeps.discard(sleep)
        sleep.gone = True
        sleep.error = error
        sleep.wake()
