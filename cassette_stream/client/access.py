"""What lets a request in where no key does: credentials that others hand out, and that expire.

Getting them may mean asking others, so it is no part of making a request: the shells in
`opening` do it before each attempt, in a thread, for no longer than the caller waits. What is
known already costs no thread.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from contextvars import copy_context
from threading import Lock, Thread
from typing import Any, Protocol

from cassette_stream.exceptions import UnguardedConnectionError

__all__ = ("Access", "Held", "Vault", "adone_in_time", "done_in_time", "guarded")

_MOST = 8


class Access(Protocol):
    """Credentials of one provider. Several threads may use them at once."""

    def is_fresh(self) -> bool:
        """Whether `headers` can be told without asking anybody."""
        ...

    def refresh(self) -> None:
        """Ask for credentials, unless they are fresh.

        Raises:
            APIError: There are none, or it cannot be told.
        """
        ...

    def headers(self, url: str, headers: Mapping[str, str], body: bytes) -> Mapping[str, str]:
        """What lets in the POST of *body* with these *headers* to *url*; names are lower-case.

        Raises:
            APIError: As `refresh`.
        """
        ...

    def secrets(self) -> tuple[str, ...]:
        """What `headers` last told that is nobody's to see, and some providers quote."""
        ...


class Held:
    """Credentials that were found, None before that; who looks for them holds the *lock*.

    *secrets* are what was last told of them.
    """

    def __init__(self) -> None:
        self.lock = Lock()
        self.credentials: Any = None
        self.secrets: tuple[str, ...] = ()


class Vault:
    """What is held in this process, for each environment apart.

    Args:
        names: How the variables begin that say whose credentials those are.
    """

    def __init__(self, *names: str) -> None:
        self._names = names
        self._forget()
        if hasattr(os, "register_at_fork"):
            # A lock that a thread of the parent holds would never be let go.
            os.register_at_fork(after_in_child=self._forget)

    def here(self, of: str = "") -> Held:
        """What is held for the environment as it is, and for whom *of* names of several in it."""
        told = (of, *sorted(it for it in os.environ.items() if it[0].startswith(self._names)))
        with self._lock:
            if told not in self._held and len(self._held) >= _MOST:
                del self._held[next(iter(self._held))]
            return self._held.setdefault(told, Held())

    def _forget(self) -> None:
        self._lock = Lock()
        self._held: dict[tuple[object, ...], Held] = {}


def done_in_time(work: Callable[[], None], seconds: float) -> None:
    """Do the *work*, and wait *seconds* for it; what takes longer is left to itself.

    Raises:
        TimeoutError: It took longer.
        Exception: What *work* raised.
    """
    if math.isinf(seconds):
        work()
        return
    done: Future[None] = Future()
    context = copy_context()
    Thread(target=lambda: context.run(_settle, done, work), daemon=True).start()
    done.result(seconds)


async def adone_in_time(work: Callable[[], None], seconds: float) -> None:
    """The same for asynchronous code, which goes on meanwhile."""
    from anyio import fail_after, to_thread  # noqa: PLC0415 - only asynchronous callers pay for it

    with fail_after(None if math.isinf(seconds) else seconds):
        await to_thread.run_sync(work, abandon_on_cancel=True)


@contextmanager
def guarded() -> Iterator[None]:
    """Let what an open cassette says of a connection come through whatever wraps it."""
    try:
        yield
    except Exception as error:
        refusal = _refusal_in(error)
        if refusal is None:
            raise
        refusal.add_note(
            "credentials are asked for there: name that host in ignore_hosts, or to replay, which "
            "needs none that are true, give any api_key"
        )
        raise refusal from None


def _settle(done: Future[None], work: Callable[[], None]) -> None:
    try:
        work()
    except BaseException as error:  # noqa: BLE001 - raised where it is waited for
        done.set_exception(error)
    else:
        done.set_result(None)


def _refusal_in(error: BaseException) -> UnguardedConnectionError | None:
    seen: BaseException | None = error
    while seen is not None and not isinstance(seen, UnguardedConnectionError):
        seen = seen.__cause__ or seen.__context__
    return seen
