"""One choice of a stream: from raw deltas to the normal ones that `NormalForm` describes."""

from __future__ import annotations

from typing import Any, Final

from cassette_stream.chunks.finish_reasons import normal_finish_reason
from cassette_stream.chunks.parts import Audio, ChoiceLogprobs, FunctionCall, Json
from cassette_stream.chunks.stream import ChatCompletionDeltaToolCall, Delta, StreamingChoices
from cassette_stream.chunks.tool_calls import ToolCallAccumulator

__all__ = ("ChoiceForm", "joined_logprobs")

# What may stand in one delta together, in the order in which the kinds are sent.
_KINDS: Final = (
    ("reasoning_content", "thinking_blocks", "reasoning_items"),
    ("refusal",),
    ("content",),
    ("tool_calls",),
    ("function_call",),
    ("audio",),
    ("images",),
    ("annotations",),
)
_SILENT: Final = (FunctionCall(), Audio())


class ChoiceForm:
    """Where one choice stands.

    Attributes:
        calls: Its tool calls.
        extras: What the provider said beside, and no chunk took along so far.
        finish_reason: Why it ended, in normal words; None while it goes on.
        late: Whether it said something after that.
        plain: Whether a bit of text can pass as it is: the choice has begun, has not ended,
            and nothing waits to go along with its next chunk.
    """

    __slots__ = (
        "_begun",
        "_index",
        "_logprobs",
        "calls",
        "extras",
        "finish_reason",
        "late",
        "plain",
    )

    def __init__(self, index: int, *, seed: str) -> None:
        self._index = index
        self._begun = False
        self.extras: Json = {}
        self._logprobs: ChoiceLogprobs | None = None
        self.calls = ToolCallAccumulator(seed=f"{seed}\n{index}")
        self.finish_reason: str | None = None
        self.late = False
        self.plain = False

    def take(self, raw: StreamingChoices) -> list[StreamingChoices]:
        """The normal choices that *raw* makes, a chunk each."""
        self.extras |= raw.extras or {}
        self._logprobs = joined_logprobs(self._logprobs, raw.logprobs)
        choices = [self._choice(delta) for delta in self._deltas(raw.delta)]
        if self.finish_reason is not None:
            self.late = self.late or bool(choices)
        elif raw.finish_reason:
            choices += self._finish(raw)
        if choices:
            # Log probabilities belong to the words, whatever else to the end if there is one.
            choices[0].logprobs, self._logprobs = self._logprobs, None
            choices[-1].extras, self.extras = self.extras or None, {}
        self.plain = (
            self._begun
            and self.finish_reason is None
            and not self.extras
            and self._logprobs is None
        )
        return choices

    def flush(self) -> list[StreamingChoices]:
        """What was held back, for a stream that breaks off here."""
        calls = self.calls.flush()
        return [self._choice(Delta(tool_calls=calls))] if calls else []

    def _choice(self, delta: Delta) -> StreamingChoices:
        return StreamingChoices(index=self._index, delta=delta)

    def _deltas(self, raw: Delta) -> list[Delta]:
        """One delta for each kind of progress, the role in the first of the choice."""
        said = {name: value for name, value in raw if value and value not in _SILENT}
        said["tool_calls"] = self._take_calls(raw)
        deltas = [
            Delta(**{name: said[name] for name in kind if said.get(name)})
            for kind in _KINDS
            if any(said.get(name) for name in kind)
        ]
        beside = raw.provider_specific_fields
        if not deltas and (beside or any((raw.extras or {}).values())):
            deltas = [Delta()]
        if not self._begun and (deltas or raw.role or raw.content == ""):
            deltas = deltas or [Delta(content=raw.content)]
            deltas[0].role = raw.role or "assistant"
            self._begun = True
        if deltas:
            deltas[0].provider_specific_fields = beside
            deltas[0].extras = raw.extras
        return deltas

    def _take_calls(self, raw: Delta) -> list[ChatCompletionDeltaToolCall]:
        taken = [self.calls.take(fragment) for fragment in raw.tool_calls or ()]
        return [delta for delta in taken if delta is not None]

    def _finish(self, raw: StreamingChoices) -> list[StreamingChoices]:
        assert raw.finish_reason is not None
        choices = []
        if not self._begun:
            self._begun = True
            choices.append(self._choice(Delta(role="assistant")))
        if calls := self.calls.finish():
            choices.append(self._choice(Delta(tool_calls=calls)))
        self.finish_reason, abnormal = normal_finish_reason(
            raw.finish_reason, called=len(self.calls) > 0
        )
        end = self._choice(Delta())
        end.finish_reason = self.finish_reason
        end.raw_finish_reason = raw.raw_finish_reason or raw.finish_reason
        end.abnormal_finish = abnormal or raw.abnormal_finish
        return [*choices, end]


def joined_logprobs(
    known: ChoiceLogprobs | None, more: ChoiceLogprobs | None
) -> ChoiceLogprobs | None:
    """The token lists of both, one after the other."""
    if known is None or more is None:
        return known or more
    return ChoiceLogprobs(
        content=_joined(known.content, more.content),
        refusal=_joined(known.refusal, more.refusal),
        extras={**(known.extras or {}), **(more.extras or {})} or None,
    )


def _joined(known: list[Any] | None, more: list[Any] | None) -> list[Any] | None:
    return known if more is None else (known or []) + more
