"""Hypothesis strategies for streams, to be pointed at your own decoder or client."""

from pytest_cassette_stream.strategies.chunkings import chunkings
from pytest_cassette_stream.strategies.completions import completions
from pytest_cassette_stream.strategies.faults import faults
from pytest_cassette_stream.strategies.json_arguments import json_arguments
from pytest_cassette_stream.strategies.plans import plans
from pytest_cassette_stream.strategies.scripts import scripts
from pytest_cassette_stream.strategies.tool_calls import tool_calls

__all__ = (
    "chunkings",
    "completions",
    "faults",
    "json_arguments",
    "plans",
    "scripts",
    "tool_calls",
)
