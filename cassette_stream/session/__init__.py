"""A cassette in use."""

from cassette_stream.session.files import read_cassette, write_cassette
from cassette_stream.session.network import block_network
from cassette_stream.session.options import Mode
from cassette_stream.session.session import Session
from cassette_stream.session.use import UseCassette, use_cassette

__all__ = (
    "Mode",
    "Session",
    "UseCassette",
    "block_network",
    "read_cassette",
    "use_cassette",
    "write_cassette",
)
