"""The machine of steps keeps quiet about correct accumulators and finds each planted bug."""

from __future__ import annotations

from typing import Any

import planted_accumulators as planted
import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from pytest_cassette_stream.laws import LawError, accumulator_machine
from support import SOAK

from cassette_stream import ResponseAccumulator

SOME = settings(
    max_examples=100 if SOAK else 15, stateful_step_count=15, deadline=None, database=None
)
DRAWN = settings(
    max_examples=100,
    stateful_step_count=15,
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.generate, Phase.shrink],
)


class Late(planted.Accumulator):
    """The answer lags a chunk behind."""

    held: Any = None

    def add(self, chunk: Any) -> bool:
        held, self.held = self.held, chunk
        return True if held is None else super().add(held)


class OnePerChunk(planted.Accumulator):
    """Of several fragments in a chunk the first counts."""

    def add(self, chunk: Any) -> bool:
        for choice in chunk["choices"]:
            choice["delta"]["tool_calls"] = choice["delta"].get("tool_calls", [])[:1]
        return super().add(chunk)


class LastCall(planted.Accumulator):
    """What goes on, goes on with the last call."""

    def call_of(self, fragment: Any, function: Any) -> planted.Call:
        if fragment.get("id"):
            return super().call_of(fragment, function)
        return self.calls[-1]


def steps(make: Any) -> LawError:
    with pytest.raises(LawError) as raised:
        run_state_machine_as_test(accumulator_machine(make), settings=DRAWN)
    return raised.value


# The fewest chunks that show it, what comes, what should.
BUGS: dict[str, tuple[Any, int, Any, Any]] = {
    "a chunk late": (Late, 1, "", "x"),
    "one fragment of each chunk": (
        OnePerChunk,
        3,
        (("call_0", "f", '{"a": "x'), ("call_1", "f", "{}")),
        (("call_0", "f", '{"a": "x'), ("call_1", "f", '{"a": "x')),
    ),
    "the last call": (
        LastCall,
        3,
        (("call_0", "f", "{}"), ("call_1", "f", '{"a": "x{"a": "x')),
        (("call_0", "f", '{"a": "x'), ("call_1", "f", '{"a": "x')),
    ),
    "merge by index 0": (
        planted.MergeByIndex0,
        2,
        (("call_0", "f", "{}"),),
        (("call_0", "f", ""), ("call_1", "f", "")),
    ),
    "empty arguments": (
        planted.EmptyArguments,
        2,
        (("call_0", "f", ""),),
        (("call_0", "f", "{}"),),
    ),
}


@pytest.mark.parametrize(("make", "chunks", "came", "expected"), BUGS.values(), ids=BUGS)
def test_a_planted_bug_is_found_in_the_fewest_steps(
    make: Any, chunks: int, came: Any, expected: Any
) -> None:
    found = steps(make)

    assert found.law == "after every step the answer says what was fed"
    assert len(found.stream) == chunks
    assert told(found.expected, expected) == expected
    assert told(found.came, came) == came


def told(said: Any, like: Any) -> Any:
    if isinstance(like, str):
        return said.text
    return tuple((it.id, it.name, it.arguments) for it in said.calls)


class Raising(planted.Accumulator):
    def add(self, chunk: Any) -> bool:
        if chunk["choices"][0]["finish_reason"]:
            raise KeyError("usage")
        return super().add(chunk)


def test_a_step_that_raises_is_found() -> None:
    found = steps(Raising)

    assert isinstance(found.came, KeyError)
    assert len(found.stream) == 1
    assert isinstance(found.__cause__, KeyError)


def test_an_answer_that_raises_is_found() -> None:
    class Asked(planted.Accumulator):
        def response(self) -> Any:
            raise RuntimeError("not yet")

    assert isinstance(steps(Asked).came, RuntimeError)


class Emptied(planted.Accumulator):
    def reset(self) -> None:
        self.__init__()  # type: ignore[misc]  # the shortest way to begin again


class HalfEmptied(planted.Accumulator):
    def reset(self) -> None:
        self.pieces = []


def test_a_reset_of_its_own_is_taken() -> None:
    good = accumulator_machine(Emptied, reset=Emptied.reset)
    bad = accumulator_machine(HalfEmptied, reset=HalfEmptied.reset)

    run_state_machine_as_test(good, settings=SOME)
    with pytest.raises(LawError) as raised:
        run_state_machine_as_test(bad, settings=DRAWN)

    assert raised.value.expected.calls == ()
    assert len(raised.value.came.calls) == 1


def test_the_names_of_the_two_methods_can_be_told() -> None:
    class Folded:
        def __init__(self) -> None:
            self.inner = planted.Accumulator()

        def push(self, chunk: Any) -> None:
            self.inner.add(chunk)

        @property
        def calls(self) -> Any:
            return self.inner.response()["tool_calls"]

    machine = accumulator_machine(Folded, add=Folded.push, answer=lambda folded: folded.calls)

    run_state_machine_as_test(machine, settings=SOME)


@pytest.mark.parametrize("option", ["make", "add", "answer", "reset"])
def test_what_is_no_function_is_refused(option: str) -> None:
    options = {"make": planted.Accumulator, option: 1}

    with pytest.raises(TypeError, match=f"{option} must be a function, not 1"):
        accumulator_machine(**options)  # type: ignore[arg-type]  # that is the point


TestOurs = accumulator_machine(ResponseAccumulator).TestCase
TestOurs.settings = SOME
TestPlanted = accumulator_machine(planted.Accumulator).TestCase
TestPlanted.settings = SOME
