"""Where documents stand in the bytes of a file, found without parsing.

A line that is ``---``, or goes on with a blank after it, begins a document wherever it
stands in column 0: in YAML it can be nothing else there, not even within quotes.
"""

from __future__ import annotations

import re
from itertools import repeat

from cassette_stream.cassette.scalars import forbidden
from cassette_stream.exceptions import CassetteFormatError

__all__ = ("RESPONSE", "error_at", "last_block", "starts", "whole_lines")

RESPONSE = b"\nresponse:\n"

_LINE_ENDS = (
    "git or an editor has changed some line ends to CRLF: put the line '*.yaml -text' into "
    ".gitattributes and check the file out anew"
)
_BYTE_ORDER_MARKS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")
_AFTER_DASHES = (b"\n", b" ", b"\t")
_BODY = re.compile(rb"\n  body: \|2([+-])\n")


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


def starts(data: bytes) -> list[int]:
    """Where documents begin: at the start, and at every line that is '---', or goes on after it."""
    found = [0]
    at = data.find(b"\n---")
    while at >= 0:
        if data[at + 4 : at + 5] in _AFTER_DASHES:
            found.append(at + 1)
        at = data.find(b"\n---", at + 4)
    return found


def last_block(data: bytes, start: int, end: int) -> tuple[int, bytes] | None:
    """Where a document's body opens, and the body, if the rest of the document is that block.

    Scanning a literal block is most of what reading a cassette costs. This proves that
    it needs none: every line has the indent of four or is empty, up to the end, and every
    character may stand there; that the parser is at a block with this indent when it
    comes to the line, `Events` makes sure.
    """
    response = data.find(RESPONSE, start, end)
    opened = _BODY.search(data, response, end) if response >= 0 else None
    if not opened:
        return None
    block = data[opened.end() - 1 : end]
    if forbidden(block) is not None or not _is_utf8(block):
        return None
    lines = block.split(b"\n    ")
    if b"\n" in b"".join(map(bytes.rstrip, lines, repeat(b"\n"))):
        return None
    # The first line end is that of the line which opens the block.
    lines[0] = lines[0][1:]
    rest = b"\n".join(lines if lines[0] or block[1:2] == b"\n" else lines[1:])
    return opened.end(), rest if opened[1] == b"+" else rest.rstrip(b"\n")


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
