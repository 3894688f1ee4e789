"""JSON values, one a line: the same lines wherever the network cuts."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pytest_cassette_stream.strategies import chunkings
from support import SOAK

from cassette_stream.exceptions import WireFormatError
from cassette_stream.wire import LocatedEvent, NDJSONDecoder

BOM = b"\xef\xbb\xbf"
many = settings(max_examples=500 if SOAK else 80, deadline=None)

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda it: st.lists(it) | st.dictionaries(st.text(max_size=3), it),
    max_leaves=8,
)
OBJECTS = st.dictionaries(st.text(max_size=4), VALUES, max_size=3)
LINE_ENDS = st.sampled_from([b"\n", b"\r\n", b"\n\n", b"\r\n \t\r\n"])
SCRAPS = st.sampled_from(
    [b'{"a":1}', b"{}", b"12", b"[DONE]", b" ", b"\n", b"\r", b"\r\n", b"\xc3\xa9", b"\xe2", b"x"]
)
BODIES = st.builds(
    lambda mark, scraps: mark + b"".join(scraps),
    st.sampled_from([b"", b"", BOM, BOM[:2]]),
    st.lists(SCRAPS, max_size=12),
)
OPTIONS = st.fixed_dictionaries(
    {
        "errors": st.sampled_from(["strict", "replace"]),
        "max_line_bytes": st.sampled_from([1, 3, 7, 1_000]),
        "offsets": st.booleans(),
    }
)


def fed(decoder: NDJSONDecoder[Any], piece: bytes) -> Iterable[Any]:
    return decoder.feed(piece)


def alone(decoder: NDJSONDecoder[Any], piece: bytes) -> Iterable[Any]:
    """The same, with the piece offered as the one line that it may be."""
    line = decoder.only(piece)
    return decoder.feed(piece) if line is None else [line]


def outcome(
    pieces: Iterable[bytes],
    take: Callable[[NDJSONDecoder[Any], bytes], Iterable[Any]] = fed,
    **options: Any,
) -> tuple[list[Any], Any]:
    """The lines that came, and how it ended."""
    decoder: NDJSONDecoder[Any] = NDJSONDecoder(**options)
    lines: list[Any] = []
    try:
        for piece in pieces:
            lines.extend(take(decoder, piece))
        lines.extend(decoder.finish())
    except WireFormatError as error:
        return lines, (error.message, error.offset)
    return lines, "truncated" if decoder.truncated else "whole"


def naive(body: bytes) -> list[str]:
    """What a reader who has the whole body makes of it."""
    lines = body.decode("utf-8", "replace").removeprefix("\ufeff").split("\n")
    return [line.removesuffix("\r") for line in lines[:-1] if line.strip(" \t\r")]


@many
@given(objects=st.lists(OBJECTS, max_size=4), end=LINE_ENDS, mark=st.booleans(), data=st.data())
def test_the_objects_come_back_however_the_body_is_cut(
    objects: list[Any], end: bytes, mark: bool, data: st.DataObject
) -> None:
    written = [json.dumps(value, ensure_ascii=False).encode() for value in objects]
    body = BOM * mark + b"".join(line + end for line in written)
    if data.draw(st.booleans(), "without the last line end"):
        body = body.removesuffix(end)
    lines, ending = outcome(data.draw(chunkings(body)))

    assert [json.loads(line) for line in lines] == objects
    assert ending == "whole"


@many
@given(body=BODIES, options=OPTIONS, data=st.data())
def test_anything_at_all_ends_the_same_however_it_is_cut(
    body: bytes, options: dict[str, Any], data: st.DataObject
) -> None:
    whole = outcome([body], **options)
    pieces = data.draw(chunkings(body))

    assert outcome(pieces, **options) == whole
    assert outcome(pieces, alone, **options) == whole
    assert outcome(body.splitlines(keepends=True), alone, **options) == whole


@many
@given(body=BODIES)
def test_every_line_that_ended_is_given(body: bytes) -> None:
    lines, _ = outcome([body[: body.rfind(b"\n") + 1]], errors="replace")

    assert lines == naive(body)


@many
@given(body=BODIES, data=st.data())
def test_a_line_is_told_with_its_place(body: bytes, data: st.DataObject) -> None:
    plain = outcome([body], errors="replace")
    events, ending = outcome(data.draw(chunkings(body)), errors="replace", offsets=True)

    assert ([event.data for event in events], ending) == plain
    for event in events:
        line = body[event.start : event.end].removesuffix(b"\n").removesuffix(b"\r")
        assert line.decode("utf-8", "replace") == event.data
        assert event.start in {0, len(BOM)} or body[event.start - 1 : event.start] == b"\n"


@many
@given(objects=st.lists(OBJECTS, min_size=1, max_size=3))
def test_a_line_comes_with_its_line_end(objects: list[Any]) -> None:
    body = b"".join(json.dumps(value).encode() + b"\n" for value in objects)
    decoder = NDJSONDecoder()
    came = [
        (at, json.loads(line))
        for at in range(len(body))
        for line in decoder.feed(body[at : at + 1])
    ]

    assert [value for _, value in came] == objects
    assert [at for at, _ in came] == [at for at, byte in enumerate(body) if byte == ord("\n")]
    assert decoder.pending == 0


ENDINGS: dict[str, tuple[bytes, list[str], Any]] = {
    "nothing": (b"", [], "whole"),
    "a mark": (BOM, [], "whole"),
    "half a mark": (BOM[:2], [], "truncated"),
    "blank lines": (b"\n\r\n \t\r\n ", [], "whole"),
    "a line": (b'{"a":1}\n', ['{"a":1}'], "whole"),
    "no line end": (b'{}\n{"a":1}', ["{}", '{"a":1}'], "whole"),
    "half a line end": (b"{}\r", ["{}"], "whole"),
    "blanks around it": (b" {} \r\n", [" {} "], "whole"),
    "a CR within": (b"[1,\r2]\n", ["[1,\r2]"], "whole"),
    "an end marker": (b"{}\n[DONE]", ["{}", "[DONE]"], "whole"),
    "no JSON at all": (b"data: {}\n<p>\n", ["data: {}", "<p>"], "whole"),
    "half an object": (b'{}\n{"a":', ["{}"], "truncated"),
    "half a number": (b"{}\n12", ["{}"], "truncated"),
    "half a character": (b'{}\n"\xe2\x82', ["{}"], "truncated"),
    "an NBSP is no blank": ("\u00a0\n".encode(), ["\u00a0"], "whole"),
    "no UTF-8": (b'{}\n{"a":"\xff"}\n{}\n', ["{}"], ("no UTF-8: 0xff (invalid start byte)", 9)),
    "no UTF-8 behind a mark": (BOM + b"\xff\n", [], ("no UTF-8: 0xff (invalid start byte)", 3)),
}


@pytest.mark.parametrize(("body", "lines", "ending"), ENDINGS.values(), ids=ENDINGS)
def test_the_last_line_tells_how_it_ends(body: bytes, lines: list[str], ending: Any) -> None:
    assert outcome([body]) == (lines, ending)


@pytest.mark.parametrize(
    ("body", "lines", "offset"),
    [
        (b"1234\n1234", ["1234"], None),
        (b"123\r\n", ["123"], None),
        (b"1234\r\n", [], 4),
        (b"{}\n12345", ["{}"], 7),
        (b"{}\n12345\n", ["{}"], 7),
        (b"{}\n\xff2345\n", ["{}"], 7),
    ],
    ids=["as long as may be", "its CR counts", "one too many", "unended", "ended", "no UTF-8"],
)
@pytest.mark.parametrize("size", [1, 1_000], ids=["bytes", "whole"])
def test_a_line_has_a_longest_size(
    body: bytes, lines: list[str], offset: int | None, size: int
) -> None:
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    given, ending = outcome(pieces, max_line_bytes=4)

    assert given == lines
    if offset is None:
        assert isinstance(ending, str)
    else:
        assert ending == ("a line of more than 4 bytes; max_line_bytes allows longer ones", offset)


def test_offsets_are_the_whole_line() -> None:
    body = BOM + b'{"a":1}\r\n\n {}\n[]'

    assert outcome([body], offsets=True)[0] == [
        LocatedEvent('{"a":1}', start=3, end=12),
        LocatedEvent(" {}", start=13, end=17),
        LocatedEvent("[]", start=17, end=19),
    ]


@pytest.mark.parametrize(
    "piece",
    [b"", b"{}", b"\n", b" \r\n", b"{}\n{}\n", b'"\xff"\n', b"123456789\n"],
    ids=["nothing", "unended", "blank", "blanks", "two lines", "no UTF-8", "too long"],
)
def test_what_is_not_one_line_is_not_taken(piece: bytes) -> None:
    decoder = NDJSONDecoder(max_line_bytes=8)
    assert decoder.only(b"{}\n") is None  # the first of a stream may begin with a mark
    assert list(decoder.feed(b"{}\n")) == ["{}"]

    assert decoder.only(piece) is None
    assert decoder.only(b"12345678\n") == "12345678"
    assert list(decoder.feed(b"[")) == []
    assert decoder.only(b"]\n") is None
    assert list(decoder.feed(b"]\n")) == ["[]"]


def test_an_error_is_told_again() -> None:
    decoder = NDJSONDecoder()
    with pytest.raises(WireFormatError):
        list(decoder.feed(b"{}\n\xff\n{"))

    assert decoder.pending == 0
    assert decoder.only(b"{}\n") is None
    with pytest.raises(WireFormatError):
        list(decoder.feed(b"{}\n"))
    with pytest.raises(WireFormatError):
        list(decoder.finish())


def test_nothing_can_be_fed_after_the_end() -> None:
    decoder = NDJSONDecoder()
    list(decoder.feed(b"{}\n[]"))
    assert list(decoder.finish()) == ["[]"]

    assert list(decoder.finish()) == []
    assert decoder.only(b"{}\n") is None
    with pytest.raises(ValueError, match="after finish"):
        decoder.feed(b"{}\n")


@pytest.mark.parametrize(
    ("options", "problem"),
    [({"errors": "ignore"}, "'ignore'"), ({"max_line_bytes": 0}, "1 or more, not 0")],
    ids=["errors", "limit"],
)
def test_wrong_options_are_refused_at_once(options: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        NDJSONDecoder(**options)


def test_what_is_held_is_told() -> None:
    decoder = NDJSONDecoder()
    list(decoder.feed(b'{}\n{"a"'))

    assert decoder.pending == 4


class Unread(bytearray):
    """A buffer that refuses to be searched or copied whole."""

    def __bytes__(self) -> bytes:
        raise AssertionError("copied")

    find = rfind = index = count = split = decode = __contains__ = __bytes__  # type: ignore[assignment]


def test_a_piece_is_the_only_thing_that_is_searched() -> None:
    decoder = NDJSONDecoder()
    list(decoder.feed(b"{"))
    decoder._held = Unread(decoder._held)
    for _ in range(1_000):
        list(decoder.feed(b"x"))

    assert decoder.pending == 1_001


def test_an_unfinished_line_is_copied_a_few_times_however_small_its_pieces() -> None:
    """Each growth of the buffer is a copy, and their number is that of its doublings."""
    decoder = NDJSONDecoder()
    sizes = set()
    for _ in range(100_000):
        decoder.feed(b"x")
        sizes.add(sys.getsizeof(decoder._held))

    assert decoder.pending == 100_000
    assert len(sizes) < 150
