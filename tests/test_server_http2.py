"""The loopback server over HTTP/2: the same scripts, and what only HTTP/2 can do."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path
from typing import Any

import httpx
import httpx2
import pytest
import trustme
from test_injector import interaction

from cassette_stream import LoopbackServer, use_cassette
from cassette_stream.cassette import Cassette, Request, dumps
from cassette_stream.cassette.model import How
from cassette_stream.exceptions import PlanError
from cassette_stream.faults import parse_rule, plan_of
from cassette_stream.script import Emit, Fail, FailureKind, Head, Script, Wait

LIBRARIES = [httpx, httpx2]
EVENTS = [b'data: {"n": %d}\n\n' % n for n in range(6)]


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def tls(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    context.set_alpn_protocols(["h2", "http/1.1"])
    return context


@pytest.fixture(scope="module")
def trust(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


def script(_: Request) -> Script:
    yield Head(200, (("content-type", "text/event-stream"), ("transfer-encoding", "chunked")))
    yield from map(Emit, EVENTS)


@pytest.mark.parametrize("library", LIBRARIES, ids=lambda it: it.__name__)
def test_a_script_is_one_stream_of_a_connection(
    library: Any, tls: ssl.SSLContext, trust: ssl.SSLContext
) -> None:
    with LoopbackServer(tls=tls) as server, library.Client(http2=True, verify=trust) as client:
        server.script(None, script)
        responses = [client.post(server.url + "/a?b=c", content=b"x" * 100_000) for _ in range(3)]
        exchanges = server.wait_for_exchanges(3)

    assert {response.http_version for response in responses} == {"HTTP/2"}
    assert {response.content for response in responses} == {b"".join(EVENTS)}
    assert [(it.how, it.bytes_sent) for it in exchanges] == [
        (How.COMPLETE, len(b"".join(EVENTS)))
    ] * 3
    request = exchanges[0].request
    assert (request.method, request.body) == ("POST", b"x" * 100_000)
    assert request.url.endswith("/a?b=c")
    assert request.headers["host"] == (request.url.split("/")[2],)


def test_a_client_that_knows_only_http_1_is_answered_so(
    tls: ssl.SSLContext, trust: ssl.SSLContext
) -> None:
    with LoopbackServer(tls=tls) as server, httpx.Client(verify=trust) as client:
        server.script(None, script)

        assert client.get(server.url).http_version == "HTTP/1.1"


def test_a_body_that_is_larger_than_any_window_arrives(
    tls: ssl.SSLContext, trust: ssl.SSLContext
) -> None:
    large = bytes(range(256)) * 4096
    with LoopbackServer(tls=tls) as server, httpx.Client(http2=True, verify=trust) as client:
        server.respond([Head(200), Emit(large), Emit(large)])

        assert client.get(server.url).content == large * 2


def test_streams_do_not_wait_for_each_other(tls: ssl.SSLContext, trust: ssl.SSLContext) -> None:
    def slow_or_not(request: Request) -> Script:
        yield Head(200)
        yield Emit(b"a")
        if request.url.endswith("/slow"):
            yield Wait(3600)
        yield Emit(b"b")

    async def main(url: str) -> tuple[bytes, str]:
        async with httpx.AsyncClient(http2=True, verify=trust) as client:
            async with client.stream("GET", url + "/slow") as slow:
                first = await anext(aiter(slow.aiter_raw()))
                return first, (await client.get(url + "/quick")).text

    with LoopbackServer(tls=tls) as server:
        server.script(None, slow_or_not)
        told = asyncio.run(main(server.url))
        left = server.wait_for_disconnect()

    assert told == (b"a", "ab")
    assert left.request.url.endswith("/slow")


FAULTS = [
    "body.h2_rst@event=3",
    "body.h2_rst@event=3,code=REFUSED_STREAM",
    "body.h2_rst@event=1,code=CANCEL",
    "body.h2_goaway@event=3",
    "body.h2_goaway@event=2,code=ENHANCE_YOUR_CALM",
    "body.h2_fin@event=3",
    "body.h2_end_cut@event=3",
    "body.h2_reset@event=3",
    "body.clean_end@event=2",
]


@pytest.mark.parametrize("library", LIBRARIES, ids=lambda it: it.__name__)
@pytest.mark.parametrize("fault", FAULTS)
def test_a_stream_breaks_on_the_socket_as_it_does_in_process(
    fault: str, library: Any, tls: ssl.SSLContext, trust: ssl.SSLContext, tmp_path: Path
) -> None:
    recorded = Cassette(interactions=(interaction(url="https://a/path"),))
    path = tmp_path / "a.yaml"
    path.write_bytes(dumps(recorded))

    def on_the_socket() -> Any:
        with LoopbackServer(tls=tls) as server:
            server.play(recorded, pace="instant", faults=fault)
            return heard(library.Client(http2=True, verify=trust), server.url + "/path")

    with use_cassette(path, mode="none", faults=fault):
        played = heard(library.Client(http2=True, verify=trust), "https://a/path")

    # A reset throws away what its receiver has not read yet, so a slow one is asked again.
    tries = 5 if "reset" in fault else 1
    assert any(on_the_socket() == played for _ in range(tries))


def heard(client: Any, url: str) -> tuple[bytes, str]:
    told = b""
    try:
        with client, client.stream("POST", url, json=0) as response:
            for data in response.iter_raw():
                told += data
    except Exception as error:
        return told, f"{type(error).__name__}: {error}"
    return told, "complete"


def test_without_tls_there_is_no_http_2_to_break() -> None:
    server = LoopbackServer()

    with pytest.raises(PlanError, match="speaks HTTP/1.1"):
        server.play([interaction(url="http://a/path")], faults=plan_of(parse_rule(FAULTS[0])))


def test_what_is_of_http_1_is_an_error_of_the_script(
    tls: ssl.SSLContext, trust: ssl.SSLContext
) -> None:
    server = LoopbackServer(tls=tls)
    bad = Fail(FailureKind.PROTOCOL_ERROR, "illegal chunk header", raw=b"zz\r\n")
    with pytest.raises(ValueError, match="speaks HTTP/2: protocol_error is of HTTP/1.1"), server:
        server.respond([Head(200), Emit(b"a"), bad])
        with httpx.Client(http2=True, verify=trust) as client, pytest.raises(httpx.HTTPError):
            client.get(server.url, timeout=1)
