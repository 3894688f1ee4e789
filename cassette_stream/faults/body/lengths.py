"""Bodies whose head does not tell their true end: closed early, too long, too short.

Only the head and the end change. What a client makes of the promise is HTTP's business,
on a socket and in `cassette_stream.script.framed`.
"""

from __future__ import annotations

from dataclasses import dataclass

from cassette_stream.faults.info import FaultInfo
from cassette_stream.faults.inside import INSIDES
from cassette_stream.faults.parameter import Parameter
from cassette_stream.faults.place import PLACES, Place, check_place
from cassette_stream.faults.reframe import promising, reframed, replacing, without
from cassette_stream.script import Head, Script

__all__ = (
    "EOF_DELIMITED",
    "LENGTH_LONG",
    "LENGTH_SHORT",
    "EofDelimited",
    "LengthLong",
    "LengthShort",
)

_HOW = Parameter(
    name="how",
    default="close",
    choices=("close", "http/1.0"),
    description="Why the body lasts until the connection is closed: the head says close, "
    "or is of HTTP/1.0.",
)
_BY = Parameter(
    name="by",
    unit="bytes",
    default=500,
    low=1,
    description="How many more are promised than come.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class EofDelimited:
    """The body lasts until the connection is closed, which happens *at* a place.

    A stream without the place is left whole.
    """

    at: Place
    how: str = "close"

    def __post_init__(self) -> None:
        check_place(self.at)
        _HOW.read(self.how)

    def __call__(self, script: Script) -> Script:
        found = yield from reframed(script, self.at, self._head)
        if found is not None:
            before, _ = found.split()
            yield from before

    def _head(self, head: Head, _: int) -> Head:
        bare = without(head, "content-length", "transfer-encoding", "connection")
        if self.how == "close":
            told = replacing(bare, "connection", "close")
            return Head(told.status, told.headers, "HTTP/1.1", told.reason)
        return Head(bare.status, bare.headers, "HTTP/1.0", bare.reason)


@dataclass(frozen=True, slots=True, kw_only=True)
class LengthLong:
    """The head promises *by* more bytes than come until the body ends *at* a place.

    A stream without the place is left whole.
    """

    at: Place
    by: int = 500

    def __post_init__(self) -> None:
        check_place(self.at)
        _BY.read(self.by)

    def __call__(self, script: Script) -> Script:
        found = yield from reframed(
            script, self.at, lambda head, size: promising(head, size + self.by)
        )
        if found is not None:
            before, _ = found.split()
            yield from before


@dataclass(frozen=True, slots=True, kw_only=True)
class LengthShort:
    """The head promises the bytes before a place, so that the rest, which comes, is lost.

    A stream without the place is left whole.
    """

    at: Place

    def __post_init__(self) -> None:
        check_place(self.at)

    def __call__(self, script: Script) -> Script:
        found = yield from reframed(script, self.at, promising)
        if found is not None:
            yield from found.steps
            yield from script


EOF_DELIMITED = FaultInfo(
    id="body.eof_delimited",
    name="cut body that lasts until the connection is closed",
    expect="raises",
    transport="nothing: HTTP cannot tell such an end from a whole body",
    description="The body has no framing, and the connection is closed within the answer.",
    reference="measured",
    places=PLACES,
    insides=INSIDES,
    make=EofDelimited,
    parameters=(_HOW,),
)

LENGTH_LONG = FaultInfo(
    id="body.length_long",
    name="Content-Length larger than the body",
    expect="raises",
    transport="RemoteProtocolError: peer closed connection without sending complete "
    "message body (received N bytes, expected M)",
    description="The body ends within the answer, before the length that its head promises.",
    reference="measured",
    places=PLACES,
    insides=INSIDES,
    make=LengthLong,
    parameters=(_BY,),
)

LENGTH_SHORT = FaultInfo(
    id="body.length_short",
    name="Content-Length smaller than the body",
    expect="raises",
    transport="nothing: what is beyond the length is dropped",
    description="The head promises a length that is reached within the answer.",
    reference="measured",
    places=PLACES,
    insides=INSIDES,
    make=LengthShort,
)
