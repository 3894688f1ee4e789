"""What was recorded, into the file: under a lock, checked, at once or not at all.

Interactions that stay are copied as they stand in the file, unread. Somebody else may
have written since the session was opened, so the file is read again under the lock.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from cassette_stream import storage
from cassette_stream._version import __version__
from cassette_stream.cassette import (
    Cassette,
    CassetteReader,
    check_written,
    dump_header,
    dump_interaction,
)
from cassette_stream.cassette.model import Interaction
from cassette_stream.cassette.redact import Redactor
from cassette_stream.exceptions import (
    CassetteError,
    CassetteNotFoundError,
    CassetteWriteError,
    SecretError,
)
from cassette_stream.session.options import Mode, Options

__all__ = ("commit",)


def commit(path: Path, recorded: Sequence[Interaction], options: Options) -> None:
    """Write *recorded*, which is redacted, to *path*.

    Raises:
        SecretError: Something in it still looks like a secret; nothing is written.
        CassetteLockError: Somebody else holds the lock.
        CassetteFormatError: What stands there is no cassette; it is left as it is.
        CassetteWriteError: It could not be written; what stood there still does.
    """
    documents = [_checked(interaction, path) for interaction in recorded]
    if options.redactor is not None:
        _refuse_secrets(documents, options.redactor, path)
    with storage.locked(path):
        kept = _kept(path, options.mode)
        header = dump_header(f"cassette-stream {__version__}")
        if kept is not None:
            header = kept.header
            documents = list(_merged(kept, recorded, documents, options))
        storage.write(path, b"".join([header, *documents]))


def _checked(interaction: Interaction, path: Path) -> bytes:
    document = dump_interaction(interaction)
    try:
        check_written(dump_header("") + document, Cassette(interactions=(interaction,)))
    except CassetteError as error:
        raise CassetteWriteError(
            f"{path} was not written: what would be read back is not what was recorded "
            f"({error}); please report it with the cassette of another recording"
        ) from error
    return document


def _refuse_secrets(documents: Sequence[bytes], redactor: Redactor, path: Path) -> None:
    for number, document in enumerate(documents, 1):
        for finding in redactor.scan(document):
            line = document.count(b"\n", 0, finding.start) + 1
            raise SecretError(
                f"{path} was not written: line {line} of interaction {number} of this recording "
                f"would hold what looks like a secret ({finding.kind}); tell its place or its "
                "pattern with redact=Redactor(...), or take it out with a hook"
            )


def _kept(path: Path, mode: Mode) -> CassetteReader | None:
    try:
        reader = CassetteReader(storage.read(path), file=str(path))
    except CassetteNotFoundError:
        return None
    return None if mode is Mode.REWRITE else reader


def _merged(
    kept: CassetteReader,
    recorded: Sequence[Interaction],
    documents: Iterable[bytes],
    options: Options,
) -> Iterable[bytes]:
    """What stays, each replaced by the first recording that matches it, then the rest."""
    fresh = dict(enumerate(documents))
    replaces = options.mode is Mode.ALL
    lives = [options.matchers.against(it.request) for it in recorded] if replaces else []
    for place in range(len(kept)):
        request = kept.request(place) if replaces else None
        match = next((n for n in fresh if request and lives[n].agrees(request)), None)
        yield kept.document(place) if match is None else fresh.pop(match)
    yield from fresh.values()
