"""The code under test: a function that makes requests, and how it is called.

It may be synchronous or not, return its result, or give it piece by piece: what iterates
is read to its end, and the result is the list of what it gave.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from cassette_stream.exceptions import PlanError

__all__ = ("Backend", "Subject", "subject_named")

Backend = Literal["asyncio", "trio"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What is run, again and again.

    Attributes:
        function: The code under test.
        args: Its positional arguments.
        kwargs: And those by name.
        set_up: Called before each run, without arguments; not broken, and not judged.
        tear_down: The same, after each run.
        backend: The event loop, where the function is asynchronous.
    """

    function: Callable[..., Any]
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    set_up: Callable[[], object] | None = None
    tear_down: Callable[[], object] | None = None
    backend: Backend = "asyncio"

    @property
    def name(self) -> str:
        """``module:function``, as the command takes it."""
        function = inspect.unwrap(getattr(self.function, "func", self.function))
        name = getattr(function, "__qualname__", type(function).__qualname__)
        return f"{self.module}:{name}"

    @property
    def module(self) -> str:
        """The module that it is from."""
        function = getattr(self.function, "func", self.function)
        return str(getattr(function, "__module__", None) or type(function).__module__)

    @property
    def is_async(self) -> bool:
        """Whether it runs in an event loop."""
        function = getattr(self.function, "func", self.function)
        if not inspect.isroutine(function) and not inspect.isclass(function):
            function = getattr(function, "__call__", function)  # noqa: B004 - its function is asked for
        return inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function)

    def start(self) -> Any:
        """Call it; what it gives may have to be awaited or iterated."""
        return self.function(*self.args, **self.kwargs)

    def run(self) -> Any:
        """Its whole result, of synchronous code.

        Raises:
            TypeError: It is asynchronous after all.
        """
        result = self.start()
        if isinstance(result, Iterator):  # a stream may iterate in both ways
            return list(result)
        if isinstance(result, Awaitable | AsyncIterator):
            if inspect.iscoroutine(result):
                result.close()
            raise TypeError(
                f"{self.name} gives something to await, but is no coroutine function: "
                "wrap it in an async def"
            )
        return result

    async def arun(self) -> Any:
        """The same, of asynchronous code."""
        result = self.start()
        if inspect.isawaitable(result):
            result = await result
        if isinstance(result, AsyncIterator):
            return [item async for item in result]
        return list(result) if isinstance(result, Iterator) else result


def subject_named(place: str) -> Callable[..., Any]:
    """The function at *place*, written ``module:function``.

    Raises:
        PlanError: There is none there.
    """
    module, colon, name = place.partition(":")
    if not colon or not module or not name:
        raise PlanError(f"{place!r} names no function: write it as module:function")
    try:
        found: Any = importlib.import_module(module)
    except ImportError as error:
        raise PlanError(f"{module!r} cannot be imported: {error}") from error
    for part in name.split("."):
        if not hasattr(found, part):
            raise PlanError(f"{module!r} has no {name!r}")
        found = getattr(found, part)
    if not callable(found):
        raise PlanError(f"{place!r} is {found!r}, which cannot be called")
    function: Callable[..., Any] = found
    return function
