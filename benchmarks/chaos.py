"""Sweeps: trials a second in virtual time, against real sleeps, and what a trial is made of.

A sweep is measured whole, in wall time and in CPU time, several times, in turn with the
others. What it would take with real sleeps is not waited for: virtual seconds are added up,
and some trials are run again on a real clock, to see that a virtual second is a real one.
"""

from __future__ import annotations

import gc
import json
import os
import statistics
import tempfile
import time
from array import array
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import httpx
from measure import interleaved, introduce, show
from sleeps import slept
from streams import stream

from cassette_stream import chaos, completion, use_cassette
from cassette_stream.cassette import Cassette, Interaction, Request, Response, dumps
from cassette_stream.chaos.job import Job, job_of
from cassette_stream.chaos.subject import Subject
from cassette_stream.chaos.trial_run import delivery_of, run_trial
from cassette_stream.chaos.trials import Recorded, trials_of
from cassette_stream.chaos.verdict import judge
from cassette_stream.clock import VirtualClock
from cassette_stream.faults import Plan
from cassette_stream.replayer import script_of

ROUNDS = 3
PIECES = {"62 kB": 197, "4 kB": 11}
"""Pieces of the answer by the size of the recording, which has three events more."""
SAMPLE = 5
MOST_SECONDS = 20.0
GAP_US, HEAD_US = 20_000, 300_000
URL = "https://api.openai.com/v1/chat/completions"
MESSAGES: Any = [{"role": "user", "content": "Go."}]
BODY = {"model": "gpt-4o", "stream": True, "messages": MESSAGES}
HEADERS = {"content-type": "text/event-stream"}

CLIENT = httpx.Client()
"""One for all runs: a client takes longer to make than any trial."""


def loop() -> str:
    """The loop that everybody could write, by hand."""
    return loop_of(CLIENT)


def loop_of(client: httpx.Client) -> str:
    text = ""
    with client.stream("POST", URL, json=BODY) as response:
        for line in response.iter_lines():
            if line.startswith("data: ") and line != "data: [DONE]":
                for choice in json.loads(line[6:])["choices"]:
                    text += choice["delta"].get("content") or ""
    return text


def ours() -> object:
    answer: Any = completion("openai/gpt-4o", MESSAGES, stream=True, api_key="sk-none")
    for _ in answer:
        pass
    return answer.response


SUBJECTS: dict[str, Callable[[], Any]] = {"httpx loop": loop, "completion": ours}


def write_recording(path: Path, chunks: list[bytes]) -> Path:
    interaction = Interaction(
        recorded_at=datetime(2026, 11, 23, 12, tzinfo=UTC),
        request=Request(
            method="POST",
            url=URL,
            headers={"content-type": ("application/json",)},
            body=json.dumps(BODY).encode(),
        ),
        response=Response(
            status=200,
            headers={name: (value,) for name, value in HEADERS.items()},
            head_after_us=HEAD_US,
            body=b"".join(chunks),
            sizes=array("q", map(len, chunks)),
            gaps_us=array("q", [GAP_US] * len(chunks)),
        ),
    )
    path.write_bytes(dumps(Cassette(interactions=(interaction,))))
    return path


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """One sweep: what came of it, and what it took."""

    report: chaos.Report
    wall: float
    cpu: float
    slept: int

    @property
    def runs(self) -> int:
        """The trials, and the runs after them that show whether the subject recovers."""
        return len(self.report.results) + self.recoveries

    @property
    def recoveries(self) -> int:
        return sum(result.recovered is not None for result in self.report.results)

    @property
    def virtual(self) -> float:
        """The seconds that all its runs would have waited."""
        seconds = sum(result.seconds for result in self.report.results)
        return seconds + self.recoveries * self.report.clean.seconds

    @property
    def real_time_waits(self) -> int:
        return sum(sum(result.real_time.values()) for result in self.report.results)


def cpu_seconds() -> float:
    """Of this process and of the workers that have ended."""
    told = os.times()
    return told.user + told.system + told.children_user + told.children_system


def swept(sweep: Callable[[], chaos.Report]) -> Swept:
    gc.collect()
    before, wall, cpu = len(slept), time.perf_counter(), cpu_seconds()
    report = sweep()
    return Swept(
        report=report,
        wall=time.perf_counter() - wall,
        cpu=cpu_seconds() - cpu,
        slept=len(slept) - before,
    )


def in_turn(sweeps: dict[str, Callable[[], chaos.Report]]) -> dict[str, Swept]:
    """Of *ROUNDS* rounds the sweep of each whose wall time is the median, with the median CPU."""
    found: dict[str, list[Swept]] = {name: [] for name in sweeps}
    for _ in range(ROUNDS):
        for name, sweep in sweeps.items():
            found[name].append(swept(sweep))
    return {
        name: Swept(
            report=each[0].report,
            wall=statistics.median(one.wall for one in each),
            cpu=statistics.median(one.cpu for one in each),
            slept=sum(one.slept for one in each),
        )
        for name, each in found.items()
    }


def pooled(subject: Callable[[], Any], path: Path) -> chaos.Report:
    """An every-byte sweep on two cores; starting and ending the workers is part of it."""
    with ProcessPoolExecutor(2) as executor:
        return every_byte(subject, path, executor=executor)


def every_byte(subject: Callable[[], Any], path: Path, **options: Any) -> chaos.Report:
    return chaos.sweep(subject, path, ["body.fin"], positions="every-byte", **options)


def on_a_real_clock(path: Path, results: list[chaos.Result]) -> tuple[float, float]:
    """Virtual and real seconds of some of the *results*' trials, drawn."""
    short = [result for result in results if 1 <= result.seconds <= 6]
    virtual = real = 0.0
    for result in Random(0).sample(short, SAMPLE):
        start = time.perf_counter()
        with (
            use_cassette(path, mode="none", pace="recorded", faults=result.rule),
            suppress(httpx.HTTPError, ValueError, LookupError),
        ):
            loop()
        virtual, real = virtual + result.seconds, real + time.perf_counter() - start
    return virtual, real


def show_sweeps(path: Path) -> None:
    found = in_turn(
        {
            name: partial(chaos.sweep, subject, path, "common", positions="every-event")
            for name, subject in SUBJECTS.items()
        }
    )
    rows = [
        [
            name,
            f"{len(each.report.results):,} / {each.runs:,}",
            f"{each.wall:.1f}",
            f"{each.cpu:.1f}",
            f"{len(each.report.results) / each.cpu:,.0f}",
            f"{each.virtual:,.0f}",
            f"{each.virtual / each.wall:,.0f}",
            f"{each.slept} / {each.real_time_waits}",
        ]
        for name, each in found.items()
    ]
    columns = ["subject", "trials / runs", "wall s", "CPU s", "trials a CPU second"]
    columns += ["virtual s", "virtual / wall", "sleeps / real waits"]
    show("every event x common faults, 200 events", columns, rows)
    virtual, real = on_a_real_clock(path, list(found["httpx loop"].report.results))
    print(
        f"{SAMPLE} drawn trials of 1 to 6 virtual seconds, with real sleeps: {real:.1f} s, "
        f"{real / virtual:.3f} of their virtual {virtual:.1f} s.\n"
        "So a sweep with real sleeps would take its virtual seconds; nobody waited for it."
    )
    none = sum(each.slept + each.real_time_waits for each in found.values()) == 0
    print(f"no real sleep in virtual time: {'held' if none else 'MISSED'}")


def show_every_byte(path: Path) -> None:
    sweeps: dict[str, Callable[[], chaos.Report]] = {}
    for name, subject in SUBJECTS.items():
        sweeps[f"{name}, in order"] = partial(every_byte, subject, path)
        sweeps[f"{name}, two processes"] = partial(pooled, subject, path)
    found = in_turn(sweeps)
    rows = [
        [
            name,
            f"{len(each.report.results):,} / {each.runs:,}",
            f"{each.wall:.1f}",
            f"{each.cpu:.1f}",
            f"{len(each.report.results) / each.cpu:,.0f}",
            "held" if each.wall < MOST_SECONDS else "MISSED",
        ]
        for name, each in found.items()
    ]
    under = f"under {MOST_SECONDS:g} s"
    print()
    show(
        "body.fin at every byte of 4 kB, each followed by a run that recovers",
        ["subject", "trials / runs", "wall s", "CPU s", "trials a CPU second", under],
        rows,
    )


def parts(path: Path) -> Iterator[tuple[str, float]]:
    """Microseconds of CPU of the parts of one trial: a stream that breaks half way."""
    job: Job = job_of(loop, path)
    recorded = [Recorded(1, tuple(script_of(job.clean.asked[0])))]
    [trial] = trials_of("body.fin@event=100", recorded, positions="sampled", seed=0, expect={})
    run, clean = job.perform(trial.plan), job.clean.outcome
    chunks = stream("openai", PIECES["62 kB"])[:99]

    def broken() -> Iterator[bytes]:
        yield from chunks
        raise httpx.RemoteProtocolError("as the fault has it")

    mock = httpx.Client(
        transport=httpx.MockTransport(
            lambda _: httpx.Response(200, headers=HEADERS, content=broken())
        )
    )

    def by_mock() -> None:
        with suppress(httpx.HTTPError):
            loop_of(mock)

    us = interleaved(
        {
            "trial": partial(run_trial, job, trial, recovery=False),
            "run": partial(job.perform, trial.plan),
            "session": partial(job.perform, Plan(()), nothing),
            "subject": by_mock,
            "judge": partial(judge, run.outcome, clean, job.families, job.key),
            "deliveries": lambda: [delivery_of(reply) for reply in run.replies],
        },
        rounds=200,
    )
    us = {name: seconds * 1e6 for name, seconds in us.items()}
    yield "a trial without recovery", us["trial"]
    yield "subject on httpx.MockTransport", us["subject"]
    yield "replay and fault, beyond that", us["run"] - us["subject"] - us["session"]
    yield "session and witness, nothing run", us["session"]
    yield "judge", us["judge"]
    yield "deliveries for the report", us["deliveries"]
    yield "what is left", us["trial"] - us["run"] - us["judge"] - us["deliveries"]


def nothing(_: Subject, __: VirtualClock, ___: list[str]) -> None:
    """Run nothing."""


def main() -> None:
    introduce(
        f"Sweeps in virtual time, medians of {ROUNDS} rounds; "
        f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores",
        "cassette-stream",
        "httpx",
    )
    with tempfile.TemporaryDirectory() as folder:
        paths = {
            name: write_recording(Path(folder, f"{count}.yaml"), stream("openai", count))
            for name, count in PIECES.items()
        }
        show_sweeps(paths["62 kB"])
        show_every_byte(paths["4 kB"])
        print()
        found = dict(parts(paths["62 kB"]))
        whole = found["a trial without recovery"]
        show(
            "a trial of 99 chunks and a break, microseconds of CPU",
            ["part", "microseconds", "of the trial"],
            [[name, f"{us:,.0f}", f"{us / whole:.2f}"] for name, us in found.items()],
        )
    print(f"load average {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
