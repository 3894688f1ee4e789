"""The whole way over a real socket: record, write, read back, replay without the server."""

from __future__ import annotations

import math
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import anyio
import httpx
import httpx2
import pytest

from cassette_stream import LoopbackServer, use_cassette
from cassette_stream.cassette.model import How
from cassette_stream.script import Emit, Fail, FailureKind, Head, Step, Wait

libraries = pytest.mark.parametrize("library", [httpx, httpx2], ids=lambda it: it.__name__)
EVENTS = [b'data: {"n": %d}\n\n' % number for number in range(20)]
HEAD = Head(200, (("content-type", "text/event-stream"),))
PAUSE = Wait(0.001)


def impatient(library: Any) -> Any:
    """Of the silence between bytes alone: a machine that is busy may be slow to connect."""
    return library.Timeout(60, read=0.4)


def streaming(*ends: Step, events: int = 20) -> list[Step]:
    body = [step for event in EVENTS[:events] for step in (PAUSE, Emit(event))]
    return [HEAD, *body, *ends]


def read(library: Any, url: str, **options: Any) -> tuple[list[bytes], Exception | None, bool]:
    """The chunks, what was raised, and whether the response counts as closed then."""
    got: list[bytes] = []
    with library.Client(**options) as client:
        with client.stream("POST", url, json={"n": 20}) as response:
            try:
                got.extend(response.iter_raw())
            except library.TransportError as error:
                return got, error, response.is_closed
        return got, None, response.is_closed


async def aread(
    library: Any, url: str, **options: Any
) -> tuple[list[bytes], Exception | None, bool]:
    got: list[bytes] = []
    async with library.AsyncClient(**options) as client:
        async with client.stream("POST", url, json={"n": 20}) as response:
            try:
                async for chunk in response.aiter_raw():
                    got.append(chunk)
            except library.TransportError as error:
                return got, error, response.is_closed
        return got, None, response.is_closed


def run(reader: Any, *args: Any, **options: Any) -> Any:
    if reader is read:
        return read(*args, **options)
    return anyio.run(lambda: aread(*args, **options))


ENDINGS: dict[str, tuple[Step, ...]] = {
    "fin": (Fail(FailureKind.FIN),),
    "reset": (Fail(FailureKind.RESET),),
    "clean early end": (),
    "stall": (Wait(math.inf),),
}


@libraries
@pytest.mark.parametrize("reader", [read, aread], ids=["sync", "async"])
@pytest.mark.parametrize("ending", ENDINGS)
def test_a_server_that_dies_half_way_is_recorded_and_replayed_as_it_died(
    tmp_path: Path, library: Any, reader: Any, ending: str
) -> None:
    path = tmp_path / "dies.yaml"
    with LoopbackServer() as server:
        server.respond(streaming(*ENDINGS[ending], events=10))
        url = f"{server.url}/stream"
        bare = run(reader, library, url, timeout=impatient(library))
        with use_cassette(path):
            live = run(reader, library, url, timeout=impatient(library))
    with use_cassette(path, mode="none") as session:
        replayed = run(reader, library, url, timeout=impatient(library))
    (interaction,) = session.interactions

    for chunks, error, closed in (live, replayed):
        assert b"".join(chunks) == b"".join(EVENTS[:10])
        assert (type(error), str(error)) == (type(bare[1]), str(bare[1]))
        assert closed == bare[2]
    assert replayed[0] == live[0]
    assert (interaction.response.ending.how is How.COMPLETE) is (ending == "clean early end")
    if bare[1] is not None:
        assert replayed[1].request.url == url
        assert type(replayed[1].__cause__).__name__ == type(bare[1].__cause__).__name__


@libraries
@pytest.mark.parametrize("reader", [read, aread], ids=["sync", "async"])
@pytest.mark.parametrize(
    ("steps", "name"),
    [
        ([Fail(FailureKind.NO_RESPONSE)], "RemoteProtocolError"),
        ([Wait(math.inf)], "ReadTimeout"),
    ],
    ids=["no response", "silence"],
)
def test_a_failure_before_the_head_is_recorded_and_replayed(
    tmp_path: Path, library: Any, reader: Any, steps: list[Step], name: str
) -> None:
    errors = []
    with LoopbackServer() as server:
        server.respond(steps)
        with use_cassette(tmp_path / "a.yaml"), pytest.raises(library.TransportError) as caught:
            run(reader, library, server.url, timeout=impatient(library))
        errors.append(caught.value)
        url = server.url
    with (
        use_cassette(tmp_path / "a.yaml", mode="none"),
        pytest.raises(library.TransportError) as caught,
    ):
        run(reader, library, url, timeout=impatient(library))
    errors.append(caught.value)

    assert [type(error).__name__ for error in errors] == [name, name]
    assert str(errors[0]) == str(errors[1])


@libraries
@pytest.mark.parametrize("reader", [read, aread], ids=["sync", "async"])
def test_a_refused_connection_is_recorded_and_replayed(
    tmp_path: Path, library: Any, reader: Any
) -> None:
    with LoopbackServer() as server:
        url = server.url  # nobody listens there in a moment
    messages = []
    for mode in ("once", "none"):
        with (
            use_cassette(tmp_path / "a.yaml", mode=mode),
            pytest.raises(library.ConnectError) as caught,
        ):
            run(reader, library, url)
        messages.append(str(caught.value))

    assert messages[0] == messages[1]
    assert messages[0]


@libraries
def test_leaving_after_five_events_closes_the_connection_and_is_recorded(
    tmp_path: Path, library: Any
) -> None:
    path = tmp_path / "left.yaml"
    with LoopbackServer() as server:
        server.respond(streaming(Wait(math.inf)))
        with use_cassette(path) as session, library.Client() as client:
            with client.stream("GET", server.url) as response:
                for number, _ in enumerate(response.iter_bytes()):
                    if number == 4:
                        break
            exchange = server.wait_for_disconnect(1.0)
        url = server.url
    (interaction,) = session.recorded
    with use_cassette(path, mode="none"), library.Client() as client:
        with client.stream("GET", url) as response:
            chunks = response.iter_bytes()
            replayed = [next(chunks) for _ in range(5)]

    assert interaction.response.ending.how is How.CLOSED_BY_CALLER
    assert len(interaction.response.sizes) == 5
    assert b"".join(replayed) == interaction.response.body
    assert exchange.how is How.CLOSED_BY_CALLER


@libraries
def test_streams_of_several_threads_and_tasks_do_not_cross(tmp_path: Path, library: Any) -> None:
    def in_thread(number: int) -> bytes:
        with use_cassette(tmp_path / f"thread{number}.yaml"):
            return b"".join(read(library, f"{url}/{number}")[0])

    async def in_task(number: int, got: dict[int, bytes]) -> None:
        async with use_cassette(tmp_path / f"task{number}.yaml"):
            got[number] = b"".join((await aread(library, f"{url}/{number}"))[0])

    async def in_tasks() -> list[bytes]:
        got: dict[int, bytes] = {}
        async with anyio.create_task_group() as tasks:
            for number in range(3):
                tasks.start_soon(in_task, number, got)
        return [got[number] for number in range(3)]

    def everything() -> list[bytes]:
        with ThreadPoolExecutor(3) as pool:
            return [*pool.map(in_thread, range(3)), *anyio.run(in_tasks)]

    expected = [b"".join(EVENTS[: number + 1]) for number in range(3)] * 2
    with LoopbackServer() as server:
        for number in range(3):
            server.respond(streaming(events=number + 1), path=f"/{number}")
        url = server.url
        live = everything()
    replayed = everything()

    assert live == expected
    assert replayed == expected


@libraries
def test_compressed_streams_reach_the_caller_as_sent_and_the_cassette_in_clear(
    tmp_path: Path, library: Any
) -> None:
    body = b"".join(EVENTS)
    texts = []
    with LoopbackServer(compress=True) as server:
        server.respond(streaming())
        url = server.url
        for mode in ("once", "none"):
            with (
                use_cassette(tmp_path / "a.yaml", mode=mode) as session,
                library.Client() as client,
            ):
                texts.append(client.get(url).content)
    (interaction,) = session.interactions

    assert texts == [body, body]
    assert interaction.response.body == body
    assert interaction.response.removed_coding == "gzip"


def test_a_server_thread_is_answered_by_the_session_of_the_process(tmp_path: Path) -> None:
    """An application under test runs in a thread of its own and calls a provider."""
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

    with LoopbackServer() as provider:
        provider.respond([HEAD, Emit(b"data: hi\n\n")])
        provider_url = provider.url

        class App(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = httpx.get(f"{provider_url}/answer").content
                self.send_response(200)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: object) -> None: ...

        app = ThreadingHTTPServer(("127.0.0.1", 0), App)
        app.daemon_threads = False
        thread = threading.Thread(target=app.serve_forever, args=(0.01,))
        thread.start()
        try:
            url = f"http://127.0.0.1:{app.server_port}/"
            with use_cassette(tmp_path / "a.yaml") as session:
                import urllib.request

                with urllib.request.urlopen(url) as answer:
                    text = answer.read()
        finally:
            app.shutdown()
            app.server_close()
            thread.join()

    assert text == b"data: hi\n\n"
    assert [it.request.url for it in session.recorded] == [f"{provider_url}/answer"]


@libraries
def test_a_transport_of_the_session_sends_as_the_client_would(tmp_path: Path, library: Any) -> None:
    prefix = "" if library is httpx else "httpx2_"
    answers = []
    with LoopbackServer() as server:
        server.respond([HEAD, Emit(b"data: hi\n\n")])
        with use_cassette(tmp_path / "a.yaml") as session:
            made = getattr(session, f"{prefix}transport")()
            with library.Client(transport=made) as client:
                answers.append(client.get(server.url).content)
            made = getattr(session, f"{prefix}async_transport")()
            answers.append(anyio.run(fetch, library.AsyncClient(transport=made), server.url))

    assert answers == [b"data: hi\n\n"] * 2
    assert len(session.recorded) == 2


async def fetch(client: Any, url: str) -> bytes:
    async with client:
        return (await client.get(url)).content
