from __future__ import annotations

from textwrap import dedent

import pytest
from virtually import OPTIONS, TESTS

# pytester forgets what its runs import, and libyaml's binding cannot be loaded twice.
import cassette_stream.session  # noqa: F401

BY_ANYIO = """
import anyio, pytest

is_async, fixture = pytest.mark.anyio, pytest.fixture


@pytest.fixture(params=["asyncio", "trio"], scope="module")
def anyio_backend(request):
    return request.param


@pytest.fixture(scope="module")
async def ticks(anyio_backend):
    seen = []
    async with anyio.create_task_group() as group:
        group.start_soon(tick, seen)
        yield seen
        group.cancel_scope.cancel()
"""


@pytest.fixture
def strict(pytester: pytest.Pytester) -> pytest.Pytester:
    """Where warnings are errors."""
    pytester.makeini("[pytest]\nfilterwarnings = error\n")
    return pytester


def test_tests_that_anyio_runs_are_virtual_in_the_loop_of_their_module(
    strict: pytest.Pytester,
) -> None:
    strict.makepyfile(BY_ANYIO + TESTS)
    result = strict.runpytest_subprocess("-p", "no:randomly", *OPTIONS, timeout=120)

    result.assert_outcomes(passed=16, xfailed=4)


def test_so_are_synchronous_tests_in_their_thread(strict: pytest.Pytester) -> None:
    strict.makepyfile(
        dedent(
            """
            import asyncio, time, unittest
            import httpx, pytest
            from functools import partial
            from hypothesis import given, settings, strategies as st
            from cassette_stream.clock import clock_here
            from cassette_stream.exceptions import HangError

            marked = partial(
                pytest.mark.cassette, "openai_text", mode="none", match_on=("method",),
                allow_repeats=True, virtual_time=True,
            )
            virtual, stalls = marked(), marked(faults="body.stall@event=4,attempt=1")

            def read(timeout):
                with (
                    httpx.Client(timeout=timeout) as client,
                    client.stream("POST", "https://api.openai.com/v1/chat/completions") as response,
                ):
                    return response.read()

            @pytest.fixture
            def resource():
                assert clock_here() is None
                yield time.monotonic()
                assert clock_here() is None

            @stalls
            def test_a_retry_backs_off(resource):
                start = time.monotonic()
                for attempt in range(3):
                    try:
                        read(timeout=300)
                        break
                    except httpx.ReadTimeout:
                        time.sleep(3600)
                assert attempt == 1
                assert round(time.monotonic() - start) == 3900

            @stalls
            @pytest.mark.xfail(raises=HangError, strict=True)
            def test_where_nothing_is_left_it_is_a_hang(resource):
                read(timeout=None)

            @virtual
            @settings(deadline=60_000, max_examples=10)
            @given(hours=st.integers(1, 9))
            def test_examples_take_no_time(hours):
                start = time.monotonic()
                time.sleep(hours * 3600)
                assert round(time.monotonic() - start) == hours * 3600

            class TestCase(unittest.TestCase):
                @virtual
                def test_a_method(self):
                    time.sleep(3600)
                    assert clock_here() is not None

            class TestAsynchronousCase(unittest.IsolatedAsyncioTestCase):
                @virtual
                async def test_a_method(self):
                    await asyncio.sleep(3600)
                    assert clock_here() is not None

            def test_others_are_not(resource):
                assert clock_here() is None
            """
        )
    )
    result = strict.runpytest_subprocess(*OPTIONS, timeout=120)

    result.assert_outcomes(passed=5, xfailed=1)


def test_waits_for_something_real_are_told_where_a_test_fails(strict: pytest.Pytester) -> None:
    strict.makepyfile(
        dedent(
            """
            import asyncio, os, socket
            import anyio, anyio.to_thread, pytest
            from cassette_stream.clock import clock_here

            marked = pytest.mark.cassette("openai_text", mode="none", virtual_time=True)

            class Foreign(asyncio.BaseEventLoop):
                _selector = type("Nothing", (), {"select": lambda self, timeout: []})()

                def _process_events(self, events):
                    pass

            @pytest.fixture
            def anyio_backend():
                return "asyncio"

            @pytest.mark.anyio
            @marked
            async def test_it_waits_for_a_socket():
                clock, (one, other) = clock_here(), socket.socketpair()

                def answer():
                    while not clock.real_time_waits["a socket or pipe"]:
                        os.sched_yield()
                    other.sendall(b"1")

                with one, other:
                    async with anyio.create_task_group() as group:
                        group.start_soon(anyio.to_thread.run_sync, answer)
                        await anyio.wait_readable(one)
                assert False

            @pytest.mark.parametrize("anyio_backend", [("asyncio", {"loop_factory": Foreign})])
            @pytest.mark.anyio
            @marked
            async def test_its_loop_cannot_be_virtual(anyio_backend):
                raise AssertionError
            """
        )
    )
    result = strict.runpytest_subprocess(*OPTIONS, timeout=120)

    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(["*waits in real time*", "1 x a socket or pipe"])
    result.stdout.fnmatch_lines("E*RuntimeError: an event loop of the kind *.Foreign cannot be*")
