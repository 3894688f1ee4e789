"""What comes behind the answer, on a connection that should be done."""

from __future__ import annotations

from dataclasses import dataclass

from cassette_stream.faults.dialect import DIALECTS
from cassette_stream.faults.info import FaultInfo
from cassette_stream.faults.parameter import Parameter
from cassette_stream.faults.place import Event
from cassette_stream.faults.reframe import unmeasured
from cassette_stream.faults.seek import Found, seek
from cassette_stream.faults.seen import Seen
from cassette_stream.script import Emit, Script

__all__ = ("TRAILING", "Trailing")

_KIND = Parameter(
    name="kind",
    default="event",
    choices=("event", "terminator", "bytes"),
    description="One more event, the terminator again, or bytes that are no text.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trailing:
    """Something comes behind the terminator, in a chunk of its own.

    A stream without a terminator is left whole.
    """

    kind: str = "event"

    def __post_init__(self) -> None:
        _KIND.read(self.kind)

    def __call__(self, script: Script) -> Script:
        yield from unmeasured(script, self._trailed)

    def _trailed(self, script: Script) -> Script:
        found = yield from seek(script, Event("terminator", after=True))
        if found is None:
            return
        before, after = found.split()
        yield from before
        yield Emit(self._more(found))
        yield from after
        yield from script

    def _more(self, found: Found) -> bytes:
        terminator = found.event()
        if self.kind == "bytes":
            return b"\x00\xff\xfe"
        if self.kind == "terminator":
            return terminator
        if found.framing == "sse":
            return b"data: {}\n\n"
        return Seen(terminator, 0, "", "", None, found.framing).event(b"{}")


TRAILING = FaultInfo(
    id="body.trailing",
    name="bytes after the terminator",
    expect="either",
    transport="nothing: the framing is valid",
    description="Bytes or events come behind the event that says that the answer is over.",
    reference="openai/openai-python#3440",
    make=Trailing,
    # Gemini says of no event that it is the last.
    dialects=frozenset(DIALECTS) - {"gemini"},
    parameters=(_KIND,),
)
