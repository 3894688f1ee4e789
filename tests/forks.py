"""Processes that do one thing and end, for pennies: forks of the test's own.

What they print is not captured, and they leave no coverage.
"""

from __future__ import annotations

import os
import sys
import traceback
import warnings
from collections.abc import Callable, Iterable

import pytest

__all__ = ("ended", "forked", "needs_forks")

needs_forks = pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")


def forked(run: Callable[[], object]) -> int:
    """The id of a process that does *run* and then ends, without clean-up of any kind."""
    with warnings.catch_warnings():
        # Python 3.12 warns of forks beside threads. The child takes no lock that is not its own.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child:
        return child
    try:
        run()
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def ended(children: Iterable[int]) -> list[int]:
    """How each of the *children* ended: its exit code, or minus the signal that killed it."""
    return [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
