"""How a body falls silent, or slow: no byte is lost, and no byte is other than it was."""

from __future__ import annotations

import math
from dataclasses import dataclass

from cassette_stream.exceptions import PlanError
from cassette_stream.faults.info import FaultInfo
from cassette_stream.faults.inside import INSIDES
from cassette_stream.faults.parameter import Parameter
from cassette_stream.faults.place import PLACES, Place, check_place
from cassette_stream.faults.reframe import sought, unmeasured
from cassette_stream.faults.seek import seek
from cassette_stream.script import Emit, Fail, Head, Script, Step, Wait

__all__ = ("DRIP", "HOLD_OPEN", "STALL", "Drip", "HoldOpen", "Stall")

_EVERY = Parameter(
    name="every",
    unit="seconds",
    default=0.5,
    description="How long each byte takes.",
)


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Drip:
    """From a place on the bytes come one by one, each after *every* seconds more.

    A stream without the place is left whole.
    """

    at: Place
    every: float = 0.5

    def __post_init__(self) -> None:
        check_place(self.at)
        _EVERY.read(self.every)

    def __call__(self, script: Script) -> Script:
        found = yield from sought(script, self.at)
        if found is None:
            return
        before, after = found.split()
        yield from before
        for step in after:
            yield from self._dripping(step)
        for step in script:
            yield from self._dripping(step)

    def _dripping(self, step: Step) -> Script:
        if not isinstance(step, Emit) or not step.data:
            yield step
            return
        for byte in step.data:
            yield Wait(self.every)
            yield Emit(bytes((byte,)))


@dataclass(frozen=True, slots=True)
class HoldOpen:
    """The body is whole, and does not end: its connection stays open.

    A stream that fails is left as it is.
    """

    def __call__(self, script: Script) -> Script:
        yield from unmeasured(script, _held_open)


def _held_open(script: Script) -> Script:
    has_head = has_failed = False
    for step in script:
        has_head = has_head or isinstance(step, Head)
        has_failed = has_failed or isinstance(step, Fail)
        yield step
    if has_head and not has_failed:
        yield Wait(math.inf)


STALL = FaultInfo(
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
)

DRIP = FaultInfo(
    id="body.drip",
    name="slow drip",
    expect="either",
    transport="nothing: every read is within the read timeout",
    description="The bytes come one by one, so slowly that only a total deadline ends it.",
    reference="measured",
    places=PLACES,
    insides=INSIDES,
    make=Drip,
    parameters=(_EVERY,),
)

HOLD_OPEN = FaultInfo(
    id="body.hold_open",
    name="connection open after the terminator",
    expect="either",
    transport="ReadTimeout, if the client reads on",
    description="The answer is whole, and the connection stays open behind it.",
    reference="openai/openai-python#3440",
    make=HoldOpen,
)
