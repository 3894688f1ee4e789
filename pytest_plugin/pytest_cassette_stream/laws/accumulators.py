"""Three laws for accumulators: they say what the stream says, at every moment, at an even cost.

A stream may break off anywhere, so what was told once must still hold when more comes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from pytest_cassette_stream.laws.broken import LawError
from pytest_cassette_stream.laws.cases import Case
from pytest_cassette_stream.laws.feeding import outcome
from pytest_cassette_stream.laws.said import Said, said_by

__all__ = ("ANSWER", "PREFIX", "AccumulatorLaws")

ANSWER = "the answer says what the stream says"
PREFIX = "every beginning of a stream is taken, and what was told of it still holds later"


@dataclass(frozen=True)
class AccumulatorLaws:
    """The laws, for one *accumulate*; that of cost is elsewhere."""

    accumulate: Callable[[Any], Any]

    def says_what_the_stream_says(self, case: Case) -> None:
        came = self._told(case.chunks)
        if isinstance(came, Exception) or not case.said.is_told_by(came):
            raise LawError(
                ANSWER, stream=case.chunks, came=came, expected=case.said, seen=case.seen
            )

    def keeps_what_it_told(self, case: Case) -> None:
        """Text only grows; a call stays, with its id, and a name that at most grows.

        Ids that the accumulator made itself may give way to those that the provider sends.
        """
        told = Said("", ())
        for count in range(1, len(case.chunks) + 1):
            came = self._told(case.chunks[:count])
            if isinstance(came, Exception) or not _still_holds(told, came, case.ids):
                raise LawError(
                    PREFIX,
                    stream=case.chunks[:count],
                    came=came,
                    expected=f"more than one chunk earlier: {told}",
                    seen=case.seen,
                )
            told = came

    def _told(self, chunks: Sequence[object]) -> Said | Exception:
        came = outcome(self.accumulate, chunks)
        return came if isinstance(came, Exception) else said_by(came)


def _still_holds(told: Said, came: Said, ids: frozenset[str]) -> bool:
    names = {call.id: call.name for call in came.calls or ()}
    return (came.text or "").startswith(told.text or "") and all(
        call.id not in ids or names.get(call.id, "").startswith(call.name)
        for call in told.calls or ()
    )
