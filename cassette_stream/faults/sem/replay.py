"""The beginning of a stream, told again by a layer that tried again too late."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cassette_stream.faults.edit import Edit, edited, events_in, json_bytes
from cassette_stream.faults.info import FaultInfo
from cassette_stream.faults.place import Event, check_event
from cassette_stream.faults.seek import Found, seek
from cassette_stream.faults.sem.words import ALL, is_content
from cassette_stream.script import Emit, Head, Script, Step

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

__all__ = ("REPLAYED", "ReplayAfterRetry")

_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayAfterRetry:
    """What came before the event *at* comes again, under another id, and then the rest.

    So it is when a layer above the model tries again after it has passed something on. A
    stream with nothing of the answer before the event is left whole.
    """

    at: Event

    def __post_init__(self) -> None:
        check_event(self.at)

    def __call__(self, script: Script) -> Script:
        told: list[Step] = []
        found = yield from _noted(seek(script, self.at), told)
        if found is None:
            return
        before, after = found.split()
        if any(map(is_content, events_in([*told, *before]))):
            yield from before
            yield from _again([*told, *before])
            yield from after
        else:
            yield from found.steps
        yield from script


def _noted(
    seeking: Generator[Step, None, Found | None], told: list[Step]
) -> Generator[Step, None, Found | None]:
    """The same, and each of its steps is added to *told*."""
    while True:
        try:
            step = next(seeking)
        except StopIteration as stop:
            found: Found | None = stop.value
            return found
        told.append(step)
        yield step


def _again(told: Sequence[Step]) -> Iterator[Step]:
    """What was *told* behind the head, as the answer to another request."""
    heads = [index for index, step in enumerate(told) if isinstance(step, Head)]
    steps = told[heads[0] + 1 :] if heads else told
    body = b"".join(step.data for step in steps if isinstance(step, Emit))
    edits: list[Edit] = [(0, len(_BOM), b"")] if body.startswith(_BOM) else []
    if name := _name(told):
        known = re.compile(re.escape(json_bytes(name)))
        other = json_bytes(f"{name}-retry")
        edits += [(*match.span(), other) for match in known.finditer(body)]
    return edited(steps, edits)


def _name(told: Sequence[Step]) -> str | None:
    """What the response is called, in its first event that says so."""
    for seen in events_in(told):
        value = seen.value if isinstance(seen.value, dict) else {}
        holders = (value, value.get("message"), value.get("response"))
        for holder in holders:
            name = holder.get("id") or holder.get("responseId") if isinstance(holder, dict) else 0
            if name and isinstance(name, str):
                return name
    return None


REPLAYED = FaultInfo(
    id="sem.replay_after_retry",
    name="beginning replayed by a retry",
    expect="undetectable",
    # Those that say how a message begins can say it only once.
    expects={
        "openai_responses": "raises",
        "anthropic": "raises",
        "cohere": "raises",
        "bedrock_converse": "raises",
    },
    transport="nothing: the framing is valid",
    description="What came before the event comes twice: a layer above tried again after output.",
    reference="NuGuardAI/nuguard#455",
    make=ReplayAfterRetry,
    places=("event",),
    dialects=ALL,
)
