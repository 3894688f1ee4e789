"""What a transport may be told to do with a request, and who tells it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import msgspec

from cassette_stream.cassette.model import Ending, How, Interaction, Request, Response
from cassette_stream.clock import Clock
from cassette_stream.script import FailureKind, Script
from cassette_stream.transport.errors import failure_of
from cassette_stream.transport.headers import headers_of

if TYPE_CHECKING:
    from cassette_stream.recorder import Recorder

__all__ = ("Decision", "Desk", "Listener", "Notes", "Pass", "Play", "Recording")


class Pass(msgspec.Struct, frozen=True):
    """Let the request through and look away."""


class Listener(Protocol):
    """Hears what becomes of one reply."""

    def opened(self) -> None:
        """The caller has the head, and is now to read the body or to close it."""
        ...

    def closed(self) -> None:
        """The caller came to the end of the body, or closed it; it may be told twice."""
        ...


class Play(msgspec.Struct, frozen=True):
    """Perform *script* on *clock*; the network is not touched. *listener* hears of it.

    *http_version* is what is spoken, as long as no head of the script tells. *note* gets each
    chunk right before the caller does.
    """

    script: Script
    clock: Clock
    listener: Listener | None = None
    http_version: str = "HTTP/1.1"
    note: Callable[[bytes], object] | None = None


class Notes(Protocol):
    """Takes down at once what is heard, so that it outlives this process."""

    def head(self, response: Response, at: float, read: float | None) -> None:
        """The head of *response* came *at* this moment, to a caller who waits *read* seconds."""
        ...

    def hear(self, data: bytes, at: float) -> None: ...

    def end(self, ending: Ending, at: float) -> None: ...


class Recording:
    """Let the request through, listen, and hand over the interaction once it has ended.

    Args:
        recorder: Takes down what is heard.
        clock: Tells it when.
        keep: Gets the interaction, once.
        notes: Hears the same, each before the caller does.
    """

    def __init__(
        self,
        recorder: Recorder,
        clock: Clock,
        keep: Callable[[Interaction], None],
        notes: Notes | None = None,
    ) -> None:
        self.hear = recorder.hear if notes is None else self._hear
        self.now = clock.now
        self._recorder = recorder
        self._keep = keep
        self._notes = notes
        self._read: float | None = None
        self._ended = False

    def begin(self, request: Any) -> None:
        """*request* goes out, and waits as long as it says."""
        self._read = request.extensions.get("timeout", {}).get("read")

    def head(self, response: Any) -> None:
        extensions = response.extensions
        reason = extensions.get("reason_phrase")
        at = self.now()
        head = self._recorder.head(
            response.status_code,
            headers_of(response.headers.raw),
            at=at,
            http_version=extensions.get("http_version", b"HTTP/1.1").decode("ascii"),
            reason=None if reason is None else reason.decode("latin-1"),
        )
        if self._notes is not None:
            self._notes.head(head, at, self._read)

    def _hear(self, data: bytes, at: float) -> None:
        self._recorder.hear(data, at)
        assert self._notes is not None
        self._notes.hear(data, at)

    def end(self, how: How) -> None:
        """It ended like this; only the first end counts."""
        self._end(how)

    def fail(self, error: BaseException) -> None:
        """It ended with *error*, which a caller gets to see too."""
        if not isinstance(error, Exception):
            # asyncio and trio cancel by a BaseException, and so does Ctrl-C.
            self._end(How.CANCELLED)
        elif not self._ended:
            self._end(How.FAILURE, *failure_of(error))

    def _end(self, how: How, failure: FailureKind | None = None, message: str = "") -> None:
        if self._ended:
            return
        self._ended = True
        at = self.now()
        interaction = self._recorder.finish(
            how, at=at, failure=failure, message=message, read=self._read
        )
        if self._notes is not None:
            response = interaction.response
            ending = interaction.failure if response is None else response.ending
            assert ending is not None
            self._notes.end(ending, at)
        self._keep(interaction)


Decision: TypeAlias = Pass | Play | Recording


class Desk(Protocol):
    """Says what happens to a request."""

    def decide(self, request: Request) -> Decision: ...
