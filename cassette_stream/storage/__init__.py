"""The only room that touches files: whole ones, atomically, under a lock, by safe names."""

from cassette_stream.storage.atomic import read, write
from cassette_stream.storage.journal import (
    Found,
    Journal,
    Kind,
    Record,
    find_journals,
    is_alive,
    read_journal,
)
from cassette_stream.storage.lines import Lines
from cassette_stream.storage.lock import locked
from cassette_stream.storage.names import CassetteNames, cassette_name, inside

__all__ = (
    "CassetteNames",
    "Found",
    "Journal",
    "Kind",
    "Lines",
    "Record",
    "cassette_name",
    "find_journals",
    "inside",
    "is_alive",
    "locked",
    "read",
    "read_journal",
    "write",
)
