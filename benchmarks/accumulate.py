"""What chunks cost: from raw to normal form, and put together again.

    python benchmarks/accumulate.py [--rounds 7]

Text and tool arguments, 20,000 chunks: from JSON to objects, into normal form, and into one
response, with ``json.loads`` of the same lines beside it. Then one MiB of tool arguments in
deltas of four characters: appended to a list and joined, which is the floor; by the machine
that also notices text that is sent again; through `ToolCallAccumulator`, which finds the call
of every fragment, with a preview after every delta too; and through `ResponseAccumulator`.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable

import msgspec
from measure import interleaved, introduce, show

from cassette_stream.chunks import (
    ChatCompletionDeltaToolCall,
    Delta,
    Function,
    ModelResponseStream,
    NormalForm,
    ResponseAccumulator,
    StreamingChoices,
    ToolCallAccumulator,
)
from cassette_stream.chunks.arguments import Arguments

CHUNKS = 20_000
MIB = 2**20


def line(delta: dict[str, object]) -> bytes:
    """A chunk as OpenAI sends it."""
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": None}
    head = {"id": "chatcmpl-Bx1", "object": "chat.completion.chunk", "created": 1700000000}
    tail = {"service_tier": "default", "system_fingerprint": "fp_1", "obfuscation": "aBcDeFg"}
    return json.dumps(head | {"model": "gpt-4o", "choices": [choice]} | tail).encode()


def call(arguments: str, **start: object) -> dict[str, object]:
    function = {"arguments": arguments} | ({"name": "f"} if start else {})
    return {"tool_calls": [{"index": 0, "function": function} | start]}


def stages(first: bytes, following: bytes) -> dict[str, Callable[[], object]]:
    lines = [first, *[following] * CHUNKS]
    decode = msgspec.json.Decoder(ModelResponseStream).decode
    normal = list(NormalForm().feed(map(decode, lines)))

    def respond() -> object:
        accumulator = ResponseAccumulator()
        for chunk in normal:
            accumulator.add(chunk)
        return accumulator.response()

    def everything() -> object:
        accumulator = ResponseAccumulator()
        for chunk in NormalForm().feed(map(decode, lines)):
            accumulator.add(chunk)
        return accumulator.response()

    return {
        "json.loads": lambda: [None for _ in map(json.loads, lines)],
        "to objects": lambda: [None for _ in map(decode, lines)],
        "to objects, normal form": lambda: [None for _ in NormalForm().feed(map(decode, lines))],
        "normal chunks to a response": respond,
        "all of it": everything,
    }


def mebibyte() -> dict[str, Callable[[], object]]:
    pieces = ['{"x":"', *["abcd"] * (MIB // 4), '"}']
    fragments = [
        ChatCompletionDeltaToolCall(index=0, function=Function(arguments=piece)) for piece in pieces
    ]
    fragments[0].id, fragments[0].function.name = "call_1", "f"
    chunks = [
        ModelResponseStream(id="a", choices=[StreamingChoices(delta=Delta(tool_calls=[it]))])
        for it in fragments
    ]

    def floor() -> object:
        parts: list[str] = []
        for fragment in fragments:
            parts.append(fragment.function.arguments)  # noqa: PERF401 - that is what is measured
        return "".join(parts)

    def arguments() -> object:
        text = Arguments()
        for fragment in fragments:
            text.add(fragment.function.arguments)
        return text.whole

    def calls(*, preview: bool = False) -> object:
        accumulator = ToolCallAccumulator()
        for fragment in fragments:
            accumulator.add((fragment,))
            if preview:
                accumulator.preview(0)
        return accumulator.calls

    def response() -> object:
        accumulator = ResponseAccumulator()
        for chunk in chunks:
            accumulator.add(chunk)
        return accumulator.response()

    return {
        "append and join": floor,
        "Arguments, the text alone": arguments,
        "ToolCallAccumulator": calls,
        "ToolCallAccumulator, a preview after each": lambda: calls(preview=True),
        "ResponseAccumulator, whole chunks": response,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    introduce("What chunks cost", "msgspec")
    text = interleaved(stages(line({"content": "Hel"}), line({"content": " world"})), rounds=rounds)
    first = line(call("", id="call_1", type="function"))
    tool = interleaved(stages(first, line(call("abcd"))), rounds=rounds)
    show(
        f"{CHUNKS:,} chunks, microseconds of CPU a chunk",
        ("", "text", "tool arguments"),
        [(name, *(f"{it[name] / CHUNKS * 1e6:.2f}" for it in (text, tool))) for name in text],
    )
    seconds = interleaved(mebibyte(), rounds=rounds)
    floor = seconds["append and join"]
    show(
        "1 MiB of tool arguments in deltas of 4 characters",
        ("", "ms of CPU", "times the floor"),
        [(name, f"{it * 1e3:.1f}", f"{it / floor:.1f}") for name, it in seconds.items()],
    )


if __name__ == "__main__":
    main()
