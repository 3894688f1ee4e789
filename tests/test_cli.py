"""The command: what it prints, what it returns, and what it says of what is wrong."""

from __future__ import annotations

import json
import os
import re
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
from wires import (
    ANTHROPIC,
    COHERE,
    CONVERSE,
    FRAMES,
    GEMINI,
    INVOKE,
    OLLAMA,
    OPENAI,
    RESPONSES,
    WIRES,
    Wire,
)

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
from cassette_stream.chunks import ChatCompletionMessageToolCall, Custom
from cassette_stream.cli import answers, app, demo
from cassette_stream.cli.endings import FAILURES, in_words
from cassette_stream.cli.figures import EndingFigures, InteractionFigures, interaction_figures
from cassette_stream.cli.terminal import duration
from cassette_stream.cli.timeline import ASCII, UNICODE, Course, Glyphs, bar
from cassette_stream.script import FailureKind
from cassette_stream.server import LoopbackServer
from cassette_stream.wire import SSEDecoder

FIXTURES = PROJECT / "fixtures"
TEXT = FIXTURES / "openai_text.yaml"
DIED = FIXTURES / "openai_died_mid_stream.yaml"
CLOSED = FIXTURES / "openai_closed_early.yaml"
PLAIN = {"COLUMNS": "80", "FORCE_COLOR": None, "TTY_COMPATIBLE": None}


def run(*arguments: object, **env: str) -> Result:
    return CliRunner(env=PLAIN | env).invoke(app, [str(argument) for argument in arguments])


def spawn(*arguments: object, **env: str) -> subprocess.CompletedProcess[bytes]:
    inherited = {name: value for name, value in os.environ.items() if name not in PLAIN}
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        env=inherited | {"COLUMNS": "80", "PYTHONIOENCODING": "utf-8"} | env,
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


@st.composite
def courses(draw: st.DrawFn) -> Course:
    moments = draw(st.lists(st.floats(0, 1e6), max_size=50).map(sorted))
    head = draw(st.floats(0, 1e6) | st.none())
    end = max([*moments, head or 0.0]) + draw(st.floats(0, 1e6))
    return Course(head_ms=head, frames_ms=moments, end_ms=end, how=draw(st.sampled_from(How)))


@pytest.mark.parametrize("glyphs", [UNICODE, ASCII], ids=["unicode", "ascii"])
@given(course=courses(), width=st.integers(2, 200))
def test_a_bar_fits_its_width_marks_every_frame_and_ends_as_the_stream_did(
    glyphs: Glyphs, course: Course, width: int
) -> None:
    line = bar(course, width=width, span_ms=course.end_ms, glyphs=glyphs).plain
    marks = [mark for mark in line if mark in glyphs.crowds]
    most = sum({glyphs.crowds[0]: 1, glyphs.crowds[1]: 4, glyphs.crowds[2]: 50}[it] for it in marks)

    assert len(line) <= width
    assert len(marks) <= len(course.frames_ms) <= most
    assert line[-1] in {glyphs.complete, glyphs.failure, glyphs.left}
    assert (line[-1] == glyphs.complete) is (course.how is How.COMPLETE)


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


PLACES = {
    OPENAI: "/v1/chat/completions",
    RESPONSES: "/v1/responses",
    ANTHROPIC: "/v1/messages",
    GEMINI: "/v1beta/models/m:streamGenerateContent?alt=sse",
    COHERE: "/v2/chat",
    OLLAMA: "/api/chat",
    CONVERSE: "/model/m/converse-stream",
    INVOKE: "/model/m/invoke-with-response-stream",
}


def counted(wire: Wire) -> int:
    """The events of a whole stream, told without a decoder."""
    if wire.kind == "text/event-stream":
        return wire.whole.count(b"\n\n")
    if wire is OLLAMA:
        return wire.whole.count(b"\n")
    starts = [0]
    while starts[-1] < len(wire.whole):
        starts.append(starts[-1] + int.from_bytes(wire.whole[starts[-1] :][:4]))
    return len(starts) - 1


def figures_of(wire: Wire, body: bytes) -> InteractionFigures:
    request = replace(STREAM.request, url=f"https://api.example{PLACES[wire]}")
    headers = {"content-type": (wire.kind,)}
    sizes, gaps_us = array("q", [len(body)]), array("q", [1])
    it = answered(headers=headers, body=body, sizes=sizes, gaps_us=gaps_us)
    return interaction_figures(replace(it, request=request), number=1)


@pytest.mark.parametrize("wire", WIRES, ids=lambda it: it.provider)
def test_events_are_counted_and_understood_whatever_they_stand_in(wire: Wire) -> None:
    it, cut = figures_of(wire, wire.whole), figures_of(wire, wire.whole[:-3])
    broken = figures_of(wire, wire.hello + wire.broken)
    assert it.response
    assert it.answer
    assert cut.response
    assert broken.answer
    [choice] = it.answer.choices

    assert (it.response.events, it.response.truncated) == (counted(wire), False)
    assert (choice.text, choice.finish_reason, it.answer.error) == ("Hello, you", "stop", None)
    assert (cut.response.events, cut.response.truncated) == (counted(wire) - 1, True)
    assert broken.answer.error is not None
    assert broken.answer.error.startswith("MalformedStreamError")


@pytest.mark.parametrize("wire", FRAMES, ids=lambda it: it.provider)
def test_what_is_wrong_with_a_frame_is_told_behind_those_before_it(wire: Wire) -> None:
    response = figures_of(wire, wire.whole[:-1] + b"!").response
    assert response

    assert (response.events, response.truncated) == (counted(wire) - 1, False)
    assert "checksum" in (response.wire_error or "")


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


def test_inspect_shows_every_interaction(tmp_path: Path) -> None:
    file = written(tmp_path / "two.yaml", STREAM, REFUSED)
    result = run("inspect", file)

    assert result.exit_code == 0
    assert result.stdout.replace("\n", "").startswith(str(file))
    assert result.stdout[result.stdout.index("2 interactions") :].splitlines() == [
        f"2 interactions, {file.stat().st_size} bytes, format 1, cassette-stream 0",
        "",
        "1  POST https://api.example/v1/chat",
        "┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄────│───────────────│──────────────────────────────────────│●",
        "0                                                                            1 s",
        "recorded  2026-11-23T09:30:12.401Z",
        "response  200, text/event-stream, 48 bytes, 3 events in 3 frames",
        "times     head 250 ms, first byte 300 ms, end 1 s",
        "frames    4 to 28 bytes, median 16",
        "gaps      200 ms to 500 ms, median 350 ms",
        "ending    complete",
        "",
        "2  GET https://api.example/v1/models",
        "┄" * 79 + "✕",
        "0                                                                         1.5 ms",
        "recorded  2026-11-23T09:30:12.401Z",
        "ending    the connection was refused after 1.5 ms of silence (refused: [Errno",
        "          111] Connection refused)",
        "",
        "┄┄ waiting  │ a frame  ┃ 2 to 4  █ more  ● end  ✕ failure  ○ caller left",
    ]


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        pytest.param(
            {"headers": {}, "removed_coding": "gzip"},
            "response  200, no content type, 48 bytes, sent in gzip, 3 frames",
            id="no event stream",
        ),
        pytest.param(
            {"body": b"data: 1\n\ndata: 2\n", "sizes": array("q", [4, 4, 9])},
            "response  200, text/event-stream, 17 bytes, 1 event in 3 frames, then part of one",
            id="truncated",
        ),
        pytest.param(
            {"body": b"data: 1\n\ndata: \xff\n\n", "sizes": array("q", [4, 4, 10])},
            "1 event in 3 frames, then no UTF-8",
            id="not decodable",
        ),
        pytest.param(
            {"body": b"12345678", "sizes": array("q", [8]), "gaps_us": array("q", [7])},
            "frames    8 bytes each",
            id="one frame",
        ),
        pytest.param(
            {"body": b"", "sizes": array("q"), "gaps_us": array("q")},
            "times     head 250 ms, end 250 ms",
            id="no frames",
        ),
    ],
)
def test_inspect_tells_what_is_special(tmp_path: Path, changes: dict[str, Any], line: str) -> None:
    result = run("inspect", written(tmp_path / "one.yaml", answered(**changes)), COLUMNS="120")

    assert line in result.stdout


def test_inspect_of_an_empty_cassette_says_that_it_is_empty(tmp_path: Path) -> None:
    result = run("inspect", written(tmp_path / "none.yaml"))

    assert "0 interactions" in result.stdout
    assert "waiting" not in result.stdout


@pytest.mark.parametrize("columns", [40, 80, 120])
def test_inspect_keeps_to_the_width_of_the_terminal(columns: int) -> None:
    lines = run("inspect", DIED, COLUMNS=str(columns)).stdout.splitlines()

    assert max(map(len, lines)) == columns
    assert all(line == line.rstrip() for line in lines)


def test_inspect_draws_in_ascii_where_there_is_nothing_else() -> None:
    shown = spawn("-m", "cassette_stream", "inspect", DIED, PYTHONIOENCODING="ascii").stdout

    assert shown.isascii()
    assert b".. waiting  | a frame  H 2 to 4  # more  ] end  x failure  o caller left" in shown


def test_inspect_json_has_the_documented_shape(tmp_path: Path) -> None:
    file = written(tmp_path / "two.yaml", STREAM, REFUSED)
    request = {"method": "POST", "url": "https://api.example/v1/chat", "bytes": 2}

    assert json.loads(run("inspect", file, "--json").stdout) == {
        "file": str(file),
        "bytes": file.stat().st_size,
        "version": 1,
        "recorded_with": "cassette-stream 0",
        "interactions": [
            {
                "number": 1,
                "recorded_at": "2026-11-23T09:30:12.401Z",
                "incomplete": False,
                "request": request,
                "response": {
                    "status": 200,
                    "content_type": "text/event-stream; charset=utf-8",
                    "removed_coding": None,
                    "bytes": 48,
                    "events": 3,
                    "truncated": False,
                    "wire_error": None,
                    "head_ms": 250.0,
                    "first_byte_ms": 300.0,
                    "gap_ms": {"min": 200.0, "median": 350.0, "max": 500.0},
                    "frame_bytes": {"min": 4, "median": 16, "max": 28},
                    "frames": [
                        {"at_ms": 300.0, "bytes": 16},
                        {"at_ms": 500.0, "bytes": 28},
                        {"at_ms": 1000.0, "bytes": 4},
                    ],
                },
                "answer": None,
                "ending": {"how": "complete", "after_ms": 0.0, "failure": None, "message": ""},
                "duration_ms": 1000.0,
            },
            {
                "number": 2,
                "recorded_at": "2026-11-23T09:30:12.401Z",
                "incomplete": False,
                "request": {"method": "GET", "url": "https://api.example/v1/models", "bytes": 0},
                "response": None,
                "answer": None,
                "ending": {
                    "how": "failure",
                    "after_ms": 1.5,
                    "failure": "refused",
                    "message": "[Errno 111] Connection refused",
                },
                "duration_ms": 1.5,
            },
        ],
    }


NUMBERS = "1, 2, 3, 4, 5, 6, 7, 8, 9, 10."
BOTH = [
    {"name": "get_weather", "arguments": '{"city": "Paris"}'},
    {"name": "get_time", "arguments": '{"city": "Paris"}'},
]
ANSWERS: dict[str, tuple[list[Any], str | None]] = {
    "openai_text": ([(NUMBERS, None, [], "stop")], None),
    "openai_parallel_tool_calls": ([(None, None, BOTH, "tool_calls")], None),
    "anthropic_parallel_tool_calls": ([(None, None, BOTH, "tool_calls")], None),
    "gemini_parallel_tool_calls": ([(None, None, BOTH, "tool_calls")], None),
    "anthropic_text": ([(NUMBERS, None, [], "stop")], None),
    "gemini_text": ([(NUMBERS, None, [], "stop")], None),
    "openai_died_mid_stream": ([("1, 2, 3, 4", None, [], None)], "StreamTruncatedError"),
    "gemini_died_mid_stream": ([("1, 2, 3, 4,", None, [], None)], "StreamTruncatedError"),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_inspect_tells_what_the_model_said(name: str) -> None:
    (it,) = json.loads(run("inspect", FIXTURES / f"{name}.yaml", "--json").stdout)["interactions"]
    choices, error = ANSWERS[name]

    assert [tuple(choice.values()) for choice in it["answer"]["choices"]] == [
        (text, reasoning, None, calls, finish) for text, reasoning, calls, finish in choices
    ]
    assert (it["answer"]["error"] or "").partition(":")[0] == (error or "")


def test_inspect_shows_what_the_model_said(tmp_path: Path) -> None:
    shown = run("inspect", FIXTURES / "anthropic_reasoning.yaml").stdout

    assert 'reasoning "The user wants' in shown
    assert "finish    stop\n" in shown
    assert re.search(r"usage     [0-9]+ tokens in, [0-9]+ out\n", shown)
    assert "tool call get_weather(" in run("inspect", FIXTURES / "openai_tool_call.yaml").stdout
    assert "strictly  StreamTruncatedError" in run("inspect", DIED).stdout


def test_a_long_text_is_cut_and_a_refusal_is_told(tmp_path: Path) -> None:
    delta = {"role": "assistant", "refusal": "No. " * 100}
    chunk = {
        "id": "c",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "m",
        "choices": [{"index": 0, "delta": delta, "finish_reason": "stop"}],
    }
    body = b"data: %b\n\ndata: [DONE]\n\n" % json.dumps(chunk).encode()
    response = Response(
        status=200,
        headers={"content-type": ("text/event-stream",)},
        body=body,
        sizes=array("q", [len(body)]),
        gaps_us=array("q", [1]),
    )
    request = Request(method="POST", url="https://api.example/v1/chat/completions")
    file = written(tmp_path / "a.yaml", replace(STREAM, request=request, response=response))
    shown = " ".join(run("inspect", file).stdout.split())

    assert 'refusal "No. No.' in shown
    assert " ... finish stop" in shown


def test_a_call_of_a_custom_tool_is_told_by_its_input() -> None:
    call = ChatCompletionMessageToolCall(
        id="c", type="custom", custom=Custom(name="sql", input="select 1")
    )

    assert answers._call(call) == answers.ToolCallFigures(name="sql", arguments="select 1")


@pytest.mark.parametrize("file", [TEXT, DIED, CLOSED], ids=lambda file: file.stem)
def test_play_writes_the_recorded_bytes(file: Path) -> None:
    result = run("play", file, "--pace", "instant")
    [interaction] = loads(file.read_bytes(), file=file.name).interactions
    assert interaction.response is not None

    assert result.stdout_bytes == interaction.response.body
    assert result.exit_code == (1 if file is DIED else 0)


@pytest.mark.parametrize(
    ("fault", "events", "ending"),
    [
        ("body.fin@event=4", 3, "the server closed the connection without the last chunk (fin)"),
        ("body.stall@event=4", 3, "silent for ever: a caller without a read timeout hangs"),
        ("body.stall@event=4,seconds=600", 24, "complete"),
        ("json.cut@event=4", 24, "complete"),
    ],
)
def test_play_breaks_the_stream_as_it_is_told(fault: str, events: int, ending: str) -> None:
    result = run("play", TEXT, "--pace", "instant", "--fault", fault)
    decoder = SSEDecoder()

    assert sum(1 for _ in decoder.feed(result.stdout_bytes)) == events
    assert result.stderr.splitlines()[-1].startswith(ending + ", ")
    assert result.exit_code == (0 if ending == "complete" else 1)


def test_play_tells_where_it_is_from_and_how_it_ended(tmp_path: Path) -> None:
    file = written(tmp_path / "two.yaml", STREAM, REFUSED)
    first = run("play", file, "--pace", "instant")
    second = run("play", file, "--pace", "instant", "-n", 2)

    assert (first.exit_code, second.exit_code) == (0, 1)
    assert first.stderr.splitlines() == [
        "POST https://api.example/v1/chat",
        "200, text/event-stream, after 250 ms",
        "complete, 48 bytes in 1 s",
    ]
    assert second.stderr.splitlines() == [
        "GET https://api.example/v1/models",
        "the connection was refused (refused: [Errno 111] Connection refused), 0 bytes in 1.5 ms",
    ]


def test_play_spells_out_what_would_control_a_terminal(tmp_path: Path) -> None:
    pty = pytest.importorskip("pty", reason="there are no terminals to open here")
    response = Response(
        status=200,
        headers={"content-type": (CONVERSE.kind,)},
        body=CONVERSE.whole,
        sizes=array("q", [len(CONVERSE.whole)]),
        gaps_us=array("q", [1]),
    )
    file = written(tmp_path / "frames.yaml", replace(STREAM, response=response))
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "cassette_stream", "play", file, "--pace", "instant"]
    told = subprocess.run(
        command, stdout=theirs, stderr=subprocess.PIPE, timeout=60, check=False
    ).stderr
    os.close(theirs)
    shown = os.read(ours, 100_000)
    os.close(ours)

    assert run("play", file, "--pace", "instant").stdout_bytes == CONVERSE.whole
    assert rb"\x0b:event-type" in shown
    assert b'"delta": {"text": "Hello"}' in shown
    assert not re.search(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]", shown)
    assert b"complete, " in told


def test_play_takes_its_time() -> None:
    [interaction] = loads(TEXT.read_bytes(), file=TEXT.name).interactions
    assert interaction.response is not None
    recorded = sum(interaction.response.gaps_us, interaction.response.head_after_us) / 1000
    told = run("play", TEXT, "--pace", "4").stderr.splitlines()[-1]
    number, unit = told.rpartition(" in ")[2].split()

    assert float(number) * {"ms": 1, "s": 1000, "min": 60_000}[unit] >= recorded / 4 - 1


def test_lint_of_what_is_in_order_prints_nothing() -> None:
    result = run("lint", FIXTURES)

    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == f"{len(list(FIXTURES.glob('*.yaml')))} cassettes, 0 problems\n"


def test_lint_finds_the_cassettes_of_a_folder_and_leaves_other_files_alone(tmp_path: Path) -> None:
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / ".hidden").mkdir()
    (tmp_path / "other.yaml").write_text("services: {}\n")
    (tmp_path / "empty.yml").write_text("")
    (tmp_path / ".hidden" / "broken.yaml").write_text("cassette: nothing\n")
    (tmp_path / "notes.txt").write_text("cassette: 1\n")
    file = written(tmp_path / "deep" / "er" / "good.yml", STREAM)
    file.write_bytes(b"# a comment\n\n" + file.read_bytes())
    result = run("lint", tmp_path, file)

    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == "1 cassette, 0 problems\n"


def test_lint_names_every_broken_interaction_and_its_place(tmp_path: Path) -> None:
    file = written(tmp_path / "two.yaml", STREAM, STREAM, STREAM)
    good, first, second, third = file.read_bytes().split(b"---\n")
    broken = [first.replace(b"method:", b"methd:"), second, third.replace(b"50:16", b"fifty:16")]
    file.write_bytes(b"---\n".join([good, *broken]))
    result = run("lint", file)
    places = [line.partition(": ")[0] for line in result.stdout.splitlines()]

    assert result.exit_code == 1
    assert places == [f"{file}:{_place(file, b'methd')}", f"{file}:{_place(file, b'>-', 2)}"]
    assert result.stderr == "1 cassette, 2 problems\n"


def _place(file: Path, text: bytes, which: int = 0) -> str:
    lines = file.read_bytes().splitlines()
    number = [number for number, line in enumerate(lines) if text in line][which]
    return f"{number + 1}:{lines[number].index(text) + 1}"


def test_lint_of_a_file_that_is_no_cassette_says_so() -> None:
    result = run("lint", PROJECT / "pyproject.toml")

    assert result.exit_code == 1
    assert result.stdout.startswith(f"{PROJECT / 'pyproject.toml'}:1:1: ")


def test_lint_finds_what_looks_like_a_secret(tmp_path: Path) -> None:
    file = tmp_path / "leak.yaml"
    secret = b"sk-ant-api03-" + b"a1B2" * 10
    file.write_bytes(TEXT.read_bytes().replace(b"Count from 1 to 10", secret))
    result = run("lint", file)

    assert result.exit_code == 1
    assert result.stdout == (
        f"{file}:{_place(file, secret)}: this looks like a secret (anthropic key, "
        "request body): withdraw it, and run cassette-stream redact\n"
    )


def edited(path: Path) -> Path:
    path.write_bytes(TEXT.read_bytes().replace(b'{"content":" 7"}', b'{"content":" seven"}'))
    return path


def test_lint_fix_mends_frames_after_an_edit_by_hand(tmp_path: Path) -> None:
    file = edited(tmp_path / "edited.yaml")
    before, fix, after = run("lint", file), run("lint", "--fix", file), run("lint", file)

    assert [it.exit_code for it in (before, fix, after)] == [1, 0, 0]
    assert "cassette-stream lint --fix" in before.stdout
    assert fix.stderr == f"{file}: frames mended\n1 cassette, 0 problems\n"
    assert b'{"content":" seven"}' in run("play", file, "--pace", "instant").stdout_bytes


@pytest.mark.parametrize("damage", [b"", b"\nmethd: GET\n"], ids=["nothing", "something else"])
def test_lint_fix_leaves_alone_what_it_cannot_mend(tmp_path: Path, damage: bytes) -> None:
    file = edited(tmp_path / "edited.yaml") if damage else written(tmp_path / "good.yaml", STREAM)
    file.write_bytes(file.read_bytes() + damage)
    before = file.read_bytes()
    result = run("lint", "--fix", file)

    assert file.read_bytes() == before
    assert result.exit_code == (1 if damage else 0)


ERRORS = {
    "no such file": (["inspect", "nowhere.yaml"], "there is no cassette 'nowhere.yaml'"),
    "no such file to play": (["play", "nowhere.yaml"], "there is no cassette 'nowhere.yaml'"),
    "no such file to lint": (["lint", "nowhere.yaml"], "there is no cassette 'nowhere.yaml'"),
    "a folder": (["inspect", FIXTURES], "is a folder"),
    "no cassette": (["inspect", PROJECT / "pyproject.toml"], "pyproject.toml:1:1: "),
    "no such interaction": (["play", TEXT, "-n", 2], "there is no interaction 2 in"),
    "interaction 0": (["play", TEXT, "-n", 0], "it has 1, counted from 1"),
    "no such fault": (["play", TEXT, "--fault", "body.fn@event=1"], "nearest: body.fin"),
    "no such place": (["play", TEXT, "--fault", "body.fin@event=x"], "event is 'x'"),
    "a fault that never strikes": (
        ["play", TEXT, "--pace", "instant", "--fault", "body.fin@event=99"],
        "body.fin@event=99 never fired: the stream has 24 events",
    ),
    "a folder that cannot be made": (["demo", "--keep", TEXT], "error: "),
}


@pytest.mark.parametrize(("arguments", "text"), ERRORS.values(), ids=ERRORS)
def test_what_is_wrong_is_told_in_one_line(arguments: list[object], text: str) -> None:
    result = run(*arguments)
    last = result.stderr.splitlines()[-1]

    assert result.exit_code == 2
    assert last.startswith("error: ")
    assert text in last


@pytest.mark.parametrize("pace", ["fast", "0", "-1", "inf", "nan", ""])
def test_a_pace_that_does_not_exist_is_refused(pace: str) -> None:
    result = run("play", TEXT, "--pace", pace)

    assert result.exit_code == 2
    assert f"there is no pace '{pace}'" in result.stderr


@pytest.mark.parametrize("command", ["demo", "inspect", "play", "lint"])
def test_every_command_explains_itself(command: str) -> None:
    result = run(command, "--help")

    assert result.exit_code == 0
    assert f"cassette-stream {command}" in run("--help").stdout or command in result.stdout


def test_the_version_is_told() -> None:
    assert run("--version").stdout == f"cassette-stream {__version__}\n"


def test_help_imports_neither_http_nor_yaml_nor_the_server() -> None:
    code = (
        "import sys; sys.argv = ['cassette-stream', '--help']\n"
        "from cassette_stream.cli import main\n"
        "try: main()\n"
        "except SystemExit: print(*sys.modules, file=sys.stderr)\n"
    )
    loaded = set(spawn("-c", code).stderr.decode().split())

    assert "typer" in loaded
    assert not loaded & {"asyncio", "httpx", "msgspec", "yaml", "cassette_stream.server"}


DEMO_LINES = (
    "1  Record",
    "2  Replay  the server is gone",
    "same bytes and chunks",
    "3  Break",
    "raised   httpx.RemoteProtocolError: peer closed connection",
    "raised   httpx.ReadTimeout: timed out",
    "raised   json.decoder.JSONDecodeError: Unterminated string",
)


def test_the_demo_shows_what_it_promises_and_leaves_nothing_behind(tmp_path: Path) -> None:
    result = run("demo", TMPDIR=str(tmp_path))

    assert result.exit_code == 0
    assert [line for line in DEMO_LINES if line not in result.stdout] == []
    assert "NOT THE SAME" not in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 80
    assert "\x1b" not in result.stdout
    assert list(tmp_path.iterdir()) == []


def test_the_demo_keeps_its_promises_on_a_busy_machine(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    slow = LoopbackServer(gap=0.01, first_gap=0.4)
    monkeypatch.setattr("cassette_stream.cli.demo.LoopbackServer", lambda **_: slow)

    assert demo.run(None)
    said = capsys.readouterr().out
    assert [line for line in DEMO_LINES if line not in said] == []


def test_a_person_walks_from_the_demo_through_the_commands_that_it_names(tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    shown = spawn("-m", "cassette_stream", "demo", "--keep", folder)
    *_, lint, inspect, play = shown.stdout.decode().splitlines()

    assert (shown.returncode, shown.stderr) == (0, b"")
    assert sorted(it.name for it in folder.glob("*.yaml")) == [
        "anthropic.yaml",
        "gemini.yaml",
        "openai.yaml",
    ]
    for line, code in [(lint, 0), (inspect, 0), (play, 1)]:
        program, *arguments = line.split()

        assert program == "cassette-stream"
        assert spawn("-m", "cassette_stream", *arguments).returncode == code
