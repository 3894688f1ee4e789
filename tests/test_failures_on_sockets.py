from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import anyio
import httpx
import httpx2
import pytest
import trustme
from raw_server import Handler, Peer, close, read_request, reset, serving

from cassette_stream.clock import VirtualClock
from cassette_stream.exceptions import HangError
from cassette_stream.script import Emit, Fail, FailureKind, Head, Step, Wait
from cassette_stream.transport.desk import Play
from cassette_stream.transport.httpx import async_transport, sync_transport

LIBRARIES = [httpx, httpx2]
HEAD = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
HELLO = b"5\r\nhello\r\n"
SSH = b"SSH-2.0-OpenSSH_9.6"
ALERT = b"\x15\x03\x01\x00\x02\x02\x46"
LARGE = b"x" * 20_000_000  # more than the kernel takes without a reader


class Case(NamedTuple):
    """A server that does *handle*, and the *steps* that say the same in-process."""

    handle: Handler
    steps: tuple[Step, ...]
    scheme: str = "http"
    trusted: bool = True
    named: str = "127.0.0.1"
    in_tls: bool = True  # the handshake is made, then *handle* is asked
    timeout: dict[str, float] = {}
    content: bytes = b"{}"


def after_request(*ends: Callable[[Peer], object]) -> Handler:
    def handle(peer: Peer) -> None:
        read_request(peer)
        for end in ends:
            end(peer)

    return handle


def in_body(*ends: Callable[[Peer], object]) -> Handler:
    def begin(peer: Peer) -> None:
        peer.socket.sendall(HEAD + HELLO)
        peer.told.wait(10)

    return after_request(begin, *ends)


def sending(data: bytes) -> Callable[[Peer], object]:
    return lambda peer: peer.socket.sendall(data)


def some_bytes(peer: Peer) -> None:
    peer.socket.recv(1000)


def silence(peer: Peer) -> None:
    peer.over.wait(10)


def then(*acts: Callable[[Peer], object]) -> Handler:
    def handle(peer: Peer) -> None:
        for act in acts:
            act(peer)

    return handle


def body(kind: FailureKind) -> tuple[Step, ...]:
    return (Head(200), Emit(b"hello"), Fail(kind))


K = FailureKind
SOON = {"connect": 0.1, "read": 0.1, "write": 0.1, "pool": 0.1}
PLAIN = {
    "closed before the head": Case(after_request(close), (Fail(K.NO_RESPONSE),)),
    "closed in the head": Case(after_request(sending(HEAD[:20]), close), (Fail(K.NO_RESPONSE, raw=HEAD[:20]),)),
    "reset before the head": Case(after_request(reset), (Fail(K.RESET),)),
    "silent before the head": Case(after_request(silence), (Wait(1),), timeout=SOON),
    "closed in the body": Case(in_body(close), body(K.FIN)),
    "reset in the body": Case(in_body(reset), body(K.RESET)),
    "silent in the body": Case(in_body(silence), (Head(200), Emit(b"hello"), Wait(1)), timeout=SOON),
    "write timeout": Case(silence, (Fail(K.WRITE_TIMEOUT),), timeout={"connect": 5, "read": 5, "write": 0.1, "pool": 5}, content=LARGE),
    "reset while the request is sent": Case(then(some_bytes, reset), (Fail(K.WRITE_RESET),), content=LARGE),
    "a banner": Case(after_request(sending(SSH + b"\r\n\r\n"), close), (Fail(K.PROTOCOL_ERROR, f"illegal status line: {bytearray(SSH)!r}"),)),
    "a TLS alert": Case(after_request(sending(ALERT), close), (Fail(K.PROTOCOL_ERROR, "illegal request line"),)),
}  # fmt: skip
HANDSHAKES = {
    "untrusted": Case(close, (Fail(K.TLS_UNTRUSTED),), trusted=False),
    "another host": Case(close, (Fail(K.TLS_HOSTNAME),), named="other.test"),
    "closed in the handshake": Case(then(some_bytes, close), (Fail(K.TLS_EOF),), in_tls=False),
    "no TLS": Case(then(some_bytes, sending(b"HTTP/1.1 400 Bad Request\r\n\r\n"), silence), (Fail(K.TLS_PLAIN),), in_tls=False),
    "silent in the handshake": Case(silence, (Fail(K.TLS_TIMEOUT),), in_tls=False, timeout=SOON),
}  # fmt: skip
CASES = (
    PLAIN
    | {f"{name}, over TLS": case._replace(scheme="https") for name, case in PLAIN.items()}
    | {name: case._replace(scheme="https") for name, case in HANDSHAKES.items()}
)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@contextmanager
def served(case: Case, authority: trustme.CA) -> Iterator[tuple[str, Any, Any]]:
    """The URL of the server, what a client trusts, and what to call when bytes came."""
    tls = None
    if case.scheme == "https" and case.in_tls:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(case.named).configure_cert(tls)
    trust = ssl.create_default_context()
    if case.trusted:
        authority.configure_trust(trust)
    with serving(case.handle, tls=tls) as (port, told):
        yield f"{case.scheme}://127.0.0.1:{port}/v1", trust, told.set


def seen(got: list[bytes], response: Any, error: Exception) -> dict[str, Any]:
    causes = [type(error.__cause__).__name__, type(error.__cause__).__module__.partition(".")[0]]
    return {
        "error": type(error),
        "message": re.sub(r"_ssl\.c:\d+", "_ssl.c", str(error)),
        "cause": causes,
        "bytes": b"".join(got),
        "is_closed": response and response.is_closed,
    }


def met(library: Any, transport: Any, url: str, case: Case, notify: Any) -> dict[str, Any]:
    """What synchronous code meets."""
    timeout = library.Timeout(**(case.timeout or dict.fromkeys(SOON, 5)))
    got: list[bytes] = []
    response = None
    with library.Client(transport=transport, timeout=timeout) as client:
        try:
            with client.stream("POST", url, content=case.content) as response:
                for data in response.iter_raw():
                    got.append(data)
                    notify()
        except library.RequestError as error:
            return seen(got, response, error)
    raise AssertionError(f"nothing went wrong; {got} came")


async def amet(library: Any, transport: Any, url: str, case: Case, notify: Any) -> dict[str, Any]:
    """What asynchronous code meets."""
    timeout = library.Timeout(**(case.timeout or dict.fromkeys(SOON, 5)))
    got: list[bytes] = []
    response = None
    async with library.AsyncClient(transport=transport, timeout=timeout) as client:
        try:
            async with client.stream("POST", url, content=case.content) as response:
                async for data in response.aiter_raw():
                    got.append(data)
                    notify()
        except library.RequestError as error:
            return seen(got, response, error)
    raise AssertionError(f"nothing went wrong; {got} came")


def nowhere(library: Any) -> Any:
    def refuse(request: Any) -> Any:
        raise AssertionError(f"{request.url} was about to leave")

    return library.MockTransport(refuse)


class Plays:
    def __init__(self, case: Case) -> None:
        self.steps = case.steps
        self.clock = VirtualClock()

    def decide(self, _: Any) -> Play:
        return Play(iter(self.steps), self.clock)


@pytest.mark.parametrize("library", LIBRARIES, ids=lambda it: it.__name__)
@pytest.mark.parametrize("name", CASES)
def test_what_is_raised_in_process_is_raised_on_a_socket(
    library: Any, name: str, authority: trustme.CA
) -> None:
    case = CASES[name]
    with served(case, authority) as (url, trust, notify):
        real = met(library, library.HTTPTransport(verify=trust), url, case, notify)
        played = sync_transport(library, Plays(case), nowhere(library))

        assert met(library, played, url, case, notify) == real


@pytest.mark.parametrize("library", LIBRARIES, ids=lambda it: it.__name__)
@pytest.mark.parametrize("name", CASES)
def test_and_so_it_is_for_asynchronous_code(library: Any, name: str, authority: trustme.CA) -> None:
    case = CASES[name]

    async def main() -> None:
        with served(case, authority) as (url, trust, notify):
            real = await amet(library, library.AsyncHTTPTransport(verify=trust), url, case, notify)
            played = async_transport(library, Plays(case), nowhere(library))

            assert await amet(library, played, url, case, notify) == real

    anyio.run(main)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@contextmanager
def deaf() -> Iterator[int]:
    """A port whose connections are never made: nobody accepts, and the queue is full."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        port = listener.getsockname()[1]
        waiting = [socket.socket() for _ in range(4)]
        for sock in waiting:
            sock.setblocking(False)
            sock.connect_ex(("127.0.0.1", port))
        yield port
        for sock in waiting:
            sock.close()


@pytest.mark.parametrize("library", LIBRARIES, ids=lambda it: it.__name__)
@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize("what", ["refused", "proxy", "timeout", "no scheme"])
def test_so_it_is_where_there_is_no_connection(library: Any, what: str, *, is_async: bool) -> None:
    with deaf() as port:
        kind = {
            "refused": K.REFUSED,
            "proxy": K.REFUSED,
            "timeout": K.CONNECT_TIMEOUT,
            "no scheme": K.UNSUPPORTED_PROTOCOL,
        }[what]
        closed = f"http://127.0.0.1:{free_port()}"
        url = {
            "timeout": f"http://127.0.0.1:{port}",
            "proxy": "http://api.test",
            "no scheme": "/v1",
        }
        case = Case(silence, (Fail(kind),), timeout=SOON)
        options = {"proxy": closed} if what == "proxy" else {}

        assert outcomes(library, url.get(what, closed), case, options, is_async=is_async)


def outcomes(library: Any, url: str, case: Case, options: Any, *, is_async: bool) -> bool:
    """Whether a socket and a replay give the same."""
    if is_async:

        async def main() -> bool:
            inner = library.AsyncHTTPTransport(**options)
            real = await amet(library, inner, url, case, print)
            played = async_transport(library, Plays(case), nowhere(library))
            return real == await amet(library, played, url, case, print)

        return anyio.run(main)
    real = met(library, library.HTTPTransport(**options), url, case, print)
    return real == met(
        library, sync_transport(library, Plays(case), nowhere(library)), url, case, print
    )


@pytest.mark.parametrize("library", LIBRARIES, ids=lambda it: it.__name__)
def test_a_pool_without_a_free_connection_times_out(library: Any) -> None:
    limits = library.Limits(max_connections=1)
    case = Case(in_body(silence), (Fail(K.POOL_TIMEOUT),), timeout=SOON | {"read": 5})
    with served(case, trustme.CA()) as (url, _, _):
        timeout = library.Timeout(**case.timeout)
        with library.Client(limits=limits, timeout=timeout) as client, client.stream("GET", url):
            with pytest.raises(library.PoolTimeout) as real:
                client.get(url)
    with library.Client(transport=sync_transport(library, Plays(case), nowhere(library))) as client:
        with pytest.raises(library.PoolTimeout) as played:
            client.get(url)

    assert str(played.value) == str(real.value)
    assert type(played.value.__cause__) is type(real.value.__cause__)


PHASES = {
    K.CONNECT_TIMEOUT: "connect",
    K.TLS_TIMEOUT: "connect",
    K.POOL_TIMEOUT: "pool",
    K.WRITE_TIMEOUT: "write",
}


@pytest.mark.parametrize("library", LIBRARIES, ids=lambda it: it.__name__)
@pytest.mark.parametrize(("kind", "phase"), PHASES.items(), ids=str)
def test_a_timeout_comes_after_its_own_limit_and_never_without_one(
    library: Any, kind: FailureKind, phase: str
) -> None:
    desk = Plays(Case(silence, (Fail(kind),)))
    limits = {"connect": 3.0, "read": 5.0, "write": 7.0, "pool": 11.0}
    with library.Client(transport=sync_transport(library, desk, nowhere(library))) as client:
        with pytest.raises(library.TimeoutException):
            client.post("https://api.test", timeout=library.Timeout(**limits))

        assert desk.clock.now() == limits[phase]
        with pytest.raises(HangError, match="the request has no timeout for that: set one"):
            client.post("https://api.test", timeout=library.Timeout(**limits | {phase: None}))


def test_a_timeout_that_was_waited_for_comes_when_it_came() -> None:
    desk = Plays(Case(silence, (Wait(2), Fail(K.CONNECT_TIMEOUT))))
    with httpx.Client(transport=sync_transport(httpx, desk, nowhere(httpx))) as client:
        with pytest.raises(httpx.ConnectTimeout):
            client.get("https://api.test", timeout=60)

    assert desk.clock.now() == 2
