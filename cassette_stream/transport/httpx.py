"""The tee and the performers, for httpx and httpx2 alike.

A transport asks its `Desk` what to do with a request and does it: it lets the request
through, lets it through and listens, or performs a script instead. All that is decided
is decided elsewhere; the synchronous and the asynchronous shell differ in the wait alone.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from functools import cache, partial
from types import ModuleType, SimpleNamespace
from typing import Any, assert_never

from cassette_stream.cassette.model import How, Request
from cassette_stream.script import Emit, Fail
from cassette_stream.transport import guard
from cassette_stream.transport.desk import Desk, Pass, Play, Recording
from cassette_stream.transport.errors import library_of
from cassette_stream.transport.headers import headers_of
from cassette_stream.transport.performance import Performance

__all__ = ("OurTransport", "async_transport", "sync_transport")


@cache
def _streams(library: Any) -> SimpleNamespace:  # noqa: C901 - four classes of few lines
    """The four body streams, as children of *library*'s own, which its clients insist on."""

    class SyncTee(library.SyncByteStream):  # type: ignore[misc]  # known when it runs
        def __init__(self, inner: Any, recording: Recording) -> None:
            self._inner = inner
            self._recording = recording

        def __iter__(self) -> Iterator[bytes]:
            hear, now = self._recording.hear, self._recording.now
            try:
                for data in self._inner:
                    hear(data, now())
                    yield data
            except GeneratorExit:
                raise  # the caller turned away; he may still close, or another thread does
            except BaseException as error:
                self._recording.fail(error)
                raise
            self._recording.end(How.COMPLETE)

        def close(self) -> None:
            self._recording.end(How.CLOSED_BY_CALLER)
            self._inner.close()

    class AsyncTee(library.AsyncByteStream):  # type: ignore[misc]  # known when it runs
        def __init__(self, inner: Any, recording: Recording) -> None:
            self._inner = inner
            self._recording = recording
            self._parts = self._heard()

        def __aiter__(self) -> AsyncIterator[bytes]:
            return self._parts

        async def _heard(self) -> AsyncGenerator[bytes]:
            hear, now = self._recording.hear, self._recording.now
            try:
                async for data in self._inner:
                    hear(data, now())
                    yield data
            except GeneratorExit:
                raise
            except BaseException as error:
                self._recording.fail(error)
                raise
            self._recording.end(How.COMPLETE)

        async def aclose(self) -> None:
            self._recording.end(How.CLOSED_BY_CALLER)
            await _aclose(self._parts)
            await self._inner.aclose()

    class SyncPlayed(library.SyncByteStream):  # type: ignore[misc]  # known when it runs
        def __init__(self, performance: Performance) -> None:
            self._performance = performance

        def __iter__(self) -> Iterator[bytes]:
            performance = self._performance
            now, sleep_until = performance.clock.now, performance.clock.sleep_until
            note = performance.note
            try:
                yield from performance.shortcut()
                for moment, thing in performance.things:
                    if moment > now():
                        sleep_until(moment)
                    if not isinstance(thing, Emit):
                        raise performance.error(thing)
                    if note is not None:
                        note(thing.data)
                    if thing.data:
                        yield thing.data
                performance.close()
            finally:
                performance.leave()

        def close(self) -> None:
            self._performance.close()

    class AsyncPlayed(library.AsyncByteStream):  # type: ignore[misc]  # known when it runs
        def __init__(self, performance: Performance) -> None:
            self._performance = performance
            self._parts = self._played()

        def __aiter__(self) -> AsyncIterator[bytes]:
            return self._parts

        async def _played(self) -> AsyncGenerator[bytes]:
            performance = self._performance
            now, sleep_until = performance.clock.now, performance.clock.asleep_until
            note = performance.note
            try:
                for moment, thing in performance.things:
                    # A client that has closed this response while another task reads it.
                    if not performance.playing:
                        return
                    if moment > now():
                        await sleep_until(moment)
                    if not isinstance(thing, Emit):
                        raise performance.error(thing)
                    if note is not None:
                        note(thing.data)
                    if thing.data:
                        yield thing.data
                performance.close()
            finally:
                performance.leave()

        async def aclose(self) -> None:
            self._performance.close()
            await _aclose(self._parts)

    return SimpleNamespace(
        SyncTee=SyncTee, AsyncTee=AsyncTee, SyncPlayed=SyncPlayed, AsyncPlayed=AsyncPlayed
    )


async def _aclose(parts: Any) -> None:
    """End what a caller turned away from: trio warns of generators that are dropped half way."""
    if not parts.ag_running:  # else another task is reading
        await parts.aclose()


def _asked(request: Any) -> Request:
    return Request(
        method=request.method,
        url=str(request.url),
        headers=headers_of(request.headers.raw),
        body=request.content,
    )


def _plain(request: Any) -> Any:
    """*request*, asking for a body without content coding unless the caller chose one."""
    library = library_of(request)
    if request.headers.get("accept-encoding") != _default_codings(library):
        return request
    headers = request.headers.copy()
    headers["accept-encoding"] = "identity"
    plain = library.Request(
        request.method,
        request.url,
        headers=headers,
        stream=request.stream,
        extensions=request.extensions,
    )
    plain.read()  # it is in memory; a transport may want to see `content`
    return plain


@cache
def _default_codings(library: ModuleType) -> str | None:
    """The codings that a client of *library* asks for when nobody tells it which."""
    client = library.Client(transport=library.MockTransport(lambda _: library.Response(200)))
    with client:
        codings: str | None = client.headers.get("accept-encoding")
    return codings


def _perform(play: Play, request: Any) -> Any:
    performance = Performance(play, request, is_async=False)
    try:
        moment, thing = performance.first()
        performance.clock.sleep_until(moment)
        if isinstance(thing, Fail):
            raise performance.error(thing)
    except BaseException:
        performance.leave()
        raise
    return performance.response(thing, _streams(library_of(request)).SyncPlayed(performance))


async def _aperform(play: Play, request: Any) -> Any:
    performance = Performance(play, request, is_async=True)
    try:
        moment, thing = performance.first()
        await performance.clock.asleep_until(moment)
        if isinstance(thing, Fail):
            raise performance.error(thing)
    except BaseException:
        performance.leave()
        raise
    return performance.response(thing, _streams(library_of(request)).AsyncPlayed(performance))


def _teed(response: Any, library: ModuleType, tee: Callable[[Any], object]) -> Any:
    """*response*, to be read through a *tee* of its stream.

    One that was read already would never be asked for its stream: a mock made it of
    bytes, or a transport below has looked into it. The latter leaves the decoded body.
    """
    stream, headers = response.stream, response.headers
    if not response.is_stream_consumed:
        response.stream = tee(stream)
        return response
    if not isinstance(stream, library.ByteStream):
        stream = library.ByteStream(response.content)
        if "content-encoding" in headers:
            headers = headers.copy()
            del headers["content-encoding"]
            headers.pop("content-length", None)
    return library.Response(
        response.status_code, headers=headers, stream=tee(stream), extensions=response.extensions
    )


def _listen(recording: Recording, request: Any, inner: Any) -> Any:
    library = library_of(request)
    recording.begin(request)
    try:
        with guard.allowed():
            response = inner.handle_request(_plain(request))
        tee = partial(_streams(library).SyncTee, recording=recording)
        response = _teed(response, library, tee)
    except BaseException as error:
        recording.fail(error)
        raise
    recording.head(response)
    return response


async def _alisten(recording: Recording, request: Any, inner: Any) -> Any:
    library = library_of(request)
    recording.begin(request)
    try:
        with guard.allowed():
            response = await inner.handle_async_request(_plain(request))
        tee = partial(_streams(library).AsyncTee, recording=recording)
        response = _teed(response, library, tee)
    except BaseException as error:
        recording.fail(error)
        raise
    recording.head(response)
    return response


class OurTransport:
    """What every transport of ours is, so that none is wrapped twice."""


@cache
def _transports(library: Any) -> SimpleNamespace:  # noqa: C901 - two classes
    """The two transports, as children of *library*'s own."""

    class SyncTransport(OurTransport, library.BaseTransport):  # type: ignore[misc]  # known when it runs
        def __init__(self, desk: Desk, inner: Any) -> None:
            self._desk = desk
            self._inner = inner

        def handle_request(self, request: Any) -> Any:
            request.read()
            decision = self._desk.decide(_asked(request))
            match decision:
                case Play():
                    return _perform(decision, request)
                case Recording():
                    return _listen(decision, request, self._inner)
                case Pass():
                    with guard.allowed():
                        return self._inner.handle_request(request)
            assert_never(decision)

        def close(self) -> None:
            self._inner.close()

    class AsyncTransport(OurTransport, library.AsyncBaseTransport):  # type: ignore[misc]  # known when it runs
        def __init__(self, desk: Desk, inner: Any) -> None:
            self._desk = desk
            self._inner = inner

        async def handle_async_request(self, request: Any) -> Any:
            await request.aread()
            decision = self._desk.decide(_asked(request))
            match decision:
                case Play():
                    return await _aperform(decision, request)
                case Recording():
                    return await _alisten(decision, request, self._inner)
                case Pass():
                    with guard.allowed():
                        return await self._inner.handle_async_request(request)
            assert_never(decision)

        async def aclose(self) -> None:
            await self._inner.aclose()

    return SimpleNamespace(SyncTransport=SyncTransport, AsyncTransport=AsyncTransport)


def sync_transport(library: ModuleType, desk: Desk, inner: Any) -> Any:
    """A transport of *library* that does as *desk* says and uses *inner* for the network."""
    return _transports(library).SyncTransport(desk, inner)


def async_transport(library: ModuleType, desk: Desk, inner: Any) -> Any:
    """The same for asynchronous clients."""
    return _transports(library).AsyncTransport(desk, inner)
