"""Faults in the bytes of a body: how it ends early, and how it falls silent.

What comes before the place is told as it was, partial chunk included.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from cassette_stream.exceptions import PlanError
from cassette_stream.faults.info import FaultInfo
from cassette_stream.faults.inside import INSIDES
from cassette_stream.faults.parameter import Parameter
from cassette_stream.faults.place import PLACES, Place, check_place
from cassette_stream.faults.seek import seek
from cassette_stream.script import Fail, FailureKind, Script, Wait

__all__ = ("FAULTS", "Fin", "Stall")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fin:
    """The server closes the connection *at* a place, within its chunked body.

    A stream without the place is left whole.
    """

    at: Place

    def __post_init__(self) -> None:
        check_place(self.at)

    def __call__(self, script: Script) -> Script:
        found = yield from seek(script, self.at)
        if found is not None:
            before, _ = found.split()
            yield from before
            yield Fail(FailureKind.FIN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stall:
    """Nothing comes for *seconds* *at* a place, and then the rest; `math.inf` is for ever.

    A stream without the place is left whole.
    """

    at: Place
    seconds: float = math.inf

    def __post_init__(self) -> None:
        check_place(self.at)
        if not self.seconds > 0:
            raise PlanError(f"seconds is {self.seconds!r}; a stall is longer than 0 seconds")

    def __call__(self, script: Script) -> Script:
        found = yield from seek(script, self.at)
        if found is None:
            return
        before, after = found.split()
        yield from before
        yield Wait(self.seconds)
        if self.seconds < math.inf:
            yield from after
            yield from script


FAULTS = (
    FaultInfo(
        id="body.fin",
        name="incomplete chunked read",
        expect="raises",
        transport="RemoteProtocolError: peer closed connection without sending complete "
        "message body (incomplete chunked read)",
        description="The connection is closed within the body, without the last chunk.",
        reference="anthropics/anthropic-sdk-python#1550",
        places=PLACES,
        insides=INSIDES,
        make=Fin,
        common=True,
    ),
    FaultInfo(
        id="body.stall",
        name="half-open connection",
        expect="raises",
        transport="ReadTimeout, where the read timeout is shorter than the silence",
        description="The stream falls silent, and the connection stays open.",
        reference="deepseek-ai/DeepSeek-V3#1608",
        places=PLACES,
        insides=INSIDES,
        make=Stall,
        common=True,
        parameters=(
            Parameter(
                name="seconds",
                unit="seconds",
                above=True,
                default=math.inf,
                description="How long; a silence that ends is followed by the rest.",
            ),
        ),
    ),
)
