"""Callers of three providers on plain httpx, such as people write by hand.

The demo watches them: they know nothing of cassettes, and note only what they see.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from cassette_stream.cassette.model import How
from cassette_stream.cli.timeline import Course
from cassette_stream.clock import RealClock
from cassette_stream.wire import SSEDecoder

__all__ = ("PROVIDERS", "Outcome", "Provider", "ask")

_PROMPT = "Count from 1 to 6"


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """One provider: where a request goes, what it says, and the text in a decoded event."""

    name: str
    path: str
    body: Mapping[str, object]
    text: Callable[[Any], str]


def _openai(event: Any) -> str:
    return "".join(choice["delta"].get("content") or "" for choice in event["choices"])


def _anthropic(event: Any) -> str:
    text: str = event.get("delta", {}).get("text", "")
    return text


def _gemini(event: Any) -> str:
    return "".join(part["text"] for part in event["candidates"][0]["content"]["parts"])


PROVIDERS = (
    Provider(
        name="OpenAI",
        path="/v1/chat/completions",
        body={
            "model": "gpt-4o-mini",
            "stream": True,
            "messages": [{"role": "user", "content": _PROMPT}],
        },
        text=_openai,
    ),
    Provider(
        name="Anthropic",
        path="/v1/messages",
        body={
            "model": "claude-sonnet-4-5",
            "max_tokens": 256,
            "stream": True,
            "messages": [{"role": "user", "content": _PROMPT}],
        },
        text=_anthropic,
    ),
    Provider(
        name="Gemini",
        path="/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse",
        body={"contents": [{"role": "user", "parts": [{"text": _PROMPT}]}]},
        text=_gemini,
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a caller saw of one stream, by its own watch; *error* is what was raised."""

    course: Course
    chunks: tuple[bytes, ...]
    events: int
    text: str
    error: Exception | None

    @property
    def body(self) -> bytes:
        return b"".join(self.chunks)


def ask(provider: Provider, base_url: str, *, read_timeout: float = 5.0) -> Outcome:
    """Ask *provider* at *base_url*, and read its stream to the end, good or bad."""
    watch, decoder = RealClock(), SSEDecoder()
    chunks: list[tuple[float, bytes]] = []
    events, text = 0, ""
    head: float | None = None
    error: Exception | None = None
    timeout = httpx.Timeout(5.0, read=read_timeout)
    # The environment may name a proxy, which does not know this machine's own server.
    with httpx.Client(base_url=base_url, timeout=timeout, trust_env=False) as client:
        start = watch.now()
        try:
            with client.stream("POST", provider.path, json=provider.body) as response:
                head = watch.now()
                for chunk in response.iter_raw():
                    chunks.append((watch.now(), chunk))
                    for event in decoder.feed(chunk):
                        if event.data != "[DONE]":
                            text += provider.text(json.loads(event.data))
                        events += 1
        except (httpx.HTTPError, ValueError) as raised:
            error = raised
        end = watch.now()
    course = Course(
        head_ms=None if head is None else (head - start) * 1000,
        frames_ms=[(at - start) * 1000 for at, _ in chunks],
        end_ms=(end - start) * 1000,
        how=How.COMPLETE if error is None else How.FAILURE,
    )
    return Outcome(
        course=course,
        chunks=tuple(chunk for _, chunk in chunks),
        events=events,
        text=text,
        error=error,
    )
