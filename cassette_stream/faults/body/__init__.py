"""Faults in the bytes of a body: how it ends, falls silent, is framed, coded and cut.

What comes before the place is told as it was, partial chunk included.
"""

from cassette_stream.faults.body.codings import (
    ENCODING_LIE,
    ENCODING_MISSING,
    GZIP_CORRUPT,
    GZIP_CUT,
    EncodingLie,
    EncodingMissing,
    GzipCorrupt,
    GzipCut,
)
from cassette_stream.faults.body.ends import (
    BAD_CHUNK,
    CLEAN_END,
    FIN,
    RESET,
    BadChunk,
    CleanEnd,
    Fin,
    Reset,
)
from cassette_stream.faults.body.http2 import (
    H2_END_CUT,
    H2_FIN,
    H2_GOAWAY,
    H2_RESET,
    H2_RST,
    H2EndCut,
    H2Fin,
    H2Goaway,
    H2Reset,
    H2Rst,
)
from cassette_stream.faults.body.lengths import (
    EOF_DELIMITED,
    LENGTH_LONG,
    LENGTH_SHORT,
    EofDelimited,
    LengthLong,
    LengthShort,
)
from cassette_stream.faults.body.pieces import SLICE, SPLIT, Slice, Split
from cassette_stream.faults.body.silences import DRIP, HOLD_OPEN, STALL, Drip, HoldOpen, Stall
from cassette_stream.faults.body.trailing import TRAILING, Trailing

__all__ = (
    "FAULTS",
    "BadChunk",
    "CleanEnd",
    "Drip",
    "EncodingLie",
    "EncodingMissing",
    "EofDelimited",
    "Fin",
    "GzipCorrupt",
    "GzipCut",
    "H2EndCut",
    "H2Fin",
    "H2Goaway",
    "H2Reset",
    "H2Rst",
    "HoldOpen",
    "LengthLong",
    "LengthShort",
    "Reset",
    "Slice",
    "Split",
    "Stall",
    "Trailing",
)

FAULTS = (
    FIN,
    RESET,
    STALL,
    DRIP,
    CLEAN_END,
    EOF_DELIMITED,
    LENGTH_LONG,
    LENGTH_SHORT,
    BAD_CHUNK,
    GZIP_CUT,
    GZIP_CORRUPT,
    ENCODING_LIE,
    ENCODING_MISSING,
    H2_RST,
    H2_GOAWAY,
    H2_FIN,
    H2_RESET,
    H2_END_CUT,
    SPLIT,
    HOLD_OPEN,
    TRAILING,
    SLICE,
)
