"""The only room that touches files: whole ones, atomically, under a lock, by safe names.

Journals are imported when one is first asked for: most tests only read.
"""

from cassette_stream.storage.atomic import read, write
from cassette_stream.storage.lines import Lines
from cassette_stream.storage.lock import locked
from cassette_stream.storage.names import CassetteNames, cassette_name, inside

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cassette_stream.storage.journal import (
        Found,
        Journal,
        Kind,
        Record,
        claimed,
        find_journals,
        read_journal,
    )

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


def __getattr__(name: str) -> object:
    if name in __all__:
        from cassette_stream.storage import journal  # noqa: PLC0415 - see above

        return getattr(journal, name)
    raise AttributeError(f"module 'cassette_stream.storage' has no attribute {name!r}")
