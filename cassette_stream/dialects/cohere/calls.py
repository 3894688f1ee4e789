"""The tool calls of a message of Cohere's that are open, and the chunks that they give."""

from __future__ import annotations

from cassette_stream.chunks import (
    ChatCompletionDeltaToolCall,
    Delta,
    Function,
    ModelResponseStream,
    StreamingChoices,
)
from cassette_stream.dialects.decoding import Chunks

__all__ = ("OpenCall", "said")


class OpenCall:
    """A call that is open: the *number*-th of its message, and whether it has arguments yet."""

    __slots__ = ("number", "streamed")

    def __init__(self, number: int) -> None:
        self.number = number
        self.streamed = False

    def fragment(self, arguments: str) -> ModelResponseStream:
        self.streamed = True
        function = Function(arguments=arguments)
        call = ChatCompletionDeltaToolCall(index=self.number, function=function)
        return said(Delta(tool_calls=[call]))

    def close(self) -> Chunks:
        if not self.streamed:
            yield self.fragment("{}")


def said(delta: Delta) -> ModelResponseStream:
    """The chunk of one *delta*."""
    return ModelResponseStream(choices=[StreamingChoices(delta=delta)])
