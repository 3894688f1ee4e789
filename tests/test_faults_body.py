from __future__ import annotations

import itertools
import math
import re
import sys
import zlib
from collections.abc import Iterator
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from breaking import ENCODERS, FRAMINGS, LIBRARIES, Scripted, expected, has, outcome, stream
from hypothesis import given, settings
from hypothesis import strategies as st
from support import SOAK
from test_faults import apply, chunked, events_of, offset_of, places, scripts, sent

from cassette_stream.exceptions import (
    APIConnectionError,
    APIError,
    EmptyStreamError,
    MalformedStreamError,
    PlanError,
    StreamTruncatedError,
    Timeout,
)
from cassette_stream.faults import Byte, Event, Rule, Time, body, parse, parse_rule, reframe, watch
from cassette_stream.faults.framing import EventReader
from cassette_stream.faults.inside import offset_inside
from cassette_stream.script import Emit, Fail, FailureKind, Head, Step, Wait, framed
from cassette_stream.server import LoopbackServer
from cassette_stream.transport.errors import failure_of
from cassette_stream.transport.httpx import sync_transport

if TYPE_CHECKING:
    from cassette_stream.faults import Fault, FaultInfo, Place

pytestmark = pytest.mark.matrix(9)

IDS = (
    "fin",
    "reset",
    "stall",
    "drip",
    "clean_end",
    "eof_delimited",
    "length_long",
    "length_short",
    "bad_chunk",
    "gzip_cut",
    "gzip_corrupt",
    "encoding_lie",
    "encoding_missing",
    "h2_rst",
    "h2_goaway",
    "h2_fin",
    "h2_reset",
    "h2_end_cut",
    "split",
    "hold_open",
    "trailing",
    "slice",
)
some = settings(max_examples=200 if SOAK else 40)
ROWS = {info.id: info for info in body.FAULTS}
FIN = Fail(FailureKind.FIN)
RESET = Fail(FailureKind.RESET)
MISSING = {
    "coding=br": find_spec("brotli") is None and find_spec("brotlicffi") is None,
    "coding=zstd": find_spec("zstandard") is None,
}


def test_the_layer_has_all_its_rows_in_their_order() -> None:
    assert [info.id for info in body.FAULTS] == [f"body.{name}" for name in IDS]
    assert {info.id for info in body.FAULTS if info.common} == {
        "body.fin",
        "body.reset",
        "body.stall",
        "body.clean_end",
        "body.split",
    }


def variants(info: FaultInfo) -> list[str]:
    """Its parameters in text: none, and each word that there is for each."""
    words = [
        f"{it.name}={choice}"
        for it in info.parameters
        for choice in it.choices
        if choice != it.default
    ]
    return ["", *words]


def specs(*ids: str, at: str = "") -> list[Any]:
    """A pytest parameter for each variant of each fault of the layer, or of *ids*."""
    found = []
    for info in map(ROWS.get, ids) if ids else body.FAULTS:
        assert info is not None
        for more in variants(info):
            text = ",".join(filter(None, (at if info.places else "", more)))
            lacks = MISSING.get(more, False)
            marks = [pytest.mark.skip(f"no package for {more}")] if lacks else []
            spec = f"{info.id}@{text}" if text else info.id
            found.append(pytest.param(spec, id=spec, marks=marks))
    return found


def made(spec: str, at: Place) -> Fault:
    """The fault that *spec* tells, somewhere else."""
    rule = parse_rule(spec)
    return Rule(rule.fault, at=at, parameters=rule.parameters).build()


def id_of(spec: str) -> str:
    return spec.partition("@")[0]


def unzipped(steps: list[Step]) -> list[Step]:
    """The *steps* as a client that decodes gzip sees them; it fails on what is none."""
    seen: list[Step] = []
    squeezed = zlib.decompressobj(16 + zlib.MAX_WBITS)
    is_coded = False
    for step in steps:
        if isinstance(step, Head):
            is_coded = ("content-encoding", "gzip") in step.headers
        if is_coded and isinstance(step, Emit) and step.data:
            try:
                step = Emit(squeezed.decompress(step.data))  # noqa: PLW2901
            except zlib.error as error:
                return [*seen, Fail(FailureKind.DECODING_ERROR, str(error))]
        seen.append(step)
    return seen


def client_sees(steps: list[Step]) -> list[Step]:
    return unzipped(list(framed(iter(steps))))


def stripped(steps: list[Step]) -> list[Step]:
    """What came of a body, up to its last byte."""
    came = [step for step in steps if not isinstance(step, Head | Fail) and step != Emit(b"")]
    while came and isinstance(came[-1], Wait):
        came.pop()
    return came


ENDINGS = [
    it
    for info in body.FAULTS
    if info.places and info.id not in {"body.stall", "body.drip"}
    for it in specs(info.id, at="event=1")
    if not it.id.endswith(tuple(MISSING))
]


@st.composite
def headed(draw: st.DrawFn) -> list[Step]:
    """A script whose head frames its body in one of the ways that there are."""
    script = draw(scripts())
    length = str(len(sent(script)))
    fields = [
        (),
        (("transfer-encoding", "chunked"), ("content-length", "1")),
        (("connection", "close"),),
        (("x-a", "1"), ("content-length", length), ("x-b", "2")),
    ]
    head = Head(200, draw(st.sampled_from(fields)), draw(st.sampled_from(["HTTP/1.1", "HTTP/1.0"])))
    return [head if isinstance(step, Head) else step for step in script]


@pytest.mark.parametrize("spec", ENDINGS)
@some
@given(at=places | st.builds(Time, st.floats(0.1, 4, exclude_min=True)), script=headed())
def test_what_ends_a_body_lets_through_what_comes_before_and_nothing_else(
    spec: str, at: Place, script: list[Step]
) -> None:
    told = apply(made(spec, at), script)
    cut = apply(body.Fin(at=at), script)
    before = stripped(cut)
    if cut == script:
        assert told == script
        return
    seen = stripped(client_sees(told))
    if "footer" in spec:  # it comes with the last chunk, so what is behind that comes earlier
        assert sent(seen) == sent(before)
        assert [step for step in seen if isinstance(step, Emit)] == [
            step for step in before if isinstance(step, Emit)
        ]
    else:
        assert seen == before


PLAIN = Head(200, (("content-type", "text/event-stream"), ("x-a", "1")))
LENGTH_12 = Head(200, (("content-length", "12"), ("x-a", "1")))
CLOSING = Head(200, (("connection", "close"), ("x-a", "1")))
H2 = Head(200, (("x-a", "1"),), "HTTP/2")
BARE = Head(200, (("x-a", "1"),))
BARE_1_0 = Head(200, (("x-a", "1"),), "HTTP/1.0")
CHUNKED = Head(200, (("transfer-encoding", "chunked"), ("x-a", "1")))
CLOSING_LAST = Head(200, (("x-a", "1"), ("connection", "close")))
GZIP = Head(200, (("x-a", "1"), ("content-encoding", "gzip")))


def length(size: int) -> Head:
    return Head(200, (("content-length", str(size)), ("x-a", "1")))


def length_last(size: int) -> Head:
    return Head(200, (("x-a", "1"), ("content-length", str(size))))


def reset_stream(code: int) -> str:
    return f"<StreamReset stream_id:1, error_code:{code}, remote_reset:True>"


def gone_away(code: int) -> str:
    return f"<ConnectionTerminated error_code:{code}, last_stream_id:1, additional_data:None>"


def broken_off(received: int, expected: int) -> Fail:
    return Fail(
        FailureKind.SHORT_BODY,
        "peer closed connection without sending complete message body "
        f"(received {received} bytes, expected {expected})",
    )


def broken(words: str) -> Fail:
    return Fail(FailureKind.PROTOCOL_ERROR, words)


BODY = [b"abcd", b"efgh", b"ijkl"]
REST = [Emit(b"abcd"), Wait(1), Emit(b"e")]
UNEXPECTED = "peer unexpectedly closed connection"
BAD_SIZE = "illegal chunk header: bytearray(b'zz\\r\\n')"
BAD_FOOTER = "malformed chunk footer: bytearray(b' {') (expected b'\\r\\n')"
ENDS: list[tuple[str, Head, Head, Fail | None]] = [
    ("body.fin", PLAIN, PLAIN, FIN),
    ("body.fin", LENGTH_12, LENGTH_12, broken_off(5, 12)),
    ("body.fin", CLOSING, CLOSING, None),
    ("body.fin", H2, H2, broken("Server disconnected")),
    ("body.fin,http_chunk=header", PLAIN, PLAIN, Fail(FailureKind.FIN, UNEXPECTED, b"1f")),
    ("body.fin,http_chunk=data", CLOSING, BARE, Fail(FailureKind.FIN, raw=b"1f\r\n")),
    ("body.reset", PLAIN, PLAIN, RESET),
    ("body.reset", CLOSING, CLOSING, RESET),
    ("body.clean_end", PLAIN, PLAIN, None),
    ("body.clean_end", LENGTH_12, BARE, None),
    ("body.eof_delimited", LENGTH_12, CLOSING_LAST, None),
    ("body.eof_delimited,how=http/1.0", LENGTH_12, BARE_1_0, None),
    ("body.length_long", LENGTH_12, length(505), broken_off(5, 505)),
    ("body.length_long,by=2", BARE, length_last(7), broken_off(5, 7)),
    ("body.length_short", LENGTH_12, length(5), None),
    ("body.length_long", H2, length_last(505), broken_off(5, 505)),
    ("body.length_short", CHUNKED, length_last(5), None),
    ("body.length_short", H2, length_last(5), None),
    ("body.bad_chunk", PLAIN, PLAIN, Fail(FailureKind.PROTOCOL_ERROR, BAD_SIZE, b"zz\r\n")),
    ("body.bad_chunk", LENGTH_12, BARE, Fail(FailureKind.PROTOCOL_ERROR, BAD_SIZE, b"zz\r\n")),
    (
        "body.bad_chunk,part=footer",
        PLAIN,
        PLAIN,
        Fail(FailureKind.PROTOCOL_ERROR, BAD_FOOTER, b"1\r\ne {"),
    ),
    ("body.gzip_cut", LENGTH_12, GZIP, None),
    (
        "body.gzip_corrupt",
        BARE,
        GZIP,
        Fail(
            FailureKind.DECODING_ERROR,
            "Error -3 while decompressing data: invalid block type",
        ),
    ),
    ("body.h2_rst", CHUNKED, H2, broken(reset_stream(2))),
    ("body.h2_rst,code=CANCEL", CHUNKED, H2, broken(reset_stream(8))),
    ("body.h2_rst,code=REFUSED_STREAM", LENGTH_12, H2, broken(reset_stream(7))),
    ("body.h2_goaway", BARE, H2, broken(gone_away(0))),
    ("body.h2_goaway,code=ENHANCE_YOUR_CALM", BARE, H2, broken(gone_away(11))),
    ("body.h2_fin", BARE, H2, broken("Server disconnected")),
    ("body.h2_reset", BARE, H2, RESET),
    ("body.h2_end_cut", CLOSING, H2, None),
]


@pytest.mark.parametrize(
    ("spec", "head", "told", "end"), ENDS, ids=[f"{it[0]}-{n}" for n, it in enumerate(ENDS)]
)
def test_each_end_is_what_the_framing_makes_of_it(
    spec: str, head: Head, told: Head, end: Fail | None
) -> None:
    steps: list[Step] = [Wait(0.2), head]
    for data in BODY:
        steps += [Emit(data), Wait(1)]
    id_, _, more = spec.partition(",")
    fault = parse(f"{id_}@byte=5" + (f",{more}" if more else ""))
    seen = client_sees(apply(fault, steps))
    wanted = [Wait(0.2), told, *REST, *([end] if end else [])]

    if "footer" in spec or "corrupt" in spec:
        assert [step for step in seen if step != Wait(1)] == [
            step for step in wanted if step != Wait(1)
        ]
    else:
        assert seen == wanted


def test_every_end_is_in_that_table() -> None:
    told = {spec.partition(",")[0] for spec, *_ in ENDS}

    assert told == {id_of(it.id) for it in ENDINGS}


@pytest.mark.parametrize("coding", ["br", "zstd"])
def test_a_coding_that_nothing_here_can_do_is_refused(
    coding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("brotli", "brotlicffi", "zstandard", "compression.zstd", "backports.zstd"):
        monkeypatch.setitem(sys.modules, name, None)

    for id_ in ("body.gzip_cut@event=1", "body.gzip_corrupt@event=1", "body.encoding_missing@"):
        spec = f"{id_},coding={coding}".replace("@,", "@")
        with pytest.raises(PlanError, match=f"coding is '{coding}', and nothing here can do that"):
            parse(spec)


BAD = [
    (lambda: body.Fin(at=6), "at is 6; it can be an Event"),
    (lambda: body.Fin(at=Event(1), http_chunk="half"), "http_chunk is 'half'; it can be whole, header, data"),
    (lambda: body.Reset(at="last"), "at is 'last'"),
    (lambda: body.Stall(at=Event(1), seconds=0), "seconds is 0; a stall is longer than 0 seconds"),
    (lambda: body.Drip(at=Event(1), every=-1), "every is -1; it can be a number of seconds, from 0"),
    (lambda: body.CleanEnd(at=None), "at is None"),
    (lambda: body.EofDelimited(at=Event(1), how="http/2"), "how is 'http/2'; it can be close, http/1.0"),
    (lambda: body.LengthLong(at=Event(1), by=0), "by is 0; it can be a whole number of bytes, from 1"),
    (lambda: body.LengthShort(at=1), "at is 1"),
    (lambda: body.BadChunk(at=Event(1), part="foot"), "part is 'foot'; it can be size, footer; nearest: footer"),
    (lambda: body.GzipCut(at=Event(1), coding="deflate"), "coding is 'deflate'; it can be gzip, br, zstd"),
    (lambda: body.GzipCorrupt(at=Event(1), coding=""), "coding is ''"),
    (lambda: body.EncodingMissing(coding="brotli"), "coding is 'brotli'"),
    (lambda: body.H2Rst(at=Event(1), code="NO_ERROR"), "code is 'NO_ERROR'; it can be INTERNAL_ERROR, CANCEL"),
    (lambda: body.H2Goaway(at=Event(1), code="CANCEL"), "code is 'CANCEL'; it can be NO_ERROR, ENHANCE"),
    (lambda: body.H2Fin(at=0), "at is 0"),
    (lambda: body.H2Reset(at=0), "at is 0"),
    (lambda: body.H2EndCut(at=0), "at is 0"),
    (lambda: body.Split(inside="word"), "inside is 'word'; it can be any, utf8, crlf, json, data, surrogate"),
    (lambda: body.Slice(size=0), "size is 0; it can be a whole number of bytes, from 1"),
    (lambda: body.Slice(size=1.5), "size is 1.5; it can be a whole number"),
    (lambda: body.Slice(every=math.nan), "every is nan"),
    (lambda: body.Trailing(kind="events"), "kind is 'events'; it can be event, terminator, bytes; nearest: event"),
]  # fmt: skip


@pytest.mark.parametrize(("make", "words"), BAD, ids=[words for _, words in BAD])
def test_a_value_that_cannot_be_is_refused_at_once(make: Any, words: str) -> None:
    with pytest.raises(PlanError) as refused:
        make()

    assert words in str(refused.value)


@given(size=st.integers(1, 9), every=st.sampled_from([0.0, 0.25]), script=scripts())
def test_slices_are_the_same_bytes_and_the_same_waits_in_small_chunks(
    size: int, every: float, script: list[Step]
) -> None:
    told = apply(body.Slice(size=size, every=every), script)
    expected: list[Step] = []
    for step in script:
        if isinstance(step, Emit) and step.data:
            pieces = chunked(step.data, range(size, len(step.data), size))
            waits = [[Wait(every)] if every and n else [] for n in range(len(pieces))]
            for wait, piece in zip(waits, pieces, strict=True):
                expected += [*wait, Emit(piece)]
        else:
            expected.append(step)

    assert told == expected


KINDS = ("utf8", "crlf", "json", "data", "surrogate")
PAIRS = 'data: {"t":"\\ud83c\\udf89 \\ud83d\\ude00"}\n\n'


def boundaries(steps: list[Step]) -> set[int]:
    sizes = [len(step.data) for step in steps if isinstance(step, Emit)]
    return set(itertools.accumulate(sizes))


@pytest.mark.parametrize("kind", ["any", *KINDS])
@given(script=scripts())
def test_a_split_is_the_same_bytes_with_a_boundary_inside_each_event(
    kind: str, script: list[Step]
) -> None:
    told = apply(body.Split(inside=kind), script)
    whole = sent(script)
    cuts = set()
    for event in events_of(whole):
        raw = whole[event.start : event.end]
        inside: Any
        for inside in KINDS if kind == "any" else (kind,):
            if inside == "data":
                cuts.add(event.start + re.search(rb"(?:\A|[\r\n])(data)[:\r\n]", raw).start(1) + 2)
            elif inside == "surrogate":
                if pair := re.search(rb"\\u[dD][89abAB]..\\u[dD][c-fC-F]..", raw):
                    cuts.add(event.start + pair.start() + 6)
            elif (place := offset_inside(raw, inside)) is not None:
                cuts.add(event.start + place)

    assert sent(told) == whole
    assert boundaries(told) == boundaries(script) | cuts
    assert [it for it in told if not isinstance(it, Emit)] == [
        it for it in script if not isinstance(it, Emit)
    ]


@pytest.mark.parametrize(
    ("kind", "event", "pieces"),
    [
        ("utf8", 'data: {"t":"é🎉"}\n\n', ['data: {"t":"\udcc3', '\udca9🎉"}\n\n']),
        ("crlf", "data: {}\r\n\r\n", ["data: {}\r", "\n\r\n"]),
        ("json", 'data: {"a":1}\n\n', ['data: {"a', '":1}\n\n']),
        (
            "data",
            ": data\nevent: data\ndata: data\n\n",
            [": data\nevent: data\nda", "ta: data\n\n"],
        ),
        ("data", "data\ndata: 1\n\n", ["da", "ta\ndata: 1\n\n"]),
        ("surrogate", PAIRS, ['data: {"t":"\\ud83c', '\\udf89 \\ud83d\\ude00"}\n\n']),
        ("surrogate", "data: 1\n\n", ["data: 1\n\n"]),
        (
            "any",
            'data: {"t":"é\\ud83c\\udf89"}\r\n\r\n',
            ["da", 'ta: {"t":"\udcc3', "\udca9\\ud", "83c", '\\udf89"}\r', "\n\r\n"],
        ),
    ],
)
def test_a_split_is_at_one_exact_place(kind: str, event: str, pieces: list[str]) -> None:
    told = apply(body.Split(inside=kind), [Head(200), Emit(event.encode())])

    assert told == [Head(200), *(Emit(it.encode("utf-8", "surrogateescape")) for it in pieces)]


@given(at=places, every=st.sampled_from([0.5, 0.0]), script=scripts())
def test_a_drip_is_the_same_bytes_one_by_one_from_its_place_on(
    at: Place, every: float, script: list[Step]
) -> None:
    told = apply(body.Drip(at=at, every=every), script)
    cut = apply(body.Fin(at=at), script)
    if cut == script:
        assert told == script
        return
    before = cut[:-1]
    rest = told[len(before) :]
    bytes_ = [(wait, step) for wait, step in itertools.pairwise(rest) if _is_byte(step)]

    assert told[: len(before)] == before
    assert sent(told) == sent(script)
    assert all(len(step.data) == 1 and wait == Wait(every) for wait, step in bytes_)
    assert [it for it in rest if not _is_byte(it)].count(Wait(every)) >= len(bytes_)
    assert sum(map(seconds, told)) == pytest.approx(sum(map(seconds, script)) + every * len(bytes_))


def _is_byte(step: Step) -> bool:
    return isinstance(step, Emit) and step.data != b""


def seconds(step: Step) -> float:
    return step.seconds if isinstance(step, Wait) else 0


@given(script=headed())
def test_a_body_that_is_held_open_is_whole_and_does_not_end(script: list[Step]) -> None:
    told = apply(body.HoldOpen(), script)

    if isinstance(script[-1], Fail):
        assert told == script
    else:
        seen = list(framed(iter(told)))
        assert seen[-1] == Wait(math.inf)
        assert [it for it in seen[:-1] if not isinstance(it, Head)] == [
            it for it in script if not isinstance(it, Head)
        ]


def test_what_never_began_is_not_held_open() -> None:
    for steps in ([], [Wait(1)], [Wait(1), Fail(FailureKind.REFUSED)]):
        assert apply(body.HoldOpen(), steps) == steps


@pytest.mark.parametrize("kind", ["event", "terminator", "bytes"])
@given(script=headed(), cut=st.integers(0, 20))
def test_what_trails_is_one_chunk_behind_the_terminator(
    kind: str, script: list[Step], cut: int
) -> None:
    told = apply(body.Trailing(kind=kind), script)
    place = offset_of(Event("terminator", after=True), script)
    if place is None:
        assert told == script
        return
    whole, longer = sent(script), sent(told)
    more = longer[place : place + len(longer) - len(whole)]
    seen = sent(list(framed(iter(told))))

    assert longer == whole[:place] + more + whole[place:]
    assert Emit(more) in told
    assert seen == longer or isinstance(script[-1], Fail)
    assert (kind == "bytes") == (b"\xff" in more and b"data" not in more)
    assert [it for it in told if isinstance(it, Wait)] == [
        it for it in script if isinstance(it, Wait)
    ]


@given(script=headed())
def test_compression_that_the_head_does_not_tell_keeps_each_chunk(script: list[Step]) -> None:
    told = apply(body.EncodingMissing(), script)
    squeezed = zlib.decompressobj(16 + zlib.MAX_WBITS)
    plain = [
        Emit(squeezed.decompress(it.data)) if isinstance(it, Emit) and it.data else it
        for it in told
        if not isinstance(it, Head)
    ]
    rest = [it for it in script if not isinstance(it, Head)]
    has_failed = isinstance(script[-1], Fail)

    assert plain == (rest if has_failed else [*rest, Emit(b"")])
    assert squeezed.eof is not has_failed
    [head] = [it for it in told if isinstance(it, Head)]
    assert not {"content-encoding", "content-length"} & set(dict(head.headers))


@given(script=headed())
def test_a_lie_about_the_coding_is_in_the_head_alone(script: list[Step]) -> None:
    told = apply(body.EncodingLie(), script)
    [(was, is_)] = [(a, b) for a, b in zip(script, told, strict=True) if a != b]

    assert isinstance(was, Head)
    assert is_.headers == (*was.headers, ("content-encoding", "gzip"))
    assert apply(body.EncodingLie(), told) == told


def test_a_body_that_is_coded_already_is_coded_once_more() -> None:
    head = Head(200, (("content-encoding", "br"),))
    steps = [head, Emit(b"ab")]
    cut = apply(body.GzipCut(at=Byte(1)), steps)
    bare = apply(body.EncodingMissing(), steps)

    assert cut[0] == Head(200, (("content-encoding", "br, gzip"),))
    assert bare[0] == Head(200)


DIALECTS = tuple(ENCODERS)
WORDS = {
    "fin": APIConnectionError,
    "reset": APIConnectionError,
    "stall": Timeout,
    "drip": Timeout,
    "clean_end": StreamTruncatedError,
    "eof_delimited": StreamTruncatedError,
    "length_long": StreamTruncatedError,
    "length_short": StreamTruncatedError,
    "bad_chunk": APIConnectionError,
    "gzip_cut": (StreamTruncatedError, MalformedStreamError),  # zstd knows its own end
    "gzip_corrupt": MalformedStreamError,
    "trailing": MalformedStreamError,
    "encoding_lie": MalformedStreamError,
    "encoding_missing": (MalformedStreamError, EmptyStreamError, StreamTruncatedError),
    "h2_rst": APIConnectionError,
    "h2_goaway": APIConnectionError,
    "h2_fin": APIConnectionError,
    "h2_reset": APIConnectionError,
    "h2_end_cut": StreamTruncatedError,
}
"""What our client raises."""

clients = [
    pytest.param(library, is_async, id=f"{library}-{'async' if is_async else 'sync'}")
    for library in LIBRARIES
    for is_async in (False, True)
]


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("spec", specs(at="event=2") + specs(at="event=3,inside=json"))
def test_our_client_does_what_a_correct_client_does(spec: str, dialect: Any) -> None:
    info = ROWS[id_of(spec)]
    fault, steps = parse(spec), stream(dialect, gap=0.05)
    strikes: list[str] = []
    list(watch(fault, iter(steps), lambda: strikes.append(spec)))
    clean = outcome(lambda _: steps, dialect)
    assert clean[0][0].startswith("Grüße")
    if not strikes:
        nowhere = ["inside=crlf", "inside=surrogate", *(["inside=data"] * (dialect in FRAMINGS))]
        nowhere += ["inside=utf8"] * (dialect == "bedrock_invoke")  # it is base64
        assert any(it in spec for it in nowhere) or not has(info, dialect)
        return
    for library, is_async in itertools.product(LIBRARIES.values(), (False, True)):
        found = outcome(lambda _: fault(iter(steps)), dialect, is_async=is_async, library=library)
        if expected(info, dialect) == "tolerates":
            assert found == clean
        elif expected(info, dialect) == "raises":
            assert isinstance(found, WORDS[info.id.removeprefix("body.")]), found
        else:
            assert found == clean or isinstance(found, WORDS[info.id.removeprefix("body.")])


@pytest.mark.parametrize("library", LIBRARIES.values(), ids=LIBRARIES)
@pytest.mark.parametrize("part", ["whole", "header", "data"])
def test_wherever_a_connection_is_closed_in_a_chunk_the_stream_is_truncated(
    part: str, library: Any
) -> None:
    fault, steps = parse(f"body.fin@event=2,http_chunk={part}"), stream("openai_chat")
    for is_async in (False, True):
        found = outcome(
            lambda _: fault(iter(steps)), "openai_chat", is_async=is_async, library=library
        )

        assert type(found) is StreamTruncatedError
        assert failure_of(found.__cause__)[0] is FailureKind.FIN


HARMFUL = [info.id for info in body.FAULTS if info.expect == "raises" and info.places]


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("id_", HARMFUL)
def test_no_place_within_the_answer_is_silent(id_: str, dialect: Any) -> None:
    steps = stream(dialect, calls=True)
    clean = outcome(lambda _: steps, dialect)
    whole, reader = sent(steps), EventReader()
    for event in [*reader.feed(whole), *reader.finish()]:
        for n in {event.start, event.start + 1, event.end - 2, event.end - 1}:
            fault = Rule(id_, at=Byte(n)).build()
            found = outcome(lambda _, fault=fault: fault(iter(steps)), dialect)

            assert found == clean or isinstance(found, APIError), n
            if n < 3 * len(whole) // 4:
                assert isinstance(found, APIError), n


def quick(spec: str) -> str:
    """*spec* for a real clock."""
    for id_, known in {
        "body.drip": "body.drip@byte=-60,every=0.0001",
        "body.slice": "body.slice@size=7,every=0.0001",
    }.items():
        if id_of(spec) == id_:
            return known
    return spec


def heard(client: httpx.Client, url: str) -> tuple[bytes, str, str, str, bool]:
    """The bytes that a client of httpx gets there, and the exception that ends them."""
    got = b""
    try:
        with client.stream("POST", url, content=b"{}") as response:
            try:
                for data in response.iter_bytes():
                    got += data
            except httpx.HTTPError as error:
                cause = type(error.__cause__).__name__
                return got, type(error).__name__, str(error), cause, response.is_closed
    except httpx.HTTPError as error:
        return got, type(error).__name__, str(error), type(error.__cause__).__name__, True
    return got, "", "", "", response.is_closed


IMPATIENT = httpx.Timeout(60, read=0.4)


def performed(fault: Fault, steps: list[Step]) -> tuple[bytes, str, str, str, bool]:
    desk = Scripted(lambda _: fault(iter(steps)))
    unused = httpx.MockTransport(lambda _: httpx.Response(500))
    with httpx.Client(transport=sync_transport(httpx, desk, unused), timeout=IMPATIENT) as client:
        return heard(client, "http://127.0.0.1/any")


def served(server: LoopbackServer, fault: Fault, steps: list[Step]) -> Any:
    server.script("/any", lambda _: fault(iter(steps)))
    with httpx.Client(timeout=IMPATIENT) as client:
        return heard(client, f"{server.url}/any")


HEADS = {
    "chunked": Head(200, (("content-type", "text/event-stream"),)),
    "until close": Head(200, (("content-type", "text/event-stream"), ("connection", "close"))),
    "known length": Head(200, (("content-type", "text/event-stream"), ("content-length", "0"))),
}
ON_A_SOCKET = [it for it in specs(at="event=3,inside=json") if not it.id.startswith("body.h2_")]


@pytest.fixture(scope="module")
def server() -> Iterator[LoopbackServer]:
    with LoopbackServer() as server:
        yield server


def events_with(head: Head) -> list[Step]:
    """A stream without waits behind this *head*, whose length is made true."""
    events = [Emit(step.data) for step in stream("openai_chat") if isinstance(step, Emit)]
    fields = [
        (name, str(len(sent(events))) if name == "content-length" else value)
        for name, value in head.headers
    ]
    return [Head(head.status, tuple(fields)), *events]


@pytest.mark.parametrize("framing", HEADS)
@pytest.mark.parametrize("spec", ON_A_SOCKET)
def test_a_socket_shows_a_client_what_a_replay_does(
    server: LoopbackServer, spec: str, framing: str
) -> None:
    fault, steps = parse(quick(spec)), events_with(HEADS[framing])
    told, real = performed(fault, steps), served(server, fault, steps)
    if "corrupt" in spec and framing == "until close":
        # One read may bring what is good together with what is not; it is lost then.
        told, real = (b"", *told[1:]), (b"", *real[1:])

    assert told == real
    assert bool(told[1]) == fails(spec, framing)


def fails(spec: str, framing: str) -> bool:
    """Whether HTTP, or the coding of the content, shows that something is wrong."""
    id_ = id_of(spec).removeprefix("body.")
    if id_ == "fin" and "http_chunk" not in spec:
        return framing != "until close"
    if id_ == "gzip_cut":
        return "zstd" in spec
    return id_ in {
        "fin",
        "reset",
        "stall",
        "length_long",
        "bad_chunk",
        "gzip_corrupt",
        "encoding_lie",
        "hold_open",
    }


@pytest.mark.parametrize("spec", specs("body.h2_rst", "body.h2_goaway", "body.h2_fin", at="byte=9"))
def test_a_server_does_not_pretend_to_speak_http_2(server: LoopbackServer, spec: str) -> None:
    steps = apply(parse(spec), events_with(HEADS["chunked"]))

    with pytest.raises(ValueError, match="a server fails with protocol_error only by its raw="):
        server.respond(steps)


ENDLESS = [it for it in specs(at="event=terminator") if not it.id.startswith("body.slice")]


@pytest.mark.parametrize("spec", ENDLESS)
def test_a_stream_without_end_goes_on(spec: str) -> None:
    script = itertools.chain([Head(200)], itertools.repeat(Emit(b'data: {"a":"\xc3\xa9"}\r\n\r\n')))
    told = parse(spec)(iter(script))

    assert isinstance(next(told), Head)
    assert sum(isinstance(step, Emit) for step in itertools.islice(told, 50)) >= 24


STREAMED = {f"body.{name}@event=1" for name in ("fin", "reset", "clean_end")}
HELD = [it for it in ENDINGS if it.id not in STREAMED]


@pytest.mark.parametrize("spec", HELD)
def test_what_would_have_to_be_held_back_for_too_long_is_left_whole(
    spec: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reframe, "_MOST_HELD", 4)
    steps = [Head(200, (("content-length", "12"),)), *(Emit(b"ab") for _ in range(6))]
    near, far = (apply(made(spec, Byte(n)), steps) for n in (5, 7))

    assert near != steps
    assert far == steps


CODERS = {
    "zlib": ("gzip", lambda it, data: it.decompress(data, 31)),
    "brotli": ("br", lambda it, data: it.decompress(data)),
    "brotlicffi": ("br", lambda it, data: it.decompress(data)),
    "zstandard": ("zstd", lambda it, data: it.ZstdDecompressor().decompressobj().decompress(data)),
    "compression.zstd": ("zstd", lambda it, data: it.decompress(data)),
    "backports.zstd": ("zstd", lambda it, data: it.decompress(data)),
}


@pytest.mark.parametrize("name", CODERS)
def test_every_package_that_can_compress_makes_a_whole_body(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = pytest.importorskip(name)
    coding, decompress = CODERS[name]
    for other in CODERS:
        if other not in {name, "zlib"}:
            monkeypatch.setitem(sys.modules, other, None)
    steps = [Head(200), *(Emit(b"data: %d\n\n" % n) for n in range(9))]
    whole, cut = (
        apply(fault, steps)
        for fault in (
            body.EncodingMissing(coding=coding),
            body.GzipCut(at=Event(5), coding=coding),
        )
    )

    assert decompress(package, sent(whole)) == sent(steps)
    assert len(whole) == len(steps) + 1
    assert [step.data for step in cut[1:]] == [step.data for step in whole[1:5]]


def test_a_footer_that_no_chunk_has_is_a_size() -> None:
    steps = [Head(200), Wait(1), Emit(b"abc")]
    size, footer = (body.BadChunk(at=Byte(0), part=part) for part in ("size", "footer"))

    assert apply(footer, steps) == apply(size, steps)
    assert apply(size, steps)[:-1] == steps[:2]


def test_a_moment_before_the_head_is_no_place_in_a_body() -> None:
    steps = [Wait(2), Head(200), Emit(b"abc")]
    for info in body.FAULTS:
        if not info.places:
            continue
        told = apply(Rule(info.id, at=Time(1)).build(), steps)
        if info.id in {"body.fin", "body.reset", "body.stall"}:
            assert told[0] == Wait(1)
        else:
            assert told == steps
