"""Where documents stand in the bytes of a file, found without parsing.

A line that is ``---``, or goes on with a blank after it, begins a document wherever it
stands in column 0: in YAML it can be nothing else there, not even within quotes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from cassette_stream.cassette.scalars import forbidden
from cassette_stream.exceptions import CassetteFormatError

__all__ = ("RESPONSE", "Span", "error_at", "last_block", "spans", "whole_lines")

RESPONSE = b"\nresponse:\n"

_LINE_ENDS = (
    "git or an editor has changed some line ends to CRLF: put the line '*.yaml -text' into "
    ".gitattributes and check the file out anew"
)
_BYTE_ORDER_MARKS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")
_AFTER_DASHES = (b"\n", b" ", b"\t")
_BODY = re.compile(rb"  body: \|2([+-])\n")
_SHALLOW = re.compile(rb"\n(?! {4}|\n|\Z)")


@dataclass(frozen=True, slots=True)
class Span:
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


def last_block(data: bytes, span: Span) -> tuple[int, bytes] | None:
    """Where a document's body opens, and the body, if the rest of the document is that block.

    Scanning a literal block is most of what reading a cassette costs. This proves that
    it needs none: after the line that opens it, every line has an indent of four or is
    empty, up to the end, and every character may stand there. That the parser is at a
    block with this indent when it comes to the line, `Events` makes sure.
    """
    opened = _BODY.match(data, span.shallow, span.end)
    if not opened:
        return None
    block = data[opened.end() : span.end]
    if forbidden(block) is not None or not _is_utf8(block):
        return None
    # Splitting and joining takes half the time of replacing.
    lines = block.split(b"\n    ")
    lines[0] = lines[0].removeprefix(b"    ")
    rest = b"\n".join(lines)
    return opened.end(), rest if opened[1] == b"+" else rest.rstrip(b"\n")


def _is_utf8(data: bytes) -> bool:
    try:
        return data.isascii() or data.decode() is not None
    except UnicodeDecodeError:
        return False
