"""What an answer says, in whatever shape it is told: its text, and its tool calls with their ids.

Answers of this package, of the official SDKs, their JSON, a message, a text, or a list of
calls; what a shape has no place for is None, and is not compared.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from cassette_stream import dialects, stream_chunk_builder

__all__ = ("Call", "Said", "said_by")


@dataclass(frozen=True)
class Call:
    """A tool call; *id* is None in an expectation where the provider sends none.

    It is "" where whoever reads the stream is not told it.
    """

    id: str | None
    name: str
    arguments: str

    def is_meant_by(self, other: Call) -> bool:
        """Whether *other*, which came, is this call, however its arguments are spelt."""
        known = bool(other.id) if self.id is None else self.id in ("", other.id)
        return known and self.name == other.name and _meant(self) == _meant(other)


@dataclass(frozen=True)
class Said:
    """A text and calls; None is what was not told."""

    text: str | None
    calls: tuple[Call, ...] | None

    def is_told_by(self, other: Said) -> bool:
        """Whether *other*, which came, says this, as far as it tells anything."""
        if other.text is not None and other.text != self.text:
            return False
        if other.calls is None or self.calls is None:
            return True
        return len(self.calls) == len(other.calls) and all(
            mine.is_meant_by(came) for mine, came in zip(self.calls, other.calls, strict=True)
        )


def said_by(value: object) -> Said:
    """What *value* says; nothing yet if it is None.

    Raises:
        TypeError: It has no shape that is known.
    """
    if value is None:
        return Said("", ())
    if isinstance(value, str):
        return Said(value, None)
    if isinstance(value, (list, tuple)):
        return _of_list(value)
    plain = _plain(value)
    if isinstance(plain, Mapping):
        name = _dialect(plain)
        if name is not None:
            body = json.dumps(plain, default=str).encode()
            chunks = getattr(dialects, name).whole_body(body)
            return said_by(stream_chunk_builder(chunks))
        return _of_message(plain)
    raise TypeError(
        "an accumulator gives an answer, a message, its text or its tool calls; "
        f"this is none: {value!r}"
    )


def _meant(call: Call) -> object:
    try:
        return json.loads(call.arguments)
    except (ValueError, RecursionError):
        return call.arguments


def _plain(value: object) -> object:
    dump = getattr(value, "model_dump", None)
    if not callable(dump) or isinstance(value, type):
        return value
    try:
        return dump(mode="json")
    except TypeError:  # ours, which has no modes
        return dump()


def _dialect(value: Mapping[str, Any]) -> str | None:
    """The dialect whose whole answer this is, chat completions excepted."""
    if value.get("type") == "message" and "content" in value:
        return "anthropic"
    if value.get("object") == "response":
        return "openai_responses"
    if "candidates" in value:
        return "gemini"
    return "bedrock_converse" if "output" in value else None


def _of_message(value: Mapping[str, Any]) -> Said:
    if "choices" in value:
        choices = value["choices"]
        return _of_message(_plain_mapping(choices[0])) if choices else Said("", ())
    if "message" in value:
        return _of_message(_plain_mapping(value["message"]))
    texts = [_content(value[name]) for name in ("content", "text") if name in value]
    calls = [value[name] or () for name in ("tool_calls", "calls") if name in value]
    if not texts and not calls and "role" in value:
        return Said("", ())  # a message that says nothing, as Cohere writes it
    if not texts and not calls:
        raise TypeError(f"this has neither content nor tool_calls: {value!r}")
    return Said(texts[0] if texts else None, tuple(_calls(calls[0])) if calls else None)


def _content(value: object) -> str:
    """The text of a content, or of the texts among its parts."""
    if isinstance(value, list):
        return "".join(_plain_mapping(part).get("text") or "" for part in value)
    return str(value or "")


def _of_list(value: list[Any] | tuple[Any, ...]) -> Said:
    if value and all(isinstance(item, str) for item in value):
        return Said("".join(value), None)
    return Said(None, tuple(_calls(value)))


def _calls(values: Any) -> Iterator[Call]:
    for value in values.values() if isinstance(values, Mapping) else values:
        if isinstance(value, (list, tuple)) and len(value) == 3:
            yield Call(value[0], value[1], _text(value[2]))
            continue
        call = _plain_mapping(value)
        inner = call.get("function") or call.get("custom")
        function = _plain_mapping(call if inner is None else inner)
        arguments = next(
            (function[name] for name in ("arguments", "input", "args") if name in function), ""
        )
        yield Call(call.get("id"), function.get("name") or "", _text(arguments))


def _plain_mapping(value: object) -> Mapping[str, Any]:
    plain = _plain(value)
    if isinstance(plain, Mapping):
        return plain
    if hasattr(plain, "__dict__"):
        return vars(plain)
    raise TypeError(f"a tool call has an id, a name and arguments; this is none: {value!r}")


def _text(arguments: object) -> str:
    if isinstance(arguments, str):
        return arguments
    return "" if arguments is None else json.dumps(arguments, ensure_ascii=False)
