"""What `inspect` tells of a cassette, as values.

The terminal and ``--json`` show the same ones. Times are milliseconds, sizes are bytes
of the body as it was recorded.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, chain

from cassette_stream.cassette import CassetteReader
from cassette_stream.cassette.model import (
    FORMAT_VERSION,
    Ending,
    How,
    Interaction,
    Request,
    Response,
)
from cassette_stream.cli.answers import AnswerFigures, answer_figures
from cassette_stream.dialects.aws_frames import Frames
from cassette_stream.dialects.decoding import EventSource
from cassette_stream.dialects.lines import Lines
from cassette_stream.exceptions import WireFormatError
from cassette_stream.wire import SSEDecoder

__all__ = (
    "CassetteFigures",
    "EndingFigures",
    "FrameFigures",
    "InteractionFigures",
    "RequestFigures",
    "ResponseFigures",
    "Spread",
    "cassette_figures",
    "interaction_figures",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    min: float
    median: float
    max: float


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameFigures:
    """*at_ms* counts from the request."""

    at_ms: float
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestFigures:
    method: str
    url: str
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseFigures:
    """What came back.

    *events* counts server-sent events, lines of NDJSON or AWS frames, and is None where the
    body is no stream of them; *truncated* means that the body ends within one more, and
    *wire_error* says why the count broke off. *head_ms* and *first_byte_ms* count from the
    request; *gap_ms* is between one frame and the next.
    """

    status: int
    content_type: str | None
    removed_coding: str | None
    bytes: int
    events: int | None
    truncated: bool
    wire_error: str | None
    head_ms: float
    first_byte_ms: float | None
    gap_ms: Spread | None
    frame_bytes: Spread | None
    frames: tuple[FrameFigures, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class EndingFigures:
    how: How
    after_ms: float
    failure: str | None
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class InteractionFigures:
    """*number* counts from 1, *duration_ms* from the request to the end.

    *answer* is there where the address names a dialect and the body is a stream of events.
    """

    number: int
    recorded_at: str
    incomplete: bool
    request: RequestFigures
    response: ResponseFigures | None
    answer: AnswerFigures | None
    ending: EndingFigures
    duration_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CassetteFigures:
    """*bytes* is the size of the file."""

    file: str
    bytes: int
    version: int
    recorded_with: str
    interactions: tuple[InteractionFigures, ...]


def cassette_figures(data: bytes, *, file: str) -> CassetteFigures:
    """The figures of a whole file.

    Raises:
        CassetteFormatError: *data* is no cassette.
    """
    reader = CassetteReader(data, file=file)
    return CassetteFigures(
        file=file,
        bytes=len(data),
        version=FORMAT_VERSION,  # the reader reads no other
        recorded_with=reader.recorded_with,
        interactions=tuple(
            interaction_figures(interaction, number=number)
            for number, interaction in enumerate(reader, 1)
        ),
    )


def interaction_figures(interaction: Interaction, *, number: int) -> InteractionFigures:
    """The figures of one interaction."""
    response = interaction.response
    ending = response.ending if response else interaction.failure
    assert ending is not None
    until_end_us = sum(response.gaps_us, response.head_after_us) if response else 0
    return InteractionFigures(
        number=number,
        recorded_at=interaction.recorded_at.isoformat(timespec="milliseconds").replace(
            "+00:00", "Z"
        ),
        incomplete=interaction.incomplete,
        request=_request(interaction.request),
        response=_response(response) if response else None,
        answer=answer_figures(interaction) if response and _source(_type_of(response)) else None,
        ending=_ending(ending),
        duration_ms=_ms(until_end_us + ending.after_us),
    )


def _request(request: Request) -> RequestFigures:
    return RequestFigures(method=request.method, url=request.url, bytes=len(request.body))


def _response(response: Response) -> ResponseFigures:
    content_type = _type_of(response)
    source = _source(content_type)
    events, truncated, wire_error = _events(response.body, source()) if source else _NO_EVENTS
    frames = tuple(_frames(response))
    return ResponseFigures(
        status=response.status,
        content_type=content_type,
        removed_coding=response.removed_coding,
        bytes=len(response.body),
        events=events,
        truncated=truncated,
        wire_error=wire_error,
        head_ms=_ms(response.head_after_us),
        first_byte_ms=next((frame.at_ms for frame in frames if frame.bytes), None),
        gap_ms=_spread([_ms(gap_us) for gap_us in response.gaps_us[1:]]),
        frame_bytes=_spread(response.sizes),
        frames=frames,
    )


def _frames(response: Response) -> Iterator[FrameFigures]:
    moments_us = accumulate(response.gaps_us, initial=response.head_after_us)
    next(moments_us)
    for at_us, size in zip(moments_us, response.sizes, strict=True):
        yield FrameFigures(at_ms=_ms(at_us), bytes=size)


def _type_of(response: Response) -> str | None:
    return next(iter(response.headers.get("content-type", ())), None)


_NO_EVENTS = (None, False, None)
_SOURCES: Mapping[str, Callable[[], EventSource]] = {
    "application/vnd.amazon.eventstream": Frames,
    "application/x-ndjson": Lines,
    "text/event-stream": SSEDecoder,
}


def _source(content_type: str | None) -> Callable[[], EventSource] | None:
    """What reads the events of a body of this type; None where it has none."""
    return _SOURCES.get((content_type or "").partition(";")[0].strip().lower())


def _events(body: bytes, source: EventSource) -> tuple[int, bool, str | None]:
    """How many events there are, whether part of one follows, and what broke off the count."""
    events = 0
    try:
        for _ in chain(source.feed(body), source.finish()):
            events += 1
    except WireFormatError as error:
        return events, False, str(error)
    return events, source.truncated, None


def _ending(ending: Ending) -> EndingFigures:
    return EndingFigures(
        how=ending.how,
        after_ms=_ms(ending.after_us),
        failure=ending.failure,
        message=ending.message,
    )


def _spread(values: Sequence[float]) -> Spread | None:
    if not values:
        return None
    return Spread(min=min(values), median=statistics.median(values), max=max(values))


def _ms(microseconds: int) -> float:
    return microseconds / 1000
