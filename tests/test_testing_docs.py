"""The programs of docs/testing.md, in a folder of their own: recorded once, then offline."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from cassette_stream import LoopbackServer

PAGE = (Path(__file__).parents[1] / "docs" / "testing.md").read_text("utf-8")
PROGRAMS = dict(re.findall(r"```python\n# (\w+\.py)\n(.*?)```", PAGE, re.DOTALL))
RECORDS = ("test_shared.py", "test_first.py", "test_async.py", "test_anthropic.py")

# The laws have tests of their own, which draw more.
FEWER = """
from hypothesis import settings
settings.register_profile("fewer", max_examples=8, deadline=None, derandomize=True)
settings.load_profile("fewer")
"""


def run(
    folder: Path, environment: dict[str, str], *arguments: str
) -> subprocess.CompletedProcess[str]:
    keys = {"ANTHROPIC_API_KEY": "none", "OPENAI_API_KEY": "none"}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:randomly", *arguments],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(folder)} | keys | environment,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs, and what the first of them record from a server at the providers' place."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "conftest.py").write_text(FEWER, "utf-8")
    for name, program in PROGRAMS.items():
        (folder / name).write_text(program, "utf-8")
    return folder


@pytest.mark.rest
def test_the_programs_record_once_and_then_need_no_network(folder: Path) -> None:
    with LoopbackServer() as server:
        urls = {name: url for name, url in server.environment.items() if name.endswith("_URL")}
        first = run(folder, urls, *RECORDS, "test_threads.py")
        asked = len(server.exchanges)
    assert first.returncode == 0, first.stdout
    then = run(folder, urls, "--cassette-mode=none", "-n2")

    assert then.returncode == 0, then.stdout
    assert "recorded cassettes" in first.stdout
    assert "7 recorded, 1 replayed" in first.stdout
    assert asked == 7


def test_every_program_is_a_test_or_what_is_tested() -> None:
    others = [name for name in PROGRAMS if not name.startswith("test_")]

    assert others == ["app.py"]
    assert len(PROGRAMS) >= 16
