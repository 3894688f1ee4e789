"""A writer that is killed at any moment of a commit loses nothing that it had committed."""

from __future__ import annotations

import os
import random
import select
import signal
from functools import partial
from itertools import count
from pathlib import Path

import pytest
from broken_disk import files
from forks import ended, forked, needs_forks
from recordings import recording
from support import SOAK

from cassette_stream import read_cassette
from cassette_stream.cassette import Cassette, CassetteReader, dumps
from cassette_stream.session.commit import commit
from cassette_stream.session.options import Mode
from cassette_stream.storage import locked, read

pytestmark = needs_forks

KILLS = 250 if SOAK else 40
NAME = "cassette.yaml"
BEFORE = dumps(Cassette(interactions=tuple(recording(f"before {n}") for n in range(10))))


def write_on(path: Path, writer: int, told: int) -> None:
    """Commit one interaction after the other, and tell of each when it is in the file."""
    os.write(told, b"?")
    for number in count():
        seen = CassetteReader(read(path), file=NAME)
        one = recording(f"{writer} wrote {number}", "a token " * 200)
        commit(path, [one], mode=Mode.NEW_EPISODES, redactor=None, seen=seen)
        os.write(told, b"!")


def killed(path: Path, writers: int, draw: random.Random) -> list[int]:
    """How many commits each of the *writers* told of before all were killed, each at its moment."""
    pipes = [os.pipe() for _ in range(writers)]
    children = [
        forked(partial(write_on, path, writer, there)) for writer, (_, there) in enumerate(pipes)
    ]
    for here, there in pipes:
        os.close(there)
        assert os.read(here, 1) == b"?"
    told = [0] * writers
    for writer in draw.sample(range(writers), writers):
        here, _ = pipes[writer]
        for _ in range(draw.randint(0, 2)):
            told[writer] += len(os.read(here, 1))
        # Nothing is waited for: it goes on for so long, which is about one commit at most.
        select.select([], [], [], draw.uniform(0, 0.015))
        os.kill(children[writer], signal.SIGKILL)

    assert ended(children) == [-signal.SIGKILL] * writers
    for writer, (here, _) in enumerate(pipes):
        while more := os.read(here, 100):
            told[writer] += len(more)
        os.close(here)
    return told


def asked_in(path: Path) -> list[str]:
    interactions = read_cassette(path).interactions
    return [interaction.request.body.decode().split('"')[3] for interaction in interactions]


@pytest.mark.parametrize(("writers", "rounds"), [(1, KILLS), (4, KILLS // 8)])
def test_of_writers_that_are_killed_at_any_moment_every_commit_that_was_told_of_is_there(
    tmp_path: Path, writers: int, rounds: int
) -> None:
    draw = random.Random(6)
    landed = 0
    for round_ in range(rounds):
        path = tmp_path / f"{round_}" / NAME
        path.parent.mkdir()
        path.write_bytes(BEFORE)
        told = killed(path, writers, draw)
        found = asked_in(path)
        where = f"round {round_}: told of {told}, found {found}"

        assert path.read_bytes().startswith(BEFORE), where
        assert len(found) == len(set(found)), where
        for writer, number in enumerate(told):
            own = [name for name in found if name.startswith(f"{writer} wrote")]
            assert own == [f"{writer} wrote {n}" for n in range(len(own))], where
            assert len(own) in {number, number + 1}, where
        assert len(files(path.parent)) <= 1 + writers, where
        landed += sum(told)
        with locked(path, timeout=0):
            assert list(files(path.parent)) == [NAME], where

    assert landed >= rounds * writers * 3 // 4
