"""Bedrock's Converse: what is asked, and how. What only some models have goes apart."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import quote

from cassette_stream.dialects.bedrock_converse.conversation import cache_point, conversation
from cassette_stream.dialects.call import Call, HttpRequest, post
from cassette_stream.dialects.encoding import compact
from cassette_stream.dialects.messages import (
    Json,
    budget_of,
    function_of,
    given,
    mapping,
    mappings,
    need,
    nothing,
    refused,
    stops_of,
)

__all__ = ("request",)

_CONFIG: Final = {
    "max_completion_tokens": "maxTokens",
    "max_tokens": "maxTokens",
    "temperature": "temperature",
    "top_p": "topP",
}
_OLDER: Final = {"max_tokens": "max_completion_tokens", "reasoning_effort": "thinking"}
_ONLY: Final[Json] = {"n": 1, "parallel_tool_calls": True}
_TOOL_CHOICES: Final = {"auto": "auto", "required": "any"}


def request(call: Call) -> HttpRequest:
    """The request that asks Bedrock for *call*.

    Raises:
        UnsupportedParamsError: There is no such parameter, or not with that value.
        ValueError: A message has a role that there is not, something lacks a field, or holds
            what no JSON can.
        TypeError: A message or a parameter is of the wrong type.
    """
    params = given(
        call, _CONFIG.keys() | _PARAMS.keys(), _ONLY, dialect="bedrock_converse", older=_OLDER
    )
    system, turns = conversation(call.messages)
    body: dict[str, Any] = {"messages": turns}
    if system:
        body["system"] = system
    for name, value in params.items():
        known = name in _CONFIG
        fields = _config(**{_CONFIG[name]: value}) if known else _PARAMS[name](call, value)
        for key, field in fields.items():
            body[key] = {**body.get(key, {}), **field}
    method = "converse-stream" if call.stream else "converse"
    path = f"/model/{quote(call.model, safe='')}/{method}"
    return post(path, body, call, stream="application/vnd.amazon.eventstream")


def _config(**fields: object) -> Json:
    return {"inferenceConfig": fields}


def _more(**fields: object) -> Json:
    return {"additionalModelRequestFields": fields}


def _stop(_: Call, stop: Any) -> Json:
    return _config(stopSequences=stops_of(stop))


def _top_k(_: Call, top_k: Any) -> Json:
    return _more(top_k=top_k)


def _service_tier(_: Call, tier: Any) -> Json:
    return {"serviceTier": {"type": tier}}


def _tools(_: Call, tools: Any) -> Json:
    checked = mappings(tools, "tools", "a tool")
    return {"toolConfig": {"tools": [each for tool in checked for each in _tool(tool)]}}


def _tool(tool: Json) -> list[Json]:
    if "function" not in tool:
        return [tool]  # one of the provider's own
    function = function_of(tool, "a tool")
    schema = function.get("parameters") or {"type": "object", "properties": {}}
    made = {"name": function["name"], "inputSchema": {"json": schema}}
    beside = {name: function.get(name) for name in ("description", "strict")}
    spec = made | {name: value for name, value in beside.items() if value not in {None, ""}}
    return [{"toolSpec": spec}, *cache_point(tool)]


def _tool_choice(call: Call, choice: Any) -> Json:
    if choice == "none":
        why = "bedrock_converse has no tool_choice 'none': offer no tools"
        return refused(call, "tool_choice", why) if call.params.get("tools") else {}
    if isinstance(choice, str):
        if choice not in _TOOL_CHOICES:
            raise ValueError(f"tool_choice is auto, required, none or a function, not {choice!r}")
        return {"toolConfig": {"toolChoice": {_TOOL_CHOICES[choice]: {}}}}
    if "function" not in mapping(choice, "tool_choice"):
        return {"toolConfig": {"toolChoice": dict(choice)}}  # the provider's own
    name = function_of(choice, "tool_choice")["name"]
    return {"toolConfig": {"toolChoice": {"tool": {"name": name}}}}


def _reasoning_effort(call: Call, effort: Any) -> Json:
    if "anthropic" not in call.model and "claude" not in call.model:
        return _more(reasoning_effort=effort)
    budget = budget_of(effort)
    if not budget:
        return _more(thinking={"type": "disabled"})
    return _more(thinking={"type": "enabled", "budget_tokens": budget})


def _thinking(_: Call, thinking: Any) -> Json:
    return _more(thinking=thinking)


def _response_format(call: Call, wanted: Any) -> Json:
    kind = need(mapping(wanted, "response_format"), "type")
    if kind == "json_schema":
        told = mapping(need(wanted, "json_schema"), "json_schema")
        named = {name: told[name] for name in ("name", "description") if told.get(name)}
        # The service takes the schema as a text.
        structure = {"jsonSchema": {"schema": compact(need(told, "schema")), **named}}
        return {"outputConfig": {"textFormat": {"type": "json_schema", "structure": structure}}}
    if kind == "text":
        return {}
    why = f"bedrock_converse takes a response_format of type json_schema or text, not {kind!r}"
    return refused(call, "response_format", why)


_PARAMS: Final[Mapping[str, Callable[[Call, Any], Json]]] = {
    "reasoning_effort": _reasoning_effort,
    "response_format": _response_format,
    "service_tier": _service_tier,
    "stop": _stop,
    "stream_options": nothing,
    "thinking": _thinking,
    "tool_choice": _tool_choice,
    "tools": _tools,
    "top_k": _top_k,
}
