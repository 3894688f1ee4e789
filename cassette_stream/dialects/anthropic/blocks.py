"""The blocks of an Anthropic message that are open, and the chunks that they give."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from cassette_stream.chunks import (
    ChatCompletionDeltaToolCall,
    Delta,
    Function,
    ModelResponseStream,
    StreamingChoices,
    arguments_text,
)
from cassette_stream.dialects.decoding import Chunks

__all__ = ("CALLS", "Block", "native", "spoken")

CALLS: Final = frozenset({"tool_use", "server_tool_use", "mcp_tool_use"})
"""The kinds of blocks that are calls; all but the first are made by the provider itself."""

_UNDERSTOOD: Final = frozenset({"type", "id", "name", "input"})


class Block:
    """A block that is open: its *kind* and, of a call, its number and what it began with."""

    __slots__ = ("_input", "_number", "_streamed", "kind")

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._number = -1
        self._input: object = None
        self._streamed = False

    def open(
        self, number: int, content: Mapping[str, Any], text: Callable[[Mapping[str, Any], str], str]
    ) -> ModelResponseStream:
        """The first chunk of a call, the *number*-th of its message; *text* reads a field."""
        self._number, self._input = number, content.get("input")
        call = ChatCompletionDeltaToolCall(
            index=number,
            id=text(content, "id"),
            function=Function(name=text(content, "name")),
            extras={key: it for key, it in content.items() if key not in _UNDERSTOOD} or None,
            # Whoever reads this call shall know that it is not his to make.
            provider_specific_fields=None if self.kind == "tool_use" else {"type": self.kind},
        )
        return spoken(Delta(tool_calls=[call]))

    def fragment(self, arguments: str) -> ModelResponseStream:
        """A chunk with more *arguments* of a call."""
        self._streamed = True
        function = Function(arguments=arguments)
        call = ChatCompletionDeltaToolCall(index=self._number, function=function)
        return spoken(Delta(tool_calls=[call]))

    def close(self) -> Chunks:
        """What a call lacks at its end: arguments that came whole with it, or none at all."""
        if self._number >= 0 and not self._streamed:
            yield self.fragment(arguments_text(self._input or {}))


def spoken(delta: Delta) -> ModelResponseStream:
    """The chunk of one *delta*."""
    return ModelResponseStream(choices=[StreamingChoices(delta=delta)])


def native(**fields: object) -> ModelResponseStream:
    """The chunk of what only this provider has."""
    return spoken(Delta(provider_specific_fields=fields))
