"""The loopback server over TLS: the same scripts, encrypted, and two ways to end."""

from __future__ import annotations

import gc
import math
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from types import ModuleType
from typing import Any

import anyio
import httpx
import httpx2
import pytest
from conformance_cases import OVER_TLS, Case
from hypothesis import given, settings
from hypothesis import strategies as st
from support import SOAK
from test_conformance import AUTHORITY, UNHURRIED, amet, met, patiently, recording, replayed
from test_server import open_sockets

from cassette_stream.faults import Injector, parse_rule, plan_of
from cassette_stream.script import Emit, Fail, FailureKind, Head, Wait
from cassette_stream.server import LoopbackServer

pytestmark = pytest.mark.matrix(3)

some = settings(max_examples=100 if SOAK else 20)
LIBRARIES = {"httpx": httpx, "httpx2": httpx2}
GET = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"
notified = pytest.mark.parametrize("close_notify", [True, False], ids=["notified", "cut"])


def certified() -> ssl.SSLContext:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    AUTHORITY.issue_cert("127.0.0.1").configure_cert(tls)
    return tls


def trust() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    AUTHORITY.configure_trust(context)
    return context


@pytest.fixture(scope="module")
def servers() -> Iterator[dict[bool, LoopbackServer]]:
    """A server that says goodbye, and one that does not."""
    with (
        LoopbackServer(tls=certified()) as polite,
        LoopbackServer(tls=certified(), close_notify=False) as rude,
    ):
        yield {True: polite, False: rude}


def connected(server: LoopbackServer, *, ragged: bool = True) -> ssl.SSLSocket:
    port = int(server.url.rpartition(":")[2])
    sock = socket.create_connection(("127.0.0.1", port), timeout=5)
    return trust().wrap_socket(sock, server_hostname="127.0.0.1", suppress_ragged_eofs=ragged)


@notified
@some
@given(body=st.lists(st.binary(max_size=300), max_size=8))
def test_every_chunk_comes_as_it_was_told(
    servers: dict[bool, LoopbackServer], body: list[bytes], *, close_notify: bool
) -> None:
    server = servers[close_notify]
    head = Head(200, (("connection", "close"), ("transfer-encoding", "chunked")))
    server.respond([head, *map(Emit, body)], path="/law")
    with httpx.Client(verify=trust()) as client, client.stream("GET", f"{server.url}/law") as got:
        assert list(got.iter_raw()) == [data for data in body if data]
    assert server.url.startswith("https://127.0.0.1:")


PERFORMED = {
    name: case
    for name, case in OVER_TLS.items()
    if case.rule.startswith(("head.", "body."))
    and not case.first
    and not case.rule.startswith(("head.redirect", "body.hold_open"))
}


@notified
@pytest.mark.parametrize("mode", ["sync", "asyncio"])
@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("name", PERFORMED)
def test_a_rule_does_the_same_over_tls_as_in_process(
    servers: dict[bool, LoopbackServer], name: str, library: str, mode: str, *, close_notify: bool
) -> None:
    case, server = PERFORMED[name], servers[close_notify]
    injector = Injector(plan_of(parse_rule(case.rule)))
    steps = recording(case)
    server.script("/v1", lambda request: injector.rewrite(iter(steps), request, 1))
    kind: Any = LIBRARIES[library]
    url = f"{server.url}/v1"

    def ask(case: Case) -> Any:
        if mode == "sync":
            return met(kind, kind.HTTPTransport(verify=trust()), case, url, lambda: None)
        inner = kind.AsyncHTTPTransport(verify=trust())
        return anyio.run(amet, kind, inner, case, url, lambda: None)

    expected, found = replayed((name, library, mode), url), patiently(case, ask)
    if case.limit and found["bytes"] != expected["bytes"]:
        found = ask(replace(case, soon=UNHURRIED))  # the machine was too busy for what was to come

    assert found == expected


@notified
def test_an_end_is_said_or_not(servers: dict[bool, LoopbackServer], *, close_notify: bool) -> None:
    server = servers[close_notify]
    server.respond([Head(200, (), "HTTP/1.0"), Emit(b"abc")], path="/")
    with connected(server, ragged=False) as sock:
        sock.sendall(GET)
        got = b""
        while not got.endswith(b"abc"):
            got += sock.recv(1000)
        if close_notify:
            assert sock.recv(1000) == b""
        else:
            with pytest.raises(ssl.SSLEOFError):
                sock.recv(1000)


@notified
@pytest.mark.parametrize("end", [(), (Fail(FailureKind.FIN),), (Fail(FailureKind.RESET),)], ids=str)
def test_who_reads_slowly_gets_every_byte_before_the_end(
    servers: dict[bool, LoopbackServer], end: tuple[Fail, ...], *, close_notify: bool
) -> None:
    size, server = 1 << 22, servers[close_notify]
    server.respond([Head(200, (), "HTTP/1.0"), Emit(b"x" * size), *end], path="/")
    got = 0
    with connected(server) as sock:
        sock.sendall(GET)
        while data := sock.recv(65536):
            got += len(data)

    assert got > size


@notified
def test_nothing_is_left_behind(*, close_notify: bool) -> None:
    threads, sockets = threading.active_count(), open_sockets()
    with ExitStack() as left:
        server = LoopbackServer(tls=certified(), close_notify=close_notify)
        left.enter_context(server)
        server.respond([Head(200), Emit(b"abc"), Wait(math.inf)])
        streaming, idle = (left.enter_context(connected(server)) for _ in range(2))
        port = int(server.url.rpartition(":")[2])
        left.enter_context(socket.create_connection(("127.0.0.1", port)))  # shakes no hands
        streaming.sendall(GET)
        assert streaming.recv(1)
        server.stop()
        assert idle.recv(1) == b""
    gc.collect()

    assert threading.active_count() <= threads
    assert open_sockets() <= sockets


@pytest.mark.parametrize("library", LIBRARIES.values(), ids=LIBRARIES)
def test_who_does_not_trust_the_certificate_or_speaks_no_tls_gets_nothing(
    servers: dict[bool, LoopbackServer], library: ModuleType
) -> None:
    server = servers[True]
    with pytest.raises(library.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
        library.get(server.url, verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
    with pytest.raises(library.RemoteProtocolError, match="without sending a response"):
        library.get(server.url.replace("https", "http"))
