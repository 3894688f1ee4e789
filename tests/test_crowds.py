"""Many writers of one cassette lose nothing, and do not write one thing many times."""

from __future__ import annotations

import asyncio
import errno
import multiprocessing
import os
import signal
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from itertools import permutations
from pathlib import Path

import httpx
import pytest
from broken_disk import files
from forks import ended, forked, needs_forks
from hypothesis import given
from hypothesis import strategies as st
from recordings import recording
from support import SOAK

from cassette_stream import read_cassette, use_cassette
from cassette_stream.cassette import (
    Cassette,
    CassetteReader,
    Interaction,
    dump_interaction,
    dumps,
    loads,
)
from cassette_stream.cassette.match import matchers
from cassette_stream.exceptions import CassetteFormatError, CassetteLockError
from cassette_stream.session.commit import commit
from cassette_stream.session.options import Mode
from cassette_stream.session.others import not_there
from cassette_stream.storage import locked

URL = "https://api.test/v1/chat"
PROVIDER = httpx.MockTransport(lambda asked: httpx.Response(200, content=b"of " + asked.content))


# What is kept of the same.


def counted(interactions: Sequence[Interaction]) -> Counter[bytes]:
    return Counter(interaction.request.body for interaction in interactions)


def asked_of(letters: str, moment: int) -> tuple[Interaction, ...]:
    return tuple(recording(letter, moment=moment + n) for n, letter in enumerate(letters))


@given(
    start=st.text("abc", max_size=4),
    sessions=st.lists(st.text("abc", max_size=4), min_size=1, max_size=4),
)
def test_of_each_interaction_there_is_what_was_read_and_what_the_busiest_session_recorded(
    start: str, sessions: list[str]
) -> None:
    before = dumps(Cassette(interactions=asked_of(start, 0)))
    seen = CassetteReader(before, file="c")
    data = before
    for number, letters in enumerate(sessions, 1):
        recorded = asked_of(letters, 1000 * number)
        documents = [dump_interaction(interaction) for interaction in recorded]
        kept = CassetteReader(data, file="c")
        data += b"".join(not_there(recorded, documents, kept, seen))

    expected = counted(asked_of(start, 0))
    busiest: Counter[bytes] = Counter()
    for letters in sessions:
        busiest |= counted(asked_of(letters, 0))
    assert data.startswith(before)
    assert counted(loads(data, file="c").interactions) == expected + busiest


@pytest.mark.parametrize(
    ("ours", "copies"),
    [
        (recording("a"), 1),
        (recording("a", moment=3), 1),
        (recording("b"), 2),
        (recording("a", "another answer"), 2),
    ],
    ids=["the same", "the same at another time", "another request", "another answer"],
)
def test_only_what_differs_but_in_time_is_written_beside_what_others_added(
    tmp_path: Path, ours: Interaction, copies: int
) -> None:
    path = tmp_path / "cassette.yaml"
    commit(path, [recording("a")], mode=Mode.ONCE, redactor=None)
    commit(path, [ours], mode=Mode.ONCE, redactor=None)

    assert len(read_cassette(path).interactions) == copies


def test_what_was_there_before_does_not_count_against_what_is_recorded(tmp_path: Path) -> None:
    path = tmp_path / "cassette.yaml"
    commit(path, [recording("a")], mode=Mode.ONCE, redactor=None)
    seen = CassetteReader(path.read_bytes(), file="c")
    commit(path, [recording("a", moment=1)], mode=Mode.NEW_EPISODES, redactor=None, seen=seen)

    assert len(read_cassette(path).interactions) == 2


DAMAGED = dumps(Cassette(interactions=(recording("a"),))).replace(b"status: 200", b"status: no")


@pytest.mark.parametrize("mode", [Mode.ONCE, Mode.NEW_EPISODES])
def test_what_others_have_damaged_stays_as_it_is_and_counts_for_nothing(
    tmp_path: Path, mode: Mode
) -> None:
    path = tmp_path / "cassette.yaml"
    path.write_bytes(DAMAGED)
    commit(path, [recording("a"), recording("b")], mode=mode, redactor=None)

    ours = dump_interaction(recording("a")) + dump_interaction(recording("b"))
    assert path.read_bytes() == DAMAGED + ours


@pytest.mark.parametrize("mode", [Mode.ALL, Mode.REWRITE])
def test_over_what_others_have_damaged_nothing_is_written(tmp_path: Path, mode: Mode) -> None:
    path = tmp_path / "cassette.yaml"
    path.write_bytes(DAMAGED)

    with pytest.raises(CassetteFormatError, match=r"cassette\.yaml:14:11: 'status' is 'no'"):
        commit(path, [recording("b")], mode=mode, redactor=None)
    assert files(tmp_path) == {path.name: DAMAGED}


@pytest.mark.parametrize("order", [*permutations(range(3))])
def test_in_the_mode_all_the_last_one_wins_where_they_asked_the_same_and_nothing_else_is_lost(
    tmp_path: Path, order: Sequence[int]
) -> None:
    path = tmp_path / "cassette.yaml"
    commit(path, [recording("old")], mode=Mode.ONCE, redactor=None)
    for one in order:
        ours = [recording("shared", f"{one}"), recording(f"only {one}")]
        commit(path, ours, mode=Mode.ALL, redactor=None, matchers=matchers())

    kept = read_cassette(path).interactions
    assert counted(kept) == counted(
        [recording(name) for name in ("old", "shared", *(f"only {one}" for one in order))]
    )
    assert recording("shared", f"{order[-1]}") in kept


# Crowds.


def record(path: Path, mode: str, names: Sequence[str], meet: Callable[[], object]) -> None:
    """A session that records an answer for each of *names*, and meets the others before."""
    with (
        use_cassette(path, mode=mode) as session,
        httpx.Client(transport=session.transport(PROVIDER)) as client,
    ):
        meet()
        for name in names:
            client.post(URL, json={"ask": name})


def names_in(path: Path) -> list[str]:
    """What was asked for in the cassette, of which every answer must be the right one."""
    interactions = read_cassette(path).interactions
    for interaction in interactions:
        assert interaction.response is not None
        assert interaction.response.body == b"of " + interaction.request.body
    return sorted(interaction.request.body.decode().split('"')[3] for interaction in interactions)


def names_of(one: int) -> list[str]:
    return [f"{one} asks {each}" for each in range(5)]


def all_names(crowd: int) -> list[str]:
    return sorted(name for one in range(crowd) for name in names_of(one))


@needs_forks
@pytest.mark.matrix(3)
@pytest.mark.parametrize("mode", ["once", "new_episodes", "all"])
def test_a_crowd_of_processes_that_all_found_no_file_keeps_everything(
    tmp_path: Path, mode: str
) -> None:
    path, crowd = tmp_path / "cassette.yaml", 100 if SOAK else 16
    meet = multiprocessing.get_context("fork").Barrier(crowd).wait
    children = [forked(partial(record, path, mode, names_of(one), meet)) for one in range(crowd)]

    assert ended(children) == [0] * crowd
    assert names_in(path) == all_names(crowd)
    assert list(files(tmp_path)) == [path.name]


@needs_forks
def test_a_crowd_of_processes_that_record_one_thing_at_a_time_keeps_everything(
    tmp_path: Path,
) -> None:
    path, crowd = tmp_path / "cassette.yaml", 100 if SOAK else 6

    def five_times(one: int) -> None:
        for name in names_of(one):
            record(path, "new_episodes", [name], lambda: None)

    children = [forked(partial(five_times, one)) for one in range(crowd)]

    assert ended(children) == [0] * crowd
    assert names_in(path) == all_names(crowd)


@needs_forks
@pytest.mark.matrix(3)
@pytest.mark.parametrize("mode", ["once", "new_episodes", "all"])
def test_a_crowd_of_processes_that_record_the_same_write_it_once(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "cassette.yaml"
    meet = multiprocessing.get_context("fork").Barrier(8).wait
    same = ["first", "twice", "twice", "last"]
    children = [forked(partial(record, path, mode, same, meet)) for _ in range(8)]

    assert ended(children) == [0] * 8
    assert names_in(path) == sorted(same)


@needs_forks
def test_a_crowd_that_rewrites_leaves_the_recording_of_one_of_them(tmp_path: Path) -> None:
    path = tmp_path / "cassette.yaml"
    meet = multiprocessing.get_context("fork").Barrier(4).wait
    children = [forked(partial(record, path, "rewrite", names_of(one), meet)) for one in range(4)]

    assert ended(children) == [0] * 4
    assert names_in(path) in [names_of(one) for one in range(4)]


@pytest.mark.matrix(3)
@pytest.mark.parametrize("mode", ["once", "new_episodes", "all"])
def test_a_crowd_of_threads_keeps_everything(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "cassette.yaml"
    meet = threading.Barrier(16).wait
    threads = [
        threading.Thread(target=record, args=(path, mode, names_of(one), meet)) for one in range(16)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert names_in(path) == all_names(16)


@pytest.mark.matrix(3)
@pytest.mark.parametrize("mode", ["once", "new_episodes", "all"])
def test_a_crowd_of_tasks_keeps_everything(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "cassette.yaml"

    async def arecord(names: Sequence[str], meet: asyncio.Barrier) -> None:
        with use_cassette(path, mode=mode) as session:
            async with httpx.AsyncClient(transport=session.async_transport(PROVIDER)) as client:
                await meet.wait()
                for name in names:
                    await client.post(URL, json={"ask": name})

    async def crowd() -> None:
        meet = asyncio.Barrier(16)
        async with asyncio.TaskGroup() as tasks:
            for one in range(16):
                tasks.create_task(arecord(names_of(one), meet))

    asyncio.run(crowd())

    assert names_in(path) == all_names(16)


WORKERS = """
import httpx
import pytest

PROVIDER = httpx.MockTransport(lambda asked: httpx.Response(200, content=b"of " + asked.content))


@pytest.mark.cassette("shared", mode="new_episodes")
@pytest.mark.parametrize("one", range({crowd}))
def test_record(one):
    with httpx.Client(transport=PROVIDER) as client:
        for each in range(5):
            client.post("https://api.test/v1/chat", json={{"ask": f"{{one}} asks {{each}}"}})
"""


def test_workers_of_xdist_that_share_a_cassette_keep_everything(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    workers, crowd = (8, 100) if SOAK else (2, 16)
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # they load slowly, in each worker
    alone = ("-W", "error", "-p", "no:cacheprovider", "-p", "pytest_cassette_stream")
    module = pytester.makepyfile(test_workers=WORKERS.format(crowd=crowd))
    ran = pytester.runpytest_subprocess(*alone, "-p", "xdist", "-n", f"{workers}")
    ran.assert_outcomes(passed=crowd)

    assert names_in(pytester.path / "cassettes" / "shared.yaml") == all_names(crowd)
    module.write_text(module.read_text().replace("asked.content)", "1 / 0)"))
    pytester.runpytest(*alone, "--cassette-mode=none").assert_outcomes(passed=crowd)


# Locks.


@needs_forks
def test_the_lock_of_a_process_that_was_killed_is_free(tmp_path: Path) -> None:
    path = tmp_path / "cassette.yaml"
    here, there = os.pipe()

    def hold() -> None:
        with locked(path):
            os.write(there, b"held")
            signal.pause()

    child = forked(hold)
    os.close(there)
    assert os.read(here, 4) == b"held"
    with pytest.raises(CassetteLockError), locked(path, timeout=0):
        pytest.fail("two hold one lock")
    os.kill(child, signal.SIGKILL)

    assert ended([child]) == [-signal.SIGKILL]
    with locked(path, timeout=0):
        os.close(here)


@needs_forks
def test_a_lock_file_that_a_process_left_behind_is_no_lock(tmp_path: Path) -> None:
    path = tmp_path / "cassette.yaml"
    (tmp_path / ".cassette.yaml.lock").write_text("1\nsomewhere\n")

    with locked(path, timeout=0):
        pass


@needs_forks
@pytest.mark.parametrize("code", ["ENOLCK", "ENOSYS", "EOPNOTSUPP"])
def test_where_files_cannot_be_locked_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    fcntl = pytest.importorskip("fcntl")

    def unlockable(fd: int, operation: int) -> None:
        raise OSError(getattr(errno, code), os.strerror(getattr(errno, code)))

    monkeypatch.setattr(fcntl, "flock", unlockable)
    path = tmp_path / "cassette.yaml"

    with pytest.raises(CassetteLockError, match="cannot be locked with .* files can be locked"):
        commit(path, [recording("a")], mode=Mode.ONCE, redactor=None)
    assert files(tmp_path) == {}
