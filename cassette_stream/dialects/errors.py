"""What a provider says when it refuses, as our exceptions.

The same words mean the same class, whether they come with an HTTP status or in the middle
of a stream. A status decides; within 400 and within 500 the provider's code, then its
type, then its text tell more. Without a status they are all there is. An error that
nobody can place is an `APIError`, never a guess.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from cassette_stream.dialects.encoding import compact
from cassette_stream.exceptions import (
    APIError,
    APIStatusError,
    AuthenticationError,
    BadGatewayError,
    BadRequestError,
    ConflictError,
    ContentPolicyViolationError,
    ContextWindowExceededError,
    InternalServerError,
    NotFoundError,
    OverloadedError,
    PaymentRequiredError,
    PermissionDeniedError,
    RateLimitError,
    RequestTooLargeError,
    ServiceUnavailableError,
    Timeout,
    UnprocessableEntityError,
)

__all__ = ("LONGEST_RETRY_AFTER", "finish_error", "retry_after", "status_error", "stream_error")

LONGEST_RETRY_AFTER = 86_400.0
"""Seconds, a day: servers do say ``inf``, and nobody sleeps for longer than this on purpose."""

_STATUS: Mapping[int, type[APIError]] = {
    400: BadRequestError,
    401: AuthenticationError,
    402: PaymentRequiredError,
    403: PermissionDeniedError,
    404: NotFoundError,
    408: Timeout,
    409: ConflictError,
    413: RequestTooLargeError,
    422: UnprocessableEntityError,
    429: RateLimitError,
    502: BadGatewayError,
    503: ServiceUnavailableError,
    504: Timeout,
    529: OverloadedError,
}

# What codes and types begin with, lower-case, and the status that goes with each where the
# provider can still send one. No key is the beginning of another.
_WORDS: Mapping[str, tuple[int, type[APIError]]] = {
    "context_length_exceeded": (400, ContextWindowExceededError),
    "context_window_exceeded": (400, ContextWindowExceededError),
    "exceed_context_size": (400, ContextWindowExceededError),
    "model_context_window_exceeded": (400, ContextWindowExceededError),
    "content_policy_violation": (400, ContentPolicyViolationError),
    "content_filter": (400, ContentPolicyViolationError),
    "responsibleaipolicyviolation": (400, ContentPolicyViolationError),
    "data_inspection_failed": (400, ContentPolicyViolationError),
    "api_key_invalid": (401, AuthenticationError),
    "invalid_api_key": (401, AuthenticationError),
    "authentication": (401, AuthenticationError),
    "unauthenticated": (401, AuthenticationError),
    "unauthorized": (401, AuthenticationError),
    "billing": (402, PaymentRequiredError),
    "payment_required": (402, PaymentRequiredError),
    "permission": (403, PermissionDeniedError),
    "forbidden": (403, PermissionDeniedError),
    "unsupported_country": (403, PermissionDeniedError),
    "not_found": (404, NotFoundError),
    "model_not_found": (404, NotFoundError),
    "conflict": (409, ConflictError),
    "request_too_large": (413, RequestTooLargeError),
    "unprocessable": (422, UnprocessableEntityError),
    "rate_limit": (429, RateLimitError),
    "insufficient_quota": (429, RateLimitError),
    "resource_exhausted": (429, RateLimitError),
    "too_many_requests": (429, RateLimitError),
    "throttl": (429, RateLimitError),
    "overloaded": (529, OverloadedError),
    "bad_gateway": (502, BadGatewayError),
    "service_unavailable": (503, ServiceUnavailableError),
    "unavailable": (503, ServiceUnavailableError),
    "timeout": (504, Timeout),
    "deadline_exceeded": (504, Timeout),
    "server_error": (500, InternalServerError),
    "internal": (500, InternalServerError),
    "api_error": (500, InternalServerError),
    "invalid_request": (400, BadRequestError),
    "invalid_argument": (400, BadRequestError),
    "failed_precondition": (400, BadRequestError),
    "bad_request": (400, BadRequestError),
    "bad request": (400, BadRequestError),
}

# Reasons to finish that are no end of an answer.
_BROKEN: Mapping[str, type[APIError]] = {
    "abort": InternalServerError,
    "error": InternalServerError,
    "insufficient_system_resource": InternalServerError,
    "network_error": InternalServerError,
    "timeout": Timeout,
}

_TOO_LONG = re.compile(
    r"maximum context length|prompt is too long|input is too long"
    r"|exceeds the maximum number of tokens"
    r"|exceed\w* [^.]{0,80}context (?:window|length|size)"
    r"|context (?:window|length|size) [^.]{0,40}exceed",
    re.IGNORECASE,
)

# What a class may be told apart into by words: a status is vaguer than they are here only.
_WITHIN: Mapping[type[APIError], tuple[type[APIError], ...]] = {
    BadRequestError: (ContextWindowExceededError, ContentPolicyViolationError, AuthenticationError),
    InternalServerError: (OverloadedError,),
    ServiceUnavailableError: (OverloadedError,),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Said:
    """What of an error's body is understood."""

    message: str | None = None
    code: str | int | None = None
    type: str | None = None
    param: str | None = None
    status: int | None = None
    request_id: str | None = None
    words: tuple[str, ...] = ()


def status_error(
    status: int,
    *,
    body: object,
    headers: Mapping[str, str] | None = None,
    now: datetime | None = None,
) -> APIError:
    """The exception for a response whose *status* is an error.

    Args:
        status: The HTTP status.
        body: What came with it: bytes, or what JSON they spell.
        headers: The response's.
        now: The time in UTC, for a ``retry-after`` date in a response that is not dated.
    """
    value = _decoded(body)
    said = _understand(value)
    kind = _by_status(status)
    finer = _by_words(said) or (_by_text(said), None)
    if finer[0] in _WITHIN.get(kind, ()):
        kind = finer[0] or kind
    message = said.message or _no_message(status, value)
    wait = retry_after(headers or {}, now=now)
    return _made(kind, said, message, status=status, body=value, wait=wait, phase="headers")


def stream_error(error: object, *, body: object = None) -> APIError:
    """The exception for an *error* that came as an event of a stream.

    Args:
        error: What the event holds: the error itself, or the object around it.
        body: The whole event, where *error* is only a part of it.
    """
    value = _decoded(error)
    said = _understand(value)
    found = _by_words(said)
    status = said.status or (found[1] if found else None)
    kind: type[APIError] = APIError
    if status is not None:
        kind = _by_status(status)
        if found and (said.status is None or found[0] in _WITHIN.get(kind, ())):
            kind = found[0]
    if kind in {APIError, BadRequestError} and (by_text := _by_text(said)):
        kind, status = by_text, status or 400
    message = said.message or _no_message(status, value)
    whole = value if body is None else body
    return _made(kind, said, message, status=status, body=whole, wait=None, phase="idle")


def finish_error(reason: str) -> APIError | None:
    """The exception for a finish *reason* that reports a failure; None for all others."""
    kind = _BROKEN.get(reason.lower())
    if kind is None:
        return None
    status = 504 if kind is Timeout else 500
    return kind(f"the model's answer broke off: finish reason {reason!r}", status_code=status)


def retry_after(headers: Mapping[str, str], *, now: datetime | None = None) -> float | None:
    """For how many seconds the *headers* ask to be left alone, None where they do not.

    ``retry-after-ms`` goes before ``retry-after``, which is seconds or a date; a date counts
    from the response's own ``date``, else from *now*. From 0 to `LONGEST_RETRY_AFTER`.
    """
    lower = {name.lower(): value.strip() for name, value in headers.items()}
    wait = _number(lower.get("retry-after-ms"))
    if wait is not None:
        wait /= 1000
    else:
        asked = lower.get("retry-after")
        wait = _number(asked)
        if wait is None and (until := _date(asked)):
            since = _date(lower.get("date")) or now
            wait = None if since is None else (until - since).total_seconds()
    return None if wait is None else min(max(wait, 0.0), LONGEST_RETRY_AFTER)


def _number(text: str | None) -> float | None:
    try:
        number = float(text or "")
    except ValueError:
        return None
    return None if math.isnan(number) else number


def _date(text: str | None) -> datetime | None:
    from email.utils import parsedate_to_datetime  # noqa: PLC0415 - few errors carry a date

    try:
        date = parsedate_to_datetime(text or "")
    except ValueError:
        return None
    return date if date.tzinfo else date.replace(tzinfo=UTC)


def _decoded(body: object) -> object:
    if not isinstance(body, bytes | bytearray | memoryview):
        return body
    text = bytes(body).decode("utf-8", "replace").strip()
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _understand(value: object) -> _Said:
    while isinstance(value, list) and value:
        value = value[0]  # Gemini's stream as an array holds its error as an item
    outer = value if isinstance(value, Mapping) else {"message": _unless_page(value)}
    inner = outer.get("error")
    while isinstance(inner, Mapping) and isinstance(inner.get("error"), Mapping):
        inner = inner["error"]  # a proxy that wraps what its provider said
    error = inner if isinstance(inner, Mapping) else outer
    texts = [inner if isinstance(inner, str) else None]
    texts += [_text(error.get(name)) for name in ("message", "msg", "detail", "errors")]
    code = error.get("code")
    return _Said(
        message=next(filter(None, texts), None),
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
    return compact(value) if isinstance(value, Mapping | list) else str(value)


def _one_of(error: Mapping[str, object], *names: str) -> str | None:
    return next((it for it in map(error.get, names) if isinstance(it, str) and it), None)


def _statuses(error: Mapping[str, object]) -> Iterator[object]:
    for name in ("status_code", "raw_status_code", "statusCode", "code", "status"):
        yield error.get(name)


def _as_status(value: object) -> int | None:
    if isinstance(value, str) and re.fullmatch("[45][0-9][0-9]", value):
        return int(value)
    known = isinstance(value, int) and not isinstance(value, bool) and 400 <= value <= 599
    return value if known and isinstance(value, int) else None


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


def _by_status(status: int) -> type[APIError]:
    return _STATUS.get(status) or (InternalServerError if status >= 500 else APIStatusError)


def _by_words(said: _Said) -> tuple[type[APIError], int] | None:
    for word in said.words:
        for start, (status, kind) in _WORDS.items():
            if word.startswith(start):
                return kind, status
    return None


def _by_text(said: _Said) -> type[APIError] | None:
    return ContextWindowExceededError if _TOO_LONG.search(said.message or "") else None


def _no_message(status: int | None, value: object) -> str:
    what = "an error" if status is None else f"the status {status}"
    if not value:
        return f"the provider sent {what}, and no word with it"
    excerpt = value if isinstance(value, str) else compact(value)
    return f"the provider sent {what}, and with it nothing that can be read: {excerpt[:200]!r}"


def _made(
    kind: type[APIError],
    said: _Said,
    message: str,
    *,
    status: int | None,
    body: object,
    wait: float | None,
    phase: str,
) -> APIError:
    error = kind(
        message,
        status_code=status,
        code=said.code,
        type=said.type,
        param=said.param,
        body=body,
        request_id=said.request_id,
        retry_after=wait,
    )
    if isinstance(error, Timeout):
        error.phase = phase
    return error
