"""The secrets of a body out while it still comes, for whoever writes it down at once.

What is let go is what the redactor makes of the whole body, byte for byte as long. What may
yet become a secret is held, and how much that is can be told; so nobody who writes down what
is let go has ever written a part of a secret.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Hashable

from cassette_stream.cassette.beginnings import Beginnings
from cassette_stream.cassette.lanes import Said, events
from cassette_stream.cassette.redact import Redaction

__all__ = ("Masker",)

_LINES = ("text/event-stream", "ndjson", "jsonl")

_LONG = 16
"""A shorter word is no secret unless somebody said so."""

_SUSPECT = re.compile(rb'[^"{} \t\r\n]{%d}' % _LONG)
_KEPT, _SLACK = 32, 256
"""Letters of a lane in which no secret has begun, and by which one that does may be known."""

_BEHIND = 2048
"""Bytes that were let go and tell what stands behind them: most are a few events."""

_MOST = 256 * 1024
"""Bytes that are held at most to be let go by line; with more, the rest is at the end."""

_CONSTANT = 3
"""How often in a row a lane has to begin with the same text to be taken for an id."""

_REMEMBERED, _LONGEST = 4096, 256

_BEGUN_PEM = re.compile(rb"-----BEGIN [A-Z ]*+(?:-{0,5}|(?<=PRIVATE KEY)-----[\w+/=\s\\:,-]*+)\Z")
_BASE64_LINES = re.compile(rb"(?:(?<![\w+/-])[\w+/-]{24,}\s+)+\Z")


class Masker:
    """Takes a body chunk by chunk, and gives it back without secrets, a little later.

    A body of events in lines is let go line by line, any other at its end.

    Args:
        redaction: Knows the secrets; the request and the head have been through it.
        content_type: What the head says of the body, in lower case.

    Attributes:
        held: How many of the bytes that were taken are yet to be given back.
    """

    def __init__(self, redaction: Redaction, content_type: str) -> None:
        self.held = 0
        self._redaction = redaction
        self._content_type = content_type
        # Nobody can tell what a regular expression will yet match.
        self._by_line = not redaction.patterns and any(it in content_type for it in _LINES)
        known = redaction.texts if self._by_line else ()
        self._words = [text for text in known if not _SUSPECT.match(text)]
        self._phrases = [text for text in known if b"\n" in text]
        self._lanes = _Lanes(known)
        self._clean: set[bytes] = set()
        self._window = b""  # what is held and was looked at
        self._start = 0  # where in the body it begins
        self._behind = b""  # what was let go last
        self._more: list[bytes] = []  # what is held too

    def feed(self, data: bytes) -> bytes:
        """Take *data*, and give what no later chunk can turn into a secret."""
        if not self._by_line or b"\n" not in data:
            self._more.append(data)
            self.held += len(data)
            return b""
        window, seen = self._all(data), len(self._window)
        lines = window.rfind(b"\n") + 1
        for at, said in events(window[seen:lines]):
            # The line begins before its text, at whatever the line before ends with.
            self._lanes.hear(said, self._start + window.rfind(b"\n", 0, seen + at) + 1)
        since = self._lanes.since
        # An event that was let go may have been the begin of what is a secret only now.
        end = lines if since is None else max(0, since - self._start)
        while end and (earlier := self._earlier(window, end)) < end:
            end = earlier
        part = window[:end]
        self._start += end
        self._window, rest = window[end:lines], window[lines:]
        self._more = [rest] if rest else []
        self.held = len(window) - end
        # What is held so long is looked at once more, and not with each chunk.
        self._by_line = self.held < _MOST
        behind, self._behind = self._behind, (self._behind + part)[-_BEHIND:]
        return part if self._is_plain(part) else self._redacted(part, behind)

    def finish(self) -> bytes:
        """The body is over: give what was held."""
        part = self._all(b"")
        self._window, self._more, self.held = b"", [], 0
        return self._redacted(part, self._behind)

    def _redacted(self, part: bytes, behind: bytes) -> bytes:
        """*part* as it is redacted where it stands, after what was let go last."""
        before = behind[behind.find(b"\n") + 1 :] if len(behind) == _BEHIND else behind
        return self._redaction.body(before + part, self._content_type)[len(before) :]

    def _all(self, data: bytes) -> bytes:
        return b"".join([self._window, *self._more, data]) if self.held else data

    def _earlier(self, window: bytes, end: int) -> int:
        """The end of an earlier line, if what goes on at *end* begins behind it; else *end*."""
        start = end
        if b"-----BEGIN " in window and (pem := _BEGUN_PEM.search(window, 0, end)):
            start = pem.start()
        if window[:end].rstrip()[-1:].isalnum() and (lines := _BASE64_LINES.search(window, 0, end)):
            start = min(start, lines.start())
        for phrase in self._phrases:
            start = min(start, _begun(window, phrase, end))
        return end if start == end else window.rfind(b"\n", 0, start) + 1

    def _is_plain(self, part: bytes) -> bool:
        """Whether *part* is lines of words that are no secrets, as most of a stream is."""
        if self._lanes.were_suspect or b"-----" in part or any(it in part for it in self._words):
            self._lanes.were_suspect = self._lanes.since is not None
            return False
        fresh = {*part.split(b'"')} - self._clean
        suspects = [piece for piece in fresh if len(piece) >= _LONG and _SUSPECT.search(piece)]
        if suspects and not self._redaction.is_clean(b'"'.join(suspects)):
            return False
        if len(self._clean) < _REMEMBERED:
            self._clean.update(piece for piece in fresh if len(piece) <= _LONGEST)
        return True


def _begun(window: bytes, phrase: bytes, end: int) -> int:
    """Where *phrase* begins that goes on at *end*, or may behind the window; else *end*."""
    start = window.find(phrase[:1], max(0, end - len(phrase) + 1))
    while 0 <= start < end:
        if window.startswith(phrase, start) or phrase.startswith(window[start:]):
            return start
        start = window.find(phrase[:1], start + 1)
    return end


class _Lanes:
    """Listens for secrets that begin in one event, and may go on in another.

    Attributes:
        since: Where the first event begins in which one did.
        were_suspect: Whether one may have ended.
    """

    def __init__(self, known: Collection[bytes]) -> None:
        self.since: int | None = None
        self.were_suspect = False
        self._beginnings = Beginnings(text.decode(errors="surrogateescape") for text in known)
        self._lanes: dict[Hashable, _Lane] = {}
        self._open: dict[Hashable, int] = {}

    def hear(self, said: Said, at: int) -> None:
        """The event that begins *at* so many bytes says this."""
        for key, pieces in said.items():
            lane = self._lanes.get(key)
            if lane is None:
                lane = self._lanes[key] = _Lane(pieces[0])
            if pieces == lane.usual:
                continue  # an id or a name, which nobody reads on
            for piece in pieces:
                self._go_on(lane, piece, at)
            if lane.since is not None:
                self._open[key] = lane.since
            else:
                self._open.pop(key, None)
        self.since = min(self._open.values()) if self._open else None

    def _go_on(self, lane: _Lane, piece: str, at: int) -> None:
        lane.usual = None
        if lane.times is not None:
            lane.times = lane.times + 1 if piece == lane.first else None
            if lane.times == _CONSTANT and len(piece) > 1:
                lane.usual = [piece]
                lane.since = lane.start = None
                return
        before, begin = lane.since, lane.start
        if begin is None:
            begin = len(lane.text)
        lane.pieces.append((len(lane.text), at))
        lane.text += piece
        lane.start = self._beginnings.start(lane.text, begin)
        lane.since = None if lane.start is None else lane.at(lane.start)
        if before not in {None, lane.since} and self._beginnings.may_have_ended(lane.text, begin):
            self.were_suspect = True
            if lane.start is not None:
                lane.since, lane.start = before, begin  # one goes over into the next
                return
        lane.forget()


class _Lane:
    """The last of the text of a lane, and *since* when there may be a secret in it."""

    def __init__(self, first: str) -> None:
        self.first = first
        self.times: int | None = 0  # how often it was all that came
        self.usual: list[str] | None = None
        self.since: int | None = None
        self.start: int | None = None
        self.text = ""
        self.pieces: list[tuple[int, int]] = []

    def at(self, start: int) -> int:
        """Where the event begins in which letter *start* of the text stands."""
        found = (at for begin, at in reversed(self.pieces) if begin <= start)
        return next(found, self.pieces[0][1])

    def forget(self) -> None:
        """Keep no more of the text than what stands shortly before where one may have begun."""
        if self.start is None:
            del self.pieces[:-1]
        before = len(self.text) if self.start is None else self.start
        if (gone := before - _KEPT) <= _SLACK:
            return
        # Where it is cut no word begins.
        self.text = "_" + self.text[gone:]
        self.pieces = [(begin - gone + 1, at) for begin, at in self.pieces]
        if self.start is not None:
            self.start -= gone - 1
            while len(self.pieces) > 1 and self.pieces[1][0] <= self.start:
                del self.pieces[0]
