"""Cohere chat: what is asked, and how."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from cassette_stream.dialects.call import Call, HttpRequest, post
from cassette_stream.dialects.cohere.conversation import conversation
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

__all__ = ("request",)

_AS_THEY_ARE: Final = frozenset(
    {
        "citation_options",
        "documents",
        "frequency_penalty",
        "logprobs",
        "presence_penalty",
        "priority",
        "safety_mode",
        "seed",
        "strict_tools",
        "temperature",
    }
)
_ONLY: Final[Json] = {"n": 1, "parallel_tool_calls": True}
_OLDER: Final = {"max_tokens": "max_completion_tokens", "reasoning_effort": "thinking"}
_TOOL_CHOICES: Final[Mapping[str, Json]] = {
    "auto": {},  # what happens where nothing is said
    "none": {"tool_choice": "NONE"},
    "required": {"tool_choice": "REQUIRED"},
}


def request(call: Call) -> HttpRequest:
    """The request that asks Cohere for *call*.

    Raises:
        UnsupportedParamsError: There is no such parameter, or not with that value.
        ValueError: A message has a role that there is not, something lacks a field, or holds
            what no JSON can.
        TypeError: A message or a parameter is of the wrong type.
    """
    params = given(call, _ACCEPTED, _ONLY, dialect="cohere", older=_OLDER)
    body: dict[str, Any] = {"model": call.model, "messages": conversation(call.messages)}
    if call.stream:
        body["stream"] = True
    for name, value in params.items():
        body |= _PARAMS[name](call, value) if name in _PARAMS else {name: value}
    return post("/v2/chat", body, call)


def _named(name: str) -> Callable[[Call, Any], Json]:
    return lambda _, value: {name: value}


def _stop(_: Call, stop: Any) -> Json:
    return {"stop_sequences": stops_of(stop)}


def _tools(_: Call, tools: Any) -> Json:
    checked = mappings(tools, "tools", "a tool")
    functions = [function_of(tool, "a tool") for tool in checked]
    made = [
        {
            "type": "function",
            "function": {key: it for key, it in function.items() if key != "strict"},
        }
        for function in functions
    ]
    # It holds for all tools or for none: what is asked of one, all keep to.
    strict = any(function.get("strict") for function in functions)
    return {"tools": made} | ({"strict_tools": True} if strict else {})


def _tool_choice(call: Call, choice: Any) -> Json:
    if isinstance(choice, str):
        if choice.lower() not in _TOOL_CHOICES:
            raise ValueError(f"tool_choice is auto, required or none, not {choice!r}")
        return _TOOL_CHOICES[choice.lower()]
    name = function_of(choice, "tool_choice")["name"]
    only = "offer no other tool and say tool_choice='required'"
    return refused(call, "tool_choice", f"cohere cannot be made to call {name!r}: {only}")


def _thinking(_: Call, thinking: Any) -> Json:
    known = {"budget_tokens": "token_budget"}
    value = mapping(thinking, "thinking")
    return {"thinking": {known.get(name, name): it for name, it in value.items()}}


def _reasoning_effort(_: Call, effort: Any) -> Json:
    budget = budget_of(effort)
    if not budget:
        return {"thinking": {"type": "disabled"}}
    return {"thinking": {"type": "enabled", "token_budget": budget}}


def _response_format(call: Call, wanted: Any) -> Json:
    kind = need(mapping(wanted, "response_format"), "type")
    if kind == "json_schema":
        schema = schema_of(wanted)
        return {"response_format": {"type": "json_object", "json_schema": schema}}
    if kind in {"json_object", "text"}:
        return {"response_format": dict(wanted)}
    kinds = "json_schema, json_object or text"
    why = f"cohere takes a response_format of type {kinds}, not {kind!r}"
    return refused(call, "response_format", why)


_PARAMS: Final[Mapping[str, Callable[[Call, Any], Json]]] = {
    "max_completion_tokens": _named("max_tokens"),
    "max_tokens": _named("max_tokens"),
    "reasoning_effort": _reasoning_effort,
    "response_format": _response_format,
    "stop": _stop,
    "stream_options": nothing,
    "thinking": _thinking,
    "tool_choice": _tool_choice,
    "tools": _tools,
    "top_k": _named("k"),
    "top_p": _named("p"),
}
_ACCEPTED: Final = _AS_THEY_ARE | _PARAMS.keys()
