"""What one session takes down, from the first request to the file.

A session that only plays never comes here.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from cassette_stream import storage
from cassette_stream.cassette import CassetteReader
from cassette_stream.cassette.model import How, Interaction, Request, Response
from cassette_stream.cassette.redact import Redactor, Replacement
from cassette_stream.clock import RealClock
from cassette_stream.exceptions import CassetteError, SessionError
from cassette_stream.recorder import Recorder
from cassette_stream.session.commit import commit
from cassette_stream.session.incomplete import sparing, warn_of
from cassette_stream.session.notes import Notes, journal_for, settle
from cassette_stream.session.options import Mode, Options
from cassette_stream.transport.desk import Recording

__all__ = ("Recordings",)


class _Slot:
    """A place in the recording, taken when its request starts.

    What is *kept* of it, by hooks and redaction, is made when somebody asks: the caller of
    a stream that ends does not wait for it.
    """

    def __init__(self, kept: Callable[[Interaction], Interaction | None]) -> None:
        self.recording: Recording | None = None
        self._kept = kept
        self._heard: Interaction | None = None
        self._interaction: Interaction | None = None

    def hear(self, interaction: Interaction) -> None:
        self._heard, self.recording = interaction, None

    @property
    def interaction(self) -> Interaction | None:
        heard, self._heard = self._heard, None
        if heard is not None:
            self._interaction = self._kept(heard)
        return self._interaction


class Recordings:
    """What a session with these *options* records.

    Args:
        file: Where it is written.
        path: What the caller calls it.
        options: How the cassette is used.
        redactor: What takes the secrets out; None takes out nothing.
    """

    def __init__(self, file: Path, path: Path, options: Options, redactor: Redactor | None) -> None:
        self.replaced: list[Replacement] = []
        self._file = file
        self._path = path
        self._options = options
        self._redactor = redactor
        self._clock = RealClock()
        self._slots: list[_Slot] = []
        self._journal: storage.Journal | None = None

    @property
    def interactions(self) -> tuple[Interaction, ...]:
        """What was taken down, as it will be written, in the order of the requests."""
        found = [slot.interaction for slot in self._slots]
        return tuple(interaction for interaction in found if interaction is not None)

    def begin(self, request: Request) -> Recording:
        """Take down what is answered to *request*.

        Raises:
            CassetteWriteError: The journal cannot be written, and so nor could the cassette.
        """
        slot = _Slot(self._kept)
        date, at = self._clock.date(), self._clock.now()
        recorder = Recorder(request, recorded_at=date, at=at)
        notes = self._notes(request, date, at)
        slot.recording = Recording(recorder, self._clock, slot.hear, notes)
        self._slots.append(slot)
        return slot.recording

    def leave(self) -> None:
        """What is still being read ends as closed by its caller."""
        for slot in self._slots:
            # Another thread may come to the end of the stream meanwhile.
            if (recording := slot.recording) is not None:
                recording.end(How.CLOSED_BY_CALLER)

    def save(self, seen: CassetteReader | None, *, discarded: bool) -> list[Exception]:
        """Write what was recorded, unless it is *discarded*, and give what went wrong.

        *seen* is what the file held when the session began.
        """
        problems: list[Exception] = []
        if not self._slots and self._journal is None:
            return problems
        kept: list[Interaction] = []
        spared: list[Interaction] = []
        for slot in self._slots:
            try:
                interaction = slot.interaction
            except Exception as error:  # noqa: BLE001 - of a hook; the others must not be lost
                problems.append(error)
                continue
            if interaction is not None:
                kept.append(interaction)
        try:
            if kept and not discarded:
                spared = self._commit(kept, seen)
        except CassetteError as error:
            problems.append(error)
        if self._journal is not None:
            problems += settle(self._journal, self._file, problems)
        warn_of(spared, self._path)
        return problems

    def _commit(self, kept: list[Interaction], seen: CassetteReader | None) -> list[Interaction]:
        """Write *kept*, and give what was not replaced because it is complete."""
        options, spared = self._options, list[Interaction]()
        may_replace = options.mode in {Mode.ALL, Mode.REWRITE}
        if seen is not None and may_replace and not options.keep_incomplete:
            kept, spared = sparing(kept, seen, options.matchers, options.mode)
        if kept:
            commit(
                self._file,
                kept,
                mode=options.mode,
                redactor=self._redactor,
                matchers=options.matchers,
                seen=seen,
            )
        return spared

    def _notes(self, request: Request, date: datetime, at: float) -> Notes | None:
        """What takes the answer to *request* down at once; the first makes the journal."""
        # A process that was forked off takes down what is its own.
        if self._journal is None or self._journal.pid != os.getpid():
            self._journal = journal_for(self._file, self._options.mode, self._redactor)
        if self._options.before_record_response is not None:
            return None  # nobody knows yet what it would take out
        return Notes(
            self._journal,
            len(self._slots),
            request,
            redactor=self._redactor,
            recorded_at=date,
            at=at,
        )

    def _kept(self, interaction: Interaction) -> Interaction | None:
        change, redactor = self._options.before_record_response, self._redactor
        if change is not None and interaction.response is not None:
            response = change(interaction.response)
            if response is None:
                return None
            _check_frames(response)
            interaction = replace(interaction, response=response)
        if redactor is None:
            return interaction
        redacted = redactor.redacted(interaction)
        self.replaced += redacted.replaced
        return redacted.interaction


def _check_frames(response: Response) -> None:
    frames, length = sum(response.sizes), len(response.body)
    if frames != length or len(response.sizes) != len(response.gaps_us):
        raise SessionError(
            f"before_record_response gave a body of {length} bytes with frames of {frames}: "
            "response.with_body(...) changes both"
        )
