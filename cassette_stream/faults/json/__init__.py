"""Faults in the JSON of events; the framing around it stays whole."""

from cassette_stream.faults.json.broken import (
    ArrayFrame,
    Concat,
    Control,
    Cut,
    Html,
    InvalidUtf8,
)
from cassette_stream.faults.json.odd import BigInt, Deep, DupKeys, Nan, Nul, Scalar
from cassette_stream.faults.json.rows import FAULTS
from cassette_stream.faults.json.surrogates import Surrogate

__all__ = (
    "FAULTS",
    "ArrayFrame",
    "BigInt",
    "Concat",
    "Control",
    "Cut",
    "Deep",
    "DupKeys",
    "Html",
    "InvalidUtf8",
    "Nan",
    "Nul",
    "Scalar",
    "Surrogate",
)
