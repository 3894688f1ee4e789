"""A module of tests in virtual time, for whichever plugin runs its coroutines."""

from __future__ import annotations

from textwrap import dedent

from support import PROJECT

__all__ = ("OPTIONS", "TESTS")

OPTIONS = ("-p", "no:cacheprovider", f"--cassette-dir={PROJECT / 'fixtures'}")

# What is to be put before it defines `is_async`, a marker, `fixture`, which takes coroutine
# functions, and the fixture `ticks` of a module: the moments of a task that ticks.
TESTS = dedent(
    """
    import asyncio
    import time
    from functools import partial

    import anyio
    import httpx
    import pytest
    from hypothesis import given, settings, strategies as st

    from cassette_stream.clock import clock_here
    from cassette_stream.exceptions import HangError

    marked = partial(
        pytest.mark.cassette,
        "openai_text",
        mode="none",
        match_on=("method",),
        allow_repeats=True,
        virtual_time=True,
    )
    # An example may well take hours, but no more than a minute of them in real time.
    examples = settings(deadline=60_000, max_examples=10)
    virtual, stalls = marked(), marked(faults="body.stall@event=4,attempt=1")


    async def read(timeout):
        async with (
            httpx.AsyncClient(timeout=timeout) as client,
            client.stream("POST", "https://api.openai.com/v1/chat/completions") as response,
        ):
            async for _ in response.aiter_raw():
                pass


    async def tick(seen):
        for _ in range(8):
            await anyio.sleep(100)
            seen.append(anyio.current_time())
        await anyio.sleep_forever()


    @fixture()
    async def resource():
        assert clock_here() is None
        await anyio.sleep(0)
        yield anyio.current_time()
        assert clock_here() is None
        await anyio.sleep(0)


    @is_async
    @stalls
    async def test_a_read_timeout_is_that_of_the_whole_loop(ticks, resource):
        start = anyio.current_time()
        with pytest.raises(httpx.ReadTimeout):
            await read(timeout=300)
        assert 300 <= anyio.current_time() - start < 301
        assert len(ticks) == 3


    @is_async
    @stalls
    async def test_a_deadline_passes_and_the_loop_has_gone_on(ticks, resource):
        start = anyio.current_time()
        with pytest.raises(TimeoutError):
            with anyio.fail_after(300):
                await read(timeout=None)
        assert 300 <= anyio.current_time() - start < 301
        assert len(ticks) == 6


    @is_async
    @stalls
    async def test_a_retry_backs_off():
        start = time.monotonic()
        for attempt in range(3):
            try:
                await read(timeout=60)
                break
            except httpx.ReadTimeout:
                await anyio.sleep(3600)
        assert attempt == 1
        assert round(time.monotonic() - start) == 3660


    @is_async
    async def test_time_is_real_between_them(ticks, resource):
        assert clock_here() is None
        assert len(ticks) == 8
        with anyio.move_on_after(0.001) as scope:
            await anyio.sleep(60)
        assert scope.cancelled_caught


    @is_async
    @virtual
    @pytest.mark.xfail(raises=ZeroDivisionError, strict=True)
    async def test_one_may_fail(resource):
        await anyio.sleep(3600)
        1 / 0


    @is_async
    @stalls
    @pytest.mark.xfail(raises=HangError, strict=True)
    async def test_where_nothing_is_left_it_is_a_hang(resource, ticks):
        await read(timeout=None)


    @is_async
    @virtual
    async def test_the_loop_is_well_after_all_this(resource, ticks):
        await anyio.sleep(3600)
        assert anyio.current_time() - resource >= 3600


    class TestInAClass:
        @is_async
        @virtual
        async def test_a_method(self, resource):
            await anyio.sleep(3600)
            assert anyio.current_time() - resource >= 3600


    @is_async
    @virtual
    @examples
    @given(hours=st.integers(1, 9))
    async def test_examples_take_no_time(hours):
        start = anyio.current_time()
        await anyio.sleep(hours * 3600)
        assert anyio.current_time() - start == hours * 3600


    @is_async
    @examples
    @given(hours=st.integers(1, 9))
    async def test_nor_are_those_virtual_that_nobody_marked(hours):
        assert clock_here() is None
    """
)
