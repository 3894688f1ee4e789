"""Cassettes: recorded exchanges as values, and the file that holds them."""

from cassette_stream.cassette.model import (
    FORMAT_VERSION,
    Cassette,
    Ending,
    Frame,
    Headers,
    How,
    Interaction,
    Request,
    Response,
)
from cassette_stream.cassette.yaml_format import (
    CassetteReader,
    check_written,
    dump_header,
    dump_interaction,
    dumps,
    loads,
    refit,
)

__all__ = (
    "FORMAT_VERSION",
    "Cassette",
    "CassetteReader",
    "Ending",
    "Frame",
    "Headers",
    "How",
    "Interaction",
    "Request",
    "Response",
    "check_written",
    "dump_header",
    "dump_interaction",
    "dumps",
    "loads",
    "refit",
)
