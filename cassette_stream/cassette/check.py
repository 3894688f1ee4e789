"""Whether bytes that are about to be written say what they should.

Storage asks before it replaces a file, so that no error of the writer costs a recording.
"""

from __future__ import annotations

from dataclasses import fields

from cassette_stream.cassette.json_text import exact_json
from cassette_stream.cassette.json_values import compact
from cassette_stream.cassette.model import Cassette, Interaction, Request, Response
from cassette_stream.cassette.read import CassetteReader
from cassette_stream.exceptions import CassetteError

__all__ = ("check_written",)


def check_written(data: bytes, cassette: Cassette, *, file: str = "<to be written>") -> None:
    """Read *data* back and compare it with *cassette*.

    Request bodies that are JSON compare as JSON values, all else exactly. One
    interaction is held at a time.

    Raises:
        CassetteError: They differ; the message names the first difference.
        CassetteFormatError: *data* is no cassette at all.
    """
    difference = _first_difference(CassetteReader(data, file=file), cassette)
    if difference:
        raise CassetteError(f"{file} reads back different: {difference}")


def _first_difference(reader: CassetteReader, cassette: Cassette) -> str | None:
    if reader.recorded_with != cassette.recorded_with:
        return f"recorded_with is {reader.recorded_with!r}, not {cassette.recorded_with!r}"
    if (reader.about.minor, reader.about.later) != (cassette.minor, cassette.later):
        return f"the header is {_short(reader.about)}"
    if len(reader) != len(cassette.interactions):
        return f"{len(reader)} interactions, not {len(cassette.interactions)}"
    for number, (read, written) in enumerate(zip(reader, cassette.interactions, strict=True), 1):
        if difference := _difference(read, written, f"interaction {number}:"):
            return difference
    return None


def _difference(read: object, written: object, name: str) -> str | None:
    """The first field by which two values differ, if they do."""
    if read == written:
        return None
    if not isinstance(written, Interaction | Request | Response) or type(read) is not type(written):
        return f"{name} is {_short(read)}, not {_short(written)}"
    for field in fields(written):
        one, other = getattr(read, field.name), getattr(written, field.name)
        if isinstance(written, Request) and field.name == "body":
            other = _as_kept(other)
        if difference := _difference(one, other, f"{name} {field.name}"):
            return difference
    return None


def _as_kept(body: bytes) -> bytes:
    value = exact_json(body)
    return body if value is None else compact(value)


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 100 else f"{text[:97]}..."
