"""Scripts: what a replay does, step by step, for whatever performs or rewrites them.

Each has one head at most, nothing before it but waits, and nothing behind a failure.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from typing import TypeAlias

from hypothesis import strategies as st

from cassette_stream import Emit, Fail, FailureKind, Head, Wait
from pytest_cassette_stream.strategies.options import chosen, flag, whole_number

__all__ = ("ANYWHERE", "BEFORE", "BEHIND", "Step", "scripts")

Step: TypeAlias = Wait | Head | Emit | Fail

_ENDINGS = ("complete", "failure", "no_response", "silence")

BEFORE = (
    FailureKind.DNS,
    FailureKind.REFUSED,
    FailureKind.CONNECT_ERROR,
    FailureKind.CONNECT_TIMEOUT,
    FailureKind.TLS_UNTRUSTED,
    FailureKind.TLS_HOSTNAME,
    FailureKind.TLS_EOF,
    FailureKind.TLS_PLAIN,
    FailureKind.TLS_TIMEOUT,
    FailureKind.POOL_TIMEOUT,
    FailureKind.PROXY_ERROR,
    FailureKind.UNSUPPORTED_PROTOCOL,
    FailureKind.LOCAL_PROTOCOL_ERROR,
    FailureKind.WRITE_ERROR,
    FailureKind.WRITE_RESET,
    FailureKind.WRITE_TIMEOUT,
    FailureKind.NO_RESPONSE,
)
"""How it fails before there is a response."""
BEHIND = (
    FailureKind.FIN,
    FailureKind.SHORT_BODY,
    FailureKind.DECODING_ERROR,
    FailureKind.CLOSE_ERROR,
    FailureKind.RECORDING_ENDED,
)
"""How it fails within a body."""
ANYWHERE = (
    FailureKind.RESET,
    FailureKind.READ_ERROR,
    FailureKind.READ_TIMEOUT,
    FailureKind.PROTOCOL_ERROR,
    FailureKind.OTHER,
)
"""How it fails in both."""
_BY_A_SERVER = frozenset(
    {
        FailureKind.NO_RESPONSE,
        FailureKind.FIN,
        FailureKind.SHORT_BODY,
        FailureKind.RESET,
        FailureKind.READ_ERROR,
        FailureKind.PROTOCOL_ERROR,
    }
)
_NO_HTTP = b"\x00\x01 this is no HTTP\r\n\r\n"  # neither as a head nor as a chunk

_STATUSES = (200, 400, 401, 403, 404, 429, 500, 502, 503, 529)
_TYPES = ("", "text/event-stream", "text/event-stream; charset=utf-8", "application/json")
_DATA = st.binary(min_size=1, max_size=8) | st.sampled_from(
    [
        b"data: {}\n\n",
        b'data: {"x":"\xc3\xa9"}\r\n\r\n',
        b'event: ping\ndata: {"type": "ping"}\n\n',
        b": comment\n\n",
        b"data: [DONE]\n\n",
    ]
)


def scripts(
    *,
    endings: str | Collection[str] | None = None,
    max_chunks: int = 6,
    max_wait: float = 60.0,
    on_socket: bool = False,
) -> st.SearchStrategy[list[Step]]:
    """Scripts that a transport can perform: waits, a head, chunks, an ending.

    Examples shrink to one step, a failure or a head, and to no waits and small chunks.

    Args:
        endings: How they end, one or several of ``complete``, ``failure`` (a body that
            breaks), ``no_response`` (a failure before the head) and ``silence`` (a wait that
            never ends, behind the head); any of them if None.
        max_chunks: How many chunks there are at most.
        max_wait: How many seconds a wait takes at most, the silence aside.
        on_socket: Only what the loopback server can bring about, too.

    Raises:
        ValueError: There is no such ending, or a limit is below 0.
        TypeError: A limit is no number.
    """
    known = chosen("endings", endings, _ENDINGS)
    most = whole_number("max_chunks", max_chunks, low=0)
    if isinstance(max_wait, bool) or not isinstance(max_wait, int | float):
        raise TypeError(f"max_wait is {max_wait!r}; it can be a number of seconds")
    if not 0 <= max_wait < math.inf:
        raise ValueError(f"max_wait is {max_wait}; it can be 0 seconds or more, and not infinite")
    return _scripts(known, _pause(max_wait), most, flag("on_socket", on_socket))


def _pause(max_wait: float) -> st.SearchStrategy[list[Step]]:
    """No wait, or a wait, or two that add up."""
    if not max_wait:
        return st.just([])
    return st.lists(st.floats(0, max_wait, exclude_min=True).map(Wait), max_size=2)


@st.composite
def _scripts(
    draw: st.DrawFn,
    endings: Sequence[str],
    pause: st.SearchStrategy[list[Step]],
    max_chunks: int,
    on_socket: bool,
) -> list[Step]:
    ending = draw(st.sampled_from(endings))
    steps = draw(pause)
    if ending == "no_response":
        return [*steps, draw(_fails(BEFORE + ANYWHERE, on_socket))]
    chunks = draw(st.lists(_DATA, max_size=max_chunks))
    fail = draw(_fails(BEHIND + ANYWHERE, on_socket)) if ending == "failure" else None
    size = sum(map(len, chunks))
    if fail is not None and fail.kind is FailureKind.SHORT_BODY:
        length: int | None = size + draw(st.integers(1, 100))
    else:
        # Only a body in chunks can be seen to lack its end.
        measured = ending == "complete" and size and draw(st.booleans())
        length = size if measured else None
    steps = [*steps, draw(_heads(length, on_socket))]
    for data in chunks:
        steps += [*draw(pause), Emit(data)]
    if ending != "complete" or length is None:  # where the length tells the end, it is over
        steps += draw(pause)
    if ending == "silence":
        steps.append(Wait(math.inf))
    return steps if fail is None else [*steps, fail]


@st.composite
def _heads(draw: st.DrawFn, length: int | None, on_socket: bool) -> Head:
    headers = []
    if kind := draw(st.sampled_from(_TYPES)):
        headers.append(("content-type", kind))
    if length is not None:
        headers.append(("content-length", str(length)))
    if draw(st.booleans()):
        headers.append(("x-request-id", draw(st.text("abcdef0123456789", min_size=1, max_size=8))))
    return Head(
        draw(st.sampled_from(_STATUSES)),
        tuple(headers),
        "HTTP/1.1" if on_socket else draw(st.sampled_from(["HTTP/1.1", "HTTP/2"])),
        draw(st.sampled_from([None, "Yes", "Überlastet"])),
    )


def _fails(kinds: Sequence[FailureKind], on_socket: bool) -> st.SearchStrategy[Fail]:
    """Failures of these *kinds*: first as a library tells them, then in words of their own."""
    if on_socket:
        raw = {FailureKind.PROTOCOL_ERROR: _NO_HTTP}
        return st.sampled_from(
            [Fail(it, raw=raw.get(it, b"")) for it in kinds if it in _BY_A_SERVER]
        )
    told = [Fail(kind) for kind in kinds if kind is not FailureKind.OTHER]
    own = [Fail(FailureKind.OTHER, "OwnError: it broke")] if FailureKind.OTHER in kinds else []
    return st.sampled_from([*told, *own, *(Fail(it.kind, "it broke") for it in told)])
