"""`cassette-stream chaos`: what it finds, what it prints, what it leaves behind."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest
import subjects
from support import PROJECT
from test_cli import run

from cassette_stream import chaos
from cassette_stream.chaos import Report, Verdict

TEXT = PROJECT / "fixtures" / "openai_text.yaml"
CUT = "body.clean_end@event=5"
CONTROLS = re.compile(r"[\x00-\x09\x0b-\x1f\x7f]")


def sweep(subject: str, *arguments: object, **env: str) -> object:
    return run("chaos", f"subjects:{subject}", "--cassette", TEXT, *arguments, **env)


@pytest.mark.parametrize(
    ("subject", "specs", "code"),
    [
        ("naive", [CUT], 1),
        ("naive", ["body.fin@event=5"], 0),
        ("careful", [CUT, "body.fin@event=5"], 0),
        ("careful", ["sem.error_event@event=5"], 0),
        ("patient", ["body.stall@event=5"], 1),
        ("ours", [CUT, "sem.error_event@event=3", "head.429", "body.stall@event=5"], 0),
    ],
    ids=["silent", "raised", "careful", "wrong error", "hang and leak", "ours"],
)
def test_the_exit_code_is_1_where_something_is_silent_hangs_or_leaks(
    subject: str, specs: list[str], code: int
) -> None:
    result = sweep(subject, *(word for spec in specs for word in ("--fault", spec)))

    assert result.exit_code == code, result.output


def test_the_json_is_the_report(tmp_path: Path) -> None:
    arguments = ("--fault", CUT, "--fault", "body.fin@event=2", "--json")
    printed = sweep("naive", *arguments, "-")
    sweep("naive", *arguments, tmp_path / "report.json")
    report = Report.from_json(printed.stdout_bytes)
    direct = chaos.sweep(subjects.naive, TEXT, [CUT, "body.fin@event=2"])

    assert Report.from_json((tmp_path / "report.json").read_bytes()) == report
    assert report == direct
    assert json.loads(printed.stdout)["subject"] == "subjects:naive"
    assert [it.verdict for it in report.results] == [Verdict.SILENT, Verdict.RAISED]


@pytest.mark.parametrize("columns", [80, 120])
def test_the_report_fits_but_for_the_lines_to_copy(columns: int) -> None:
    faults = "body.clean_end,sem.empty_choices,sem.tool_cut,head.close"
    lines = sweep("naive", "--faults", faults, COLUMNS=str(columns)).stdout.splitlines()
    long = [line for line in lines if len(line) > columns]

    assert all(line.startswith("  again ") for line in long)
    head = next(at for at, line in enumerate(lines) if line.split()[:2] == ["ok", "raised"])
    assert lines[head].split() == ["ok", "raised", "silent", "wrong", "hang", "leaked"]
    assert re.fullmatch(r"✕ body.clean_end +\d +\. +\d! +\d! +\. +\.", lines[head + 1])
    assert lines[head + 2].startswith("✕ sem.empty_choices ")
    assert lines[head + 3].split() == ["head.close", ".", "1", ".", ".", ".", "."]
    assert lines[head + 4].split() == ["sem.tool_cut", "never", "struck"]
    assert any(line.startswith("sum ") for line in lines)


def test_what_is_wrong_is_told_with_a_remedy_and_a_line_that_shows_it_again() -> None:
    told = sweep("naive", "--fault", CUT).stdout
    [again] = re.findall(r"^  again +(.*)$", told, re.MULTILINE)
    words = " ".join(told.split())

    assert "silent 1 trial: body.clean_end do the transport cannot tell" in words
    assert "returned '1, 2' " in words
    assert again.startswith("cassette-stream chaos subjects:naive ")
    assert run(*shlex.split(again)[1:]).stdout == told


def test_the_command_to_copy_keeps_what_the_verdict_depends_on() -> None:
    told = sweep("careful", "--fault", CUT, "--raises", "httpx:HTTPError", "--patience", 60).stdout

    assert "--raises httpx:HTTPError --patience 60 --fault" in told
    assert "✕ body.clean_end" in told


def test_the_smallest_plan_is_told_as_a_command_and_as_python() -> None:
    told = sweep("naive", "--fault", "body.clean_end@event=9,inside=blank_line", "--shrink").stdout
    [command] = re.findall(r"^  command +(.*)$", told, re.MULTILINE)
    [python] = re.findall(r"^  python +(.*)$", told, re.MULTILINE)

    assert shlex.split(command)[-2:] == ["--fault", "body.clean_end@event=1"]
    assert run(*shlex.split(command)[1:]).exit_code == 1
    with pytest.raises(AssertionError, match="silent: body.clean_end@event=1"):
        eval(python.replace("'openai_text.yaml'", repr(str(TEXT))), {"chaos": chaos})


def test_workers_find_the_same_and_results_are_taken_up(tmp_path: Path) -> None:
    file, page = tmp_path / "results.jsonl", tmp_path / "page.html"
    arguments = ("--faults", "body.clean_end", "--json", "-", "--results", file)
    first = sweep("naive", *arguments, "--workers", 2, "--html", page)
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join(lines[:3]) + lines[3][:20])
    second = sweep("naive", *arguments)

    assert Report.from_json(first.stdout_bytes) == Report.from_json(second.stdout_bytes)
    assert first.exit_code == second.exit_code == 1
    assert len(file.read_bytes().splitlines()) == len(lines)
    assert page.read_text().startswith("<!doctype html>")


def test_a_plan_is_tried_as_a_whole(tmp_path: Path) -> None:
    plan = tmp_path / "plan.yaml"
    plan.write_text(
        "faults:\n  schema: 1\n  rules:\n  - {fault: sse.comments}\n"
        "  - {fault: json.cut, at: {event: 7}}\n"
    )
    result = sweep("naive", "--plan", plan, "--json", "-")
    report = Report.from_json(result.stdout_bytes)

    assert [it.rule for it in report.results] == ["sse.comments + json.cut@event=7"]
    assert report.results[0].verdict is Verdict.WRONG_ERROR
    assert sweep("naive", "--plan", plan, "--shrink").exit_code == 0


def test_a_pipe_gets_no_control_codes_whatever_the_code_raises(tmp_path: Path) -> None:
    result = sweep("rude", "--fault", CUT, "--results", tmp_path / "r.jsonl")

    assert "wrong error" in result.stdout
    assert r"\x1b[31m<script>" in result.stdout
    assert not CONTROLS.search(result.stdout)
    assert result.stderr == ""


def test_half_a_surrogate_pair_in_an_error_goes_through_json() -> None:
    report = chaos.sweep(subjects.rude, TEXT, [CUT])

    assert r"\ud83d" in str(report.results[0].error)
    assert Report.from_json(report.to_json()) == report


def test_a_terminal_sees_how_far_it_is() -> None:
    result = sweep("naive", "--fault", CUT, "--json", "-", TTY_COMPATIBLE="1", TERM="xterm")

    assert "trials" in result.stderr
    assert "1/1" in result.stderr
    assert Report.from_json(result.stdout_bytes).dangerous


def test_what_a_subject_prints_is_not_shown() -> None:
    shown = sweep("naive", "--fault", "body.fin@event=5").stdout

    assert not shown.startswith("1")
    assert "head  " not in shown


BROKEN = "import httpx\nfrom subjects import careful, naive\nruns = []\n"


def test_the_current_folder_is_importable_and_an_interrupt_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "stopped_by_hand.py").write_text(
        f"{BROKEN}def answer():\n    runs.append(1)\n    if len(runs) > 3:\n"
        "        raise KeyboardInterrupt\n    return naive()\n"
    )
    monkeypatch.chdir(tmp_path)
    arguments = ("chaos", "stopped_by_hand:answer", "--cassette", TEXT, "--faults", "body.fin")
    result = run(*arguments, "--results", "r.jsonl")

    assert result.exit_code == 130
    assert result.stderr.startswith("error: stopped: r.jsonl has what came by then")
    assert len(Path("r.jsonl").read_bytes().splitlines()) >= 1


def test_a_module_that_cannot_be_imported_is_shown_with_its_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "does_not_import.py").write_text("1 / 0\n")
    monkeypatch.chdir(tmp_path)
    result = run("chaos", "does_not_import:answer", "--cassette", TEXT)

    assert result.exit_code == 2
    assert "ZeroDivisionError: division by zero" in result.stderr
    assert result.stderr.splitlines()[-1].startswith("error: 'does_not_import' cannot be imported")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["subjects"], "write it as module:function"),
        (["subjects:nothing"], "'subjects' has no 'nothing'"),
        (["no_such_module_here:f"], "cannot be imported"),
        (["subjects:URL"], "cannot be called"),
        (["subjects:unrecorded"], "fails without any fault"),
        (["subjects:naive", "--faults", "body.fim"], "nearest: body.fin"),
        (["subjects:naive", "--faults", "nothing.*"], "there is no layer"),
        (["subjects:naive", "--faults", CUT], "is for --fault"),
        (["subjects:naive", "--fault", "body.fin"], "takes a place"),
        (["subjects:naive", "--raises", "httpx"], "write it as module:Class"),
        (["subjects:naive", "--raises", "httpx:get"], "no class of exceptions"),
        (["subjects:naive", "--plan", "no.yaml"], "no.yaml"),
        (["subjects:naive", "--plan", "no.yaml", "--faults", "all"], "leave the others out"),
        (["subjects:naive", "--positions", "everywhere"], "is not one of"),
        (["subjects:naive", "--ignore", "["], "'[' is no path into JSON"),
        (["subjects:naive", "--match-on", "colour"], "colour"),
    ],
    ids=lambda it: " ".join(it) if isinstance(it, list) else "",
)
def test_what_cannot_be_done_is_one_line_and_code_2(arguments: list[str], message: str) -> None:
    result = run("chaos", *arguments, "--cassette", TEXT)

    assert message in " ".join(result.stderr.replace("│", " ").split())
    assert result.exit_code == 2
    assert result.stdout == ""


def test_a_cassette_that_is_not_there_is_told() -> None:
    result = run("chaos", "subjects:naive", "--cassette", "nowhere.yaml")

    assert re.match(r"error: there is no cassette '.*nowhere.yaml'", result.stderr)
    assert result.exit_code == 2
