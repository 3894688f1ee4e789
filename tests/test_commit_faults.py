"""Whatever fails while a cassette is written, the file is the old one or the new one."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import httpx
import pytest
from broken_disk import Disk, Trouble, dies, fails, files, full, interrupts, short
from forks import ended, forked
from recordings import recording

from cassette_stream import use_cassette
from cassette_stream.cassette import Cassette, CassetteReader, dumps, loads
from cassette_stream.cassette.match import matchers
from cassette_stream.exceptions import CassetteError, CassetteLockError, CassetteWriteError
from cassette_stream.session.commit import commit
from cassette_stream.session.options import Mode
from cassette_stream.storage import locked

NAME = "cassette.yaml"
OLD = dumps(Cassette(interactions=(recording("one"), recording("two"))))
FRESH = (recording("three"), recording("four"))

needs_posix = pytest.mark.skipif(sys.platform == "win32", reason="forks, modes and symlinks")


@dataclass(frozen=True)
class Case:
    """A commit, of which the file is *old* before, in a folder that only a link leads to."""

    mode: Mode
    old: bytes | None
    linked: bool = False

    def laid(self, folder: Path) -> Path:
        """The path of the cassette, in *folder*, where everything is as it should be before."""
        home = folder / "home"
        home.mkdir(parents=True)
        if self.old is not None:
            (home / NAME).write_bytes(self.old)
        if not self.linked:
            return home / NAME
        (folder / "link.yaml").symlink_to(Path("home", NAME))
        return folder / "link.yaml"

    def run(self, path: Path) -> None:
        seen = None if self.old is None else CassetteReader(self.old, file=NAME)
        commit(path, FRESH, mode=self.mode, redactor=None, matchers=matchers(), seen=seen)

    def new(self, folder: Path) -> bytes:
        """What the file is after a commit to which nothing happens."""
        path = self.laid(folder / "clean")
        with Disk():
            self.run(path)
        return path.read_bytes()


CASES = {
    "made": Case(Mode.ONCE, None),
    "replaced": Case(Mode.REWRITE, OLD),
    "merged": Case(Mode.NEW_EPISODES, OLD),
    "merged by a link": Case(Mode.ALL, OLD, linked=True),
    "made by a link": Case(Mode.ONCE, None, linked=True),
}
CODES = (
    "EACCES",
    "EDQUOT",
    "EINTR",
    "EIO",
    "EMFILE",
    "ENOMEM",
    "ENOSPC",
    "EPERM",
    "EROFS",
    "EXDEV",
)

every_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


@pytest.fixture(autouse=True)
def every_descriptor_is_closed() -> Iterator[None]:
    folder = Path("/proc/self/fd")
    if not folder.is_dir():
        yield
        return
    before = len(list(folder.iterdir()))
    yield

    assert len(list(folder.iterdir())) == before


def calls_of(case: Case, folder: Path) -> list[str]:
    path = case.laid(folder)
    with Disk() as disk:
        case.run(path)
    return disk.calls


def failure_of(call: Callable[[], None], disk: Disk | None = None) -> BaseException | None:
    try:
        with disk or nullcontext():
            call()
    except (CassetteError, KeyboardInterrupt) as error:
        return error
    return None


def each_call_in_trouble(
    case: Case, folder: Path, trouble: Trouble, *, lasting: bool = False
) -> Iterator[tuple[Path, BaseException | None, str]]:
    """For each system call of the commit: where it was in trouble, what was raised, its name.

    Asserts what holds in all trouble: old or new, nothing left over, and as good as new.
    """
    new = case.new(folder)
    calls = calls_of(case, folder / "counted")
    for number, name in enumerate(calls, 1):
        path = case.laid(folder / f"{number}")
        before = path.is_symlink()
        error = failure_of(partial(case.run, path), Disk(number, trouble, lasting=lasting))
        where = f"call {number}, {name}, of {calls}"
        left = files(folder / f"{number}" / "home")

        assert left in ({NAME: new}, {} if case.old is None else {NAME: case.old}), where
        assert error is not None or left == {NAME: new}, where
        assert path.is_symlink() is before, where
        yield path, error, where
        with Disk():
            case.run(path)
        assert files(folder / f"{number}" / "home") == {NAME: new}, where


@needs_posix
@every_case
def test_what_takes_the_old_file_s_place_was_forced_to_the_disk_and_read_back_before(
    tmp_path: Path, case: Case
) -> None:
    calls = calls_of(case, tmp_path)
    at = calls.index("replace")
    there = [name for name in calls[calls.index("write") : at] if name != "close"]

    assert [*there, *calls[at : at + 2]] == [
        *("write", "fsync", "open to read", "read", "open"),
        *("replace", "fsync"),
    ]


@needs_posix
@pytest.mark.matrix(10)
@pytest.mark.parametrize("code", CODES)
@every_case
def test_a_commit_that_fails_at_any_call_leaves_the_old_file_or_the_new_one_and_nothing_else(
    tmp_path: Path, case: Case, code: str
) -> None:
    raised = 0
    for path, error, where in each_call_in_trouble(case, tmp_path, fails(getattr(errno, code))):
        if error is not None:
            raised += 1
            assert isinstance(error, CassetteWriteError | CassetteLockError), where
            assert str(path) in str(error), where

    assert raised >= 15


@needs_posix
@pytest.mark.matrix(3)
@every_case
def test_a_process_that_dies_at_any_call_leaves_the_old_file_or_the_new_one(
    tmp_path: Path, case: Case
) -> None:
    new = case.new(tmp_path)
    calls = calls_of(case, tmp_path / "counted")
    left_over = 0
    for number, name in enumerate(calls, 1):
        folder = tmp_path / f"{number}"
        path = case.laid(folder)
        end = ended([forked(partial(failure_of, partial(case.run, path), Disk(number, dies)))])
        where = f"call {number}, {name}, of {calls}"
        left = files(folder / "home")
        temps = [left.pop(name) for name in set(left) - {NAME}]

        assert end == [-signal.SIGKILL], where
        assert left in ({NAME: new}, {} if case.old is None else {NAME: case.old}), where
        assert len(temps) <= 1, where
        left_over += len(temps)
        with Disk():
            case.run(path)
        assert files(folder / "home") == {NAME: new}, where

    assert left_over >= 5


@needs_posix
@pytest.mark.matrix(3)
@every_case
def test_a_full_disk_leaves_the_old_file_or_the_new_one_and_nothing_else(
    tmp_path: Path, case: Case
) -> None:
    raised = [
        str(error)
        for _, error, _ in each_call_in_trouble(case, tmp_path, full, lasting=True)
        if error is not None
    ]

    assert len(raised) >= 30
    assert all("No space left on device" in words for words in raised)


@needs_posix
@pytest.mark.matrix(3)
@every_case
def test_an_interruption_at_any_call_comes_through_and_leaves_nothing(
    tmp_path: Path, case: Case
) -> None:
    for _, error, where in each_call_in_trouble(case, tmp_path, interrupts):
        assert isinstance(error, KeyboardInterrupt), where


@needs_posix
@every_case
def test_writes_that_fall_short_are_continued(tmp_path: Path, case: Case) -> None:
    new = case.new(tmp_path)
    path = case.laid(tmp_path / "short")
    with Disk(1, short, lasting=True) as disk:
        case.run(path)

    assert path.read_bytes() == new
    assert disk.calls.count("write") > 8


def test_an_error_of_the_test_is_not_masked_and_gets_a_note(tmp_path: Path) -> None:
    provider = httpx.MockTransport(lambda request: httpx.Response(200, content=b"data: 1\n\n"))

    def broken() -> None:
        with (
            ExitStack() as stack,
            use_cassette(tmp_path / NAME, mode="once") as session,
            httpx.Client(transport=session.transport(provider)) as client,
        ):
            client.get("https://api.test/")
            stack.enter_context(Disk(1, full, lasting=True))
            raise AssertionError("1 is not 2")

    with pytest.raises(AssertionError, match="1 is not 2") as raised:
        broken()

    [note] = raised.value.__notes__
    assert str(tmp_path / NAME) in note
    assert "No space left on device" in note
    # What was recorded can be recovered from its journal.
    assert {Path(name).suffix for name in files(tmp_path)} == {".part"}


# The same on a real file system.


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, of sixteen blocks."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    try:
        done = subprocess.run(mount, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("no small disk: there is no mount command; a full disk is a shim above")
    if done.returncode:
        pytest.skip(f"no small disk: {done.stderr.strip()}; a full disk is a shim above")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize("mode", [Mode.NEW_EPISODES, Mode.REWRITE])
def test_a_disk_that_is_really_full_keeps_the_old_file(small_disk: Path, mode: Mode) -> None:
    path, ballast = small_disk / NAME, small_disk / "ballast"
    block = os.statvfs(small_disk).f_bsize
    answers = tuple(recording("much", "x" * block * 3, moment=moment) for moment in range(2))
    old = CassetteReader(OLD, file=NAME)
    failed = written = 0
    for free in range(16):
        path.write_bytes(OLD)
        with locked(path):
            pass  # its file takes no block, but a place
        with ballast.open("wb", buffering=0) as file:
            left = os.statvfs(small_disk).f_bavail - free
            file.write(bytes(block * max(0, left)))
        error = failure_of(lambda: commit(path, answers, mode=mode, redactor=None, seen=old))
        if error is None:
            written += 1
            assert loads(path.read_bytes(), file=NAME).interactions[-2:] == answers
        else:
            failed += 1
            assert f"{str(path)!r} cannot be written: No space left on device" in str(error)
            assert path.read_bytes() == OLD
        assert sorted(files(small_disk)) == ["ballast", NAME]
        ballast.unlink()

    assert failed >= 5
    assert written >= 3


def test_a_file_system_that_may_not_be_written_keeps_the_old_file(small_disk: Path) -> None:
    path = small_disk / NAME
    path.write_bytes(OLD)
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)

    with pytest.raises(CassetteWriteError, match="Read-only file system") as raised:
        commit(path, FRESH, mode=Mode.REWRITE, redactor=None)
    assert str(path) in str(raised.value)
    assert {file.name: file.read_bytes() for file in small_disk.iterdir()} == {NAME: OLD}
