"""A session that an anyio fixture of module scope holds open, in a task of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import httpx2
import pytest

from cassette_stream import LoopbackServer, Session, use_cassette
from cassette_stream.script import Emit, Head

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module", params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture(scope="module")
async def opened(
    anyio_backend: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[Session, str]]:
    path = tmp_path_factory.mktemp("scoped") / "a.yaml"
    with LoopbackServer() as server:
        server.respond([Head(200), Emit(b"data: hi\n\n")])
        async with use_cassette(path, mode="once") as session:
            yield session, server.url


async def test_it_answers_a_test(opened: tuple[Session, str]) -> None:
    session, url = opened
    before = len(session.recorded)
    async with httpx.AsyncClient() as client:
        await client.get(url)

    assert len(session.recorded) == before + 1


async def test_and_the_next_one(opened: tuple[Session, str]) -> None:
    session, url = opened
    before = len(session.recorded)
    async with httpx2.AsyncClient() as client:
        await client.get(f"{url}/more")

    assert len(session.recorded) == before + 1
