"""What the layers of faults that change events have in common: their variants, and their laws."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import pytest
from breaking import (
    ENCODERS,
    IN_SSE,
    LIBRARIES,
    SPOKEN,
    answer,
    expected,
    has,
    outcome,
    stream,
)
from hypothesis import settings
from hypothesis import strategies as st
from support import SOAK
from test_faults import events_of, sent

from cassette_stream import faults
from cassette_stream.exceptions import APIError
from cassette_stream.faults import Event, FaultInfo, Rule, text_of
from cassette_stream.faults.dialect import Dialect
from cassette_stream.faults.edit import events_in
from cassette_stream.script import Emit, Head, Step, Wait

EXAMPLES = settings(max_examples=300 if SOAK else 25, deadline=None)
SHELLS = [
    pytest.param(library, is_async, id=f"{library}-{'async' if is_async else 'sync'}")
    for library in LIBRARIES
    for is_async in (False, True)
]


def rules(layer: str) -> list[Rule]:
    """Each fault of the layer, with each word that its parameters can be, at event 2."""
    made = []
    for info in faults.catalogue().values():
        words = [(it.name, word) for it in info.parameters for word in it.choices]
        if info.layer == layer:
            at = Event(2) if info.places else None
            made += [
                Rule(info.id, at=at, parameters=dict([word] if word else []))
                for word in (words or [None])
            ]
    return made


def params(layer: str, *, without: Sequence[str] = ()) -> list[Any]:
    return [
        pytest.param(rule, id=text_of(rule)) for rule in rules(layer) if rule.fault not in without
    ]


def dialects_of(rule: Rule) -> list[Dialect]:
    return [dialect for dialect in SPOKEN if has(info_of(rule), dialect)]


def info_of(rule: Rule) -> FaultInfo:
    assert rule.info is not None
    return rule.info


def at(rule: Rule, n: int) -> Rule:
    """The same, at event *n*, if it is at a place."""
    place = Event(n) if rule.at is not None else None
    return Rule(rule.fault, at=place, parameters=rule.parameters)


@st.composite
def streams(draw: st.DrawFn, dialects: Sequence[Dialect]) -> list[Step]:
    """A stream with any line ends, comments and chunks; each chunk has its own wait before it.

    It is one of server-sent events: no others have comments, or line ends of any kind.
    """
    spoken = [it for it in dialects if it in IN_SSE]
    body = b"".join(ENCODERS[draw(st.sampled_from(spoken))].encode(answer(calls=True)))
    body = body.replace(b"\r\n", b"\n")
    if draw(st.booleans()):
        body = b": hello\n\n" + body.replace(b"\n\n", b"\n\n: still here\n\n", 3)
    body = body.replace(b"\n", draw(st.sampled_from([b"\n", b"\r\n", b"\r"])))
    cuts = sorted(draw(st.lists(st.integers(0, len(body)), max_size=12)))
    if draw(st.booleans()):  # an event a chunk, as servers send them
        cuts = sorted({*cuts, *(event.end for event in events_of(body))})
    chunks = [body[start:end] for start, end in pairwise([0, *cuts, len(body)])]
    return [Head(200), *(step for n, it in enumerate(chunks, 1) for step in (Wait(n), Emit(it)))]


def whole(steps: list[Step]) -> list[Step]:
    """The same body in one chunk."""
    return [Head(200), Wait(1), Emit(sent(steps))]


def by_wait(steps: list[Step]) -> dict[Step, list[bytes]]:
    """The chunks that come after each wait."""
    groups: dict[Step, list[bytes]] = {}
    chunks: list[bytes] = []
    for step in steps:
        if isinstance(step, Emit):
            chunks.append(step.data)
        else:
            chunks = groups.setdefault(step, [])
    return groups


def is_within(part: bytes, of: bytes) -> bool:
    """Whether *part* is what is left if some bytes *of* it go."""
    rest = iter(of)
    return all(byte in rest for byte in part)


def said(body: bytes) -> list[tuple[str, Any]]:
    """The type of each event, and its JSON or its text."""
    return [(event.event, _value(event.data)) for event in events_of(body)]


def _value(data: str) -> Any:
    try:
        return json.loads(data)
    except ValueError:
        return data.strip()


def struck(rule: Rule, steps: list[Step]) -> bool:
    """Whether it changes anything."""
    changed = rule.build()(iter(steps))
    same = all(next(changed, None) == step for step in steps)
    return not same or next(changed, None) is not None


def judge(rule: Rule, dialect: Dialect, errors: dict[str, type[APIError]], **how: Any) -> bool:
    """Break every event of a stream, and see that our client does what is expected of it.

    What breaks behind the end of the answer may be said, and is no matter either.

    Returns:
        Whether it struck at all.
    """
    steps = stream(dialect, calls=how.pop("calls", False))
    clean = outcome(lambda _: steps, dialect, **how)
    assert not isinstance(clean, Exception)
    events = events_in(steps)
    over = next((n for n, seen in enumerate(events, 1) if seen.is_terminal), len(events))
    numbers = range(1, len(events) + 1) if rule.at else [1]
    hits = [(n, it) for n in numbers if struck(it := at(rule, n), steps)]
    for n, hit in hits:
        got = outcome(lambda _, hit=hit: hit.build()(iter(steps)), dialect, **how)
        told = text_of(hit), dialect, got
        match expected(info_of(rule), dialect):
            case "tolerates":
                assert got == clean, told
            case "raises" if n <= over:
                assert isinstance(got, errors[str(rule.fault)]), told
            case _:
                assert got == clean or isinstance(got, errors[str(rule.fault)]), told
    return bool(hits)


def endless(read: Iterator[int]) -> Iterator[Step]:
    """A stream that never ends; *read* counts what is taken of it."""
    yield Head(200)
    first, *others = (step for step in stream("openai_chat") if isinstance(step, Emit))
    yield first
    while True:
        for step in others[:-2]:
            next(read)
            yield step
