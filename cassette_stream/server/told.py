"""Models that answer what they were told, instead of by rules."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain, repeat
from threading import Lock
from typing import TypeAlias

from cassette_stream.chunks import Choices, Message, ModelResponse
from cassette_stream.server.embedded import Ask, answered, complete

__all__ = ("Told", "in_turn", "model_of")

Told: TypeAlias = ModelResponse | Message | str | None
"""What a model is told to answer."""

_Model: TypeAlias = Callable[[Ask], ModelResponse]


def model_of(told: Told) -> _Model:
    """The model that answers *told*, whatever it is asked; None: by the rules of the embedded one.

    Raises:
        TypeError: *told* is nothing that a model can say.
    """
    match told:
        case None:
            return complete
        case ModelResponse():
            return lambda _: told
        case str():
            return model_of(Message(content=told))
        case Message():
            reason = "tool_calls" if told.tool_calls else "stop"
            return lambda ask: answered(ask, [Choices(message=told, finish_reason=reason)])
    raise TypeError(f"a model answers with a text, a Message or a ModelResponse, not {told!r}")


def in_turn(models: Sequence[_Model]) -> _Model:
    """Ask each of *models* once, one after the other, and the last one from then on.

    Raises:
        ValueError: There are none.
    """
    if not models:
        raise ValueError("a server answers with one completion at least: give it one")
    turns, lock = chain(models, repeat(models[-1])), Lock()

    def model(ask: Ask) -> ModelResponse:
        with lock:
            turn = next(turns)
        return turn(ask)

    return model
