"""A server on the loopback interface, for tests, demos and clients in any language.

It runs in a thread of its own, with an event loop of its own, so it serves synchronous
code, asyncio and trio alike. It starts and stops within seconds or says that it did
not, and leaves neither thread nor socket behind.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from threading import Condition
from types import TracebackType
from typing import TYPE_CHECKING, Self

from cassette_stream.cassette.model import Cassette, How, Interaction, Request
from cassette_stream.chunks import Message, ModelResponse
from cassette_stream.exceptions import UnfiredRuleError, UnfiredRuleWarning
from cassette_stream.faults import Faults, Plan, Strike, plan_of
from cassette_stream.script import Emit, Fail, Head, Script, Step, Wait
from cassette_stream.server.answers import gzipped
from cassette_stream.server.connection import Exchange, serve_connection
from cassette_stream.server.embedded import complete
from cassette_stream.server.endpoints import Endpoints
from cassette_stream.server.link import Link
from cassette_stream.server.performance import refuse
from cassette_stream.server.routes import Pace, Played, Routes, Where, raw, speed_of
from cassette_stream.server.thread import ServerThread
from cassette_stream.server.told import in_turn, model_of

if TYPE_CHECKING:
    import ssl

__all__ = ("LoopbackServer",)


class LoopbackServer:
    """Performs scripts on a real socket, plays and breaks cassettes, and answers as a model does.

    Without being told anything it answers at the model endpoints (see
    `cassette_stream.server.ENDPOINTS`) by the rules of the embedded model
    (`cassette_stream.server.embedded`). Use it in a ``with`` or ``async with``, under
    asyncio or trio.

    Args:
        gap: Seconds between two events of a model's stream.
        first_gap: Seconds before the first event; *gap* if not given.
        compress: All streams and bodies are gzipped, whatever the client accepts.
        tls: How to encrypt; its certificate is what clients have to trust. HTTP/2 is spoken
            where its ALPN offers ``h2`` and the client takes it (extra ``http2``).
        close_notify: Whether a connection over TLS says that it ends before it is closed, as
            it should; without that, clients cannot tell an end from a connection that is cut.
    """

    def __init__(
        self,
        *,
        gap: float = 0.0,
        first_gap: float | None = None,
        compress: bool = False,
        tls: ssl.SSLContext | None = None,
        close_notify: bool = True,
    ) -> None:
        first = gap if first_gap is None else first_gap
        if not (gap >= 0 and first >= 0):
            raise ValueError(f"gaps must be 0 seconds or more, not {gap} and {first}")
        self._endpoints = Endpoints(gap=gap, first_gap=first)
        self._routes = Routes(self._endpoints, complete)
        self._compress = compress
        self._tls = tls
        self._close_notify = close_notify
        self._thread: ServerThread | None = None
        self._asked: dict[int, Request] = {}
        self._ended: list[Exchange] = []
        self._told: set[int] = set()
        self._news = Condition()
        self._errors: list[Exception] = []
        self._played: list[tuple[Played, Plan]] = []

    def script(self, where: Where, factory: Callable[[Request], Script]) -> None:
        """Answer each request at *where* with the script that *factory* makes for it.

        An error that *factory* or the script raises is answered with a 501, if nothing
        was sent yet, and raised when the server stops.
        """
        self._routes.add(raw(where, factory))

    def respond(self, steps: Iterable[Step], *, path: Where = None) -> None:
        """Answer every request at *path*, every request at all if None, with these *steps*.

        Raises:
            TypeError: One of *steps* is no step.
            ValueError: One of *steps* cannot be performed by a server.
        """
        kept = tuple(steps)
        for step in kept:
            if not isinstance(step, Wait | Head | Emit | Fail):
                raise TypeError(f"a step is a Wait, Head, Emit or Fail, not {step!r}")
            reason = refuse(step) if isinstance(step, Fail) else None
            if reason is not None:
                raise ValueError(reason)
        self.script(path, lambda _: iter(kept))

    def play(
        self,
        recorded: Cassette | Iterable[Interaction],
        *,
        pace: Pace = "recorded",
        faults: Faults = (),
    ) -> None:
        """Answer each request with the next unplayed interaction of its method and path.

        Hosts, queries and bodies are not compared. When a path has no more, the answer
        is a 404 that says so.

        Args:
            recorded: What is played.
            pace: How fast.
            faults: How the replies break, for real, as `use_cassette` takes it. One that was
                broken can be asked for again. A rule that never struck is an error when the
                server stops, or a warning, as the plan says.

        Raises:
            ValueError: *pace* is neither ``recorded``, ``instant`` nor a factor above 0.
            PlanError: A fault makes no sense, or is none that this server can bring about, such
                as those of the layer ``connect``, and those of HTTP/2 without *tls*.
        """
        interactions = recorded.interactions if isinstance(recorded, Cassette) else recorded
        plan = plan_of(faults)
        played = Played(interactions, speed_of(pace), plan, http2=self._tls is not None)
        self._played.append((played, plan))
        self._routes.add(played)

    @property
    def strikes(self) -> tuple[Strike, ...]:
        """The faults that struck so far, and on which request and attempt."""
        return tuple(strike for played, _ in self._played for strike in played.strikes)

    def answer(self, *completions: ModelResponse | Message | str | None) -> None:
        """Answer the requests at the model endpoints with *completions*, one after the other.

        The last one answers all that come behind it. A message ends as messages do, a text is
        one, and None is what is answered by default.

        Raises:
            TypeError: One of *completions* is something else.
            ValueError: There are none.
        """
        self._routes.model = in_turn([model_of(each) for each in completions])

    def reset(self) -> None:
        """Forget what was told and what was asked, and answer as at the start.

        The URL stays. The first error of a script that could not be performed is raised, as
        when the server stops.

        Raises:
            UnfiredRuleError: A fault that replies were to break with never struck.
        """
        self._routes = Routes(self._endpoints, complete)
        try:
            self._raise_errors()
        finally:
            self._played = []
            with self._news:
                self._asked, self._ended, self._told = {}, [], set()

    @property
    def url(self) -> str:
        """``http://127.0.0.1:port``, or ``https``, without a slash.

        Raises:
            RuntimeError: The server is not running.
        """
        if self._thread is None:
            raise RuntimeError("the server is not running: use it in a with statement")
        return self._thread.url

    @property
    def openai_url(self) -> str:
        """What OpenAI's SDK calls its base URL."""
        return f"{self.url}/v1"

    @property
    def anthropic_url(self) -> str:
        """What Anthropic's SDK calls its base URL."""
        return self.url

    @property
    def cohere_url(self) -> str:
        """What Cohere's SDK calls its base URL."""
        return self.url

    @property
    def gemini_url(self) -> str:
        """What Google's SDK calls its base URL."""
        return self.url

    @property
    def ollama_url(self) -> str:
        """What Ollama's SDK calls its host."""
        return self.url

    @property
    def environment(self) -> dict[str, str]:
        """Variables that lead the SDKs and `completion` here, with keys that are no secret."""
        return {
            "ANTHROPIC_API_KEY": "loopback",
            "ANTHROPIC_BASE_URL": self.anthropic_url,
            "AWS_BEARER_TOKEN_BEDROCK": "loopback",
            "AWS_BEDROCK_RUNTIME_ENDPOINT": self.url,
            "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": self.url,
            "AWS_REGION": "us-east-1",
            "CO_API_KEY": "loopback",
            "CO_API_URL": self.cohere_url,
            "GEMINI_API_BASE": f"{self.gemini_url}/v1beta",
            "GEMINI_API_KEY": "loopback",
            "GOOGLE_GEMINI_BASE_URL": self.gemini_url,
            "OLLAMA_API_BASE": self.ollama_url,
            "OLLAMA_HOST": self.ollama_url,
            "OPENAI_API_KEY": "loopback",
            "OPENAI_BASE_URL": self.openai_url,
        }

    @property
    def requests(self) -> tuple[Request, ...]:
        """What was asked, in the order in which it came, answered to its end or not."""
        with self._news:
            return tuple(self._asked.values())

    @property
    def exchanges(self) -> tuple[Exchange, ...]:
        """The exchanges that have ended, in the order in which they did."""
        with self._news:
            return tuple(self._ended)

    def wait_for_exchanges(self, count: int, timeout: float = 5.0) -> tuple[Exchange, ...]:
        """The exchanges that have ended, as soon as there are *count*.

        Raises:
            TimeoutError: There were not so many after *timeout* seconds.
        """
        with self._news:
            if not self._news.wait_for(lambda: len(self._ended) >= count, timeout):
                ended = len(self._ended)
                raise TimeoutError(f"{ended} of {count} exchanges ended within {timeout} s")
            return tuple(self._ended)

    def wait_for_disconnect(self, timeout: float = 5.0) -> Exchange:
        """The next exchange that the client left before its end; each is told once.

        Raises:
            TimeoutError: No client left within *timeout* seconds.
        """
        with self._news:
            left = self._news.wait_for(self._untold_disconnects, timeout)
            if not left:
                raise TimeoutError(f"no client left a stream within {timeout} s")
            self._told.add(left[0])
            return self._ended[left[0]]

    def _untold_disconnects(self) -> list[int]:
        return [
            number
            for number, exchange in enumerate(self._ended)
            if exchange.how is How.CLOSED_BY_CALLER and number not in self._told
        ]

    def start(self) -> None:
        """Listen on a free port.

        Raises:
            RuntimeError: It is running.
            OSError: There is no port, or no file descriptor.
        """
        if self._thread is not None:
            raise RuntimeError("the server is already running")
        self._thread = ServerThread(self._serve, tls=self._tls, close_notify=self._close_notify)

    def stop(self) -> None:
        """Close everything, and raise the first error of a script that could not be performed.

        A server that does not run has nothing to stop.

        Raises:
            RuntimeError: The thread did not end.
            UnfiredRuleError: A fault that replies were to break with never struck.
        """
        if self._thread is None:
            return
        thread, self._thread = self._thread, None
        thread.stop()
        self._raise_errors()

    def _raise_errors(self) -> None:
        errors = [*self._errors, *self._unfired()]
        self._errors.clear()
        if errors:
            raise errors[0]

    def _unfired(self) -> list[UnfiredRuleError]:
        errors = []
        for played, plan in self._played:
            for reason in played.unfired():
                if plan.on_unfired == "warn":
                    warnings.warn(reason, UnfiredRuleWarning, stacklevel=3)
                else:
                    errors.append(UnfiredRuleError(reason))
        return errors

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self.stop()
        except Exception as own:
            if error is None:
                raise
            error.add_note(f"the loopback server: {own!r}")

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.__exit__(kind, error, trace)

    # From here on everything runs in the server's thread.

    async def _serve(self, link: Link, url: str) -> None:
        serve = serve_connection
        if link.protocol == "h2":
            # Only who offers HTTP/2 needs the package that speaks it.
            from cassette_stream.server.http2 import serve_http2 as serve  # noqa: PLC0415
        await serve(
            link, url=url, respond=self._respond, log=self._log, complain=self._errors.append
        )

    def _respond(self, request: Request) -> Script:
        with self._news:
            self._asked[id(request)] = request
        script = self._routes.respond(request)
        return gzipped(script) if self._compress else script

    def _log(self, exchange: Exchange) -> None:
        with self._news:
            # What was asked before a reset is none of those who come after it.
            if id(exchange.request) in self._asked:
                self._ended.append(exchange)
                self._news.notify_all()
