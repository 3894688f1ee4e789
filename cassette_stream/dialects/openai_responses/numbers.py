"""The numbers of the events of one response: each is one more than the one before.

They are all that shows that an event was lost, doubled or moved on its way.
"""

from __future__ import annotations

__all__ = ("Numbers",)


class Numbers:
    """How far the events of one response have been counted.

    Attributes:
        next: The number that the next event must have; None where that cannot be told,
            because there was none yet, or the server does not count.
    """

    __slots__ = ("_counts", "_first", "_unnumbered", "next")

    def __init__(self) -> None:
        self.next: int | None = None
        self._counts = True
        self._first: int | None = None
        self._unnumbered = 0

    def passed(self, number: int) -> None:
        """Count an event that has the *number* that was due."""
        self.next = number + 1
        self._first = None
        self._unnumbered = 0

    def take(self, number: object) -> str | None:
        """Count an event with this *number*, if it has one; what is odd about it, or None."""
        if not isinstance(number, int) or isinstance(number, bool) or not self._counts:
            # Whether such an event was counted, nobody knows: servers differ.
            self._unnumbered += 1
            return None
        expected, spare = self.next, self._unnumbered
        if number == self._first:
            # The same number again, before another one came: a constant counts nothing.
            self._counts, self.next = False, None
            return None
        self._first = number if expected is None else None
        self.next, self._unnumbered = number + 1, 0
        if expected is None or expected <= number <= expected + spare:
            return None
        what = "lost" if number > expected else "doubled or moved"
        return f"event {number} came where event {expected} was due: events were {what}"
