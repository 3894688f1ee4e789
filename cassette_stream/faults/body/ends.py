"""How a body ends before its end: closed, reset, broken, or as if it were whole.

What comes before the place is told as it was, partial chunk included.
"""

from __future__ import annotations

from dataclasses import dataclass

from cassette_stream.faults.info import FaultInfo
from cassette_stream.faults.inside import INSIDES
from cassette_stream.faults.parameter import Parameter
from cassette_stream.faults.place import PLACES, Place, check_place
from cassette_stream.faults.reframe import chunked, reframed, sought, unmeasured
from cassette_stream.faults.seek import seek
from cassette_stream.script import Emit, Fail, FailureKind, Script, Step

__all__ = ("BAD_CHUNK", "CLEAN_END", "FIN", "RESET", "BadChunk", "CleanEnd", "Fin", "Reset")

_CHUNK = Parameter(
    name="http_chunk",
    default="whole",
    choices=("whole", "header", "data"),
    description="What ends the bytes on a socket: a whole HTTP chunk, half the header of "
    "one, or a header without its data.",
)
_PART = Parameter(
    name="part",
    default="size",
    choices=("size", "footer"),
    description="What of the HTTP chunk is wrong: the line with its size, or what ends it.",
)
_CLOSED = {
    "whole": Fail(FailureKind.FIN),
    "header": Fail(FailureKind.FIN, "peer unexpectedly closed connection", raw=b"1f"),
    "data": Fail(FailureKind.FIN, raw=b"1f\r\n"),
}
_SIZE, _FOOTER, _BAD_FOOTER = b"zz\r\n", b"\r\n", b" {"
_BAD_SIZE = Fail(
    FailureKind.PROTOCOL_ERROR, f"illegal chunk header: {bytearray(_SIZE)!r}", raw=_SIZE
)
_HERE = Fail(FailureKind.PROTOCOL_ERROR)  # where the place is; no script gets to see it


@dataclass(frozen=True, slots=True, kw_only=True)
class Fin:
    """The server closes the connection *at* a place, within its body.

    That can be between two HTTP chunks (*http_chunk* is ``whole``), inside the ``header`` of
    one, which clients word otherwise, or before its ``data``. A stream without the place is
    left whole.
    """

    at: Place
    http_chunk: str = "whole"

    def __post_init__(self) -> None:
        check_place(self.at)
        _CHUNK.read(self.http_chunk)

    def __call__(self, script: Script) -> Script:
        if self.http_chunk == "whole":
            found = yield from seek(script, self.at)
        else:
            found = yield from reframed(script, self.at, lambda head, _: chunked(head))
        if found is None:
            return
        before, _ = found.split()
        yield from before
        yield _CLOSED[self.http_chunk]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reset:
    """The connection is reset *at* a place. A stream without the place is left whole."""

    at: Place

    def __post_init__(self) -> None:
        check_place(self.at)

    def __call__(self, script: Script) -> Script:
        found = yield from seek(script, self.at)
        if found is not None:
            before, _ = found.split()
            yield from before
            yield Fail(FailureKind.RESET)


@dataclass(frozen=True, slots=True, kw_only=True)
class CleanEnd:
    """The body ends *at* a place, and HTTP finds nothing wrong with that.

    A stream without the place is left whole.
    """

    at: Place

    def __post_init__(self) -> None:
        check_place(self.at)

    def __call__(self, script: Script) -> Script:
        yield from unmeasured(script, self._ended)

    def _ended(self, script: Script) -> Script:
        found = yield from sought(script, self.at)
        if found is not None:
            before, _ = found.split()
            yield from before


@dataclass(frozen=True, slots=True, kw_only=True)
class BadChunk:
    """What frames the body in chunks is no such thing *at* a place.

    The ``size`` of the next chunk is none, or the ``footer`` of the last one; of the next
    again where there is no last one. A stream without the place is left whole.
    """

    at: Place
    part: str = "size"

    def __post_init__(self) -> None:
        check_place(self.at)
        _PART.read(self.part)

    def __call__(self, script: Script) -> Script:
        last: list[Step] = []  # the last chunk, and what came behind it
        for step in self._until(script):
            if step is _HERE:
                yield from self._broken(last)
                return
            if isinstance(step, Emit) and step.data:
                yield from last
                last = [step]
            elif last:
                last.append(step)
            else:
                yield step
        yield from last

    def _until(self, script: Script) -> Script:
        found = yield from reframed(script, self.at, lambda head, _: chunked(head))
        if found is not None:
            before, _ = found.split()
            yield from before
            yield _HERE

    def _broken(self, last: list[Step]) -> Script:
        if self.part == "size" or not last:
            yield from last
            yield _BAD_SIZE
            return
        chunk, *behind = last
        assert isinstance(chunk, Emit)
        yield from behind
        yield Fail(
            FailureKind.PROTOCOL_ERROR,
            f"malformed chunk footer: {bytearray(_BAD_FOOTER)!r} (expected {_FOOTER!r})",
            raw=b"%x\r\n%b%b" % (len(chunk.data), chunk.data, _BAD_FOOTER),
        )


FIN = FaultInfo(
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
    parameters=(_CHUNK,),
)

RESET = FaultInfo(
    id="body.reset",
    name="connection reset mid-stream",
    expect="raises",
    transport="ReadError: [Errno 104] Connection reset by peer; empty in asynchronous code",
    description="The connection is reset within the body.",
    reference="anthropics/claude-code#83943",
    places=PLACES,
    insides=INSIDES,
    make=Reset,
    common=True,
)

CLEAN_END = FaultInfo(
    id="body.clean_end",
    name="premature end with valid framing",
    expect="raises",
    transport="nothing: the framing is valid",
    description="The body ends within the answer, as if it were whole.",
    reference="anthropics/anthropic-sdk-typescript#842",
    places=PLACES,
    insides=INSIDES,
    make=CleanEnd,
    common=True,
)

BAD_CHUNK = FaultInfo(
    id="body.bad_chunk",
    name="bad chunk framing",
    expect="raises",
    transport="RemoteProtocolError: illegal chunk header: bytearray(b'zz\\r\\n')",
    description="The size of an HTTP chunk, or what stands behind the chunk, is garbage.",
    reference="measured",
    places=PLACES,
    insides=INSIDES,
    make=BadChunk,
    parameters=(_PART,),
)
