"""The module `time`, virtual for the code under test and real for everybody else.

Virtual are `sleep`, `monotonic`, `perf_counter` and `time`, and the latter three in
nanoseconds, for what is called in the context of the block and for threads that are
started in it. The standard library keeps the real ones, wherever it is called from: its
locks, queues, sockets and child processes wait for real, and ask the time for that.
What was taken by name, as in ``from time import sleep``, is real too (`time_by_name`).
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import wraps
from typing import Any

from cassette_stream.clock.here import Activation, active, is_awaited
from cassette_stream.clock.virtual import VirtualClock

__all__ = ("TimeByName", "time_by_name", "virtual_time")

_SECONDS = ("monotonic", "perf_counter", "time")
_NANOSECONDS = ("monotonic_ns", "perf_counter_ns", "time_ns")
_REAL: dict[str, Callable[..., Any]] = {
    name: vars(time)[name] for name in ("sleep", *_SECONDS, *_NANOSECONDS)
}
_start_thread = threading.Thread.start

# Modules of the standard library that call what they are given: a job, a callback.
_MESSENGERS = frozenset({"asyncio", "concurrent", "contextlib", "functools", "threading"})
_SLEEPERS = sys.stdlib_module_names - _MESSENGERS

# Under what a test or the command runs. Its own timers are not those of the code under test.
_HARNESS = frozenset(
    {"_pytest", "cassette_stream", "coverage", "execnet", "hypothesis", "pytest", "rich", "trio"}
    | {"xdist"}
)

_PATIENCE = 5.0
"""For how many real seconds the time may be watched while it stands still."""

_lock = threading.Lock()
_depth = 0


@contextmanager
def virtual_time(clock: VirtualClock | None = None) -> Iterator[VirtualClock]:
    """Within the block `time` goes by *clock*, in this context and threads started in it.

    It begins at the real time and stands still while nobody sleeps, unless somebody
    watches it for longer than 5 real seconds: then it goes on, and *clock* counts that
    among its ``real_time_waits``. Waits of `threading`, `queue` and `select` stay real.

    Args:
        clock: Whose time it is; a new one if not given. Either way the block gets it.
    """
    clock = VirtualClock() if clock is None else clock
    activation = Activation(clock, {name: _REAL[name]() for name in (*_SECONDS, *_NANOSECONDS)})
    _install()
    token = active.set(activation)
    try:
        yield clock
    finally:
        activation.is_active = False
        _remove()
        with suppress(ValueError):  # a coroutine that was left behind is closed anywhere
            active.reset(token)


def _install() -> None:
    global _depth  # noqa: PLW0603 - of the process, as `time` is
    with _lock:
        _depth += 1
        if _depth == 1:
            for name, function in _virtual.items():
                setattr(time, name, function)
            threading.Thread.start = _start  # type: ignore[assignment, method-assign]


def _remove() -> None:
    global _depth  # noqa: PLW0603 - as above
    with _lock:
        _depth -= 1
        if _depth == 0:
            for name, function in _REAL.items():
                setattr(time, name, function)
            threading.Thread.start = _start_thread  # type: ignore[method-assign]


def _activation() -> Activation | None:
    activation = active.get()
    return activation if activation is not None and activation.is_active else None


def _is_called_by(modules: frozenset[str]) -> bool:
    # Two frames up is whoever called the function of `time`.
    name: str = sys._getframe(2).f_globals.get("__name__", "")  # noqa: SLF001 - as `warnings` does
    return name.partition(".")[0] in modules


@wraps(_REAL["sleep"])
def _sleep(seconds: float, /) -> None:
    activation = _activation()
    # What is no length of time is refused by the real one, in its own words.
    if activation is None or _is_called_by(_SLEEPERS) or not seconds >= 0:
        _REAL["sleep"](seconds)
    else:
        activation.clock.sleep_until(activation.clock.now() + seconds)


def _telling(name: str, unit: float) -> Callable[[], Any]:
    real = _REAL[name]

    @wraps(real)
    def tell() -> Any:
        activation = _activation()
        if activation is None or _is_called_by(sys.stdlib_module_names):
            return real()
        origin = activation.origins[name]
        return origin + type(origin)((activation.watch(_PATIENCE) - activation.start) * unit)

    return tell


_virtual: dict[str, Callable[..., Any]] = {
    "sleep": _sleep,
    **{name: _telling(name, 1) for name in _SECONDS},
    **{name: _telling(name, 1e9) for name in _NANOSECONDS},
}


@wraps(_start_thread)
def _start(thread: threading.Thread) -> None:
    activation = _activation()
    if activation is not None:
        run = thread.run

        def run_virtually() -> None:
            del thread.run
            active.set(activation)
            is_awaited.set(False)
            run()

        thread.run = run_virtually  # type: ignore[method-assign]
    _start_thread(thread)


@dataclass(frozen=True, slots=True, order=True)
class TimeByName:
    """A module that took a function of `time` by name, and so keeps the real one.

    Attributes:
        module: Its name.
        attribute: What it calls the function.
        function: The name of the function in `time`.
    """

    module: str
    attribute: str
    function: str

    def __str__(self) -> str:
        return f"{self.module}.{self.attribute} is time.{self.function}"


def time_by_name() -> list[TimeByName]:
    """The modules whose `time` stays real in virtual time, among those imported so far.

    The standard library is left out, which keeps real time anyhow, and so is what runs
    tests. Default values of parameters and attributes of classes are not searched.
    """
    ignored = sys.stdlib_module_names | _HARNESS
    names = {id(function): name for name, function in _REAL.items()}
    return sorted(
        TimeByName(module, attribute, names[id(value)])
        for module, content in list(sys.modules.items())
        if module.partition(".")[0] not in ignored
        for attribute, value in list(getattr(content, "__dict__", {}).items())
        if id(value) in names
    )
