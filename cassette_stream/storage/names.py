"""File names for tests: safe on every system, readable, and never one name for two tests.

An id that is a safe name stays as it is. One in which anything must be replaced gets a
hash behind a tilde, which no safe name has, so that two ids never give one name. (Names
that differ in case only are one file on some systems; that is for the session to see.)
"""

from __future__ import annotations

import os
import re
import unicodedata
from hashlib import blake2b
from pathlib import Path, PurePosixPath, PureWindowsPath

from cassette_stream.storage.atomic import StrPath

__all__ = ("cassette_name", "inside")

_SUFFIX = ".yaml"
_LONGEST = 200
"""Bytes of a name; file systems take 255, and the lock beside it has a longer one."""

_UNSAFE = re.compile(r"[^\w.,=+@()\[\]-]+")
_RESERVED = re.compile(r"(?i)(?:con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(?:\.|$)")


def cassette_name(test_id: str) -> str:
    """The name of the cassette of the test *test_id*: one file name, with its suffix.

    ``TestChat::test_count[gpt-4o]`` gives ``TestChat.test_count[gpt-4o].yaml``.

    Raises:
        ValueError: *test_id* is empty.
    """
    if not test_id:
        raise ValueError("a test id is empty, so there is no name for its cassette")
    head, bracket, parameters = test_id.partition("[")
    stem = head.replace("::", ".") + bracket + parameters
    safe = _safe(stem)
    # A dot for "::" tells all that there is to tell only where no other dot was.
    if safe == stem and "." not in head:
        return safe + _SUFFIX
    digest = blake2b(test_id.encode("utf-8", "surrogatepass"), digest_size=5).hexdigest()
    tail = f"~{digest}{_SUFFIX}"
    return _cut(safe, _LONGEST - len(tail)) + tail


def _safe(stem: str) -> str:
    name = _UNSAFE.sub("-", unicodedata.normalize("NFC", stem))
    name = re.sub(r"^[.-]+", "_", name).rstrip(".")
    if _RESERVED.match(name):
        name = f"_{name}"
    return _cut(name, _LONGEST - len(_SUFFIX))


def _cut(name: str, size: int) -> str:
    return name.encode()[:size].decode("utf-8", "ignore")


def inside(folder: StrPath, name: str) -> Path:
    """The path of *name* in *folder*; subfolders are fine.

    Raises:
        ValueError: It is not inside, as it is written or where symlinks lead.
    """
    path = Path(folder, name)
    pure = (PurePosixPath(name), PureWindowsPath(name))
    if "\0" in name or any(each.anchor or ".." in each.parts for each in pure):
        raise ValueError(f"{name!r} is no name inside {os.fspath(folder)!r}: {_REMEDY}")
    home = Path(os.path.realpath(folder))
    real = Path(os.path.realpath(path))
    if real == home or not real.is_relative_to(home):
        raise ValueError(f"{name!r} leads out of {os.fspath(folder)!r}, to {real}: {_REMEDY}")
    return path


_REMEDY = "give a name below the folder, without '..', drive or root"
