"""Events that are lost, doubled, swapped, replayed or endless.

Only a stream that numbers its events shows it, as the Responses API does; and one that
opens and closes what it tells, where that is broken.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cassette_stream.exceptions import PlanError
from cassette_stream.faults.edit import (
    Edit,
    Seen,
    edit_event,
    edit_from,
    end_at,
)
from cassette_stream.faults.info import FaultInfo
from cassette_stream.faults.parameter import Parameter, check_parameters
from cassette_stream.faults.place import Event, check_event
from cassette_stream.faults.sem.words import ALL, is_content
from cassette_stream.script import Emit, Script, Wait

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = (
    "DROPPED",
    "DUPLICATED",
    "LOOP",
    "REORDERED",
    "Dropped",
    "Duplicated",
    "Loop",
    "Reordered",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dropped:
    """The event *at* is missing, if it is one with content; else the stream is left whole."""

    at: Event

    def __post_init__(self) -> None:
        check_event(self.at)

    def __call__(self, script: Script) -> Script:
        return edit_event(
            script, self.at, lambda seen: seen.replaced_by(b"") if is_content(seen) else []
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Duplicated:
    """The event *at* comes twice, if it is one with content; else the stream is left whole."""

    at: Event

    def __post_init__(self) -> None:
        check_event(self.at)

    def __call__(self, script: Script) -> Script:
        return edit_event(
            script, self.at, lambda seen: seen.followed_by(seen.block) if is_content(seen) else []
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Reordered:
    """The event *at* and the next one with content change places; what is between them stays.

    Their chunks and moments stay too. A stream without both is left whole.
    """

    at: Event

    def __post_init__(self) -> None:
        check_event(self.at)
        if self.at.n in {"last", "terminator", -1}:
            raise PlanError(f"at is event {self.at.n}; there must be one after it")

    def __call__(self, script: Script) -> Script:
        is_over = False

        def settle(waiting: Sequence[Seen], over: bool) -> list[list[Edit]]:
            nonlocal is_over
            first, *between, last = waiting[0], *waiting[1:-1], waiting[-1]
            is_over = is_over or over or not is_content(first)
            if is_over:
                return [[] for _ in waiting]
            if first is last or not is_content(last):
                return []
            is_over = True
            blocks = first.replaced_by(last.block), last.replaced_by(first.block)
            return [blocks[0], *([] for _ in between), blocks[1]]

        return edit_from(script, self.at, settle)


_EVERY = (
    Parameter(
        name="every",
        unit="seconds",
        above=True,
        default=0.05,
        description="The time between two of them.",
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Loop:
    """The event *at* is repeated for ever, if it is one with content; nothing comes after it."""

    at: Event
    every: float = 0.05

    def __post_init__(self) -> None:
        check_event(self.at)
        check_parameters(self, _EVERY)

    def __call__(self, script: Script) -> Script:
        repeated: list[bytes] = []

        def ending(seen: Seen) -> bytes | None:
            if not is_content(seen):
                return None
            repeated.append(seen.block)
            return seen.block

        yield from end_at(script, self.at, ending)
        while repeated:
            yield Wait(self.every)
            yield Emit(repeated[0])


DROPPED, DUPLICATED, REORDERED = (
    FaultInfo(
        id=f"sem.{what}",
        name=name,
        expect="undetectable",
        expects={"openai_responses": "raises"},
        transport="nothing: the framing is valid",
        description=f"{description}; only numbers of events show it.",
        reference=reference,
        make=make,
        places=("event",),
        dialects=ALL,
    )
    for what, name, description, reference, make in (
        ("dropped", "lost event", "A content event is missing", "vllm-project/vllm#30866", Dropped),
        (
            "duplicated",
            "repeated event",
            "A content event comes twice",
            "HKUDS/nanobot#4038",
            Duplicated,
        ),
        (
            "reordered",
            "swapped events",
            "Two content events change places",
            "vllm-project/vllm#10589",
            Reordered,
        ),
    )
)
LOOP = FaultInfo(
    id="sem.loop",
    name="endless repetition",
    expect="either",
    transport="nothing, for ever",
    description="A content event is repeated for ever; a limit of time or size must end it.",
    reference="BerriAI/litellm#5158",
    make=Loop,
    places=("event",),
    parameters=_EVERY,
    dialects=ALL,
)
