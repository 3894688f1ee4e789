from __future__ import annotations

from collections import Counter
from itertools import accumulate
from statistics import mean
from zlib import crc32

import pytest
from hypothesis import find, given, seed, settings
from hypothesis import strategies as st
from pytest_cassette_stream.strategies import chunkings

from cassette_stream.dialects.aws_frames import frame

NASTY = 'data: {"a":"\\u00e9é"}\r\n\r\n'.encode()


@given(st.data(), st.binary(max_size=200))
def test_chunks_are_never_empty_and_together_they_are_the_data(
    data: st.DataObject, whole: bytes
) -> None:
    chunks = data.draw(chunkings(whole))

    assert b"".join(chunks) == whole
    assert all(chunks)


@pytest.mark.parametrize(
    "place",
    [
        NASTY.index(b"\xa9"),
        NASTY.index(b"\n"),
        NASTY.index(b"u00e9"),
        NASTY.index(b" {"),
        1,
        len(NASTY) - 1,
    ],
    ids=["inside UTF-8", "inside CRLF", "inside an escape", "behind data:", "first", "last"],
)
def test_a_cut_at_every_nasty_place_is_found_and_shrinks_to_itself(place: int) -> None:
    def is_cut(chunks: list[bytes]) -> bool:
        return any(len(b"".join(chunks[:n])) == place for n in range(len(chunks)))

    assert find(chunkings(NASTY), is_cut) == [NASTY[:place], NASTY[place:]]


LINES = b'{"a":1}\n{"b":2}\n'
FRAMES = frame("messageStop", b"{}") + frame("metadata", b"{}")


@pytest.mark.parametrize(
    ("data", "places"),
    [
        (LINES, {LINES.index(b"\n"), LINES.index(b"\n") + 1}),
        (FRAMES, {4, 8, 12, len(frame("messageStop", b"{}")), len(FRAMES) - 4}),
    ],
    ids=["lines of JSON", "AWS frames"],
)
def test_lines_and_frames_are_often_cut_at_their_ends(data: bytes, places: set[int]) -> None:
    cuts: Counter[int] = Counter()

    @seed(1)
    @settings(max_examples=100, database=None)
    @given(chunkings(data))
    def count(chunks: list[bytes]) -> None:
        if len(chunks) < len(data):
            cuts.update(accumulate(map(len, chunks[:-1])))

    count()
    others = [cuts[place] for place in range(1, len(data)) if place not in places]

    assert min(cuts[place] for place in places) > mean(others)


@given(st.data(), st.binary(max_size=60))
def test_what_only_begins_like_a_frame_is_cut_as_any_other(
    data: st.DataObject, tail: bytes
) -> None:
    lengths = bytes(8)  # with the right checksum, and of no length at all
    whole = lengths + crc32(lengths).to_bytes(4, "big") + tail

    assert b"".join(data.draw(chunkings(whole))) == whole


def test_byte_by_byte_is_among_them() -> None:
    assert find(chunkings(NASTY), lambda chunks: len(chunks) == len(NASTY))


def test_long_data_is_cut_too() -> None:
    data = b"x" * 10_000

    assert len(find(chunkings(data), lambda chunks: len(chunks) > 3)) == 4


@pytest.mark.parametrize("data", [b"", b"a"])
def test_what_cannot_be_cut_comes_in_one_piece(data: bytes) -> None:
    assert find(chunkings(data), lambda _: True) == ([data] if data else [])


def test_text_is_refused() -> None:
    with pytest.raises(TypeError, match="encode it first"):
        chunkings("data: é")  # type: ignore[arg-type]  # that is the point
