"""What the tests of the faults share: streams to break, and what our own client makes of them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable
from typing import Any

import httpx
import httpx2

from cassette_stream import ModelResponse, acompletion, completion
from cassette_stream.cassette import Request
from cassette_stream.chunks import (
    ChatCompletionMessageToolCall,
    Choices,
    Function,
    Message,
    Usage,
)
from cassette_stream.clock import VirtualClock
from cassette_stream.dialects import (
    anthropic,
    bedrock_converse,
    bedrock_invoke,
    cohere,
    gemini,
    ollama,
    openai_chat,
    openai_responses,
)
from cassette_stream.faults import Expect, FaultInfo
from cassette_stream.faults.dialect import Dialect
from cassette_stream.faults.framing import Framing
from cassette_stream.script import Emit, Head, Script, Step, Wait
from cassette_stream.transport.desk import Play
from cassette_stream.transport.httpx import async_transport, sync_transport

ENCODERS = {
    "openai_chat": openai_chat,
    "openai_responses": openai_responses,
    "anthropic": anthropic,
    "gemini": gemini,
    "cohere": cohere,
    "ollama": ollama,
    "bedrock_converse": bedrock_converse,
    "bedrock_invoke": bedrock_invoke,
}
MODELS = {
    "openai_chat": "openai/gpt-4o-mini",
    "openai_responses": "openai/responses/gpt-4o-mini",
    "anthropic": "anthropic/claude-sonnet-4-5",
    "gemini": "gemini/gemini-2.5-flash",
    "cohere": "cohere/command-a-03-2025",
    "ollama": "ollama/llama3.2",
    "bedrock_converse": "bedrock/amazon.nova-lite-v1:0",
    "bedrock_invoke": "bedrock/invoke/anthropic.claude-sonnet-4-20250514-v1:0",
}
BASE = "https://bedrock-runtime.us-east-1.amazonaws.com"
BASES = {"bedrock_converse": BASE, "bedrock_invoke": BASE}
"""Where a dialect is spoken, if its provider has more places than one."""
CONTENT_TYPES = {
    "ollama": "application/x-ndjson",
    "bedrock_converse": "application/vnd.amazon.eventstream",
    "bedrock_invoke": "application/vnd.amazon.eventstream",
}
SPOKEN: tuple[Dialect, ...] = tuple(ENCODERS)  # type: ignore[arg-type]  # by their names
"""The dialects that streams to break are told in."""
FRAMINGS: dict[str, Framing] = {
    "ollama": "ndjson",
    "bedrock_converse": "aws",
    "bedrock_invoke": "aws",
}
IN_SSE: tuple[Dialect, ...] = tuple(it for it in SPOKEN if it not in FRAMINGS)


def has(info: FaultInfo, dialect: str) -> bool:
    """Whether a stream of *dialect* can be broken like this."""
    return info.has(words_of(dialect), FRAMINGS.get(dialect, "sse"))


def expected(info: FaultInfo, dialect: str) -> Expect:
    """What a correct client of *dialect* does."""
    return info.expected(words_of(dialect))


def words_of(dialect: str) -> Dialect:
    # The events in Bedrock's chunks are Anthropic's, and that is what a fault knows them as.
    return "anthropic" if dialect == "bedrock_invoke" else dialect  # type: ignore[return-value]


TEXT = 'Grüße 🎉 "so" aus Köln, und noch ein paar Worte.'


def answer(*, calls: bool = False) -> ModelResponse:
    """A completion with text in several scripts and escapes, and two parallel calls if asked."""
    made = [
        ChatCompletionMessageToolCall(
            id=f"call_{city.lower()}",
            function=Function(name="get_weather", arguments=json.dumps({"location": city})),
        )
        for city in (("Paris", "Oslo") if calls else ())
    ]
    message = Message(role="assistant", content=TEXT, tool_calls=made or None)
    reason = "tool_calls" if calls else "stop"
    return ModelResponse(
        id="resp_1",
        created=1_700_000_000,
        model="model",
        choices=[Choices(index=0, message=message, finish_reason=reason)],
        usage=Usage(prompt_tokens=9, completion_tokens=12, total_tokens=21),
    )


def stream(dialect: Dialect, *, calls: bool = False, gap: float = 0.05) -> list[Step]:
    """The stream of that answer: a head, and one event a chunk, *gap* seconds apart."""
    kind = CONTENT_TYPES.get(dialect, "text/event-stream")
    steps: list[Step] = [Wait(0.2), Head(200, (("content-type", kind),))]
    for event in ENCODERS[dialect].encode(answer(calls=calls)):
        steps += [Wait(gap), Emit(event)]
    return steps


def told(response: Any) -> Any:
    """What counts of an answer: text, calls and finish reason of each choice."""
    if response is None:
        return None
    return [
        (
            choice.message.content,
            [(it.function.name, json.loads(it.function.arguments)) for it in calls],
            choice.finish_reason,
        )
        for choice in response.choices
        for calls in [choice.message.tool_calls or ()]
    ]


class Scripted:
    """A desk that answers every request with a script made for it; *asked* counts them."""

    def __init__(self, make: Callable[[Request], Iterable[Step]]) -> None:
        self.asked = 0
        self.clock = VirtualClock()
        self._make = make

    def decide(self, request: Request) -> Play:
        self.asked += 1
        script: Script = iter(self._make(request))
        return Play(script, self.clock)


def _unused(library: Any) -> Any:
    def refuse(request: Any) -> Any:
        raise AssertionError(f"{request.url} was about to leave")

    return library.MockTransport(refuse)


LIBRARIES = {"httpx": httpx, "httpx2": httpx2}


def outcome(
    make: Callable[[Request], Iterable[Step]],
    dialect: Dialect,
    *,
    is_async: bool = False,
    library: Any = httpx,
    **options: Any,
) -> Any:
    """What our client makes of the replies that *make* gives: what is `told`, or its exception."""
    desk = Scripted(make)
    ask: dict[str, Any] = {
        "model": MODELS[dialect],
        "messages": [{"role": "user", "content": "hi"}],
        "stream": True,
        "api_key": "none",
        "api_base": BASES.get(dialect),
        "timeout": 30.0,
        "num_retries": 0,
    } | options
    try:
        if not is_async:
            with library.Client(
                transport=sync_transport(library, desk, _unused(library))
            ) as client:
                chunks = completion(**ask, http_client=client)
                for _ in chunks:
                    pass
                return told(chunks.response)

        async def main() -> Any:
            transport = async_transport(library, desk, _unused(library))
            async with library.AsyncClient(transport=transport) as client:
                chunks = await acompletion(**ask, http_client=client)
                async for _ in chunks:
                    pass
                return told(chunks.response)

        return asyncio.run(main())
    except Exception as error:
        return error
