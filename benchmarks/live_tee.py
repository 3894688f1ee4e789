"""A live stream while it is recorded: when its head, its first and its last chunk arrive.

The server sends 20 events 50 ms apart, from a process of its own. So has every recorder:
they run at the same time, so that the machine's noise hits all alike, and each takes
every client through the same streams in turn. Connections stand before the first stream
that counts. What others do on the machine makes a stream late and never early: where
medians are late and the best streams are not, the machine was busy.
"""

from __future__ import annotations

import asyncio
import importlib
import statistics
import tempfile
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, AsyncExitStack, nullcontext
from dataclasses import dataclass
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
    from multiprocessing.connection import Connection

    from cassette_stream import Request
    from cassette_stream.script import Script

EVENTS = 20
GAP = 0.05
ROUNDS = 4
MOST_ADDED = 5.0
WITHOUT, OURS = "no recorder", "cassette-stream"
WARM_UP = "in no time"

Moments: TypeAlias = list[float]
"""Milliseconds from the request to the head, then to each chunk."""


def answer(words: int) -> ModelResponse:
    message = Message(content="word" * words)
    choice = Choices(index=0, message=message, finish_reason="stop")
    return ModelResponse(id="answer", created=0, model="loopback", choices=[choice])


def serve(pipe: Connection) -> None:
    """Serve both dialects until the other end says a word."""
    chat = list(openai_chat.encode(answer(EVENTS - 3), pieces=(4,)))
    messages = list(anthropic.encode(answer(EVENTS - 6), pieces=(4,)))
    assert len(chat) == len(messages) == EVENTS, (len(chat), len(messages))

    def script(request: Request) -> Script:
        events = messages if request.url.endswith("/messages") else chat
        gap = 0.0 if WARM_UP.encode() in request.body else GAP
        return streamed(events, gap=gap, first_gap=gap)

    with LoopbackServer() as server:
        server.script(None, script)
        pipe.send(server.url)
        pipe.recv()


def ask(library: str, model: str) -> dict[str, Any]:
    body: dict[str, Any] = {
        "model": model,
        "messages": [{"role": "user", "content": "Count."}],
        "stream": True,
    }
    return body | {"max_tokens": 100} if library == "anthropic" else body


def request(client: Any, library: str, model: str) -> Any:
    """What gives the stream, in a ``with``, once it has sent the request."""
    body = ask(library, model)
    match library:
        case "openai":
            return client.chat.completions.create(**body)
        case "anthropic":
            return client.messages.create(**body)
    return client.stream("POST", "/v1/chat/completions", json=body)


def by_http(client: Any, library: str, model: str) -> Moments:
    start = now()
    with request(client, library, model) as response:
        return since(start, [now(), *(now() for _ in response.iter_bytes())])


async def by_async_http(client: Any, library: str, model: str) -> Moments:
    start = now()
    async with request(client, library, model) as response:
        head = now()
        return since(start, [head, *[now() async for _ in response.aiter_bytes()]])


def by_sdk(client: Any, library: str, model: str) -> Moments:
    start = now()
    with request(client, library, model) as stream:
        return since(start, [now(), *(now() for _ in stream)])


async def by_async_sdk(client: Any, library: str, model: str) -> Moments:
    start = now()
    async with await request(client, library, model) as stream:
        head = now()
        return since(start, [head, *[now() async for _ in stream]])


def since(start: float, moments: Iterable[float]) -> Moments:
    return [(moment - start) * 1000 for moment in moments]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of client: its *name* in its *library*, and how a stream is taken from one."""

    library: str
    name: str
    take: Callable[[Any, str, str], Any]

    def make(self, url: str) -> Any:
        make = getattr(importlib.import_module(self.library), self.name)
        if self.library in {"httpx", "httpx2"}:
            return make(base_url=url)
        base = f"{url}/v1" if self.library == "openai" else url
        return make(base_url=base, api_key="none", max_retries=0)


KINDS = {
    "httpx": Kind(library="httpx", name="Client", take=by_http),
    "httpx, async": Kind(library="httpx", name="AsyncClient", take=by_async_http),
    "httpx2": Kind(library="httpx2", name="Client", take=by_http),
    "httpx2, async": Kind(library="httpx2", name="AsyncClient", take=by_async_http),
    "openai": Kind(library="openai", name="OpenAI", take=by_sdk),
    "openai, async": Kind(library="openai", name="AsyncOpenAI", take=by_async_sdk),
    "anthropic": Kind(library="anthropic", name="Anthropic", take=by_sdk),
    "anthropic, async": Kind(library="anthropic", name="AsyncAnthropic", take=by_async_sdk),
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


def listen(recorder: str, kinds: Sequence[str], url: str, pipe: Connection) -> None:
    """Send a word when warm, and when the other end says one, what each client saw by round.

    This is the life of a recorder's process.
    """
    with tempfile.TemporaryDirectory() as folder, asyncio.Runner() as runner:
        path, stack = Path(folder, "live.yaml"), AsyncExitStack()
        clients = {name: KINDS[name].make(url) for name in kinds}

        def take(name: str, model: str) -> Moments:
            kind = KINDS[name]
            with recording(recorder, path):
                got = kind.take(clients[name], kind.library, model)
                moments: Moments = runner.run(got) if asyncio.iscoroutine(got) else got
            assert path.is_file() is (recorder != WITHOUT), f"{recorder} did not record {name}"
            path.unlink(missing_ok=True)
            return moments

        for name, client in clients.items():
            if name.endswith("async"):
                runner.run(stack.enter_async_context(client))
            else:
                stack.enter_context(client)
            take(name, WARM_UP)
        pipe.send("warm")
        pipe.recv()
        rounds = [{name: take(name, "loopback") for name in kinds} for _ in range(ROUNDS)]
        pipe.send({name: [each[name] for each in rounds] for name in kinds})
        runner.run(stack.aclose())


def heard(recorders: Sequence[str], kinds: Sequence[str]) -> list[dict[str, list[Moments]]]:
    """What `listen` tells of each of the *recorders*, all at the same time."""
    spawn = get_context("spawn")

    def start(target: Callable[..., None], *arguments: object) -> tuple[Any, Any]:
        here, there = spawn.Pipe()
        process = spawn.Process(target=target, args=(*arguments, there), daemon=True)
        process.start()
        there.close()  # so that a process that dies is the end of its pipe
        return process, here

    server, to_server = start(serve)
    url = to_server.recv()
    listeners = [start(listen, recorder, kinds, url) for recorder in recorders]
    for word in ("warm", "go"):
        for _, pipe in listeners:
            if word == "go":
                pipe.send(word)
            else:
                pipe.recv()
    seen = [pipe.recv() for _, pipe in listeners]
    to_server.send("stop")
    for process in (server, *(process for process, _ in listeners)):
        process.join()
    return seen


def told(rounds: Sequence[Moments], figure: Callable[[Iterable[float]], float]) -> list[float]:
    """The *figure* of the moments of head, first and last chunk."""
    return [figure(each[place] for each in rounds) for place in (0, 1, -1)]


def text(moments: Iterable[float], form: str) -> str:
    return " / ".join(format(moment, form) for moment in moments)


def chunks_of(rounds: Sequence[Moments]) -> str:
    return " or ".join(map(str, sorted({len(each) - 1 for each in rounds})))


def verdict(medians: Iterable[float], best: Iterable[float]) -> str:
    if max(medians) <= MOST_ADDED:
        return f"within {MOST_ADDED:g} ms"
    return "busy: run again" if max(best) <= MOST_ADDED else "TOO LATE"


def main() -> None:
    introduce(
        f"Live tee: {EVENTS} events {GAP * 1000:g} ms apart, over loopback; milliseconds from the "
        f"request to head / first chunk / last chunk, medians of {ROUNDS} streams",
        *(OURS, "httpx", "httpx2", "openai", "anthropic", "vcrpy", "cassetter"),
    )
    peers = [name for name in ("vcrpy", "cassetter") if version_of(name)]
    kinds = [name for name, kind in KINDS.items() if version_of(kind.library)]
    recorders = [WITHOUT, OURS, *peers]
    seen = dict(zip(recorders, heard(recorders, kinds), strict=True))
    ours, theirs = [], []
    for kind in kinds:
        row = [kind]
        added = []
        for figure in (statistics.median, min):
            clean, taped = (told(seen[name][kind], figure) for name in (WITHOUT, OURS))
            added.append([b - a for a, b in zip(clean, taped, strict=True)])
            row += [text(added[-1], "+.1f")]
        ours.append([*row, verdict(*added)])
        rounds = [seen[name][kind] for name in recorders]
        medians = [told(it, statistics.median) for it in rounds]
        theirs.append(
            [kind]
            + [f"{text(m, '.0f')} ({chunks_of(it)})" for m, it in zip(medians, rounds, strict=True)]
        )
    show("medians (chunks that the caller got)", ["client", *recorders], theirs)
    show(f"added by {OURS}", ["client", "between medians", "between the best", "verdict"], ours)


if __name__ == "__main__":
    main()
