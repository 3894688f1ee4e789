"""The loopback server: scripts on a real socket, cassettes, model endpoints, and no leaks."""

from __future__ import annotations

import asyncio
import gc
import gzip
import math
import resource
import socket
import threading
import zlib
from array import array
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import anyio
import httpx
import httpx2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import SOAK

from cassette_stream.cassette.model import Cassette, Ending, How, Interaction, Request, Response
from cassette_stream.script import Emit, Fail, FailureKind, Head, Script, Step, Wait
from cassette_stream.server import LoopbackServer, gzipped

some = settings(max_examples=150 if SOAK else 25, deadline=None)
libraries = pytest.mark.parametrize("library", [httpx, httpx2], ids=lambda it: it.__name__)
LENGTH_10 = Head(200, (("content-length", "10"),))


@pytest.fixture(scope="module")
def server() -> Iterator[LoopbackServer]:
    with LoopbackServer() as server:
        yield server


@pytest.fixture
def fresh() -> Iterator[LoopbackServer]:
    with LoopbackServer() as server:
        yield server


def address(server: LoopbackServer) -> tuple[str, int]:
    host, port = server.url.removeprefix("http://").split(":")
    return host, int(port)


def talk(server: LoopbackServer, request: bytes) -> bytes:
    """Everything that the server sends until it closes."""
    with socket.create_connection(address(server), timeout=5) as sock:
        sock.sendall(request)
        return b"".join(iter(lambda: sock.recv(65536), b""))


def get(path: str = "/", extra: str = "connection: close\r\n", version: str = "1.1") -> bytes:
    return f"GET {path} HTTP/{version}\r\nhost: x\r\n{extra}\r\n".encode()


def read(library: ModuleType, url: str, timeout: float = 5) -> tuple[list[bytes], str]:
    """The chunks that came, and the class of exception that ended them."""
    got: list[bytes] = []
    patience = library.Timeout(60, read=timeout)
    try:
        with library.stream("POST", url, content=b"{}", timeout=patience) as response:
            got.extend(response.iter_raw())
    except library.TransportError as error:
        return got, type(error).__name__
    return got, ""


bodies = st.lists(st.binary(max_size=300), max_size=8)


@some
@given(body=bodies)
def test_each_emit_is_one_chunk_and_no_byte_is_lost(
    server: LoopbackServer, body: list[bytes]
) -> None:
    server.respond([Head(200), *map(Emit, body)], path="/law")
    wire = talk(server, get("/law"))
    head, _, rest = wire.partition(b"\r\n\r\n")

    assert b"transfer-encoding: chunked" in head
    assert rest == b"".join(
        b"%x\r\n%b\r\n" % (len(data), data) for data in [*filter(None, body), b""]
    )


@some
@given(body=bodies)
def test_a_body_of_known_length_comes_as_it_is(server: LoopbackServer, body: list[bytes]) -> None:
    whole = b"".join(body)
    head = Head(200, (("content-length", str(len(whole))),))
    server.respond([head, *map(Emit, body)], path="/law")

    assert talk(server, get("/law")).partition(b"\r\n\r\n")[2] == whole


ENDS: dict[str, tuple[list[Step], bytes, str, FailureKind | None]] = {
    "clean": ([Head(200), Emit(b"abc")], b"abc", "", None),
    "waits": ([Wait(0.001), Head(200), Wait(0.001), Emit(b"abc")], b"abc", "", None),
    "empty emit": ([Head(200), Emit(b""), Emit(b"abc")], b"abc", "", None),
    "fin": (
        [Head(200), Emit(b"abc"), Fail(FailureKind.FIN)],
        b"abc",
        "RemoteProtocolError",
        FailureKind.FIN,
    ),
    "fin inside a chunk": (
        [Head(200), Emit(b"abc"), Fail(FailureKind.FIN, raw=b"a\r\ndef")],
        b"abcdef",
        "RemoteProtocolError",
        FailureKind.FIN,
    ),
    "short body": (
        [LENGTH_10, Emit(b"abc"), Fail(FailureKind.SHORT_BODY)],
        b"abc",
        "RemoteProtocolError",
        FailureKind.SHORT_BODY,
    ),
    "length never kept": ([LENGTH_10, Emit(b"abc")], b"abc", "RemoteProtocolError", None),
    "reset": (
        [Head(200), Emit(b"abc"), Fail(FailureKind.RESET)],
        b"abc",
        "ReadError",
        FailureKind.RESET,
    ),
    "read error": (
        [Head(200), Emit(b"abc"), Fail(FailureKind.READ_ERROR)],
        b"abc",
        "ReadError",
        FailureKind.READ_ERROR,
    ),
    "reset before the head": (
        [Fail(FailureKind.RESET)],
        b"",
        "ReadError",
        FailureKind.RESET,
    ),
    "no response": (
        [Fail(FailureKind.NO_RESPONSE)],
        b"",
        "RemoteProtocolError",
        FailureKind.NO_RESPONSE,
    ),
    "script without steps": ([], b"", "RemoteProtocolError", None),
    "garbage for a head": (
        [Fail(FailureKind.PROTOCOL_ERROR, raw=b"SSH-2.0-OpenSSH\r\n\r\n")],
        b"",
        "RemoteProtocolError",
        FailureKind.PROTOCOL_ERROR,
    ),
    "bad chunk": (
        [Head(200), Emit(b"abc"), Fail(FailureKind.PROTOCOL_ERROR, raw=b"zz\r\n")],
        b"abc",
        "RemoteProtocolError",
        FailureKind.PROTOCOL_ERROR,
    ),
    "until close": ([Head(200, (), "HTTP/1.0"), Emit(b"abc")], b"abc", "", None),
    "connection close": ([Head(200, (("connection", "close"),)), Emit(b"abc")], b"abc", "", None),
    "http/2": ([Head(200, (), "HTTP/2"), Emit(b"abc")], b"abc", "", None),
    "both framings": (
        [
            Head(200, (("transfer-encoding", "chunked"), ("content-length", "1"))),
            Emit(b"abc"),
        ],
        b"abc",
        "",
        None,
    ),
}


@libraries
@pytest.mark.parametrize("end", ENDS)
def test_a_script_ends_for_the_client_as_it_says(
    fresh: LoopbackServer, library: ModuleType, end: str
) -> None:
    steps, body, error, failure = ENDS[end]
    fresh.respond(steps)
    got, raised = read(library, f"{fresh.url}/any")
    (exchange,) = fresh.wait_for_exchanges(1)

    assert (b"".join(got), raised) == (body, error)
    assert exchange.how is (How.FAILURE if failure else How.COMPLETE)
    assert exchange.failure is failure


@pytest.mark.parametrize(
    "silence",
    [Wait(math.inf), Fail(FailureKind.READ_TIMEOUT), Fail(FailureKind.RECORDING_ENDED)],
    ids=["endless wait", "read timeout", "recording ended"],
)
@libraries
def test_silence_lasts_until_the_client_leaves(
    fresh: LoopbackServer, library: ModuleType, silence: Step
) -> None:
    fresh.respond([Head(200), Emit(b"abc"), silence])

    assert read(library, fresh.url, timeout=0.4) == ([b"abc"], "ReadTimeout")
    assert fresh.wait_for_disconnect().bytes_sent == 3


def test_silence_before_the_head_is_a_read_timeout(fresh: LoopbackServer) -> None:
    fresh.respond([Wait(math.inf)])

    assert read(httpx, fresh.url, timeout=0.4) == ([], "ReadTimeout")


def test_a_slow_reader_gets_every_byte_before_the_reset(fresh: LoopbackServer) -> None:
    size = 1 << 22
    fresh.respond([Head(200, (), "HTTP/1.0"), Emit(b"x" * size), Fail(FailureKind.RESET)])
    got = 0
    with socket.create_connection(address(fresh), timeout=5) as sock:
        sock.sendall(get())
        while not got:
            got = len(sock.recv(1))
        # By here the server is in the middle of its body, and waits for room.
        with pytest.raises(ConnectionResetError):
            while data := sock.recv(65536):
                got += len(data)

    assert got > size


@pytest.mark.parametrize(
    ("status", "method", "body"),
    [(200, "HEAD", b""), (204, "GET", b""), (304, "GET", b""), (200, "GET", b"abc")],
)
def test_responses_without_a_body_have_none(
    fresh: LoopbackServer, status: int, method: str, body: bytes
) -> None:
    fresh.respond([Head(status, (("content-type", "x/y"),)), Emit(b"abc")])
    with httpx.Client() as client:
        first, second = (client.request(method, fresh.url) for _ in range(2))

    assert (first.content, second.content) == (body, body)
    assert [it.bytes_sent for it in fresh.wait_for_exchanges(2)] == [len(body)] * 2


@pytest.mark.parametrize(
    ("head", "line"),
    [
        (Head(200), b"HTTP/1.1 200 OK"),
        (Head(529), b"HTTP/1.1 529 "),
        (Head(200, reason="Fine"), b"HTTP/1.1 200 Fine"),
        (Head(404, http_version="HTTP/1.0"), b"HTTP/1.0 404 Not Found"),
    ],
    ids=["standard", "unknown", "own", "1.0"],
)
def test_the_status_line_has_its_reason(fresh: LoopbackServer, head: Head, line: bytes) -> None:
    fresh.respond([head])

    assert talk(fresh, get()).splitlines()[0] == line


def test_a_client_of_http_1_0_gets_no_chunks(fresh: LoopbackServer) -> None:
    fresh.respond([Head(200), Emit(b"abc"), Emit(b"def")])

    assert talk(fresh, get(version="1.0")) == b"HTTP/1.1 200 OK\r\n\r\nabcdef"


def test_header_fields_are_sent_in_their_order_and_as_often_as_they_come(
    fresh: LoopbackServer,
) -> None:
    fields = (("set-cookie", "a=1"), ("x", "é"), ("set-cookie", "b=2"))
    fresh.respond([Head(200, fields)])

    assert httpx.get(fresh.url).headers.multi_items()[:3] == list(fields)


def test_a_connection_serves_one_request_after_the_other(fresh: LoopbackServer) -> None:
    fresh.respond([Head(200), Emit(b"abc")])
    pipelined = get("/1", extra="") + get("/2", extra="") + get("/3")

    assert talk(fresh, pipelined).count(b"3\r\nabc\r\n0\r\n\r\n") == 3
    assert [exchange.request.url[-2:] for exchange in fresh.exchanges] == ["/1", "/2", "/3"]


def test_an_upload_behind_a_slow_answer_waits_and_is_read_whole(fresh: LoopbackServer) -> None:
    fresh.respond([Wait(0.05), Head(200)])
    size = 4 << 20
    upload = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n%b" % (size, b"x" * size)
    talk(fresh, upload + upload + get())

    assert [len(exchange.request.body) for exchange in fresh.exchanges] == [size, size, 0]


def test_a_route_may_be_a_function_of_the_request(fresh: LoopbackServer) -> None:
    fresh.script(lambda request: request.body == b"b", lambda _: iter([Head(201)]))

    assert [httpx.post(fresh.url, content=body).status_code for body in (b"a", b"b")] == [404, 201]


def test_a_chunked_upload_is_read_whole(fresh: LoopbackServer) -> None:
    fresh.respond([Head(200)])
    httpx.post(f"{fresh.url}/up?q=1", content=iter([b"ab", b"", b"c" * 100_000]))
    (exchange,) = fresh.wait_for_exchanges(1)
    request = exchange.request

    assert request.body == b"ab" + b"c" * 100_000
    assert (request.method, request.url) == ("POST", f"{fresh.url}/up?q=1")
    assert request.headers["transfer-encoding"] == ("chunked",)


def test_a_client_that_expects_100_gets_it_once(fresh: LoopbackServer) -> None:
    fresh.respond([Head(200)])
    head = b"POST / HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 3\r\nconnection: close\r\n\r\n"
    with socket.create_connection(address(fresh), timeout=5) as sock:
        sock.sendall(head)
        first = sock.recv(1000)
        sock.sendall(b"ab")
        sock.sendall(b"c")
        rest = b"".join(iter(lambda: sock.recv(65536), b""))

    assert first == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert rest.startswith(b"HTTP/1.1 200 OK")
    assert fresh.exchanges[0].request.body == b"abc"


def test_what_is_not_http_is_refused(fresh: LoopbackServer) -> None:
    assert talk(fresh, b"hello\r\n\r\n").startswith(b"HTTP/1.1 400 Bad Request")
    assert fresh.exchanges == ()


def test_a_client_that_leaves_within_its_request_is_no_exchange(fresh: LoopbackServer) -> None:
    with socket.create_connection(address(fresh)) as sock:
        sock.sendall(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\nabc")
    fresh.respond([Head(200)])
    httpx.get(fresh.url)

    assert [exchange.request.method for exchange in fresh.wait_for_exchanges(1)] == ["GET"]


def test_a_request_to_a_proxy_keeps_its_url(fresh: LoopbackServer) -> None:
    fresh.respond([Head(200)], path="/p")
    talk(fresh, get("http://api.example.com/p"))
    talk(fresh, get("/p?to=http://x"))

    assert [exchange.request.url for exchange in fresh.wait_for_exchanges(2)] == [
        "http://api.example.com/p",
        f"{fresh.url}/p?to=http://x",
    ]


@pytest.mark.parametrize("pause", [0.001, math.inf], ids=["between events", "in a long silence"])
def test_the_server_notices_that_a_client_leaves_its_stream(
    fresh: LoopbackServer, pause: float
) -> None:
    def endless(_: Request) -> Script:
        yield Head(200)
        yield Emit(b"abc")
        while True:
            yield Wait(pause)
            yield Emit(b"abc")

    fresh.script("/endless", endless)
    with httpx.stream("GET", f"{fresh.url}/endless") as response:
        next(response.iter_raw())
    exchange = fresh.wait_for_disconnect()

    assert exchange.how is How.CLOSED_BY_CALLER
    assert exchange.bytes_sent >= 3
    with pytest.raises(TimeoutError, match="no client left a stream within 0"):
        fresh.wait_for_disconnect(0)


def test_a_client_that_does_not_read_is_noticed_when_it_leaves(fresh: LoopbackServer) -> None:
    def endless(_: Request) -> Script:
        yield Head(200)
        while True:
            yield Emit(b"x" * (1 << 20))

    fresh.script(None, endless)
    with socket.create_connection(address(fresh)) as sock:
        sock.sendall(get())
        sock.recv(1)

    assert fresh.wait_for_disconnect().how is How.CLOSED_BY_CALLER


def test_small_chunks_are_not_held_back_to_be_sent_together(fresh: LoopbackServer) -> None:
    assert fresh._thread is not None
    # asyncio sets TCP_NODELAY on what is accepted from a socket of this very protocol.
    assert fresh._thread._socket.proto == socket.IPPROTO_TCP


def test_streams_run_side_by_side(fresh: LoopbackServer) -> None:
    gate = threading.Event()

    def waiting(_: Request) -> Script:
        yield Head(200)
        while not gate.is_set():
            yield Wait(0.001)
        yield Emit(b"late")

    fresh.script("/late", waiting)
    fresh.respond([Head(200), Emit(b"early")], path="/early")
    with httpx.stream("GET", f"{fresh.url}/late") as late:
        early = httpx.get(f"{fresh.url}/early").content
        gate.set()

        assert (early, late.read()) == (b"early", b"late")


def test_waiting_for_exchanges_that_never_come_says_how_many_did(fresh: LoopbackServer) -> None:
    with pytest.raises(TimeoutError, match=r"0 of 1 exchanges ended within 0\.01 s"):
        fresh.wait_for_exchanges(1, 0.01)


@pytest.mark.parametrize(
    ("fail", "reason"),
    [
        (Fail(FailureKind.DNS), "dns does not happen at a server"),
        (Fail(FailureKind.POOL_TIMEOUT), "pool_timeout does not happen at a server"),
        (Fail(FailureKind.PROTOCOL_ERROR), "fails with protocol_error only by its raw= bytes"),
    ],
    ids=lambda it: it.kind.value if isinstance(it, Fail) else "",
)
def test_a_failure_that_no_server_can_perform_is_refused_at_the_call(
    server: LoopbackServer, fail: Fail, reason: str
) -> None:
    with pytest.raises(ValueError, match=reason):
        server.respond([Head(200), fail])


def test_what_is_no_step_is_refused_at_the_call(server: LoopbackServer) -> None:
    with pytest.raises(TypeError, match="a step is a Wait, Head, Emit or Fail, not b'abc'"):
        server.respond([Head(200), b"abc"])  # type: ignore[list-item] - the mistake


BROKEN: dict[str, tuple[list[Step], str]] = {
    "impossible failure": ([Fail(FailureKind.DNS)], "dns does not happen at a server"),
    "emit before head": ([Emit(b"abc")], "a script emits after its head"),
    "two heads": ([Head(200), Head(404)], "a script has one head"),
    "no script": ([Head(200), None], "Expected code to be unreachable"),  # type: ignore[list-item] - a mistake
}


@pytest.mark.parametrize("mistake", BROKEN)
def test_a_script_that_makes_no_sense_is_told_to_the_client_and_raised_at_the_end(
    mistake: str,
) -> None:
    steps, reason = BROKEN[mistake]
    with pytest.raises((ValueError, AssertionError), match=reason), LoopbackServer() as server:
        server.script(None, lambda _: iter(steps))
        status, *_ = read_status(server)

    assert status in {501, 200}
    assert server.exchanges[0].failure is FailureKind.OTHER


def read_status(server: LoopbackServer) -> tuple[int, bytes]:
    with httpx.stream("GET", server.url) as response:
        try:
            return response.status_code, response.read()
        except httpx.RemoteProtocolError:
            return response.status_code, b""


def test_an_error_of_the_test_itself_comes_first() -> None:
    with pytest.raises(KeyError) as caught, LoopbackServer() as server:
        server.script(None, lambda _: iter([Emit(b"abc")]))
        assert httpx.get(server.url).status_code == 501
        raise KeyError("mine")

    assert "the loopback server: ValueError" in caught.value.__notes__[0]


def open_sockets() -> int:
    """How many sockets this process holds; 0 where there is no /proc to count them in."""
    # Listing the folder opens it, so a descriptor may be gone by the time it is looked at.
    folder = Path("/proc/self/fd")
    links = [fd for fd in folder.iterdir() if fd.is_symlink()] if folder.is_dir() else []
    return sum("socket:" in str(fd.readlink()) for fd in links)


def test_nothing_is_left_behind() -> None:
    threads, sockets = threading.active_count(), open_sockets()
    with ExitStack() as stack:
        server = stack.enter_context(LoopbackServer())
        server.respond([Head(200), Emit(b"abc"), Wait(math.inf)])
        clients = [stack.enter_context(socket.create_connection(address(server))) for _ in range(3)]
        for client in clients[:2]:
            client.sendall(get())
        clients[0].recv(1)
        server.stop()
        assert clients[0].recv(1000) is not None
    how = {exchange.how for exchange in server.exchanges}

    assert how == {How.CANCELLED}
    # Fewer are fine: those of the runner come and go.
    assert threading.active_count() <= threads
    assert open_sockets() <= sockets


@pytest.mark.parametrize("asked", range(6))
def test_stopping_while_clients_connect_leaves_nothing_behind(asked: int) -> None:
    threads, sockets = threading.active_count(), open_sockets()
    for _ in range(50 if SOAK else 5):
        with ExitStack() as stack:
            server = LoopbackServer()
            server.start()
            server.respond([Head(200), Emit(b"x" * 1_000_000), Wait(math.inf)])
            for number in range(5):
                client = stack.enter_context(socket.create_connection(address(server)))
                if number < asked:
                    client.sendall(get())
            server.stop()
    gc.collect()

    # Fewer are fine: those of the runner come and go.
    assert threading.active_count() <= threads
    assert open_sockets() <= sockets


def test_a_server_that_gets_no_socket_says_so() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with ExitStack() as stack:
        stack.callback(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
        with pytest.raises(OSError, match="Too many open files"):
            LoopbackServer().start()


def test_a_script_that_blocks_the_server_is_told_when_it_stops(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("cassette_stream.server.thread._PATIENCE", 0.2)
    blocked, free = threading.Event(), threading.Event()

    def blocking(_: Request) -> Script:
        blocked.set()
        free.wait(5)
        yield Head(200)

    before = set(threading.enumerate())
    with socket.socket() as sock, pytest.raises(RuntimeError, match="a script blocks it"):
        with LoopbackServer() as server:
            server.script(None, blocking)
            sock.connect(address(server))
            sock.sendall(get())
            blocked.wait(5)
    free.set()
    (thread,) = set(threading.enumerate()) - before
    thread.join(5)

    assert not thread.is_alive()


def test_a_server_starts_again_after_it_stopped() -> None:
    server = LoopbackServer()
    server.stop()
    for _ in range(2):
        with server:
            assert httpx.get(server.url).status_code == 404
            with pytest.raises(RuntimeError, match="the server is already running"):
                server.start()

    with pytest.raises(RuntimeError, match="the server is not running"):
        _ = server.url


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_server_serves_asynchronous_tests(backend: str) -> None:
    async def main() -> str:
        async with LoopbackServer(gap=0.001) as server, httpx.AsyncClient() as client:
            body = {"model": "m", "messages": [{"role": "user", "content": "count to 3"}]}
            answer = await client.post(f"{server.openai_url}/chat/completions", json=body)
            return str(answer.json()["choices"][0]["message"]["content"])

    assert anyio.run(main, backend=backend) == "1, 2, 3."


@pytest.mark.parametrize(("gap", "first"), [(-1, None), (0, -0.1), (math.nan, None)])
def test_gaps_below_zero_are_refused(gap: float, first: float | None) -> None:
    with pytest.raises(ValueError, match="gaps must be 0 seconds or more"):
        LoopbackServer(gap=gap, first_gap=first)


def recorded(path: str, *frames: bytes, **response: Any) -> Interaction:
    return Interaction(
        recorded_at=datetime(2026, 1, 1, tzinfo=UTC),
        request=Request(method="POST", url=f"https://api.example.com{path}"),
        response=Response(
            status=200,
            body=b"".join(frames),
            sizes=array("q", map(len, frames)),
            gaps_us=array("q", [1000] * len(frames)),
            **response,
        ),
    )


def test_interactions_play_once_in_their_order_and_then_miss(fresh: LoopbackServer) -> None:
    fresh.play([recorded("/a", b"1"), recorded("/b", b"2"), recorded("/a", b"3")], pace="instant")
    answers = [httpx.post(f"{fresh.url}{path}?q") for path in ("/a", "/a", "/b", "/a")]

    assert [answer.content for answer in answers[:3]] == [b"1", b"3", b"2"]
    assert answers[3].status_code == 404
    assert answers[3].json()["error"]["message"] == "everything recorded for POST /a was played"


def test_a_cassette_owns_its_paths_and_no_others(fresh: LoopbackServer) -> None:
    fresh.play(Cassette(interactions=(recorded("/v1/chat/completions", b"{}"),)))
    body = {"model": "m", "max_tokens": 5, "messages": []}
    urls = [f"{fresh.openai_url}/chat/completions"] * 2 + [f"{fresh.url}/v1/messages"]

    assert [httpx.post(url, json=body).status_code for url in urls] == [200, 404, 200]


def test_a_recorded_failure_is_performed(fresh: LoopbackServer) -> None:
    died = Ending(how=How.FAILURE, failure=FailureKind.FIN, after_us=10)
    fresh.play([recorded("/", b"abc", ending=died)], pace=1000.0)

    assert read(httpx, f"{fresh.url}/") == ([b"abc"], "RemoteProtocolError")


@pytest.mark.parametrize("pace", [0, -1.0, math.nan])
def test_a_pace_that_is_none_is_refused(server: LoopbackServer, pace: float) -> None:
    with pytest.raises(ValueError, match="pace is 'recorded', 'instant' or a factor above 0"):
        server.play([], pace=pace)


@some
@given(body=st.lists(st.binary(min_size=1, max_size=50), min_size=1, max_size=6))
def test_each_event_of_a_compressed_stream_can_be_read_when_it_comes(body: list[bytes]) -> None:
    head, *emits, end = gzipped(iter([Head(200, (("content-length", "1"),)), *map(Emit, body)]))
    inflate = zlib.decompressobj(wbits=31)

    assert head == Head(200, (("content-encoding", "gzip"),))
    assert [inflate.decompress(step.data) for step in emits] == body
    assert inflate.decompress(end.data) == b""
    assert inflate.eof


def test_a_compressed_stream_that_fails_has_no_end() -> None:
    _, emit, fail = gzipped(iter([Head(200), Emit(b"abc"), Fail(FailureKind.FIN)]))

    assert isinstance(fail, Fail)
    with pytest.raises(EOFError):
        gzip.decompress(emit.data)


def test_what_has_no_head_is_not_compressed() -> None:
    assert list(gzipped(iter([Wait(1), Fail(FailureKind.RESET)]))) == [
        Wait(1),
        Fail(FailureKind.RESET),
    ]


def test_asynchronous_clients_see_the_disconnect_too(fresh: LoopbackServer) -> None:
    fresh.respond([Head(200), Emit(b"abc"), Wait(math.inf)])

    async def leave() -> None:
        async with httpx.AsyncClient() as client, client.stream("GET", fresh.url) as response:
            async for _ in response.aiter_raw():
                return

    asyncio.run(leave())

    assert fresh.wait_for_disconnect().how is How.CLOSED_BY_CALLER
