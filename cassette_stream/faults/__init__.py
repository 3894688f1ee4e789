"""Ways in which streams break, as values that rewrite scripts.

The layers are imported when one of them is first named.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cassette_stream.faults.catalogue import catalogue
from cassette_stream.faults.dialect import Dialect
from cassette_stream.faults.draws import Distribution, Range
from cassette_stream.faults.info import Expect, Fault, FaultInfo
from cassette_stream.faults.injector import Injector, Strike
from cassette_stream.faults.occasion import Match, Occasion, Span
from cassette_stream.faults.parameter import Parameter
from cassette_stream.faults.place import AfterText, Byte, Chunk, Event, Place, Time, When
from cassette_stream.faults.plan import Faults, Plan, plan_of
from cassette_stream.faults.plan_yaml import read_plan, write_plan
from cassette_stream.faults.rule import Rule
from cassette_stream.faults.spec import parse, parse_rule, spec_of, text_of
from cassette_stream.faults.watch import watch, why_unfired

if TYPE_CHECKING:
    from cassette_stream.faults import body, connect, end, head, json, sem, sse

__all__ = (
    "AfterText",
    "Byte",
    "Chunk",
    "Dialect",
    "Distribution",
    "Event",
    "Expect",
    "Fault",
    "FaultInfo",
    "Faults",
    "Injector",
    "Match",
    "Occasion",
    "Parameter",
    "Place",
    "Plan",
    "Range",
    "Rule",
    "Span",
    "Strike",
    "Time",
    "When",
    "body",
    "catalogue",
    "connect",
    "end",
    "head",
    "json",
    "parse",
    "parse_rule",
    "plan_of",
    "read_plan",
    "sem",
    "spec_of",
    "sse",
    "text_of",
    "watch",
    "why_unfired",
    "write_plan",
)

_LAYERS = frozenset({"body", "connect", "end", "head", "json", "sem", "sse"})


def __getattr__(name: str) -> object:
    if name in _LAYERS:
        from importlib import import_module  # noqa: PLC0415 - only this needs it

        return import_module(f"cassette_stream.faults.{name}")
    raise AttributeError(f"module 'cassette_stream.faults' has no attribute {name!r}")
