"""The stream that callers iterate, and the two shells that read a response for it.

Whoever drops the iterator closes the stream, by whichever way: the end, a ``break``, an
exception in the loop, `close`, a ``with`` block, or nobody holding it any more. So the
generator that reads is owned by the loop that iterates it, and the wrapper only knows it.
"""

from __future__ import annotations

import weakref
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator, Mapping
from types import TracebackType
from typing import Any, Self

from cassette_stream.chunks import ModelResponseStream
from cassette_stream.chunks.usage import Usage
from cassette_stream.client.drain import adrain, drain, interrupt, unwind
from cassette_stream.client.failures import request_id_of
from cassette_stream.client.reading import Piece, Reading

__all__ = (
    "CustomStreamWrapper",
    "agiven",
    "alet_go",
    "apieces",
    "areadings",
    "given",
    "readings",
)

_Chunks = Generator[ModelResponseStream, None, None]
_AsyncChunks = AsyncGenerator[ModelResponseStream, None]


class CustomStreamWrapper:
    """The chunks of one answer, for ``for`` or, from `acompletion`, for ``async for``.

    Attributes:
        model: The name of the model, without its provider.
        custom_llm_provider: The provider's.
        status_code: The HTTP status.
        response_headers: The response's headers, lower-case.
    """

    def __init__(
        self, reading: Reading, chunks: _Chunks | _AsyncChunks, response: Any = None
    ) -> None:
        endpoint = reading.asked.endpoint
        self.model = endpoint.model
        self.custom_llm_provider = endpoint.provider
        self.status_code = reading.status
        self.response_headers: Mapping[str, str] = reading.headers
        self._reading = reading
        self._response = response
        self._held: _Chunks | _AsyncChunks | None = chunks
        self._known = weakref.ref(chunks)
        self._in_block = False

    @property
    def text(self) -> str:
        """What the first choice said so far."""
        return self._reading.text

    @property
    def response(self) -> Any:
        """The answer so far, as a `ModelResponse`; None before the first chunk."""
        return self._reading.response()

    @property
    def usage(self) -> Usage | None:
        """What was billed, as far as the provider said."""
        return self._reading.normal.usage

    @property
    def finish_reasons(self) -> dict[int, str]:
        """Why each choice ended, by its index."""
        return dict(self._reading.normal.finish_reasons)

    @property
    def raw_finish_reasons(self) -> dict[int, str]:
        """The same in the provider's own words."""
        return dict(self._reading.normal.raw_finish_reasons)

    @property
    def complete(self) -> bool:
        """Whether the model came to its end, for every choice."""
        return self._reading.normal.complete

    @property
    def terminal_seen(self) -> bool:
        """Whether the provider said that nothing more comes."""
        return self._reading.decoder.terminal_seen

    @property
    def warnings(self) -> list[str]:
        """What is odd about the answer so far."""
        return self._reading.warnings

    @property
    def request_id(self) -> str | None:
        """The provider's name for the request."""
        return request_id_of(self.response_headers)

    @property
    def _hidden_params(self) -> dict[str, object]:
        """What ported code reads there."""
        headers = {f"llm_provider-{name}": it for name, it in self.response_headers.items()}
        return {
            "custom_llm_provider": self.custom_llm_provider,
            "api_base": self._reading.asked.endpoint.base,
            "additional_headers": headers,
        }

    def __iter__(self) -> Iterator[ModelResponseStream]:
        chunks = self._sync_chunks()
        self._held = None
        return iter(()) if chunks is None else chunks

    def __next__(self) -> ModelResponseStream:
        chunks = self._sync_chunks()
        if chunks is None:
            raise StopIteration
        return next(chunks)

    def close(self) -> None:
        """Close the connection; nothing more comes. Closing twice does no harm.

        Another thread that waits for a chunk meanwhile gets none.
        """
        chunks: Any = self._sync_chunks()
        self._held = None
        if chunks is None:
            return
        if chunks.gi_running:
            self._reading.over = True
            interrupt(self._response)
        else:
            chunks.close()

    def __enter__(self) -> Self:
        self._sync_chunks()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __aiter__(self) -> AsyncIterator[ModelResponseStream]:
        chunks = self._async_chunks()
        if not self._in_block:
            self._held = None
        return _nothing() if chunks is None else chunks

    async def __anext__(self) -> ModelResponseStream:
        chunks = self._async_chunks()
        if chunks is None:
            raise StopAsyncIteration
        return await anext(chunks)

    async def aclose(self) -> None:
        """Close the connection; nothing more comes. Closing twice does no harm.

        Another task that waits for a chunk meanwhile gets none.
        """
        chunks: Any = self._async_chunks()
        self._held = None
        if chunks is None:
            return
        if chunks.ag_running:
            self._reading.over = True
            await self._response.aclose()
        else:
            await chunks.aclose()

    async def __aenter__(self) -> Self:
        # The end of the block closes, at once; a loop in it that is left need not, a little
        # later, and trio would warn of what it left.
        self._held, self._in_block = self._async_chunks(), True
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    def _sync_chunks(self) -> _Chunks | None:
        chunks = self._known()
        if isinstance(chunks, AsyncGenerator):
            raise TypeError("this stream is asynchronous: use async for, async with and aclose")
        return chunks

    def _async_chunks(self) -> _AsyncChunks | None:
        chunks = self._known()
        if isinstance(chunks, Generator):
            raise TypeError("this stream is synchronous: use acompletion for async code")
        return chunks


def readings(reading: Reading, response: Any) -> _Chunks:
    """The chunks of *response*, which is closed when they end or nobody wants more."""
    chunks = _read(reading, response)
    next(chunks)  # what has begun is closed even if nobody asks for a chunk
    return chunks


async def areadings(reading: Reading, response: Any) -> _AsyncChunks:
    """The same for asynchronous code; the event loop closes what is dropped."""
    chunks = _aread(reading, response)
    await anext(chunks)
    return chunks


def given(chunks: list[ModelResponseStream]) -> _Chunks:
    """The *chunks* of an answer that came whole."""
    yield from chunks


async def agiven(chunks: list[ModelResponseStream]) -> _AsyncChunks:
    """The same for asynchronous code."""
    for chunk in chunks:
        yield chunk


def _read(reading: Reading, response: Any) -> _Chunks:
    pieces = _pieces(response)
    try:
        yield ModelResponseStream()
        reading.begin()
        for piece in pieces:
            yield from reading.take(piece)
            reading.go_on()
            if reading.over:
                drain(pieces, response)
                return
    finally:
        pieces.close()
        response.close()


async def _aread(reading: Reading, response: Any) -> _AsyncChunks:
    pieces = apieces(response)
    try:
        yield ModelResponseStream()
        reading.begin()
        async for piece in pieces:
            for chunk in reading.take(piece):
                yield chunk
            reading.go_on()
            if reading.over:
                await adrain(pieces)
                return
    finally:
        await alet_go(response, pieces)


async def alet_go(response: Any, pieces: AsyncGenerator[Piece, None]) -> None:
    """Close *response* and its *pieces*."""
    import anyio  # noqa: PLC0415 - only asynchronous callers pay for it

    # A task that is cancelled still gives its connection back.
    with anyio.CancelScope(shield=True):
        await response.aclose()
        if _ends_once_closed(response):
            await unwind(pieces)
        await pieces.aclose()


def _ends_once_closed(response: Any) -> bool:
    """Whether *response* is a network's or a replay's; a stream of somebody's own may go on."""
    replay = "cassette_stream_clock" in response.request.extensions
    return replay or "network_stream" in response.extensions


def _pieces(response: Any) -> Generator[Piece, None, None]:
    try:
        yield from response.iter_bytes()
    except Exception as error:  # noqa: BLE001 - a value for `Reading`, which raises it
        yield error
    else:
        yield None


async def apieces(response: Any) -> AsyncGenerator[Piece, None]:
    """The body of *response* piece by piece, and what ended it: an exception, or None."""
    # A content coding that breaks leaves what is below half read, and trio would warn of that.
    below = response.aiter_raw()
    response.aiter_raw = lambda: below
    for body in (response.aiter_bytes(), below):
        try:
            async for data in body:
                yield data
        except Exception as error:  # noqa: BLE001 - a value for `Reading`, which raises it
            yield error
        else:
            yield None


async def _nothing() -> _AsyncChunks:
    return
    yield
