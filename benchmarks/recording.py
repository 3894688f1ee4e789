"""What recording costs the one who reads the stream: CPU, without a network.

The stream comes from an `httpx.MockTransport`, which every recorder takes for a network,
so that little else is measured. A recorder may work while the stream goes by, or when it
is over; both are shown.
"""

from __future__ import annotations

import asyncio
import gc
import statistics
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from time import process_time as now
from typing import Any

import httpx
from measure import introduce, show, version_of
from sse import chat_chunks
from stages import BODY, HEADERS, OURS, RECORDERS, open_cassette

CHUNKS = 5_000
ROUNDS = 15
MOST_ADDED = 1.0
WITHOUT, UNREDACTED = "no recorder", f"{OURS}, redact=None"
URL = "https://api.example.com/v1/chat/completions"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """CPU seconds from the request to the first chunk, to the last, and to the written file."""

    first: float
    last: float
    written: float


def recording(recorder: str, path: Path) -> AbstractContextManager[Any]:
    match recorder:
        case "no recorder":
            return nullcontext()
        case "cassette-stream, redact=None":
            return open_cassette(OURS, path, redact=None)
    return open_cassette(recorder, path)


def record(recorder: str, path: Path, chunks: Sequence[bytes]) -> Run:
    def respond(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers=HEADERS, content=iter(chunks))

    with (
        recording(recorder, path),
        httpx.Client(transport=httpx.MockTransport(respond)) as client,
    ):
        start = now()
        with client.stream("POST", URL, json=BODY) as response:
            stream = response.iter_bytes()
            next(stream)
            first = now()
            for _ in stream:
                pass
        last = now()
    return Run(first=first - start, last=last - start, written=now() - start)


def record_async(recorder: str, path: Path, chunks: Sequence[bytes]) -> Run:
    return asyncio.run(_record_async(recorder, path, chunks))


async def _record_async(recorder: str, path: Path, chunks: Sequence[bytes]) -> Run:
    async def content() -> AsyncIterator[bytes]:
        for chunk in chunks:
            yield chunk

    def respond(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers=HEADERS, content=content())

    with recording(recorder, path):
        async with httpx.AsyncClient(transport=httpx.MockTransport(respond)) as client:
            start = now()
            async with client.stream("POST", URL, json=BODY) as response:
                stream = response.aiter_bytes()
                await anext(stream)
                first = now()
                async for _ in stream:
                    pass
            last = now()
    return Run(first=first - start, last=last - start, written=now() - start)


def measured(
    take: Callable[[str, Path, Sequence[bytes]], Run], recorders: Sequence[str]
) -> dict[str, Run]:
    """The medians of each recorder, which take turns."""
    chunks = chat_chunks(CHUNKS)
    runs: dict[str, list[Run]] = {name: [] for name in recorders}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "recorded.yaml")
        for turn in range(1 + ROUNDS):
            for name in recorders:
                gc.collect()
                run = take(name, path, chunks)
                assert path.is_file() is (name != WITHOUT), f"{name} did not record"
                path.unlink(missing_ok=True)
                if turn:  # the first warms up
                    runs[name].append(run)
    return {
        name: Run(
            first=statistics.median(run.first for run in each),
            last=statistics.median(run.last for run in each),
            written=statistics.median(run.written for run in each),
        )
        for name, each in runs.items()
    }


def row(name: str, run: Run, raw: Run) -> list[str]:
    per_chunk = 1e6 / CHUNKS
    added = (run.last - raw.last) * per_chunk
    verdict = ""
    if name == OURS:
        verdict = f"at most {MOST_ADDED:g}" if added <= MOST_ADDED else f"OVER {MOST_ADDED:g}"
    return [
        name,
        f"{run.first * 1e3:.2f}",
        f"{run.last * per_chunk:.2f}",
        f"{added:+.2f}",
        f"{run.written * per_chunk:.2f}",
        verdict,
    ]


def main() -> None:
    introduce(
        f"Recording a stream of {CHUNKS:,} chunks, CPU time, medians of {ROUNDS} rounds",
        *(OURS, "httpx", "vcrpy", "cassetter"),
    )
    recorders = [WITHOUT, OURS, UNREDACTED, *(it for it in RECORDERS[1:] if version_of(it))]
    for title, take in (("httpx.Client", record), ("httpx.AsyncClient", record_async)):
        runs = measured(take, recorders)
        show(
            f"{title}: first chunk in milliseconds, else microseconds a chunk",
            ["recorder", "first chunk", "streaming", "added", "with the file", "verdict"],
            [row(name, run, runs[WITHOUT]) for name, run in runs.items()],
        )


if __name__ == "__main__":
    main()
