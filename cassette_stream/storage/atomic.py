"""Whole files, read and replaced.

Whatever happens while one is written (a full disk, a kill, a power cut), a file is the old
one or the new one. The new one is written beside it, forced to the disk and read back
before it takes the old one's place. What a writer that died has left beside a file is
known by its name, `.NAME.<random>.tmp`, and goes when the file is next locked.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeAlias

from cassette_stream.exceptions import CassetteError, CassetteNotFoundError, CassetteWriteError

__all__ = ("StrPath", "read", "remove_leftovers", "resolved", "write")

StrPath: TypeAlias = str | os.PathLike[str]

# Windows tells text from binary and opens no folders.
_BINARY: int = getattr(os, "O_BINARY", 0)
_FOLDER: int | None = getattr(os, "O_DIRECTORY", None)

_LINKS = 40
"""How many symlinks may lead from one to the next; the limit that Linux has."""


def read(path: StrPath) -> bytes:
    """The bytes of the file at *path*.

    Raises:
        CassetteNotFoundError: There is no such file.
        CassetteError: It cannot be read; the message says why.
    """
    try:
        return Path(path).read_bytes()
    except FileNotFoundError:
        raise CassetteNotFoundError(
            f"there is no cassette {os.fspath(path)!r}: record one with the mode 'once'"
        ) from None
    except IsADirectoryError:
        raise CassetteError(
            f"{os.fspath(path)!r} is a folder: give the cassette in it by its name"
        ) from None
    except PermissionError as error:
        raise CassetteError(
            f"{os.fspath(path)!r} may not be read by this user: change its mode or its owner"
        ) from error
    except OSError as error:
        raise CassetteError(f"{os.fspath(path)!r} cannot be read: {error.strerror}") from error


def write(path: StrPath, data: bytes, *, check: Callable[[bytes], None] | None = None) -> None:
    """Make *data* the content of the file at *path*, all of it or nothing.

    Folders that are missing are made, a symlink is followed, and a file keeps its mode.

    Args:
        path: The file.
        data: What will be in it.
        check: Gets the bytes as they were read back, before they replace anything. What it
            raises comes through, and the file stays as it was.

    Raises:
        CassetteWriteError: It cannot be written, and is as it was; or, which the message
            then says, it was, and the disk may not know it yet.
    """
    with _reported(path):
        target = resolved(path)
        temp = _written_beside(target, data)
    try:
        with _reported(path):
            content = temp.read_bytes()
        if content != data:
            raise CassetteWriteError(f"{os.fspath(path)!r} reads back other than it was written")
        if check is not None:
            check(content)
        with _reported(path):
            _replace(temp, target)
    except BaseException:
        _remove(temp)
        raise


def resolved(path: StrPath) -> Path:
    """Where the file at *path* is, which may be a symlink: what is replaced must not be one.

    Raises:
        OSError: Symlinks lead in a circle, or cannot be read. (`os.path.realpath` takes a
            symlink that it cannot read for a file.)
    """
    target = Path(path).absolute()
    for _ in range(_LINKS):
        try:
            link = target.readlink()
        except OSError as error:
            if error.errno in {errno.EINVAL, errno.ENOENT}:
                return target  # no symlink, or nothing at all
            raise
        # Folders on the way are left to the system, for which `..` behind a symlink is
        # another folder than it seems.
        target = target.parent / link
    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))


def remove_leftovers(target: Path) -> None:
    """Remove what writers of *target* that died left beside it; nobody must be writing it."""
    name = re.compile(rf"\.{re.escape(target.name)}\.[0-9a-f]{{8}}\.tmp")
    # They are in nobody's way, so it is no error if they stay.
    with suppress(OSError), os.scandir(target.parent) as files:
        for file in files:
            if name.fullmatch(file.name):
                _remove(Path(file.path))


@contextmanager
def _reported(path: StrPath) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise CassetteWriteError(f"{os.fspath(path)!r} cannot be written: {reason}") from error


def _written_beside(target: Path, data: bytes) -> Path:
    target.parent.mkdir(parents=True, exist_ok=True)
    mode = _mode(target)
    temp = target.with_name(f".{target.name}.{os.urandom(4).hex()}.tmp")
    # The umask applies, as it does to any new file.
    fd = os.open(temp, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BINARY, 0o666)
    try:
        try:
            if mode is not None:
                temp.chmod(mode)
            left = memoryview(data)
            while left:
                left = left[os.write(fd, left) :]
            os.fsync(fd)
        finally:
            os.close(fd)
    except BaseException:
        _remove(temp)
        raise
    return temp


def _mode(target: Path) -> int | None:
    """The mode of the file that will be replaced, if there is one and it may be."""
    try:
        mode = target.stat().st_mode
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "it is no regular file")
    if not os.access(target, os.W_OK):
        # A rename would get around that, and somebody meant it.
        raise OSError(errno.EACCES, "it is write-protected")
    return stat.S_IMODE(mode)


def _replace(temp: Path, target: Path) -> None:
    if _FOLDER is None:
        temp.replace(target)
        return
    # Opened first: what can fail, fails while the old file still stands.
    folder = os.open(target.parent, os.O_RDONLY | _FOLDER)
    try:
        temp.replace(target)
        _sync_folder(folder)
    finally:
        # Nothing was written by way of it.
        with suppress(OSError):
            os.close(folder)


def _sync_folder(folder: int) -> None:
    try:
        os.fsync(folder)
    except OSError as error:
        if error.errno in {errno.EINVAL, errno.ENOTSUP}:
            return  # a file system that has no such thing
        reason = f"it is in place, but a power cut may undo that: {error.strerror}"
        raise OSError(error.errno, reason) from error


def _remove(temp: Path) -> None:
    # What went wrong before is what the caller must hear of, not that this did too.
    with suppress(OSError):
        temp.unlink()
