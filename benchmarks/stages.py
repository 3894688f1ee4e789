"""What stands in for the network in a test, each as its documentation shows it first.

A stage is entered for one test and gives the options of the client that the test makes.
Clients with a real transport share one TLS context: loading certificates takes longer
than all else that happens in such a test, and everybody would pay for it.
"""

from __future__ import annotations

import importlib
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeAlias

import httpx
from measure import version_of

from cassette_stream import LoopbackServer, use_cassette
from cassette_stream.server import streamed

HEADERS = {"content-type": "text/event-stream"}
BODY = {"model": "gpt-4o-mini", "stream": True, "messages": [{"role": "user", "content": "Go."}]}
BASELINE = "httpx.MockTransport"
OURS, OURS_EXPLICIT = "cassette-stream", "cassette-stream, session.transport()"
OURS_BROKEN = "cassette-stream, with a fault"
RECORDERS = (OURS, "vcrpy", "cassetter")

Options: TypeAlias = dict[str, Any]
Stage: TypeAlias = Callable[[], AbstractContextManager[Options]]

_PLAIN: Options = {"verify": httpx.create_ssl_context()}
_REPEATS: dict[str, Options] = {
    OURS: {"allow_repeats": True},
    "vcrpy": {"allow_playback_repeats": True},
    "cassetter": {},
}


def open_cassette(recorder: str, path: Path, **options: Any) -> AbstractContextManager[Any]:
    if recorder == OURS:
        return use_cassette(path, **options)
    module = importlib.import_module({"vcrpy": "vcr"}.get(recorder, recorder))
    opened: AbstractContextManager[Any] = module.use_cassette(str(path), **options)
    return opened


def record(folder: Path, chunks: Sequence[bytes]) -> tuple[str, dict[str, Path]]:
    """One stream from a real socket, by every recorder: its URL and the cassettes."""
    paths = {name: folder / f"{name}.yaml" for name in RECORDERS if version_of(name)}
    with LoopbackServer() as server:
        server.script(None, lambda _: streamed(chunks))
        url = f"{server.url}/v1/chat/completions"
        for name, path in paths.items():
            with open_cassette(name, path), httpx.Client(**_PLAIN) as client:
                client.post(url, json=BODY)
    return url, paths


@dataclass(frozen=True, slots=True, kw_only=True)
class Stages:
    """Every stage that is installed, for *chunks*.

    Attributes:
        paths: The cassettes, by recorder.
        chunks: The stream, for those who are told it by the test.
        is_async: The client will be an `httpx.AsyncClient`.
        repeats: The stream will be asked for more than once.
    """

    paths: dict[str, Path]
    chunks: Sequence[bytes]
    is_async: bool
    repeats: bool

    def all(self) -> dict[str, Stage]:
        found: dict[str, Stage] = {BASELINE: self.mock_transport, OURS_EXPLICIT: self.explicit}
        found[OURS_BROKEN] = self.broken
        found |= {name: partial(self.played, name) for name in self.paths}
        others: dict[str, Stage] = {"pytest-httpx": self.pytest_httpx, "respx": self.respx}
        found |= {name: stage for name, stage in others.items() if version_of(name)}
        return found

    @contextmanager
    def played(self, recorder: str) -> Iterator[Options]:
        options = _REPEATS[recorder] if self.repeats else {}
        with open_cassette(recorder, self.paths[recorder], **options):
            yield _PLAIN

    @contextmanager
    def explicit(self) -> Iterator[Options]:
        with use_cassette(self.paths[OURS], allow_repeats=self.repeats) as session:
            make = session.async_transport if self.is_async else session.transport
            yield {"transport": make()}

    @contextmanager
    def broken(self) -> Iterator[Options]:
        # A silence within the read timeout: every chunk still comes, so the work is the same.
        fault = "body.stall@event=400,seconds=1"
        with use_cassette(self.paths[OURS], allow_repeats=self.repeats, faults=fault):
            yield _PLAIN

    @contextmanager
    def mock_transport(self) -> Iterator[Options]:
        yield {"transport": httpx.MockTransport(self.respond)}

    @contextmanager
    def respx(self) -> Iterator[Options]:
        respx = importlib.import_module("respx")
        with respx.mock:
            respx.post(path="/v1/chat/completions").mock(side_effect=self.respond)
            yield _PLAIN

    @contextmanager
    def pytest_httpx(self) -> Iterator[Options]:
        pytest, pytest_httpx = map(importlib.import_module, ("pytest", "pytest_httpx"))
        # The fixture's own function, with what it asks of pytest and no more.
        fixture = pytest_httpx.httpx_mock._get_wrapped_function()
        request = SimpleNamespace(node=SimpleNamespace(iter_markers=lambda _: ()))
        with pytest.MonkeyPatch.context() as monkeypatch:
            mock = contextmanager(fixture)(monkeypatch, request)
            with mock as httpx_mock:
                stream = pytest_httpx.IteratorStream(self.chunks)
                httpx_mock.add_response(
                    headers=HEADERS, stream=stream, method="POST", is_reusable=self.repeats
                )
                yield _PLAIN

    def respond(self, _: httpx.Request) -> httpx.Response:
        content = self.achunks() if self.is_async else iter(self.chunks)
        return httpx.Response(200, headers=HEADERS, content=content)

    async def achunks(self) -> AsyncIterator[bytes]:
        for chunk in self.chunks:
            yield chunk
