"""Events that come besides, and say nothing of the answer: a client must not fail on them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cassette_stream.faults.edit import Edit, Seen, edit_event
from cassette_stream.faults.info import FaultInfo
from cassette_stream.faults.parameter import Parameter, check_parameters
from cassette_stream.faults.place import Event, check_event
from cassette_stream.faults.sem.words import (
    CHAT_HEAD,
    Json,
    dialects,
    in_style,
    written,
)

if TYPE_CHECKING:
    from cassette_stream.script import Script

__all__ = (
    "EMPTY_CHOICES",
    "NULL_DELTA",
    "PING",
    "EmptyChoices",
    "NullDelta",
    "Ping",
)

_AZURE: Final[Json] = {"id": "", "object": "", "created": 0, "model": ""}
"""How Azure heads a chunk that is about its filter."""

_HOW = (
    Parameter(
        name="how",
        default="empty",
        choices=("empty", "null", "missing"),
        description="Whether the list is empty, null, or not there.",
    ),
)
_NULL = (
    Parameter(
        name="how",
        default="missing",
        choices=("missing", "null"),
        description="Whether the delta, or the content for gemini, is not there or null.",
    ),
)


def _listed(seen: Seen, name: str, how: str, items: list[Json]) -> bytes:
    """An event like *seen* with another list of choices or candidates, under *name*."""
    known = seen.value if isinstance(seen.value, dict) else {}
    kept = (*CHAT_HEAD, "modelVersion", "responseId")
    head = {key: known[key] for key in kept if key in known}
    if not head and name == "choices":
        head = dict(_AZURE)
    lists: dict[str, Json] = {"empty": {name: items}, "null": {name: None}, "missing": {}}
    return written(seen, head | lists[how])


def _list_name(seen: Seen) -> str | None:
    return {"openai_chat": "choices", "gemini": "candidates"}.get(seen.dialect or "")


@dataclass(frozen=True, slots=True, kw_only=True)
class EmptyChoices:
    """A chunk without a choice comes before the event *at*.

    First of all it is what Azure says of the prompt, in the middle the sources of an answer,
    in the end its usage.
    """

    at: Event
    how: str = "empty"

    def __post_init__(self) -> None:
        check_event(self.at)
        check_parameters(self, _HOW)

    def __call__(self, script: Script) -> Script:
        return edit_event(script, self.at, self._change)

    def _change(self, seen: Seen) -> list[Edit]:
        name = _list_name(seen)
        return [] if name is None else seen.preceded_by(_listed(seen, name, self.how, []))


@dataclass(frozen=True, slots=True, kw_only=True)
class NullDelta:
    """A choice without a delta comes before the event *at*: so Azure's filter reports."""

    at: Event
    how: str = "missing"

    def __post_init__(self) -> None:
        check_event(self.at)
        check_parameters(self, _NULL)

    def __call__(self, script: Script) -> Script:
        return edit_event(script, self.at, self._change)

    def _change(self, seen: Seen) -> list[Edit]:
        name = _list_name(seen)
        if name is None:
            return []
        inner = "delta" if name == "choices" else "content"
        choice: Json = {"index": 0} | ({inner: None} if self.how == "null" else {})
        if name == "choices":
            choice |= {"finish_reason": None, "content_filter_results": {}}
        return seen.preceded_by(_listed(seen, name, "empty", [choice]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Ping:
    """An event of the type ``ping`` comes before the event *at*, whatever the stream speaks.

    It is a server-sent event, so lines and frames are left whole.
    """

    at: Event

    def __post_init__(self) -> None:
        check_event(self.at)

    def __call__(self, script: Script) -> Script:
        ping = b'event: ping\ndata: {"type": "ping"}\n\n'

        def change(seen: Seen) -> list[Edit]:
            return seen.preceded_by(in_style(seen, ping)) if seen.framing == "sse" else []

        return edit_event(script, self.at, change)


EMPTY_CHOICES = FaultInfo(
    id="sem.empty_choices",
    name="no choices",
    expect="tolerates",
    transport="nothing: the framing is valid",
    description="A chunk without choices comes: first (Azure), between, or last (usage).",
    reference="microsoft/semantic-kernel#3650",
    make=EmptyChoices,
    places=("event",),
    parameters=_HOW,
    dialects=dialects("openai_chat", "gemini"),
    common=True,
)
NULL_DELTA = FaultInfo(
    id="sem.null_delta",
    name="choice without a delta",
    expect="tolerates",
    transport="nothing: the framing is valid",
    description="A choice comes without a delta, as from Azure's asynchronous filter.",
    reference="langchain-ai/langchain#18977",
    make=NullDelta,
    places=("event",),
    parameters=_NULL,
    dialects=dialects("openai_chat", "gemini"),
)
PING = FaultInfo(
    id="sem.ping",
    name="ping event",
    expect="tolerates",
    transport="nothing: the framing is valid",
    description="An event of the type ping comes, whatever the stream speaks.",
    reference="measured",
    make=Ping,
    places=("event",),
    framings=frozenset({"sse"}),
)
