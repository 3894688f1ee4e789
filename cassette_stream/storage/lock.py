"""One writer at a time for each cassette: threads, processes, and test workers.

The lock is a file beside the cassette and stays there: who removes it splits those that
wait over two files, and both go in. A process that dies lets go of it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cassette_stream.exceptions import CassetteLockError
from cassette_stream.storage.atomic import StrPath

__all__ = ("locked",)


@contextmanager
def locked(path: StrPath, *, timeout: float = 60.0) -> Iterator[None]:
    """Hold the lock of the cassette at *path*, which need not be there yet.

    Args:
        path: The cassette. Symlinks to one file share its lock.
        timeout: How many seconds to wait for another holder.

    Raises:
        CassetteLockError: Somebody held it all the time, perhaps this very thread, which
            cannot take it twice; or there can be no lock there.
    """
    import filelock  # noqa: PLC0415 - costs 70 ms, and only those who write need it

    target = Path(os.path.realpath(path))
    file = target.with_name(f".{target.name}.lock")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(file)
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
    try:
        yield
    finally:
        lock.release()
