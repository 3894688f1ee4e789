from __future__ import annotations

import random

import pytest
from hypothesis import settings

settings.register_profile("few", max_examples=5, deadline=None, derandomize=True)
settings.load_profile("few")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--shuffle", type=int, metavar="SEED", help="run the tests in another order")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    seed = config.getoption("--shuffle")
    if seed is not None:
        random.Random(seed).shuffle(items)


@pytest.fixture(scope="session")
def cassette_config() -> dict[str, object]:
    """Another port does not matter: cassettes are recorded from a server of each run's own."""
    return {"match_on": ("method", "path", "body")}


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def url(stream_server) -> str:
    """Of a model that counts."""
    stream_server.answer("1, 2, 3, 4, 5.")
    return stream_server.openai_url
