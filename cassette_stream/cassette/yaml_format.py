"""The cassette file: a YAML stream of documents, a header and then one per interaction.

What is written reads back equal, response bodies to the byte, and written again is the
same file. What is read is checked; an error tells the place and the remedy.
"""

from __future__ import annotations

from cassette_stream.cassette.check import check_written
from cassette_stream.cassette.read import CassetteReader, loads, refit
from cassette_stream.cassette.write import dump_header, dump_interaction, dumps

__all__ = (
    "CassetteReader",
    "check_written",
    "dump_header",
    "dump_interaction",
    "dumps",
    "loads",
    "refit",
)
