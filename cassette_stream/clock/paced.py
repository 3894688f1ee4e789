"""A virtual clock seen at another pace."""

from __future__ import annotations

from cassette_stream.clock.real import Clock

__all__ = ("PacedClock",)


class PacedClock:
    """A clock by which *clock*, whose time it is, goes *factor* times as fast."""

    def __init__(self, clock: Clock, factor: float) -> None:
        self._clock = clock
        self._factor = factor
        self.join = clock.join
        self.leave = clock.leave

    def now(self) -> float:
        return self._clock.now() * self._factor

    def sleep_until(self, moment: float) -> None:
        self._clock.sleep_until(moment / self._factor)

    async def asleep_until(self, moment: float) -> None:
        await self._clock.asleep_until(moment / self._factor)
