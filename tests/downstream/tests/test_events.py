"""The decoder, wherever the network cuts and however the stream is spelt."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterable, Iterator

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from parley import Decoder, Event
from pytest_cassette_stream.laws import FRAMING_RULES, SSE_RULES, LawError, check_decoder
from pytest_cassette_stream.strategies import (
    ChunkStream,
    SSEStream,
    chunk_streams,
    chunkings,
    note_cassette,
    sse_events,
    sse_streams,
)

from cassette_stream import use_cassette
from cassette_stream.wire import ServerSentEvent, encode_event

RECORDED = 'event: a\r\ndata: héllo 🌍\r\n\r\ndata: {"text":\rdata: 1}\r\r'.encode()


def decode(chunks: Iterable[bytes]) -> Iterator[Event]:
    decoder = Decoder()
    for chunk in chunks:
        yield from decoder.feed(chunk)


async def adecode(chunks: AsyncIterator[bytes]) -> AsyncIterator[Event]:
    decoder = Decoder()
    async for chunk in chunks:
        for event in decoder.feed(chunk):
            yield event


def decode_lines(chunks: Iterable[bytes]) -> Iterator[str]:
    """Not all of the format, and each chunk on its own."""
    for chunk in chunks:
        for line in chunk.decode("utf-8", "replace").splitlines():
            if line.startswith("data: "):
                yield line.removeprefix("data: ")


def told(event: ServerSentEvent) -> Event:
    return Event(event.event, event.data, event.id)


def test_it_keeps_the_laws():
    check_decoder(decode)


def test_it_keeps_those_of_a_provider():
    check_decoder(
        lambda chunks: (json.loads(it.data) for it in decode(chunks) if it.data != "[DONE]"),
        dialect="openai_chat",
        exclude=[rule for rule in FRAMING_RULES if rule.startswith("event_")],
    )


def test_the_asynchronous_one_keeps_them_too():
    check_decoder(adecode, exclude="invalid_utf8")


def test_one_that_reads_lines_breaks_them():
    with pytest.raises(LawError) as raised:
        check_decoder(decode_lines)

    assert raised.value.seen.keys() <= SSE_RULES.keys() | {"cuts"}


@given(chunkings(RECORDED))
def test_chunks_do_not_matter(chunks):
    assert [event.data for event in decode(chunks)] == ["héllo 🌍", '{"text":\n1}']


@given(st.lists(sse_events(), max_size=3))
def test_events_come_as_they_were_sent(events):
    body = b"".join(encode_event(it.data, event=it.event, id=it.id) for it in events)

    assert [event.data for event in decode([body])] == [event.data for event in events]


@given(sse_streams(invalid_utf8=True))
def test_a_stream_is_what_a_browser_reads(stream):
    note_cassette(stream, "failing.yaml")

    assert isinstance(stream, SSEStream)
    assert [*decode([stream.body])] == [*map(told, stream.events)]


@given(st.one_of([chunk_streams(dialect=it) for it in ("openai_chat", "anthropic", "cohere")]))
def test_every_event_of_a_provider_comes(stream):
    assert isinstance(stream, ChunkStream)
    assert len([*decode(stream.events)]) == len(stream.events)


def test_a_stream_can_be_kept_as_a_cassette(tmp_path):
    note_cassette([RECORDED[:9], RECORDED[9:]], tmp_path / "kept.yaml")
    with use_cassette(tmp_path / "kept.yaml", mode="none", match_on=["method"]):
        with httpx.Client() as client, client.stream("POST", "http://model.test") as response:
            assert [*response.iter_raw()] == [RECORDED[:9], RECORDED[9:]]


@pytest.mark.anyio
@given(chunks=chunkings(RECORDED))
async def test_nor_do_they_asynchronously(chunks):
    async def sent() -> AsyncIterator[bytes]:
        for chunk in chunks:
            yield chunk

    assert [event async for event in adecode(sent())] == [*decode([RECORDED])]
