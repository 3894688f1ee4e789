"""`cassette-stream demo`: three streams recorded, replayed and broken.

Every figure is measured in the run that prints it, and every claim is checked there: a
replay that differed would be shown as such, and would fail the command. The streams of a
stage run at once, in threads, each under a cassette of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from rich.console import Console
from rich.text import Text

from cassette_stream._version import __version__
from cassette_stream.cli.caller import PROVIDERS, Outcome, Provider, ask
from cassette_stream.cli.terminal import console, count, duration, glyphs_of, row
from cassette_stream.cli.timeline import bar, legend
from cassette_stream.clock import RealClock
from cassette_stream.server import LoopbackServer
from cassette_stream.session import use_cassette
from cassette_stream.session.files import read_cassette

__all__ = ("run",)

_FAULTS = ("body.fin@event=9", "body.stall@event=12", "json.cut@event=6")
"""One for each provider."""
_WIDEST = 110


@dataclass(frozen=True, slots=True, kw_only=True)
class _Recording:
    """A provider, its cassette, and what its caller saw while it was recorded."""

    provider: Provider
    path: Path
    base_url: str
    live: Outcome

    @property
    def silence(self) -> float:
        """The longest time in seconds in which nothing came, on a busy machine more than wanted."""
        [it] = read_cassette(self.path).interactions
        assert it.response is not None
        return max(it.response.head_after_us, *it.response.gaps_us) / 1e6


def run(keep: Path | None) -> bool:
    """Run the demo, and tell whether everything was as it claims.

    Raises:
        CassetteError: The cassettes could not be written to *keep*.
    """
    out, watch = console(), RealClock()
    start = watch.now()
    _title(out, f"cassette-stream {__version__}", "LLM streams recorded, replayed and broken")
    with _folder(keep) as folder:
        recordings = _record(folder, out)
        good = _replay(recordings, out)
        good = _break(recordings, out) and good
    out.print()
    row(out, legend(glyphs_of(out)), indent=3)
    taken = duration((watch.now() - start) * 1000)
    _title(out, "Next", f"what you saw was measured in this run, which took {taken}")
    _say_what_next(keep, out)
    return good


@contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    if keep is not None:
        yield keep
        return
    with TemporaryDirectory(prefix="cassette-stream-") as folder:
        yield Path(folder)


def _record(folder: Path, out: Console) -> list[_Recording]:
    _title(out, "1  Record", "httpx asks a server on this machine that speaks as they do")
    with LoopbackServer(gap=0.03, first_gap=0.15) as server:

        def record(provider: Provider) -> _Recording:
            path = folder / f"{provider.name.lower()}.yaml"
            with use_cassette(path, mode="rewrite"):
                live = ask(provider, server.url)
            return _Recording(provider=provider, path=path, base_url=server.url, live=live)

        with out.status("recording"), ThreadPoolExecutor() as pool:
            recordings = list(pool.map(record, PROVIDERS))
    lanes = _Lanes(out, [it.live for it in recordings])
    for it in recordings:
        said = f"{count(it.live.events, 'event')}, {count(len(it.live.body), 'byte')}"
        lanes.draw(it, it.live, said)
    lanes.scale()
    _say(out, "text", f'"{recordings[0].live.text}"')
    return recordings


def _replay(recordings: Sequence[_Recording], out: Console) -> bool:
    refused = ask(recordings[0].provider, recordings[0].base_url).error
    _title(out, "2  Replay", f"the server is gone ({refused})")
    with out.status("replaying"), ThreadPoolExecutor() as pool:
        played = list(pool.map(_play, recordings))
    lanes = _Lanes(out, played)
    for it, outcome in zip(recordings, played, strict=True):
        lanes.draw(it, outcome, _compared(it.live, outcome))
    lanes.scale()
    at_once = [_play(it, pace="instant") for it in recordings]
    same = all(
        it.live.error is None and it.live.chunks == one.chunks == other.chunks
        for it, one, other in zip(recordings, played, at_once, strict=True)
    )
    _say(out, "instant", f"{_times(at_once, same=same)}, on a virtual clock")
    return same and refused is not None


def _compared(live: Outcome, played: Outcome) -> str:
    if live.chunks == played.chunks:
        return "same bytes and chunks"
    return "OTHER CHUNKS" if live.body == played.body else "OTHER BYTES"


def _break(recordings: Sequence[_Recording], out: Console) -> bool:
    _title(out, "3  Break", "the same recordings, with one fault each")
    patience = max(0.3, *(2 * it.silence for it in recordings))
    with out.status("breaking"), ThreadPoolExecutor() as pool:
        hurt = list(pool.map(partial(_play, read=patience), recordings, _FAULTS))
    lanes = _Lanes(out, hurt)
    for it, fault, outcome in zip(recordings, _FAULTS, hurt, strict=True):
        lanes.draw(it, outcome, fault)
        _say(out, "got", f'{outcome.events} of {it.live.events} events, "{outcome.text}"')
        _say(out, "raised", _told(outcome.error))
    lanes.scale()
    at_once = list(map(partial(_play, read=600, pace="instant"), recordings, _FAULTS))
    same = all(
        one.chunks == other.chunks and _told(one.error) == _told(other.error)
        for one, other in zip(hurt, at_once, strict=True)
    )
    _say(out, "instant", f"{_times(at_once, same=same)}, read timeout 600 s")
    return same and all(outcome.error is not None for outcome in hurt)


def _times(outcomes: Sequence[Outcome], *, same: bool) -> str:
    times = ", ".join(duration(it.course.end_ms) for it in outcomes)
    return f"{'the same' if same else 'NOT THE SAME'} in {times}"


def _play(
    it: _Recording,
    fault: str | None = None,
    *,
    pace: Literal["recorded", "instant"] = "recorded",
    read: float = 5,
) -> Outcome:
    """What the caller sees of the replay, broken by *fault*, with a *read* timeout in seconds."""
    with use_cassette(it.path, mode="none", pace=pace, faults=fault or ()):
        return ask(it.provider, it.base_url, read_timeout=read)


def _told(error: Exception | None) -> str:
    if error is None:
        return "NOTHING"
    return f"{type(error).__module__}.{type(error).__qualname__}: {error}"


def _title(out: Console, title: str, text: str) -> None:
    out.print()
    row(out, Text.assemble((title, "bold"), "  ", (text, "dim")))


class _Lanes:
    """Timelines at one scale, each with the name of its provider and a word beside it."""

    def __init__(self, out: Console, outcomes: Sequence[Outcome]) -> None:
        self._out = out
        self._span_ms = max(it.course.end_ms for it in outcomes)
        self._width = max(20, min(out.width, _WIDEST) - 14 - 24)

    def draw(self, recording: _Recording, outcome: Outcome, word: str) -> None:
        line = Text(f"   {recording.provider.name:<11}")
        glyphs = glyphs_of(self._out)
        line.append_text(
            bar(outcome.course, width=self._width, span_ms=self._span_ms, glyphs=glyphs)
        )
        line.pad_right(14 + self._width - line.cell_len)
        self._out.print(line.append(f"  {word}"))

    def scale(self) -> None:
        end = duration(self._span_ms)
        self._out.print(Text(f"{'0':>15}{end.rjust(self._width - 1)}", "dim"))


def _say(out: Console, label: str, text: str) -> None:
    row(out, text, label=f"{'':14}{label}", indent=23)


def _say_what_next(keep: Path | None, out: Console) -> None:
    folder = keep or "cassettes"
    commands = (
        f"cassette-stream lint {folder}" if keep else f"cassette-stream demo --keep {folder}",
        f"cassette-stream inspect {folder}/openai.yaml",
        f"cassette-stream play {folder}/openai.yaml --fault {_FAULTS[0]}",
    )
    for command in commands:
        out.print(f"   {command}", soft_wrap=True)
