"""Faults in the framing of server-sent events; the JSON in them stays whole, mostly."""

from cassette_stream.faults.sse.endings import BareError, KeepaliveStall, NoFinalBlank
from cassette_stream.faults.sse.events import (
    CommentAsData,
    Huge,
    MetaOnly,
    NewlineCorruption,
    SpacePaddedCut,
    UnicodeNewlines,
)
from cassette_stream.faults.sse.lines import (
    Bom,
    Comments,
    EventAdded,
    EventMissing,
    IdRetry,
    Multiline,
    NoSpace,
    TwoSpaces,
    UnknownField,
)
from cassette_stream.faults.sse.newlines import Newlines
from cassette_stream.faults.sse.rows import FAULTS

__all__ = (
    "FAULTS",
    "BareError",
    "Bom",
    "CommentAsData",
    "Comments",
    "EventAdded",
    "EventMissing",
    "Huge",
    "IdRetry",
    "KeepaliveStall",
    "MetaOnly",
    "Multiline",
    "NewlineCorruption",
    "Newlines",
    "NoFinalBlank",
    "NoSpace",
    "SpacePaddedCut",
    "TwoSpaces",
    "UnicodeNewlines",
    "UnknownField",
)
