"""Server-sent events, and streams of them in every spelling that the WHATWG allows.

A stream is put together from lines of which it is known what they mean, so the events that
it comes with are not those of a decoder.
(https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation)
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle

from hypothesis import strategies as st

from cassette_stream.wire import ServerSentEvent
from pytest_cassette_stream.strategies.made import made
from pytest_cassette_stream.strategies.options import flag, strategy
from pytest_cassette_stream.strategies.texts import texts

__all__ = ("SSEStream", "sse_events", "sse_streams")

_LINE_END = re.compile(r"\r\n|\r|\n")
_EVENT_NAMES = ("message_start", "response.output_text.delta", "ping", "error")
_DATA = ("", "{}", '{"a": 1}', "[DONE]", " ", ": x", "data: x")
_RETRIES = ("0", "3000", "007", "9" * 18, "", "-1", "+5", "1e3", "2.5", " 7", "12 ", "٣")
_COMMENTS = (":", ": ping", ":data: x", "::")
# Names are compared as they stand: neither case nor blanks are looked over.
_UNKNOWN = ("Data: x", "dat: x", " data: x", "data : x", "\ufeffdata: x", "retries:1", "x", "{}")


@dataclass(frozen=True)
class SSEStream:
    """The *body* of an event stream, and the *events* that a browser reads in it.

    Their *id* is the last one in force, their *retry* that of their own block.
    """

    body: bytes
    events: tuple[ServerSentEvent, ...]


def sse_events(*, data: st.SearchStrategy[str] | None = None) -> st.SearchStrategy[ServerSentEvent]:
    """Events as a decoder gives them, as `cassette_stream.wire.ServerSentEvent`.

    `encode_event` has bytes for each. Shrinks to an empty message.

    Args:
        data: What they say, by default text of any kind; a CR or CRLF in it is told as LF.

    Raises:
        TypeError: *data* is no strategy.
    """
    said = st.sampled_from(_DATA) | texts() if data is None else strategy("data", data)
    line = texts().map(_one_line)
    return made(
        ServerSentEvent,
        said.map(lambda text: _LINE_END.sub("\n", text)),
        st.sampled_from(["message", *_EVENT_NAMES]) | line.map(lambda it: it or "message"),
        st.sampled_from(["", "1"]) | line.map(lambda it: it.replace("\0", "")),
        st.none() | st.integers(0, 10**18 - 1),
    )


def sse_streams(*, invalid_utf8: bool = False) -> st.SearchStrategy[SSEStream]:
    """Streams in every spelling, as `SSEStream`.

    With LF, CRLF, CR and all of them mixed, a byte order mark, comments, blocks without data,
    data of several lines, ids with and without NUL, good and bad retries, fields without a
    colon and fields that nobody knows, and a last event that was not finished. Shrinks to an
    empty body.

    Args:
        invalid_utf8: Also bytes that are no UTF-8; a browser reads U+FFFD there.

    Raises:
        TypeError: *invalid_utf8* is no bool.
    """
    block = st.lists(_lines(invalid_utf8=flag("invalid_utf8", invalid_utf8)), max_size=4)
    return made(
        _stream,
        st.lists(block, max_size=6),
        st.lists(st.sampled_from(["\n", "\r\n", "\r"]), min_size=1, max_size=3),
        st.booleans(),
        st.sampled_from(["", "", "", "blank line", "line end"]),
    )


@dataclass(frozen=True)
class _Line:
    """A line without its end. It sets a *field* to a *value*, or where that is "" nothing."""

    text: str
    field: str = ""
    value: str = ""


def _lines(*, invalid_utf8: bool) -> st.SearchStrategy[_Line]:
    values = st.sampled_from(_DATA) | texts().map(_one_line)
    if invalid_utf8:
        # Bytes that are no UTF-8, in Python's way to have them in a text.
        broken = st.sampled_from(["\udcff", "\udcc3", "\udcf0\udc9f", "\udced\udca0\udc80"])
        values |= st.tuples(values, broken, values).map("".join)
    data = _fields("data", values)
    return st.one_of(
        *[data] * 3,
        _fields("event", st.sampled_from(["", *_EVENT_NAMES])),
        _fields("id", st.sampled_from(["1", "", "é", "a\0b", "2"])),
        _fields("retry", st.sampled_from(_RETRIES)),
        st.sampled_from(_COMMENTS).map(_Line),
        st.sampled_from(_UNKNOWN).map(_Line),
    )


def _fields(name: str, values: st.SearchStrategy[str]) -> st.SearchStrategy[_Line]:
    return st.builds(_field, st.just(name), values, st.booleans())


def _field(name: str, value: str, shortest: bool) -> _Line:
    text = f"{name}: {value}"
    if shortest and not value:
        text = name
    elif shortest and not value.startswith(" "):
        text = f"{name}:{value}"
    return _Line(text, name, value)


def _stream(blocks: list[list[_Line]], line_ends: list[str], bom: bool, missing: str) -> SSEStream:
    # Without one before it, a mark that belongs to the first line would be taken for one.
    first = next((line.text for block in blocks for line in block), "")
    text = "\ufeff" if bom or first.startswith("\ufeff") else ""
    return SSEStream(
        body=(text + _written(blocks, line_ends, missing)).encode("utf-8", "surrogateescape"),
        events=tuple(_read(blocks[:-1] if missing else blocks)),
    )


def _written(blocks: list[list[_Line]], line_ends: list[str], missing: str) -> str:
    """The lines of all *blocks*, each with its end but for what is *missing* of the last."""
    ends = cycle(line_ends)
    pieces = [""]
    for block in blocks:
        for line in [*block, _Line("")]:
            end = next(ends)
            # A LF would be the other half of the CR, and no line of its own.
            if end == "\n" and not line.text and pieces[-1] == "\r":
                end = "\r\n"
            pieces += [line.text, end]
    if missing and blocks:
        del pieces[-2:]
        if missing == "line end" and blocks[-1]:
            del pieces[-1]
    return "".join(pieces)


def _read(blocks: Sequence[Sequence[_Line]]) -> Iterator[ServerSentEvent]:
    last_id = ""
    for block in blocks:
        said = {line.field: line.value for line in block}
        data = [line.value for line in block if line.field == "data"]
        ids = [line.value for line in block if line.field == "id" and "\0" not in line.value]
        retries = [line.value for line in block if line.field == "retry"]
        times = [int(it) for it in retries if it.isascii() and it.isdigit()]
        last_id = [last_id, *ids][-1]
        if data:
            yield ServerSentEvent(
                _replaced("\n".join(data)),
                said.get("event") or "message",
                last_id,
                times[-1] if times else None,
            )


def _replaced(text: str) -> str:
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _one_line(text: str) -> str:
    return _LINE_END.sub(" ", text)
