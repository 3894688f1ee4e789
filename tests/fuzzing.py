"""Fuzzes everything that reads bytes of others, in processes that may die of it.

    python tests/fuzzing.py --count 1000000 --seed 1 --into found

An input is a function of the seed, the target and its number, so what was found is found
again. Every input of a finding is written into the folder as it was read; the exit code is
1 if there is one. A finding is: an exception that is not documented, more than a second of
CPU, death by a signal, or more memory than 20 times the input and 64 MB beside.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from fuzz_targets import TARGETS
from mutations import LONGEST, mutated

__all__ = ("Figures", "Finding", "fuzz")

WORKER = __file__
"""The program that reads a batch."""

CPU_SECONDS = 1.0
MEGABYTE = 1 << 20
BATCH = 5_000
SEEDS = 30


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong with an input, which *file* holds."""

    target: str
    number: int
    problem: str
    file: Path

    def __str__(self) -> str:
        return f"{self.target} {self.number}: {self.problem}\n  {self.file}"


@dataclass(slots=True)
class Figures:
    """What came of the inputs of one target: how many there were, and the worst of each."""

    target: str
    inputs: int = 0
    cpu: float = 0.0
    """Seconds of the slowest."""
    memory: int = 0
    """Bytes that one of them took beyond what the process had before."""
    findings: list[Finding] = field(default_factory=list)

    def __str__(self) -> str:
        return (
            f"{self.target}: {self.inputs} inputs, {len(self.findings)} findings; slowest "
            f"{self.cpu * 1000:.0f} ms of CPU, memory + {self.memory / MEGABYTE:.1f} MB"
        )


def fuzz(target: str, count: int, *, seed: int, into: Path, first: int = 0) -> Figures:
    """Read *count* inputs of *target*, in batches of a process each."""
    write_seeds(target, seed, into)
    figures = Figures(target)
    for start in range(first, first + count, BATCH):
        _batch(figures, start, min(BATCH, first + count - start), seed, into)
    return figures


def _batch(figures: Figures, first: int, count: int, seed: int, into: Path) -> None:
    """One batch; after an input that a process died of, another takes the rest."""
    target, end = figures.target, first + count
    at = into / f"{target}-{first}.at"
    while first < end:
        died, lines = _run(target, range(first, end), seed, into, at)
        for line in lines:
            if "problem" in line:
                found = _finding(target, line["number"], line["problem"], seed, into)
                figures.findings.append(found)
            else:
                figures.inputs += line["inputs"]
                figures.cpu = max(figures.cpu, line["cpu"])
                figures.memory = max(figures.memory, line["memory"])
        if died is None:
            break
        number = int(at.read_text())
        # A machine that is busy may count a second that was not ours: once more, alone.
        if died != "SIGPROF" or _run(target, range(number, number + 1), seed, into, at)[0]:
            slow = f"more than {CPU_SECONDS} s of CPU"
            problem = slow if died == "SIGPROF" else f"died of {died}"
            figures.findings.append(_finding(target, number, problem, seed, into))
        figures.inputs += number + 1 - first
        first = number + 1
    at.unlink(missing_ok=True)


def _run(
    target: str, numbers: range, seed: int, into: Path, at: Path
) -> tuple[str | None, list[dict[str, Any]]]:
    """The signal that a worker died of, if it did, and what it told."""
    command = [sys.executable, WORKER, "--worker", target, "--first", str(numbers.start)]
    command += [
        "--count",
        str(len(numbers)),
        "--seed",
        str(seed),
        "--into",
        str(into),
        "--at",
        str(at),
    ]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=False)
    if done.returncode > 0:
        raise RuntimeError(f"the worker for {target} broke by itself: {done.returncode}")
    died = signal.Signals(-done.returncode).name if done.returncode else None
    return died, [json.loads(line) for line in done.stdout.splitlines()]


def _finding(target: str, number: int, problem: str, seed: int, into: Path) -> Finding:
    file = into / f"{target}-{seed}-{number}.input"
    file.write_bytes(next(inputs(target, number, 1, seed, into))[1])
    return Finding(target, number, problem, file)


def inputs(
    target: str, first: int, count: int, seed: int, into: Path
) -> Iterator[tuple[int, bytes]]:
    """The inputs with these numbers."""
    more = [path.read_bytes() for path in sorted(into.glob(f"seeds/{target}-*"))]
    material, mended = TARGETS[target].material(more), TARGETS[target].mended
    for number in range(first, first + count):
        rng = _generator(target, number, seed)
        data = mutated(rng, material)
        yield number, data if rng.random() < 0.4 else mended(data)


def _generator(target: str, number: int, seed: int, use: str = "input") -> random.Random:
    return random.Random(f"{seed}/{target}/{number}/{use}")


def work(args: argparse.Namespace) -> None:
    """Read the inputs of a batch, and print what is wrong with them as lines of JSON."""
    # What takes all memory shall be an error of this process, not the end of another.
    resource.setrlimit(resource.RLIMIT_AS, (4096 * MEGABYTE, 4096 * MEGABYTE))
    reads = TARGETS[args.worker].reads
    at = os.open(args.at, os.O_CREAT | os.O_WRONLY, 0o600)
    slowest, most = 0.0, 0
    for number, data in inputs(args.worker, args.first, args.count, args.seed, args.into):
        os.pwrite(at, b"%20d" % number, 0)
        problem = ""
        before = _peak(reset=True)
        # No handler: what hangs in C would never come back to one.
        signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS)
        begun = time.process_time()
        try:
            reads(data, _generator(args.worker, number, args.seed, "reading"))
        except Exception:  # this is what is looked for
            problem = traceback.format_exc()
        slowest = max(slowest, time.process_time() - begun)
        signal.setitimer(signal.ITIMER_PROF, 0)
        took = _peak() - before
        most = max(most, took)
        if took > 20 * len(data) + 64 * MEGABYTE:
            problem = problem or f"{took / MEGABYTE:.0f} MB for {len(data)} bytes"
        if problem:
            print(json.dumps({"number": number, "problem": problem}), flush=True)
    print(json.dumps({"inputs": args.count, "cpu": slowest, "memory": most}))


def _peak(*, reset: bool = False) -> int:
    """The most that this process held, in bytes, since it was last *reset*."""
    try:
        if reset:
            Path("/proc/self/clear_refs").write_text("5")
        status = Path("/proc/self/status").read_text()
        return int(status.partition("VmHWM:")[2].split(maxsplit=1)[0]) * 1024
    except OSError:  # not Linux: the most that it ever held
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most if sys.platform == "darwin" else most * 1024


def write_seeds(target: str, seed: int, into: Path) -> None:
    """Write what Hypothesis makes for *target* where its workers find it."""
    from fuzz_seeds import examples

    (into / "seeds").mkdir(parents=True, exist_ok=True)
    for number, data in enumerate(examples(TARGETS[target].strategy, SEEDS, seed)):
        (into / "seeds" / f"{target}-{number:03}").write_bytes(data[:LONGEST])


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(TARGETS))
    parser.add_argument("--count", type=int, default=20_000, help="inputs for each target")
    parser.add_argument("--first", type=int, default=0, help="the number of the first input")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--into", type=Path, default=Path("fuzz-findings"), help="a folder")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    parser.add_argument("--at", help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    if args.worker:
        work(args)
        return 0
    if unknown := set(args.targets) - set(TARGETS):
        parser.error(f"no target {', '.join(unknown)}; there are {', '.join(TARGETS)}")
    found = False
    run = partial(fuzz, count=args.count, seed=args.seed, into=args.into, first=args.first)
    with ThreadPoolExecutor(args.jobs) as pool:
        for figures in pool.map(run, args.targets or TARGETS):
            print(figures, *figures.findings, sep="\n", flush=True)
            found = found or bool(figures.findings)
    return int(found)


if __name__ == "__main__":
    sys.exit(main())
