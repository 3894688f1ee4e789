"""Who is asked by `cassette-stream chat`: a loopback server, unless the user says otherwise.

Neither a key nor an address nor a proxy in the environment leads away from it: what costs
money or leaves the machine is asked for in so many words.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import httpx

from cassette_stream.cassette.model import Request
from cassette_stream.client.provider_table import PROVIDERS
from cassette_stream.client.providers import Endpoint, resolve
from cassette_stream.script import Script
from cassette_stream.server import LoopbackServer, complete
from cassette_stream.server.endpoints import Endpoints

__all__ = ("Asked", "at_loopback", "at_provider")

_GAP, _FIRST_GAP = 0.02, 0.1
"""Seconds between the events of the loopback server: a person sees that it streams."""
_KEY = "loopback"
_SHORTEST_KEY = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Who is asked.

    Attributes:
        endpoint: Where the model is.
        options: The arguments of `completion` that lead there.
        label: The word for it.
        text: What the user is told of it.
    """

    endpoint: Endpoint
    options: Mapping[str, Any] = field(repr=False)
    label: str
    text: str

    def without_keys(self, text: str) -> str:
        """*text* without the keys that were sent, which some providers quote."""
        endpoint = self.endpoint
        sent = [*endpoint.headers.values(), *endpoint.query.values()]
        if endpoint.access is not None:
            sent += endpoint.access.secrets()
        for value in sent:
            key = value.removeprefix("Bearer ")
            if len(key) >= _SHORTEST_KEY and key != _KEY:
                text = text.replace(key, "[key]")
        return text


def at_provider(model: str, api_base: str | None) -> Asked:
    """The provider itself, or what is at *api_base*; keys are in the environment.

    Raises:
        APIError: There is no such provider, no key, or no such address.
    """
    endpoint = resolve(model, api_base=api_base)
    return Asked(
        endpoint=endpoint,
        options={"api_base": api_base},
        label="asking",
        text=f"{endpoint.model} of {endpoint.provider} at {endpoint.base}",
    )


@contextmanager
def at_loopback(model: str) -> Iterator[Asked]:
    """A server in this process that speaks as the provider of *model* does.

    Raises:
        APIError: There is no such provider.
    """
    with (
        LoopbackServer(gap=_GAP, first_gap=_FIRST_GAP) as server,
        httpx.Client(trust_env=False) as client,
    ):
        server.script("/openai/v1/chat/completions", _as_azure)
        endpoint = resolve(model, api_key=_KEY, environ=_places(server))
        yield Asked(
            endpoint=endpoint,
            options={
                "custom_llm_provider": endpoint.provider,
                "api_base": endpoint.base,
                "api_key": _KEY,
                "http_client": client,
            },
            label="loopback",
            text=f"this process answers as {endpoint.provider} would; "
            f"--live asks {endpoint.provider}",
        )


def _places(server: LoopbackServer) -> dict[str, str]:
    """What would have to stand in the environment for every provider to be *server*."""
    told = server.environment | {
        # Azure's place has two shapes, and only this one wants no version of the API.
        "AZURE_API_BASE": f"{server.url}/openai/v1",
        "VERTEXAI_API_BASE": server.url,
        "VERTEXAI_LOCATION": "global",
        "VERTEXAI_PROJECT": _KEY,
    }
    # Whoever is not told of speaks as OpenAI does.
    others = (row for row in PROVIDERS.values() if told.keys().isdisjoint(row.bases))
    return told | {variable: server.openai_url for row in others for variable in row.bases}


def _as_azure(request: Request) -> Script:
    """What the server says at Azure's address, where it has no endpoint of its own."""
    url = request.url.replace("/openai/v1/", "/v1/", 1)
    script = Endpoints(gap=_GAP, first_gap=_FIRST_GAP).answer(replace(request, url=url), complete)
    assert script is not None
    return script
