"""Ways in which streams break, as values that rewrite scripts."""

from cassette_stream.faults import body, json
from cassette_stream.faults.catalogue import catalogue
from cassette_stream.faults.info import Expect, Fault, FaultInfo, Parameter
from cassette_stream.faults.place import Byte, Chunk, Event, Place
from cassette_stream.faults.spec import parse, spec_of
from cassette_stream.faults.watch import watch, why_unfired

__all__ = (
    "Byte",
    "Chunk",
    "Event",
    "Expect",
    "Fault",
    "FaultInfo",
    "Parameter",
    "Place",
    "body",
    "catalogue",
    "json",
    "parse",
    "spec_of",
    "watch",
    "why_unfired",
)
