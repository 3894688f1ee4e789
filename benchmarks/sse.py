"""SSE decoders on the same bytes: microseconds of CPU per event.

Every decoder is given the body of one stream as a list of chunks, as the network might
have cut it, and is run to its end by the interface that its own streaming client uses.
"""

from __future__ import annotations

import codecs
import json
import random
from contextlib import suppress
from typing import TYPE_CHECKING

from measure import interleaved, introduce, show

from cassette_stream.wire import SSEDecoder, encode_event

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import TypeAlias

    Decode: TypeAlias = Callable[[Sequence[bytes]], Iterable[object]]

EVENTS = 2_000
ROUNDS = 11
OURS = ("cassette-stream", "cassette-stream, by feed")


def chat_chunks(count: int) -> list[bytes]:
    """*count* events of about 260 bytes, as OpenAI's chat completions send them."""
    return [
        encode_event(
            json.dumps(
                {
                    "id": "chatcmpl-BhT5Zk1eYh9sVq3nU7wRpXoCdLmJa",
                    "object": "chat.completion.chunk",
                    "created": 1_750_000_000,
                    "model": "gpt-4o-mini-2024-07-18",
                    "service_tier": "default",
                    "system_fingerprint": "fp_34a54ae93c",
                    "choices": [
                        {"index": 0, "delta": {"content": f" word{n}"}, "finish_reason": None}
                    ],
                },
                separators=(",", ":"),
            )
        )
        for n in range(count)
    ]


def cut(body: bytes, size: Callable[[], int]) -> list[bytes]:
    chunks = []
    start = 0
    while start < len(body):
        end = start + size()
        chunks.append(body[start:end])
        start = end
    return chunks


def columns() -> dict[str, list[bytes]]:
    events = chat_chunks(EVENTS)
    body = b"".join(events)
    rng = random.Random(0)
    return {
        "one event per chunk": events,
        "64 KiB chunks": cut(body, lambda: 65_536),
        "1 to 17 byte chunks": cut(body, lambda: rng.randint(1, 17)),
        "CRLF, one per chunk": [event.replace(b"\n", b"\r\n") for event in events],
    }


def decoders() -> dict[str, Decode]:
    """Every decoder that is installed, ours first."""
    found: dict[str, Decode] = dict(
        zip(OURS, (lambda chunks: SSEDecoder().decode(chunks), by_feed), strict=True)
    )
    for name, load in {
        "httpx-sse": load_httpx_sse,
        "httpx2": load_httpx2,
        "openai": load_openai,
        "anthropic": load_anthropic,
    }.items():
        with suppress(ImportError):  # `introduce` has named it as skipped
            found[name] = load()
    return found


def by_feed(chunks: Iterable[bytes]) -> Iterator[object]:
    decoder = SSEDecoder()
    for chunk in chunks:
        yield from decoder.feed(chunk)
    yield from decoder.finish()


def load_httpx_sse() -> Decode:
    from httpx_sse._decoders import SSEDecoder as EventDecoder
    from httpx_sse._decoders import SSELineDecoder

    def decode(chunks: Iterable[bytes]) -> Iterator[object]:
        text, lines, events = (
            codecs.getincrementaldecoder("utf-8")("replace"),
            SSELineDecoder(),
            EventDecoder(),
        )
        for chunk in chunks:
            for line in lines.decode(text.decode(chunk)):
                event = events.decode(line)
                if event is not None:
                    yield event
        for line in lines.flush():
            event = events.decode(line)
            if event is not None:
                yield event

    return decode


def load_httpx2() -> Decode:
    from httpx2._sse import _SSEParser

    def decode(chunks: Iterable[bytes]) -> Iterator[object]:
        text, parser = codecs.getincrementaldecoder("utf-8")("replace"), _SSEParser()
        for chunk in chunks:
            yield from parser.decode(text.decode(chunk))
        yield from parser.flush()

    return decode


def load_openai() -> Decode:
    from openai._streaming import SSEDecoder as OpenAIDecoder

    return lambda chunks: OpenAIDecoder().iter_bytes(iter(chunks))


def load_anthropic() -> Decode:
    from anthropic._streaming import SSEDecoder as AnthropicDecoder

    return lambda chunks: AnthropicDecoder().iter_bytes(iter(chunks))


def drain(decode: Decode, chunks: Sequence[bytes]) -> int:
    return sum(1 for _ in decode(chunks))


def main() -> None:
    introduce(
        f"SSE decoders, {EVENTS:,} events of about 260 bytes, median of {ROUNDS} rounds",
        *("cassette-stream", "httpx-sse", "httpx2", "openai", "anthropic"),
    )
    everybody = decoders()
    inputs = columns()
    figures: dict[str, dict[str, float]] = {}
    for title, chunks in inputs.items():
        for name, decode in everybody.items():
            assert drain(decode, chunks) == EVENTS, name
        subjects = {
            name: lambda decode=decode, chunks=chunks: drain(decode, chunks)
            for name, decode in everybody.items()
        }
        seconds = interleaved(subjects, rounds=ROUNDS)
        figures[title] = {name: each / EVENTS * 1e6 for name, each in seconds.items()}
    rows = [[name, *(f"{figures[title][name]:.2f}" for title in inputs)] for name in everybody]
    peers = [name for name in everybody if name not in OURS]
    if peers:
        rows += [
            [
                f"{name} / best peer",
                *(
                    f"{each[name] / min(each[peer] for peer in peers):.2f}"
                    for each in figures.values()
                ),
            ]
            for name in OURS
        ]
    show("microseconds per event", ["decoder", *inputs], rows)


if __name__ == "__main__":
    main()
