"""What is written reads back equal, and every reader reads the same."""

from __future__ import annotations

import json
import math
import random
import tracemalloc
from array import array
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies_cassette import TRAPS, cassettes, interactions, json_values, texts
from support import PROJECT, SOAK

from cassette_stream.cassette import (
    Cassette,
    CassetteReader,
    Ending,
    How,
    Interaction,
    Request,
    Response,
    check_written,
    dump_header,
    dump_interaction,
    dumps,
    loads,
    refit,
)
from cassette_stream.cassette.events import LIBYAML, PURE, Source
from cassette_stream.cassette.frames import COLUMNS, fold_frames, read_frames
from cassette_stream.cassette.json_text import MAX_DEPTH, MAX_NODES, compact, exact_json
from cassette_stream.cassette.schema import read_interaction
from cassette_stream.exceptions import CassetteError, CassetteFormatError
from cassette_stream.script import FailureKind
from cassette_stream.wire.eventstream import encode_message

GOLDEN = Path(__file__).parent / "golden"
NOON = datetime(2026, 11, 23, 12, 0, 0, 1000, tzinfo=UTC)

both_sources = pytest.mark.parametrize("source", [LIBYAML, PURE], ids=["libyaml", "pure"])
thorough = settings(max_examples=1_000 if SOAK else 60, deadline=None)


def response(body: bytes, *sizes: int, **more: Any) -> Response:
    frames = sizes or (len(body),)
    gaps = [1000 * (place + 1) for place in range(len(frames))]
    return Response(
        status=200, body=body, sizes=array("q", frames), gaps_us=array("q", gaps), **more
    )


def interaction(answer: Response | None = None, **request: Any) -> Interaction:
    asked = Request(**{"method": "POST", "url": "https://api.test/v1/chat", **request})
    return Interaction(recorded_at=NOON, request=asked, response=answer or response(b"data: x\n\n"))


def cassette(*held: Interaction) -> Cassette:
    return Cassette(interactions=held, recorded_with="cassette-stream 0.1.0")


def only(data: bytes, source: Source = LIBYAML) -> Interaction:
    (held,) = CassetteReader(data, file="x.yaml", source=source)
    return held


def as_kept(held: Interaction) -> Interaction:
    """*held* with its request body as JSON without blanks, if that is how it is kept."""
    value = exact_json(held.request.body)
    body = held.request.body if value is None else compact(value)
    return replace(held, request=replace(held.request, body=body))


@thorough
@given(written=cassettes())
def test_what_is_written_reads_back_equal(written: Cassette) -> None:
    data = dumps(written)

    assert loads(data, file="x.yaml") == replace(
        written, interactions=tuple(map(as_kept, written.interactions))
    )
    check_written(data, written)


@thorough
@given(written=cassettes())
def test_a_second_write_is_the_same_bytes(written: Cassette) -> None:
    data = dumps(written)

    assert dumps(loads(data, file="x.yaml")) == data


@thorough
@given(written=cassettes())
def test_reading_one_by_one_gives_what_reading_all_does(written: Cassette) -> None:
    data = dumps(written)
    reader = CassetteReader(data, file="x.yaml")
    whole = loads(data, file="x.yaml").interactions

    assert [reader.request(at) for at in range(len(reader))] == [held.request for held in whole]
    assert tuple(reader) == whole
    assert reader[:1] == list(whole[:1])
    assert reader.header + b"".join(map(reader.document, range(len(reader)))) == data


@settings(max_examples=1000 if SOAK else 30, deadline=None)
@given(written=cassettes(max_size=1))
def test_the_parser_in_python_reads_the_same(written: Cassette) -> None:
    data = dumps(written)

    assert tuple(CassetteReader(data, file="x.yaml", source=PURE)) == tuple(
        CassetteReader(data, file="x.yaml", source=LIBYAML)
    )


@thorough
@given(written=interactions())
def test_other_tools_read_the_same_strings(written: Interaction) -> None:
    header, document = yaml.load_all(dumps(cassette(written)), Loader=yaml.CSafeLoader)
    request = document["request"]

    assert header == {"cassette": 1, "recorded_with": "cassette-stream 0.1.0"}
    assert (request["method"], request["url"]) == (written.request.method, written.request.url)
    assert request.get("headers", {}) == {k: list(v) for k, v in written.request.headers.items()}
    if "json" in request:
        assert strictly(request["json"]) == strictly(json.loads(written.request.body))


def strictly(value: object) -> str:
    """JSON values by a text that tells 1 from 1.0 and from True."""
    return json.dumps(value)


@thorough
@given(value=json_values)
def test_a_json_body_keeps_its_value(value: object) -> None:
    body = json.dumps(value).encode()
    read = only(dumps(cassette(interaction(body=body)))).request.body

    assert strictly(json.loads(read)) == strictly(value)
    assert read == (body if exact_json(body) is None else compact(value))


@thorough
@given(pairs=st.lists(st.tuples(st.integers(0, 10**15 - 1), st.integers(0, 10**17)), min_size=1))
def test_frames_read_back_and_lines_are_short(pairs: list[tuple[int, int]]) -> None:
    gaps, sizes = array("q", [gap for gap, _ in pairs]), array("q", [size for _, size in pairs])
    lines = fold_frames(sizes, gaps)

    assert max(map(len, lines)) <= COLUMNS
    assert read_frames(" ".join(lines)) == (sizes, gaps)


@settings(max_examples=3000 if SOAK else 100, deadline=None)
@given(written=interactions(), data=st.data())
def test_the_short_way_to_a_body_is_the_long_way(written: Interaction, data: st.DataObject) -> None:
    file = bytearray(dumps(cassette(written)))
    start = file.index(b"\n---\n") + 5
    patches = st.sampled_from(
        [b" ", b"\n", b"    ", b"x", b"\t", b'"', b"#", b"---\n", b"\x85", b""]
    )
    for _ in range(data.draw(st.integers(0, 3))):
        at = data.draw(st.integers(start, len(file) - 1))
        file[at : at + data.draw(st.integers(0, 2))] = data.draw(patches)
    reader = CassetteReader(bytes(file) + b"\n", file="x.yaml")

    for at in range(len(reader)):
        span = reader._spans[at]
        if data.draw(st.booleans()):
            outcome(lambda at=at: reader.request(at))

        assert outcome(lambda at=at: reader.interaction(at)) == outcome(
            lambda span=span: read_interaction(reader._events(span.start, span.end))
        )


def outcome(read: Any) -> object:
    try:
        return read()
    except CassetteFormatError as error:
        return str(error)


def test_a_lone_surrogate_in_a_json_string_is_kept_as_text() -> None:
    body = b'{"content": "\\ud83d"}'
    data = dumps(cassette(interaction(body=body)))

    assert b"\n  body: |2-\n" in data
    assert only(data).request.body == body


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("Count from 1 to 3", b"Count from 1 to 3"),
        ("https://api.test/v1?a=b&c=d", b"https://api.test/v1?a=b&c=d"),
        ("gpt-4o-mini", b"gpt-4o-mini"),
        ("NO", b'"NO"'),
        ("Off", b'"Off"'),
        ("y", b'"y"'),
        ("null", b'"null"'),
        ("12:30:45", b'"12:30:45"'),
        ("1e3", b'"1e3"'),
        ("4o", b'"4o"'),
        ("a: b", b'"a: b"'),
        ("a #b", b'"a #b"'),
        ("a:b #c", b'"a:b #c"'),
        ('say "hi" \\o/', b'say "hi" \\o/'),
        ("- a", b'"- a"'),
        ("a ", b'"a "'),
        ("", b'""'),
        ("a\tb", b'"a\\tb"'),
        ("caf\u00e9 \U0001f600", "caf\u00e9 \U0001f600".encode()),
        ("a\x85b\x1b\u2028\ufeff", b'"a\\x85b\\x1B\\u2028\\uFEFF"'),
        ("one\n", b'"one\\n"'),
        ("\n\n", b'"\\n\\\n      \\n"'),
        ("one\ntwo", b"|2-\n      one\n      two"),
        ("one\n\n  two\n", b"|2+\n      one\n\n        two"),
        ("one \ntwo", b'"one \\n\\\n      two"'),
        ("one\r\n  two", b'"one\\r\\n\\\n      \\  two"'),
    ],
    ids=ascii,
)
def test_a_string_has_the_simplest_style_that_keeps_it(text: str, written: bytes) -> None:
    data = dumps(cassette(interaction(body=compact({"k": text}))))

    assert b"\n    k: " + written + b"\nresponse:\n" in data


@pytest.mark.parametrize(
    ("body", "written"),
    [
        (b"", b""),
        (b"a\n", b"  body: |2+\n    a\n"),
        (b"a", b"  body: |2-\n    a\n"),
        (b"\n\n", b"  body: |2+\n\n\n"),
        (b"a\n\n b \n", b"  body: |2+\n    a\n\n     b \n"),
        (b"a\r\n\r\nb\r\n", b"  newline: crlf\n  body: |2+\n    a\n\n    b\n"),
        (b"a\r\nb", b"  newline: crlf\n  body: |2-\n    a\n    b\n"),
        (b"a\r\nb\n", b'  body: "a\\r\\n\\\n    b\\n"\n'),
        (b"a\r\n\x85b".replace(b"\x85", "\u0085".encode()), b'  body: "a\\r\\n\\\n    \\x85b"\n'),
        (b"\x00", b'  body: "\\x00"\n'),
        (b"\xff\x00", b"  body_base64: |2-\n    /wA=\n"),
        (
            b"\xff" * 60,
            b"  body_base64: |2-\n    " + b"/" * 76 + b"\n    ////\n",
        ),
    ],
    ids=repr,
)
def test_a_body_has_the_simplest_form_that_keeps_it(body: bytes, written: bytes) -> None:
    document = dump_interaction(interaction(response(body)))

    assert document.partition(b"\n  ending: complete\n")[2] == written


@pytest.mark.parametrize(
    "body",
    [
        b"{}x",
        b'{"a": 1, "a": 2}',
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'{"a": 1e999}',
        b'{"a": "\\udc00"}',
        b'{"\\udc00": 1}',
        b'{"a": "\xff"}',
        b"\xef\xbb\xbf{}",
        b'{"%b": 1}' % (b"k" * 1001),
        b'{"%b": 1}' % ("\x85" * 300).encode(),
        b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1),
        b"[" * 100_000 + b"]" * 100_000,
        b"[" + b"0," * MAX_NODES + b"0]",
        b'{"a": ' + b"1" * 5000 + b"}",
        b'"text"',
        b"12",
        b"null",
        b"a=b&c=d",
    ],
    ids=lambda body: repr(body[:24]),
)
def test_a_request_body_that_yaml_cannot_hold_as_json_stays_as_it_is(body: bytes) -> None:
    data = dumps(cassette(interaction(body=body)))

    assert b"\n  json:" not in data
    assert only(data).request.body == body


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b"[]",
        b"[" * MAX_DEPTH + b"]" * MAX_DEPTH,
        b'{"a":[1,2.5,-0.0,1e+16,1e-07,null,true],"b":[],"c":{},"d":[[],[{}],[["x"]]]}',
        b'[{"a":"b","c":[{"d":"e"}]},["f",["g"]],"h"]',
        b'{"%b":1}' % (b"k" * 1000),
        b'{"n":123456789012345678901234567890}',
        b'{"n":%b}' % (b"1" * 400),
    ],
    ids=lambda body: repr(body[:40]),
)
def test_a_json_request_body_reads_back_as_json_without_blanks(body: bytes) -> None:
    data = dumps(cassette(interaction(body=body)))

    assert b"\n  json:" in data
    assert only(data).request.body == body


def test_numbers_under_json_are_numbers_to_other_tools() -> None:
    numbers = [0, -1, 1.5, 1e16, 1e-7, 1e300, -0.0, 5e-324]
    data = dumps(cassette(interaction(body=compact({"n": numbers}))))
    _, document = yaml.safe_load_all(data)

    assert strictly(document["request"]["json"]["n"]) == strictly(numbers)


def test_a_file_is_its_header_and_its_documents() -> None:
    held = interaction()

    assert dumps(cassette(held, held)) == (
        dump_header("cassette-stream 0.1.0") + dump_interaction(held) * 2
    )
    assert dump_header("x") == b"cassette: 1\nrecorded_with: x\n"


@pytest.mark.parametrize(
    ("held", "line"),
    [(interaction(url="a\ud83d"), 5), (interaction(headers={"a": ("\ud83d",)}), 7)],
    ids=["url", "header"],
)
def test_a_lone_surrogate_is_refused_by_the_line(held: Interaction, line: int) -> None:
    with pytest.raises(CassetteError, match=rf"^line {line} .* lone surrogate '\\ud83d'"):
        dump_interaction(held)


def test_another_version_is_not_written() -> None:
    with pytest.raises(ValueError, match="version 1 are written, not 2"):
        dumps(Cassette(version=2))


EVENTS = [
    encode_message({":event-type": "contentBlockDelta"}, b'{"delta":{"text":"Hi\\n"}}'),
    encode_message({":event-type": "chunk"}, b'{"bytes":"eyJ0eXBlIjoicGluZyJ9","p":"ab"}'),
    encode_message({":exception-type": "throttlingException"}, b"slow\ndown \xff"),
    encode_message({}, b"x" * 2000),
]


@both_sources
def test_frames_of_an_event_stream_have_a_comment_each(source: Source) -> None:
    body = b"".join(EVENTS)
    headers = {"content-type": ("application/vnd.amazon.eventstream",)}
    data = dumps(cassette(interaction(response(body, headers=headers))))
    comments = [line for line in data.decode().split("\n") if line.startswith("  # ")]

    assert comments[:3] == [
        '  # contentBlockDelta {"delta":{"text":"Hi\\n"}}',
        '  # chunk {"type":"ping"}',
        "  # throttlingException slow\\ndown \\xff",
    ]
    assert comments[3] == f"  # ? {'x' * 998}..."
    assert only(data, source).response.body == body


@pytest.mark.parametrize(
    ("body", "comments"),
    [
        (EVENTS[0][:-1], 0),
        (EVENTS[0] + EVENTS[1][:-1], 2),
        (EVENTS[0] + b"\xff" * 40, 2),
        (b'{"message":"denied"}', 0),
    ],
    ids=["cut at once", "cut later", "broken later", "text"],
)
def test_an_event_stream_that_is_none_keeps_its_bytes(body: bytes, comments: int) -> None:
    headers = {"content-type": ("Application/vnd.amazon.eventstream; x=y",)}
    data = dumps(cassette(interaction(response(body, headers=headers))))

    assert data.count(b"\n  # ") == comments
    assert only(data).response.body == body


def golden() -> dict[str, Cassette]:
    chat = compact(
        {
            "model": "gpt-4o-mini",
            "stream": True,
            "temperature": 0.5,
            "messages": [
                {"role": "system", "content": "Be brief.\n\n- no lists\n"},
                {"role": "user", "content": "Count from 1 to 3"},
            ],
            "stop": ["NO", "12:30:45", ""],
            "logit_bias": {"1234": -100},
            "metadata": {},
        }
    )
    stream = b'data: {"choices":[{"delta":{"content":"one"}}]}\n\ndata: [DONE]\n\n'
    sse = {"content-type": ("text/event-stream; charset=utf-8",), "set-cookie": ("a=b", "c=d")}
    json_headers = {"content-type": ("application/json",), "accept": ("*/*",)}
    failed = Ending(
        how=How.FAILURE, after_us=600_000_000, failure=FailureKind.READ_TIMEOUT, message="timed out"
    )
    many = array("q", [3] * 40)
    return {
        "text": cassette(
            interaction(
                response(stream, 31, 0, len(stream) - 31, headers=sse, head_after_us=212_400),
                headers=json_headers,
                body=chat,
            ),
        ),
        "endings": cassette(
            interaction(response(stream[:20], 20, ending=failed)),
            interaction(
                response(
                    stream[:31], ending=Ending(how=How.CLOSED_BY_CALLER, after_us=12), reason="Fine"
                )
            ),
            replace(interaction(), response=None, failure=replace(failed, message="")),
            replace(
                interaction(
                    Response(status=204, http_version="HTTP/2", ending=Ending(how=How.CANCELLED))
                ),
                incomplete=True,
            ),
        ),
        "bodies": cassette(
            interaction(response(stream.replace(b"\n", b"\r\n")), body=b"a=b&c=d"),
            interaction(
                response(b"data: 1\r\n\r\ndata:\n 2\r\r", removed_coding="gzip"),
                body=b"--x\r\n\r\ntext\r\n--x--\r\n",
            ),
            interaction(response("data: caf\u00e9 \U0001f600\u2028\n\n".encode()), body=b"\xff\0"),
            interaction(
                response(
                    b"".join(EVENTS[:2]),
                    headers={"content-type": ("application/vnd.amazon.eventstream",)},
                )
            ),
            interaction(
                Response(status=200, body=b"one" * 40, sizes=many, gaps_us=array("q", range(40)))
            ),
        ),
        "traps": cassette(*map(trapped, TRAPS.values())),
        "empty": cassette(),
    }


def trapped(trap: str) -> Interaction:
    """The *trap* as a body, and as text under ``json:`` unless it is no text."""
    text = b"" if "\ud83d" in trap else compact({"k": trap})
    return interaction(response(trap.encode("utf-8", "surrogatepass")), body=text)


@both_sources
@pytest.mark.parametrize("name", golden())
def test_a_golden_file_is_what_is_written_and_reads_the_same(name: str, source: Source) -> None:
    data = (GOLDEN / f"{name}.yaml").read_bytes()
    written = golden()[name]

    assert dumps(written).decode() == data.decode()
    assert tuple(CassetteReader(data, file=name, source=source)) == tuple(
        map(as_kept, written.interactions)
    )


def test_every_golden_file_is_known() -> None:
    assert {path.stem for path in GOLDEN.iterdir()} == set(golden())


def test_the_example_of_the_format_page_is_a_cassette_as_it_is_written() -> None:
    page = (PROJECT / "docs" / "cassette-format.md").read_text("utf-8")
    example = page.split("```yaml\n")[1].split("```")[0].encode()

    assert dumps(loads(example, file="cassette-format.md")) == example
    assert [kind for kind in FailureKind if f"`{kind}`" not in page] == []


def test_every_stream_of_the_corpus_reads_back(corpus: Path) -> None:
    lines = (corpus / "corpus" / "public_index.jsonl").read_text("utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    rng = random.Random(5)
    for row in rows if SOAK else rng.sample(rows, 150):
        body = (corpus / "corpus" / row["file"]).read_bytes()
        cuts = sorted(rng.randrange(len(body) + 1) for _ in range(rng.choice([0, 3, 50])))
        places = [0, *cuts, len(body)]
        sizes = [end - start for start, end in pairwise(places)]
        answer = response(body, *sizes, headers={"content-type": (row.get("content_type") or "",)})
        request = corpus / "corpus" / (row.get("request_file") or "absent")
        asked = request.read_bytes() if request.is_file() else b""
        written = cassette(interaction(answer, body=asked))
        data = dumps(written)

        assert only(data).response == answer, row["id"]
        assert dumps(loads(data, file="x.yaml")) == data, row["id"]
        check_written(data, written)


def test_one_interaction_is_read_although_the_others_are_broken() -> None:
    good = dump_interaction(interaction())
    bad = good.replace(b"ending: complete", b"ending: ???")
    reader = CassetteReader(dump_header("x") + bad + good + bad, file="x.yaml")

    assert reader[1] == interaction()
    assert reader.request(0) == interaction().request
    with pytest.raises(CassetteFormatError):
        reader[0]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"\nrequest:", b"\n{request:"),
        (
            b"---\nrecorded_at: 2026-11-23T12:00:00.001Z\nrequest:\n  method: POST\n",
            b"--- {recorded_at: 2026-11-23T12:00:00.001Z, request: {method: GET, url: /}\n}\n#",
        ),
        (
            b"---\nrecorded_at: 2026-11-23T12:00:00.001Z\nrequest:\n  method: POST\n",
            b"--- {recorded_at: 2026-11-23T12:00:00.001Z, request: {method: GET, url: /},\n#",
        ),
        (b"  ending:", b"incomplete: false\n  ending:"),
        (b"  ending: complete\n", b"  ending: complete\nrequest: {method: GET, url: /}\n"),
        (b"\nrequest:", b"\nanswer: {}\nrequest:"),
        (b"\nrequest:\n  method: POST", b"\nrequest: {\n  method: POST,"),
    ],
    ids=repr,
)
def test_an_error_is_the_same_whether_the_request_was_read_before(old: bytes, new: bytes) -> None:
    data = dumps(cassette(interaction())).replace(old, new)
    reader = CassetteReader(data, file="x.yaml")
    alone = outcome(lambda: CassetteReader(data, file="x.yaml").interaction(0))
    outcome(lambda: reader.request(0))

    assert isinstance(alone, str)
    assert outcome(lambda: reader.interaction(0)) == alone


@pytest.mark.parametrize(
    "request_text",
    [
        b'request: {method: GET, url: "a\nresponse:\nb"}\n',
        b'request:\n  method: GET\n  url: "a\nresponse:\nb"\n',
    ],
    ids=["flow", "block"],
)
def test_what_looks_like_a_response_within_quotes_is_none(request_text: bytes) -> None:
    answer = b"response:\n  status: 200\n  ending: complete\n"
    document = b"---\nrecorded_at: 2026-11-23T12:00:00.001Z\n" + request_text + answer
    reader = CassetteReader(dump_header("x") + document, file="x.yaml")

    assert reader.request(0) == Request(method="GET", url="a response: b")
    assert reader[0].request == reader.request(0)


def test_a_request_is_found_after_its_response() -> None:
    text = (
        "---\nresponse:\n  status: 200\n  ending: complete\n"
        "request:\n  method: GET\n  url: /\nrecorded_at: 2026-11-23T12:00:00.001Z\n"
    )
    reader = CassetteReader(dump_header("x") + text.encode(), file="x.yaml")

    assert reader.request(0) == Request(method="GET", url="/") == reader[0].request


def test_what_looks_like_a_body_under_json_is_none() -> None:
    text = (
        "---\nrecorded_at: 2026-11-23T12:00:00.001Z\n"
        "\nresponse:\n status: 200\n ending: complete\n"
        "request:\n method: GET\n url: /\n json:\n  body: |2+\n    text\n"
    )

    assert only(dump_header("x") + text.encode()).request.body == b'{"body":"text\\n"}'


@pytest.mark.parametrize(
    "head",
    [
        "cassette: 1\n",
        "---\ncassette: 1\n",
        "# mine\n\n---\ncassette: 1\n",
        "# mine\ncassette: 1\n",
        '--- # mine\ncassette: "1"\n',
    ],
)
def test_a_header_may_have_dashes_and_comments(head: str) -> None:
    reader = CassetteReader(head.encode() + dump_interaction(interaction()), file="x.yaml")

    assert list(reader) == [interaction()]
    assert (reader.recorded_with, reader.version) == ("", 1)


def test_a_file_by_hand_may_be_written_in_other_ways() -> None:
    text = """\
--- # by hand
request:
  method: GET
  headers: {accept: ['*/*', 12:30:45], x: [NO, null, ~, 012]}
  json: {a: [1, 1.5, 1E2, -0], b: {c: null, d: true, e: ~, f: True, g: 0x1F, h: 01}, 1: on}
  url: 'http://x/'
recorded_at: "2026-11-23T12:00:00.001Z"
response:
  body: >
    folded
    lines
  frames: 1:5 2.50:8
  status: "200"
  ending: {how: cancelled, after: 3}
"""
    held = only(dump_header("x") + text.encode())

    assert held.request == Request(
        method="GET",
        url="http://x/",
        headers={"accept": ("*/*", "12:30:45"), "x": ("NO", "null", "~", "012")},
        body=compact(
            {
                "a": [1, 1.5, 100.0, 0],
                "b": {"c": None, "d": True, "e": "~", "f": "True", "g": "0x1F", "h": "01"},
                "1": "on",
            }
        ),
    )
    assert held.response == Response(
        status=200,
        body=b"folded lines\n",
        sizes=array("q", [5, 8]),
        gaps_us=array("q", [1000, 2500]),
        ending=Ending(how=How.CANCELLED, after_us=3000),
    )


@pytest.mark.parametrize(
    ("sizes", "body", "fitted", "gaps"),
    [
        ([3, 4], b"0123456789", [3, 7], [1000, 2000]),
        ([3, 4, 5], b"01234567", [3, 5], [1000, 2000]),
        ([3, 4], b"01", [2], [1000]),
        ([0, 3], b"01", [2], [1000]),
        ([], b"01", [2], [0]),
        ([3], b"", [], []),
    ],
    ids=["longer", "shorter", "shorter than the first", "empty first", "no frames", "no body"],
)
def test_frames_are_made_to_fit_a_body_that_was_edited(
    sizes: list[int], body: bytes, fitted: list[int], gaps: list[int]
) -> None:
    old = response(b"x" * sum(sizes), *sizes) if sizes else Response(status=200)
    good = dump_interaction(interaction())
    edited = dump_interaction(interaction(replace(old, body=body)))
    mended = loads(refit(dump_header("x") + good + edited, file="x.yaml"), file="x.yaml")

    assert mended.interactions == (
        interaction(),
        interaction(replace(old, body=body, sizes=array("q", fitted), gaps_us=array("q", gaps))),
    )


def test_what_fits_keeps_its_bytes_when_frames_are_mended() -> None:
    data = dump_header("x") + dump_interaction(interaction()).replace(b"---", b"--- # mine")

    assert refit(data, file="x.yaml") == data


def test_mending_frames_mends_nothing_else() -> None:
    broken = dumps(cassette(interaction())).replace(b"status: 200", b"status: OK")

    with pytest.raises(CassetteFormatError, match="'status' is 'OK'"):
        refit(broken, file="x.yaml")


@pytest.mark.parametrize(
    ("other", "difference"),
    [
        (Cassette(recorded_with="y"), "recorded_with is 'x', not 'y'"),
        (Cassette(recorded_with="x"), "1 interactions, not 0"),
        (interaction(url="/"), "interaction 1: request url is 'https://api.test/v1/chat', not '/'"),
        (
            interaction(body=b'{"a":true}'),
            "interaction 1: request body is b'', not b'{\"a\":true}'",
        ),
        (
            interaction(response(b"data: y\n\n")),
            r"interaction 1: response body is b'data: x\n\n', not",
        ),
        (
            replace(interaction(), response=None, failure=Ending(how=How.CANCELLED)),
            "interaction 1: response is Response(status=200",
        ),
    ],
    ids=["header", "number", "url", "json", "body", "kind"],
)
def test_the_first_difference_to_what_was_written_is_named(
    other: Cassette | Interaction, difference: str
) -> None:
    data = dump_header("x") + dump_interaction(interaction())
    if isinstance(other, Interaction):
        other = Cassette(interactions=(other,), recorded_with="x")

    with pytest.raises(CassetteError) as raised:
        check_written(data, other)
    assert f"<to be written> reads back different: {difference}" in str(raised.value)


def test_json_that_is_equal_is_no_difference_and_another_type_is() -> None:
    data = dump_header("x") + dump_interaction(interaction(body=b'{"a":1}'))
    check_written(
        data, Cassette(interactions=(interaction(body=b'{ "a" : 1 }'),), recorded_with="x")
    )

    for body in (b'{"a":1.0}', b'{"a":true}'):
        with pytest.raises(CassetteError, match=r"request body"):
            check_written(data, Cassette(interactions=(interaction(body=body),), recorded_with="x"))


def test_reading_all_holds_the_file_about_twice() -> None:
    body = (b'data: {"choices":[{"delta":{"content":"' + b"x" * 200 + b'"}}]}\n\n') * 500
    held = interaction(response(body, *[len(body) // 500] * 500))
    data = dumps(cassette(*[held] * 20))
    tracemalloc.start()
    whole = loads(data, file="x.yaml")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert len(whole.interactions) == 20
    assert len(data) + peak < 2.2 * len(data)


@given(text=texts)
def test_a_header_says_what_recorded_it(text: str) -> None:
    assert loads(dump_header(text), file="x.yaml").recorded_with == text


def test_no_number_is_too_small_for_a_cassette() -> None:
    assert exact_json(b'{"a":5e-324}') == {"a": math.ulp(0.0)}
