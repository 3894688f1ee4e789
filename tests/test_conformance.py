"""The table of exceptions is proved: what a rule raises in-process is raised on a socket.

Each case is asked twice by the same client code: the reference server does it for real,
and a recording is played with the rule that says the same, in virtual time.
"""

from __future__ import annotations

import gc
import itertools
import re
import socket
import ssl
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AsyncExitStack, ExitStack, contextmanager
from dataclasses import replace
from typing import Any, TypeAlias

import anyio
import httpx
import httpx2
import pytest
import trustme
from conformance_cases import CASES, LARGE, ONE, THREE, TWO, UNDER_TRIO, Case
from reference_server import deaf, free_port, heard, serving

from cassette_stream.client.failures import worth_again
from cassette_stream.clock import VirtualClock
from cassette_stream.exceptions import HangError
from cassette_stream.faults import Injector, body, connect, head, parse_rule, plan_of
from cassette_stream.script import Emit, Fail, FailureKind, Head, Step, Wait
from cassette_stream.transport.desk import Play
from cassette_stream.transport.errors import failure_of, raised_by
from cassette_stream.transport.httpx import async_transport, sync_transport

LIBRARIES = {"httpx": httpx, "httpx2": httpx2}
LIMITS = ("connect", "read", "write", "pool")
AUTHORITY = trustme.CA()
Seen: TypeAlias = dict[str, Any]
Key: TypeAlias = tuple[str, str, str]

# Trio warns of generators that httpx drops when an upload breaks.
pytestmark = [
    pytest.mark.filterwarnings("ignore:Async generator 'httpx:ResourceWarning"),
    pytest.mark.matrix(3),
]

MODES = {name: ("sync", "asyncio", *(["trio"] if name in UNDER_TRIO else [])) for name in CASES}
KEYS: list[Key] = [
    (name, library, mode) for name in CASES for library in LIBRARIES for mode in MODES[name]
]


def worded(error: BaseException | None) -> str | None:
    """The message of *error*, without what belongs to a build of Python or to a platform.

    OpenSSL's errors name a line of CPython's source, which each release moves. The numbers
    of errors are those of Linux in the table, and others elsewhere.
    """
    if error is None:
        return None
    text = re.sub(r"_ssl\.c:\d+", "_ssl.c", str(error))
    return text if sys.platform == "linux" else re.sub(r"\[Errno -?\d+\].*", "[Errno]", text)


def named(error: BaseException | None) -> str | None:
    """The class of *error*, and the library that it is of."""
    if error is None:
        return None
    return f"{type(error).__module__.partition('.')[0]}.{type(error).__name__}"


def seen(got: list[bytes], response: Any, error: Any = None) -> Seen:
    """All that whoever handles *error* can see."""
    cause = None if error is None else error.__cause__
    found = {
        "error": named(error),
        "message": worded(error),
        "cause": named(cause),
        "message of the cause": worded(cause),
        "may help to ask again": error and worth_again(error),
        "kind": error and failure_of(error)[0],
        "bytes": b"".join(got),
    }
    if response is None:
        return found
    return found | {
        "status": response.status_code,
        "HTTP version": response.http_version,
        "is_closed": response.is_closed,
        "is_stream_consumed": response.is_stream_consumed,
        "num_bytes_downloaded": response.num_bytes_downloaded,
        "is of this request": error and error.request is response.request,
    }


def options(library: Any, case: Case) -> dict[str, Any]:
    limits = {name: case.soon if name == case.limit else 20 for name in LIMITS}
    return {"timeout": library.Timeout(**limits), "follow_redirects": True}


def met(library: Any, transport: Any, case: Case, url: str, notify: Callable[[], object]) -> Seen:
    """What synchronous code meets."""
    got: list[bytes] = []
    with ExitStack() as left:
        client = left.enter_context(library.Client(transport=transport, **options(library, case)))
        if case.first:
            before = left.enter_context(client.stream("POST", url, content=case.content))
            if case.first == "read":
                before.read()
        try:
            response = left.enter_context(client.stream("POST", url, content=case.content))
        except library.HTTPError as error:
            return seen(got, None, error)
        try:
            for data in response.iter_bytes():
                got.append(data)
                notify()
        except library.HTTPError as error:
            return seen(got, response, error)
        return seen(got, response)


async def amet(
    library: Any, transport: Any, case: Case, url: str, notify: Callable[[], object]
) -> Seen:
    """What asynchronous code meets."""
    got: list[bytes] = []
    async with AsyncExitStack() as left:
        client = library.AsyncClient(transport=transport, **options(library, case))
        await left.enter_async_context(client)
        if case.first:
            opening = client.stream("POST", url, content=case.content)
            before = await left.enter_async_context(opening)
            if case.first == "read":
                await before.aread()
        try:
            opening = client.stream("POST", url, content=case.content)
            response = await left.enter_async_context(opening)
        except library.HTTPError as error:
            return seen(got, None, error)
        try:
            async for data in response.aiter_bytes():
                got.append(data)
                notify()
        except library.HTTPError as error:
            return seen(got, response, error)
        return seen(got, response)


async def arun(*arguments: Any) -> Seen:
    found = await amet(*arguments)
    if arguments[2].content is LARGE:
        gc.collect()  # so that what httpx dropped is warned of here, and not in another test
    return found


@contextmanager
def asked(library: Any, case: Case) -> Iterator[tuple[str, dict[str, Any], Callable[[], object]]]:
    """The URL to ask, what the transport is to be given, and what to call when bytes came."""
    trust = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if case.trusted:
        AUTHORITY.configure_trust(trust)
    given: dict[str, Any] = {"verify": trust, "http2": case.http2}
    if case.first == "held":
        given["limits"] = library.Limits(max_connections=1)
    closed = f"http://127.0.0.1:{free_port()}"
    with ExitStack() as left:
        match case.where:
            case "server":
                tls = certified(case) if case.scheme == "https" and case.handshake else None
                port, told = left.enter_context(serving(*case.acts, tls=tls))
                yield f"{case.scheme}://{case.host}:{port}/v1", given, told.set
            case "deaf":
                yield f"http://127.0.0.1:{left.enter_context(deaf())}", given, print
            case "closed":
                yield closed, given, print
            case "proxy":
                yield "http://api.test/v1", given | {"proxy": closed}, print
            case "no URL":
                yield "/v1", given, print
            case _:
                yield "http://api.test/v1", given, print


def certified(case: Case) -> ssl.SSLContext:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.set_alpn_protocols(["h2"] if case.http2 else ["http/1.1"])
    AUTHORITY.issue_cert(case.named).configure_cert(tls)
    return tls


UNHURRIED = 6.0
"""Seconds of silence, on a machine that is busy."""


def patiently(case: Case, ask: Callable[[Case], Seen]) -> Seen:
    """What *ask* finds, with more time where the machine is too busy for what was to come."""
    for soon in (0.25, 1.0, 4.0):
        found = ask(replace(case, soon=soon))
        if found["bytes"] or not (case.limit and heard in case.acts):
            break
    return found


def really(key: Key) -> tuple[str, Seen]:
    """The URL that was asked, and what a client met there."""
    urls: list[str] = []

    def ask(case: Case) -> Seen:
        url, found = once(case, *key[1:])
        urls.append(url)
        return found

    found = patiently(CASES[key[0]], ask)
    return urls[-1], found


def once(case: Case, library_name: str, mode: str) -> tuple[str, Seen]:
    library = LIBRARIES[library_name]
    with asked(library, case) as (url, given, notify):
        if mode == "sync":
            return url, met(library, library.HTTPTransport(**given), case, url, notify)
        inner = library.AsyncHTTPTransport(**given)
        return url, anyio.run(arun, library, inner, case, url, notify, backend=mode)


@pytest.fixture(scope="module")
def slow() -> Iterator[Callable[[Key], Future[tuple[str, Seen]]]]:
    """Asks the server where it is timeouts that are waited for: all of them at once."""
    futures: dict[Key, Future[tuple[str, Seen]]] = {}
    with ThreadPoolExecutor(16) as pool:

        def future(key: Key) -> Future[tuple[str, Seen]]:
            if not futures:
                waiting = [it for it in KEYS if CASES[it[0]].limit]
                futures.update({it: pool.submit(really, it) for it in waiting})
            return futures[key]

        yield future
        for unused in futures.values():
            unused.cancel()


def nowhere(library: Any) -> Any:
    """A transport that nothing may reach."""

    def refuse(request: Any) -> Any:
        raise AssertionError(f"{request.url} was about to leave")

    return library.MockTransport(refuse)


class Desk:
    """Answers every request with *steps*, and lets *injector* break them."""

    def __init__(self, steps: list[Step], injector: Injector | None = None) -> None:
        self.clock = VirtualClock()
        self._steps = steps
        self._injector = injector
        self._asked = itertools.count()

    def decide(self, request: Any) -> Play:
        script = iter(self._steps)
        if self._injector is not None:
            script = self._injector.rewrite(script, request, next(self._asked))
        heads = (it.http_version for it in self._steps if isinstance(it, Head))
        return Play(script, self.clock, http_version=next(heads, "HTTP/1.1"))


def recording(case: Case) -> list[Step]:
    fields = (("content-type", "text/event-stream"), *case.fields)
    first = Head(200, fields, "HTTP/2" if case.http2 else "HTTP/1.1")
    return [first, Emit(ONE), Emit(TWO), Emit(THREE)]


def replayed(key: Key, url: str) -> Seen:
    """What a client meets in-process."""
    name, library_name, mode = key
    case, library = CASES[name], LIBRARIES[library_name]
    injector = Injector(plan_of(parse_rule(case.rule)))
    desk = Desk(recording(case), injector)
    if mode == "sync":
        transport = sync_transport(library, desk, nowhere(library))
        found = met(library, transport, case, url, lambda: None)
    else:
        transport = async_transport(library, desk, nowhere(library))
        found = anyio.run(arun, library, transport, case, url, lambda: None, backend=mode)
    assert injector.strikes
    return found


def resolver(case: Case) -> Callable[..., Any]:
    """What the platform's resolver says of a name that it does not find, without a network."""
    genuine = socket.getaddrinfo
    code, words = {
        "nowhere": (socket.EAI_NONAME, "Name or service not known"),
        "nowhere for now": (socket.EAI_AGAIN, "Temporary failure in name resolution"),
    }[case.where]

    def resolve(host: Any, *more: Any, **options: Any) -> Any:
        if host in {"api.test", b"api.test"}:
            raise socket.gaierror(code, words)
        return genuine(host, *more, **options)

    return resolve


def unlike(key: Key) -> set[str]:
    """What a replay does not tell as a socket does."""
    name, _, mode = key
    if (name, mode) == ("proxy refused", "trio"):
        # Trio names the address that it tried, and no replay knows that of the proxy.
        return {"message", "message of the cause"}
    if name.startswith("reset in the upload") and mode == "asyncio":
        return {"kind"}  # far below the exception asyncio tells that it was a reset
    return set()


@pytest.mark.parametrize("key", KEYS, ids=" - ".join)
def test_what_is_met_in_process_is_met_on_a_socket(
    key: Key, slow: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, _, mode = key
    case = CASES[name]
    if case.where.startswith("nowhere"):
        monkeypatch.setattr(socket, "getaddrinfo", resolver(case))
    url, real = slow(key).result() if case.limit else really(key)
    played = replayed(key, url)
    if case.limit and real["bytes"] != played["bytes"]:
        # The machine was too busy for all that was to come before the silence.
        url, real = once(replace(case, soon=UNHURRIED), *key[1:])
        played = replayed(key, url)
    for what in unlike(key):
        assert real.pop(what) != played.pop(what)

    assert played == real
    assert (real["error"] is not None) == (case.fails and mode not in case.blind)


HOPELESS = ("untrusted", "another address", "another host", "no TLS")


@pytest.mark.parametrize("key", [key for key in KEYS if key[0] in HOPELESS], ids=" - ".join)
def test_nobody_is_asked_again_whose_certificate_is_wrong_under_whatever_loop(key: Key) -> None:
    url, real = really(key)

    assert real["may help to ask again"] is False
    assert replayed(key, url)["may help to ask again"] is False


def test_the_table_has_every_fault_that_a_transport_notices() -> None:
    rows = (*connect.FAULTS, *head.FAULTS, *body.FAULTS)
    told = {case.rule.partition("@")[0] for case in CASES.values()}

    assert {it.id for it in rows if not it.transport.startswith("nothing")} <= told
    assert sum(case.fails for case in CASES.values()) >= 40


def test_an_address_of_ipv6_is_named_as_trio_names_it() -> None:
    refused = Fail(FailureKind.REFUSED)
    error = raised_by(refused, httpx, is_async=True, on_trio=True, host="::1", port=443)

    assert str(error) == "all attempts to connect to [::1]:443 failed"


PHASES = {
    FailureKind.CONNECT_TIMEOUT: "connect",
    FailureKind.TLS_TIMEOUT: "connect",
    FailureKind.POOL_TIMEOUT: "pool",
    FailureKind.WRITE_TIMEOUT: "write",
}


@pytest.mark.parametrize("library", LIBRARIES.values(), ids=LIBRARIES)
@pytest.mark.parametrize(("kind", "phase"), PHASES.items(), ids=str)
def test_a_timeout_comes_after_its_own_limit_and_never_without_one(
    library: Any, kind: FailureKind, phase: str
) -> None:
    desk = Desk([Fail(kind)])
    limits = {"connect": 3.0, "read": 5.0, "write": 7.0, "pool": 11.0}
    with library.Client(transport=sync_transport(library, desk, nowhere(library))) as client:
        with pytest.raises(library.TimeoutException):
            client.post("https://api.test", timeout=library.Timeout(**limits))

        assert desk.clock.now() == limits[phase]
        with pytest.raises(HangError, match="the request has no timeout for that: set one"):
            client.post("https://api.test", timeout=library.Timeout(**limits | {phase: None}))


def test_a_timeout_that_was_waited_for_comes_when_it_came() -> None:
    desk = Desk([Wait(2), Fail(FailureKind.CONNECT_TIMEOUT)])
    with httpx.Client(transport=sync_transport(httpx, desk, nowhere(httpx))) as client:
        with pytest.raises(httpx.ConnectTimeout):
            client.get("https://api.test", timeout=60)

    assert desk.clock.now() == 2
