"""How a server may write the events of a dialect, and a correct decoder does not notice it.

Each kind of wire has rules of its own; what is written says the same, whichever it needs.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from cassette_stream.wire import (
    EventStreamDecoder,
    EventStreamMessage,
    ServerSentEvent,
    encode_message,
)
from pytest_cassette_stream.laws.whatwg import BOM, LINE_ENDS, RULES, events_of
from pytest_cassette_stream.strategies.wires import wire_of

__all__ = ("FRAMING", "Framing", "framings")

_LINES = "https://github.com/ndjson/ndjson-spec"
_FRAMES = "https://smithy.io/2.0/aws/amazon-eventstream.html"

_OF_WIRES: Mapping[str, Mapping[str, str]] = {
    "sse": {
        name: RULES[name]
        for name in ("bom", "cr", "crlf", "no_space", "comment", "id", "retry", "unknown_field")
    }
    | {
        "event_missing": "a type in the JSON says what an event is, so its event line may be "
        "missing",
        "event_added": "streams of OpenAI's shape may have event lines",
    },
    "lines": {
        "line_crlf": f"CR LF ends a line of JSON as LF does: {_LINES}",
        "line_blank": f"a blank line is no JSON, and nothing at all: {_LINES}",
        "line_unended": "the last line may have no LF: https://jsonlines.org",
    },
    "frames": {
        "header_added": f"a message may have headers that nobody knows: {_FRAMES}",
        "headers_reversed": f"headers may come in any order: {_FRAMES}",
        "padding": "Bedrock pads the JSON of an event by a member p that says nothing",
    },
}
FRAMING: Mapping[str, str] = {
    name: text for rules in _OF_WIRES.values() for name, text in rules.items()
}
"""The rules that the stream of a dialect may need, and a correct decoder does not notice."""


@dataclass(frozen=True)
class Framing:
    """How a server of this *wire* may write the events of a dialect."""

    wire: str
    rules: frozenset[str]

    def __call__(self, body: bytes) -> bytes:
        """The events of *body*, written so."""
        return _WRITERS[self.wire](body, self.rules)

    @property
    def seen(self) -> dict[str, str]:
        """Who sends such streams, or the text that allows them."""
        return {name: text for name, text in FRAMING.items() if name in self.rules}


def framings(dialect: str, rules: Collection[str]) -> st.SearchStrategy[Framing]:
    """Ways to write the events of *dialect* that need none but these *rules*, few of them first."""
    wire = wire_of(dialect)
    known = [name for name in _OF_WIRES[wire] if name in rules]
    chosen = st.lists(st.sampled_from(known), max_size=3) if known else st.just([])
    return chosen.map(lambda names: Framing(wire, frozenset(names)))


def _as_events(body: bytes, rules: Collection[str]) -> bytes:
    end = next((LINE_ENDS[it] for it in ("cr", "crlf") if it in rules), b"\n")
    lines = [line for event in events_of(body) for line in _lines_of(event, rules)]
    return (BOM if "bom" in rules else b"") + b"".join(line + end for line in lines)


def _lines_of(event: ServerSentEvent, rules: Collection[str]) -> Iterable[bytes]:
    if "comment" in rules:
        yield b": keep-alive"
    if "event_added" in rules and event.event == "message":
        yield b"event: message"
    if event.event != "message" and "event_missing" not in rules:
        yield f"event: {event.event}".encode()
    for rule, line in (("id", b"id: 1"), ("retry", b"retry: 1"), ("unknown_field", b"x: y")):
        if rule in rules:
            yield line
    colon = "data:" if "no_space" in rules else "data: "
    yield from (f"{colon}{line}".encode() for line in event.data.split("\n"))
    yield b""


def _as_lines(body: bytes, rules: Collection[str]) -> bytes:
    end = b"\r\n" if "line_crlf" in rules else b"\n"
    written = end.join(body.splitlines())
    if "line_blank" in rules:
        written = end + written.replace(end, end + end)
    return written + (b"" if "line_unended" in rules else end)


def _as_frames(body: bytes, rules: Collection[str]) -> bytes:
    return b"".join(_frame(it, rules) for it in EventStreamDecoder().feed(body))


def _frame(message: EventStreamMessage, rules: Collection[str]) -> bytes:
    headers: dict[str, Any] = dict(message.headers)
    if "header_added" in rules:
        headers[":date"] = 1
    if "headers_reversed" in rules:
        headers = dict(reversed(headers.items()))
    payload = message.payload
    if "padding" in rules:
        payload = json.dumps(json.loads(payload) | {"p": "abcdefgh"}).encode()
    return encode_message(headers, payload)


_WRITERS: Mapping[str, Callable[[bytes, Collection[str]], bytes]] = {
    "sse": _as_events,
    "lines": _as_lines,
    "frames": _as_frames,
}
