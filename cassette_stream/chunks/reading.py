"""From a dict, or an object of an SDK, to ours: nothing is lost, and what is odd is mended.

Keys that we do not declare become extras; None is the same as an absent key. What servers
commonly do otherwise is put right here: a null where there should be an empty text, list or
object, arguments that are an object instead of its text, ``reasoning`` for
``reasoning_content``, a cumulative ``message`` beside a delta, a cost in parts.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final, TypeAlias, TypeVar

import msgspec

from cassette_stream.chunks.base import ResponseObject, public_fields
from cassette_stream.chunks.completion import (
    ChatCompletionMessageToolCall,
    Choices,
    Message,
    ModelResponse,
)
from cassette_stream.chunks.parts import (
    Audio,
    ChatCompletionTokenLogprob,
    ChoiceLogprobs,
    Custom,
    Function,
    FunctionCall,
    RedactedThinking,
    Thinking,
    TopLogprob,
)
from cassette_stream.chunks.stream import (
    ChatCompletionDeltaToolCall,
    Delta,
    ModelResponseStream,
    StreamingChoices,
)
from cassette_stream.chunks.usage import CompletionTokensDetails, PromptTokensDetails, Usage
from cassette_stream.exceptions import MalformedStreamError

__all__ = ("arguments_text", "read_chunk", "read_response", "read_tool_call")

T = TypeVar("T", bound=ResponseObject)

_Parts: TypeAlias = dict[str, type[ResponseObject]]

_CALL_PARTS: Final[_Parts] = {"function": Function, "custom": Custom}
_MESSAGE_PARTS: Final[_Parts] = {"function_call": FunctionCall, "audio": Audio}
# Which fields hold objects of ours, or lists of them.
_PARTS: Final[dict[type[ResponseObject], _Parts]] = {
    ModelResponseStream: {"choices": StreamingChoices, "usage": Usage},
    StreamingChoices: {"delta": Delta, "logprobs": ChoiceLogprobs},
    Delta: _MESSAGE_PARTS | {"tool_calls": ChatCompletionDeltaToolCall},
    ChatCompletionDeltaToolCall: _CALL_PARTS,
    ModelResponse: {"choices": Choices, "usage": Usage},
    Choices: {"message": Message, "logprobs": ChoiceLogprobs},
    Message: _MESSAGE_PARTS | {"tool_calls": ChatCompletionMessageToolCall},
    ChatCompletionMessageToolCall: _CALL_PARTS,
    ChoiceLogprobs: dict.fromkeys(("content", "refusal"), ChatCompletionTokenLogprob),
    ChatCompletionTokenLogprob: {"top_logprobs": TopLogprob},
    Usage: {
        "prompt_tokens_details": PromptTokensDetails,
        "completion_tokens_details": CompletionTokensDetails,
    },
}
_TEXTS: Final = frozenset(
    {
        "id",
        "name",
        "model",
        "role",
        "content",
        "refusal",
        "reasoning_content",
        "arguments",
        "input",
        "transcript",
    }
)


def read_chunk(value: object, *, strict: bool = True) -> ModelResponseStream:
    """A chunk from a dict in OpenAI's shape, or from an SDK's chunk; ours is given back as is.

    With *strict* off a number or a boolean where a text belongs is written as text.

    Raises:
        TypeError: *value* is neither a mapping nor has a ``model_dump``.
        MalformedStreamError: A field is of another type; the text says which.
    """
    return _read(value, ModelResponseStream, strict)


def read_response(value: object, *, strict: bool = True) -> ModelResponse:
    """A whole answer from a dict in OpenAI's shape, or from an SDK's; as `read_chunk`."""
    return _read(value, ModelResponse, strict)


def read_tool_call(value: object, *, strict: bool = True) -> ChatCompletionDeltaToolCall:
    """A fragment of a tool call from a dict, or from an SDK's; as `read_chunk`."""
    return _read(value, ChatCompletionDeltaToolCall, strict)


def arguments_text(arguments: object) -> str:
    """The *arguments* of a call as text: None is no text, an object is its JSON."""
    if isinstance(arguments, str):
        return arguments
    return "" if arguments is None else json.dumps(arguments, ensure_ascii=False)


def _read(value: object, kind: type[T], strict: bool) -> T:
    if isinstance(value, kind):
        return value
    shaped = _shaped(_mapping(value), kind, strict)
    try:
        return msgspec.convert(shaped, kind)
    except msgspec.ValidationError as error:
        raise MalformedStreamError(f"a chunk is not as its format says: {error}") from error


def _mapping(value: object) -> Mapping[str, Any]:
    if isinstance(value, Mapping):
        return value
    if isinstance(value, ResponseObject):
        return dict(value)
    if hasattr(value, "model_dump"):
        # Pydantic warns of values that its own SDK let through; we look at them ourselves.
        dumped: Mapping[str, Any] = value.model_dump(exclude_unset=True, warnings=False)
        return dumped
    raise TypeError(f"a chunk is a mapping or has a model_dump, not {type(value).__name__}")


def _shaped(value: Mapping[str, Any], kind: type[ResponseObject], strict: bool) -> dict[str, Any]:
    """*value* with unknown keys set aside and absent ones left out, ready to convert."""
    fields, parts = public_fields(kind), _PARTS.get(kind, {})
    shaped: dict[str, Any] = {}
    extras: dict[str, Any] = {}
    for key, item in _mended(value, kind).items():
        if key not in fields:
            extras[key] = item
        elif item is None:
            continue
        elif key in parts:
            shaped[key] = _part(item, parts[key], strict)
        elif key == "thinking_blocks" and isinstance(item, list):
            shaped[key] = [_thinking(block, strict) for block in item]
        elif not strict and key in _TEXTS and isinstance(item, (int, float)):
            shaped[key] = str(item)
        else:
            shaped[key] = item
    return shaped | {"(extras)": extras} if extras else shaped


def _part(item: object, kind: type[ResponseObject], strict: bool) -> object:
    """An object or a list of objects, shaped; anything else as it is, to be refused by type."""
    if isinstance(item, list):
        return [_part(each, kind, strict) for each in item]
    if isinstance(item, ResponseObject):
        item = dict(item)
    return _shaped(item, kind, strict) if isinstance(item, Mapping) else item


def _thinking(block: object, strict: bool) -> object:
    item = dict(block) if isinstance(block, ResponseObject) else block
    if not isinstance(item, Mapping):
        return block
    return _part(item, RedactedThinking if "data" in item else Thinking, strict)


def _mended(value: Mapping[str, Any], kind: type[ResponseObject]) -> Mapping[str, Any]:
    if kind in (Delta, Message):
        return _mended_message(value)
    if kind is StreamingChoices and "message" in value:
        return {key: item for key, item in value.items() if key != "message"}
    if kind in (Function, FunctionCall) and isinstance(value.get("arguments"), (dict, list)):
        return {**value, "arguments": arguments_text(value["arguments"])}
    if kind is Usage and isinstance(value.get("cost"), Mapping):
        return {**value, "cost": value["cost"].get("total_cost"), "cost_details": value["cost"]}
    return value


def _mended_message(value: Mapping[str, Any]) -> Mapping[str, Any]:
    mended = dict(value)
    if isinstance(mended.get("reasoning"), str) and mended.get("reasoning_content") is None:
        mended["reasoning_content"] = mended.pop("reasoning")
    if mended.get("tool_calls") == []:
        del mended["tool_calls"]
    return mended
