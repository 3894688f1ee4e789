"""What the documents of a cassette say: every key known, what belongs together together."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import msgspec
import yaml

from cassette_stream.cassette.events import Events, Mark
from cassette_stream.cassette.model import (
    Cassette,
    Ending,
    How,
    Interaction,
    Request,
    Response,
    refit_sizes,
)
from cassette_stream.cassette.values import (
    take_base64,
    take_body,
    take_date,
    take_failure,
    take_flag,
    take_frames,
    take_headers,
    take_how,
    take_json,
    take_later,
    take_milliseconds,
    take_newline,
    take_status,
    take_text,
    take_version,
)
from cassette_stream.exceptions import CassetteFormatError

__all__ = ("MEND", "read_head", "read_header", "read_interaction", "read_request")

MEND = "cassette-stream lint --fix"
"""The command that fits frames to a body that was edited by hand."""

_Taker = Callable[[Events, str], object]


def read_header(events: Events) -> Cassette:
    """What the first document says, as a cassette that holds nothing yet.

    Raises:
        CassetteVersionError: It is a cassette of another version.
    """
    events.open()
    found = _fields(events, "header", _HEADER)
    events.close()
    found.need("cassette")
    minor = found.values.pop("cassette")
    return Cassette(**found.values, minor=minor)


def read_request(events: Events) -> Request:
    """The request of an interaction; what comes after it is not looked at."""
    events.open()
    for key in events.keys("interaction", _INTERACTION):
        value = _INTERACTION.get(key, take_later)(events, key)
        if isinstance(value, Request):
            return value
    raise events.error("interaction has no 'request', and needs one")


def read_head(events: Events) -> dict[str, Any] | None:
    """What comes before the response, where the text ends with the line ``response:``.

    None where that line is not a key after the request in a map without brackets: then
    what follows the text is no map of its own.

    Raises:
        CassetteFormatError: The text is cut at the wrong place, or something is wrong.
    """
    events.open()
    start = events.node()
    in_brackets = isinstance(start, yaml.CollectionStartEvent) and start.flow_style
    values: dict[str, Any] = {}
    for key in events.keys("interaction", _INTERACTION, start):
        if events.at_end:
            return values if "request" in values and not in_brackets else None
        if key in _INTERACTION:
            values[key] = _INTERACTION[key](events, key)
        else:
            values.setdefault("later", {})[key] = take_later(events, key)
    return None


def read_interaction(events: Events, *, refit: bool = False) -> Interaction:
    """A whole interaction.

    With *refit*, frames that do not fit their body are made to, see `refit_sizes`.
    """
    events.open()
    found = _fields(events, "interaction", _REFITTED if refit else _INTERACTION)
    events.close()
    found.need("recorded_at", "request")
    if ("response" in found.values) == ("failure" in found.values):
        raise events.error("interaction has either a 'response' or a 'failure'", found.mark)
    return Interaction(**found.values)


class _Fields(msgspec.Struct, kw_only=True):
    """A map that was read: its *values*, and the *marks* of their keys."""

    events: Events
    name: str
    mark: Mark
    values: dict[str, Any]
    marks: dict[str, Mark]

    def need(self, *keys: str) -> None:
        for key in keys:
            if key not in self.values:
                raise self.events.error(f"{self.name} has no {key!r}, and needs one", self.mark)

    def error(self, key: str, message: str) -> CassetteFormatError:
        return self.events.error(message, self.marks[key])


def _fields(
    events: Events, name: str, takers: Mapping[str, _Taker], start: yaml.Event | None = None
) -> _Fields:
    start = start or events.node()
    mark = events.mark
    values: dict[str, Any] = {}
    marks: dict[str, Mark] = {}
    for key in events.keys(name, takers, start):
        marks[key] = events.mark
        if key in takers:
            values[key] = takers[key](events, key)
        else:
            values.setdefault("later", {})[key] = take_later(events, key)
    return _Fields(events=events, name=name, mark=mark, values=values, marks=marks)


def _take_request(events: Events, name: str) -> Request:
    found = _fields(events, name, _REQUEST)
    found.need("method", "url")
    body = _body(found)
    return Request(**found.values, body=body)


def _take_response(events: Events, name: str, *, refit: bool = False) -> Response:
    found = _fields(events, name, _RESPONSE)
    found.need("status", "ending")
    values = found.values
    body = _body(found)
    sizes, gaps_us = values.pop("frames", (array("q"), array("q")))
    if sum(sizes) != len(body):
        if not refit:
            raise _misfit(found, sum(sizes), len(body))
        sizes = refit_sizes(sizes, len(body))
        gaps_us = (gaps_us or array("q", [0]))[: len(sizes)]
    head_after_us = values.pop("head_after", 0)
    return Response(**values, body=body, sizes=sizes, gaps_us=gaps_us, head_after_us=head_after_us)


def _misfit(found: _Fields, framed: int, held: int) -> CassetteFormatError:
    key = next(key for key in ("frames", "body", "body_base64") if key in found.marks)
    return found.error(
        key,
        f"frames add up to {framed} bytes and the body has {held}: after an edit by hand, "
        f"run {MEND} {found.events.file}",
    )


def _body(found: _Fields) -> bytes:
    """The body, by the one key of several that holds it; those keys are taken out."""
    values = found.values
    keys = [key for key in ("json", "body", "body_base64") if key in values]
    if len(keys) > 1:
        raise found.error(keys[1], f"{found.name} has {' and '.join(keys)}, and one is enough")
    body: bytes = values.pop(keys[0]) if keys else b""
    if values.pop("newline", None) is None:
        return body
    if keys != ["body"] or b"\r" in body:
        raise found.error("newline", "'newline' goes with a 'body' that has no CR of its own")
    return body.replace(b"\n", b"\r\n")


def _take_ending(events: Events, name: str) -> Ending:
    event = events.node()
    if isinstance(event, yaml.ScalarEvent):
        if events.text(event, name) != How.COMPLETE:
            raise events.error(f"{name!r} is complete, or a map that says how it ended and when")
        return Ending(how=How.COMPLETE)
    return _broken_off(events, name, event)


def _take_no_response(events: Events, name: str) -> Ending:
    return _broken_off(events, name, events.node())


def _broken_off(events: Events, name: str, start: yaml.Event) -> Ending:
    found = _fields(events, name, _ENDING, start)
    # All are needed, so that a file which was cut here is not taken for a whole one.
    found.need("how", "after")
    values = found.values
    if values["how"] is How.COMPLETE:
        raise found.error("how", f"{name!r} is for what did not end complete")
    told = [key for key in ("failure", "message") if key in values]
    if values["how"] is How.FAILURE:
        found.need("failure", "message")
    elif told:
        raise found.error(told[0], f"{told[0]!r} goes with 'how: failure'")
    after_us = values.pop("after")
    return Ending(**values, after_us=after_us)


_HEADER: dict[str, _Taker] = {"cassette": take_version, "recorded_with": take_text}
_ENDING: dict[str, _Taker] = {
    "how": take_how,
    "after": take_milliseconds,
    "failure": take_failure,
    "message": take_text,
}
_REQUEST: dict[str, _Taker] = {
    "method": take_text,
    "url": take_text,
    "headers": take_headers,
    "json": take_json,
    "newline": take_newline,
    "body": take_body,
    "body_base64": take_base64,
}
_RESPONSE: dict[str, _Taker] = {
    "status": take_status,
    "reason": take_text,
    "http_version": take_text,
    "headers": take_headers,
    "removed_coding": take_text,
    "head_after": take_milliseconds,
    "frames": take_frames,
    "ending": _take_ending,
    "newline": take_newline,
    "body": take_body,
    "body_base64": take_base64,
}
_INTERACTION: dict[str, _Taker] = {
    "recorded_at": take_date,
    "incomplete": take_flag,
    "request": _take_request,
    "response": _take_response,
    "failure": _take_no_response,
}
_REFITTED = _INTERACTION | {"response": partial(_take_response, refit=True)}
