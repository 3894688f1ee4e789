"""A disk on which one system call goes wrong: it fails, falls short, or kills its process.

Calls are counted where Python makes them, in the thread that entered the disk. A write
that goes wrong has written half, and a close that fails has closed. Nothing is forced to
the real disk, since no test cuts the power.
"""

from __future__ import annotations

import errno
import io
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import pytest

try:
    import fcntl
except ImportError:  # no POSIX
    fcntl = None  # type: ignore[assignment]

__all__ = ("Disk", "Trouble", "dies", "fails", "files", "full", "interrupts", "short")

CALLS = (
    *("access", "chmod", "close", "fchmod", "fstat", "fsync", "link", "listdir", "lstat"),
    *("mkdir", "open", "read", "readlink", "remove", "rename", "replace", "rmdir", "scandir"),
    *("stat", "unlink", "write"),
)
"""Of `os`; besides, `fcntl.flock` and what opens and reads files for pathlib."""

Trouble = Callable[[str], None]
"""What happens in place of a call, which it gets by name; most often it raises."""


def fails(code: int) -> Trouble:
    def trouble(name: str) -> None:
        raise OSError(code, os.strerror(code))

    return trouble


def full(name: str) -> None:
    """From this call on there is no room on the disk; what needs none goes on."""
    if name in {"fsync", "mkdir", "open", "write"}:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def dies(name: str) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def interrupts(name: str) -> None:
    raise KeyboardInterrupt


def short(name: str) -> None:
    """A write takes half and says so; other calls do what they should."""


class Disk:
    """The disk while the block runs; its call *number*, counted from 1, is in *trouble*.

    With *lasting*, so are all later ones.
    """

    def __init__(self, number: int = 0, trouble: Trouble = short, *, lasting: bool = False) -> None:
        self.calls: list[str] = []
        self._number = number
        self._trouble = trouble
        self._lasting = lasting
        self._patch = pytest.MonkeyPatch()

    def __enter__(self) -> Self:
        self._thread = threading.get_ident()
        self._patch.setattr(os, "fsync", lambda fd: None)
        for name in CALLS:
            if hasattr(os, name):
                self._patch.setattr(os, name, self._counted(name, getattr(os, name)))
        if fcntl is not None:
            self._patch.setattr(fcntl, "flock", self._counted("flock", fcntl.flock))
        self._patch.setattr(io, "open", self._opened(io.open))
        return self

    def __exit__(self, *_: object) -> None:
        self._patch.undo()

    def _counted(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*args: Any, **options: Any) -> Any:
            if threading.get_ident() != self._thread or not self._strikes(name):
                return call(*args, **options)
            if name == "close":
                call(*args)
                return self._trouble(name)
            if name == "write":
                fd, data = args
                count = call(fd, bytes(data)[: (len(data) + 1) // 2])
                self._trouble(name)
                return count
            self._trouble(name)
            return call(*args, **options)

        return counted

    def _opened(self, call: Callable[..., Any]) -> Callable[..., Any]:
        disk = self

        class Raw(io.FileIO):
            def readall(self) -> bytes:
                if disk._strikes("read"):
                    disk._trouble("read")
                return super().readall()

        def opened(file: Any, mode: str = "r", *args: Any, **options: Any) -> Any:
            if threading.get_ident() != self._thread or mode != "rb":
                return call(file, mode, *args, **options)
            if self._strikes("open to read"):
                self._trouble("open to read")
            return io.BufferedReader(Raw(file))

        return opened

    def _strikes(self, name: str) -> bool:
        self.calls.append(name)
        number = len(self.calls)
        return number == self._number or (self._lasting and 0 < self._number < number)


def files(folder: Path) -> dict[str, bytes]:
    """The files in *folder* by name, but for locks."""
    found = (file for file in folder.iterdir() if file.is_file() and file.suffix != ".lock")
    return {file.name: file.read_bytes() for file in found}
