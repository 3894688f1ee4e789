"""``python -m parley URL QUESTION``, or ``--async`` before them."""

import sys

import anyio

from parley import AsyncClient, Client


async def aask(url: str, question: str) -> str:
    async with AsyncClient(url) as client:
        return await client.ask(question)


def ask(url: str, question: str) -> str:
    with Client(url) as client:
        return client.ask(question)


*options, url, question = sys.argv[1:]
print(anyio.run(aask, url, question) if "--async" in options else ask(url, question))
