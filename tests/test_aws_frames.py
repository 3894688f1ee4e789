"""AWS frames: events of three kinds, the same wherever the network cuts, or an error."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest
from botocore.eventstream import EventStreamBuffer  # type: ignore[import-untyped]
from hypothesis import given
from hypothesis import strategies as st
from pytest_cassette_stream.strategies import chunkings

from cassette_stream.dialects.aws_frames import (
    FIRST_BYTES,
    Frame,
    Frames,
    error_frame,
    exception_frame,
    frame,
)
from cassette_stream.exceptions import WireFormatError
from cassette_stream.wire import EventStreamDecoder, encode_message

WORDS = st.text(max_size=20)
FRAMES = st.lists(
    st.one_of(
        st.builds(lambda name, text: Frame(text, name, kind="event"), WORDS, WORDS),
        st.builds(
            lambda name, text: Frame(f'{{"message":"{text}"}}', name, kind="exception"),
            WORDS,
            st.text("abc", max_size=8),
        ),
        st.builds(
            lambda name, text: Frame(f'{{"message":"{text}"}}', name, kind="error"),
            WORDS,
            st.text("abc", max_size=8),
        ),
    ),
    max_size=5,
)


def written(one: Frame) -> bytes:
    match one.kind:
        case "event":
            return frame(one.event, one.data.encode())
        case "exception":
            return exception_frame(one.event, one.data.encode())
        case _:
            return error_frame(one.event, one.data.split('"')[3])


def outcome(pieces: Iterable[bytes], *, alone: bool = False) -> tuple[list[Frame], Any]:
    """The frames that came, and how it ended; *alone* asks for one frame before any number."""
    frames, found = Frames(), list[Frame]()
    try:
        for piece in pieces:
            only = frames.only(piece) if alone else None
            found.extend(frames.feed(piece) if only is None else [only])
        found.extend(frames.finish())
    except WireFormatError as error:
        return found, (error.message, error.offset)
    return found, "truncated" if frames.truncated else "whole"


@given(frames=FRAMES, data=st.data())
def test_frames_come_back_with_their_kind_however_they_are_cut(
    frames: list[Frame], data: st.DataObject
) -> None:
    body = b"".join(map(written, frames))

    assert outcome(data.draw(chunkings(body))) == (frames, "whole")
    assert outcome(map(written, frames), alone=True) == (frames, "whole")


@given(frames=FRAMES.filter(bool), data=st.data())
def test_what_ends_inside_a_frame_is_truncated_and_gives_the_frames_before(
    frames: list[Frame], data: st.DataObject
) -> None:
    start = sum(len(written(one)) for one in frames[:-1])
    body = b"".join(map(written, frames))
    end = data.draw(st.integers(start + 1, len(body) - 1))

    assert outcome([body[:end]]) == (frames[:-1], "truncated")


@given(frames=FRAMES.filter(bool), data=st.data())
def test_a_corrupted_frame_is_never_read_wherever_it_is_and_however_it_is_cut(
    frames: list[Frame], data: st.DataObject
) -> None:
    number = data.draw(st.integers(0, len(frames) - 1))
    start = sum(len(written(one)) for one in frames[:number])
    at = start + data.draw(st.integers(0, len(written(frames[number])) - 1))
    body = bytearray(b"".join(map(written, frames)))
    body[at] ^= data.draw(st.integers(1, 255))
    found, ending = outcome(data.draw(chunkings(bytes(body))))

    assert found == frames[:number]
    assert ending != "whole"
    assert outcome([bytes(body)]) == (found, ending)
    assert outcome(data.draw(chunkings(bytes(body))), alone=True) == (found, ending)


@given(frames=FRAMES)
def test_botocore_reads_what_is_written(frames: list[Frame]) -> None:
    buffer = EventStreamBuffer()
    buffer.add_data(b"".join(map(written, frames)))
    read = list(buffer)

    assert [each.headers[":message-type"] for each in read] == [one.kind for one in frames]
    for each, one in zip(read, frames, strict=True):
        if one.kind != "error":
            assert each.payload.decode() == one.data
            assert each.headers[f":{one.kind}-type"] == one.event
        else:
            assert each.headers[":error-code"] == one.event


def test_headers_stand_in_the_order_in_which_the_services_write_them() -> None:
    for written_, name in [
        (frame("chunk", b"{}"), ":event-type"),
        (exception_frame("throttlingException", b"{}"), ":exception-type"),
    ]:
        (message,) = EventStreamDecoder().feed(written_)

        assert list(message.headers) == [name, ":content-type", ":message-type"]
        assert message.headers[":content-type"] == "application/json"


KIND = ":message-type"


@pytest.mark.parametrize(
    ("headers", "payload", "said"),
    [
        ({}, b"{}", "a frame of :message-type None; there are event, exception, error"),
        ({KIND: "fact"}, b"{}", "a frame of :message-type 'fact'"),
        ({KIND: b"event"}, b"{}", "a frame of :message-type b'event'"),
        ({KIND: "event"}, b"{}", "an event frame of :event-type None"),
        ({KIND: "exception", ":event-type": "x"}, b"{}", "frame of :exception-type None"),
        ({KIND: "error", ":error-code": 7}, b"", "an error frame of :error-code 7"),
        ({KIND: "event", ":event-type": "chunk"}, b"\xff", "'chunk' with a payload that is no UTF"),
    ],
    ids=["no kind", "unknown kind", "kind in bytes", "no type", "another type", "number", "bytes"],
)
def test_a_frame_that_says_not_what_it_is_is_refused_at_its_place(
    headers: dict[str, Any], payload: bytes, said: str
) -> None:
    before, wrong = frame("messageStart", b"{}"), encode_message(headers, payload)
    found, (message, offset) = outcome([before + wrong])

    assert [one.event for one in found] == ["messageStart"]
    assert said in message
    assert offset == len(before)
    assert outcome([before, wrong], alone=True) == (found, (message, offset))


def test_after_a_frame_that_is_refused_nothing_comes_alone() -> None:
    frames = Frames()

    assert frames.only(encode_message({}, b"")) is None
    assert frames.only(frame("messageStart", b"{}")) is None


@pytest.mark.parametrize(
    ("headers", "payload", "data"),
    [
        ({KIND: "error", ":error-code": "X", ":error-message": "no"}, b"", '{"message":"no"}'),
        ({KIND: "error", ":error-code": "X"}, b"", "{}"),
        ({KIND: "error", ":error-code": "X", ":error-message": "no"}, b'{"a":1}', '{"a":1}'),
        ({KIND: "exception", ":exception-type": "X"}, b" ", "{}"),
    ],
    ids=["its message", "nothing said", "its payload", "an exception without payload"],
)
def test_an_error_always_has_something_to_be_read(
    headers: dict[str, Any], payload: bytes, data: str
) -> None:
    (found,), ending = outcome([encode_message(headers, payload)])

    assert (found.event, found.data, ending) == ("X", data, "whole")


@pytest.mark.parametrize("write", [frame, exception_frame], ids=["an event", "an exception"])
def test_every_stream_begins_with_one_of_two_bytes(write: Callable[[str, bytes], bytes]) -> None:
    assert write("chunk", b"{}")[:1] in FIRST_BYTES
    assert write("chunk", b" " * 17 * 2**20)[:1] in FIRST_BYTES


def test_nothing_can_be_fed_after_the_end() -> None:
    frames = Frames()
    assert list(frames.finish(lenient=True)) == []

    with pytest.raises(ValueError, match="finished"):
        frames.feed(b"")

    assert frames.only(frame("messageStart", b"{}")) is None
