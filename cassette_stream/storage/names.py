"""File names for tests: safe on every system, readable, and never one name for two tests.

An id that is a safe name stays as it is. One in which anything must be replaced gets a
hash behind a tilde, which no safe name has, so that two ids never give one name. Names
that differ in case only are one file on some systems: `CassetteNames` sees that.
"""

from __future__ import annotations

import os
import re
import unicodedata
from hashlib import blake2b
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import NamedTuple

from cassette_stream.storage.atomic import StrPath

__all__ = ("CassetteNames", "cassette_name", "inside")

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


class _Taken(NamedTuple):
    test: str
    name: str
    spelled: str
    shared: bool


class CassetteNames:
    """The cassettes of one run of tests: no two tests get one file unless both name it.

    Two names are one file where some system takes them for one: Windows and macOS do not
    tell case apart, macOS does not tell the forms of an accented letter apart, and Windows
    drops dots and blanks from the end of a name.
    """

    def __init__(self) -> None:
        self._taken: dict[str, _Taken] = {}

    def claim(self, folder: StrPath, name: str, *, test: str, shared: bool = False) -> Path:
        """The path of *name* in *folder*, which is the cassette of *test* from here on.

        Args:
            folder: Where the cassette is.
            name: Its name below the folder.
            test: The id of the test, whole: other modules may have a test of that name.
            shared: The test names its cassette, and others may name the same.

        Raises:
            ValueError: *name* is not inside *folder*; or the file is that of another test,
                as it is spelled or as some system reads it.
        """
        path = inside(folder, name)
        spelled = os.path.realpath(path)
        there = self._taken.setdefault(_as_one(spelled), _Taken(test, name, spelled, shared))
        if there.spelled != spelled:
            raise ValueError(
                f"{test} would have the cassette {name!r} and {there.test} has {there.name!r}, "
                f"which are one file on some systems: {_RENAME}"
            )
        if there.test != test and not (there.shared and shared):
            raise ValueError(
                f"{test} would have the cassette {name!r}, which is that of {there.test}: {_RENAME}"
            )
        return path


_RENAME = "rename one of the tests, or name the cassette of one in its marker"


def _as_one(path: str) -> str:
    """The same for all paths that are one file on some system."""
    # Caseless matching as Unicode has it (D145): the form again, as folding may undo it.
    folded = unicodedata.normalize("NFD", path).casefold()
    parts = re.split(r"[/\\]", unicodedata.normalize("NFD", folded))
    return "/".join(part.rstrip(". ") for part in parts)
