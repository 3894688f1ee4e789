"""Code under test in virtual time: its event loop, its threads and the streams it reads."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Literal, TypeVar

from cassette_stream.clock.threads import virtual_time
from cassette_stream.clock.virtual import VirtualClock

__all__ = ("run_virtually",)

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
