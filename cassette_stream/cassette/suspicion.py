"""Where in a stream a secret may have begun that is not over, by what its events say.

An event is looked at as a whole once; of those that are like it, only what differs is. What
is said of a lane is the same either way.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Sequence

from cassette_stream.cassette.beginnings import Beginnings
from cassette_stream.cassette.lanes import events
from cassette_stream.cassette.outlines import Outline, outline, quoted, said

__all__ = ("Suspicion",)

_KEPT, _SLACK = 32, 256
"""Letters of a lane in which no secret has begun, and by which one that does may be known."""

_CONSTANT = 3
"""How often in a row a lane has to begin with the same text to be taken for an id."""

_OUTLINES, _VAIN = 4, 16
"""Outlines that are kept, and how many are drawn at most before an event is like one."""


class Suspicion:
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
        # What stands on both sides of a blank line can be one secret only if it was said so.
        self._draws = not any(b"\n" in text for text in known)
        self._outlines: list[Outline] = []
        self._untrusted: list[Outline] = []
        self._drawn = 0

    def hear(self, lines: bytes, at: int) -> Sequence[bytes] | None:
        """Whole *lines* came, which begin *at* so many bytes.

        Gives the pieces between quotes that are in no event that was trusted; None if all of
        the lines is to be looked at.
        """
        self._untrusted.clear()
        pieces: list[bytes] = []
        begin = 0
        break_ = b"\n\n" if b"\n\n" in lines else b"\n"
        for block in lines.split(break_) if self._draws else (lines,):
            found = self._hear_block(block, at + begin) if block else ()
            if found is None:
                break
            pieces += found
            begin += len(block) + len(break_)
        else:
            return pieces
        for start, strings in events(lines[begin:]):
            # The line begins before its text, at whatever the line before ends with.
            line = lines.rfind(b"\n", 0, begin + start) + 1
            self._hear(strings.items(), at + line)
        return None

    def trust(self) -> None:
        """What was heard last is no secret: of what is like it, only what differs is looked at."""
        if self._untrusted:
            self._outlines = [*self._untrusted, *self._outlines][:_OUTLINES]

    def _hear_block(self, block: bytes, at: int) -> Sequence[bytes] | None:
        """*block* came; gives what of it is new if it is an event that has an outline."""
        pieces = quoted(block) if self._draws else None
        if pieces is None:
            return None
        for known in (*self._untrusted, *self._outlines):
            if known.has(pieces):
                texts = said(pieces, known.lanes)
                if texts is None:
                    return None
                self._drawn = 0
                self._hear(texts.items(), at + known.start)
                return [pieces[free] for free in known.free]
        drawn = outline(block, pieces)
        if drawn is None:
            return None
        texts = said(pieces, drawn.lanes)
        if texts is None:
            return None
        self._hear(texts.items(), at + drawn.start)
        live = {key for key, text in texts.items() if text != self._lanes[key].usual}
        self._untrusted.append(drawn.narrowed(pieces, live))
        self._drawn += 1
        self._draws = self._drawn < _VAIN
        return pieces

    def _hear(self, said: Iterable[tuple[Hashable, Sequence[str]]], at: int) -> None:
        """The event that begins *at* so many bytes says this."""
        for key, pieces in said:
            lane = self._lanes.get(key)
            if lane is None:
                lane = self._lanes[key] = _Lane(pieces[0])
            if pieces == lane.usual:
                continue  # an id or a name, which nobody reads on
            usual = lane.usual
            for piece in pieces:
                self._go_on(lane, piece, at)
            if usual is not lane.usual:
                self._outlines = []  # who listens to what has changed
                self._untrusted.clear()
            if lane.since is not None:
                self._open[key] = lane.since
            elif self._open:
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
