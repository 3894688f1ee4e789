"""An answer while it is read: bytes in, normal chunks out, and the one place that judges it.

It waits for nothing and knows no HTTP library: two shells in `stream` tell it what came, the
bytes, their end or an exception, and yield what it gives. So whatever is true of synchronous
code is true of asynchronous code.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TypeAlias

from cassette_stream.chunks import (
    ModelResponse,
    ModelResponseStream,
    NormalForm,
    ResponseAccumulator,
)
from cassette_stream.client.asked import Asked
from cassette_stream.client.failures import connection_error, inform
from cassette_stream.exceptions import (
    APIError,
    EmptyStreamError,
    MalformedStreamError,
    StreamProtocolError,
    StreamTruncatedError,
    Timeout,
)

__all__ = ("Piece", "Reading")

Piece: TypeAlias = bytes | Exception | None
"""What comes of a body: bytes, what broke it, or its end."""

_BOM = b"\xef\xbb\xbf"


class Reading:
    """The state of one answer.

    Args:
        asked: The call.
        status: The response's.
        headers: The response's, lower-case.
        id: What chunks are called where the provider does not say.
        created: What chunks say of their time where the provider does not.
        retries: How often the request was tried again.
        now: The time in seconds, of a clock that only goes forward.
        deadline: When there must be an end, by the same clock.

    Attributes:
        over: Nothing more comes, or is wanted.
        chunks_yielded: How many were given.
    """

    def __init__(
        self,
        asked: Asked,
        *,
        status: int,
        headers: Mapping[str, str],
        id: str,  # noqa: A002 - the field's own word
        created: int,
        retries: int,
        now: Callable[[], float],
        deadline: float,
    ) -> None:
        endpoint = asked.endpoint
        self.over = False
        self.chunks_yielded = 0
        self.asked = asked
        self.status = status
        self.headers = headers
        self.retries = retries
        self.decoder = endpoint.dialect.Decoder(strict=asked.strict)
        self.normal = NormalForm(
            include_usage=asked.include_usage,
            model=endpoint.model,
            id=id,
            created=created,
            hidden_params={"custom_llm_provider": endpoint.provider},
        )
        self._answer = ResponseAccumulator()
        self._whole: bytearray | None = None  # of a body that is no stream
        self._sniffed = False
        self._is_stream = False  # and is known to be one
        self._mid_stream = True
        self._now = now
        self._deadline = deadline
        self._began = now()
        self._limit = asked.limits.first
        self._counted = 0  # chunks, when the silence was last counted

    def begin(self) -> None:
        """Count the silence from here on: the caller asks for the first chunk."""
        self._began = self._now()

    def go_on(self) -> None:
        """Count it anew if there was a chunk: the time that the caller took is no silence."""
        if self.chunks_yielded > self._counted:
            self._counted = self.chunks_yielded
            self._began, self._limit = self._now(), self.asked.limits.idle

    def take(self, piece: Piece) -> Iterable[ModelResponseStream]:
        """The chunks that *piece* completes.

        Raises:
            APIError: While iterating: after the chunks before it, and with what there is of the
                answer.
        """
        if self.over:
            return ()
        if not (self._is_stream and isinstance(piece, bytes)) or self._is_late():
            return self._take(piece)
        raw = self.decoder.read(piece)
        if not isinstance(raw, ModelResponseStream):
            return self._take(piece, raw)
        # Nearly all pieces: one event, which says a little more of one answer.
        passed = self.normal.passes(raw)
        if passed is None:
            return self._take(piece, (raw,))
        self._answer.follow(raw, passed)
        self.chunks_yielded += 1
        return (raw,)

    def _take(
        self, piece: Piece, raw: Iterable[ModelResponseStream] | None = None
    ) -> Iterator[ModelResponseStream]:
        """What *piece* completes; *raw* are its chunks where it was read already."""
        try:
            if isinstance(piece, bytes):
                self._check_time()
                yield from self._said(self._events(piece) if raw is None else raw)
                if not self.decoder.terminal_seen:
                    return
                piece = None
            yield from self._said(self._rest(piece))
        except APIError as error:
            self.over = True
            yield from self._last_words(usage=False)
            self._inform(error)
            raise
        self.over = True
        yield from self._last_words(usage=True)
        if self._mid_stream and self.asked.strict and (broken := self.normal.broken_calls):
            # Whoever adds up the deltas is about to make this call, and must not.
            refusal = MalformedStreamError(f"{broken[0]}: arguments are no JSON")
            self._inform(refusal)
            raise refusal

    def take_whole(self, body: bytes) -> Iterator[ModelResponseStream]:
        """The chunks of a *body* that was read to its end, and need not be a stream.

        Raises:
            APIError: As `take`.
        """
        start = _start(body)
        is_stream = bool(start) and self.decoder.is_stream(start)
        self._whole = None if is_stream else bytearray()
        self._sniffed = True
        self._mid_stream = False
        yield from self.take(body)
        yield from self.take(None)

    def response(self) -> ModelResponse | None:
        """The answer so far, None before its first chunk."""
        response = self._answer.response()
        if response is not None:
            self.normal.supplement(response)
        return response

    @property
    def text(self) -> str:
        return self._answer.text()

    @property
    def warnings(self) -> list[str]:
        return [*self.decoder.warnings, *self.normal.warnings]

    def _inform(self, error: APIError) -> None:
        inform(error, self.asked, headers=self.headers, retries=self.retries)
        error.mid_stream = self._mid_stream
        error.chunks_yielded = self.chunks_yielded if self._mid_stream else 0
        error.generated_content = self.text
        error.partial = self.response()
        error.is_pre_first_chunk = error.chunks_yielded == 0

    def _said(self, raw: Iterable[ModelResponseStream]) -> Iterator[ModelResponseStream]:
        normal, finished, strict = self.normal, self.normal.finish_reasons, self.asked.strict
        add = self._answer.add
        for chunk in normal.feed(raw):
            add(chunk)
            self.chunks_yielded += 1
            yield chunk
            if finished and strict and normal.late:
                raise StreamProtocolError("the model went on after its finish reason")

    def _last_words(self, *, usage: bool) -> Iterator[ModelResponseStream]:
        """What is left when all is over; *usage* belongs to streams that came to their end."""
        for chunk in self.normal.end():
            if usage or not chunk.is_usage_only:
                self._answer.add(chunk)
                self.chunks_yielded += 1
                yield chunk

    def _events(self, data: bytes) -> Iterable[ModelResponseStream]:
        if not self._sniffed and (start := _start(data)):
            self._sniffed = True
            if self.decoder.is_stream(start) is False:
                self._whole = bytearray()
        if self._whole is None:
            self._is_stream = self._sniffed
            chunks: Iterable[ModelResponseStream] = self.decoder.feed(data)
            return chunks
        self._whole += data
        return ()

    def _rest(self, cause: Exception | None) -> Iterator[ModelResponseStream]:
        """What the end of the body completes; *cause* is what broke it, if anything did."""
        try:
            if self._whole is None:
                yield from self.decoder.finish()
            elif cause is None:
                yield from self.asked.endpoint.dialect.whole_body(
                    bytes(self._whole), strict=self.asked.strict
                )
            else:
                raise StreamTruncatedError("the body was cut")
        except (EmptyStreamError, StreamTruncatedError):
            if cause is None:
                raise
            error = connection_error(cause, phase=self._phase(), url=self.asked.address)
            raise (error or cause) from (error and cause)

    def _phase(self) -> str:
        """What the caller waits for."""
        if self._now() >= self._deadline:
            return "total"
        return "idle" if self.chunks_yielded else "first_chunk"

    def _is_late(self) -> bool:
        now = self._now()
        return now - self._began > self._limit or now >= self._deadline

    def _check_time(self) -> None:
        if self._is_late():
            phase, limits = self._phase(), self.asked.limits
            limit = limits.total if phase == "total" else self._limit
            raise Timeout(
                f"{self.asked.address} took longer than {limit:g} s ({phase})", phase=phase
            )


def _start(body: bytes) -> bytes:
    return body.removeprefix(_BOM).lstrip()
