"""One connection of HTTP/2: its streams side by side, each with the script that answers it.

The package h2 reads the frames, and writes those of answers. What breaks HTTP/2 on purpose
is told as h2 tells it to a client, and done here: a stream reset, a connection given up.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TypeAlias

import h2.config
import h2.connection
import h2.events
import h2.exceptions

from cassette_stream.cassette.model import Request
from cassette_stream.script import Fail, FailureKind, Head, Script
from cassette_stream.server.connection import Exchange, Respond, answer
from cassette_stream.server.link import ClientGoneError, Link
from cassette_stream.server.performance import Performance, refuse

__all__ = ("serve_http2",)

_RESET = re.compile(r"<StreamReset stream_id:\d+, error_code:(\d+)")
_GIVEN_UP = re.compile(r"<ConnectionTerminated error_code:(\d+)")
_CLOSED = "Server disconnected"
_OF_HTTP1 = frozenset(
    {"connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"}
)


@dataclass(slots=True)
class _Asked:
    """A request as far as it came."""

    headers: list[tuple[str, str]]
    body: bytearray = field(default_factory=bytearray)

    def request(self, url: str) -> Request:
        told = dict(self.headers)
        headers: dict[str, tuple[str, ...]] = {}
        for name, value in self.headers:
            if not name.startswith(":"):
                headers[name] = (*headers.get(name, ()), value)
        headers.setdefault("host", (told[":authority"],))
        url += told[":path"]
        return Request(method=told[":method"], url=url, headers=headers, body=bytes(self.body))


class _Wire:
    """The frames of one connection, both ways."""

    def __init__(self, link: Link) -> None:
        config = h2.config.H2Configuration(
            client_side=False, header_encoding="utf-8", validate_outbound_headers=False
        )
        self.h2 = h2.connection.H2Connection(config)
        self.link = link
        self.window_news = asyncio.Event()

    async def flush(self) -> None:
        """Send what h2 has to send.

        Raises:
            ClientGoneError: The client left before that.
        """
        if data := self.h2.data_to_send():
            await self.link.write(data)

    async def send(self, stream: int, data: bytes) -> int:
        """Send some of *data* on *stream*, as soon as the client takes any; tell how much.

        Raises:
            ClientGoneError: The client left before that.
        """
        while not (room := self.h2.local_flow_control_window(stream)):
            self.window_news.clear()
            await self.window_news.wait()
        piece = data[: min(room, self.h2.max_outbound_frame_size)]
        self.h2.send_data(stream, piece)
        await self.flush()
        return len(piece)


class _StreamPerformance(Performance):
    """One script on its way to one stream."""

    def __init__(self, wire: _Wire, stream: int, *, method: str) -> None:
        super().__init__(wire.link, method=method, client_version="HTTP/2", keep_alive=True)
        self._wire = wire
        self._stream = stream
        self._client_left = False
        self._task: asyncio.Task[object] | None = None

    def leave(self) -> None:
        """The client wants no more of this stream."""
        self._client_left = True
        if self._task is not None:
            self._task.cancel()

    async def run(self, script: Script) -> FailureKind | None:
        self._task = asyncio.current_task()
        try:
            return await super().run(script)
        except (asyncio.CancelledError, h2.exceptions.StreamClosedError):
            if self._client_left:
                raise ClientGoneError from None
            raise

    async def _head(self, head: Head) -> None:
        if self.begun:
            raise ValueError(f"a script has one head, this one has another with {head.status}")
        self.begun = True
        # They speak of a connection of HTTP/1.1, and there is none.
        fields = [(name, value) for name, value in head.headers if name not in _OF_HTTP1]
        self._wire.h2.send_headers(self._stream, [(":status", str(head.status)), *fields])
        await self._wire.flush()

    async def _emit(self, data: bytes) -> None:
        if not self.begun:
            raise ValueError(
                f"a script emits after its head, this one has none before {data[:40]!r}"
            )
        await asyncio.sleep(0)
        sent = 0
        while sent < len(data) and self._method != "HEAD":
            sent += await self._wire.send(self._stream, data[sent:])
        self.bytes_sent += sent

    async def _end(self) -> None:
        if self.begun:
            self._wire.h2.end_stream(self._stream)
            await self._wire.flush()
        else:
            await self._link.close()

    async def _fail(self, fail: Fail) -> FailureKind:
        wire = self._wire
        if reset := _RESET.match(fail.detail):
            wire.h2.reset_stream(self._stream, int(reset[1]))
            await wire.flush()
            return fail.kind
        if given_up := _GIVEN_UP.match(fail.detail):
            wire.h2.close_connection(int(given_up[1]), last_stream_id=self._stream)
            await wire.flush()
        elif fail.detail != _CLOSED:
            reason = f"{fail.kind} is of HTTP/1.1" if fail.raw else refuse(fail)
            if reason is not None:
                raise ValueError(f"this connection speaks HTTP/2: {reason}")
            return await super()._fail(fail)
        await self._link.close()
        return fail.kind


_Perform: TypeAlias = Callable[[Request, _StreamPerformance], Coroutine[None, None, None]]


class _Streams:
    """The requests of one connection, and what is performed for them."""

    def __init__(self, wire: _Wire, url: str, perform: _Perform) -> None:
        self._wire = wire
        self._url = url
        self._perform = perform
        self._asked: dict[int, _Asked] = {}
        self._performances: dict[int, _StreamPerformance] = {}
        self._tasks: list[asyncio.Task[None]] = []

    def take(self, event: h2.events.Event) -> None:
        match event:
            case h2.events.RequestReceived(stream_id=stream, headers=headers):
                self._asked[stream] = _Asked([(str(name), str(it)) for name, it in headers])
            case h2.events.DataReceived(stream_id=stream, data=data):
                self._asked[stream].body += data
                self._wire.h2.acknowledge_received_data(event.flow_controlled_length, stream)
            case h2.events.StreamEnded(stream_id=stream):
                self._begin(stream, self._asked.pop(stream).request(self._url))
            case h2.events.StreamReset(stream_id=stream) if stream in self._performances:
                self._performances[stream].leave()
        self._wire.window_news.set()  # it may have been one that makes room

    async def leave(self) -> None:
        """The client is gone."""
        for performance in self._performances.values():
            performance.leave()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _begin(self, stream: int, request: Request) -> None:
        performance = _StreamPerformance(self._wire, stream, method=request.method)
        self._performances[stream] = performance
        self._tasks.append(asyncio.create_task(self._perform(request, performance)))


async def serve_http2(
    link: Link,
    *,
    url: str,
    respond: Respond,
    log: Callable[[Exchange], None],
    complain: Callable[[Exception], None],
) -> None:
    """As `serve_connection`, for a connection of HTTP/2."""

    async def perform(request: Request, performance: _StreamPerformance) -> None:
        with suppress(ClientGoneError):  # there is nobody left to tell
            await answer(request, respond, performance, log=log, complain=complain)

    wire = _Wire(link)
    streams = _Streams(wire, url, perform)
    try:
        wire.h2.initiate_connection()
        await wire.flush()
        while data := await link.read():
            for event in wire.h2.receive_data(data):
                streams.take(event)
            await wire.flush()
    except (ClientGoneError, h2.exceptions.ProtocolError):
        pass
    finally:
        await streams.leave()
    await link.close()
