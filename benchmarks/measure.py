"""What the benchmarks share: interleaved rounds, CPU time, medians, one table.

Everybody runs in the same process, in turn, round after round, so that a busy machine
hits all alike; the figure is the median of CPU time. Absolute figures wander from
machine to machine: the ratios are what to read.
"""

from __future__ import annotations

import gc
import platform
import statistics
import sys
import time
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence


def interleaved(subjects: Mapping[str, Callable[[], object]], *, rounds: int) -> dict[str, float]:
    """The median CPU seconds of one call of each of the *subjects*, by name.

    Each is called once unmeasured, to warm up; then *rounds* times in turn.
    """
    for subject in subjects.values():
        subject()
    seconds: dict[str, list[float]] = {name: [] for name in subjects}
    for _ in range(rounds):
        for name, subject in subjects.items():
            gc.collect()
            start = time.process_time()
            subject()
            seconds[name].append(time.process_time() - start)
    return {name: statistics.median(each) for name, each in seconds.items()}


def introduce(title: str, *distributions: str) -> None:
    """Print the *title*, the command line and the version of everybody who takes part."""
    print(title)
    print(f"$ {' '.join(['python', *sys.argv])}")
    print(
        ", ".join(
            [
                f"{platform.python_implementation()} {platform.python_version()}",
                *(
                    f"{name} {version_of(name) or 'not installed: skipped'}"
                    for name in distributions
                ),
            ]
        )
    )
    print()


def version_of(distribution: str) -> str | None:
    """The installed version of a *distribution*, None where there is none."""
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


def show(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table: the first of the *columns* names the row, the others are figures."""
    table = Table(title=title, title_justify="left")
    for index, column in enumerate(columns):
        table.add_column(column, justify="right" if index else "left", no_wrap=not index)
    for row in rows:
        table.add_row(*row)
    Console(width=None if sys.stdout.isatty() else 120).print(table)
