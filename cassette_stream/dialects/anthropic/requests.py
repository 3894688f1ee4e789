"""Anthropic messages: what is asked, and how.

A limit of tokens must be named there, so there is one where the caller names none: room for
4,096 tokens of the answer, and for its thoughts besides.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from cassette_stream.dialects.anthropic.conversation import conversation
from cassette_stream.dialects.call import Call, HttpRequest, post
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
    schema_of,
    stops_of,
)

__all__ = ("body_of", "request")

_VERSION: Final = "2023-06-01"
_ANSWER: Final = 4096
_AS_THEY_ARE: Final = frozenset(
    {"parallel_tool_calls", "service_tier", "temperature", "thinking", "top_k", "top_p"}
)
_ONLY: Final[Json] = {"n": 1}
_OLDER: Final = {"max_tokens": "max_completion_tokens", "reasoning_effort": "thinking"}
_TOOL_CHOICES: Final = {"auto": "auto", "required": "any", "none": "none"}


def request(call: Call) -> HttpRequest:
    """The request that asks Anthropic for *call*.

    Raises:
        UnsupportedParamsError: There is no such parameter, or not with that value.
        ValueError: A message has a role that there is not, something lacks a field, or holds
            what no JSON can.
        TypeError: A message or a parameter is of the wrong type.
    """
    plain = post("/v1/messages", body_of(call), call)
    return replace(plain, headers={**plain.headers, "anthropic-version": _VERSION})


def body_of(call: Call) -> dict[str, Any]:
    """The body of the request for *call*.

    Raises:
        UnsupportedParamsError: As `request`, as the others.
        ValueError: As `request`.
        TypeError: As `request`.
    """
    params = given(call, _ACCEPTED, _ONLY, dialect="anthropic", older=_OLDER)
    system, turns = conversation(call.messages)
    body: dict[str, Any] = {"model": call.model, "messages": turns}
    if system:
        body["system"] = system
    if call.stream:
        body["stream"] = True
    for name, value in params.items():
        body |= _PARAMS[name](call, value) if name in _PARAMS else {name: value}
    body.setdefault("max_tokens", _ANSWER + _budget(body))
    if body.pop("parallel_tool_calls", True) is False and "tools" in body:
        choice = body.setdefault("tool_choice", {"type": "auto"})
        if choice.get("type") != "none":
            body["tool_choice"] = choice | {"disable_parallel_tool_use": True}
    return body


def _budget(body: Json) -> int:
    thinking = body.get("thinking")
    budget = thinking.get("budget_tokens") if isinstance(thinking, Mapping) else None
    return budget if isinstance(budget, int) else 0


def _max_tokens(_: Call, limit: Any) -> Json:
    return {"max_tokens": limit}


def _stop(_: Call, stop: Any) -> Json:
    return {"stop_sequences": stops_of(stop)}


def _user(_: Call, user: Any) -> Json:
    return {"metadata": {"user_id": user}}


def _tools(_: Call, tools: Any) -> Json:
    return {"tools": [_tool(tool) for tool in mappings(tools, "tools", "a tool")]}


def _tool(tool: Json) -> Json:
    if "function" not in tool:
        return tool  # one of the provider's own
    function = function_of(tool, "a tool")
    schema = function.get("parameters") or {"type": "object", "properties": {}}
    made = {"type": "custom", "name": function["name"], "input_schema": schema}
    beside = {"description": function.get("description"), "strict": function.get("strict")}
    beside["cache_control"] = tool.get("cache_control")
    return made | {name: value for name, value in beside.items() if value is not None}


def _tool_choice(_: Call, choice: Any) -> Json:
    if isinstance(choice, str):
        if choice not in _TOOL_CHOICES:
            raise ValueError(f"tool_choice is auto, required, none or a function, not {choice!r}")
        return {"tool_choice": {"type": _TOOL_CHOICES[choice]}}
    if "function" not in mapping(choice, "tool_choice"):
        return {"tool_choice": dict(choice)}  # the provider's own
    name = function_of(choice, "tool_choice")["name"]
    return {"tool_choice": {"type": "tool", "name": name}}


def _reasoning_effort(_: Call, effort: Any) -> Json:
    budget = budget_of(effort)
    if not budget:
        return {"thinking": {"type": "disabled"}}
    return {"thinking": {"type": "enabled", "budget_tokens": budget}}


def _response_format(call: Call, wanted: Any) -> Json:
    kind = need(mapping(wanted, "response_format"), "type")
    if kind == "json_schema":
        schema = schema_of(wanted)
        return {"output_config": {"format": {"type": "json_schema", "schema": schema}}}
    if kind == "text":
        return {}
    why = f"anthropic takes a response_format of type json_schema or text, not {kind!r}"
    return refused(call, "response_format", why)


_PARAMS: Final[Mapping[str, Callable[[Call, Any], Json]]] = {
    "max_completion_tokens": _max_tokens,
    "max_tokens": _max_tokens,
    "reasoning_effort": _reasoning_effort,
    "response_format": _response_format,
    "stop": _stop,
    "stream_options": nothing,
    "tool_choice": _tool_choice,
    "tools": _tools,
    "user": _user,
}
_ACCEPTED: Final = _AS_THEY_ARE | _PARAMS.keys()
