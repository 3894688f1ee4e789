"""A whole answer of a model, in the words of the chat completions API.

Field names are LiteLLM's. What a provider did not say is None: an unknown count is not
a zero, and an absent text is not an empty one.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

__all__ = (
    "ChatCompletionMessageToolCall",
    "Choices",
    "CompletionTokensDetails",
    "Function",
    "Message",
    "ModelResponse",
    "PromptTokensDetails",
    "RedactedThinking",
    "Thinking",
    "ThinkingBlock",
    "Usage",
)


class Function(msgspec.Struct, frozen=True, kw_only=True):
    """What a tool call calls; *arguments* is JSON text, as the model wrote it."""

    name: str
    arguments: str = "{}"


class ChatCompletionMessageToolCall(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    function: Function
    type: Literal["function"] = "function"


class Thinking(msgspec.Struct, frozen=True, kw_only=True, tag="thinking"):
    """Reasoning that the provider signed, to be sent back with the next request."""

    thinking: str
    signature: str | None = None


class RedactedThinking(msgspec.Struct, frozen=True, kw_only=True, tag="redacted_thinking"):
    """Reasoning that the provider encrypted."""

    data: str


ThinkingBlock: TypeAlias = Thinking | RedactedThinking


class Message(msgspec.Struct, frozen=True, kw_only=True):
    role: Literal["assistant"] = "assistant"
    content: str | None = None
    reasoning_content: str | None = None
    thinking_blocks: list[ThinkingBlock] | None = None
    tool_calls: list[ChatCompletionMessageToolCall] | None = None
    refusal: str | None = None


class Choices(msgspec.Struct, frozen=True, kw_only=True):
    """One of the answers. Without a *finish_reason* the model never came to its end."""

    message: Message
    index: int = 0
    finish_reason: str | None = None


class PromptTokensDetails(msgspec.Struct, frozen=True, kw_only=True):
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None


class CompletionTokensDetails(msgspec.Struct, frozen=True, kw_only=True):
    reasoning_tokens: int | None = None


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens that were billed: a prompt includes what was cached, a completion what was thought."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    total_tokens: int = 0
    prompt_tokens_details: PromptTokensDetails | None = None
    completion_tokens_details: CompletionTokensDetails | None = None


class ModelResponse(msgspec.Struct, frozen=True, kw_only=True):
    """*created* is in seconds since 1970."""

    id: str
    created: int
    model: str
    choices: list[Choices]
    object: Literal["chat.completion"] = "chat.completion"
    usage: Usage | None = None
    system_fingerprint: str | None = None
    service_tier: str | None = None
