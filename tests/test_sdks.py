"""The official SDKs get from a replay what they got from the socket."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support import SOAK

from cassette_stream import LoopbackServer, use_cassette
from cassette_stream.cassette import Request
from cassette_stream.exceptions import CassetteMissError, UnguardedConnectionError
from cassette_stream.script import Emit, Head, Script

PER_SDK = 100 if SOAK else 25
BROKEN = {"error_event", "http_error", "incomplete"}


def rows_of(corpus: Path, format_: str, provider: str | None = None) -> list[dict[str, Any]]:
    """Streams of one format that went well, from the corpus."""
    found = []
    for line in (corpus / "corpus" / "public_index.jsonl").read_text("utf-8").splitlines():
        row = json.loads(line)
        if row["format"] != format_ or row["status"] != 200 or row["kind"] != "sse":
            continue
        if row["provenance"] != "recorded" or BROKEN & set(row["features"]) or not row["events"]:
            continue
        if provider is None or row["provider"] == provider:
            row["body"] = (corpus / "corpus" / row["file"]).read_bytes()
            found.append(row)
    return found


def data_of(body: bytes) -> list[Any]:
    """The JSON of every event: a fold of the wire format that shares no code with ours."""
    found = []
    for block in body.decode("utf-8", "surrogateescape").replace("\r\n", "\n").split("\n\n"):
        lines = [line[5:].removeprefix(" ") for line in block.split("\n") if line[:5] == "data:"]
        if lines and (text := "\n".join(lines)) != "[DONE]":
            found.append(json.loads(text))
    return found


def cut(body: bytes) -> list[bytes]:
    """*body* in pieces of many sizes, so that events do not fall on chunks."""
    pieces, start, size = [], 0, 1
    while start < len(body):
        pieces.append(body[start : start + size])
        start, size = start + size, size % 97 * 3 + 5
    return pieces


Ask = Callable[[str, bool], list[Any]]


def both_ways(tmp_path: Path, row: dict[str, Any], ask: Ask, *, is_async: bool) -> list[Any]:
    """What the SDK gives from the socket, which must be what it gives from the replay."""

    def script(_: Request) -> Script:
        yield Head(200, (("content-type", "text/event-stream; charset=utf-8"),))
        yield from map(Emit, cut(row["body"]))

    path = tmp_path / f"{row['id'][-40:]}{is_async}.yaml"
    with LoopbackServer() as server:
        server.script(None, script)
        url = server.url
        bare = ask(url, is_async)
        with use_cassette(path, redact=None):
            live = ask(url, is_async)
    with use_cassette(path, mode="none", redact=None):
        replayed = ask(url, is_async)

    assert live == bare, row["id"]
    assert replayed == bare, row["id"]
    return replayed


def run(coroutine: Any) -> Any:
    import anyio

    async def main() -> Any:
        return await coroutine

    return anyio.run(main)


def dumped(it: Any) -> Any:
    # Providers send values that their SDKs did not expect; they pass them on all the same.
    return it.model_dump(warnings=False)


def words_of(content: Any) -> str:
    """The text of a delta's content, which some providers send in parts."""
    if isinstance(content, list):
        return "".join(part.get("text") or "" for part in content)
    return content or ""


class OpenAI:
    format, provider = "openai-chat", None

    @staticmethod
    def ask(url: str, is_async: bool) -> list[Any]:
        import openai

        options = {"base_url": f"{url}/v1", "api_key": "none", "max_retries": 0}
        question = {"model": "m", "messages": [{"role": "user", "content": "hi"}], "stream": True}
        if not is_async:
            with openai.OpenAI(**options) as client:
                return [dumped(it) for it in client.chat.completions.create(**question)]

        async def stream() -> list[Any]:
            async with openai.AsyncOpenAI(**options) as client:
                chunks = await client.chat.completions.create(**question)
                return [dumped(it) async for it in chunks]

        return run(stream())

    @staticmethod
    def text(chunks: list[Any]) -> str:
        return "".join(
            words_of(choice["delta"].get("content"))
            for chunk in chunks
            for choice in chunk.get("choices") or ()
            if choice.get("delta")
        )

    expected = text


class Groq(OpenAI):
    provider = "groq"

    @staticmethod
    def ask(url: str, is_async: bool) -> list[Any]:
        groq = pytest.importorskip("groq", reason="groq is in the group 'sdks'")
        options = {"base_url": url, "api_key": "none", "max_retries": 0}
        question = {"model": "m", "messages": [{"role": "user", "content": "hi"}], "stream": True}
        if not is_async:
            with groq.Groq(**options) as client:
                return [dumped(it) for it in client.chat.completions.create(**question)]

        async def stream() -> list[Any]:
            async with groq.AsyncGroq(**options) as client:
                chunks = await client.chat.completions.create(**question)
                return [dumped(it) async for it in chunks]

        return run(stream())


class Anthropic:
    format, provider = "anthropic", "anthropic"

    @staticmethod
    def ask(url: str, is_async: bool) -> list[Any]:
        import anthropic

        options = {"base_url": url, "api_key": "none", "max_retries": 0}
        question = {
            "model": "m",
            "max_tokens": 64,
            "messages": [{"role": "user", "content": "hi"}],
            "stream": True,
        }
        if not is_async:
            with anthropic.Anthropic(**options) as client:
                return [dumped(it) for it in client.messages.create(**question)]

        async def stream() -> list[Any]:
            async with anthropic.AsyncAnthropic(**options) as client:
                events = await client.messages.create(**question)
                return [dumped(it) async for it in events]

        return run(stream())

    @staticmethod
    def text(events: list[Any]) -> str:
        return "".join(
            event["delta"].get("text") or ""
            for event in events
            if event.get("type") == "content_block_delta"
        )

    expected = text


class Gemini:
    format, provider = "gemini", "google-gemini"

    @staticmethod
    def ask(url: str, is_async: bool) -> list[Any]:
        genai = pytest.importorskip("google.genai", reason="google-genai is in the group 'sdks'")
        import httpx2

        # Where aiohttp is installed, only a transport keeps its asynchronous side on httpx2.
        own = {"transport": httpx2.AsyncHTTPTransport()} if is_async else {}
        options = {"base_url": url, "async_client_args": own}
        client = genai.Client(api_key="none", http_options=options)
        question = {"model": "gemini-2.0-flash", "contents": "hi"}

        def without_http(chunk: Any) -> Any:
            return chunk.model_dump(exclude={"sdk_http_response"})

        if not is_async:
            with client:
                return [
                    without_http(it) for it in client.models.generate_content_stream(**question)
                ]

        async def stream() -> list[Any]:
            async with client.aio as aio:
                chunks = await aio.models.generate_content_stream(**question)
                return [without_http(it) async for it in chunks]

        return run(stream())

    @staticmethod
    def text(chunks: list[Any]) -> str:
        return "".join(
            part.get("text") or ""
            for chunk in chunks
            for candidate in chunk.get("candidates") or ()
            for part in (candidate.get("content") or {}).get("parts") or ()
        )

    expected = text


SDKS = [
    pytest.param(OpenAI, id="openai"),
    pytest.param(Anthropic, id="anthropic"),
    pytest.param(Groq, id="groq", marks=pytest.mark.sdk),
    pytest.param(Gemini, id="google-genai", marks=pytest.mark.sdk),
]


@pytest.mark.parametrize("sdk", SDKS)
def test_an_sdk_gets_from_the_replay_what_it_got_from_the_socket(
    tmp_path: Path, corpus: Path, sdk: Any
) -> None:
    told: dict[str, int] = defaultdict(int)
    for number, row in enumerate(rows_of(corpus, sdk.format, sdk.provider)[:PER_SDK]):
        chunks = both_ways(tmp_path, row, sdk.ask, is_async=bool(number % 2))

        assert sdk.text(chunks) == sdk.expected(data_of(row["body"])), row["id"]
        told["text" if sdk.text(chunks) else "no text"] += 1

    assert told["text"] >= 4
    print(f"\n{sdk.__name__}: {dict(told)}")


@pytest.mark.parametrize("sdk", SDKS)
@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
def test_a_miss_is_seen_even_where_the_sdk_swallows_it(
    tmp_path: Path, sdk: Any, *, is_async: bool
) -> None:
    path = tmp_path / "a.yaml"
    with LoopbackServer() as server, use_cassette(path):
        import httpx

        httpx.get(f"{server.url}/v1/models")
        url = server.url
    with pytest.raises(Exception) as caught, use_cassette(path, mode="none"):
        try:
            sdk.ask(url, is_async)
        except CassetteMissError:
            raise
        except Exception:
            if is_async:
                raise

    told = [str(caught.value), *getattr(caught.value, "__notes__", ())]
    assert any("nothing is recorded for POST" in text for text in told)


@pytest.mark.sdk
@pytest.mark.filterwarnings("ignore:Inheritance class:DeprecationWarning")
def test_google_genai_on_aiohttp_is_refused_by_name(tmp_path: Path) -> None:
    genai = pytest.importorskip("google.genai", reason="google-genai is in the group 'sdks'")
    pytest.importorskip("aiohttp", reason="aiohttp is in the group 'sdks'")

    async def ask() -> None:
        options = {"base_url": "http://192.0.2.1"}
        async with genai.Client(api_key="none", http_options=options).aio as client:
            await client.models.generate_content(model="m", contents="hi")

    with use_cassette(tmp_path / "a.yaml"):
        with pytest.raises(UnguardedConnectionError, match=r"aiohttp.*192\.0\.2\.1"):
            run(ask())
