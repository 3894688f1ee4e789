"""Recordings that broke off, which do not take the place of one that is complete.

One is complete if its body came to its end, or if its caller closed it behind the event by
which the provider says that the answer is over, as SDKs do.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path

from cassette_stream.cassette import CassetteReader
from cassette_stream.cassette.match import Matchers
from cassette_stream.cassette.model import How, Interaction
from cassette_stream.exceptions import IncompleteRecordingWarning
from cassette_stream.faults.seen import events_in
from cassette_stream.script import Emit
from cassette_stream.session.options import Mode

__all__ = ("is_complete", "sparing", "warn_of")


def is_complete(interaction: Interaction) -> bool:
    """Whether all of the answer is in *interaction*."""
    response = interaction.response
    if response is None or interaction.incomplete:
        return False
    match response.ending.how:
        case How.COMPLETE:
            return True
        case How.CLOSED_BY_CALLER:
            return any(event.is_terminal for event in events_in([Emit(response.body)]))
    return False


def sparing(
    recorded: Sequence[Interaction], there: CassetteReader, matchers: Matchers, mode: Mode
) -> tuple[list[Interaction], list[Interaction]]:
    """What to write of *recorded*, and what of *there* it would have replaced.

    Where one is complete there and was recorded incomplete only, nothing is written in
    `Mode.ALL`, and in `Mode.REWRITE` what is there.
    """
    kept: list[Interaction | None] = list(recorded)
    spared: list[Interaction] = []
    lives = [matchers.against(it.request) for it in recorded]
    free = list(range(len(recorded)))
    for place in range(len(there)):
        alike = [n for n in free if lives[n].agrees(there.request(place))]
        if not alike:
            continue
        # A recording of this run that is complete makes up for one that broke off.
        number = next((n for n in alike if is_complete(recorded[n])), alike[0])
        free.remove(number)
        if not is_complete(recorded[number]) and is_complete(old := there.interaction(place)):
            kept[number] = old if mode is Mode.REWRITE else None
            spared.append(old)
    return [it for it in kept if it is not None], spared


def warn_of(spared: Sequence[Interaction], path: Path) -> None:
    """Say that what was recorded anew of *spared* is not in the cassette at *path*."""
    for old in spared:
        warnings.warn(
            f"{path} keeps the complete recording of {old.request.method} {old.request.url}: the "
            "one that was made now broke off; keep_incomplete=True puts it there all the same",
            IncompleteRecordingWarning,
            stacklevel=2,
        )
