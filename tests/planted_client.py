"""A client of streams that reads them as they should be read, step by step.

It is written by hand on httpx, and each bug of `planted` is one step of it done wrong.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import Any

import httpx

from cassette_stream.cassette import Request
from cassette_stream.cassette.model import Cassette, How
from cassette_stream.cassette.write import dumps
from cassette_stream.exceptions import WireFormatError
from cassette_stream.recorder import Recorder
from cassette_stream.script import Emit, Head, Step, Wait
from cassette_stream.wire import SSEDecoder


def cassette(steps: Iterable[Step], url: str) -> bytes:
    """The cassette of one request to *url* that *steps* answered."""
    recorder = Recorder(Request(method="POST", url=url), recorded_at=DATE, at=0.0)
    moment = 0.0
    for step in steps:
        match step:
            case Wait(seconds):
                moment += seconds
            case Head(status, headers):
                recorder.head(status, {name: (value,) for name, value in headers}, at=moment)
            case Emit(data):
                recorder.hear(data, moment)
    interaction = recorder.finish(How.COMPLETE, at=moment)
    return dumps(Cassette(interactions=(interaction,), recorded_with="planted"))


DATE = datetime(2026, 1, 1, tzinfo=UTC)
FINISHED = frozenset({"stop", "length", "tool_calls", "content_filter"})
Value = dict[str, Any]


class ClientError(Exception):
    """What the user of this client is told to expect."""


class Client:
    """Asks for a chat completion, and gives it as one."""

    url = "https://api.openai.com/v1/chat/completions"
    timeout: float | None = 10.0
    patience = 60.0
    """Seconds that may pass without an event."""
    deadline: float | None = 120.0
    """And without an answer."""

    def ask(self) -> Value:
        try:
            return self.read([])
        except httpx.HTTPError as error:
            raise ClientError(f"the connection: {error}") from error

    def read(self, said: list[str]) -> Value:
        # Without the certificates, which nobody here asks for, a client costs little.
        with (
            httpx.Client(timeout=self.timeout, verify=False) as client,
            self.opened(client) as response,
        ):
            self.check(response)
            return self.fold(self.values(self.events(self.pieces(response))), said)

    def opened(self, client: httpx.Client) -> AbstractContextManager[httpx.Response]:
        return client.stream("POST", self.url, json={"model": "model", "stream": True})

    def check(self, response: httpx.Response) -> None:
        if response.status_code != 200:
            raise ClientError(f"status {response.status_code}")

    def pieces(self, response: httpx.Response) -> Iterator[bytes]:
        started = time.monotonic()
        for piece in response.iter_bytes():
            yield piece
            if self.deadline is not None and time.monotonic() - started > self.deadline:
                raise ClientError("it takes too long")

    def events(self, pieces: Iterable[bytes]) -> Iterator[tuple[str, str]]:
        """Name and data of each event."""
        decoder, heard = SSEDecoder(), time.monotonic()
        try:
            for piece in pieces:
                for event in decoder.feed(piece):
                    heard = time.monotonic()
                    yield event.event, event.data
                if time.monotonic() - heard > self.patience:
                    raise ClientError("no event for too long")
                if decoder.stray:
                    raise ClientError(f"what is {decoder.stray!r}?")
            for event in decoder.finish():
                yield event.event, event.data
        except WireFormatError as error:
            raise ClientError(str(error)) from error

    def values(self, events: Iterable[tuple[str, str]]) -> Iterator[Value]:
        for _, data in events:
            if data.strip() == "[DONE]":
                return
            if data:
                value = self.value(data)
                self.refuse(value)
                yield value

    def value(self, data: str) -> Any:
        try:
            value = json.loads(data)
        except (ValueError, RecursionError) as error:
            raise ClientError(f"no JSON: {data[:50]}") from error
        if not isinstance(value, dict):
            raise ClientError(f"no chunk: {data[:50]}")
        return value

    def refuse(self, value: Value) -> None:
        """Raise the error that *value* tells, if it does."""
        if not value.keys().isdisjoint(("error", "detail", "message")):
            raise ClientError(str(value))

    def choices(self, value: Value) -> list[Value]:
        return value.get("choices") or []

    def fold(self, values: Iterable[Value], said: list[str]) -> Value:
        calls: dict[int, Value] = {}
        finish = None
        for value in values:
            for choice in self.choices(value):
                self.take(self.delta(choice), said, calls)
                finish = choice.get("finish_reason") or finish
        return self.answer(said, list(calls.values()), finish)

    def delta(self, choice: Value) -> Value:
        return choice.get("delta") or {}

    def take(self, delta: Value, said: list[str], calls: dict[int, Value]) -> None:
        content = delta.get("content") or ""
        if isinstance(content, list):
            content = "".join(part.get("text", "") for part in content)
        said.append(content)
        for part in delta.get("tool_calls") or ():
            self.take_part(part, calls)

    def take_part(self, part: Value, calls: dict[int, Value]) -> None:
        told = part.get("function") or {}
        index, arguments = part.get("index"), told.get("arguments") or ""
        if not isinstance(index, int) or not isinstance(arguments, str):
            raise ClientError(f"no part of a tool call: {part}")
        call = calls.setdefault(index, {"id": part.get("id"), "name": "", "arguments": ""})
        if part.get("id") not in {None, "", call["id"]}:
            raise ClientError(f"two calls at index {index}")
        call["name"] = call["name"] or told.get("name") or ""
        call["arguments"] += arguments

    def answer(self, said: list[str], calls: list[Value], finish: str | None) -> Value:
        text = self.text("".join(said))
        self.check_whole(text, calls, finish)
        told = [{"id": it["id"], "type": "function", "function": it} for it in calls]
        message = {"role": "assistant", "content": text, "tool_calls": told or None}
        return {"choices": [{"index": 0, "message": message, "finish_reason": finish}]}

    def check_whole(self, text: str, calls: list[Value], finish: str | None) -> None:
        if finish not in FINISHED:
            raise ClientError(f"it did not finish: {finish}")
        if not text and not calls:
            raise ClientError("the answer is empty")
        for call in calls:
            self.value(call["arguments"])

    def text(self, text: str) -> str:
        """*text*, with the halves of a character that came apart put together."""
        try:
            return text.encode("utf-16", "surrogatepass").decode("utf-16")
        except UnicodeError as error:
            raise ClientError("half a character") from error


class Messages(Client):
    """The same for Anthropic's events."""

    url = "https://api.anthropic.com/v1/messages"

    def values(self, events: Iterable[tuple[str, str]]) -> Iterator[Value]:
        starts = 0
        for name, data in events:
            value = self.value(data) if data else {}
            kind = self.kind(name, value)
            starts += kind == "message_start"
            if starts > 1:
                raise ClientError("it starts again")
            if kind == "message_stop":
                return
            if kind == "error":
                raise ClientError(data)
            delta = value.get("delta") or {}
            reason = {"end_turn": "stop"}.get(delta.get("stop_reason"), delta.get("stop_reason"))
            yield {"choices": [{"delta": {"content": delta.get("text")}, "finish_reason": reason}]}

    def kind(self, name: str, value: Value) -> str:
        return value.get("type", name)


class AsyncClient(Client):
    """The same with a task that reads and one that folds."""

    async def ask(self) -> Value:  # type: ignore[override]  # the asynchronous twin
        queue: asyncio.Queue[bytes | Exception | None] = asyncio.Queue()
        task = asyncio.ensure_future(self.pump(queue))
        try:
            async with asyncio.timeout(self.deadline):
                pieces = [piece async for piece in self.received(queue)]
        except TimeoutError as error:
            raise ClientError("it takes too long") from error
        except httpx.HTTPError as error:
            raise ClientError(f"the connection: {error}") from error
        finally:
            await self.end(task)
        return self.fold(self.values(self.events(pieces)), [])

    async def pump(self, queue: asyncio.Queue[bytes | Exception | None]) -> None:
        """Put each piece, and in the end None, or what went wrong."""
        try:
            async with (
                httpx.AsyncClient(timeout=self.timeout, verify=False) as client,
                client.stream("POST", self.url, json={"model": "model"}) as response,
            ):
                self.check(response)
                async for piece in response.aiter_bytes():
                    await queue.put(piece)
        except (httpx.HTTPError, ClientError) as error:
            await self.tell(queue, error)
        else:
            await queue.put(None)

    async def tell(self, queue: asyncio.Queue[bytes | Exception | None], error: Exception) -> None:
        await queue.put(error)

    async def received(
        self, queue: asyncio.Queue[bytes | Exception | None]
    ) -> AsyncIterator[bytes]:
        while (piece := await queue.get()) is not None:
            if isinstance(piece, Exception):
                raise piece
            yield piece
            if b"[DONE]" in piece:
                return

    async def end(self, task: asyncio.Task[None]) -> None:
        task.cancel()
        await asyncio.wait([task])
