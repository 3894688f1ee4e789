"""Strategies for rules over the whole catalogue, and for plans of them."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from hypothesis import strategies as st
from pytest_cassette_stream.strategies import faults as faults_of

from cassette_stream import faults
from cassette_stream.faults import (
    AfterText,
    Byte,
    Chunk,
    Distribution,
    Event,
    FaultInfo,
    Match,
    Parameter,
    Plan,
    Range,
    Rule,
    Span,
    Time,
    When,
)

_LAYERS = ["connect", "head", "body", "sse", "json", "sem"]
PERFORMED = [info for info in faults.catalogue().values() if info.make is not None]

numbers = st.integers(1, 99) | st.integers(-99, -1)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.sampled_from(
    ["a, b", 'say "hi"', "1e5", "no", "0012", "~", "- x", "a: b", "#", "==", " ", "@", "x=y", "é🎉"]
)
words = texts.filter(bool)
patterns = st.none() | texts

_PLACES: dict[str, st.SearchStrategy[Any]] = {
    "byte": st.builds(Byte, st.integers(-999, 999)),
    "chunk": st.builds(Chunk, numbers),
    "after_text": st.builds(AfterText, st.integers(1, 999)),
    "time": st.builds(Time, st.floats(0, 1e6)),
    "when": st.builds(
        When,
        st.sampled_from(["a", "choices[0].finish_reason", '["a,b==c"].x', "$.a[*]", "[-1]"]),
        st.none() | st.booleans() | st.integers() | st.floats(-1e9, 1e9) | texts,
    ),
}


def places(info: FaultInfo) -> st.SearchStrategy[Any]:
    """The places that the fault takes, by what the catalogue says."""
    if not info.places:
        return st.none()
    named = st.sampled_from(["first", "last"])
    kind = st.none() | words
    insides = st.none() | st.sampled_from(info.insides) if info.insides else st.none()
    events = (
        st.builds(Event, numbers | named, type=kind, inside=insides)
        | st.builds(Event, numbers | named, type=kind, after=st.booleans())
        | st.builds(Event, st.just("terminator"), inside=insides)
    )
    return st.one_of([events if name == "event" else _PLACES[name] for name in info.places])


def parameter_values(parameter: Parameter) -> st.SearchStrategy[Any]:
    """Values that the parameter takes, and such as are drawn."""
    if isinstance(parameter.default, bool):
        return st.booleans()
    if isinstance(parameter.default, str):
        return st.sampled_from(parameter.choices) if parameter.choices else texts
    high = min(parameter.high, 1e6)
    if isinstance(parameter.default, int):
        plain: Any = st.integers(math.ceil(parameter.low) + parameter.above, int(high))
    else:
        plain = st.floats(parameter.low, high, exclude_min=parameter.above)
    return plain | st.builds(lambda a, b: Range(min(a, b), max(a, b)), plain, plain)


distributions = st.builds(
    Distribution,
    median=st.floats(1e-3, 1e3),
    sigma=st.floats(0, 3),
    most=st.sampled_from([math.inf, 30.0, 1e4]),
)
spans = st.none() | st.builds(
    lambda first, more: Span(first, None if more is None else first + more),
    st.integers(1, 99),
    st.none() | st.integers(0, 9),
)
json_values = st.none() | st.booleans() | st.integers(-99, 99) | texts
matches = st.none() | st.builds(
    Match, method=patterns, host=patterns, path=patterns, model=patterns
)
deep_matches = matches | st.builds(
    Match,
    headers=st.dictionaries(words, texts, max_size=2),
    body=st.dictionaries(st.sampled_from(["a.b", "x[*]", '["a b"]']), json_values, max_size=2),
)


@st.composite
def rules(draw: st.DrawFn, *, in_text: bool = True, chance: bool = True) -> Rule:
    """A rule of the catalogue; *in_text* for what one line can say, *chance* for what is drawn."""
    rule = draw(faults_of(layer=_LAYERS))
    assert rule.info is not None
    parameters = dict(rule.parameters)
    for it in rule.info.parameters:
        if chance and not isinstance(it.default, str | bool) and draw(st.booleans()):
            drawn = st.nothing() if in_text or it.unit != "seconds" else distributions
            parameters[it.name] = draw(parameter_values(it) | drawn)
    return replace(
        rule,
        parameters=parameters,
        request=draw(spans),
        attempt=draw(spans),
        times=draw(st.none() | st.integers(1, 9)),
        match=draw(matches if in_text else deep_matches),
        p=draw(st.floats(0, 1)) if chance and draw(st.booleans()) else 1.0,
        expect=draw(st.sampled_from([None, "raises", "tolerates", "either"])),
    )


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    return Plan(
        tuple(draw(st.lists(rules(in_text=False), max_size=3))),
        seed=draw(st.integers()),
        mode=draw(st.sampled_from(["all", "one", "swarm(0)", "swarm(.5)", "swarm(1.0)"])),
        on_unfired=draw(st.sampled_from(["error", "warn"])),
        layered=draw(st.booleans()),
    )
