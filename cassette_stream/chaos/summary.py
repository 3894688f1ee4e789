"""What a report comes to: the matrix of faults and verdicts, and what is to be done.

Reports on a terminal and on a page show the same rows in the same order: what nobody is
told of first, then what is told in the wrong way, then the rest in the order of the trials,
and last what never struck.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cassette_stream.chaos.remedies import remedy
from cassette_stream.chaos.report import Report
from cassette_stream.chaos.results import Result
from cassette_stream.chaos.verdict import Flag, Verdict

__all__ = ("COLUMNS", "Finding", "Row", "findings", "not_recovered", "real_time", "rows", "unfired")

COLUMNS: tuple[Verdict | Flag, ...] = (
    *(Verdict.OK, Verdict.RAISED, Verdict.SILENT, Verdict.WRONG_ERROR, Verdict.HANG),
    Flag.LEAKED,
)
"""The columns of the matrix: the verdicts, and the flag that spoils any of them."""

_BY_DANGER: tuple[Verdict | Flag, ...] = (
    *(Verdict.SILENT, Verdict.HANG, Flag.LEAKED, Verdict.WRONG_ERROR, Verdict.RAISED, Verdict.OK),
)


@dataclass(frozen=True, slots=True)
class Row:
    """One fault: its trials."""

    fault: str
    results: tuple[Result, ...]

    def count(self, column: Verdict | Flag, *, bad: bool = False) -> int:
        """How many trials came to *column*; with *bad*, of those that went wrong."""
        return sum(
            (column is result.verdict or column in result.flags) and not (bad and result.good)
            for result in self.results
        )

    @property
    def is_bad(self) -> bool:
        return any(not result.good for result in self.results)

    @property
    def unfired(self) -> int:
        return sum(result.verdict is None for result in self.results)


def rows(report: Report) -> list[Row]:
    """The matrix: the faults that were met badly first, the most dangerous on top."""
    found = [Row(fault, results) for fault, results in report.by_fault().items()]

    def rank(row: Row) -> tuple[int, bool]:
        first = (at for at, kind in enumerate(_BY_DANGER) if row.count(kind, bad=True))
        return next(first, len(_BY_DANGER)), row.unfired == len(row.results)

    return sorted(found, key=rank)


@dataclass(frozen=True, slots=True)
class Finding:
    """Trials that went wrong in one way, and ask for one remedy.

    Attributes:
        kind: What happened, as the matrix has it; `Flag.LEAKED` where the answer was right.
        remedy: What to do about it.
        results: The trials, in their order.
    """

    kind: Verdict | Flag
    remedy: str
    results: tuple[Result, ...]

    @property
    def worst(self) -> Result:
        """One to begin with: of what nobody was told, the first."""
        return self.results[0]

    @property
    def faults(self) -> dict[str, int]:
        """How many trials of each fault, the most first."""
        return dict(Counter(result.fault for result in self.results).most_common())

    @property
    def flags(self) -> dict[str, int]:
        return dict(Counter(str(flag) for result in self.results for flag in result.flags))


def findings(report: Report) -> list[Finding]:
    """What went wrong, the most dangerous first, and of that the most frequent."""
    found: dict[tuple[Verdict | Flag, str], list[Result]] = {}
    for result in report.bad:
        told = remedy(result.fault, _verdict(result), result.flags, result.error)
        key = _kind(result), told
        found.setdefault(key, []).append(result)
    several = [Finding(kind, told, tuple(those)) for (kind, told), those in found.items()]
    return sorted(several, key=lambda it: (_BY_DANGER.index(it.kind), -len(it.results)))


def _verdict(result: Result) -> Verdict:
    """The verdict where it is bad; a leak behind what is right is the leak alone."""
    assert result.verdict is not None  # it is bad, so its fault struck
    return Verdict.OK if _kind(result) is Flag.LEAKED else result.verdict


def _kind(result: Result) -> Verdict | Flag:
    assert result.verdict is not None  # as above
    if Flag.LEAKED in result.flags and result.verdict in {Verdict.OK, Verdict.RAISED}:
        return Flag.LEAKED
    return result.verdict


def unfired(report: Report) -> dict[str, list[Result]]:
    """The trials whose fault never struck, by the reason."""
    found: dict[str, list[Result]] = {}
    for result in report.results:
        if result.verdict is None:
            why = (result.why or "").replace(result.rule, "").strip()
            # All places of a fault fail to be there for the same reason.
            why = re.sub(r"^never fired: ", "", why)
            found.setdefault(why or "no reason is known", []).append(result)
    return found


def not_recovered(report: Report) -> list[Result]:
    """The trials after which the subject did not work again."""
    return [result for result in report.results if result.recovered is False]


def real_time(report: Report) -> dict[str, int]:
    """Why trials took real time, and how many did."""
    return dict(Counter(why for result in report.results for why in result.real_time))


def tally(counts: Iterable[tuple[str, int]], most: int) -> str:
    """Names with their counts on one line, as in ``body.fin (7), body.stall and 3 more``."""
    told: Sequence[tuple[str, int]] = list(counts)
    names = [name if number == 1 else f"{name} ({number:,})" for name, number in told[:most]]
    left = len(told) - most
    return ", ".join(names) + (f" and {left:,} more" if left > 0 else "")
