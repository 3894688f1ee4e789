"""Faults of the client's own side: ways to run the subject, and what is left over then.

A probe breaks no stream. The code under test is cancelled, its stream is abandoned, it is
run in a second event loop, the connection stays open behind the last event; it passes if
its result is right and nothing is left open. Where a subject gives a probe no hold, as
synchronous code cannot be cancelled, the probe says so and is not counted.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from typing import Any

import msgspec

from cassette_stream.chaos.job import Job, Run, left_running
from cassette_stream.chaos.subject import Subject
from cassette_stream.clock import VirtualClock, run_virtually, virtual_time
from cassette_stream.faults import Plan, Rule
from cassette_stream.faults.edit import events_in
from cassette_stream.script import Emit

__all__ = ("probe",)

_NOTHING = Plan(())
_SHARES = (0.1, 0.5, 0.9)
"""Of the time of the clean run: the moments at which it is cancelled."""


def probe(job: Job, id_: str) -> Run | str:
    """What comes of the probe *id_*; a text that says why where it has no hold on the subject."""
    return _PROBES[id_](job)


def _close_evicts(job: Job) -> Run | str:
    """Whether the body is read to its end, so that the connection can be used again."""
    run = job.perform(_NOTHING)
    early = [reply for reply in run.replies if reply.has_head and reply.ending is None]
    if not early:
        return run
    left = tuple(
        f"the connection of {reply.request.method} {reply.request.url} was closed before the "
        "end of the body, so that the next request has to open another"
        for reply in early
    )
    return _with_left_open(run, left)


def _close_hangs(job: Job) -> Run | str:
    """Whether the end of the answer is enough, though the connection stays open behind it."""
    bodies = [it.response.body for it in job.clean.asked if it.response is not None]
    if not any(events_in([Emit(body)]) for body in bodies):
        return "the answer is no stream of events, so only the end of its body says that it is over"
    return job.perform(Plan((Rule("body.hold_open"),), on_unfired="warn"))


def _abandoned(job: Job) -> Run | str:
    """Whether a stream that nobody holds any more is closed."""
    held: list[bool] = []

    def how(subject: Subject, clock: VirtualClock, _: list[str]) -> object:
        if subject.is_async:
            return run_virtually(_adrop, subject, held, clock=clock, backend=subject.backend)
        with virtual_time(clock):
            stream = subject.start()
            if isinstance(stream, Iterator):
                held.append(True)
                next(stream, None)
            del stream
            gc.collect()
        return None

    run = job.perform(_NOTHING, how)
    if not held:
        return "the subject reads its stream to the end itself, so nobody can abandon it"
    return _as_clean(job, run)


async def _adrop(subject: Subject, held: list[bool]) -> None:
    stream: Any = subject.start()
    if hasattr(stream, "__await__"):
        stream = await stream
    if isinstance(stream, AsyncIterator):
        held.append(True)
        await anext(stream, None)
    del stream
    gc.collect()
    await _passes()


async def _passes() -> None:
    """Let the event loop close what was dropped: it takes a few passes."""
    from anyio.lowlevel import checkpoint  # noqa: PLC0415 - asynchronous subjects alone need it

    for _ in range(20):
        await checkpoint()


def _cancel_leak(job: Job) -> Run | str:
    """Whether a cancelled reader, cancelled again while it tidies up, closes its response."""
    if not job.subject.is_async:
        return "synchronous code cannot be cancelled"
    if not job.clean.seconds:
        return "the recording takes no time, so there is no moment to cancel at"
    runs = [_cancelled_after(job, job.clean.seconds * share) for share in _SHARES]
    return next((run for run in runs if run.outcome.left_open or run.outcome.hung), runs[-1])


def _cancelled_after(job: Job, seconds: float) -> Run:
    def how(subject: Subject, clock: VirtualClock, tasks: list[str]) -> object:
        cancel = _cancelled if subject.backend == "asyncio" else _cancelled_by_trio
        return run_virtually(cancel, subject, seconds, tasks, clock=clock, backend=subject.backend)

    return _as_clean(job, job.perform(_NOTHING, how))


async def _cancelled(subject: Subject, after: float, tasks: list[str]) -> None:
    task = asyncio.ensure_future(subject.arun())
    await asyncio.sleep(after)
    for _ in range(2):
        task.cancel()
        await asyncio.sleep(0)
    await asyncio.wait([task])
    tasks.extend(await left_running())


async def _cancelled_by_trio(subject: Subject, after: float, tasks: list[str]) -> None:
    import trio  # noqa: PLC0415 - whoever has such a subject has trio

    del tasks  # trio leaves none behind
    with trio.move_on_after(after):
        await subject.arun()


def _cross_loop(job: Job) -> Run | str:
    """Whether a second event loop gets the same, whatever the first one left in caches."""
    if not job.subject.is_async:
        return "synchronous code has no event loop"
    first = job.perform(_NOTHING)
    return first if first.outcome.error is not None else job.perform(_NOTHING)


def _as_clean(job: Job, run: Run) -> Run:
    """*run*, whose result does not count: what is left open does, and that it works again."""
    again = job.perform(_NOTHING).outcome
    left = (*run.outcome.left_open, *again.left_open)
    hung = run.outcome.hung or again.hung
    return replace(run, outcome=msgspec.structs.replace(again, left_open=left, hung=hung))


def _with_left_open(run: Run, left: tuple[str, ...]) -> Run:
    outcome = run.outcome
    left = (*outcome.left_open, *left)
    return replace(run, outcome=msgspec.structs.replace(outcome, left_open=left))


_PROBES: dict[str, Callable[[Job], Run | str]] = {
    "end.close_evicts": _close_evicts,
    "end.close_hangs": _close_hangs,
    "end.cancel_leak": _cancel_leak,
    "end.abandoned": _abandoned,
    "end.cross_loop": _cross_loop,
}
