"""AWS event-stream framing: the vectors of AWS's own SDKs, and every way to be wrong."""

from __future__ import annotations

import base64
import json
import struct
from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise
from uuid import UUID
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cassette_stream.exceptions import WireFormatError
from cassette_stream.wire import EventStreamDecoder, EventStreamMessage, encode_message
from cassette_stream.wire.eventstream import MAX_HEADERS_BYTES, MAX_PAYLOAD_BYTES

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
GOOD = encode_message({"a": 1}, b"{}")

dates = st.datetimes(timezones=st.just(UTC)).map(
    lambda date: date.replace(microsecond=date.microsecond // 1000 * 1000)
)
header_values = st.one_of(
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.binary(),
    st.text(),
    dates,
    st.uuids(),
)
header_names = st.text(min_size=1, max_size=60)
messages = st.builds(
    EventStreamMessage, st.dictionaries(header_names, header_values, max_size=4), st.binary()
)


@st.composite
def cut_streams(draw):
    """The bytes of some messages, perhaps with one wrong, and a way to cut them."""
    body = b"".join(
        encode_message(each.headers, each.payload) for each in draw(st.lists(messages, max_size=4))
    )
    if body and draw(st.booleans()):
        at = draw(st.integers(0, len(body) - 1))
        body = body[:at] + bytes([body[at] ^ draw(st.integers(1, 255))]) + body[at + 1 :]
    places = sorted(draw(st.lists(st.integers(0, len(body)), max_size=8)))
    return body, [body[start:end] for start, end in pairwise([0, *places, len(body)])]


def outcome(chunks, *, alone=False):
    """All that a caller can see: the messages, the error, and what is pending."""
    decoder = EventStreamDecoder()
    found = []
    try:
        for chunk in chunks:
            only = decoder.only(chunk) if alone else None
            found.extend(decoder.feed(chunk) if only is None else [only])
    except WireFormatError as error:
        return found, (error.message, error.offset), decoder.pending
    return found, None, decoder.pending


def framed(headers, payload=b"", *, headers_length=None, length=None):
    """A message with right checksums, whatever it says."""
    lengths = struct.pack(
        ">II",
        16 + len(headers) + len(payload) if length is None else length,
        len(headers) if headers_length is None else headers_length,
    )
    message = lengths + struct.pack(">I", crc32(lengths)) + headers + payload
    return message + struct.pack(">I", crc32(message))


@given(cut_streams())
def test_every_split_gives_the_same_messages_and_the_same_error(cut_stream):
    body, chunks = cut_stream

    assert outcome(chunks) == outcome([body])
    assert outcome([body[at : at + 1] for at in range(len(body))]) == outcome([body])


@given(cut_streams())
def test_so_does_asking_for_one_message_first(cut_stream):
    body, chunks = cut_stream

    assert outcome(chunks, alone=True) == outcome([body])


@given(st.lists(messages, max_size=3))
def test_a_message_that_comes_alone_is_the_one_among_others(sent):
    chunks = [encode_message(each.headers, each.payload) for each in sent]
    decoder = EventStreamDecoder()

    assert [decoder.only(chunk) for chunk in chunks] == sent
    assert decoder.pending == 0

    several = EventStreamDecoder().feed(b"".join(chunks))
    assert [each.start for each in several] == [
        sum(map(len, chunks[:number])) for number in range(len(chunks))
    ]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        GOOD[:-1],
        GOOD + GOOD,
        GOOD[:-1] + bytes([GOOD[-1] ^ 1]),
        GOOD[:8] + bytes([GOOD[8] ^ 1]) + GOOD[9:],
        framed(b"", headers_length=9),
        framed(b"\x01a\x0a"),
        encode_message({}, bytes(MAX_HEADERS_BYTES)),
    ],
    ids=[
        "nothing",
        "half a message",
        "two messages",
        "wrong checksum",
        "wrong checksum of the prelude",
        "headers beyond the end",
        "wrong header",
        "a long one",
    ],
)
def test_what_is_not_one_message_or_wrong_is_left_for_feed(data):
    decoder = EventStreamDecoder()

    assert decoder.only(data) is None
    assert decoder.pending == 0


def test_nothing_comes_alone_behind_half_a_message_or_an_error():
    decoder = EventStreamDecoder()
    list(decoder.feed(GOOD[:5]))

    assert decoder.only(GOOD) is None

    with pytest.raises(WireFormatError):
        list(decoder.feed(bytes(20)))

    assert decoder.only(GOOD) is None


def test_headers_are_their_messages_own_however_many_kinds_there_are():
    kinds = [{"number": number} for number in range(40)] + [{"long": "x" * 2000}]
    body = b"".join(encode_message(headers) for headers in kinds)
    found = list(EventStreamDecoder().feed(body + body))

    assert [each.headers for each in found] == kinds + kinds
    assert len({id(each.headers) for each in found}) == len(found)


@given(st.lists(messages, max_size=3))
def test_what_is_encoded_decodes_to_itself(sent):
    body = b"".join(encode_message(each.headers, each.payload) for each in sent)

    assert outcome([body]) == (sent, None, 0)


@given(messages, st.data())
def test_no_changed_byte_goes_unseen(message, data):
    body = encode_message(message.headers, message.payload)
    at = data.draw(st.integers(0, len(body) - 1))
    changed = body[:at] + bytes([body[at] ^ data.draw(st.integers(1, 255))]) + body[at + 1 :]
    found, error, _ = outcome([changed])

    assert found == []
    assert error is not None


@pytest.mark.parametrize(
    ("headers", "value"),
    [
        (b"\x01a\x00", True),
        (b"\x01a\x01", False),
        (b"\x01a\x02\xcf", -49),
        (b"\x01a\x03\xff\xfe", -2),
        (b"\x01a\x04\x00\x00\xa0\x0c", 40972),
        (b"\x01a\x05" + b"\xff" * 8, -1),
        (b"\x01a\x06\x00\x02\x00\xff", b"\x00\xff"),
        (b"\x01a\x07\x00\x02\xc3\xa9", "é"),
        (b"\x01a\x08" + struct.pack(">q", 8_675_309), EPOCH + timedelta(milliseconds=8_675_309)),
        (b"\x01a\x09" + bytes(range(16)), UUID(bytes=bytes(range(16)))),
    ],
    ids=["true", "false", "byte", "short", "int", "long", "bytes", "text", "date", "uuid"],
)
def test_a_header_of_every_type_is_read(headers, value):
    [message] = EventStreamDecoder().feed(framed(headers, b"x"))

    assert message == EventStreamMessage({"a": value}, b"x")
    assert type(message.headers["a"]) is type(value)


@pytest.mark.parametrize(
    ("body", "problem", "offset"),
    [
        (b"\0" * 12, "prelude has checksum 0x00000000", 8),
        (GOOD[:-1] + bytes([GOOD[-1] ^ 1]), "message has checksum", len(GOOD) - 4),
        (GOOD[:20] + b"?" + GOOD[21:], "message has checksum", len(GOOD) - 4),
        (framed(b"", length=15), "-1 bytes of payload", 0),
        (framed(b"", headers_length=1), "-1 bytes of payload", 0),
        (framed(b"", length=16 + MAX_PAYLOAD_BYTES + 1), "bytes of payload; 0 to", 0),
        (
            framed(b"", headers_length=MAX_HEADERS_BYTES + 1, length=2**31),
            "bytes of headers; at most",
            4,
        ),
        (framed(b"\x00\x00"), "without a name", 12),
        (framed(b"\x01a\x00\x01a\x00"), "second header 'a'", 15),
        (framed(b"\x05a"), "5 bytes do not fit", 13),
        (framed(b"\x01a"), "1 bytes do not fit", 14),
        (framed(b"\x01a\x04\x00"), "4 bytes do not fit", 15),
        (framed(b"\x01a\x07\x00\x09x", b"longer than nine"), "9 bytes do not fit", 17),
        (framed(b"\x01a\x0a"), "type 10", 14),
        (framed(b"\x01\xff\x00"), "no UTF-8", 13),
        (framed(b"\x01a\x07\x00\x02x\xff"), "no UTF-8", 18),
        (framed(b"\x01a\x08" + b"\x7f" * 8), "years 1 to 9999", 15),
    ],
)
@pytest.mark.parametrize("before", [b"", GOOD], ids=["first", "second"])
def test_what_is_wrong_is_told_by_its_place(before, body, problem, offset):
    found, error, pending = outcome([before + body + GOOD])

    assert error is not None
    assert problem in error[0]
    assert error[1] == len(before) + offset
    assert len(found) == (1 if before else 0)
    assert pending == 0


def test_what_comes_before_the_break_is_delivered_and_nothing_after():
    decoder = EventStreamDecoder()
    found = decoder.feed(GOOD + b"\0" * 12)

    assert next(found).headers == {"a": 1}
    for broken in (found, decoder.feed(GOOD)):
        with pytest.raises(WireFormatError, match="prelude"):
            next(broken)


def test_an_unfinished_message_is_pending():
    decoder = EventStreamDecoder()
    pending = []
    for chunk in (GOOD[:5], GOOD[5:14], GOOD[14:] + GOOD[:3]):
        list(decoder.feed(chunk))
        pending.append(decoder.pending)

    assert pending == [5, 14, 3]


def test_data_is_taken_at_the_call():
    decoder = EventStreamDecoder()
    decoder.feed(GOOD[:20])

    assert len(list(decoder.feed(GOOD[20:]))) == 1


@pytest.mark.parametrize(
    ("headers", "payload", "error", "problem"),
    [
        ({"": 1}, b"", ValueError, "not 0"),
        ({"é" * 128: 1}, b"", ValueError, "not 256"),
        ({"a": 2**63}, b"", ValueError, "does not fit 64 bits"),
        ({"a": "x" * 65_536}, b"", ValueError, "up to 65535 bytes"),
        ({"a": datetime(2026, 1, 1)}, b"", ValueError, "without a time zone"),
        ({"a": datetime(2026, 1, 1, microsecond=1, tzinfo=UTC)}, b"", ValueError, "finer"),
        ({"a": b"x" * 65_535, "b": b"x" * 65_535}, b"", ValueError, "headers take up to"),
        ({}, b"x" * (MAX_PAYLOAD_BYTES + 1), ValueError, "a payload is up to"),
        ({"a": 1.5}, b"", TypeError, "is a float"),
    ],
    ids=[
        "no name",
        "long name",
        "large int",
        "long text",
        "naive date",
        "fine date",
        "headers",
        "payload",
        "float",
    ],
)
def test_what_has_no_form_is_refused(headers, payload, error, problem):
    with pytest.raises(error, match=problem):
        encode_message(headers, payload)


def test_a_date_of_another_zone_is_the_same_moment():
    there = datetime(2026, 11, 23, 10, 0, tzinfo=timezone(timedelta(hours=1)))
    [message] = EventStreamDecoder().feed(encode_message({"a": there}))

    assert message.headers["a"] == there
    assert message.headers["a"].tzinfo is UTC


def test_a_message_has_no_headers_unless_given():
    assert outcome([encode_message()]) == ([EventStreamMessage()], None, 0)


class TestVectors:
    def test_the_good_ones_are_read(self, corpus):
        folder = corpus / "corpus" / "eventstream_vectors" / "smithy-typescript"
        names = sorted(each.name for each in (folder / "encoded" / "positive").iterdir())
        assert len(names) == 5
        for name in names:
            said = json.loads((folder / "decoded" / "positive" / name).read_bytes())
            body = (folder / "encoded" / "positive" / name).read_bytes()
            expected = EventStreamMessage(
                {header["name"]: header_value(header) for header in said["headers"]},
                base64.b64decode(said["payload"]),
            )

            assert outcome([body]) == ([expected], None, 0), name

    def test_the_corrupted_ones_are_refused_for_the_right_reason(self, corpus):
        folder = corpus / "corpus" / "eventstream_vectors" / "smithy-typescript"
        names = sorted(each.name for each in (folder / "encoded" / "negative").iterdir())
        assert len(names) == 4
        for name in names:
            reason = (folder / "decoded" / "negative" / name).read_text()
            _, error, _ = outcome([(folder / "encoded" / "negative" / name).read_bytes()])

            assert error is not None, name
            assert reason.split()[0].lower() in error[0], name

    def test_those_of_another_sdk_are_read_or_refused_by_name(self, corpus):
        files = sorted((corpus / "corpus" / "eventstream_vectors" / "smithy-rs").iterdir())
        results = {file.name: outcome([file.read_bytes()]) for file in files}

        assert len(results) == 11
        for name, (found, error, pending) in results.items():
            assert (len(found), error is None) == (
                (1, True) if name.startswith("valid") else (0, False)
            ), name
            assert pending == 0, name


def header_value(header):
    match header["type"]:
        case 6:
            return base64.b64decode(header["value"])
        case 7:
            return base64.b64decode(header["value"]).decode()
        case 8:
            return EPOCH + timedelta(milliseconds=header["value"])
        case 9:
            return UUID(bytes=base64.b64decode(header["value"]))
        case _:
            return header["value"]
