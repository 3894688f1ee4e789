"""Code under test in virtual time: its event loop, its threads and the streams it reads.

The loop is a new one (`run_virtually`), or the one that runs already (`arun_virtually`).
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from typing import Literal, TypeVar

from cassette_stream.clock.here import here
from cassette_stream.clock.threads import virtual_time
from cassette_stream.clock.virtual import VirtualClock

__all__ = ("arun_virtually", "run_virtually")

T = TypeVar("T")


def run_virtually(
    function: Callable[..., Awaitable[T]],
    *args: object,
    clock: VirtualClock | None = None,
    backend: Literal["asyncio", "trio"] = "asyncio",
) -> T:
    """Run *function* in an event loop in virtual time, and give what it gives.

    Timers, deadlines and back-off sleeps pass as soon as nothing else is left to do, in
    the order of their moments, together with the waits of streams that are replayed. So
    do, in this thread and in those that it starts, `time.sleep` and the functions that
    tell the time (`virtual_time`). While a socket is waited for, or a job in another
    thread, time is real; ``clock.real_time_waits`` counts how often, by reason.

    Args:
        function: What is run.
        args: Its arguments.
        clock: Whose time it is; a new one if not given.
        backend: The event loop.

    Raises:
        HangError: *function* waits, and nothing is left that could end it. It is
            cancelled then, and what it raised or returned is of no account.
        ValueError: There is no such backend.
    """
    clock = VirtualClock() if clock is None else clock
    if backend == "asyncio":
        from cassette_stream.clock.loop import run  # noqa: PLC0415 - imports asyncio
    elif backend == "trio":
        from cassette_stream.clock.trio import run  # noqa: PLC0415 - imports trio
    else:
        raise ValueError(f"there is no backend {backend!r}: 'asyncio' or 'trio'")

    async def main() -> T:
        return await function(*args)

    with virtual_time(clock):
        return run(main, clock)


async def arun_virtually(
    function: Callable[..., Awaitable[T]],
    *args: object,
    clock: VirtualClock | None = None,
) -> T:
    """Await *function* in virtual time, in the event loop that runs here, and give what it gives.

    It is for loops that are somebody else's, such as those of a test runner: the law is
    that of `run_virtually`. The loop as a whole is virtual meanwhile, with the tasks that
    it had before. The time goes on from the next whole second and is real again afterwards,
    though it does not go back: timers that are set then are still due when they should be.
    In a loop that is virtual already *function* is just awaited.

    What the loop has handed to `run_in_executor` before is not known to work for it. A task
    that wakes up for ever keeps the time going, so that nothing is a hang: set a deadline.

    Args:
        function: What is awaited.
        args: Its arguments.
        clock: Whose time it is; a new one if not given. It is moved to the loop's time.

    Raises:
        HangError: *function* waits, and nothing is left that could end it. It is
            cancelled then, and what it raised or returned is of no account.
        RuntimeError: The loop cannot be made virtual: it does not wait by a selector, as
            uvloop and the proactor do not, or goes by another virtual clock already.
    """
    if here.driver is not None:
        if clock is not None and clock is not here.driver.clock:
            raise RuntimeError("this event loop goes by another virtual clock already")
        return await function(*args)
    clock = VirtualClock() if clock is None else clock
    lowlevel = sys.modules.get("trio.lowlevel")
    if lowlevel is not None and lowlevel.in_trio_task():
        from cassette_stream.clock.trio import arun  # noqa: PLC0415 - imports trio
    else:
        from cassette_stream.clock.loop import arun  # noqa: PLC0415 - imports asyncio

    async def main() -> T:
        # The context of a test runner outlives this, so it is entered and left within.
        with virtual_time(clock):
            return await function(*args)

    return await arun(main, clock)
