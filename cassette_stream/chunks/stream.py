"""What a stream yields: chunks, in the words of the chat completions API.

Field names are LiteLLM's; every field exists on every object, None where nothing was said.

A decoder gives *raw progress*: one chunk per event, with the words of that event in the
fields of this module, and need not care for the contract that callers rely on (the role
once, one kind of progress per chunk, the finish chunk alone, usage last, tool calls
counted densely): `NormalForm` makes that. A decoder must give

- *finish_reason* in the provider's own word, and None or ``""`` while there is none;
- text as it came, nothing held back; a tool call as fragments: its *index* where the
  provider gives one (`NO_INDEX` where not), id, name and arguments in any order and number,
  arguments as text (`arguments_text` writes an object as text);
- usage in the shape of `Usage` wherever the provider puts it, each report whole: the last
  one counts;
- *choices* empty for an event that only carries usage or what belongs to the response.

The quick way from JSON is ``msgspec.json.Decoder(ModelResponseStream)``: it reads a text chunk
in well under a microsecond and refuses whatever is not declared here; `read_chunk` then
takes the same JSON as a dict, keeps unknown keys as extras, and mends what is commonly odd.
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

__all__ = (
    "NO_INDEX",
    "ChatCompletionDeltaToolCall",
    "Delta",
    "ModelResponseStream",
    "StreamingChoices",
)

NO_INDEX = -1
"""The index of a raw fragment whose provider gave none; chunks in normal form have one."""


class ChatCompletionDeltaToolCall(ResponseObject):
    """A fragment of a call. A custom tool has its in *custom*, and an empty *function*.

    In normal form the id stands in one fragment of a call, and *raw_index* is the provider's.
    """

    index: int = NO_INDEX
    id: str | None = None
    function: Function = msgspec.field(default_factory=Function)
    type: str | None = "function"
    custom: Custom | None = None
    raw_index: int | None = None
    provider_specific_fields: Json | None = None


class Delta(ResponseObject):
    """What a chunk adds to the message."""

    role: str | None = None
    content: str | None = None
    tool_calls: list[ChatCompletionDeltaToolCall] | None = None
    function_call: FunctionCall | None = None
    refusal: str | None = None
    reasoning_content: str | None = None
    thinking_blocks: list[ThinkingBlock] | None = None
    reasoning_items: list[Json] | None = None
    audio: Audio | None = None
    images: list[Json] | None = None
    annotations: list[Json] | None = None
    provider_specific_fields: Json | None = None


class StreamingChoices(ResponseObject):
    """One of the answers in a chunk.

    *raw_finish_reason* is the provider's own word; *abnormal_finish* says that it is none
    that has an equivalent, so that *finish_reason* is that word too.
    """

    index: int = 0
    delta: Delta = msgspec.field(default_factory=Delta)
    finish_reason: str | None = None
    raw_finish_reason: str | None = None
    abnormal_finish: bool = False
    logprobs: ChoiceLogprobs | None = None


class ModelResponseStream(ResponseObject):
    """One chunk; *created* is in seconds since 1970."""

    id: str = ""
    object: str = "chat.completion.chunk"
    created: int = 0
    model: str = ""
    choices: list[StreamingChoices] = msgspec.field(default_factory=list)
    system_fingerprint: str | None = None
    usage: Usage | None = None
    service_tier: str | None = None
    provider_specific_fields: Json | None = None
    citations: list[Any] | None = None
    obfuscation: str | None = None
    _hidden_params: Json | None = msgspec.field(default=None, name="(hidden)")

    @property
    def is_usage_only(self) -> bool:
        """Whether this chunk says what was billed, and nothing about any answer."""
        return self.usage is not None and all(
            choice.finish_reason is None and choice.delta == _NOTHING for choice in self.choices
        )


_NOTHING = Delta()
