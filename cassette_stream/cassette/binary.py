"""Bodies that are no text, as base64; AWS event streams so that people can read them.

The frames of an event stream are one item each, below a comment that says what is in it.
Comments are for people: nothing reads them.
"""

from __future__ import annotations

from binascii import Error, a2b_base64, b2a_base64
from contextlib import suppress

import msgspec

from cassette_stream.cassette.scalars import comment, inline
from cassette_stream.exceptions import WireFormatError
from cassette_stream.wire.eventstream import EventStreamDecoder, EventStreamMessage

__all__ = ("EVENT_STREAM", "base64", "event_stream")

EVENT_STREAM = "application/vnd.amazon.eventstream"

COLUMNS = 76
"""Letters of base64 on a line, as in a mail."""

MAX_COMMENT = 1000
"""Characters of a comment; what is longer is cut, and the frame below it is whole."""

_TYPES = (":event-type", ":exception-type", ":error-code", ":message-type")


def base64(body: bytes) -> bytes:
    """*body* as the value of a key at column 2, last line end included."""
    letters = b2a_base64(body, newline=False)
    lines = [letters[at : at + COLUMNS] for at in range(0, len(letters), COLUMNS)]
    return b"|2-\n    " + b"\n    ".join(lines) + b"\n"


def event_stream(body: bytes) -> bytes | None:
    """*body* as such a value, a list; None where it does not begin with a whole message."""
    messages = _messages(body)
    if not messages:
        return None
    items = []
    start = 0
    for message in messages:
        # The length of a message is its first number, and the decoder has checked it.
        end = start + int.from_bytes(body[start : start + 4])
        items.append(_item(_told(message), body[start:end]))
        start = end
    if start < len(body):
        items.append(_item("no whole message", body[start:]))
    return "".join(["\n", *items]).encode()


def _item(told: str, data: bytes) -> str:
    letters = b2a_base64(data, newline=False).decode()
    return f"  {comment(told)}\n  - {inline(letters)}\n"


def _messages(body: bytes) -> list[EventStreamMessage]:
    messages: list[EventStreamMessage] = []
    # What is broken is no message, nor is what follows it; those before it are.
    with suppress(WireFormatError):
        messages.extend(EventStreamDecoder().feed(body))
    return messages


def _told(message: EventStreamMessage) -> str:
    kind = next((str(message.headers[name]) for name in _TYPES if name in message.headers), "?")
    text = f"{kind} {_payload(message.payload)}"
    return text if len(text) <= MAX_COMMENT else f"{text[:MAX_COMMENT]}..."


def _payload(payload: bytes) -> str:
    """What a person wants to see of *payload*, which other models' events come wrapped in."""
    try:
        wrapped = msgspec.json.decode(payload, type=_Wrapped).bytes
        return a2b_base64(wrapped).decode()
    except (msgspec.MsgspecError, UnicodeDecodeError, Error):
        return payload.decode(errors="backslashreplace")


class _Wrapped(msgspec.Struct):
    bytes: str
