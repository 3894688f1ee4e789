"""Bytes, boundaries and times come back, whatever is in them and whatever git does to the file."""

from __future__ import annotations

import random
import shutil
import subprocess
import unicodedata
from array import array
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies_cassette import TRAPS, bodies, microseconds
from support import SOAK

from cassette_stream import read_cassette, write_cassette
from cassette_stream.cassette import (
    Cassette,
    CassetteReader,
    Ending,
    How,
    Interaction,
    Request,
    Response,
    check_written,
    dumps,
)
from cassette_stream.cassette.events import LIBYAML, PURE, Source
from cassette_stream.cassette.json_values import compact
from cassette_stream.script import FailureKind

NOON = datetime(2026, 11, 23, 12, 0, 0, 1000, tzinfo=UTC)
URL = "https://api.test/v1"
TEXTS = {name: text for name, text in TRAPS.items() if "\ud83d" not in text}

both_sources = pytest.mark.parametrize("source", [LIBYAML, PURE], ids=["libyaml", "pure"])
traps = pytest.mark.parametrize("trap", TRAPS.values(), ids=TRAPS)
texts = pytest.mark.parametrize("trap", TEXTS.values(), ids=TEXTS)


def autocrlf(data: bytes) -> bytes:
    """What git checks out where ``core.autocrlf`` is on and .gitattributes says nothing."""
    return data.replace(b"\n", b"\r\n")


WAYS: dict[str, Callable[[bytes], bytes]] = {
    "LF": lambda data: data,
    "autocrlf": autocrlf,
    "autocrlf and back": lambda data: autocrlf(data).replace(b"\r\n", b"\n"),
}
"""What may happen to a file on its way through a repository."""


def forms(text: str) -> list[str]:
    """*text* as it is, and in both normal forms where they are others: none is taken for another."""
    return sorted({text, unicodedata.normalize("NFC", text), unicodedata.normalize("NFD", text)})


def recorded(body: bytes, cuts: list[int], gaps: list[int]) -> Cassette:
    """A cassette with *body*, cut at *cuts*, each frame after the gap of its place."""
    places = [0, *sorted(min(cut, len(body)) for cut in cuts), len(body)]
    sizes = array("q", [end - start for start, end in pairwise(places)])
    times = array("q", [gaps[place % len(gaps)] for place in range(len(sizes))])
    answer = Response(status=200, body=body, sizes=sizes, gaps_us=times, head_after_us=gaps[0])
    return held(
        Interaction(recorded_at=NOON, request=Request(method="GET", url=URL), response=answer)
    )


def held(*interactions: Interaction) -> Cassette:
    return Cassette(interactions=interactions, recorded_with="x")


def comes_back(written: Cassette, source: Source = LIBYAML) -> None:
    data = dumps(written)
    check_written(data, written)
    for way in WAYS.values():
        reader = CassetteReader(way(data), file="x.yaml", source=source)

        assert tuple(reader) == written.interactions
        assert dumps(replace(written, interactions=tuple(reader))) == data
    for kept in written.interactions:
        if kept.response is not None:
            assert b"".join(frame.data for frame in kept.response.frames()) == kept.response.body
    assert b"\r" not in data


@settings(max_examples=10_000 if SOAK else 50, deadline=None)
@given(
    body=bodies,
    cuts=st.lists(st.integers(0, 60), max_size=6),
    gaps=st.lists(microseconds, min_size=1, max_size=7),
)
def test_a_byte_stream_comes_back_with_its_boundaries_and_its_times(
    body: bytes, cuts: list[int], gaps: list[int]
) -> None:
    comes_back(recorded(body, cuts, gaps))


@both_sources
@traps
def test_a_trap_comes_back_as_a_body_that_is_cut_at_every_byte(trap: str, source: Source) -> None:
    for text in forms(trap):
        body = text.encode("utf-8", "surrogatepass")
        gaps = random.Random(body).choices(range(10**7), k=7)

        comes_back(recorded(body, list(range(1, min(len(body), 300))), gaps), source)
        comes_back(recorded(b"data: " + body + b"\n\n", [], gaps), source)


@both_sources
@texts
def test_a_trap_comes_back_as_text_wherever_text_is(trap: str, source: Source) -> None:
    for text in forms(trap):
        value = {"messages": [{"content": text}, text, [text]], text[:500]: 1}
        failed = Ending(how=How.FAILURE, failure=FailureKind.OTHER, message=text)
        request = Request(method=text, url=text, body=compact(value))
        if max(text, default="") < "\u0100":  # headers are in Latin-1
            headers = {"x-trap": (text, "a", text), text.lower()[:500]: ("b",)}
            request = replace(request, headers=headers)

        comes_back(held(Interaction(recorded_at=NOON, request=request, failure=failed)), source)


def test_the_traps_are_those_that_were_measured() -> None:
    assert len(TRAPS) >= 56
    assert len(set(TRAPS.values())) == len(TRAPS)


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_a_cassette_is_found_by_the_name_that_it_was_written_under(
    tmp_path: Path, form: Literal["NFC", "NFD"]
) -> None:
    path = tmp_path / unicodedata.normalize(form, "caf\u00e9/\u00c5ngstr\u00f6m.yaml")
    written = recorded(TRAPS["nfd"].encode() + TRAPS["nfc"].encode(), [1, 3], [5])
    write_cassette(path, written)

    assert read_cassette(path).interactions == written.interactions


@pytest.mark.parametrize("attributes", ["", "*.yaml -text\n"], ids=["no attributes", "-text"])
@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_git_with_autocrlf_does_a_cassette_no_harm(tmp_path: Path, attributes: str) -> None:
    path = tmp_path / "traps.yaml"
    written = held(
        *[
            recorded(trap.encode("utf-8", "surrogatepass"), [1], [1]).interactions[0]
            for trap in TRAPS.values()
        ]
    )
    path.write_bytes(data := dumps(written))
    (tmp_path / ".gitattributes").write_text(attributes, "utf-8")

    def git(*command: str) -> str:
        options = ["-c", "core.autocrlf=true", "-c", "core.safecrlf=false"]
        run = ["git", *options, "-C", str(tmp_path), *command]
        return subprocess.run(run, check=True, capture_output=True, text=True).stdout

    git("init", "--quiet")
    git("add", ".")
    path.unlink()
    git("checkout", "--", "traps.yaml")

    assert (path.read_bytes() == data) is bool(attributes)
    assert read_cassette(path).interactions == written.interactions
    assert git("diff", "--name-only") == ""
