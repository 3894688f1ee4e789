"""Plans as YAML, both ways. What is wrong in one is told with its line and column.

A plan is read as strictly as a cassette: no tags, anchors, merge keys or keys twice, and
its values are what JSON would take them for.
"""

from __future__ import annotations

import json
import math
from typing import Any

from yaml.reader import ReaderError

from cassette_stream.cassette.characters import forbidden
from cassette_stream.cassette.events import Events, Origin
from cassette_stream.cassette.json_text import write_json
from cassette_stream.cassette.values import take_value
from cassette_stream.exceptions import CassetteFormatError, PlanError
from cassette_stream.faults.draws import Distribution, Range
from cassette_stream.faults.occasion import Match, Span
from cassette_stream.faults.parameter import seconds_of
from cassette_stream.faults.place import AfterText, Byte, Chunk, Event, Place, Time, When
from cassette_stream.faults.plan import Plan
from cassette_stream.faults.rule import Rule, info_of, nearest
from cassette_stream.faults.spec import parse_when

__all__ = ("SCHEMA", "read_plan", "write_plan")

SCHEMA = 1
_RULE = ("name", "fault", "at", "with", "scope", "p", "expect")
_SCOPE = ("request", "attempt", "times", "match")
_MATCH = {"method": "method", "host": "host", "path": "path", "model": "model"} | {
    "header": "headers",
    "body": "body",
}
_REFINES = ("inside", "type", "after")
_PLAN = ("schema", "seed", "mode", "on_unfired", "layered", "rules")
_REMARKS = {
    "before": "a place is before its event, unless after: true says that it is behind it",
    "direction": "a fault breaks the reply; connect.write_reset and .write_timeout the request",
    "nth": "it counts the events of one type, as in event: {type: ping, nth: 3}",
}
"""On words that other tools have."""


def read_plan(data: bytes | str, *, file: str = "the plan") -> Plan:
    """The plan that *data*, YAML with a map ``faults``, tells.

    Raises:
        PlanError: It tells none; the message has the line and column.
    """
    raw = b""
    try:
        raw = data.encode() if isinstance(data, str) else data
        events = Events(raw.decode("utf-8"), Origin(file, raw, 0))
        return _plan(events)
    except CassetteFormatError as error:
        raise PlanError(str(error)) from None
    except ReaderError as error:
        at = forbidden(raw.replace(b"\r", b" ")) or 0
        line, column = raw.count(b"\n", 0, at) + 1, at - raw.rfind(b"\n", 0, at)
        what = f"{error.reason}; write it as an escape, in double quotes"
        raise PlanError(f"{file}:{line}:{column}: {what}") from None
    except UnicodeError as error:
        raise PlanError(f"{file} is no UTF-8: {error}") from None


def write_plan(plan: Plan) -> str:
    """The YAML of *plan*, which `read_plan` takes.

    Raises:
        PlanError: A fault of it is of the user's own, and so has no text; or a value is none
            that YAML can hold.
    """
    told: dict[str, object] = {"schema": SCHEMA, "seed": plan.seed}
    told |= {} if plan.mode == "all" else {"mode": plan.mode}
    told |= {} if plan.on_unfired == "error" else {"on_unfired": plan.on_unfired}
    told |= {} if plan.layered else {"layered": False}
    told["rules"] = [_told(rule) for rule in plan.rules]
    try:
        json.dumps(told, allow_nan=False, ensure_ascii=False).encode()
    except (TypeError, ValueError) as error:
        raise PlanError(f"a value of the plan has no text: {error}") from None
    return "".join(write_json(told, "faults:", 0))  # type: ignore[arg-type]  # it is JSON


def _plan(events: Events) -> Plan:
    found: dict[str, Any] = {}
    rules: list[Rule] = []
    events.open()
    for _ in events.keys("the plan", ("faults",)):
        for key in events.keys("faults", _PLAN):
            if key == "rules":
                rules += _rules(events)
            else:
                found[key] = take_value(events, events.node(), key)
                if key == "schema" and found[key] != SCHEMA:
                    raise events.error(
                        f"this is a plan of schema {found[key]}, and this package reads {SCHEMA}"
                    )
    events.close()
    found.pop("schema", None)
    try:
        return Plan(tuple(rules), **found)
    except PlanError as error:
        raise events.error(str(error)) from None


def _rules(events: Events) -> list[Rule]:
    rules: list[Rule] = []
    for start in events.items("rules"):
        mark = events.mark
        value = take_value(events, start, "a rule")
        try:
            rules.append(_rule(value))
        except PlanError as error:
            raise events.error(str(error), mark) from None
    return rules


def _rule(value: object) -> Rule:
    told = _map("a rule", value, _RULE)
    if not isinstance(told.get("fault"), str):
        raise PlanError("a rule names its fault, as in fault: body.fin")
    scope = _map("scope", told.get("scope", {}), _SCOPE)
    parts: dict[str, Any] = {name: scope[name] for name in _SCOPE[:3] if name in scope}
    if "match" in scope:
        match = _map("match", scope["match"], tuple(_MATCH))
        parts["match"] = Match(**{_MATCH[name]: it for name, it in match.items()})
    parts |= {name: told[name] for name in ("name", "p", "expect") if name in told}
    return Rule(
        told["fault"],
        at=_place(told["at"]) if "at" in told else None,
        parameters=_parameters(told["fault"], _map("with", told.get("with", {}))),
        **parts,
    )


def _parameters(fault: str, told: dict[str, Any]) -> dict[str, Any]:
    """What is ``with`` a fault; a distribution alone is that of its only duration."""
    own = info_of(fault).parameters
    durations = [it.name for it in own if it.unit == "seconds"]
    if "distribution" not in told or any(it.name == "distribution" for it in own):
        return told
    if len(durations) != 1:
        which = ", ".join(durations) or "none"
        raise PlanError(f"{fault} has not one duration to distribute but {which}: write it there")
    names = {it.name for it in own} - {*durations}
    random = {name: it for name, it in told.items() if name not in names}
    return {name: told[name] for name in told if name in names} | {durations[0]: random}


def _place(value: object) -> Place:
    told = _map("at", value, ("event", "byte", "chunk", "after_text", "time", "when", *_REFINES))
    refined: dict[str, Any] = {name: told.pop(name) for name in _REFINES if name in told}
    if len(told) != 1:
        raise PlanError(f"at takes one place, as in {{event: 3}}; this has {', '.join(told) or 0}")
    [(name, where)] = told.items()
    if name == "event":
        if isinstance(where, dict):
            counted = _map("event", where, ("type", "nth"))
            where = counted.pop("nth", 1)
            if twice := counted.keys() & refined.keys():
                raise PlanError(f"{', '.join(twice)} is there twice, in event and beside it")
            refined |= counted
        return Event(where, **refined)
    if refined:
        raise PlanError(f"{', '.join(refined)} says more of an event, and this has a {name}")
    if name == "time":
        seconds = seconds_of(where)
        return Time(where if seconds is None else seconds)
    return parse_when(where) if name == "when" else _PLACES[name](where)


_PLACES: dict[str, Any] = {"byte": Byte, "chunk": Chunk, "after_text": AfterText}


def _map(name: str, value: object, known: tuple[str, ...] = ()) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise PlanError(f"{name} takes a map, not {value!r}")
    for key in value:
        if known and key not in known:
            said = _REMARKS.get(key) or nearest(key, known)
            raise PlanError(f"{name} takes no {key!r}; {said}")
    return dict(value)


def _told(rule: Rule) -> dict[str, object]:
    if not isinstance(rule.fault, str):
        raise PlanError(f"{rule.name}: {rule.fault!r} is not in the catalogue, so it has no text")
    match = {
        name: getattr(rule.match, field)
        for name, field in _MATCH.items()
        if rule.match is not None and getattr(rule.match, field) is not None
    }
    scope = {name: _plain(getattr(rule, name)) for name in _SCOPE[:3]}
    told = {
        "name": rule.name or None,
        "fault": rule.fault,
        "at": rule.at and _told_place(rule.at),
        "with": {name: _plain(value) for name, value in rule.parameters.items()} or None,
        "scope": {k: v for k, v in {**scope, "match": match or None}.items() if v is not None}
        or None,
        "p": None if rule.p == 1 else rule.p,
        "expect": rule.expect,
    }
    return {name: value for name, value in told.items() if value is not None}


def _told_place(place: Place) -> dict[str, object]:
    match place:
        case Event(n):
            more = {"type": place.type, "inside": place.inside, "after": place.after or None}
            return {"event": n} | {name: it for name, it in more.items() if it is not None}
        case When():
            return {"when": str(place).removeprefix("when=")}
        case Time(seconds):
            return {"time": seconds}
        case Byte(n):
            return {"byte": n}
        case Chunk(n):
            return {"chunk": n}
        case AfterText(n):
            return {"after_text": n}


def _plain(value: object) -> object:
    match value:
        case Span(first, last):
            return first if first == last else str(value)
        case Range():
            return str(value)
        case Distribution():
            told = {
                "distribution": "lognormal",
                "median": value.median,
                "sigma": value.sigma,
            }
            return {**told, **({} if math.isinf(value.most) else {"max": value.most})}
    return "inf" if value == math.inf else value
