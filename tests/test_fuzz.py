"""No input makes a reader raise what it does not document, hang, crash, or take all memory."""

from __future__ import annotations

import os
import random
import re
import signal
import sys
from pathlib import Path

import fuzzing
import pytest
from fuzz_targets import TARGETS, Target
from fuzzing import fuzz, inputs, write_seeds
from support import SOAK

OTHERS = sorted(TARGETS.keys() - {"cassette", "sse"})

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no signals to be seen there")


def nothing_is_found(target: str, count: int, into: Path) -> None:
    figures = fuzz(target, 20_000 if SOAK else count, seed=1, into=into)
    print(f"\n{figures}")

    assert list(map(str, figures.findings)) == []
    assert figures.inputs >= count


@pytest.mark.parametrize("target", ["cassette", "sse"])
def test_what_nobody_meant_is_read_or_refused(tmp_path: Path, target: str) -> None:
    nothing_is_found(target, 1_000, tmp_path)


@pytest.mark.matrix(4)
@pytest.mark.parametrize("target", OTHERS)
def test_so_it_is_by_the_other_decoders_and_by_plans(tmp_path: Path, target: str) -> None:
    nothing_is_found(target, 300, tmp_path)


FOUND: dict[str, tuple[str, bytes]] = {
    "an integer that no float holds": (
        "cassette",
        b"cassette: 1\n---\nrecorded_at: 2026-11-23T12:00:00.001Z\nrequest:\n  method: GET\n"
        b"  url: /\n  json: [%b]\nresponse: {status: 200, ending: complete}\n" % (b"1" * 400),
    ),
    "a seed that no float holds": ("plan", b"faults:\n  seed: " + b"9" * 400 + b"\n"),
    "a modality that is no text": (
        "gemini",
        (
            b'data: {"candidates":[],"usageMetadata":{"promptTokenCount":1,"promptTokensDetails":'
            b'[{"modality":{}}]}}\n\n'
        ),
    ),
    "a request of 5,000 digits": ("rule", b"body.fin@request=" + b"1" * 5_000),
    "a request of 5,000 digits in a plan": (
        "plan",
        b"faults:\n  rules:\n  - fault: body.fin\n    scope: {attempt: 2..%b}\n" % (b"1" * 5_000),
    ),
    "something behind an array": ("gemini", b' [{"text": ""}],"role": "model"}\r\n'),
}
"""What was found, made smaller."""


@pytest.mark.parametrize(("target", "data"), FOUND.values(), ids=FOUND)
def test_what_was_found_once_is_not_found_again(target: str, data: bytes) -> None:
    for number in range(50):
        TARGETS[target].reads(data, random.Random(number))


def test_an_input_is_a_function_of_the_seed_and_its_number(tmp_path: Path) -> None:
    for folder in ("one", "other"):
        write_seeds("sse", 7, tmp_path / folder)
    one = dict(inputs("sse", 0, 60, 7, tmp_path / "one"))
    other = dict(inputs("sse", 40, 20, 7, tmp_path / "other"))

    assert {number: one[number] for number in other} == other
    assert len(set(one.values())) > 50
    assert dict(inputs("sse", 0, 60, 8, tmp_path / "one")) != one


def planted(data: bytes, rng: random.Random) -> None:
    """A reader with every fault that there is, each at one input of forty."""
    match rng.randrange(40):
        case 1:
            raise KeyError(data)
        case 2:
            while True:
                pass
        case 3:
            os.kill(os.getpid(), signal.SIGSEGV)
        case 4:
            held = bytearray(70 << 20)
            held[::4096] = b"x" * len(held[::4096])


PLANTED = Target(planted, (), lambda: iter([b"x" * 200]), "events")


@pytest.mark.skipif(sys.platform != "linux", reason="memory is measured exactly on Linux alone")
def test_every_kind_of_fault_that_is_planted_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = tmp_path / "planted_worker.py"
    worker.write_text(WORKER.format(tests=str(Path(__file__).parent)), "utf-8")
    monkeypatch.setitem(TARGETS, "planted", PLANTED)
    monkeypatch.setattr(fuzzing, "WORKER", str(worker))
    monkeypatch.setattr(fuzzing, "CPU_SECONDS", 0.2)
    figures = fuzz("planted", 60, seed=1, into=tmp_path / "found")
    problems = "\n".join(finding.problem for finding in figures.findings)

    assert figures.inputs == 60
    assert "KeyError: b'" in problems
    assert "more than 0.2 s of CPU" in problems
    assert "died of SIGSEGV" in problems
    assert re.search(r"\b7\d MB for \d+ bytes", problems)
    for finding in figures.findings:
        assert (
            finding.file.read_bytes()
            == dict(inputs("planted", finding.number, 1, 1, tmp_path / "found"))[finding.number]
        )


WORKER = """\
import sys
sys.path.insert(0, {tests!r})
import fuzzing
from test_fuzz import PLANTED
fuzzing.TARGETS["planted"] = PLANTED
fuzzing.CPU_SECONDS = 0.2
sys.exit(fuzzing.main())
"""
