"""A witness sees what is given, changes nothing, and ends what would never end."""

from __future__ import annotations

import math
from itertools import count, islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cassette_stream.cassette import Request
from cassette_stream.chaos.witness import Witness
from cassette_stream.exceptions import HangError
from cassette_stream.script import (
    Emit,
    Fail,
    FailureKind,
    Head,
    Script,
    Step,
    Wait,
    framed,
    timeline,
)

REQUEST = Request(method="POST", url="https://example.com/")
steps = st.lists(
    st.builds(Wait, st.floats(0, 100)) | st.builds(Emit, st.binary(max_size=5)), max_size=12
).map(lambda it: [Head(200, ()), *it])
ends = st.none() | st.sampled_from([FailureKind.RESET, FailureKind.READ_TIMEOUT])


@given(script=steps, end=ends, upto=st.integers(0, 15))
def test_it_notes_what_was_asked_for_and_gives_the_same_script(
    script: list[Step], end: FailureKind | None, upto: int
) -> None:
    script = script if end is None else [*script, Fail(end)]
    reply = Witness()(REQUEST)
    seen = list(islice(reply.watch(iter(script)), upto))
    given = [step.data for step in seen if isinstance(step, Emit)]

    assert seen == script[:upto]
    assert bytes(reply.body) == b"".join(given)
    assert [size for _, size in reply.frames] == list(map(len, given))
    assert reply.moment == sum(step.seconds for step in seen if isinstance(step, Wait))
    if upto > len(script):
        assert reply.ending == (str(end) if end is not None else "complete")
    elif upto < len(script):
        assert reply.ending is None


@pytest.mark.parametrize("size", [b"3", b"ff"], ids=["a footer", "a cut"])
def test_what_comes_of_the_chunk_that_broke_is_seen_as_its_reader_sees_it(size: bytes) -> None:
    """A client that got the whole answer with it made nothing up."""
    head = Head(200, (("transfer-encoding", "chunked"),))
    script = [head, Emit(b"a"), Fail(FailureKind.PROTOCOL_ERROR, raw=size + b"\r\nend")]
    reply = Witness()(REQUEST)
    watched = list(reply.watch(iter(script)))
    heard = framed(iter(script), method="POST", http_version="HTTP/1.1")

    assert watched == script
    assert bytes(reply.body) == b"".join(it.data for it in heard if isinstance(it, Emit)) == b"aend"
    assert [size for _, size in reply.frames] == [1, 3]


def test_bytes_on_the_wire_that_are_no_chunk_are_no_body() -> None:
    length = Head(200, (("content-length", "9"),))
    for steps in (
        [length, Fail(FailureKind.FIN, raw=b"3\r\nend")],
        [Fail(FailureKind.FIN, raw=b"3\r\nend")],
    ):
        reply = Witness()(REQUEST)
        list(reply.watch(iter(steps)))

        assert reply.body == b""


def endless(seconds: float) -> Script:
    yield Head(200, ())
    for _ in count():
        yield Wait(seconds)
        yield Emit(b"x")


def test_a_stream_beyond_all_patience_ends_as_a_hang() -> None:
    reply = Witness(patience=60)(REQUEST)
    with pytest.raises(HangError, match="no bound"):
        list(reply.watch(endless(1)))

    assert reply.ending == "endless"
    assert len(reply.body) == 60


def test_a_stream_that_floods_without_time_ends_too() -> None:
    with pytest.raises(HangError):
        for _ in Witness(patience=60)(REQUEST).watch(endless(0)):
            pass


def test_a_wait_for_ever_is_left_to_whoever_performs_it() -> None:
    reply = Witness(patience=60)(REQUEST)

    assert list(reply.watch(iter([Wait(math.inf)]))) == [Wait(math.inf)]


def test_a_long_silence_is_left_to_the_read_timeout_of_whoever_waits() -> None:
    reply = Witness(patience=60)(REQUEST)
    steps = timeline(reply.watch(iter([Wait(61), Emit(b"late")])), read=5)

    assert list(steps) == [(5, Fail(FailureKind.READ_TIMEOUT))]


def test_a_long_silence_that_nobody_ends_is_a_hang() -> None:
    reply = Witness(patience=60)(REQUEST)

    with pytest.raises(HangError):
        list(timeline(reply.watch(iter([Wait(61), Emit(b"late")]))))


@pytest.mark.parametrize(
    ("opened", "closed", "left"),
    [(False, False, 0), (True, True, 0), (True, False, 1)],
    ids=["no_head", "closed", "open"],
)
def test_a_reply_is_left_open_if_its_head_came_and_nobody_closed_it(
    opened: bool, closed: bool, left: int
) -> None:
    witness = Witness()
    reply = witness(REQUEST)
    if opened:
        reply.opened()
    if closed:
        reply.closed()

    assert len(witness.left_open) == left
    assert all("POST https://example.com/" in text for text in witness.left_open)


def test_a_fault_shows_once_at_the_first_difference() -> None:
    reply = Witness()(REQUEST)
    script = reply.watch(iter([Wait(1), Emit(b"ab"), Emit(b"c")]))
    list(islice(script, 2))
    reply.strike()
    list(script)
    reply.strike()

    assert reply.struck_at == (2, 1)


def test_bodies_that_are_compressed_tell_nothing() -> None:
    witness = Witness()
    list(witness(REQUEST).watch(iter([Head(200, ()), Emit(b"plain")])))
    assert witness.bodies == (b"plain",)

    list(witness(REQUEST).watch(iter([Head(200, (("Content-Encoding", "gzip"),)), Emit(b"?")])))
    assert witness.bodies == ()
