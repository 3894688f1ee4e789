"""What goes wrong on the way to a model, as the exceptions of this package.

Exceptions of an HTTP library never reach the caller but as a cause. What is of neither
library, such as a cassette that has no answer, is not ours to rename.
"""

from __future__ import annotations

from collections.abc import Mapping

from cassette_stream.client.asked import Asked
from cassette_stream.exceptions import (
    APIConnectionError,
    APIError,
    MalformedStreamError,
    StreamTruncatedError,
    Timeout,
)
from cassette_stream.script import FailureKind
from cassette_stream.transport.errors import failure_of, library_of

__all__ = ("connection_error", "inform", "request_id_of")

_CONNECTING = frozenset({FailureKind.CONNECT_TIMEOUT, FailureKind.POOL_TIMEOUT})
_WAITING = frozenset({FailureKind.READ_TIMEOUT, FailureKind.WRITE_TIMEOUT})
_CUT = frozenset({FailureKind.FIN, FailureKind.SHORT_BODY, FailureKind.NO_RESPONSE})
_REQUEST_IDS = ("x-request-id", "request-id", "apim-request-id", "x-goog-request-id", "cf-ray")


def connection_error(cause: Exception, *, phase: str, url: str) -> APIError | None:
    """The exception for *cause*, which a client raised; None if it is no HTTP library's.

    Args:
        cause: What was raised.
        phase: What the caller waited for, as in `Timeout`.
        url: Where the request went.
    """
    try:
        library_of(cause)
    except TypeError:
        return None
    kind, text = failure_of(cause)
    said = f": {text}" if text else ""
    if kind in _CONNECTING:
        why = "no connection" if kind is FailureKind.CONNECT_TIMEOUT else "no free connection"
        return Timeout(f"{why} to {url} in time{said}", phase="connect")
    if kind in _WAITING:
        return Timeout(f"{url} was silent for too long ({phase}){said}", phase=phase)
    if kind is FailureKind.DECODING_ERROR:
        return MalformedStreamError(f"the content coding of the response is broken{said}")
    if phase != "headers" and kind in _CUT:
        return StreamTruncatedError(f"the connection was closed before the stream's end{said}")
    return APIConnectionError(f"the connection to {url} failed: {type(cause).__name__}{said}")


def request_id_of(headers: Mapping[str, str]) -> str | None:
    """The provider's name for the request, by its response's *headers* (lower-case)."""
    return next((headers[name] for name in _REQUEST_IDS if name in headers), None)


def inform(error: APIError, asked: Asked, *, headers: Mapping[str, str], retries: int) -> None:
    """Add to *error* what only the client knows."""
    error.llm_provider = asked.endpoint.provider
    error.model = asked.endpoint.model
    error.request_id = error.request_id or request_id_of(headers)
    error.response_headers = dict(headers)
    error.num_retries = retries
    error.max_retries = asked.max_retries
