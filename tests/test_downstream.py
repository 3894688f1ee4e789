"""A project of somebody else that uses all of the plugin: recorded once, played in any order.

It is in `downstream`, is never collected with ours, and is always run in a copy.
"""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import inner  # noqa: F401 - so that the runs in this process need not load it all again
import pytest
import pytest_cassette_stream
from hypothesis import settings
from pytest_cassette_stream import laws, strategies, use
from support import PROJECT, SOAK

DOWNSTREAM = PROJECT / "tests" / "downstream"
TABLES = PROJECT / ".hypothesis" / "unicode_data"
OPTIONS = {"name", "mode", "match_on", "ignore", "pace", "faults", *use._OWN}

RECORDED = {
    "growing.yaml",
    "test_a_question_is_recorded_and_then_played.yaml",
    "test_a_sweep_records_first_what_it_breaks.yaml",
    "test_so_is_an_asynchronous_one[asyncio].yaml",
    "test_so_is_an_asynchronous_one[trio].yaml",
}


@pytest.fixture
def project(pytester: pytest.Pytester) -> Iterator[Path]:
    shutil.copytree(
        DOWNSTREAM, pytester.path, dirs_exist_ok=True, ignore=shutil.ignore_patterns(".*", "__*__")
    )
    if TABLES.is_dir():  # those that Hypothesis has of Unicode take it a second to make
        shutil.copytree(TABLES, pytester.path / ".hypothesis" / TABLES.name)
    profile = settings.get_current_profile_name()
    yield pytester.path
    settings.load_profile(profile)  # its conftest has loaded one of its own


def run_with_workers(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-n2", "-p", "no:randomly", *arguments],
        cwd=project,
        # What they run was measured in this process.
        env={name: value for name, value in os.environ.items() if "COVERAGE" not in name},
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )


def recorded(project: Path) -> set[str]:
    return {path.name for path in project.rglob("*.yaml")} - {"counting.yaml"}


@pytest.mark.rest
def test_it_records_here_and_plays_in_two_processes_in_another_order(
    pytester: pytest.Pytester, project: Path
) -> None:
    first = pytester.runpytest_inprocess("-q")
    outcomes = first.parseoutcomes()
    files = recorded(project)
    then = run_with_workers(project, "--shuffle=1", "--cassette-mode=none")

    assert outcomes.keys() == {"passed"}
    assert files == RECORDED
    assert then.returncode == 0, then.stdout
    assert f"== {outcomes['passed']} passed in" in then.stdout
    assert "recorded" not in then.stdout


@pytest.mark.soak
@pytest.mark.skipif(not SOAK, reason="other orders are for CASSETTE_STREAM_SOAK")
@pytest.mark.parametrize("seed", [2, 3, 4])
def test_two_processes_record_in_any_order(project: Path, seed: int) -> None:
    first = run_with_workers(project, f"--shuffle={seed}")
    files = recorded(project)
    then = run_with_workers(project, f"--shuffle={seed + 1}", "--cassette-mode=none")

    assert first.returncode == 0, first.stdout
    assert files == RECORDED
    assert then.returncode == 0, then.stdout


@pytest.mark.rest
def test_a_bug_of_theirs_is_found_and_told(pytester: pytest.Pytester, project: Path) -> None:
    source = project / "parley" / "answer.py"
    text = source.read_text("utf-8")
    source.write_text(
        text.replace(".join(self.pieces)\n\n    def add", ".join(self.pieces[:-2])\n\n    def add"),
        "utf-8",
    )
    tests = ("test_it_keeps_the_laws", "recorded_and_then", "so_is_an")
    result = pytester.runpytest_inprocess("-k", " or ".join(tests))

    result.assert_outcomes(passed=1, failed=4)
    result.stdout.fnmatch_lines(
        [
            "*this law is broken: the answer says what the stream says",
            "*- cassette *test_a_question_is_recorded_and_then_played.yaml (mode once) -*",
            "*of which the last are:",
        ]
    )
    # Only those are kept of failed tests that ask for it.
    assert recorded(project) == {name for name in RECORDED if "asynchronous" in name}


def used() -> tuple[set[str], set[str]]:
    """The names that the project uses, and the options that it gives to the marker."""
    names, options = set[str](), set[str]()
    for path in DOWNSTREAM.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            match node:
                case ast.Call(func=ast.Attribute(attr="cassette"), keywords=keywords):
                    options.update(each.arg for each in keywords if each.arg)
                case ast.Name(id=name) | ast.Attribute(attr=name) | ast.arg(arg=name):
                    names.add(name)
                case ast.FunctionDef(name=name):  # a fixture that is overridden
                    names.add(name)
    return names, options


def test_it_uses_every_fixture_strategy_law_and_option() -> None:
    names, options = used()
    public = (pytest_cassette_stream, strategies, laws)

    assert [name for each in public for name in each.__all__ if name not in names] == []
    assert options >= OPTIONS
