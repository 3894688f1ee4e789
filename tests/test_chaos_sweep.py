"""A sweep finds the same wherever and however often it runs, and loses nothing that it found."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import swept
from breaking import stream
from planted_client import cassette
from support import PROJECT, SOAK

from cassette_stream import chaos
from cassette_stream.chaos import Report, Verdict
from cassette_stream.chaos.job import job_of
from cassette_stream.chaos.trial_run import run_trials
from cassette_stream.chaos.trials import Recorded, trials_of
from cassette_stream.exceptions import CassetteWriteError, PlanError, SweepError, UnknownFaultError
from cassette_stream.faults import Event, Plan, Rule, catalogue
from cassette_stream.script import Emit

FEW = ("body.clean_end", "body.stall", "json.cut", "sse.comments")
sweep = partial(chaos.sweep, match_on=("method", "url"))


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("swept") / "text.yaml"
    path.write_bytes(cassette(stream("openai_chat"), swept.URL))
    return path


@pytest.fixture(scope="module")
def in_order(recording: Path) -> Report:
    return sweep(swept.naive, recording, FEW)


# -- the same again


def test_the_same_seed_gives_the_same_report_every_time(recording: Path, in_order: Report) -> None:
    digests = {
        sweep(swept.naive, recording, "json.html").digest for _ in range(1000 if SOAK else 20)
    }

    assert len(digests) == 1
    assert sweep(swept.naive, recording, FEW) == in_order


def test_another_seed_tries_other_places(recording: Path, in_order: Report) -> None:
    other = sweep(swept.naive, recording, FEW, seed=1)

    assert other.digest != in_order.digest
    assert {it.fault for it in other.results} == {it.fault for it in in_order.results}


DIGEST = """
import sys
from pathlib import Path
sys.path.insert(0, {tests!r})
import swept
from cassette_stream import chaos
for subject in (swept.naive, swept.anaive):
    report = chaos.sweep(subject, Path({path!r}), {faults!r}, match_on=("method", "url"))
    print(report.digest)
"""


@pytest.mark.rest
def test_the_hash_seed_of_the_process_makes_no_difference(
    recording: Path, in_order: Report
) -> None:
    tests = str(PROJECT / "tests")
    code = DIGEST.format(tests=tests, path=str(recording), faults=FEW)
    told = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("0", "4294967295")
    }

    assert len(told) == 1
    assert told.pop().split() == [in_order.digest, sweep(swept.anaive, recording, FEW).digest]


TEST = """
import pathlib, sys
sys.path.insert(0, {tests!r})
import swept
from cassette_stream import chaos

def digest(faults):
    report = chaos.sweep(swept.naive, {path!r}, faults, match_on=("method", "url"))
    with pathlib.Path("digests").open("a") as file:
        file.write(report.digest + "\\n")

def test_one():
    digest("json.cut")

def test_two():
    digest("body.clean_end")
"""


@pytest.mark.rest
@pytest.mark.parametrize("workers", [0, 2, 8] if SOAK else [2])
def test_neither_xdist_nor_the_order_of_the_tests_makes_a_difference(
    recording: Path, pytester: pytest.Pytester, workers: int
) -> None:
    pytester.makepyfile(test_it=TEST.format(tests=str(PROJECT / "tests"), path=str(recording)))
    pytester.runpytest_subprocess(
        f"-n{workers}", "test_it.py::test_two", "test_it.py::test_one"
    ).assert_outcomes(passed=2)

    faults = ("json.cut", "body.clean_end")
    assert sorted((pytester.path / "digests").read_text().split()) == sorted(
        sweep(swept.naive, recording, fault).digest for fault in faults
    )


def test_the_order_in_which_faults_are_given_changes_no_verdict(
    recording: Path, in_order: Report
) -> None:
    turned = sweep(swept.naive, recording, FEW[::-1])

    assert {it.rule: it.verdict for it in turned.results} == {
        it.rule: it.verdict for it in in_order.results
    }


def test_a_report_comes_back_from_json(in_order: Report) -> None:
    assert Report.from_json(in_order.to_json()) == in_order
    assert Report.from_json(in_order.to_json(indent=2)).digest == in_order.digest


# -- wherever it runs


def processes() -> Executor:
    # What workers know they were sent: they are no copies of this process.
    return ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("forkserver"))


def threads() -> Executor:
    return ThreadPoolExecutor(4)


executors = pytest.mark.parametrize("make", [processes, threads], ids=lambda it: it.__name__)


@executors
@pytest.mark.parametrize(
    "subject", [swept.naive, swept.anaive, swept.threaded], ids=lambda it: it.__name__
)
def test_an_executor_gives_the_report_of_a_sweep_in_order(
    make: Callable[[], Executor], subject: Callable[..., Any], recording: Path
) -> None:
    faults = ("body.clean_end", "body.stall", "json.cut")
    with make() as executor:
        report = sweep(subject, recording, faults, executor=executor)

    assert report == sweep(subject, recording, faults)


def test_a_worker_needs_no_file_of_whoever_sends_it(recording: Path, tmp_path: Path) -> None:
    path = tmp_path / "gone.yaml"
    path.write_bytes(recording.read_bytes())
    job = job_of(swept.naive, path, match_on=("method", "url"))
    steps = tuple(stream("openai_chat"))
    trials = trials_of(FEW, [Recorded(1, steps)], positions="sampled", seed=0, expect={})
    here = run_trials(job, trials, recovery=True)
    sent = pickle.dumps((job, trials))
    path.unlink()

    assert run_trials(*pickle.loads(sent), recovery=True) == here


def test_a_subject_that_cannot_be_sent_is_an_error_and_no_hang(recording: Path) -> None:
    def local() -> str:
        return swept.naive()

    with processes() as executor, pytest.raises((pickle.PicklingError, AttributeError)):
        sweep(local, recording, FEW, executor=executor)


# -- losing nothing


@pytest.fixture
def deadly(tmp_path: Path) -> Callable[[], str]:
    (tmp_path / "parent").write_text(str(os.getpid()))
    return partial(swept.deadly, str(tmp_path))


def test_a_dead_worker_costs_no_result_that_was_there(
    recording: Path, tmp_path: Path, deadly: Callable[[], str], in_order: Report
) -> None:
    file = tmp_path / "results.jsonl"
    found: list[int] = []
    with processes() as executor, pytest.raises(SweepError, match="goes on from them"):
        sweep(
            deadly,
            recording,
            ("sse.comments", "body.clean_end", "json.cut"),
            positions="every-event",
            executor=executor,
            results=file,
            progress=lambda result, _: found.append(result.number),
        )
    assert len(file.read_bytes().splitlines()) == 1 + len(found)

    again: list[int] = []
    with processes() as executor:
        report = sweep(
            deadly,
            recording,
            ("sse.comments", "body.clean_end", "json.cut"),
            positions="every-event",
            executor=executor,
            results=file,
            progress=lambda result, _: again.append(result.number),
        )

    assert not set(found) & set(again)
    whole = sweep(
        swept.naive,
        recording,
        ("sse.comments", "body.clean_end", "json.cut"),
        positions="every-event",
    )
    assert report.digest == whole.digest


@pytest.mark.parametrize("most", [1, 2, 9])
@pytest.mark.parametrize(
    "make", [None, processes, threads], ids=["in_order", "processes", "threads"]
)
def test_an_interrupted_sweep_goes_on_where_it_was(
    make: Callable[[], Executor] | None,
    most: int,
    recording: Path,
    tmp_path: Path,
    in_order: Report,
) -> None:
    runs, file = tmp_path / "runs", tmp_path / "results.jsonl"
    runs.mkdir()
    subject = partial(swept.counted, str(runs))
    executor = make() if make is not None else None
    with pytest.raises(KeyboardInterrupt):
        sweep(
            subject,
            recording,
            FEW,
            recovery=False,
            executor=executor,
            results=file,
            progress=swept.Interrupts(most),
        )
    if executor is not None:
        executor.shutdown()
    kept = len(file.read_bytes().splitlines()) - 1
    assert kept >= most

    for run in runs.iterdir():
        run.unlink()
    report = sweep(subject, recording, FEW, recovery=False, results=file)

    assert report.digest == sweep(subject, recording, FEW, recovery=False).digest
    clean = 1
    left = len(report.results) - kept
    again = len(report.results) + clean
    assert len(list(runs.iterdir())) == left + clean + again


def test_a_line_that_was_cut_is_run_again_and_the_others_are_not(
    recording: Path, tmp_path: Path, in_order: Report
) -> None:
    file = tmp_path / "results.jsonl"
    sweep(swept.naive, recording, FEW, results=file)
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join(lines[:-1]) + lines[-1][:20])
    ran: list[int] = []
    report = sweep(
        swept.naive,
        recording,
        FEW,
        results=file,
        progress=lambda result, _: ran.append(result.number),
    )

    assert ran == [in_order.results[-1].number]
    assert report == in_order
    assert file.read_bytes() == b"".join(lines)


@pytest.mark.parametrize(
    "change",
    [
        {"subject": swept.anaive},
        {"recovery": False},
        {"expect": {"json.html": "either"}},
        {"seed": 1},
        {"recording": None},
    ],
    ids=lambda it: next(iter(it)),
)
def test_the_results_of_another_sweep_are_not_taken_for_those_of_this(
    change: dict[str, Any], recording: Path, tmp_path: Path
) -> None:
    file, other = tmp_path / "results.jsonl", tmp_path / "other.yaml"
    other.write_bytes(cassette(stream("openai_chat", gap=0.1), swept.URL))
    sweep(swept.naive, recording, "json.html", results=file)
    before = file.read_bytes()
    subject = change.pop("subject", swept.naive)
    path = other if change.pop("recording", recording) is None else recording

    with pytest.raises(PlanError, match="another sweep"):
        sweep(subject, path, "json.html", results=file, **change)

    assert file.read_bytes() == before


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"garbage\n", "line 1 does not tell of a sweep"),
        (b'{"number":1}\n', "line 1 does not tell of a sweep"),
        (b"\xff\xfe\n", "line 1 does not tell of a sweep"),
        (b"[]\n", "line 1 does not tell of a sweep"),
        (None, "another sweep"),
    ],
    ids=["garbage", "half", "bytes", "list", "another_sweep"],
)
def test_a_file_of_something_else_is_an_error_and_left_as_it_is(
    content: bytes | None, says: str, recording: Path, tmp_path: Path
) -> None:
    file = tmp_path / "results.jsonl"
    if content is None:
        sweep(swept.naive, recording, "json.html", results=file)
    else:
        file.write_bytes(content)
    before = file.read_bytes()

    with pytest.raises(PlanError, match=says) as caught:
        sweep(swept.naive, recording, FEW, results=file)

    assert "another file" in str(caught.value)
    assert file.read_bytes() == before


def test_a_line_in_the_middle_that_is_no_result_is_told_by_its_number(
    recording: Path, tmp_path: Path
) -> None:
    file = tmp_path / "results.jsonl"
    sweep(swept.naive, recording, FEW, results=file)
    lines = file.read_bytes().splitlines()
    lines[3] = lines[3][:30]
    file.write_bytes(b"\n".join(lines) + b"\n")

    with pytest.raises(PlanError, match="line 4 holds no result"):
        sweep(swept.naive, recording, FEW, results=file)


def test_results_that_cannot_be_written_are_told_of_before_the_first_trial(
    recording: Path, tmp_path: Path
) -> None:
    with pytest.raises(CassetteWriteError):
        sweep(swept.naive, recording, FEW, results=tmp_path)


# -- what is tried


def refuses(*_: object) -> str:
    raise ValueError("no")


@pytest.mark.parametrize(
    ("subject", "faults", "error", "says"),
    [
        (refuses, FEW, PlanError, "fails without any fault"),
        (len, FEW, PlanError, "fails without any fault"),
        (str, FEW, PlanError, "asked for nothing"),
        (swept.naive, "body.fim@event=3", UnknownFaultError, "nearest: body.fin"),
        (swept.naive, ["bodi.*"], PlanError, "no layer"),
        (swept.naive, 7, PlanError, "it can be"),
        (swept.naive, [], PlanError, "nothing to try"),
    ],
    ids=["fails", "takes_more", "asks_nothing", "unknown", "layer", "number", "nothing"],
)
def test_what_makes_no_sense_is_an_error_before_anything_is_broken(
    subject: Callable[..., Any],
    faults: Any,
    error: type[Exception],
    says: str,
    recording: Path,
) -> None:
    with pytest.raises(error, match=says):
        sweep(subject, recording, faults)


def test_a_catalogue_is_swept_whole() -> None:
    reply = Recorded(1, tuple(stream("openai_chat")))
    trials = trials_of("all", [reply], positions="sampled", seed=0, expect={})
    spoken = {id_ for id_, info in catalogue().items() if info.has("openai_chat")}

    assert {it.fault for it in trials} == spoken
    assert [it.number for it in trials] == list(range(1, len(trials) + 1))
    assert len({it.text for it in trials}) == len(trials)


def test_every_event_and_every_byte_is_a_place_of_its_own(recording: Path) -> None:
    steps = [step.data for step in stream("openai_chat") if isinstance(step, Emit)]
    events = sweep(swept.naive, recording, "body.reset", positions="every-event", recovery=False)
    numbers = [f"body.reset@event={number}" for number in range(1, len(steps) + 1)]
    job = Recorded(1, tuple(stream("openai_chat")))
    trials = trials_of("body.reset", [job], positions="every-byte", seed=0, expect={})

    assert {it.rule for it in events.results if "inside" not in it.rule} == set(numbers)
    assert [it.text for it in trials] == [
        f"body.reset@byte={number}" for number in range(sum(map(len, steps)))
    ]


def test_what_is_expected_can_be_said_for_a_fault(recording: Path) -> None:
    plain = sweep(swept.naive, recording, "body.clean_end@event=3")
    allowed = sweep(
        swept.naive, recording, "body.clean_end", expect={"body.clean_end": "undetectable"}
    )

    assert [it.verdict for it in plain.bad] == [Verdict.SILENT]
    assert all(it.good for it in allowed.results if it.verdict is Verdict.SILENT)
    with pytest.raises(PlanError, match=r"body\.kleen_end"):
        sweep(swept.naive, recording, FEW, expect={"body.kleen_end": "raises"})


def test_a_fault_that_never_strikes_is_no_verdict_and_says_why(recording: Path) -> None:
    report = sweep(swept.naive, recording, Plan((Rule("body.fin", at=Event(900)),)))

    [result] = report.results
    assert result.verdict is None
    assert "event=900 never fired" in str(result.why)
    assert not report.tried
    assert not report.bad
