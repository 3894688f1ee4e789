"""`cassette-stream play`: a recorded response, performed on the terminal."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import assert_never

import typer

from cassette_stream import storage
from cassette_stream.cassette import CassetteReader
from cassette_stream.cassette.binary import EVENT_STREAM
from cassette_stream.cassette.model import Interaction
from cassette_stream.cli.endings import FAILURES
from cassette_stream.cli.screen import visible
from cassette_stream.cli.terminal import count, duration
from cassette_stream.clock import RealClock, VirtualClock
from cassette_stream.exceptions import CassetteError, UnfiredRuleError
from cassette_stream.faults import Injector, plan_of
from cassette_stream.replayer import script_of
from cassette_stream.script import Emit, Fail, FailureKind, Head, Script, Wait, stretch

__all__ = ("run",)


def run(file: Path, *, number: int, pace: str | float, specs: Sequence[str]) -> bool:
    """Perform interaction *number* of *file*, and tell whether it ended without a failure.

    Raises:
        CassetteError: There is no such cassette or no such interaction in it.
        PlanError: A fault of *specs* does not exist, or never struck.
    """
    plan = plan_of(specs)
    interaction = _interaction(file, number)
    typer.echo(f"{interaction.request.method} {interaction.request.url}", err=True)
    injector = Injector(plan)
    script = injector.rewrite(script_of(interaction), interaction.request, number)
    if isinstance(pace, float):
        script = stretch(script, pace)
    performer = _Performer(RealClock() if pace != "instant" else VirtualClock())
    went_well = performer.perform(script)
    for reason in injector.unfired(lambda _: script_of(interaction)):
        raise UnfiredRuleError(reason)
    return went_well


def _interaction(file: Path, number: int) -> Interaction:
    reader = CassetteReader(storage.read(file), file=str(file))
    if not 1 <= number <= len(reader):
        raise CassetteError(
            f"there is no interaction {number} in {file}: it has {len(reader)}, counted from 1"
        )
    return reader.interaction(number - 1)


class _Performer:
    """The performer whose socket is the terminal."""

    def __init__(self, clock: RealClock | VirtualClock) -> None:
        self._clock = clock
        self._start = self._moment = clock.now()
        self._sent = 0
        self._last = b"\n"
        self._as_text = False

    def perform(self, script: Script) -> bool:
        for step in script:
            match step:
                case Wait(seconds):
                    if math.isinf(seconds):
                        return self._end("silent for ever: a caller without a read timeout hangs")
                    self._moment += seconds
                    self._clock.sleep_until(self._moment)
                case Head():
                    self._head(step)
                case Emit(data):
                    self._emit(data)
                case Fail(FailureKind.RECORDING_ENDED, detail):
                    # The recorded caller had enough here. Nothing failed.
                    return self._end(detail, went_well=True)
                case Fail(kind, detail):
                    return self._end(f"{FAILURES[kind]} ({kind}{detail and f': {detail}'})")
                case _:
                    assert_never(step)
        return self._end("complete", went_well=True)

    def _head(self, head: Head) -> None:
        kind = dict(head.headers).get("content-type", "no content type").partition(";")[0]
        # What is no text would control a terminal.
        self._as_text = kind.strip().lower() == EVENT_STREAM and sys.stdout.isatty()
        typer.echo(f"{head.status}, {kind}, after {self._elapsed()}", err=True)

    def _emit(self, data: bytes) -> None:
        self._sent += len(data)
        if self._as_text:
            data = visible(data.decode(errors="backslashreplace")).encode() + b"\n"
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        self._last = data[-1:] or self._last

    def _end(self, how: str, *, went_well: bool = False) -> bool:
        if self._last != b"\n" and sys.stdout.isatty():
            typer.echo(err=True)
        typer.echo(f"{how}, {count(self._sent, 'byte')} in {self._elapsed()}", err=True)
        return went_well

    def _elapsed(self) -> str:
        return duration((self._clock.now() - self._start) * 1000)
