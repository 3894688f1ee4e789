"""What was recorded, into the file: under a lock, checked, at once or not at all.

Interactions that stay are copied as they stand in the file. Somebody else may
have written since the session was opened, so the file is read again under the lock, and
what `others` have added counts against what was recorded here.
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
from cassette_stream.cassette.match import Matchers
from cassette_stream.cassette.model import Interaction
from cassette_stream.cassette.redact import Redactor
from cassette_stream.exceptions import (
    CassetteError,
    CassetteNotFoundError,
    CassetteWriteError,
    SecretError,
)
from cassette_stream.session.options import Mode
from cassette_stream.session.others import added, not_there

__all__ = ("commit",)


def commit(
    path: Path,
    recorded: Sequence[Interaction],
    *,
    mode: Mode,
    redactor: Redactor | None,
    matchers: Matchers | None = None,
    seen: CassetteReader | None = None,
    like: Cassette | None = None,
) -> None:
    """Write *recorded*, which *redactor* has redacted, to *path*.

    What stands there stays as *mode* says: what *matchers* find again is replaced by `Mode.ALL`.
    *seen* is what stood there when recording began, and was checked; None if there was no file.
    A new file is of the minor version of the cassette that it is *like*.

    Raises:
        SecretError: Something in it still looks like a secret; nothing is written.
        CassetteLockError: Somebody else holds the lock, or there can be none.
        CassetteFormatError: What stands there is no cassette; it is left as it is.
        CassetteWriteError: It could not be written; what stood there still does.
    """
    documents = [_checked(interaction, path, like) for interaction in recorded]
    if redactor is not None:
        _refuse_secrets(documents, redactor, path)
    with storage.locked(path):
        kept = _kept(path)
        if kept is not None and mode in {Mode.ALL, Mode.REWRITE}:
            # What is taken out of the file must be whole: what is damaged is for a person to
            # look at. What was seen has been checked.
            for place in added(kept, seen):
                kept.interaction(place)
        if kept is None or mode is Mode.REWRITE:
            parts = [dump_header(f"cassette-stream {__version__}", like=like), *documents]
        elif mode is Mode.ALL:
            parts = [kept.header, *_merged(kept, recorded, documents, matchers)]
        else:
            there = (kept.document(place) for place in range(len(kept)))
            parts = [kept.header, *there, *not_there(recorded, documents, kept, seen)]
        storage.write(path, b"".join(parts))


def _checked(interaction: Interaction, path: Path, like: Cassette | None) -> bytes:
    try:
        document = dump_interaction(interaction)
    except CassetteError as error:
        raise CassetteWriteError(f"{path} was not written: {error}") from error
    try:
        alone = Cassette(interactions=(interaction,), minor=like.minor if like else 0)
        check_written(dump_header("", like=alone) + document, alone)
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


def _kept(path: Path) -> CassetteReader | None:
    try:
        data = storage.read(path)
    except CassetteNotFoundError:
        return None
    except CassetteError as error:
        raise CassetteWriteError(f"{path} was not written: {error}") from error
    return CassetteReader(data, file=str(path))


def _merged(
    kept: CassetteReader,
    recorded: Sequence[Interaction],
    documents: Iterable[bytes],
    replacing: Matchers | None,
) -> Iterable[bytes]:
    """What stays, each replaced by the first recording that matches it, then the rest."""
    fresh = dict(enumerate(documents))
    lives = [replacing.against(it.request) for it in recorded] if replacing else []
    for place in range(len(kept)):
        request = kept.request(place) if replacing else None
        match = next((n for n in fresh if request and lives[n].agrees(request)), None)
        yield kept.document(place) if match is None else fresh.pop(match)
    yield from fresh.values()
