"""One HTTP/1.1 connection, request after request.

h11 reads the requests: heads, bodies by length or in chunks, ``Expect: 100-continue``.
The answers are performed, not composed: see `performance`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import h11

from cassette_stream.cassette.model import How, Request
from cassette_stream.script import FailureKind, Script
from cassette_stream.server.answers import json_response
from cassette_stream.server.link import ClientGoneError, Link
from cassette_stream.server.performance import Performance

__all__ = ("Exchange", "Respond", "answer", "serve_connection")

Respond = Callable[[Request], Script]


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """A request and what became of its response, as the server saw it.

    Attributes:
        request: What was asked.
        bytes_sent: Bytes of the body that the kernel took, without the transfer coding.
        how: ``complete``; ``closed_by_caller``: the client left before the end;
            ``cancelled``: the server was stopped; ``failure``: the script failed.
        failure: The kind that was performed; `FailureKind.OTHER` if the script itself
            was in error, which is raised when the server stops.
    """

    request: Request
    bytes_sent: int
    how: How
    failure: FailureKind | None = None


class _Incoming:
    """The requests of one connection, one after the other."""

    def __init__(self, link: Link, url: str) -> None:
        self._link = link
        self._url = url
        self._left_over = b""
        self.keep_alive = True
        self.client_version = "HTTP/1.1"

    async def next(self) -> Request | None:
        """The next request with its whole body; None if the client has no more.

        Raises:
            h11.RemoteProtocolError: What came is not HTTP.
        """
        # One parser a request: it is never told of the answer, which may break HTTP.
        parser = h11.Connection(h11.SERVER)
        if self._left_over:
            parser.receive_data(self._left_over)
        head: h11.Request | None = None
        body: list[bytes] = []
        while True:
            match parser.next_event():
                case h11.Request() as head:
                    self.client_version = f"HTTP/{head.http_version.decode()}"
                case h11.Data(data=data):
                    body.append(bytes(data))
                case h11.EndOfMessage() if head is not None:
                    self.keep_alive = parser.their_state is not h11.MUST_CLOSE
                    self._left_over, _ = parser.trailing_data
                    return self._request(head, b"".join(body))
                case h11.ConnectionClosed():
                    return None
                case _:
                    await self._feed(parser)

    async def _feed(self, parser: h11.Connection) -> None:
        if parser.they_are_waiting_for_100_continue:
            proceed = h11.InformationalResponse(status_code=100, headers=[], reason=b"Continue")
            await self._link.write(parser.send(proceed) or b"")
        parser.receive_data(await self._link.read())

    def _request(self, head: h11.Request, body: bytes) -> Request:
        headers: dict[str, tuple[str, ...]] = {}
        for name, value in head.headers:
            key = name.decode("latin-1")
            headers[key] = (*headers.get(key, ()), value.decode("latin-1"))
        target = head.target.decode("latin-1")
        # A client that takes this server for a proxy asks for a whole URL.
        url = target if target.startswith(("http://", "https://")) else self._url + target
        return Request(method=head.method.decode("ascii"), url=url, headers=headers, body=body)


async def serve_connection(
    link: Link,
    *,
    url: str,
    respond: Respond,
    log: Callable[[Exchange], None],
    complain: Callable[[Exception], None],
) -> None:
    """Answer each request on *link* with the script that *respond* gives for it.

    *log* hears of each exchange as it ends. An error in a script or in *respond* is given
    to *complain*, and to the client if nothing was sent yet.
    """
    incoming = _Incoming(link, url)
    try:
        try:
            while (request := await incoming.next()) is not None:
                performance = Performance(
                    link,
                    method=request.method,
                    client_version=incoming.client_version,
                    keep_alive=incoming.keep_alive,
                )
                await answer(request, respond, performance, log=log, complain=complain)
                if not performance.reusable:
                    break
        except h11.RemoteProtocolError as error:
            refusal = Performance(link, method="GET", client_version="HTTP/1.1", keep_alive=False)
            problem = {"error": {"message": str(error)}}
            await refusal.run(json_response(error.error_status_hint, problem))
    except ClientGoneError:
        return  # there is nobody left to tell
    await link.close()


async def answer(
    request: Request,
    respond: Respond,
    performance: Performance,
    *,
    log: Callable[[Exchange], None],
    complain: Callable[[Exception], None],
) -> None:
    """Perform the script that *respond* gives for *request*, and tell *log* how it ended."""
    how, failure = How.CANCELLED, None
    try:
        failure = await performance.run(respond(request))
        how = How.FAILURE if failure else How.COMPLETE
    except ClientGoneError:
        how = How.CLOSED_BY_CALLER
        raise
    except Exception as error:  # noqa: BLE001 - a user's script may raise anything; complain() keeps it
        complain(error)
        how, failure = How.FAILURE, FailureKind.OTHER
        performance.reusable = False
        if not performance.begun:
            text = f"the script for this request cannot be performed: {error}"
            await performance.run(json_response(501, {"error": {"message": text}}))
    finally:
        sent = performance.bytes_sent
        log(Exchange(request=request, bytes_sent=sent, how=how, failure=failure))
