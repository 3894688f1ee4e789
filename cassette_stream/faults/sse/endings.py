"""Faults with which a stream never ends, or ends as no stream does."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from cassette_stream.exceptions import PlanError
from cassette_stream.faults.dialect import Dialect
from cassette_stream.faults.edit import Seen, edited, end_at
from cassette_stream.faults.framing import Framing
from cassette_stream.faults.place import AfterText, Event, When, check_place, event_at
from cassette_stream.faults.seek import seek
from cassette_stream.faults.seen import Heard
from cassette_stream.script import Emit, Script, Wait

__all__ = ("BEATS", "ERRORS", "BareError", "Beat", "KeepaliveStall", "NoFinalBlank", "Written")

Beat: TypeAlias = Literal["comment", "ping"]
BEATS: tuple[str, ...] = get_args(Beat)

Written: TypeAlias = Literal["json", "html"]
ERRORS: tuple[str, ...] = get_args(Written)

_PAGE = b"<html><head><title>502 Bad Gateway</title></head><body>502 Bad Gateway</body></html>"
_ERRORS: dict[Dialect, object] = {
    "openai_chat": {"error": {"message": "Internal error", "type": "server_error", "code": None}},
    "openai_responses": {
        "error": {"message": "Internal error", "type": "server_error", "code": None}
    },
    "anthropic": {"type": "error", "error": {"type": "api_error", "message": "Internal error"}},
    "gemini": {"error": {"code": 500, "message": "Internal error", "status": "INTERNAL"}},
    "cohere": {"message": "Internal error"},
    "ollama": {"error": "Internal error"},
    "bedrock_converse": {"message": "Internal error"},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepaliveStall:
    """From a place between two events on there is a sign of life *every* so many seconds.

    It is a comment, or a ping as the dialect writes it, and nothing else ever comes; NDJSON
    has blank lines for comments. A stream without the place is left whole, and so is one
    without such signs.
    """

    at: Event | AfterText | When
    kind: Beat = "comment"
    every: float = 5.0

    def __post_init__(self) -> None:
        check_place(self.at)
        if not isinstance(self.at, AfterText | When):
            event_at(self.at, "sse.keepalive_stall", after=True)
        if self.kind not in BEATS:
            raise PlanError(f"kind is {self.kind!r}; it can be {', '.join(BEATS)}")
        if not self.every > 0:
            raise PlanError(f"every is {self.every!r}; it is more than 0 seconds")

    def __call__(self, script: Script) -> Script:
        heard = Heard()
        found = yield from seek(heard.listen(script), self.at)
        if found is None:
            return
        if not self._has_notion(heard.framing):
            yield from found.steps
            yield from script
            return
        before, _ = found.split()
        yield from before
        heard.finish()
        last, _ = heard.new[-1]
        beat = self._beat(last)
        while True:
            yield Wait(self.every)
            yield beat

    def _has_notion(self, framing: Framing) -> bool:
        return framing == "sse" or (framing == "ndjson" and self.kind == "comment")

    def _beat(self, seen: Seen) -> Emit:
        if seen.framing == "ndjson":
            return Emit(seen.line_end)
        lines = [b": keep-alive"]
        if self.kind == "ping":
            name = b"keepalive" if seen.dialect == "openai_responses" else b"ping"
            lines = [b"event: " + name, b'data: {"type": "%s"}' % name]
        return Emit(b"".join(line + seen.line_end for line in (*lines, b"")))


@dataclass(frozen=True, slots=True, kw_only=True)
class NoFinalBlank:
    """The last event lacks its blank line, or the last line its end.

    A stream that has more behind it is left whole.
    """

    def __call__(self, script: Script) -> Script:
        found = yield from seek(script, Event("last"))
        if found is None:
            return
        size = sum(len(step.data) for step in found.steps if isinstance(step, Emit))
        event = found.event()
        is_ended = found.framing != "aws" and event.endswith((b"\r", b"\n"))
        blank = 2 if event.endswith(b"\r\n") else 1
        gone = [(size - blank, size, b"")] if found.end == size and is_ended else []
        yield from edited(found.steps, gone)
        yield from script


@dataclass(frozen=True, slots=True, kw_only=True)
class BareError:
    """Instead of an event and all that follows there is an error, as it is: it is no event."""

    at: Event
    kind: Written = "json"

    def __post_init__(self) -> None:
        event_at(self.at, "sse.bare_error")
        if self.kind not in ERRORS:
            raise PlanError(f"kind is {self.kind!r}; it can be {', '.join(ERRORS)}")

    def __call__(self, script: Script) -> Script:
        def ending(seen: Seen) -> bytes | None:
            if seen.framing == "aws":
                return None
            error = _ERRORS[seen.dialect or "openai_chat"]
            text = _PAGE if self.kind == "html" else json.dumps(error).encode()
            return text + seen.line_end * (2 if seen.framing == "sse" else 1)

        return end_at(script, self.at, ending)
