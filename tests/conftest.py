from __future__ import annotations

import gc
import os
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest
from hypothesis import settings
from support import CORPUS, SOAK

pytest_plugins = ["pytester"]
collect_ignore = ["downstream"]  # a project of its own, which test_downstream.py runs

REST = int(os.environ.get("CASSETTE_STREAM_REST") or 0)

# No test depends on wall time. Where CI is set, Hypothesis draws the same in every run.
settings.register_profile(
    "suite",
    parent=settings.get_profile("ci" if os.environ.get("CI") else "default"),
    deadline=None,
    max_examples=100 if SOAK else 30,
)
settings.load_profile("suite")


@pytest.fixture(autouse=True)
def not_in_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    """The default mode is that of a developer's machine, wherever the suite runs."""
    monkeypatch.delenv("CI", raising=False)


@pytest.fixture(scope="session", autouse=True)
def no_authorities(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """None is needed on loopback, and each of thousands of clients would read them for 20 ms."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("SSL_CERT_FILE", raising=False)
        patch.setenv("SSL_CERT_DIR", str(tmp_path_factory.mktemp("authorities")))
        yield


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Of each test that is marked as a matrix, keep one cell in so many, drawn by its name.

    What is marked `rest` is left out, too. All of them run where CASSETTE_STREAM_SOAK is set,
    and where they are asked for by name; the others alone where CASSETTE_STREAM_REST is 1, and
    of their cells one in so many where it is more.
    """
    if SOAK or any("::" in argument for argument in config.args):
        return
    cells: dict[str, list[pytest.Item]] = defaultdict(list)
    for item in items:
        if item.get_closest_marker("matrix"):
            cells[item.nodeid.partition("[")[0]].append(item)
    left_out: set[pytest.Item] = set()
    for several in cells.values():
        [one_in] = several[0].get_closest_marker("matrix").args
        ranked = sorted(several, key=lambda item: crc32(item.nodeid.encode()))
        left_out.update(ranked[-(-len(ranked) // one_in) :])
    left_out.update(item for item in items if item.get_closest_marker("rest"))
    if REST:
        left_out = {it for it in items if it not in left_out or _is_spared(it)}
    config.hook.pytest_deselected(items=[item for item in items if item in left_out])
    items[:] = [item for item in items if item not in left_out]


def _is_spared(item: pytest.Item) -> bool:
    """Whether a cell that a plain run leaves out is left out by one of the rest, too."""
    drawn = crc32(item.nodeid[::-1].encode()) % REST
    return bool(drawn) and item.get_closest_marker("rest") is None


def pytest_collection_finish() -> None:
    """Spare every later collection of garbage the thousands of tests, which live to the end."""
    gc.collect()
    gc.freeze()


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
