"""The model that answers where nothing else was told: small, deterministic, offline.

It knows nothing and follows rules, the first that applies:

1. Where the conversation ends in results of tools, it repeats them in a sentence.
2. Where tools are offered (and not forbidden), it calls the one that the request forces,
   else the one whose name the prompt contains, else the first; all of them where the
   prompt says *all*, *both*, *each*, *every*, *parallel* or *several* (a tool without
   others then once for each thing that is named). Arguments are made from the schema: a
   default or the first of an enum, numbers from the prompt in order, for texts what the
   prompt names, which is what it quotes or writes with a capital.
3. Asked to "count to 5" or "from 3 to 7", it counts, a thousand numbers at most.
4. Anything else it quotes back, and says what it is.

Reasoning, where asked for, says which rule applies. The answer is cut at the token
limit. Usage is counted in words. Ids come from the request, so the same request always
has the same answer; its date is always `CREATED`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b

from cassette_stream.chunks import (
    ChatCompletionMessageToolCall,
    Choices,
    CompletionTokensDetails,
    Function,
    Message,
    ModelResponse,
    Thinking,
    Usage,
)

__all__ = ("CREATED", "Ask", "Tool", "answered", "complete")

CREATED = 1_767_225_600
"""2026-01-01, midnight UTC."""

_COUNT = re.compile(r"\bcount\b\D*?(?:from\s+(\d{1,6})\s+)?\bto\s+(\d{1,6})", re.IGNORECASE)
_SEVERAL = re.compile(r"\b(all|both|each|every|parallel|several)\b", re.IGNORECASE)
_NAMED = re.compile(r"[\"“](\w[^\"”]*)[\"”]|(?<=[a-z,] )([A-Z]\w+(?: [A-Z]\w+)*)")
_NUMBER = re.compile(r"-?\d{1,15}(?:\.\d{1,15})?")
_LONGEST_COUNT = 1000
_DEEPEST_SCHEMA = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """A function that the model may call; *parameters* is its JSON schema."""

    name: str
    parameters: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """A request, without the manners of its dialect.

    Attributes:
        model: The name that was asked for, and that answers.
        key: The bytes that ids are made from.
        prompt: The last text of the user.
        prompt_words: Words of the whole conversation.
        results: What tools returned, where the conversation ends with that.
        tools: The functions that are offered.
        forced_tool: The one that must be called.
        reasoning: Whether reasoning is asked for.
        choices: How many answers.
        max_tokens: The most words of an answer.
        id_prefix: What the id of an answer begins with.
        call_id_prefix: What the id of a tool call begins with.
    """

    model: str
    key: bytes
    prompt: str
    prompt_words: int
    results: tuple[str, ...] = ()
    tools: tuple[Tool, ...] = ()
    forced_tool: str | None = None
    reasoning: bool = False
    choices: int = 1
    max_tokens: int | None = None
    id_prefix: str = "chatcmpl-"
    call_id_prefix: str = "call_"


def complete(ask: Ask) -> ModelResponse:
    """The answer to *ask* by the rules above."""
    return answered(ask, [_choice(ask, index) for index in range(ask.choices)])


def answered(ask: Ask, choices: list[Choices]) -> ModelResponse:
    """The answer to *ask* that has these *choices*."""
    messages = [choice.message for choice in choices]
    thought = sum(_count(message.reasoning_content) for message in messages)
    spoken = sum(_count(message.content) for message in messages)
    called = sum(
        1 + _count(call.function.arguments)
        for message in messages
        for call in message.tool_calls or ()
    )
    written = thought + spoken + called
    details = CompletionTokensDetails(reasoning_tokens=thought) if ask.reasoning else None
    return ModelResponse(
        id=ask.id_prefix + _digest(ask.key, "answer"),
        created=CREATED,
        model=ask.model,
        choices=choices,
        usage=Usage(
            prompt_tokens=ask.prompt_words,
            completion_tokens=written,
            total_tokens=ask.prompt_words + written,
            completion_tokens_details=details,
        ),
    )


def _choice(ask: Ask, index: int) -> Choices:
    tools = () if ask.results else _chosen(ask)
    if tools:
        said = f"I will call {' and '.join(dict.fromkeys(tool.name for tool in tools))}."
        calls = [
            _tool_call(ask, tool, tools[:n].count(tool), f"{index}.{n}")
            for n, tool in enumerate(tools)
        ]
        message = _message(ask, f"The user offers tools. {said}", tool_calls=calls)
        return Choices(index=index, message=message, finish_reason="tool_calls")
    thought, text = _text(ask)
    if index:
        text = f"{text} (This is answer {index + 1}.)"
    text, cut = _limited(text, ask.max_tokens)
    reason = "length" if cut else "stop"
    return Choices(index=index, message=_message(ask, thought, content=text), finish_reason=reason)


def _message(
    ask: Ask,
    thought: str,
    *,
    content: str | None = None,
    tool_calls: list[ChatCompletionMessageToolCall] | None = None,
) -> Message:
    blocks = [Thinking(thinking=thought, signature=_digest(ask.key, thought))]
    return Message(
        content=content,
        tool_calls=tool_calls,
        reasoning_content=thought if ask.reasoning else None,
        thinking_blocks=[*blocks] if ask.reasoning else None,
    )


def _text(ask: Ask) -> tuple[str, str]:
    """What the model thinks, and what it says."""
    if ask.results:
        found = "; ".join(" ".join(result.split()) for result in ask.results)
        return "The tools have answered. I pass it on.", f"Here is what I found: {found}."
    counted = _COUNT.search(ask.prompt)
    if counted:
        first, last = int(counted[1] or 1), int(counted[2])
        step = 1 if first <= last else -1
        numbers = range(first, last + step, step)[:_LONGEST_COUNT]
        thought = f"The user wants me to count from {first} to {last}. One number at a time."
        return thought, ", ".join(map(str, numbers)) + "."
    quoted = " ".join(ask.prompt.split())
    asked = f"You said: “{quoted}”. " if quoted else ""
    text = (
        f"{asked}I am the small model inside cassette-stream. I know nothing at all, but I say "
        "it one word at a time, so that you can record this stream, replay it and break it."
    )
    return "The user wants an answer. I know nothing, so I quote the question.", text


def _limited(text: str, most: int | None) -> tuple[str, bool]:
    ends = [match.end() for match in re.finditer(r"\S+", text)]
    if most is None or len(ends) <= most:
        return text, False
    return text[: ends[most - 1]] if most else "", True


def _chosen(ask: Ask) -> tuple[Tool, ...]:
    if ask.forced_tool is not None:
        return tuple(tool for tool in ask.tools if tool.name == ask.forced_tool)
    if not _SEVERAL.search(ask.prompt):
        named = tuple(tool for tool in ask.tools if _says(ask.prompt, tool.name))
        return named[:1] or ask.tools[:1]
    return ask.tools * max(1, len(_names(ask))) if len(ask.tools) == 1 else ask.tools


def _says(prompt: str, name: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(name)}(?!\w)", prompt) is not None


def _names(ask: Ask) -> list[str]:
    return ["".join(found) for found in _NAMED.findall(ask.prompt)]


def _tool_call(ask: Ask, tool: Tool, times: int, place: str) -> ChatCompletionMessageToolCall:
    # The second call of the same tool is about the second thing that the prompt names.
    numbers, names = _NUMBER.findall(ask.prompt)[times:], _names(ask)[times:]
    value = _object(tool.parameters, iter(numbers), iter(names), _DEEPEST_SCHEMA)
    return ChatCompletionMessageToolCall(
        id=ask.call_id_prefix + _digest(ask.key, place),
        function=Function(name=tool.name, arguments=json.dumps(value, ensure_ascii=False)),
    )


def _object(
    schema: Mapping[str, object], numbers: Iterator[str], names: Iterator[str], depth: int
) -> dict[str, object]:
    properties = schema.get("properties")
    if not isinstance(properties, Mapping) or not depth:
        return {}
    required = schema.get("required")
    wanted = required if isinstance(required, list) and required else list(properties)
    return {
        name: _value(properties[name], name, numbers, names, depth - 1)
        for name in wanted
        if isinstance(name, str) and name in properties
    }


def _value(
    schema: object, name: str, numbers: Iterator[str], names: Iterator[str], depth: int
) -> object:
    if not isinstance(schema, Mapping):
        return None
    if "default" in schema:
        return schema["default"]
    options = schema.get("enum")
    if isinstance(options, list) and options:
        return options[0]
    made: object = None
    match _type_of(schema):
        case "string":
            made = next(names, name)
        case "integer":
            made = int(float(next(numbers, "1")))
        case "number":
            made = float(next(numbers, "1"))
        case "boolean":
            made = True
        case "array" if depth:
            item = _value(schema.get("items"), name, numbers, names, depth - 1)
            made = [] if item is None else [item]
        case "object":
            made = _object(schema, numbers, names, depth)
    return made


def _type_of(schema: Mapping[str, object]) -> str:
    # ["string", "null"] is a string that may be absent; Gemini writes types in capitals.
    kind = schema.get("type")
    first = kind[0] if isinstance(kind, list) and kind else kind
    return str(first).lower()


def _count(text: str | None) -> int:
    return len(text.split()) if text else 0


def _digest(key: bytes, purpose: str) -> str:
    return blake2b(key + purpose.encode(), digest_size=12).hexdigest()
