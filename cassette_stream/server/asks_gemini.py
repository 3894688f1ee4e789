"""Requests to Gemini, read as what the embedded model needs to know."""

from __future__ import annotations

import json

import msgspec

from cassette_stream.server.asks import Asked, Choices, Json, Limit, count_words
from cassette_stream.server.embedded import Ask, Tool

__all__ = ("read_gemini",)


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
    parameters: Json | None = None
    parameters_json_schema: Json | None = None


class _CallingConfig(msgspec.Struct, rename="camel"):
    mode: str = "AUTO"
    allowed_function_names: list[str] = []


class _ToolConfig(msgspec.Struct, rename="camel"):
    function_calling_config: _CallingConfig | None = None


class _ThinkingConfig(msgspec.Struct, rename="camel"):
    include_thoughts: bool | None = None


class _GenerationConfig(msgspec.Struct, rename="camel"):
    candidate_count: Choices | None = None
    max_output_tokens: Limit | None = None
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
    tools = tuple(
        Tool(name=tool.name, parameters=tool.parameters or tool.parameters_json_schema or {})
        for tool in declared
    )
    last = asked.contents[-1].parts if asked.contents else []
    texts = [_gemini_text(content) for content in asked.contents if content.role == "user"]
    everything = [*asked.contents, *filter(None, [asked.system_instruction])]
    ask = Ask(
        model=model,
        key=body,
        prompt=texts[-1] if texts else "",
        prompt_words=count_words(map(_gemini_text, everything)),
        results=tuple(_result(part) for part in last if part.function_response is not None),
        tools=() if calling.mode == "NONE" else tools,
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
