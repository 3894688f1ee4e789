"""Rules of the catalogue: what can go wrong, with places and parameters that there are.

What a fault takes is asked of the fault: no rule is drawn and thrown away.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from functools import cache
from typing import Any

from hypothesis import strategies as st

from cassette_stream.exceptions import PlanError
from cassette_stream.faults import (
    AfterText,
    Byte,
    Chunk,
    Event,
    FaultInfo,
    Parameter,
    Place,
    Rule,
    Time,
    When,
    catalogue,
)
from pytest_cassette_stream.strategies.made import made
from pytest_cassette_stream.strategies.options import chosen, flag

__all__ = ("faults", "parameters_of", "rows")

_MOST = 100
_MOST_OF_A_FLOOD = 100_000
"""Of what counts in thousands: an example is to be made and read in no time."""

_TYPES = (
    "message",
    "content_block_delta",
    "response.output_text.delta",
    "ping",
    "content-delta",
    "contentBlockDelta",
)
_TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=12) | st.sampled_from(
    ["Overloaded", "a, b", 'say "hi"', "x=y", "1e5", "no", "é🎉"]
)
_DELAYS = ("0", "1", "30", "0.5")  # as head.429 takes them
_PLACES: Mapping[str, st.SearchStrategy[Place]] = {
    "byte": st.builds(Byte, st.integers(0, 400) | st.integers(-40, -1)),
    "chunk": st.builds(Chunk, st.integers(1, 40) | st.integers(-5, -1)),
    "after_text": st.builds(AfterText, st.integers(1, 200)),
    "time": st.builds(Time, st.floats(0, 60)),
    "when": st.sampled_from(
        [
            When("choices[0].finish_reason", "stop"),
            When("delta.type", "text_delta"),
            When("candidates[*].index", 0),
            When("done", True),
            When('$["a,b"]', None),
        ]
    ),
}


def faults(
    *, layer: str | Collection[str] | None = None, harmful: bool | None = None
) -> st.SearchStrategy[Rule]:
    """Rules of the catalogue, each with a fault, a place that it takes, and parameters.

    Examples shrink to a fault of the first layer that takes nothing, and to parameters that
    are left out. Whether a rule can strike a certain recording is another question; `plans` answers
    it. Those of the layer ``end`` are ways to run code: `cassette_stream.chaos.sweep` takes
    them, a replay does not.

    Args:
        layer: The layers, one or several of ``connect``, ``head``, ``body``, ``sse``,
            ``json``, ``sem`` and ``end``; all if None.
        harmful: True for what a correct client may have to tell its user of, False for what
            it copes with in any format; both if None.

    Raises:
        ValueError: There is no such layer, or no such fault in it.
    """
    return st.sampled_from([info.id for info in rows(layer, harmful)]).flatmap(_rules)


def rows(layer: object, harmful: bool | None) -> list[FaultInfo]:
    """The rows of the catalogue that `faults` draws from; those that take nothing come first.

    An example shrinks towards the front, and to fewer draws.

    Raises:
        ValueError: There is no such layer, or nothing in it is as *harmful* says.
    """
    every = catalogue().values()
    layers = chosen("layer", layer, dict.fromkeys(info.layer for info in every))
    if harmful is not None:
        flag("harmful", harmful)
    found = [
        info
        for info in every
        if info.layer in layers and (harmful is None or _is_harmful(info) is harmful)
    ]
    if not found:
        kind = "harmful" if harmful else "harmless"
        raise ValueError(f"no fault of {', '.join(layers)} is {kind}: name other layers")
    return sorted(found, key=lambda info: bool(info.places or info.parameters))


def _is_harmful(info: FaultInfo) -> bool:
    return {info.expect, *info.expects.values()} != {"tolerates"}


@cache
def _rules(fault: str) -> st.SearchStrategy[Rule]:
    info = catalogue()[fault]
    # What takes nothing is shown without what it has not.
    given: dict[str, st.SearchStrategy[Any]] = {}
    if info.places:
        given["at"] = _places(info)
    if info.parameters:
        given["parameters"] = st.fixed_dictionaries({}, optional=parameters_of(info))
    return st.builds(Rule, st.just(info.id), **given)


def _places(info: FaultInfo) -> st.SearchStrategy[Place]:
    return st.one_of([_events(info) if it == "event" else _PLACES[it] for it in info.places])


def _events(info: FaultInfo) -> st.SearchStrategy[Place]:
    last = -1 if _takes(info.id, Event(-1)) else -2  # some need one behind it
    names = [it for it in ("first", "last", "terminator") if _takes(info.id, Event(it))]
    refined: list[dict[str, Any]] = [{}, *({"inside": it} for it in info.insides)]
    if _takes(info.id, Event(1, after=True)):
        refined.append({"after": True})
    refined += [{**it, "type": kind} for it in refined for kind in _TYPES]
    numbers = [*range(1, 21), *range(last, last - 3, -1), *names]
    return made(_event, st.sampled_from(numbers), st.sampled_from(refined))


def _event(n: Any, refined: Mapping[str, Any]) -> Event:
    if n == "terminator":  # it has a type of its own, and nothing is behind it
        return Event(n, inside=refined.get("inside"))
    return Event(n, **refined)


def parameters_of(info: FaultInfo) -> dict[str, st.SearchStrategy[Any]]:
    """What the fault takes beside its place, and the values for each."""
    return {it.name: _values(info, it) for it in info.parameters}


def _values(info: FaultInfo, parameter: Parameter) -> st.SearchStrategy[Any]:
    default = parameter.default
    if isinstance(default, bool):
        return st.booleans()
    if isinstance(default, str):
        if parameter.choices:
            return st.sampled_from(list(_possible(info, parameter)))
        return st.sampled_from(_DELAYS) if parameter.name == "retry_after" else _TEXTS
    most = min(parameter.high, _MOST_OF_A_FLOOD if default > _MOST else _MOST)
    if isinstance(default, int):
        return st.integers(int(parameter.low) + parameter.above, int(most))
    return st.floats(parameter.low, most, exclude_min=parameter.above)


def _possible(info: FaultInfo, parameter: Parameter) -> Iterable[str]:
    """The words of *parameter* that can be had here: a coding may take a package."""
    at = Event(1) if info.places else None
    return (it for it in parameter.choices if _takes(info.id, at, **{parameter.name: it}))


@cache
def _takes(fault: str, at: Place | None, **parameters: str) -> bool:
    try:
        Rule(fault, at=at, parameters=parameters)
    except PlanError:
        return False
    return True
