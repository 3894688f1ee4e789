"""Subjects of the tests of sweeps: in a module, so that workers can import them."""

from __future__ import annotations

import json
import os
import signal
import threading
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
