"""The model endpoints: a request of one of the dialects in, the script of its answer out.

::

    POST /v1/chat/completions                            OpenAI chat completions
    POST /v1/responses                                   OpenAI Responses
    POST /v1/messages                                    Anthropic messages
    POST /v2/chat                                        Cohere chat
    POST /api/chat                                       Ollama
    POST /v1beta/models/{model}:generateContent          Gemini
    POST /v1beta/models/{model}:streamGenerateContent    Gemini, with ?alt=sse
    POST /model/{model}/converse                         Bedrock Converse
    POST /model/{model}/converse-stream
    POST /model/{model}/invoke                           Bedrock, with Anthropic's messages
    POST /model/{model}/invoke-with-response-stream

Gemini's are at ``/v1`` too, where its current SDK looks for them, and at Vertex AI's address
``/v1/projects/{project}/locations/{location}/publishers/google``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias
from urllib.parse import unquote, urlsplit

import msgspec

from cassette_stream.cassette.model import Request
from cassette_stream.chunks import ModelResponse
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
from cassette_stream.script import Script
from cassette_stream.server.answers import streamed, whole
from cassette_stream.server.asks import Asked, read_anthropic, read_openai_chat
from cassette_stream.server.asks_bedrock import read_bedrock_converse, read_bedrock_invoke
from cassette_stream.server.asks_cohere import read_cohere
from cassette_stream.server.asks_gemini import read_gemini
from cassette_stream.server.asks_ollama import read_ollama
from cassette_stream.server.asks_responses import read_openai_responses
from cassette_stream.server.embedded import Ask

__all__ = ("ENDPOINTS", "Endpoints", "Model")

ENDPOINTS = (
    "POST /v1/chat/completions",
    "POST /v1/responses",
    "POST /v1/messages",
    "POST /v2/chat",
    "POST /api/chat",
    "POST /v1beta/models/{model}:generateContent",
    "POST /v1beta/models/{model}:streamGenerateContent?alt=sse",
    "POST /model/{model}/converse",
    "POST /model/{model}/converse-stream",
    "POST /model/{model}/invoke",
    "POST /model/{model}/invoke-with-response-stream",
)
Model: TypeAlias = Callable[[Ask], ModelResponse]

_GEMINI = re.compile(
    r"/v1(?:beta)?(?:/projects/[^/]+/locations/[^/]+/publishers/google)?"
    r"/models/([^/:]+):(generateContent|streamGenerateContent)"
)
_BEDROCK = re.compile(
    r"/model/([^/]+)/(converse|converse-stream|invoke|invoke-with-response-stream)"
)


@dataclass(frozen=True, slots=True)
class _Dialect:
    """How one dialect is read and written."""

    read: Callable[[bytes], Asked]
    events: Callable[[ModelResponse, Asked], Iterator[bytes]]
    body: Callable[[ModelResponse], bytes]
    error: Callable[[int, str], bytes]
    content_type: str = "text/event-stream; charset=utf-8"


def _openai_events(completion: ModelResponse, asked: Asked) -> Iterator[bytes]:
    return openai_chat.encode(completion, include_usage=asked.include_usage)


_OPENAI = _Dialect(
    read_openai_chat, _openai_events, openai_chat.encode_body, openai_chat.encode_error_body
)
_RESPONSES = _Dialect(
    read_openai_responses,
    lambda completion, _: openai_responses.encode(completion),
    openai_responses.encode_body,
    openai_responses.encode_error_body,
)
_ANTHROPIC = _Dialect(
    read_anthropic,
    lambda completion, _: anthropic.encode(completion),
    anthropic.encode_body,
    anthropic.encode_error_body,
)
_COHERE = _Dialect(
    read_cohere,
    lambda completion, _: cohere.encode(completion),
    cohere.encode_body,
    cohere.encode_error_body,
)
_OLLAMA = _Dialect(
    read_ollama,
    lambda completion, _: ollama.encode(completion),
    ollama.encode_body,
    ollama.encode_error_body,
    content_type="application/x-ndjson",
)

_AT = {
    "/api/chat": _OLLAMA,
    "/v1/chat/completions": _OPENAI,
    "/v1/responses": _RESPONSES,
    "/v1/messages": _ANTHROPIC,
    "/v2/chat": _COHERE,
}


def _gemini(model: str, *, stream: bool) -> _Dialect:
    return _Dialect(
        lambda body: read_gemini(body, model=model, stream=stream),
        lambda completion, _: gemini.encode(completion),
        gemini.encode_body,
        gemini.encode_error_body,
    )


def _bedrock(model: str, method: str) -> _Dialect:
    stream = method.endswith("-stream")
    converse = method.startswith("converse")
    read = read_bedrock_converse if converse else read_bedrock_invoke
    dialect = bedrock_converse if converse else bedrock_invoke
    return _Dialect(
        lambda body: read(body, model=model, stream=stream),
        lambda completion, _: dialect.encode(completion),
        dialect.encode_body,
        dialect.encode_error_body,
        content_type="application/vnd.amazon.eventstream",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoints:
    """Answers model requests.

    Attributes:
        gap: Seconds between two events.
        first_gap: Seconds before the first event, or before a body that is not streamed.
    """

    gap: float
    first_gap: float

    def answer(self, request: Request, model: Model) -> Script | None:
        """The script of what *model* answers to *request*; None where no endpoint is."""
        url = urlsplit(request.url)
        if request.method != "POST":
            return None
        if url.path in _AT:
            return self._perform(_AT[url.path], request, model)
        if found := _BEDROCK.fullmatch(url.path):
            return self._perform(_bedrock(unquote(found[1]), found[2]), request, model)
        if found := _GEMINI.fullmatch(url.path):
            stream = found[2] == "streamGenerateContent"
            dialect = _gemini(unquote(found[1]), stream=stream)
            if stream and "alt=sse" not in url.query.split("&"):
                return whole(400, dialect.error(400, "ask for a stream with ?alt=sse"))
            return self._perform(dialect, request, model)
        return None

    def _perform(self, dialect: _Dialect, request: Request, model: Model) -> Script:
        try:
            asked = dialect.read(request.body)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            text = f"the body of this request cannot be read: {error}"
            return whole(400, dialect.error(400, text))
        completion = model(asked.ask)
        if asked.stream:
            events = dialect.events(completion, asked)
            return streamed(
                events,
                gap=self.gap,
                first_gap=self.first_gap,
                content_type=dialect.content_type,
            )
        return whole(200, dialect.body(completion), delay=self.first_gap)
