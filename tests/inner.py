# ruff: noqa: F401
"""What the test modules begin with that pytester runs, and what its runs need not load again."""

from __future__ import annotations

import anthropic

# pytester forgets what its runs import, libyaml's binding cannot be loaded twice, and to
# import all this again would be most of the time of a run.
import anyio._backends._asyncio
import anyio._backends._trio
import httpx
import httpx2
import openai
import pytest_cassette_stream.opening
import pytest_cassette_stream.report
import pytest_cassette_stream.running
import pytest_cassette_stream.serving
import pytest_cassette_stream.strategies
import pytest_cassette_stream.sweeping
import yaml

import cassette_stream.cassette.yaml_format
import cassette_stream.chaos
import cassette_stream.client
import cassette_stream.clock.loop
import cassette_stream.clock.trio
import cassette_stream.server
import cassette_stream.session

MODULE = """
import httpx
import pytest

URL = "https://api.test/v1/chat"


def answer(request):
    return httpx.Response(200, content=iter([b"data: 1\\n\\n", b"data: 2\\n\\n"]))


def offline(request):
    raise AssertionError("the network was touched")


def ask(provider, n=2):
    with httpx.Client(transport=httpx.MockTransport(provider)) as client:
        with client.stream("POST", URL, json={"n": n}) as response:
            return list(response.iter_raw())
"""

INI = "[pytest]\nfilterwarnings = error\naddopts = -p no:cacheprovider\n"
