"""What one run got to see: a witness of every reply that was played to it.

It listens to the steps as they are asked for, after every fault, and ends what would
never end: a stream that goes on beyond all patience is a hang, whatever comes in it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cassette_stream.exceptions import HangError
from cassette_stream.script import (
    Emit,
    Fail,
    Framing,
    Head,
    Script,
    Wait,
    chunk_in,
    framing_of,
)

if TYPE_CHECKING:
    from cassette_stream.cassette.model import Request

__all__ = ("Witness", "Witnessed")

_MOST_STEPS = 250_000
"""In one reply; the largest recordings have a tenth of that."""


@dataclass(slots=True)
class Witnessed:
    """One reply as far as it was asked for.

    Attributes:
        request: What it answers.
        patience: Seconds after which it is a hang.
        body: The bytes that were given.
        frames: Moment in seconds since the request, and size in bytes, of each chunk.
        ending: How the body ended; None while it has not.
        has_head: Its reader has the head.
        is_coded: The head says that the body is compressed.
        is_chunked: It says that the body comes in chunks, and a broken one still brings its data.
        is_closed: Its reader came to its end, or closed it.
        struck_at: The bytes that were given before the fault showed, and the moment.
        moment: How far it has come, in seconds since the request.
    """

    request: Request
    patience: float = math.inf
    body: bytearray = field(default_factory=bytearray)
    frames: list[tuple[float, int]] = field(default_factory=list)
    ending: str | None = None
    has_head: bool = False
    is_coded: bool = False
    is_chunked: bool = False
    is_closed: bool = False
    struck_at: tuple[int, float] | None = None
    moment: float = 0.0

    def opened(self) -> None:
        self.has_head = True

    def closed(self) -> None:
        self.is_closed = True

    def strike(self) -> None:
        """A fault shows here."""
        if self.struck_at is None:
            self.struck_at = len(self.body), self.moment

    def watch(self, script: Script) -> Script:
        """The same *script*, noted.

        Raises:
            HangError: While iterating: it goes on beyond all patience.
        """
        for steps, step in enumerate(script):
            # A silence is for a read timeout to end, which is applied behind this.
            is_late = self.patience < self.moment < math.inf and not isinstance(step, Wait)
            if steps > _MOST_STEPS or is_late:
                self.ending = "endless"
                raise HangError(
                    f"the stream goes on after {self.moment:g} s and {len(self.body):,} bytes, "
                    "and its reader has no bound for the whole of it"
                )
            match step:
                case Emit(data):
                    self._give(data)
                case Wait():
                    self.moment += step.seconds
                case Head(headers=headers):
                    self.is_coded = any(name.lower() == "content-encoding" for name, _ in headers)
                    self.is_chunked = framing_of(step) is Framing.CHUNKED
                case Fail(kind, raw=raw):
                    if self.is_chunked and (data := chunk_in(raw)):
                        self._give(data)
                    self.ending = str(kind)
            yield step
        self.ending = self.ending or "complete"

    def _give(self, data: bytes) -> None:
        self.body += data
        self.frames.append((self.moment, len(data)))


class Witness:
    """Watches the replies of one run.

    Args:
        patience: Seconds of a reply after which it is a hang.
    """

    def __init__(self, patience: float = math.inf) -> None:
        self.replies: list[Witnessed] = []
        self._patience = patience

    def __call__(self, request: Request) -> Witnessed:
        reply = Witnessed(request, self._patience)
        self.replies.append(reply)
        return reply

    @property
    def bodies(self) -> tuple[bytes, ...]:
        """The bodies of the replies; none where one of them is compressed."""
        if any(reply.is_coded for reply in self.replies):
            return ()
        return tuple(bytes(reply.body) for reply in self.replies)

    @property
    def left_open(self) -> tuple[str, ...]:
        """The replies that nobody closed."""
        return tuple(
            f"the response to {reply.request.method} {reply.request.url} was left open"
            for reply in self.replies
            if reply.has_head and not reply.is_closed
        )
