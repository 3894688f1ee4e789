"""What stands in for the network, each as its documentation shows it first.

A stage is entered for one test and gives the options of the client that is used there.
Clients that need a transport of their own share one TLS context: loading certificates
takes longer than everything that is measured here.
"""

from __future__ import annotations

import importlib
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import httpx
from measure import version_of

from cassette_stream import LoopbackServer, use_cassette
from cassette_stream.server import streamed

HEADERS = {"content-type": "text/event-stream"}
BODY = {"model": "gpt-4o-mini", "stream": True, "messages": [{"role": "user", "content": "Go."}]}
CONTEXT = httpx.create_ssl_context()
RECORDERS = ("cassette-stream", "vcrpy", "cassetter")

Stage: TypeAlias = "Callable[[], AbstractContextManager[dict[str, Any]]]"


def stream(client: httpx.Client, url: str) -> tuple[int, int]:
    """The chunks and the bytes of one stream."""
    chunks = size = 0
    with client.stream("POST", url, json=BODY) as response:
        for chunk in response.iter_bytes():
            chunks += 1
            size += len(chunk)
    return chunks, size


async def astream(client: httpx.AsyncClient, url: str) -> tuple[int, int]:
    chunks = size = 0
    async with client.stream("POST", url, json=BODY) as response:
        async for chunk in response.aiter_bytes():
            chunks += 1
            size += len(chunk)
    return chunks, size


def cassette(recorder: str, path: Path, **options: Any) -> AbstractContextManager[Any]:
    """The context manager of *recorder* for the cassette at *path*."""
    if recorder == "cassette-stream":
        return use_cassette(path, **options)
    module = importlib.import_module({"vcrpy": "vcr"}.get(recorder, recorder))
    opened: AbstractContextManager[Any] = module.use_cassette(str(path), **options)
    return opened


def recorded(folder: Path, chunks: Sequence[bytes]) -> tuple[str, dict[str, Path]]:
    """A stream of *chunks* from a real socket, by every recorder: its URL and the cassettes."""
    paths = {name: folder / f"{name}.yaml" for name in RECORDERS if version_of(name)}
    with LoopbackServer() as server:
        server.script(None, lambda _: streamed(chunks))
        url = f"{server.url}/v1/chat/completions"
        for name, path in paths.items():
            with cassette(name, path), httpx.Client(verify=CONTEXT) as client:
                stream(client, url)
    return url, paths


def stages(paths: dict[str, Path], url: str, chunks: Sequence[bytes], *, loop: bool) -> dict[
    str, Stage
]:
    """Every stage that is installed, by name, for streams that are read synchronously.

    With *loop* each answers as often as it is asked, otherwise once.
    """


def mock_transport(chunks: Sequence[bytes]) -> Stage:
    raise NotImplementedError
