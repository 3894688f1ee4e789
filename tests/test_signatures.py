"""What a type checker and an editor are told of a call is what the call takes."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, get_overloads

import pytest

from cassette_stream import acompletion, completion


def told(call: Callable[..., Any]) -> list[inspect.Parameter]:
    return [it for it in inspect.signature(call).parameters.values() if it.name != "stream"]


@pytest.mark.parametrize("call", [completion, acompletion])
def test_overloads_differ_in_stream_and_in_what_they_give_alone(call: Callable[..., Any]) -> None:
    overloads = get_overloads(call)
    given = {
        str(inspect.signature(it).parameters["stream"].annotation): inspect.signature(
            it
        ).return_annotation
        for it in overloads
    }

    assert [told(it) for it in overloads] == [told(call)] * 3
    assert given == {
        "Literal[True]": "CustomStreamWrapper",
        "Literal[False] | None": "ModelResponse",
        "bool | None": "CustomStreamWrapper | ModelResponse",
    }


def test_an_asynchronous_call_takes_what_a_synchronous_one_does() -> None:
    assert told(acompletion) == told(completion)


@pytest.mark.parametrize("call", [completion, acompletion])
def test_help_shows_the_whole_call_and_its_defaults(call: Callable[..., Any]) -> None:
    parameters = inspect.signature(call).parameters

    assert list(parameters)[:3] == ["model", "messages", "stream"]
    assert (parameters["stream"].default, parameters["timeout"].default) == (False, 600)
    assert inspect.getdoc(call)
