"""The trials on the page: one section per fault, one row per trial, timelines for some.

Thousands of timelines would help nobody, so the page draws those of the trials that went
wrong, a few of each kind, and one for each fault that was met well; and it says so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from cassette_stream.chaos.again import line_of_command, line_of_python, plan_json
from cassette_stream.chaos.page_text import counted, shown
from cassette_stream.chaos.page_timeline import Timeline
from cassette_stream.chaos.report import Report
from cassette_stream.chaos.results import Result
from cassette_stream.chaos.summary import Row
from cassette_stream.faults import catalogue

__all__ = ("Trials", "anchor")

_OF_A_KIND = 12
"""Timelines for trials of one fault and verdict."""
_MOST = 600
"""And on the page."""


def anchor(fault: str) -> str:
    """The id of the section of *fault* on the page."""
    return "fault-" + "".join(char if char.isalnum() else "-" for char in fault)


class Trials:
    """The sections of *rows*, whose lines that run a trial again begin as *command* does."""

    def __init__(self, report: Report, rows: Sequence[Row], command: str) -> None:
        self._report = report
        self._rows = rows
        self._command = command
        self._timeline = Timeline(report.clean)
        self._drawn = set(_drawn(rows))

    def __iter__(self) -> Iterator[str]:
        first = next((row.fault for row in self._rows if row.is_bad), None)
        for row in self._rows:
            yield from self._section(row, is_open=row.fault == first)

    @property
    def note(self) -> str:
        """What is drawn, and what is not."""
        trials = sum(len(row.results) for row in self._rows)
        text = f"Timelines for {len(self._drawn):,} of {counted(trials, 'trial')}"
        if len(self._drawn) == trials:
            return f"{text}."
        return (
            f"{text}: those that went wrong, up to {_OF_A_KIND} of one fault and verdict, and one "
            f"for each fault that was met well; {_MOST:,} at most. The JSON of the report has all."
        )

    def _section(self, row: Row, *, is_open: bool) -> Iterator[str]:
        info = catalogue().get(row.fault)
        name = f' <span class="soft">{shown(info.name)}</span>' if info is not None else ""
        kinds = Counter(str(it.verdict or "unfired") for it in row.results)
        counts = ", ".join(
            f'<span class="v {kind}">{number:,} {kind.replace("_", " ")}</span>'
            for kind, number in kinds.items()
        )
        yield (
            f'<details class="fault"{" open" if is_open else ""}><summary>'
            f"<b>{shown(row.fault)}</b>{name}: {counts}</summary>"
            f'<div id="{shown(anchor(row.fault))}">'
        )
        opened = is_open
        for result in sorted(row.results, key=lambda it: it.good):
            yield self._trial(result, is_open=opened)
            opened = False
        yield "</div></details>"

    def _trial(self, result: Result, *, is_open: bool) -> str:
        told = _headline(result)
        if result.number not in self._drawn:
            return f'<p class="trial">{told}</p>'
        parts = [
            f'<details class="trial"{" open" if is_open else ""}><summary>{told}</summary>',
            '<div class="inner">',
            self._timeline.lanes(result),
            _facts(result),
            *self._again(result),
            "</div></details>",
        ]
        return "".join(parts)

    def _again(self, result: Result) -> Iterator[str]:
        lines = (
            line_of_command(result.rule, self._command),
            line_of_python(result.rule, self._report),
            plan_json(result.rule),
        )
        for line in lines:
            if line is not None:
                yield f'<code class="copy">{shown(line)}</code>'


def _drawn(rows: Sequence[Row]) -> Iterator[int]:
    """The numbers of the trials whose timelines are drawn."""
    kinds: Counter[tuple[str, object]] = Counter()
    left = _MOST
    for row in rows:
        for at, result in enumerate(sorted(row.results, key=lambda it: it.good)):
            if result.verdict is None or (result.good and at > 0):
                continue
            kind = result.fault, result.verdict
            kinds[kind] += 1
            if kinds[kind] <= _OF_A_KIND and left > 0:
                left -= 1
                yield result.number


def _headline(result: Result) -> str:
    kind = str(result.verdict or "unfired")
    word = "never struck" if result.verdict is None else kind.replace("_", " ")
    flags = "".join(f", {flag.replace('_', ' ')}" for flag in result.flags)
    fine = "" if result.good else " ✕"
    said = result.why or result.error or (f"returned {result.answer}" if result.answer else "")
    said = said if len(said) <= 120 else f"{said[:118]} …"
    return (
        f'<span class="v {kind}">{word}{flags}{fine}</span> '
        f'<code>{shown(result.rule)}</code> <span class="soft">{shown(said)}</span>'
    )


def _facts(result: Result) -> str:
    facts = [
        ("raised", result.error),
        ("returned", result.answer),
        ("a correct client", result.expect),
        ("left open", "; ".join(result.left_open)),
        ("recovered", {True: "yes", False: "no", None: None}[result.recovered]),
        ("real time", "; ".join(f"{why} ({n})" for why, n in result.real_time.items())),
        ("not recorded", "; ".join(result.missed)),
    ]
    told = (f"<dt>{name}</dt><dd>{shown(text)}</dd>" for name, text in facts if text)
    return f"<dl>{''.join(told)}</dl>"
