from __future__ import annotations

import asyncio
import gc
import json
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import httpx
import httpx2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import PROJECT, SOAK
from wires import COHERE, CONVERSE, INVOKE, OLLAMA

from cassette_stream import LoopbackServer, use_cassette
from cassette_stream.chunks import (
    ChatCompletionMessageToolCall,
    Choices,
    Function,
    Message,
    ModelResponse,
    stream_chunk_builder,
)
from cassette_stream.client import CustomStreamWrapper, acompletion, completion
from cassette_stream.clock import VirtualClock
from cassette_stream.exceptions import (
    APIConnectionError,
    APIError,
    APIStatusError,
    AuthenticationError,
    BadRequestError,
    CassetteMissError,
    ContextWindowExceededError,
    InternalServerError,
    MalformedStreamError,
    NotFoundError,
    OverloadedError,
    PermissionDeniedError,
    RateLimitError,
    ServiceUnavailableError,
    StreamTruncatedError,
    Timeout,
    UnsupportedParamsError,
)
from cassette_stream.script import Emit, Head, Step, Wait

MESSAGES = [{"role": "user", "content": "Count from 1 to 10"}]
COUNTED = "1, 2, 3, 4, 5, 6, 7, 8, 9, 10."
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Get the weather for a location",
        "parameters": {"type": "object", "properties": {"location": {"type": "string"}}},
    },
}
NOW = {"type": "function", "function": {"name": "get_time", "parameters": {"type": "object"}}}
FORM = Head(200, (("content-type", "text/event-stream"),))
JSON = Head(200, (("content-type", "application/json"),))
PROVIDERS = (
    "openai",
    "openai/responses",
    "anthropic",
    "gemini",
    "cohere",
    "ollama",
    "bedrock",
    "bedrock/invoke",
    "vertex_ai",
)
WITHOUT_IDS = ("ollama", "bedrock")  # and each answer is given another


@dataclass(frozen=True, slots=True)
class Way:
    """A provider, asked synchronously or asynchronously."""

    provider: str

    def options(self, server: LoopbackServer) -> dict[str, Any]:
        paths = {"gemini": "/v1beta", "openai": "/v1", "openai/responses": "/v1"}
        return {
            "model": f"{self.provider}/model-1",
            "api_base": server.url + paths.get(self.provider, ""),
            "api_key": "sk-no-secret",
            "num_retries": 0,
        }


@pytest.fixture(scope="module")
def server() -> Iterator[LoopbackServer]:
    with LoopbackServer() as running:
        yield running


@pytest.fixture(autouse=True)
def a_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever has many places has this one."""
    monkeypatch.setenv("AWS_REGION", "eu-north-1")
    monkeypatch.setenv("VERTEXAI_LOCATION", "global")
    monkeypatch.setenv("VERTEXAI_PROJECT", "mine")


@pytest.fixture
def own() -> Iterator[LoopbackServer]:
    with LoopbackServer() as running:
        yield running


@pytest.fixture(params=PROVIDERS)
def way(request: pytest.FixtureRequest) -> Way:
    return Way(request.param)


def ask(server: LoopbackServer, way: Way = Way("openai"), **more: Any) -> Any:
    options = {"messages": MESSAGES, "stream": True} | way.options(server) | more
    return completion(**options)


async def aask(server: LoopbackServer, way: Way = Way("openai"), **more: Any) -> Any:
    options = {"messages": MESSAGES, "stream": True} | way.options(server) | more
    return await acompletion(**options)


def text_of(chunks: list[Any]) -> str:
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks)


def event(value: object) -> bytes:
    return b"data: " + json.dumps(value).encode() + b"\n\n"


def word(text: str, **more: Any) -> bytes:
    choice = {"index": 0, "delta": {"role": "assistant", "content": text}, "finish_reason": None}
    return event({"id": "c1", "created": 1, "model": "m", "choices": [choice | more]})


def end(reason: str = "stop") -> bytes:
    return event({"id": "c1", "choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})


DONE = b"data: [DONE]\n\n"
WHOLE = [word("Hello"), word(", you"), end(), DONE]


def streamed(*pieces: bytes | Step) -> list[Step]:
    return [FORM, *(Emit(it) if isinstance(it, bytes) else it for it in pieces)]


def mocked(handler: Callable[[httpx.Request], httpx.Response]) -> httpx.Client:
    return httpx.Client(transport=httpx.MockTransport(handler))


def ask_mock(handler: Callable[[httpx.Request], httpx.Response], **more: Any) -> Any:
    options = {"stream": True, "api_key": "sk-no-secret"} | more
    with mocked(handler) as client:
        answer = completion("openai/m", MESSAGES, http_client=client, **options)
        return list(answer) if options["stream"] else answer


class Cut(httpx.SyncByteStream):
    """A body in pieces, some of which are exceptions."""

    def __init__(self, *pieces: bytes | Exception) -> None:
        self._pieces = pieces

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._pieces:
            if isinstance(piece, Exception):
                raise piece
            yield piece


def response_of(*pieces: bytes | Exception, **more: Any) -> httpx.Response:
    headers = {"content-type": "text/event-stream"} | more.pop("headers", {})
    return httpx.Response(more.pop("status", 200), headers=headers, stream=Cut(*pieces))


# Laws.


@settings(max_examples=60)
@given(cuts=st.lists(st.integers(0, sum(map(len, WHOLE))), max_size=12))
def test_where_the_network_cuts_makes_no_difference(cuts: list[int]) -> None:
    body = b"".join([word("Grüße, "), word("世界"), end(), DONE])
    places = [0, *sorted(min(cut, len(body)) for cut in cuts), len(body)]
    pieces = [body[a:b] for a, b in pairwise(places)]

    cut = ask_mock(lambda _: response_of(*pieces))

    assert [chunk.model_dump() for chunk in cut] == [
        chunk.model_dump() for chunk in ask_mock(lambda _: response_of(body))
    ]


@settings(max_examples=60)
@given(length=st.integers(0, len(b"".join(WHOLE)) - 1))
def test_a_stream_cut_anywhere_gives_what_came_and_says_so(length: int) -> None:
    body = b"".join(WHOLE)[:length]
    broken = httpx.ReadError("[Errno 104] Connection reset by peer")
    seen: list[Any] = []
    complete = length >= len(b"".join(WHOLE[:3])) - 2  # an event needs no blank line at the end

    def read() -> None:
        with mocked(lambda _: response_of(body, broken)) as client:
            answer = completion("openai/m", MESSAGES, stream=True, http_client=client, api_key="k")
            seen.extend(answer)

    if complete:
        read()
    else:
        with pytest.raises(APIConnectionError) as caught:
            read()

        assert caught.value.__cause__ is broken
        assert caught.value.mid_stream
        assert caught.value.chunks_yielded == len(seen)
        assert caught.value.generated_content == text_of(seen)
        assert caught.value.is_pre_first_chunk == (not seen)
    assert "Hello, you".startswith(text_of(seen))


BODIES = {
    "openai": WHOLE,
    "openai/responses": [
        b'data: {"type":"response.output_text.delta","output_index":0,"delta":"Hi"}\n\n',
        b'data: {"type":"response.completed","response":{"status":"completed"}}\n\n',
    ],
    "anthropic": [
        b'data: {"type":"message_start","message":{"id":"m","usage":{"input_tokens":1}}}\n\n',
        b'data: {"type":"content_block_start","index":0,"content_block":{"type":"text"}}\n\n',
        event(
            {
                "type": "content_block_delta",
                "index": 0,
                "delta": {"type": "text_delta", "text": "Hi"},
            }
        ),
        b'data: {"type":"content_block_stop","index":0}\n\n',
        b'data: {"type":"message_delta","delta":{"stop_reason":"end_turn"}}\n\n',
    ],
    "gemini": [
        b'data: {"candidates":[{"content":{"parts":[{"text":"Hi"}]},"finishReason":"STOP"}]}\n\n'
    ],
    **{wire.provider: [wire.whole] for wire in (COHERE, OLLAMA, CONVERSE, INVOKE)},
}
BODIES["vertex_ai"] = BODIES["gemini"]


@settings(max_examples=4000 if SOAK else 150, deadline=None)
@given(data=st.data(), stream=st.booleans())
def test_whatever_bytes_come_only_errors_of_ours_leave(data: st.DataObject, stream: bool) -> None:
    provider = data.draw(st.sampled_from(PROVIDERS))
    body = bytearray(b"".join(BODIES[provider]))
    for _ in range(data.draw(st.integers(0, 3))):
        start = data.draw(st.integers(0, len(body)))
        length = data.draw(st.integers(0, 12))
        body[start : start + length] = data.draw(st.binary(max_size=6))
    kind = data.draw(st.sampled_from(["text/event-stream", "application/json", ""]))
    handler = lambda _: response_of(bytes(body), headers={"content-type": kind})  # noqa: E731
    seen: list[Any] = []

    try:
        with mocked(handler) as client:
            answer = completion(
                f"{provider}/m", MESSAGES, stream=stream, http_client=client, api_key="k"
            )
            assert isinstance(answer, CustomStreamWrapper if stream else ModelResponse)
            if stream:
                for chunk in answer:
                    seen.append(chunk)
    except APIError as error:
        caught = error
    else:
        return
    assert (caught.llm_provider, caught.model) == (provider.partition("/")[0], "m")
    assert caught.chunks_yielded == len(seen)
    assert caught.generated_content == text_of(seen) or not caught.mid_stream


def test_a_chunk_has_every_field_that_the_streaming_page_names(
    server: LoopbackServer, way: Way
) -> None:
    for chunk in ask(server, way):
        assert isinstance(chunk.id, str)
        assert isinstance(chunk.created, int)
        assert chunk.model == "model-1"
        assert chunk.system_fingerprint is None or isinstance(chunk.system_fingerprint, str)
        assert len(chunk.choices) == 1
        assert isinstance(chunk.choices[0].index, int)
        assert chunk.choices[0].finish_reason in {None, "stop"}
        assert chunk.choices[0].delta.content is None or isinstance(
            chunk.choices[0].delta.content, str
        )
        assert chunk.choices[0].delta.tool_calls is None


# The streaming page, synchronous and asynchronous.


def test_the_basic_loop_gives_the_text(server: LoopbackServer, way: Way) -> None:
    response = ask(server, way)
    chunks = list(response)

    assert isinstance(response, CustomStreamWrapper)
    assert text_of(chunks) == COUNTED == response.text
    assert [chunk.choices[0].finish_reason for chunk in chunks][-1] == "stop"
    assert response.complete
    assert response.finish_reasons == {0: "stop"}


@pytest.mark.anyio
async def test_the_asynchronous_loop_gives_the_same(server: LoopbackServer, way: Way) -> None:
    chunks = [chunk async for chunk in await aask(server, way)]

    told = ["choices", "model", "usage"]
    told += [] if way.provider in WITHOUT_IDS else ["id"]
    assert [{name: chunk[name] for name in told} for chunk in chunks] == [
        {name: chunk[name] for name in told} for chunk in ask(server, way)
    ]


def test_thoughts_come_apart_from_the_text(server: LoopbackServer, way: Way) -> None:
    said = [it.choices[0].delta for it in ask(server, way, reasoning_effort="low")]
    whole = ask(server, way, reasoning_effort="low", stream=False).choices[0].message

    assert "".join(delta.reasoning_content or "" for delta in said) == whole.reasoning_content
    assert "".join(delta.content or "" for delta in said) == whole.content == COUNTED
    assert whole.reasoning_content.startswith("The user wants")


def test_usage_comes_last_and_only_on_request(server: LoopbackServer, way: Way) -> None:
    asked = list(ask(server, way, stream_options={"include_usage": True}))
    unasked = list(ask(server, way))

    assert [bool(chunk.usage) for chunk in asked] == [False] * (len(asked) - 1) + [True]
    assert asked[-1].usage.total_tokens == 15
    assert asked[-1].choices[0].delta.content is None
    assert not any(chunk.usage for chunk in unasked)


def test_a_whole_answer_equals_the_streamed_one(server: LoopbackServer, way: Way) -> None:
    whole = ask(server, way, stream=False)
    streamed_ = stream_chunk_builder(ask(server, way, stream_options={"include_usage": True}))

    assert isinstance(whole, ModelResponse)
    assert whole.choices == streamed_.choices
    assert whole.usage.total_tokens == streamed_.usage.total_tokens == 15


@pytest.mark.anyio
async def test_a_whole_answer_is_the_same_in_asynchronous_code(
    server: LoopbackServer, way: Way
) -> None:
    whole = await aask(server, way, stream=False)

    assert whole.choices == ask(server, way, stream=False).choices


@pytest.mark.parametrize("reason", ["stop", "length", "content_filter", "tool_calls"])
def test_every_finish_reason_is_told_once(own: LoopbackServer, way: Way, reason: str) -> None:
    call = ChatCompletionMessageToolCall(id="c", function=Function(name="f", arguments="{}"))
    message = Message(
        content="well", tool_calls=[call] if reason == "tool_calls" else None, refusal=None
    )
    choice = Choices(index=0, message=message, finish_reason=reason)
    own.answer(ModelResponse(id="i", created=1, model="m", choices=[choice]))

    told = [chunk.choices[0].finish_reason for chunk in ask(own, way)]

    assert [it for it in told if it] == [reason]


@pytest.mark.parametrize(
    ("tool", "name", "arguments"),
    [(WEATHER, "get_weather", {"location": "Paris"}), (NOW, "get_time", {})],
    ids=["arguments", "no-arguments"],
)
def test_a_function_call_can_be_put_together_as_the_page_does(
    server: LoopbackServer, way: Way, tool: Any, name: str, arguments: Any
) -> None:
    prompt = [{"role": "user", "content": "What is the weather in Paris?"}]
    function_name, function_args, found = "", "", None

    for chunk in ask(server, way, messages=prompt, tools=[tool]):
        delta = chunk.choices[0].delta
        for tool_call in delta.tool_calls or ():
            function_name += tool_call.function.name or ""
            function_args += tool_call.function.arguments or ""
        if chunk.choices[0].finish_reason == "tool_calls":
            found = function_name, json.loads(function_args)

    assert found == (name, arguments)


# Cancelling: the server sees it.


def left(server: LoopbackServer) -> bool:
    return server.wait_for_disconnect(2.0).request.method == "POST"


@pytest.fixture
def slow() -> Iterator[LoopbackServer]:
    with LoopbackServer() as running:
        running.respond(streamed(word("one"), word("two"), Wait(60), end()))
        yield running


def test_a_break_closes_while_the_stream_is_still_held(slow: LoopbackServer) -> None:
    response = ask(slow)
    for _ in response:
        break

    assert left(slow)
    assert list(response) == []
    assert not response.complete


def test_an_exception_in_the_loop_closes(slow: LoopbackServer) -> None:
    response = ask(slow)
    with pytest.raises(ZeroDivisionError):
        for _ in response:
            _ = 1 / 0

    assert left(slow)
    assert response.text == "one"


def test_next_reads_on_where_the_loop_begins(slow: LoopbackServer) -> None:
    response = ask(slow)
    first = next(response)
    second = next(iter(response))

    assert [first.choices[0].delta.content, second.choices[0].delta.content] == ["one", "two"]


@pytest.mark.parametrize("begun", [False, True], ids=["untouched", "begun"])
def test_closing_is_seen_and_may_be_repeated(slow: LoopbackServer, begun: bool) -> None:
    response = ask(slow)
    if begun:
        next(response)
    response.close()
    response.close()

    assert left(slow)
    assert list(response) == []
    with pytest.raises(StopIteration):
        next(response)


def test_a_with_block_closes(slow: LoopbackServer) -> None:
    with ask(slow) as response:
        next(response)

    assert left(slow)


@pytest.mark.parametrize("begun", [False, True], ids=["untouched", "begun"])
def test_a_stream_that_nobody_holds_is_closed(slow: LoopbackServer, begun: bool) -> None:
    response = ask(slow)
    if begun:
        next(response)
    del response

    assert left(slow)


def test_closing_inside_the_loop_ends_it(server: LoopbackServer) -> None:
    seen = []
    response = ask(server)
    for chunk in response:
        seen.append(chunk)
        response.close()

    assert len(seen) == 1


@pytest.mark.anyio
async def test_async_with_closes(slow: LoopbackServer) -> None:
    async with await aask(slow) as response:
        await anext(response)

    assert left(slow)
    assert [chunk async for chunk in response] == []
    with pytest.raises(StopAsyncIteration):
        await anext(response)


@pytest.mark.anyio
async def test_a_break_inside_async_with_closes_at_the_end_of_the_block(
    slow: LoopbackServer,
) -> None:
    async with await aask(slow) as response:
        async for _ in response:
            break
        second = await anext(response)

    assert second.choices[0].delta.content == "two"
    assert left(slow)
    assert [chunk async for chunk in response] == []


@pytest.mark.anyio
async def test_aclose_closes_inside_the_loop(slow: LoopbackServer) -> None:
    response = await aask(slow)
    async for _ in response:
        await response.aclose()
        await response.aclose()

    assert left(slow)


def test_an_asynchronous_break_closes_while_the_stream_is_still_held(
    slow: LoopbackServer,
) -> None:
    async def main() -> bool:
        response = await aask(slow)
        async for _ in response:
            break
        return await asyncio.to_thread(left, slow)

    assert asyncio.run(main())


@pytest.mark.parametrize("begun", [False, True], ids=["untouched", "begun"])
def test_an_asynchronous_stream_that_nobody_holds_is_closed(
    slow: LoopbackServer, begun: bool
) -> None:
    async def main() -> bool:
        response = await aask(slow)
        if begun:
            await anext(response)
        del response
        return await asyncio.to_thread(left, slow)

    assert asyncio.run(main())


@pytest.mark.anyio
async def test_a_cancelled_task_closes(slow: LoopbackServer) -> None:
    import anyio

    begun = anyio.Event()

    async def read() -> None:
        async for _ in await aask(slow):
            begun.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(read)
        await begun.wait()
        tasks.cancel_scope.cancel()

    assert left(slow)


def test_another_thread_may_close(slow: LoopbackServer) -> None:
    response = ask(slow)
    next(response)
    next(response)
    with ThreadPoolExecutor(1) as thread:
        rest = thread.submit(list, response)
        while not response._known().gi_running:
            pass
        response.close()

        assert rest.result(5) == []
    assert left(slow)
    assert not response.complete


@pytest.mark.anyio
async def test_another_task_may_close(slow: LoopbackServer) -> None:
    import anyio

    rest: list[Any] = []
    response = await aask(slow)
    await anext(response)
    await anext(response)

    async def read() -> None:
        rest.extend([chunk async for chunk in response])

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(read)
        await anyio.wait_all_tasks_blocked()
        await response.aclose()

    assert rest == []
    assert left(slow)


def test_each_kind_of_stream_says_how_it_is_to_be_used(server: LoopbackServer) -> None:
    with ask(server) as response, pytest.raises(TypeError, match="use acompletion"):
        response.__aiter__()

    async def main() -> None:
        async with await aask(server) as response:
            with pytest.raises(TypeError, match="use async for"):
                iter(response)
            with pytest.raises(TypeError, match="use async for"):
                response.close()

    asyncio.run(main())


def test_a_stream_tells_what_it_is(own: LoopbackServer) -> None:
    usage = event({"choices": [], "usage": {"total_tokens": 3}})
    head = Head(200, (("content-type", "text/event-stream"), ("x-request-id", "r-1")))
    own.respond([head, *map(Emit, [word("a"), end("eos"), usage, DONE])])
    response = ask(own)
    before = response.response, response.usage, response.complete, response.terminal_seen
    chunks = list(response)

    assert before == (None, None, False, False)
    assert (response.status_code, response.request_id) == (200, "r-1")
    assert (response.model, response.custom_llm_provider) == ("model-1", "openai")
    assert response.response_headers["x-request-id"] == "r-1"
    assert response.finish_reasons == {0: chunks[-1].choices[0].finish_reason}
    assert response.raw_finish_reasons == {0: "eos"}
    assert response.usage.total_tokens == response.response.usage.total_tokens == 3
    assert (response.complete, response.terminal_seen, response.warnings) == (True, True, [])
    assert response._hidden_params["custom_llm_provider"] == "openai"
    assert response._hidden_params["api_base"] == own.openai_url
    assert response._hidden_params["additional_headers"]["llm_provider-x-request-id"] == "r-1"


def test_a_server_that_holds_the_connection_after_the_end_is_not_waited_for(
    own: LoopbackServer,
) -> None:
    own.respond(streamed(*WHOLE, Wait(60)))

    assert text_of(list(ask(own))) == "Hello, you"
    assert left(own)

    async def main() -> list[Any]:
        return [chunk async for chunk in await aask(own)]

    assert text_of(asyncio.run(main())) == "Hello, you"


# Timeouts.


@pytest.mark.parametrize(
    ("steps", "phase"),
    [
        pytest.param([Wait(60), FORM], "headers", id="headers"),
        pytest.param(streamed(Wait(60)), "first_chunk", id="first chunk"),
        pytest.param(streamed(word("a"), Wait(60)), "idle", id="idle"),
        pytest.param(
            streamed(word("a"), *[Wait(0.03), b": ping\n\n"] * 40, end()), "idle", id="comments"
        ),
    ],
)
def test_silence_is_a_timeout(own: LoopbackServer, steps: list[Step], phase: str) -> None:
    own.respond(steps)
    with pytest.raises(Timeout) as caught:
        list(ask(own, timeout=0.4))

    assert caught.value.phase == phase

    async def main() -> None:
        async for _ in await aask(own, timeout=0.4):
            pass

    with pytest.raises(Timeout) as again:
        asyncio.run(main())

    assert again.value.phase == phase


def played(*pieces: tuple[float, bytes], start: VirtualClock | None = None) -> Any:
    """A handler whose body comes on a virtual clock, each piece some seconds after the last."""

    def handle(request: httpx.Request) -> httpx.Response:
        clock = start or VirtualClock()
        request.extensions["cassette_stream_clock"] = clock

        def body() -> Iterator[bytes]:
            for seconds, piece in pieces:
                clock.sleep_until(clock.now() + seconds)
                yield piece

        class Body(httpx.SyncByteStream):
            def __iter__(self) -> Iterator[bytes]:
                return body()

        return httpx.Response(200, headers={"content-type": "text/event-stream"}, stream=Body())

    return handle


@pytest.mark.parametrize(
    ("pieces", "limits", "phase"),
    [
        ([(9, b": 1\n\n"), (9, word("a"))], {"timeout": 10}, "first_chunk"),
        ([(1, word("a")), (9, b": 1\n\n"), (9, word("b"))], {"timeout": 10}, "idle"),
        ([(5, word("a"))], {"first_chunk_timeout": 4}, "first_chunk"),
        ([(9, word("a"))] * 5, {"timeout": 10, "total_timeout": 30}, "total"),
        ([(5, word("a"))], {"timeout": 10, "stream_timeout": 4}, "first_chunk"),
    ],
    ids=["first", "idle", "first-chunk-timeout", "total", "stream-timeout"],
)
def test_a_comment_does_not_put_off_a_timeout(pieces: Any, limits: Any, phase: str) -> None:
    with pytest.raises(Timeout) as caught:
        ask_mock(played(*pieces), **limits)

    assert caught.value.phase == phase


def test_an_argument_of_another_provider_is_not_sent_to_this_one(own: LoopbackServer) -> None:
    theirs = {"aws_secret_access_key": "wJalr-never-sent", "api_version": "v1"}
    with pytest.raises(UnsupportedParamsError, match="openai takes no api_version, aws_secret_ac"):
        ask(own, **theirs)
    list(ask(own, **theirs, organization="org-1", drop_params=True))
    [request] = own.requests

    assert request.headers["openai-organization"] == ("org-1",)
    assert json.loads(request.body).keys() == {"messages", "model", "stream"}


def test_time_that_the_caller_takes_is_no_silence() -> None:
    clock = VirtualClock()
    texts = []
    handler = played((9, word("a")), (9, word("b")), (9, end()), start=clock)
    with mocked(handler) as client:
        response: Any = completion(
            "openai/m", MESSAGES, stream=True, http_client=client, api_key="k", timeout=10
        )
        clock.sleep_until(1000)
        for chunk in response:
            texts.append(chunk.choices[0].delta.content)
            clock.sleep_until(clock.now() + 1000)

    assert texts == ["a", "b", None]


def test_a_head_that_outlasts_the_total_timeout_says_so(own: LoopbackServer) -> None:
    own.respond([Wait(60), FORM])
    with pytest.raises(Timeout) as caught:
        ask(own, total_timeout=0.05)

    assert caught.value.phase == "total"


def test_no_limit_is_no_limit() -> None:
    handler = played((1e6, word("a")), (1e6, end()))

    assert text_of(ask_mock(handler, timeout=None)) == "a"


# Statuses and retries.


def answers(
    *responses: httpx.Response | Exception,
) -> tuple[Any, list[httpx.Request], VirtualClock]:
    """A handler that gives *responses* in turn, the last one for ever, on a virtual clock."""
    clock = VirtualClock()
    seen: list[httpx.Request] = []

    def handle(request: httpx.Request) -> httpx.Response:
        request.extensions["cassette_stream_clock"] = clock
        seen.append(request)
        found = responses[min(len(seen), len(responses)) - 1]
        if isinstance(found, Exception):
            raise found
        return found

    return handle, seen, clock


def refusal(status: int, **headers: str) -> httpx.Response:
    body = {"error": {"message": "no", "type": "t", "code": "c"}}
    return httpx.Response(status, json=body, headers=headers)


@pytest.mark.parametrize(
    ("status", "kind", "attempts"),
    [
        (307, APIError, 1),
        (400, BadRequestError, 1),
        (401, AuthenticationError, 1),
        (404, NotFoundError, 1),
        (408, Timeout, 3),
        (409, APIError, 3),
        (429, RateLimitError, 3),
        (500, InternalServerError, 3),
        (529, OverloadedError, 3),
    ],
)
@pytest.mark.parametrize("stream", [True, False])
def test_a_status_is_raised_by_the_call_after_its_retries(
    status: int, kind: type[APIError], attempts: int, stream: bool
) -> None:
    handler, seen, clock = answers(refusal(status, **{"X-Request-Id": "r"}))
    with pytest.raises(kind, match="no") as caught:
        ask_mock(handler, stream=stream)

    error = caught.value
    assert len(seen) == attempts
    assert error.status_code == status
    assert (error.num_retries, error.max_retries) == (attempts - 1, 2)
    assert (error.request_id, error.llm_provider, error.model) == ("r", "openai", "m")
    assert not error.mid_stream
    assert (clock.now() == 0) if attempts == 1 else (1.125 <= clock.now() <= 1.5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """How one provider says no."""

    provider: str
    status: int
    headers: Mapping[str, str]
    body: Mapping[str, object]
    kind: type[APIError]
    request_id: str | None


REFUSALS = (
    Refusal(provider="cohere", status=401, headers={"x-debug-trace-id": "t-1"}, body={"id": "e-1", "message": "no"}, kind=AuthenticationError, request_id="t-1"),
    Refusal(provider="cohere", status=429, headers={"x-debug-trace-id": "t-1"}, body={"message": "no"}, kind=RateLimitError, request_id="t-1"),
    Refusal(provider="cohere", status=498, headers={}, body={"message": "no"}, kind=APIStatusError, request_id=None),
    Refusal(provider="ollama", status=404, headers={}, body={"error": "model 'model-1' not found"}, kind=NotFoundError, request_id=None),
    Refusal(provider="ollama", status=503, headers={}, body={"error": "no room: maximum pending requests"}, kind=ServiceUnavailableError, request_id=None),
    Refusal(provider="bedrock", status=429, headers={"x-amzn-RequestId": "a-1", "x-amzn-ErrorType": "ThrottlingException:http://internal.amazon.com/"}, body={"message": "no"}, kind=RateLimitError, request_id="a-1"),
    Refusal(provider="bedrock", status=400, headers={"x-amzn-RequestId": "a-1", "x-amzn-ErrorType": "ValidationException"}, body={"message": "no"}, kind=BadRequestError, request_id="a-1"),
    Refusal(provider="bedrock/invoke", status=403, headers={"x-amzn-RequestId": "a-1", "x-amzn-ErrorType": "AccessDeniedException"}, body={"message": "no"}, kind=PermissionDeniedError, request_id="a-1"),
    Refusal(provider="vertex_ai", status=403, headers={}, body={"error": {"code": 403, "message": "no", "status": "PERMISSION_DENIED"}}, kind=PermissionDeniedError, request_id=None),
    Refusal(provider="vertex_ai", status=429, headers={}, body={"error": {"code": 429, "message": "no", "status": "RESOURCE_EXHAUSTED"}}, kind=RateLimitError, request_id=None),
)  # fmt: skip


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("said", REFUSALS, ids=lambda it: f"{it.provider} {it.status}")
def test_how_each_provider_refuses_is_the_same_to_the_caller(
    own: LoopbackServer, said: Refusal, stream: bool
) -> None:
    head = Head(said.status, (("content-type", "application/json"), *said.headers.items()))
    own.respond([head, Emit(json.dumps(said.body).encode())])
    with pytest.raises(said.kind, match="no") as caught:
        ask(own, Way(said.provider), stream=stream)
    error = caught.value

    assert type(error) is said.kind
    assert (error.status_code, error.request_id) == (said.status, said.request_id)
    assert (error.llm_provider, error.model) == (said.provider.partition("/")[0], "model-1")


@pytest.mark.anyio
async def test_lines_that_are_called_json_are_read_as_they_come(own: LoopbackServer) -> None:
    own.respond([JSON, Emit(OLLAMA.hello), Wait(60), Emit(OLLAMA.finish)])
    way, asked = Way("ollama"), {"timeout": 5}
    with ask(own, way, **asked) as stream:
        first = next(stream)
    async with await aask(own, way, **asked) as astream:
        afirst = await anext(astream)

    assert text_of([first]) == text_of([afirst]) == "Hello"


@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        (httpx.ConnectError("[Errno 111] Connection refused"), APIConnectionError),
        (httpx.ConnectTimeout("timed out"), Timeout),
        (httpx.ReadTimeout("timed out"), Timeout),
        (
            httpx.RemoteProtocolError("Server disconnected without sending a response."),
            APIConnectionError,
        ),
        (httpx2.ConnectError("[Errno 111] Connection refused"), APIConnectionError),
    ],
    ids=lambda it: type(it).__name__ if isinstance(it, Exception) else "",
)
def test_a_connection_that_fails_is_tried_again(failure: Exception, kind: type[APIError]) -> None:
    handler, seen, _ = answers(failure)
    with pytest.raises(APIConnectionError) as caught:
        ask_mock(handler, num_retries=1)

    assert type(caught.value) is kind
    assert caught.value.__cause__ is failure
    assert len(seen) == 2
    assert caught.value.num_retries == 1


def test_a_retry_that_succeeds_is_no_error() -> None:
    handler, seen, clock = answers(refusal(500), httpx.ConnectError("x"), response_of(*WHOLE))

    assert text_of(ask_mock(handler)) == "Hello, you"
    assert len(seen) == 3
    assert 1.125 <= clock.now() <= 1.5
    assert {request.content for request in seen} == {seen[0].content}


@pytest.mark.parametrize(
    ("status", "headers", "attempts", "waited"),
    [
        (429, {"retry-after": "7"}, 3, 14.0),
        (503, {"retry-after-ms": "1500"}, 3, 3.0),
        (429, {"retry-after": "121"}, 1, 0.0),
        (429, {"x-should-retry": "false"}, 1, 0.0),
        (400, {"x-should-retry": "true", "retry-after": "1"}, 3, 2.0),
    ],
    ids=["seconds", "milliseconds", "too-long", "refused", "wanted"],
)
def test_the_provider_says_when_to_come_again(
    status: int, headers: dict[str, str], attempts: int, waited: float
) -> None:
    handler, seen, clock = answers(refusal(status, **headers))
    with pytest.raises(APIError):
        ask_mock(handler)

    assert len(seen) == attempts
    assert clock.now() == waited


def test_no_wait_outlasts_the_total_timeout() -> None:
    handler, seen, clock = answers(refusal(429, **{"retry-after": "60"}))
    with pytest.raises(RateLimitError):
        ask_mock(handler, total_timeout=30)

    assert (len(seen), clock.now()) == (1, 0)


def test_a_stream_that_has_begun_is_never_asked_for_again() -> None:
    handler, seen, _ = answers(response_of(word("a"), httpx.ReadError("gone")))
    with pytest.raises(APIConnectionError):
        ask_mock(handler, num_retries=5)

    assert len(seen) == 1


@pytest.mark.anyio
async def test_asynchronous_code_retries_as_well(own: LoopbackServer) -> None:
    own.respond([Head(429, (("retry-after-ms", "0"),)), Emit(b"{}")])
    with pytest.raises(RateLimitError) as caught:
        await aask(own, max_retries=2, num_retries=None)

    assert len(own.wait_for_exchanges(3)) == 3
    assert caught.value.num_retries == 2


def test_a_refused_connection_is_one_of_ours() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        base = f"http://127.0.0.1:{unused.getsockname()[1]}/v1"
    options: dict[str, Any] = {"api_key": "k", "api_base": base, "num_retries": 0}
    with pytest.raises(APIConnectionError, match="refused"):
        completion("openai/m", MESSAGES, **options)
    with pytest.raises(APIConnectionError):
        asyncio.run(acompletion("openai/m", MESSAGES, **options))


def test_errors_that_are_told_in_words_have_their_class(own: LoopbackServer) -> None:
    body = {"error": {"message": "too long", "code": "context_length_exceeded"}}
    own.respond([Head(400), Emit(json.dumps(body).encode())])

    with pytest.raises(ContextWindowExceededError, match="too long"):
        ask(own)


# Arguments.


@pytest.mark.parametrize("client", [object(), httpx.AsyncClient()], ids=["none", "asynchronous"])
def test_a_client_of_another_kind_is_refused_before_anything_is_sent(client: object) -> None:
    with pytest.raises(TypeError, match="http_client must be a Client of httpx or httpx2"):
        completion("openai/m", MESSAGES, api_key="k", http_client=client)


def test_an_asynchronous_call_needs_an_asynchronous_client() -> None:
    with httpx.Client() as client, pytest.raises(TypeError, match="AsyncClient"):
        asyncio.run(acompletion("openai/m", MESSAGES, api_key="k", http_client=client))


def test_an_unsupported_parameter_says_whose_it_is(server: LoopbackServer) -> None:
    with pytest.raises(UnsupportedParamsError, match="anthropic") as caught:
        ask(server, Way("anthropic"), logit_bias={})

    assert (caught.value.llm_provider, caught.value.model) == ("anthropic", "model-1")
    assert text_of(list(ask(server, Way("anthropic"), logit_bias={}, drop_params=True))) == COUNTED


def test_headers_bodies_and_parameters_arrive(own: LoopbackServer) -> None:
    list(
        ask(
            own,
            temperature=0.5,
            seed=None,
            extra_headers={"Authorization": "Bearer other", "X-Mine": "yes"},
            extra_body={"top_k": 3},
        )
    )
    (exchange,) = own.wait_for_exchanges(1)
    sent = json.loads(exchange.request.body)
    headers = exchange.request.headers

    assert sent["temperature"] == 0.5
    assert sent["top_k"] == 3
    assert "seed" not in sent
    assert headers["authorization"] == ("Bearer other",)
    assert headers["x-mine"] == ("yes",)


# Connections.


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The addresses to which sockets were connected."""
    seen: list[Any] = []
    connect = socket.socket.connect

    def noted(self: socket.socket, address: Any) -> None:
        seen.append(address)
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", noted)
    return seen


def test_a_second_call_finds_the_connection_open(own: LoopbackServer, counted: list[Any]) -> None:
    for _ in range(3):
        list(ask(own))
    ask(own, stream=False)

    assert len(own.wait_for_exchanges(4)) == 4
    assert len(counted) == 1


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_two_event_loops_do_not_share_connections(own: LoopbackServer, backend: str) -> None:
    import anyio

    async def main() -> str:
        await aask(own, stream=False)
        return text_of([chunk async for chunk in await aask(own)])

    assert [anyio.run(main, backend=backend) for _ in range(2)] == [COUNTED, COUNTED]
    gc.collect()


def test_threads_share_a_client(own: LoopbackServer) -> None:
    with ThreadPoolExecutor(8) as threads:
        texts = list(threads.map(lambda _: text_of(list(ask(own))), range(32)))

    assert texts == [COUNTED] * 32


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_child_has_connections_of_its_own(own: LoopbackServer) -> None:
    program = """
import os, sys
from cassette_stream.client import completion
def ask():
    return "".join(c.choices[0].delta.content or "" for c in completion(
        "openai/m", [{"role": "user", "content": "Count from 1 to 10"}],
        stream=True, api_base=sys.argv[1], api_key="k"))
ask()
child = os.fork()
text = ask()
if child:
    assert os.waitpid(child, 0)[1] == 0
    text = ask()
print(text)
"""
    command = [sys.executable, "-X", "dev", "-W", "error", "-c", program, own.openai_url]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=30, cwd=PROJECT, check=False
    )

    assert done.stderr == ""
    assert done.stdout.split("\n") == [COUNTED, COUNTED, ""]


def test_importing_the_client_does_not_import_an_http_library() -> None:
    program = "import sys, cassette_stream.client; print(sorted({'httpx', 'httpx2', 'anyio'} & set(sys.modules)))"
    command = [sys.executable, "-c", program]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=30, cwd=PROJECT, check=False
    )

    assert done.stdout.strip() == "[]", done.stderr


@pytest.mark.parametrize("library", [httpx, httpx2], ids=["httpx", "httpx2"])
def test_a_client_of_the_callers_own_is_used_and_stays_open(
    own: LoopbackServer, library: Any
) -> None:
    with library.Client(headers={"x-mine": "yes"}) as client:
        assert text_of(list(ask(own, http_client=client))) == COUNTED
        assert not client.is_closed

    async def main() -> str:
        async with library.AsyncClient() as client:
            return text_of([chunk async for chunk in await aask(own, http_client=client)])

    assert asyncio.run(main()) == COUNTED
    assert own.exchanges[0].request.headers["x-mine"] == ("yes",)


# Cassettes.


def dumps(chunks: list[Any]) -> list[Mapping[str, Any]]:
    return [chunk.model_dump() for chunk in chunks]


def test_two_replays_are_equal(own: LoopbackServer, way: Way, tmp_path: Any) -> None:
    path = tmp_path / "c.yaml"
    with use_cassette(path, mode="once"):
        live = list(ask(own, way))
    replays = []
    for _ in range(2):
        with use_cassette(path, mode="none"):
            replays.append(dumps(list(ask(own, way))))

    async def main() -> list[Any]:
        with use_cassette(path, mode="none"):
            return dumps([chunk async for chunk in await aask(own, way)])

    assert replays[0] == replays[1] == asyncio.run(main())
    assert text_of(live) == COUNTED
    assert len(own.exchanges) == 1


def test_a_stream_of_somebodys_own_that_goes_on_once_it_is_closed_is_left() -> None:
    sent = []

    class Endless(httpx.AsyncByteStream):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            for number in range(10_000):
                sent.append(number)
                yield word("a")

    def handle(_: Any) -> httpx.Response:
        return httpx.Response(200, headers={"content-type": "text/event-stream"}, stream=Endless())

    async def main() -> None:
        async with httpx.AsyncClient(transport=httpx.MockTransport(handle)) as client:
            options: dict[str, Any] = {"stream": True, "api_key": "k", "http_client": client}
            async with await acompletion("openai/m", MESSAGES, **options) as response:
                await anext(response)

    asyncio.run(main())

    assert len(sent) < 10


@pytest.mark.anyio
@pytest.mark.parametrize("broken", [False, True], ids=["left", "broken"])
async def test_a_replay_that_does_not_come_to_its_end_leaves_nothing_behind(
    own: LoopbackServer, tmp_path: Any, broken: bool
) -> None:
    pieces = [word("a"), b"data: {nope\n\n" if broken else word("b"), word("c"), end()]
    own.respond(streamed(*pieces))
    with use_cassette(tmp_path / "c.yaml", mode="once"), httpx.Client() as client:
        client.post(f"{own.openai_url}/chat/completions", content=b"")
    with use_cassette(tmp_path / "c.yaml", mode="none", match_on=("method", "url")):
        async with await aask(own) as response:
            await anext(response)
            if broken:
                with pytest.raises(MalformedStreamError):
                    await anext(response)
    gc.collect()

    assert response.text == "a"


def test_a_cassette_that_has_no_answer_is_no_trouble_of_the_network(tmp_path: Any) -> None:
    (tmp_path / "c.yaml").write_text("cassette: 1\nrecorded_with: cassette-stream 0.1.0\n")
    with pytest.raises(CassetteMissError), use_cassette(tmp_path / "c.yaml", mode="none"):
        completion("openai/m", MESSAGES, api_key="k", stream=True)


def test_a_fault_in_a_replay_is_told_as_on_the_wire(
    own: LoopbackServer, way: Way, tmp_path: Any
) -> None:
    path = tmp_path / "c.yaml"
    with use_cassette(path, mode="once"):
        list(ask(own, way))
    for fault, kind in {
        "body.fin@event=5": StreamTruncatedError,
        "json.cut@event=5": MalformedStreamError,
        "body.stall@event=5": Timeout,
    }.items():
        with pytest.raises(APIError) as caught, use_cassette(path, mode="none", faults=fault):
            list(ask(own, way))

        assert type(caught.value) is kind
        assert caught.value.mid_stream
        assert COUNTED.startswith(caught.value.generated_content)
        assert len(caught.value.generated_content) < len(COUNTED)


def test_what_stands_in_the_query_of_an_address_is_never_told() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        base = f"http://127.0.0.1:{unused.getsockname()[1]}/v1?key=gateway-secret"
    with pytest.raises(APIConnectionError) as caught:
        completion("openai/m", MESSAGES, api_key="k", api_base=base, num_retries=0)

    assert "gateway-secret" not in f"{caught.value} {caught.value!r} {caught.value.__dict__}"
