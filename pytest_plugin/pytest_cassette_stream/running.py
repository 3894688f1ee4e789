"""The call of a test: in virtual time if it asks for that, and afresh for each example."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from pytest_cassette_stream.state import State, is_of_hypothesis, state_of

if TYPE_CHECKING:
    from pytest_cassette_stream.serving import StreamServer

__all__ = ("running",)


@contextmanager
def running(item: Any, server: StreamServer | None) -> Iterator[None]:
    """What the call of *item* happens in."""
    state = state_of(item)
    with ExitStack() as stack:
        if state.use is not None and state.use.virtual_time:
            from pytest_cassette_stream.virtual import (  # noqa: PLC0415 - few tests are
                in_virtual_time,
            )

            stack.enter_context(in_virtual_time(item))
        if is_of_hypothesis(item) and hasattr(item.obj, "hypothesis"):
            # A state machine has no handle: what it plays needs allow_repeats=True.
            stack.enter_context(_each_afresh(item, state, server))
        yield


@contextmanager
def _each_afresh(item: Any, state: State, server: StreamServer | None) -> Iterator[None]:
    # As plugins for event loops do: it is what Hypothesis calls for each example.
    handle = item.obj.hypothesis
    inner = handle.inner_test
    handle.inner_test = _afresh(inner, state, server)
    try:
        yield
    finally:
        handle.inner_test = inner


def _afresh(
    example: Callable[..., Any], state: State, server: StreamServer | None
) -> Callable[..., Any]:
    """*example*, with a session that is rewound before and a server that is reset behind it."""

    def before() -> None:
        if state.session is not None:
            state.session.rewind()

    def behind() -> None:
        if server is not None:
            state.count(server=server)
            server.reset()

    if inspect.iscoroutinefunction(example):

        @functools.wraps(example)
        async def in_loop(*args: Any, **kwargs: Any) -> Any:
            before()
            result = await example(*args, **kwargs)
            behind()
            return result

        return in_loop

    @functools.wraps(example)
    def alone(*args: Any, **kwargs: Any) -> Any:
        before()
        result = example(*args, **kwargs)
        behind()
        return result

    return alone
