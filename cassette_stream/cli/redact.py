"""`cassette-stream redact`: secrets out of cassettes that are there already.

An interaction that holds none keeps its bytes, and so does a file that holds none. What
cannot be taken out, because it stands in a comment, say, or because the file cannot be
read, is told.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import typer

from cassette_stream import storage
from cassette_stream.cassette import (
    Cassette,
    CassetteReader,
    check_written,
    dump_header,
    dump_interaction,
)
from cassette_stream.cassette.known import secret_variables
from cassette_stream.cassette.redact import Redactor
from cassette_stream.cli.cassettes import Leak, cassettes, leaks
from cassette_stream.cli.terminal import count
from cassette_stream.exceptions import CassetteFormatError

__all__ = ("run",)


def run(paths: Sequence[Path], *, check: bool) -> bool:
    """Print what is secret in the cassettes at *paths*, and tell whether anything is left.

    Raises:
        CassetteError: A path does not exist or cannot be read; or cannot be written.
    """
    redactor = Redactor().knowing(secret_variables(os.environ))
    found = left = files = 0
    for file, data in cassettes(paths):
        files += 1
        try:
            before, after = _redacted(file, data, redactor, check=check)
        except CassetteFormatError as error:
            typer.echo(str(error))
            left += 1
            continue
        for leak in before:
            typer.echo(f"{file}:{leak.line}:{leak.column}: {leak.kind}")
        for leak in after:
            typer.echo(f"{file}:{leak.line}:{leak.column}: take this out by hand: {leak.kind}")
        found += len(before)
        left += len(before) if check else len(after)
    done = "found" if check else "replaced"
    typer.echo(f"{count(files, 'cassette')}, {count(found, 'secret')} {done}", err=True)
    return left > 0


def _redacted(
    file: Path, data: bytes, redactor: Redactor, *, check: bool
) -> tuple[list[Leak], list[Leak]]:
    """What is secret in *file*, and what still is once it was written; *check* writes nothing."""
    if check:
        return leaks(CassetteReader(data, file=str(file)), redactor), []
    with storage.locked(file):
        reader = CassetteReader(storage.read(file), file=str(file))
        before = leaks(reader, redactor)
        documents = list(_documents(reader, redactor))
        kept = [reader.document(number) for number in range(len(reader))]
        if documents != kept:
            storage.write(file, b"".join([reader.header, *documents]))
    left = leaks(CassetteReader(storage.read(file), file=str(file)), redactor)
    return before, left


def _documents(reader: CassetteReader, redactor: Redactor) -> Iterator[bytes]:
    for number in range(len(reader)):
        interaction = reader.interaction(number)
        clean = redactor.interaction(interaction)
        if clean is interaction:
            yield reader.document(number)
            continue
        document = dump_interaction(clean)
        check_written(dump_header("") + document, Cassette(interactions=(clean,)))
        yield document
