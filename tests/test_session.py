from __future__ import annotations

import asyncio
import contextvars
import http.client
import inspect
import json
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import httpx
import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cassette_stream import (
    Cassette,
    block_network,
    read_cassette,
    use_cassette,
    write_cassette,
)
from cassette_stream.cassette.model import How
from cassette_stream.clock import run_virtually
from cassette_stream.exceptions import (
    CassetteFormatError,
    CassetteMissError,
    CassetteNotFoundError,
    RecordingEndedError,
    SecretError,
    SessionError,
    UnfiredRuleError,
    UnguardedConnectionError,
    UnplayedError,
)
from cassette_stream.script import Emit
from cassette_stream.session import current
from cassette_stream.session.network import refusal

URL = "https://api.test/v1/chat"
FIXTURES = Path(__file__).parents[1] / "fixtures"
libraries = pytest.mark.parametrize("library", [httpx, httpx2], ids=lambda it: it.__name__)


class Provider:
    """Answers `POST` with its body in events, and counts how often it was asked."""

    def __init__(self) -> None:
        self.asked: list[Any] = []

    def __call__(self, request: Any) -> Any:
        self.asked.append(request)
        library = httpx2 if type(request).__module__.startswith("httpx2") else httpx

        class Events(library.SyncByteStream, library.AsyncByteStream):
            def __iter__(self) -> Iterator[bytes]:
                yield b"data: "
                yield request.content + b"\n\n"
                yield b"data: [DONE]\n\n"

            async def __aiter__(self) -> Any:
                for chunk in self:
                    await anyio.sleep(0)
                    yield chunk

        return library.Response(200, headers={"content-type": "text/event-stream"}, stream=Events())


@pytest.fixture
def provider() -> Provider:
    return Provider()


def ask(
    provider: Any, text: str = "hi", library: Any = httpx, url: str = URL, **headers: str
) -> list[bytes]:
    with (
        library.Client(transport=library.MockTransport(provider)) as client,
        client.stream("POST", url, json={"text": text}, headers=headers) as response,
    ):
        return list(response.iter_raw())


async def aask(provider: Any, text: str = "hi", library: Any = httpx) -> list[bytes]:
    transport = library.MockTransport(provider)
    async with (
        library.AsyncClient(transport=transport) as client,
        client.stream("POST", URL, json={"text": text}) as response,
    ):
        return [chunk async for chunk in response.aiter_raw()]


def offline(request: Any) -> Any:
    raise AssertionError(f"the network was touched: {request.url}")


@libraries
def test_the_first_run_records_and_the_second_plays(
    tmp_path: Path, provider: Provider, library: Any
) -> None:
    path = tmp_path / "deep" / "a.yaml"
    with use_cassette(path):
        live = ask(provider, library=library)
    with use_cassette(path) as session:
        played = ask(offline, library=library)

    assert played == live
    assert len(live) == 3
    assert len(session.played) == 1
    assert session.unplayed == ()
    assert len(provider.asked) == 1


@libraries
@pytest.mark.anyio
async def test_so_it_is_for_asynchronous_clients(
    tmp_path: Path, provider: Provider, library: Any
) -> None:
    async with use_cassette(tmp_path / "a.yaml"):
        live = await aask(provider, library=library)
    async with use_cassette(tmp_path / "a.yaml"):
        played = await aask(offline, library=library)

    assert played == live


@libraries
def test_a_client_that_is_older_than_the_session_is_seen_too(
    tmp_path: Path, provider: Provider, library: Any
) -> None:
    with library.Client(transport=library.MockTransport(provider)) as client:
        with use_cassette(tmp_path / "a.yaml") as session:
            client.post(URL)
        client.post(URL)

    assert len(session.recorded) == 1
    assert len(provider.asked) == 2


@libraries
def test_mounted_transports_and_redirect_hops_are_seen(tmp_path: Path, library: Any) -> None:
    def hop(request: Any) -> Any:
        if request.url.path == "/new":
            return library.Response(200, text="there")
        return library.Response(307, headers={"location": "https://api.test/new"})

    path = tmp_path / "a.yaml"
    mounts = {"all://": library.MockTransport(hop)}
    with use_cassette(path) as session, library.Client(mounts=mounts) as client:
        client.get("https://api.test/old", follow_redirects=True)
    mounts = {"all://": library.MockTransport(offline)}
    with use_cassette(path), library.Client(mounts=mounts) as client:
        answer = client.get("https://api.test/old", follow_redirects=True)

    assert [it.request.url for it in session.recorded] == [
        "https://api.test/old",
        "https://api.test/new",
    ]
    assert answer.text == "there"


@libraries
def test_an_application_in_this_process_is_called_and_its_requests_are_recorded(
    tmp_path: Path, provider: Provider, library: Any
) -> None:
    calls = []

    def app(environ: Any, start_response: Any) -> list[bytes]:
        calls.append(environ["PATH_INFO"])
        with pytest.raises(UnguardedConnectionError):
            socket.create_connection(("192.0.2.1", 80))
        start_response("200 OK", [])
        return ask(provider, library=library)

    bodies = []
    for mode in ("once", "none"):
        with use_cassette(tmp_path / "a.yaml", mode=mode) as session:
            with library.Client(transport=library.WSGITransport(app=app)) as client:
                bodies.append(client.get("http://app.test/chat").content)

    assert calls == ["/chat", "/chat"]
    assert bodies[0] == bodies[1]
    assert [it.request.url for it in session.interactions] == [URL]


def test_nothing_is_patched_when_no_session_is_open(tmp_path: Path) -> None:
    before = [vars(client)["_transport_for_url"] for client in (httpx.Client, httpx2.AsyncClient)]
    with use_cassette(tmp_path / "a.yaml"), use_cassette(tmp_path / "b.yaml"):
        pass
    after = [vars(client)["_transport_for_url"] for client in (httpx.Client, httpx2.AsyncClient)]

    assert after == before
    assert not (tmp_path / "a.yaml").exists()


def test_the_innermost_session_answers(tmp_path: Path, provider: Provider) -> None:
    with use_cassette(tmp_path / "outer.yaml") as outer:
        with use_cassette(tmp_path / "inner.yaml") as inner:
            ask(provider, "1")
        ask(provider, "2")

    assert [it.request.body for it in inner.recorded] == [b'{"text":"1"}']
    assert [it.request.body for it in outer.recorded] == [b'{"text":"2"}']


def in_a_thread(work: Callable[[], Any]) -> Any:
    result: list[Any] = []

    def run() -> None:
        try:
            result.append(work())
        except BaseException as error:
            result.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return result[0]


def in_a_pool(work: Callable[[], Any]) -> Any:
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(work).result()


def in_an_empty_context(work: Callable[[], Any]) -> Any:
    return contextvars.Context().run(work)


@pytest.mark.parametrize("elsewhere", [in_a_thread, in_a_pool, in_an_empty_context])
def test_the_only_session_of_the_process_answers_where_none_was_entered(
    tmp_path: Path, provider: Provider, elsewhere: Any
) -> None:
    with use_cassette(tmp_path / "a.yaml") as session:
        elsewhere(lambda: ask(provider))

    assert len(session.recorded) == 1


def test_a_thread_cannot_tell_which_of_two_sessions_answers(
    tmp_path: Path, provider: Provider
) -> None:
    with use_cassette(tmp_path / "a.yaml"), use_cassette(tmp_path / "b.yaml"):
        error = in_a_thread(lambda: ask(provider))

    assert isinstance(error, SessionError)
    assert "a.yaml" in str(error)
    assert "b.yaml" in str(error)
    assert provider.asked == []


def test_a_task_that_is_older_than_the_session_is_answered_by_it(
    tmp_path: Path, provider: Provider
) -> None:
    async def main() -> int:
        go, done = asyncio.Event(), asyncio.Event()

        async def worker() -> None:
            await go.wait()
            await aask(provider)
            done.set()

        task = asyncio.create_task(worker())
        await asyncio.sleep(0)
        async with use_cassette(tmp_path / "a.yaml") as session:
            go.set()
            await done.wait()
        await task
        return len(session.recorded)

    assert asyncio.run(main()) == 1


def test_a_session_may_be_left_in_another_context_and_in_any_order(tmp_path: Path) -> None:
    first, second = use_cassette(tmp_path / "a.yaml"), use_cassette(tmp_path / "b.yaml")
    first.__enter__()
    session = second.__enter__()
    in_an_empty_context(lambda: first.__exit__(None, None, None))

    assert current.find() is session
    second.__exit__(None, None, None)
    assert current.find() is None


@pytest.mark.anyio
async def test_concurrent_tasks_with_cassettes_of_their_own_do_not_cross(
    tmp_path: Path, provider: Provider
) -> None:
    async def one(number: int, source: Any) -> None:
        async with use_cassette(tmp_path / f"{number}.yaml") as session:
            got = await aask(source, str(number))

            assert b"".join(got).startswith(b'data: {"text":"%d"}' % number)
        assert len(session.interactions) == 1

    for source in (provider, offline):
        async with anyio.create_task_group() as tasks:
            for number in range(3):
                tasks.start_soon(one, number, source)

    assert len(provider.asked) == 3


def test_concurrent_threads_with_cassettes_of_their_own_do_not_cross(
    tmp_path: Path, provider: Provider
) -> None:
    together = threading.Barrier(3)

    def one(number: int, source: Any) -> bytes:
        with use_cassette(tmp_path / f"{number}.yaml"):
            together.wait(10)
            got = ask(source, str(number))
            together.wait(10)
        return b"".join(got)

    for source in (provider, offline):
        with ThreadPoolExecutor(3) as pool:
            got = list(pool.map(one, range(3), [source] * 3))

        assert [text[:13] for text in got] == [b'data: {"text"', b'data: {"text"', b'data: {"text"']
        assert [text[15:16] for text in got] == [b"0", b"1", b"2"]


def test_a_miss_names_the_nearest_interaction_and_touches_no_network(
    tmp_path: Path, provider: Provider
) -> None:
    path = tmp_path / "a.yaml"
    with use_cassette(path):
        ask(provider, "hello")
    with pytest.raises(CassetteMissError) as caught, use_cassette(path):
        ask(offline, "hullo")

    assert "hello" in str(caught.value)
    assert "hullo" in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_miss_that_is_swallowed_is_raised_on_leaving(tmp_path: Path, provider: Provider) -> None:
    path = tmp_path / "a.yaml"
    with use_cassette(path):
        ask(provider)
    with pytest.raises(CassetteMissError), use_cassette(path):
        try:
            ask(offline, "other")
        except Exception:
            pass


def test_a_miss_that_is_hidden_by_another_error_becomes_its_note(
    tmp_path: Path, provider: Provider
) -> None:
    path = tmp_path / "a.yaml"
    with use_cassette(path):
        ask(provider)
    with pytest.raises(LookupError) as caught, use_cassette(path):
        try:
            ask(offline, "other")
        except Exception:
            raise LookupError("connection error") from None

    assert any("nothing is recorded" in note for note in caught.value.__notes__)


def test_identical_requests_play_in_recorded_order_and_then_miss(
    tmp_path: Path,
) -> None:
    path, numbers = tmp_path / "a.yaml", iter("123")
    with use_cassette(path):
        for _ in range(3):
            with httpx.Client(
                transport=httpx.MockTransport(lambda _: httpx.Response(200, text=next(numbers)))
            ) as client:
                client.get(URL)
    with use_cassette(path) as session, httpx.Client() as client:
        played = [client.get(URL).text for _ in range(3)]
        session.rewind()
        again = client.get(URL).text
    with use_cassette(path, allow_repeats=True), httpx.Client() as client:
        repeated = [client.get(URL).text for _ in range(5)]
    with pytest.raises(CassetteMissError, match="was played"), use_cassette(path):
        with httpx.Client() as client:
            for _ in range(4):
                client.get(URL)

    assert played == ["1", "2", "3"]
    assert again == "1"
    assert repeated == ["1", "2", "3", "1", "2"]


@pytest.mark.parametrize(
    ("mode", "asked", "left"),
    [
        ("none", None, None),
        ("once", None, None),
        ("new_episodes", ["new"], ["old", "kept", "new"]),
        ("all", ["old", "new"], ["old", "kept", "new"]),
        ("rewrite", ["old", "new"], ["old", "new"]),
    ],
)
def test_modes(tmp_path: Path, mode: str, asked: list[str] | None, left: list[str] | None) -> None:
    path = tmp_path / "a.yaml"
    with use_cassette(path):
        ask(Provider(), "old")
        ask(Provider(), "kept")
    provider = Provider()
    if asked is None:
        before = path.read_bytes()
        with pytest.raises(CassetteMissError), use_cassette(path, mode=mode):
            ask(provider, "old")
            ask(provider, "new")

        assert path.read_bytes() == before
        assert provider.asked == []
        return
    with use_cassette(path, mode=mode):
        ask(provider, "old", x_run="2")
        ask(provider, "new", x_run="2")
    with use_cassette(path) as session:
        found = session.interactions

    assert [json.loads(it.content)["text"] for it in provider.asked] == asked
    assert [json.loads(it.request.body)["text"] for it in found] == left
    assert ["x-run" in it.request.headers or "x_run" in it.request.headers for it in found] == [
        text in asked for text in left or ()
    ]


def test_without_a_file_only_playing_is_an_error(tmp_path: Path) -> None:
    with (
        pytest.raises(CassetteNotFoundError, match="a.yaml"),
        use_cassette(tmp_path / "a.yaml", mode="none"),
    ):
        pass


def test_in_ci_the_default_is_to_play_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    with pytest.raises(CassetteNotFoundError), use_cassette(tmp_path / "a.yaml"):
        pass


@pytest.mark.parametrize("mode", ["none", "once", "new_episodes", "all", "rewrite"])
def test_a_file_that_is_no_cassette_is_never_overwritten(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "notes.yaml"
    path.write_text("shopping: [milk]\n")
    with pytest.raises(CassetteFormatError, match="notes.yaml:1:1"), use_cassette(path, mode=mode):
        ask(Provider())

    assert path.read_text() == "shopping: [milk]\n"


def test_reading_past_the_end_of_a_recording_that_was_left_early_is_an_error(
    tmp_path: Path, provider: Provider
) -> None:
    path = tmp_path / "a.yaml"
    with (
        use_cassette(path) as session,
        httpx.Client(transport=httpx.MockTransport(provider)) as client,
    ):
        with client.stream("POST", URL) as response:
            next(response.iter_raw())
    with use_cassette(path), httpx.Client() as client, client.stream("POST", URL) as response:
        chunks = response.iter_raw()
        first = next(chunks)
        with pytest.raises(RecordingEndedError, match="closed the stream"):
            next(chunks)

    assert first == b"data: "
    assert session.recorded[0].response.ending.how is How.CLOSED_BY_CALLER


def test_a_response_that_is_still_open_on_leaving_counts_as_closed_by_the_caller(
    tmp_path: Path, provider: Provider
) -> None:
    with httpx.Client(transport=httpx.MockTransport(provider)) as client:
        with use_cassette(tmp_path / "a.yaml") as session:
            response = client.send(client.build_request("POST", URL), stream=True)
            chunks = response.iter_raw()
            next(chunks)
        rest = list(chunks)
    (kept,) = session.recorded

    assert kept.response.body == b"data: "
    assert kept.response.ending.how is How.CLOSED_BY_CALLER
    assert b"".join(rest) == b"\n\ndata: [DONE]\n\n"


def test_an_error_in_the_block_does_not_lose_what_was_recorded(
    tmp_path: Path, provider: Provider
) -> None:
    path = tmp_path / "a.yaml"
    with pytest.raises(LookupError), use_cassette(path):
        ask(provider)
        raise LookupError
    with use_cassette(path, mode="none"):
        played = ask(offline)

    assert len(played) == 3


def test_what_is_discarded_is_not_written(tmp_path: Path, provider: Provider) -> None:
    with use_cassette(tmp_path / "a.yaml") as session:
        ask(provider)
        session.discard()

    assert len(session.recorded) == 1
    assert list(tmp_path.iterdir()) == []


def test_hooks_change_or_skip(tmp_path: Path, provider: Provider) -> None:
    from dataclasses import replace

    def quiet(request: Any) -> Any:
        if b"skip" in request.body:
            return None
        return replace(request, url=request.url + "?changed=1")

    def short(response: Any) -> Any:
        return None if b"drop" in response.body else replace(response, status=201)

    path = tmp_path / "a.yaml"
    hooks = {"before_record_request": quiet, "before_record_response": short}
    with use_cassette(path, **hooks) as session:
        for text in ("keep", "skip", "drop"):
            ask(provider, text)
    with use_cassette(path, before_record_request=quiet):
        played = ask(offline, "keep")

    assert len(provider.asked) == 3
    assert [it.request.url for it in session.recorded] == [URL + "?changed=1"]
    assert session.recorded[0].response.status == 201
    assert len(played) == 3


@pytest.mark.parametrize(
    ("options", "url", "seen"),
    [
        ({"ignore_hosts": ["*.test"]}, "https://api.test/", False),
        ({"ignore_hosts": ["API.test"]}, "https://api.test/", False),
        ({"ignore_hosts": ["test"]}, "https://api.test/", True),
        ({"ignore_localhost": True}, "http://127.0.0.1:8000/", False),
        ({"ignore_localhost": True}, "http://[::1]:8000/", False),
        ({"ignore_localhost": True}, "http://localhost/", False),
        ({"ignore_localhost": True}, "https://api.test/", True),
        ({}, "http://localhost/", True),
    ],
)
def test_ignored_hosts_go_through_unseen(
    tmp_path: Path, provider: Provider, options: Any, url: str, *, seen: bool
) -> None:
    with use_cassette(tmp_path / "a.yaml", **options) as session:
        ask(provider, url=url)

    assert bool(session.recorded) is seen
    assert len(provider.asked) == 1


def test_a_decorator_has_a_session_for_each_call(tmp_path: Path, provider: Provider) -> None:
    @use_cassette(tmp_path / "a.yaml")
    def work(source: Any) -> list[bytes]:
        """What it does."""
        return ask(source)

    live, played = work(provider), work(offline)

    assert live == played
    assert work.__doc__ == "What it does."


def test_what_tasks_share_is_left_by_each_for_itself(tmp_path: Path, provider: Provider) -> None:
    cassette = use_cassette(tmp_path / "a.yaml", mode="new_episodes")

    async def main() -> None:
        entered, left = anyio.Event(), anyio.Event()

        async def first() -> None:
            async with cassette:
                await entered.wait()
            left.set()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(first)
            await anyio.sleep(0)
            async with cassette as session:
                entered.set()
                await left.wait()
                await aask(provider)

        assert len(session.recorded) == 1

    anyio.run(main)


def test_a_cassette_is_written_where_it_was_read(
    tmp_path: Path, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "other").mkdir()
    with use_cassette("a.yaml"):
        ask(provider)
        monkeypatch.chdir(tmp_path / "other")

    assert (tmp_path / "a.yaml").exists()


def test_a_decorator_takes_coroutine_functions_and_refuses_generators(
    tmp_path: Path, provider: Provider
) -> None:
    @use_cassette(tmp_path / "a.yaml")
    async def work(source: Any) -> list[bytes]:
        return await aask(source)

    live, played = asyncio.run(work(provider)), asyncio.run(work(offline))

    assert live == played
    assert inspect.iscoroutinefunction(work)
    with pytest.raises(TypeError, match="is a generator"):

        @use_cassette(tmp_path / "a.yaml")
        def generate() -> Iterator[int]:
            yield 1


@libraries
def test_explicit_transports_belong_to_their_session(
    tmp_path: Path, provider: Provider, library: Any
) -> None:
    prefix = "" if library is httpx else "httpx2_"
    with use_cassette(tmp_path / "a.yaml") as mine, use_cassette(tmp_path / "b.yaml") as other:
        transport = getattr(mine, f"{prefix}transport")(library.MockTransport(provider))
        with library.Client(transport=transport) as client:
            client.post(URL)

            assert (len(mine.recorded), len(other.recorded)) == (1, 0)
    with use_cassette(tmp_path / "a.yaml") as session:
        with library.Client(transport=getattr(session, f"{prefix}transport")()) as client:
            answer = client.post(URL)
    with library.Client(transport=transport) as client, pytest.raises(SessionError, match="closed"):
        client.post(URL)

    assert answer.status_code == 200


@libraries
@pytest.mark.anyio
async def test_so_do_asynchronous_ones(tmp_path: Path, provider: Provider, library: Any) -> None:
    name = "async_transport" if library is httpx else "httpx2_async_transport"
    for inner in (library.MockTransport(provider), None):
        async with use_cassette(tmp_path / "a.yaml") as session:
            async with library.AsyncClient(transport=getattr(session, name)(inner)) as client:
                answer = await client.post(URL)

        assert answer.status_code == 200
    assert len(provider.asked) == 1


def test_unplayed_interactions_can_be_asked_for(tmp_path: Path, provider: Provider) -> None:
    path = tmp_path / "a.yaml"
    with use_cassette(path) as session:
        ask(provider, "1")
        ask(provider, "2")
        session.check_played()
    with use_cassette(path) as session:
        ask(offline, "2")

        assert [it.request.body for it in session.unplayed] == [b'{"text":"1"}']
        with pytest.raises(UnplayedError, match="api.test"):
            session.check_played()


def test_faults_break_the_replay_and_not_the_recording(tmp_path: Path, provider: Provider) -> None:
    path = tmp_path / "a.yaml"
    with use_cassette(path, faults="body.fin@event=2") as session:
        ask(provider)
        session.discard()
    with use_cassette(path):
        ask(provider)
    with (
        pytest.raises(httpx.RemoteProtocolError, match="incomplete chunked read"),
        use_cassette(path, faults=["body.fin@event=2"]),
    ):
        ask(offline)


def test_an_end_before_the_head_is_told_in_the_words_of_the_recorded_version(
    tmp_path: Path, provider: Provider
) -> None:
    path = tmp_path / "a.yaml"
    with use_cassette(path):
        ask(provider)
    path.write_text(path.read_text().replace("http_version: HTTP/1.1", "http_version: HTTP/2"))
    with (
        pytest.raises(httpx.RemoteProtocolError, match="^Server disconnected$"),
        use_cassette(path, faults="head.close"),
    ):
        ask(offline)


def test_a_fault_of_ones_own_is_a_function(tmp_path: Path, provider: Provider) -> None:
    def shout(script: Any) -> Any:
        for step in script:
            yield Emit(step.data.upper()) if isinstance(step, Emit) else step

    path = tmp_path / "a.yaml"
    with use_cassette(path, redact=None):
        live = ask(provider)
    with use_cassette(path, redact=None, faults=[shout]):
        played = ask(offline)

    assert played == [chunk.upper() for chunk in live]


def test_a_fault_that_never_strikes_is_an_error(tmp_path: Path, provider: Provider) -> None:
    path = tmp_path / "a.yaml"
    with use_cassette(path):
        ask(provider)
    with (
        pytest.raises(UnfiredRuleError, match="event=60"),
        use_cassette(path, faults="body.fin@event=60"),
    ):
        ask(offline)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"mode": "onse"}, "did you mean 'once'"),
        ({"mode": "x"}, "none, once, new_episodes"),
        ({"pace": "fast"}, "'instant', 'recorded'"),
        ({"pace": 0}, "how many times"),
        ({"pace": True}, "no pace True"),
        ({"pace": float("nan")}, "no pace nan"),
        ({"match_on": ["methd"]}, "method"),
        ({"match_on": "method"}, "takes several"),
        ({"ignore": "model"}, "takes several"),
        ({"ignore_hosts": "api.test"}, "takes several"),
        ({"faults": ["body.finn"]}, "body.fin"),
        ({"faults": [3]}, "a fault is a value"),
        ({"redact": "yes"}, "Redactor"),
    ],
)
def test_a_wrong_option_is_refused_at_the_call(tmp_path: Path, options: Any, words: str) -> None:
    with pytest.raises((ValueError, TypeError), match=words):
        use_cassette(tmp_path / "a.yaml", **options)


def test_a_session_is_entered_once(tmp_path: Path) -> None:
    with use_cassette(tmp_path / "a.yaml") as session, pytest.raises(SessionError, match="already"):
        session.open()


@given(pace=st.one_of(st.just("recorded"), st.floats(50, 1000)))
def test_a_pace_never_changes_what_comes(pace: Any, tmp_path_factory: Any) -> None:
    path = tmp_path_factory.mktemp("pace") / "a.yaml"
    with use_cassette(path, mode="all"):
        live = ask(Provider())
    with use_cassette(path, mode="none", pace=pace):
        played = ask(offline)

    assert played == live


@pytest.mark.parametrize("pace", ["instant", 5000.0])
@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
def test_a_read_timeout_sees_the_same_silence_at_every_pace(
    tmp_path: Path, provider: Provider, pace: Any, *, is_async: bool
) -> None:
    path = tmp_path / "a.yaml"
    with use_cassette(path):
        ask(provider)

    async def get() -> None:
        async with httpx.AsyncClient(timeout=60) as client:
            await client.post(URL, json={"text": "hi"})

    with use_cassette(path, mode="none", pace=pace, faults="body.stall@chunk=1,seconds=100"):
        with pytest.raises(httpx.ReadTimeout):
            anyio.run(get) if is_async else httpx.post(URL, json={"text": "hi"}, timeout=60)


def test_a_stack_that_no_cassette_sees_is_refused_by_name(tmp_path: Path) -> None:
    with use_cassette(tmp_path / "a.yaml"):
        with pytest.raises(UnguardedConnectionError, match=r"http\.client.*192\.0\.2\.1"):
            http.client.HTTPConnection("192.0.2.1").request("GET", "/")
        with pytest.raises(UnguardedConnectionError, match="a plain socket"):
            socket.create_connection(("192.0.2.1", 443))


@pytest.mark.parametrize(
    ("options", "refused"),
    [({}, True), ({"guard": False}, False), ({"ignore_hosts": ["192.0.2.*"]}, False)],
    ids=["guarded", "unguarded", "ignored"],
)
def test_the_guard_asks_the_session(tmp_path: Path, options: Any, *, refused: bool) -> None:
    with use_cassette(tmp_path / "a.yaml", **options):
        reason = refusal("192.0.2.1", 443, "urllib3")

    assert (reason is not None) is refused
    assert refusal("192.0.2.1", 443, "urllib3") is None


def test_a_local_service_passes_even_where_it_cannot_be_told_which_session_answers(
    tmp_path: Path,
) -> None:
    with use_cassette(tmp_path / "a.yaml"), use_cassette(tmp_path / "b.yaml"):
        assert in_a_thread(lambda: refusal("127.0.0.1", 5432, "a plain socket")) is None


def test_keys_are_gone_before_anything_is_written(tmp_path: Path, provider: Provider) -> None:
    key = "sk-proj-" + "Ab3dEf6hIj9kLmN0pQrStUvWxYz12345678901234567890"
    path = tmp_path / "a.yaml"
    with use_cassette(path):
        live = ask(provider, f"my key is {key}", authorization=f"Bearer {key}")
    with use_cassette(path, mode="none") as session:
        played = ask(
            offline, f"my key is {key.replace('Ab3', 'Xy9')}", authorization="Bearer dummy"
        )

    assert key.encode() in b"".join(live)
    assert key not in path.read_text()
    assert [len(chunk) for chunk in played] == [len(chunk) for chunk in live]
    assert key not in repr(session.interactions)


def test_what_still_looks_like_a_secret_is_not_written(tmp_path: Path, provider: Provider) -> None:
    from dataclasses import replace

    from cassette_stream import Redactor
    from cassette_stream.cassette.redact import Redacted

    class Forgetful(Redactor):
        def redacted(self, interaction: Any) -> Redacted:
            kept = replace(interaction, response=replace(interaction.response, status=201))
            return Redacted(interaction=kept, replaced=())

    path = tmp_path / "a.yaml"
    with (
        pytest.raises(SecretError, match="openai key") as caught,
        use_cassette(path, redact=Forgetful()),
    ):
        ask(provider, "sk-proj-" + "Ab3dEf6hIj9kLmN0pQrStUvWxYz12345678901234567890")

    assert "line" in str(caught.value)
    assert "Ab3d" not in str(caught.value)
    assert not path.exists()


@pytest.mark.anyio
async def test_an_error_while_writing_becomes_a_note_of_the_error_that_is_on_its_way(
    tmp_path: Path, provider: Provider
) -> None:
    path = tmp_path / "a.yaml"
    with pytest.raises(LookupError) as caught, use_cassette(path):
        ask(provider)
        path.write_text("no cassette\n")
        raise LookupError

    assert "a.yaml" in caught.value.__notes__[0]
    assert path.read_text() == "no cassette\n"


def test_a_cassette_without_interactions_says_so(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("cassette: 1\nrecorded_with: a hand\n")
    with pytest.raises(CassetteMissError, match="the cassette is empty"), use_cassette(path):
        ask(offline)


def test_a_library_that_has_changed_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(httpx2.AsyncClient, "_transport_for_url")
    before = vars(httpx.Client)["_transport_for_url"]
    with (
        pytest.raises(SessionError, match=r"httpx2 .* pass session\.transport"),
        use_cassette(tmp_path / "a.yaml"),
    ):
        pass

    assert vars(httpx.Client)["_transport_for_url"] is before
    assert current.find() is None


def test_a_redactor_that_is_none_of_ours_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="Redactor"):
        use_cassette(tmp_path / "a.yaml", redact=lambda it: it)


def test_a_cassette_is_written_and_read_as_a_value(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "a.yaml"
    cassette = read_cassette(FIXTURES / "openai_text.yaml")
    write_cassette(path, cassette)

    assert read_cassette(path).interactions == cassette.interactions


def test_a_cassette_is_written_without_its_secrets_unless_that_is_asked_for(tmp_path: Path) -> None:
    path, key = tmp_path / "a.yaml", "sk-proj-" + "a1B2" * 12
    [interaction, *_] = read_cassette(FIXTURES / "openai_text.yaml").interactions
    request = replace(interaction.request, url=f"https://api.test/v1?api_key={key}")
    cassette = Cassette(interactions=(replace(interaction, request=request),))

    write_cassette(path, cassette)
    assert key not in path.read_text("utf-8")

    write_cassette(path, cassette, redact=None)
    assert key in path.read_text("utf-8")


def test_a_session_counts_how_often_each_was_played(tmp_path: Path, provider: Provider) -> None:
    with use_cassette(tmp_path / "a.yaml") as session:
        for text in ("a", "b", "c"):
            ask(provider, text)
        assert session.play_counts == ()
    with use_cassette(tmp_path / "a.yaml", mode="none", allow_repeats=True) as session:
        for text in ("c", "a", "c"):
            ask(offline, text)

    assert session.play_counts == (1, 0, 2)


def test_a_block_refuses_other_machines_but_not_this_one() -> None:
    with block_network(allowed_hosts=["192.0.2.*"]):
        with pytest.raises(UnguardedConnectionError, match=r"httpx .*blocked.*allowed_hosts"):
            httpx.get("http://198.51.100.1/")
        assert refusal("192.0.2.7", 443, "httpx") is None
        assert refusal("127.0.0.1", 443, "httpx") is None
        with block_network():
            assert "blocked" in str(refusal("192.0.2.7", 443, "httpx"))
        assert refusal("192.0.2.7", 443, "httpx") is None

    assert refusal("198.51.100.1", 443, "httpx") is None


def test_a_cassette_in_a_block_plays_and_records_and_does_as_it_was_told(
    tmp_path: Path, provider: Provider
) -> None:
    with block_network(), use_cassette(tmp_path / "a.yaml", guard=False):
        recorded = ask(provider)
        assert refusal("192.0.2.7", 443, "httpx") is None
    with block_network(), use_cassette(tmp_path / "a.yaml", mode="none"):
        assert ask(offline) == recorded


def test_a_block_takes_several_hosts() -> None:
    with pytest.raises(TypeError, match=r"\('a.test',\)"), block_network(allowed_hosts="a.test"):
        pass


@pytest.mark.parametrize("faults", [(), "body.fin@byte=9"], ids=["whole", "broken"])
def test_a_session_can_note_what_was_delivered(
    tmp_path: Path, provider: Provider, faults: Any
) -> None:
    with use_cassette(tmp_path / "a.yaml"):
        live = ask(provider)
    with use_cassette(tmp_path / "a.yaml", mode="none", faults=faults) as session:
        assert session.deliveries == ()
        session.note_deliveries()
        if faults:
            with pytest.raises(httpx.RemoteProtocolError):
                ask(offline)
        else:
            assert ask(offline) == live
        [delivery] = session.deliveries

    assert delivery.request.url == URL
    assert b"".join(delivery.chunks) == (b"".join(live)[:9] if faults else b"".join(live))


def test_a_chunk_that_its_caller_did_not_wait_for_was_not_delivered(
    tmp_path: Path, provider: Provider
) -> None:
    with use_cassette(tmp_path / "a.yaml"):
        ask(provider)

    async def cut_short(session: Any) -> None:
        async with httpx.AsyncClient() as client:
            with anyio.move_on_after(1):
                async with client.stream(
                    "POST", URL, json={"text": "hi"}, timeout=None
                ) as response:
                    async for _ in response.aiter_raw():
                        pass
        assert [len(it.chunks) for it in session.deliveries] == [1]

    rule = "body.stall@chunk=2"
    with use_cassette(tmp_path / "a.yaml", mode="none", faults=rule) as session:
        session.note_deliveries()
        run_virtually(cut_short, session)


LATE = """
import sys
from cassette_stream import use_cassette
from cassette_stream.exceptions import CassetteMissError

assert not {"httpx", "httpx2"} & set(sys.modules)
with use_cassette(sys.argv[1], mode="once") as session:
    assert not {"httpx", "httpx2"} & set(sys.modules)
    import httpx2, httpx
    for library in (httpx, httpx2):
        answer = lambda request: library.Response(200, text=library.__name__)
        with library.Client(transport=library.MockTransport(answer)) as client:
            client.get("https://api.test/" + library.__name__)
    loaders = httpx.__loader__, httpx2.__spec__.loader
    assert [type(it).__name__ for it in loaders] == ["SourceFileLoader"] * 2
    finders = len(sys.meta_path)
assert len(session.recorded) == 2
assert len(sys.meta_path) == finders - 1
with use_cassette(sys.argv[1], mode="none"):
    print(httpx2.get("https://api.test/httpx2").text, httpx.get("https://api.test/httpx").text)
assert httpx.Client._transport_for_url.__module__ == "httpx._client"
"""


def test_a_library_that_is_imported_late_is_seen_and_none_is_imported_for_this(
    tmp_path: Path,
) -> None:
    command = [sys.executable, "-W", "error", "-c", LATE, str(tmp_path / "a.yaml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.stderr == ""
    assert done.stdout == "httpx2 httpx\n"
