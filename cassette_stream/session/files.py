"""Cassettes as values, from files and into them, where no session does it."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from cassette_stream import storage
from cassette_stream.cassette import Cassette, loads
from cassette_stream.cassette.redact import Redactor
from cassette_stream.session.commit import commit
from cassette_stream.session.options import Mode, redactor_of, with_environment

__all__ = ("read_cassette", "write_cassette")


def read_cassette(path: str | Path) -> Cassette:
    """The cassette in the file at *path*, whole.

    Raises:
        CassetteNotFoundError: There is no such file.
        CassetteFormatError: It is no cassette; the error says where.
        CassetteError: It cannot be read.
    """
    return loads(storage.read(path), file=str(path))


def write_cassette(
    path: str | Path,
    cassette: Cassette,
    *,
    redact: Redactor | Literal["default"] | None = "default",
) -> None:
    """Make *cassette* the content of the file at *path*, all of it or nothing.

    Args:
        path: The file; folders that are missing are made.
        cassette: What will be in it.
        redact: What is replaced before anything is written, as `use_cassette` has it.

    Raises:
        SecretError: Something in it still looks like a secret.
        CassetteWriteError: It could not be written; what stood there still does.
    """
    redactor = with_environment(redactor_of(redact))
    interactions = [
        redactor.interaction(interaction) if redactor else interaction
        for interaction in cassette.interactions
    ]
    commit(Path(path), interactions, mode=Mode.REWRITE, redactor=redactor, like=cassette)
