"""Cassettes from bytes: indexed first, read where asked for.

Opening finds where documents begin, by the lines ``---`` in column 0 (in YAML nothing
else can begin so), and reads the header. What a document says is checked when it is
read: a request alone, up to its end; an interaction, all of it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from typing import overload

from cassette_stream.cassette.documents import (
    RESPONSE,
    Span,
    error_at,
    last_block,
    spans,
    whole_lines,
)
from cassette_stream.cassette.events import LIBYAML, LIMITS, Events, Limits, Origin, Source
from cassette_stream.cassette.model import FORMAT_VERSION, Cassette, Interaction, Request
from cassette_stream.cassette.scalars import forbidden
from cassette_stream.cassette.schema import read_header, read_interaction, read_request
from cassette_stream.cassette.write import dump_interaction
from cassette_stream.exceptions import CassetteFormatError

__all__ = ("CassetteReader", "loads", "refit")

_CASSETTE = re.compile(rb"^cassette:", re.MULTILINE)
_VCR = re.compile(rb"^interactions:", re.MULTILINE)
_NOTHING = re.compile(rb"(?:[ \t]*(?:#[^\n]*)?\n)*")


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
        self._data = whole_lines(data, file)
        found = spans(self._data)
        # What comes before the first line '---' is the header, unless it is nothing.
        if _NOTHING.fullmatch(self._data, 0, found[0].end):
            del found[0]
        if not found:
            raise self._error("the file is empty; delete it to record it anew", 0)
        for span in found:
            if span.end - span.start > limits.size:
                raise self._error(f"a document holds at most {limits.size} bytes", span.start)
        self._header, *self._spans = found
        self._requests: dict[int, Request] = {}
        self.recorded_with = self._read_header(self._header)

    def __len__(self) -> int:
        return len(self._spans)

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
        return self._data[: self._header.end]

    def document(self, index: int) -> bytes:
        """The interaction at *index* as it stands in the file, unread."""
        span = self._spans[index]
        return self._data[span.start : span.end]

    def request(self, index: int) -> Request:
        """The request at *index*; the rest of its interaction is not read.

        Raises:
            CassetteFormatError: What stands there up to the end of the request is not as
                the format page says.
            IndexError: There are not so many.
        """
        span = self._spans[index]
        if span.start not in self._requests:
            self._requests[span.start] = self._read_request(span)
        return self._requests[span.start]

    def interaction(self, index: int, *, refit: bool = False) -> Interaction:
        """The interaction at *index*; with *refit*, frames that do not fit are made to.

        Raises:
            CassetteFormatError: It is not as the format page says.
            IndexError: There are not so many.
        """
        span = self._spans[index]
        last = last_block(self._data, span)
        if last:
            opened, rest = last
            # An error may come of the cut: then the whole document tells.
            with suppress(CassetteFormatError):
                events = self._events(span.start, opened, rest)
                interaction = read_interaction(events, refit=refit)
                if events.took_rest:
                    return interaction
        return read_interaction(self._events(span.start, span.end), refit=refit)

    def _read_header(self, span: Span) -> str:
        if not _CASSETTE.search(self._data, span.start, span.end):
            other = " (VCR.py may have)" if _VCR.search(self._data, span.start, span.end) else ""
            raise self._error(
                f"this is no cassette, which begins 'cassette: {FORMAT_VERSION}': "
                f"something else wrote this file{other}",
                span.start,
            )
        return read_header(self._events(span.start, span.end))

    def _read_request(self, span: Span) -> Request:
        # YAML is read from left to right: if a request is over at the key after it, no
        # matter what follows.
        response = self._data.find(RESPONSE, span.start, span.end)
        if response >= 0:
            with suppress(CassetteFormatError):
                return read_request(self._events(span.start, response + len(RESPONSE)))
        return read_request(self._events(span.start, span.end))

    def _events(self, start: int, end: int, rest: bytes | None = None) -> Events:
        """The events of what stands from *start* to *end*."""
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
        return error_at(message, self._data, at, self.file)
