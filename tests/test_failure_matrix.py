"""What can go wrong with a stream, on a real socket, for every format that has the notion."""

from __future__ import annotations

import re
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from wires import (
    ANTHROPIC,
    DONE,
    EVENTS,
    FRAMES,
    GEMINI,
    LINES,
    OLLAMA,
    OPENAI,
    RESPONSES,
    WIRES,
    Wire,
    chat_wire,
    event,
    typed,
)

from cassette_stream import LoopbackServer, use_cassette
from cassette_stream.client import acompletion, completion
from cassette_stream.exceptions import (
    APIConnectionError,
    APIError,
    BadRequestError,
    EmptyStreamError,
    InternalServerError,
    MalformedStreamError,
    StreamProtocolError,
    StreamTruncatedError,
    Timeout,
)
from cassette_stream.script import Emit, Fail, FailureKind, Head, Step

pytestmark = pytest.mark.matrix(3)

MESSAGES = [{"role": "user", "content": "Hello"}]
FIN = Fail(FailureKind.FIN)
RESET = Fail(FailureKind.RESET)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What is sent, and what the caller sees of it.

    Attributes:
        sent: What comes in the body, and how it breaks; a head where there is another.
        raises: What ends it, an attribute of the format where they differ; None where it is
            no error.
        cause: The name of the HTTP library's own exception, if there is one.
        text: What was said until then.
        by_the_call: The call raises, not the loop.
        terminal: Whether the end was announced, where it is no error.
        lenient: The text where *strict* is off, and that is no error.
        wires: The formats that have the notion.
    """

    sent: Callable[[Wire], Sequence[bytes | Step]]
    raises: type[APIError] | str | None = None
    cause: str | None = None
    text: str = "Hello"
    by_the_call: bool = False
    terminal: bool | None = None
    lenient: str | None = None
    wires: tuple[Wire, ...] = WIRES

    def steps(self, wire: Wire) -> list[Step]:
        first, *rest = self.sent(wire) or [b""]
        begin = first if isinstance(first, Head) else head(wire.kind)
        pieces = rest if first is begin else [first, *rest]
        return [begin, *(Emit(it) if isinstance(it, bytes) else it for it in pieces)]


def head(kind: str = "text/event-stream", **more: str) -> Head:
    beside = ((name.replace("_", "-"), value) for name, value in more.items())
    return Head(200, (("content-type", kind), ("x-request-id", "r-1"), *beside))


def over_two_lines(wire: Wire) -> list[bytes]:
    return [wire.whole.replace(b"data: {", b"data: {\ndata: ")]


def without_names(wire: Wire) -> list[bytes]:
    return [re.sub(rb"event: .*\n", b"", wire.whole)]


JSON = head("application/json")
TOLD = tuple(wire for wire in WIRES if wire is not GEMINI)  # who say that nothing more comes
LOOSE = (OPENAI, ANTHROPIC, GEMINI, *FRAMES)  # and those whose finish does not say so
WITHOUT_OLLAMA = (*EVENTS, *FRAMES)  # of which JSON may be a stream

ROWS: dict[str, Row] = {
    "clean EOF, no finish, no terminal": Row(
        sent=lambda wire: [wire.hello],
        raises=StreamTruncatedError,
    ),
    "[DONE] but no finish_reason": Row(
        sent=lambda wire: [wire.hello, DONE],
        raises=StreamTruncatedError,
        wires=EVENTS,
    ),
    "message_stop but no stop_reason": Row(
        sent=lambda wire: [wire.hello, wire.terminal],
        raises=StreamTruncatedError,
        wires=(ANTHROPIC,),
    ),
    "one of two choices never finishes": Row(
        sent=lambda wire: [wire.hello, wire.finish.replace(b'"index": 0', b'"index": 1'), DONE],
        raises=StreamTruncatedError,
        wires=(OPENAI, GEMINI),
    ),
    "finish seen, no [DONE]/message_stop": Row(
        sent=lambda wire: [wire.hello, wire.finish],
        terminal=False,
        wires=LOOSE,
    ),
    "finish seen, and [DONE]/message_stop/response.completed": Row(
        sent=lambda wire: [wire.hello, wire.finish, wire.terminal],
        terminal=True,
        wires=TOLD,
    ),
    "connection cut inside chunked body": Row(
        sent=lambda wire: [wire.hello, FIN],
        raises=StreamTruncatedError,
        cause="RemoteProtocolError",
    ),
    "connection cut inside chunked body, before the first chunk": Row(
        sent=lambda wire: [wire.nothing, FIN],
        raises=StreamTruncatedError,
        cause="RemoteProtocolError",
        text="",
    ),
    "connection cut after the finish reason": Row(
        sent=lambda wire: [wire.hello, wire.finish, FIN],
        terminal=False,
        wires=LOOSE,
    ),
    "connection reset after the finish reason": Row(
        sent=lambda wire: [wire.hello, wire.finish, RESET],
        terminal=False,
        wires=LOOSE,
    ),
    "connection cut after the terminal": Row(
        sent=lambda wire: [wire.hello, wire.finish, wire.terminal, FIN],
        terminal=True,
        wires=TOLD,
    ),
    "close-delimited body ends early": Row(
        sent=lambda wire: [head(connection="close"), wire.hello],
        raises=StreamTruncatedError,
    ),
    "close-delimited body": Row(
        sent=lambda wire: [head(connection="close"), wire.whole], text="Hello, you"
    ),
    "Content-Length larger than body": Row(
        sent=lambda wire: [head(content_length="99999"), wire.hello],
        raises=StreamTruncatedError,
        cause="RemoteProtocolError",
    ),
    "TCP reset": Row(
        sent=lambda wire: [wire.hello, RESET],
        raises=APIConnectionError,
        cause="ReadError",
    ),
    "half an event then EOF": Row(
        sent=lambda wire: [wire.hello, wire.you[:-12]],
        raises=StreamTruncatedError,
    ),
    "half an event then the connection is cut": Row(
        sent=lambda wire: [wire.hello, wire.you[:-12], FIN],
        raises=StreamTruncatedError,
        cause="RemoteProtocolError",
    ),
    "last event without blank line": Row(
        sent=lambda wire: [wire.hello, wire.finish.rstrip()],
        wires=LINES,
    ),
    "last event without blank line, and the connection is cut": Row(
        sent=lambda wire: [wire.hello, wire.finish.rstrip(), FIN],
        wires=LINES,
    ),
    "malformed JSON event": Row(
        sent=lambda wire: [wire.hello, wire.broken, wire.you, wire.finish, wire.terminal],
        raises=MalformedStreamError,
        lenient="Hello, you",
    ),
    '{"error":...} event': Row(
        sent=lambda wire: [wire.hello, wire.failure, wire.you, wire.finish],
        raises="failure_raises",
    ),
    '{"error":...} event, a string for its code (OpenRouter)': Row(
        sent=lambda wire: [wire.hello, event({"error": {"code": "server_error", "message": "no"}})],
        raises=InternalServerError,
        wires=(OPENAI, RESPONSES),
    ),
    '{"error":...} event, a text for the error': Row(
        sent=lambda wire: [wire.hello, event({"error": "no"})],
        raises=APIError,
        wires=EVENTS,
    ),
    '{"object":"error",...} event (vLLM, Mistral)': Row(
        sent=lambda wire: [wire.hello, event({"object": "error", "message": "no", "code": 400})],
        raises=BadRequestError,
        wires=(OPENAI, RESPONSES),
    ),
    "response.failed": Row(
        sent=lambda wire: [
            wire.hello,
            typed("response.failed", response={"error": {"code": "server_error"}}),
        ],
        raises=InternalServerError,
        wires=(RESPONSES,),
    ),
    "a finish reason that reports a failure": Row(
        sent=lambda wire: [wire.hello, re.sub(rb'"(stop|STOP|end_turn)"', b'"error"', wire.finish)],
        raises=InternalServerError,
        wires=(OPENAI, ANTHROPIC, GEMINI),
    ),
    "error as first event": Row(
        sent=lambda wire: [wire.failure],
        raises="failure_raises",
        text="",
    ),
    "empty 200 body": Row(
        sent=lambda _: [],
        raises=EmptyStreamError,
        text="",
    ),
    "only [DONE]": Row(
        sent=lambda _: [DONE],
        raises=EmptyStreamError,
        text="",
        wires=EVENTS,
    ),
    "only comments": Row(
        sent=lambda _: [b": OPENROUTER PROCESSING\n\n"] * 3,
        raises=EmptyStreamError,
        text="",
        wires=EVENTS,
    ),
    "200 with JSON error body": Row(
        sent=lambda wire: [JSON, wire.error_body],
        raises="refusal_raises",
        text="",
        by_the_call=True,
        wires=WITHOUT_OLLAMA,
    ),
    "200 with JSON error body on one line": Row(
        sent=lambda wire: [JSON, re.sub(rb"\n *", b"", wire.error_body)],
        raises="refusal_raises",
        text="",
        by_the_call=True,
        wires=WITHOUT_OLLAMA,
    ),
    "200 with JSON error body, as each of its lines is JSON": Row(
        sent=lambda wire: [JSON, wire.error_body],
        raises="refusal_raises",
        text="",
        wires=(OLLAMA,),
    ),
    "200 with JSON error body that is called a stream": Row(
        sent=lambda wire: [wire.error_body],
        raises="refusal_raises",
        text="",
    ),
    "200 with JSON completion": Row(sent=lambda wire: [JSON, wire.answer_body], text="whole"),
    "200 with JSON completion that is called a stream": Row(
        sent=lambda wire: [wire.answer_body], text="whole"
    ),
    "a stream that is called JSON": Row(sent=lambda wire: [JSON, wire.whole], text="Hello, you"),
    "a stream that is called text": Row(
        sent=lambda wire: [head("text/plain"), wire.whole], text="Hello, you"
    ),
    "200 with HTML": Row(
        sent=lambda _: [head("text/html; charset=utf-8"), b"<!doctype html><html></html>"],
        raises=MalformedStreamError,
        text="",
        by_the_call=True,
    ),
    "200 with HTML that is called a stream": Row(
        sent=lambda _: [b"<!doctype html><html></html>"],
        raises=MalformedStreamError,
        text="",
    ),
    "200 with half of what is no stream": Row(
        sent=lambda _: [b"<!doctype html>", FIN],
        raises=StreamTruncatedError,
        cause="RemoteProtocolError",
        text="",
    ),
    "invalid UTF-8": Row(
        sent=lambda wire: [wire.hello, wire.you.replace(b"you", b"\xff"), wire.finish],
        raises=MalformedStreamError,
        wires=LINES,
    ),
    "a frame whose checksum is wrong": Row(
        sent=lambda wire: [wire.hello, wire.you[:-1] + bytes([wire.you[-1] ^ 1]), wire.finish],
        raises=MalformedStreamError,
        wires=FRAMES,
    ),
    "broken content coding": Row(
        sent=lambda _: [head(content_encoding="gzip"), b"no gzip"],
        raises=MalformedStreamError,
        cause="DecodingError",
        text="",
    ),
    "leading BOM": Row(
        sent=lambda wire: [b"\xef\xbb\xbf", wire.whole],
        text="Hello, you",
        wires=LINES,
    ),
    "one event over two `data:` lines": Row(
        sent=over_two_lines,
        text="Hello, you",
        wires=EVENTS,
    ),
    "CRLF": Row(
        sent=lambda wire: [wire.whole.replace(b"\n", b"\r\n")],
        text="Hello, you",
        wires=LINES,
    ),
    "CR": Row(
        sent=lambda wire: [wire.whole.replace(b"\n", b"\r")],
        text="Hello, you",
        wires=EVENTS,
    ),
    "no blank after the colon": Row(
        sent=lambda wire: [wire.whole.replace(b"data: ", b"data:")],
        text="Hello, you",
        wires=EVENTS,
    ),
    "a byte at a time": Row(
        sent=lambda wire: [wire.whole[at : at + 1] for at in range(len(wire.whole))],
        text="Hello, you",
    ),
    "comments": Row(
        sent=lambda wire: [b": ping\n\n", wire.hello, b": ping\n", wire.finish],
        wires=EVENTS,
    ),
    "wrong field types (content: 12)": Row(
        sent=lambda wire: [wire.hello, wire.word(12), wire.finish, wire.terminal],
        raises=MalformedStreamError,
        lenient="Hello12",
    ),
    "event without `choices`": Row(
        sent=lambda wire: [wire.nothing, wire.hello, wire.nothing, wire.finish],
    ),
    "unknown event type": Row(
        sent=lambda wire: [typed("news", text="x"), wire.hello, typed("news"), wire.finish],
        wires=EVENTS,
    ),
    "no `event:` lines": Row(sent=without_names, text="Hello, you", wires=EVENTS),
    "duplicate finish chunk": Row(
        sent=lambda wire: [wire.hello, wire.finish, wire.finish.split(b"\n\n")[-2] + b"\n\n"],
        wires=EVENTS,
    ),
    "events after [DONE]": Row(
        sent=lambda wire: [wire.hello, wire.finish, wire.terminal or DONE, wire.you, wire.failure],
    ),
    "content after the finish reason": Row(
        sent=lambda wire: [wire.hello, wire.finish, wire.you, wire.word("!")],
        raises=StreamProtocolError,
        text="Hello, you",
        lenient="Hello, you!",
        wires=(OPENAI,),
    ),
}
CASES = [
    pytest.param(wire, row, id=f"{name}-{wire.provider}")
    for name, row in ROWS.items()
    for wire in row.wires
]
matrix = pytest.mark.parametrize(("wire", "row"), CASES)


@pytest.fixture(scope="module")
def server() -> Iterator[LoopbackServer]:
    """What was told last is what it does."""
    with LoopbackServer() as running:
        yield running


def options(server: LoopbackServer, wire: Wire, **more: Any) -> dict[str, Any]:
    place = "?api-version=1" if wire.provider == "azure" else wire.base
    return {
        "model": f"{wire.provider}/model-1",
        "messages": MESSAGES,
        "api_base": server.url + place,
        "api_key": "sk-no-secret",
        "num_retries": 0,
        "stream": True,
    } | more


class Seen:
    """What a caller sees of a stream: the chunks, what was raised, and where."""

    def __init__(self) -> None:
        self.chunks: list[Any] = []
        self.stream: Any = None
        self.error: APIError | None = None

    def of(self, call: Callable[[], Any]) -> Seen:
        try:
            self.stream = call()
            for chunk in self.stream:
                self.chunks.append(chunk)
        except APIError as error:
            self.error = error
        return self

    async def aof(self, call: Callable[[], Any]) -> Seen:
        try:
            self.stream = await call()
            async for chunk in self.stream:
                self.chunks.append(chunk)
        except APIError as error:
            self.error = error
        return self

    @property
    def text(self) -> str:
        return "".join(chunk.choices[0].delta.content or "" for chunk in self.chunks)

    @property
    def finishes(self) -> list[str]:
        """Why the first choice ended, each time that it was said to."""
        choices = [it.choices[0] for it in self.chunks]
        return [it.finish_reason for it in choices if it.finish_reason and not it.index]


# With one connection in all, the next request finds out whether it was given back.
ONE: dict[str, Any] = {"limits": httpx.Limits(max_connections=1), "timeout": 5, "verify": False}


@matrix
def test_a_row_of_the_matrix(server: LoopbackServer, wire: Wire, row: Row) -> None:
    server.respond(row.steps(wire))
    server.respond([Head(204)], path="/free")
    with httpx.Client(**ONE) as client:
        seen = Seen().of(lambda: completion(**options(server, wire, http_client=client)))

        judge(row, wire, seen)
        assert client.get(f"{server.url}/free").status_code == 204


@pytest.mark.anyio
@matrix
async def test_a_row_of_the_matrix_is_the_same_in_asynchronous_code(
    server: LoopbackServer, wire: Wire, row: Row
) -> None:
    server.respond(row.steps(wire))
    server.respond([Head(204)], path="/free")
    async with httpx.AsyncClient(**ONE) as client:
        asked = options(server, wire, http_client=client)
        seen = await Seen().aof(lambda: acompletion(**asked))

        judge(row, wire, seen)
        assert (await client.get(f"{server.url}/free")).status_code == 204


def judge(row: Row, wire: Wire, seen: Seen) -> None:
    error = seen.error
    if row.raises is None:
        assert error is None
        judge_answer(row, seen)
        return
    assert error is not None
    provider = wire.provider.partition("/")[0]
    raises = getattr(wire, row.raises) if isinstance(row.raises, str) else row.raises
    assert type(error) is raises
    assert (error.llm_provider, error.model) == (provider, "model-1")
    assert error.request_id == error.response_headers["x-request-id"] == "r-1"
    assert (error.num_retries, error.max_retries) == (0, 0)
    judge_cause(row, error)
    assert (seen.stream is None) == row.by_the_call
    assert error.mid_stream != row.by_the_call
    assert seen.text == error.generated_content == row.text
    assert error.chunks_yielded == len(seen.chunks)
    assert error.is_pre_first_chunk == (not seen.chunks)
    if not seen.chunks:
        assert error.partial is None
        return
    assert error.partial.choices[0].message.content == row.text
    if row.raises is not StreamProtocolError:
        assert seen.finishes == []
        assert error.partial.choices[0].finish_reason is None
        assert not seen.stream.complete


def judge_answer(row: Row, seen: Seen) -> None:
    assert seen.text == seen.stream.text == row.text
    assert seen.finishes == ["stop"]
    assert [chunk.choices[0].delta.role for chunk in seen.chunks].count("assistant") == 1
    assert seen.stream.complete
    assert seen.stream.finish_reasons == {0: "stop"}
    assert seen.stream.warnings == []
    if row.terminal is not None:
        assert seen.stream.terminal_seen is row.terminal


def judge_cause(row: Row, error: APIError) -> None:
    """The HTTP library's own exception is the cause, and no other is shown as one."""
    causes = [error.__cause__] if error.__cause__ else []
    foreign = [it for it in causes if type(it).__module__.startswith("http")]

    assert [type(it).__name__ for it in foreign] == ([row.cause] if row.cause else [])
    shown = traceback.format_exception(error)
    assert "During handling" not in "".join(shown)


LENIENT = {name: row for name, row in ROWS.items() if row.lenient is not None}


@pytest.mark.parametrize(
    ("wire", "row"),
    [
        pytest.param(wire, row, id=f"{name}-{wire.provider}")
        for name, row in LENIENT.items()
        for wire in row.wires
    ],
)
def test_without_strict_a_row_is_mended_or_left_out_and_noted(
    server: LoopbackServer, wire: Wire, row: Row
) -> None:
    server.respond(row.steps(wire))
    seen = Seen().of(lambda: completion(**options(server, wire, strict=False)))

    assert seen.error is None
    assert seen.text == row.lenient
    assert seen.finishes == ["stop"]
    mended = row is ROWS["wrong field types (content: 12)"]
    assert len(seen.stream.warnings) == (0 if mended else 1)


@pytest.mark.parametrize(
    "provider", ["azure", "mistral", "groq", "openrouter", "deepseek", "hosted_vllm"]
)
@pytest.mark.parametrize(
    "row", [pytest.param(row, id=name) for name, row in ROWS.items() if OPENAI in row.wires]
)
def test_a_row_of_the_matrix_holds_for_a_compatible_server(
    server: LoopbackServer, provider: str, row: Row
) -> None:
    wire = chat_wire(provider)
    server.respond(row.steps(wire))

    judge(row, wire, Seen().of(lambda: completion(**options(server, wire))))


def stall(text: str, where: str) -> str:
    """A cassette whose stream is silent for a minute before its head, or before its last frame."""
    if where == "stall before headers":
        return re.sub("head_after: .*", "head_after: 60000", text)
    last = r"(frames: >-\n(?:.* )?)[\d.]+(:\d+\n  ending)"
    return re.sub(last, r"\g<1>60000\g<2>", text)


@pytest.mark.parametrize("wire", WIRES, ids=lambda wire: wire.provider)
@pytest.mark.parametrize("where", ["stall > timeout mid-stream", "stall before headers"])
def test_a_stall_is_a_timeout(
    server: LoopbackServer, tmp_path: Path, wire: Wire, where: str
) -> None:
    server.respond([head(wire.kind), Emit(wire.hello), Emit(wire.finish)])
    asked = options(server, wire, timeout=10)
    path = tmp_path / "c.yaml"
    with use_cassette(path, mode="once"):
        assert Seen().of(lambda: completion(**asked)).error is None
    path.write_text(stall(path.read_text("utf-8"), where), "utf-8")
    with use_cassette(path, mode="none"):
        seen = Seen().of(lambda: completion(**asked))

    error, begun = seen.error, where == "stall > timeout mid-stream"
    assert type(error) is Timeout
    assert error.phase == ("idle" if begun else "headers")
    assert isinstance(error.__cause__, httpx.ReadTimeout)
    assert error.mid_stream == begun
    assert seen.text == error.generated_content == ("Hello" if begun else "")
    assert error.chunks_yielded == len(seen.chunks) == begun


def test_usage_that_was_cut_off_is_missing_and_the_stream_says_that_it_may_be(
    server: LoopbackServer,
) -> None:
    server.respond([head(), Emit(OPENAI.hello), Emit(OPENAI.finish), FIN])
    asked = options(server, OPENAI, stream_options={"include_usage": True})
    seen = Seen().of(lambda: completion(**asked))

    judge_answer(ROWS["connection cut after the finish reason"], seen)
    assert seen.stream.usage is None
    assert not any(chunk.usage for chunk in seen.chunks)
    assert not seen.stream.terminal_seen
