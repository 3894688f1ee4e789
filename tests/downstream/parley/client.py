"""Clients that ask one question; what they do with the reply is written once."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from itertools import count
from typing import Any, Self

import anyio
import httpx

from parley.answer import Answer, BrokenError, RefusedError
from parley.events import Decoder

_BUSY = {429, 503}

_tls = cache(httpx.create_ssl_context)  # one for all clients: to make it takes a while


class _Reply:
    """One answer, from its first byte to ``[DONE]``."""

    def __init__(self) -> None:
        self.answer, self._decoder, self._done = Answer(), Decoder(), False

    def feed(self, chunk: bytes) -> None:
        for event in self._decoder.feed(chunk):
            if event.data == "[DONE]":
                self._done = True
                continue
            said = json.loads(event.data)
            if not isinstance(said, dict) or said.get("error"):
                raise BrokenError(self.answer.text)
            self.answer.add(said)

    def whole(self) -> Answer:
        if not self._done or self.answer.finish is None:
            raise BrokenError(self.answer.text)
        return self.answer

    @contextmanager
    def reading(self) -> Iterator[None]:
        """What breaks in here is a broken answer."""
        try:
            yield
        except (httpx.HTTPError, ValueError, AttributeError, TypeError) as error:
            raise BrokenError(self.answer.text) from error


class _Asking:
    """What both clients are told."""

    def __init__(self, url: str, *, retries: int = 0, user: str = "", timeout: float = 60) -> None:
        self._url, self._retries, self._user = f"{url}/chat/completions", retries, user
        self._timeout = timeout

    def _request(self, question: str) -> dict[str, Any]:
        said = [{"role": "user", "content": question}]
        body = {"model": "m", "stream": True, "messages": said}
        return {"url": self._url, "json": body | ({"user": self._user} if self._user else {})}

    def _tries_again(self, status: int, attempt: int) -> bool:
        if status in _BUSY and attempt < self._retries:
            return True
        if status != httpx.codes.OK:
            raise RefusedError(status)
        return False


class Client(_Asking):
    def __enter__(self) -> Self:
        self._client = httpx.Client(timeout=self._timeout, verify=_tls())
        return self

    def __exit__(self, *exc: object) -> None:
        self._client.close()

    def ask(self, question: str) -> str:
        return self.answer(question).text

    def answer(self, question: str) -> Answer:
        for attempt in count():
            reply = _Reply()
            with (
                reply.reading(),
                self._client.stream("POST", **self._request(question)) as response,
            ):
                if not self._tries_again(response.status_code, attempt):
                    for chunk in response.iter_bytes():
                        reply.feed(chunk)
                    return reply.whole()
            time.sleep(2**attempt)
        raise AssertionError  # it counts for ever


class AsyncClient(_Asking):
    async def __aenter__(self) -> Self:
        self._client = httpx.AsyncClient(timeout=self._timeout, verify=_tls())
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._client.aclose()

    async def ask(self, question: str) -> str:
        return (await self.answer(question)).text

    async def answer(self, question: str) -> Answer:
        for attempt in count():
            reply = _Reply()
            with reply.reading():
                async with self._client.stream("POST", **self._request(question)) as response:
                    if not self._tries_again(response.status_code, attempt):
                        async for chunk in response.aiter_bytes():
                            reply.feed(chunk)
                        return reply.whole()
            await anyio.sleep(2**attempt)
        raise AssertionError  # it counts for ever
