"""The tutorial of docs/chaos.md, run as it stands."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "chaos.md").read_text("utf-8")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the programs of the page, and with what they recorded."""
    for name, program in re.findall(r"```python\n# (\w+\.py)\n(.*?)```", PAGE, re.DOTALL):
        (tmp_path / name).write_text(program, "utf-8")
    shutil.copy(ROOT / "fixtures" / "openai_text.yaml", tmp_path / "count.yaml")
    return tmp_path


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *command],
        cwd=folder,
        env=os.environ | {"COLUMNS": "80", "CI": "true", "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )


def shown(command: str) -> list[str]:
    """The pieces of the output that the page shows behind *command*, in their order."""
    block = re.search(rf"```sh\n{re.escape(command)}\n```\n\n```text\n(.*?)\n```", PAGE, re.DOTALL)
    assert block is not None
    return block[1].split("\n…\n")


@pytest.mark.parametrize(("name", "code"), [("naive", 1), ("careful", 0)])
def test_a_sweep_prints_what_the_page_shows(folder: Path, name: str, code: int) -> None:
    arguments = ["chaos", f"{name}:ask", "--cassette", "count.yaml"]

    done = run(folder, "cassette_stream", *arguments)

    assert done.returncode == code, done.stderr
    output = done.stdout
    for piece in shown(f"cassette-stream {' '.join(arguments)}"):
        _, found, output = output.partition(piece)
        assert found, f"{piece}\n\nis not in\n\n{done.stdout}"


def test_the_recording_of_the_page_answers_its_program(folder: Path) -> None:
    done = run(folder, "record")

    assert done.stdout == "1, 2, 3, 4, 5, 6, 7, 8, 9, 10.\n", done.stderr


def test_the_test_of_the_page_passes(folder: Path) -> None:
    block = re.search(r"## In a test\n\n```python\n(.*?)```", PAGE, re.DOTALL)
    assert block is not None
    (folder / "test_page.py").write_text(f"import careful\n{block[1]}", "utf-8")

    done = run(folder, "pytest", "-q", "-p", "no:cacheprovider", "test_page.py")

    assert done.returncode == 0, done.stdout
