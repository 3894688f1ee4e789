"""Event loops of asyncio whose time is that of a virtual clock: new ones, and the running one.

In both the time passes by the law of `LoopTime`, and where nothing is left that could
ever happen a `HangError` is raised.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import selectors
from asyncio.selector_events import BaseSelectorEventLoop
from collections.abc import Awaitable, Callable, Coroutine, Generator, Iterator
from concurrent.futures import Executor
from functools import partial
from typing import Any, TypeVar

from cassette_stream.clock.loop_time import LoopTime
from cassette_stream.clock.places import place_of
from cassette_stream.clock.virtual import VirtualClock
from cassette_stream.exceptions import HangError

__all__ = ("VirtualLoop", "arun", "run")

T = TypeVar("T")

_MOST_BREAKS = 16
"""How often tasks are cancelled that wait again."""


class VirtualLoop(asyncio.SelectorEventLoop):
    """Give it as *loop_factory* to `asyncio.Runner` or, in *backend_options*, to `anyio.run`.

    Args:
        clock: Whose time it is; a new one if not given. It drives one loop at a time.
    """

    def __init__(self, clock: VirtualClock | None = None) -> None:
        self.clock = VirtualClock() if clock is None else clock
        self._is_hung = False
        self._broken_off = 0
        self._passing = LoopTime(self, self.clock, selectors.DefaultSelector(), self._break_off)
        super().__init__(self._passing.selector)
        self._passing.selector.outside.clear()  # the loop's own pipe, by which threads wake it

    def time(self) -> float:
        return self.clock.now()

    def run_forever(self) -> None:
        with self.clock.driven_by(self._passing):
            super().run_forever()

    def run_until_complete(self, future: Generator[Any, None, T] | Awaitable[T]) -> T:
        self._passing.main = future.get_coro() if isinstance(future, asyncio.Task) else None
        self._broken_off = 0
        return super().run_until_complete(future)

    def run_in_executor(  # type: ignore[override]  # typeshed has more type variables than arguments
        self, executor: Executor | None, func: Callable[..., T], *args: Any
    ) -> asyncio.Future[T]:
        return self._passing.run_in_executor(super().run_in_executor, executor, func, *args)

    async def shutdown_default_executor(self, *args: Any, **options: Any) -> None:
        # It waits in a thread of its own for those that nobody else waits for any more.
        self._passing.is_shutting_down = True
        try:
            await super().shutdown_default_executor(*args, **options)
        finally:
            self._passing.is_shutting_down = False

    def _break_off(self) -> None:
        """Raise a `HangError`, or cancel the tasks once more that wait while they clean up."""
        if self._is_hung and self._passing.main is None and self._broken_off < _MOST_BREAKS:
            self._broken_off += 1
            for task in asyncio.all_tasks(self):
                task.cancel()
        else:
            self._is_hung = True
            raise self.clock.hang(place_of(self._passing.frames()))


def run(main: Callable[[], Coroutine[Any, Any, T]], clock: VirtualClock) -> T:
    """Run *main* under asyncio in the time of *clock*."""
    loop = VirtualLoop(clock)
    with (
        contextlib.closing(loop),
        clock.driven_by(loop._passing),  # noqa: SLF001 - from before it runs until it is closed
        asyncio.Runner(loop_factory=lambda: loop) as runner,
    ):
        return runner.run(main())


class _Onward:
    """The time of a loop that was virtual for a while: *real*, and what it is *ahead* of it.

    So it never goes back, and timers that were set meanwhile are due when they should be.
    """

    def __init__(self, real: Callable[[], float], ahead: float) -> None:
        self.real = real
        self.ahead = ahead

    def __call__(self) -> float:
        return self.real() + self.ahead


class _Visit:
    """The task that runs here, while its loop, which is somebody else's, goes by *clock*."""

    def __init__(self, loop: BaseSelectorEventLoop, clock: VirtualClock) -> None:
        task = asyncio.current_task(loop)
        assert task is not None  # or nobody could await it
        self.error: HangError | None = None
        self._loop, self._task, self._clock = loop, task, clock
        self._others = asyncio.all_tasks(loop) - {task}
        self._broken_off = 0
        self._driving = contextlib.ExitStack()
        self.time = LoopTime(loop, clock, loop._selector, self._break_off)  # type: ignore[attr-defined]  # noqa: SLF001 - private
        # The loop's own pipe, by which threads wake it.
        self.time.selector.outside.discard(loop._ssock.fileno())  # type: ignore[attr-defined]  # noqa: SLF001 - as above

    def _break_off(self) -> None:
        """Cancel the task; if that is not enough, all that began since; at last, the loop's run."""
        if self.error is None:
            self.error = self._clock.hang(place_of(self.time.frames()))
        if self._broken_off == _MOST_BREAKS:
            # What does not end is left behind in a loop that still waits for nothing.
            self._driving.close()
            raise self.error
        tasks = asyncio.all_tasks(self._loop) - self._others if self._broken_off else {self._task}
        self._broken_off += 1
        for task in tasks:
            task.cancel()

    @contextlib.contextmanager
    def __call__(self) -> Iterator[None]:
        """Within the block the loop's time is virtual; it is real again afterwards."""
        own: dict[str, Any] = vars(self._loop)
        names = ("run_in_executor", "time", "_selector", "_clock_resolution")
        before = {name: own[name] for name in names if name in own}
        real = self._loop.time.real if isinstance(self._loop.time, _Onward) else self._loop.time
        self._clock.move(math.ceil(self._loop.time()))  # so sums of whole seconds are exact
        with self._driving:
            self._driving.enter_context(self._clock.driven_by(self.time))
            own["run_in_executor"] = partial(self.time.run_in_executor, self._loop.run_in_executor)
            own["time"] = self._clock.now
            own["_selector"] = self.time.selector
            try:
                yield
            finally:
                for name in names:
                    own.pop(name, None)
                own.update(before)
                own["time"] = _Onward(real, self._clock.now() - real())
                for _ in range(self._broken_off):
                    self._task.uncancel()  # the others, if any, are of somebody else


async def arun(main: Callable[[], Coroutine[Any, Any, T]], clock: VirtualClock) -> T:
    """Await *main* in the loop that runs here, which goes by *clock* meanwhile."""
    loop = asyncio.get_running_loop()
    if not isinstance(loop, BaseSelectorEventLoop):
        kind = type(loop)
        raise RuntimeError(  # noqa: TRY004 - nobody gave it as an argument
            f"an event loop of the kind {kind.__module__}.{kind.__qualname__} cannot be made "
            "virtual, only one that waits by a selector, such as asyncio.SelectorEventLoop"
        )
    visit = _Visit(loop, clock)
    with visit():
        visit.time.main = coroutine = main()
        try:
            result = await coroutine
        except BaseException as error:
            if visit.error is None or isinstance(error, GeneratorExit):
                raise
            raise visit.error from error
    if visit.error is not None:
        raise visit.error
    return result
