"""Running one trial: the subject once, broken, judged, and once more without the fault."""

from __future__ import annotations

from collections.abc import Iterable

from cassette_stream.chaos.job import Job, Run
from cassette_stream.chaos.probes import probe
from cassette_stream.chaos.results import Delivery, Result
from cassette_stream.chaos.trials import Trial
from cassette_stream.chaos.verdict import Flag, Verdict, is_good, judge
from cassette_stream.chaos.witness import Witnessed
from cassette_stream.faults import Plan
from cassette_stream.faults.framing import EventReader

__all__ = ("delivery_of", "run_trial", "run_trials")

_MOST_FRAMES = 120
_WIDTH = 300


_latest: Job | None = None
"""The job that this process had last: the trials of one sweep come in many pieces."""


def run_trials(job: Job, trials: Iterable[Trial], *, recovery: bool) -> list[Result]:
    """What comes of several trials; this is what a worker is asked for."""
    global _latest  # noqa: PLW0603 - of the process
    # A worker gets the job anew with each piece, and has made its clean run already.
    known = _latest
    if known is None or known.token != job.token:
        known = _latest = job
    return [run_trial(known, trial, recovery=recovery) for trial in trials]


def run_trial(job: Job, trial: Trial, *, recovery: bool = True) -> Result:
    """What comes of one.

    Raises:
        PlanError: The subject fails without any fault.
    """
    clean = job.clean.outcome
    info = trial.rule.info
    if info is not None and info.kind == "probe":
        run = probe(job, info.id)
        if isinstance(run, str):
            return _void(trial, run)
    else:
        run = job.perform(trial.plan)
        if run.unfired and len(run.unfired) == len(trial.plan.rules):
            return _void(trial, "; ".join(run.unfired))
    verdict, flags = judge(run.outcome, clean, job.families, job.key)
    recovered = None
    if recovery and (verdict is not Verdict.OK or flags):
        again = job.perform(Plan(()))
        recovered = judge(again.outcome, clean, job.families, job.key) == (Verdict.OK, ())
    return _result(trial, run, verdict, flags, recovered)


def _void(trial: Trial, why: str) -> Result:
    return Result(
        number=trial.number, fault=trial.fault, rule=trial.text, expect=trial.expect, why=why
    )


def _result(
    trial: Trial, run: Run, verdict: Verdict, flags: tuple[Flag, ...], recovered: bool | None
) -> Result:
    error = run.outcome.error
    return Result(
        number=trial.number,
        fault=trial.fault,
        rule=trial.text,
        expect=trial.expect,
        verdict=verdict,
        flags=flags,
        good=is_good(verdict, flags, trial.expect),
        recovered=recovered,
        error=_endless(run) or (None if error is None else _told(error)),
        answer=None if error is not None else _short(repr(run.outcome.result)),
        left_open=tuple(map(_sayable, run.outcome.left_open)),
        seconds=round(run.seconds, 6),
        deliveries=tuple(map(delivery_of, run.replies)),
        real_time=run.real_time,
        missed=tuple(map(_sayable, run.missed)),
    )


def _endless(run: Run) -> str | None:
    """What made the run a hang, where that was a stream that goes on and on."""
    for reply in run.replies:
        if run.outcome.hung and reply.ending == "endless":
            return (
                f"the stream went on for {reply.moment:g} s and {len(reply.body):,} bytes, and "
                "nothing bounds the whole of it: set a deadline, or a limit on the size"
            )
    return None


def _told(error: BaseException) -> str:
    return _short(f"{_name(error)}: {error}".rstrip(": "))


def _name(error: BaseException) -> str:
    kind = type(error)
    return (
        kind.__qualname__
        if kind.__module__ == "builtins"
        else f"{kind.__module__}.{kind.__qualname__}"
    )


def _short(text: str) -> str:
    text = _sayable(text)
    return text if len(text) <= _WIDTH else f"{text[: _WIDTH // 2]} … {text[-_WIDTH // 2 :]}"


def _sayable(text: str) -> str:
    """*text* with the halves of surrogate pairs spelled out, which JSON could not hold."""
    return text.encode(errors="backslashreplace").decode()


def delivery_of(reply: Witnessed) -> Delivery:
    """*reply* as a report has it."""
    struck = reply.struck_at
    return Delivery(
        request=f"{reply.request.method} {reply.request.url}",
        bytes=len(reply.body),
        events=_events(bytes(reply.body)),
        frames=_joined(reply.frames),
        ending=reply.ending,
        struck_bytes=None if struck is None else struck[0],
        struck_ms=None if struck is None else round(struck[1] * 1000, 3),
        is_closed=reply.is_closed,
    )


def _events(body: bytes) -> int:
    """How many events *body* holds, up to where it stops being a stream of events."""
    reader = EventReader()
    return sum(1 for events in (reader.feed(body), reader.finish()) for _ in events)


def _joined(frames: list[tuple[float, int]]) -> tuple[tuple[float, int], ...]:
    """Milliseconds and bytes of each chunk; of neighbours together, where there are many."""
    each = -(-len(frames) // _MOST_FRAMES) or 1
    return tuple(
        (round(frames[at][0] * 1000, 3), sum(size for _, size in frames[at : at + each]))
        for at in range(0, len(frames), each)
    )
