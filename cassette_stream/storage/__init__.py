"""The only room that touches files: whole ones, atomically, under a lock, by safe names."""

from cassette_stream.storage.atomic import read, write
from cassette_stream.storage.journal import (
    Found,
    Journal,
    Kind,
    Record,
    claimed,
    find_journals,
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
    "claimed",
    "find_journals",
    "inside",
    "locked",
    "read",
    "read_journal",
    "write",
)
