"""Subjects of the tests of sweeps: in a module, so that workers can import them."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx

from cassette_stream.chaos import Result

URL = "https://api.openai.com/v1/chat/completions"


def naive(url: str = URL) -> str:
    """The text of a stream, by a loop that trusts whatever it gets."""
    text = ""
    with (
        httpx.Client(timeout=5, verify=False) as client,
        client.stream("POST", url, json={"model": "model"}) as response,
    ):
        for line in response.iter_lines():
            if line.startswith("data: ") and line != "data: [DONE]":
                for choice in json.loads(line[6:])["choices"]:
                    text += choice["delta"].get("content") or ""
    return text


async def anaive(url: str = URL) -> str:
    """The same, asynchronously."""
    text = ""
    async with (
        httpx.AsyncClient(timeout=5, verify=False) as client,
        client.stream("POST", url, json={"model": "model"}) as response,
    ):
        async for line in response.aiter_lines():
            if line.startswith("data: ") and line != "data: [DONE]":
                for choice in json.loads(line[6:])["choices"]:
                    text += choice["delta"].get("content") or ""
    return text


def deadly(mark: str, *, always: bool | None = False) -> str:
    """The same, and the first stream that breaks off in a worker takes the worker with it.

    *always*: each that does; None: none.
    """
    text = naive()
    if text.endswith(".") or always is None:
        return text
    if os.getpid() == int(Path(mark, "parent").read_text()):
        return text
    try:
        Path(mark, "dead").touch(exist_ok=always)
    except FileExistsError:
        return text
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("it lives")


def counted(folder: str) -> str:
    """The same; it leaves a file for each run."""
    Path(folder, f"{os.getpid()}-{threading.get_ident()}-{os.urandom(6).hex()}").touch()
    return naive()


class Interrupts:
    """A progress that is interrupted after *most* results."""

    def __init__(self, most: int) -> None:
        self.results: list[Result] = []
        self._most = most

    def __call__(self, result: Result, _: Any) -> None:
        self.results.append(result)
        if len(self.results) == self._most:
            raise KeyboardInterrupt


def threaded() -> str:
    """The same in a thread of its own, which knows nothing of the context that it came from."""
    found: list[Any] = []

    def run() -> None:
        try:
            found.append(naive())
        except Exception as error:
            found.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if isinstance(found[0], Exception):
        raise found[0]
    return str(found[0])


def swallows_everything(timeout: float | None = 5) -> str:
    """What came, whatever went wrong."""
    text = ""
    try:
        with (
            httpx.Client(timeout=timeout, verify=False) as client,
            client.stream("POST", URL, json={}) as response,
        ):
            for line in response.iter_lines():
                if line.startswith("data: {"):
                    for choice in json.loads(line[6:])["choices"]:
                        text += choice["delta"].get("content") or ""
    except Exception:
        return text
    return text


def wraps_everything(timeout: float | None = 5) -> str:
    """The same, and everything that goes wrong becomes an error that is documented."""
    try:
        with (
            httpx.Client(timeout=timeout, verify=False) as client,
            client.stream("POST", URL, json={}) as response,
        ):
            return response.read().decode("utf-8", "replace")
    except Exception as error:
        raise SweptError("wrapped") from error


class SweptError(Exception):
    """What users of this module are told to expect."""


BROKEN: list[str] = []
"""What went wrong once."""


def keeps_a_grudge() -> str:
    """Once a stream broke, it never gives an answer again."""
    if BROKEN:
        raise SweptError("the circuit is open")
    text = naive()
    if not text.endswith("."):
        BROKEN.append(text)
        raise SweptError("it broke")
    return text


def forgives() -> None:
    BROKEN.clear()


STARTED: list[Any] = []
"""As whoever does not hold a task keeps it alive."""


async def leaves_a_task() -> str:
    """A task waits for what never comes."""
    text = await anaive()
    if not text.endswith("."):
        STARTED[:] = [asyncio.ensure_future(asyncio.Event().wait())]
    return text


def gives_pieces() -> Iterator[str]:
    """The stream piece by piece, closed when its reader leaves."""
    with (
        httpx.Client(timeout=5, verify=False) as client,
        client.stream("POST", URL, json={}) as response,
    ):
        for line in response.iter_lines():
            if line.startswith("data: ") and line != "data: [DONE]":
                yield line


async def agives_pieces() -> AsyncIterator[str]:
    """The same, asynchronously."""
    async with (
        httpx.AsyncClient(timeout=5, verify=False) as client,
        client.stream("POST", URL, json={}) as response,
    ):
        async for line in response.aiter_lines():
            if line.startswith("data: ") and line != "data: [DONE]":
                yield line


def gives_pieces_of_a_kept_response() -> Iterator[str]:
    """The same, and the response stays open when its reader leaves."""
    client = httpx.Client(timeout=5, verify=False)
    response = client.send(client.build_request("POST", URL, json={}), stream=True)
    STARTED[:] = [client, response]
    yield from response.iter_lines()
    response.close()


async def waits_while_it_is_cancelled() -> str:
    """It holds its response open, and whoever cancels it waits for ever."""
    client = httpx.AsyncClient(timeout=5, verify=False)
    response = await client.send(client.build_request("POST", URL, json={}), stream=True)
    STARTED[:] = [client, response]
    text = (await response.aread()).decode()
    await response.aclose()
    return text


def leaves_early() -> str:
    """The first line is enough."""
    for line in gives_pieces():
        return line
    return ""
