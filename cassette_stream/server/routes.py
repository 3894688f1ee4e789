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

from cassette_stream.cassette.model import Interaction, Request
from cassette_stream.replayer import script_of
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
    """The route that plays *interactions*, each once, in their order, by method and path."""

    def __init__(self, interactions: Iterable[Interaction], speed: float) -> None:
        self._waiting = list(interactions)
        self._speed = speed
        self._owned = {_place(interaction.request) for interaction in self._waiting}

    def __call__(self, request: Request) -> Script | None:
        place = _place(request)
        for number, interaction in enumerate(self._waiting):
            if _place(interaction.request) == place:
                del self._waiting[number]
                return stretch(script_of(interaction), self._speed)
        if place not in self._owned:
            return None
        asked = " ".join(place)
        return json_response(404, _problem(f"everything recorded for {asked} was played"))


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
