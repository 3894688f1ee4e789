"""Transport faults, twice each: what a server does for real, and the rule that says the same."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import brotli
import zstandard
from reference_server import (
    Act,
    chunk,
    close,
    close_notified,
    each,
    heard,
    http2,
    http2_data,
    http2_end,
    http2_goaway,
    http2_head,
    http2_reset,
    receive,
    request,
    reset,
    sending,
    silence,
)

__all__ = ("CASES", "LARGE", "ONE", "OVER_TLS", "THREE", "TWO", "UNDER_TRIO", "Case")

ONE, TWO, THREE = (b'data: {"n": %d}\n\n' % n for n in (1, 2, 3))
"""The events of the recording that each rule breaks."""

LARGE = b"x" * 20_000_000  # more than the kernel takes without a reader
SSH = b"SSH-2.0-OpenSSH_9.6"
ALERT = b"\x15\x03\x01\x00\x02\x02\x46"


@dataclass(frozen=True, kw_only=True)
class Case:
    """A server that does *acts* to a connection, and the *rule* that says the same.

    Attributes:
        fields: What the recorded head says besides the type of the content.
        fails: Whether the client notices; what it does not notice is the same too.
        blind: The modes in which it does not.
        scheme: Of the URL.
        http2: HTTP/2 is spoken, and was when the recording was made.
        handshake: The handshake is made before *acts*; else they meet its first bytes.
        trusted: The client trusts who signed the certificate.
        named: Whom the certificate is for.
        host: Whom the URL names.
        limit: The timeout that is short; the others are long.
        soon: How many seconds that is.
        content: What is uploaded.
        first: What becomes of a request before: nothing, ``read`` or ``held`` open.
        where: What is asked: the server, a port where nobody listens or accepts, a proxy
            that is none, or no URL at all.
        options: Of the client's transport.
    """

    rule: str
    acts: tuple[Act, ...] = ()
    fields: tuple[tuple[str, str], ...] = ()
    fails: bool = True
    blind: tuple[str, ...] = ()
    scheme: str = "http"
    http2: bool = False
    handshake: bool = True
    trusted: bool = True
    named: str = "127.0.0.1"
    host: str = "127.0.0.1"
    limit: str = ""
    soon: float = 0.25
    content: bytes = b"{}"
    first: str = ""
    where: str = "server"
    options: dict[str, Any] = field(default_factory=dict)


def head(*fields: str, version: str = "HTTP/1.1", status: str = "200 OK") -> bytes:
    lines = "".join(f"{line}\r\n" for line in ("content-type: text/event-stream", *fields))
    return f"{version} {status}\r\n{lines}\r\n".encode()


CHUNKED = head("transfer-encoding: chunked")
CLOSING = head("connection: close")
LENGTH = str(len(ONE + TWO + THREE))


def instead(rule: str, *acts: Act, **more: Any) -> Case:
    """The server reads the request, and there is no head."""
    return Case(rule=rule, acts=(request, *acts), **more)


def behind(rule: str, begun: bytes, *acts: Act, **more: Any) -> Case:
    """The server has *begun* to answer, and the client has got that."""
    return instead(rule, sending(begun), heard, *acts, **more)


def in_chunks(rule: str, *acts: Act, **more: Any) -> Case:
    """The first event came, in a body in chunks."""
    return behind(rule, CHUNKED + chunk(ONE), *acts, **more)


def whole(rule: str, *chunks: bytes, coding: str = "identity", **more: Any) -> Case:
    """A body in *chunks* that is whole, as far as HTTP can tell."""
    first = head("transfer-encoding: chunked", f"content-encoding: {coding}")
    return instead(rule, sending(first + b"".join(map(chunk, chunks)) + b"0\r\n\r\n"), **more)


def corrupt(rule: str, coding: str, first: bytes, second: bytes, *, begun: bytes = b"") -> Case:
    """The *first* chunk was good; the *second* begins with what no block begins with."""
    good = head("transfer-encoding: chunked", f"content-encoding: {coding}") + chunk(first)
    return behind(rule, good, sending(chunk(begun + b"\xff" + second[1:])), silence)


def over_http2(rule: str, *acts: Act, **more: Any) -> Case:
    """The first event came over HTTP/2."""
    begun = (http2, http2_head(("content-type", "text/event-stream")), http2_data(ONE), heard)
    return Case(rule=rule, acts=(*begun, *acts), http2=True, scheme="https", **more)


def compressed(squeeze: Callable[[bytes], bytes], flush: Callable[[], bytes]) -> list[bytes]:
    """The events, each in compressed data of its own."""
    return [squeeze(data) + flush() for data in (ONE, TWO, THREE)]


_gzip, _br = zlib.compressobj(wbits=31), brotli.Compressor()
_zstd = zstandard.ZstdCompressor().compressobj()
GZIP = compressed(_gzip.compress, lambda: _gzip.flush(zlib.Z_SYNC_FLUSH))
EMPTY = b"\0\0\0\xff\xff"  # a block of deflate with nothing in it
BR = compressed(_br.process, _br.flush)
ZSTD = compressed(_zstd.compress, lambda: _zstd.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK))
BY_LENGTH = {"fields": (("content-length", LENGTH),)}
BY_CLOSE = {"fields": (("connection", "close"),)}

CONNECT = {
    "dns": Case(rule="connect.dns", where="nowhere"),
    "dns for now": Case(rule="connect.dns@code=EAI_AGAIN", where="nowhere for now"),
    "refused": Case(rule="connect.refused", where="closed"),
    "proxy refused": Case(rule="connect.proxy_refused", where="proxy"),
    "timeout": Case(rule="connect.timeout", where="deaf", limit="connect"),
    "no scheme": Case(rule="connect.bad_url", where="no URL"),
    "pool timeout": Case(rule="connect.pool_timeout@request=2", acts=(request, sending(CHUNKED + chunk(ONE)), silence), first="held", limit="pool"),
    "write timeout": Case(rule="connect.write_timeout", acts=(silence,), content=LARGE, limit="write"),
    "reset in the upload": Case(rule="connect.write_reset", acts=(receive, reset), content=LARGE),
    "untrusted": Case(rule="connect.tls_untrusted", acts=(close,), scheme="https", trusted=False),
    "another address": Case(rule="connect.tls_hostname", acts=(close,), scheme="https", named="other.test"),
    "another host": Case(rule="connect.tls_hostname", acts=(close,), scheme="https", named="other.test", host="localhost"),
    "closed in the handshake": Case(rule="connect.tls_eof", acts=(receive, close), scheme="https", handshake=False),
    "no TLS": Case(rule="connect.tls_plain", acts=(receive, sending(b"HTTP/1.1 400 Bad Request\r\n\r\n"), silence), scheme="https", handshake=False),
    "silent in the handshake": Case(rule="connect.tls_stall", acts=(silence,), scheme="https", handshake=False, limit="connect"),
}  # fmt: skip
HEAD = {
    "closed before the head": instead("head.close", close),
    "closed before a second head": instead("head.close@request=2", sending(CHUNKED + chunk(ONE) + b"0\r\n\r\n"), request, close, first="read"),
    "reset before the head": instead("head.reset", reset),
    "silent before the head": instead("head.stall", silence, limit="read"),
    "closed in the head": instead("head.cut", sending(CHUNKED[:20]), close),
    "a banner": instead("head.garbage", sending(SSH + b"\r\n\r\n"), close),
    "a TLS alert": instead("head.garbage@what=tls_alert", sending(ALERT), close),
    "redirect loop": Case(rule="head.redirect_loop", acts=(each(head("location: /v1", "content-length: 0", status="307 Temporary Redirect")),)),
    "two framings": instead("head.te_and_cl", sending(head("transfer-encoding: chunked", "content-length: 1") + chunk(ONE + TWO + THREE) + b"0\r\n\r\n"), fails=False),
}  # fmt: skip
BODY = {
    "closed between chunks": in_chunks("body.fin@event=2", close),
    "closed inside JSON": behind("body.fin@event=2,inside=json", CHUNKED + chunk(ONE + TWO[:10]), close),
    "closed before the first chunk": instead("body.fin@byte=0", sending(CHUNKED), close),
    "closed in a chunk header": in_chunks("body.fin@event=2,http_chunk=header", sending(b"1f"), close),
    "closed before a chunk's data": in_chunks("body.fin@event=2,http_chunk=data", sending(b"1f\r\n"), close),
    "closed in a known length": behind("body.fin@event=2", head(f"content-length: {LENGTH}") + ONE, close, **BY_LENGTH),
    "closed in a body until close": behind("body.fin@event=2", CLOSING + ONE, close, **BY_CLOSE, fails=False),
    "reset between chunks": in_chunks("body.reset@event=2", reset),
    "reset in a known length": behind("body.reset@event=2", head(f"content-length: {LENGTH}") + ONE, reset, **BY_LENGTH),
    "reset in a body until close": behind("body.reset@event=2", CLOSING + ONE, reset, **BY_CLOSE),
    "silent between chunks": in_chunks("body.stall@event=2", silence, limit="read"),
    "held open": in_chunks("body.hold_open", sending(chunk(TWO) + chunk(THREE)), silence, limit="read"),
    "clean end": instead("body.clean_end@event=2", sending(CHUNKED + chunk(ONE) + b"0\r\n\r\n"), fails=False),
    "until close": behind("body.eof_delimited@event=2", CLOSING + ONE, close, fails=False),
    "HTTP/1.0": behind("body.eof_delimited@event=2,how=http/1.0", head(version="HTTP/1.0") + ONE, close, fails=False),
    "length too long": behind("body.length_long@event=2,by=500", head(f"content-length: {len(ONE) + 500}") + ONE, close),
    "length too short": instead("body.length_short@event=2", sending(head(f"content-length: {len(ONE)}") + ONE + TWO + THREE), silence, fails=False),
    "bad chunk size": in_chunks("body.bad_chunk@event=2", sending(b"zz\r\n"), silence),
    "bad chunk footer": instead("body.bad_chunk@event=2,part=footer", sending(CHUNKED + b"%x\r\n%b {" % (len(ONE), ONE)), silence),
}  # fmt: skip
CODINGS = {
    "gzip cut": whole("body.gzip_cut@event=2", GZIP[0], coding="gzip", fails=False),
    "br cut": whole("body.gzip_cut@event=2,coding=br", BR[0], coding="br", fails=False),
    "zstd cut": whole("body.gzip_cut@event=2,coding=zstd", ZSTD[0], coding="zstd"),
    "gzip corrupt": corrupt("body.gzip_corrupt@event=2", "gzip", *GZIP[:2], begun=EMPTY),
    "br corrupt": corrupt("body.gzip_corrupt@event=2,coding=br", "br", *BR[:2]),
    "zstd corrupt": corrupt("body.gzip_corrupt@event=2,coding=zstd", "zstd", *ZSTD[:2]),
    "plain text called gzip": whole("body.encoding_lie", ONE, TWO, THREE, coding="gzip"),
    "gzip not called so": whole("body.encoding_missing", *GZIP, _gzip.flush(), fails=False),
}
OVER_TLS = {
    f"{name}, over TLS": replace(case, scheme="https")
    for name, case in (CONNECT | HEAD | BODY).items()
    if case.where == "server" and case.scheme == "http"
}
# The TLS of Python takes a reset for an end, and such a body lasts until the end.
_UNSEEN = "reset in a body until close, over TLS"
OVER_TLS[_UNSEEN] = replace(OVER_TLS[_UNSEEN], blind=("sync",))
NOTIFIED = {
    f"{name}, notified": replace(case, acts=(*case.acts[:-1], close_notified))
    for name, case in OVER_TLS.items()
    if case.acts[-1] is close
}
HTTP2 = {
    "RST_STREAM": over_http2("body.h2_rst@event=2", http2_reset(2), silence),
    "RST_STREAM, CANCEL": over_http2("body.h2_rst@event=2,code=CANCEL", http2_reset(8), silence),
    "RST_STREAM, REFUSED_STREAM": over_http2("body.h2_rst@event=2,code=REFUSED_STREAM", http2_reset(7), silence),
    "GOAWAY": over_http2("body.h2_goaway@event=2", http2_goaway(0), silence),
    "GOAWAY, ENHANCE_YOUR_CALM": over_http2("body.h2_goaway@event=2,code=ENHANCE_YOUR_CALM", http2_goaway(11), silence),
    "END_STREAM": over_http2("body.h2_end_cut@event=2", http2_end, silence, fails=False),
    "closed, by the rule for HTTP/2": over_http2("body.h2_fin@event=2", close),
    "closed": over_http2("body.fin@event=2", close),
    "closed, notified": over_http2("body.h2_fin@event=2", close_notified),
    "reset, by the rule for HTTP/2": over_http2("body.h2_reset@event=2", reset),
    "reset": over_http2("body.reset@event=2", reset),
    "silent": over_http2("body.stall@event=2", silence, limit="read"),
    "closed in a known length": Case(rule="body.fin@event=2", acts=(http2, http2_head(("content-type", "text/event-stream"), ("content-length", LENGTH)), http2_data(ONE), heard, close), http2=True, scheme="https", **BY_LENGTH),
    "closed before the head": Case(rule="head.close", acts=(http2, close), http2=True, scheme="https"),
    "reset before the head": Case(rule="head.reset", acts=(http2, reset), http2=True, scheme="https"),
    "silent before the head": Case(rule="head.stall", acts=(http2, silence), http2=True, scheme="https", limit="read"),
}  # fmt: skip
HTTP2 = {f"HTTP/2: {name}": case for name, case in HTTP2.items()}
CASES = CONNECT | HEAD | BODY | CODINGS | OVER_TLS | NOTIFIED | HTTP2
UNDER_TRIO = (CONNECT | HEAD | BODY | HTTP2).keys() | {it for it in OVER_TLS if "reset" in it}
"""The cases in which trio may differ."""
