"""Where documents stand in the bytes of a file, found without parsing.

A line that is ``---``, or goes on with a blank after it, begins a document wherever it
stands in column 0: in YAML it can be nothing else there, not even within quotes.
"""

from __future__ import annotations

import re

import msgspec

from cassette_stream.exceptions import CassetteFormatError

__all__ = ("RESPONSE", "Span", "error_at", "spans", "whole_lines")

RESPONSE = b"\nresponse:\n"

_LINE_ENDS = (
    "git or an editor has changed some line ends to CRLF: put the line '*.yaml -text' into "
    ".gitattributes and check the file out anew"
)
_BYTE_ORDER_MARKS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")
_AFTER_DASHES = (b"\n", b" ", b"\t")
_SHALLOW = re.compile(rb"\n(?! {4}|\n|\Z)")


class Span(msgspec.Struct, frozen=True):
    """A document: where it begins and ends, and where its last line with an indent below four."""

    start: int
    end: int
    shallow: int


def error_at(message: str, data: bytes, at: int, file: str) -> CassetteFormatError:
    """The error for byte *at* of *data*."""
    begin = data.rfind(b"\n", 0, at) + 1
    # Columns are characters; the line may be anything but UTF-8.
    column = len(data[begin:at].decode(errors="replace"))
    line = data.count(b"\n", 0, at)
    return CassetteFormatError(message, file=file, line=line + 1, column=column + 1)


def whole_lines(data: bytes, file: str) -> bytes:
    """*data* with LF at the end of every line, the last one too."""
    if data.startswith(_BYTE_ORDER_MARKS):
        message = "the file begins with a byte order mark: save it as UTF-8 without one"
        raise error_at(message, data, 0, file)
    if b"\r" in data:
        # A cassette has no CR of its own. Where every line end is CRLF, git has put them
        # there and taking them out undoes it; where some are, nobody knows what was.
        crlf = data.count(b"\r\n")
        if not crlf == data.count(b"\r") == data.count(b"\n"):
            raise error_at(_LINE_ENDS, data, data.index(b"\r"), file)
        data = data.replace(b"\r\n", b"\n")
    if data and not data.endswith(b"\n"):
        message = "the file ends within a line: it was cut, or an editor took the last line end"
        raise error_at(message, data, len(data), file)
    return data


def spans(data: bytes) -> list[Span]:
    """The documents of *data*, from one ``---`` line to the next; the first may have none."""
    found = []
    start = shallow = 0
    for line in _SHALLOW.finditer(data):
        at = line.start() + 1
        if data.startswith(b"---", at) and data[at + 3 : at + 4] in _AFTER_DASHES:
            found.append(Span(start, at, shallow))
            start = at
        shallow = at
    found.append(Span(start, len(data), shallow))
    return found
