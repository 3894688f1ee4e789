"""The loopback server of a run of tests: it knows where the cassettes of a test are."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Literal

import pytest

from cassette_stream import Cassette, Interaction, LoopbackServer, read_cassette
from cassette_stream.faults import Faults
from pytest_cassette_stream.use import cassette_named

__all__ = ("StreamServer",)


class StreamServer(LoopbackServer):
    """`cassette_stream.LoopbackServer`, which takes the names of cassettes too."""

    def __init__(self, item: Callable[[], pytest.Item]) -> None:
        super().__init__()
        self._item = item

    def play(
        self,
        recorded: Cassette | Iterable[Interaction] | str | Path,
        *,
        pace: float | Literal["instant", "recorded"] = "instant",
        faults: Faults = (),
    ) -> None:
        """Answer each request with the next unplayed interaction of its method and path.

        Args:
            recorded: A cassette, its path, or its name in the folder of this test's cassettes.
            pace: How fast.
            faults: How the replies break, for real.

        Raises:
            CassetteError: There is no such cassette, or it cannot be read.
            PlanError: A fault makes no sense, or is none that a server can bring about.
        """
        if isinstance(recorded, str | Path):
            recorded = read_cassette(cassette_named(self._item(), recorded))
        super().play(recorded, pace=pace, faults=faults)
