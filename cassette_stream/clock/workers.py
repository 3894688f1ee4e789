"""The threads that work for an asyncio event loop without its being told."""

from __future__ import annotations

import sys
import threading
from asyncio import AbstractEventLoop
from collections.abc import Iterator
from concurrent.futures import Future
from types import FrameType

__all__ = ("is_child_awaited", "workers_of")

_BACK_IN_THE_LOOP = frozenset({"run_async_from_thread", "run_sync_from_thread"})


def workers_of(loop: AbstractEventLoop) -> Iterator[threading.Thread]:
    """The threads of anyio that do something for *loop*, and do not wait for it."""
    if "anyio.to_thread" not in sys.modules:
        return
    for thread in threading.enumerate():
        if (
            getattr(thread, "loop", None) is loop
            and not getattr(thread, "stopping", False)
            and thread not in getattr(thread, "idle_workers", ())
            and not _waits_for_loop(thread)
        ):
            yield thread


def _waits_for_loop(thread: threading.Thread) -> bool:
    # By `anyio.from_thread.run`: once it waits for the result the loop knows of the call,
    # and as long as there is none the loop has still something to do.
    frame: FrameType | None = sys._current_frames().get(thread.ident or 0)  # noqa: SLF001 - as `faulthandler` does
    is_waiting = False
    while frame is not None:
        if frame.f_code is Future.result.__code__:
            is_waiting = not frame.f_locals["self"].done()
        elif frame.f_code.co_name in _BACK_IN_THE_LOOP:
            return is_waiting
        frame = frame.f_back
    return False


def is_child_awaited(loop: AbstractEventLoop) -> bool:
    """Whether a thread waits for a child process of *loop*, as it does where it must."""
    return any(
        "waitpid-" in thread.name and loop in getattr(thread, "_args", ())
        for thread in threading.enumerate()
    )
