"""How far a sweep is, on a terminal, while it runs; nothing where standard error is none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from cassette_stream.chaos import Result
from cassette_stream.cli.terminal import console

__all__ = ("progress_of",)


@contextmanager
def progress_of() -> Iterator[Callable[[Result, int], None] | None]:
    """A function that is called with each result and the number of trials; None if nobody looks."""
    out = console(stderr=True)
    if not out.is_terminal:
        yield None
        return
    columns = (
        TextColumn("trials"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[bad]}", style="red"),
    )
    with Progress(*columns, console=out, transient=True, redirect_stdout=False) as shown:
        task = shown.add_task("trials", total=None, bad="")
        counts: Counter[str] = Counter()

        def told(result: Result, trials: int) -> None:
            if not result.good:
                counts[str(result.verdict)] += 1
            bad = ", ".join(f"{number:,} {verdict}" for verdict, number in sorted(counts.items()))
            shown.update(task, advance=1, total=trials, bad=bad)

        yield told
