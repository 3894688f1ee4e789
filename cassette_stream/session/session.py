"""One cassette in use: what it answers, what it takes down, and what it writes in the end."""

from __future__ import annotations

import importlib
import os
import threading
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

from cassette_stream import storage
from cassette_stream.cassette import CassetteReader
from cassette_stream.cassette.model import Interaction, Request
from cassette_stream.clock import Clock, PacedClock, RealClock, VirtualClock, clock_here
from cassette_stream.exceptions import (
    CassetteError,
    CassetteMissError,
    CassetteNotFoundError,
    SessionError,
    UnfiredRuleError,
    UnfiredRuleWarning,
    UnplayedError,
)
from cassette_stream.replayer import Replayer, script_of
from cassette_stream.script import Script
from cassette_stream.session import current
from cassette_stream.session.network import refusal
from cassette_stream.session.options import Mode, Options, Pace, redactor_of, with_environment
from cassette_stream.session.unbroken import Unbroken
from cassette_stream.transport import guard, patch
from cassette_stream.transport.desk import Decision, Listener, Pass, Play, Recording
from cassette_stream.transport.httpx import async_transport, sync_transport
from cassette_stream.transport.on_demand import OnDemand

if TYPE_CHECKING:
    import httpx
    from respx import Route, Router

    # What only recordings and faults need is imported by them.
    from cassette_stream.cassette.redact import Redactor, Replacement
    from cassette_stream.faults import Injector, Rule, Strike
    from cassette_stream.session.recordings import Recordings

__all__ = ("Delivery", "Reply", "Session")


class Reply(Listener, Protocol):
    """Somebody who sees one reply as it is performed."""

    def strike(self) -> None:
        """A fault shows here."""
        ...

    def watch(self, script: Script) -> Script:
        """The steps to perform: *script*, or what the watcher makes of it."""
        ...


@dataclass(frozen=True, slots=True)
class Delivery:
    """What the caller got of one replayed response.

    Attributes:
        request: What it answers, redacted.
        chunks: The chunks of the body, in order.
    """

    request: Request
    chunks: list[bytes] = field(default_factory=list)


class Session:
    """A cassette in use; `use_cassette` opens one and closes it again.

    Args:
        path: The file.
        options: How it is used.
        recorded: What is in it, where somebody has read it already.
        observe: Gets each request that is about to be answered, and gives who sees the reply.
    """

    def __init__(
        self,
        path: str | Path,
        options: Options,
        *,
        recorded: CassetteReader | None = None,
        observe: Callable[[Request], Reply] | None = None,
    ) -> None:
        self.path = Path(path)
        # What is written goes where it was read, even if the block changes the folder.
        self._file = self.path.absolute()
        self.mode = options.mode
        self._options = options
        self._environment = {} if options.redact is None else dict(os.environ)
        self._clock = _clock(options.pace)
        self._lock = threading.RLock()
        self._given = recorded
        self._observe = observe
        self._reader: CassetteReader | tuple[Interaction, ...] = ()
        self._replayer: Replayer | None = None
        # The one that was read last: repeats and rewinds play it again and again.
        self._last: tuple[int, Interaction] | None = None
        self._injector = _injector(options, self._lock)
        self._may_compare_as_is = options.matchers.are_ours and options.faults is None
        self.misses: list[CassetteError] = []
        self._routers: list[Router] = []
        self._deliveries: list[Delivery] | None = None
        self._is_open = False
        self._discarded = False
        self._recordings: Recordings | None = None

    @property
    def recorded(self) -> tuple[Interaction, ...]:
        """What this session took down, as it will be written, in the order of its requests."""
        return self._recordings.interactions if self._recordings else ()

    @property
    def redactions(self) -> tuple[Replacement, ...]:
        """What was replaced in what was `recorded`: kind, place and placeholder of each secret."""
        return tuple(self._recordings.replaced) if self._recordings and self.recorded else ()

    @property
    def interactions(self) -> tuple[Interaction, ...]:
        """What the cassette held at the start, then what was `recorded`."""
        return (*self._reader, *self.recorded)

    @property
    def played(self) -> tuple[Interaction, ...]:
        """The interactions that were played, each once, in recorded order."""
        return self._where(played=True)

    @property
    def unplayed(self) -> tuple[Interaction, ...]:
        """The interactions that could have been played and were not."""
        return self._where(played=False)

    @property
    def play_counts(self) -> tuple[int, ...]:
        """How often each interaction that could be played was, in recorded order."""
        return tuple(self._replayer.played) if self._replayer else ()

    @property
    def asked(self) -> tuple[Interaction, ...]:
        """The interactions that were asked for, each once, in the order of the requests."""
        return tuple(self._reader[number] for number in self._injector.asked)  # type: ignore[call-overload]  # they are numbers

    @property
    def strikes(self) -> tuple[Strike, ...]:
        """The faults that struck so far, and on which request and attempt."""
        return tuple(self._injector.strikes)

    @property
    def deliveries(self) -> tuple[Delivery, ...]:
        """What was delivered of each reply, in their order, since `note_deliveries`."""
        return tuple(self._deliveries or ())

    def note_deliveries(self) -> None:
        """Note from here on which chunks the caller gets; it costs a little for each."""
        self._deliveries = []

    def _where(self, *, played: bool) -> tuple[Interaction, ...]:
        counts = enumerate(self.play_counts)
        return tuple(self._reader[number] for number, times in counts if bool(times) is played)

    def check_played(self) -> None:
        """Make sure that nothing was left over.

        Raises:
            UnplayedError: Some interactions were not played; it names them.
        """
        if left := self.unplayed:
            names = "\n".join(f"  {it.request.method} {it.request.url}" for it in left)
            raise UnplayedError(
                f"{len(left)} of the interactions in {self.path} were never played:\n{names}"
            )

    def rewind(self) -> None:
        """Start over at the first interaction; nothing counts as played."""
        with self._lock:
            if self._replayer is not None:
                self._replayer.rewind()
                self._injector.rewind()

    def discard(self) -> None:
        """Write nothing on leaving; the file stays as it is."""
        self._discarded = True

    @property
    def discarded(self) -> bool:
        """Whether nothing is written on leaving."""
        return self._discarded

    def transport(self, inner: httpx.BaseTransport | None = None) -> httpx.BaseTransport:
        """A transport for an `httpx.Client` that this session answers, wherever it is used.

        Args:
            inner: What sends the requests that are recorded; by default the transport
                that the client would have without us.
        """
        made: httpx.BaseTransport = self._made("httpx", "HTTPTransport", sync_transport, inner)
        return made

    def async_transport(
        self, inner: httpx.AsyncBaseTransport | None = None
    ) -> httpx.AsyncBaseTransport:
        """The same for an `httpx.AsyncClient`."""
        made: httpx.AsyncBaseTransport = self._made(
            "httpx", "AsyncHTTPTransport", async_transport, inner
        )
        return made

    def httpx2_transport(self, inner: Any = None) -> Any:
        """The same for an `httpx2.Client`, with an httpx2 transport inside."""
        return self._made("httpx2", "HTTPTransport", sync_transport, inner)

    def httpx2_async_transport(self, inner: Any = None) -> Any:
        """The same for an `httpx2.AsyncClient`."""
        return self._made("httpx2", "AsyncHTTPTransport", async_transport, inner)

    def _made(self, library: str, default: str, wrap: Any, inner: Any) -> Any:
        module = importlib.import_module(library)
        return wrap(module, self, OnDemand(module, default) if inner is None else inner)

    def respx(self, router: Router) -> Route:
        """Mount what is recorded as a route of *router*, and give the route.

        It comes behind the routes that are there already, which therefore answer first. It
        plays as the session does: chunks, gaps, endings and faults, each interaction once,
        whatever the options say. What the cassette does not hold is left to routes that are
        added later; where none of them has it, it is a miss. While respx mocks by *router*,
        clients of httpx are answered by its routes, those of httpx2 by the session still.

        Args:
            router: Such as ``respx.mock`` or the fixture ``respx_mock``.

        Raises:
            SessionError: The session is closed, or it records.
            TypeError: That is no router of respx, which knows httpx and not httpx2.
        """
        from cassette_stream.transport.respx import mount  # noqa: PLC0415 - imports respx

        if not self._is_open:
            raise SessionError(f"the session of {self.path} is closed: open it, then mount it")
        if self._replayer is None or self.mode is Mode.NEW_EPISODES:
            raise SessionError(
                f"the session of {self.path} records, in mode {self.mode.value!r}, and a route of "
                "respx only plays: record it without respx, then open it with mode='none'"
            )
        route = mount(router, self)
        self._routers.append(router)
        return route

    def leaves_to_router(self, transport: object) -> bool:
        """Whether a router of respx answers what *transport* is asked, and the session by it."""
        if not self._routers:
            return False
        from cassette_stream.transport.respx import answers  # noqa: PLC0415 - as above

        return any(answers(router, transport) for router in self._routers)

    def open(self) -> None:
        """Read the file, as far as the mode needs it, and answer from here on.

        Raises:
            CassetteNotFoundError: There is no file, and the mode does not allow to make one.
            CassetteFormatError: The file is no cassette.
        """
        if self._is_open:
            raise SessionError(f"the session of {self.path} is open already")
        try:
            reader = self._given
            if reader is None:
                reader = CassetteReader(storage.read(self._file), file=str(self.path))
        except CassetteNotFoundError:
            if self.mode is Mode.NONE:
                raise
        else:
            if self.mode in {Mode.NEW_EPISODES, Mode.ALL, Mode.REWRITE}:
                reader.check()  # what is damaged is told before anything is recorded over it
            self._reader = reader
            if self.mode in {Mode.NONE, Mode.ONCE, Mode.NEW_EPISODES}:
                self._replayer = Replayer(
                    reader, self._options.matchers, allow_repeats=self._options.allow_repeats
                )
        patch.install(current.find)
        guard.install(refusal)
        self._is_open = True
        current.enter(self)

    def close(self, error: BaseException | None = None) -> None:
        """Answer no more, write what was recorded, and tell what went unnoticed.

        A response that is still being read ends as closed by the caller. A miss that an
        SDK swallowed is raised here, unless *error* is on its way already, which then gets
        it as a note; so does a fault that never struck.
        """
        self.leave()
        problems = [*self._saved(), *self.misses[:1], *self._unfired()]
        first = error if error is not None or not problems else problems[0]
        for problem in problems:
            if problem is not first and first is not None:
                first.add_note(f"cassette-stream: {problem}")
        if error is None and first is not None:
            raise first

    def leave(self) -> None:
        """Answer no more; nothing is written, and nothing is raised."""
        self._is_open = False
        current.leave(self)
        guard.remove()
        patch.remove()
        if self._recordings is not None:
            self._recordings.leave()

    def _saved(self) -> list[Exception]:
        """Write what was recorded, and give what went wrong with it."""
        if self._recordings is None:
            return []
        seen = self._reader if isinstance(self._reader, CassetteReader) else None
        return self._recordings.save(seen, discarded=self._discarded)

    def unfired(self) -> list[str]:
        """Why each rule that never struck did not."""
        if self._replayer is None:
            return []  # a recording is never broken
        return self._injector.unfired(self._faithful)

    def _unfired(self) -> list[UnfiredRuleError]:
        reasons = self.unfired()
        faults = self._options.faults
        if faults is not None and faults.on_unfired == "warn":
            for reason in reasons:
                warnings.warn(reason, UnfiredRuleWarning, stacklevel=2)
            return []
        return [UnfiredRuleError(reason) for reason in reasons]

    def _faithful(self, number: object) -> Script:
        assert isinstance(number, int)
        return script_of(self._reader[number])

    def decide(self, request: Request) -> Decision:
        """What is to be done with *request*; the transports ask this.

        Raises:
            CassetteMissError: Nothing recorded answers it, and the mode does not record.
            SessionError: The session is not open.
        """
        if not self._is_open:
            raise SessionError(f"the session of {self.path} is closed: {self._live(request).url}")
        options = self._options
        if options.ignores(urlsplit(request.url).hostname or ""):
            return Pass()
        if options.before_record_request is not None:
            changed = options.before_record_request(request)
            if changed is None:
                return Pass()
            request = changed
        replayer = self._replayer
        if replayer is None:
            with self._lock:
                return self._record(request)
        return self._answered(replayer, request)

    def _answered(self, replayer: Replayer, request: Request) -> Decision:
        """What is recorded for *request*; where nothing is, as the mode says."""
        # What is as it was recorded holds no secret: nothing need be looked for in it.
        if self._may_compare_as_is:
            with self._lock:
                if (number := replayer.find(request)) is not None:
                    return self._play(replayer.request(number), number)
        live = self._live(request)
        with self._lock:
            if (number := replayer.find(live)) is not None:
                return self._play(live, number)
            if (script := self._injector.follow_up(live)) is not None:
                return self._performed(script, live, self._observe and self._observe(live))
            if self.mode is not Mode.NEW_EPISODES:
                raise self._miss(replayer, live)
            return self._record(request)

    @cached_property
    def _redactor(self) -> Redactor | None:
        return with_environment(redactor_of(self._options.redact), self._environment)

    def _live(self, request: Request) -> Request:
        """The *request* without its secrets, as recorded ones are."""
        return self._redactor.request(request) if self._redactor is not None else request

    def lets_out(self, host: str) -> bool:
        """Whether network stacks that no cassette sees may connect to *host* meanwhile."""
        return not self._options.guard or self._options.ignores(host)

    def _play(self, live: Request, number: int) -> Play:
        if self._last is None or self._last[0] != number:
            self._last = number, self._reader[number]
        replayer, reply = self._replayer, self._observe and self._observe(live)
        assert replayer is not None

        def strike(rule: Rule) -> None:
            # What was broken is not used up: whoever tries again finds it. Where a fault does
            # no harm nobody should, so the next of its kind comes first.
            replayer.give_back(number, last=rule.is_gentle)
            if reply is not None:
                reply.strike()

        interaction = self._last[1]
        script = self._injector.rewrite(script_of(interaction), live, number, strike)
        response = interaction.response
        version = response.http_version if response else "HTTP/1.1"
        return self._performed(script, live, reply, version)

    def _performed(
        self, script: Script, live: Request, reply: Reply | None, http_version: str = "HTTP/1.1"
    ) -> Play:
        if reply is not None:
            script = reply.watch(script)
        note = None
        if self._deliveries is not None:
            self._deliveries.append(delivery := Delivery(live))
            note = delivery.chunks.append
        return Play(script, self._clock_of_play(), reply, http_version, note)

    def _clock_of_play(self) -> Clock:
        # Where the caller's own timers are virtual, it is by them that a replay goes.
        here, pace = clock_here(), self._options.pace
        if here is None:
            return self._clock
        return PacedClock(here, pace) if isinstance(pace, float) else here

    def _record(self, request: Request) -> Recording:
        if self._recordings is None:
            from cassette_stream.session.recordings import Recordings  # noqa: PLC0415 - see above

            self._recordings = Recordings(self._file, self.path, self._options, self._redactor)
        return self._recordings.begin(request)

    def _miss(self, replayer: Replayer, live: Request) -> CassetteMissError:
        words = replayer.miss(live)
        miss = CassetteMissError(f"{words}\nin {self.path}, mode {self.mode.value!r}")
        self.misses.append(miss)
        return miss


def _injector(options: Options, lock: threading.RLock) -> Injector | Unbroken:
    if options.faults is None:
        return Unbroken()
    from cassette_stream.faults import Injector  # noqa: PLC0415 - see above

    return Injector(options.faults, lock=lock)


def _clock(pace: Pace) -> Clock:
    # It is the clock that goes faster, not the script: so a read timeout sees the same
    # silence at every pace.
    if pace == "instant":
        return VirtualClock()
    return RealClock() if pace == "recorded" else RealClock(pace)
