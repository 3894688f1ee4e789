"""Faults in how a whole stream is delivered: its labels, its framing, its time.

Every byte of the body comes, in its order and its chunks.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cassette_stream.exceptions import PlanError
from cassette_stream.faults.head.found import before_head
from cassette_stream.faults.info import FaultInfo
from cassette_stream.faults.parameter import Parameter
from cassette_stream.faults.reframe import replacing, without
from cassette_stream.script import Emit, Fail, Head, Script, Step, Wait

__all__ = ("DELIVERY", "Delay", "LateFlush", "TwoFramings", "WrongContentType")

_TYPE = Parameter(
    name="content_type",
    default="text/plain",
    choices=("text/plain", "application/octet-stream", "none"),
    description="What the stream is called; none leaves it out.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class WrongContentType:
    """The stream is called *content_type*, or nothing where that is ``none``."""

    content_type: str = "text/plain"

    def __post_init__(self) -> None:
        _TYPE.read(self.content_type)

    def __call__(self, script: Script) -> Script:
        head = yield from before_head(script)
        if head is None:
            return
        if self.content_type == "none":
            yield without(head, "content-type")
        else:
            yield replacing(head, "content-type", self.content_type)
        yield from script


@dataclass(frozen=True, slots=True, kw_only=True)
class TwoFramings:
    """The head says that the body is in chunks, and that it has one byte; it is in chunks."""

    def __call__(self, script: Script) -> Script:
        head = yield from before_head(script)
        if head is None:
            return
        plain = without(head, "content-length", "transfer-encoding", "connection")
        both = (("transfer-encoding", "chunked"), ("content-length", "1"))
        yield Head(head.status, (*plain.headers, *both), reason=head.reason)
        yield from script


_BURSTS = Parameter(
    name="bursts",
    default=1,
    low=1,
    description="In how many bursts the chunks come; one is all at once at the end.",
)
_MOST_STEPS = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class LateFlush:
    """The chunks are held back, and come in so many *bursts*, each at the time of its last chunk.

    The head comes when it came. What holds back has room for 100,000 steps: once they are
    there it lets everything through.
    """

    bursts: int = 1

    def __post_init__(self) -> None:
        _BURSTS.read(self.bursts)

    def __call__(self, script: Script) -> Script:
        head = yield from before_head(script)
        if head is None:
            return
        yield head
        held: list[Step] = []
        for step in script:
            if isinstance(step, Fail):
                yield from _flushed(held, self.bursts)
                yield step
                return
            held.append(step)
            if len(held) >= _MOST_STEPS:
                break
        yield from _flushed(held, self.bursts)
        yield from script


def _flushed(steps: Sequence[Step], bursts: int) -> Iterator[Step]:
    """The *steps* in groups of like size, the waits of each before its chunks."""
    count = sum(isinstance(step, Emit) for step in steps)
    groups = min(bursts, count)
    bounds = [count * number // groups for number in range(1, groups + 1)]
    chunks: list[Step] = []
    silent, told = 0.0, 0
    for step in steps:
        if isinstance(step, Wait):
            silent += step.seconds
            continue
        chunks.append(step)
        if told + len(chunks) == bounds[0]:
            if silent:
                yield Wait(silent)
            yield from chunks
            told = bounds.pop(0)
            chunks, silent = [], 0.0
    if silent:
        yield Wait(silent)


_SECONDS = Parameter(
    name="seconds",
    default=1.0,
    unit="seconds",
    above=True,
    description="How much later the head comes; a distribution may be given.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Delay:
    """The head comes *seconds* later."""

    seconds: float = 1.0

    def __post_init__(self) -> None:
        _SECONDS.read(self.seconds)
        if self.seconds == math.inf:
            raise PlanError("seconds is inf; a delay ends, head.stall does not")

    def __call__(self, script: Script) -> Script:
        head = yield from before_head(script)
        if head is not None:
            yield Wait(self.seconds)
            yield head
            yield from script


DELIVERY = (
    FaultInfo(
        id="head.wrong_content_type",
        name="wrong content type",
        expect="tolerates",
        transport="nothing: the type is a label",
        description="The stream is called something else, or nothing.",
        reference="measured",
        make=WrongContentType,
        parameters=(_TYPE,),
    ),
    FaultInfo(
        id="head.te_and_cl",
        name="Transfer-Encoding and Content-Length",
        expect="either",
        transport="nothing: the chunks count",
        description="The head tells two ways in which the body is framed.",
        reference="measured",
        make=TwoFramings,
    ),
    FaultInfo(
        id="head.late_flush",
        name="a proxy that buffers",
        expect="tolerates",
        transport="nothing; ReadTimeout, where the read timeout is shorter than the silence",
        description="The events come in bursts, or all at once at the end.",
        reference="cloudflare/cloudflared#1496",
        make=LateFlush,
        parameters=(_BURSTS,),
    ),
    FaultInfo(
        id="head.delay",
        name="slow first byte",
        expect="tolerates",
        transport="nothing, where the read timeout is longer than the wait",
        description="The head comes later.",
        reference="VRSEN/agency-swarm-lab#17",
        make=Delay,
        parameters=(_SECONDS,),
    ),
)
