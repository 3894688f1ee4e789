"""Single values of a cassette, each taken as its key wants it.

Under ``json:`` plain text is what JSON takes it for; anywhere else a value is what the
key says, so ``NO`` and ``012`` are themselves.
"""

from __future__ import annotations

import binascii
import math
import re
from array import array
from binascii import a2b_base64, b2a_base64
from contextlib import suppress
from datetime import datetime
from enum import StrEnum
from typing import TypeVar

import yaml

from cassette_stream.cassette.events import Events, nearest
from cassette_stream.cassette.frames import microseconds, read_frames
from cassette_stream.cassette.json_values import JSON, compact
from cassette_stream.cassette.model import FORMAT_VERSION, Headers, How
from cassette_stream.exceptions import CassetteVersionError
from cassette_stream.script import FailureKind

__all__ = (
    "take_base64",
    "take_body",
    "take_date",
    "take_failure",
    "take_flag",
    "take_frames",
    "take_headers",
    "take_how",
    "take_json",
    "take_later",
    "take_milliseconds",
    "take_newline",
    "take_status",
    "take_text",
    "take_value",
    "take_version",
)

_VERSION = re.compile(rf"{FORMAT_VERSION}(?:\.(0|[1-9]\d{{0,5}}))?", re.ASCII)
_STATUS = re.compile(r"[1-9]\d\d", re.ASCII)
_DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", re.ASCII)
_JSON_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(\.\d+)?([eE][-+]?\d+)?", re.ASCII)
_JSON_WORDS: dict[str, JSON] = {"null": None, "true": True, "false": False}

_Word = TypeVar("_Word", bound=StrEnum)


def take_text(events: Events, name: str) -> str:
    return events.text(events.node(), name)


def take_version(events: Events, name: str) -> int:
    """The minor version; where that is a later one, unknown keys are let through from here on."""
    text = take_text(events, name)
    found = _VERSION.fullmatch(text)
    if not found:
        raise events.error(
            f"this is a cassette of version {text}, and this package reads version "
            f"{FORMAT_VERSION}: install the one that wrote it, or record it anew",
            kind=CassetteVersionError,
        )
    minor = int(found[1] or 0)
    events.later = minor > 0
    return minor


def take_flag(events: Events, name: str) -> bool:
    text = take_text(events, name)
    if text not in ("true", "false"):
        raise events.error(f"{name!r} is true or false, not {text!r}")
    return text == "true"


def take_date(events: Events, name: str) -> datetime:
    text = take_text(events, name)
    try:
        # Not every date of ISO 8601 is written as ours are.
        return datetime.fromisoformat(text if _DATE.fullmatch(text) else "")
    except ValueError:
        raise events.error(f"{name!r} is {text!r}, not like 2026-11-23T09:30:12.401Z") from None


def take_status(events: Events, name: str) -> int:
    text = take_text(events, name)
    if not _STATUS.fullmatch(text):
        raise events.error(f"{name!r} is {text!r}, not a number from 100 to 999")
    return int(text)


def take_milliseconds(events: Events, name: str) -> int:
    """The number in microseconds."""
    text = take_text(events, name)
    try:
        return microseconds(text)
    except ValueError:
        raise events.error(
            f"{name!r} is {text!r}, not milliseconds with up to three decimals"
        ) from None


def take_frames(events: Events, name: str) -> tuple[array[int], array[int]]:
    text = take_text(events, name)
    try:
        return read_frames(text)
    except ValueError as error:
        raise events.error(str(error)) from None


def _take_word(events: Events, name: str, words: type[_Word]) -> _Word:
    text = take_text(events, name)
    try:
        return words(text)
    except ValueError:
        known = nearest(text, list(words))
        raise events.error(f"{name!r} is {text!r}; {known}") from None


def take_how(events: Events, name: str) -> How:
    return _take_word(events, name, How)


def take_failure(events: Events, name: str) -> FailureKind:
    return _take_word(events, name, FailureKind)


def take_headers(events: Events, name: str) -> Headers:
    headers = {}
    for key in events.keys(name):
        if key != key.lower():
            raise events.error(f"names of headers are in lower case: write {key.lower()!r}")
        headers[key] = tuple([_header_value(events, event, key) for event in events.items(key)])
    return headers


def _header_value(events: Events, event: yaml.Event, name: str) -> str:
    value = events.text(event, name)
    try:
        value.encode("latin-1")
    except UnicodeEncodeError:
        raise events.error(f"{name!r} holds a character that is not in Latin-1") from None
    return value


def take_json(events: Events, name: str) -> bytes:
    """The value as JSON without blanks."""
    return compact(take_value(events, events.node(), name))


def take_later(events: Events, name: str) -> JSON:
    """The value of a key that is not known, as strictly as those that are."""
    return take_value(events, events.node(), name)


def take_value(events: Events, event: yaml.Event, name: str) -> JSON:
    """The value that begins with *event*, the latest, by the rules of JSON."""
    # As deep as `Events` allows, and no deeper.
    match event:
        case yaml.MappingStartEvent():
            keys = events.keys(name, start=event)
            return {key: take_value(events, events.node(), key) for key in keys}
        case yaml.SequenceStartEvent():
            return [take_value(events, item, name) for item in events.items(name, event)]
        case _:
            text = events.text(event, name)
            assert isinstance(event, yaml.ScalarEvent)
            return text if event.style else _json_plain(events, text)


def _json_plain(events: Events, text: str) -> JSON:
    if text in _JSON_WORDS:
        return _JSON_WORDS[text]
    number = _JSON_NUMBER.fullmatch(text)
    if not number:
        return text
    # Python reads no integers of more than 4,300 digits, and floats of none beyond 308.
    with suppress(ValueError):
        if not (number[1] or number[2]):
            return int(text)
        if math.isfinite(value := float(text)):
            return value
    raise events.error(f"{text[:40]!r} is a number beyond what Python reads; quote it")


def take_body(events: Events, name: str) -> bytes:
    return take_text(events, name).encode()


def take_base64(events: Events, name: str) -> bytes:
    """The bytes of one text, or of a list of texts one after the other."""
    event = events.node()
    if not isinstance(event, yaml.SequenceStartEvent):
        return _decoded(events, event, name)
    return b"".join([_decoded(events, item, name) for item in events.items(name, event)])


def _decoded(events: Events, event: yaml.Event, name: str) -> bytes:
    letters = "".join(events.text(event, name).split())
    try:
        data = a2b_base64(letters, strict_mode=True)
    except (binascii.Error, ValueError) as error:
        raise events.error(f"{name!r} is not base64: {str(error).lower()}") from None
    # What is left over in the last letter would be lost without a word.
    if b2a_base64(data, newline=False) != letters.encode():
        raise events.error(f"{name!r} is not base64: bits are left over at its end")
    return data


def take_newline(events: Events, name: str) -> str:
    text = take_text(events, name)
    if text != "crlf":
        raise events.error(f"{name!r} is {text!r}, and only crlf is known")
    return text
