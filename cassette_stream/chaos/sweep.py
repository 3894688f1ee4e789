"""A sweep: a subject run once clean, then once for each thing that can go wrong.

Trials know nothing of each other, so where they run does not matter: in order, in worker
processes, on machines that an executor reaches. Results are written down as they come,
and what a file holds already is not run again.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, wait
from hashlib import blake2b
from pathlib import Path
from typing import Any, Unpack

import msgspec

from cassette_stream import storage
from cassette_stream._version import __version__
from cassette_stream.chaos.job import Job, JobOptions, job_of
from cassette_stream.chaos.report import CleanRun, Report
from cassette_stream.chaos.results import Result, Swept, read_results
from cassette_stream.chaos.shrink import Shrunk, shrink_plan
from cassette_stream.chaos.trial_run import delivery_of, run_trial, run_trials
from cassette_stream.chaos.trials import Positions, Recorded, Trial, trials_of
from cassette_stream.chaos.verdict import Verdict
from cassette_stream.clock import time_by_name
from cassette_stream.exceptions import PlanError, SweepError
from cassette_stream.faults import Expect, Plan, catalogue, plan_of
from cassette_stream.replayer import script_of

__all__ = ("shrink", "sweep")

_BATCH = 16


def sweep(
    subject: Callable[..., Any],
    cassette: str | Path,
    faults: object = "common",
    *,
    positions: Positions = "sampled",
    seed: int = 0,
    expect: Mapping[str, Expect] | None = None,
    recovery: bool = True,
    executor: Executor | None = None,
    results: str | Path | None = None,
    progress: Callable[[Result, int], object] | None = None,
    **options: Unpack[JobOptions],
) -> Report:
    """Break a recording in many ways, and tell what *subject* makes of each.

    It runs without network and in virtual time: timers, deadlines and sleeps of the
    subject pass at once, in the order in which they would.

    Args:
        subject: A function, or coroutine function, that makes the requests of the cassette.
        cassette: The recording.
        faults: ``common`` (the twenty that are reported most), ``all``, ids, layers such as
            ``body.*``, rules, the text of one, or a `cassette_stream.faults.Plan`.
        positions: Where each fault strikes: at ``every-event``, at ``every-byte`` where the
            fault can, or at some places, ``sampled`` by *seed*.
        seed: What samples and chances are drawn by.
        expect: What a correct client does, by fault, where that is not what the catalogue says.
        recovery: Run it once more after each trial that went wrong, without the fault.
        executor: Where trials run, any of `concurrent.futures` or of another engine; here and
            in order if None. The subject must be a function that workers can import.
        results: A file that gets each result as a line of JSON, behind one that tells what
            was swept; a sweep that was interrupted goes on where it was.
        progress: Called with each result, and the number of trials.
        options: How the subject is called and judged: see `JobOptions`.

    Raises:
        PlanError: There is nothing to try, or the subject fails without any fault.
        CassetteError: The cassette cannot be read, or the results not be written.
        SweepError: A worker died.
    """
    job = job_of(subject, cassette, **options)
    recorded = _recorded(job)
    trials = trials_of(
        faults, recorded, positions=positions, seed=seed, expect=_checked(expect or {})
    )
    written = _Written(results, _swept(job, trials, recovery=recovery), trials)
    try:
        for found in _run(job, written.left(trials), executor, recovery=recovery):
            # All of them before anybody can interrupt.
            for result in found:
                written.add(result)
            if progress is not None:
                for result in found:
                    progress(result, len(trials))
    except Exception as error:
        if not _is_of_engine(error):
            raise
        raise SweepError(
            f"a worker died; {len(written.results)} of {len(trials)} results are there"
            + (f", in {results}: the same sweep again goes on from them" if results else "")
        ) from error
    finally:
        written.close()
    return Report(
        version=__version__,
        subject=job.subject.name,
        cassette=Path(cassette).name,
        catalogue=len(catalogue()),
        positions=positions,
        seed=seed,
        clean=_clean_run(job),
        families=tuple(sorted(f"{it.__module__}.{it.__qualname__}" for it in job.families)),
        time_by_name=tuple(sorted(map(str, time_by_name()))),
        results=tuple(sorted(written.results.values(), key=lambda result: result.number)),
    )


def shrink(
    subject: Callable[..., Any],
    cassette: str | Path,
    faults: object,
    *,
    most: int = 200,
    expect: Mapping[str, Expect] | None = None,
    **options: Unpack[JobOptions],
) -> Shrunk:
    """The smallest plan that goes wrong in the way in which *faults*, together, do.

    The same way is the same verdict with the same flags and, of a leaking exception, the
    same class: another one is another bug.

    Args:
        subject: As `sweep` has it.
        cassette: The same.
        faults: A rule, the text of one, several, or a plan without chance.
        most: How many trials it may take.
        expect: As `sweep` has it.
        options: The same.

    Raises:
        PlanError: *faults* do nothing that a correct client would not do.
    """
    job = job_of(subject, cassette, **options)
    recorded, expected = _recorded(job), _checked(expect or {})
    plan = plan_of(faults).resolve(requests=len(recorded), attempts=1)

    def run(plan: Plan) -> Result:
        [trial] = trials_of(plan, recorded, positions="sampled", seed=0, expect=expected)
        return run_trial(job, trial, recovery=False)

    first = run(plan)
    if first.verdict is None or first.good:
        why = first.why or f"its verdict is {first.verdict}, as it should be"
        raise PlanError(f"{first.rule} does not go wrong, so there is nothing to shrink: {why}")

    def fails(smaller: Plan) -> bool:
        result = run(smaller)
        return not result.good and _way(result) == _way(first)

    return shrink_plan(plan, fails, most=most)


def _way(result: Result) -> tuple[object, ...]:
    """How it went wrong."""
    is_told = result.verdict in {Verdict.RAISED, Verdict.WRONG_ERROR}
    error = (result.error or "").partition(": ")[0] if is_told else None
    return result.verdict, result.flags, error


def _recorded(job: Job) -> list[Recorded]:
    """The replies of the clean run, in the order of their requests."""
    return [
        Recorded(number, tuple(script_of(interaction)))
        for number, interaction in enumerate(job.clean.asked, 1)
    ]


def _clean_run(job: Job) -> CleanRun:
    clean = job.clean
    return CleanRun(
        seconds=round(clean.seconds, 6),
        answer=repr(clean.outcome.result)[:300],
        deliveries=tuple(map(delivery_of, clean.replies)),
    )


def _checked(expect: Mapping[str, Expect]) -> Mapping[str, Expect]:
    unknown = sorted(expect.keys() - catalogue().keys())
    if unknown:
        raise PlanError(f"expect names {unknown[0]!r}, and there is no such fault")
    return expect


class _Written:
    """The results so far, in memory and in a file, if there is one.

    Raises:
        PlanError: The file holds something else.
    """

    def __init__(self, path: str | Path | None, swept: Swept, trials: Sequence[Trial]) -> None:
        self.results: dict[int, Result] = {}
        self.path = path
        self._lines = None if path is None else storage.Lines(path)
        if self._lines is not None:
            try:
                self._take_up(self._lines, swept, {trial.number for trial in trials})
            except ValueError as error:
                self._lines.close()
                raise PlanError(f"{path}: {error}; give another file, or delete this one") from None

    def left(self, trials: Sequence[Trial]) -> list[Trial]:
        return [trial for trial in trials if trial.number not in self.results]

    def add(self, result: Result) -> None:
        self.results[result.number] = result
        if self._lines is not None:
            self._lines.add(msgspec.json.encode(result))

    def close(self) -> None:
        if self._lines is not None:
            self._lines.close()

    def _take_up(self, lines: storage.Lines, swept: Swept, numbers: set[int]) -> None:
        known, found = read_results(lines.found)
        if known is None:
            lines.add(msgspec.json.encode(swept))
        elif known != swept:
            raise ValueError(f"it holds the results of another sweep, of {known.subject}")
        self.results.update((it.number, it) for it in found if it.number in numbers)


def _swept(job: Job, trials: Sequence[Trial], *, recovery: bool) -> Swept:
    told = [(trial.number, trial.text, trial.expect) for trial in trials]
    counts = [__version__, job.subject.name, recovery, job.ignore, job.patience, told]
    digest = blake2b(job.cassette + msgspec.json.encode(counts), digest_size=8)
    return Swept(subject=job.subject.name, of=digest.hexdigest())


def _is_of_engine(error: Exception) -> bool:
    """Whether it is not the trials that failed, but what they run in; Dask has its own errors."""
    return isinstance(error, BrokenExecutor) or type(error).__module__.startswith("distributed.")


def _run(
    job: Job, trials: list[Trial], executor: Executor | None, *, recovery: bool
) -> Iterator[list[Result]]:
    """The results that are there, whenever there are some."""
    if executor is None:
        for trial in trials:
            yield run_trials(job, [trial], recovery=recovery)
        return
    size = max(1, min(_BATCH, math.ceil(len(trials) / 16)))
    batches = [trials[at : at + size] for at in range(0, len(trials), size)]
    futures: set[Future[list[Result]]] = {
        executor.submit(run_trials, job, batch, recovery=recovery) for batch in batches
    }
    try:
        while futures:
            done, futures = wait(futures, return_when=FIRST_COMPLETED)
            # What was done before a worker died comes first, and is not lost.
            failed = [future for future in done if future.exception() is not None]
            yield [result for future in done.difference(failed) for result in future.result()]
            for future in failed:
                future.result()
    finally:
        for future in futures:
            future.cancel()
