"""Rules and faults as text, such as ``body.fin@event=6,inside=utf8,attempt=1..2``.

What `parse_rule` reads, `text_of` writes: ``parse_rule(text_of(rule)) == rule`` for every
rule of the catalogue whose parts have a text, but for its name, which a plan gives. A value
with a comma or a quote stands in double quotes, as in JSON. `parse` and `spec_of` do the
same for a fault alone.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from cassette_stream.exceptions import PlanError, UnknownFaultError
from cassette_stream.faults.catalogue import catalogue
from cassette_stream.faults.draws import Distribution
from cassette_stream.faults.occasion import Match
from cassette_stream.faults.parameter import quoted, seconds_of, shown, unquoted
from cassette_stream.faults.place import AfterText, Byte, Chunk, Event, Place, Time, When
from cassette_stream.faults.rule import Rule, info_of, nearest

if TYPE_CHECKING:
    from collections.abc import Callable

    from cassette_stream.faults.info import Fault, FaultInfo

__all__ = ("parse", "parse_rule", "parse_when", "spec_of", "text_of")

_REFINES = ("inside", "type", "after")
"""What says more of an event, beside ``event=``."""
_SCOPE = ("request", "attempt", "times", "p", "expect", "name")
_MATCH = ("method", "host", "path", "model")
_ITEM = re.compile(r'(?:"(?:[^"\\]|\\.)*"|[^,])+')
"""What stands between two commas, quoted ones aside."""
_WHEN = re.compile(r'((?:"(?:[^"\\]|\\.)*"|[^"=])*)==(.*)', re.DOTALL)


def parse(spec: str) -> Fault:
    """The fault that *spec* tells, as in ``body.fin@event=6,inside=utf8``.

    Raises:
        UnknownFaultError: There is no such fault, or it takes no such parameter.
        PlanError: The text has another form, a value is out of range, or it says when.
    """
    rule = parse_rule(spec)
    if rule.is_random or text_of(rule) != text_of(
        Rule(rule.fault, at=rule.at, parameters=rule.parameters)
    ):
        raise PlanError(f"{spec!r} says when, and a fault alone is always: leave that out")
    return rule.build()


def parse_rule(text: str) -> Rule:
    """The rule that *text* tells: ``id@name=value,name=value``.

    The names are one of ``event``, ``byte``, ``chunk``, ``after_text``, ``time`` and
    ``when`` for the place; ``inside``, ``type`` and ``after`` beside ``event``; ``request``,
    ``attempt``, ``times``, ``p``, ``method``, ``host``, ``path`` and ``model`` for the
    occasion; ``expect`` and ``name``; and the parameters of the fault. Where ``type`` is one
    of those, that of the event is ``event_type``.

    Raises:
        UnknownFaultError: There is no such fault, or it takes no such parameter.
        PlanError: The text has another form, or a value is out of range.
    """
    id_, _, rest = (part.strip() for part in text.partition("@"))
    info = info_of(id_)
    own = tuple(parameter.name for parameter in info.parameters)
    refines = _refines(info)
    accepted = tuple(dict.fromkeys((*info.places, *refines, *own, *_SCOPE, *_MATCH)))
    values = _values(info, rest, accepted)
    parameters = {name: values.pop(name) for name in own if name in values}
    values = {refines.get(name, name): value for name, value in values.items()}
    match: dict[str, Any] = {name: values.pop(name) for name in _MATCH if name in values}
    scope: dict[str, Any] = {name: values.pop(name) for name in _SCOPE if name in values}
    for name, read in (("times", _whole), ("p", _number)):
        if name in scope:
            scope[name] = read(name, scope[name])
    return Rule(
        info.id,
        at=_place(info, values),
        parameters=parameters,
        match=Match(**match) if match else None,
        **scope,
    )


def text_of(rule: Rule) -> str:
    """The text of *rule*; what has its default value is left out.

    Raises:
        UnknownFaultError: Its fault is not of the catalogue.
        PlanError: It has a part that only a plan in YAML can say.
    """
    if not isinstance(rule.fault, str):
        return spec_of(rule.fault)
    info = info_of(rule.fault)
    items = [] if rule.at is None else _told_place(info, rule.at)
    for parameter in info.parameters:
        value: Any = rule.parameters.get(parameter.name, parameter.default)
        if isinstance(value, Distribution):
            raise PlanError(
                f"{rule.name or info.id}: a distribution is told by YAML, not by a line"
            )
        if value != parameter.default:
            text = quoted(shown(value)) if _plain(value) else value
            items.append(f"{parameter.name}={text}")
    match = rule.match or Match()
    if match.headers or match.body:
        raise PlanError(
            f"{rule.name or info.id}: headers and bodies are told by YAML, not by a line"
        )
    told = {name: getattr(match, name) for name in _MATCH}
    told |= {name: getattr(rule, name) for name in _SCOPE if name != "name"}
    told["p"] = None if rule.p == 1 else rule.p
    items += [f"{name}={quoted(str(it))}" for name, it in told.items() if it is not None]
    return info.id + ("@" if items else "") + ",".join(items)


def spec_of(fault: Fault) -> str:
    """The text of *fault*; what has its default value is left out.

    Raises:
        UnknownFaultError: The fault is not of the catalogue.
    """
    told: Any = fault
    for info in catalogue().values():
        made = info.make.func if isinstance(info.make, partial) else info.make
        if type(fault) is not made:
            continue
        values = {it.name: getattr(told, it.name) for it in info.parameters}
        rule = Rule(info.id, at=getattr(told, "at", None), parameters=values)
        if made is info.make or rule.build() == fault:
            return text_of(rule)
    raise UnknownFaultError(f"{fault!r} is not in the catalogue, so it has no text")


def _refines(info: FaultInfo) -> dict[str, str]:
    """What may stand beside ``event=``, and what it means there."""
    own = {parameter.name for parameter in info.parameters}
    names = _REFINES if "event" in info.places else ()
    return {name if name not in own else f"event_{name}": name for name in names}


def _told_place(info: FaultInfo, at: Place) -> list[str]:
    if isinstance(at, Event) and at.type is not None and "event_type" in _refines(info):
        return [str(replace(at, type=None)), f"event_type={quoted(at.type)}"]
    return [str(at)]


def _plain(value: object) -> bool:
    return isinstance(value, str | int | float | bool)


def _values(info: FaultInfo, text: str, accepted: tuple[str, ...]) -> dict[str, str]:
    values: dict[str, str] = {}
    for item in _items(text) if text else ():
        name, equals, value = (part.strip() for part in item.partition("="))
        if not equals:
            raise PlanError(f"{item!r} is not of the form name=value, in {info.id}@{text}")
        if name not in accepted:
            raise UnknownFaultError(f"{info.id} takes no {name!r}; {nearest(name, accepted)}")
        if name in values:
            raise PlanError(f"{name} is there twice, in {info.id}@{text}")
        values[name] = value if name == "when" else unquoted(value)
    return values


def _items(text: str) -> list[str]:
    """The parts of *text* between commas; those in quotes are part of a value."""
    items, at = [], 0
    while True:
        match = _ITEM.match(text, at)
        end = match.end() if match else at
        items.append(text[at:end])
        if end == len(text):
            return items
        at = end + 1


def _place(info: FaultInfo, values: dict[str, str]) -> Place | None:
    refined = {name: values.pop(name) for name in _REFINES if name in values}
    if not values and not refined:
        return None
    if len(values) != 1:
        raise PlanError(
            f"{info.id} takes one place ({', '.join(info.places)}), this has {len(values)}: "
            f"write for example {info.id}@event=3"
        )
    [(name, text)] = values.items()
    if name == "event":
        known: Any = text if text in {"first", "last", "terminator"} else _whole(name, text)
        after = refined.pop("after", "false")
        if after not in {"true", "false"}:
            raise PlanError(f"after is {after!r}; it can be true or false")
        more: Any = refined
        return Event(known, after=after == "true", **more)
    if refined:
        [first, *_] = refined
        raise PlanError(f"{first}={refined[first]} says more of an event, and this has a {name}")
    return _PLACES[name](text)


def _whole(name: str, text: str) -> int:
    try:
        return int(text)
    except ValueError:
        names = ", first, last or terminator" if name == "event" else ""
        raise PlanError(f"{name} is {text!r}; it can be a whole number{names}") from None


def _number(name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise PlanError(f"{name} is {text!r}; it can be a number") from None


def _time(text: str) -> Time:
    seconds = seconds_of(text)
    if seconds is None:
        raise PlanError(f"time is {text!r}; it can be a number of seconds, or as in 900ms")
    return Time(seconds)


def parse_when(text: object) -> When:
    """The place that a text such as ``choices[0].finish_reason==stop`` tells.

    Raises:
        PlanError: It has another form.
    """
    match = _WHEN.fullmatch(text) if isinstance(text, str) else None
    told = _value(match[2]) if match else None
    if not match or isinstance(told, dict | list):
        raise PlanError(f"when is {text!r}; write it like choices[0].finish_reason==stop")
    return When(match[1].strip(), told)


def _value(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=str)
    except (ValueError, RecursionError):
        return text.strip()  # a word without its quotes


_PLACES: dict[str, Callable[[str], Place]] = {
    "byte": lambda text: Byte(_whole("byte", text)),
    "chunk": lambda text: Chunk(_whole("chunk", text)),
    "after_text": lambda text: AfterText(_whole("after_text", text)),
    "time": _time,
    "when": parse_when,
}
