"""Bugs of clients of streams: each is one step of a right client done wrong.

The class above a bug in its inheritance is the same client without it. Where a bug was
seen in the field its docstring names the thread.
"""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import httpx
from planted_client import AsyncClient, Client, ClientError, Messages, Value

# -- the body


class TrustsTheEnd(Client):
    """Whatever ends is an answer (ltmoerdani/opencode-copilot-chat#170)."""

    def check_whole(self, text: str, calls: list[Value], finish: str | None) -> None:
        pass


class KeepsWhatCame(TrustsTheEnd):
    """A connection that breaks ends the answer (BerriAI/litellm#33222)."""

    def pieces(self, response: httpx.Response) -> Iterator[bytes]:
        try:
            yield from super().pieces(response)
        except httpx.TransportError:
            return


class WaitsForEver(Client):
    """No read timeout (microsoft/amplifier#339: 8.7 hours)."""

    timeout = None


class HasNoDeadline(Client):
    """A read timeout, and nothing for the whole (measured: every client of today)."""

    deadline = None
    patience = math.inf


class LetsHttpxOut(Client):
    """The exceptions of httpx leave by another's API (anthropics/anthropic-sdk-python#1550)."""

    def ask(self) -> Value:
        return self.read([])


class DecodesEachChunk(Client):
    """A character over two chunks becomes two question marks (api7/aisix#111)."""

    def pieces(self, response: httpx.Response) -> Iterator[bytes]:
        for piece in super().pieces(response):
            yield piece.decode("utf-8", "replace").encode()


class TakesChunksForEvents(Client):
    """What one read gives is taken for whole events (graniet/llm#90)."""

    def events(self, pieces: Iterable[bytes]) -> Iterator[tuple[str, str]]:
        for piece in pieces:
            yield from super().events([piece if piece.endswith(b"\n\n") else piece + b"\n\n"])


class StartsOver(Client):
    """Asks again after output, and says the beginning twice (HKUDS/nanobot#4038)."""

    def ask(self) -> Value:
        said: list[str] = []
        for _ in range(2):
            try:
                return self.read(said)
            except httpx.HTTPError:
                continue
        raise ClientError("the connection, twice")


class ReadsOn(Client):
    """Reads to the end of the connection, not of the answer (openai/openai-python#3566)."""

    def values(self, events: Iterable[tuple[str, str]]) -> Iterator[Value]:
        yield from super().values(events)
        try:
            for _ in events:
                pass
        except httpx.ReadTimeout as error:
            raise TimeoutError("no end behind the end") from error


class LeavesItOpen(Client):
    """The response of a stream that fails is never closed (openai/openai-python#763)."""

    def opened(self, client: httpx.Client) -> AbstractContextManager[httpx.Response]:
        request = client.build_request("POST", self.url, json={"model": "model"})
        KEPT[:] = [client.send(request, stream=True)]
        return nullcontext(KEPT[0])

    def fold(self, values: Iterable[Value], said: list[str]) -> Value:
        answer = super().fold(values, said)
        KEPT[0].close()
        return answer


KEPT: list[httpx.Response] = []
"""As a cache of the application's would keep them."""


class LosesItsReader(AsyncClient):
    """The reading task dies, and the other waits for it: nobody ends the queue."""

    deadline = None

    async def tell(self, queue: asyncio.Queue[Any], error: Exception) -> None:
        pass


class LeavesItsReader(AsyncClient):
    """The reading task goes on behind the answer."""

    async def end(self, task: asyncio.Task[None]) -> None:
        pass


# -- the head


class IgnoresTheStatus(TrustsTheEnd):
    """The page of a gateway is read as a stream of nothing (VectifyAI/OpenKB#212)."""

    def check(self, response: httpx.Response) -> None:
        pass

    def events(self, pieces: Iterable[bytes]) -> Iterator[tuple[str, str]]:
        return (("message", line[5:]) for line in _lines(pieces) if line[:5] == "data:")


class CountsTheSeconds(Client):
    """``Retry-After`` is a date as well (modelcontextprotocol/typescript-sdk#1965)."""

    def check(self, response: httpx.Response) -> None:
        if response.status_code == 429:
            int(response.headers.get("retry-after", "1"))
        super().check(response)


# -- the events


def _lines(pieces: Iterable[bytes]) -> Iterator[str]:
    """The lines of a stream, by LF alone."""
    rest = b""
    for piece in pieces:
        *lines, rest = (rest + piece).split(b"\n")
        yield from (line.decode("utf-8", "replace") for line in lines)


class WantsABlank(TrustsTheEnd):
    """``data:`` without a blank is no data (envoyproxy/ai-gateway#2149)."""

    def events(self, pieces: Iterable[bytes]) -> Iterator[tuple[str, str]]:
        return (("message", line[6:]) for line in _lines(pieces) if line[:6] == "data: ")


class SplitsLines(Client):
    """``str.splitlines`` knows eight more line ends than the format (florimondmanca/httpx-sse#34)."""

    def events(self, pieces: Iterable[bytes]) -> Iterator[tuple[str, str]]:
        for line in b"".join(pieces).decode("utf-8", "replace").splitlines():
            if line.startswith("data:"):
                yield "message", line[5:].strip()


class ParsesNothing(Client):
    """An event without data is no JSON (openai/openai-python#2722)."""

    def events(self, pieces: Iterable[bytes]) -> Iterator[tuple[str, str]]:
        data: list[str] = []
        for line in _lines(pieces):
            if line.startswith("data:"):
                data.append(line[5:].strip())
            elif line.startswith(("id:", "event:", "retry:")):
                data.append("")
            elif not line.strip() and data:
                yield "message", "\n".join(data)
                data = []

    def values(self, events: Iterable[tuple[str, str]]) -> Iterator[Value]:
        for _, data in events:
            if data == "[DONE]":
                return
            yield json.loads(data)


class HearsTheHeartbeat(Client):
    """A proxy's comments are taken for progress (anomalyco/opencode#43618)."""

    deadline = float("inf")

    def events(self, pieces: Iterable[bytes]) -> Iterator[tuple[str, str]]:
        for name, data in super().events(self.beating(pieces)):
            self.patience = type(self).patience
            yield name, data

    def beating(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        for piece in pieces:
            if piece.startswith(b":"):
                self.patience += 60.0
            yield piece


class KnowsOneLineEnd(Client):
    """Events end with two LF, whoever sends them (Soju06/codex-lb#1011)."""

    def events(self, pieces: Iterable[bytes]) -> Iterator[tuple[str, str]]:
        for block in b"".join(pieces).decode().split("\n\n"):
            if data := block.partition("data:")[2]:
                yield "message", data.strip()


class DropsTheMark(Client):
    """With a byte order mark the first event is lost (measured: openai, anthropic, httpx-sse)."""

    def events(self, pieces: Iterable[bytes]) -> Iterator[tuple[str, str]]:
        return (("message", line[5:].strip()) for line in _lines(pieces) if line[:5] == "data:")


class KeepsTheLastLine(Client):
    """Of several data lines the last one counts (measured: litellm)."""

    def events(self, pieces: Iterable[bytes]) -> Iterator[tuple[str, str]]:
        data = ""
        for line in _lines(pieces):
            if line.startswith("data:"):
                data = line[5:].strip()
            elif not line.strip() and data:
                yield "message", data
                data = ""


class TrustingMessages(TrustsTheEnd, Messages):
    """Anthropic's, for the next."""


class WantsNames(TrustingMessages):
    """Events without a name are dropped, though their JSON says it (measured: anthropic)."""

    def kind(self, name: str, value: Value) -> str:
        return name

    def values(self, events: Iterable[tuple[str, str]]) -> Iterator[Value]:
        return super().values((name, data) for name, data in events if name != "message")


class HasALimit(Client):
    """A line of 128 KiB is "Chunk too big" (googleapis/python-genai#2248)."""

    def value(self, data: str) -> Any:
        if len(data) > 128 * 1024:
            raise ValueError("Chunk too big")
        return super().value(data)


class PassesOverLines(TrustsTheEnd):
    """An error that is in no event is passed over (BerriAI/litellm#4500)."""

    def events(self, pieces: Iterable[bytes]) -> Iterator[tuple[str, str]]:
        return (("message", line[5:].strip()) for line in _lines(pieces) if line[:5] == "data:")


# -- their JSON


class SkipsWhatItCannotRead(Client):
    """JSON that breaks off is skipped (BerriAI/litellm#10410; measured: litellm)."""

    def value(self, data: str) -> Any:
        try:
            return super().value(data)
        except ClientError:
            return {}


class ReadsTheFirst(Client):
    """Of two objects on a line the second is lost (measured: litellm)."""

    def value(self, data: str) -> Any:
        try:
            return json.JSONDecoder(strict=True).raw_decode(data)[0]
        except (ValueError, RecursionError) as error:
            raise ClientError("no JSON") from error


class CountsOnObjects(Client):
    """``null`` is JSON too, and has no keys (measured: the helpers of openai)."""

    def value(self, data: str) -> Any:
        try:
            return json.loads(data)
        except (ValueError, RecursionError) as error:
            raise ClientError("no JSON") from error


class EncodesHalves(Client):
    """Half a character cannot be encoded (infiniflow/ragflow#9246)."""

    def take(self, delta: Value, said: list[str], calls: dict[int, Value]) -> None:
        super().take(delta, said, calls)
        said[-1].encode()


# -- what they say


class MissesTheError(TrustsTheEnd):
    """An error behind a 200 is a chunk without choices (anthropics/anthropic-sdk-python#1918)."""

    def refuse(self, value: Value) -> None:
        pass


class MakesUpTheFinish(Client):
    """What does not say why it ended ended well (agentjido/req_llm#638)."""

    def answer(self, said: list[str], calls: list[Value], finish: str | None) -> Value:
        return super().answer(said, calls, finish or "stop")


class CountsOnAChoice(Client):
    """``choices[0]`` of an empty list (microsoft/semantic-kernel#3650)."""

    def choices(self, value: Value) -> list[Value]:
        return [value["choices"][0]]


class CountsOnADelta(Client):
    """``choice["delta"]`` is missing (langchain-ai/langchain#18977)."""

    def delta(self, choice: Value) -> Value:
        return choice["delta"]


class CallsWithHalf(Client):
    """Arguments that break off are called with (langchain-ai/langchain#39275)."""

    def check_whole(self, text: str, calls: list[Value], finish: str | None) -> None:
        super().check_whole(text, [], finish)


class JoinsNames(Client):
    """The pieces of a name are joined, and some servers repeat all of it in each."""

    def take_part(self, part: Value, calls: dict[int, Value]) -> None:
        index = part.get("index")
        before = calls[index]["name"] if index in calls else ""
        super().take_part(part, calls)
        if index is not None:
            calls[index]["name"] = before + ((part.get("function") or {}).get("name") or "")
