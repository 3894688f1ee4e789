"""What a decoder gave, in a form that can be compared: events, an answer, or texts alone.

Only what it tells is compared: a decoder that gives no ids is not asked for any.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from cassette_stream.chaos import Answer, answer_of
from cassette_stream.wire import ServerSentEvent

__all__ = ("answer_as_told", "events_as_told", "told_answer", "told_events")

_FIELDS = ("event", "data", "id")
# The time to reconnect is a property of the stream, not of an event.


def told_answer(came: object) -> Any:
    """The answer that *came*; an exception stays one, and texts a text.

    Raises:
        TypeError: It is none.
    """
    if isinstance(came, Exception):
        return came
    if _is_text(came):
        return "".join(came)  # type: ignore[arg-type]  # texts are, as that says
    answer = answer_of(came)
    if answer is None:
        raise TypeError(
            "a decoder of a dialect gives its events, chunks, an answer or text; "
            f"this is none: {came!r}"
        )
    return _answer(answer)


def answer_as_told(answer: Answer, came: object) -> Any:
    """*answer*, as far as it would be told in the form of what *came*."""
    return answer.text if _is_text(came) else _answer(answer)


def _is_text(came: object) -> bool:
    """Whether it is text, in pieces or not; nothing at all may be no pieces of it."""
    return isinstance(came, str) or (
        isinstance(came, list) and all(isinstance(item, str) for item in came)
    )


def _answer(answer: Answer) -> dict[str, Any]:
    return {
        "text": answer.text,
        "calls": [(call.name, call.meant) for call in answer.calls],
        "finish_reason": answer.finish_reason,
    }


def told_events(came: object) -> Any:
    """The events that *came*, as far as they tell; an exception stays one."""
    if isinstance(came, Exception):
        return came
    if not isinstance(came, Iterable) or isinstance(came, (str, bytes)):
        raise TypeError(f"a decoder of events gives an iterable of events, not {came!r}")
    items = [_fields(item) for item in came]
    return _plain([{name: _normal(name, it[name]) for name in it} for it in items])


def events_as_told(events: Sequence[ServerSentEvent], came: object) -> Any:
    """*events*, with the fields that the first of those has that *came*."""
    items = came if isinstance(came, list) else []
    names = next((tuple(_fields(item)) for item in items), _FIELDS)
    return _plain([{name: getattr(event, name) for name in names} for event in events])


def _plain(events: list[dict[str, Any]]) -> list[Any]:
    """Texts, where the decoder gives nothing else."""
    if all(set(event) == {"data"} for event in events):
        return [event["data"] for event in events]
    return events


def _fields(item: object) -> dict[str, Any]:
    if isinstance(item, str):
        return {"data": item}
    if isinstance(item, Mapping):
        found = {name: item[name] for name in _FIELDS if name in item}
    elif hasattr(item, "data"):
        found = {name: getattr(item, name) for name in _FIELDS if hasattr(item, name)}
    elif isinstance(item, tuple):
        found = dict(zip(_FIELDS, item, strict=False))
    else:
        found = {}
    if "data" not in found:
        raise TypeError(
            f"an event has event, data and id, or is its data as text; this is none: {item!r}"
        )
    return found


def _normal(name: str, value: Any) -> Any:
    """What stands for a field that was not said, as the WHATWG text has it."""
    return value or ("message" if name == "event" else "")
