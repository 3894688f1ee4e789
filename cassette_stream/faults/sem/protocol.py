"""Events against the order in which they open and close what they tell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cassette_stream.faults.edit import Edit, Seen, edit_ahead, edit_events
from cassette_stream.faults.info import FaultInfo
from cassette_stream.faults.parameter import Parameter, check_parameters
from cassette_stream.faults.sem.words import ALL, is_content, kind_of, object_at, written

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cassette_stream.script import Script

__all__ = ("ORDER", "Order")

_QUIRKS = (
    Parameter(
        name="quirk",
        default="delta_before_start",
        choices=("delta_before_start", "second_start", "stop_without_start", "index_gap"),
        description="The first delta comes before the start of its block or item; the start of "
        "the response comes again after it; a block or item stops that never began; "
        "the deltas of a block name the next one (not for openai_responses).",
    ),
)
# How what opens is closed, in the dialects in which no more is told with that.
_STOPS = {
    "content_block_start": "content_block_stop",
    "content-start": "content-end",
    "tool-call-start": "tool-call-end",
}
_STARTS = frozenset({"response.output_item.added", "contentBlockStart", *_STOPS})
_BEGINS = frozenset({"message_start", "response.created", "message-start", "messageStart"})
_OF_BLOCKS = frozenset(
    {"content_block_delta", "content-delta", "tool-call-delta", *_STOPS.values()}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One event is where the format does not allow it."""

    quirk: str = "delta_before_start"

    def __post_init__(self) -> None:
        check_parameters(self, _QUIRKS)

    def __call__(self, script: Script) -> Script:
        match self.quirk:
            case "delta_before_start":
                return edit_ahead(script, _delta_first())
            case "second_start":
                return edit_events(script, _second_start())
            case "stop_without_start":
                return edit_events(script, _stop_first())
            case _:
                return edit_events(script, _index_gap)


def _delta_first() -> Callable[[Sequence[Seen], bool], list[list[Edit]]]:
    """Holds back the first block or item until its first delta, and puts that before it."""
    is_done = False

    def settle(waiting: Sequence[Seen], over: bool) -> list[list[Edit]]:
        nonlocal is_done
        first, last = waiting[0], waiting[-1]
        if is_done or over or kind_of(first) not in _STARTS:
            return [[] for _ in waiting]
        if first is not last and kind_of(last) in _STARTS:
            return [[] for _ in waiting[:-1]]
        if not is_content(last):
            return []
        is_done = True
        return [first.preceded_by(last.block), *([] for _ in waiting[1:-1]), last.replaced_by(b"")]

    return settle


def _second_start() -> Callable[[Seen], list[Edit]]:
    start: list[bytes] = []
    is_done = False

    def change(seen: Seen) -> list[Edit]:
        nonlocal is_done
        if kind_of(seen) in _BEGINS and not start:
            start.append(seen.block)
        if is_done or not start or not is_content(seen):
            return []
        is_done = True
        return seen.followed_by(start[0])

    return change


def _stop_first() -> Callable[[Seen], list[Edit]]:
    is_done = False

    def change(seen: Seen) -> list[Edit]:
        nonlocal is_done
        value, kind = seen.value, kind_of(seen)
        if is_done or kind not in _STARTS or not isinstance(value, dict):
            return []
        is_done = True
        if kind in _STOPS:
            stop = {"type": _STOPS[kind], "index": value.get("index", 0)}
        elif seen.dialect == "bedrock_converse":  # a block may have an end alone
            return []
        else:
            stop = value | {"type": "response.output_item.done"}
        return seen.preceded_by(written(seen, stop))

    return change


def _index_gap(seen: Seen) -> list[Edit]:
    value, name = object_at(seen.value), "index"
    if seen.dialect == "bedrock_converse":
        name = "contentBlockIndex"
        if not object_at(value, "delta", "toolUse"):  # a block of text needs no start
            return []
    elif kind_of(seen) not in _OF_BLOCKS:
        return []
    index = value.get(name)
    return seen.with_value(value | {name: index + 1}) if isinstance(index, int) else []


ORDER = FaultInfo(
    id="sem.order",
    name="events out of order",
    expect="raises",
    transport="nothing: the framing is valid",
    description="An event comes where the format does not allow it.",
    reference="MoonshotAI/Kimi-K2.5#33",
    make=Order,
    parameters=_QUIRKS,
    dialects=ALL - {"openai_chat", "gemini", "ollama"},
)
