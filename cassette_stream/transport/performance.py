"""A script on its way to a caller of httpx or httpx2: all but the waiting.

The two shells, one that sleeps and one that awaits, are in `transport.httpx`.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any

from cassette_stream.clock import VirtualClock, clock_here
from cassette_stream.exceptions import HangError
from cassette_stream.replayer import Faithful
from cassette_stream.script import Emit, Fail, FailureKind, Head, Script, framed, timeline
from cassette_stream.transport.desk import Play
from cassette_stream.transport.errors import library_of, raised_by

__all__ = ("Performance",)


class Performance:
    """*play*, as the answer to *request*; *playing* until its caller has left."""

    def __init__(self, play: Play, request: Any, *, is_async: bool) -> None:
        self.clock = request.extensions["cassette_stream_clock"] = play.clock
        self._is_async, self._over_tls = is_async, request.url.scheme == "https"
        self._script = self._seen(play, request.method)
        self._listener = play.listener
        self.note = play.note
        self._limits = dict(request.extensions.get("timeout", {}))
        self._read = self._limits.get("read")
        self._url = request.url
        self._library = library_of(request)
        self._start = self.clock.now()
        self.playing = True
        self.clock.join()
        # What comes has its moment on the stream's own time line. A consumer that is
        # late finds bytes that are already there, as on a socket.
        self.things = self._told(self._script, self._start)

    def _seen(self, play: Play, method: str) -> Script:
        # The TLS of the synchronous backend takes a reset for an end like any other.
        reset_is_end = self._over_tls and not self._is_async
        script = play.script
        # A recording is what a client saw; what a fault made of it goes through HTTP again.
        if isinstance(script, Faithful) and not (
            reset_is_end and script.fails_by(FailureKind.RESET)
        ):
            return script
        return framed(
            script, method=method, http_version=play.http_version, reset_is_end=reset_is_end
        )

    def first(self) -> tuple[float, Head | Fail]:
        moment, thing = next(self.things, (0.0, None))
        if isinstance(thing, Head | Fail):
            self._start = moment
            return moment, thing
        raise TypeError(f"a script begins with a head or fails before it, this one has {thing}")

    def shortcut(self) -> Iterator[bytes]:
        """The chunks that can be had without asking the time; what is left is in `things`."""
        if not (isinstance(self._script, Faithful) and isinstance(self.clock, VirtualClock)):
            return iter(())
        if clock_here() is not None:
            return iter(())  # the caller himself may ask the time between two chunks
        found = self._script.shortcut(self._read)
        if found is None:
            return iter(())
        chunks, seconds = found
        # The empty emit tells the clock how long the body took.
        rest = chain([Emit(b"")], self._script.ending())
        self.things = self._told(rest, self._start + seconds)
        return chunks if self.note is None else _noted(chunks, self.note)

    def _told(self, script: Script, start: float) -> Iterator[tuple[float, Head | Emit | Fail]]:
        try:
            yield from timeline(script, start=start, read=self._read, limits=self._limits)
        except HangError:
            # The clock knows whether something else may end the silence: a deadline of
            # the caller's, where his event loop goes by the same time.
            yield math.inf, Fail(FailureKind.READ_TIMEOUT)

    def error(self, thing: Head | Fail) -> Exception:
        self._over()  # the connection is gone, so there is nothing left to close
        if isinstance(thing, Head):
            return TypeError(f"a script has one head, this one has another in the body: {thing}")
        return raised_by(
            thing,
            self._library,
            is_async=self._is_async,
            on_trio=self._is_async and _on_trio(),
            host=self._url.host,
            port=self._url.port or (443 if self._over_tls else 80),
            over_tls=self._over_tls,
        )

    def response(self, head: Head, stream: object) -> Any:
        if self._listener is not None:
            self._listener.opened()
        extensions = {"http_version": head.http_version.encode("ascii")}
        if head.reason is not None:
            extensions["reason_phrase"] = head.reason.encode("latin-1")
        return self._library.Response(
            head.status,
            headers=[
                (name.encode("latin-1"), text.encode("latin-1")) for name, text in head.headers
            ],
            stream=stream,
            extensions=extensions,
        )

    def close(self) -> None:
        """The caller is at the end, or wants no more."""
        self._over()
        self.leave()

    def _over(self) -> None:
        if self._listener is not None:
            self._listener.closed()

    def leave(self) -> None:
        """The caller is gone; where nobody closed, he has left the response open."""
        if self.playing:
            self.playing = False
            self.clock.leave()


def _noted(chunks: Iterator[bytes], note: Callable[[bytes], object]) -> Iterator[bytes]:
    for chunk in chunks:
        note(chunk)
        yield chunk


def _on_trio() -> bool:
    """Whether trio runs this code, so that httpcore does its I/O by trio."""
    lowlevel = sys.modules.get("trio.lowlevel")
    return lowlevel is not None and bool(lowlevel.in_trio_task())
