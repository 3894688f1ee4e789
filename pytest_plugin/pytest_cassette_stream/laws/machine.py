"""A state machine for accumulators that are fed step by step, beside a model that cannot be wrong.

After every step the accumulator says what the model says; of arguments that are still
coming, a beginning.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from pytest_cassette_stream.laws.broken import LawError
from pytest_cassette_stream.laws.running import functions
from pytest_cassette_stream.laws.said import Call, Said, said_by

__all__ = ("accumulator_machine",)

STEPS = "after every step the answer says what was fed"

# No piece has a quote or a brace, so what is between the two ends is JSON, and no piece
# could begin the arguments once more.
_BEGINNING, _END = '{"a": "', '"}'
_PIECES = st.sampled_from(["x", "", "é", "🌍 ", "two words"])
_WHICH = st.integers(0, 7)


def accumulator_machine(
    make: Callable[[], Any],
    *,
    add: Callable[[Any, dict[str, Any]], object] = lambda accumulator, chunk: accumulator.add(
        chunk
    ),
    answer: Callable[[Any], object] = lambda accumulator: accumulator.response(),
    reset: Callable[[Any], object] | None = None,
) -> type[RuleBasedStateMachine]:
    """A machine that feeds what *make* makes, step by step, in every order there can be.

    Text, new tool calls, pieces of any of them, pieces of all of them in one chunk, an end,
    and a fresh start. To be used as ``TestMine = accumulator_machine(Mine).TestCase``.

    Args:
        make: Makes an empty accumulator.
        add: Feeds one chunk, a dict in the shape of OpenAI's chat chunks; by default its
            ``add``.
        answer: What the accumulator says so far, as `check_accumulator` reads it; by default
            its ``response``.
        reset: Makes an accumulator empty again; if None, a new one is made.

    Raises:
        TypeError: One of these is no function.
    """
    functions(make=make, add=add, answer=answer)
    if reset is not None:
        functions(reset=reset)
    steps = _Steps(make, add, answer, reset)
    return type("AccumulatorMachine", (_Machine,), {"steps": steps})


@dataclass(frozen=True)
class _Steps:
    make: Callable[[], Any]
    add: Callable[[Any, dict[str, Any]], object]
    answer: Callable[[Any], object]
    reset: Callable[[Any], object] | None


@dataclass
class _Model:
    """What was fed since the last fresh start."""

    chunks: list[dict[str, Any]] = field(default_factory=list)
    text: str = ""
    calls: list[Call] = field(default_factory=list)
    finished: bool = False

    def told_wrongly(self, came: Said) -> bool:
        if self.finished:
            return not self.expected.is_told_by(came)
        if came.text not in {None, self.text}:
            return True
        return came.calls is not None and not (
            len(came.calls) == len(self.calls)
            and all(_is_beginning(*two) for two in zip(came.calls, self.calls, strict=True))
        )

    @property
    def expected(self) -> Said:
        return Said(self.text, tuple(self.calls))


def _is_beginning(came: Call, call: Call) -> bool:
    # No arguments yet may be told as none at all.
    told = came.arguments if call.arguments or came.arguments != "{}" else ""
    return (came.id, came.name) == (call.id, call.name) and call.arguments.startswith(told)


class _Machine(RuleBasedStateMachine):
    steps: ClassVar[_Steps]

    @initialize()
    def begin(self) -> None:
        self.accumulator = self.steps.make()
        self.model = _Model()

    @precondition(lambda self: not self.model.finished)
    @rule(text=_PIECES)
    def say(self, text: str) -> None:
        self.model.text += text
        self._feed({"content": text})

    @precondition(lambda self: not self.model.finished and len(self.model.calls) < 8)
    @rule(name=st.sampled_from(["f", "g"]))
    def start_call(self, name: str) -> None:
        index = len(self.model.calls)
        call = Call(f"call_{index}", name, "")
        self.model.calls.append(call)
        function = {"name": name, "arguments": ""}
        opened = {"index": index, "id": call.id, "type": "function", "function": function}
        self._feed({"tool_calls": [opened]})

    @precondition(lambda self: not self.model.finished and self.model.calls)
    @rule(which=_WHICH, piece=_PIECES)
    def continue_call(self, which: int, piece: str) -> None:
        self._feed({"tool_calls": [self._piece(which % len(self.model.calls), piece)]})

    @precondition(lambda self: not self.model.finished and len(self.model.calls) > 1)
    @rule(piece=_PIECES)
    def interleave(self, piece: str) -> None:
        every = range(len(self.model.calls))
        self._feed({"tool_calls": [self._piece(index, piece) for index in every]})

    @precondition(lambda self: not self.model.finished)
    @rule()
    def finish(self) -> None:
        begun = [index for index, call in enumerate(self.model.calls) if call.arguments]
        if begun:
            self._feed({"tool_calls": [self._piece(index, _END) for index in begun]})
        # What has no arguments at all is called with none.
        self.model.calls = [Call(it.id, it.name, it.arguments or "{}") for it in self.model.calls]
        self.model.finished = True
        self._feed({}, "tool_calls" if self.model.calls else "stop")

    @rule()
    def reset(self) -> None:
        if self.steps.reset is None:
            self.accumulator = self.steps.make()
        else:
            self.steps.reset(self.accumulator)
        self.model = _Model()

    @invariant()
    def says_what_was_fed(self) -> None:
        if not self.model.chunks:
            return
        try:
            came: Said | Exception = said_by(self.steps.answer(self.accumulator))
        except Exception as error:  # noqa: BLE001 - what came of the steps
            came = error
        if isinstance(came, Exception) or self.model.told_wrongly(came):
            raise LawError(STEPS, stream=self.model.chunks, came=came, expected=self.model.expected)

    def _piece(self, index: int, piece: str) -> dict[str, Any]:
        """A fragment that goes on with the call of that *index*."""
        call = self.model.calls[index]
        text = piece if call.arguments or piece == _END else _BEGINNING + piece
        self.model.calls[index] = Call(call.id, call.name, call.arguments + text)
        return {"index": index, "function": {"arguments": text}}

    def _feed(self, delta: dict[str, Any], finish_reason: str | None = None) -> None:
        choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
        chunk = {"id": "1", "object": "chat.completion.chunk", "choices": [choice]}
        self.model.chunks.append(chunk)
        try:
            self.steps.add(self.accumulator, copy.deepcopy(chunk))
        except Exception as error:
            raise LawError(
                STEPS, stream=self.model.chunks, came=error, expected=self.model.expected
            ) from error
