"""Where the network cuts a stream changes nothing that is read from it: every public stream."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from decoded import everything, thorough
from support import SOAK

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
from cassette_stream.exceptions import WireFormatError
from cassette_stream.wire import EventStreamDecoder, JSONArrayDecoder, NDJSONDecoder, SSEDecoder

SMALL = 4096
"""Bytes of a stream that is cut everywhere; a longer one is cut at random places."""

PARTS = 8
"""So that several processes share the work."""

Outcome = Callable[[Sequence[bytes]], object]

parts = pytest.mark.parametrize("part", range(PARTS))


def rows(corpus: Path, part: int, *, each: int) -> list[dict[str, Any]]:
    """A part of the index: all public streams where there is time, else a few of *each* format."""
    lines = (corpus / "corpus" / "public_index.jsonl").read_text("utf-8").splitlines()
    found = [json.loads(line) for line in lines]
    random.Random(6).shuffle(found)
    seen: Counter[str] = Counter()
    few = []
    for row in found:
        seen[row["format"]] += 1
        if SOAK or seen[row["format"]] <= each:
            few.append(row)
    mine = few[part::PARTS]
    for row in mine:
        row["body"] = (corpus / "corpus" / row["file"]).read_bytes()
    return mine


def bytewise(body: bytes) -> list[bytes]:
    return [body[at : at + 1] for at in range(len(body))]


def splits(body: bytes, count: int) -> Iterator[list[bytes]]:
    """*body* in two at every boundary if it is small, else at *count* of them drawn; bytewise."""
    rng = random.Random(len(body))
    everywhere = range(len(body) + 1)
    places = everywhere if len(body) <= SMALL else rng.choices(everywhere, k=count)
    for at in places:
        yield [body[:at], body[at:]]
    yield bytewise(body)


def outcome(kind: str) -> Outcome:
    """What bytes of that *kind* of stream come to."""

    def read(pieces: Sequence[bytes]) -> object:
        decoder, found = _DECODERS.get(kind, SSEDecoder)(), []
        try:
            for piece in pieces:
                found.extend(decoder.feed(piece))
            if hasattr(decoder, "finish"):
                found.extend(decoder.finish())
        except WireFormatError as error:
            return found, str(error)
        return found, [getattr(decoder, name, None) for name in _LEFT]

    return read


_DECODERS: dict[str, Any] = {
    "bin": EventStreamDecoder,
    "jsonarray": JSONArrayDecoder,
    "ndjson": NDJSONDecoder,
}
_LEFT = ("pending", "last_event_id", "retry", "stray", "truncated")


@parts
def test_every_public_stream_is_the_same_wherever_it_is_cut(corpus: Path, part: int) -> None:
    differing, checked = [], 0
    for row in rows(corpus, part, each=2):
        read = outcome(row["kind"])
        whole = read([row["body"]])
        for pieces in splits(row["body"], 1_000 if SOAK else 100):
            checked += 1
            if read(pieces) != whole:
                differing.append((row["id"], len(pieces[0])))
    print(f"\n{checked} splits")

    assert checked > 1_000
    assert differing == []


DIALECTS = {
    "openai-chat": openai_chat.Decoder,
    "openai-responses": openai_responses.Decoder,
    "anthropic": anthropic.Decoder,
    "bedrock-converse": bedrock_converse.Decoder,
    "bedrock-invoke": bedrock_invoke.Decoder,
    "cohere-v2": cohere.Decoder,
    "gemini": gemini.Decoder,
    "gemini-jsonarray": gemini.Decoder,
    "ollama": ollama.Decoder,
}


@parts
def test_the_chunks_of_every_public_stream_are_the_same_wherever_it_is_cut(
    corpus: Path, part: int
) -> None:
    differing, checked = [], 0
    for row in rows(corpus, part, each=8):
        if (make := DIALECTS.get(row["format"])) is None:
            continue
        body = row["body"]
        whole = everything(make(), [body])
        if everything(thorough(make)(), [body]) != whole:
            differing.append((row["id"], 0))
        rng = random.Random(row["id"])
        places = [rng.randrange(len(body) + 1) for _ in range(50 if SOAK else 8)]
        for pieces in (*([body[:at], body[at:]] for at in places), bytewise(body)):
            checked += 1
            if everything(make(), pieces) != whole:
                differing.append((row["id"], len(pieces[0])))
    print(f"\n{checked} splits")

    assert checked > 50
    assert differing == []
