"""What the sweeps of whole clients share: a recording of a short answer in each dialect."""

from __future__ import annotations

from array import array
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from breaking import BASE, CONTENT_TYPES, ENCODERS, answer

from cassette_stream.cassette import Cassette, Interaction, Request, Response, dumps
from cassette_stream.chunks import Message

URLS: dict[str, str] = {
    "openai_chat": "https://api.openai.com/v1/chat/completions",
    "openai_responses": "https://api.openai.com/v1/responses",
    "anthropic": "https://api.anthropic.com/v1/messages",
    "gemini": "https://generativelanguage.googleapis.com/v1beta/models/"
    "gemini-2.5-flash:streamGenerateContent?alt=sse",
    "cohere": "https://api.cohere.com/v2/chat",
    "ollama": "http://localhost:11434/api/chat",
    "bedrock_converse": f"{BASE}/model/amazon.nova-lite-v1%3A0/converse-stream",
    "bedrock_invoke": f"{BASE}/model/anthropic.claude-sonnet-4-20250514-v1%3A0/"
    "invoke-with-response-stream",
}
WHOLE_URLS: dict[str, str] = {
    **URLS,
    "gemini": "https://generativelanguage.googleapis.com/v1beta/models/"
    "gemini-2.5-flash:generateContent",
    "bedrock_converse": URLS["bedrock_converse"].removesuffix("-stream"),
    "bedrock_invoke": URLS["bedrock_invoke"].removesuffix("-with-response-stream"),
}
MATCH_ON = ("method", "url")
QUESTION: Any = [{"role": "user", "content": "hi"}]
TEXT = 'Grüße 🎉 "so".'


def record(path: Path, dialect: str, *, calls: bool = False, streamed: bool = True) -> Path:
    """A recording at *path*: text, and with *calls* reasoning before it and two calls behind.

    The head comes after 200 ms and then an event each 50 ms, one to a frame; or a third of the
    answer, where that is not *streamed*.
    """
    whole = answer(calls=calls)
    said = whole.choices[0].message
    thought = "Erst mal 🤔." if calls else None
    whole.choices[0].message = Message(
        role="assistant", content=TEXT, tool_calls=said.tool_calls, reasoning_content=thought
    )
    if streamed:
        events = list(ENCODERS[dialect].encode(whole))
        kind = CONTENT_TYPES.get(dialect, "text/event-stream")
    else:
        body = ENCODERS[dialect].encode_body(whole)
        third = len(body) // 3
        events, kind = [body[:third], body[third:-third], body[-third:]], "application/json"
    interaction = Interaction(
        recorded_at=datetime(2026, 11, 23, 9, 30, tzinfo=UTC),
        request=Request(method="POST", url=(URLS if streamed else WHOLE_URLS)[dialect]),
        response=Response(
            status=200,
            headers={"content-type": (kind,)},
            head_after_us=200_000,
            body=b"".join(events),
            sizes=array("q", map(len, events)),
            gaps_us=array("q", [50_000] * len(events)),
        ),
    )
    path.write_bytes(dumps(Cassette(interactions=(interaction,), recorded_with="cassette-stream")))
    return path
