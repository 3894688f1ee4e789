"""Tool calls that are cut, and fragments of them that are told otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cassette_stream.faults.dialect import Dialect
from cassette_stream.faults.edit import edit_ahead
from cassette_stream.faults.info import FaultInfo
from cassette_stream.faults.parameter import Parameter, check_parameters
from cassette_stream.faults.sem.block_fragments import ANTHROPIC, COHERE, CONVERSE
from cassette_stream.faults.sem.calls import Rewrite, rewriting
from cassette_stream.faults.sem.chat_fragments import CHAT
from cassette_stream.faults.sem.cut_calls import CUTS
from cassette_stream.faults.sem.other_fragments import GEMINI, OLLAMA, RESPONSES
from cassette_stream.faults.sem.words import ALL, dialects

if TYPE_CHECKING:
    from cassette_stream.script import Script

__all__ = ("TOOL_CUT", "TOOL_DELTA", "ToolCut", "ToolDelta")

_ALL: Final[Mapping[Dialect, Mapping[str, Rewrite]]] = {
    "openai_chat": CHAT,
    "openai_responses": RESPONSES,
    "anthropic": ANTHROPIC,
    "gemini": GEMINI,
    "cohere": COHERE,
    "ollama": OLLAMA,
    "bedrock_converse": CONVERSE,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCut:
    """The arguments of the last call break off, and the finish reason says nothing of it."""

    def __call__(self, script: Script) -> Script:
        return edit_ahead(script, rewriting(CUTS))


_QUIRKS = (
    Parameter(
        name="quirk",
        default="missing_index",
        choices=tuple(CHAT),
        description="What is odd about the fragments; openai_chat has all of them, the others "
        "those that are not impossible there.",
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolDelta:
    """The fragments of tool calls have one *quirk*; they mean the same calls.

    A stream without tool calls, or of a dialect without the quirk, is left whole.
    """

    quirk: str = "missing_index"

    def __post_init__(self) -> None:
        check_parameters(self, _QUIRKS)

    def __call__(self, script: Script) -> Script:
        known = {name: quirks[self.quirk] for name, quirks in _ALL.items() if self.quirk in quirks}
        return edit_ahead(script, rewriting(known))


TOOL_CUT = FaultInfo(
    id="sem.tool_cut",
    name="tool arguments cut",
    expect="raises",
    transport="nothing: the framing is valid",
    description="The arguments of the last call break off, yet the finish reason is as before.",
    reference="langchain-ai/langchain#39275",
    make=ToolCut,
    dialects=dialects("openai_chat", "openai_responses", "anthropic", "cohere", "bedrock_converse"),
    common=True,
)
TOOL_DELTA = FaultInfo(
    id="sem.tool_delta",
    name="irregular tool fragments",
    expect="either",
    transport="nothing: the framing is valid",
    description="The fragments of tool calls are told in an unusual way, and mean the same calls.",
    reference="vllm-project/vllm#18412",
    make=ToolDelta,
    parameters=_QUIRKS,
    dialects=ALL,
    common=True,
)
