from __future__ import annotations

import pytest
from virtually import OPTIONS, TESTS

pytest.importorskip("pytest_asyncio", reason="pytest-asyncio is in the group 'sdks'")
pytestmark = pytest.mark.plugins

OTHERS = ("randomly", "recording", "cassetter", "anyio", "pytest_httpx", "respx")
ALONE = tuple(f"-pno:{name}" for name in OTHERS)

TICKS = """
async def ticks():
    seen = []
    task = asyncio.create_task(tick(seen))
    yield seen
    task.cancel()
"""
STRICT = """
import pytest, pytest_asyncio
from functools import partial

is_async = pytest.mark.asyncio(loop_scope="module")
fixture = partial(pytest_asyncio.fixture, loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
"""
AUTO = """
import pytest


def is_async(test):
    return test


fixture = pytest.fixture


@pytest.fixture(scope="module")
"""


@pytest.mark.parametrize(("mode", "head"), [("strict", STRICT), ("auto", AUTO)])
def test_tests_that_pytest_asyncio_runs_are_virtual_in_the_loop_of_their_module(
    pytester: pytest.Pytester, mode: str, head: str
) -> None:
    pytester.makeini(
        f"[pytest]\nfilterwarnings = error\nasyncio_mode = {mode}\n"
        "asyncio_default_fixture_loop_scope = module\nasyncio_default_test_loop_scope = module\n"
    )
    pytester.makepyfile(head + TICKS + TESTS)
    result = pytester.runpytest_subprocess(*ALONE, *OPTIONS, timeout=120)

    result.assert_outcomes(passed=8, xfailed=2)


def test_one_that_has_a_loop_of_its_own_is_virtual_too(pytester: pytest.Pytester) -> None:
    pytester.makeini(
        "[pytest]\nfilterwarnings = error\nasyncio_mode = auto\n"
        "asyncio_default_fixture_loop_scope = function\n"
    )
    pytester.makepyfile(
        """
import asyncio
import pytest


@pytest.fixture
async def resource():
    yield asyncio.get_running_loop().time()


@pytest.mark.parametrize("seconds", [3600, 7200])
@pytest.mark.cassette("openai_text", mode="none", virtual_time=True)
async def test_it(resource, seconds):
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(seconds):
            await asyncio.Event().wait()
    assert asyncio.get_running_loop().time() - resource >= seconds
"""
    )
    result = pytester.runpytest_subprocess(*ALONE, *OPTIONS, timeout=120)

    result.assert_outcomes(passed=2)
