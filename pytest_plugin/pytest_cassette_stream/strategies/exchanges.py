"""What is asked over HTTP, and the whole body that answers it: a model's, or another server's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from hypothesis import strategies as st

from cassette_stream import ModelResponse, Request, dialects
from cassette_stream.dialects.call import Call, HttpRequest
from pytest_cassette_stream.strategies.completions import completions
from pytest_cassette_stream.strategies.json_arguments import json_arguments
from pytest_cassette_stream.strategies.made import made
from pytest_cassette_stream.strategies.streams import ChunkStream, chunk_streams
from pytest_cassette_stream.strategies.texts import KINDS
from pytest_cassette_stream.strategies.tool_calls import tool_calls
from pytest_cassette_stream.strategies.wires import content_type_of

__all__ = ("BASES", "Exchange", "model_exchanges", "other_exchanges")

BASES = {
    "openai_chat": "https://api.openai.com/v1",
    "openai_responses": "https://api.openai.com/v1",
    "anthropic": "https://api.anthropic.com",
    "gemini": "https://generativelanguage.googleapis.com/v1beta",
    "cohere": "https://api.cohere.com",
    "ollama": "http://localhost:11434",
    "bedrock_converse": "https://bedrock-runtime.us-east-1.amazonaws.com",
    "bedrock_invoke": "https://bedrock-runtime.us-east-1.amazonaws.com",
}
"""Where each dialect is spoken."""

_JSON = {"content-type": ("application/json",)}
_PAGE = b"<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n</html>\r\n"
_TEXTS = st.sampled_from(["Hello", *KINDS.values()])
_STATUSES = (400, 401, 403, 404, 429, 500, 503, 529)


@dataclass(frozen=True, kw_only=True)
class Exchange:
    """A request, and what a server says to it: the *pieces* of a body, as it writes them."""

    request: Request
    status: int = 200
    headers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    pieces: tuple[bytes, ...] = ()


def model_exchanges(dialect: str) -> st.SearchStrategy[Exchange]:
    """Somebody asks a model, and gets a stream, a whole answer or an error."""
    # There are several to a cassette, so each is plainer than `completions` can be.
    arguments = json_arguments(texts=_TEXTS, max_leaves=1)
    answers = completions(
        dialect=dialect, max_calls=2, calls=tool_calls(arguments=arguments), texts=_TEXTS
    )
    streams = chunk_streams(dialect=dialect, completions=answers)
    return st.one_of(
        st.builds(partial(_stream, dialect), _TEXTS, streams),
        st.builds(partial(_whole, dialect), _TEXTS, answers),
        st.builds(partial(_error, dialect), _TEXTS, st.sampled_from(_STATUSES), _TEXTS),
    )


def _stream(dialect: str, prompt: str, stream: ChunkStream) -> Exchange:
    request = _asked(dialect, prompt, stream.completion.model, stream=True)
    headers = {"content-type": (content_type_of(dialect),)}
    return Exchange(request=request, headers=headers, pieces=stream.events)


def _whole(dialect: str, prompt: str, completion: ModelResponse) -> Exchange:
    body: bytes = getattr(dialects, dialect).encode_body(completion)
    request = _asked(dialect, prompt, completion.model, stream=False)
    return Exchange(request=request, headers=_JSON, pieces=(body,))


def _error(dialect: str, prompt: str, status: int, message: str) -> Exchange:
    body: bytes = getattr(dialects, dialect).encode_error_body(status, message)
    request = _asked(dialect, prompt, "m", stream=True)
    return Exchange(request=request, status=status, headers=_JSON, pieces=(body,))


def _asked(dialect: str, prompt: str, model: str, *, stream: bool) -> Request:
    call = Call(
        model=model or "m",
        messages=[{"role": "user", "content": prompt}],
        stream=stream,
        params={"max_tokens": 100},
    )
    made: HttpRequest = getattr(dialects, dialect).request(call)
    return Request(
        method="POST",
        url=f"{BASES[dialect]}{made.path}",
        headers={name: (value,) for name, value in made.headers.items()},
        body=made.body,
    )


def other_exchanges() -> st.SearchStrategy[Exchange]:
    """What else goes over HTTP: pages, files, forms, nothing at all."""
    asked = made(_got, _urls()) | made(_sent, _urls())
    bodies = [*map(st.just, _BODIES), _TEXTS.map(_text), st.binary(max_size=40).map(_file)]
    return st.one_of([st.builds(_with, asked, body) for body in bodies])


def _got(url: str) -> Request:
    return Request(method="GET", url=url)


def _sent(url: str) -> Request:
    headers = {"content-type": ("application/x-www-form-urlencoded",)}
    return Request(method="POST", url=url, headers=headers, body=b"q=caf%C3%A9&n=1")


def _urls() -> st.SearchStrategy[str]:
    return st.sampled_from(
        [
            "http://localhost:8000/",
            "https://api.example.com/v1/models?limit=2&after=b",
            "https://example.com/caf%C3%A9#top",
        ]
    )


def _text(text: str) -> dict[str, Any]:
    return {"headers": {"content-type": ("text/plain",)}, "pieces": (text.encode(),)}


def _file(data: bytes) -> dict[str, Any]:
    return {"headers": {"content-type": ("application/octet-stream",)}, "pieces": (data,)}


def _with(request: Request, answer: Mapping[str, Any]) -> Exchange:
    return Exchange(request=request, **answer)


_BODIES: tuple[dict[str, Any], ...] = (
    {"status": 504},
    {"status": 502, "headers": {"content-type": ("text/html",)}, "pieces": (_PAGE,)},
    {"headers": {"content-type": ("image/png",)}, "pieces": (b"\x89PNG\r\n\x1a\n", b"\x00\xff")},
    {
        "headers": {"content-type": ("text/event-stream",)},
        "pieces": (b"data: a\r\n\r\n", b": ping\r\n\r\n"),
    },
)
