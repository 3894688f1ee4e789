"""What the body of an error says, in whichever of the providers' shapes.

Nothing is refused: what is not understood is left unsaid, and the body itself is kept.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

__all__ = ("ErrorBody", "complains", "decoded", "understand")


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorBody:
    """What of an error's body is understood."""

    message: str | None = None
    code: str | int | None = None
    type: str | None = None
    param: str | None = None
    status: int | None = None
    request_id: str | None = None
    words: tuple[str, ...] = ()


def complains(value: Mapping[str, object]) -> bool:
    """Whether *value*, which is nothing that the format knows, can only be an error.

    A web framework in between knows nothing of the format, and has such words for it.
    """
    return "detail" in value or isinstance(value.get("message"), str)


def decoded(body: object) -> object:
    """The JSON value that *body* spells, else its text; what is no bytes stays as it is."""
    if not isinstance(body, bytes | bytearray | memoryview):
        return body
    text = bytes(body).decode("utf-8-sig", "replace").strip()
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def understand(value: object) -> ErrorBody:
    """What an error's decoded body says."""
    while isinstance(value, list) and value:
        value = value[0]  # Gemini's stream as an array holds its error as an item
    outer = value if isinstance(value, Mapping) else {"message": _unless_page(value)}
    inner = outer.get("error")
    while isinstance(inner, Mapping) and isinstance(inner.get("error"), Mapping):
        inner = inner["error"]  # a proxy that wraps what its provider said
    error = inner if isinstance(inner, Mapping) else outer
    texts = [inner if isinstance(inner, str) else None]
    texts += [_text(error.get(name)) for name in ("message", "Message", "msg", "detail", "errors")]
    code = error.get("code")
    return ErrorBody(
        message=next(map(_printable, filter(None, texts)), None),
        code=code if isinstance(code, str | int) else None,
        type=_one_of(error, "type", "status", "error_type", "__type"),
        param=_one_of(error, "param"),
        status=next(filter(None, map(_as_status, _statuses(error))), None),
        request_id=_one_of(outer, "request_id"),
        words=tuple(_words(error)),
    )


def _unless_page(value: object) -> object:
    return None if isinstance(value, str) and value.startswith("<") else value


def _text(value: object) -> str | None:
    """*value* where it is a text, else as JSON: a list of FastAPI's details, an object."""
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, default=str)


def _printable(text: str) -> str:
    """*text* without halves of surrogate pairs, which JSON can spell and no log can print."""
    return text.encode("utf-8", "replace").decode()


def _one_of(error: Mapping[str, object], *names: str) -> str | None:
    return next((it for it in map(error.get, names) if isinstance(it, str) and it), None)


def _statuses(error: Mapping[str, object]) -> Iterator[object]:
    for name in ("status_code", "raw_status_code", "statusCode", "code", "status"):
        yield error.get(name)


def _as_status(value: object) -> int | None:
    if isinstance(value, str) and re.fullmatch("[45][0-9][0-9]", value):
        return int(value)
    return value if isinstance(value, int) and 400 <= value <= 599 else None


def _words(error: Mapping[str, object]) -> Iterator[str]:
    """The codes and types of *error*, the most telling first."""
    details = error.get("details")
    for part in (error.get("innererror"), *(details if isinstance(details, list) else ())):
        if isinstance(part, Mapping):
            yield from _strings(part, "code", "reason")
    yield from _strings(error, "code", "type", "status", "error_type", "__type")


def _strings(part: Mapping[str, object], *names: str) -> Iterator[str]:
    for name in names:
        value = part.get(name)
        if isinstance(value, str):
            yield value.lower()
