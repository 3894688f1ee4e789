"""The secrets of a body out while it still comes, for whoever writes it down at once.

What is let go is what the redactor makes of the whole body, byte for byte as long. What may
yet become a secret is held, and how much that is can be told; so nobody who writes down what
is let go has ever written a part of a secret.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from cassette_stream.cassette.redact import Redaction
from cassette_stream.cassette.suspicion import Suspicion

__all__ = ("Masker",)

_LINES = ("text/event-stream", "ndjson", "jsonl")

_LONG = 16
"""A shorter word is no secret unless somebody said so."""

_SUSPECT = re.compile(rb'[^"{} \t\r\n]{%d}' % _LONG)
_BEHIND = 2048
"""Bytes that were let go and tell what stands behind them: most are a few events."""

_MOST = 256 * 1024
"""Bytes that are held at most to be let go by line; with more, the rest is at the end."""

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
        words = [text for text in known if not _SUSPECT.match(text)]
        self._words = [text for text in words if b'"' not in text]
        self._quoting = [text for text in words if b'"' in text]
        self._phrases = [text for text in known if b"\n" in text]
        self._lanes = Suspicion(known)
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
        pieces = self._lanes.hear(window[seen:lines], self._start + seen)
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
        if seen or end < lines:
            pieces = None  # they are not those of the part
        if self._is_plain(part, pieces):
            if pieces is not None:
                self._lanes.trust()
            return part
        return self._redacted(part, behind)

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

    def _is_plain(self, part: bytes, pieces: Collection[bytes] | None) -> bool:
        """Whether *part* is lines of words that are no secrets, as most of a stream is.

        What is new in it is in the *pieces* between its quotes, if they are known.
        """
        if self._lanes.were_suspect or b"-----" in part or any(it in part for it in self._quoting):
            self._lanes.were_suspect = self._lanes.since is not None
            return False
        fresh = {*(part.split(b'"') if pieces is None else pieces)} - self._clean
        new = b'"'.join(fresh)
        if any(word in new for word in self._words):
            return False
        suspects = [it for it in fresh if len(it) >= _LONG and _SUSPECT.search(it)]
        if suspects and not self._redaction.is_clean(b'"'.join(suspects)):
            return False
        if len(self._clean) < _REMEMBERED:
            self._clean.update(it for it in fresh if _LONG <= len(it) <= _LONGEST or pieces is None)
        return True


def _begun(window: bytes, phrase: bytes, end: int) -> int:
    """Where *phrase* begins that goes on at *end*, or may behind the window; else *end*."""
    start = window.find(phrase[:1], max(0, end - len(phrase) + 1))
    while 0 <= start < end:
        if window.startswith(phrase, start) or phrase.startswith(window[start:]):
            return start
        start = window.find(phrase[:1], start + 1)
    return end
