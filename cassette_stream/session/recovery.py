"""Cassettes of what recorders left that died: each journal into a cassette, or left alone.

Nothing that stands in a cassette is replaced unless that is asked for, and a journal goes
only when what it holds is in a cassette.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cassette_stream import storage
from cassette_stream.cassette.match import matchers
from cassette_stream.cassette.model import Interaction, Request
from cassette_stream.exceptions import CassetteError, CassetteNotFoundError
from cassette_stream.session.commit import commit
from cassette_stream.session.notes import Noted, noted
from cassette_stream.session.options import Mode, redactor_of, with_environment

__all__ = ("Recovered", "recover")


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovered:
    """What became of a journal.

    Attributes:
        journal: Its file.
        cassette: Where its interactions are; None if they are nowhere.
        interactions: What was in it.
        missing: Bytes of bodies that were not yet in it, and are asterisks.
        unanswered: Requests to which nothing had come; they are left out.
        torn: Bytes of a last record that is not whole; they are dropped.
        damage: What is wrong with it, and where; then it is left where it is.
        is_alive: Its process still writes it; then it is left alone.
    """

    journal: Path
    cassette: Path | None = None
    interactions: tuple[Interaction, ...] = ()
    missing: int = 0
    unanswered: tuple[Request, ...] = ()
    torn: int = 0
    damage: str | None = None
    is_alive: bool = False


def recover(path: Path, *, force: bool = False) -> Iterator[Recovered]:
    """Make cassettes of the journals at *path*: one, those of a cassette, or those in a folder.

    A session that would have added to its cassette does so, also where the cassette is not
    there yet. One that would have replaced what stands there does so with *force*; without,
    what it recorded goes into a cassette beside it, `NAME.recovered.yaml`.

    Raises:
        CassetteNotFoundError: There is no journal.
        CassetteError: A journal cannot be read, or a cassette not be written; then the
            journal is where it was.
    """
    journals = list(storage.find_journals(path))
    if not journals:
        raise CassetteNotFoundError(
            f"there is no journal at {str(path)!r}: nothing was left there by a recorder that died"
        )
    for journal in journals:
        yield _recover(journal, force=force)


def _recover(journal: Path, *, force: bool) -> Recovered:
    with storage.claimed(journal) as is_free:
        if not is_free:
            return Recovered(journal=journal, is_alive=True)
        return _emptied(journal, force=force)


def _emptied(journal: Path, *, force: bool) -> Recovered:
    found = storage.read_journal(journal)
    if not found.records:
        if found.damage is None:
            journal.unlink()
        return Recovered(journal=journal, torn=found.torn, damage=found.damage)
    session = json.loads(found.records[0].data)
    told = list(noted(found.records))
    answered = [it for it in told if isinstance(it, Noted)]
    interactions = tuple(it.interaction for it in answered)
    cassette = None
    if interactions:
        mode = Mode(session["mode"])
        cassette, mode = _place(journal.with_name(session["cassette"]), mode, force=force)
        redactor = with_environment(redactor_of("default")) if session["redacted"] else None
        if redactor is not None:
            interactions = tuple(map(redactor.interaction, interactions))
        commit(cassette, interactions, mode=mode, redactor=redactor, matchers=matchers())
    if found.damage is None:
        _remove(journal)
    return Recovered(
        journal=journal,
        cassette=cassette,
        interactions=interactions,
        missing=sum(it.missing for it in answered),
        unanswered=tuple(it for it in told if isinstance(it, Request)),
        torn=found.torn,
        damage=found.damage,
    )


def _place(cassette: Path, mode: Mode, *, force: bool) -> tuple[Path, Mode]:
    """Where to write, and how, so that nothing is replaced without *force*."""
    if mode not in {Mode.ALL, Mode.REWRITE}:
        return cassette, Mode.NEW_EPISODES
    if force or not cassette.exists():
        return cassette, mode
    return cassette.with_name(f"{cassette.stem}.recovered{cassette.suffix}"), Mode.NEW_EPISODES


def _remove(journal: Path) -> None:
    try:
        journal.unlink()
    except OSError as error:
        raise CassetteError(
            f"the cassette is written, and {str(journal)!r} cannot be removed: {error.strerror}; "
            "remove it, or it is recovered again"
        ) from error
