"""`cassette-stream recover`: cassettes of what recorders left that died."""

from __future__ import annotations

from pathlib import Path

import typer

from cassette_stream.cli.terminal import count
from cassette_stream.session.recovery import Recovered, recover

__all__ = ("run",)


def run(path: Path, *, force: bool) -> bool:
    """Recover what is at *path*, print what became of it, and tell whether that is all.

    Raises:
        CassetteError: There is nothing, it cannot be read, or the cassette not be written.
    """
    is_all = True
    for recovered in recover(path, force=force):
        for line in _lines(recovered):
            typer.echo(line)
        is_all &= not (recovered.is_alive or recovered.damage)
    return is_all


def _lines(recovered: Recovered) -> list[str]:
    if recovered.is_alive:
        return [f"{recovered.journal}: left alone: its process still records"]
    name = recovered.journal.name
    if recovered.cassette is None:
        lines = [f"{name}: nothing in it can be recovered"]
    else:
        broken_off = sum(it.incomplete for it in recovered.interactions)
        told = f", {broken_off:,} of them incomplete" if broken_off else ""
        number = count(len(recovered.interactions), "interaction")
        lines = [f"{recovered.cassette}: {number} recovered from {name}{told}"]
    lines += [
        f"{name}: nothing had come to {request.method} {request.url}"
        for request in recovered.unanswered
    ]
    if recovered.missing:
        lines.append(
            f"{name}: {count(recovered.missing, 'byte')} at the end of bodies might have been part "
            "of a secret and were not yet written; they are asterisks"
        )
    if recovered.torn:
        lines.append(f"{name}: {count(recovered.torn, 'byte')} of a last record were dropped")
    if recovered.damage:
        lines.append(f"error: {recovered.damage}; the journal is left where it is")
    return lines
