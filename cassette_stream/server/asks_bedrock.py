"""Requests to Bedrock, read as what the embedded model needs to know.

The path of a request names the model, and whether to stream.
"""

from __future__ import annotations

import json

import msgspec

from cassette_stream.server.asks import Asked, Json, Limit, count_words, read_anthropic
from cassette_stream.server.embedded import Ask, Tool

__all__ = ("read_bedrock_converse", "read_bedrock_invoke")


class _Found(msgspec.Struct):
    text: str = ""
    json: object = None


class _ToolResult(msgspec.Struct):
    content: list[_Found] = []


class _Block(msgspec.Struct, rename="camel"):
    text: str = ""
    tool_result: _ToolResult | None = None


class _Message(msgspec.Struct):
    role: str
    content: list[_Block]


class _Schema(msgspec.Struct):
    json: Json = {}


class _Spec(msgspec.Struct, rename="camel"):
    name: str
    input_schema: _Schema


class _Tool(msgspec.Struct, rename="camel"):
    tool_spec: _Spec | None = None


class _Named(msgspec.Struct):
    name: str


class _ToolChoice(msgspec.Struct):
    tool: _Named | None = None


class _ToolConfig(msgspec.Struct, rename="camel"):
    tools: list[_Tool] = []
    tool_choice: _ToolChoice | None = None


class _Config(msgspec.Struct, rename="camel"):
    max_tokens: Limit | None = None


class _Thinking(msgspec.Struct):
    type: str = "enabled"


class _More(msgspec.Struct):
    thinking: _Thinking | None = None
    reasoning_effort: str | None = None


class _ConverseRequest(msgspec.Struct, rename="camel"):
    messages: list[_Message]
    system: list[_Block] = []
    tool_config: _ToolConfig = msgspec.field(default_factory=_ToolConfig)
    inference_config: _Config = msgspec.field(default_factory=_Config)
    additional_model_request_fields: _More = msgspec.field(default_factory=_More)


def read_bedrock_converse(body: bytes, *, model: str, stream: bool) -> Asked:
    """The request in *body*; its path named the *model*, and whether to *stream*."""
    asked = msgspec.json.decode(body, type=_ConverseRequest)
    specs = [tool.tool_spec for tool in asked.tool_config.tools if tool.tool_spec is not None]
    choice = asked.tool_config.tool_choice
    last = asked.messages[-1].content if asked.messages else []
    texts = [_text(it.content) for it in asked.messages if it.role == "user"]
    spoken = [asked.system, *(it.content for it in asked.messages)]
    more = asked.additional_model_request_fields
    thinks = more.thinking is not None and more.thinking.type != "disabled"
    ask = Ask(
        model=model,
        key=body,
        prompt=next(filter(None, reversed(texts)), ""),
        prompt_words=count_words(map(_text, spoken)),
        results=tuple(_found(it.tool_result) for it in last if it.tool_result is not None),
        tools=tuple(Tool(name=it.name, parameters=it.input_schema.json) for it in specs),
        forced_tool=choice.tool.name if choice and choice.tool else None,
        reasoning=thinks or more.reasoning_effort not in {None, "none"},
        max_tokens=asked.inference_config.max_tokens,
        id_prefix="",
        call_id_prefix="tooluse_",
    )
    return Asked(ask=ask, stream=stream)


def read_bedrock_invoke(body: bytes, *, model: str, stream: bool) -> Asked:
    """The request for a message in *body*, as in `read_bedrock_converse`."""
    asked = msgspec.json.decode(body, type=dict[str, object])
    return read_anthropic(msgspec.json.encode({**asked, "model": model, "stream": stream}))


def _text(content: list[_Block]) -> str:
    return " ".join(block.text for block in content if block.text)


def _found(result: _ToolResult) -> str:
    return " ".join(it.text or json.dumps(it.json, ensure_ascii=False) for it in result.content)
