from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from support import CORPUS

pytest_plugins = ["pytester"]

# No test depends on wall time. Where CI is set, Hypothesis has such a profile of its own.
if not os.environ.get("CI"):
    settings.register_profile("suite", deadline=None)
    settings.load_profile("suite")


@pytest.fixture(autouse=True)
def not_in_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    """The default mode is that of a developer's machine, wherever the suite runs."""
    monkeypatch.delenv("CI", raising=False)


NO_CORPUS = "no corpus of public streams here: set CASSETTE_STREAM_CORPUS to its folder"


@pytest.fixture(scope="session")
def corpus() -> Path:
    """The folder of recorded public streams; a checkout without it skips."""
    if not (CORPUS / "corpus" / "public_index.jsonl").is_file():
        pytest.skip(NO_CORPUS)
    return CORPUS


def pytest_terminal_summary(terminalreporter: Any) -> None:
    skipped = terminalreporter.stats.get("skipped", [])
    count = sum(NO_CORPUS in str(report.longrepr) for report in skipped)
    terminalreporter.write_line(f"{count} checks skipped for lack of the corpus")


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    """Asynchronous tests run on both."""
    return request.param
