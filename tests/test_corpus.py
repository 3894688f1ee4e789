"""Every public stream: over a real socket, into a cassette, and back, to the byte."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import httpx2
import pytest
from support import SOAK

from cassette_stream import LoopbackServer, use_cassette
from cassette_stream.cassette import Request, dumps, loads
from cassette_stream.cassette.model import Cassette
from cassette_stream.script import Emit, Head, Script

SAMPLE = 150
BATCH = 40


@pytest.fixture(scope="module")
def streams(corpus: Path) -> list[dict[str, Any]]:
    """The streams of the index: all of them under CASSETTE_STREAM_SOAK, else a sample."""
    lines = (corpus / "corpus" / "public_index.jsonl").read_text("utf-8").splitlines()
    found = [json.loads(line) for line in lines]
    for row in found:
        row["body"] = (corpus / "corpus" / row["file"]).read_bytes()
    return found if SOAK else random.Random(7).sample(found, SAMPLE)


def cut(body: bytes, seed: str) -> list[bytes]:
    """*body* at random boundaries, more of them where it is short."""
    rng = random.Random(seed)
    count = rng.choice([0, 1, 2, 5, 20, 60])
    places = sorted({rng.randrange(1, len(body)) for _ in range(count)} if len(body) > 1 else ())
    return [body[a:b] for a, b in zip([0, *places], [*places, len(body)], strict=True) if a < b]


def batches(rows: list[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    for start in range(0, len(rows), BATCH):
        yield rows[start : start + BATCH]


def head_of(row: dict[str, Any]) -> Head:
    kind = row.get("content_type") or "text/event-stream"
    return Head(row["status"], (("content-type", kind),))


@pytest.mark.parametrize("redact", [None, "default"], ids=["as it is", "redacted"])
@pytest.mark.parametrize("library", [httpx, httpx2], ids=lambda it: it.__name__)
def test_every_public_stream_comes_back_with_its_bytes_and_boundaries(
    tmp_path: Path, streams: list[dict[str, Any]], library: Any, redact: Any
) -> None:
    differing = 0
    for number, rows in enumerate(batches(streams)):
        path = tmp_path / f"{number}.yaml"

        def script(request: Request, rows: list[dict[str, Any]] = rows) -> Script:
            row = rows[int(request.url.rpartition("/")[2])]
            yield head_of(row)
            yield from map(Emit, cut(row["body"], row["id"]))

        with LoopbackServer() as server:
            server.script(None, script)
            url = server.url
            with use_cassette(path, redact=redact), library.Client() as client:
                live = [chunks_of(client, f"{url}/{index}") for index in range(len(rows))]
        with use_cassette(path, redact=redact, mode="none") as session, library.Client() as client:
            replayed = [chunks_of(client, f"{url}/{index}") for index in range(len(rows))]
        written = path.read_bytes()

        assert [b"".join(chunks) for chunks in live] == [row["body"] for row in rows]
        assert [list(map(len, chunks)) for chunks in replayed] == [
            list(map(len, chunks)) for chunks in live
        ]
        if redact is None:
            assert replayed == live
        else:
            for before, after, row in zip(live, replayed, rows, strict=True):
                differing += before != after

                assert only_placeholders_differ(b"".join(before), b"".join(after)), row["id"]
        assert dumps(loads(written, file=str(path))) == written
        assert loads(written, file="again") == Cassette(
            interactions=session.interactions,
            recorded_with=loads(written, file="again").recorded_with,
        )
    print(f"\n{len(streams)} streams, {differing} with something replaced")


def only_placeholders_differ(before: bytes, after: bytes) -> bool:
    """Whether *after* is *before* but for placeholders of the same length."""
    whole = bytearray(after)
    for match in re.finditer(rb"REDACTED-\d+-*|\*{4,}", after):
        whole[match.start() : match.end()] = before[match.start() : match.end()]
    return bytes(whole) == before


def chunks_of(client: Any, url: str) -> list[bytes]:
    with client.stream("GET", url) as response:
        return list(response.iter_raw())
