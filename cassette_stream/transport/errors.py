"""The one table between kinds of failure and the exceptions of HTTP libraries.

httpx and httpx2 name their exceptions alike, and so do httpcore and httpcore2 below
them, so a row holds a name. The messages are those that the libraries give on a real
socket: synchronous and asynchronous backends differ.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from functools import cache
from types import ModuleType

from cassette_stream.exceptions import RecordingEndedError
from cassette_stream.script import Fail, FailureKind

__all__ = ("TABLE", "Row", "failure_of", "library_of", "raised_by")

_CORES = {"httpx": "httpcore", "httpx2": "httpcore2"}


@dataclass(frozen=True, slots=True)
class Row:
    """The name of an exception, its message in synchronous and in asynchronous code."""

    name: str
    message: str = ""
    async_message: str = ""


def _row(name: str, message: str = "") -> Row:
    return Row(name, message, message)


TABLE = {
    FailureKind.DNS: _row("ConnectError", "[Errno -2] Name or service not known"),
    FailureKind.REFUSED: Row(
        "ConnectError", "[Errno 111] Connection refused", "All connection attempts failed"
    ),
    FailureKind.CONNECT_ERROR: Row("ConnectError"),
    FailureKind.CONNECT_TIMEOUT: Row("ConnectTimeout", "timed out"),
    FailureKind.POOL_TIMEOUT: Row("PoolTimeout"),
    FailureKind.PROXY_ERROR: Row("ProxyError"),
    FailureKind.UNSUPPORTED_PROTOCOL: _row(
        "UnsupportedProtocol", "Request URL is missing an 'http://' or 'https://' protocol."
    ),
    FailureKind.WRITE_ERROR: Row("WriteError"),
    FailureKind.WRITE_TIMEOUT: Row("WriteTimeout", "timed out"),
    FailureKind.NO_RESPONSE: _row(
        "RemoteProtocolError", "Server disconnected without sending a response."
    ),
    FailureKind.FIN: _row(
        "RemoteProtocolError",
        "peer closed connection without sending complete message body (incomplete chunked read)",
    ),
    FailureKind.SHORT_BODY: _row(
        "RemoteProtocolError", "peer closed connection without sending complete message body"
    ),
    FailureKind.RESET: Row("ReadError", "[Errno 104] Connection reset by peer"),
    FailureKind.READ_ERROR: Row("ReadError"),
    FailureKind.READ_TIMEOUT: Row("ReadTimeout", "timed out"),
    FailureKind.PROTOCOL_ERROR: Row("RemoteProtocolError"),
    FailureKind.LOCAL_PROTOCOL_ERROR: Row("LocalProtocolError"),
    FailureKind.DECODING_ERROR: Row("DecodingError"),
    FailureKind.CLOSE_ERROR: Row("CloseError"),
    FailureKind.OTHER: Row("TransportError"),
}
"""Every kind but `FailureKind.RECORDING_ENDED`, which is an exception of our own."""

# For recording: what the same class can be told apart by, most telling first.
_BY_MESSAGE = (
    (FailureKind.FIN, "(incomplete chunked read)"),
    (FailureKind.SHORT_BODY, "peer closed connection without sending complete message body"),
    (FailureKind.NO_RESPONSE, "Server disconnected without sending a response."),
    (FailureKind.RESET, "Connection reset by peer"),
    (FailureKind.REFUSED, "Connection refused"),
    (FailureKind.DNS, "Name or service not known"),
)
_BY_NAME = {
    row.name: kind
    for kind, row in TABLE.items()
    if kind
    not in {
        FailureKind.DNS,
        FailureKind.REFUSED,
        FailureKind.NO_RESPONSE,
        FailureKind.FIN,
        FailureKind.SHORT_BODY,
        FailureKind.RESET,
        FailureKind.OTHER,
    }
}


def library_of(value: object) -> ModuleType:
    """The HTTP library that *value*, a client, request or exception, comes from.

    Raises:
        TypeError: It comes from neither httpx nor httpx2.
    """
    return _library_of(type(value))  # type: ignore[arg-type]  # classes can be hashed


@cache
def _library_of(kind: type) -> ModuleType:
    for ancestor in kind.__mro__:
        name = ancestor.__module__.partition(".")[0]
        if name in _CORES:
            return importlib.import_module(name)
    raise TypeError(f"{kind.__qualname__} is neither of httpx nor of httpx2")


def raised_by(fail: Fail, library: ModuleType, *, is_async: bool) -> Exception:
    """The exception that *library* raises when the connection fails like this.

    Its cause is the exception of the same name of the library's own core, as on a real
    socket. The client adds ``request``.
    """
    if fail.kind is FailureKind.RECORDING_ENDED:
        return RecordingEndedError(
            fail.detail or "the recorded caller stopped reading here: record the whole stream"
        )
    row = TABLE[fail.kind]
    message = fail.detail or (row.async_message if is_async else row.message)
    error: Exception = getattr(library, row.name)(message)
    core = importlib.import_module(_CORES[library.__name__])
    if cause := getattr(core, row.name, None):
        error.__cause__ = cause(message)
    return error


def failure_of(error: BaseException) -> tuple[FailureKind, str]:
    """The kind of failure that *error* shows, and its message: what a cassette keeps.

    An exception of a transport that somebody wrote himself is `FailureKind.OTHER`, and
    its message begins with its class.
    """
    message, kind = str(error), type(error)
    for ancestor in kind.__mro__:
        if ancestor.__module__.partition(".")[0] not in _CORES:
            continue
        for told, telling in _BY_MESSAGE:
            if TABLE[told].name == ancestor.__name__ and telling in message:
                return told, message
        if found := _BY_NAME.get(ancestor.__name__):
            return found, message
    name = kind.__qualname__
    return FailureKind.OTHER, f"{name}: {message}" if message else name
