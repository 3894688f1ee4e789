"""One writer at a time for each cassette: threads, processes, and test workers.

The lock is a file beside the cassette and stays there: who removes it splits those that
wait over two files, and both go in. It is held by the system's own lock on that file, so
a process that dies lets go of it, and where the system has none there is an error.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from cassette_stream.exceptions import CassetteLockError, CassetteWriteError
from cassette_stream.storage.atomic import StrPath, remove_leftovers, resolved

if TYPE_CHECKING:
    from filelock import BaseFileLock

__all__ = ("locked",)


@contextmanager
def locked(path: StrPath, *, timeout: float = 120.0) -> Iterator[None]:
    """Hold the lock of the cassette at *path*, which need not be there yet.

    What a writer that died left beside the cassette is gone then.

    Args:
        path: The cassette. Symlinks to one file share its lock.
        timeout: How many seconds to wait for other holders, of which there may be a crowd; a
            recording that is given up cannot be had again.

    Raises:
        CassetteWriteError: The folder or the file of the lock cannot be made or opened, so
            nor can the cassette.
        CassetteLockError: Somebody held it all the time, perhaps this very thread, which
            cannot take it twice; or there can be no lock there.
    """
    target, file = _made(path)
    lock = _taken(path, file, timeout)
    try:
        remove_leftovers(target)
        yield
    except BaseException:
        # What went wrong before is what the caller must hear of, not that this did too.
        with suppress(OSError):
            _let_go(lock)
        raise
    try:
        _let_go(lock)
    except OSError as error:
        raise CassetteLockError(
            f"{os.fspath(path)!r} stays locked as long as this process lives: "
            f"{os.fspath(file)!r} cannot be unlocked: {error.strerror}"
        ) from error


def _made(path: StrPath) -> tuple[Path, Path]:
    """Where the cassette is, and the file of its lock, which is there then."""
    try:
        target = resolved(path)
        file = target.parent / f".{target.name}.lock"
        target.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(file, os.O_RDWR | os.O_CREAT, 0o666))
    except OSError as error:
        # The folder or the lock, where it is not the cassette.
        culprit = f" ({os.fspath(error.filename)!r})" if error.filename else ""
        reason = error.strerror or str(error)
        raise CassetteWriteError(
            f"{os.fspath(path)!r} cannot be written: {reason}{culprit}"
        ) from error
    return target, file


def _taken(path: StrPath, file: Path, timeout: float) -> BaseFileLock:
    import filelock  # noqa: PLC0415 - costs 70 ms, and only those who write need it

    # A file that must stay cannot stand for a lock by being there, which is how the library
    # would do without the system's.
    lock = filelock.FileLock(file, preserve_lock_file=True)
    try:
        lock.acquire(timeout=timeout)
    except filelock.Timeout:
        raise CassetteLockError(
            f"{os.fspath(path)!r} was locked for {timeout:g} seconds: "
            f"see who holds {os.fspath(file)!r}, or wait longer"
        ) from None
    except (OSError, NotImplementedError) as error:
        raise CassetteLockError(
            f"{os.fspath(path)!r} cannot be locked with {os.fspath(file)!r}: {error}; "
            "keep cassettes where you may write and files can be locked"
        ) from error
    return lock


def _let_go(lock: BaseFileLock) -> None:
    try:
        lock.release()
    except OSError:
        lock.release()  # an unlock that fails may be tried again
