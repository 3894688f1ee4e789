"""How a stream of HTTP/2 ends before its end; a failure is told in the words that h2 has for it."""

from __future__ import annotations

from dataclasses import dataclass

from cassette_stream.faults.info import FaultInfo
from cassette_stream.faults.inside import INSIDES
from cassette_stream.faults.parameter import Parameter
from cassette_stream.faults.place import PLACES, Place, check_place
from cassette_stream.faults.reframe import over_http2, reframed
from cassette_stream.script import Fail, FailureKind, Script

__all__ = (
    "H2_END_CUT",
    "H2_FIN",
    "H2_GOAWAY",
    "H2_RESET",
    "H2_RST",
    "H2EndCut",
    "H2Fin",
    "H2Goaway",
    "H2Reset",
    "H2Rst",
)

_RST_CODES = {"INTERNAL_ERROR": 2, "CANCEL": 8, "REFUSED_STREAM": 7}
_GOAWAY_CODES = {"NO_ERROR": 0, "ENHANCE_YOUR_CALM": 11}
_RST_CODE = Parameter(
    name="code",
    default="INTERNAL_ERROR",
    choices=tuple(_RST_CODES),
    description="The error code of RST_STREAM.",
)
_GOAWAY_CODE = Parameter(
    name="code",
    default="NO_ERROR",
    choices=tuple(_GOAWAY_CODES),
    description="The error code of GOAWAY.",
)


def _ended(script: Script, at: Place, *end: Fail) -> Script:
    """The *script* over HTTP/2 until *at*, and then the *end*; without the place it is whole."""
    found = yield from reframed(script, at, lambda head, _: over_http2(head))
    if found is not None:
        before, _ = found.split()
        yield from before
        yield from end


@dataclass(frozen=True, slots=True, kw_only=True)
class H2Rst:
    """The server resets the stream *at* a place, and gives a *code* for why.

    A stream without the place is left whole.
    """

    at: Place
    code: str = "INTERNAL_ERROR"

    def __post_init__(self) -> None:
        check_place(self.at)
        _RST_CODE.read(self.code)

    def __call__(self, script: Script) -> Script:
        number = _RST_CODES[self.code]
        words = f"<StreamReset stream_id:1, error_code:{number}, remote_reset:True>"
        return _ended(script, self.at, Fail(FailureKind.PROTOCOL_ERROR, words))


@dataclass(frozen=True, slots=True, kw_only=True)
class H2Goaway:
    """The server gives the connection up *at* a place, and gives a *code* for why.

    A stream without the place is left whole.
    """

    at: Place
    code: str = "NO_ERROR"

    def __post_init__(self) -> None:
        check_place(self.at)
        _GOAWAY_CODE.read(self.code)

    def __call__(self, script: Script) -> Script:
        words = (
            f"<ConnectionTerminated error_code:{_GOAWAY_CODES[self.code]}, "
            "last_stream_id:1, additional_data:None>"
        )
        return _ended(script, self.at, Fail(FailureKind.PROTOCOL_ERROR, words))


@dataclass(frozen=True, slots=True, kw_only=True)
class H2Fin:
    """The server closes the connection *at* a place. A stream without it is left whole."""

    at: Place

    def __post_init__(self) -> None:
        check_place(self.at)

    def __call__(self, script: Script) -> Script:
        return _ended(script, self.at, Fail(FailureKind.PROTOCOL_ERROR, "Server disconnected"))


@dataclass(frozen=True, slots=True, kw_only=True)
class H2Reset:
    """The connection is reset *at* a place. A stream without it is left whole."""

    at: Place

    def __post_init__(self) -> None:
        check_place(self.at)

    def __call__(self, script: Script) -> Script:
        return _ended(script, self.at, Fail(FailureKind.RESET))


@dataclass(frozen=True, slots=True, kw_only=True)
class H2EndCut:
    """The server ends the stream *at* a place, as if it were whole.

    A stream without the place is left whole.
    """

    at: Place

    def __post_init__(self) -> None:
        check_place(self.at)

    def __call__(self, script: Script) -> Script:
        return _ended(script, self.at)


H2_RST = FaultInfo(
    id="body.h2_rst",
    name="RST_STREAM",
    expect="raises",
    transport="RemoteProtocolError: <StreamReset stream_id:1, error_code:2, remote_reset:True>",
    description="The server resets the stream of HTTP/2 within the answer.",
    reference="encode/httpx#828",
    places=PLACES,
    insides=INSIDES,
    make=H2Rst,
    parameters=(_RST_CODE,),
)

H2_GOAWAY = FaultInfo(
    id="body.h2_goaway",
    name="GOAWAY",
    expect="raises",
    transport="RemoteProtocolError: <ConnectionTerminated error_code:0, last_stream_id:1, "
    "additional_data:None>",
    description="The server gives up the connection of HTTP/2 within the answer.",
    reference="encode/httpcore#45",
    places=PLACES,
    insides=INSIDES,
    make=H2Goaway,
    parameters=(_GOAWAY_CODE,),
)

H2_FIN = FaultInfo(
    id="body.h2_fin",
    name="connection closed under HTTP/2",
    expect="raises",
    transport="RemoteProtocolError: Server disconnected",
    description="The connection below a stream of HTTP/2 is closed within the answer.",
    reference="encode/httpx#3324",
    places=PLACES,
    insides=INSIDES,
    make=H2Fin,
)

H2_RESET = FaultInfo(
    id="body.h2_reset",
    name="connection reset under HTTP/2",
    expect="raises",
    transport="ReadError: [Errno 104] Connection reset by peer; empty in asynchronous code",
    description="The connection below a stream of HTTP/2 is reset within the answer.",
    reference="encode/httpx#3324",
    places=PLACES,
    insides=INSIDES,
    make=H2Reset,
)

H2_END_CUT = FaultInfo(
    id="body.h2_end_cut",
    name="END_STREAM early",
    expect="raises",
    transport="nothing: the framing is valid",
    description="The server ends the stream of HTTP/2 within the answer.",
    reference="measured",
    places=PLACES,
    insides=INSIDES,
    make=H2EndCut,
)
