"""A law for clients: a stream that breaks raises, or gives all of the answer.

Losing a part of an answer without a word is the one thing that nobody can catch.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cassette_stream import chaos
from cassette_stream.chaos import Report, Result, Verdict
from cassette_stream.exceptions import PlanError
from cassette_stream.faults import catalogue, parse_rule, plan_of, text_of
from pytest_cassette_stream.laws.broken import LawError

__all__ = ("CLIENT", "check_client")

CLIENT = (
    "a stream that breaks raises an exception that users are told of, or gives all of the answer"
)

_WORST_FIRST = (Verdict.SILENT, Verdict.HANG, Verdict.WRONG_ERROR, Verdict.RAISED, Verdict.OK)
_OF_SWEEPS = frozenset({"positions", "seed", "recovery", "executor", "results", "progress"})
"""The options that a sweep has beside those of its trials."""
_MOST = 50
"""Trials that it may take to find the smallest plan."""
_EXPECTED = {
    "raises": "an exception of the client's own family",
    "tolerates": "the whole answer, as without the fault",
    "either": "an exception of the client's own family, or the whole answer",
    "undetectable": "nothing: the bytes do not show that anything is missing",
}


def check_client(
    subject: Callable[..., Any],
    cassette: str | Path,
    faults: object = "common",
    **options: Any,
) -> Report:
    """Break *cassette* in many ways, and fail where *subject* does what a client must not.

    The message counts what went wrong, and shows the worst of it by the smallest plan.

    Args:
        subject: A function, or coroutine function, that makes the requests of the cassette and
            returns the answer.
        cassette: The recording.
        faults: Which: ``common``, ``all``, ids, layers such as ``body.*``, rules, or a plan.
        options: Those of `cassette_stream.chaos.sweep`.

    Returns:
        The report of the sweep.

    Raises:
        LawError: The law is broken; its *stream* is the plan, as texts of rules.
        PlanError: There is nothing to try, or *subject* fails without any fault.
        CassetteError: The cassette cannot be read.
    """
    __tracebackhide__ = True
    report = chaos.sweep(subject, cassette, faults, **options)
    if report.bad:
        worst = min(report.bad, key=lambda it: (_WORST_FIRST.index(_verdict(it)), it.number))
        raise _broken(report, worst, _smallest(subject, cassette, worst, options))
    return report


def _broken(report: Report, worst: Result, rules: list[str]) -> LawError:
    counts = Counter(_verdict(it) for it in report.bad)
    told = ", ".join(f"{counts[it]} {it}" for it in _WORST_FIRST if counts[it])
    info = catalogue().get(worst.fault)
    return LawError(
        f"{CLIENT}; of {len(report.tried)} trials {len(report.bad)} broke it: {told}",
        stream=rules,
        code=[f"chaos.sweep(subject, cassette, {rules!r}).raise_for_bad()"],
        came=_came(worst),
        expected=_EXPECTED[worst.expect],
        seen={} if info is None else {info.id: f"{info.description} {info.reference}"},
    )


def _smallest(
    subject: Callable[..., Any], cassette: str | Path, worst: Result, options: dict[str, Any]
) -> list[str]:
    """The rules of the smallest plan that goes wrong as *worst* did."""
    kept = {name: options[name] for name in options if name not in _OF_SWEEPS}
    try:
        plan = plan_of([parse_rule(worst.rule)])
        plan = chaos.shrink(subject, cassette, plan, most=_MOST, **kept).plan
        return [text_of(rule) for rule in plan.rules]
    except PlanError:
        return [worst.rule]


def _came(worst: Result) -> str:
    flags = f" ({', '.join(worst.flags)})" if worst.flags else ""
    told = worst.error or worst.answer
    return f"{worst.verdict}{flags}" + (f": {told}" if told else "")


def _verdict(result: Result) -> Verdict:
    assert result.verdict is not None  # a trial that went wrong was tried
    return result.verdict
