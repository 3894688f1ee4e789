"""Cassettes from bytes: indexed first, read where asked for.

Opening finds where documents begin, by the lines ``---`` in column 0 (in YAML nothing
else can begin so), and reads the header. What a document says is checked when it is
read: a request alone, up to its end; an interaction, all of it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, overload

import msgspec

from cassette_stream.cassette.canonical import read_canonical
from cassette_stream.cassette.characters import forbidden
from cassette_stream.cassette.documents import (
    RESPONSE,
    Span,
    error_at,
    spans,
    whole_lines,
)
from cassette_stream.cassette.events import LIBYAML, LIMITS, Events, Limits, Origin, Source
from cassette_stream.cassette.model import FORMAT_VERSION, Cassette, Interaction, Request
from cassette_stream.cassette.schema import read_head, read_header, read_interaction, read_request
from cassette_stream.exceptions import CassetteFormatError

__all__ = ("CassetteReader", "loads", "refit")

_PLAIN_HEADER = re.compile(
    rb"cassette: %d\nrecorded_with: ([a-z][a-z0-9.-]*(?: [a-z0-9.-]+)*)\n" % FORMAT_VERSION
)
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
    return replace(reader.about, interactions=tuple(reader))


def refit(data: bytes, *, file: str) -> bytes:
    """*data* with frames that fit, where bodies were edited by hand.

    Frames stay as long as they lie within the body, and the last of them takes what is
    left. Interactions whose frames fit keep their bytes.

    Raises:
        CassetteFormatError: Something else is wrong, too.
    """
    from cassette_stream.cassette.write import dump_interaction  # noqa: PLC0415 - who reads does without

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


class _Head(msgspec.Struct, frozen=True):
    """The *values* of an interaction up to byte *end* of the file, None if the rest needs them."""

    values: dict[str, Any]
    end: int | None = None


class CassetteReader(Sequence[Interaction]):
    """The interactions in *data*, each read when it is asked for.

    Requests are kept once they were read, bodies are not: an interaction that is asked
    for twice is read twice.

    Attributes:
        file: The name of the file, for errors.
        version: The version of its format.
        recorded_with: What recorded it.
        about: All that the header says, as a cassette without interactions.

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
        self._heads: dict[int, _Head] = {}
        self.about = self._read_header(self._header)
        self.recorded_with = self.about.recorded_with

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
        request: Request = self._head(self._spans[index]).values["request"]
        return request

    def interaction(self, index: int, *, refit: bool = False) -> Interaction:
        """The interaction at *index*; with *refit*, frames that do not fit are made to.

        Raises:
            CassetteFormatError: It is not as the format page says.
            IndexError: There are not so many.
        """
        span = self._spans[index]
        short = span.end - span.start <= self._limits.scalar
        if not refit and short and (found := self._canonical(span)):
            return found
        return read_interaction(self._events(span.start, span.end), refit=refit)

    def check(self) -> None:
        """Read every interaction once, and keep none.

        Raises:
            CassetteFormatError: One of them is not as the format page says.
        """
        for at in range(len(self)):
            self.interaction(at)

    def _canonical(self, span: Span) -> Interaction | None:
        """The interaction by its head and `read_canonical`, where these are all there is."""
        with suppress(CassetteFormatError):
            head = self._head(span)
            if head.end and "recorded_at" in head.values and "failure" not in head.values:
                response = read_canonical(self._data, head.end, span.shallow, span.end)
                return Interaction(**head.values, response=response) if response else None
        # If there was an error, the whole document will tell it.
        return None

    def _read_header(self, span: Span) -> Cassette:
        # What we write ourselves is two lines of words: nothing in it wants a parser.
        if plain := _PLAIN_HEADER.fullmatch(self._data, span.start, span.end):
            return Cassette(recorded_with=plain[1].decode())
        if not _CASSETTE.search(self._data, span.start, span.end):
            raise self._error(self._no_cassette(span), span.start)
        return read_header(self._events(span.start, span.end, later=False))

    def _no_cassette(self, span: Span) -> str:
        beginning = self._data[span.start : span.end]
        told = f"this is no cassette, which begins 'cassette: {FORMAT_VERSION}'"
        if b"\0" in beginning[:4]:
            return f"{told}: it may be UTF-16; save it as UTF-8"
        other = " (VCR.py may have)" if _VCR.search(beginning) else ""
        return f"{told}: something else wrote this file{other}; record to another one, or delete it"

    def _head(self, span: Span) -> _Head:
        if span.start not in self._heads:
            self._heads[span.start] = self._read_head(span)
        return self._heads[span.start]

    def _read_head(self, span: Span) -> _Head:
        # YAML is read from left to right: what comes before a key of the outermost map is
        # the same whatever follows, and what follows is a map of its own.
        response = self._data.find(RESPONSE, span.start, span.end)
        if response >= 0:
            with suppress(CassetteFormatError):
                values = read_head(self._events(span.start, response + len(RESPONSE)))
                if values:
                    return _Head(values, response + 1)
        return _Head({"request": read_request(self._events(span.start, span.end))})

    def _events(self, start: int, end: int, *, later: bool | None = None) -> Events:
        """The events of what stands from *start* to *end*."""
        part = self._data[start:end]
        bad = forbidden(part)
        try:
            text = part.decode()
        except UnicodeDecodeError as error:
            at = start + error.start
            raise self._error(
                f"not UTF-8: byte {part[error.start]:#04x}; save the file as UTF-8, and a body "
                "that is no text as body_base64",
                at,
            ) from None
        if bad is not None:
            char = part[bad:].decode()[0]
            raise self._error(
                f"the character U+{ord(char):04X} cannot stand in a cassette as it is: "
                "write it as an escape, in double quotes",
                start + bad,
            )
        origin = Origin(self.file, self._data, start)
        later = self.about.minor > 0 if later is None else later
        return Events(text, origin, limits=self._limits, source=self._source, later=later)

    def _error(self, message: str, at: int) -> CassetteFormatError:
        return error_at(message, self._data, at, self.file)
