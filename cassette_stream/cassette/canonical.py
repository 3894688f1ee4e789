"""The response of an interaction as the writer writes it, read without a parser.

Reading it event by event costs more than everything else that it takes to play a stream.
What is matched here as a whole, from the line ``response:`` to the end of the document,
means to YAML just what is taken from it; whatever else a document holds is for the
parser, and so is every error.
"""

from __future__ import annotations

import re
from array import array

from cassette_stream.cassette.characters import forbidden
from cassette_stream.cassette.frames import microseconds, read_frames
from cassette_stream.cassette.model import Ending, Headers, How, Response

__all__ = ("read_canonical",)

# Words that need no quotes in brackets, and text in quotes that needs no escapes. Each
# alternative begins with a character of its own, and none gives back what it took.
_ITEM = rb'(?:[A-Za-z_/(][\w/()=+;*.%-]*+(?: ++[\w/()=+;*.%-]++)*+|"[ !#-\[\]-~]*+")'
_LINE = rb"    [a-z][a-z0-9-]*+: \[(?:%b(?:, %b)*+)?+\]\n" % (_ITEM, _ITEM)
_NUMBER = rb"\d++(?:\.\d++)?+"
_HEAD = re.compile(
    rb"response:\n"
    rb"  status: (?P<status>[1-9]\d\d)\n"
    rb"  http_version: (?P<http_version>[A-Z]++/[\d.]++)\n"
    rb"(?:  headers:\n(?P<headers>(?:%b)++))?+"
    rb"  head_after: (?P<head_after>%b)\n"
    rb"(?:  frames: >-\n(?P<frames>(?:    \d[\d.: ]*+\n)++))?+"
    rb"  ending:(?: complete\n|\n    how: (?P<how>closed_by_caller|cancelled)\n"
    rb"    after: (?P<after>%b)\n)" % (_LINE, _NUMBER, _NUMBER)
)
_HEADER = re.compile(rb"    ([a-z0-9-]+): \[(.*)\]\n")
_VALUE = re.compile(_ITEM)
_BODY = re.compile(rb"  body: \|2([+-])\n")


def read_canonical(data: bytes, start: int, shallow: int, end: int) -> Response | None:
    """The response that stands in *data* from *start* to *end*; None where a parser is needed.

    *shallow* is where the last line begins that has an indent of less than four.
    """
    opened = _BODY.match(data, shallow, end)
    head = _HEAD.fullmatch(data, start, shallow) if opened else None
    if not opened or not head:
        return None
    body = _dedented(data[opened.end() : end], keep=opened[1] == b"+")
    headers = _headers(head["headers"] or b"")
    try:
        sizes, gaps_us = _frames(head["frames"])
        head_after_us = microseconds(head["head_after"].decode())
        ending = _ending(head["how"], head["after"])
    except ValueError:
        return None
    if body is None or headers is None or sum(sizes) != len(body):
        return None
    return Response(
        status=int(head["status"]),
        http_version=head["http_version"].decode(),
        headers=headers,
        head_after_us=head_after_us,
        body=body,
        sizes=sizes,
        gaps_us=gaps_us,
        ending=ending,
    )


def _dedented(block: bytes, *, keep: bool) -> bytes | None:
    """The content of a literal block whose lines all have an indent of four or are empty."""
    if forbidden(block) is not None or not _is_utf8(block):
        return None
    # Splitting and joining takes half the time of replacing.
    lines = block.split(b"\n    ")
    lines[0] = lines[0].removeprefix(b"    ")
    body = b"\n".join(lines)
    return body if keep else body.rstrip(b"\n")


def _is_utf8(data: bytes) -> bool:
    try:
        return data.isascii() or data.decode() is not None
    except UnicodeDecodeError:
        return False


def _headers(lines: bytes) -> Headers | None:
    found = _HEADER.findall(lines)
    headers = {
        name.decode(): tuple([value.strip(b'"').decode() for value in _VALUE.findall(values)])
        for name, values in found
    }
    return headers if len(headers) == len(found) else None


def _frames(lines: bytes | None) -> tuple[array[int], array[int]]:
    if lines is None:
        return array("q"), array("q")
    return read_frames(lines.decode()[4:-1].replace("\n    ", " "))


def _ending(how: bytes | None, after: bytes | None) -> Ending:
    if how is None or after is None:
        return Ending(how=How.COMPLETE)
    return Ending(how=How(how.decode()), after_us=microseconds(after.decode()))
