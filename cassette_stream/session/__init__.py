"""A cassette in use."""

from cassette_stream.session.options import Mode
from cassette_stream.session.session import Session
from cassette_stream.session.use import UseCassette, use_cassette

__all__ = ("Mode", "Session", "UseCassette", "use_cassette")
