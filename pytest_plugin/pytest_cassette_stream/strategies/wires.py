"""How the events of each dialect go over the wire, and what their reader makes of them.

What is read is written back: `events_of` gives the JSON of `bytes_of`. An event of Bedrock has
its type beside its JSON; it is an object of that type alone, as botocore gives it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, TypeAlias

from cassette_stream.dialects.aws_frames import Frames, frame
from cassette_stream.dialects.bedrock_invoke.chunks import ChunkFrames, chunk_frame
from cassette_stream.dialects.encoding import compact
from cassette_stream.wire import NDJSONDecoder, SSEDecoder, encode_event

__all__ = ("CONTENT_TYPES", "Json", "bytes_of", "content_type_of", "events_of", "wire_of")

Json: TypeAlias = dict[str, Any]

_WIRES = {"ollama": "lines", "bedrock_converse": "frames", "bedrock_invoke": "frames"}
CONTENT_TYPES: Mapping[str, str] = {
    "sse": "text/event-stream",
    "lines": "application/x-ndjson",
    "frames": "application/vnd.amazon.eventstream",
}
"""What a server says of each kind of wire."""


def wire_of(dialect: str) -> str:
    """Which kind *dialect* has: "sse" for server-sent events, "lines" of JSON, "frames" of AWS."""
    return _WIRES.get(dialect, "sse")


def content_type_of(dialect: str) -> str:
    """What a server says that a stream of *dialect* is."""
    return CONTENT_TYPES[wire_of(dialect)]


def events_of(dialect: str, body: bytes) -> list[Json]:
    """The JSON of the events in *body*, which is whole; ``[DONE]`` is none."""
    match dialect:
        case "ollama":
            lines = NDJSONDecoder()
            return [json.loads(line) for line in (*lines.feed(body), *lines.finish())]
        case "bedrock_converse":
            return [{it.event: json.loads(it.data)} for it in Frames().feed(body)]
        case "bedrock_invoke":
            return [json.loads(it.data) for it in ChunkFrames().feed(body)]
        case _:
            found = [event.data for event in SSEDecoder().feed(body)]
            return [json.loads(data) for data in found if data != "[DONE]"]


def bytes_of(dialect: str, event: Json) -> bytes:
    """The bytes that have *event* in them; those of server-sent events have no event line."""
    match dialect:
        case "ollama":
            return compact(event).encode() + b"\n"
        case "bedrock_converse":
            [(kind, value)] = event.items()
            return frame(kind, compact(value).encode())
        case "bedrock_invoke":
            return chunk_frame(compact(event))
        case _:
            return encode_event(compact(event))
