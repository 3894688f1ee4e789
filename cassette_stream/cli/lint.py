"""`cassette-stream lint`: what is wrong with cassettes, and where.

All of a file is read, each interaction by itself, so one that is broken hides none of
the others; and all of it is searched for what looks like a secret.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import typer

from cassette_stream import storage
from cassette_stream.cassette import CassetteReader, refit
from cassette_stream.cassette.secrets import scan
from cassette_stream.cli.terminal import count
from cassette_stream.exceptions import CassetteFormatError

__all__ = ("run",)

_BEGINNING = re.compile(rb"""\A(?:\xef\xbb\xbf)?(?:\s*|#.*\n|---.*\n)*["']?cassette["']?[ ]*:""")


def run(paths: Sequence[Path], *, fix: bool) -> bool:
    """Print what is wrong with the cassettes at *paths*, and tell whether anything is.

    Raises:
        CassetteError: A path does not exist or cannot be read; or, with *fix*, written.
    """
    cassettes = problems = 0
    for file in dict.fromkeys(file for path in paths for file in _files(path)):
        data = storage.read(file)
        if not (file in paths or _BEGINNING.match(data)):
            continue
        cassettes += 1
        if fix:
            with storage.locked(file):
                data = _fixed(file, storage.read(file))
        for problem in _problems(file, data):
            typer.echo(problem)
            problems += 1
    typer.echo(f"{count(cassettes, 'cassette')}, {count(problems, 'problem')}", err=True)
    return problems > 0


def _files(path: Path) -> Iterator[Path]:
    """*path*, or the YAML files in it if it is a folder; hidden folders are left alone."""
    if not path.is_dir():
        yield path
        return
    for folder, folders, names in os.walk(path):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if name.endswith((".yaml", ".yml")):
                yield Path(folder, name)


def _problems(file: Path, data: bytes) -> Iterator[str]:
    try:
        reader = CassetteReader(data, file=str(file))
    except CassetteFormatError as error:
        yield str(error)
    else:
        for number in range(len(reader)):
            try:
                reader.interaction(number)
            except CassetteFormatError as error:
                yield str(error)
    for finding in scan(data):
        line = data.count(b"\n", 0, finding.start) + 1
        column = finding.start - data.rfind(b"\n", 0, finding.start)
        yield (
            f"{file}:{line}:{column}: this looks like a secret ({finding.kind}): "
            "withdraw it, and record again or replace it by hand"
        )


def _fixed(file: Path, data: bytes) -> bytes:
    """*data* with frames that fit, written to *file* if that changed it.

    What is wrong in other ways is left alone, for `_problems` to tell.
    """
    try:
        fixed = refit(data, file=str(file))
    except CassetteFormatError:
        return data
    if fixed != data:
        storage.write(file, fixed)
        typer.echo(f"{file}: frames mended", err=True)
    return fixed
