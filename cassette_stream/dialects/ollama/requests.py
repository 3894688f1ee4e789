"""Ollama's chat: what is asked, and how. Whether to stream is said always: the default is yes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from cassette_stream.dialects.call import Call, HttpRequest, post
from cassette_stream.dialects.messages import (
    Json,
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
from cassette_stream.dialects.ollama.conversation import conversation

__all__ = ("request",)

_AS_THEY_ARE: Final = frozenset({"format", "keep_alive", "logprobs", "think", "top_logprobs"})
# Parameters that are options of the model, and what they are called there.
_OPTIONS: Final = {
    "frequency_penalty": "frequency_penalty",
    "max_completion_tokens": "num_predict",
    "max_tokens": "num_predict",
    "min_p": "min_p",
    "num_ctx": "num_ctx",
    "presence_penalty": "presence_penalty",
    "repeat_penalty": "repeat_penalty",
    "seed": "seed",
    "temperature": "temperature",
    "top_k": "top_k",
    "top_p": "top_p",
}
_OLDER: Final = {"max_tokens": "max_completion_tokens", "reasoning_effort": "thinking"}
_ONLY: Final[Json] = {"n": 1, "parallel_tool_calls": True}
_EFFORTS: Final = {"minimal": "low", "low": "low", "medium": "medium", "high": "high"}


def request(call: Call) -> HttpRequest:
    """The request that asks Ollama for *call*.

    Raises:
        UnsupportedParamsError: There is no such parameter, or not with that value.
        ValueError: A message has a role that there is not, something lacks a field, or holds
            what no JSON can.
        TypeError: A message or a parameter is of the wrong type.
    """
    accepted = _AS_THEY_ARE | _OPTIONS.keys() | _PARAMS.keys()
    params = given(call, accepted, _ONLY, dialect="ollama", older=_OLDER)
    body: dict[str, Any] = {"model": call.model, "messages": conversation(call.messages)}
    body["stream"] = call.stream
    options: dict[str, Any] = {}
    for name, value in params.items():
        if name in _OPTIONS:
            options[_OPTIONS[name]] = value
        elif name == "stop":
            options["stop"] = stops_of(value)
        else:
            body |= _PARAMS[name](call, value) if name in _PARAMS else {name: value}
    if options:
        body["options"] = options
    if params.get("tool_choice") == "none":
        body.pop("tools", None)
    return post("/api/chat", body, call, stream="application/x-ndjson")


def _tools(_: Call, tools: Any) -> Json:
    checked = mappings(tools, "tools", "a tool")
    for tool in checked:
        function_of(tool, "a tool")
    return {"tools": checked}


def _tool_choice(call: Call, choice: Any) -> Json:
    """It is the model's own: none is none to choose from, and no call can be forced."""
    if choice not in ("auto", "none"):
        why = f"ollama takes a tool_choice of auto and none, not {choice!r}"
        return refused(call, "tool_choice", why)
    return {}


def _reasoning_effort(call: Call, effort: Any) -> Json:
    if effort == "none":
        return {"think": False}
    if effort not in _EFFORTS:
        raise ValueError(
            f"reasoning_effort is one of {', '.join(['none', *_EFFORTS])}, not {effort!r}"
        )
    # All others refuse a level.
    return {"think": _EFFORTS[effort] if "gpt-oss" in call.model else True}


def _thinking(_: Call, thinking: Any) -> Json:
    return {"think": mapping(thinking, "thinking").get("type") != "disabled"}


def _response_format(_: Call, wanted: Any) -> Json:
    match need(mapping(wanted, "response_format"), "type"):
        case "text":
            return {}
        case "json_object":
            return {"format": "json"}
        case "json_schema":
            schema = schema_of(wanted)
            return {"format": schema}
        case other:
            raise ValueError(
                f"response_format is of type text, json_object or json_schema, not {other!r}"
            )


_PARAMS: Final[Mapping[str, Callable[[Call, Any], Json]]] = {
    "reasoning_effort": _reasoning_effort,
    "response_format": _response_format,
    "stop": nothing,
    "stream_options": nothing,
    "thinking": _thinking,
    "tool_choice": _tool_choice,
    "tools": _tools,
}
