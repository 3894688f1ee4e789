"""Which open session answers a request.

The innermost of the current context does; where none is open there, the only one that
is open in the process, or that plays in the virtual time of this thread; where several
are, nobody, and that is an error: never the network by accident. Sessions leave by
identity, so the order does not matter, nor does the context they are left in.
"""

from __future__ import annotations

import threading
from collections.abc import Collection
from contextvars import ContextVar
from typing import TYPE_CHECKING

from cassette_stream.clock import clock_here
from cassette_stream.exceptions import SessionError

if TYPE_CHECKING:
    from cassette_stream.clock import Clock
    from cassette_stream.session.session import Session

__all__ = ("enter", "find", "innermost", "leave", "tie")

_here: ContextVar[tuple[Session, ...]] = ContextVar("cassette_stream_sessions", default=())
_open: list[Session] = []
_tied: list[tuple[Session, Clock]] = []
_lock = threading.Lock()


def enter(session: Session) -> None:
    """*session* answers from here on."""
    with _lock:
        _open.append(session)
    _here.set((*_here.get(), session))


def tie(session: Session, clock: Clock) -> None:
    """*session* also answers in threads that know nothing but the time, if it is *clock*'s."""
    with _lock:
        _tied.append((session, clock))


def leave(session: Session) -> None:
    """*session* answers no more, wherever it was entered."""
    with _lock:
        _tied[:] = [(other, clock) for other, clock in _tied if other is not session]
        _open[:] = [other for other in _open if other is not session]
    _here.set(tuple(other for other in _here.get() if other is not session))


def innermost(sessions: Collection[Session]) -> Session | None:
    """The one of *sessions* that was entered last in this context, if any was."""
    return next((session for session in reversed(_here.get()) if session in sessions), None)


def find() -> Session | None:
    """The session that answers here, if any is open.

    Raises:
        SessionError: None was entered in this context, and several are open elsewhere.
    """
    with _lock:
        everywhere, tied = list(_open), list(_tied)
    for session in reversed(_here.get()):
        if any(session is other for other in everywhere):
            return session
    if len(everywhere) > 1 and tied and (here := clock_here()) is not None:
        found = [session for session, clock in tied if clock is here]
        if len(found) == 1:
            return found[0]
    if len(everywhere) > 1:
        names = ", ".join(str(session.path) for session in everywhere)
        raise SessionError(
            f"{len(everywhere)} cassettes are open ({names}), and none was entered in this "
            "thread or task, so it cannot be told which one answers: enter one here, run the "
            "thread in contextvars.copy_context(), or pass session.transport() to the client"
        )
    return everywhere[0] if everywhere else None
