"""What reading a stream costs by `completion`, beside the raw loop and the SDKs.

    python benchmarks/completion.py [--chunks 20000] [--rounds 5] [--without litellm]

CPU time with no network: every client reads the same bytes from a mock transport, one event
per chunk, synchronous and asynchronous, text and the arguments of a tool call. Everybody takes
a turn in every round, litellm in the last alone, because it takes as long as all the others.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import statistics
import threading
import tracemalloc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from time import process_time as now
from typing import Any, TypeAlias

from clients import Client, clients, ours
from measure import introduce, show
from streams import PIECE, stream

LENGTHS = (100, 1_000, 10_000, 100_000)
SHORT = 100
SHORT_ROUNDS = 15
SHORT_IN_A_ROW = 5
MIB = 2**20
KINDS = {"text": False, "tool call": True}
COLUMNS = ("text", "text, async", "tool call", "tool call, async")
OURS, RAW = "cassette-stream, openai", "raw, openai"

Columns: TypeAlias = dict[str, dict[str, float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Seconds of CPU: to the first chunk, from there to the last, from there to the end."""

    first: float
    chunks: float
    end: float
    threads: int


@contextmanager
def thread_starts() -> Iterator[list[threading.Thread]]:
    """The threads that are started in this block, as it goes on."""
    started: list[threading.Thread] = []
    start = threading.Thread.start

    def noted(thread: threading.Thread) -> None:
        started.append(thread)
        start(thread)

    threading.Thread.start = noted  # type: ignore[method-assign] - to count them
    try:
        yield started
    finally:
        threading.Thread.start = start  # type: ignore[method-assign]


def read(client: Client, chunks: Sequence[bytes], total: int) -> Run:
    """Read a stream that gives *total* chunks."""
    with client.open(chunks) as ask, thread_starts() as started:
        begin = now()
        given = iter(ask())
        next(given)
        first = now()
        count = 1
        for _ in given:
            count += 1
            if count == total:
                break
        last = now()
        assert next(given, None) is None
        return Run(first=first - begin, chunks=last - first, end=now() - last, threads=len(started))


async def aread(client: Client, chunks: Sequence[bytes], total: int) -> Run:
    async with client.aopen(chunks) as ask:
        with thread_starts() as started:
            begin = now()
            asked: Any = ask()
            given = aiter(await asked if asyncio.iscoroutine(asked) else asked)
            await anext(given)
            first = now()
            count = 1
            async for _ in given:
                count += 1
                if count == total:
                    break
            last = now()
            assert await anext(given, None) is None
            end = now()
    return Run(first=first - begin, chunks=last - first, end=end - last, threads=len(started))


class Streams:
    """One table's worth of runs of everybody on streams of the same length."""

    def __init__(self, everybody: Sequence[Client], count: int, *, tool: bool) -> None:
        self._chunks: dict[str, list[bytes]] = {}
        self._totals: dict[str, int] = {}
        self._runs: dict[tuple[str, bool], list[Run]] = {}
        self.clients = [each for each in everybody if not (tool and each.wire == "gemini")]
        for client in self.clients:
            self._chunks[client.wire] = stream(client.wire, count, tool=tool)
            # Whoever is slow is warmed up, and counted, on less.
            warm = stream(client.wire, min(count, SHORT), tool=tool) if client.slow else None
            with client.open(warm or self._chunks[client.wire]) as ask:
                total = sum(1 for _ in ask())
            self._totals[client.name] = total + (count - min(count, SHORT) if client.slow else 0)
        # Else each collection before a turn looks through all that the libraries hold.
        gc.freeze()

    def round(self, runner: asyncio.Runner, *, last: bool, in_a_row: int = 1) -> None:
        """Let everybody read *in_a_row* streams; the slow ones only in the *last* round."""
        for client in self.clients:
            if client.slow and not last:
                continue
            given = client, self._chunks[client.wire], self._totals[client.name]
            gc.collect()
            runs = [read(*given) for _ in range(in_a_row)]
            self._runs.setdefault((client.name, False), []).extend(runs)
            gc.collect()
            runs = [runner.run(aread(*given)) for _ in range(in_a_row)]
            self._runs.setdefault((client.name, True), []).extend(runs)

    def figures(self, *, is_async: bool) -> dict[str, Run]:
        """The medians, by client."""
        found = {}
        for client in self.clients:
            runs = self._runs[client.name, is_async]
            found[client.name] = Run(
                first=statistics.median(run.first for run in runs),
                chunks=statistics.median(run.chunks for run in runs)
                / (self._totals[client.name] - 1),
                end=statistics.median(run.end for run in runs),
                threads=max(run.threads for run in runs),
            )
        return found


def costs(everybody: Sequence[Client], count: int, rounds: int) -> Columns:
    """Microseconds a chunk, by column and client."""
    streams = {kind: Streams(everybody, count, tool=tool) for kind, tool in KINDS.items()}
    with asyncio.Runner() as runner:
        for turn in range(rounds):
            for each in streams.values():
                each.round(runner, last=turn == rounds - 1)
    columns = {}
    for kind, each in streams.items():
        for is_async in (False, True):
            title = f"{kind}, async" if is_async else kind
            figures = each.figures(is_async=is_async)
            columns[title] = {name: run.chunks * 1e6 for name, run in figures.items()}
            ends = {name: run.end * 1e3 for name, run in figures.items()}
            columns[f"end, {title}"] = ends
    return columns


def short(everybody: Sequence[Client]) -> tuple[dict[str, Run], dict[str, Run]]:
    """What a stream of few chunks takes before its first and after its last.

    Everybody reads some in a row: else the first chunk would mostly tell how cold the caches
    of the processor are.
    """
    streams = Streams(everybody, SHORT, tool=False)
    with asyncio.Runner() as runner:
        for _ in range(SHORT_ROUNDS):
            streams.round(runner, last=True, in_a_row=SHORT_IN_A_ROW)
    return streams.figures(is_async=False), streams.figures(is_async=True)


def lengths(everybody: Sequence[Client]) -> dict[str, list[float]]:
    """Microseconds a chunk of ours, by what is streamed, for each of the `LENGTHS`."""
    we = [each for each in everybody if each.name == OURS]
    found: dict[str, list[float]] = {}
    for count in LENGTHS:
        for kind, tool in KINDS.items():
            streams = Streams(we, count, tool=tool)
            with asyncio.Runner() as runner:
                for _ in range(max(3, min(41, 100_000 // count))):
                    streams.round(runner, last=True)
            run = streams.figures(is_async=False)[OURS]
            found.setdefault(kind, []).append(run.chunks * 1e6)
    return found


def held(count: int, *, tool: bool) -> float:
    """The peak of memory in KiB while we read *count* chunks, less what they say."""
    chunks = stream("openai", count, tool=tool)
    with ours("openai", chunks) as ask:
        gc.collect()
        tracemalloc.start()
        given = ask()
        for _ in given:
            pass
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    said = count * len(PIECE) if tool else len(given.text)
    return (most - said) / 1024


def mebibyte(size: int) -> float:
    """Microseconds a chunk for a call with arguments of *size* bytes in pieces of four."""
    count = size // len(PIECE)
    chunks = stream("openai", count, tool=True)
    with ours("openai", chunks) as ask:
        gc.collect()
        begin = now()
        given = ask()
        for _ in given:
            pass
        taken = now() - begin
        (call,) = given.response.choices[0].message.tool_calls
    assert call.function.arguments == '{"x":"ab' + PIECE * (count - 3) + 'cd"}'
    return taken / count * 1e6


def ratio(client: Client, column: dict[str, float]) -> str:
    if client.name not in column:
        return "-"
    us = column[client.name]
    return f"{us:,.2f} ({us / column[f'raw, {client.wire}']:.2f})"


def verdict(what: str, found: float, *, at_most: float, unit: str = "") -> None:
    word = "held" if found <= at_most else "MISSED"
    print(f"{word:7} {what}: {found:.2f}{unit}, at most {at_most:.2f}{unit}")


def show_costs(everybody: Sequence[Client], columns: Columns) -> None:
    show(
        "microseconds of CPU a chunk (of the raw loop on the same bytes)",
        ["", *COLUMNS],
        [[each.name, *(ratio(each, columns[title]) for title in COLUMNS)] for each in everybody],
    )
    for each in everybody:
        if each.name.startswith("cassette-stream"):
            for title, us in columns.items():
                if each.name in us and title in COLUMNS:
                    ratio_to_raw = us[each.name] / us[f"raw, {each.wire}"]
                    verdict(f"{each.name}, {title}, of raw", ratio_to_raw, at_most=1.0)
    for peer, least in (("openai SDK", 15), ("litellm", 150)):
        for title in COLUMNS:
            us = columns[title]
            if peer in us:
                times = us[peer] / us[OURS]
                word = "held" if times >= least else "MISSED"
                print(f"{word:7} {peer}, {title}: {times:.1f} times ours, at least {least}")
    text, tool = columns["text"][OURS], columns["tool call"][OURS]
    verdict("tool call, of text", tool / text, at_most=1.5)


def show_ends(everybody: Sequence[Client], columns: Columns) -> None:
    few, afew = short(everybody)
    show(
        f"milliseconds of CPU, streams of {SHORT} chunks",
        ["", "first chunk", "async", "end", "async", "end of the long", "threads started"],
        [
            [
                each.name,
                *(f"{it[each.name].first * 1e3:.2f}" for it in (few, afew)),
                *(f"{it[each.name].end * 1e3:.2f}" for it in (few, afew)),
                f"{columns['end, text'][each.name]:.2f}",
                f"{max(it[each.name].threads for it in (few, afew))}",
            ]
            for each in everybody
        ],
    )
    for title, it in (("first chunk", few), ("first chunk, async", afew)):
        over = (it[OURS].first - it[RAW].first) * 1e3
        verdict(f"{title}, over raw", over, at_most=0.2, unit=" ms")
    verdict("end of the long stream", columns["end, text"][OURS], at_most=1.0, unit=" ms")
    verdict("threads", few[OURS].threads + afew[OURS].threads, at_most=0)


def show_growth(everybody: Sequence[Client]) -> None:
    flat = lengths(everybody)
    show(
        f"{OURS}: microseconds a chunk, by the number of chunks",
        ["", *(f"{count:,}" for count in LENGTHS)],
        [[kind, *(f"{us:.2f}" for us in each)] for kind, each in flat.items()],
    )
    for kind, each in flat.items():
        verdict(f"{kind}: the longest of the shortest", each[-1] / each[0], at_most=1.2)
    sizes = {f"{size // 1024:,} KiB": mebibyte(size) for size in (MIB // 16, MIB // 4, MIB)}
    show(
        f"{OURS}: arguments in pieces of 4 characters",
        ["", *sizes],
        [["microseconds a chunk", *(f"{us:.2f}" for us in sizes.values())]],
    )
    first, *_, last = sizes.values()
    verdict("1 MiB of arguments, a chunk of it, of a sixteenth", last / first, at_most=1.2)
    counts = (10_000, 100_000, 300_000)
    show(
        f"{OURS}: peak of memory besides what was said, KiB",
        ["", *(f"{count:,} chunks" for count in counts)],
        [
            [kind, *(f"{held(count, tool=tool):,.0f}" for count in counts)]
            for kind, tool in KINDS.items()
        ],
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--chunks", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--without", nargs="*", default=[], metavar="NAME")
    options = parser.parse_args()
    introduce(
        f"Reading a stream of {options.chunks:,} chunks, medians of {options.rounds} rounds",
        *("cassette-stream", "httpx", "httpx2", "openai", "anthropic", "litellm"),
    )
    everybody = [each for each in clients() if each.name not in options.without]
    columns = costs(everybody, options.chunks, options.rounds)
    show_costs(everybody, columns)
    show_ends(everybody, columns)
    show_growth(everybody)


if __name__ == "__main__":
    main()
