"""Faults before there is a connection, or before the request is through.

Nothing of the response comes, so nothing of the script is read. Timeouts come when the
caller's own limit is over.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from cassette_stream.faults.info import FaultInfo
from cassette_stream.faults.parameter import Parameter
from cassette_stream.script import Fail, FailureKind, Script

__all__ = ("FAULTS", "Dns", "Unconnected")


@dataclass(frozen=True, slots=True, kw_only=True)
class Unconnected:
    """The request fails with *kind* instead of any response."""

    kind: FailureKind

    def __call__(self, script: Script) -> Script:  # noqa: ARG002 - nobody gets to see it
        yield Fail(self.kind)


_CODE = Parameter(
    name="code",
    default="EAI_NONAME",
    choices=("EAI_NONAME", "EAI_AGAIN"),
    description="What the resolver says: there is no such name, or it cannot tell now.",
)
_RESOLVER = {"EAI_NONAME": "", "EAI_AGAIN": "[Errno -3] Temporary failure in name resolution"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Dns:
    """The name of the host is not found, with the resolver's *code*."""

    code: str = "EAI_NONAME"

    def __post_init__(self) -> None:
        _CODE.read(self.code)

    def __call__(self, script: Script) -> Script:  # noqa: ARG002 - nobody gets to see it
        yield Fail(FailureKind.DNS, _RESOLVER[self.code])


def _info(  # noqa: PLR0917 - a row of a table
    name: str,
    title: str,
    kind: FailureKind,
    transport: str,
    description: str,
    reference: str = "measured",
) -> FaultInfo:
    return FaultInfo(
        id=f"connect.{name}",
        name=title,
        expect="raises",
        transport=transport,
        description=description,
        reference=reference,
        make=partial(Unconnected, kind=kind),
        kind="exchange",
    )


FAULTS = (
    FaultInfo(
        id="connect.dns",
        name="DNS failure",
        expect="raises",
        transport="ConnectError: [Errno -2] Name or service not known",
        description="The name of the host is not found.",
        reference="TheR1D/shell_gpt#600",
        make=Dns,
        parameters=(_CODE,),
        kind="exchange",
    ),
    _info(
        "refused",
        "connection refused",
        FailureKind.REFUSED,
        "ConnectError: [Errno 111] Connection refused; All connection attempts failed (async)",
        "Nobody listens at the port.",
        "vybestack/llxprt-code#2150",
    ),
    _info(
        "timeout",
        "TCP connect timeout",
        FailureKind.CONNECT_TIMEOUT,
        "ConnectTimeout, after the connect timeout",
        "Packets to the host are dropped.",
    ),
    _info(
        "tls_untrusted",
        "certificate verify failed",
        FailureKind.TLS_UNTRUSTED,
        "ConnectError: [SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: "
        "unable to get local issuer certificate",
        "The certificate is signed by nobody who is trusted, such as a company's proxy.",
        "continuedev/continue#218",
    ),
    _info(
        "tls_hostname",
        "hostname mismatch",
        FailureKind.TLS_HOSTNAME,
        "ConnectError: [SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: "
        "Hostname mismatch",
        "The certificate is for another host.",
        "aiwaves-cn/agents#144",
    ),
    _info(
        "tls_eof",
        "end of file in the TLS handshake",
        FailureKind.TLS_EOF,
        "ConnectError: [SSL: UNEXPECTED_EOF_WHILE_READING] EOF occurred in violation of "
        "protocol; no message (async)",
        "The connection is closed within the handshake.",
        "OpenHands/OpenHands#1200",
    ),
    _info(
        "tls_plain",
        "TLS to a plain-text port",
        FailureKind.TLS_PLAIN,
        "ConnectError: [SSL: WRONG_VERSION_NUMBER] wrong version number",
        "The port speaks no TLS.",
    ),
    _info(
        "tls_stall",
        "the TLS handshake stalls",
        FailureKind.TLS_TIMEOUT,
        "ConnectTimeout: The handshake operation timed out, after the connect timeout",
        "The connection is made, and the handshake is never answered.",
    ),
    _info(
        "proxy_refused",
        "proxy down",
        FailureKind.REFUSED,
        "ConnectError: [Errno 111] Connection refused; All connection attempts failed (async)",
        "Nobody listens at the port of the proxy.",
        "TheR1D/shell_gpt#600",
    ),
    _info(
        "pool_timeout",
        "no free connection",
        FailureKind.POOL_TIMEOUT,
        "PoolTimeout, after the pool timeout",
        "All connections of the pool are taken, as by streams that nobody closed.",
        "openai/openai-python#763",
    ),
    _info(
        "bad_url",
        "missing or wrong scheme",
        FailureKind.UNSUPPORTED_PROTOCOL,
        "UnsupportedProtocol: Request URL is missing an 'http://' or 'https://' protocol.",
        "The URL is none that can be asked.",
    ),
    _info(
        "write_timeout",
        "the peer does not read",
        FailureKind.WRITE_TIMEOUT,
        "WriteTimeout, after the write timeout",
        "A long request is not taken.",
    ),
    _info(
        "write_reset",
        "reset while the request is sent",
        FailureKind.WRITE_RESET,
        "RemoteProtocolError: Server disconnected without sending a response.; "
        "ReadError without a message (async)",
        "The connection is reset before the whole of a long request was taken.",
    ),
)
