"""Replaying one stream of 500 chunks in a test: microseconds of CPU.

A test's worth is all that a test does: load the cassette, take the network's place, make
a client, read the stream, put everything back. In a loop only the streams are left.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import httpx
from measure import interleaved, introduce, show
from sse import chat_chunks
from stages import BASELINE, BODY, OURS, RECORDERS, Stage, Stages, record

CHUNKS = 500
TESTS = 20
STREAMS = 50
ROUNDS = 9
MOST_RATIO = 1.3

Size: TypeAlias = tuple[int, int]


def stream(client: httpx.Client, url: str) -> Size:
    """Read one stream; give its chunks and its bytes."""
    chunks = size = 0
    with client.stream("POST", url, json=BODY) as response:
        for chunk in response.iter_bytes():
            chunks += 1
            size += len(chunk)
    return chunks, size


async def astream(client: httpx.AsyncClient, url: str) -> Size:
    chunks = size = 0
    async with client.stream("POST", url, json=BODY) as response:
        async for chunk in response.aiter_bytes():
            chunks += 1
            size += len(chunk)
    return chunks, size


def tests(stage: Stage, url: str) -> Size:
    for _ in range(TESTS):
        with stage() as options, httpx.Client(**options) as client:
            size = stream(client, url)
    return size


async def atests(stage: Stage, url: str) -> Size:
    for _ in range(TESTS):
        with stage() as options:
            async with httpx.AsyncClient(**options) as client:
                size = await astream(client, url)
    return size


def loop(stage: Stage, url: str) -> Size:
    with stage() as options, httpx.Client(**options) as client:
        for _ in range(STREAMS):
            size = stream(client, url)
    return size


async def aloop(stage: Stage, url: str) -> Size:
    with stage() as options:
        async with httpx.AsyncClient(**options) as client:
            for _ in range(STREAMS):
                size = await astream(client, url)
    return size


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One way of measuring: what *run* does with a stage, and how many streams it reads."""

    title: str
    run: Callable[[Stage, str], Any]
    streams: int
    is_async: bool = False
    repeats: bool = False


COLUMNS = (
    Column(title="one test", run=tests, streams=TESTS),
    Column(title="in a loop", run=loop, streams=STREAMS, repeats=True),
    Column(title="one test, async", run=atests, streams=TESTS, is_async=True),
    Column(title="in a loop, async", run=aloop, streams=STREAMS, is_async=True, repeats=True),
)


def measured(
    column: Column, found: Stages, url: str, runner: asyncio.Runner
) -> tuple[dict[str, float], dict[str, int]]:
    """Microseconds of CPU for a stream, and the chunks that it came in, by stage."""

    def subject(stage: Stage) -> Size:
        ran = column.run(stage, url)
        size: Size = runner.run(ran) if column.is_async else ran
        return size

    subjects = {name: partial(subject, stage) for name, stage in found.all().items()}
    chunks = {}
    for name, run in subjects.items():
        chunks[name], size = run()
        assert size == sum(map(len, found.chunks)), f"{name} gave {size} bytes"
    seconds = interleaved(subjects, rounds=ROUNDS)
    return {name: each / column.streams * 1e6 for name, each in seconds.items()}, chunks


def main() -> None:
    introduce(
        f"Replay of a stream of {CHUNKS} chunks, microseconds of CPU, medians of {ROUNDS} rounds",
        *(OURS, "httpx", "vcrpy", "cassetter", "pytest-httpx", "respx"),
    )
    events = chat_chunks(CHUNKS)
    figures: list[dict[str, float]] = []
    with tempfile.TemporaryDirectory() as folder, asyncio.Runner() as runner:
        url, paths = record(Path(folder), events)
        for column in COLUMNS:
            found = Stages(
                paths=paths, chunks=events, is_async=column.is_async, repeats=column.repeats
            )
            us, chunks = measured(column, found, url, runner)
            figures.append(us)
    rows = [
        [
            name,
            str(chunks[name]),
            *(f"{us[name]:,.0f} ({us[name] / us[BASELINE]:.2f})" for us in figures),
        ]
        for name in figures[0]
    ]
    show(
        f"microseconds a stream ({BASELINE} = 1)",
        ["replayed by", "chunks", *(column.title for column in COLUMNS)],
        rows,
    )
    one_test = figures[0]
    bounds = {f"{MOST_RATIO:g} x {BASELINE}": MOST_RATIO * one_test[BASELINE]}
    bounds |= {name: one_test[name] for name in RECORDERS if name in one_test and name != OURS}
    for name, most in bounds.items():
        held = "under" if one_test[OURS] <= most else "OVER"
        print(f"one test of {OURS}: {one_test[OURS]:,.0f}, {held} {name}: {most:,.0f}")


if __name__ == "__main__":
    main()
