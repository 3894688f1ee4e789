"""Faults in the JSON of an event; the framing around it stays whole."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cassette_stream.exceptions import PlanError
from cassette_stream.faults.info import FaultInfo
from cassette_stream.faults.inside import data_values
from cassette_stream.faults.place import Event
from cassette_stream.faults.seek import seek

if TYPE_CHECKING:
    from cassette_stream.script import Script

__all__ = ("FAULTS", "Cut")

_INSIDES = ("escape", "json", "json_string")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """The JSON of one event ends *at* a place inside it; the rest of the stream goes on.

    The event keeps its other fields, its line ends and its blank line. ``Event(3)`` is
    taken as ``Event(3, inside="json")``. A stream without the place is left whole.
    """

    at: Event

    def __post_init__(self) -> None:
        if not isinstance(self.at, Event):
            raise PlanError(f"at is {self.at!r}; json.cut takes an Event")
        if self.at.inside is None:
            object.__setattr__(self, "at", Event(self.at.n, inside="json"))
        elif self.at.inside not in _INSIDES:
            raise PlanError(f"inside is {self.at.inside!r}; here it can be {', '.join(_INSIDES)}")

    def __call__(self, script: Script) -> Script:
        found = yield from seek(script, self.at)
        if found is None:
            return
        values = ((found.start + a, found.start + b) for a, b in data_values(found.event()))
        yield from found.without([(max(a, found.at), b) for a, b in values if b > found.at])
        yield from script


FAULTS = (
    FaultInfo(
        id="json.cut",
        name="JSON cut inside a whole event",
        expect="raises",
        transport="nothing: the framing is valid",
        description="The JSON of one event breaks off; the event and the stream go on.",
        reference="openclaw/openclaw#29320",
        places=("event",),
        insides=_INSIDES,
        make=Cut,
    ),
)
