"""Hypothesis strategies for streams, to be pointed at your own decoder or client."""

from pytest_cassette_stream.strategies.cassettes import cassettes
from pytest_cassette_stream.strategies.chunkings import chunkings
from pytest_cassette_stream.strategies.completions import completions
from pytest_cassette_stream.strategies.faults import faults
from pytest_cassette_stream.strategies.interleavings import interleavings
from pytest_cassette_stream.strategies.json_arguments import json_arguments
from pytest_cassette_stream.strategies.notes import note_cassette
from pytest_cassette_stream.strategies.plans import plans
from pytest_cassette_stream.strategies.quirks import QUIRKS, MeantCall, Quirk, quirks
from pytest_cassette_stream.strategies.scripts import scripts
from pytest_cassette_stream.strategies.sse import SSEStream, sse_events, sse_streams
from pytest_cassette_stream.strategies.streams import ChunkStream, chunk_streams
from pytest_cassette_stream.strategies.tool_calls import tool_calls

__all__ = (
    "QUIRKS",
    "ChunkStream",
    "MeantCall",
    "Quirk",
    "SSEStream",
    "cassettes",
    "chunk_streams",
    "chunkings",
    "completions",
    "faults",
    "interleavings",
    "json_arguments",
    "note_cassette",
    "plans",
    "quirks",
    "scripts",
    "sse_events",
    "sse_streams",
    "tool_calls",
)
