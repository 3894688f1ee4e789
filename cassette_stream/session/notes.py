"""What a session takes down in its journal, without secrets, and how it is read back.

A note of a chunk says when it came and how long it was, and holds what can be let go of the
body by then: so boundaries, lengths and times outlive the process at once, bytes as soon as
it is certain that they are no part of a secret.
"""

from __future__ import annotations

import json
import shlex
import threading
import warnings
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from cassette_stream.cassette.checksums import with_checksums
from cassette_stream.cassette.mask import Masker
from cassette_stream.cassette.model import Ending, Headers, How, Interaction, Request, Response
from cassette_stream.cassette.redact import Redactor, content_type_of
from cassette_stream.exceptions import CassetteWriteError, JournalWarning, SecretError
from cassette_stream.recorder import Recorder, coding_of, undoing
from cassette_stream.script import FailureKind
from cassette_stream.session.options import Mode
from cassette_stream.storage import Journal, Kind, Record

__all__ = ("Noted", "Notes", "journal_for", "noted", "settle")


def journal_for(cassette: Path, mode: Mode, redactor: Redactor | None) -> Journal:
    """A journal for what is recorded in this *mode* for the *cassette*.

    Raises:
        CassetteWriteError: It cannot be made, so nor could the cassette.
    """
    told = {"cassette": cassette.name, "mode": mode, "redacted": redactor is not None}
    return Journal(cassette, _told(told))


def settle(journal: Journal, cassette: Path, problems: Sequence[Exception]) -> list[Exception]:
    """The session is over, with these *problems*: remove its *journal*, or tell where it is.

    Where what was recorded looks like a secret the journal does too, and goes. Gives what went
    wrong with that.
    """
    told = f"not all of it could be taken down at once: {journal.problem}"
    if not problems or any(isinstance(problem, SecretError) for problem in problems):
        try:
            journal.remove()
        except CassetteWriteError as error:
            return [error]
        if journal.problem is not None and not problems:
            warnings.warn(f"{cassette} was written, but {told}", JournalWarning, stacklevel=2)
        return []
    journal.close()
    note = (
        f"what was recorded is in {journal.path}: "
        f"`cassette-stream recover {shlex.quote(str(cassette))}` makes a cassette of it"
    )
    problems[0].add_note(note if journal.problem is None else f"{note}; {told}")
    return []


class Notes:
    """Takes down one interaction.

    Args:
        journal: Where.
        number: Which of the interactions in it this is.
        request: What is asked.
        redactor: Takes the secrets out of it; None if they stay.
        recorded_at: The date of asking.
        at: The moment of asking.

    Raises:
        CassetteWriteError: The request could not be taken down, so it had better not be sent.
    """

    def __init__(
        self,
        journal: Journal,
        number: int,
        request: Request,
        *,
        redactor: Redactor | None,
        recorded_at: datetime,
        at: float,
    ) -> None:
        self._journal = journal
        self._number = number
        self._redaction = redactor.begin() if redactor is not None else None
        self._masker: Masker | None = None
        self._undoing: Any = None
        self._is_over = False
        # One thread may end what another still hears.
        self._lock = threading.Lock()
        if self._redaction is not None:
            request = self._redaction.request(request)
        told = {
            "recorded_at": recorded_at.isoformat(),
            "method": request.method,
            "url": request.url,
            "headers": request.headers,
            "body": request.body.decode("latin-1"),
        }
        journal.add(Kind.REQUEST, number, at, 0, _told(told))

    def head(self, response: Response, at: float, read: float | None) -> None:
        coding = coding_of(response.headers)
        content_type = content_type_of(response.headers)
        if self._redaction is not None:
            # In a coding nobody sees a secret. What cannot be undone is kept as it is, as the
            # cassette will have it, once all of it is there to be judged.
            with suppress(KeyError):
                self._undoing = undoing(coding)
            is_plain = self._undoing is not None or coding in {"", "identity"}
            self._masker = Masker(self._redaction, content_type if is_plain else "")
            response = self._redaction.response(response)
        told = {
            "status": response.status,
            "http_version": response.http_version,
            "reason": response.reason,
            "headers": response.headers,
            "read": read,
            "coding": coding if self._undoing is not None else None,
        }
        self._note(Kind.HEAD, at, 0, _told(told))

    def hear(self, data: bytes, at: float) -> None:
        with self._lock:
            if self._is_over:
                return
            if self._undoing is not None:
                data = self._undone(data)
            size = len(data)
            if self._masker is not None:
                data = self._masker.feed(data)
            self._note(Kind.CHUNK, at, size, data)

    def end(self, ending: Ending, at: float) -> None:
        with self._lock:
            if self._is_over:
                return
            rest = b"" if self._masker is None else self._masker.finish()
            if self._redaction is not None:
                ending = self._redaction.ending(ending)
            told = _told(
                {
                    "how": ending.how,
                    "after_us": ending.after_us,
                    "failure": ending.failure,
                    "message": ending.message,
                }
            )
            self._note(Kind.ENDING, at, len(told), told + rest)
            self._is_over = True

    def _undone(self, data: bytes) -> bytes:
        try:
            undone: bytes = self._undoing.decompress(data)
        except zlib.error:
            return b""  # nothing behind it can be undone either
        return undone

    def _note(self, kind: Kind, at: float, size: int, data: bytes) -> None:
        try:
            self._journal.add(kind, self._number, at, size, data)
        except CassetteWriteError as error:
            # The caller reads on, and so do we: the session will tell.
            self._journal.problem = self._journal.problem or error
            self._is_over = True


def _told(value: Mapping[str, object]) -> bytes:
    return json.dumps(value).encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Noted:
    """An interaction from a journal; *missing* are the bytes of its body that are not in it."""

    interaction: Interaction
    missing: int = 0


def noted(records: Iterable[Record]) -> Iterator[Noted | Request]:
    """The interactions in *records*, in the order of their requests.

    One whose end was not taken down is incomplete. Of a request to which nothing came, the
    request alone is given.
    """
    grouped: dict[int, list[Record]] = {}
    for record in records:
        if record.kind is not Kind.SESSION:
            grouped.setdefault(record.number, []).append(record)
    for number in sorted(grouped):
        yield _noted(grouped[number])


def _noted(records: Sequence[Record]) -> Noted | Request:
    first, *rest = records
    asked = json.loads(first.data)
    request = Request(
        method=asked["method"],
        url=asked["url"],
        headers=_headers(asked["headers"]),
        body=asked["body"].encode("latin-1"),
    )
    date = datetime.fromisoformat(asked["recorded_at"])
    by_kind = {kind: [it for it in rest if it.kind is kind] for kind in Kind}
    ending = _ending(by_kind[Kind.ENDING])
    if not by_kind[Kind.HEAD]:
        if ending is None:
            return request
        return Noted(interaction=Interaction(recorded_at=date, request=request, failure=ending))
    [head] = by_kind[Kind.HEAD]
    recorder = Recorder(request, recorded_at=date, at=first.at)
    body, missing = _body(by_kind[Kind.CHUNK], by_kind[Kind.ENDING])
    start = 0
    told = json.loads(head.data)
    headers = _headers(told["headers"])
    recorder.head(told["status"], {}, at=head.at)
    for chunk in by_kind[Kind.CHUNK]:
        recorder.hear(body[start : start + chunk.size], chunk.at)
        start += chunk.size
    last = rest[-1]
    interaction = recorder.finish(How.CANCELLED, at=last.at, read=told["read"])
    response = interaction.response
    assert response is not None
    response = replace(
        response,
        http_version=told["http_version"],
        reason=told["reason"],
        headers=headers,
        removed_coding=told["coding"],
        body=_mended(response.body, headers),
        ending=ending or Ending(how=How.CANCELLED),
    )
    return Noted(
        interaction=replace(interaction, response=response, incomplete=ending is None),
        missing=missing,
    )


def _body(chunks: Sequence[Record], endings: Sequence[Record]) -> tuple[bytes, int]:
    """The body, with a filling for what is missing at its end, and how much that is."""
    parts = [chunk.data for chunk in chunks]
    parts += [ending.data[ending.size :] for ending in endings]
    body = b"".join(parts)
    missing = sum(chunk.size for chunk in chunks) - len(body)
    return body + b"*" * missing, missing


def _ending(records: Sequence[Record]) -> Ending | None:
    if not records:
        return None
    [record] = records
    told = json.loads(record.data[: record.size])
    failure = told["failure"]
    return Ending(
        how=How(told["how"]),
        after_us=told["after_us"],
        failure=None if failure is None else FailureKind(failure),
        message=told["message"],
    )


def _headers(told: Mapping[str, Sequence[str]]) -> Headers:
    return {name: tuple(values) for name, values in told.items()}


def _mended(body: bytes, headers: Headers) -> bytes:
    """*body* with checksums that fit its placeholders, where it has any."""
    if not any("eventstream" in it for it in headers.get("content-type", ())):
        return body
    return with_checksums(body, before=body.replace(b"REDACTED-", b"........."))
