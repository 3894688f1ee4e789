"""Cassettes: recorded exchanges as values, and the file that holds them.

What writes them is imported when it is first asked for: most tests only read.
"""

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
from cassette_stream.cassette.read import CassetteReader, loads, refit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cassette_stream.cassette.check import check_written
    from cassette_stream.cassette.write import dump_header, dump_interaction, dumps

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


def __getattr__(name: str) -> object:
    if name in {"check_written", "dump_header", "dump_interaction", "dumps"}:
        from cassette_stream.cassette import yaml_format  # noqa: PLC0415 - see above

        return getattr(yaml_format, name)
    raise AttributeError(f"module 'cassette_stream.cassette' has no attribute {name!r}")
