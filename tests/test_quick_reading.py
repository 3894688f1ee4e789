"""The quick way to the common events, and events that come alone, change nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from types import ModuleType
from typing import Any

import httpx
import pytest
from decoded import everything, thorough
from hypothesis import given, settings
from hypothesis import strategies as st
from otherwise import otherwise
from strategies_completions import completions, cuts
from support import SOAK

from cassette_stream.client import completion
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
from cassette_stream.dialects.aws_frames import frame
from cassette_stream.dialects.bedrock_invoke.chunks import chunk_frame
from cassette_stream.exceptions import APIError
from cassette_stream.wire import encode_event

WIRES = {
    "openai": openai_chat,
    "openai/responses": openai_responses,
    "anthropic": anthropic,
    "bedrock/converse": bedrock_converse,
    "bedrock/invoke": bedrock_invoke,
    "cohere": cohere,
    "gemini": gemini,
    "ollama": ollama,
}
CONTENT_TYPES = {
    "bedrock/converse": "application/vnd.amazon.eventstream",
    "bedrock/invoke": "application/vnd.amazon.eventstream",
    "ollama": "application/x-ndjson",
}
NAMELESS = {"bedrock/converse", "ollama"}
"""Those whose answers have no id, so that we make one."""
many = settings(max_examples=500 if SOAK else 60, deadline=None)
FINGERPRINT, NEW = b'"system_fingerprint":"fp_2",', b'"new":1,'


class Pieces(httpx.SyncByteStream):
    """A body that comes in these pieces, empty ones too."""

    def __init__(self, pieces: Sequence[bytes]) -> None:
        self._pieces = pieces

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._pieces)


def outcome(provider: str, pieces: Sequence[bytes]) -> Any:
    """All that a caller sees of a stream: every chunk, the answer, how it ended."""
    kind = CONTENT_TYPES.get(provider, "text/event-stream")
    headers = {"content-type": kind, "date": "Mon, 23 Nov 2026 12:00:00 GMT"}

    def respond(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers=headers, stream=Pieces(pieces))

    seen: list[Any] = []
    error = None
    messages = [{"role": "user", "content": "Go."}]
    with httpx.Client(transport=httpx.MockTransport(respond)) as client:
        stream: Any = completion(
            f"{provider}/m",
            messages,
            stream=True,
            stream_options={"include_usage": True},
            api_key="k",
            api_base="http://127.0.0.1",
            http_client=client,
        )
        try:
            seen.extend(chunk.model_dump() for chunk in stream)
        except APIError as failed:
            error = type(failed), failed.message, failed.chunks_yielded
    answer = stream.response and stream.response.model_dump()
    if provider in NAMELESS:
        made = {told.pop("id") for told in [*seen, answer] if told}
        assert len(made) <= 1
    return seen, answer, stream.warnings, stream.finish_reasons, error


def grouped(draw: Callable[[Any], Any], events: list[bytes]) -> list[bytes]:
    """The same bytes: most events in a piece of their own, some together, some in two."""
    pieces = [b""]
    for event in events:
        how = draw(st.sampled_from(["alone", "alone", "alone", "together", "cut"]))
        place = draw(st.integers(0, len(event))) if how == "cut" else 0
        if how == "together":
            pieces[-1] += event
        else:
            pieces += [event[:place], event[place:]] if place else [event]
    return pieces


@pytest.mark.parametrize("provider", WIRES)
@settings(many, max_examples=500 if SOAK else 40)
@given(whole=completions(), pieces=cuts(), data=st.data())
def test_an_event_that_comes_alone_says_what_it_says_among_others(
    provider: str, whole: Any, pieces: Any, data: st.DataObject
) -> None:
    wire: ModuleType = WIRES[provider]
    events = list(wire.encode(whole, pieces=pieces))

    assert outcome(provider, grouped(data.draw, events)) == outcome(provider, [b"".join(events)])


WRITERS = {
    "bedrock/converse": lambda name, data: frame(name, data.encode()),
    "bedrock/invoke": lambda _, data: chunk_frame(data),
    "ollama": lambda _, data: data.encode() + b"\n",
}


def with_another(draw: Callable[[Any], Any], provider: str, events: list[bytes]) -> bytes:
    """A body of the *events*, in one of which something is otherwise."""
    source = WIRES[provider].Decoder()._events
    found = [it for event in events for it in source.feed(event) if it.data != "[DONE]"]
    place = draw(st.integers(0, len(found) - 1))
    changed = json.dumps(draw(otherwise(json.loads(found[place].data))))
    write = WRITERS.get(provider, lambda name, data: encode_event(data, event=name))
    return b"".join(
        write(it.event, changed if number == place else it.data) for number, it in enumerate(found)
    )


@pytest.mark.parametrize("provider", WIRES)
@settings(many, max_examples=500 if SOAK else 20)
@given(whole=completions(), pieces=cuts(), strict=st.booleans(), data=st.data())
def test_the_quick_way_says_what_the_thorough_way_says(
    provider: str, whole: Any, pieces: Any, strict: bool, data: st.DataObject
) -> None:
    dialect: ModuleType = WIRES[provider]
    make = dialect.Decoder
    body = with_another(data.draw, provider, list(dialect.encode(whole, pieces=pieces)))

    assert everything(make(strict=strict), [body]) == everything(
        thorough(make)(strict=strict), [body]
    )


@pytest.mark.parametrize(
    "usage", ["true", "1", '"aTokenCount"', "[]", "null", "{}", '{"aTokenCount": 1}']
)
@pytest.mark.parametrize("strict", [True, False])
def test_usage_of_gemini_that_is_none_is_refused_both_ways(usage: str, strict: bool) -> None:
    said = '{"candidates": [{"content": {"parts": [{"text": "a"}]}}]%s}'
    events = [said % "", said % f', "usageMetadata": {usage}', said % ""]
    body = b"".join(map(encode_event, events))
    make = WIRES["gemini"].Decoder

    assert everything(make(strict=strict), [body]) == everything(
        thorough(make)(strict=strict), [body]
    )


@many
@given(whole=completions(max_choices=3), pieces=cuts(), data=st.data())
def test_so_it_does_where_choices_and_oddities_are_mixed(
    whole: Any, pieces: Any, data: st.DataObject
) -> None:
    events = list(openai_chat.encode(whole, pieces=pieces, interleave=True))
    odd = [
        event.replace(b'"id":', data.draw(st.sampled_from([b"", b"", FINGERPRINT, NEW])) + b'"id":')
        for event in events
    ]
    for place in data.draw(st.lists(st.integers(0, len(odd)), max_size=2)):
        strange = [b": ping\n\n", b"data: {\n\n", b"data: [DONE]\n\n", b'data: {"x":1}\r\n\r\n']
        odd.insert(place, data.draw(st.sampled_from([*strange, *odd])))

    assert outcome("openai", grouped(data.draw, odd)) == outcome("openai", [b"".join(odd)])
