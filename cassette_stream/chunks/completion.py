"""A whole answer of a model, in the words of the chat completions API.

Field names are LiteLLM's. What a provider did not say is None: an unknown count is not
a zero, and an absent text is not an empty one.
"""

from __future__ import annotations

from typing import Any

import msgspec

from cassette_stream.chunks.base import ResponseObject
from cassette_stream.chunks.parts import (
    Audio,
    ChoiceLogprobs,
    Custom,
    Function,
    FunctionCall,
    Json,
    ThinkingBlock,
)
from cassette_stream.chunks.usage import Usage

__all__ = ("ChatCompletionMessageToolCall", "Choices", "Message", "ModelResponse")


class ChatCompletionMessageToolCall(ResponseObject):
    """A call of a function, or where *type* is ``custom`` of a custom tool."""

    id: str
    function: Function = msgspec.field(default_factory=Function)
    type: str = "function"
    custom: Custom | None = None
    provider_specific_fields: Json | None = None


class Message(ResponseObject):
    role: str = "assistant"
    content: str | None = None
    reasoning_content: str | None = None
    thinking_blocks: list[ThinkingBlock] | None = None
    reasoning_items: list[Json] | None = None
    tool_calls: list[ChatCompletionMessageToolCall] | None = None
    function_call: FunctionCall | None = None
    refusal: str | None = None
    audio: Audio | None = None
    images: list[Json] | None = None
    annotations: list[Json] | None = None
    provider_specific_fields: Json | None = None


class Choices(ResponseObject):
    """One of the answers. Without a *finish_reason* the model never came to its end.

    *raw_finish_reason* is the provider's own word where it is known; *abnormal_finish* says
    that it is none that has an equivalent, so that *finish_reason* is that word too.
    """

    message: Message
    index: int = 0
    finish_reason: str | None = None
    raw_finish_reason: str | None = None
    abnormal_finish: bool = False
    logprobs: ChoiceLogprobs | None = None


class ModelResponse(ResponseObject):
    """*created* is in seconds since 1970; *warnings* say what is odd about the answer."""

    id: str
    created: int
    model: str
    choices: list[Choices]
    object: str = "chat.completion"
    usage: Usage | None = None
    system_fingerprint: str | None = None
    service_tier: str | None = None
    citations: list[Any] | None = None
    provider_specific_fields: Json | None = None
    warnings: list[str] = msgspec.field(default_factory=list)
    _hidden_params: Json | None = msgspec.field(default=None, name="(hidden)")

    @property
    def complete(self) -> bool:
        """Whether every choice came to its end."""
        return bool(self.choices) and all(it.finish_reason is not None for it in self.choices)
