"""Requests of the three dialects, read as what the embedded model needs to know.

A request is read by its types, and only the fields that matter to an answer. What does
not fit is a `msgspec.MsgspecError` that names the place.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Annotated, TypeAlias

import msgspec

from cassette_stream.server.embedded import Ask, Tool

__all__ = ("Asked", "read_anthropic", "read_gemini", "read_openai_chat")

_Json: TypeAlias = dict[str, object]
_Choices = Annotated[int, msgspec.Meta(ge=1, le=128)]
_Limit = Annotated[int, msgspec.Meta(ge=0)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is asked, and in which form it is to be answered."""

    ask: Ask
    stream: bool
    include_usage: bool = False


class _Part(msgspec.Struct):
    type: str = "text"
    text: str = ""
    content: str | list[_Part] = ""


class _Message(msgspec.Struct):
    role: str
    content: str | list[_Part] | None = None


class _Function(msgspec.Struct):
    name: str
    parameters: _Json | None = None


class _Named(msgspec.Struct):
    name: str | None = None


class _OpenAITool(msgspec.Struct):
    function: _Function | None = None


class _OpenAIToolChoice(msgspec.Struct):
    function: _Named | None = None


class _StreamOptions(msgspec.Struct):
    include_usage: bool | None = None


class _OpenAIRequest(msgspec.Struct):
    model: str
    messages: list[_Message]
    stream: bool | None = None
    stream_options: _StreamOptions | None = None
    tools: list[_OpenAITool] | None = None
    tool_choice: str | _OpenAIToolChoice | None = None
    reasoning_effort: str | None = None
    n: _Choices | None = None
    max_tokens: _Limit | None = None
    max_completion_tokens: _Limit | None = None


def read_openai_chat(body: bytes) -> Asked:
    """The request for a chat completion in *body*."""
    asked = msgspec.json.decode(body, type=_OpenAIRequest)
    functions = [tool.function for tool in asked.tools or () if tool.function is not None]
    choice = asked.tool_choice
    forced = choice.function if isinstance(choice, _OpenAIToolChoice) else None
    limits = (asked.max_completion_tokens, asked.max_tokens)
    trailing = takewhile(lambda message: message.role == "tool", reversed(asked.messages))
    ask = Ask(
        model=asked.model,
        key=body,
        prompt=_last_of_user(asked.messages),
        prompt_words=_words(_text(message.content) for message in asked.messages),
        results=tuple(_text(message.content) for message in trailing)[::-1],
        tools=() if choice == "none" else _tools(functions),
        forced_tool=forced.name if forced else None,
        reasoning=asked.reasoning_effort not in {None, "none"},
        choices=asked.n or 1,
        max_tokens=next((limit for limit in limits if limit is not None), None),
    )
    usage = asked.stream_options is not None and bool(asked.stream_options.include_usage)
    return Asked(ask=ask, stream=bool(asked.stream), include_usage=usage)


class _AnthropicTool(msgspec.Struct):
    name: str
    input_schema: _Json | None = None


class _AnthropicToolChoice(msgspec.Struct):
    type: str
    name: str | None = None


class _Thinking(msgspec.Struct):
    type: str


class _AnthropicRequest(msgspec.Struct):
    model: str
    messages: list[_Message]
    max_tokens: _Limit
    system: str | list[_Part] | None = None
    stream: bool | None = None
    tools: list[_AnthropicTool] | None = None
    tool_choice: _AnthropicToolChoice | None = None
    thinking: _Thinking | None = None


def read_anthropic(body: bytes) -> Asked:
    """The request for a message in *body*."""
    asked = msgspec.json.decode(body, type=_AnthropicRequest)
    choice = asked.tool_choice
    forbidden = choice is not None and choice.type == "none"
    last = asked.messages[-1].content if asked.messages else None
    parts = last if isinstance(last, list) else []
    functions = [_Function(tool.name, tool.input_schema) for tool in asked.tools or ()]
    texts = [asked.system, *(message.content for message in asked.messages)]
    ask = Ask(
        model=asked.model,
        key=body,
        prompt=_last_of_user(asked.messages),
        prompt_words=_words(map(_text, texts)),
        results=tuple(_text(part.content) for part in parts if part.type == "tool_result"),
        tools=() if forbidden else _tools(functions),
        forced_tool=choice.name if choice else None,
        reasoning=asked.thinking is not None and asked.thinking.type != "disabled",
        max_tokens=asked.max_tokens,
        id_prefix="msg_",
        call_id_prefix="toolu_",
    )
    return Asked(ask=ask, stream=bool(asked.stream))


class _FunctionResponse(msgspec.Struct):
    response: object = None


class _GeminiPart(msgspec.Struct, rename="camel"):
    text: str = ""
    function_response: _FunctionResponse | None = None


class _Content(msgspec.Struct):
    parts: list[_GeminiPart] = []
    role: str = "user"


class _GeminiTool(msgspec.Struct, rename="camel"):
    function_declarations: list[_Declaration] = []


class _Declaration(msgspec.Struct, rename="camel"):
    name: str
    parameters: _Json | None = None
    parameters_json_schema: _Json | None = None


class _CallingConfig(msgspec.Struct, rename="camel"):
    mode: str = "AUTO"
    allowed_function_names: list[str] = []


class _ToolConfig(msgspec.Struct, rename="camel"):
    function_calling_config: _CallingConfig | None = None


class _ThinkingConfig(msgspec.Struct, rename="camel"):
    include_thoughts: bool | None = None


class _GenerationConfig(msgspec.Struct, rename="camel"):
    candidate_count: _Choices | None = None
    max_output_tokens: _Limit | None = None
    thinking_config: _ThinkingConfig | None = None


class _GeminiRequest(msgspec.Struct, rename="camel"):
    contents: list[_Content]
    system_instruction: _Content | None = None
    tools: list[_GeminiTool] | None = None
    tool_config: _ToolConfig | None = None
    generation_config: _GenerationConfig = msgspec.field(default_factory=_GenerationConfig)


_GEMINI_STRUCTS = (
    _GeminiPart,
    _GeminiTool,
    _Declaration,
    _CallingConfig,
    _ToolConfig,
    _ThinkingConfig,
    _GenerationConfig,
    _GeminiRequest,
)
_CAMEL = {
    field.name: field.encode_name
    for struct in _GEMINI_STRUCTS
    for field in msgspec.structs.fields(struct)
}
_OPAQUE = frozenset({"parameters", "parametersJsonSchema", "response"})


def _camel(value: object) -> object:
    """*value* with its snake_case fields in camelCase: the API takes both, its SDK mixes them."""
    match value:
        case dict():
            fields = {_CAMEL.get(name, name): item for name, item in value.items()}
            return {
                name: item if name in _OPAQUE else _camel(item) for name, item in fields.items()
            }
        case list():
            return [_camel(item) for item in value]
        case _:
            return value


def read_gemini(body: bytes, *, model: str, stream: bool) -> Asked:
    """The request in *body* to generate content; its path named *model* and whether to *stream*."""
    asked = msgspec.convert(_camel(msgspec.json.decode(body)), _GeminiRequest)
    config = asked.generation_config
    calling = (asked.tool_config and asked.tool_config.function_calling_config) or _CallingConfig()
    declared = [tool for group in asked.tools or () for tool in group.function_declarations]
    functions = [
        _Function(tool.name, tool.parameters or tool.parameters_json_schema) for tool in declared
    ]
    last = asked.contents[-1].parts if asked.contents else []
    texts = [_gemini_text(content) for content in asked.contents if content.role == "user"]
    everything = [*asked.contents, *filter(None, [asked.system_instruction])]
    ask = Ask(
        model=model,
        key=body,
        prompt=texts[-1] if texts else "",
        prompt_words=_words(map(_gemini_text, everything)),
        results=tuple(_result(part) for part in last if part.function_response is not None),
        tools=() if calling.mode == "NONE" else _tools(functions),
        forced_tool=next(iter(calling.allowed_function_names), None),
        reasoning=bool(config.thinking_config and config.thinking_config.include_thoughts),
        choices=config.candidate_count or 1,
        max_tokens=config.max_output_tokens,
        id_prefix="",
    )
    return Asked(ask=ask, stream=stream)


def _gemini_text(content: _Content) -> str:
    return " ".join(part.text for part in content.parts)


def _result(part: _GeminiPart) -> str:
    response = part.function_response and part.function_response.response
    # The SDK wraps what a function returned; the wrapping is no part of the finding.
    found = response["result"] if isinstance(response, dict) and "result" in response else response
    return found if isinstance(found, str) else json.dumps(found, ensure_ascii=False)


def _tools(functions: Iterable[_Function]) -> tuple[Tool, ...]:
    return tuple(Tool(name=item.name, parameters=item.parameters or {}) for item in functions)


def _last_of_user(messages: Sequence[_Message]) -> str:
    texts = [_text(message.content) for message in messages if message.role == "user"]
    return next((text for text in reversed(texts) if text), "")


def _text(content: str | list[_Part] | None) -> str:
    if isinstance(content, list):
        return " ".join(part.text or _text(part.content) for part in content)
    return content or ""


def _words(texts: Iterable[str]) -> int:
    return sum(len(text.split()) for text in texts)
