"""What a sweep found, as one value: for people, for JSON, and to compare two runs by."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from hashlib import blake2b

import msgspec

from cassette_stream.chaos.results import Delivery, Result
from cassette_stream.chaos.verdict import Flag, Verdict

__all__ = ("CleanRun", "Report")


class CleanRun(msgspec.Struct, frozen=True, kw_only=True):
    """The run without faults.

    Attributes:
        seconds: The virtual time that it took.
        answer: What it returned, in short.
        deliveries: The replies, in order.
    """

    seconds: float
    answer: str
    deliveries: tuple[Delivery, ...]


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """All results of a sweep, and what they were found with.

    Attributes:
        version: The version of this package.
        subject: ``module:function``.
        cassette: The name of the file.
        catalogue: How many faults the catalogue has.
        positions: Where faults struck.
        seed: What was drawn by.
        clean: The run without faults.
        families: The exceptions that counted as raised for the user.
        time_by_name: Modules that took a function of `time` by name, and so kept real time.
        results: One for each trial, in their order.
    """

    version: str
    subject: str
    cassette: str
    catalogue: int
    positions: str
    seed: int
    clean: CleanRun
    families: tuple[str, ...]
    time_by_name: tuple[str, ...]
    results: tuple[Result, ...]

    @property
    def tried(self) -> tuple[Result, ...]:
        """The trials whose fault struck."""
        return tuple(result for result in self.results if result.verdict is not None)

    @property
    def bad(self) -> tuple[Result, ...]:
        """The trials in which a correct client would have done otherwise."""
        return tuple(result for result in self.tried if not result.good)

    @property
    def dangerous(self) -> tuple[Result, ...]:
        """Those of the bad ones in which nobody is told: silent, hanging, or leaking."""
        return tuple(
            result
            for result in self.bad
            if result.verdict in {Verdict.SILENT, Verdict.HANG} or Flag.LEAKED in result.flags
        )

    @property
    def verdicts(self) -> dict[Verdict, int]:
        """How often each verdict was given."""
        counts = Counter(result.verdict for result in self.tried)
        return {verdict: counts[verdict] for verdict in Verdict}

    @property
    def digest(self) -> str:
        """Equal for two sweeps that found the same: a hash of all but the times."""
        told = [
            (
                *(it.number, it.rule, it.expect, it.verdict, it.flags, it.good, it.recovered),
                *(it.error, it.answer, it.left_open, it.missed, it.why),
                [(d.request, d.bytes, d.events, d.ending, d.struck_bytes) for d in it.deliveries],
            )
            for it in self.results
        ]
        return blake2b(msgspec.json.encode(told), digest_size=8).hexdigest()

    def by_fault(self) -> dict[str, tuple[Result, ...]]:
        """The results of each fault, in the order of the trials."""
        found: dict[str, list[Result]] = {}
        for result in self.results:
            found.setdefault(result.fault, []).append(result)
        return {fault: tuple(results) for fault, results in found.items()}

    def to_json(self, *, indent: int = 0) -> bytes:
        """The whole report as JSON, which `from_json` takes."""
        text = msgspec.json.encode(self, order="deterministic")
        return msgspec.json.format(text, indent=indent) if indent else text

    def to_html(self, *, command: str = "") -> str:
        """The whole report as one page, which needs no other file and no network.

        Lines on it that run a trial again begin as *command* does; if it is not given, as
        ``cassette-stream chaos`` with the subject and the cassette.
        """
        from cassette_stream.chaos.page import page_of  # noqa: PLC0415 - it shows reports

        return page_of(self, command=command)

    @classmethod
    def from_json(cls, text: bytes) -> Report:
        """The report that *text* holds.

        Raises:
            ValueError: It holds none.
        """
        return msgspec.json.decode(text, type=cls)

    def raise_for_bad(self, verdicts: Iterable[Verdict] = tuple(Verdict)) -> None:
        """Fail if a correct client would have done otherwise, with one of these *verdicts*.

        Raises:
            AssertionError: It names each trial, and how to run it again.
        """
        wanted = set(verdicts)
        bad = [result for result in self.bad if result.verdict in wanted]
        if bad:
            lines = "\n".join(f"  {it.verdict}: {it.rule}{_said(it)}" for it in bad)
            raise AssertionError(f"{len(bad)} of {len(self.tried)} trials went wrong:\n{lines}")


def _said(result: Result) -> str:
    flags = f" ({', '.join(result.flags)})" if result.flags else ""
    told = f": {result.error}" if result.error else ""
    return flags + told
