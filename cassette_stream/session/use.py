"""The door: a cassette for a block of code or a function, synchronous or not."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, ParamSpec, TypeVar, cast

from cassette_stream.cassette.match import Matcher
from cassette_stream.cassette.model import Request, Response
from cassette_stream.session import current
from cassette_stream.session.options import Options, Pace
from cassette_stream.session.session import Session

if TYPE_CHECKING:
    from cassette_stream.cassette.redact import Redactor
    from cassette_stream.faults import Faults

__all__ = ("UseCassette", "use_cassette")

P = ParamSpec("P")
T = TypeVar("T")


def use_cassette(
    path: str | Path,
    *,
    mode: str | None = None,
    match_on: Sequence[str | Matcher] = ("method", "url", "body"),
    ignore: Sequence[str] = (),
    pace: Pace = "instant",
    faults: Faults = (),
    redact: Redactor | Literal["default"] | None = "default",
    allow_repeats: bool = False,
    before_record_request: Callable[[Request], Request | None] | None = None,
    before_record_response: Callable[[Response], Response | None] | None = None,
    ignore_hosts: Sequence[str] = (),
    ignore_localhost: bool = False,
    guard: bool = True,
    keep_incomplete: bool = False,
) -> UseCassette:
    """Record what httpx and httpx2 clients do, or play it back.

    A context manager, ``with`` and ``async with`` alike, that gives the `Session`; and a
    decorator for functions and coroutine functions, with a session for each call.

    Args:
        path: The cassette, a YAML file.
        mode: ``once`` (the default) records where there is no file and plays where there
            is one; ``none`` (the default where the variable ``CI`` is set) only plays;
            ``new_episodes`` plays what is there and appends the rest; ``all`` records
            everything and replaces what it matches; ``rewrite`` starts the file anew.
        match_on: What makes two requests the same: ``method``, ``url``, ``scheme``,
            ``host``, ``port``, ``path``, ``query``, ``headers``, ``body``, or your own
            function of the recorded and the live request that gives None or the difference.
        ignore: Places that do not count, such as ``metadata.run_id`` or ``messages[*].id``.
        pace: ``instant`` plays without waiting, on a virtual clock that read timeouts
            still see; ``recorded`` takes the time that the recording took; a number plays
            so many times as fast.
        faults: How the replayed streams break: a `cassette_stream.faults.Plan`; or rules and
            faults of `cassette_stream.faults`, or their text, as in ``"body.fin@event=6"``,
            which apply in turn. A reply that was broken can be asked for again, as a retry
            does.
        redact: What is replaced before anything is written; None keeps everything.
        allow_repeats: Start over after the last interaction that matches.
        before_record_request: Gets each request; gives it back, or a changed one to match
            and to record, or None to let it through unseen.
        before_record_response: Gets each response that was recorded; gives it back, or a
            changed one, or None to leave the interaction out.
        ignore_hosts: Hosts whose requests go through unseen; ``*`` stands for anything.
        ignore_localhost: Let requests to this machine through unseen.
        guard: Refuse connections of network stacks that no cassette sees.
        keep_incomplete: In the modes ``all`` and ``rewrite``, let a recording that broke off
            take the place of one that is complete.

    Raises:
        ValueError: An option has a value that does not exist.
        TypeError: An option is of the wrong type.
    """
    options = Options.checked(
        mode=mode,
        match_on=match_on,
        ignore=ignore,
        pace=pace,
        faults=faults,
        redact=redact,
        allow_repeats=allow_repeats,
        before_record_request=before_record_request,
        before_record_response=before_record_response,
        ignore_hosts=ignore_hosts,
        ignore_localhost=ignore_localhost,
        guard=guard,
        keep_incomplete=keep_incomplete,
    )
    return UseCassette(Path(path), options)


class UseCassette:
    """What `use_cassette` gives. Each entering is a session of its own."""

    def __init__(self, path: Path, options: Options) -> None:
        self._path = path
        self._options = options
        self._sessions: list[Session] = []

    def __enter__(self) -> Session:
        session = Session(self._path, self._options)
        session.open()
        self._sessions.append(session)
        return session

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # Threads and tasks that share this enter and leave in any order.
        session = current.innermost(self._sessions) or self._sessions[-1]
        self._sessions.remove(session)
        session.close(error)

    async def __aenter__(self) -> Session:
        return self.__enter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.__exit__(kind, error, traceback)

    def __call__(self, function: Callable[P, T]) -> Callable[P, T]:
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise TypeError(
                f"{function.__qualname__} is a generator, whose body runs whenever somebody asks: "
                "use the cassette inside it, by a with statement"
            )
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def with_cassette(*args: P.args, **kwargs: P.kwargs) -> Any:
                with UseCassette(self._path, self._options):
                    return await function(*args, **kwargs)

            return cast("Callable[P, T]", with_cassette)

        @functools.wraps(function)
        def played(*args: P.args, **kwargs: P.kwargs) -> T:
            with UseCassette(self._path, self._options):
                return function(*args, **kwargs)

        return played
