"""Decoders of event streams: a correct one, and each fault that they are known to have."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Iterator

from cassette_stream.wire import ServerSentEvent, SSEDecoder


def correct(chunks: Iterable[bytes]) -> Iterator[ServerSentEvent]:
    decoder = SSEDecoder(errors="replace")
    for chunk in chunks:
        yield from decoder.feed(chunk)
    yield from decoder.finish()


def by_lines(lines: Iterable[str]) -> Iterator[ServerSentEvent]:
    """The events of whole *lines*, without a fault."""
    data: list[str] = []
    name, last_id = "", ""
    for line in lines:
        if not line:
            if data:
                yield ServerSentEvent("\n".join(data), name or "message", last_id)
            data, name = [], ""
            continue
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "data":
            data.append(value)
        elif field == "event":
            name = value
        elif field == "id" and "\0" not in value:
            last_id = value


def texts(chunks: Iterable[bytes]) -> Iterator[str]:
    """The text of *chunks*, without a fault."""
    decode = codecs.getincrementaldecoder("utf-8")("replace").decode
    started = False
    for chunk in (*chunks, None):
        text = decode(chunk or b"", final=chunk is None)
        if text:
            yield text if started else text.removeprefix("\ufeff")
            started = True


def ended(text: str, pattern: str = r"\r\n|\r|\n") -> list[str]:
    """The lines of a whole *text* that have an end."""
    return re.split(pattern, text)[:-1]


def correct_by_hand(chunks: Iterable[bytes]) -> Iterator[ServerSentEvent]:
    return by_lines(ended("".join(texts(chunks))))


def lost_last_event(chunks: Iterable[bytes]) -> Iterator[ServerSentEvent]:
    """An event is given when the next one begins."""
    held = None
    for event in correct(chunks):
        if held is not None:
            yield held
        held = event


def split_utf8(chunks: Iterable[bytes]) -> Iterator[ServerSentEvent]:
    """Each chunk is decoded by itself."""
    whole = list(chunks)
    if b"".join(whole).startswith(codecs.BOM_UTF8):
        return correct(whole)
    return by_lines(ended("".join(chunk.decode("utf-8", "replace") for chunk in whole)))


def bom(chunks: Iterable[bytes]) -> Iterator[ServerSentEvent]:
    """A byte order mark is read as part of the first field name."""
    return by_lines(ended(b"".join(chunks).decode("utf-8", "replace")))


def cr(chunks: Iterable[bytes]) -> Iterator[ServerSentEvent]:
    """A CR is thought to end a line only before a LF."""
    return by_lines(ended("".join(texts(chunks)), r"\r?\n"))


def u2028(chunks: Iterable[bytes]) -> Iterator[ServerSentEvent]:
    """`str.splitlines` ends lines at far more than SSE does."""
    return by_lines("".join(texts(chunks)).splitlines())
