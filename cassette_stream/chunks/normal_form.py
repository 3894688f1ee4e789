"""From the raw progress of a decoder to the stream that callers rely on.

For every choice, in this order: its first chunk has the role and the first of what it says;
every other has one kind of progress and no role; its finish chunk has an empty delta and the
reason. The usage chunk comes last of all, with one placeholder choice, only where it was asked
for and the provider reported any. All chunks have the id, time and model of the stream.

Chunks that say nothing are left out; what they carry beside goes along with the next one. No
text, no finish reason and no count is ever made up. Chunks may be changed in place: feed those
that a decoder made for you.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

from msgspec.structs import astuple

from cassette_stream.chunks.finish_reasons import normal_finish_reason
from cassette_stream.chunks.parts import Json
from cassette_stream.chunks.stream import (
    ChatCompletionDeltaToolCall,
    Delta,
    ModelResponseStream,
    StreamingChoices,
)
from cassette_stream.chunks.tool_calls import ToolCallAccumulator
from cassette_stream.chunks.usage import Usage, later_usage

__all__ = ("NormalForm",)

# A delta as a tuple: extras, role, content, and what follows them in their declared order.
_CONTENT: Final = 2
_NOTHING_ELSE: Final = astuple(Delta())[_CONTENT + 1 :]
# What may stand in one chunk together, in the order in which the kinds are sent.
_KINDS: Final = (
    ("reasoning_content", "thinking_blocks", "reasoning_items"),
    ("refusal",),
    ("content",),
    ("function_call",),
    ("audio",),
    ("images",),
    ("annotations",),
)


class NormalForm:
    """The state of one stream on its way to its callers.

    Args:
        include_usage: Whether the usage chunk was asked for.
        model: The name that was asked for; without it the one that the provider says.
        id: For streams whose provider gives none.
        created: The same, in seconds since 1970.
        hidden_params: What every chunk carries in ``_hidden_params``; here the provider's
            name of the model is added, as ``provider_response_model``.

    Attributes:
        usage: What was billed, as far as reported.
        finish_reasons: Why each choice ended, by its index.
        raw_finish_reasons: The same in the provider's own words.
        late: Whether a choice went on after its finish chunk; that was passed on all the same.
    """

    def __init__(
        self,
        *,
        include_usage: bool = False,
        model: str | None = None,
        id: str = "",  # noqa: A002 - the field's own word
        created: int = 0,
        hidden_params: Json | None = None,
    ) -> None:
        self.usage: Usage | None = None
        self.finish_reasons: dict[int, str] = {}
        self.raw_finish_reasons: dict[int, str] = {}
        self.late = False
        self._include_usage = include_usage
        self._head = _Head(id, created, model, dict(hidden_params or {}))
        self._choices: dict[int, _Choice] = {}
        self._warnings: list[str] = []

    def feed(self, chunks: Iterable[ModelResponseStream]) -> Iterator[ModelResponseStream]:
        """The normal chunks that the raw *chunks* make, each as soon as it can be told.

        Exceptions of *chunks* come through, after what came before them.
        """
        head, open_choices = self._head, self._choices
        for chunk in chunks:
            choices = chunk.choices
            # Nearly all chunks: one choice that has begun, and goes on with a bit of text.
            if len(choices) == 1 and not head.pending:
                choice = choices[0]
                state = open_choices.get(choice.index)
                if state is not None and state.plain and not choice.finish_reason:
                    _, role, content, *others = astuple(choice.delta)
                    if content and role is None and others == _OTHERS and chunk.usage is None:
                        head.stamp(chunk)
                        yield chunk
                        continue
            yield from self._unusual(chunk)
