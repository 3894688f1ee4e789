"""Files are the old ones or the new ones, and one writer at a time makes them."""

from __future__ import annotations

import errno
import gc
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from broken_disk import Disk, fails

from cassette_stream.exceptions import (
    CassetteError,
    CassetteLockError,
    CassetteNotFoundError,
    CassetteWriteError,
)
from cassette_stream.storage import locked, read, write

OLD, NEW = b"the old cassette\n", b"the new cassette, which is longer\n" * 50
needs_posix = pytest.mark.skipif(sys.platform == "win32", reason="modes and symlinks of POSIX")


def calls_of_a_write(folder: Path, before: bytes | None) -> list[str]:
    target = folder / "counted.yaml"
    if before is not None:
        target.write_bytes(before)
    with Disk() as disk:
        write(target, NEW)
    return disk.calls


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EACCES, errno.EROFS, errno.EXDEV])
@pytest.mark.parametrize("before", [OLD, None], ids=["replaced", "made"])
def test_a_write_that_fails_at_any_call_leaves_the_old_file_or_the_new_one(
    tmp_path: Path, before: bytes | None, code: int
) -> None:
    count = len(calls_of_a_write(tmp_path, before))
    assert count >= 8

    for number in range(1, count + 1):
        folder = tmp_path / f"{number}"
        folder.mkdir()
        target = folder / "cassette.yaml"
        if before is not None:
            target.write_bytes(before)
        with Disk(number, fails(code)) as disk:
            failed = failure_of(lambda target=target: write(target, NEW))

        left = {file.name: file.read_bytes() for file in folder.iterdir()}
        old = {} if before is None else {"cassette.yaml": before}
        assert left in (old, {"cassette.yaml": NEW}), disk.calls
        assert failed is not None or left == {"cassette.yaml": NEW}, disk.calls
        if "replace" not in disk.calls[: number - 1]:
            assert left == old or failed is None, disk.calls


def failure_of(call: Callable[[], None]) -> CassetteWriteError | None:
    try:
        call()
    except CassetteWriteError as error:
        return error
    return None


def test_a_folder_that_cannot_be_forced_to_the_disk_is_told_of(tmp_path: Path) -> None:
    calls = calls_of_a_write(tmp_path, None)
    number = len(calls) - calls[::-1].index("fsync")
    assert calls[number - 2 : number] == ["replace", "fsync"]

    with (
        Disk(number, fails(errno.EIO)),
        pytest.raises(CassetteWriteError, match="in place, but a power cut may undo that"),
    ):
        write(tmp_path / "cassette.yaml", NEW)
    assert read(tmp_path / "cassette.yaml") == NEW


def test_a_file_system_that_cannot_force_folders_is_good_enough(tmp_path: Path) -> None:
    calls = calls_of_a_write(tmp_path, None)
    number = len(calls) - calls[::-1].index("fsync")
    assert calls[number - 2 : number] == ["replace", "fsync"]

    with Disk(number, fails(errno.EINVAL)):
        write(tmp_path / "cassette.yaml", NEW)

    assert read(tmp_path / "cassette.yaml") == NEW


def test_short_writes_are_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: whole(fd, bytes(data)[:7]))

    write(tmp_path / "cassette.yaml", NEW)

    assert read(tmp_path / "cassette.yaml") == NEW


def test_what_reads_back_other_than_written_replaces_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "cassette.yaml"
    target.write_bytes(OLD)
    whole = os.write

    def rotten(fd: int, data: bytes) -> int:
        return whole(fd, b"\0" * len(data))

    monkeypatch.setattr(os, "write", rotten)
    with pytest.raises(CassetteWriteError, match="reads back other"):
        write(target, NEW)
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == {target.name: OLD}


@pytest.mark.parametrize(
    "error", [ValueError("not what was recorded"), OSError("its own"), KeyboardInterrupt()]
)
def test_what_the_check_raises_comes_through_and_replaces_nothing(
    tmp_path: Path, error: BaseException
) -> None:
    target = tmp_path / "cassette.yaml"
    target.write_bytes(OLD)

    def check(content: bytes) -> None:
        assert content == NEW
        raise error

    with pytest.raises(type(error)) as raised:
        write(target, NEW, check=check)
    assert raised.value is error
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == {target.name: OLD}


def test_a_check_that_is_content_lets_the_file_through(tmp_path: Path) -> None:
    seen: list[bytes] = []
    write(tmp_path / "cassette.yaml", NEW, check=seen.append)

    assert seen == [NEW]
    assert read(tmp_path / "cassette.yaml") == NEW


@needs_posix
@pytest.mark.parametrize("there", [True, False], ids=["file", "dangling"])
def test_a_symlink_stays_one_and_its_target_is_written(tmp_path: Path, *, there: bool) -> None:
    target = tmp_path / "elsewhere" / "real.yaml"
    if there:
        target.parent.mkdir()
        target.write_bytes(OLD)
    link = tmp_path / "link.yaml"
    link.symlink_to(target)

    write(link, NEW)

    assert link.is_symlink()
    assert target.read_bytes() == NEW


@needs_posix
def test_a_symlink_to_itself_is_an_error_and_stays(tmp_path: Path) -> None:
    link = tmp_path / "link.yaml"
    link.symlink_to(link)

    with pytest.raises(CassetteWriteError, match="symbolic links"):
        write(link, NEW)
    assert [file.name for file in tmp_path.iterdir()] == ["link.yaml"]


@needs_posix
def test_a_new_file_gets_the_mode_of_the_umask_and_an_old_one_keeps_its_own(tmp_path: Path) -> None:
    new, old = tmp_path / "new.yaml", tmp_path / "old.yaml"
    old.write_bytes(OLD)
    old.chmod(0o640)
    before = os.umask(0o027)
    try:
        write(new, NEW)
        write(old, NEW)
    finally:
        os.umask(before)

    assert new.stat().st_mode & 0o777 == 0o640 & ~0o027
    assert old.stat().st_mode & 0o777 == 0o640


@needs_posix
def test_a_write_protected_file_is_not_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "cassette.yaml"
    target.write_bytes(OLD)
    target.chmod(0o444)
    # Root may write anything, and tests may run as root.
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK)

    with pytest.raises(CassetteWriteError, match="write-protected"):
        write(target, NEW)
    assert target.read_bytes() == OLD


@needs_posix
def test_a_read_only_folder_is_an_error_with_its_reason(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may write into read-only folders; EACCES is injected above")
    folder = tmp_path / "locked"
    folder.mkdir(mode=0o500)

    with pytest.raises(CassetteWriteError, match="Permission denied"):
        write(folder / "cassette.yaml", NEW)
    assert list(folder.iterdir()) == []


@needs_posix
def test_only_regular_files_are_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)

    with pytest.raises(CassetteWriteError, match="no regular file"):
        write(pipe, NEW)
    with pytest.raises(CassetteWriteError, match="no regular file"):
        write(tmp_path, NEW)
    assert [file.name for file in tmp_path.iterdir()] == ["pipe"]


def test_folders_that_are_missing_are_made(tmp_path: Path) -> None:
    write(tmp_path / "a" / "b" / "cassette.yaml", NEW)

    assert read(tmp_path / "a" / "b" / "cassette.yaml") == NEW


def test_a_file_that_is_missing_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(CassetteNotFoundError, match=r"no cassette '.*gone.yaml'.*'once'"):
        read(tmp_path / "gone.yaml")


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (errno.EISDIR, "is a folder"),
        (errno.EACCES, "may not be read by this user"),
        (errno.EIO, "cannot be read"),
    ],
)
def test_a_file_that_cannot_be_read_is_an_error_with_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, words: str
) -> None:
    def broken(path: Path) -> bytes:
        raise OSError(code, os.strerror(code), str(path))

    monkeypatch.setattr(Path, "read_bytes", broken)
    with pytest.raises(CassetteError, match=words):
        read(tmp_path / "cassette.yaml")


# The lock.


def add_line(path: Path) -> None:
    with locked(path):
        write(path, read(path) + b"one more\n")


def test_eight_threads_lose_nothing_under_the_lock(tmp_path: Path) -> None:
    path = tmp_path / "cassette.yaml"
    path.write_bytes(b"")
    threads = [
        threading.Thread(target=lambda: [add_line(path) for _ in range(5)]) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert path.read_bytes() == b"one more\n" * 40


def test_four_processes_lose_nothing_under_the_lock(tmp_path: Path) -> None:
    path = tmp_path / "cassette.yaml"
    path.write_bytes(b"")
    program = (
        "import sys\n"
        "from cassette_stream.storage import locked, read, write\n"
        "for _ in range(5):\n"
        "    with locked(sys.argv[1]):\n"
        "        write(sys.argv[1], read(sys.argv[1]) + b'one more\\n')\n"
    )
    running = [subprocess.Popen([sys.executable, "-c", program, path]) for _ in range(4)]

    assert [process.wait(60) for process in running] == [0] * 4
    assert path.read_bytes() == b"one more\n" * 20


def test_a_lock_that_is_held_is_an_error_that_names_its_file(tmp_path: Path) -> None:
    path = tmp_path / "cassette.yaml"
    with (
        locked(path),
        pytest.raises(CassetteLockError, match=r"for 0.01 seconds: .*\.cassette\.yaml\.lock"),
        locked(path, timeout=0.01),
    ):
        pytest.fail("two hold one lock")


@needs_posix
def test_a_symlink_shares_the_lock_of_its_target(tmp_path: Path) -> None:
    link = tmp_path / "link.yaml"
    link.symlink_to(tmp_path / "cassette.yaml")
    with (
        locked(link),
        pytest.raises(CassetteLockError),
        locked(tmp_path / "cassette.yaml", timeout=0.01),
    ):
        pytest.fail("two hold one lock")


def test_what_dead_writers_left_goes_with_the_next_lock_and_nothing_else_does(
    tmp_path: Path,
) -> None:
    path = tmp_path / "a[1].yaml"
    left = [".a[1].yaml.0123abcd.tmp", ".a[1].yaml.ffffffff.tmp"]
    others = [
        *(".a1.yaml.0123abcd.tmp", ".a[1].yaml.x.0123abcd.tmp", "a[1].yaml.0123abcd.tmp"),
        *(".a[1].yaml.0123.tmp", ".a[1].yaml.12-34.part", "a[1].yaml"),
    ]
    for name in (*left, *others):
        (tmp_path / name).touch()

    with locked(path):
        assert sorted(file.name for file in tmp_path.iterdir()) == sorted(
            [*others, ".a[1].yaml.lock"]
        )


@needs_posix
def test_a_link_is_followed_as_the_system_follows_it(tmp_path: Path) -> None:
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / "folder").symlink_to(Path("deep", "er"))
    (tmp_path / "folder" / "one.yaml").symlink_to("../two.yaml")
    (tmp_path / "deep" / "two.yaml").symlink_to(tmp_path / "three.yaml")

    write(tmp_path / "folder" / "one.yaml", NEW)

    assert not (tmp_path / "three.yaml").is_symlink()
    assert (tmp_path / "three.yaml").read_bytes() == NEW
    assert (tmp_path / "deep" / "er" / "one.yaml").read_bytes() == NEW


@needs_posix
@pytest.mark.parametrize("worse", [False, True])
def test_a_lock_that_cannot_be_let_go_is_told_of_unless_there_is_worse(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, worse: bool
) -> None:
    fcntl = pytest.importorskip("fcntl")
    flock, unlocks = fcntl.flock, iter(range(10))

    def sticky(fd: int, operation: int) -> None:
        if operation == fcntl.LOCK_UN and next(unlocks) < 2:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        flock(fd, operation)

    def told() -> str:
        try:
            with locked(tmp_path / "cassette.yaml"):
                monkeypatch.setattr(fcntl, "flock", sticky)
                if worse:
                    raise ZeroDivisionError
        except (CassetteLockError, ZeroDivisionError) as error:
            return f"{type(error).__name__}: {error}"
        return "nothing"

    words = told()
    gc.collect()  # the lock library tries once more when nothing refers to the lock

    assert (words == "ZeroDivisionError: ") is worse
    assert ("cannot be unlocked: Input/output error" in words) is not worse
    with locked(tmp_path / "cassette.yaml", timeout=0):
        pass


def test_the_lock_is_free_again_after_an_error(tmp_path: Path) -> None:
    path = tmp_path / "new" / "cassette.yaml"
    with pytest.raises(ZeroDivisionError), locked(path):
        raise ZeroDivisionError

    with locked(path, timeout=0):
        assert (tmp_path / "new").is_dir()


def test_where_there_can_be_no_lock_the_error_says_so(tmp_path: Path) -> None:
    (tmp_path / ".cassette.yaml.lock").mkdir()

    with (
        pytest.raises(CassetteWriteError, match=r"Is a directory \(.*\.cassette\.yaml\.lock"),
        locked(tmp_path / "cassette.yaml"),
    ):
        pytest.fail("a folder is a lock")


@pytest.fixture(autouse=True)
def every_descriptor_is_closed() -> Iterator[None]:
    folder = Path("/proc/self/fd")
    if not folder.is_dir():
        yield
        return
    before = len(list(folder.iterdir()))
    yield

    assert len(list(folder.iterdir())) == before
