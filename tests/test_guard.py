from __future__ import annotations

import asyncio
import http.client
import ipaddress
import socket
import threading
import urllib.request
from asyncio import base_events
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import anyio
import httpx
import httpx2
import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from cassette_stream.exceptions import UnguardedConnectionError
from cassette_stream.transport import guard

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from pathlib import Path

NAME = "api.provider.invalid"
ADDRESS = "192.0.2.1"  # TEST-NET-1: nobody is there


class Hello(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("content-length", "5")
        self.end_headers()
        self.wfile.write(b"hello")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """A server of this machine."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hello)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def queries(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The lookups that left, here recorded and not sent."""
    left: list[Any] = []
    getaddrinfo = socket.getaddrinfo

    def record(host: Any, port: Any = 0, *numbers: int, **options: int) -> Any:
        wanted = dict(zip(("family", "type", "proto", "flags"), numbers, strict=False)) | options
        flags = wanted.pop("flags", 0)
        try:
            return getaddrinfo(host, port, **wanted, flags=flags | socket.AI_NUMERICHOST)
        except socket.gaierror:
            if not flags & socket.AI_NUMERICHOST:
                left.append(host)
            raise

    monkeypatch.setattr(socket, "getaddrinfo", record)
    monkeypatch.setattr(socket, "gethostbyname", record)
    monkeypatch.setattr(socket, "gethostbyname_ex", record)
    return left


@pytest.fixture
def guarded(queries: list[Any]) -> Iterator[None]:
    """As in an open session, with nothing that could leave."""
    guard.install(guard.policy)
    yield
    guard.remove()


@pytest.fixture
def nothing_passes() -> Iterator[list[tuple[str, int, str]]]:
    """Even this machine is refused; gives what was asked."""
    asked: list[tuple[str, int, str]] = []

    def refuse(host: str, port: int, stack: str) -> str:
        asked.append((host, port, stack))
        return "nothing passes"

    guard.install(refuse)
    yield asked
    guard.remove()


local_addresses = st.one_of(
    st.ip_addresses(v=4, network="127.0.0.0/8").map(str),
    st.ip_addresses(v=4, network="127.0.0.0/8").map(lambda address: f"::ffff:{address}"),
    st.sampled_from(["::1", "::", "0.0.0.0", "localhost", "LocalHost.", "db.localhost", ""]),
)
far_addresses = st.ip_addresses().filter(
    lambda address: (
        not (
            address.is_loopback
            or address.is_unspecified
            or (isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped)
        )
    )
)
stacks = st.sampled_from([guard.PLAIN_SOCKET, "aiohttp", "requests"])


@given(local_addresses, stacks)
def test_the_services_of_this_machine_pass(host: str, stack: str) -> None:
    assert guard.policy(host, 5432, stack) is None


def test_a_lookup_of_this_machine_by_its_name_passes() -> None:
    assert guard.policy(socket.gethostname(), 0, guard.PLAIN_SOCKET) is None


@given(st.one_of(far_addresses.map(str), st.just(NAME), st.just("localhost.example")), stacks)
def test_everything_else_is_refused_with_a_remedy(host: str, stack: str) -> None:
    reason = guard.policy(host, 443, stack)

    assert "guard=False" in reason
    assert ("httpx" in reason) is (stack != guard.PLAIN_SOCKET)


def connect(host: str) -> None:
    with socket.socket() as sock:
        sock.connect((host, 80))


def connect_ex(host: str) -> None:
    with socket.socket() as sock:
        sock.connect_ex((host, 80))


def ask_http_client(host: str) -> None:
    http.client.HTTPSConnection(host, 80, timeout=1).request("GET", "/")


def ask_urllib(host: str) -> None:
    urllib.request.urlopen(f"http://{host}:80/", timeout=1)


def open_connection(host: str) -> None:
    asyncio.run(asyncio.open_connection(host, 80))


def race_connections(host: str) -> None:
    asyncio.run(asyncio.open_connection(host, 80, happy_eyeballs_delay=0.1))


def connect_with_trio(host: str) -> None:
    trio.run(trio.open_tcp_stream, host, 80)


def connect_with_anyio(host: str) -> None:
    anyio.run(anyio.connect_tcp, host, 80)


def connect_with_anyio_on_trio(host: str) -> None:
    anyio.run(anyio.connect_tcp, host, 80, backend="trio")


@pytest.mark.usefixtures("guarded")
@pytest.mark.parametrize(
    ("reach", "stack"),
    [
        (connect, "a plain socket"),
        (connect_ex, "a plain socket"),
        (lambda host: socket.gethostbyname(host), "a plain socket"),  # noqa: PLW0108 - patched later
        (lambda host: socket.gethostbyname_ex(host), "a plain socket"),  # noqa: PLW0108 - as above
        (lambda host: socket.getaddrinfo(host.encode(), "80"), "a plain socket"),
        (lambda host: socket.create_connection((host, 80), 1), "a plain socket"),
        (ask_http_client, "http.client"),
        (ask_urllib, "urllib.request"),
        (open_connection, "a plain socket"),
        (race_connections, "a plain socket"),
        (connect_with_trio, "a plain socket"),
        (connect_with_anyio, "a plain socket"),
        (connect_with_anyio_on_trio, "a plain socket"),
    ],
    ids=[
        "connect",
        "connect_ex",
        "gethostbyname",
        "gethostbyname_ex",
        "getaddrinfo of bytes",
        "create_connection",
        "http.client",
        "urllib.request",
        "asyncio",
        "asyncio, happy eyeballs",
        "trio",
        "anyio",
        "anyio on trio",
    ],
)
def test_a_name_is_refused_before_a_query_leaves(
    reach: Callable[[str], object], stack: str, queries: list[Any]
) -> None:
    with pytest.raises(UnguardedConnectionError) as refused:
        reach(NAME)

    assert str(refused.value).startswith(f"{stack} was about to connect to {NAME}")
    assert queries == []


@pytest.mark.usefixtures("guarded")
@pytest.mark.parametrize(
    ("reach", "stack"),
    [
        (connect, "a plain socket"),
        (connect_ex, "a plain socket"),
        (open_connection, "a plain socket"),
    ],
    ids=["connect", "connect_ex", "asyncio"],
)
def test_an_address_is_refused_when_it_is_connected_to(
    reach: Callable[[str], object], stack: str
) -> None:
    with pytest.raises(UnguardedConnectionError) as refused:
        reach(ADDRESS)

    assert str(refused.value) == (
        f"{stack} was about to connect to {ADDRESS}:80 while a cassette is active, which does "
        "not see it: open the cassette with guard=False if it must"
    )


def test_libraries_that_race_addresses_group_the_refusal(
    nothing_passes: list[tuple[str, int, str]],
) -> None:
    with pytest.RaisesGroup(UnguardedConnectionError):
        connect_with_trio(ADDRESS)

    assert nothing_passes == [(ADDRESS, 80, guard.PLAIN_SOCKET)]


@pytest.mark.usefixtures("guarded")
def test_an_ipv6_address_is_told_apart_from_its_port() -> None:
    with (
        socket.socket(socket.AF_INET6) as sock,
        pytest.raises(UnguardedConnectionError, match=r"to \[2001:db8::1\]:443 while"),
    ):
        sock.connect(("2001:db8::1", 443))


def get(library: Any, url: str) -> str:
    return library.get(url).text


def aget(run: Callable[[Callable[[], Awaitable[str]]], str], library: Any, url: str) -> str:
    async def request() -> str:
        async with library.AsyncClient() as client:
            return (await client.get(url)).text

    return run(request)


def on_asyncio(request: Callable[[], Any]) -> Any:
    return asyncio.run(request())


@pytest.mark.parametrize("library", [httpx, httpx2], ids=["httpx", "httpx2"])
@pytest.mark.parametrize(
    "ask",
    [
        get,
        lambda library, url: aget(on_asyncio, library, url),
        lambda library, url: aget(trio.run, library, url),
    ],
    ids=["sync", "asyncio", "trio"],
)
def test_what_is_allowed_passes_through_every_thread_and_task_that_it_takes(
    ask: Callable[[Any, str], str],
    library: Any,
    port: int,
    nothing_passes: list[tuple[str, int, str]],
) -> None:
    with guard.allowed():
        text = ask(library, f"http://localhost:{port}/")

    assert text == "hello"
    assert nothing_passes == []
    with pytest.raises(UnguardedConnectionError, match="nothing passes"):
        ask(library, f"http://localhost:{port}/")


def test_the_allowance_of_one_thread_is_not_that_of_another(
    port: int, nothing_passes: list[tuple[str, int, str]]
) -> None:
    errors: list[BaseException] = []

    def run() -> None:
        try:
            socket.create_connection(("127.0.0.1", port))
        except UnguardedConnectionError as error:
            errors.append(error)

    with guard.allowed():
        thread = threading.Thread(target=run)
        thread.start()
        thread.join()

    assert len(errors) == 1
    assert nothing_passes == [("127.0.0.1", port, guard.PLAIN_SOCKET)]


@pytest.mark.usefixtures("nothing_passes")
@pytest.mark.parametrize(
    "ask",
    [
        lambda: socket.getaddrinfo(ADDRESS, 80),
        lambda: socket.getaddrinfo("2001:db8::1", "80", type=socket.SOCK_STREAM),
        lambda: socket.getaddrinfo(None, 80),
        lambda: asyncio.run(lookup(ADDRESS)),
        lambda: asyncio.run(lookup(None)),
    ],
    ids=["address", "ipv6 address", "no host", "asyncio, address", "asyncio, no host"],
)
def test_what_needs_no_query_is_not_asked_about(ask: Callable[[], object]) -> None:
    assert ask()


@pytest.mark.usefixtures("nothing_passes")
@pytest.mark.parametrize(
    "ask",
    [
        lambda flags: socket.getaddrinfo(NAME, 80, 0, 0, 0, flags),
        lambda flags: socket.getaddrinfo(NAME, 80, flags=flags),
        lambda flags: asyncio.run(lookup(NAME, flags)),
    ],
    ids=["by position", "by name", "asyncio"],
)
def test_whether_a_name_is_an_address_may_be_asked(ask: Callable[[int], object]) -> None:
    with pytest.raises(socket.gaierror):
        ask(socket.AI_NUMERICHOST)
    with pytest.raises(UnguardedConnectionError):
        ask(0)


async def lookup(host: str | None, flags: int = 0) -> object:
    return await asyncio.get_running_loop().getaddrinfo(host, 80, flags=flags)


@pytest.mark.parametrize(
    "lookup_by",
    [
        lambda name: socket.getaddrinfo(name, 80),
        lambda name: socket.getaddrinfo(name.encode(), 80),
        lambda name: asyncio.run(lookup(name)),
        lambda name: socket.gethostbyname(name),  # noqa: PLW0108 - patched later
        lambda name: socket.gethostbyname_ex(name),  # noqa: PLW0108 - as above
    ],
    ids=["getaddrinfo", "getaddrinfo of bytes", "asyncio", "gethostbyname", "gethostbyname_ex"],
)
@pytest.mark.parametrize("passing", ["localhost", "127.0.0.1", None])
def test_who_may_look_up_a_name_may_connect_to_its_address(
    lookup_by: Callable[[str], object], passing: str | None, port: int
) -> None:
    guard.install(lambda host, *_: None if host == passing else "not this one")
    try:
        with guard.allowed():
            lookup_by("localhost")
        if passing is None:
            with pytest.raises(UnguardedConnectionError, match=f"to localhost:{port} not this one"):
                socket.create_connection(("127.0.0.1", port))
        else:
            socket.create_connection(("127.0.0.1", port)).close()
    finally:
        guard.remove()


@pytest.mark.usefixtures("nothing_passes")
def test_a_datagram_socket_passes() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect((ADDRESS, 9))

        assert sock.getpeername() == (ADDRESS, 9)


@pytest.mark.usefixtures("nothing_passes")
@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="this platform has no unix sockets")
def test_a_unix_socket_passes(tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as client:
        server.bind(path)
        server.listen()
        client.connect(path)

        assert client.getpeername() == path


@pytest.mark.usefixtures("nothing_passes")
def test_a_refused_socket_is_closed() -> None:
    sock = socket.socket()
    with pytest.raises(UnguardedConnectionError):
        sock.connect((ADDRESS, 80))

    assert sock.fileno() == -1


@pytest.mark.usefixtures("nothing_passes")
def test_an_address_that_is_none_is_left_to_the_socket_to_refuse() -> None:
    with socket.socket() as sock, pytest.raises(TypeError):
        sock.connect("no pair")


def test_the_windows_loop_asks_too(nothing_passes: list[tuple[str, int, str]]) -> None:
    connecting = asyncio.proactor_events.BaseProactorEventLoop.sock_connect
    with socket.socket() as sock:
        attempt = connecting(object(), sock, (ADDRESS, 80))
        with pytest.raises(UnguardedConnectionError):
            attempt.send(None)

    assert nothing_passes == [(ADDRESS, 80, guard.PLAIN_SOCKET)]


def patched() -> list[object]:
    return [
        vars(socket.socket).get("connect"),
        vars(socket.socket).get("connect_ex"),
        socket.getaddrinfo,
        socket.gethostbyname,
        socket.gethostbyname_ex,
        base_events.BaseEventLoop.getaddrinfo,
        asyncio.proactor_events.BaseProactorEventLoop.sock_connect,
    ]


def test_nothing_is_patched_before_the_first_user_and_after_the_last() -> None:
    before = patched()
    guard.install(guard.policy)
    guard.install(guard.policy)
    guard.remove()
    still = patched()
    guard.remove()

    assert patched() == before
    assert not any(one is other for one, other in zip(still, before, strict=True))


def test_who_patches_over_the_guard_keeps_his_patch(port: int) -> None:
    guard.install(guard.policy)
    ours = socket.socket.connect
    seen: list[object] = []

    def connect(self: socket.socket, address: Any) -> None:
        seen.append(address)
        ours(self, address)

    socket.socket.connect = connect
    try:
        guard.remove()
        with socket.socket() as sock:
            sock.connect(("127.0.0.1", port))
    finally:
        del socket.socket.connect

    assert seen == [("127.0.0.1", port)]


def test_a_patch_that_was_there_before_the_guard_is_given_back(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[object] = []
    original = socket.socket.connect

    def connect(self: socket.socket, address: Any) -> None:
        seen.append(address)
        original(self, address)

    monkeypatch.setattr(socket.socket, "connect", connect)
    guard.install(guard.policy)
    with socket.socket() as sock:
        sock.connect(("127.0.0.1", port))
    guard.remove()

    assert seen == [("127.0.0.1", port)]
    assert socket.socket.connect is connect


@pytest.mark.sdk
@pytest.mark.usefixtures("guarded")
@pytest.mark.parametrize("host", [NAME, ADDRESS])
def test_aiohttp_is_named(host: str) -> None:
    aiohttp = pytest.importorskip("aiohttp")

    async def ask() -> None:
        async with aiohttp.ClientSession() as session:
            await session.get(f"http://{host}/")

    with pytest.raises(UnguardedConnectionError, match=f"^aiohttp was about to .* {host}:80 "):
        asyncio.run(ask())


@pytest.mark.sdk
@pytest.mark.usefixtures("guarded")
@pytest.mark.parametrize("host", [NAME, ADDRESS])
@pytest.mark.parametrize("library", ["requests", "urllib3"])
def test_requests_and_urllib3_are_named(library: str, host: str) -> None:
    module = pytest.importorskip(library)

    with pytest.raises(UnguardedConnectionError, match=f"^{library} was about to .* {host}:80 "):
        module.request("GET", f"http://{host}/", timeout=1)
