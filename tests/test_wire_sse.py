"""The SSE decoder: the same events for every split, and the events that the WHATWG says."""

from __future__ import annotations

import base64
import gc
import json
import random
import re
import sys
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import SOAK

from cassette_stream.exceptions import WireFormatError
from cassette_stream.wire import ServerSentEvent, SSEDecoder, encode_event
from cassette_stream.wire._sse_shortcuts import shortcut

BOM = b"\xef\xbb\xbf"
EXAMPLES = settings(max_examples=3_000 if SOAK else 300, deadline=None)

line_ends = st.sampled_from([b"\n", b"\r\n", b"\r"])
values = st.sampled_from(
    [
        b"",
        b"x",
        b" x",
        b"\xc3\xa9\xe2\x80\xa8",
        b"{}",
        b"[DONE]",
        b"1",
        b"12",
        b"a:b",
        b"\0",
        b"\xff",
        b"\xe2\x82",
    ]
)
field_names = st.sampled_from([b"data", b"event", b"id", b"retry", b"", b"Data", b"dat"])
fields = st.builds(
    lambda name, sep, value: name + sep + value,
    field_names,
    st.sampled_from([b":", b": ", b""]),
    values,
)
noise = st.sampled_from(
    [BOM, b"\xef", b"\xbb\xbf", b"data", b":", b" ", b"\n", b"\r", b"\xf0\x9f", b'{"a":1}', b"<p>"]
)
tidy = st.lists(
    st.sampled_from(
        [
            b'data: {"a":1}\n\n',
            b"data: [DONE]\n\n",
            b"data: \xc3\xa9\n\n",
            b"event: ping\ndata: {}\n\n",
            b"event: \ndata: x\n\n",
            b"data: 1\ndata: 2\n\n",
            b"id: 7\ndata: x\n\n",
            b": comment\n\n",
            b"data: \xff\n\n",
        ]
    ),
    max_size=6,
).map(b"".join)


@st.composite
def untidy(draw):
    pieces = draw(st.lists(st.one_of(fields, noise), max_size=12))
    body = b"".join(
        piece + draw(st.one_of(line_ends, line_ends, st.just(b""), st.just(b"\n\n")))
        for piece in pieces
    )
    return draw(st.sampled_from([b"", b"", BOM])) + body


bodies = st.one_of(tidy, tidy.map(lambda body: body.replace(b"\n", b"\r\n")), untidy())
options = st.fixed_dictionaries(
    {
        "errors": st.sampled_from(["strict", "replace"]),
        "max_event_bytes": st.sampled_from([1, 2, 5, 8, 9, 14, 15, 1_000]),
        "offsets": st.booleans(),
    }
)


@st.composite
def cut_bodies(draw):
    """A body and a way in which a network may cut it, empty reads included."""
    body = draw(bodies)
    places = sorted(draw(st.lists(st.integers(0, len(body)), max_size=8)))
    if draw(st.booleans()):
        places = list(range(len(body)))
    return body, [body[start:end] for start, end in pairwise([0, *places, len(body)])]


def events_of(iterator):
    """The events, and the error that ended them, as comparable values."""
    events = []
    try:
        events.extend(iterator)
    except WireFormatError as error:
        return events, (error.message, error.offset)
    return events, None


def feed_all(decoder, chunks, *, lenient):
    for chunk in chunks:
        yield from decoder.feed(chunk)
    yield from decoder.finish(lenient=lenient)


def take_alone(decoder, chunks, *, lenient):
    """The same, with each chunk offered as the one event that it may be."""
    for chunk in chunks:
        event = decoder.only(chunk)
        yield from decoder.feed(chunk) if event is None else [event]
    yield from decoder.finish(lenient=lenient)


def outcome(decoder, iterator):
    """All that a caller can see."""
    events, error = events_of(iterator)
    left = decoder.retry, decoder.stray, decoder.truncated, decoder.pending
    return events, error, decoder.last_event_id, *left


def decoded(body, **options):
    return list(SSEDecoder(**options).decode([body]))


def without_place(events):
    return [ServerSentEvent(event.data, event.event, event.id, event.retry) for event in events]


def whatwg(body):
    """The algorithm of the specification, word for word, on a whole body."""
    text = body.decode("utf-8", "replace").removeprefix("\ufeff")
    *lines, _unfinished = re.split(r"\r\n|\r|\n", text)
    events = []
    data = event_type = last_event_id = ""
    for line in lines:
        if not line:
            if data:
                events.append((event_type or "message", data.removesuffix("\n"), last_event_id))
            data = event_type = ""
            continue
        name, colon, value = line.partition(":")
        if colon and value.startswith(" "):
            value = value[1:]
        if name == "event":
            event_type = value
        elif name == "data":
            data += value + "\n"
        elif name == "id" and "\0" not in value:
            last_event_id = value
    return events


class TestLaws:
    @EXAMPLES
    @given(cut_bodies(), options, st.booleans())
    def test_every_split_gives_the_same_events_and_the_same_error(self, cut_body, options, lenient):
        body, chunks = cut_body
        whole, pieces, piped, alone = (SSEDecoder(**options) for _ in range(4))

        expected = outcome(whole, feed_all(whole, [body], lenient=lenient))

        assert outcome(pieces, feed_all(pieces, chunks, lenient=lenient)) == expected
        assert outcome(piped, piped.decode(chunks, lenient=lenient)) == expected
        assert outcome(alone, take_alone(alone, chunks, lenient=lenient)) == expected

    @EXAMPLES
    @given(st.lists(bodies, max_size=4), options)
    def test_whatever_comes_alone_is_the_same(self, chunks, options):
        fed, alone = SSEDecoder(**options), SSEDecoder(**options)

        expected = outcome(fed, feed_all(fed, chunks, lenient=False))

        assert outcome(alone, take_alone(alone, chunks, lenient=False)) == expected

    @pytest.mark.parametrize(
        "event", [b"data: x\n\n", b"event: e\ndata: \xc3\xa9\n\n"], ids=["data", "named"]
    )
    @pytest.mark.parametrize("offsets", [False, True])
    def test_the_common_shapes_are_taken_alone(self, event, offsets):
        fed, decoder = SSEDecoder(offsets=offsets), SSEDecoder(offsets=offsets)
        assert decoder.only(event) is None  # a byte order mark may still begin
        _, expected = [*fed.feed(event), *fed.feed(event)]
        assert len(list(decoder.feed(event))) == 1

        assert decoder.only(event) == expected
        assert decoder.pending == 0

    @EXAMPLES
    @given(bodies)
    def test_the_events_are_those_of_the_specification(self, body):
        events = decoded(body, errors="replace")

        assert [(event.event, event.data, event.id) for event in events] == whatwg(body)

    @EXAMPLES
    @given(bodies, options)
    def test_shortcuts_change_nothing(self, body, options):
        quick = SSEDecoder(**options | {"offsets": False})
        plain = SSEDecoder(**options | {"offsets": True})

        expected = outcome(plain, plain.decode([body]))

        assert outcome(quick, quick.decode([body])) == (without_place(expected[0]), *expected[1:])

    @EXAMPLES
    @given(cut_bodies())
    def test_a_strict_decoder_gives_a_prefix_of_what_a_lax_one_gives(self, cut_body):
        _, chunks = cut_body
        strict, error = events_of(SSEDecoder().decode(chunks))
        lax, no_error = events_of(SSEDecoder(errors="replace").decode(chunks))

        assert no_error is None
        assert strict == lax[: len(strict)] if error else strict == lax

    @EXAMPLES
    @given(bodies)
    def test_a_span_is_the_event(self, body):
        events = decoded(body, errors="replace", offsets=True)

        for event in events:
            [alone] = decoded(body[event.start : event.end], errors="replace")
            assert (alone.event, alone.data, alone.retry) == (event.event, event.data, event.retry)
        for before, after in pairwise(events):
            between = body[before.end : after.start]
            assert before.end <= after.start
            assert decoded(between, errors="replace") == []

    @EXAMPLES
    @given(bodies)
    def test_no_event_waits_for_a_byte_that_it_does_not_need(self, body):
        decoder = SSEDecoder(errors="replace")
        got = 0
        for at in range(len(body)):
            got += len(list(decoder.feed(body[at : at + 1])))

            assert got == len(whatwg(body[: at + 1]))

    @EXAMPLES
    @given(
        data=st.text(),
        event=st.none() | st.text(min_size=1),
        id=st.none() | st.text(),
        retry=st.none() | st.integers(0, 10**18 - 1),
        comment=st.none() | st.text(),
    )
    def test_what_is_encoded_decodes_to_itself(self, data, event, id, retry, comment):  # noqa: A002
        try:
            body = encode_event(data, event=event, id=id, retry=retry, comment=comment)
        except ValueError:
            assert any(mark in f"{event}{id}" for mark in "\r\n\0")
            return

        [found] = decoded(body)

        assert found.data == re.sub(r"\r\n|\r", "\n", data)
        assert (found.event, found.id, found.retry) == (event or "message", id or "", retry)


DECODED = {
    "no data, no event": (b"event: ping\nid: 1\n\n", []),
    "empty data is data": (b"data\n\n", [("message", "", "")]),
    "one space goes": (b"data:  x\n\n", [("message", " x", "")]),
    "the last event name wins": (b"event: a\nevent: b\ndata: x\n\n", [("b", "x", "")]),
    "an empty name is none": (b"event: \ndata: x\n\n", [("message", "x", "")]),
    "names do not persist": (b"event: a\n\ndata: x\n\n", [("message", "x", "")]),
    "ids persist": (
        b"id: 1\n\ndata: x\n\ndata: y\n\n",
        [("message", "x", "1"), ("message", "y", "1")],
    ),
    "ids persist into shortcuts": (
        b"id: 1\n\n" + b"event: a\ndata: x\n\n" * 2,
        [("a", "x", "1")] * 2,
    ),
    "an empty id resets": (
        b"id: 1\ndata: x\n\nid\ndata: y\n\n",
        [("message", "x", "1"), ("message", "y", "")],
    ),
    "an id with NUL is none": (b"id: 1\n\nid: 2\0\ndata: x\n\n", [("message", "x", "1")]),
    "lines join": (b"data: a\ndata\ndata: b\n\n", [("message", "a\n\nb", "")]),
    "only LF and CR end lines": (
        "data: a\u2028b\u2029c\x85d\x0be\x0cf\x1cg\n\n".encode(),
        [("message", "a\u2028b\u2029c\x85d\x0be\x0cf\x1cg", "")],
    ),
    "lone CRs": (b"data: a\r\rdata: b\r\r", [("message", "a", ""), ("message", "b", "")]),
    "all ends mixed": (
        b"data: a\r\ndata: b\rdata: c\n\r\ndata: d\r\n\r",
        [("message", "a\nb\nc", ""), ("message", "d", "")],
    ),
    "one mark goes": (BOM + b"data: x\n\n", [("message", "x", "")]),
    "two marks do not": (BOM + BOM + b"data: x\n\ndata: y\n\n", [("message", "y", "")]),
    "half a mark is text": (BOM[:2] + b"data: x\n\ndata: y\n\n", [("message", "y", "")]),
    "comments and unknown fields": (b":c\nfoo: 1\nbar\ndata: x\n\n: d\n\n", [("message", "x", "")]),
}


class TestDecoder:
    @pytest.mark.parametrize(("body", "expected"), DECODED.values(), ids=DECODED)
    @pytest.mark.parametrize("size", [1, 2, 1_000])
    def test_it_reads_by_the_specification(self, body, expected, size):
        chunks = [body[at : at + size] for at in range(0, len(body), size)]
        events = SSEDecoder(errors="replace").decode(chunks)

        assert [(event.event, event.data, event.id) for event in events] == expected

    @pytest.mark.parametrize(
        ("line", "retry"),
        [
            ("retry: 3000", 3000),
            ("retry:03000", 3000),
            ("retry: 0", 0),
            ("retry", None),
            ("retry: -1", None),
            ("retry: 1.5", None),
            ("retry: 3 ", None),
            ("retry: ٣", None),
            ("retry: ²", None),
            ("retry: " + "9" * 18, 10**18 - 1),
            ("retry: " + "9" * 5_000, None),
        ],
    )
    def test_retry_is_digits(self, line, retry):
        decoder = SSEDecoder()
        [event] = decoder.feed(f"{line}\ndata: x\n\n".encode())

        assert (event.retry, decoder.retry) == (retry, retry)

    def test_retry_holds_for_the_stream_and_shows_at_its_event(self):
        decoder = SSEDecoder()
        events = list(
            decoder.decode([b"retry: 5\n\ndata: x\n\nretry: 6\ndata: y\n\n", b"retry: 7\n"])
        )

        assert [event.retry for event in events] == [None, 6]
        assert decoder.retry == 7

    def test_data_is_taken_at_the_call(self):
        decoder = SSEDecoder()
        decoder.feed(b"data: a")
        decoder.feed(b"bc\n")

        assert [event.data for event in decoder.feed(b"\n")] == ["abc"]

    @pytest.mark.parametrize("offsets", [False, True])
    def test_what_comes_before_the_break_is_delivered(self, offsets):
        decoder = SSEDecoder(offsets=offsets)
        events = decoder.feed(b"data: a\n\ndata: \xff\n\ndata: b\n\n")

        assert next(events).data == "a"
        with pytest.raises(WireFormatError, match="0xff") as raised:
            next(events)
        assert raised.value.offset == 15

    @pytest.mark.parametrize(
        "chunks", [[b"data: b\n\n"], [], [b""]], ids=["fed on", "ended", "fed nothing"]
    )
    def test_a_broken_stream_stays_broken(self, chunks):
        decoder = SSEDecoder()
        events_of(decoder.feed(b"data: \xff\n\n"))

        events, error = events_of(decoder.decode(chunks))

        assert events == []
        assert error == ("no UTF-8: 0xff (invalid start byte)", 6)
        assert decoder.pending == 0

    @pytest.mark.parametrize(
        ("body", "offset"),
        [
            (b"data: \xff\n\n", 6),
            (BOM + b"data: \xff\n\n", 9),
            (b"data: a\n\n: \xc3\n\n", 11),
            (b"data: a\r\n\r\ndata: \xe2\x82\r\n\r\n", 17),
            (b"data: a\rdata: \xed\xa0\x80\r\r", 14),
        ],
        ids=["data", "after a mark", "comment", "CRLF", "CR, a surrogate"],
    )
    def test_bytes_that_are_no_utf8_are_told_by_their_place(self, body, offset):
        _, error = events_of(SSEDecoder().decode([body[:9], body[9:]]))

        assert error is not None
        assert error[1] == offset

    @pytest.mark.parametrize(
        ("body", "limit", "count", "offset"),
        [
            (b"data: a\n\n" * 3, 8, 3, None),
            (b"data: a\n\ndata: aa\n\n", 8, 1, 17),
            (b"data: a\r\n\r\ndata: a\r\n\r\n", 9, 2, None),
            (b"data: a\r\n\r\ndata: a\r\n\r\n", 8, 0, 8),
            (b"data: a\n\n: many comments\n", 10, 1, 19),
            (b"data: a\n\n" + b"x" * 10, 10, 1, None),
            (b"data: a\n\n" + b"x" * 11, 10, 1, 19),
            (b"x" * 1_000, 300, 0, 300),
            (b": \xff\n: too long as well\n\n", 10, 0, 10),
        ],
    )
    @pytest.mark.parametrize("size", [1, 4, 1_000])
    def test_an_event_has_a_longest_size(self, body, limit, count, offset, size):
        chunks = [body[at : at + size] for at in range(0, len(body), size)]
        events, error = events_of(SSEDecoder(max_event_bytes=limit).decode(chunks))

        assert len(events) == count
        assert (error and error[1]) == offset

    @pytest.mark.parametrize(
        ("body", "spans"),
        [
            (b"data: a\n\ndata: b\n\n", [(0, 9), (9, 18)]),
            (b"data: a\r\n\r\ndata: b\r\n\r\n", [(0, 11), (11, 22)]),
            (b"data: a\r\rdata: b\r\r", [(0, 9), (9, 18)]),
            (b"data: a\r\r\r\n\rdata: b\r\n\r", [(0, 9), (12, 22)]),
            (BOM + b"data: a\n\n\n\n:c\ndata: b\n\n", [(3, 12), (14, 26)]),
            (b": ping\n\nid: 1\n\ndata: a\n\n", [(15, 24)]),
        ],
        ids=["LF", "CRLF", "CR", "mixed", "a mark and empty lines", "blocks without data"],
    )
    @pytest.mark.parametrize("size", [1, 1_000])
    def test_offsets_are_the_whole_event(self, body, spans, size):
        chunks = [body[at : at + size] for at in range(0, len(body), size)]
        events = SSEDecoder(offsets=True).decode(chunks)

        assert [(event.start, event.end) for event in events] == spans

    def test_a_second_decoder_knows_nothing_of_the_first(self):
        first, second = SSEDecoder(), SSEDecoder()
        list(first.feed(b"id: 1\nretry: 5\n\ndata: \xc3"))

        assert [event.id for event in second.feed(b"data: x\n\n")] == [""]
        assert second.retry is None

    @pytest.mark.parametrize(
        ("options", "problem"),
        [({"errors": "ignore"}, "'ignore'"), ({"max_event_bytes": 0}, "not 0")],
        ids=["errors", "limit"],
    )
    def test_wrong_options_are_refused_at_once(self, options, problem):
        with pytest.raises(ValueError, match=problem):
            SSEDecoder(**options)

    def test_nothing_can_be_fed_after_the_end(self):
        decoder = SSEDecoder()
        decoder.finish()

        with pytest.raises(ValueError, match="after finish"):
            decoder.feed(b"data: x\n\n")


# body: the data that a lenient end gives, whether a strict one drops something, and a lenient one
ENDINGS = {
    "whole": (b"data: {}\n\n", ["{}"], False, False),
    "nothing": (b"", [], False, False),
    "no blank line": (b'data: {"a":1}\n', ['{"a":1}'], True, False),
    "no line end": (b'data: {"a":1}', ['{"a":1}'], True, False),
    "two lines of JSON": (b'data: {"a":\ndata: 1}', ['{"a":\n1}'], True, False),
    "named": (b"event: x\ndata: {}", ["{}"], True, False),
    "end marker": (b"data: [DONE]", ["[DONE]"], True, False),
    "CRLF end marker": (b"data: [DONE] \r\n", ["[DONE] "], True, False),
    "half JSON": (b'data: {"a":', [], True, True),
    "half a character": (b'data: {"a":"\xe2\x82', [], True, True),
    "half a number": (b"data: 12", [], True, True),
    "a number": (b"data: 12\n", ["12"], True, False),
    "a truth": (b"data: true", ["true"], True, False),
    "deep JSON": (b"data: " + b"[" * 100_000, [], True, True),
    "text": (b"data: hello\n", [], True, True),
    "half a name": (b"data: {}\nevent: mess", [], True, True),
    "only a name": (b"event: x\n", [], True, True),
    "half a field": (b"dat", [], True, True),
    "half a mark": (BOM[:2], [], True, True),
    "a mark": (BOM, [], False, False),
    "a comment": (b"data: {}\n\n: ping\n", ["{}"], False, False),
    "half a comment": (b"data: {}\n\n: pi", ["{}"], False, False),
    "data and half a comment": (b"data: {}\n: pi", ["{}"], True, False),
}


class TestEnd:
    @pytest.mark.parametrize(
        ("body", "lenient", "strictly_cut", "cut"), ENDINGS.values(), ids=ENDINGS
    )
    def test_a_forgotten_blank_line_is_forgiven_on_request(self, body, lenient, strictly_cut, cut):
        strict, lax = SSEDecoder(), SSEDecoder()
        given_anyway = [event.data for event in lax.decode([body], lenient=True)]
        given_strictly = [event.data for event in strict.decode([body])]

        assert given_anyway == lenient
        assert given_strictly == [data for _, data, _ in whatwg(body)]
        assert (strict.truncated, lax.truncated) == (strictly_cut, cut)

    def test_an_unfinished_block_leaves_no_id(self):
        decoder = SSEDecoder()
        list(decoder.decode([b"id: 1\ndata: x\n\nid: 2\ndata: y\n"]))

        assert decoder.last_event_id == "1"

    def test_what_is_pending_can_be_seen(self):
        decoder = SSEDecoder()
        seen = []
        for chunk in [BOM[:1], BOM[1:], b"data", b": x", b"\n", b"\n"]:
            list(decoder.feed(chunk))
            seen.append(decoder.pending)

        assert seen == [1, 0, 4, 7, 8, 0]

    def test_ending_twice_changes_nothing(self):
        decoder = SSEDecoder()
        list(decoder.decode([b"data: x"]))

        assert list(decoder.finish(lenient=True)) == []
        assert decoder.truncated


class TestShortcuts:
    @pytest.mark.parametrize(
        ("body", "applies"),
        [
            ("data: a\n\n", True),
            ("data: a\n\ndata: \n\ndata: c\n\n", True),
            ("data: a\r\n\r\ndata: b\r\r", True),
            ("event: a\ndata: b\n\nevent: c\ndata: \n\n", True),
            ("data: a\ndata: b\n\n", False),
            ("data: a\n\ndata:b\n\n", False),
            ("data: a\n\n\n", False),
            ("event: a\ndata: b\n\n: c\n\n", False),
            ("event: \ndata: b\n\n", False),
            (": c\n\n", False),
            ("\n", False),
        ],
        ids=repr,
    )
    def test_they_apply_to_the_common_shapes_only(self, body, applies):
        events = shortcut(body, "7")

        assert (events is not None) == applies
        if events is not None:
            assert [(event.event, event.data, event.id) for event in events] == [
                (name, data, "7") for name, data, _ in whatwg(body.encode())
            ]


class TestEncoder:
    @pytest.mark.parametrize(
        ("fields", "body"),
        [
            ({"data": "x"}, b"data: x\n\n"),
            ({"data": ""}, b"data: \n\n"),
            ({"data": "a\nb\r\nc\rd"}, b"data: a\ndata: b\ndata: c\ndata: d\n\n"),
            ({"comment": "keep-alive"}, b": keep-alive\n\n"),
            ({"comment": "a\nb", "data": "x"}, b": a\n: b\ndata: x\n\n"),
            ({"retry": 0}, b"retry: 0\n\n"),
            (
                {"data": "é", "event": "e", "id": "", "retry": 5},
                "event: e\nid: \nretry: 5\ndata: é\n\n".encode(),
            ),
        ],
        ids=repr,
    )
    def test_it_writes_what_servers_write(self, fields, body):
        assert encode_event(**fields) == body

    @pytest.mark.parametrize(
        ("fields", "problem"),
        [
            ({}, "nothing to encode"),
            ({"data": "x", "event": ""}, "event name"),
            ({"data": "x", "event": "a\nb"}, "event name"),
            ({"data": "x", "event": "a\rb"}, "event name"),
            ({"data": "x", "id": "a\n"}, "id is one line"),
            ({"data": "x", "id": "a\0"}, "without NUL"),
            ({"data": "x", "retry": -1}, "not -1"),
            ({"data": "x", "retry": 10**18}, "18 digits"),
            ({"data": "\ud800"}, "surrogates not allowed"),
        ],
        ids=repr,
    )
    def test_it_refuses_what_no_stream_can_carry(self, fields, problem):
        with pytest.raises(ValueError, match=problem):
            encode_event(**fields)


class TestCost:
    def test_an_unfinished_event_is_copied_a_few_times_however_small_its_pieces(self):
        """Each growth of the buffer is a copy, and their number is that of its doublings."""
        decoder = SSEDecoder()
        sizes = set()
        for _ in range(300_000):
            decoder.feed(b"x")
            sizes.add(sys.getsizeof(decoder._held))

        assert decoder.pending == 300_000
        assert len(sizes) < 150

    @pytest.mark.parametrize(
        "piece", [b"x", b"data: x\n"], ids=["in a line", "in an event of many lines"]
    )
    def test_a_piece_costs_the_same_late_as_early(self, piece):
        """Counted in calls, each of which looks at the piece alone."""
        decoder = SSEDecoder()
        early = calls_of(lambda: [list(decoder.feed(piece)) for _ in range(1_000)])
        for _ in range(50_000):
            decoder.feed(piece)
        late = calls_of(lambda: [list(decoder.feed(piece)) for _ in range(1_000)])

        assert late <= early + 10

    @pytest.mark.parametrize("tail", [b"x", b"data: x\n", b"\r"], ids=repr)
    def test_the_end_of_a_long_unfinished_event_comes_at_once(self, tail):
        """What is quadratic here takes minutes."""
        decoder = SSEDecoder()
        list(decoder.feed(b"data: x\n" + tail * 300_000))

        assert list(decoder.finish(lenient=True)) == []

    def test_a_piece_is_the_only_thing_that_is_searched(self):
        """What is held is read only when its block ends."""
        decoder = SSEDecoder()
        list(decoder.feed(b"data: x"))
        decoder._held = Unread(decoder._held)
        for piece in [b"y", b"y\n", b"z", b"\r", b"z\r\n"]:
            list(decoder.feed(piece))

        assert decoder.pending == 15


class Unread(bytearray):
    """A buffer that refuses to be searched or copied whole."""

    def __bytes__(self):
        raise AssertionError("copied")

    find = rfind = index = count = split = decode = __contains__ = __bytes__


def calls_of(work):
    """How many calls, of Python and of C, the *work* makes."""
    calls = 0

    def count(frame, event, argument):
        nonlocal calls
        calls += event in {"call", "c_call"}

    gc.disable()  # a collection calls whoever asked to be told of it
    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(None)
        gc.enable()
    return calls


def vectors(corpus):
    listing = (corpus / "corpus" / "sse_conformance" / "vectors.jsonl").read_bytes()
    return [json.loads(line) for line in listing.splitlines()]


def as_the_vector_says(vector, decoder, events):
    """What the *vector* tells, as (expected, found)."""
    yield (
        [(event["event"], event["data"]) for event in vector["expect"]],
        [(event.event, event.data) for event in events],
    )
    for expected, event in zip(vector["expect"], events, strict=True):
        for key in {"last_event_id", "event_id"} & expected.keys():
            yield expected[key], event.id
    for retry in [vector.get("retry"), *(vector.get("retries") or [])[-1:]]:
        if retry is not None:
            yield retry, decoder.retry


class TestPublicStreams:
    # Two sets of vectors say nothing of events as they stand: those of the content type
    # (`accept`: a stream of another type must not be read at all, which is the client's to
    # refuse), and those that list lines, which are read here as data lines.
    @pytest.mark.parametrize("offsets", [False, True])
    @pytest.mark.parametrize(
        "size", [None, 1, 3, 1_000_000], ids=["as sent", "bytes", "threes", "whole"]
    )
    def test_every_conformance_vector_passes(self, corpus, size, offsets):
        """With errors="replace", as the WHATWG decodes; no vector has bytes that are no UTF-8."""
        everything = vectors(corpus)
        assert len(everything) == 153
        failures = []
        for vector in everything:
            chunks = [base64.b64decode(chunk) for chunk in vector["chunks_b64"]]
            body = b"".join(chunks)
            if "expect_lines" in vector:
                body, vector["expect"] = lines_as_events(body, vector["expect_lines"])
                chunks = [body]
            if size:
                chunks = [body[at : at + size] for at in range(0, len(body), size)]
            decoder = SSEDecoder(errors="replace", offsets=offsets)
            events = list(decoder.decode(chunks))
            if vector.get("accept", True):
                said = as_the_vector_says(vector, decoder, events)
                failures += [vector["name"] for expected, found in said if expected != found]

        assert failures == []

    def test_every_public_stream_is_the_same_at_random_splits(self, corpus):
        root = corpus / "corpus"
        index = [
            json.loads(line) for line in (root / "public_index.jsonl").read_bytes().splitlines()
        ]
        entries = [entry for entry in index if entry["kind"] == "sse"]
        rng = random.Random(0)
        differing = []
        for entry in entries if SOAK else rng.sample(entries, 250):
            body = (root / entry["file"]).read_bytes()
            whole, plain = decoded(body), decoded(body, offsets=True)
            for most in (17, 400):
                cut = SSEDecoder().decode(random_chunks(rng, body, most))
                if not whole == list(cut) == without_place(plain):
                    differing.append(entry["id"])

        assert len(entries) > 2_000
        assert differing == []


def lines_as_events(body, lines):
    """The *body* with each of its lines made a block, and what that should give."""
    marked = re.sub(rb"([^\r\n]*)(\r\n|\r|\n)|[^\r\n]+\Z", one_line_block, body)
    return marked, [{"event": "message", "data": line} for line in lines]


def one_line_block(match):
    line, end = (match[1], match[2]) if match[2] else (match[0], b"\n")
    return b"data:" + line + end + end


def random_chunks(rng, body, most):
    at = 0
    while at < len(body):
        size = rng.randint(1, most)
        yield body[at : at + size]
        at += size
