"""A file of a later minor version is read, and what is not understood in it is kept."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies_cassette import cassettes, json_values
from support import SOAK

from cassette_stream import read_cassette, use_cassette, write_cassette
from cassette_stream.cassette import Cassette, check_written, dumps, loads, refit
from cassette_stream.cassette.json_text import compact, exact_json
from cassette_stream.exceptions import CassetteFormatError, CassetteVersionError

URL = "https://api.test/v1"
LATER = b"""\
cassette: 1.3
recorded_with: cassette-stream 9.0.0
compression: none
---
recorded_at: 2026-11-23T12:00:00.001Z
tags:
- slow
- "012"
request:
  method: GET
  url: https://api.test/v1
  priority:
    urgency: 1
response:
  status: 200
  http_version: HTTP/3
  head_after: 0
  frames: >-
    1:5
  ending:
    how: closed_by_caller
    after: 3
    by: "no"
  trailers:
    x: 1.5
  body: |2-
    hello
"""

later = st.dictionaries(
    st.sampled_from(["x", "later", "a b", "NO"]), json_values, max_size=2
).filter(
    # No key of YAML is longer than 1,000 characters.
    lambda value: exact_json(compact(value)) is not None
)


@st.composite
def later_cassettes(draw: st.DrawFn) -> Cassette:
    """Cassettes of a later minor version, with what only that knows at every level."""
    whole = draw(cassettes(max_size=2))
    held = []
    for it in whole.interactions:
        parts: dict[str, Any] = {"request": replace(it.request, later=draw(later))}
        if it.response is not None:
            parts["response"] = replace(it.response, later=draw(later))
        if it.failure is not None:
            parts["failure"] = replace(it.failure, later=draw(later))
        # What a request holds is JSON by its value alone; that is not what is asked here.
        parts["request"] = replace(parts["request"], body=b"")
        held.append(replace(it, later=draw(later), **parts))
    return replace(
        whole, interactions=tuple(held), minor=draw(st.integers(1, 999)), later=draw(later)
    )


@settings(max_examples=1_000 if SOAK else 50, deadline=None)
@given(written=later_cassettes())
def test_what_is_not_understood_reads_back_equal(written: Cassette) -> None:
    data = dumps(written)
    check_written(data, written)

    assert loads(data, file="x.yaml") == written
    assert dumps(loads(data, file="x.yaml")) == data


def test_every_level_may_say_more() -> None:
    read = loads(LATER, file="x.yaml")
    (held,) = read.interactions

    assert (read.version, read.minor, read.later) == (1, 3, {"compression": "none"})
    assert held.later == {"tags": ["slow", "012"]}
    assert held.request.later == {"priority": {"urgency": 1}}
    assert held.response is not None
    assert held.response.later == {"trailers": {"x": 1.5}}
    assert held.response.ending.later == {"by": "no"}
    assert dumps(read) == LATER


def test_a_cassette_that_is_written_again_says_as_much(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(LATER)
    read = read_cassette(tmp_path / "a.yaml")
    write_cassette(tmp_path / "b.yaml", read)
    again = read_cassette(tmp_path / "b.yaml")

    assert replace(again, recorded_with="") == replace(read, recorded_with="")


@pytest.mark.parametrize("mode", ["new_episodes", "all"])
def test_a_session_that_adds_to_it_keeps_its_bytes(tmp_path: Path, mode: str) -> None:
    (path := tmp_path / "c.yaml").write_bytes(LATER)
    answer = httpx.MockTransport(lambda _: httpx.Response(200, content=b"new"))
    with (
        use_cassette(path, mode=mode) as session,
        httpx.Client(transport=session.transport(answer)) as client,
    ):
        client.get(f"{URL}/other")

    assert path.read_bytes().startswith(LATER)
    assert len(read_cassette(path).interactions) == 2


def test_frames_are_mended_and_the_rest_is_kept() -> None:
    mended = refit(LATER.replace(b"    hello\n", b"    hello!\n"), file="x.yaml")

    assert mended == LATER.replace(b"hello", b"hello!").replace(b"1:5", b"1:6")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (b"cassette: 1.3", b"cassette: 1", r":3:1: header has no 'compression'"),
        (b"cassette: 1.3", b"cassette: 2.0", r":1:11: .* of version 2\.0, .* reads version 1"),
        (b"cassette: 1.3", b"cassette: 1.03", r":1:11: .* of version 1\.03, .* reads version 1"),
        (b"cassette: 1.3", b"cassette: 1.x", r":1:11: .* of version 1\.x, .* reads version 1"),
        (b"- slow", b"- !x slow", ":7:3: a cassette takes no tags"),
        (b"urgency: 1", b"<<: {a: b}", ":13:5: a cassette takes no merge keys"),
        (b"urgency: 1", b"urgency: 1\n    urgency: 2", "'urgency' is there twice in priority"),
        (b"urgency: 1", b"urgency:", "'urgency' has no value"),
        (b"tags:", b"recorded_at:", "'recorded_at' is there twice"),
    ],
    ids=repr,
)
def test_it_is_read_as_strictly(old: bytes, new: bytes, message: str) -> None:
    with pytest.raises(CassetteFormatError, match=message) as raised:
        loads(LATER.replace(old, new), file="x.yaml")
    assert isinstance(raised.value, CassetteVersionError) is ("of version" in message)


def test_the_minor_version_of_today_knows_all_its_keys() -> None:
    data = LATER.replace(b"1.3", b"1.0").replace(b"compression: none\n", b"")

    with pytest.raises(CassetteFormatError, match="interaction has no 'tags'"):
        loads(data, file="x.yaml")
