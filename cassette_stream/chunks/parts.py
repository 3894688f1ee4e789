"""What streamed deltas and whole messages are both made of."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import msgspec

from cassette_stream.chunks.base import ResponseObject

__all__ = (
    "Audio",
    "ChatCompletionTokenLogprob",
    "ChoiceLogprobs",
    "Custom",
    "Function",
    "FunctionCall",
    "Json",
    "RedactedThinking",
    "Thinking",
    "ThinkingBlock",
    "TopLogprob",
)


class Function(ResponseObject):
    """What a tool call calls; *arguments* is JSON text, as the model wrote it.

    In a delta the name stands in the first of a call and is None in the others, and the
    arguments are what they add.
    """

    name: str | None = None
    arguments: str = ""


class FunctionCall(ResponseObject):
    """The older way to call: one function, without an id."""

    name: str | None = None
    arguments: str = ""


class Custom(ResponseObject):
    """What a custom tool is called with: any text."""

    name: str | None = None
    input: str = ""


class Thinking(ResponseObject, tag="thinking", tag_field="type"):
    """Reasoning that the provider signed, to be sent back with the next request.

    In a delta *index* counts the provider's blocks, and a block comes in pieces, the
    signature in one of its own.
    """

    thinking: str
    signature: str | None = None
    index: int | None = None

    @property
    def type(self) -> Literal["thinking"]:
        return "thinking"


class RedactedThinking(ResponseObject, tag="redacted_thinking", tag_field="type"):
    """Reasoning that the provider encrypted."""

    data: str
    index: int | None = None

    @property
    def type(self) -> Literal["redacted_thinking"]:
        return "redacted_thinking"


ThinkingBlock: TypeAlias = Thinking | RedactedThinking


class Audio(ResponseObject):
    """Spoken output: *data* is base64; *expires_at* is in seconds since 1970."""

    id: str | None = None
    data: str | None = None
    transcript: str | None = None
    expires_at: int | None = None


class TopLogprob(ResponseObject):
    """A token that could have stood there; *bytes* are its UTF-8."""

    token: str
    logprob: float
    bytes: list[int] | None = None


class ChatCompletionTokenLogprob(ResponseObject):
    """A token, how probable it was, and what else could have stood there."""

    token: str
    logprob: float
    bytes: list[int] | None = None
    top_logprobs: list[TopLogprob] = msgspec.field(default_factory=list)


class ChoiceLogprobs(ResponseObject):
    content: list[ChatCompletionTokenLogprob] | None = None
    refusal: list[ChatCompletionTokenLogprob] | None = None


Json: TypeAlias = dict[str, Any]
"""A provider's own object, as it came."""
