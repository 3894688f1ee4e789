"""Chunks that only have keys besides those of the format, as most of OpenRouter's and Azure's.

A shortcut: `read_chunk` comes to the same, and takes everything else.
"""

from __future__ import annotations

from typing import Any

import msgspec

from cassette_stream.chunks import Delta, ModelResponseStream, StreamingChoices
from cassette_stream.chunks.base import public_fields
from cassette_stream.dialects.decoding import UNREADABLE
from cassette_stream.dialects.openai_chat.mending import RESPONSE_WIDE

__all__ = ("with_extras",)

_OF_CHUNKS = frozenset(public_fields(ModelResponseStream))
_OF_CHOICES = frozenset(public_fields(StreamingChoices))
_OF_DELTAS = frozenset(public_fields(Delta))
# Keys that ask for more than to be kept, unless they are null.
_MEANS_MORE = frozenset({"error", "native_finish_reason", "x_groq", *RESPONSE_WIDE})
_PLAIN = msgspec.json.Decoder().decode


def with_extras(text: str) -> ModelResponseStream | None:
    """The chunk that *text* spells, None where that takes more than setting keys aside."""
    try:
        value = _PLAIN(text)
    except UNREADABLE:
        return None
    choices = value.get("choices") if isinstance(value, dict) else None
    choice = choices[0] if isinstance(choices, list) and len(choices) == 1 else None
    delta = choice.get("delta") if isinstance(choice, dict) else None
    if not isinstance(delta, dict) or not isinstance(choice, dict) or "message" in choice:
        return None
    thought = delta.get("reasoning")
    if isinstance(thought, str) and delta.get("reasoning_content") is None:
        del delta["reasoning"]
        delta["reasoning_content"] = thought
    if not (
        _set_aside(value, _OF_CHUNKS)
        and _set_aside(choice, _OF_CHOICES)
        and _set_aside(delta, _OF_DELTAS)
    ):
        return None
    try:
        return msgspec.convert(value, ModelResponseStream)
    except msgspec.ValidationError:
        return None


def _set_aside(value: dict[str, Any], known: frozenset[str]) -> bool:
    """Put what of *value* is not *known* where it is kept; whether no key means more."""
    unknown = [key for key in value if key not in known]
    if unknown:
        extras = {key: value.pop(key) for key in unknown}
        value["(extras)"] = extras
        return not any(key in _MEANS_MORE and extras[key] is not None for key in unknown)
    return True
