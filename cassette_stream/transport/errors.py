"""The one table between kinds of failure and the exceptions of HTTP libraries.

httpx and httpx2 name their exceptions alike, and so do httpcore and httpcore2 below
them, so a row holds a name. The messages are those that the libraries give on a real
socket: synchronous code, asyncio and trio differ, and so do plain connections and TLS.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping
from functools import cache
from ipaddress import ip_address
from types import ModuleType

import msgspec

from cassette_stream.exceptions import RecordingEndedError
from cassette_stream.script import Fail, FailureKind

__all__ = ("ON_TRIO", "OVER_TLS", "TABLE", "Row", "failure_of", "library_of", "raised_by")

_CORES = {"httpx": "httpcore", "httpx2": "httpcore2"}


class Row(msgspec.Struct, frozen=True):
    """The name of an exception, its message in synchronous code and under asyncio.

    *async_name* is there where asynchronous code meets another exception.
    """

    name: str
    message: str = ""
    async_message: str = ""
    async_name: str = ""


def _row(name: str, message: str = "") -> Row:
    return Row(name, message, message)


_FIN = "peer closed connection without sending complete message body (incomplete chunked read)"
_NO_RESPONSE = "Server disconnected without sending a response."

# OpenSSL's errors name the line of CPython's source that raised them, so each version has its own.
_LINE = {11: 1006, 12: 1000, 13: 1020}.get(sys.version_info.minor, 1020)
_UNVERIFIED = "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: "
_MISMATCH = f"{{what}} mismatch, certificate is not valid for '{{host}}'. (_ssl.c:{_LINE})"

TABLE = {
    FailureKind.DNS: _row("ConnectError", "[Errno -2] Name or service not known"),
    FailureKind.REFUSED: Row(
        "ConnectError", "[Errno 111] Connection refused", "All connection attempts failed"
    ),
    FailureKind.CONNECT_ERROR: Row("ConnectError"),
    FailureKind.CONNECT_TIMEOUT: Row("ConnectTimeout", "timed out"),
    FailureKind.TLS_UNTRUSTED: _row(
        "ConnectError", f"{_UNVERIFIED}unable to get local issuer certificate (_ssl.c:{_LINE})"
    ),
    FailureKind.TLS_HOSTNAME: _row("ConnectError", f"{_UNVERIFIED}{_MISMATCH}"),
    FailureKind.TLS_EOF: Row(
        "ConnectError",
        "[SSL: UNEXPECTED_EOF_WHILE_READING] EOF occurred in violation of protocol "
        f"(_ssl.c:{_LINE})",
    ),
    FailureKind.TLS_PLAIN: _row(
        "ConnectError", f"[SSL: WRONG_VERSION_NUMBER] wrong version number (_ssl.c:{_LINE})"
    ),
    FailureKind.TLS_TIMEOUT: Row(
        "ConnectTimeout", f"_ssl.c:{_LINE - 17}: The handshake operation timed out"
    ),
    FailureKind.POOL_TIMEOUT: Row("PoolTimeout"),
    FailureKind.PROXY_ERROR: Row("ProxyError"),
    FailureKind.UNSUPPORTED_PROTOCOL: _row(
        "UnsupportedProtocol", "Request URL is missing an 'http://' or 'https://' protocol."
    ),
    FailureKind.WRITE_ERROR: Row("WriteError"),
    # The error of the write is swallowed, and what is read then is told.
    FailureKind.WRITE_RESET: Row("RemoteProtocolError", _NO_RESPONSE, async_name="ReadError"),
    FailureKind.WRITE_TIMEOUT: Row("WriteTimeout", "timed out"),
    FailureKind.NO_RESPONSE: _row("RemoteProtocolError", _NO_RESPONSE),
    FailureKind.FIN: _row("RemoteProtocolError", _FIN),
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

ON_TRIO: Mapping[FailureKind, Row] = {
    FailureKind.REFUSED: _row("ConnectError", "all attempts to connect to {address} failed"),
    FailureKind.TLS_UNTRUSTED: Row("ConnectError"),
    FailureKind.TLS_HOSTNAME: Row("ConnectError"),
    FailureKind.TLS_PLAIN: Row("ConnectError"),
    FailureKind.WRITE_RESET: _row("RemoteProtocolError", _NO_RESPONSE),
    FailureKind.RESET: _row(
        "ReadError", "socket connection broken: [Errno 104] Connection reset by peer"
    ),
}
"""What differs from `TABLE` under trio."""

OVER_TLS: Mapping[FailureKind, Row] = {
    FailureKind.READ_TIMEOUT: Row("ReadTimeout", "The read operation timed out"),
    FailureKind.WRITE_TIMEOUT: Row("WriteTimeout", "The write operation timed out"),
    FailureKind.WRITE_RESET: TABLE[FailureKind.WRITE_RESET],  # under trio too
}
"""What differs from both over TLS."""

# For recording: what the same class can be told apart by, most telling first.
_BY_MESSAGE = (
    (FailureKind.FIN, "(incomplete chunked read)"),
    (FailureKind.FIN, "peer unexpectedly closed connection"),
    (FailureKind.SHORT_BODY, "peer closed connection without sending complete message body"),
    (FailureKind.NO_RESPONSE, "Server disconnected without sending a response."),
    (FailureKind.RESET, "Connection reset by peer"),
    (FailureKind.REFUSED, "Connection refused"),
    (FailureKind.DNS, "Name or service not known"),
    (FailureKind.DNS, "Temporary failure in name resolution"),
    (FailureKind.TLS_HOSTNAME, "mismatch, certificate is not valid for"),
    (FailureKind.TLS_UNTRUSTED, "CERTIFICATE_VERIFY_FAILED"),
    (FailureKind.TLS_EOF, "UNEXPECTED_EOF_WHILE_READING"),
    (FailureKind.TLS_PLAIN, "WRONG_VERSION_NUMBER"),
    (FailureKind.TLS_TIMEOUT, "The handshake operation timed out"),
)
_OPENSSL = frozenset(
    {
        FailureKind.TLS_UNTRUSTED,
        FailureKind.TLS_HOSTNAME,
        FailureKind.TLS_EOF,
        FailureKind.TLS_PLAIN,
    }
)
_BY_NAME = {
    row.name: kind
    for kind, row in TABLE.items()
    if kind not in {FailureKind.OTHER, FailureKind.WRITE_RESET, *(kind for kind, _ in _BY_MESSAGE)}
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


def raised_by(
    fail: Fail,
    library: ModuleType,
    *,
    is_async: bool,
    on_trio: bool = False,
    host: str = "",
    port: int = 0,
    over_tls: bool = False,
) -> Exception:
    """The exception that *library* raises when the connection fails like this.

    Its cause is the exception of the same name of the library's own core, as on a real
    socket; where that says nothing, what the system said is below it. The client adds
    ``request``.

    Args:
        fail: How; its *detail* is the message as somebody saw it, and goes with `TABLE`.
        library: httpx or httpx2.
        is_async: Whether the client is asynchronous.
        on_trio: Whether trio runs it, not asyncio.
        host: Whom the request went to.
        port: At which port.
        over_tls: Whether the connection was encrypted.
    """
    if fail.kind is FailureKind.RECORDING_ENDED:
        return RecordingEndedError(
            fail.detail or "the recorded caller stopped reading here: record the whole stream"
        )
    row = TABLE[fail.kind]
    if not fail.detail:
        row = ON_TRIO.get(fail.kind, row) if on_trio else row
        row = OVER_TLS.get(fail.kind, row) if over_tls else row
    name = (is_async and row.async_name) or row.name
    message = row.async_message if is_async else row.message
    message = fail.detail or _filled(message, host=host, port=port)
    error: Exception = getattr(library, name)(message)
    core = importlib.import_module(_CORES[library.__name__])
    if cause := getattr(core, name, None):
        error.__cause__ = cause(message)
        if not message:
            words = _filled(TABLE[fail.kind].message, host=host, port=port)
            error.__cause__.__cause__ = _below(fail.kind, words)
    return error


def _below(kind: FailureKind, words: str) -> Exception | None:
    """What the system or OpenSSL raises, for the kinds that come of that."""
    if kind is FailureKind.RESET:
        return ConnectionResetError(words)
    if kind not in _OPENSSL:
        return None
    import ssl  # noqa: PLC0415 - whoever gets here has it, others need not wait for it

    return ssl.SSLError(1, words)


def _filled(message: str, *, host: str, port: int) -> str:
    """*message*, with what it says of whom the request went to."""
    if "{" not in message:
        return message
    what = "IP address" if _is_ip(host) else "Hostname"
    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    return message.format(what=what, host=host, address=address)


def _is_ip(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def failure_of(error: BaseException) -> tuple[FailureKind, str]:
    """The kind of failure that *error* shows, and its message: what a cassette keeps.

    An exception of a transport that somebody wrote himself is `FailureKind.OTHER`, and
    its message begins with its class.
    """
    message, kind = str(error), type(error)
    said = _said(error)
    for ancestor in kind.__mro__:
        if ancestor.__module__.partition(".")[0] not in _CORES:
            continue
        for told, telling in _BY_MESSAGE:
            if TABLE[told].name == ancestor.__name__ and telling in said:
                return told, message
        if found := _BY_NAME.get(ancestor.__name__):
            return found, message
    name = kind.__qualname__
    return FailureKind.OTHER, f"{name}: {message}" if message else name


def _said(error: BaseException) -> str:
    """The message of *error*, or of what lies below it: asyncio and trio hide the system's."""
    while not (text := str(error)) and not isinstance(error, OSError):
        below = error.__cause__ or error.__context__
        if below is None:
            break
        error = below
    return text
