"""One choice of an answer: its message, and why the model stopped."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from typing import TypeAlias

from hypothesis import strategies as st
from msgspec.structs import replace

from cassette_stream import (
    ChatCompletionMessageToolCall,
    Choices,
    Message,
    RedactedThinking,
    Thinking,
)
from pytest_cassette_stream.strategies.carried import Carried

__all__ = ("Answers",)

_Words: TypeAlias = tuple[str | None, str | None]
_Thoughts: TypeAlias = tuple[str | None, list[Thinking | RedactedThinking] | None]


@dataclass(frozen=True, kw_only=True)
class Answers:
    """What choices are made of. *exact* ones come back as they are from a stream."""

    carried: Carried
    exact: bool
    calls: st.SearchStrategy[list[ChatCompletionMessageToolCall]]
    texts: st.SearchStrategy[str]
    reasoning: bool

    def choices(self) -> st.SearchStrategy[Choices]:
        # Nothing comes first: with the fewest draws of all, the simplest example stays so.
        return st.builds(
            self._choice,
            st.sampled_from(["stop", "length", "content_filter"]),
            self._words(),
            self._thoughts(),
            self.calls,
        )

    def _words(self) -> st.SearchStrategy[_Words]:
        """A content, a refusal, both or neither."""
        nothing: st.SearchStrategy[_Words] = st.just((None, None))
        content = st.tuples(self.texts, st.none())
        if not self.carried.refusal:
            return nothing | content
        refused = st.tuples(st.none() | self.texts, self.texts)
        return nothing | content | content | refused

    def _thoughts(self) -> st.SearchStrategy[_Thoughts]:
        none: st.SearchStrategy[_Thoughts] = st.just((None, None))
        if not self.reasoning:
            return none
        unsigned = self.texts.map(_unsigned)
        if not self.carried.blocks:
            return none | unsigned
        data = st.binary(min_size=1, max_size=9).map(_base64)
        thinking = st.builds(Thinking, thinking=self.texts, signature=data)
        block = thinking | st.builds(RedactedThinking, data=data)
        signed = st.lists(block, min_size=1, max_size=2).map(_signed)
        return none | unsigned | signed if self.carried.unsigned_reasoning else none | signed

    def _choice(
        self,
        reason: str,
        words: _Words,
        thoughts: _Thoughts,
        calls: list[ChatCompletionMessageToolCall],
    ) -> Choices:
        content, refusal = words
        message = Message(
            content=content,
            reasoning_content=thoughts[0],
            thinking_blocks=thoughts[1],
            tool_calls=[*map(self._call, calls)] or None,
            refusal=refusal,
        )
        if self.exact:
            message.reasoning_content = message.reasoning_content or None
            message.refusal = message.refusal or None
            message.content = content or self._nothing(message)
        return Choices(
            message=message,
            finish_reason="tool_calls" if calls and reason == "stop" else reason,
        )

    def _call(self, call: ChatCompletionMessageToolCall) -> ChatCompletionMessageToolCall:
        if call.custom is not None:
            return call
        arguments = self.carried.spelling(call.function.arguments)
        return replace(call, function=replace(call.function, arguments=arguments))

    def _nothing(self, message: Message) -> str | None:
        """What comes back of an answer without content."""
        alone = message.tool_calls is None and message.refusal is None
        return "" if self.carried.empty_content and alone else None


def _base64(data: bytes) -> str:
    return b64encode(data).decode()


def _unsigned(text: str) -> _Thoughts:
    return text, None


def _signed(blocks: list[Thinking | RedactedThinking]) -> _Thoughts:
    thoughts = [block.thinking for block in blocks if isinstance(block, Thinking)]
    return "".join(thoughts) or None, blocks
