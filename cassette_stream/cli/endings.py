"""Endings in words."""

from __future__ import annotations

from cassette_stream.cassette.model import How
from cassette_stream.cli.figures import EndingFigures
from cassette_stream.cli.terminal import duration
from cassette_stream.script import FailureKind

__all__ = ("FAILURES", "in_words")

FAILURES = {
    FailureKind.DNS: "the host name was not found",
    FailureKind.REFUSED: "the connection was refused",
    FailureKind.CONNECT_ERROR: "the connection could not be made",
    FailureKind.CONNECT_TIMEOUT: "the connection was not made in time",
    FailureKind.TLS_UNTRUSTED: "the server's certificate is not trusted",
    FailureKind.TLS_HOSTNAME: "the server's certificate is for another host",
    FailureKind.TLS_EOF: "the server closed the connection within the TLS handshake",
    FailureKind.TLS_PLAIN: "the server does not speak TLS",
    FailureKind.TLS_TIMEOUT: "the TLS handshake was not over in time",
    FailureKind.POOL_TIMEOUT: "no connection of the pool came free in time",
    FailureKind.PROXY_ERROR: "the proxy refused",
    FailureKind.UNSUPPORTED_PROTOCOL: "the protocol of the URL is not supported",
    FailureKind.WRITE_ERROR: "the connection broke while the request was sent",
    FailureKind.WRITE_RESET: "the connection was reset while the request was sent",
    FailureKind.WRITE_TIMEOUT: "the request could not be sent in time",
    FailureKind.NO_RESPONSE: "the server closed the connection before a whole response head came",
    FailureKind.FIN: "the server closed the connection without the last chunk",
    FailureKind.SHORT_BODY: "the server closed the connection before the body had its length",
    FailureKind.RESET: "the connection was reset",
    FailureKind.READ_ERROR: "the connection broke",
    FailureKind.READ_TIMEOUT: "nothing more came within the read timeout",
    FailureKind.PROTOCOL_ERROR: "the server broke the rules of HTTP",
    FailureKind.LOCAL_PROTOCOL_ERROR: "the client broke the rules of HTTP",
    FailureKind.DECODING_ERROR: "the content coding could not be undone",
    FailureKind.CLOSE_ERROR: "the connection could not be closed",
    FailureKind.RECORDING_ENDED: "the recording ends here",
    FailureKind.OTHER: "an exception that is of no HTTP library",
}
"""What happened, for each kind of failure."""


def in_words(ending: EndingFigures) -> str:
    """*ending* as a sentence without its full stop."""
    after = f" after {duration(ending.after_ms)} of silence" if ending.after_ms else ""
    match ending.how:
        case How.COMPLETE:
            return "complete"
        case How.CLOSED_BY_CALLER:
            return f"the caller closed the stream{after}"
        case How.CANCELLED:
            return f"the caller was cancelled{after}"
        case How.FAILURE:
            assert ending.failure is not None
            message = f": {ending.message}" if ending.message else ""
            return f"{FAILURES[FailureKind(ending.failure)]}{after} ({ending.failure}{message})"
