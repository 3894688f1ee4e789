"""Which script answers a request.

What was told last is asked first: scripts, then a played cassette, then the model
endpoints. A cassette owns its paths: once everything on a path was played, the next
request there is a miss, and not a matter for a model.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Literal, TypeAlias
from urllib.parse import urlsplit

from cassette_stream.cassette.match import matchers
from cassette_stream.cassette.model import Interaction, Request
from cassette_stream.exceptions import PlanError
from cassette_stream.faults import Injector, Plan, Rule, Strike
from cassette_stream.replayer import Replayer, script_of
from cassette_stream.script import Script, stretch
from cassette_stream.server.answers import json_response
from cassette_stream.server.endpoints import ENDPOINTS, Endpoints, Model

__all__ = ("Pace", "Played", "Route", "Routes", "Where", "raw", "speed_of")

Route: TypeAlias = Callable[[Request], Script | None]
"""Gives the script that answers a request, or None where it is somebody else's."""

Where: TypeAlias = str | Callable[[Request], bool] | None
"""Which requests: those with this path, those that the function picks, or all (None)."""

Pace: TypeAlias = float | Literal["instant", "recorded"]


def raw(where: Where, factory: Callable[[Request], Script]) -> Route:
    """The route that answers the requests at *where* with what *factory* makes."""

    def route(request: Request) -> Script | None:
        if where is None:
            ours = True
        elif isinstance(where, str):
            ours = _path(request) == where
        else:
            ours = where(request)
        return factory(request) if ours else None

    return route


class Played:
    """The route that plays *interactions*, each once, in their order, by method and path.

    Their replies break as *plan* says; one that was broken can be asked for again. Where
    *http2* may be spoken, they can break as only its streams do.

    Raises:
        PlanError: A rule asks for what no server can do.
    """

    def __init__(
        self,
        interactions: Iterable[Interaction],
        speed: float,
        plan: Plan,
        *,
        http2: bool = False,
    ) -> None:
        for rule in plan.active():
            if (reason := _refusal(rule, http2=http2)) is not None:
                raise PlanError(reason)
        self._recorded = _Recorded(interactions)
        self._speed = speed
        self._owned = {_place(interaction.request) for interaction in self._recorded}
        self._replayer = Replayer(self._recorded, matchers([_differs], ()))
        self._injector = Injector(plan)

    def __call__(self, request: Request) -> Script | None:
        number = self._replayer.find(request)
        if number is not None:
            script = self._injector.rewrite(
                script_of(self._recorded.interaction(number)),
                request,
                number,
                lambda rule: self._replayer.give_back(number, last=rule.is_gentle),
            )
            return stretch(script, self._speed)
        if (script_there := self._injector.follow_up(request)) is not None:
            return stretch(script_there, self._speed)
        if _place(request) not in self._owned:
            return None
        asked = " ".join(_place(request))
        return json_response(404, _problem(f"everything recorded for {asked} was played"))

    @property
    def strikes(self) -> tuple[Strike, ...]:
        """The faults that struck so far, in order."""
        return tuple(self._injector.strikes)

    def unfired(self) -> list[str]:
        """Why each rule that never struck did not."""
        return self._injector.unfired(self._faithful)

    def _faithful(self, number: object) -> Script:
        assert isinstance(number, int)
        return script_of(self._recorded.interaction(number))


class _Recorded(tuple[Interaction, ...]):
    """Interactions as a replayer needs them."""

    __slots__ = ()

    def request(self, number: int) -> Request:
        return self[number].request

    def interaction(self, number: int) -> Interaction:
        return self[number]


def _differs(recorded: Request, live: Request) -> str | None:
    return None if _place(recorded) == _place(live) else "method or path differs"


def _refusal(rule: Rule, *, http2: bool) -> str | None:
    """Why a server that has answered cannot do what *rule* says; None if it can."""
    if rule.layer == "connect":
        why = "there is a connection before a server hears of a request"
    elif str(rule.fault).startswith("body.h2_") and not http2:
        why = "this server speaks HTTP/1.1 (tls= lets it speak HTTP/2)"
    else:
        return None
    return f"{rule.fault} does not happen at a server, as {why}: let a transport perform it"


def speed_of(pace: Pace) -> float:
    """How many times as fast as recorded *pace* is."""
    if pace == "recorded":
        return 1.0
    if pace == "instant":
        return math.inf
    if not pace > 0:
        raise ValueError(f"pace is 'recorded', 'instant' or a factor above 0, not {pace!r}")
    return pace


class Routes:
    """All routes of a server. *model* answers at the endpoints; it may be changed."""

    def __init__(self, endpoints: Endpoints, model: Model) -> None:
        self.model = model
        self._endpoints = endpoints
        self._scripts: list[Route] = []
        self._played: list[Played] = []

    def add(self, route: Route) -> None:
        # Lists are replaced whole: the server's thread may be walking the old one.
        if isinstance(route, Played):
            self._played = [route, *self._played]
        else:
            self._scripts = [route, *self._scripts]

    def respond(self, request: Request) -> Script:
        """The script that answers *request*; a 404 that names the endpoints if nothing does."""
        routes: list[Route] = [*self._scripts, *self._played]
        for route in routes:
            script = route(request)
            if script is not None:
                return script
        script = self._endpoints.answer(request, self.model)
        if script is not None:
            return script
        problem = _problem(f"nothing answers {request.method} {_path(request)} here")
        return json_response(404, problem | {"endpoints": ENDPOINTS})


def _problem(message: str) -> dict[str, object]:
    return {"error": {"message": message, "type": "not_found"}}


def _place(request: Request) -> tuple[str, str]:
    return request.method, _path(request)


def _path(request: Request) -> str:
    return urlsplit(request.url).path
