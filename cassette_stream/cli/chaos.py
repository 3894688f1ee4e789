"""`cassette-stream chaos`: a sweep over code of the user's own, and what came of it."""

from __future__ import annotations

import importlib
import io
import multiprocessing
import os
import shlex
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager, nullcontext, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

from cassette_stream import chaos, storage
from cassette_stream.chaos.again import plan_told
from cassette_stream.chaos.job import JobOptions, job_of
from cassette_stream.chaos.subject import Backend
from cassette_stream.chaos.trials import Positions
from cassette_stream.cli.chaos_progress import progress_of
from cassette_stream.cli.chaos_report import Smallest, show
from cassette_stream.cli.terminal import console
from cassette_stream.exceptions import PlanError
from cassette_stream.faults import Rule, catalogue, parse_rule, read_plan

__all__ = ("Wanted", "run")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is swept: the options of the command that decide what comes of it."""

    subject: str
    cassette: Path
    faults: tuple[str, ...]
    specs: tuple[str, ...]
    plan: Path | None
    positions: Positions
    seed: int
    raises: tuple[str, ...]
    ignore: tuple[str, ...]
    match_on: tuple[str, ...]
    patience: float
    backend: Backend

    @property
    def command(self) -> str:
        """The command with all that is not about which trials there are."""
        told = ["cassette-stream", "chaos", self.subject, "--cassette", str(self.cassette)]
        for option, values in (
            ("--raises", self.raises),
            ("--ignore", self.ignore),
            ("--match-on", self.match_on),
            ("--patience", () if self.patience == 1800 else (f"{self.patience:g}",)),
            ("--backend", () if self.backend == "asyncio" else (self.backend,)),
        ):
            told += [word for value in values for word in (option, value)]
        return shlex.join(told)


def run(
    wanted: Wanted,
    *,
    workers: int,
    results: Path | None,
    json_to: Path | None,
    html_to: Path | None,
    shrink: bool,
) -> int:
    """Sweep, write what was asked for, and give the exit code.

    Raises:
        PlanError: The options make no sense, or there is nothing to compare with.
        CassetteError: A file cannot be read or written.
        SweepError: A worker died.
    """
    tried = _tried(wanted)
    with _importable(), _quiet():
        subject = _subject(wanted.subject)
        options = _options(wanted)
        _check(subject, wanted, options)
        try:
            with _executor(workers) as executor, progress_of() as progress:
                report = chaos.sweep(
                    subject,
                    wanted.cassette,
                    tried,
                    positions=wanted.positions,
                    seed=wanted.seed,
                    executor=executor,
                    results=results,
                    progress=progress,
                    **options,
                )
        except KeyboardInterrupt:
            kept = f": {results} has what came by then, and the same command goes on from it"
            typer.echo(f"error: stopped{kept if results else ''}", err=True)
            return 130
        smallest = list(_shrunk(report, subject, wanted, options)) if shrink else []
    if html_to is not None:
        storage.write(html_to, report.to_html(command=wanted.command).encode())
    if json_to is not None and str(json_to) != "-":
        storage.write(json_to, report.to_json(indent=2) + b"\n")
    if str(json_to) == "-":
        sys.stdout.write(report.to_json(indent=2).decode() + "\n")
    else:
        show(report, wanted.command, smallest, console())
    return 1 if report.dangerous else 0


def _tried(wanted: Wanted) -> Any:
    """What `chaos.sweep` takes for the options."""
    if wanted.plan is not None:
        return read_plan(storage.read(wanted.plan), file=str(wanted.plan))
    found: list[str | Rule] = []
    names = [name.strip() for told in wanted.faults for name in told.split(",")]
    for name in names or ([] if wanted.specs else ["common"]):
        if name in {"all", "common"}:
            rows = catalogue().values()
            found += [info.id for info in rows if name == "all" or info.common]
        elif "@" in name:
            raise PlanError(f"--faults takes ids and layers; {name!r} is for --fault")
        else:
            found.append(name)
    return [*dict.fromkeys(found), *map(parse_rule, wanted.specs)]


def _subject(place: str) -> Callable[..., Any]:
    try:
        return chaos.subject_named(place)
    except PlanError:
        raise
    except Exception as error:
        # The module is the user's: where in it something went wrong is for him to see.
        traceback.print_exc()
        raise PlanError(f"{place.partition(':')[0]!r} cannot be imported: {error!r}") from error


def _options(wanted: Wanted) -> JobOptions:
    options: JobOptions = {
        "ignore": wanted.ignore,
        "patience": wanted.patience,
        "backend": wanted.backend,
    }
    if wanted.match_on:
        options["match_on"] = wanted.match_on
    if wanted.raises:
        options["raises"] = tuple(map(_exception, wanted.raises))
    return options


def _check(subject: Callable[..., Any], wanted: Wanted, options: JobOptions) -> None:
    """Refuse names and paths that make no sense, before anything runs."""
    job = job_of(subject, wanted.cassette, **options)
    try:
        _ = job.options
    except ValueError as error:
        raise PlanError(str(error)) from error


def _exception(place: str) -> type[BaseException]:
    module, _, name = place.partition(":")
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise PlanError(f"--raises {place}: {error}; write it as module:Class") from error
    if not (isinstance(found, type) and issubclass(found, BaseException)):
        raise PlanError(f"--raises {place}: that is {found!r}, and no class of exceptions")
    return found


@contextmanager
def _importable() -> Iterator[None]:
    """Let the modules in the current folder be imported, as ``python -m`` does."""
    here = os.getcwd()  # noqa: PTH109 - what sys.path holds is text
    sys.path.insert(0, here)
    try:
        yield
    finally:
        sys.path.remove(here)


class _Nowhere(io.TextIOBase):
    """A standard output that keeps nothing: what hundreds of runs print says nothing."""

    def write(self, text: str) -> int:
        return len(text)

    def writable(self) -> bool:
        return True


@contextmanager
def _quiet() -> Iterator[None]:
    with redirect_stdout(_Nowhere()):
        yield


def _in_worker(path: Sequence[str]) -> None:
    """Make a worker like this process: quiet, and with the same modules in reach."""
    sys.path[:] = path
    sys.stdout = _Nowhere()


def _executor(workers: int) -> Any:
    if not workers:
        return nullcontext()
    # A process that is forked while a progress bar is drawn may never wake up.
    context = multiprocessing.get_context("spawn")
    executor: Executor = ProcessPoolExecutor(
        workers, mp_context=context, initializer=_in_worker, initargs=(list(sys.path),)
    )
    return executor


def _shrunk(
    report: chaos.Report, subject: Callable[..., Any], wanted: Wanted, options: JobOptions
) -> Iterator[Smallest]:
    """The smallest plan for the first failure of each fault and verdict."""
    seen: set[tuple[str, chaos.Verdict | None]] = set()
    for result in report.bad:
        key = result.fault, result.verdict
        plan = plan_told(result.rule)
        if key in seen or plan is None:
            continue
        seen.add(key)
        found = chaos.shrink(subject, wanted.cassette, plan, **options)
        yield Smallest(result, found)
