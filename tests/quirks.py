"""What servers do to the fragments of tool calls, and the calls that they mean."""

from __future__ import annotations

from typing import Any

from cassette_stream.chunks import ToolCallAccumulator

Json = dict[str, Any]


def fragment(
    index: int | None = None,
    call_id: str | None = None,
    name: str | None = None,
    arguments: Any = None,
    **beside: Any,
) -> Json:
    return {
        "index": index,
        "id": call_id,
        "function": {"name": name, "arguments": arguments},
    } | beside


MADE = ToolCallAccumulator()
MADE.add([fragment(0, None, "f"), fragment(1, None, "g")])
ID_0, ID_1 = (call.id for call in MADE.calls)

# Who does it -> the fragments, the calls.
QUIRKS: dict[str, tuple[list[Json], list[tuple[str, str, str]]]] = {
    "plain": (
        [fragment(0, "a", "f", ""), fragment(0, None, None, '{"x"'), fragment(0, None, None, ":1}")],
        [("a", "f", '{"x":1}')],
    ),
    "index missing or null: ids, whole calls (Gemini's OpenAI endpoint)": (
        [fragment(None, "a", "f", '{"x":1}'), fragment(None, "b", "g", "{}")],
        [("a", "f", '{"x":1}'), ("b", "g", "{}")],
    ),
    "index missing or null: no ids, whole calls (mistral.rs)": (
        [fragment(None, None, "f", '{"x":1}'), fragment(None, None, "g", "{}")],
        [(ID_0, "f", '{"x":1}'), (ID_1, "g", "{}")],
    ),
    "index missing or null: fragments by id": (
        [
            fragment(None, "a", "f", ""),
            fragment(None, "b", "g", ""),
            fragment(None, "a", None, "{}"),
            fragment(None, "b", None, '{"y":2}'),
        ],
        [("a", "f", "{}"), ("b", "g", '{"y":2}')],
    ),
    "index missing or null: the rest goes to the last call": (
        [
            fragment(None, "a", "f", "{"),
            fragment(None, "", "", "}"),
            fragment(None, "b", "g", "{"),
            fragment(None, None, "g", '"y":2}'),
        ],
        [("a", "f", "{}"), ("b", "g", '{"y":2}')],
    ),
    "index missing or null: the id late": (
        [fragment(None, None, "f", "{"), fragment(None, "a", None, "}")],
        [("a", "f", "{}")],
    ),
    "same index for parallel calls (Ollama, Groq, vLLM)": (
        [
            fragment(0, "a", "f", '{"x":1}'),
            fragment(0, "b", "g", '{"y"'),
            fragment(0, None, None, ":2}"),
        ],
        [("a", "f", '{"x":1}'), ("b", "g", '{"y":2}')],
    ),
    "same index for parallel calls: before the first is over": (
        [fragment(0, "a", "f", ""), fragment(0, "b", "g", ""), fragment(0, "a", None, "{}")],
        [("a", "f", "{}"), ("b", "g", "{}")],
    ),
    "same index for parallel calls: the name late": (
        [fragment(0, "a", "f", "{}"), fragment(0, "b"), fragment(0, None, "g", "{}")],
        [("a", "f", "{}"), ("b", "g", "{}")],
    ),
    "same index for parallel calls: no ids": (
        [fragment(0, None, "f", '{"x":1}'), fragment(0, None, "g", '{"y":2}')],
        [(ID_0, "f", '{"x":1}'), (ID_1, "g", '{"y":2}')],
    ),
    "same index for parallel calls: no ids, the same arguments": (
        [fragment(0, None, "f", "{}"), fragment(0, None, "g", "{}")],
        [(ID_0, "f", "{}"), (ID_1, "g", "{}")],
    ),
    "same index for parallel calls: only the second has an id": (
        [fragment(0, None, "f", '{"x":1}'), fragment(0, "b", "g", "{}")],
        [(ID_0, "f", '{"x":1}'), ("b", "g", "{}")],
    ),
    "interleaved fragments of parallel calls": (
        [
            fragment(0, "a", "f", ""),
            fragment(1, "b", "g", ""),
            fragment(1, None, None, '{"y"'),
            fragment(0, None, None, '{"x"'),
            fragment(1, None, None, ":2}"),
            fragment(0, None, None, ":1}"),
        ],
        [("a", "f", '{"x":1}'), ("b", "g", '{"y":2}')],
    ),
    "index not starting at 0 (block indices)": (
        [fragment(2, "a", "f", "{}"), fragment(5, "b", "g", "{}")],
        [("a", "f", "{}"), ("b", "g", "{}")],
    ),
    "id repeated on every fragment": (
        [fragment(0, "a", "f", ""), fragment(0, "a", None, "{"), fragment(0, "a", None, "}")],
        [("a", "f", "{}")],
    ),
    "id empty on continuation": (
        [fragment(0, "a", "f", ""), fragment(0, "", "", "{}")],
        [("a", "f", "{}")],
    ),
    "id missing throughout (vLLM, LMDeploy)": (
        [fragment(0, None, "f", ""), fragment(0, "", "", "{}"), fragment(1, "", "g", "{}")],
        [(ID_0, "f", "{}"), (ID_1, "g", "{}")],
    ),
    "id arrives late": (
        [fragment(0, None, "f", ""), fragment(0, "a", None, "{}")],
        [("a", "f", "{}")],
    ),
    "id arrives late: with the name again": (
        [fragment(0, None, "f", "{"), fragment(0, "a", "f", "}")],
        [("a", "f", "{}")],
    ),
    "name repeated in every fragment (MiniMax)": (
        [fragment(0, "a", "f", ""), fragment(0, None, "f", "{"), fragment(0, "a", "f", "}")],
        [("a", "f", "{}")],
    ),
    "name repeated in every fragment: after the end": (
        [fragment(0, "a", "f", "{}"), fragment(0, None, "f", "")],
        [("a", "f", "{}")],
    ),
    "name repeated in every fragment: blanks after the end": (
        [fragment(0, "a", "f", ""), fragment(0, None, "f", "{}"), fragment(0, None, "f", "\n")],
        [("a", "f", "{}\n")],
    ),
    "name repeated in every fragment: blanks after the end, no index": (
        [fragment(None, "a", "f", "{}"), fragment(None, None, "f", " ")],
        [("a", "f", "{} ")],
    ),
    "name empty on continuation (Volcengine)": (
        [fragment(0, "a", "f", ""), fragment(0, None, "", "{}")],
        [("a", "f", "{}")],
    ),
    "name split over fragments": (
        [fragment(0, "a", "get_", ""), fragment(0, None, "weather"), fragment(0, "a", None, "{}")],
        [("a", "get_weather", "{}")],
    ),
    "name split over fragments: each has the whole so far": (
        [fragment(0, "a", "get_"), fragment(0, "a", "get_weather"), fragment(0, None, None, "{}")],
        [("a", "get_weather", "{}")],
    ),
    "name split over fragments: not once arguments came": (
        [fragment(0, "a", "f", "{"), fragment(0, None, "other", "}")],
        [("a", "f", "{}")],
    ),
    "id+name in one chunk, arguments later": (
        [fragment(0, "a", "f"), fragment(0, None, None, '{"x":1}')],
        [("a", "f", '{"x":1}')],
    ),
    "id+name in one chunk, arguments later: the other way round": (
        [fragment(0, "a", None, "{"), fragment(0, None, None, "}"), fragment(0, None, "f")],
        [("a", "f", "{}")],
    ),
    "first fragment arguments null (vLLM)": (
        [fragment(0, "a", "f", None), fragment(0, None, None, '{"x":1}')],
        [("a", "f", '{"x":1}')],
    ),
    "arguments as object (MiniMax, Ollama)": (
        [fragment(0, "a", "f", {"x": "é"})],
        [("a", "f", '{"x": "é"}')],
    ),
    "whole call in one delta (Mistral, Groq, Gemini, Ollama)": ([fragment(0, "a", "f", '{"x":1}')], [("a", "f", '{"x":1}')]),
    "no-argument tools: no argument text at all": ([fragment(0, "a", "now")], [("a", "now", "{}")]),
    "empty argument delta": (
        [fragment(0, "a", "f", "{"), fragment(0, None, None, ""), fragment(0, None, None, "}")],
        [("a", "f", "{}")],
    ),
    "function null on a fragment": (
        [fragment(0, "a", "f", "{"), {"index": 0, "function": None}, fragment(0, None, None, "}")],
        [("a", "f", "{}")],
    ),
    "cumulative resend of arguments (DeepSeek via Qianfan, GLM)": (
        [
            fragment(0, "a", "f", "{"),
            fragment(0, None, None, '{"x"'),
            fragment(0, None, None, '{"x":1'),
            fragment(0, None, None, '{"x":1}'),
            fragment(0, None, None, '{"x":1}'),
        ],
        [("a", "f", '{"x":1}')],
    ),
    "cumulative resend of arguments: blanks first": (
        [
            fragment(0, "a", "f", " "),
            fragment(0, None, None, " \n"),
            fragment(0, None, None, " \n{"),
            fragment(0, None, None, " \n{}"),
        ],
        [("a", "f", " \n{}")],
    ),
    "blanks that repeat are no copy": (
        [fragment(0, "a", "f", " "), fragment(0, None, None, "  "), fragment(0, None, None, "{}")],
        [("a", "f", "   {}")],
    ),
    "cumulative resend of arguments: twice": (
        [fragment(0, "a", "f", '{"x"'), fragment(0, None, None, '{"x":1}')],
        [("a", "f", '{"x":1}')],
    ),
    "deltas plus a final full copy": (
        [
            fragment(0, "a", "f", '{"x"'),
            fragment(0, None, None, ":1}"),
            fragment(0, "a", "f", '{"x":1}'),
        ],
        [("a", "f", '{"x":1}')],
    ),
    "characters that repeat are no copy": (
        [fragment(0, "a", "f", '{"x":"a'), fragment(0, None, None, "aa"), fragment(0, None, None, 'aa"}')],
        [("a", "f", '{"x":"aaaaa"}')],
    ),
    "an object within one like it is no copy": (
        [fragment(0, "a", "f", '{"x":'), fragment(0, None, None, '{"x":1'), fragment(0, None, None, "}}")],
        [("a", "f", '{"x":{"x":1}}')],
    ),
    "an object within one like it, in two pieces": (
        [fragment(0, "a", "f", '{"x":'), fragment(0, None, None, '{"x":1}}')],
        [("a", "f", '{"x":{"x":1}}')],
    ),
    "arguments that are no object": (
        [fragment(0, "a", "f", "1"), fragment(0, None, None, "1"), fragment(0, None, None, "11")],
        [("a", "f", "1111")],
    ),
}  # fmt: skip
