"""`cassette-stream lint`: what is wrong with cassettes, and where.

All of a file is read, each interaction by itself, so one that is broken hides none of
the others; and all of it is searched for likely secrets, by their looks and by their places.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import typer

from cassette_stream import storage
from cassette_stream.cassette import CassetteReader, refit
from cassette_stream.cassette.known import secret_variables
from cassette_stream.cassette.redact import Redactor
from cassette_stream.cli.cassettes import cassettes, leaks
from cassette_stream.cli.terminal import count
from cassette_stream.exceptions import CassetteFormatError

__all__ = ("run",)


def run(paths: Sequence[Path], *, fix: bool) -> bool:
    """Print what is wrong with the cassettes at *paths*, and tell whether anything is.

    Raises:
        CassetteError: A path does not exist or cannot be read; or, with *fix*, written.
    """
    redactor = Redactor().knowing(secret_variables(os.environ))
    files = problems = 0
    for file, found in cassettes(paths):
        files += 1
        data = found
        if fix:
            with storage.locked(file):
                data = _fixed(file, storage.read(file))
        for problem in _problems(file, data, redactor):
            typer.echo(problem)
            problems += 1
    typer.echo(f"{count(files, 'cassette')}, {count(problems, 'problem')}", err=True)
    return problems > 0


def _problems(file: Path, data: bytes, redactor: Redactor) -> Iterator[str]:
    if b"\r\n" in data and data.count(b"\r\n") == data.count(b"\n"):
        column = data.index(b"\r") + 1
        yield (
            f"{file}:1:{column}: every line end is CRLF, as git has it with "
            "core.autocrlf: put the line '*.yaml -text' into .gitattributes and check the file "
            "out anew, or run cassette-stream lint --fix"
        )
    try:
        reader = CassetteReader(data, file=str(file))
    except CassetteFormatError as error:
        yield str(error)
        yield from _in_bytes(file, data, redactor)
        return
    for number in range(len(reader)):
        try:
            reader.interaction(number)
        except CassetteFormatError as error:
            yield str(error)
    for leak in leaks(reader, redactor):
        yield _leaked(file, leak.line, leak.column, leak.kind)


def _in_bytes(file: Path, data: bytes, redactor: Redactor) -> Iterator[str]:
    """The secrets of a file that cannot be read as a cassette."""
    for finding in redactor.scan(data):
        line = data.count(b"\n", 0, finding.start) + 1
        column = finding.start - data.rfind(b"\n", 0, finding.start)
        yield _leaked(file, line, column, finding.kind)


def _leaked(file: Path, line: int, column: int, kind: str) -> str:
    return (
        f"{file}:{line}:{column}: this looks like a secret ({kind}): "
        "withdraw it, and run cassette-stream redact"
    )


def _fixed(file: Path, data: bytes) -> bytes:
    """*data* with frames that fit and its own line ends, written to *file* if that changed it.

    What is wrong in other ways is left alone, for `_problems` to tell.
    """
    try:
        fixed = refit(data, file=str(file))
    except CassetteFormatError:
        return data
    if fixed != data:
        storage.write(file, fixed)
        mended = "line ends" if fixed == data.replace(b"\r\n", b"\n") else "frames"
        typer.echo(f"{file}: {mended} mended", err=True)
    return fixed
