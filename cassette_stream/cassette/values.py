"""Single values of a cassette, each read as its key wants it.

Under ``json:`` plain text is what JSON takes it for; anywhere else a value is what the
key says, so ``NO`` and ``012`` are themselves.
"""

from __future__ import annotations

import binascii
import math
import re
from array import array
from binascii import a2b_base64, b2a_base64
from datetime import datetime
from enum import StrEnum
from typing import TypeVar

import yaml

from cassette_stream.cassette.events import Events, nearest
from cassette_stream.cassette.frames import microseconds, read_frames
from cassette_stream.cassette.json_text import JSON, compact
from cassette_stream.cassette.model import FORMAT_VERSION, Headers, How
from cassette_stream.exceptions import CassetteVersionError
from cassette_stream.script import FailureKind

__all__ = (
    "base64",
    "body",
    "date",
    "failure_kind",
    "frames",
    "headers",
    "how",
    "json",
    "milliseconds",
    "newline",
    "status",
    "text",
    "true_or_false",
    "version",
)

_STATUS = re.compile(r"[1-9]\d\d", re.ASCII)
_DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", re.ASCII)
_JSON_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(\.\d+)?([eE][-+]?\d+)?", re.ASCII)
_JSON_WORDS: dict[str, JSON] = {"null": None, "true": True, "false": False}

_Kind = TypeVar("_Kind", bound=StrEnum)


def text(events: Events, name: str) -> str:
    return events.text(events.scalar(name), name)


def version(events: Events, name: str) -> int:
    value = text(events, name)
    if text != str(FORMAT_VERSION):
        raise events.error(
            f"this is a cassette of version {text}, and this package reads version "
            f"{FORMAT_VERSION}; install the one that wrote it, or record it anew",
            kind=CassetteVersionError,
        )
    return FORMAT_VERSION


def true_or_false(events: Events, name: str) -> bool:
    value = text(events, name)
    if text not in ("true", "false"):
        raise events.error(f"{name!r} is true or false, not {text!r}")
    return text == "true"


def date(events: Events, name: str) -> datetime:
    value = text(events, name)
    try:
        if not _DATE.fullmatch(text):
            raise ValueError
        return datetime.fromisoformat(text)
    except ValueError:
        raise events.error(f"{text!r} is no date like 2026-11-23T09:30:12.401Z") from None


def status(events: Events, name: str) -> int:
    value = text(events, name)
    if not _STATUS.fullmatch(text):
        raise events.error(f"{text!r} is no status from 100 to 999")
    return int(text)


def milliseconds(events: Events, name: str) -> int:
    value = text(events, name)
    try:
        return microseconds(text)
    except ValueError:
        raise events.error(
            f"{name!r} is {text!r}, not milliseconds with up to three decimals"
        ) from None


def frames(events: Events, name: str) -> tuple[array[int], array[int]]:
    value = text(events, name)
    try:
        return read_frames(text)
    except ValueError as error:
        raise events.error(str(error)) from None


def _word(events: Events, text: str, name: str, kind: type[_Kind]) -> _Kind:
    if text not in kind:
        raise events.error(f"{name!r} is {text!r}; {nearest(text, list(kind))}")
    return kind(text)


def how(events: Events, name: str) -> How:
    return _word(events, text(events, name), name, How)


def failure_kind(events: Events, name: str) -> FailureKind:
    return _word(events, text(events, name), name, FailureKind)


def headers(events: Events, name: str) -> Headers:
    headers = {}
    for key in events.keys(name):
        if key != key.lower():
            raise events.error(f"names of headers are in lower case: write {key.lower()!r}")
        headers[key] = tuple([_header_value(events, event, key) for event in events.items(key)])
    return headers


def _header_value(events: Events, event: yaml.Event, name: str) -> str:
    if not isinstance(event, yaml.ScalarEvent):
        raise events.unlike(name, "text")
    value = events.text(event, name)
    try:
        value.encode("latin-1")
    except UnicodeEncodeError:
        raise events.error(f"{name!r} holds a character that is not in Latin-1") from None
    return value


def json(events: Events, name: str) -> bytes:
    value = _json_value(events, events.node(), name)
    return compact(value)


def _json_value(events: Events, event: yaml.Event, name: str) -> JSON:
    # As deep as `Events` allows, and no deeper.
    match event:
        case yaml.ScalarEvent():
            text = events.text(event, name)
            return text if event.style else _json_plain(events, text)
        case yaml.SequenceStartEvent():
            return [_json_value(events, item, name) for item in events.items(name, event)]
        case _:
            keys = events.keys(name, start=event)
            return {key: _json_value(events, events.node(), key) for key in keys}


def _json_plain(events: Events, text: str) -> JSON:
    if text in _JSON_WORDS:
        return _JSON_WORDS[text]
    number = _JSON_NUMBER.fullmatch(text)
    if not number:
        return text
    try:
        value = float(text) if number[1] or number[2] else int(text)
    except ValueError:
        value = math.inf
    if math.isinf(value):
        raise events.error(f"{text[:40]!r} is a number beyond what Python reads; quote it")
    return value


def body(events: Events, name: str) -> bytes:
    return events.body(name)


def base64(events: Events, name: str) -> bytes:
    event = events.node()
    if isinstance(event, yaml.ScalarEvent):
        return _decoded(events, event, name)
    return b"".join([_decoded(events, item, name) for item in events.items(name, event)])


def _decoded(events: Events, event: yaml.Event, name: str) -> bytes:
    if not isinstance(event, yaml.ScalarEvent):
        raise events.unlike(name, "text")
    text = "".join(events.text(event, name).split())
    try:
        data = a2b_base64(text.encode(), strict_mode=True)
    except binascii.Error as error:
        raise events.error(f"{name!r} is not base64: {str(error).lower()}") from None
    # What is left over in the last letter would be lost without a word.
    if b2a_base64(data, newline=False) != text.encode():
        raise events.error(f"{name!r} is not base64: the last letter holds bits of no byte")
    return data


def newline(events: Events, name: str) -> str:
    value = text(events, name)
    if text != "crlf":
        raise events.error(f"{name!r} is {text!r}; known is crlf")
    return text


