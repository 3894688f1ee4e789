"""What the Responses API is asked, made from a call in the words of the chat completions API.

The conversation becomes a list of items: a message of an assistant that called tools is its
text and an item for each call, what a tool returned is an item too. System messages at its
start become the instructions. What is spelled differently is spelled anew; what the API
does not know is refused, or left out where the call says so. Only the *name* of a message
is always left out: there is no place for it, and nothing depends on it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import takewhile
from typing import Any, TypeAlias

from cassette_stream.chunks.reading import arguments_text
from cassette_stream.dialects.call import Call, HttpRequest, accepted_params, post

__all__ = ("request",)

Json: TypeAlias = Mapping[str, Any]

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


def request(call: Call) -> HttpRequest:
    """The request that asks the Responses API for *call*.

    Raises:
        UnsupportedParamsError: The API has no such parameter.
        ValueError: A message has a role that the API does not know, or holds what no JSON can.
        TypeError: A message or a parameter is of the wrong type.
    """
    given = accepted_params(call, _AS_THEY_ARE | _PARAMS.keys(), dialect="openai_responses")
    if "max_completion_tokens" in given:
        given.pop("max_tokens", None)  # its older name
    body: dict[str, Any] = {"model": call.model}
    messages = [_checked(message) for message in call.messages]
    system = list(takewhile(_is_instruction, messages))
    if system:
        body["instructions"] = "\n\n".join(_joined(message["content"]) for message in system)
    body["input"] = list(_items(messages[len(system) :]))
    if call.stream:
        body["stream"] = True
    for name, value in given.items():
        fields = {name: value} if name in _AS_THEY_ARE else _PARAMS[name](value)
        for key, field in fields.items():
            before = body.get(key)
            # Two parameters may speak of one field, as response_format and verbosity do.
            both = isinstance(before, dict) and isinstance(field, dict)
            body[key] = {**before, **field} if both else field
    return post("/responses", body, call)


def _checked(message: object) -> Json:
    if not isinstance(message, Mapping):
        raise TypeError(f"a message is a mapping, not {type(message).__name__}")
    content = message.get("content")
    if not (content is None or isinstance(content, str | Sequence)):
        raise TypeError(f"content is a text, a list of parts or None, not {content!r}")
    return message


def _is_instruction(message: Json) -> bool:
    if message.get("role") != "system":
        return False
    return all(part.get("type") in {"text", "input_text"} for part in _parts(message))


def _parts(message: Json) -> list[Json]:
    """The content of *message* as parts; the type of each is in it."""
    content = message.get("content")
    if content is None:
        return []
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    for part in content:
        if not isinstance(part, Mapping):
            raise TypeError(f"a part of content is a mapping, not {part!r}")
    return list(content)


def _joined(content: object) -> str:
    return "".join(part["text"] for part in _parts({"content": content}))


def _items(messages: Sequence[Json]) -> Iterator[Json]:
    # What a custom tool returned has a type of its own.
    custom: set[object] = set()
    for message in messages:
        match message.get("role"):
            case "user" | "system" | "developer" as role:
                content = [_input(part) for part in _parts(message)]
                yield {"type": "message", "role": role, "content": content}
            case "assistant":
                yield from _said(message)
                for call in message.get("tool_calls") or ():
                    item = _call(call)
                    if item["type"] == "custom_tool_call":
                        custom.add(item["call_id"])
                    yield item
            case "tool":
                call_id = message.get("tool_call_id")
                kind = "custom_tool_call_output" if call_id in custom else "function_call_output"
                yield {"type": kind, "call_id": call_id, "output": _output(message)}
            case other:
                raise ValueError(
                    f"the Responses API has no messages of role {other!r}; "
                    "it takes system, developer, user, assistant and tool"
                )


def _said(message: Json) -> Iterator[Json]:
    """What an assistant thought and said: reasoning goes back as it came."""
    yield from message.get("reasoning_items") or ()
    content = [_output_part(part) for part in _parts(message) if part.get("text") != ""]
    if message.get("refusal"):
        content.append({"type": "refusal", "refusal": message["refusal"]})
    if content:
        yield {"type": "message", "role": "assistant", "content": content}


def _output_part(part: Json) -> Json:
    return {"type": "output_text", "text": part["text"]} if part.get("type") == "text" else part


def _call(call: Json) -> dict[str, Any]:
    item = {"call_id": call.get("id")}
    custom = call.get("custom")
    if call.get("type") == "custom" and custom is not None:
        return {"type": "custom_tool_call"} | item | {key: custom[key] for key in ("name", "input")}
    function = call["function"]
    # A call without arguments is streamed by some without any text; the API wants an object.
    arguments = arguments_text(function.get("arguments")) or "{}"
    return {"type": "function_call"} | item | {"name": function["name"], "arguments": arguments}


def _output(message: Json) -> object:
    content = message.get("content")
    if isinstance(content, str) or content is None:
        return content or ""
    return [_input(part) for part in _parts(message)]


def _input(part: Json) -> Json:
    match part.get("type"):
        case "text":
            return {"type": "input_text", "text": part["text"]}
        case "image_url":
            image = part["image_url"]
            image = {"url": image} if isinstance(image, str) else dict(image)
            return {"type": "input_image", "image_url": image.pop("url")} | image
        case "file":
            return {"type": "input_file", **part["file"]}
        case _:
            return part


def _tools(tools: Sequence[Json]) -> dict[str, object]:
    return {"tools": [_tool(tool) for tool in tools]}


def _tool(tool: Json) -> Json:
    match tool.get("type"):
        case "function" if "function" in tool:
            function = tool["function"]
            # Without a word the Responses API is strict, and chat completions are not.
            return {"type": "function", "parameters": None, "strict": False} | dict(function)
        case "custom" if "custom" in tool:
            custom = dict(tool["custom"])
            if custom.get("format", {}).get("type") == "grammar":
                custom["format"] = {"type": "grammar"} | custom["format"]["grammar"]
            return {"type": "custom"} | custom
        case _:
            return tool


def _tool_choice(choice: object) -> dict[str, object]:
    return {"tool_choice": _flat(choice) if isinstance(choice, Mapping) else choice}


def _flat(choice: Json) -> Json:
    """*choice* without the object that is named after its type."""
    kind = choice.get("type")
    inner = choice.get(kind) if isinstance(kind, str) else None
    if not isinstance(inner, Mapping):
        return choice
    flat: dict[str, object] = {"type": kind} | dict(inner)
    if kind == "allowed_tools":
        flat["tools"] = [_flat(tool) for tool in inner["tools"]]
    return flat


def _response_format(wanted: object) -> dict[str, object]:
    if not isinstance(wanted, Mapping):
        raise TypeError(f"response_format is a mapping, not {type(wanted).__name__}")
    return {"text": {"format": _flat(wanted)}}


def _reasoning_effort(effort: object) -> dict[str, object]:
    # A mapping is the API's own: it says in how many words the reasoning is to be told.
    return {"reasoning": dict(effort) if isinstance(effort, Mapping) else {"effort": effort}}


def _stream_options(options: Json | None) -> dict[str, object]:
    # Usage is always told here; there is nothing to ask for.
    kept = {name: value for name, value in (options or {}).items() if name != "include_usage"}
    return {"stream_options": kept} if kept else {}


def _logprobs(wanted: object) -> dict[str, object]:
    return {"include": ["message.output_text.logprobs"]} if wanted else {}


def _max_tokens(limit: object) -> dict[str, object]:
    return {"max_output_tokens": limit}


def _verbosity(verbosity: object) -> dict[str, object]:
    return {"text": {"verbosity": verbosity}}


_PARAMS: Mapping[str, Callable[[Any], dict[str, object]]] = {
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
