"""Who asks a model and reads its stream, each as its documentation shows it, on mocked bytes.

A client is opened for one stream of *chunks*, which its HTTP library takes for a network, and
gives a function that asks and returns what is to be iterated. ``raw`` is the loop that
everybody could write: the lines of httpx and `json.loads`; it makes no objects, checks nothing
and puts nothing together.
"""

from __future__ import annotations

import importlib
import json
import os
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    asynccontextmanager,
    contextmanager,
)
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

from measure import version_of

from cassette_stream import acompletion, completion

MESSAGES: Any = [{"role": "user", "content": "Go."}]
MODELS = {
    "openai": "openai/gpt-4o",
    "anthropic": "anthropic/claude-sonnet-4-5",
    "gemini": "gemini/gemini-2.5-flash",
}
KEY = "sk-none"

Open: TypeAlias = Callable[[Sequence[bytes]], AbstractContextManager[Callable[[], Any]]]
AsyncOpen: TypeAlias = Callable[[Sequence[bytes]], AbstractAsyncContextManager[Callable[[], Any]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """Somebody who reads streams of the provider *wire*; *slow* ones take part in one round."""

    name: str
    wire: str
    open: Open
    aopen: AsyncOpen
    slow: bool = False


def clients() -> list[Client]:
    """Everybody who is installed, each after the raw loop on the same bytes."""
    found = []
    for wire in MODELS:
        found.append(
            Client(
                name=f"raw, {wire}",
                wire=wire,
                open=partial(raw, wire),
                aopen=partial(araw, wire),
            )
        )
        found.append(
            Client(
                name=f"cassette-stream, {wire}",
                wire=wire,
                open=partial(ours, wire),
                aopen=partial(aours, wire),
            )
        )
        found += [each for each in peers() if each.wire == wire]
    return found


def peers() -> Iterator[Client]:
    if version_of("openai"):
        yield Client(name="openai SDK", wire="openai", open=openai, aopen=aopenai)
    if version_of("openai") and version_of("litellm"):
        os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # else it asks the network for prices
        yield Client(name="litellm", wire="openai", open=litellm, aopen=alitellm, slow=True)
    if version_of("anthropic"):
        yield Client(name="anthropic SDK", wire="anthropic", open=anthropic, aopen=aanthropic)


def sync_client(library: str, chunks: Sequence[bytes]) -> Any:
    """A client of *library* (httpx or httpx2) that is answered with *chunks*."""
    http = importlib.import_module(library)
    headers = {"content-type": "text/event-stream"}

    def respond(_: Any) -> Any:
        return http.Response(200, headers=headers, content=iter(chunks))

    return http.Client(transport=http.MockTransport(respond))


def async_client(library: str, chunks: Sequence[bytes]) -> Any:
    http = importlib.import_module(library)
    headers = {"content-type": "text/event-stream"}

    async def content() -> AsyncIterator[bytes]:
        for chunk in chunks:
            yield chunk

    def respond(_: Any) -> Any:
        return http.Response(200, headers=headers, content=content())

    return http.AsyncClient(transport=http.MockTransport(respond))


URL = "https://api.example.com/v1/chat/completions"


@contextmanager
def raw(wire: str, chunks: Sequence[bytes]) -> Iterator[Callable[[], Any]]:
    def lines() -> Iterator[Any]:
        body = {"model": MODELS[wire], "messages": MESSAGES, "stream": True}
        with client.stream("POST", URL, json=body) as response:
            for line in response.iter_lines():
                if line.startswith("data: ") and line != "data: [DONE]":
                    yield json.loads(line[6:])

    with sync_client("httpx", chunks) as client:
        yield lines


@asynccontextmanager
async def araw(wire: str, chunks: Sequence[bytes]) -> AsyncIterator[Callable[[], Any]]:
    async def lines() -> AsyncIterator[Any]:
        body = {"model": MODELS[wire], "messages": MESSAGES, "stream": True}
        async with client.stream("POST", URL, json=body) as response:
            async for line in response.aiter_lines():
                if line.startswith("data: ") and line != "data: [DONE]":
                    yield json.loads(line[6:])

    async with async_client("httpx", chunks) as client:
        yield lines


@contextmanager
def ours(wire: str, chunks: Sequence[bytes]) -> Iterator[Callable[[], Any]]:
    with sync_client("httpx", chunks) as http:
        yield partial(
            completion, MODELS[wire], MESSAGES, stream=True, api_key=KEY, http_client=http
        )


@asynccontextmanager
async def aours(wire: str, chunks: Sequence[bytes]) -> AsyncIterator[Callable[[], Any]]:
    async with async_client("httpx", chunks) as http:
        yield partial(
            acompletion, MODELS[wire], MESSAGES, stream=True, api_key=KEY, http_client=http
        )


@contextmanager
def openai(chunks: Sequence[bytes]) -> Iterator[Callable[[], Any]]:
    sdk = importlib.import_module("openai")
    with sdk.OpenAI(api_key=KEY, http_client=sync_client("httpx2", chunks)) as client:
        create = client.chat.completions.create
        yield partial(create, model="gpt-4o", messages=MESSAGES, stream=True)


@asynccontextmanager
async def aopenai(chunks: Sequence[bytes]) -> AsyncIterator[Callable[[], Any]]:
    sdk = importlib.import_module("openai")
    async with sdk.AsyncOpenAI(api_key=KEY, http_client=async_client("httpx2", chunks)) as client:
        create = client.chat.completions.create
        yield partial(create, model="gpt-4o", messages=MESSAGES, stream=True)


@contextmanager
def litellm(chunks: Sequence[bytes]) -> Iterator[Callable[[], Any]]:
    library, sdk = map(importlib.import_module, ("litellm", "openai"))
    with sdk.OpenAI(api_key=KEY, http_client=sync_client("httpx2", chunks)) as client:
        yield partial(library.completion, "gpt-4o", MESSAGES, stream=True, client=client)


@asynccontextmanager
async def alitellm(chunks: Sequence[bytes]) -> AsyncIterator[Callable[[], Any]]:
    library, sdk = map(importlib.import_module, ("litellm", "openai"))
    async with sdk.AsyncOpenAI(api_key=KEY, http_client=async_client("httpx2", chunks)) as client:
        yield partial(library.acompletion, "gpt-4o", MESSAGES, stream=True, client=client)


@contextmanager
def anthropic(chunks: Sequence[bytes]) -> Iterator[Callable[[], Any]]:
    sdk = importlib.import_module("anthropic")
    with sdk.Anthropic(api_key=KEY, http_client=sync_client("httpx2", chunks)) as client:
        create = client.messages.create
        yield partial(create, model="claude", max_tokens=9, messages=MESSAGES, stream=True)


@asynccontextmanager
async def aanthropic(chunks: Sequence[bytes]) -> AsyncIterator[Callable[[], Any]]:
    sdk = importlib.import_module("anthropic")
    http = async_client("httpx2", chunks)
    async with sdk.AsyncAnthropic(api_key=KEY, http_client=http) as client:
        create = client.messages.create
        yield partial(create, model="claude", max_tokens=9, messages=MESSAGES, stream=True)
