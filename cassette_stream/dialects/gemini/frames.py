"""The frames of a Gemini body: events of a stream, or the objects of one JSON array.

The provider sends an array where the request did not say ``alt=sse``. The first byte tells
which it is.
"""

from __future__ import annotations

from collections.abc import Iterator

from cassette_stream.exceptions import WireFormatError
from cassette_stream.wire import JSONArrayDecoder, ServerSentEvent, SSEDecoder

__all__ = ("Frames",)

_BOM = b"\xef\xbb\xbf"


class Frames:
    """An incremental decoder for either. *ended* says whether an array came to its bracket."""

    __slots__ = ("_array", "_lead", "_sse")

    def __init__(self) -> None:
        self._lead = b""
        self._array: JSONArrayDecoder | None = None
        self._sse: SSEDecoder[ServerSentEvent] | None = None

    @property
    def ended(self) -> bool:
        return self._array is not None and self._array.ended

    @property
    def truncated(self) -> bool:
        wire = self._array or self._sse
        return wire is not None and wire.truncated

    @property
    def stray(self) -> str:
        return "" if self._sse is None else self._sse.stray

    def feed(self, data: bytes) -> Iterator[ServerSentEvent]:
        """Take *data*, and give an iterator over the frames that it completes.

        Raises:
            WireFormatError: While iterating: as the two decoders say.
            ValueError: After `finish`.
        """
        if self._sse is not None:
            return self._sse.feed(data)
        if self._array is None:
            self._lead += data
            begin = self._lead.removeprefix(_BOM).lstrip()
            if not begin or _BOM.startswith(self._lead):
                return iter(())
            if not begin.startswith(b"["):
                self._sse = SSEDecoder()
                return self._sse.feed(self._lead)
            self._array = JSONArrayDecoder()
            data = begin
        return map(ServerSentEvent, _up_to_the_end(self._array, self._array.feed(data)))

    def only(self, data: bytes) -> ServerSentEvent | None:
        """The one frame that *data* is, as `SSEDecoder.only` says."""
        return None if self._sse is None else self._sse.only(data)

    def finish(self, *, lenient: bool = False) -> Iterator[ServerSentEvent]:
        """Say that the body has ended, and give what that completes.

        Raises:
            WireFormatError: While iterating: the stream was broken before it ended.
        """
        if self._array is not None:
            return map(ServerSentEvent, self._array.finish())
        if self._sse is None:
            self._sse = SSEDecoder()
            self._sse.feed(self._lead)  # blanks, or half a byte order mark
        return self._sse.finish(lenient=lenient)


def _up_to_the_end(array: JSONArrayDecoder, objects: Iterator[str]) -> Iterator[str]:
    """The *objects*; whatever stands behind the bracket is not read, wherever it was cut."""
    try:
        yield from objects
    except WireFormatError:
        if not array.ended:
            raise
