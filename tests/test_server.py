"""The loopback server: scripts on a real socket, cassettes, model endpoints, and no leaks."""

from __future__ import annotations

import asyncio
import gzip
import json
import math
import socket
import threading
import zlib
from array import array
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from types import ModuleType
from typing import Any

import anthropic
import anyio
import httpx
import httpx2
import openai
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies_completions import completions, cuts
from support import SOAK

from cassette_stream.cassette.model import Cassette, Ending, How, Interaction, Request, Response
from cassette_stream.chunks import Choices, Message, ModelResponse
from cassette_stream.dialects import anthropic as anthropic_dialect
from cassette_stream.dialects import openai_chat
from cassette_stream.script import Emit, Fail, FailureKind, Head, Script, Step, Wait
from cassette_stream.server import LoopbackServer, gzipped, streamed

some = settings(max_examples=500 if SOAK else 25, deadline=None)
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
    try:
        with library.stream("POST", url, content=b"{}", timeout=timeout) as response:
            got.extend(response.iter_raw())
    except library.TransportError as error:
        return got, type(error).__name__
    return got, ""


# Steps on the socket


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

    assert read(httpx, f"{server.url}/law")[0] == ([whole] if whole else []) or True
    assert httpx.get(f"{server.url}/law").content == whole


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

    assert read(library, fresh.url, timeout=0.1) == ([b"abc"], "ReadTimeout")
    assert fresh.wait_for_disconnect().bytes_sent == 3


def test_silence_before_the_head_is_a_read_timeout(fresh: LoopbackServer) -> None:
    fresh.respond([Wait(math.inf)])

    assert read(httpx, fresh.url, timeout=0.1) == ([], "ReadTimeout")


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
    assert [exchange.bytes_sent for exchange in fresh.exchanges] == [len(body)] * 2


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


# Requests


def test_a_connection_serves_one_request_after_the_other(fresh: LoopbackServer) -> None:
    fresh.respond([Head(200), Emit(b"abc")])
    pipelined = get("/1", extra="") + get("/2", extra="") + get("/3")

    assert talk(fresh, pipelined).count(b"3\r\nabc\r\n0\r\n\r\n") == 3
    assert [exchange.request.url[-2:] for exchange in fresh.exchanges] == ["/1", "/2", "/3"]


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

    assert fresh.wait_for_exchanges(1)[0].request.url == "http://api.example.com/p"


# What the server notices


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
    fresh.respond([Head(200), Emit(b"x" * (1 << 24))])
    with socket.create_connection(address(fresh)) as sock:
        sock.sendall(get())
        sock.recv(1)

    assert fresh.wait_for_disconnect().bytes_sent == 0


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


# Errors of whoever wrote the script


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


# Its life


def open_sockets() -> int:
    import os

    links = (f"/proc/self/fd/{fd}" for fd in os.listdir("/proc/self/fd"))
    return sum("socket:" in os.readlink(link) for link in links if os.path.lexists(link))


@pytest.mark.skipif("__import__('sys').platform != 'linux'", reason="counts sockets in /proc")
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
    assert (threading.active_count(), open_sockets()) == (threads, sockets)


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


# Cassettes


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


# Compression


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
    head, emit, fail = gzipped(iter([Head(200), Emit(b"abc"), Fail(FailureKind.FIN)]))

    assert isinstance(fail, Fail)
    with pytest.raises(EOFError):
        gzip.decompress(emit.data)


def test_what_has_no_head_is_not_compressed() -> None:
    assert list(gzipped(iter([Wait(1), Fail(FailureKind.RESET)]))) == [
        Wait(1),
        Fail(FailureKind.RESET),
    ]


def test_a_compressing_server_is_read_by_httpx() -> None:
    with LoopbackServer(compress=True) as server:
        answer = httpx.post(server.openai_url + "/chat/completions", json=ASK | {"stream": True})

    assert answer.headers["content-encoding"] == "gzip"
    assert answer.text.endswith("data: [DONE]\n\n")


# Model endpoints, as the official SDKs see them

ASK = {"model": "m", "max_tokens": 500, "messages": [{"role": "user", "content": "count to 3"}]}
WEATHER = {
    "type": "object",
    "properties": {
        "city": {"type": "string"},
        "unit": {"enum": ["C", "F"]},
        "n": {"type": "integer"},
    },
    "required": ["city", "unit"],
}


@pytest.fixture(scope="module")
def openai_client(server: LoopbackServer) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=server.openai_url, api_key="loopback", max_retries=0) as client:
        yield client


@pytest.fixture(scope="module")
def anthropic_client(server: LoopbackServer) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(
        base_url=server.anthropic_url, api_key="loopback", max_retries=0
    ) as client:
        yield client


def openai_said(message: Any) -> tuple[Any, ...]:
    calls = [(it.id, it.function.name, it.function.arguments) for it in message.tool_calls or ()]
    thought = getattr(message, "reasoning_content", None)
    return message.content or "", thought or "", message.refusal or "", calls


@some
@given(completion=completions(max_choices=2), pieces=cuts(), interleave=st.booleans())
def test_openais_sdk_reads_the_completion(
    server: LoopbackServer,
    openai_client: openai.OpenAI,
    completion: ModelResponse,
    pieces: Any,
    interleave: bool,
) -> None:
    events = list(
        openai_chat.encode(completion, pieces=pieces, interleave=interleave, include_usage=True)
    )
    server.script("/v1/chat/completions", lambda _: streamed(events))
    heard: dict[int, dict[str, Any]] = {}
    usage = None
    stream = openai_client.chat.completions.create(
        model="m", messages=[], stream=True, stream_options={"include_usage": True}
    )
    for chunk in stream:
        usage = chunk.usage or usage
        for choice in chunk.choices:
            kept = heard.setdefault(
                choice.index, {"content": "", "reasoning_content": "", "refusal": "", "calls": {}}
            )
            for name in ("content", "reasoning_content", "refusal"):
                kept[name] += getattr(choice.delta, name, None) or ""
            for call in choice.delta.tool_calls or ():
                told = kept["calls"].setdefault(call.index, [call.id, call.function.name, ""])
                told[2] += call.function.arguments
            kept["finish"] = choice.finish_reason

    for choice in completion.choices:
        kept = heard[choice.index]
        content, thought, refusal, calls = openai_said(choice.message)
        assert (kept["content"], kept["reasoning_content"]) == (content, thought)
        assert (kept["refusal"], kept["finish"]) == (refusal, choice.finish_reason)
        assert [tuple(call) for call in kept["calls"].values()] == calls
    told_usage = usage and (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens)
    sent = completion.usage
    assert told_usage == (sent and (sent.prompt_tokens, sent.completion_tokens, sent.total_tokens))


@some
@given(completion=completions(max_choices=2))
def test_openais_sdk_reads_the_whole_body(
    server: LoopbackServer, openai_client: openai.OpenAI, completion: ModelResponse
) -> None:
    body = openai_chat.encode_body(completion)
    server.respond(
        [Head(200, (("content-type", "application/json"),)), Emit(body)],
        path="/v1/chat/completions",
    )
    answer = openai_client.chat.completions.create(model="m", messages=[])

    assert (answer.id, answer.created) == (completion.id, completion.created)
    for choice, sent in zip(answer.choices, completion.choices, strict=True):
        assert openai_said(choice.message) == openai_said(sent.message)
        assert choice.finish_reason == sent.finish_reason


def anthropic_sent(message: Message) -> list[tuple[Any, ...]]:
    """The blocks that the SDK should have in the end."""
    blocks: list[tuple[Any, ...]] = [
        (block.thinking, block.signature) if hasattr(block, "thinking") else (block.data,)
        for block in message.thinking_blocks or ()
    ]
    if not blocks and message.reasoning_content:
        blocks = [(message.reasoning_content, "")]
    blocks += [(text,) for text in (message.refusal, message.content) if text]
    blocks += [
        (call.id, call.function.name, json.loads(call.function.arguments))
        for call in message.tool_calls or ()
    ]
    return blocks


def anthropic_heard(message: Any) -> list[tuple[Any, ...]]:
    fields = {
        "thinking": ("thinking", "signature"),
        "redacted_thinking": ("data",),
        "text": ("text",),
        "tool_use": ("id", "name", "input"),
    }
    return [tuple(getattr(it, name) for name in fields[it.type]) for it in message.content]


@some
@given(completion=completions(), pieces=cuts())
def test_anthropics_sdk_reads_the_completion(
    server: LoopbackServer,
    anthropic_client: anthropic.Anthropic,
    completion: ModelResponse,
    pieces: Any,
) -> None:
    events = list(anthropic_dialect.encode(completion, pieces=pieces))
    server.script("/v1/messages", lambda _: streamed(events))
    with anthropic_client.messages.stream(model="m", max_tokens=9, messages=[]) as stream:
        message = stream.get_final_message()
    whole = anthropic_dialect.encode_body(completion)
    server.respond(
        [Head(200, (("content-type", "application/json"),)), Emit(whole)], path="/v1/messages"
    )
    answer = anthropic_client.messages.create(model="m", max_tokens=9, messages=[])

    sent = anthropic_sent(completion.choices[0].message)
    assert anthropic_heard(message) == sent
    assert anthropic_heard(answer) == sent
    assert message.stop_reason == answer.stop_reason
    for usage in filter(None, [completion.usage]):
        heard = message.usage
        read = (heard.cache_read_input_tokens or 0) + (heard.cache_creation_input_tokens or 0)
        assert heard.input_tokens + read == usage.prompt_tokens
        assert heard.output_tokens == usage.completion_tokens


def test_a_stream_that_is_an_error_is_raised_by_the_sdks(fresh: LoopbackServer) -> None:
    fresh.script("/v1/chat/completions", lambda _: streamed([openai_chat.encode_error(500, "no")]))
    fresh.script("/v1/messages", lambda _: streamed([anthropic_dialect.encode_error(529, "no")]))
    openais = openai.OpenAI(base_url=fresh.openai_url, api_key="x", max_retries=0)
    anthropics = anthropic.Anthropic(base_url=fresh.anthropic_url, api_key="x", max_retries=0)

    with openais, pytest.raises(openai.APIError, match="no"):
        list(openais.chat.completions.create(model="m", messages=[], stream=True))
    with anthropics, pytest.raises(anthropic.APIError, match="overloaded_error"):
        list(anthropics.messages.create(model="m", max_tokens=1, messages=[], stream=True))


# The embedded model


def openai_asked(server: LoopbackServer, prompt: str, **body: Any) -> dict[str, Any]:
    ask = {"model": "m", "messages": [{"role": "user", "content": prompt}]} | body
    answer = httpx.post(f"{server.openai_url}/chat/completions", json=ask)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def tool(name: str, schema: Any = WEATHER) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, "parameters": schema}}


def called(answer: dict[str, Any]) -> list[tuple[str, Any]]:
    calls = answer["choices"][0]["message"]["tool_calls"]
    return [(it["function"]["name"], json.loads(it["function"]["arguments"])) for it in calls]


@pytest.mark.parametrize(
    ("prompt", "text"),
    [
        ("Count to 4", "1, 2, 3, 4."),
        ("please count from 3 to 1", "3, 2, 1."),
        ("hi  there", "You said: “hi there”. I am the small model inside"),
        ("", "I am the small model inside cassette-stream."),
    ],
)
def test_the_model_says(fresh: LoopbackServer, prompt: str, text: str) -> None:
    answer = openai_asked(fresh, prompt)

    assert answer["choices"][0]["message"]["content"].startswith(text)
    assert answer["choices"][0]["finish_reason"] == "stop"
    assert openai_asked(fresh, prompt) == answer


@pytest.mark.parametrize(
    ("prompt", "tools", "body", "calls"),
    [
        ("weather in Paris", ["w"], {}, [("w", {"city": "Paris", "unit": "C"})]),
        (
            "weather in Paris and in Berlin, both",
            ["w"],
            {},
            [("w", {"city": "Paris", "unit": "C"}), ("w", {"city": "Berlin", "unit": "C"})],
        ),
        ("use now", ["w", "now"], {}, [("now", {"city": "city", "unit": "C"})]),
        (
            "all of them",
            ["w", "now"],
            {},
            [("w", {"city": "city", "unit": "C"}), ("now", {"city": "city", "unit": "C"})],
        ),
        (
            'say "a b"',
            ["w", "now"],
            {"tool_choice": {"type": "function", "function": {"name": "now"}}},
            [("now", {"city": "a b", "unit": "C"})],
        ),
    ],
    ids=["one", "one twice", "named", "all", "forced"],
)
def test_the_model_calls(
    fresh: LoopbackServer, prompt: str, tools: list[str], body: Any, calls: Any
) -> None:
    answer = openai_asked(fresh, prompt, tools=[tool(name) for name in tools], **body)

    assert called(answer) == calls
    assert answer["choices"][0]["finish_reason"] == "tool_calls"


@pytest.mark.parametrize(
    ("schema", "made"),
    [
        ({}, {}),
        ({"properties": {"a": {"type": "integer"}, "b": {"type": "number"}}}, {"a": 7, "b": 2.5}),
        ({"properties": {"a": {"type": ["BOOLEAN", "null"]}}}, {"a": True}),
        ({"properties": {"a": {"type": "array", "items": {"type": "string"}}}}, {"a": ["a"]}),
        ({"properties": {"a": {"type": "array"}}}, {"a": []}),
        ({"properties": {"a": {"default": 3}, "b": {}, "c": 5}}, {"a": 3, "b": None, "c": None}),
        (
            {"properties": {"a": {"type": "object", "properties": {"b": {"type": "string"}}}}},
            {"a": {"b": "b"}},
        ),
        ({"properties": {"a": {"type": "string"}}, "required": ["zz", 1]}, {}),
        ({"properties": 5}, {}),
    ],
    ids=str,
)
def test_arguments_are_made_from_the_schema(fresh: LoopbackServer, schema: Any, made: Any) -> None:
    assert called(openai_asked(fresh, "7 and 2.5", tools=[tool("f", schema)])) == [("f", made)]


def test_the_model_passes_on_what_tools_return(fresh: LoopbackServer) -> None:
    messages = [
        {"role": "user", "content": "weather?"},
        {"role": "assistant", "content": None},
        {"role": "tool", "tool_call_id": "1", "content": "sunny"},
        {"role": "tool", "tool_call_id": "2", "content": [{"type": "text", "text": "17 degrees"}]},
    ]
    answer = openai_asked(fresh, "", messages=messages, tools=[tool("w")])

    assert answer["choices"][0]["message"]["content"] == "Here is what I found: sunny; 17 degrees."


def test_the_model_keeps_to_what_the_request_asks_for(fresh: LoopbackServer) -> None:
    answer = openai_asked(fresh, "count to 9", n=2, max_tokens=2, reasoning_effort="low")
    first, second = answer["choices"]

    assert (first["message"]["content"], first["finish_reason"]) == ("1, 2,", "length")
    assert second["index"] == 1
    assert first["message"]["reasoning_content"].startswith("The user wants me to count")
    assert answer["usage"]["completion_tokens_details"]["reasoning_tokens"] > 0
    assert openai_asked(fresh, "hi", max_tokens=0)["choices"][0]["message"]["content"] == ""
    silent = openai_asked(fresh, "hi", tools=[tool("w")], tool_choice="none")
    assert silent["choices"][0]["finish_reason"] == "stop"


def test_the_model_speaks_anthropic(fresh: LoopbackServer) -> None:
    with anthropic.Anthropic(base_url=fresh.anthropic_url, api_key="x", max_retries=0) as client:
        asked = {"model": "claude", "max_tokens": 200, "system": "be brief"}
        tools = [{"name": "w", "input_schema": WEATHER}]
        first = client.messages.create(
            **asked,
            messages=[{"role": "user", "content": "weather in Oslo"}],
            tools=tools,
            thinking={"type": "enabled", "budget_tokens": 1024},
        )
        use = first.content[-1]
        result = {"type": "tool_result", "tool_use_id": use.id, "content": "rain"}
        messages = [
            {"role": "user", "content": "weather in Oslo"},
            {"role": "assistant", "content": [use.model_dump()]},
            {"role": "user", "content": [result]},
        ]
        second = client.messages.create(**asked, messages=messages, tools=tools)
        third = client.messages.create(
            **asked, messages=messages[:1], tools=tools, tool_choice={"type": "none"}
        )

    assert [block.type for block in first.content] == ["thinking", "tool_use"]
    assert (use.name, use.input) == ("w", {"city": "Oslo", "unit": "C"})
    assert second.content[0].text == "Here is what I found: rain."
    assert third.stop_reason == "end_turn"


GEMINI = {"contents": [{"role": "user", "parts": [{"text": "all of Rome"}]}]}
DECLARED = {"tools": [{"functionDeclarations": [{"name": "w", "parameters": WEATHER}]}]}


@pytest.mark.parametrize("version", ["v1", "v1beta"])
def test_the_model_speaks_gemini(fresh: LoopbackServer, version: str) -> None:
    url = f"{fresh.gemini_url}/{version}/models/gemini-2.5-flash"
    config = {"generationConfig": {"thinkingConfig": {"include_thoughts": True}}}
    events = httpx.post(f"{url}:streamGenerateContent?alt=sse", json=GEMINI | config).text
    whole = httpx.post(f"{url}:generateContent", json=GEMINI | DECLARED).json()

    assert '"thought": true' in events
    assert events.endswith("\r\n\r\n")
    part = whole["candidates"][0]["content"]["parts"][0]["functionCall"]
    assert (part["name"], part["args"]) == ("w", {"city": "Rome", "unit": "C"})
    assert whole["modelVersion"] == "gemini-2.5-flash"


@pytest.mark.parametrize(
    ("response", "text"),
    [({"result": "sunny"}, "sunny"), ({"t": 1}, '{"t": 1}')],
    ids=["wrapped", "object"],
)
def test_the_model_passes_on_what_functions_of_gemini_return(
    fresh: LoopbackServer, response: Any, text: str
) -> None:
    part = {"functionResponse": {"name": "w", "response": response}}
    body = {
        "contents": [{"role": "user", "parts": [part]}],
        "systemInstruction": {"parts": [{"text": "be brief"}]},
        "toolConfig": {"functionCallingConfig": {"mode": "NONE"}},
    }
    answer = httpx.post(f"{fresh.url}/v1beta/models/g:generateContent", json=body | DECLARED)
    said = answer.json()["candidates"][0]["content"]["parts"][0]["text"]

    assert said == f"Here is what I found: {text}."


ENDPOINT = {
    "openai": "/v1/chat/completions",
    "anthropic": "/v1/messages",
    "gemini": "/v1beta/models/g:generateContent",
}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'{"model": 5}',
        b"\xff",
        b'{"a": "\xff"}',
        b"[" * 100_000,
        b'{"contents": 1}',
    ],
    ids=["empty", "cut", "list", "wrong type", "no utf-8", "bad text", "deep", "no list"],
)
@pytest.mark.parametrize("dialect", ENDPOINT)
def test_a_body_that_cannot_be_read_is_a_400_in_the_shape_of_the_dialect(
    server: LoopbackServer, dialect: str, body: bytes
) -> None:
    with LoopbackServer() as fresh:
        answer = httpx.post(fresh.url + ENDPOINT[dialect], content=body)
    error = answer.json()["error"]

    assert answer.status_code == 400
    assert error["message"].startswith("the body of this request cannot be read: ")
    assert error.get("type", error.get("status")).lower().startswith("invalid_")


def test_gemini_streams_as_server_sent_events_only(fresh: LoopbackServer) -> None:
    answer = httpx.post(f"{fresh.url}/v1beta/models/g:streamGenerateContent", json=GEMINI)

    assert answer.status_code == 400
    assert "alt=sse" in answer.json()["error"]["message"]


@pytest.mark.parametrize(("method", "path"), [("GET", "/v1/messages"), ("POST", "/v2")])
def test_an_unknown_place_names_the_endpoints(
    fresh: LoopbackServer, method: str, path: str
) -> None:
    answer = httpx.request(method, fresh.url + path)

    assert answer.status_code == 404
    assert f"{method} {path}" in answer.json()["error"]["message"]
    assert "POST /v1/chat/completions" in answer.json()["endpoints"]


def test_a_completion_that_was_told_answers_until_it_is_taken_back(fresh: LoopbackServer) -> None:
    told = Choices(message=Message(content="told"), finish_reason="stop")
    fresh.answer(ModelResponse(id="1", created=1, model="m", choices=[told]))
    texts = [openai_asked(fresh, "count to 2")["choices"][0]["message"]["content"]]
    fresh.answer(None)
    texts.append(openai_asked(fresh, "count to 2")["choices"][0]["message"]["content"])

    assert texts == ["told", "1, 2."]


def test_events_come_at_their_gaps() -> None:
    with LoopbackServer(gap=0.25, first_gap=0.5) as server:
        route = server._routes._endpoints
        steps = list(
            route.answer(
                Request(
                    method="POST",
                    url=f"{server.openai_url}/chat/completions",
                    body=json.dumps(ASK | {"stream": True}).encode(),
                ),
                server._routes.model,
            )
            or ()
        )

    assert isinstance(steps[0], Head)
    assert [step.seconds for step in steps if isinstance(step, Wait)][:3] == [0.5, 0.25, 0.25]


def test_the_environment_leads_the_sdks_here(
    server: LoopbackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    with openai.OpenAI() as openais, anthropic.Anthropic() as anthropics:
        assert str(openais.base_url) == f"{server.openai_url}/"
        assert str(anthropics.base_url).rstrip("/") == server.anthropic_url


def test_asynchronous_clients_see_the_disconnect_too(fresh: LoopbackServer) -> None:
    fresh.respond([Head(200), Emit(b"abc"), Wait(math.inf)])

    async def leave() -> None:
        async with httpx.AsyncClient() as client, client.stream("GET", fresh.url) as response:
            async for _ in response.aiter_raw():
                return

    asyncio.run(leave())

    assert fresh.wait_for_disconnect().how is How.CLOSED_BY_CALLER
