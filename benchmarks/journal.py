"""What the journal costs the one who reads the stream: CPU for each chunk, secret scan included.

Each chunk is heard as the transports let it be heard, with a real file in a folder of the
system's for temporary files. What is measured is from the arrival of a chunk to its being the
caller's: with a journal, with one that takes nothing out, and without.
"""

from __future__ import annotations

import gc
import json
import re
import statistics
import tempfile
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from time import thread_time_ns as now
from types import SimpleNamespace

from measure import introduce, show
from sse import chat_chunks

from cassette_stream.cassette.model import Request
from cassette_stream.cassette.redact import Redactor
from cassette_stream.clock import RealClock
from cassette_stream.recorder import Recorder
from cassette_stream.session.notes import Notes, journal_for
from cassette_stream.session.options import Mode
from cassette_stream.transport.desk import Recording
from cassette_stream.wire import encode_event

CHUNKS = 4_000
ROUNDS = 7
MOST = 20.0
WITHOUT, UNREDACTED, OURS = "no journal", "journal, redact=None", "journal"
KEY = "sk-" + "proj-" + "a7Bc" * 20
REQUEST = Request(
    method="POST",
    url="https://api.example.com/v1/chat/completions",
    headers={"authorization": (f"Bearer {KEY}",), "content-type": ("application/json",)},
    body=b'{"model":"gpt-4o-mini","stream":true,"messages":[{"role":"user","content":"Go."}]}',
)
HEAD = SimpleNamespace(
    status_code=200,
    headers=SimpleNamespace(raw=[(b"content-type", b"text/event-stream")]),
    extensions={"http_version": b"HTTP/1.1"},
)
ASKED = SimpleNamespace(extensions={"timeout": {"read": 600.0}})

PROSE = re.findall(
    r"\S+",
    "The quick way to see what a model says is to read it as it comes, word by word; whoever "
    "waits for the end of an answer has waited for nothing, since most of it was there before.",
)


def openai() -> list[bytes]:
    """Chat completions as OpenAI sends them now: short texts, and padding against eavesdroppers."""
    draw, letters = Random(6), "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
    chunks = []
    for number, chunk in enumerate(chat_chunks(CHUNKS)):
        event = json.loads(chunk[6:])
        event["choices"][0]["delta"]["content"] = f" {PROSE[number % len(PROSE)]}"
        event["obfuscation"] = "".join(draw.choices(letters, k=draw.randint(2, 14)))
        chunks.append(encode_event(json.dumps(event, separators=(",", ":"))))
    return chunks


def anthropic() -> list[bytes]:
    """Messages as Anthropic sends them: some words an event."""
    chunks = []
    for number in range(CHUNKS):
        words = PROSE[number % 20 : number % 20 + 6]
        delta = {"type": "text_delta", "text": f" {' '.join(words)}"}
        value = {"type": "content_block_delta", "index": 0, "delta": delta}
        data = json.dumps(value, separators=(",", ":"))
        chunks.append(encode_event(data, event="content_block_delta"))
    return chunks


def pieces() -> list[bytes]:
    """The same as OpenAI sends, cut where the network likes, four pieces an event."""
    body = b"".join(openai()[: CHUNKS // 4])
    size = -(-len(body) // CHUNKS)
    return [body[at : at + size] for at in range(0, len(body), size)]


def hear(name: str, chunks: Sequence[bytes], folder: Path) -> list[int]:
    """The nanoseconds of CPU that each chunk takes."""
    clock = RealClock()
    redactor = Redactor() if name == OURS else None
    journal = None if name == WITHOUT else journal_for(folder / "a.yaml", Mode.ONCE, redactor)
    notes = journal and Notes(
        journal, 0, REQUEST, redactor=redactor, recorded_at=datetime.now(UTC), at=clock.now()
    )
    recorder = Recorder(REQUEST, recorded_at=datetime.now(UTC), at=clock.now())
    recording = Recording(recorder, clock, lambda _: None, notes)
    recording.begin(ASKED)
    recording.head(HEAD)
    heard, moment = recording.hear, recording.now
    took = []
    for chunk in chunks:
        start = now()
        heard(chunk, moment())
        took.append(now() - start)
    if journal is not None:
        journal.remove()
    return took


def measured(chunks: Sequence[bytes]) -> dict[str, list[float]]:
    """The microseconds of each chunk, sorted, all rounds together; the subjects take turns."""
    found: dict[str, list[int]] = {name: [] for name in (WITHOUT, UNREDACTED, OURS)}
    with tempfile.TemporaryDirectory() as folder:
        for turn in range(1 + ROUNDS):
            for name, sofar in found.items():
                gc.collect()
                took = hear(name, chunks, Path(folder))
                if turn:  # the first warms up
                    sofar.extend(took)
    return {name: sorted(it / 1000 for it in took) for name, took in found.items()}


def row(name: str, took: Sequence[float]) -> list[str]:
    median, p95 = statistics.median(took), took[len(took) * 95 // 100]
    verdict = ""
    if name == OURS:
        verdict = f"at most {MOST:g}" if median <= MOST else f"OVER {MOST:g}"
    return [name, f"{median:.1f}", f"{p95:.1f}", f"{statistics.fmean(took):.1f}", verdict]


def main() -> None:
    introduce(f"The CPU of hearing {CHUNKS:,} chunks, {ROUNDS} rounds", "cassette-stream")
    streams: dict[str, Callable[[], list[bytes]]] = {
        "OpenAI, an event a chunk": openai,
        "Anthropic, an event a chunk": anthropic,
        "OpenAI, a quarter of an event a chunk": pieces,
    }
    for title, made in streams.items():
        show(
            f"{title}: microseconds a chunk",
            ["", "median", "p95", "mean", "verdict"],
            [row(name, took) for name, took in measured(made()).items()],
        )


if __name__ == "__main__":
    main()
