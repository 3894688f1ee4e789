"""A sweep on the terminal: the matrix, what to do about it, and what else is to be known.

What was met badly is told first and marked without colours too, in 80 columns or fewer.
Texts that came from the code under test are shown, and never obeyed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.text import Text

from cassette_stream.chaos import Flag, Report, Result, Shrunk, Verdict
from cassette_stream.chaos.again import line_of_command, line_of_python
from cassette_stream.chaos.summary import (
    COLUMNS,
    Finding,
    Row,
    findings,
    not_recovered,
    real_time,
    rows,
    tally,
    unfired,
)
from cassette_stream.chaos.trials import told_rule
from cassette_stream.cli.screen import visible
from cassette_stream.cli.terminal import count, duration, glyphs_of, row
from cassette_stream.cli.timeline import ASCII

__all__ = ("STYLES", "Smallest", "show")

STYLES = {
    Verdict.OK: "green",
    Verdict.RAISED: "blue",
    Verdict.SILENT: "red",
    Verdict.WRONG_ERROR: "yellow",
    Verdict.HANG: "magenta",
    Flag.LEAKED: "red",
}
_WIDTHS = (6, 8, 8, 8, 6, 8)
"""Columns of the counts, a mark behind each."""
_INDENT = 12


@dataclass(frozen=True, slots=True)
class Smallest:
    """A trial that went wrong, and the smallest plan that goes wrong in the same way."""

    result: Result
    shrunk: Shrunk


def show(report: Report, command: str, smallest: Sequence[Smallest], out: Console) -> None:
    """Print *report*; lines that run a trial again begin as *command* does."""
    row(out, Text.assemble((report.subject, "bold"), " on ", (report.cassette, "bold")))
    for line in _about(report):
        row(out, Text(line, "dim"))
    out.print()
    _matrix(report, out)
    for finding in findings(report):
        out.print()
        _finding(finding, command, out)
    if smallest:
        out.print()
        _smallest(smallest, report, command, out)
    out.print()
    for label, text in _rest(report):
        row(out, visible(text), label=f"{label:<{_INDENT}}", indent=_INDENT)


def _about(report: Report) -> Iterator[str]:
    ids = {result.fault for result in report.results}
    yield (
        f"{count(len(report.results), 'trial')} of {count(len(ids), 'fault')}; the catalogue has "
        f"{report.catalogue}. Places {report.positions}, seed {report.seed}, "
        f"cassette-stream {report.version}"
    )
    reply = report.clean.deliveries[-1]
    yield (
        f"clean: {count(reply.events, 'event')}, {count(reply.bytes, 'byte')}, "
        f"{duration(report.clean.seconds * 1000)}: {visible(report.clean.answer)[:120]}"
    )


def _matrix(report: Report, out: Console) -> None:
    several = rows(report)
    if not several:
        return
    names = [str(column).replace("wrong_error", "wrong") for column in COLUMNS]
    indent = max(24, min(max(len(it.fault) for it in several) + 2, out.width - sum(_WIDTHS) - 1))
    head = "".join(name.rjust(width) for name, width in zip(names, _WIDTHS, strict=True))
    out.print(Text(" " * indent + head, "dim"), soft_wrap=True)
    mark = "x" if glyphs_of(out) is ASCII else "✕"
    for it in several:
        out.print(_line(it, indent, mark), soft_wrap=True)


def _line(it: Row, indent: int, mark: str) -> Text:
    name = it.fault if len(it.fault) < indent - 2 else f"{it.fault[: indent - 6]}..."
    line = Text(f"{mark} " if it.is_bad else "  ", "bold red").append(
        f"{visible(name):<{indent - 2}}", "" if it.is_bad else "dim"
    )
    if it.unfired == len(it.results):
        return line.append(f"{'never struck':>{sum(_WIDTHS) - 1}}", "dim")
    for column, width in zip(COLUMNS, _WIDTHS, strict=True):
        number, bad = it.count(column), it.count(column, bad=True)
        text = f"{number:,}" if number else "."
        style = f"bold {STYLES[column]}" if bad else "" if number and it.is_bad else "dim"
        # The mark stands behind the number, so that numbers stay under each other.
        line.append(text.rjust(width - 1), style).append("!" if bad else " ", style)
    line.rstrip()
    return line


def _finding(finding: Finding, command: str, out: Console) -> None:
    style = f"bold {STYLES[finding.kind]}"
    label = str(finding.kind).replace("_", " ")
    trials = f"{count(len(finding.results), 'trial')}: {tally(finding.faults.items(), 6)}"
    begin = Text(f"{label:<{_INDENT}}", style)
    for number, line in enumerate(Text(trials).wrap(out, max(20, out.width - _INDENT))):
        line.rstrip()
        out.print(begin if number == 0 else " " * _INDENT, line, sep="", soft_wrap=True)
    for name, text in _told(finding):
        row(out, visible(text), label=f"  {name:<{_INDENT - 2}}", indent=_INDENT)
    again = line_of_command(finding.worst.rule, command)
    if again is not None:
        _copyable("again", again, out)


def _told(finding: Finding) -> Iterator[tuple[str, str]]:
    yield "do", finding.remedy
    if finding.flags:
        yield "flags", tally(finding.flags.items(), 4)
    worst = finding.worst
    if worst.error is not None:
        yield "raised", _cut(worst.error)
    elif worst.answer is not None:
        yield "returned", _cut(worst.answer)
    if worst.left_open:
        yield "left", worst.left_open[0]


def _cut(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= 160 else f"{text[:156]} ..."


def _copyable(label: str, text: str, out: Console) -> None:
    """A line that is never wrapped: it is there to be copied."""
    out.print(Text.assemble((f"  {label:<{_INDENT - 2}}", "dim"), visible(text)), soft_wrap=True)


def _smallest(smallest: Sequence[Smallest], report: Report, command: str, out: Console) -> None:
    row(out, Text("the smallest plans that go wrong in the same way", "bold"))
    for it in smallest:
        rule = told_rule(it.shrunk.plan)
        label = str(it.result.verdict).replace("_", " ")
        word = f"{it.result.fault}, after {count(it.shrunk.trials, 'trial')}"
        row(out, word, label=f"{label:<{_INDENT}}", indent=_INDENT)
        again = line_of_command(rule, command)
        if again is not None:
            _copyable("command", again, out)
        python = line_of_python(rule, report)
        if python is not None:
            _copyable("python", python, out)


def _rest(report: Report) -> Iterator[tuple[str, str]]:
    flags = {flag: sum(flag in result.flags for result in report.results) for flag in Flag}
    told = [f"{number:,} {flag.replace('_', ' ')}" for flag, number in flags.items() if number]
    if told:
        yield "flags", ", ".join(told)
    for why, those in unfired(report).items():
        names = tally(_counted(those), 3)
        yield "not tried", f"{why}: {names}"
    yield from _recovery(report)
    if report.time_by_name:
        names = tally(((name, 1) for name in report.time_by_name), 4)
        yield "real time", f"kept by modules that took it by name: {names}"
    for why, number in real_time(report).items():
        yield "real time", f"{why}: {count(number, 'trial')}"
    missed = [result for result in report.results if result.missed]
    if missed:
        yield "missed", f"{count(len(missed), 'trial')} asked for what is not recorded"
    yield "expected", ", ".join(report.families) or "no exception at all"
    yield "sum", _sum(report)


def _counted(results: Sequence[Result]) -> list[tuple[str, int]]:
    faults = dict.fromkeys(result.fault for result in results)
    return [(fault, sum(it.fault == fault for it in results)) for fault in faults]


def _recovery(report: Report) -> Iterator[tuple[str, str]]:
    tried = [result for result in report.results if result.recovered is not None]
    if not tried:
        return
    failed = not_recovered(report)
    text = f"{len(tried) - len(failed):,} of {len(tried):,} times, once the fault was gone"
    yield "recovered", text + (f"; not after {tally(_counted(failed), 3)}" if failed else "")


def _sum(report: Report) -> str:
    verdicts = ", ".join(f"{number:,} {name}" for name, number in report.verdicts.items())
    bad, dangerous = len(report.bad), len(report.dangerous)
    if not bad:
        return f"{verdicts}: as a correct client does"
    return f"{verdicts}: {bad:,} wrong, {dangerous:,} of them silent, hanging or leaking"
