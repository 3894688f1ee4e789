"""What is no cassette is an error that tells the place and the remedy, and is never taken for one."""

from __future__ import annotations

import pickle
import random

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from support import SOAK

from cassette_stream.cassette import CassetteReader, loads
from cassette_stream.cassette.events import LIBYAML, PURE, Limits, Source
from cassette_stream.exceptions import CassetteFormatError, CassetteVersionError

both_sources = pytest.mark.parametrize("source", [LIBYAML, PURE], ids=["libyaml", "pure"])

GOOD = b"""\
cassette: 1
recorded_with: cassette-stream 0.1.0
---
recorded_at: 2026-11-23T12:00:00.001Z
request:
  method: POST
  url: https://api.test/v1/chat
  headers:
    content-type: [application/json]
  json:
    model: m
    n: [1, 2]
    say: "hi"
response:
  status: 200
  http_version: HTTP/1.1
  head_after: 212.4
  frames: >-
    0.3:4 18.1:6
  ending: complete
  body: |2+
    data: 1

---
recorded_at: 2026-11-23T12:00:00.002Z
request:
  method: GET
  url: /
failure:
  how: failure
  after: 600000
  failure: read_timeout
  message: timed out
"""
GOOD = GOOD.replace(b"18.1:6", b"18.1:5")

# What is replaced by what, and the error: line, column, and a part of the message.
BROKEN: dict[str, tuple[bytes, bytes, int, int, str]] = {
    # the file
    "nothing": (GOOD, b"", 1, 1, "the file is empty; delete it to record it anew"),
    "blanks": (GOOD, b"\n \n\t\n", 1, 1, "the file is empty"),
    "a comment": (GOOD, b"# soon\n", 1, 1, "the file is empty"),
    "dashes": (GOOD, b"---\n", 1, 1, "this is no cassette"),
    "prose": (GOOD, b"hello\n", 1, 1, "this is no cassette, which begins 'cassette: 1'"),
    "json": (GOOD, b'{"a": 1}\n', 1, 1, "this is no cassette"),
    "html": (GOOD, b"<!doctype html>\n<p>\n", 1, 1, "something else wrote this file"),
    "vcr": (GOOD, b"interactions:\n- request: x\nversion: 1\n", 1, 1, "(VCR.py may have)"),
    "a list": (GOOD, b"- 1\n", 1, 1, "this is no cassette"),
    "byte order mark": (b"cassette: 1", b"\xef\xbb\xbfcassette: 1", 1, 1, "byte order mark: save it as UTF-8"),
    "utf-16": (GOOD, "cassette: 1\n".encode("utf-16"), 1, 1, "byte order mark: save it as UTF-8"),
    "utf-16 without a mark": (GOOD, "cassette: 1\u0a0a".encode("utf-16-le"), 1, 1, "this is no cassette"),
    "cut within a line": (b"timed out\n", b"timed", 33, 17, "the file ends within a line: it was cut"),
    "some lines crlf": (b"url: /\n", b"url: /\r\n", 28, 9, "put the line '*.yaml -text' into"),
    "all lines cr": (b"\n", b"\r", 1, 12, "changed some line ends to CRLF"),
    "lone cr": (b"data: 1", b"data:\r1", 22, 10, "changed some line ends to CRLF"),
    "nul": (b"model: m", b"model: \0", 11, 12, "the character U+0000 cannot stand in a cassette"),
    "delete": (b"data: 1", b"data: \x7f", 22, 11, "the character U+007F cannot stand"),
    "next line": (b"data: 1", b"data: \xc2\x851", 22, 11, "write it as an escape, in double quotes"),
    "line separator": (b"data: 1", b"data\xe2\x80\xa81", 22, 9, "the character U+2028"),
    "not utf-8": (b"data: 1", b"data: \xff", 22, 11, "not UTF-8: byte 0xff"),
    "not utf-8 in the head": (b"model: m", b"model: \xc3", 11, 12, "not UTF-8: byte 0xc3"),
    "merge conflict": (
        b"  method: GET\n",
        b"<<<<<<< HEAD\n  method: GET\n=======\n  method: PUT\n>>>>>>> theirs\n",
        27,
        1,
        "an unresolved merge conflict",
    ),
    # the header
    "another version": (b"cassette: 1", b"cassette: 2", 1, 11, "a cassette of version 2, and this"),
    "no version": (b"cassette: 1", b"cassette:", 1, 10, "'cassette' has no value"),
    "a list for a version": (b"cassette: 1", b"cassette: [1]", 1, 11, "takes text, and here is a list"),
    "unknown key of the header": (b"recorded_with", b"recorded_by", 2, 1, "did you mean 'recorded_with'"),
    "no cassette key": (b"cassette: 1\n", b"x: |\n  cassette: 1\n", 1, 1, "this is no cassette"),
    "directive": (b"cassette: 1\n", b"%YAML 1.1\n---\ncassette: 1\n", 1, 1, "this is no cassette"),
    # yaml that is not taken
    "tag": (b"method: GET", b"method: !!str GET", 27, 11, "a cassette takes no tags (!)"),
    "python tag": (b"url: /\n", b"url: !!python/name:os.system ''\n", 28, 8, "takes no tags"),
    "tag on a map": (b"json:\n", b"json: !x\n", 10, 9, "takes no tags"),
    "anchor": (b"method: GET", b"method: &a GET", 27, 11, "no anchors (&) and no aliases (*)"),
    "alias": (b"model: m", b"model: *a", 11, 12, "no anchors (&) and no aliases (*)"),
    "merge key": (b"model: m", b"<<: {a: b}", 11, 5, "takes no merge keys"),
    "key twice": (b"    model: m\n", b"    model: m\n    model: n\n", 12, 5, "'model' is there twice"),
    "request twice": (b"response:\n", b"request:\n", 14, 1, "'request' is there twice in interaction"),
    "header twice": (
        b"json]\n",
        b"json]\n    content-type: [x]\n",
        10,
        5,
        "'content-type' is there twice in headers",
    ),
    "list as a key": (b"model: m", b"[model]: m", 11, 5, "a key is text, and here is a list"),
    "no key": (b"model: m", b": m", 11, 5, "this is not YAML"),
    "not yaml": (b"model: m", b"model: 'm", 24, 1, "this is not YAML"),
    "tab": (b"    model: m", b"\tmodel: m", 11, 1, "indent by blanks, not by tabs"),
    "outdented": (b"    model: m", b"   model: m", 12, 6, "is the indent right"),
    "unquoted": (b"model: m", b"model: m: n", 11, 13, "are special characters quoted"),
    "escape": (b'"hi"', b'"\\q"', 13, 11, "this is not YAML"),
    "two documents": (b"  n: [1, 2]\n", b"...\nx: y\n", 13, 1, "this is not YAML"),
    "directive later": (
        b"---\nrecorded_at: 2026-11-23T12:00:00.002Z",
        b"%YAML 1.1\n---\nrecorded_at: 2026-11-23T12:00:00.002Z",
        25,
        1,
        "this is not YAML",
    ),
    "empty document": (b"---\nrecorded_at", b"---\n---\nrecorded_at", 4, 1, "here is text"),
    # keys
    "unknown key": (b"  url: /", b"  uri: /", 28, 3, "request has no 'uri'; did you mean 'url'?"),
    "unknown key far off": (b"  url: /", b"  zzzzz: /", 28, 3, "'zzzzz'; known are body, body_base64"),
    "unknown key of a response": (b"  status:", b"  state:", 15, 3, "did you mean 'status'?"),
    "unknown key at the top": (b"response:\n", b"answer:\n", 14, 1, "interaction has no 'answer'"),
    "unknown key of an ending": (b"  after:", b"  at:", 31, 3, "failure has no 'at'"),
    "no request": (b"request:\n  method: GET\n  url: /\n", b"", 25, 1, "interaction has no 'request'"),
    "no date": (b"recorded_at: 2026-11-23T12:00:00.002Z\n", b"", 25, 1, "has no 'recorded_at'"),
    "no method": (b"  method: GET\n", b"", 27, 3, "request has no 'method'"),
    "no url": (b"  url: /\n", b"", 27, 3, "request has no 'url'"),
    "no status": (b"  status: 200\n", b"", 15, 3, "response has no 'status'"),
    "no ending": (b"  ending: complete\n", b"", 15, 3, "response has no 'ending'"),
    "no answer": (GOOD[GOOD.index(b"failure:") :], b"", 25, 1, "a 'response' or a 'failure'"),
    "two answers": (
        b"  message: timed out\n",
        b"  message: timed out\nresponse: {status: 200, ending: complete}\n",
        25,
        1,
        "either a 'response' or a 'failure'",
    ),
    "no message": (b"  message: timed out\n", b"", 30, 3, "failure has no 'message'"),
    "no kind of failure": (b"  failure: read_timeout\n", b"", 30, 3, "failure has no 'failure'"),
    "no time": (b"  after: 600000\n", b"", 30, 3, "failure has no 'after'"),
    # values
    "a list for text": (b"method: GET", b"method: [GET]", 27, 11, "'method' takes text, and here is"),
    "text for a map": (b"request:\n  method: GET\n  url: /\n", b"request: x\n", 26, 10, "takes a map"),
    "text for a list": (b"[application/json]", b"x", 9, 19, "'content-type' takes a list, and here is"),
    "a map in a header": (b"[application/json]", b"[{}]", 9, 20, "takes text, and here is a map"),
    "no value": (b"url: /", b"url:", 28, 7, '\'url\' has no value; write "" for an empty one'),
    "no json value": (b"model: m", b"model:", 11, 11, "'model' has no value"),
    "date with a month 99": (b"2026-11-23T12:00:00.002Z", b"2026-99-23T12:00:00.002Z", 25, 14, "like 2026"),
    "date without a zone": (b"00.002Z", b"00.002", 25, 14, "not like 2026-11-23T09:30:12.401Z"),
    "status in words": (b"status: 200", b"status: OK", 15, 11, "'status' is 'OK', not a number from"),
    "status too large": (b"status: 200", b"status: 1000", 15, 11, "a number from 100 to 999"),
    "arabic digits": (b"status: 200", "status: \u0662\u0660\u0660".encode(), 15, 11, "a number from 100"),
    "sexagesimal time": (b"212.4", b"1:30", 17, 15, "'head_after' is '1:30', not milliseconds"),
    "negative time": (b"212.4", b"-1", 17, 15, "not milliseconds with up to three decimals"),
    "four decimals": (b"212.4", b"0.0001", 17, 15, "with up to three decimals"),
    "a century": (b"212.4", b"3153600000000", 17, 15, "not milliseconds"),
    "flag": (b"request:\n  method: GET", b"incomplete: yes\nrequest:\n  method: GET", 26, 13, "true or false"),
    "upper-case header": (b"content-type", b"Content-Type", 9, 5, "in lower case: write 'content-type'"),
    "header beyond latin-1": (b"application/json", "\u20ac".encode(), 9, 20, "a character that is not in"),
    "ending": (b"ending: complete", b"ending: fine", 20, 11, "'ending' is complete, or a map"),
    "ending as a list": (b"ending: complete", b"ending: []", 20, 11, "'ending' takes a map, and here is"),
    "ending that is complete": (b"how: failure", b"how: complete", 30, 3, "for what did not end complete"),
    "ending unknown": (b"how: failure", b"how: failed", 30, 8, "'how' is 'failed'; did you mean 'failure'?"),
    "failure unknown": (b"read_timeout", b"timeout", 32, 12, "did you mean 'tls_timeout'?"),
    "failure of what was cancelled": (b"how: failure", b"how: cancelled", 32, 3, "goes with 'how: failure'"),
    # frames and bodies
    "frames too few": (b"0.3:4 ", b"", 18, 3, "frames add up to 5 bytes and the body has 9: after an edit"),
    "no frames": (b"  frames: >-\n    0.3:4 18.1:5\n", b"", 19, 3, "cassette-stream lint --fix x.yaml"),
    "no body": (b"  body: |2+\n    data: 1\n\n", b"", 18, 3, "and the body has 0"),
    "body edited": (b"data: 1", b"data: 12", 18, 3, "the body has 10"),
    "body cut": (b"    data: 1\n\n", b"    data: 1\n", 18, 3, "the body has 8"),
    "frame without size": (b"18.1:5", b"18.1", 18, 11, "frame 2 is '18.1', not gap:size"),
    "frame without gap": (b"0.3:4", b":4", 18, 11, "frame 1 is ':4'"),
    "frame in words": (b"0.3:4", b"0.3:x", 18, 11, "frame 1 is '0.3:x'"),
    "frame of half a byte": (b"0.3:4", b"0.3:4.5", 18, 11, "frame 1 is '0.3:4.5'"),
    "frame with a point too many": (b"0.3:4", b"0..3:4", 18, 11, "frame 1 is '0..3:4'"),
    "frame with four decimals": (b"0.3:4", b"0.3001:4", 18, 11, "frame 1 is '0.3001:4'"),
    "frame of negative size": (b"0.3:4", b"0.3:-4", 18, 11, "frame 1 is '0.3:-4'"),
    "frame of a century": (b"0.3:4", b"3153600000000:4", 18, 11, "frame 1 is '3153600000000:4'"),
    "frame of exabytes": (b"0.3:4", b"0.3:" + b"9" * 19, 18, 11, "frame 1 is '0.3:999"),
    "frame with an exponent": (b"0.3:4", b"1e3:4", 18, 11, "frame 1 is '1e3:4'"),
    "frames in turn": (b"0.3:4 18.1:5", b"0.3 4:18.1 5", 18, 11, "frame 1 is '0.3'"),
    "frames with two blanks": (b"4 18.1", b"4  18.1", 18, 11, "frame 2 is ''"),
    "frames of nothing": (b">-\n    0.3:4 18.1:5", b'""', 18, 11, "frame 1 is ''"),
    "two bodies": (b"url: /\n", b"url: /\n  json: 1\n  body: x\n", 30, 3, "request has json and body, and"),
    "newline": (b"url: /\n", b"url: /\n  newline: cr\n  body: x\n", 29, 12, "only crlf is known"),
    "newline without body": (b"url: /\n", b"url: /\n  newline: crlf\n", 29, 3, "goes with a 'body'"),
    "newline and cr": (
        b"url: /\n",
        b'url: /\n  newline: crlf\n  body: "\\r"\n',
        29,
        3,
        "a 'body' that has no CR of its own",
    ),
    "base64 of other letters": (b"url: /\n", b"url: /\n  body_base64: a-b_\n", 29, 16, "is not base64"),
    "base64 beyond ascii": (b"url: /\n", "url: /\n  body_base64: \u00e9\n".encode(), 29, 16, "not base64"),
    "base64 too short": (b"url: /\n", b"url: /\n  body_base64: abc\n", 29, 16, "is not base64: "),
    "base64 after its end": (b"url: /\n", b"url: /\n  body_base64: YQ==YQ==\n", 29, 16, "is not base64"),
    "base64 with odd bits": (b"url: /\n", b"url: /\n  body_base64: YR==\n", 29, 16, "bits are left over"),
    "base64 in a map": (b"url: /\n", b"url: /\n  body_base64: [{}]\n", 29, 17, "takes text"),
    "number beyond floats": (b"[1, 2]", b"[1e999]", 12, 9, "a number beyond what Python reads; quote it"),
    "number of 5,000 digits": (b"[1, 2]", b"[" + b"1" * 5000 + b"]", 12, 9, "a number beyond what"),
}  # fmt: skip


def errors(data: bytes, source: Source = LIBYAML) -> list[CassetteFormatError]:
    """Every error that somebody meets who reads all of *data*."""
    try:
        reader = CassetteReader(data, file="x.yaml", source=source)
    except CassetteFormatError as error:
        return [error]
    found = []
    for at in range(len(reader)):
        try:
            reader.interaction(at)
        except CassetteFormatError as error:
            found.append(error)
    return found


def test_the_file_that_the_table_breaks_is_whole() -> None:
    assert len(loads(GOOD, file="x.yaml").interactions) == 2


@pytest.mark.parametrize(("old", "new", "line", "column", "message"), BROKEN.values(), ids=BROKEN)
def test_what_is_broken_is_told_with_its_place(
    old: bytes, new: bytes, line: int, column: int, message: str
) -> None:
    assert old in GOOD
    error = errors(GOOD.replace(old, new))[0]

    assert message in str(error)
    assert str(error).startswith(f"x.yaml:{line}:{column}: ")
    assert (error.file, error.line, error.column) == ("x.yaml", line, column)


@pytest.mark.parametrize(("old", "new", "line", "column", "message"), BROKEN.values(), ids=BROKEN)
def test_the_parser_in_python_refuses_the_same(
    old: bytes, new: bytes, line: int, column: int, message: str
) -> None:
    data = GOOD.replace(old, new)
    one, other = errors(data)[0], errors(data, PURE)[0]

    assert type(one) is type(other)
    if "this is not YAML" not in str(one):
        assert str(one) == str(other)


def test_an_interaction_without_a_request_has_none_to_give() -> None:
    data = GOOD.replace(b"request:\n  method: GET\n  url: /\n", b"")

    with pytest.raises(CassetteFormatError, match="interaction has no 'request'"):
        CassetteReader(data, file="x.yaml").request(1)


def test_a_version_is_an_error_of_its_own() -> None:
    with pytest.raises(CassetteVersionError, match="version 7, and this package reads version 1"):
        loads(b"cassette: 7\nwho: knows\n---\n", file="x.yaml")


@both_sources
@pytest.mark.parametrize("escape", [b"\\ud83d", b"\\U00110000", b"\\UFFFFFFFF"], ids=repr)
def test_an_escape_of_no_character_is_refused(escape: bytes, source: Source) -> None:
    (error,) = errors(GOOD.replace(b'"hi"', b'"' + escape + b'"'), source)

    assert error.line == 13


@both_sources
@pytest.mark.parametrize(
    ("opening", "message"),
    [
        (b"[", "more than 64 lists and maps in each other"),
        (b"{a: ", "more than 64 lists and maps in each other"),
        (b"- ", "more than 64 lists and maps in each other"),
        (b"? ", "a key is text, and here is a map"),
        (b"[{", ("a key is text, and here is a list", "more than 64 lists and maps")),
    ],
    ids=repr,
)
def test_what_is_nested_without_end_is_refused_and_no_crash(
    opening: bytes, message: str | tuple[str, str], source: Source
) -> None:
    nested = opening * (200_000 // len(opening))
    (error,) = errors(GOOD.replace(b"json:\n    model: m", b"json:\n    " + nested), source)

    # Some versions of libyaml have a limit of their own, and look ahead.
    expected = (message,) if isinstance(message, str) else message
    assert any(words in str(error) for words in expected)


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        (Limits(depth=3), "x.yaml:9:19: more than 3 lists and maps"),
        (Limits(nodes=10), "x.yaml:9:5: a document holds at most 10 values"),
        (Limits(scalar=20), "x.yaml:4:14: 'recorded_at' holds at most 20 characters"),
        (Limits(size=100), "x.yaml:3:1: a document holds at most 100 bytes"),
    ],
    ids=["depth", "nodes", "scalar", "size"],
)
def test_a_limit_holds(limits: Limits, message: str) -> None:
    with pytest.raises(CassetteFormatError) as raised:
        list(CassetteReader(GOOD, file="x.yaml", limits=limits))

    assert str(raised.value).startswith(message)


@pytest.mark.parametrize("at", [2, 5], ids=["past the end", "far past the end"])
def test_an_index_beyond_the_last_is_an_index_error(at: int) -> None:
    reader = CassetteReader(GOOD, file="x.yaml")

    for read in (reader.interaction, reader.request, reader.document, reader.__getitem__):
        with pytest.raises(IndexError):
            read(at)


def test_a_file_that_was_cut_is_an_error_or_holds_whole_interactions() -> None:
    whole = loads(GOOD, file="x.yaml").interactions
    for end in range(len(GOOD)):
        try:
            read = loads(GOOD[:end], file="x.yaml").interactions
        except CassetteFormatError:
            continue
        assert read == whole[: len(read)]
        assert GOOD[:end].endswith((b"cassette: 1\n", b"0.1.0\n", b"data: 1\n\n"))


def test_a_file_without_one_of_its_lines_is_an_error_unless_the_line_is_optional() -> None:
    lines = GOOD.splitlines(keepends=True)
    silent = []
    for at in range(len(lines)):
        data = b"".join(lines[:at] + lines[at + 1 :])
        if not errors(data):
            silent.append(lines[at].strip())

    assert silent == [
        b"recorded_with: cassette-stream 0.1.0",
        b"model: m",
        b"n: [1, 2]",
        b'say: "hi"',
        b"http_version: HTTP/1.1",
        b"head_after: 212.4",
    ]


def test_an_error_survives_pickling() -> None:
    (error,) = errors(GOOD.replace(b"status: 200", b"status: OK"))
    copy = pickle.loads(pickle.dumps(error))

    assert (type(copy), str(copy)) == (type(error), str(error))


def test_bytes_that_were_broken_are_read_or_refused() -> None:
    pieces = [b"", b"\n", b" ", b"- ", b"? ", b"[", b"{", b"&", b"*", b"!", b"|", b">", b'"', b"'"]
    pieces += [b": ", b" #", b"---\n", b"...\n", b"\t", b"\xff", b"\0", b"%", b"\xc2\x85", b"\\"]
    rng = random.Random(11)
    for example in range(20_000 if SOAK else 1_000):
        data = bytearray(GOOD)
        for _ in range(rng.randint(1, 4)):
            at = rng.randrange(len(data) + 1)
            data[at : at + rng.randint(0, 3)] = rng.choice(pieces)

        for source in (LIBYAML, PURE) if example % 20 == 0 else (LIBYAML,):
            for error in errors(bytes(data), source):
                assert 1 <= error.line <= data.count(b"\n") + 1


@settings(max_examples=20_000 if SOAK else 200, deadline=None)
@given(data=st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_any_bytes_after_a_header_are_read_or_refused(data: bytes) -> None:
    for error in errors(b"cassette: 1\n---\n" + data + b"\n"):
        assert error.file == "x.yaml"


def test_libyaml_is_what_reads_where_it_is_there() -> None:
    assert (LIBYAML is not PURE) == yaml.__with_libyaml__
