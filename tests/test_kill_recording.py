"""A recorder that is killed at any moment loses no chunk that its caller had."""

from __future__ import annotations

import json
import os
import random
import select
import signal
from collections import defaultdict
from collections.abc import Iterator
from functools import partial
from itertools import count
from pathlib import Path
from struct import Struct

import httpx
import pytest
from forks import ended, forked, needs_forks
from support import SOAK

from cassette_stream import LoopbackServer, read_cassette, use_cassette
from cassette_stream.cassette import Interaction
from cassette_stream.server import streamed
from cassette_stream.session.recovery import recover
from cassette_stream.storage import find_journals

pytestmark = needs_forks

KILLS = 200 if SOAK else 20
HELD = 5
TOLD = Struct("<II")
EVENTS = 12


def event(number: int) -> bytes:
    text = f" word {number}," if number % 3 else f" ({'x' * number * 40})"
    value = {"choices": [{"index": 0, "delta": {"content": text}}]}
    return b"data: %s\n\n" % json.dumps(value).encode()


STREAM = [*map(event, range(EVENTS)), b"data: [DONE]\n\n"]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with LoopbackServer() as server:
        server.script(None, lambda _: streamed(STREAM))
        yield f"{server.url}/v1/chat/completions"


def record_on(path: Path, url: str, told: int, held_at: int | None) -> None:
    """Record one stream after the other, and tell of each chunk once it is here.

    It goes no further than the first chunk of stream *held_at*, and waits there.
    """
    with httpx.Client(transport=httpx.HTTPTransport(verify=False)) as client:
        for number in count():
            with (
                use_cassette(path, mode="new_episodes"),
                client.stream("POST", url, json=number) as response,
            ):
                for chunk in response.iter_raw():
                    os.write(told, TOLD.pack(number, len(chunk)))
                    while number == held_at:
                        signal.pause()


def told_next(here: int) -> bytes:
    data = os.read(here, TOLD.size)
    assert data, "the recorder ended by itself"
    return data


def killed(
    path: Path, url: str, draw: random.Random, held_at: int | None = None
) -> dict[int, list[int]]:
    """The sizes of the chunks of each stream that a recorder told of before it was killed.

    One that is held is killed there, any other one wherever it is by then.
    """
    here, there = os.pipe()
    child = forked(partial(record_on, path, url, there, held_at))
    os.close(there)
    data = b""
    if held_at is None:
        while len(data) < TOLD.size * draw.randint(1, 5 * EVENTS):
            data += told_next(here)
        # Nothing is waited for: it goes on for so long, which is about one chunk or one commit.
        select.select([], [], [], draw.choice([0, 0.001, 0.004]) * draw.random())
    else:
        while not data or TOLD.unpack(data[-TOLD.size :])[0] < held_at:
            data += told_next(here)
    os.kill(child, signal.SIGKILL)

    assert ended([child]) == [-signal.SIGKILL]
    while more := os.read(here, 10_000):
        data += more
    os.close(here)
    sizes = defaultdict(list)
    for number, size in TOLD.iter_unpack(data):
        sizes[number].append(size)
    return sizes


def check(interaction: Interaction, sizes: list[int], missing: int) -> None:
    """Make sure that the chunks of these *sizes* are in it."""
    response, body = interaction.response, b"".join(STREAM)
    assert response is not None
    assert [*response.sizes][: len(sizes)] == sizes
    whole = len(response.body) - missing * interaction.incomplete
    assert response.body[:whole] == body[:whole]
    assert interaction.incomplete or response.body == body


def test_every_chunk_that_was_told_of_is_there_and_so_is_what_was_there_before(
    tmp_path: Path, url: str
) -> None:
    draw = random.Random(6)
    chunks = 0
    for round_ in range(KILLS + HELD):
        path = tmp_path / f"{round_}" / "a.yaml"
        with use_cassette(path):
            httpx.post(url, json="before")
        before = path.read_bytes()
        held_at = draw.randrange(3) if round_ >= KILLS else None
        sizes = killed(path, url, draw, held_at)
        missing, in_journals = 0, 0
        for recovered in recover(path) if [*find_journals(path)] else ():
            in_journals += any(it.incomplete for it in recovered.interactions)
            missing += recovered.missing

        assert in_journals or held_at is None
        assert path.read_bytes().startswith(before)
        first, *found = read_cassette(path).interactions
        by_number = {int(it.request.body): it for it in found}
        assert first.request.body == b'"before"'
        assert len(by_number) == len(found)
        for number, each in sizes.items():
            check(by_number[number], each, missing)
            chunks += len(each)
        # No more than the last events may have been part of a secret.
        assert missing <= 3 * max(map(len, STREAM))
        assert not [*find_journals(path)]
    assert chunks > KILLS
