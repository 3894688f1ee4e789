"""The recorder and the replayer as demanding users meet them: what was tried and holds."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from array import array
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import httpx
import httpx2
import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cassette_stream import LoopbackServer, use_cassette
from cassette_stream.cassette import CassetteReader, Request, Response
from cassette_stream.cassette.model import How
from cassette_stream.exceptions import CassetteFormatError, SessionError
from cassette_stream.script import Emit, Fail, FailureKind, Head, Script, Step, Wait

libraries = pytest.mark.parametrize("library", [httpx, httpx2], ids=lambda it: it.__name__)
URL = "https://api.test/v1/chat"
HEAD = Head(200, (("content-type", "text/event-stream; charset=utf-8"),))
# A line end, a character and a field name, each over two chunks.
BODY = [b"data: a\r", b"\n\r\nda", b"ta: \xc3", b"\xbc\n\n", b"x" * 3000, b"\n"]


def chunk(text: str) -> Emit:
    choice = {"index": 0, "delta": {"role": "assistant", "content": text}, "finish_reason": None}
    told = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    return Emit(b"data: %b\n\n" % json.dumps({**told, "choices": [choice]}).encode())


ANSWER: list[Step] = [HEAD, chunk("one "), chunk("two"), Emit(b"data: [DONE]\n\n")]
QUESTION: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}


def thrice(path: Path, script: Callable[[Request], Script], use: Callable[[str], Any]) -> list[Any]:
    """What *use* gives for a URL without us, while it is recorded, and from the replay."""
    with LoopbackServer() as server:
        server.script(None, script)
        url = server.url
        got = [use(url)]
        with use_cassette(path):
            got.append(use(url))
    with use_cassette(path, mode="none") as session:
        got.append(use(url))
    session.check_played()
    return got


def part_then_all(response: Any) -> Any:
    next(response.iter_raw())
    try:
        return response.read()
    except (httpx.StreamError, httpx2.StreamError) as error:
        return type(error).__name__


def all_then_close_twice(response: Any) -> Any:
    content = response.read()
    response.close()
    response.close()
    return content, response.is_closed


READERS: dict[str, Callable[[Any], Any]] = {
    "raw": lambda response: b"".join(response.iter_raw(3)),
    "bytes": lambda response: list(response.iter_bytes(7)),
    "text": lambda response: "".join(response.iter_text()),
    "lines": lambda response: list(response.iter_lines()),
    "all, then close twice": all_then_close_twice,
}


def pieces(_: Request) -> Script:
    yield HEAD
    for data in BODY:
        yield Wait(0.001)
        yield Emit(data)


@libraries
@pytest.mark.parametrize("way", READERS)
def test_every_way_of_reading_gives_the_same_bare_live_and_replayed(
    tmp_path: Path, library: Any, way: str
) -> None:
    def use(url: str) -> Any:
        with library.Client() as client, client.stream("GET", url) as response:
            got = READERS[way](response)
            return got, response.num_bytes_downloaded, response.http_version, response.encoding

    bare, live, replayed = thrice(tmp_path / "a.yaml", pieces, use)

    assert live == bare
    assert replayed == bare


@libraries
def test_what_was_read_in_part_cannot_be_read_as_a_whole_as_without_us(
    tmp_path: Path, library: Any
) -> None:
    def use(url: str) -> Any:
        with library.Client() as client, client.stream("GET", url) as response:
            return part_then_all(response)

    assert thrice(tmp_path / "a.yaml", pieces, use) == ["StreamConsumed"] * 3


def upload_generator(client: httpx.Client, url: str) -> httpx.Response:
    def parts() -> Iterator[bytes]:
        yield b"a" * 10
        yield b"b" * 10

    return client.post(url, content=parts())


def upload_files(client: httpx.Client, url: str) -> httpx.Response:
    file = ("ü.bin", b"\xff\0bin", "application/octet-stream")
    return client.post(url, files={"f": file}, data={"a": ["1", "2"]})


@pytest.mark.parametrize("upload", [upload_generator, upload_files], ids=["generator", "files"])
def test_a_request_body_is_sent_as_without_us_and_found_again(
    tmp_path: Path, upload: Callable[[httpx.Client, str], httpx.Response]
) -> None:
    asked: list[Any] = []

    def script(request: Request) -> Script:
        codings = request.headers.get("transfer-encoding"), request.headers.get("content-length")
        asked.append((codings, len(request.body)))
        yield HEAD
        yield Emit(b"ok")

    def use(url: str) -> bytes:
        with httpx.Client() as client:
            return upload(client, url).content

    assert thrice(tmp_path / "a.yaml", script, use) == [b"ok"] * 3
    assert asked[0] == asked[1]
    assert len(asked) == 2


def test_a_digest_login_is_replayed(tmp_path: Path) -> None:
    def script(request: Request) -> Script:
        if "authorization" in request.headers:
            yield HEAD
            yield Emit(b"in")
        else:
            challenge = 'Digest realm="r", nonce="dcd98b71", qop="auth", algorithm=MD5'
            yield Head(401, (("www-authenticate", challenge),))

    def use(url: str) -> Any:
        with httpx.Client(auth=httpx.DigestAuth("user", "word")) as client:
            response = client.get(url)
            return response.text, [hop.status_code for hop in response.history]

    assert thrice(tmp_path / "a.yaml", script, use) == [("in", [401])] * 3


@pytest.mark.parametrize(
    "first",
    [
        pytest.param([Head(500)], id="500"),
        pytest.param([Head(503), Emit(b"oops")], id="503 with a body"),
        pytest.param([Head(429, (("retry-after-ms", "1"),))], id="429"),
        pytest.param([Fail(FailureKind.NO_RESPONSE)], id="no response"),
    ],
)
def test_each_try_of_an_sdk_is_an_interaction(
    tmp_path: Path, first: list[Step], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(openai.OpenAI, "_calculate_retry_timeout", lambda *_: 0.0)
    tries = [first, ANSWER] * 2

    def use(url: str) -> str:
        with openai.OpenAI(base_url=url, api_key="none", max_retries=2) as client:
            chunks = client.chat.completions.create(**QUESTION, stream=True)
            return "".join(it.choices[0].delta.content or "" for it in chunks)

    texts = thrice(tmp_path / "a.yaml", lambda _: iter(tries.pop(0)), use)

    assert texts == ["one two"] * 3
    assert tries == []
    assert len(CassetteReader((tmp_path / "a.yaml").read_bytes(), file="a.yaml")) == 2


def test_an_sdk_that_is_left_without_closing_leaves_no_warning(tmp_path: Path) -> None:
    def use(url: str) -> Any:
        with openai.OpenAI(base_url=url, api_key="none") as client:
            for it in client.chat.completions.create(**QUESTION, stream=True):
                return it.choices[0].delta.content
        return None

    assert thrice(tmp_path / "a.yaml", lambda _: iter(ANSWER), use) == ["one "] * 3


def test_an_asynchronous_stream_that_is_closed_half_way_is_closed_by_the_caller(
    tmp_path: Path,
) -> None:
    async def body() -> AsyncIterator[bytes]:
        for data in BODY:
            yield data

    async def use() -> bytes:
        transport = httpx.MockTransport(lambda _: httpx.Response(200, content=body()))
        async with httpx.AsyncClient(transport=transport) as client:
            async with client.stream("GET", URL) as response:
                chunks: Any = response.aiter_raw()
                async with contextlib.aclosing(chunks):
                    return bytes(await anext(chunks))

    with use_cassette(tmp_path / "a.yaml") as session:
        first = asyncio.run(use())
    (interaction,) = session.recorded

    assert first == BODY[0]
    assert interaction.response is not None
    assert interaction.response.ending.how is How.CLOSED_BY_CALLER


@libraries
def test_a_transport_of_the_session_has_the_network_below_it_by_default(
    tmp_path: Path, library: Any
) -> None:
    texts = []
    with LoopbackServer() as server:
        server.respond([HEAD, Emit(b"hi")])
        for mode in ("once", "none"):
            with use_cassette(tmp_path / "a.yaml", mode=mode) as session:
                own = session.httpx2_transport() if library is httpx2 else session.transport()
                with library.Client(transport=own) as client:
                    texts.append(client.get(server.url).text)

    assert texts == ["hi", "hi"]


@libraries
@pytest.mark.anyio
async def test_so_have_asynchronous_ones(tmp_path: Path, library: Any) -> None:
    texts = []
    with LoopbackServer() as server:
        server.respond([HEAD, Emit(b"hi")])
        for mode in ("once", "none"):
            with use_cassette(tmp_path / "a.yaml", mode=mode) as session:
                is_2 = library is httpx2
                own = session.httpx2_async_transport() if is_2 else session.async_transport()
                async with library.AsyncClient(transport=own) as client:
                    texts.append((await client.get(server.url)).text)

    assert texts == ["hi", "hi"]


def echo(request: Request) -> Script:
    yield HEAD
    for number in range(3):
        yield Wait(0.001)
        yield Emit(b"%b %d\n" % (request.body, number))


def test_a_pool_of_threads_shares_a_session(tmp_path: Path) -> None:
    def use(url: str) -> list[bytes]:
        with httpx.Client(timeout=60) as client, ThreadPoolExecutor(8) as pool:
            ask = pool.map(lambda number: client.post(url, json=number).content, range(100))
            return list(ask)

    bare, live, replayed = thrice(tmp_path / "a.yaml", echo, use)

    assert live == bare
    assert replayed == bare
    assert len(set(bare)) == 100


def test_two_loops_in_two_threads_share_a_session(tmp_path: Path) -> None:
    async def ask(url: str, thread: int) -> list[bytes]:
        async def one(number: int) -> bytes:
            return (await client.post(url, json=[thread, number])).content

        async with httpx.AsyncClient(timeout=60) as client:
            return await asyncio.gather(*map(one, range(10)))

    def use(url: str) -> list[list[bytes]]:
        with ThreadPoolExecutor(2) as pool:
            return list(pool.map(lambda thread: asyncio.run(ask(url, thread)), range(2)))

    bare, live, replayed = thrice(tmp_path / "a.yaml", echo, use)

    assert live == bare
    assert replayed == bare


def answer(request: httpx.Request) -> httpx.Response:
    return httpx.Response(200, content=iter([request.content, b"!"]))


def post(body: Any) -> bytes:
    with httpx.Client(transport=httpx.MockTransport(answer)) as client:
        return client.post(URL, json=body).content


@pytest.mark.parametrize(
    ("mode", "count"), [("once", 9), ("new_episodes", 9), ("all", 9), ("rewrite", 2)]
)
def test_sessions_that_write_one_file_at_once_lose_nothing_that_their_mode_keeps(
    tmp_path: Path, mode: str, count: int
) -> None:
    path, meet = tmp_path / "a.yaml", threading.Barrier(8)
    before = httpx.Client._transport_for_url

    def work(number: int) -> None:
        with use_cassette(path, mode=mode):
            meet.wait()
            post(number)
            post("shared")
            meet.wait()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))

    assert len(CassetteReader(path.read_bytes(), file="a.yaml")) == count
    assert httpx.Client._transport_for_url is before
    assert {each.name for each in tmp_path.iterdir()} == {"a.yaml", ".a.yaml.lock"}


@pytest.mark.parametrize("mode", ["once", "new_episodes", "all", "rewrite"])
def test_a_mode_twice_in_a_row_leaves_what_it_left_once(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "a.yaml"
    counts = []
    for _ in range(3):
        with use_cassette(path, mode=mode):
            assert post(1) == b"1!"
        counts.append(len(CassetteReader(path.read_bytes(), file="a.yaml")))

    assert counts == [1, 1, 1]


def test_a_symlink_stays_one(tmp_path: Path) -> None:
    link = tmp_path / "a.yaml"
    link.symlink_to("real/there.yaml")
    with use_cassette(link):
        post(1)

    assert link.is_symlink()
    assert (tmp_path / "real" / "there.yaml").is_file()


def test_a_file_that_is_broken_meanwhile_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    with pytest.raises(CassetteFormatError), use_cassette(path):
        post(1)
        path.write_text("mine\n")

    assert path.read_text() == "mine\n"


def test_a_hook_that_breaks_the_frames_of_a_response_is_told_how_not_to(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    cassette = use_cassette(path, before_record_response=lambda it: replace(it, body=b"else"))
    with pytest.raises(SessionError, match=r"body of 4 bytes with frames of 2: .*with_body"):
        with cassette:
            post(1)

    assert not path.exists()


@given(st.binary(max_size=9), st.lists(st.binary(max_size=4), max_size=4))
def test_another_body_has_frames_that_fit(body: bytes, chunks: list[bytes]) -> None:
    sizes = array("q", map(len, chunks))
    gaps_us = array("q", range(1, len(chunks) + 1))
    response = Response(status=200, body=b"".join(chunks), sizes=sizes, gaps_us=gaps_us)
    changed = response.with_body(body)

    assert b"".join(frame.data for frame in changed.frames()) == body
    assert response.with_body(response.body) == response


def test_a_hook_that_raises_costs_its_own_recording_and_no_other(tmp_path: Path) -> None:
    path, calls = tmp_path / "a.yaml", iter([ZeroDivisionError, None])

    def hook(response: Response) -> Response:
        if error := next(calls):
            raise error
        return response

    with pytest.raises(ZeroDivisionError), use_cassette(path, before_record_response=hook):
        post(1)
        post(2)
    with use_cassette(path, mode="none") as session:
        post(2)

    assert len(session.interactions) == 1


def test_a_rewound_session_plays_again(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    with use_cassette(path) as session:
        session.rewind()  # nothing to rewind while recording
        post(1)
    with use_cassette(path, mode="none") as session:
        first = post(1)
        session.rewind()

        assert post(1) == first


def test_concurrent_streams_come_in_the_same_order_on_every_replay(tmp_path: Path) -> None:
    def script(request: Request) -> Script:
        yield HEAD
        for number in range(4):
            yield Wait(0.002 + int(request.body) * 0.001)
            yield Emit(b"%d" % number)

    async def main(url: str) -> list[tuple[int, bytes]]:
        order: list[tuple[int, bytes]] = []

        async def one(client: httpx.AsyncClient, number: int) -> None:
            async with client.stream("POST", url, json=number) as response:
                async for data in response.aiter_raw():
                    order.append((number, data))

        async with httpx.AsyncClient() as client, asyncio.TaskGroup() as tasks:
            for number in range(5):
                tasks.create_task(one(client, number))
        return order

    path = tmp_path / "a.yaml"
    with LoopbackServer() as server:
        server.script(None, script)
        url = server.url
        with use_cassette(path):
            asyncio.run(main(url))
    orders = []
    for _ in range(5):
        with use_cassette(path, mode="none"):
            orders.append(asyncio.run(main(url)))

    assert orders == [orders[0]] * 5
    assert sorted(orders[0]) == [(n, b"%d" % i) for n in range(5) for i in range(4)]


@pytest.mark.anyio
async def test_a_deadline_of_the_caller_ends_a_replay_that_takes_its_time(tmp_path: Path) -> None:
    with LoopbackServer() as server:
        server.respond([HEAD, Emit(b"a"), Wait(0.2), Emit(b"b")])
        url = server.url
        with use_cassette(tmp_path / "a.yaml"):
            httpx.get(url)
    got = []
    with use_cassette(tmp_path / "a.yaml", mode="none", pace=0.05), anyio.CancelScope() as scope:
        async with (
            httpx.AsyncClient(timeout=None) as client,
            client.stream("GET", url) as response,
        ):
            async for data in response.aiter_raw():
                got.append(data)
                scope.deadline = anyio.current_time() + 0.02

    assert scope.cancelled_caught
    assert got == [b"a"]
