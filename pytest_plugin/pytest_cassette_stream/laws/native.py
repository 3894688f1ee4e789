"""What providers of other shapes than OpenAI's do otherwise when they call tools.

A quirk rewrites the events of a plain stream. What the stream says stays what it was, but for
ids that are no longer in it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from cassette_stream import ChatCompletionMessageToolCall, Function
from pytest_cassette_stream.strategies import ChunkStream, chunk_streams, completions
from pytest_cassette_stream.strategies.wires import Json

__all__ = ("NATIVE", "Native")


def _of_one_index(events: Sequence[Json]) -> list[Json]:
    return [_with_calls(event, lambda call: _numbered(call, 0)) for event in events]


def _without_ids(events: Sequence[Json]) -> list[Json]:
    return [_with_calls(event, _only_named) for event in events]


def _with_calls(line: Json, change: Callable[[Json], Json]) -> Json:
    message: Json = line["message"]
    calls = message.get("tool_calls")
    if calls is None:
        return line
    return line | {"message": message | {"tool_calls": [change(call) for call in calls]}}


def _numbered(call: Json, index: int) -> Json:
    return call | {"function": call["function"] | {"index": index}}


def _only_named(call: Json) -> Json:
    function: Json = call["function"]
    return {"function": {name: function[name] for name in ("name", "arguments")}}


def _with_plan(events: Sequence[Json]) -> list[Json]:
    at = next(n for n, event in enumerate(events) if event["type"] == "tool-call-start")
    plan = [
        {"type": "tool-plan-delta", "delta": {"message": {"tool_plan": piece}}}
        for piece in ("I will ", "look it up.")
    ]
    return [*events[:at], *plan, *events[at:]]


def _without_input(events: Sequence[Json]) -> list[Json]:
    return [event for event in events if not _is_input(event)]


def _is_input(event: Json) -> bool:
    told: Mapping[str, Any] = event.get("contentBlockDelta") or event
    delta = told.get("delta") or {}
    return "toolUse" in delta or delta.get("type") == "input_json_delta"


@dataclass(frozen=True, kw_only=True)
class Native:
    """A quirk of *dialects*: its *text* says what happens, and who reported it.

    It takes *least* calls, and *without_ids* says that they lose theirs.
    """

    dialects: tuple[str, ...]
    text: str
    rewritten: Callable[[Sequence[Json]], list[Json]]
    least: int = 1
    without_ids: bool = False
    arguments: tuple[str, ...] = ("{}", '{"a": "x"}')

    def streams(self, dialect: str) -> st.SearchStrategy[ChunkStream]:
        """The streams that are rewritten."""
        calls = st.builds(
            ChatCompletionMessageToolCall,
            id=st.sampled_from(["call_a", "call_b", "call_c"]),
            function=st.builds(
                Function,
                name=st.sampled_from(["f", "g"]),
                arguments=st.sampled_from(self.arguments),
            ),
        )
        answers = completions(
            dialect=dialect,
            calls=calls,
            min_calls=self.least,
            texts=st.sampled_from(["x", ""]),
            reasoning=False,
        )
        return chunk_streams(dialect=dialect, completions=answers)


NATIVE: Mapping[str, Native] = {
    "ollama_same_index": Native(
        dialects=("ollama",),
        text="Ollama gives the calls of several lines one index (ollama/ollama#15457).",
        rewritten=_of_one_index,
        least=2,
    ),
    "ollama_missing_id": Native(
        dialects=("ollama",),
        text="Ollama before 0.12.10 gives calls neither an id nor an index "
        "(deepset-ai/haystack-core-integrations#3321).",
        rewritten=_without_ids,
        without_ids=True,
    ),
    "cohere_tool_plan": Native(
        dialects=("cohere",),
        text="Cohere tells a plan before its calls, which is no text of the answer "
        "(vercel/ai#4721).",
        rewritten=_with_plan,
    ),
    "bedrock_no_input": Native(
        dialects=("bedrock_converse", "bedrock_invoke"),
        text="For a tool that takes none Claude on Bedrock sends no text of arguments, which "
        "means {} (deepset-ai/haystack-core-integrations#2107).",
        rewritten=_without_input,
        arguments=("{}",),
    ),
}
"""The quirks by name."""
