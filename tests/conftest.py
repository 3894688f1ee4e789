from __future__ import annotations

from pathlib import Path

import pytest
from support import CORPUS

pytest_plugins = ["pytester"]


@pytest.fixture(scope="session")
def corpus() -> Path:
    """The folder of recorded public streams; a checkout without it skips."""
    if not (CORPUS / "corpus" / "public_index.jsonl").is_file():
        pytest.skip("no corpus of public streams here: set CASSETTE_STREAM_CORPUS to its folder")
    return CORPUS


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    """Asynchronous tests run on both."""
    return request.param
