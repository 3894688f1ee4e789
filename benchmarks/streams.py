"""Streams as three providers send them, one event per chunk: text, or the arguments of a call.

With the padding by which two of them hide the length of a word: OpenAI fills a field of its own,
Anthropic puts blanks behind the JSON. So no two events differ in their text alone.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from itertools import cycle

from cassette_stream.wire import encode_event

PIECE = "abcd"


def texts(count: int) -> list[str]:
    """Words that all differ: litellm takes one that comes again for a model in a loop."""
    return [f" word{n}" for n in range(count)]


def arguments(count: int) -> list[str]:
    """Pieces of four characters that make up one JSON object."""
    return ['{"x"', ':"ab', *[PIECE] * (count - 3), 'cd"}']


def openai(pieces: list[str], *, tool: bool) -> list[bytes]:
    widths = cycle(range(1, 13))

    def event(delta: object, reason: str | None = None) -> bytes:
        value = {
            "id": "chatcmpl-BhT5Zk1eYh9sVq3nU7wRpXoCdLmJa",
            "object": "chat.completion.chunk",
            "created": 1_750_000_000,
            "model": "gpt-4o-2024-08-06",
            "service_tier": "default",
            "system_fingerprint": "fp_34a54ae93c",
            "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}],
            "obfuscation": "aBcDeFgHiJkL"[: next(widths)],
        }
        return encode_event(json.dumps(value, separators=(",", ":")))

    start: dict[str, object] = {"role": "assistant", "content": "", "refusal": None}
    if not tool:
        said = [event({"content": piece}) for piece in pieces]
        return [event(start), *said, event({}, "stop"), b"data: [DONE]\n\n"]
    call = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": ""}}
    start |= {"content": None, "tool_calls": [{"index": 0, **call}]}
    said = [
        event({"tool_calls": [{"index": 0, "function": {"arguments": piece}}]}) for piece in pieces
    ]
    return [event(start), *said, event({}, "tool_calls"), b"data: [DONE]\n\n"]


def anthropic(pieces: list[str], *, tool: bool) -> list[bytes]:
    widths = cycle(range(1, 13))

    def event(kind: str, **fields: object) -> bytes:
        data = json.dumps({"type": kind, **fields}, separators=(",", ":"))
        return encode_event(f"{data[:-1]}{' ' * next(widths)}}}", event=kind)

    block: dict[str, object] = {"type": "text", "text": ""}
    if tool:
        block = {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}}
    kind, name = ("input_json_delta", "partial_json") if tool else ("text_delta", "text")
    message = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-4-5",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {"input_tokens": 25, "output_tokens": 1},
    }
    end = {"stop_reason": "tool_use" if tool else "end_turn", "stop_sequence": None}
    return [
        event("message_start", message=message),
        event("content_block_start", index=0, content_block=block),
        *(
            event("content_block_delta", index=0, delta={"type": kind, name: piece})
            for piece in pieces
        ),
        event("content_block_stop", index=0),
        event("message_delta", delta=end, usage={"output_tokens": len(pieces)}),
        event("message_stop"),
    ]


def gemini(pieces: list[str], *, tool: bool) -> list[bytes]:
    """Every frame is a whole response; a call comes in one piece, so there is text alone."""
    assert not tool

    def frame(number: int, piece: str, **more: object) -> bytes:
        counts = {"promptTokenCount": 4, "candidatesTokenCount": number}
        value = {
            "candidates": [
                {"content": {"parts": [{"text": piece}], "role": "model"}, "index": 0, **more}
            ],
            "usageMetadata": {**counts, "totalTokenCount": 4 + number},
            "modelVersion": "gemini-2.5-flash",
            "responseId": "r8Zuaa3kK9S4qtsPiYXA2Ao",
        }
        return encode_event(json.dumps(value))

    last = len(pieces)
    return [*map(frame, range(last), pieces), frame(last, ".", finishReason="STOP")]


WIRES: Mapping[str, Callable[..., list[bytes]]] = {
    "openai": openai,
    "anthropic": anthropic,
    "gemini": gemini,
}


def stream(wire: str, count: int, *, tool: bool = False) -> list[bytes]:
    """The chunks of an answer in *count* pieces."""
    return WIRES[wire](arguments(count) if tool else texts(count), tool=tool)
