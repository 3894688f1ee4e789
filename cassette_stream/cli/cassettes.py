"""Which files a command means that takes cassettes and folders, and what is secret in them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from cassette_stream import storage
from cassette_stream.cassette import CassetteReader
from cassette_stream.cassette.redact import Redactor
from cassette_stream.exceptions import CassetteFormatError

__all__ = ("Leak", "cassettes", "leaks")

_BEGINNING = re.compile(rb"""\A(?:\xef\xbb\xbf)?(?:\s*|#.*\n|---.*\n)*["']?cassette["']?[ ]*:""")


def cassettes(paths: Sequence[Path]) -> Iterator[tuple[Path, bytes]]:
    """The files at *paths*, each once, with their bytes.

    Of a folder these are the YAML files that begin as cassettes do; hidden folders are left
    alone.

    Raises:
        CassetteError: A path does not exist or cannot be read.
    """
    for file in dict.fromkeys(file for path in paths for file in _files(path)):
        data = storage.read(file)
        if file in paths or _BEGINNING.match(data):
            yield file, data


def _files(path: Path) -> Iterator[Path]:
    if not path.is_dir():
        yield path
        return
    for folder, folders, names in os.walk(path):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if name.endswith((".yaml", ".yml")):
                yield Path(folder, name)


@dataclass(frozen=True, slots=True, order=True)
class Leak:
    """At this *line* and *column* stands a likely secret of this *kind*."""

    line: int
    column: int
    kind: str


def leaks(reader: CassetteReader, redactor: Redactor) -> list[Leak]:
    """What looks like a secret in the file of *reader*, or stands where one does, in order."""
    found: list[Leak] = []
    lines = 1
    for part, number in [(reader.header, None), *_documents(reader)]:
        places = _in_interaction(reader, number, redactor) if number is not None else {}
        for start, end, kind in redactor.scan(part):
            if not any(at is not None and at[0] < end and start < at[1] for at in places):
                places[start, end] = kind
        if len(places) > 1:
            places.pop(None, None)  # where it stands was found by another way
        for at, kind in places.items():
            found.append(_leak(part, at[0] if at else 0, lines, kind))
        lines += part.count(b"\n")
    return sorted(found)


def _documents(reader: CassetteReader) -> Iterator[tuple[bytes, int]]:
    for number in range(len(reader)):
        yield reader.document(number), number


def _in_interaction(
    reader: CassetteReader, number: int, redactor: Redactor
) -> dict[tuple[int, int] | None, str]:
    try:
        interaction = reader.interaction(number)
    except CassetteFormatError:
        return {}  # that it cannot be read is told as a problem of its own
    return {
        span: f"{replacement.kind}, {replacement.place}"
        for span, replacement in redactor.locate(interaction, reader.document(number))
    }


def _leak(part: bytes, at: int, first_line: int, kind: str) -> Leak:
    begin = part.rfind(b"\n", 0, at) + 1
    # Columns are characters.
    column = len(part[begin:at].decode(errors="replace")) + 1
    return Leak(first_line + part.count(b"\n", 0, at), column, kind)
