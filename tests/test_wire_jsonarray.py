"""An array of JSON objects: the same objects wherever the network cuts."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pytest_cassette_stream.strategies import chunkings
from support import SOAK

from cassette_stream.exceptions import WireFormatError
from cassette_stream.wire import JSONArrayDecoder

many = settings(max_examples=500 if SOAK else 80, deadline=None)

LEAVES = (
    st.none() | st.booleans() | st.integers() | st.text() | st.sampled_from(['"', "\\", "]}", "[{"])
)
OBJECTS = st.dictionaries(
    st.text(max_size=4),
    st.recursive(LEAVES, lambda it: st.lists(it) | st.dictionaries(st.text(max_size=3), it), max_leaves=8),
    max_size=3,
)  # fmt: skip
SPACES = st.sampled_from([None, 0, 2])


def outcome(pieces: Iterable[bytes], **options: Any) -> tuple[list[str], Any]:
    """The objects that came, and how it ended."""
    decoder, objects = JSONArrayDecoder(**options), []
    try:
        for piece in pieces:
            objects.extend(decoder.feed(piece))
        objects.extend(decoder.finish())
    except WireFormatError as error:
        return objects, (error.message, error.offset)
    return objects, "truncated" if decoder.truncated else "whole"


@many
@given(
    values=st.lists(OBJECTS, max_size=4), indent=SPACES, ascii_only=st.booleans(), data=st.data()
)
def test_the_objects_of_an_array_come_back_however_it_is_cut(
    values: list[Any], indent: int | None, ascii_only: bool, data: st.DataObject
) -> None:
    body = json.dumps(values, indent=indent, ensure_ascii=ascii_only).encode()
    objects, ending = outcome(data.draw(chunkings(body)))

    assert [json.loads(text) for text in objects] == values
    assert ending == "whole"


@many
@given(body=st.text('[]{},:"\\ \n1a\x00é').map(str.encode), data=st.data())
def test_anything_at_all_ends_the_same_however_it_is_cut(body: bytes, data: st.DataObject) -> None:
    limit = data.draw(st.sampled_from([4, 1000]))
    whole = outcome([body], max_object_bytes=limit)

    assert outcome(data.draw(chunkings(body)), max_object_bytes=limit) == whole


@many
@given(values=st.lists(OBJECTS, min_size=1, max_size=3), data=st.data())
def test_an_object_comes_with_its_last_byte(values: list[Any], data: st.DataObject) -> None:
    body = json.dumps(values).encode()
    decoder, came = JSONArrayDecoder(), []
    for at in range(len(body)):
        for text in decoder.feed(body[at : at + 1]):
            came.append(at)
            assert body[at : at + 1] == b"}"
            assert json.loads(text) == values[len(came) - 1]

    assert len(came) == len(values)
    assert decoder.ended
    assert decoder.pending == 0


@pytest.mark.parametrize(
    ("body", "objects", "ending"),
    [
        (b"", [], "truncated"),
        (b"[", [], "truncated"),
        (b" [ ] \r\n", [], "whole"),
        (b'[{"a":1}', ['{"a":1}'], "truncated"),
        (b'[{"a":1},', ['{"a":1}'], "truncated"),
        (b'[{"a":1}, {"b"', ['{"a":1}'], "truncated"),
        (b'[{"a":"\\"]}"}]', ['{"a":"\\"]}"}'], "whole"),
        (b'[{"a":[{}]}]', ['{"a":[{}]}'], "whole"),
        (b"{}", [], ("[ must come at this place of a JSON array, not b'{'", 0)),
        (b" <html>", [], ("[ must come at this place of a JSON array, not b'<'", 1)),
        (b"[1]", [], ("{ or ] must come at this place of a JSON array, not b'1'", 1)),
        (b"[{} {}]", ["{}"], (", or ] must come at this place of a JSON array, not b'{'", 4)),
        (b"[{},]", ["{}"], ("{ must come at this place of a JSON array, not b']'", 4)),
        (b"[{}] x", ["{}"], ("nothing must come at this place of a JSON array, not b'x'", 5)),
        (b'[{},{"a":"\xff"}]', ["{}"], ("no UTF-8: 0xff (invalid start byte)", 10)),
    ],
)  # fmt: skip
def test_the_brackets_tell_how_it_ends(body: bytes, objects: list[str], ending: Any) -> None:
    assert outcome([body]) == (objects, ending)


def test_an_object_that_is_too_long_is_told_at_the_byte_that_is_too_much() -> None:
    message = "an object of more than 4 bytes; max_object_bytes allows longer ones"

    assert outcome([b"[{}, {1234567"], max_object_bytes=4) == (["{}"], (message, 9))


def test_an_error_is_told_again() -> None:
    decoder = JSONArrayDecoder()
    with pytest.raises(WireFormatError):
        list(decoder.feed(b"x"))

    with pytest.raises(WireFormatError):
        list(decoder.feed(b"[{}]"))
    with pytest.raises(WireFormatError):
        list(decoder.finish())


def test_a_limit_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match="1 or more, not 0"):
        JSONArrayDecoder(max_object_bytes=0)


def test_what_is_held_is_told() -> None:
    decoder = JSONArrayDecoder()
    assert list(decoder.feed(b'[{"a"')) == []

    assert decoder.pending == 4
