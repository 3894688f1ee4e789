"""Clocks: the real one, and virtual time, in which waiting costs nothing.

A `VirtualClock` alone moves for the streams that are played on it. What shall also meet
the timers of the code that reads them runs in virtual time as a whole: by
`run_virtually`, under asyncio and trio, by `arun_virtually` in a loop that runs already, or
within `virtual_time`, where it is synchronous. Event loops are imported when the first is
asked for.
"""

from __future__ import annotations

from cassette_stream.clock.here import clock_here
from cassette_stream.clock.paced import PacedClock
from cassette_stream.clock.real import Clock, RealClock
from cassette_stream.clock.virtual import VirtualClock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cassette_stream.clock.loop import VirtualLoop
    from cassette_stream.clock.run import arun_virtually, run_virtually
    from cassette_stream.clock.threads import TimeByName, time_by_name, virtual_time

__all__ = (
    "Clock",
    "PacedClock",
    "RealClock",
    "TimeByName",
    "VirtualClock",
    "VirtualLoop",
    "arun_virtually",
    "clock_here",
    "run_virtually",
    "time_by_name",
    "virtual_time",
)


_HOMES = {
    "TimeByName": "threads",
    "VirtualLoop": "loop",
    "arun_virtually": "run",
    "run_virtually": "run",
    "time_by_name": "threads",
    "virtual_time": "threads",
}
"""What most of those who want a clock do without."""


def __getattr__(name: str) -> object:
    if name in _HOMES:
        import importlib  # noqa: PLC0415 - as above

        return getattr(importlib.import_module(f"cassette_stream.clock.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'cassette_stream.clock' has no attribute {name!r}")
