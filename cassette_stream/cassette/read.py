"""Cassettes from bytes: indexed first, read where asked for.

Opening finds where documents begin, by the lines ``---`` in column 0 (in YAML nothing
else can begin so), and reads the header. What a document says is checked when it is
read: a request alone, up to its end; an interaction, all of it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from itertools import repeat
from typing import overload

from cassette_stream.cassette.events import LIBYAML, LIMITS, Events, Limits, Origin, Source
from cassette_stream.cassette.model import FORMAT_VERSION, Cassette, Interaction, Request
from cassette_stream.cassette.scalars import forbidden
from cassette_stream.cassette.schema import read_header, read_interaction, read_request
from cassette_stream.cassette.write import dump_interaction
from cassette_stream.exceptions import CassetteFormatError

__all__ = ("CassetteReader", "loads", "refit")

_LINE_ENDS = (
    "git or an editor has changed some line ends to CRLF: put the line '*.yaml -text' into "
    ".gitattributes and check the file out anew"
)
_CASSETTE = re.compile(rb"^cassette:", re.MULTILINE)
_VCR = re.compile(rb"^interactions:", re.MULTILINE)
_AFTER_DASHES = (b"\n", b" ", b"\t")
_NOTHING = re.compile(rb"(?:[ \t]*(?:#[^\n]*)?\n)*")
_RESPONSE = b"\nresponse:\n"
_BODY = re.compile(rb"\n  body: \|2([+-])\n")


def loads(data: bytes, *, file: str) -> Cassette:
    """The cassette in *data*; *file* is its name in errors.

    Raises:
        CassetteFormatError: Something in it is not as the format page says; the error
            tells the place.
        CassetteVersionError: It is a cassette of another version.
    """
    reader = CassetteReader(data, file=file)
    return Cassette(interactions=tuple(reader), recorded_with=reader.recorded_with)


def refit(data: bytes, *, file: str) -> bytes:
    """*data* with frames that fit, where bodies were edited by hand.

    Frames stay as long as they lie within the body, and the last of them takes what is
    left. Interactions whose frames fit keep their bytes.

    Raises:
        CassetteFormatError: Something else is wrong, too.
    """
    reader = CassetteReader(data, file=file)
    parts = [reader.header]
    for at in range(len(reader)):
        try:
            reader.interaction(at)
        except CassetteFormatError:
            parts.append(dump_interaction(reader.interaction(at, refit=True)))
        else:
            parts.append(reader.document(at))
    return b"".join(parts)


class CassetteReader(Sequence[Interaction]):
    """The interactions in *data*, each read when it is asked for.

    Requests are kept once they were read, bodies are not: an interaction that is asked
    for twice is read twice.

    Attributes:
        file: The name of the file, for errors.
        version: The version of its format.
        recorded_with: What recorded it.

    Raises:
        CassetteFormatError: *data* is empty, was cut within a line, or has no header.
        CassetteVersionError: It is a cassette of another version.
    """

    version = FORMAT_VERSION

    def __init__(
        self, data: bytes, *, file: str, limits: Limits = LIMITS, source: Source = LIBYAML
    ) -> None:
        self.file = file
        self._limits = limits
        self._source = source
        self._data = _whole_lines(data, file)
        starts = _starts(self._data)
        # What comes before the first line '---' is the header, unless it is nothing.
        if _NOTHING.fullmatch(self._data, 0, [*starts, len(self._data)][1]):
            del starts[0]
        if not starts:
            raise self._error("the file is empty; delete it to record it anew", 0)
        ends = [*starts[1:], len(self._data)]
        self._header, *self._bounds = zip(starts, ends, strict=True)
        self._requests: dict[int, Request] = {}
        self.recorded_with = self._read_header(*self._header)

    def __len__(self) -> int:
        return len(self._bounds)

    @overload
    def __getitem__(self, index: int) -> Interaction: ...
    @overload
    def __getitem__(self, index: slice) -> list[Interaction]: ...
    def __getitem__(self, index: int | slice) -> Interaction | list[Interaction]:
        if isinstance(index, slice):
            return [self.interaction(at) for at in range(len(self))[index]]
        return self.interaction(index)

    @property
    def header(self) -> bytes:
        """What is before the first interaction, as it stands in the file."""
        return self._data[: self._header[1]]

    def document(self, index: int) -> bytes:
        """The interaction at *index* as it stands in the file, unread."""
        start, end = self._bounds[index]
        return self._data[start:end]

    def request(self, index: int) -> Request:
        """The request at *index*; the rest of its interaction is not read.

        Raises:
            CassetteFormatError: What stands there up to the end of the request is not as
                the format page says.
            IndexError: There are not so many.
        """
        start, end = self._bounds[index]
        if start not in self._requests:
            self._requests[start] = self._read_request(start, end)
        return self._requests[start]

    def interaction(self, index: int, *, refit: bool = False) -> Interaction:
        """The interaction at *index*; with *refit*, frames that do not fit are made to.

        Raises:
            CassetteFormatError: It is not as the format page says.
            IndexError: There are not so many.
        """
        start, end = self._bounds[index]
        last = _last_block(self._data, start, end)
        if last:
            opened, rest = last
            # An error may come of the cut: then the whole document tells.
            with suppress(CassetteFormatError):
                events = self._events(start, opened, rest)
                interaction = read_interaction(events, refit=refit)
                if events.took_rest:
                    return interaction
        return read_interaction(self._events(start, end), refit=refit)

    def _read_header(self, start: int, end: int) -> str:
        if not _CASSETTE.search(self._data, start, end):
            other = " (VCR.py may have)" if _VCR.search(self._data, start, end) else ""
            raise self._error(
                f"this is no cassette, which begins 'cassette: {FORMAT_VERSION}': "
                f"something else wrote this file{other}",
                start,
            )
        return read_header(self._events(start, end))

    def _read_request(self, start: int, end: int) -> Request:
        # YAML is read from left to right: if a request is over at the key after it, no
        # matter what follows.
        response = self._data.find(_RESPONSE, start, end)
        if response >= 0:
            with suppress(CassetteFormatError):
                return read_request(self._events(start, response + len(_RESPONSE)))
        return read_request(self._events(start, end))

    def _events(self, start: int, end: int, rest: bytes | None = None) -> Events:
        """The events of what stands from *start* to *end*."""
        if end - start > self._limits.size:
            raise self._error(f"a document of more than {self._limits.size} bytes", start)
        part = self._data[start:end]
        bad = forbidden(part)
        try:
            text = part.decode()
        except UnicodeDecodeError as error:
            at = start + error.start
            raise self._error(f"not UTF-8: byte {part[error.start]:#04x}", at) from None
        if bad is not None:
            char = part[bad:].decode()[0]
            raise self._error(
                f"the character U+{ord(char):04X} cannot stand in a cassette as it is: "
                "write it as an escape, in double quotes",
                start + bad,
            )
        origin = Origin(self.file, self._data, start)
        return Events(text, origin, rest=rest, limits=self._limits, source=self._source)

    def _error(self, message: str, at: int) -> CassetteFormatError:
        return _error(message, self._data, at, self.file)


def _error(message: str, data: bytes, at: int, file: str) -> CassetteFormatError:
    """The error for byte *at* of *data*."""
    begin = data.rfind(b"\n", 0, at) + 1
    # Columns are characters; the line may be anything but UTF-8.
    column = len(data[begin:at].decode(errors="replace"))
    line = data.count(b"\n", 0, at)
    return CassetteFormatError(message, file=file, line=line + 1, column=column + 1)


def _whole_lines(data: bytes, file: str) -> bytes:
    """*data* with LF at the end of every line, the last one too."""
    if data.startswith(b"\xef\xbb\xbf"):
        raise _error("the file begins with a byte order mark: save it without one", data, 0, file)
    if b"\r" in data:
        # A cassette has no CR of its own. Where every line end is CRLF, git has put them
        # there and taking them out undoes it; where some are, nobody knows what was.
        crlf = data.count(b"\r\n")
        if not crlf == data.count(b"\r") == data.count(b"\n"):
            raise _error(_LINE_ENDS, data, data.index(b"\r"), file)
        data = data.replace(b"\r\n", b"\n")
    if data and not data.endswith(b"\n"):
        message = "the file ends within a line: it was cut, or an editor took the last line end"
        raise _error(message, data, len(data), file)
    return data


def _starts(data: bytes) -> list[int]:
    """Where documents begin: at the start, and at every line that is '---', or goes on after it."""
    starts = [0]
    at = data.find(b"\n---")
    while at >= 0:
        if data[at + 4 : at + 5] in _AFTER_DASHES:
            starts.append(at + 1)
        at = data.find(b"\n---", at + 4)
    return starts


def _last_block(data: bytes, start: int, end: int) -> tuple[int, bytes] | None:
    """Where a document's body opens, and the body, if the rest of the document is that block.

    Scanning a literal block is most of what reading a cassette costs. This proves that
    it needs none: every line has the indent of four or is empty, up to the end, and every
    character may stand there; that the parser is at a block with this indent when it
    comes to the line, `Events` makes sure.
    """
    response = data.find(_RESPONSE, start, end)
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
