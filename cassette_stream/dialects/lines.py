"""The lines of an NDJSON body, as events without a name."""

from __future__ import annotations

from collections.abc import Iterator

from cassette_stream.wire import NDJSONDecoder, ServerSentEvent

__all__ = ("Lines",)


class Lines:
    """An incremental decoder of lines. There is no *stray* one: each is an event."""

    __slots__ = ("_wire",)

    stray = ""

    def __init__(self) -> None:
        self._wire = NDJSONDecoder()

    @property
    def truncated(self) -> bool:
        return self._wire.truncated

    def feed(self, data: bytes) -> Iterator[ServerSentEvent]:
        """Take *data*, and give an iterator over the lines that it completes.

        Raises:
            WireFormatError: While iterating: as `NDJSONDecoder.feed` says.
            ValueError: After `finish`.
        """
        return map(ServerSentEvent, self._wire.feed(data))

    def only(self, data: bytes) -> ServerSentEvent | None:
        """The one line that *data* is, as `NDJSONDecoder.only` says."""
        line = self._wire.only(data)
        return None if line is None else ServerSentEvent(line)

    def finish(self, *, lenient: bool = False) -> Iterator[ServerSentEvent]:  # noqa: ARG002
        """Say that the body has ended, and give what that completes, *lenient* or not.

        Raises:
            WireFormatError: While iterating: the stream was broken before it ended.
        """
        return map(ServerSentEvent, self._wire.finish())
