"""Streams of any length, for laws of cost: one piece of text or of arguments, again and again."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise
from typing import Any

from cassette_stream import (
    ChatCompletionMessageToolCall,
    Choices,
    Function,
    Message,
    ModelResponse,
    Usage,
    dialects,
)
from pytest_cassette_stream.laws.cases import Case
from pytest_cassette_stream.laws.said import Said
from pytest_cassette_stream.strategies.sdk import objects
from pytest_cassette_stream.strategies.streams import As
from pytest_cassette_stream.strategies.wires import events_of

__all__ = ("long_streams",)

_COUNTED = frozenset({"created_at", "sequence_number"})
"""What differs from piece to piece that says the same."""
_WORDS = "word " * 4
_TEXT = Message(content=_WORDS)
_CALL = Message(
    tool_calls=[
        ChatCompletionMessageToolCall(
            id="call_a", function=Function(name="f", arguments=json.dumps({"a": _WORDS}))
        )
    ]
)


def long_streams(dialect: str, as_: As) -> Iterator[Callable[[int], list[Any]]]:
    """What makes a stream of so many pieces of text, and of arguments where they come in pieces."""
    for message in (_TEXT, _CALL):
        events = _events(dialect, message)
        alike = [n for n, two in enumerate(pairwise(events)) if _body(two[0]) == _body(two[1])]
        if alike:
            begun = Case(dialect, tuple(events[: alike[0] + 1]), Said(None, None), as_=as_)
            yield partial(_repeated, begun)


def _repeated(begun: Case, count: int) -> list[Any]:
    *chunks, piece = begun.chunks
    if "sequence_number" not in begun.events[-1] or begun.as_ == "chunks":
        # One object many times: eight times as many objects would cost more than eight times
        # as much by the caches of the processor alone.
        return [*chunks, *[piece] * count]
    event = begun.events[-1]
    first = event["sequence_number"]
    pieces = [event | {"sequence_number": first + n} for n in range(count)]
    return [*chunks, *(pieces if begun.as_ == "dicts" else objects(begun.dialect, pieces))]


def _events(dialect: str, message: Message) -> list[dict[str, Any]]:
    choice = Choices(message=message, finish_reason="stop")
    completion = ModelResponse(
        id="1", created=1, model="m", choices=[choice], usage=Usage(prompt_tokens=1)
    )
    # "word " and ten characters before it: {"a": "wor
    body = b"".join(getattr(dialects, dialect).encode(completion, pieces=[5]))
    return events_of(dialect, body)


def _body(event: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in event.items() if name not in _COUNTED}
