"""What the hooks and fixtures of one test know in common, and how settings are told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import pytest

if TYPE_CHECKING:
    from cassette_stream import Session
    from pytest_cassette_stream.serving import StreamServer
    from pytest_cassette_stream.use import Use

__all__ = ("MODES", "UNPLAYED", "State", "is_of_hypothesis", "setting", "state_of")

MODES = ("none", "once", "new_episodes", "all", "rewrite")
UNPLAYED = ("ignore", "warn", "fail")


class State:
    """One test with a cassette or a server.

    Attributes:
        use: How its cassette is used.
        session: The session of its cassette, once that was opened.
        went_well: Its call came to a good end.
        error: What its call raised.
        counts: What the summary tells of it; plain values, as they travel between processes.
    """

    KEY: ClassVar[pytest.StashKey[State]] = pytest.StashKey()

    def __init__(self) -> None:
        self.use: Use | None = None
        self.session: Session | None = None
        self.went_well = False
        self.error: BaseException | None = None
        self.counts: dict[str, Any] = {}

    def add(self, **counts: int) -> None:
        for name, count in counts.items():
            if count:
                self.counts[name] = self.counts.get(name, 0) + count

    def count(self, *, server: StreamServer) -> None:
        """Add what *server* did in this test."""
        self.add(served=len(server.requests), struck=len(server.strikes))


def state_of(item: pytest.Item) -> State:
    return item.stash.setdefault(State.KEY, State())


def setting(config: pytest.Config, name: str) -> Any:
    """What the command line says, or else the ini file; None where neither does."""
    told = config.getoption(name)
    if told is None:
        told = config.getini(name)
    return None if told == "" else told


def is_of_hypothesis(item: pytest.Item) -> bool:
    """Whether *item* runs once for each of many examples."""
    return bool(getattr(getattr(item, "obj", None), "is_hypothesis_test", False))
