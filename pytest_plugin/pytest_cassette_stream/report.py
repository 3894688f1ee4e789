"""What is said of cassettes in reports: beside a failure, and at the end of a run."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from os.path import relpath
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cassette_stream import Session
    from cassette_stream.faults import Strike

__all__ = ("section", "summarise")

_REPLIES = 3
_EVENTS = 3
_WIDTH = 200
_TAIL = 16 * 1024
_BLANK_LINE = rb"(?:\r\n|\r(?!\n)|\n){2}"


def section(session: Session) -> tuple[str, str]:
    """The heading and the text that a failing test has in its report."""
    path = min(str(session.path), relpath(session.path), key=len)
    return f"cassette {path} (mode {session.mode.value})", "\n".join(_lines(session))


def _lines(session: Session) -> Iterator[str]:
    for miss in session.misses:
        yield str(miss)
    for strike in session.strikes:
        yield _told(strike)
    deliveries = session.deliveries
    if len(deliveries) > _REPLIES:
        yield f"{len(deliveries)} replies, the last {_REPLIES} of them:"
    for delivery in deliveries[-_REPLIES:]:
        yield from _delivered(delivery.request, delivery.chunks)
    for interaction in session.recorded[-_REPLIES:]:
        if interaction.response is not None:
            yield from _delivered(interaction.request, [interaction.response.body])
    if not (deliveries or session.recorded or session.misses):
        yield "nothing was asked"


def _told(strike: Strike) -> str:
    from cassette_stream.exceptions import PlanError  # noqa: PLC0415 - where something struck
    from cassette_stream.faults import text_of  # noqa: PLC0415 - as above

    occasion = strike.occasion
    try:
        rule = text_of(strike.rule)
    except PlanError:
        rule = str(strike.rule)  # one that only a plan in YAML can say
    return f"{rule} struck request {occasion.number}, attempt {occasion.attempt}"


def _delivered(request: Any, chunks: list[bytes]) -> Iterator[str]:
    size = sum(map(len, chunks))
    yield f"{request.method} {request.url}: {size:,} bytes were delivered" + (
        ", of which the last are:" if size else ""
    )
    tail: list[bytes] = []
    for chunk in reversed(chunks):
        tail.insert(0, chunk)
        if sum(map(len, tail)) >= _TAIL:
            break
    body = b"".join(tail)
    for event in [it for it in re.split(_BLANK_LINE, body) if it.strip()][-_EVENTS:]:
        text = event.decode("utf-8", "backslashreplace").strip("\r\n")
        yield from (f"  {line[:_WIDTH]}{'…' * (len(line) > _WIDTH)}" for line in text.splitlines())


def summarise(reporter: Any, counts: list[Mapping[str, Any]]) -> None:
    """Write the section of the summary that is about cassettes."""
    words = [
        f"{total:,} {name}"
        for key, name in (
            ("recorded", "recorded"),
            ("replayed", "replayed"),
            ("unplayed", "unplayed"),
            ("struck", "faults struck"),
            ("served", "requests served"),
            ("trials", "trials"),
        )
        if (total := sum(each.get(key, 0) for each in counts))
    ]
    files = sorted({each["file"] for each in counts if "file" in each})
    seeds = sorted({each["seed"] for each in counts if "seed" in each})
    if seeds:
        words.append(f"seed {', '.join(map(str, seeds))}")
    if not words:
        return
    reporter.section("cassettes")
    reporter.line(", ".join(words))
    for file in files:
        reporter.line(f"recorded {relpath(file, reporter.config.invocation_params.dir)}")
