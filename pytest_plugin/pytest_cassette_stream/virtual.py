"""Virtual time for a test: ``@pytest.mark.cassette(virtual_time=True)``.

It is the test's function that is wrapped, whoever runs it and in whichever event loop: the
loop belongs to another plugin and to the fixtures, and is virtual only while the function
runs in it. So setting up and tearing down happen in real time, in a loop whose time never
goes back. A function that Hypothesis runs is virtual anew for each example.

A hook around the call enters `in_virtual_time`. It has to be `pytest_runtest_call`::

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(item):
        if not wants_virtual_time(item):
            return (yield)
        with in_virtual_time(item):
            return (yield)

By the time of `pytest_pyfunc_call` pytest-asyncio has looked at the function already.
"""

from __future__ import annotations

import functools
import inspect
import unittest
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

__all__ = ("in_virtual_time",)


@contextmanager
def in_virtual_time(item: pytest.Item) -> Iterator[None]:
    """Within the block the function of *item* runs in virtual time when it is called.

    Where time had to be real, for a socket or a job in another thread, a section of the
    report says how often.
    """
    waits: Counter[str] = Counter()
    holder, name = _place(item)
    function = getattr(holder, name)
    setattr(holder, name, _virtual(getattr(function, "_anyio_original_func", function), waits))
    try:
        yield
    finally:
        setattr(holder, name, function)
        if waits:
            lines = [f"{times} x {reason}" for reason, times in sorted(waits.items())]
            item.add_report_section("call", "waits in real time", "\n".join(lines))


def _place(item: Any) -> tuple[object, str]:
    """Where the function is that pytest, and whoever runs coroutines for it, will call."""
    # What Hypothesis wraps is replaced there by the plugins too; by that of anyio for
    # good, which leaves the coroutine function in an attribute of its own.
    if (given := getattr(item.obj, "hypothesis", None)) is not None:
        return given, "inner_test"
    # A coroutine function of `unittest` is found by name, and run by its test case.
    if inspect.iscoroutinefunction(item.obj) and isinstance(item.instance, unittest.TestCase):
        return item.instance, item.name
    return item, "obj"


def _virtual(function: Callable[..., Any], waits: Counter[str]) -> Callable[..., Any]:
    from cassette_stream import (  # noqa: PLC0415 - only who asks pays for it
        VirtualClock,
        arun_virtually,
        virtual_time,
    )

    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def in_its_loop(*args: Any, **kwargs: Any) -> Any:
            clock = VirtualClock()
            try:
                call = functools.partial(function, *args, **kwargs)
                return await arun_virtually(call, clock=clock)
            finally:
                waits.update(clock.real_time_waits)

        return in_its_loop

    @functools.wraps(function)
    def in_its_thread(*args: Any, **kwargs: Any) -> Any:
        with virtual_time() as clock:
            try:
                return function(*args, **kwargs)
            finally:
                waits.update(clock.real_time_waits)

    return in_its_thread
