"""Edits: what they say they change, and not a byte, a chunk or a moment beside it."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import pytest
from breaking import SPOKEN
from fault_laws import by_wait, streams, whole
from hypothesis import given, settings
from hypothesis import strategies as st
from support import SOAK
from test_faults import chunked, events_of, scripts, sent

from cassette_stream.faults import Event
from cassette_stream.faults.edit import (
    Edit,
    Seen,
    edit_ahead,
    edit_event,
    edit_events,
    edit_from,
    edit_pair,
    edited,
    end_at,
    events_in,
    insert_block,
)
from cassette_stream.script import Emit, Fail, FailureKind, Head, Step, Wait

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

some = settings(max_examples=1000 if SOAK else 60, deadline=None)

CHANGES: dict[str, Callable[[Seen], Sequence[Edit]]] = {
    "nothing": lambda _: [],
    "before": lambda seen: seen.preceded_by(b": before\n\n"),
    "behind": lambda seen: seen.followed_by(b"data: more\n\n"),
    "instead": lambda seen: seen.replaced_by(b"data: other\n\n"),
    "gone": lambda seen: [(0, len(seen.raw), b"")],
    "data": lambda seen: seen.with_data(b"new"),
    "same": lambda seen: [(0, len(seen.raw), seen.raw)],
    "two": lambda seen: [(0, 1, b""), (len(seen.raw) - 1, len(seen.raw), b"<>")],
    "empty": lambda seen: [(1, 1, b"")],
}
changes = st.lists(st.sampled_from(sorted(CHANGES)), min_size=1, max_size=4)
some_streams = streams(SPOKEN) | scripts()
numbers = st.integers(1, 12) | st.integers(-12, -1) | st.sampled_from(["first", "last"])


def change_of(names: list[str]) -> Callable[[Seen], Sequence[Edit]]:
    """The change that goes through *names*, event after event."""
    return lambda seen: CHANGES[names[seen.number % len(names)]](seen)


def rewritten(body: bytes, edits: Sequence[Edit]) -> bytes:
    pieces, at = [], 0
    for start, end, new in edits:
        pieces += [body[at:start], new]
        at = end
    return b"".join([*pieces, body[at:]])


def edits_of(body: bytes, change: Callable[[Seen], Sequence[Edit]]) -> list[Edit]:
    """The edits of the whole body, in its places."""
    seen = events_in([Emit(body)])
    return [
        (event.start + a, event.start + b, new)
        for event, it in zip(events_of(body), seen, strict=True)
        for a, b, new in change(it)
    ]


@st.composite
def edited_bodies(draw: st.DrawFn) -> tuple[list[Step], list[Edit]]:
    body = draw(st.binary(max_size=30))
    bounds = sorted(draw(st.lists(st.integers(0, len(body)), max_size=8)))
    edits = [
        (start, end, draw(st.sampled_from([b"", b"+", b"[new]"])))
        for start, end in zip(bounds[::2], bounds[1::2], strict=False)
    ]
    steps: list[Step] = [Head(200)]
    for n, chunk in enumerate(chunked(body, draw(st.lists(st.integers(0, len(body)), max_size=6)))):
        steps += [Wait(n), Emit(chunk)]
    return steps, edits


def untouched(steps: list[Step], edits: Sequence[Edit]) -> list[tuple[Step, bytes]]:
    """The chunks that no edit comes near, and the wait before each."""
    found, at = [], 0
    for before, step in itertools.pairwise(steps):
        if isinstance(step, Emit):
            start, at = at, at + len(step.data)
            if step.data and all(end < start or a > at for a, end, _ in edits):
                found.append((before, step.data))
    return found


@some
@given(edited_bodies())
def test_edits_change_what_they_say_and_leave_the_other_chunks_and_every_moment(
    case: tuple[list[Step], list[Edit]],
) -> None:
    steps, edits = case
    told = list(edited(steps, edits))

    assert sent(told) == rewritten(sent(steps), edits)
    assert [it for it in told if not isinstance(it, Emit)] == [
        it for it in steps if not isinstance(it, Emit)
    ]
    for wait, data in untouched(steps, edits):
        assert by_wait(told)[wait] == [data]


@some
@given(some_streams, changes)
def test_every_event_is_edited_alike_however_the_network_cut(
    steps: list[Step], names: list[str]
) -> None:
    change = change_of(names)
    edits = edits_of(sent(steps), change)
    told = list(edit_events(iter(steps), change))

    assert sent(told) == rewritten(sent(steps), edits)
    assert sent(told) == sent(list(edit_events(iter(whole(steps)), change)))
    assert [it for it in told if not isinstance(it, Emit)] == [
        it for it in steps if not isinstance(it, Emit)
    ]


@some
@given(streams(SPOKEN), changes)
def test_chunks_beside_the_edits_keep_their_moment(steps: list[Step], names: list[str]) -> None:
    change = change_of(names)
    groups = by_wait(list(edit_events(iter(steps), change)))

    for wait, data in untouched(steps, edits_of(sent(steps), change)):
        assert groups[wait] == [data]


@some
@given(some_streams, numbers, st.sampled_from(sorted(CHANGES)))
def test_one_event_is_edited_and_no_other(steps: list[Step], n: Any, name: str) -> None:
    body, events = sent(steps), events_of(sent(steps))
    index = {"first": 0, "last": len(events) - 1}.get(
        n, n - 1 if isinstance(n, int) and n > 0 else n
    )
    index = index + len(events) if isinstance(n, int) and n < 0 else index
    told = list(edit_event(iter(steps), Event(n), CHANGES[name]))

    if not 0 <= index < len(events):
        assert told == steps
        return
    edits = edits_of(body, lambda seen: CHANGES[name](seen) if seen.number == index + 1 else [])
    assert sent(told) == rewritten(body, edits)
    for wait, data in untouched(steps, edits):
        if isinstance(wait, Wait) and steps.count(wait) == 1:
            assert data in by_wait(told)[wait]


@some
@given(some_streams, st.integers(1, 8))
def test_a_pair_is_edited_together_or_not_at_all(steps: list[Step], n: int) -> None:
    body, events = sent(steps), events_of(sent(steps))

    def swap(first: Seen, second: Seen, at: int) -> Sequence[Edit]:
        return [(0, len(first.raw), second.raw), (at, at + len(second.raw), first.raw)]

    told = list(edit_pair(iter(steps), Event(n), swap))
    if len(events) <= n:
        assert told == steps
        return
    first, second = events[n - 1 : n + 1]

    assert sent(told) == rewritten(
        body,
        [
            (first.start, first.end, body[second.start : second.end]),
            (second.start, second.end, body[first.start : first.end]),
        ],
    )


@some
@given(some_streams, st.integers(1, 8), changes)
def test_events_from_one_on_are_edited(steps: list[Step], n: int, names: list[str]) -> None:
    change = change_of(names)
    edits = edits_of(sent(steps), lambda seen: change(seen) if seen.number >= n else [])
    told = list(
        edit_from(iter(steps), Event(n), lambda waiting, _: [change(seen) for seen in waiting])
    )

    assert sent(told) == rewritten(sent(steps), edits)


@some
@given(some_streams, st.integers(1, 5), changes)
def test_events_may_wait_until_it_is_known_what_becomes_of_them(
    steps: list[Step], most: int, names: list[str]
) -> None:
    change = change_of(names)

    def settle(waiting: Sequence[Seen], over: bool) -> Sequence[Sequence[Edit]]:
        ready = len(waiting) if over else max(0, len(waiting) - most)
        return [change(seen) for seen in waiting[:ready]]

    assert sent(edit_ahead(iter(steps), settle)) == sent(edit_events(iter(steps), change))


@some
@given(some_streams, st.integers(1, 8), st.sampled_from([b"", b"data: over\n\n", None]))
def test_an_ending_stands_instead_of_an_event_and_all_the_rest(
    steps: list[Step], n: int, ending: bytes | None
) -> None:
    told = list(end_at(iter(steps), Event(n), lambda _: ending))
    seen = [it for it in events_in(steps) if it.number == n]
    if not seen or ending is None:
        assert told == steps
        return
    start = events_of(sent(steps))[n - 1].start + seen[0].start

    assert sent(told) == sent(steps)[:start] + ending
    assert not any(isinstance(step, Fail) for step in told)


@some
@given(some_streams, st.integers(1, 8), st.booleans())
def test_a_block_is_put_beside_an_event_in_its_own_line_ends(
    steps: list[Step],
    n: int,
    after: bool,
) -> None:
    told = list(insert_block(iter(steps), Event(n, after=after), b": ping", b"data: hi"))
    before, now = events_of(sent(steps)), events_of(sent(told))
    if len(before) < n:
        assert told == steps
        return
    kept = [(it.event, it.data) for it in before]
    kept.insert(n if after else n - 1, ("message", "hi"))

    assert [(it.event, it.data) for it in now] == kept


LINE_ENDS = [b"\n", b"\r\n", b"\r"]


@pytest.mark.parametrize("end", LINE_ENDS, ids=repr)
def test_a_last_event_without_its_blank_line_is_none(end: bytes) -> None:
    body = b"data: 1" + end * 2 + b"data: 2" + end
    for cut in range(len(body) + 1):
        steps = [Emit(body[:cut]), Emit(body[cut:])]
        told = edit_events(iter(steps), lambda seen: seen.with_data(b"x"))

        assert sent(told) == b"data: x" + end * 2 + b"data: 2" + end


@pytest.mark.parametrize("end", LINE_ENDS, ids=repr)
@pytest.mark.parametrize(
    ("lines", "wanted"),
    [
        ([b"data"], [b"data: new"]),
        ([b"data", b"data"], [b"data: new"]),
        ([b"data:", b"data"], [b"data:new"]),
        ([b"data: a", b"id: 7", b"data: b", b"event: e"], [b"data: new", b"id: 7", b"event: e"]),
        ([b"id: 7", b"data", b"data: b"], [b"id: 7", b"data: new"]),
        ([b": data: x", b"database: 1", b"data: a"], [b": data: x", b"database: 1", b"data: new"]),
    ],
    ids=repr,
)
def test_other_data_takes_the_place_of_all_data_lines_and_of_no_other(
    end: bytes, lines: list[bytes], wanted: list[bytes]
) -> None:
    body = end.join([*lines, b"", b""])
    told = edit_events(iter([Emit(body)]), lambda seen: seen.with_data(b"new"))

    assert sent(told) == end.join([*wanted, b"", b""])


@pytest.mark.parametrize("end", LINE_ENDS, ids=repr)
def test_an_event_cut_anywhere_is_edited_alike(end: bytes) -> None:
    event = end.join([b": note", b"event: e", b"data: {", b'data: "a":1}', b"id: 7", b"", b""])
    wanted = end.join([b": note", b"event: e", b"data: new", b"id: 7", b"", b""])
    for first, second in itertools.combinations_with_replacement(range(len(event) + 1), 2):
        steps = [Emit(event[:first]), Emit(event[first:second]), Emit(event[second:])]
        told = list(edit_event(iter(steps), Event(1), lambda seen: seen.with_data(b"new")))

        assert sent(told) == wanted
        assert b"" not in [it.data for it in told if it not in steps]


@pytest.mark.parametrize(
    "edit",
    [
        lambda script: edit_events(script, lambda seen: seen.with_data(b"1")),
        lambda script: edit_event(script, Event(2), lambda seen: seen.with_data(b"1")),
        lambda script: edit_pair(script, Event(2), lambda a, _, at: [(at, at, b":\n\n")]),
        lambda script: edit_from(script, Event(2), lambda all_, _: [[] for _ in all_]),
        lambda script: insert_block(script, Event(2, after=True), b"data: 1"),
    ],
    ids=["events", "event", "pair", "from", "insert"],
)
def test_a_stream_without_end_is_edited_as_it_comes(edit: Any) -> None:
    read = itertools.count()
    script = (Emit(b"data: %d\n\n" % n) for n in iter(lambda: next(read), -1))
    told = list(itertools.islice(edit(script), 30))

    assert len(told) == 30
    assert next(read) <= 33


def test_nothing_of_what_follows_a_failure_is_told() -> None:
    steps: list[Step] = [Head(200), Emit(b"data: 1\n\nda"), Fail(FailureKind.RESET)]

    assert list(edit_events(iter(steps), lambda seen: seen.with_data(b"2"))) == [
        Head(200),
        Emit(b"data: 2\n\nda"),
        Fail(FailureKind.RESET),
    ]
