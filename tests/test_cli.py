"""The command: what it prints, what it returns, and what it says of what is wrong."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from array import array
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import PROJECT
from typer.testing import CliRunner, Result

from cassette_stream import __version__
from cassette_stream.cassette import (
    Cassette,
    Ending,
    How,
    Interaction,
    Request,
    Response,
    dumps,
    loads,
)
from cassette_stream.cli import app
from cassette_stream.cli.endings import FAILURES, in_words
from cassette_stream.cli.figures import EndingFigures, interaction_figures
from cassette_stream.cli.terminal import duration
from cassette_stream.cli.timeline import ASCII, UNICODE, Course, Glyphs, bar
from cassette_stream.script import FailureKind
from cassette_stream.wire import SSEDecoder

FIXTURES = PROJECT / "fixtures"
TEXT = FIXTURES / "openai_text.yaml"
DIED = FIXTURES / "openai_died_mid_stream.yaml"
CLOSED = FIXTURES / "openai_closed_early.yaml"
PLAIN = {"COLUMNS": "80", "FORCE_COLOR": None, "TTY_COMPATIBLE": None}


def run(*arguments: object, **env: str) -> Result:
    return CliRunner(env=PLAIN | env).invoke(app, [str(argument) for argument in arguments])


def spawn(*arguments: object, **env: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        env=os.environ | {"COLUMNS": "80"} | env,
        capture_output=True,
        timeout=60,
        check=False,
    )


EVENTS = (b'data: {"n": 1}\n\n', b'data: {"n": 2}\n\ndata: {"n": ', b"3}\n\n")
STREAM = Interaction(
    recorded_at=datetime(2026, 11, 23, 9, 30, 12, 401_000, UTC),
    request=Request(method="POST", url="https://api.example/v1/chat", body=b"{}"),
    response=Response(
        status=200,
        headers={"content-type": ("text/event-stream; charset=utf-8",)},
        head_after_us=250_000,
        body=b"".join(EVENTS),
        sizes=array("q", map(len, EVENTS)),
        gaps_us=array("q", [50_000, 200_000, 500_000]),
    ),
)
REFUSED = Interaction(
    recorded_at=STREAM.recorded_at,
    request=Request(method="GET", url="https://api.example/v1/models"),
    failure=Ending(
        how=How.FAILURE,
        after_us=1_500,
        failure=FailureKind.REFUSED,
        message="[Errno 111] Connection refused",
    ),
)


def answered(**changes: Any) -> Interaction:
    assert STREAM.response is not None
    return replace(STREAM, response=replace(STREAM.response, **changes))


def written(path: Path, *interactions: Interaction) -> Path:
    path.write_bytes(dumps(Cassette(interactions=interactions, recorded_with="cassette-stream 0")))
    return path


moments = st.lists(st.floats(0, 1e6), max_size=50).map(sorted)


@given(
    moments=moments,
    head=st.floats(0, 1e6) | st.none(),
    after=st.floats(0, 1e6),
    how=st.sampled_from(How),
    width=st.integers(2, 200),
    glyphs=st.sampled_from([UNICODE, ASCII]),
)
def test_a_bar_fits_its_width_marks_every_frame_and_ends_as_the_stream_did(
    moments: list[float], head: float | None, after: float, how: How, width: int, glyphs: Glyphs
) -> None:
    end = max([*moments, head or 0.0]) + after
    course = Course(head_ms=head, frames_ms=moments, end_ms=end, how=how)
    line = bar(course, width=width, span_ms=end, glyphs=glyphs).plain
    marks = [mark for mark in line if mark in glyphs.crowds]
    most = sum({glyphs.crowds[0]: 1, glyphs.crowds[1]: 4, glyphs.crowds[2]: 50}[it] for it in marks)

    assert len(line) <= width
    assert len(marks) <= len(moments) <= most
    assert line[-1] in {glyphs.complete, glyphs.failure, glyphs.left}
    assert (line[-1] == glyphs.complete) is (how is How.COMPLETE)


def test_bars_of_one_span_are_drawn_at_one_scale() -> None:
    def drawn(end_ms: float) -> str:
        course = Course(head_ms=10, frames_ms=[20, 40], end_ms=end_ms, how=How.FAILURE)
        return bar(course, width=12, span_ms=100, glyphs=ASCII).plain

    assert drawn(100) == ".-|-|------x"
    assert drawn(50) == ".-|-|-x"


@given(
    pieces=st.lists(st.binary(max_size=20) | st.sampled_from(EVENTS), max_size=10),
    gaps=st.lists(st.integers(0, 10**9), min_size=10, max_size=10),
)
def test_figures_add_up_to_the_recording(pieces: list[bytes], gaps: list[int]) -> None:
    gaps_us = array("q", gaps[: len(pieces)])
    body = b"".join(pieces)
    sizes = array("q", map(len, pieces))
    it = interaction_figures(answered(body=body, sizes=sizes, gaps_us=gaps_us), number=1)
    response = it.response
    assert response is not None

    assert sum(frame.bytes for frame in response.frames) == response.bytes == len(body)
    assert it.duration_ms == pytest.approx(250 + sum(gaps_us) / 1000)
    assert [frame.at_ms for frame in response.frames] == sorted(
        frame.at_ms for frame in response.frames
    )
    assert response.events == sum(1 for _ in SSEDecoder(errors="replace").feed(body)) or (
        response.wire_error is not None
    )


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [
        (0, "0 ms"),
        (0.041, "0.041 ms"),
        (18.123, "18.1 ms"),
        (999.4, "999 ms"),
        (999.6, "1 s"),
        (1250, "1.25 s"),
        (119_000, "119 s"),
        (600_000, "10 min"),
        (3_600_000_000, "60,000 min"),
    ],
)
def test_a_duration_is_told_in_three_digits(milliseconds: float, text: str) -> None:
    assert duration(milliseconds) == text


@pytest.mark.parametrize("kind", FailureKind)
def test_every_failure_has_words(kind: FailureKind) -> None:
    ending = EndingFigures(how=How.FAILURE, after_ms=2, failure=kind, message="why")

    assert in_words(ending) == f"{FAILURES[kind]} after 2 ms of silence ({kind}: why)"


@pytest.mark.parametrize(
    ("how", "text"),
    [
        (How.COMPLETE, "complete"),
        (How.CLOSED_BY_CALLER, "the caller closed the stream"),
        (How.CANCELLED, "the caller was cancelled"),
    ],
)
def test_an_ending_that_is_no_failure_has_words_too(how: How, text: str) -> None:
    assert in_words(EndingFigures(how=how, after_ms=0, failure=None, message="")) == text


INSPECTED = """\
{file}
2 interactions, 731 bytes, format 1, cassette-stream 0

1  POST https://api.example/v1/chat
┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄───│───────────────│──────────────────────────────────────│●
0                                                                            1 s
recorded  2026-11-23T09:30:12.401Z
"""


def test_inspect_shows_every_interaction(tmp_path: Path) -> None:
    file = written(tmp_path / "two.yaml", STREAM, REFUSED)
    result = run("inspect", file)

    assert result.exit_code == 0
    assert result.stdout.splitlines()[3:] == [
        "1  POST https://api.example/v1/chat",
        "┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄────│──────────────│──────────────────────────────────────│●",
        "0                                                                            1 s",
        "recorded  2026-11-23T09:30:12.401Z",
        "response  200, text/event-stream, 48 bytes, 3 events in 3 frames",
        "times     head 250 ms, first byte 300 ms, end 1 s",
        "frames    4 to 28 bytes, median 16",
        "gaps      200 ms to 500 ms, median 350 ms",
        "ending    complete",
        "",
        "2  GET https://api.example/v1/models",
        "┄┄┄",
    ]
