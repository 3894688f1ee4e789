"""A cassette that was damaged is told of with its place and a remedy, and never written over."""

from __future__ import annotations

import gzip
import random
import re
from array import array
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from support import SOAK

from cassette_stream import use_cassette
from cassette_stream.cassette import (
    Cassette,
    CassetteReader,
    Ending,
    How,
    Interaction,
    Request,
    Response,
    dumps,
    loads,
)
from cassette_stream.exceptions import CassetteError, CassetteFormatError
from cassette_stream.script import FailureKind

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
SSE = {"content-type": ("text/event-stream",), "x-request-id": ("req_1", "b c")}
ASKED = b'{"model":"m","n":[1,2.5],"stop":null,"messages":[{"role":"user","content":"Say:\\n- caf\xc3\xa9"}]}'
FAILED = Ending(
    how=How.FAILURE, after_us=60_000_000, failure=FailureKind.READ_TIMEOUT, message="timed out"
)


def answered(body: bytes, *sizes: int, **more: object) -> Response:
    gaps = array("q", range(300, 300 + len(sizes)))
    return Response(
        status=200, head_after_us=212_400, body=body, sizes=array("q", sizes), gaps_us=gaps, **more
    )  # type: ignore[arg-type]  # fields of a response


WHOLE = Cassette(
    recorded_with="cassette-stream 0.1.0",
    interactions=tuple(
        Interaction(
            recorded_at=NOON,
            request=Request(method="POST", url=f"https://api.test/v1/{place}", body=body, headers=SSE),
            **result,  # type: ignore[arg-type]  # a response or a failure
        )
        for place, (body, result) in enumerate(
            [
                (ASKED, {"response": answered(b"data: caf\xc3\xa9\n\ndata: 2\n\n", 10, 12, headers=SSE)}),
                (b"a=b&c=d", {"response": answered(b"data: 1\r\n\r\n", 11, reason="Fine")}),
                (b"\xff\xfe", {"response": answered(b"\x80" * 60, 40, 20, removed_coding="gzip")}),
                (b"", {"response": answered(b"a\r\x1b: x\n", 3, 4, ending=FAILED), "incomplete": True}),
                (b"", {"failure": FAILED}),
            ]
        )
    ),
)  # fmt: skip
DATA = dumps(WHOLE)
LINES = DATA.splitlines(keepends=True)

REMEDY = re.compile(
    "write |quote|save it|save the|known are|did you mean|takes |run cassette-stream|put the line|"
    "delete it|install the one|take one|was cut|was the file cut|indent|not like|at most|goes with|"
    "into a body|and needs|a number from|decimals|either a|true or false|is complete, or|not base64|only crlf"
)
"""What a message says that tells what to do, or what should stand there."""


def errors(data: bytes) -> list[CassetteFormatError]:
    """Every error that somebody meets who reads all of *data*."""
    try:
        reader = CassetteReader(data, file="x.yaml")
    except CassetteFormatError as error:
        return [error]
    found = []
    for at in range(len(reader)):
        try:
            reader.interaction(at)
        except CassetteFormatError as error:
            found.append(error)
    return found


def leaves(value: object, name: str = "") -> Iterator[tuple[str, object]]:
    """Everything that a cassette says, each under the name of its place."""
    if isinstance(value, Cassette | Interaction | Request | Response) and is_dataclass(value):
        for field in fields(value):
            yield from leaves(getattr(value, field.name), f"{name}.{field.name}")
    elif isinstance(value, tuple):
        yield f"{name}.length", len(value)
        for place, item in enumerate(value):
            yield from leaves(item, f"{name}[{place}]")
    else:
        yield name, value


def changes(data: bytes) -> list[str]:
    """The names of what *data* says otherwise than the whole cassette, without an error."""
    said, whole = dict(leaves(loads(data, file="x.yaml"))), dict(leaves(WHOLE))
    return [name for name in {**whole, **said} if whole.get(name) != said.get(name)]


def is_told(data: bytes) -> bool:
    """Whether there is an error; each must have a place in the file, and a remedy."""
    found = errors(data)
    for error in found:
        assert error.file == "x.yaml"
        assert 1 <= error.line <= data.count(b"\n") + data.count(b"\r") + 1
        assert error.column >= 1
        assert REMEDY.search(error.message), str(error)
    return bool(found)


def test_the_cassette_that_is_damaged_is_whole() -> None:
    assert loads(DATA, file="x.yaml") == WHOLE


def test_a_line_that_is_missing_is_told_or_is_all_that_is_missing() -> None:
    lost = set()
    for at, line in enumerate(LINES):
        data = b"".join(LINES[:at] + LINES[at + 1 :])
        if not is_told(data):
            changed = changes(data)
            lost |= {name.rpartition(".")[2] for name in changed}

            assert len(changed) <= 1, line

    # What may be absent, and of a request also a part of its body.
    optional = {"recorded_with", "incomplete", "headers", "reason", "removed_coding"}
    assert lost == optional | {"head_after_us", "body"}


def test_a_line_that_is_there_twice_is_told_or_is_all_that_is_more() -> None:
    told = 0
    for at, line in enumerate(LINES):
        data = b"".join([*LINES[: at + 1], line, *LINES[at + 1 :]])
        if is_told(data):
            told += 1
        else:
            assert len(changes(data)) <= 1, line

    assert told > 0.9 * len(LINES)


def test_a_file_that_was_cut_is_told_or_holds_fewer_interactions() -> None:
    for end in range(0, len(DATA), 1 if SOAK else 7):
        if not is_told(DATA[:end]):
            held = loads(DATA[:end], file="x.yaml").interactions

            assert held == WHOLE.interactions[: len(held)]
            assert DATA[end:].startswith(b"---\n") or len(held) == 0


def test_a_byte_that_was_flipped_is_told_or_changes_one_thing() -> None:
    flips = [(at, bit) for at in range(len(DATA)) for bit in range(8)]
    told = 0
    for at, bit in flips if SOAK else random.Random(10).sample(flips, 300):
        data = bytearray(DATA)
        data[at] ^= 1 << bit
        if is_told(bytes(data)):
            told += 1
        else:
            assert len(changes(bytes(data))) <= 1, (at, bit, bytes(data[at - 20 : at + 20]))

    assert told


CLASSES = {
    "a capital": rb"[A-Z]",
    "a letter": rb"[a-z]",
    "a digit": rb"\d",
    "a blank": rb" ",
    "a line end": rb"\n",
    "a colon": rb":",
    "a dash": rb"-",
    "a quote": rb'"',
    "a backslash": rb"\\",
    "a bracket": rb"[\[\]]",
    "a bar": rb"[|>]",
    "a plus": rb"\+",
    "a comma": rb",",
    "the beginning of a character": rb"[\xc2-\xf4]",
    "the rest of a character": rb"[\x80-\xbf]",
}


@pytest.mark.parametrize("kind", CLASSES.values(), ids=CLASSES)
def test_a_byte_of_any_kind_may_become_any_other(kind: bytes) -> None:
    places = [found.start() for found in re.finditer(kind, DATA)]
    rng = random.Random(kind)
    for _ in range(1_000 if SOAK else 10):
        data = bytearray(DATA)
        data[at := rng.choice(places)] = rng.randrange(256)
        if not is_told(bytes(data)):
            assert len(changes(bytes(data))) <= 1, (at, bytes(data[at - 20 : at + 20]))


def conflict(ours: bytes, theirs: bytes) -> bytes:
    return b"<<<<<<< HEAD\n" + ours + b"=======\n" + theirs + b">>>>>>> theirs\n"


def replaced(old: bytes, new: bytes) -> bytes:
    assert old in DATA
    return DATA.replace(old, new, 1)


HALF = DATA.index(b"\n---\n", len(DATA) // 2) + 1

TOLD: dict[str, bytes] = {
    "emptied": b"",
    "half a file": DATA[: len(DATA) // 2],
    "a third of a file": DATA[: len(DATA) // 3],
    "the rest of a file": DATA[len(DATA) // 2 :],
    "without its header": DATA[DATA.index(b"---") :],
    "two files": DATA + DATA,
    "two files, the first without its last line end": DATA[:-1] + DATA,
    "two headers": DATA[: DATA.index(b"---")] + DATA,
    "a document of nothing": replaced(b"---\n", b"---\n---\n"),
    "a line of dashes less": replaced(b"---\n", b"--\n"),
    "a byte order mark": b"\xef\xbb\xbf" + DATA,
    "a byte order mark within": replaced(b"data: 2", b"\xef\xbb\xbfdata: 2"),
    "UTF-16": DATA.decode().encode("utf-16"),
    "UTF-16, little end first": DATA.decode().encode("utf-16-le"),
    "UTF-16, big end first": DATA.decode().encode("utf-16-be"),
    "UTF-32": DATA.decode().encode("utf-32"),
    "Latin-1": DATA.decode().encode("latin-1"),
    "UTF-8 twice": DATA.decode("latin-1").encode(),
    "question marks for what is no ASCII": DATA.decode().encode("ascii", "replace"),
    "CR for LF": DATA.replace(b"\n", b"\r"),
    "CRLF in the first half": DATA[:HALF].replace(b"\n", b"\r\n") + DATA[HALF:],
    "CRLF on one line": replaced(b"data: 2\n", b"data: 2\r\n"),
    "CRCRLF": DATA.replace(b"\n", b"\r\r\n"),
    "NUL": replaced(b"data: 2", b"data: \0"),
    "NULs at the end, as after a crash": DATA[:-200] + b"\0" * 200,
    "all NUL": b"\0" * len(DATA),
    "escape": replaced(b"data: 2", b"data: \x1b"),
    "tabs for indents": DATA.replace(b"\n  ", b"\n\t"),
    "one tab": replaced(b"\n  status", b"\n\tstatus"),
    "a merge conflict": replaced(LINES[3], conflict(LINES[3], LINES[3])),
    "a merge conflict in a body": replaced(b"    data: 2\n", conflict(b"    data: 2\n", b"")),
    "a merge conflict of whole files": conflict(DATA, DATA),
    "a merge conflict with its base": replaced(
        b"  status: 200\n",
        b"<<<<<<< ours\n  status: 200\n||||||| base\n  status: 201\n=======\n>>>>>>> theirs\n",
    ),
    "compressed": gzip.compress(DATA, mtime=0),
    "a pointer of git LFS": b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12\n",
    "an error page": b"<!doctype html>\n<title>404</title>\n",
    "JSON": b'{"interactions": []}\n',
    "a cassette of VCR.py": b"interactions:\n- request: {}\nversion: 1\n",
    "another version": replaced(b"cassette: 1\n", b"cassette: 2\n"),
    "no version": replaced(b"cassette: 1\n", b"cassette:\n"),
    "an unknown key": replaced(b"  status: 200\n", b"  status: 200\n  states: 200\n"),
    "a key in capitals": replaced(b"  status:", b"  Status:"),
    "a tag": replaced(b"  method: POST", b"  method: !!str POST"),
    "a tag of Python": replaced(b"method: POST", b"method: !!python/name:os.system POST"),
    "an anchor": replaced(b"  method: POST", b"  method: &m POST"),
    "an alias": replaced(b"  method: POST", b"  method: *m"),
    "a merge key": replaced(b"    model: m", b"    <<: m"),
    "a billion laughs": replaced(b"    model: m", b"    model: &a [x, x]\n    b: [*a, *a]"),
    "nested without end": replaced(b"    model: m", b"    model: " + b"[" * 100_000),
    "a date of no day": replaced(b"2026-11-23", b"2026-11-31"),
    "a status of words": replaced(b"status: 200", b"status: OK"),
    "a gap with a comma": replaced(b"0.3:10", b"0,3:10"),
    "frames that are too long": replaced(b"0.3:10", b"0.3:11"),
    "a body that is too long": replaced(b"data: 2", b"data: 22"),
    "a body that is too short": replaced(b"data: 2", b"data: "),
    "a body without its last line": replaced(b"    data: 2\n\n", b"    data: 2\n"),
    "a body without its first line": replaced(b"    data: caf\xc3\xa9\n", b""),
    "base64 without its last letter": replaced(b"//4=", b"//4"),
    "base64 of a URL": replaced(b"//4=", b"__4="),
    "a comma for a line": replaced(b"  status: 200\n  reason", b"  status: 200, reason"),
    "smart quotes": replaced(b"status: 200", "status: \u201c200\u201d".encode()),
    "reindented": DATA.replace(b"\n    ", b"\n      ").replace(b"\n  ", b"\n    "),
    "all on one line": DATA.replace(b"\n", b" ") + b"\n",
    "lines in reverse": b"".join(reversed(LINES)),
    "lines sorted": b"".join(sorted(LINES)),
    "long lines wrapped": re.sub(rb"([^\n]{40})(?=[^\n])", rb"\1\n", DATA),
    "the end of a failure cut": DATA[: DATA.rindex(b"  message")],
    "an ending of nothing": replaced(b"ending: complete", b"ending:"),
    "a response and a failure": DATA + b"response: {status: 200, ending: complete}\n",
}  # fmt: skip

HARMLESS: dict[str, bytes] = {
    "CRLF everywhere": DATA.replace(b"\n", b"\r\n"),
    "three dots": replaced(b"---\n", b"...\n---\n"),
    "comments": replaced(b"---\n", b"--- # mine\n# and more\n"),
    "an empty line between keys": replaced(b"\nresponse:\n", b"\n\nresponse:\n"),
    "blanks after a value": replaced(b"status: 200\n", b"status: 200   \n"),
    "quotes around a value": replaced(b"status: 200\n", b"status: '200'\n"),
    "a header by hand": replaced(b"cassette: 1\n", b"# mine\n---\ncassette: '1'\n"),
    "keys in another order": replaced(
        b"  method: POST\n  url: https://api.test/v1/0\n",
        b"  url: https://api.test/v1/0\n  method: POST\n",
    ),
    "brackets for lines": replaced(b"[text/event-stream]", b"\n    - text/event-stream"),
    "a frame on a line": replaced(b"0.3:10 0.301:12", b"0.3:10\n    0.301:12"),
}


def test_there_are_more_than_sixty() -> None:
    assert len(TOLD) + len(HARMLESS) + len(CLASSES) > 80


@pytest.mark.parametrize("data", TOLD.values(), ids=TOLD)
def test_damage_is_told_with_its_place_and_a_remedy(data: bytes) -> None:
    assert is_told(data)


@pytest.mark.parametrize("data", HARMLESS.values(), ids=HARMLESS)
def test_what_means_nothing_changes_nothing(data: bytes) -> None:
    assert not is_told(data)
    assert loads(data, file="x.yaml") == WHOLE


def fresh(_: httpx.Request) -> httpx.Response:
    return httpx.Response(200, content=b"data: new\n\n")


def record(path: Path, mode: str, url: str) -> None:
    with (
        use_cassette(path, mode=mode) as session,
        httpx.Client(transport=session.transport(httpx.MockTransport(fresh))) as client,
    ):
        client.get(url)


@pytest.mark.matrix(5)
@pytest.mark.parametrize("mode", ["none", "once", "new_episodes", "all", "rewrite"])
@pytest.mark.parametrize("data", TOLD.values(), ids=TOLD)
def test_nothing_is_written_over_damage_in_any_mode(tmp_path: Path, data: bytes, mode: str) -> None:
    path = tmp_path / "c.yaml"
    path.write_bytes(data)

    with pytest.raises(CassetteError) as raised:
        record(path, mode, "https://api.test/v1/new")
    assert path.read_bytes() == data
    if mode in {"new_episodes", "all", "rewrite"}:
        assert isinstance(raised.value, CassetteFormatError)
