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

__all__ = ("connection_error", "inform", "request_id_of", "worth_again")

_CONNECTING = frozenset(
    {FailureKind.CONNECT_TIMEOUT, FailureKind.TLS_TIMEOUT, FailureKind.POOL_TIMEOUT}
)
_WAITING = frozenset({FailureKind.READ_TIMEOUT, FailureKind.WRITE_TIMEOUT})
_CUT = frozenset({FailureKind.FIN, FailureKind.SHORT_BODY, FailureKind.NO_RESPONSE})
# The same will happen again: it is the caller's side that has to change.
_HOPELESS = frozenset(
    {
        FailureKind.TLS_HOSTNAME,
        FailureKind.TLS_PLAIN,
        FailureKind.TLS_UNTRUSTED,
        FailureKind.POOL_TIMEOUT,
        FailureKind.UNSUPPORTED_PROTOCOL,
    }
)
_FOR_NOW = "Temporary failure in name resolution"
_REQUEST_IDS = (
    "x-request-id",
    "request-id",
    "x-amzn-requestid",
    "apim-request-id",
    "x-goog-request-id",
    "x-debug-trace-id",
    "cf-ray",
)


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
        why = "no free connection" if kind is FailureKind.POOL_TIMEOUT else "no connection"
        return Timeout(f"{why} to {url} in time{said}", phase="connect")
    if kind in _WAITING:
        return Timeout(f"{url} was silent for too long ({phase}){said}", phase=phase)
    if kind is FailureKind.DECODING_ERROR:
        return MalformedStreamError(f"the content coding of the response is broken{said}")
    if phase != "headers" and kind in _CUT:
        return StreamTruncatedError(f"the connection was closed before the stream's end{said}")
    if kind is FailureKind.TLS_UNTRUSTED:
        said += "; where a proxy signs with a certificate of its own, SSL_CERT_FILE can name it"
    return APIConnectionError(f"the connection to {url} failed: {type(cause).__name__}{said}")


def worth_again(cause: Exception) -> bool:
    """Whether it may help to ask again after *cause*, which a client raised."""
    kind, text = failure_of(cause)
    if kind is FailureKind.DNS:
        return _FOR_NOW in text
    return kind not in _HOPELESS and type(cause).__name__ != "TooManyRedirects"


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
