"""Streams that are left at any moment leave nothing behind: no descriptor, slot, task or warning."""

from __future__ import annotations

import asyncio
import gc
import random
import sys
from array import array
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing, suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import httpx
import httpx2
import pytest
import trio
from support import SOAK

from cassette_stream import LoopbackServer, use_cassette, write_cassette
from cassette_stream.cassette import Cassette, Ending, How, Interaction, Request, Response
from cassette_stream.exceptions import RecordingEndedError
from cassette_stream.script import Emit, Fail, FailureKind, Head, Script, Wait

STREAMS = 750 if SOAK else 15
"""In each of twelve cells in process; of six over sockets each has two ninths as many."""

ON_SOCKETS = max(STREAMS * 2 // 9, 4)
ENDINGS = (httpx.TransportError, httpx2.TransportError, RecordingEndedError)
PASSES = [0, 1, 2, 3, 5, 8, 13, 30, 100]
"""Of the event loop, before readers are cancelled."""
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
URL = "https://api.test"
PIECES = [b"data: %d\n\n" % number for number in range(8)]
RESET = Ending(how=How.FAILURE, failure=FailureKind.RESET, message="reset", after_us=5)
KINDS = ("whole", "broken", "cut", "silent")

libraries = pytest.mark.parametrize("library", [httpx, httpx2], ids=lambda it: it.__name__)
backends = pytest.mark.parametrize("backend", ["asyncio", "trio"])


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    """As many descriptors afterwards as before; a warning of a finaliser is an error."""
    gc.collect()
    before = descriptors()
    yield
    gc.collect()

    assert descriptors() == before


def descriptors() -> int:
    folder = Path("/proc/self/fd" if sys.platform == "linux" else "/dev/fd")
    return len(list(folder.iterdir()))


def recorded() -> Cassette:
    """Streams that end in each way; one is silent for a minute in the middle."""
    endings = {"broken": RESET, "cut": Ending(how=How.CLOSED_BY_CALLER)}
    body, sizes = b"".join(PIECES), array("q", map(len, PIECES))
    gaps = {"silent": array("q", [300, 60_000_000, *[300] * 6])}
    return Cassette(
        interactions=tuple(
            Interaction(
                recorded_at=NOON,
                request=Request(method="GET", url=f"{URL}/{kind}"),
                response=Response(
                    status=200,
                    headers={"content-type": ("text/event-stream",)},
                    body=body,
                    sizes=sizes,
                    gaps_us=gaps.get(kind, array("q", [300] * 8)),
                    ending=endings.get(kind, Ending(how=How.COMPLETE)),
                ),
            )
            for kind in KINDS
        )
    )


@pytest.fixture(params=["replay", "record"])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], Any]:
    """Opens a session in which streams are replayed, or recorded."""
    path = tmp_path / "c.yaml"
    if request.param == "replay":
        write_cassette(path, recorded())
        return lambda: use_cassette(path, mode="none", allow_repeats=True)
    return lambda: use_cassette(path, mode="rewrite")


class Answer:
    """A live answer, sync and async, that notes how often it was closed."""

    def __init__(self, library: Any) -> None:
        self.open = 0
        answer = self

        class Body(library.SyncByteStream, library.AsyncByteStream):
            def __init__(self, kind: str) -> None:
                self._broken = kind == "broken"
                answer.open += 1

            def __iter__(self) -> Iterator[bytes]:
                yield from PIECES
                if self._broken:
                    raise library.ReadError("reset")

            async def __aiter__(self) -> AsyncIterator[bytes]:
                for piece in PIECES:
                    await anyio.lowlevel.checkpoint()
                    yield piece
                if self._broken:
                    raise library.ReadError("reset")

            def close(self) -> None:
                answer.open -= 1

            async def aclose(self) -> None:
                answer.open -= 1

        def handle(request: Any) -> Any:
            return library.Response(200, stream=Body(request.url.path[1:]))

        self.transport = library.MockTransport(handle)


def read_some(client: Any, url: str, rng: random.Random) -> bytes:
    """What was read of a stream before its reader turned away, in one of many ways."""
    seen, most, way = b"", rng.randrange(9), rng.choice(["break", "raise", "close", "send"])
    try:
        if way == "send":
            response = client.send(client.build_request("GET", url), stream=True)
            parts = response.iter_raw()
            for _ in range(most):
                seen += next(parts, b"")
            response.close()
            return seen
        with client.stream("GET", url) as response:
            parts = response.iter_raw()
            for number, data in enumerate(parts):
                if number == most:
                    break
                seen += data
            if way == "raise":
                raise KeyError
            if way == "close":
                parts.close()
    except (KeyError, *ENDINGS):
        pass
    return seen


async def aread(client: Any, url: str, most: int, opened: Callable[[], object]) -> None:
    try:
        async with client.stream("GET", url) as response:
            opened()
            async with aclosing(response.aiter_raw()) as parts:
                for _ in range(most):
                    await anext(parts, None)
    except ENDINGS:
        pass


async def cancelled(
    readers: list[Callable[[], Any]], begun: anyio.Event | None, passes: int
) -> None:
    """Read, wait for the event if there is one, and cancel all after some passes of the loop."""
    async with anyio.create_task_group() as group:
        for read in readers:
            group.start_soon(read)
        if begun is not None:
            await begun.wait()
        for _ in range(passes):
            await anyio.lowlevel.checkpoint()
        group.cancel_scope.cancel()


def tasks() -> int:
    try:
        return len(asyncio.all_tasks())
    except RuntimeError:
        return trio.lowlevel.current_statistics().tasks_living


async def leave_many(
    client: Any,
    urls: list[str],
    count: int,
    rng: random.Random,
    *,
    at_once: int = 5,
    head: bool = False,
) -> None:
    """Open *count* streams of *urls*, and cancel them at any moment, with *head* after their heads.

    Afterwards there are as many tasks as before.
    """
    before = tasks()
    for _ in range(0, count, at_once):
        begun, left = anyio.Event(), [None] * at_once

        def opened(begun: anyio.Event = begun, left: list[None] = left) -> None:
            left.pop()
            if not left:
                begun.set()

        readers = [
            partial(aread, client, rng.choice(urls), rng.randrange(10), opened)
            for _ in range(at_once)
        ]
        await cancelled(readers, begun if head else None, rng.choice(PASSES))
    gc.collect()  # at the end of the loop trio closes what was dropped without a word

    assert tasks() == before


async def cancel_tasks(client: Any, urls: list[str], count: int, rng: random.Random) -> None:
    """The same with tasks of asyncio's own, each cancelled by itself."""
    for _ in range(count):
        read = aread(client, rng.choice(urls), rng.randrange(10), list)
        task = asyncio.ensure_future(read)
        for _ in range(rng.choice(PASSES)):
            await asyncio.sleep(0)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def slots(transport: Any) -> list[Any]:
    """The connections of a pool that somebody still uses, and who waits for one."""
    pool = transport._pool
    return [it for it in pool.connections if not (it.is_idle() or it.is_closed())] + pool._requests


@libraries
def test_streams_that_are_left_leave_nothing(library: Any, opened: Callable[[], Any]) -> None:
    rng, live, read = random.Random(9), Answer(library), []
    with opened() as session:
        with library.Client(transport=made(session, library)(live.transport)) as client:
            for _ in range(STREAMS):
                read.append(read_some(client, f"{URL}/{rng.choice(KINDS)}", rng))

    heard = [it.response.body for it in session.recorded if it.response]

    assert live.open == 0
    assert len(set(read)) > 3
    assert all(map(bytes.startswith, heard, read))


# Where a caller leaves early the libraries drop generators, of which trio warns; we drop none.
@pytest.mark.filterwarnings("ignore:Async generator '(?!cassette_stream):ResourceWarning")
@backends
@libraries
def test_tasks_that_are_cancelled_leave_nothing(
    library: Any, backend: str, opened: Callable[[], Any]
) -> None:
    rng, live = random.Random(10), Answer(library)
    urls = [f"{URL}/{kind}" for kind in KINDS]

    async def main() -> Any:
        async with opened() as session:
            async with library.AsyncClient(
                transport=amade(session, library)(live.transport)
            ) as client:
                await leave_many(client, urls, STREAMS, rng)
                if backend == "asyncio":
                    await cancel_tasks(client, urls, STREAMS // 5, rng)
        return session

    session = anyio.run(main, backend=backend)

    bodies = [it.response.body for it in session.recorded if it.response]

    assert live.open == 0
    assert all(map(b"".join(PIECES).startswith, bodies))


FORM = Head(200, (("content-type", "text/event-stream"),))


def script(request: Request) -> Script:
    """What the server sends: it holds some streams open, and breaks some."""
    yield FORM
    for piece in PIECES:
        yield Emit(piece)
    match request.url.rpartition("/")[2]:
        case "silent":
            yield Wait(60)
        case "broken":
            yield Fail(FailureKind.RESET)


@libraries
def test_streams_on_sockets_that_are_left_leave_nothing(library: Any, tmp_path: Path) -> None:
    rng = random.Random(11)
    pool = library.HTTPTransport(limits=library.Limits(max_connections=2))
    with LoopbackServer() as server:
        server.script(None, script)
        with (
            use_cassette(tmp_path / "c.yaml", mode="rewrite") as session,
            library.Client(transport=made(session, library)(pool), timeout=10) as client,
        ):
            for _ in range(ON_SOCKETS):
                read_some(client, f"{server.url}/{rng.choice(KINDS[:3])}", rng)

            assert slots(pool) == []

    assert len(session.recorded) == ON_SOCKETS


# Where a caller leaves early the libraries drop generators, of which trio warns; we drop none.
@pytest.mark.filterwarnings("ignore:Async generator '(?!cassette_stream):ResourceWarning")
@backends
@libraries
def test_tasks_on_sockets_that_are_cancelled_leave_nothing(
    library: Any, backend: str, tmp_path: Path
) -> None:
    rng = random.Random(12)
    pool = library.AsyncHTTPTransport(limits=library.Limits(max_connections=2))

    async def main(url: str) -> None:
        async with (
            use_cassette(tmp_path / "c.yaml", mode="rewrite") as session,
            library.AsyncClient(transport=amade(session, library)(pool), timeout=10) as client,
        ):
            # Before there is a head httpcore may lose a slot by itself: encode/httpcore#1093.
            urls = [f"{url}/{kind}" for kind in KINDS]
            await leave_many(client, urls, ON_SOCKETS, rng, at_once=2, head=True)

            assert slots(pool) == []
            async with client.stream("GET", f"{url}/whole") as response:
                assert b"".join([it async for it in response.aiter_raw()]) == b"".join(PIECES)

    with LoopbackServer() as server:
        server.script(None, script)
        anyio.run(main, server.url, backend=backend)


def made(session: Any, library: Any) -> Any:
    return session.transport if library is httpx else session.httpx2_transport


def amade(session: Any, library: Any) -> Any:
    return session.async_transport if library is httpx else session.httpx2_async_transport


@backends
@libraries
def test_a_stream_may_be_closed_while_another_task_reads_it(
    library: Any, backend: str, tmp_path: Path
) -> None:
    async def main() -> Any:
        going_on = anyio.Event()

        class Body(library.AsyncByteStream):
            async def __aiter__(self) -> AsyncIterator[bytes]:
                yield PIECES[0]
                await going_on.wait()

        def handle(_: Any) -> Any:
            return library.Response(200, stream=Body())

        async def read(response: Any) -> None:
            async for _ in response.aiter_raw():
                pass

        with use_cassette(tmp_path / "c.yaml", mode="rewrite") as session:
            transport = amade(session, library)(library.MockTransport(handle))
            async with library.AsyncClient(transport=transport) as client:
                request = client.build_request("GET", URL)
                response = await client.send(request, stream=True)
                async with anyio.create_task_group() as group:
                    group.start_soon(read, response)
                    await anyio.wait_all_tasks_blocked()
                    await response.aclose()
                    going_on.set()
        return session.recorded

    (held,) = anyio.run(main, backend=backend)

    assert held.response.body == PIECES[0]
    assert held.response.ending.how is How.CLOSED_BY_CALLER
