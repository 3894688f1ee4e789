from __future__ import annotations

import gzip
import math
from array import array
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import anyio
import httpx
import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cassette_stream.cassette.model import Ending, How, Interaction, Request, Response
from cassette_stream.clock import RealClock, VirtualClock
from cassette_stream.exceptions import HangError, RecordingEndedError
from cassette_stream.recorder import Recorder
from cassette_stream.replayer import script_of
from cassette_stream.script import Emit, Fail, FailureKind, Head, Step, Wait
from cassette_stream.transport.desk import Decision, Pass, Play, Recording
from cassette_stream.transport.errors import TABLE, failure_of, library_of, raised_by
from cassette_stream.transport.httpx import async_transport, sync_transport

LIBRARIES = [httpx, httpx2]
libraries = pytest.mark.parametrize("library", LIBRARIES, ids=lambda it: it.__name__)
URL = "https://api.test/v1/chat"


class Always:
    """A desk that decides the same for every request."""

    def __init__(self, decide: Callable[[Request], Decision]) -> None:
        self.decide = decide


class Listener:
    """A desk that records everything, and keeps it."""

    def __init__(self) -> None:
        self.kept: list[Interaction] = []

    def decide(self, request: Request) -> Decision:
        clock = RealClock()
        recorder = Recorder(request, recorded_at=clock.date(), at=clock.now())
        return Recording(recorder, clock, self.kept.append)


def playing(*steps: Step) -> Always:
    return Always(lambda _: Play(iter(steps), VirtualClock()))


def client_of(library: Any, desk: Any, inner: Any = None) -> Any:
    return library.Client(
        transport=sync_transport(library, desk, inner or library.MockTransport(nobody))
    )


def async_client_of(library: Any, desk: Any, inner: Any = None) -> Any:
    return library.AsyncClient(
        transport=async_transport(library, desk, inner or library.MockTransport(nobody))
    )


def nobody(request: Any) -> Any:
    raise AssertionError(f"the network was touched: {request.url}")


def body_of(library: Any, chunks: list[bytes], error: Exception | None = None) -> Any:
    class Body(library.SyncByteStream, library.AsyncByteStream):
        closed = 0

        def __iter__(self) -> Iterator[bytes]:
            yield from chunks
            if error is not None:
                raise error

        async def __aiter__(self) -> AsyncIterator[bytes]:
            for chunk in chunks:
                await anyio.sleep(0)
                yield chunk
            if error is not None:
                raise error

        def close(self) -> None:
            type(self).closed += 1

        async def aclose(self) -> None:
            type(self).closed += 1

    return Body()


chunks = st.lists(st.binary(min_size=1, max_size=6), max_size=8)


@libraries
@given(chunks)
def test_the_caller_gets_the_chunks_that_came_and_so_does_the_recording(
    library: Any, sent: list[bytes]
) -> None:
    desk = Listener()
    inner = library.MockTransport(lambda _: library.Response(200, stream=body_of(library, sent)))
    with client_of(library, desk, inner) as client, client.stream("GET", URL) as response:
        got = list(response.iter_raw())
    (kept,) = desk.kept

    assert got == sent
    assert kept.response is not None
    assert [frame.data for frame in kept.response.frames()] == sent
    assert kept.response.ending.how is How.COMPLETE


@libraries
@given(chunks, st.sampled_from([kind for kind in TABLE if kind is not FailureKind.OTHER]))
def test_what_was_heard_is_played_back_with_its_failure(
    library: Any, sent: list[bytes], kind: FailureKind
) -> None:
    failure = raised_by(Fail(kind), library, is_async=False)
    desk = Listener()
    inner = library.MockTransport(
        lambda _: library.Response(200, stream=body_of(library, sent, failure))
    )
    live = outcome_of(client_of(library, desk, inner))
    replayed = outcome_of(client_of(library, playing(*script_of(desk.kept[0]))))

    assert live == replayed
    assert live[0] == sent
    assert live[1] == (type(failure), str(failure))


def outcome_of(client: Any) -> tuple[list[bytes], tuple[type, str] | None]:
    got: list[bytes] = []
    try:
        with client, client.stream("GET", URL) as response:
            got.extend(response.iter_raw())
    except Exception as error:
        return got, (type(error), str(error))
    else:
        return got, None


@libraries
@given(
    st.lists(st.tuples(st.integers(0, 3), st.sampled_from([b"", b"a", b"bc"])), max_size=6),
    st.sampled_from([None, 2e-6, 1.0]),
    st.sampled_from(How),
)
def test_the_shortcut_of_a_faithful_replay_tells_what_the_steps_tell(
    library: Any, heard: list[tuple[int, bytes]], timeout: float | None, how: How
) -> None:
    interaction = Interaction(
        recorded_at=RealClock().date(),
        request=Request(method="GET", url=URL),
        response=Response(
            status=200,
            body=b"".join(data for _, data in heard),
            sizes=array("q", [len(data) for _, data in heard]),
            gaps_us=array("q", [gap for gap, _ in heard]),
            ending=Ending(
                how=how,
                after_us=2,
                failure=FailureKind.RESET if how is How.FAILURE else None,
            ),
        ),
    )
    faithful, plain = VirtualClock(), VirtualClock()
    outcomes = []
    for script, clock in (
        (script_of(interaction), faithful),
        (iter([*script_of(interaction)]), plain),
    ):
        desk = Always(lambda _, script=script, clock=clock: Play(script, clock))
        client = client_of(library, desk)
        client.timeout = timeout
        outcomes.append((outcome_of(client), round(clock.now(), 7)))

    assert outcomes[0] == outcomes[1]


@libraries
@pytest.mark.anyio
async def test_the_asynchronous_shells_do_the_same(library: Any) -> None:
    sent = [b"data: 1\n\n", b"data", b": 2\n\n"]
    failure = library.ReadError("gone")
    desk = Listener()
    inner = library.MockTransport(
        lambda _: library.Response(200, stream=body_of(library, sent, failure))
    )
    for transport in (
        async_client_of(library, desk, inner),
        async_client_of(library, Always(lambda _: Play(script_of(desk.kept[0]), VirtualClock()))),
    ):
        got: list[bytes] = []
        async with transport as client, client.stream("POST", URL, content=b"{}") as response:
            with pytest.raises(library.ReadError, match="gone"):
                async for chunk in response.aiter_raw():
                    got.append(chunk)

        assert got == sent


@libraries
def test_headers_return_before_the_body_and_each_chunk_when_it_comes(library: Any) -> None:
    told: list[str] = []

    def slowly() -> Iterator[bytes]:
        for number in range(3):
            told.append(f"sent {number}")
            yield b"x"

    inner = library.MockTransport(lambda _: library.Response(200, content=slowly()))
    with client_of(library, Listener(), inner) as client, client.stream("GET", URL) as response:
        told.append("head")
        for number, _ in enumerate(response.iter_raw()):
            told.append(f"got {number}")

    assert told == ["head", "sent 0", "got 0", "sent 1", "got 1", "sent 2", "got 2"]


@libraries
def test_leaving_early_closes_the_stream_below_and_is_taken_down(library: Any) -> None:
    desk, body = Listener(), body_of(library, [b"ab", b"cd", b"ef"])
    inner = library.MockTransport(lambda _: library.Response(200, stream=body))
    with client_of(library, desk, inner) as client, client.stream("GET", URL) as response:
        next(response.iter_raw())
    (kept,) = desk.kept

    assert type(body).closed == 1
    assert kept.response.body == b"ab"
    assert kept.response.ending.how is How.CLOSED_BY_CALLER


@libraries
@pytest.mark.anyio
async def test_a_cancelled_caller_is_taken_down_as_cancelled(library: Any) -> None:
    class Stuck(library.AsyncByteStream):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            yield b"ab"
            scope.cancel()
            await anyio.sleep_forever()

    desk = Listener()
    inner = library.MockTransport(lambda _: library.Response(200, stream=Stuck()))
    with anyio.CancelScope() as scope:
        async with async_client_of(library, desk, inner) as client:
            await client.get(URL)
    (kept,) = desk.kept

    assert kept.response.body == b"ab"
    assert kept.response.ending.how is How.CANCELLED


@libraries
def test_a_failure_before_the_head_is_taken_down_and_played_back(library: Any) -> None:
    def refuse(_: Any) -> Any:
        raise library.ConnectError("[Errno 111] Connection refused")

    desk = Listener()
    with (
        client_of(library, desk, library.MockTransport(refuse)) as client,
        pytest.raises(library.ConnectError),
    ):
        client.get(URL)
    (kept,) = desk.kept
    with (
        client_of(library, playing(*script_of(kept))) as client,
        pytest.raises(library.ConnectError, match="Connection refused") as caught,
    ):
        client.get(URL)

    assert kept.response is None
    assert kept.failure.failure is FailureKind.REFUSED
    assert caught.value.request.url == URL


@libraries
@pytest.mark.anyio
async def test_so_is_one_in_asynchronous_code(library: Any) -> None:
    def refuse(_: Any) -> Any:
        raise library.ConnectTimeout("")

    desk = Listener()
    async with async_client_of(library, desk, library.MockTransport(refuse)) as client:
        with pytest.raises(library.ConnectTimeout):
            await client.get(URL)
    async with async_client_of(library, playing(*script_of(desk.kept[0]))) as client:
        with pytest.raises(library.ConnectTimeout):
            await client.get(URL)


@libraries
def test_an_exception_of_a_transport_that_somebody_wrote_is_played_as_a_transport_error(
    library: Any,
) -> None:
    def fail(_: Any) -> Any:
        raise KeyError("tokens")

    desk = Listener()
    with client_of(library, desk, library.MockTransport(fail)) as client, pytest.raises(KeyError):
        client.get(URL)
    with (
        client_of(library, playing(*script_of(desk.kept[0]))) as client,
        pytest.raises(library.TransportError, match="KeyError: 'tokens'"),
    ):
        client.get(URL)


@libraries
def test_a_response_that_a_mock_made_of_bytes_is_recorded_too(library: Any) -> None:
    desk = Listener()
    inner = library.MockTransport(lambda _: library.Response(200, json={"a": 1}))
    with client_of(library, desk, inner) as client:
        answer = client.get(URL).json()

    assert answer == {"a": 1}
    assert desk.kept[0].response.body == b'{"a":1}' or desk.kept[0].response.body == b'{"a": 1}'


@libraries
@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize("coded", [False, True], ids=["plain", "coded"])
def test_a_response_that_a_transport_below_has_read_is_recorded_too(
    library: Any, *, is_async: bool, coded: bool
) -> None:
    sent = gzip.compress(b"data: 1\n\n") if coded else b"data: 1\n\n"
    headers = {"content-encoding": "gzip", "content-length": str(len(sent))} if coded else {}

    class Looking(library.BaseTransport, library.AsyncBaseTransport):
        def handle_request(self, request: Any) -> Any:
            response = library.Response(200, headers=headers, stream=body_of(library, [sent]))
            response.read()
            return response

        async def handle_async_request(self, request: Any) -> Any:
            response = library.Response(200, headers=headers, stream=body_of(library, [sent]))
            await response.aread()
            return response

    listener = Listener()

    async def get() -> Any:
        async with async_client_of(library, listener, Looking()) as client:
            return await client.get(URL)

    if is_async:
        response = anyio.run(get)
    else:
        with client_of(library, listener, Looking()) as client:
            response = client.get(URL)
    (interaction,) = listener.kept
    with client_of(
        library, Always(lambda _: Play(script_of(interaction), VirtualClock()))
    ) as client:
        replayed = client.get(URL)

    assert response.content == b"data: 1\n\n"
    assert interaction.response.body == response.content
    assert replayed.content == response.content


@libraries
@pytest.mark.parametrize(
    ("asked", "sent"),
    [(None, "identity"), ("gzip", "gzip"), ("identity", "identity")],
    ids=["nothing", "a coding", "none"],
)
def test_no_coding_is_asked_for_unless_the_caller_chose_one(
    library: Any, asked: str | None, sent: str
) -> None:
    seen: list[Any] = []

    def answer(request: Any) -> Any:
        seen.append((request.headers["accept-encoding"], request.content))
        return library.Response(200)

    desk = Listener()
    headers = {} if asked is None else {"accept-encoding": asked}
    with client_of(library, desk, library.MockTransport(answer)) as client:
        response = client.post(URL, content=iter([b"a", b"b"]), headers=headers)

    assert seen == [(sent, b"ab")]
    assert desk.kept[0].request.body == b"ab"
    assert desk.kept[0].request.headers["accept-encoding"] == (
        response.request.headers["accept-encoding"],
    )


@libraries
def test_a_request_that_passes_is_left_as_it_is(library: Any) -> None:
    inner = library.MockTransport(
        lambda it: library.Response(200, text=it.headers["accept-encoding"])
    )
    with client_of(library, Always(lambda _: Pass()), inner) as client:
        text = client.get(URL).text

    assert "gzip" in text


@libraries
@pytest.mark.anyio
async def test_so_is_an_asynchronous_one(library: Any) -> None:
    inner = library.MockTransport(lambda it: library.Response(200, text="ok"))
    async with async_client_of(library, Always(lambda _: Pass()), inner) as client:
        assert (await client.get(URL)).text == "ok"


@libraries
def test_a_silence_longer_than_the_read_timeout_is_a_read_timeout_at_once(library: Any) -> None:
    desk = playing(Head(200), Emit(b"a"), Wait(math.inf))
    with client_of(library, desk) as client, client.stream("GET", URL, timeout=600) as response:
        with pytest.raises(library.ReadTimeout, match="timed out") as caught:
            list(response.iter_raw())

    assert caught.value.request is response.request
    assert type(caught.value.__cause__).__name__ == "ReadTimeout"


@libraries
@pytest.mark.anyio
async def test_a_silence_before_the_head_counts_too(library: Any) -> None:
    async with async_client_of(library, playing(Wait(math.inf))) as client:
        with pytest.raises(library.ReadTimeout):
            await client.get(URL)
    with client_of(library, playing(Wait(math.inf))) as client, pytest.raises(library.ReadTimeout):
        client.get(URL)


@libraries
@pytest.mark.anyio
async def test_a_silence_for_ever_without_a_timeout_is_a_hang(library: Any) -> None:
    steps = (Head(200), Wait(math.inf))
    with client_of(library, playing(*steps)) as client, pytest.raises(HangError, match="set one"):
        client.get(URL, timeout=None)
    async with async_client_of(library, playing(*steps)) as client:
        with pytest.raises(HangError):
            await client.get(URL, timeout=None)


@libraries
@pytest.mark.anyio
async def test_concurrent_streams_come_in_the_order_of_their_times(library: Any) -> None:
    clock, seen = VirtualClock(), []
    gaps = {"/a": [0.3, 0.3, 0.3], "/b": [0.2, 0.5], "/c": [1.0]}

    def decide(request: Request) -> Decision:
        path = request.url.removeprefix("https://api.test")
        body = [step for gap in gaps[path] for step in (Wait(gap), Emit(path.encode()))]
        return Play(iter([Head(200), *body]), clock)

    async def read(path: str) -> None:
        async with client.stream("GET", f"https://api.test{path}") as response:
            async for _ in response.aiter_raw():
                seen.append((path, round(clock.now(), 6)))
                await anyio.sleep(0)

    async with (
        async_client_of(library, Always(decide)) as client,
        anyio.create_task_group() as tasks,
    ):
        for path in gaps:
            tasks.start_soon(read, path)

    assert seen == [("/b", 0.2), ("/a", 0.3), ("/a", 0.6), ("/b", 0.7), ("/a", 0.9), ("/c", 1.0)]


@libraries
@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize("kind", list(FailureKind), ids=str)
def test_every_kind_of_failure_has_an_exception(
    library: Any, kind: FailureKind, *, is_async: bool
) -> None:
    error = raised_by(Fail(kind, "said so"), library, is_async=is_async)

    assert str(error) == "said so"
    if kind is FailureKind.RECORDING_ENDED:
        assert isinstance(error, RecordingEndedError)
    else:
        assert isinstance(error, library.RequestError)


NAMELESS = {FailureKind.OTHER, FailureKind.WRITE_RESET}  # a client cannot tell the latter apart


@libraries
@pytest.mark.parametrize("kind", [kind for kind in TABLE if kind not in NAMELESS], ids=str)
def test_a_failure_is_recognised_by_what_it_raises(library: Any, kind: FailureKind) -> None:
    error = raised_by(Fail(kind), library, is_async=False)

    assert failure_of(error) == (kind, str(error))


@libraries
def test_every_transport_error_of_the_library_has_a_row(library: Any) -> None:
    rows = {row.name for row in TABLE.values()}
    concrete = {
        name
        for name, value in vars(library).items()
        if isinstance(value, type)
        and issubclass(value, library.TransportError)
        and not value.__subclasses__()
    }
    above_the_transport = {"SSEError"}  # of httpx2's own event source

    assert concrete - above_the_transport <= rows


def test_an_exception_without_a_message_is_known_by_its_class() -> None:
    assert failure_of(LookupError()) == (FailureKind.OTHER, "LookupError")


def test_nothing_else_is_a_library() -> None:
    assert library_of(httpx.Request("GET", URL)) is httpx
    with pytest.raises(TypeError, match="neither of httpx nor of httpx2"):
        library_of("a string")


@libraries
@pytest.mark.parametrize(
    "steps",
    [(), (Emit(b"a"),), (Head(200), Head(200))],
    ids=["nothing", "bytes before the head", "two heads"],
)
def test_a_script_that_is_no_response_is_refused(library: Any, steps: tuple[Step, ...]) -> None:
    with client_of(library, playing(*steps)) as client, pytest.raises(TypeError, match="script"):
        client.get(URL)


@libraries
def test_heads_come_back_as_they_were(library: Any) -> None:
    sent = [(b"X-Twice", b"a"), (b"x-twice", b"b"), (b"X-Latin", "é".encode("latin-1"))]
    desk = Listener()
    inner = library.MockTransport(
        lambda _: library.Response(
            299,
            headers=sent,
            content=b"",
            extensions={"http_version": b"HTTP/2", "reason_phrase": b"Odd"},
        )
    )
    with client_of(library, desk, inner) as client:
        client.get(URL)
    with client_of(library, playing(*script_of(desk.kept[0]))) as client:
        response = client.get(URL)

    assert (response.status_code, response.reason_phrase, response.http_version) == (
        299,
        "Odd",
        "HTTP/2",
    )
    assert response.headers.get_list("x-twice") == ["a", "b"]
    assert (b"x-latin", b"\xe9") in [(n.lower(), v) for n, v in response.headers.raw]
