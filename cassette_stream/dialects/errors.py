"""What a provider says when it refuses, as our exceptions.

The same words mean the same class, whether they come with an HTTP status or in the middle
of a stream. A status decides; within 400 and within 500 the provider's code, then its
type, then its text tell more. Without a status they are all there is. An error that
nobody can place is an `APIError`, never a guess.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime

from cassette_stream.chunks.finish_reasons import FAILURES
from cassette_stream.dialects.error_body import ErrorBody, decoded, understand
from cassette_stream.dialects.retry_after import retry_after
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

__all__ = ("finish_error", "status_error", "stream_error")

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
    424: InternalServerError,  # Bedrock: the model behind it failed
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
    "request_timeout": (408, Timeout),
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
    "accessdenied": (403, PermissionDeniedError),
    "expiredtoken": (403, PermissionDeniedError),
    "unrecognizedclient": (403, PermissionDeniedError),
    "resourcenotfound": (404, NotFoundError),
    "modeltimeout": (408, Timeout),
    "modelerror": (424, InternalServerError),
    "modelstreamerror": (424, InternalServerError),
    "modelnotready": (429, RateLimitError),
    "serviceunavailable": (503, ServiceUnavailableError),
    "validationexception": (400, BadRequestError),
}

_TOO_LONG = re.compile(
    r"maximum context length|prompt is too long|input is too long"
    r"|exceeds the maximum number of tokens"
    r"|total number of tokens in the prompt (?:cannot exceed|exceeds)"
    r"|exceed\w* [^.]{0,80}context (?:window|length|size)"
    r"|context (?:window|length|size) [^.]{0,40}exceed",
    re.IGNORECASE,
)

# What is vague, and what words may make of it. Anything else means what its status means.
_WITHIN: Mapping[type[APIError], tuple[type[APIError], ...]] = {
    BadRequestError: (ContextWindowExceededError, ContentPolicyViolationError, AuthenticationError),
    InternalServerError: (OverloadedError,),
    ServiceUnavailableError: (OverloadedError,),
}


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
    value = decoded(body)
    said = understand(value)
    kind = _refined(_by_status(status), said)
    message = said.message or _no_message(status, value)
    wait = retry_after(headers or {}, now=now)
    if said.type is None:
        said = replace(said, type=_amazon_type(headers or {}))
    return _made(kind, said, message, status=status, body=value, wait=wait, phase="headers")


def stream_error(error: object, *, body: object = None) -> APIError:
    """The exception for an *error* that came as an event of a stream.

    Args:
        error: What the event holds: the error itself, or the object around it.
        body: The whole event, where *error* is only a part of it.
    """
    value = decoded(error)
    said = understand(value)
    status, kind = next(_by_words(said), (None, APIError))
    if said.status is not None:
        status, kind = said.status, _by_status(said.status)
    elif status is None and _TOO_LONG.search(said.message or ""):
        status, kind = 400, BadRequestError
    kind = _refined(kind, said)
    message = said.message or _no_message(status, value)
    whole = value if body is None else body
    return _made(kind, said, message, status=status, body=whole, wait=None, phase="idle")


def finish_error(reason: str, *, message: str = "", body: object = None) -> APIError | None:
    """The exception for a finish *reason* that reports a failure; None for all others.

    *message* is what the provider says of it, *body* the event that says so.
    """
    if reason not in FAILURES:
        return None
    kind, status = (Timeout, 504) if reason == "TIMEOUT" else (InternalServerError, 500)
    said = message or f"the model's answer broke off: finish reason {reason!r}"
    return kind(said, status_code=status, body=body)


def _by_status(status: int) -> type[APIError]:
    return _STATUS.get(status) or (InternalServerError if status >= 500 else APIStatusError)


def _by_words(said: ErrorBody) -> Iterator[tuple[int | None, type[APIError]]]:
    for word in said.words:
        for start, found in _WORDS.items():
            if word.startswith(start):
                yield found


def _refined(kind: type[APIError], said: ErrorBody) -> type[APIError]:
    """What *kind* comes to by the provider's words, then by its text, if it is a vague one."""
    finer = [found for _, found in _by_words(said)]
    if _TOO_LONG.search(said.message or ""):
        finer.append(ContextWindowExceededError)
    return next((found for found in finer if found in _WITHIN.get(kind, ())), kind)


def _amazon_type(headers: Mapping[str, str]) -> str | None:
    """The type of an error of AWS, which no body of it has; a namespace may stand behind it."""
    said = (value for name, value in headers.items() if name.lower() == "x-amzn-errortype")
    return next(said, "").partition(":")[0].strip() or None


def _no_message(status: int | None, value: object) -> str:
    what = "an error" if status is None else f"the status {status}"
    if not value:
        return f"the provider sent {what}, and no word with it"
    excerpt = f"{value}"[:200]
    return f"the provider sent {what}, and with it nothing that can be read: {excerpt!r}"


def _made(
    kind: type[APIError],
    said: ErrorBody,
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
