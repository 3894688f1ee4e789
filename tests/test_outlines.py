"""What an outline says of an event is what the JSON of the event says."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cassette_stream.cassette.lanes import events
from cassette_stream.cassette.outlines import outline, quoted, said

texts = st.text(st.sampled_from('ab \\"\n\x7f\u00e9\u4f60{}:,1'), max_size=4)
values = st.recursive(
    st.one_of(texts, st.none(), st.integers(0, 2)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=2),
        st.dictionaries(st.sampled_from(["index", "type", "a", "b"]), inner, max_size=3),
    ),
    max_leaves=6,
)


def line(value: Any, *, ascii_only: bool = True) -> bytes:
    return b"event: x\ndata: " + json.dumps(value, ensure_ascii=ascii_only).encode() + b"\n"


@given(value=values, draw=st.data(), ascii_only=st.booleans())
@example(value={"type": "1", "a": "b"}, draw=None, ascii_only=True)
def test_of_each_event_that_is_alike_it_says_what_the_json_says(
    value: Any, draw: Any, ascii_only: bool
) -> None:
    first = line(value, ascii_only=ascii_only)
    pieces = quoted(first)
    drawn = None if pieces is None else outline(first, pieces)
    if drawn is None:
        return
    assert pieces is not None
    others = list(pieces)
    for at in drawn.free if draw is not None else ():
        raw = draw.draw(st.one_of(st.binary(max_size=2), texts.map(lambda it: it.encode())))
        others[at] = raw
    other = b'"'.join(others)
    again = quoted(other)
    if again is None or not drawn.has(again):
        return
    found = said(again, drawn.lanes)

    assert found is None or [(drawn.start, found)] == [
        (other.rfind(b"\n", 0, start) + 1, strings) for start, strings in events(other)
    ]


@pytest.mark.parametrize(
    "event",
    [
        b"data: [DONE]",
        b'data: {"a":"b"',
        b'data: {"a":"b"}}',
        b'data: {"a":"b"}\ndata: {"a":"b"}',
        b'data: {"a":"\x7f"}',
        b'data: {"a":"\\x"}',
        b'data: {"type":"\\u007f3","a":"b"}',
        b': {"a":"b"}',
    ],
)
def test_of_what_is_unsure_there_is_none(event: bytes) -> None:
    assert outline(event, event.split(b'"')) is None


def test_only_what_is_free_may_differ() -> None:
    event = b'data: {"type":"delta","index":0,"text":"Hello"}'
    drawn = outline(event, event.split(b'"'))
    assert drawn is not None

    assert drawn.has(event.replace(b"Hello", b"world").split(b'"'))
    assert not drawn.has(event.replace(b"delta", b"start").split(b'"'))
    assert not drawn.has(event.replace(b"0", b"1").split(b'"'))
