"""`cassette-stream inspect`: a cassette in figures and timelines."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.text import Text

from cassette_stream import storage
from cassette_stream.cli.answers import AnswerFigures
from cassette_stream.cli.endings import in_words
from cassette_stream.cli.figures import (
    CassetteFigures,
    InteractionFigures,
    ResponseFigures,
    Spread,
    cassette_figures,
)
from cassette_stream.cli.terminal import console, count, duration, glyphs_of, row
from cassette_stream.cli.timeline import Course, bar, legend

__all__ = ("run",)

_WIDEST = 120
"""Columns; a line that is longer is hard to follow."""
_LONGEST = 240
"""Characters of a text; what is longer is cut."""


def run(file: Path, *, as_json: bool) -> None:
    """Print the figures of *file*.

    Raises:
        CassetteError: There is no such cassette, or it cannot be read.
    """
    figures = cassette_figures(storage.read(file), file=str(file))
    if as_json:
        json.dump(asdict(figures), sys.stdout, indent=2)
        sys.stdout.write("\n")
    else:
        _show(figures, console())


def _show(figures: CassetteFigures, out: Console) -> None:
    row(out, Text(figures.file, "bold"))
    with_ = f", {figures.recorded_with}" if figures.recorded_with else ""
    interactions = count(len(figures.interactions), "interaction")
    row(out, f"{interactions}, {count(figures.bytes, 'byte')}, format {figures.version}{with_}")
    for interaction in figures.interactions:
        out.print()
        _show_interaction(interaction, out)
    if figures.interactions:
        out.print()
        row(out, legend(glyphs_of(out)))


def _show_interaction(it: InteractionFigures, out: Console) -> None:
    title = Text.assemble((f"{it.number}  ", "bold"), it.request.method, " ", it.request.url)
    row(out, title)
    width = min(out.width, _WIDEST)
    course = course_of(it)
    out.print(bar(course, width=width, span_ms=it.duration_ms, glyphs=glyphs_of(out)))
    end = duration(it.duration_ms)
    out.print(Text("0" + end.rjust(width - 1), "dim"))
    for label, text in _rows(it):
        row(out, text, label=label, indent=10)


def course_of(it: InteractionFigures) -> Course:
    response = it.response
    return Course(
        head_ms=response.head_ms if response else None,
        frames_ms=[frame.at_ms for frame in response.frames] if response else (),
        end_ms=it.duration_ms,
        how=it.ending.how,
    )


def _rows(it: InteractionFigures) -> Iterator[tuple[str, str]]:
    yield "recorded", it.recorded_at + (", recovered, incomplete" if it.incomplete else "")
    if it.response is not None:
        yield "response", ", ".join(_told(it.response))
        yield "times", ", ".join([*_times(it.response), f"end {duration(it.duration_ms)}"])
        if it.response.frame_bytes is not None:
            yield "frames", _sizes(it.response.frame_bytes)
        if it.response.gap_ms is not None:
            yield "gaps", _gaps(it.response.gap_ms)
    yield "ending", in_words(it.ending)
    if it.answer is not None:
        yield from _said(it.answer)


def _said(answer: AnswerFigures) -> Iterator[tuple[str, str]]:
    for choice in answer.choices:
        for label, text in (
            ("reasoning", choice.reasoning),
            ("text", choice.text),
            ("refusal", choice.refusal),
        ):
            if text:
                yield label, _excerpt(json.dumps(text, ensure_ascii=False))
        for call in choice.tool_calls:
            yield "tool call", _excerpt(f"{call.name}({call.arguments})")
        if choice.finish_reason is not None:
            yield "finish", choice.finish_reason
    if answer.usage is not None:
        told = answer.usage
        yield "usage", f"{told.prompt_tokens:,} tokens in, {told.completion_tokens:,} out"
    if answer.error is not None:
        yield "strictly", answer.error


def _excerpt(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 4]} ..."


def _told(response: ResponseFigures) -> Iterator[str]:
    yield str(response.status)
    yield (response.content_type or "no content type").partition(";")[0]
    yield count(response.bytes, "byte")
    if response.removed_coding:
        yield f"sent in {response.removed_coding}"
    frames = count(len(response.frames), "frame")
    if response.events is None:
        yield frames
        return
    yield f"{count(response.events, 'event')} in {frames}"
    if response.wire_error is not None:
        yield f"then {response.wire_error}"
    elif response.truncated:
        yield "then part of one"


def _times(response: ResponseFigures) -> Iterator[str]:
    yield f"head {duration(response.head_ms)}"
    if response.first_byte_ms is not None:
        yield f"first byte {duration(response.first_byte_ms)}"


def _sizes(spread: Spread) -> str:
    if spread.min == spread.max:
        return f"{count(int(spread.min), 'byte')} each"
    median = f"{spread.median:,}".removesuffix(".0")
    return f"{spread.min:,} to {spread.max:,} bytes, median {median}"


def _gaps(spread: Spread) -> str:
    least, median, most = map(duration, (spread.min, spread.median, spread.max))
    return f"{least} to {most}, median {median}"
