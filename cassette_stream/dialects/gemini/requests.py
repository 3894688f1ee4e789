"""Gemini generateContent: what is asked, and how. Names are in camelCase throughout."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import quote

from cassette_stream.dialects.call import Call, HttpRequest, post
from cassette_stream.dialects.gemini.conversation import conversation
from cassette_stream.dialects.gemini.schemas import parameters
from cassette_stream.dialects.messages import (
    Json,
    function_of,
    given,
    mapping,
    mappings,
    need,
    nothing,
    schema_of,
    stops_of,
)

__all__ = ("request",)

_BUDGETS: Final = {"none": 0, "minimal": 512, "low": 1024, "medium": 2048, "high": 4096}
_TOOL_CHOICES: Final = {"auto": "AUTO", "required": "ANY", "none": "NONE"}
# Parameters of the generation that only have another name.
_CONFIG: Final = {
    "frequency_penalty": "frequencyPenalty",
    "logprobs": "responseLogprobs",
    "max_completion_tokens": "maxOutputTokens",
    "max_tokens": "maxOutputTokens",
    "n": "candidateCount",
    "presence_penalty": "presencePenalty",
    "seed": "seed",
    "temperature": "temperature",
    "top_k": "topK",
    "top_logprobs": "logprobs",
    "top_p": "topP",
}
_OLDER: Final = {"max_tokens": "max_completion_tokens", "reasoning_effort": "thinking"}
_ONLY: Final[Json] = {"parallel_tool_calls": True}
_OLDER_MODEL: Final = re.compile(r"gemini-[12]\b|gemma")


def request(call: Call) -> HttpRequest:
    """The request that asks Gemini for *call*.

    Raises:
        UnsupportedParamsError: There is no such parameter, or not with that value.
        ValueError: A message has a role that there is not, something lacks a field, or holds
            what no JSON can.
        TypeError: A message or a parameter is of the wrong type.
    """
    params = given(call, _CONFIG.keys() | _PARAMS.keys(), _ONLY, dialect="gemini", older=_OLDER)
    system, contents = conversation(call.messages)
    body: dict[str, Any] = {"contents": contents}
    if system:
        body["systemInstruction"] = {"parts": system}
    for name, value in params.items():
        known = name in _CONFIG
        fields = _config(**{_CONFIG[name]: value}) if known else _PARAMS[name](call, value)
        for key, field in fields.items():
            # Several parameters speak of one field.
            body[key] = _joined(body.get(key), field)
    return post(_path(call), body, call)


def _joined(known: Any, more: Any) -> Any:
    if known is None:
        return more
    return {**known, **more} if isinstance(more, Mapping) else [*known, *more]


def _path(call: Call) -> str:
    # Tuned models have a collection of their own in their name.
    name = call.model if "/" in call.model else f"models/{call.model}"
    method = "streamGenerateContent?alt=sse" if call.stream else "generateContent"
    return f"/{quote(name, safe='/@')}:{method}"


def _config(**fields: object) -> Json:
    return {"generationConfig": fields}


def _stop(_: Call, stop: Any) -> Json:
    return _config(stopSequences=stops_of(stop))


def _modalities(_: Call, modalities: Any) -> Json:
    return _config(responseModalities=[str(it).upper() for it in modalities])


def _tools(_: Call, tools: Any) -> Json:
    checked = mappings(tools, "tools", "a tool")
    functions = [_declaration(tool) for tool in checked if "function" in tool]
    declared = [{"functionDeclarations": functions}] if functions else []
    return {"tools": [*declared, *(tool for tool in checked if "function" not in tool)]}


def _declaration(tool: Json) -> dict[str, Any]:
    function = function_of(tool, "a tool")
    made = {name: function[name] for name in ("name", "description") if function.get(name)}
    schema = function.get("parameters")
    return {**made, **(parameters(mapping(schema, "parameters")) if schema else {})}


def _tool_choice(_: Call, choice: Any) -> Json:
    if isinstance(choice, str):
        if choice not in _TOOL_CHOICES:
            raise ValueError(f"tool_choice is auto, required, none or a function, not {choice!r}")
        config: Json = {"mode": _TOOL_CHOICES[choice]}
    else:
        name = function_of(choice, "tool_choice")["name"]
        config = {"mode": "ANY", "allowedFunctionNames": [name]}
    return {"toolConfig": {"functionCallingConfig": config}}


def _web_search(_: Call, __: Any) -> Json:
    return {"tools": [{"googleSearch": {}}]}


def _reasoning_effort(call: Call, effort: Any) -> Json:
    if effort not in _BUDGETS:
        raise ValueError(f"reasoning_effort is one of {', '.join(_BUDGETS)}, not {effort!r}")
    if effort == "none" or _OLDER_MODEL.search(call.model):
        budget = _BUDGETS[effort]
        return _config(thinkingConfig={"thinkingBudget": budget, "includeThoughts": budget > 0})
    return _config(thinkingConfig={"thinkingLevel": effort, "includeThoughts": True})


def _thinking(_: Call, thinking: Any) -> Json:
    wanted = mapping(thinking, "thinking")
    if wanted.get("type") == "disabled":
        return _config(thinkingConfig={"thinkingBudget": 0, "includeThoughts": False})
    budget = wanted.get("budget_tokens")
    config = {} if budget is None else {"thinkingBudget": budget}
    return _config(thinkingConfig={**config, "includeThoughts": True})


def _response_format(_: Call, wanted: Any) -> Json:
    match need(mapping(wanted, "response_format"), "type"):
        case "text":
            return {}
        case "json_object":
            return _config(responseMimeType="application/json")
        case "json_schema":
            schema = schema_of(wanted)
            return _config(responseMimeType="application/json", responseJsonSchema=schema)
        case other:
            raise ValueError(
                f"response_format is of type text, json_object or json_schema, not {other!r}"
            )


_PARAMS: Final[Mapping[str, Callable[[Call, Any], Json]]] = {
    "modalities": _modalities,
    "reasoning_effort": _reasoning_effort,
    "response_format": _response_format,
    "stop": _stop,
    "stream_options": nothing,
    "thinking": _thinking,
    "tool_choice": _tool_choice,
    "tools": _tools,
    "web_search_options": _web_search,
}
