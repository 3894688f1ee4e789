"""A live stream while it is recorded: when its head, its first and its last chunk arrive.

The server sends 20 events 50 ms apart, from a process of its own. So has every recorder:
they run at the same time, so that the machine's noise hits all alike, and each takes
every client through the same streams in turn. Each stream has a client of its own; its
connection is part of what is timed, its making and the opening of the cassette are not.
"""

from __future__ import annotations

import asyncio
import importlib
import statistics
import tempfile
from concurrent.futures import ProcessPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from time import perf_counter as now
from typing import TYPE_CHECKING, Any, TypeAlias

from measure import introduce, show, version_of

from cassette_stream import LoopbackServer, use_cassette
from cassette_stream.chunks import Choices, Message, ModelResponse
from cassette_stream.dialects import anthropic, openai_chat
from cassette_stream.server import streamed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from multiprocessing.connection import Connection

EVENTS = 20
GAP = 0.05
ROUNDS = 5
MOST_ADDED = 5.0
WITHOUT, OURS = "no recorder", "cassette-stream"
ASK: dict[str, Any] = {
    "model": "loopback",
    "messages": [{"role": "user", "content": "Count."}],
    "stream": True,
}

Moments: TypeAlias = "list[float]"
"""Milliseconds from the request to the head, then to each chunk."""


def answer(words: int) -> ModelResponse:
    message = Message(content="word" * words)
    choice = Choices(index=0, message=message, finish_reason="stop")
    return ModelResponse(id="answer", created=0, model="loopback", choices=[choice])


def serve(pipe: Connection) -> None:
    """Serve both dialects, at once below ``/warm``, until the other end says a word."""
    chat = list(openai_chat.encode(answer(EVENTS - 3), pieces=(4,)))
    messages = list(anthropic.encode(answer(EVENTS - 6), pieces=(4,)))
    assert len(chat) == len(messages) == EVENTS, (len(chat), len(messages))
    with LoopbackServer() as server:
        for path, events in (("/v1/chat/completions", chat), ("/v1/messages", messages)):
            server.script(path, lambda _, it=events: streamed(it, gap=GAP, first_gap=GAP))
            server.script(f"/warm{path}", lambda _, it=events: streamed(it))
        pipe.send(server.url)
        pipe.recv()


def since(start: float, moments: Iterable[float]) -> Moments:
    return [(moment - start) * 1000 for moment in moments]


def by_http(url: str, *, library: str) -> Moments:
    with importlib.import_module(library).Client() as client:
        start = now()
        with client.stream("POST", f"{url}/v1/chat/completions", json=ASK) as response:
            moments = [now(), *(now() for _ in response.iter_bytes())]
    return since(start, moments)


async def by_async_http(url: str, *, library: str) -> Moments:
    async with importlib.import_module(library).AsyncClient() as client:
        start = now()
        async with client.stream("POST", f"{url}/v1/chat/completions", json=ASK) as response:
            moments = [now()]
            moments += [now() async for _ in response.aiter_bytes()]
    return since(start, moments)


def create(client: Any, library: str) -> Any:
    if library == "openai":
        return client.chat.completions.create(**ASK)
    return client.messages.create(**ASK, max_tokens=100)


def sdk_client(name: str, url: str, library: str) -> Any:
    base = f"{url}/v1" if library == "openai" else url
    make = getattr(importlib.import_module(library), name)
    return make(base_url=base, api_key="none", max_retries=0)


def by_sdk(url: str, *, library: str, client: str) -> Moments:
    with sdk_client(client, url, library) as sdk:
        start = now()
        with create(sdk, library) as stream:
            moments = [now(), *(now() for _ in stream)]
    return since(start, moments)


async def by_async_sdk(url: str, *, library: str, client: str) -> Moments:
    async with sdk_client(client, url, library) as sdk:
        start = now()
        async with await create(sdk, library) as stream:
            moments = [now()]
            moments += [now() async for _ in stream]
    return since(start, moments)


CLIENTS: dict[str, Callable[[str], Any]] = {
    "httpx": partial(by_http, library="httpx"),
    "httpx, async": partial(by_async_http, library="httpx"),
    "httpx2": partial(by_http, library="httpx2"),
    "httpx2, async": partial(by_async_http, library="httpx2"),
    "openai": partial(by_sdk, library="openai", client="OpenAI"),
    "openai, async": partial(by_async_sdk, library="openai", client="AsyncOpenAI"),
    "anthropic": partial(by_sdk, library="anthropic", client="Anthropic"),
    "anthropic, async": partial(by_async_sdk, library="anthropic", client="AsyncAnthropic"),
}


def recording(recorder: str, path: Path) -> AbstractContextManager[object]:
    """The recorder at work, as its documentation shows it first."""
    if recorder == WITHOUT:
        return nullcontext()
    if recorder == OURS:
        return use_cassette(path, mode="rewrite")
    module = {"vcrpy": "vcr"}.get(recorder, recorder)
    opened: AbstractContextManager[object] = importlib.import_module(module).use_cassette(str(path))
    return opened


def take(recorder: str, client: str, url: str, path: Path) -> Moments:
    """The moments of one stream, recorded to *path*, which is removed."""
    stream = CLIENTS[client]
    moments: Moments
    with recording(recorder, path):
        if client.endswith("async"):
            moments = asyncio.run(stream(url))
        else:
            moments = stream(url)
    assert recorder == WITHOUT or path.stat().st_size, f"{recorder} wrote nothing"
    path.unlink(missing_ok=True)
    return moments


def streams_of(recorder: str, clients: Sequence[str], url: str) -> dict[str, list[Moments]]:
    """What each of the *clients* saw, round after round; runs in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "live.yaml")
        for client in clients:
            take(recorder, client, f"{url}/warm", path)
        rounds = [
            {client: take(recorder, client, url, path) for client in clients}
            for _ in range(ROUNDS)
        ]
    return {client: [each[client] for each in rounds] for client in clients}


def middle(rounds: Sequence[Moments]) -> tuple[float, float, float]:
    """The medians of the moments of head, first and last chunk."""
    head, first, last = (statistics.median(each[place] for each in rounds) for place in (0, 1, -1))
    return head, first, last


def text(moments: Iterable[float], form: str = ".1f") -> str:
    return " / ".join(format(moment, form) for moment in moments)


def chunks_of(rounds: Sequence[Moments]) -> str:
    counts = sorted({len(each) - 1 for each in rounds})
    return " or ".join(map(str, counts))


def verdict(added: Sequence[float]) -> str:
    return f"within {MOST_ADDED:g} ms" if max(added) <= MOST_ADDED else "TOO LATE"


def main() -> None:
    introduce(
        f"Live tee: {EVENTS} events {GAP * 1000:g} ms apart, over loopback; milliseconds from the "
        f"request to head / first chunk / last chunk, medians of {ROUNDS} streams",
        *(OURS, "httpx", "httpx2", "openai", "anthropic", "vcrpy", "cassetter"),
    )
    peers = [name for name in ("vcrpy", "cassetter") if version_of(name)]
    clients = [name for name in CLIENTS if version_of(name.removesuffix(", async"))]
    spawn = get_context("spawn")
    pipe, end = spawn.Pipe()
    server = spawn.Process(target=serve, args=(end,), daemon=True)
    server.start()
    recorders = [WITHOUT, OURS, *peers]
    with ProcessPoolExecutor(len(recorders), mp_context=spawn) as pool:
        work = partial(streams_of, clients=clients, url=pipe.recv())
        seen = dict(zip(recorders, pool.map(work, recorders), strict=True))
    pipe.send("stop")
    server.join()
    ours, theirs = [], []
    for client in clients:
        clean, taped = middle(seen[WITHOUT][client]), middle(seen[OURS][client])
        added = [b - a for a, b in zip(clean, taped, strict=True)]
        ours.append([client, text(clean), text(taped), text(added, "+.1f"), verdict(added)])
        theirs.append([client])
        for recorder in recorders:
            rounds = seen[recorder][client]
            theirs[-1].append(f"{text(middle(rounds), '.0f')} ({chunks_of(rounds)})")
    show("recorded by cassette-stream", ["client", WITHOUT, OURS, "added", "verdict"], ours)
    show("beside its peers (chunks that the caller got)", ["client", *recorders], theirs)


if __name__ == "__main__":
    main()
