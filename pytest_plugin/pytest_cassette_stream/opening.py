"""The session of one test, from its opening to what is said of it in the end."""

from __future__ import annotations

import warnings
from collections.abc import Generator

import pytest

from cassette_stream import Session, use_cassette
from cassette_stream.exceptions import CassetteNotFoundError, UnplayedError, UnplayedWarning
from pytest_cassette_stream.state import State, is_of_hypothesis, state_of
from pytest_cassette_stream.use import Use

__all__ = ("count_recorded", "opened")


def opened(item: pytest.Item, use: Use) -> Generator[Session]:
    """The session of *item*; what remains to be said is raised behind it."""
    state = state_of(item)
    manager = use_cassette(use.path, **use.options)
    try:
        session = manager.__enter__()
    except CassetteNotFoundError as error:
        if is_of_hypothesis(item):
            error.add_note(
                "tests of Hypothesis only play, or each example would ask the provider: record "
                "the cassette in a test without @given, and name it in both markers"
            )
        raise
    session.note_deliveries()
    state.session = session
    try:
        yield session
    finally:
        if not state.went_well and not use.keep_failed:
            session.discard()
        try:
            # Of a test that failed, the report has told already what went unnoticed.
            raised = state.error
            manager.__exit__(type(raised) if raised else None, raised, None)
        finally:
            _count(state, session)
    if state.went_well and 0 in session.play_counts:
        _tell_unplayed(session, use)


def _count(state: State, session: Session) -> None:
    count_recorded(state, session)
    unplayed = session.play_counts.count(0)
    state.add(
        replayed=len(session.play_counts) - unplayed,
        unplayed=unplayed if state.went_well else 0,
        struck=len(session.strikes),
    )


def count_recorded(state: State, session: Session) -> None:
    """Let the summary tell what *session* has written."""
    if session.recorded and not session.discarded:
        state.add(recorded=len(session.recorded))
        state.counts["file"] = str(session.path)


def _tell_unplayed(session: Session, use: Use) -> None:
    if use.unplayed == "ignore":
        return
    try:
        session.check_played()
    except UnplayedError as error:
        words = (
            f"{error}\nrecord it anew with --cassette-mode=rewrite, "
            "or let it be with unplayed='ignore'"
        )
        if use.unplayed == "fail":
            raise UnplayedError(words) from None
        warnings.warn(words, UnplayedWarning, stacklevel=2)
