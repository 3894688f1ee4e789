"""`cassette-stream demo`: three streams recorded, replayed and broken.

Every figure is measured in the run that prints it, and every claim is checked there: a
replay that differed would be shown as such, and would fail the command.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from rich.console import Console

from cassette_stream._version import __version__
from cassette_stream.cli.caller import PROVIDERS, Outcome, Provider, ask
from cassette_stream.cli.lanes import Lanes
from cassette_stream.cli.terminal import console, count, duration, size
from cassette_stream.clock import RealClock
from cassette_stream.faults import catalogue
from cassette_stream.server import LoopbackServer
from cassette_stream.session import use_cassette

__all__ = ("run",)

_FAULTS = ("body.fin@event=9", "body.stall@event=12", "json.cut@event=6")
"""One for each provider."""
_READ_TIMEOUT = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class _Recording:
    """A provider, its cassette, and what its caller saw while it was recorded."""

    provider: Provider
    path: Path
    base_url: str
    live: Outcome


def run(keep: Path | None) -> bool:
    """Run the demo, and tell whether everything was as it claims.

    Raises:
        CassetteError: The cassettes could not be written to *keep*.
    """
    out, watch = console(), RealClock()
    lanes = Lanes(out)
    start = watch.now()
    lanes.title(f"cassette-stream {__version__}", "LLM streams recorded, replayed, broken")
    with _folder(keep) as folder:
        recordings = _record(folder, out, lanes)
        good = _replay(recordings, out, lanes)
        good = _break(recordings, out, lanes) and good
    lanes.close(f"All of this was measured in this run, in {duration((watch.now() - start) * 1000)}.")
    _say_what_next(keep, out)
    return good


@contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    if keep is not None:
        yield keep
        return
    with TemporaryDirectory(prefix="cassette-stream-") as folder:
        yield Path(folder)


def _record(folder: Path, out: Console, lanes: Lanes) -> list[_Recording]:
    lanes.title("1  Record", "a server on this machine, asked through plain httpx")
    recordings = []
    with LoopbackServer(gap=0.02, first_gap=0.15) as server:
        for provider in PROVIDERS:
            path = folder / f"{provider.name.lower()}.yaml"
            with out.status(f"recording {provider.name}"), use_cassette(path, mode="rewrite"):
                live = ask(provider, server.url)
            said = f"{count(live.events, 'event')}, {size(live.bytes)}"
            lanes.lane(provider.name, live.course, said)
            recordings.append(
                _Recording(provider=provider, path=path, base_url=server.url, live=live)
            )
    lanes.note(f'Each caller reads "{recordings[0].live.text}"')
    return recordings


def _replay(recordings: Sequence[_Recording], out: Console, lanes: Lanes) -> bool:
    refused = ask(recordings[0].provider, recordings[0].base_url).error
    lanes.title("2  Replay", f"the server is gone: {_class_of(refused)}")
    good, times = refused is not None, []
    for recording in recordings:
        played = _play(recording, out, pace="recorded")
        lanes.lane(recording.provider.name, played.course, _compared(recording.live, played))
        at_once = _play(recording, out, pace="instant")
        good = good and recording.live.chunks == played.chunks == at_once.chunks
        times.append(duration(at_once.course.end_ms))
    lanes.note(
        f"On the virtual clock, as in a test, the same takes {', '.join(times[:-1])} "
        f"and {times[-1]}"
    )
    return good


def _compared(live: Outcome, played: Outcome) -> str:
    if live.chunks == played.chunks:
        return "same bytes and chunks"
    return "THE CHUNKS DIFFER" if b"".join(live.chunks) == b"".join(played.chunks) else "THE BYTES DIFFER"


def _break(recordings: Sequence[_Recording], out: Console, lanes: Lanes) -> bool:
    lanes.title("3  Break", "the same recordings, with one fault each")
    good = True
    for recording, spec in zip(recordings, _FAULTS, strict=True):
        hurt = _play(
            recording, out, pace="recorded", faults=(spec,), read_timeout=_READ_TIMEOUT
        )
        good = good and hurt.error is not None
        fault, _, place = spec.partition("@")
        lanes.lane(recording.provider.name, hurt.course, spec)
        lanes.note(catalogue()[fault].description)
        lanes.note(f'got     {hurt.events} of {recording.live.events} events: "{hurt.text}"')
        lanes.note(f"raised  {_class_of(hurt.error)}: {hurt.error}")
        lanes.gap()
    ...
