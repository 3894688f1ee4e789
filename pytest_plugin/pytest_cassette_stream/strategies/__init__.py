"""Hypothesis strategies for streams, to be pointed at your own decoder or client."""

from pytest_cassette_stream.strategies.chunkings import chunkings

__all__ = ("chunkings",)
