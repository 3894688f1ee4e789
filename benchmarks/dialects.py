"""Decoders of the dialects: microseconds of CPU per event, beside what their SDKs need.

    python benchmarks/dialects.py

Each decoder reads what our encoder sends for one long text, one event per chunk, and makes
chunks of it. The raw loop only finds the JSON of each event and reads it. botocore checks the
frames and reads the JSON of each; ollama makes its own objects of the lines.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, TypeAlias

from measure import interleaved, introduce, show

from cassette_stream import Choices, Message, ModelResponse, ModelResponseStream, Usage, dialects
from cassette_stream.dialects import bedrock_converse, bedrock_invoke, ollama
from cassette_stream.wire import EventStreamDecoder, NDJSONDecoder, SSEDecoder

WORDS = 5_000
ROUNDS = 7

Read: TypeAlias = Callable[[Sequence[bytes]], int]


def events_of(dialect: Any) -> list[bytes]:
    message = Message(content=" ".join(f"word{n}" for n in range(WORDS)))
    completion = ModelResponse(
        id="id_1",
        created=1,
        model="m",
        choices=[Choices(message=message, finish_reason="stop")],
        usage=Usage(prompt_tokens=4, completion_tokens=WORDS, total_tokens=WORDS + 4),
    )
    return list(dialect.encode(completion))


def ours(dialect: Any) -> Read:
    def read(events: Sequence[bytes]) -> int:
        decoder, count = dialect.Decoder(), 0
        for event in events:
            found = decoder.read(event)
            is_one = isinstance(found, ModelResponseStream)
            count += 1 if is_one else sum(1 for _ in found)
        return count + sum(1 for _ in decoder.finish())

    return read


def raw(dialect: Any) -> Read:
    if dialect is ollama:
        return lambda events: len(
            [json.loads(line) for line in NDJSONDecoder().feed(b"".join(events))]
        )
    if dialect in {bedrock_converse, bedrock_invoke}:
        return _frames(lambda data: (each.payload for each in EventStreamDecoder().feed(data)))

    def read(events: Sequence[bytes]) -> int:
        told = (event.data for event in SSEDecoder().decode(events))
        return len([json.loads(data) for data in told if data != "[DONE]"])

    return read


def _frames(payloads: Callable[[bytes], Iterable[bytes]]) -> Read:
    def read(events: Sequence[bytes]) -> int:
        found = []
        for payload in payloads(b"".join(events)):
            value = json.loads(payload)
            found.append(
                json.loads(base64.b64decode(value["bytes"])) if "bytes" in value else value
            )
        return len(found)

    return read


def of_sdk(dialect: Any) -> Read | None:
    """What the provider's own SDK does; None where it is not installed, or not among these."""
    with suppress(ImportError):
        if dialect in {bedrock_converse, bedrock_invoke}:
            from botocore.eventstream import EventStreamBuffer

            def payloads(data: bytes) -> Iterable[bytes]:
                buffer = EventStreamBuffer()
                buffer.add_data(data)
                return (each.payload for each in buffer)

            return _frames(payloads)
        if dialect is ollama:
            from ollama import ChatResponse

            return lambda events: len([ChatResponse(**json.loads(line)) for line in events])
    return None


def row(name: str) -> tuple[str, ...]:
    dialect = getattr(dialects, name)
    events = events_of(dialect)
    everybody: Mapping[str, Read | None] = {
        "ours": ours(dialect),
        "raw": raw(dialect),
        "sdk": of_sdk(dialect),
    }
    subjects = {
        who: (lambda read=read: read(events)) for who, read in everybody.items() if read is not None
    }
    seconds = interleaved(subjects, rounds=ROUNDS)
    figures = [
        f"{seconds[who] / len(events) * 1e6:.2f}" if who in seconds else "" for who in everybody
    ]
    return name, *figures, f"{seconds['ours'] / seconds['raw']:.2f}"


def main() -> None:
    introduce("Decoders of the dialects", "cassette-stream", "botocore", "ollama")
    columns = ("dialect", "chunks by ours", "raw loop", "SDK", "ours / raw loop")
    show("Microseconds of CPU per event", columns, map(row, dialects.__all__))


if __name__ == "__main__":
    main()
