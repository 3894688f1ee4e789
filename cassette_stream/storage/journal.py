"""What a session takes down, on the disk before its caller has it: records, one write each.

A file `.NAME.<pid>-<random>.part` beside the cassette, which its process keeps locked. It only
grows, by one unbuffered write a record, so a process that is killed loses no record that was
written: what the kernel has taken it keeps. (A power cut may take the last of them: nothing is
forced to the disk before the cassette is written.) A record begins with what it says of
itself, so a file that was cut off, by a kill or a full disk, is known from one that is damaged.
"""

from __future__ import annotations

import errno
import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from struct import Struct
from zlib import crc32

from cassette_stream.exceptions import CassetteError, CassetteWriteError
from cassette_stream.storage.atomic import StrPath, read, resolved

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

__all__ = ("Found", "Journal", "Kind", "Record", "claimed", "find_journals", "read_journal")

MAGIC = b"cassette-stream journal 1\n"
_HEAD, _SUM = Struct("<IBIdI"), Struct("<I")
_NAME = re.compile(r"\..+\.[0-9]+-[0-9a-f]+\.part")
_LONGEST = 200
"""Bytes of the cassette's name in a journal's; file systems take 255."""

_BINARY: int = getattr(os, "O_BINARY", 0)


class Kind(IntEnum):
    """What a record tells."""

    SESSION = 0
    REQUEST = 1
    HEAD = 2
    CHUNK = 3
    ENDING = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What was noted of interaction *number*, *at* a moment; *size* counts bytes of a chunk."""

    kind: Kind
    number: int
    at: float
    size: int = 0
    data: bytes = b""


class Journal:
    """The journal of a session, made now.

    Args:
        cassette: The cassette that it stands beside; folders that are missing are made.
        data: What is told of the session.

    Raises:
        CassetteWriteError: It cannot be made, so nor could the cassette.
    """

    def __init__(self, cassette: StrPath, data: bytes) -> None:
        self.pid = os.getpid()
        self.problem: CassetteWriteError | None = None
        self._cassette = os.fspath(cassette)
        self._lock = threading.Lock()
        self._size = 0
        self._fd = -1
        try:
            target = resolved(cassette)
            target.parent.mkdir(parents=True, exist_ok=True)
            name = target.name.encode()[:_LONGEST].decode("utf-8", "ignore")
            self.path = target.with_name(f".{name}.{self.pid}-{os.urandom(6).hex()}.part")
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | _BINARY
            self._fd = os.open(self.path, flags, 0o600)
        except OSError as error:
            raise self._failed(error) from error
        try:
            if fcntl is not None:
                with suppress(OSError):  # there is none on some network file systems
                    fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._write(MAGIC)
            self.add(Kind.SESSION, 0, 0.0, 0, data)
        except OSError as error:
            self.remove()
            raise self._failed(error) from error
        except CassetteWriteError:
            self.remove()
            raise

    def add(self, kind: Kind, number: int, at: float, size: int, data: bytes) -> None:
        """Write a record.

        Raises:
            CassetteWriteError: It could not be written; the file is as it was.
        """
        head = _HEAD.pack(len(data), kind, number, at, size)
        checksum = crc32(head)
        record = b"".join((head, _SUM.pack(checksum), data, _SUM.pack(crc32(data, checksum))))
        try:
            with self._lock:
                self._write(record)
        except OSError as error:
            raise self._failed(error) from error

    def _write(self, data: bytes) -> None:
        try:
            written = os.write(self._fd, data)
            while written < len(data):  # the disk is full, which the next one tells
                written += os.write(self._fd, data[written:])
        except OSError:
            # Or what comes next would stand behind half a record.
            os.ftruncate(self._fd, self._size)
            raise
        self._size += written

    def close(self) -> None:
        """Write no more, and leave the file to be recovered."""
        with self._lock:
            if self._fd >= 0:
                os.close(self._fd)
                self._fd = -1

    def remove(self) -> None:
        """Write no more, and take the file away, unless it is that of a parent process.

        Raises:
            CassetteWriteError: It cannot be removed.
        """
        self.close()
        if self.pid == os.getpid():
            try:
                self.path.unlink(missing_ok=True)
            except OSError as error:
                raise CassetteWriteError(
                    f"the journal {str(self.path)!r} cannot be removed: {error.strerror}"
                ) from error

    def _failed(self, error: OSError) -> CassetteWriteError:
        what = "is write-protected" if error.errno == errno.EROFS else error.strerror or str(error)
        return CassetteWriteError(
            f"{self._cassette!r} cannot be recorded: its journal beside it cannot be written "
            f"({what}); make room there, or keep cassettes in a folder where you may write"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a journal holds.

    Attributes:
        records: The records, in order.
        torn: How many bytes of a last record there are that is not whole.
        damage: What is wrong with it, and at which byte; what is behind cannot be read.
    """

    records: tuple[Record, ...]
    torn: int = 0
    damage: str | None = None


def read_journal(path: StrPath) -> Found:
    """What stands in the journal at *path*, as far as it can be read.

    Raises:
        CassetteError: It is no journal, or cannot be read.
    """
    data = read(path)
    if not data.startswith(MAGIC):
        if MAGIC.startswith(data):
            return Found(records=(), torn=len(data))
        raise CassetteError(f"{os.fspath(path)!r} is no journal of cassette-stream")
    records: list[Record] = []
    start = len(MAGIC)
    while start < len(data):
        begin = start + _HEAD.size + _SUM.size
        if begin > len(data):
            return Found(records=tuple(records), torn=len(data) - start)
        size, kind, number, at, chunk = _HEAD.unpack_from(data, start)
        checksum = crc32(data[start : start + _HEAD.size])
        if _SUM.unpack_from(data, begin - _SUM.size)[0] != checksum or kind not in set(Kind):
            return _damaged(path, records, start)
        end = begin + size
        if end + _SUM.size > len(data):
            return Found(records=tuple(records), torn=len(data) - start)
        if _SUM.unpack_from(data, end)[0] != crc32(data[begin:end], checksum):
            return _damaged(path, records, start)
        records.append(
            Record(kind=Kind(kind), number=number, at=at, size=chunk, data=data[begin:end])
        )
        start = end + _SUM.size
    return Found(records=tuple(records))


def _damaged(path: StrPath, records: list[Record], at: int) -> Found:
    damage = (
        f"{os.fspath(path)!r} is damaged at byte {at}, behind {len(records)} records: "
        "what stands there and behind cannot be read"
    )
    return Found(records=tuple(records), damage=damage)


def find_journals(path: StrPath) -> Iterator[Path]:
    """The journals at *path*: itself, those beside a cassette, or those below a folder."""
    target = resolved(path)
    if target.is_dir():
        for folder, folders, names in os.walk(target):
            folders.sort()
            yield from (Path(folder, it) for it in sorted(names) if _NAME.fullmatch(it))
        return
    if _NAME.fullmatch(target.name):
        yield target
        return
    name = target.name.encode()[:_LONGEST].decode("utf-8", "ignore")
    mine = re.compile(rf"\.{re.escape(name)}\.[0-9]+-[0-9a-f]+\.part")
    with suppress(FileNotFoundError):
        yield from sorted(it for it in target.parent.iterdir() if mine.fullmatch(it.name))


@contextmanager
def claimed(journal: Path) -> Iterator[bool]:
    """Hold the *journal*; False where its process still writes it, or somebody recovers it.

    Raises:
        CassetteError: It cannot be opened.
    """
    try:
        if fcntl is None:
            is_free = _is_closed(journal)
            fd = os.open(journal, os.O_RDONLY | _BINARY)
        else:
            fd = os.open(journal, os.O_RDONLY)
            is_free = _is_locked(fd)
    except OSError as error:
        raise CassetteError(f"{os.fspath(journal)!r} cannot be opened: {error.strerror}") from error
    try:
        yield is_free
    finally:
        os.close(fd)


def _is_locked(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_closed(journal: Path) -> bool:
    try:
        journal.rename(journal)  # Windows renames no file that is open
    except PermissionError:
        return False
    return True
