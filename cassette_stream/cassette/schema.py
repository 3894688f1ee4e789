"""What a cassette says, from its events: every key known, every value of its kind.

Under ``json:`` plain text is what JSON takes it for; anywhere else a value is what its
key wants, so ``NO`` and ``012`` are themselves.
"""

from __future__ import annotations

import binascii
import re
from array import array
from binascii import a2b_base64, b2a_base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, TypeVar

import yaml

from cassette_stream.cassette.events import Events, Mark, nearest
from cassette_stream.cassette.frames import microseconds, read_frames, refit_sizes
from cassette_stream.cassette.json_text import JSON, compact
from cassette_stream.cassette.model import (
    FORMAT_VERSION,
    Ending,
    Headers,
    How,
    Interaction,
    Request,
    Response,
)
from cassette_stream.exceptions import CassetteFormatError, CassetteVersionError
from cassette_stream.script import FailureKind

__all__ = ("MEND", "read_header", "read_interaction", "read_request")

MEND = "cassette-stream lint --fix"
"""The command that fits frames to a body that was edited by hand."""

_STATUS = re.compile(r"[1-9]\d\d", re.ASCII)
_DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", re.ASCII)
_JSON_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(\.\d+)?([eE][-+]?\d+)?", re.ASCII)
_JSON_WORDS: dict[str, JSON] = {"null": None, "true": True, "false": False}

_Reader = Callable[[Events, str], object]
_Kind = TypeVar("_Kind", bound=StrEnum)


def read_header(events: Events) -> str:
    """What wrote the file, from its first document.

    Raises:
        CassetteVersionError: It is a cassette of another version.
    """
    events.open()
    found = _fields(events, "the header", _HEADER)
    events.close()
    found.need("cassette")
    recorded_with: str = found.values.get("recorded_with", "")
    return recorded_with


def read_request(events: Events) -> Request:
    """The request of an interaction; nothing after it is looked at."""
    events.open()
    for key in events.keys("the interaction", _INTERACTION):
        value = _INTERACTION[key](events, key)
        if key == "request":
            assert isinstance(value, Request)
            return value
    raise events.error("the interaction has no 'request'")


def read_interaction(events: Events, *, refit: bool = False) -> Interaction:
    """A whole interaction.

    With *refit*, frames that do not fit their body are made to, see `refit_sizes`.
    """
    events.open()
    found = _fields(events, "the interaction", _REFITTED if refit else _INTERACTION)
    events.close()
    found.need("recorded_at", "request")
    values = found.values
    if ("response" in values) == ("failure" in values):
        raise events.error("an interaction has either a 'response' or a 'failure'", found.mark)
    return Interaction(**values)


@dataclass(slots=True)
class _Fields:
    """A map that was read: its *values* and where their keys are."""

    events: Events
    name: str
    mark: Mark
    values: dict[str, Any]
    marks: dict[str, Mark]

    def need(self, *keys: str) -> None:
        for key in keys:
            if key not in self.values:
                raise self.events.error(f"{self.name} has no {key!r}", self.mark)

    def error(self, message: str, key: str) -> CassetteFormatError:
        return self.events.error(message, self.marks[key])


def _fields(
    events: Events, name: str, readers: Mapping[str, _Reader], start: yaml.Event | None = None
) -> _Fields:
    values: dict[str, Any] = {}
    marks: dict[str, Mark] = {}
    keys = events.keys(name, readers, start)
    mark = None
    for key in keys:
        mark = mark or events.mark
        marks[key] = events.mark
        values[key] = readers[key](events, key)
    return _Fields(events, name, mark or events.mark, values, marks)


def _content(found: _Fields) -> bytes:
    """The body of a request or response, by the one key that holds it."""
    bodies = [key for key in ("json", "body", "body_base64") if key in found.values]
    if len(bodies) > 1:
        raise found.error(f"{found.name} has {' and '.join(bodies)}: one body is enough", bodies[1])
    body: bytes = found.values[bodies[0]] if bodies else b""
    if "newline" not in found.values:
        return body
    if bodies != ["body"] or b"\r" in body:
        raise found.error("'newline' goes with a 'body' that has no CR of its own", "newline")
    return body.replace(b"\n", b"\r\n")


def _request(events: Events, name: str) -> Request:
    found = _fields(events, f"the {name}", _REQUEST)
    found.need("method", "url")
    values = found.values
    return Request(
        method=values["method"],
        url=values["url"],
        headers=values.get("headers", {}),
        body=_content(found),
    )
