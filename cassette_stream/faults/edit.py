"""Changing events where they stand, and nothing beside them.

An edit takes the bytes between two places out and puts others in. What it leaves alone
keeps its chunk and its time; what it puts in comes in the chunk in which its place is.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from typing import TypeAlias

from cassette_stream.faults.place import AfterText, Event, EventPlace
from cassette_stream.faults.seek import seek
from cassette_stream.faults.seen import (
    NO_JSON,
    Edit,
    Heard,
    Seen,
    dialect_in,
    events_in,
    json_bytes,
)
from cassette_stream.script import Emit, Fail, Script, Step

__all__ = (
    "NO_JSON",
    "Change",
    "Edit",
    "Seen",
    "Settle",
    "dialect_in",
    "edit_ahead",
    "edit_blocks",
    "edit_event",
    "edit_events",
    "edit_pair",
    "edited",
    "end_at",
    "events_in",
    "insert_block",
    "insert_event",
    "json_bytes",
)

Change: TypeAlias = Callable[[Seen], Sequence[Edit]]
PairChange: TypeAlias = Callable[[Seen, Seen, int], Sequence[Edit]]
Settle: TypeAlias = Callable[[Sequence[Seen], bool], Sequence[Sequence[Edit]]]


def edit_event(script: Script, place: EventPlace, change: Change) -> Script:
    """The *script* with one event changed; one without it is left whole.

    *change* gets the event, and gives edits in order, in places of its `Seen.raw`.
    """
    heard = Heard()
    steps, seen, start = yield from _event_at(heard, heard.listen(script), place)
    edits = () if seen is None else change(seen)
    yield from edited(steps, [(start + a, start + b, new) for a, b, new in edits])
    yield from script


def edit_pair(script: Script, place: Event, change: PairChange) -> Script:
    """The *script* with one event and the one after it changed; without both it is left whole.

    *change* gets the two, and where the `Seen.raw` of the second begins; it gives edits in
    order, in places of the `Seen.raw` of the first, which go on into the second.
    """
    heard = Heard()
    script = heard.listen(script)
    found = yield from seek(script, place)
    if found is None:
        return
    steps, before = list(found.steps), heard.size - sum(map(_size, found.steps))
    at = before + found.start
    first = heard.seen(at)
    while (second := heard.after(at)) is None:
        step = next(script, None)
        if step is None:
            heard.finish()  # what ends with the body is not known before
            second = heard.after(at)
            break
        steps.append(step)
    edits = () if second is None else change(first, second[0], second[1] - at)
    yield from edited(steps, [(found.start + a, found.start + b, new) for a, b, new in edits])
    yield from script


def insert_block(script: Script, place: Event, *lines: bytes) -> Script:
    """The *script* with a block of these *lines* beside one event: before it, or after it.

    What is no server-sent event has no blocks beside it.
    """

    def change(seen: Seen) -> Sequence[Edit]:
        if seen.framing != "sse":
            return ()
        block = b"".join(line + seen.line_end for line in (*lines, b""))
        return seen.followed_by(block) if place.after else seen.preceded_by(block)

    return edit_event(script, place, change)


def insert_event(script: Script, place: Event, data: bytes) -> Script:
    """The *script* with an event of this *data* beside one, written as that is."""

    def change(seen: Seen) -> Sequence[Edit]:
        event = seen.event(data)
        return seen.followed_by(event) if place.after else seen.preceded_by(event)

    return edit_event(script, place, change)


def end_at(script: Script, place: EventPlace, ending: Callable[[Seen], bytes | None]) -> Script:
    """The *script* up to one event, and what *ending* makes of that instead of all the rest.

    A script without the event, or of whose event *ending* makes None, is left whole.
    """
    heard = Heard()
    steps, seen, start = yield from _event_at(heard, heard.listen(script), place)
    told = None if seen is None else ending(seen)
    if seen is None or told is None:
        yield from steps
        yield from script
        return
    left = start + seen.start
    for step in steps:
        if isinstance(step, Emit) and len(step.data) > left:
            yield Emit(step.data[:left] + told)
            return
        left -= _size(step)
        yield step


def _event_at(
    heard: Heard, script: Script, place: EventPlace
) -> Generator[Step, None, tuple[list[Step], Seen | None, int]]:
    """Give the steps before the event at *place*; return those that hold it, and where it begins.

    After so much text that is the next event, whatever it says. None stands for no such event.
    """
    found = yield from seek(script, place)
    if found is None:
        return [], None, 0
    steps, before = list(found.steps), heard.size - sum(map(_size, found.steps))
    at = before + found.start
    if not isinstance(place, AfterText):
        return steps, heard.seen(at), found.start
    while (following := heard.after(at - 1)) is None:
        step = next(script, None)
        if step is None or isinstance(step, Fail):
            steps += [] if step is None else [step]
            heard.finish()
            following = heard.after(at - 1)
            break
        steps.append(step)
    seen, at = following or (None, at)
    return steps, seen, at - before


def edit_events(script: Script, change: Change) -> Script:
    """The *script* with every event as *change* gives it; what is no event stays."""
    return edit_ahead(script, lambda waiting, _: [change(seen) for seen in waiting])


def edit_blocks(script: Script, change: Change) -> Script:
    """As `edit_events`, for server-sent events alone: other events have no fields."""
    return edit_events(script, lambda seen: change(seen) if seen.framing == "sse" else ())


def edit_ahead(script: Script, settle: Settle) -> Script:
    """The same for changes that depend on what follows.

    *settle* gets the events that wait, whenever there is one more and once more when the body
    is over, and gives the edits of as many of them, from the first on, as it can tell; in the
    end of all. What waits is held back.
    """
    heard = Heard()
    return _settled(heard, heard.listen(script), _Queue(settle))


def edit_from(script: Script, place: Event, settle: Settle) -> Script:
    """As `edit_ahead`, from one event on; a script without it is left whole."""
    heard = Heard()
    steps = heard.listen(script)
    found = yield from seek(steps, place)
    if found is None:
        return
    before = heard.size - sum(map(_size, found.steps))
    heard.seen(before + found.start)  # where the body is over, nobody has told yet
    heard.new = [(seen, at) for seen, at in heard.new if at >= before + found.start]
    yield from _settled(heard, steps, _Queue(settle, held=found.steps, released=before))


def _settled(heard: Heard, steps: Script, queue: _Queue) -> Script:
    """What *queue* holds, and the *steps* that *heard* listens to, with the edits of its events."""
    queue.take(heard)
    for step in steps:
        queue.steps.append(step)
        if isinstance(step, Fail):
            break
        queue.take(heard)
        yield from queue.release(heard.whole)
    heard.finish()
    queue.take(heard)
    queue.decide(over=True)
    yield from queue.release(heard.size)


class _Queue:
    """Steps that wait for what their events become."""

    def __init__(self, settle: Settle, *, held: Iterable[Step] = (), released: int = 0) -> None:
        self.steps: deque[Step] = deque(held)
        self._settle = settle
        self._events: list[Seen] = []
        self._starts: deque[int] = deque()
        self._edits: deque[Edit] = deque()
        self._released = released  # bytes of the body, before the first step that waits

    def take(self, heard: Heard) -> None:
        for seen, start in heard.new:
            self._events.append(seen)
            self._starts.append(start)
            self.decide(over=False)
        heard.new.clear()

    def decide(self, *, over: bool) -> None:
        if not self._events:
            return
        settled = self._settle(self._events, over)
        for edits in settled:
            start = self._starts.popleft()
            self._edits.extend((start + a, start + b, new) for a, b, new in edits)
        del self._events[: len(settled)]

    def release(self, upto: int) -> Iterator[Step]:
        """The steps with bytes up to *upto* whose events are settled."""
        upto = min(upto, self._starts[0]) if self._starts else upto
        ready, end = [], self._released
        while self.steps and end + _size(self.steps[0]) <= upto:
            end += _size(self.steps[0])
            ready.append(self.steps.popleft())
        if any(isinstance(step, Emit) for step in ready):
            yield from edited(ready, self._due(end))
        else:
            yield from ready
        self._released = end

    def _due(self, end: int) -> list[Edit]:
        """The edits of what is released up to *end*, counted from where that begins."""
        due, begun = [], self._released
        while self._edits and self._edits[0][0] <= end:
            start, stop, new = self._edits[0]
            if stop > end:
                if start < end:  # the rest of it is in a chunk that waits
                    due.append((start - begun, end - begun, new))
                    self._edits[0] = (end, stop, b"")
                break
            self._edits.popleft()
            due.append((start - begun, stop - begun, new))
        return due


def edited(steps: Iterable[Step], edits: Sequence[Edit]) -> Iterator[Step]:
    """The *steps* with *edits*, which are in order and count bytes from the first step.

    A chunk that an edit empties goes.
    """
    left = deque(edits)
    position = 0
    for step in steps:
        if not isinstance(step, Emit):
            yield step
            continue
        data, end = step.data, position + len(step.data)
        pieces, at = [], position
        while left and left[0][0] <= end:
            start, stop, new = left[0]
            if start == end and start < stop:
                break  # what it changes begins with the next chunk
            pieces += [data[at - position : max(start, at) - position], new]
            at = max(at, min(stop, end))
            if stop > end:
                left[0] = (end, stop, b"")
                break
            left.popleft()
        pieces.append(data[at - position :])
        position = end
        told = b"".join(pieces)
        if told or not data:
            yield step if told == data else Emit(told)


def _size(step: Step) -> int:
    return len(step.data) if isinstance(step, Emit) else 0
