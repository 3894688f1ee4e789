"""Sweeps over the cassette of the running test."""

from __future__ import annotations

import functools
import inspect
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest

from cassette_stream import Session, chaos, use_cassette
from cassette_stream.chaos import Report, Shrunk
from pytest_cassette_stream.opening import count_recorded
from pytest_cassette_stream.state import state_of
from pytest_cassette_stream.use import Use, cassette_named, seed_of

__all__ = ("Chaos",)


class Chaos:
    """`cassette_stream.chaos` on the cassette of the running test, with its options."""

    def __init__(self, item: Callable[[], pytest.Item]) -> None:
        self._item = item

    def check(
        self,
        subject: Callable[..., Any],
        faults: object = "common",
        *,
        cassette: str | Path | None = None,
        **options: Any,
    ) -> Report:
        """Break the cassette in many ways, and fail where *subject* does not do as it should.

        Args:
            subject: A function, or coroutine function, that makes the requests of the cassette.
            faults: As `cassette_stream.chaos.sweep` has it, like the *options*.
            cassette: Another cassette: its path, or its name in the folder of this test's.
            options: Those of `cassette_stream.chaos.sweep`.

        Raises:
            AssertionError: It names each trial that went wrong, and how to run it again.
        """
        report = self.sweep(subject, faults, cassette=cassette, **options)
        report.raise_for_bad()
        return report

    def sweep(
        self,
        subject: Callable[..., Any],
        faults: object = "common",
        *,
        cassette: str | Path | None = None,
        **options: Any,
    ) -> Report:
        """The same, and give the report whatever is in it."""
        path, told = self._told(subject, cassette, options)
        seed = seed_of(self._item().config)
        if seed is not None:
            told.setdefault("seed", seed)
        report = chaos.sweep(subject, path, faults, **told)
        state = state_of(self._item())
        state.add(trials=len(report.tried), bad=len(report.bad))
        state.counts["seed"] = report.seed
        return report

    def shrink(
        self,
        subject: Callable[..., Any],
        faults: object,
        *,
        cassette: str | Path | None = None,
        **options: Any,
    ) -> Shrunk:
        """The smallest plan that goes wrong as *faults* do; see `cassette_stream.chaos.shrink`."""
        path, told = self._told(subject, cassette, options)
        return chaos.shrink(subject, path, faults, **told)

    def _told(
        self, subject: Callable[..., Any], cassette: str | Path | None, options: dict[str, Any]
    ) -> tuple[Path, dict[str, Any]]:
        """Where the cassette is, and the options of a sweep over it."""
        use = state_of(self._item()).use
        assert use is not None  # every test with this fixture has one
        of_marker = {key: use.options[key] for key in ("match_on", "ignore") if key in use.options}
        if cassette is not None:
            return cassette_named(self._item(), cassette), of_marker | options
        if not use.path.exists() and use.options.get("mode") != "none":
            count_recorded(state_of(self._item()), _record(subject, use, options))
        return use.path, of_marker | options


def _record(subject: Callable[..., Any], use: Use, options: dict[str, Any]) -> Session:
    """Let *subject* do once what will be broken; nothing is written where it fails."""
    call = functools.partial(subject, *options.get("args", ()), **options.get("kwargs", {}))
    told = {key: value for key, value in use.options.items() if key != "faults"}
    with use_cassette(use.path, **told) as session:
        try:
            result = call()
            if inspect.isawaitable(result) or isinstance(result, AsyncIterator):
                anyio.run(_whole, result, backend=options.get("backend", "asyncio"))
            elif isinstance(result, Iterator):
                for _ in result:
                    pass
        except BaseException:
            if not use.keep_failed:
                session.discard()
            raise
    return session


async def _whole(result: Any) -> None:
    if inspect.isawaitable(result):
        result = await result
    if isinstance(result, AsyncIterator):
        async for _ in result:
            pass
