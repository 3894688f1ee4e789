"""What the Responses API is asked, made from a call in the words of the chat completions API.

What is spelled differently is spelled anew; what the API does not know is refused, or left
out where the call says so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from cassette_stream.dialects.call import Call, HttpRequest, post
from cassette_stream.dialects.messages import Json, function_of, given, mapping, mappings
from cassette_stream.dialects.openai_responses.conversation import conversation

__all__ = ("request",)

_AS_THEY_ARE = frozenset(
    {
        "metadata",
        "parallel_tool_calls",
        "prompt_cache_key",
        "prompt_cache_retention",
        "safety_identifier",
        "service_tier",
        "store",
        "temperature",
        "top_logprobs",
        "top_p",
        "user",
    }
)
_OLDER = {"max_tokens": "max_completion_tokens"}


def request(call: Call) -> HttpRequest:
    """The request that asks the Responses API for *call*.

    Raises:
        UnsupportedParamsError: The API has no such parameter.
        ValueError: A message has a role that the API does not know, or holds what no JSON can.
        TypeError: A message or a parameter is of the wrong type.
    """
    accepted = _AS_THEY_ARE | _PARAMS.keys()
    params = given(call, accepted, {"n": 1}, dialect="openai_responses", older=_OLDER)
    body: dict[str, Any] = {"model": call.model}
    instructions, items = conversation(call.messages)
    if instructions is not None:
        body["instructions"] = instructions
    body["input"] = items
    if call.stream:
        body["stream"] = True
    for name, value in params.items():
        fields = {name: value} if name in _AS_THEY_ARE else _PARAMS[name](value)
        for key, field in fields.items():
            # Two parameters may speak of one field, as response_format and verbosity do.
            if isinstance(field, dict) and isinstance(body.get(key), dict):
                body[key] |= field
            else:
                body[key] = field
    return post("/responses", body, call)


def _tools(tools: object) -> dict[str, Any]:
    return {"tools": [_tool(tool) for tool in mappings(tools, "tools", "a tool")]}


def _tool(tool: Json) -> Json:
    if tool.get("type") == "function" and "function" in tool:
        function_of(tool, "a tool")
    flat = _flat(tool)
    if flat.get("type") == "function":
        # Without a word the Responses API is strict, and chat completions are not.
        return {"type": "function", "parameters": None, "strict": False, **flat}
    if flat.get("type") == "custom" and isinstance(flat.get("format"), Mapping):
        return {**flat, "format": _flat(flat["format"])}
    return flat


def _tool_choice(choice: object) -> dict[str, Any]:
    return {"tool_choice": _flat(choice) if isinstance(choice, Mapping) else choice}


def _flat(choice: Json) -> Json:
    """*choice* without the object that is named after its type: its fields stand beside that."""
    kind = choice.get("type")
    inner = choice.get(kind) if isinstance(kind, str) else None
    if not isinstance(inner, Mapping):
        return choice
    if kind == "allowed_tools" and isinstance(inner.get("tools"), list):
        inner = {**inner, "tools": [_flat(mapping(it, "a tool")) for it in inner["tools"]]}
    return {"type": kind, **inner}


def _response_format(wanted: object) -> dict[str, Any]:
    return {"text": {"format": _flat(mapping(wanted, "response_format"))}}


def _reasoning_effort(effort: object) -> dict[str, Any]:
    # A mapping is the API's own: it says in how many words the reasoning is to be told.
    return {"reasoning": dict(effort) if isinstance(effort, Mapping) else {"effort": effort}}


def _stream_options(options: object) -> dict[str, Any]:
    # Usage is always told here; there is nothing to ask for.
    kept = dict(mapping(options, "stream_options"))
    kept.pop("include_usage", None)
    return {"stream_options": kept} if kept else {}


def _logprobs(wanted: object) -> dict[str, Any]:
    return {"include": ["message.output_text.logprobs"]} if wanted else {}


def _max_tokens(limit: object) -> dict[str, Any]:
    return {"max_output_tokens": limit}


def _verbosity(verbosity: object) -> dict[str, Any]:
    return {"text": {"verbosity": verbosity}}


_PARAMS: Mapping[str, Callable[[Any], dict[str, Any]]] = {
    "logprobs": _logprobs,
    "max_completion_tokens": _max_tokens,
    "max_tokens": _max_tokens,
    "reasoning_effort": _reasoning_effort,
    "response_format": _response_format,
    "stream_options": _stream_options,
    "tool_choice": _tool_choice,
    "tools": _tools,
    "verbosity": _verbosity,
}
