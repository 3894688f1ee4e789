"""A report as one page that needs nothing else: no network, no script, no other file.

Everything that came from the code under test, from the recording or from the user is
text on it, whatever it looks like.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cassette_stream.chaos.again import command_of, line_of_command
from cassette_stream.chaos.page_style import STYLE
from cassette_stream.chaos.page_text import counted, lasting, shown
from cassette_stream.chaos.page_timeline import KEY, clean_lanes
from cassette_stream.chaos.page_trials import Trials, anchor
from cassette_stream.chaos.report import Report
from cassette_stream.chaos.summary import (
    COLUMNS,
    Row,
    findings,
    not_recovered,
    real_time,
    rows,
    tally,
    unfired,
)
from cassette_stream.chaos.verdict import Flag, Verdict
from cassette_stream.faults import catalogue

__all__ = ("page_of",)

_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def page_of(report: Report, *, command: str = "") -> str:
    """The page of *report*; lines that run a trial again begin as *command* does."""
    return "".join(_page(report, command or command_of(report)))


def _page(report: Report, command: str) -> Iterator[str]:
    title = f"{report.subject} on {report.cassette}"
    several = rows(report)
    trials = Trials(report, several, command)
    yield '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
    yield f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield f"<title>{shown(title)}</title><style>{STYLE}</style></head><body><main>"
    yield f"<h1>{shown(title)}</h1>"
    yield from _sums(report)
    yield from _about(report)
    yield from _findings(report, command)
    yield "<h2>Faults and verdicts</h2>" + "".join(_matrix(several))
    yield f'<h2>Trials</h2><p class="soft">{shown(trials.note)}</p>{KEY}'
    yield clean_lanes(report.clean)
    yield from trials
    yield "</main></body></html>\n"


def _sums(report: Report) -> Iterator[str]:
    bad, dangerous = len(report.bad), len(report.dangerous)
    told = "every one as a correct client does"
    if bad:
        told = f"{bad:,} went wrong, {dangerous:,} of them silent, hanging or leaking"
    kind = "silent" if dangerous else "wrong_error" if bad else "ok"
    trials = counted(len(report.tried), "trial")
    yield f'<p><b>{trials}</b>: <span class="v {kind}">{told}</span></p>'
    counts: list[tuple[str, int]] = [(str(it), number) for it, number in report.verdicts.items()]
    counts.append((str(Flag.LEAKED), sum(Flag.LEAKED in it.flags for it in report.tried)))
    yield '<ul class="sums">'
    for name, number in counts:
        word = name.replace("_", " ")
        yield f'<li class="{name}"><b>{number:,}</b><span class="v">{word}</span></li>'
    yield "</ul>"


def _about(report: Report) -> Iterator[str]:
    yield "<dl>"
    for name, text in _facts(report):
        yield f"<dt>{name}</dt><dd>{shown(text)}</dd>"
    yield "</dl>"


def _facts(report: Report) -> Iterator[tuple[str, str]]:
    clean = report.clean
    events, size = (
        sum(getattr(it, name) for it in clean.deliveries) for name in ("events", "bytes")
    )
    yield "subject", report.subject
    yield "cassette", report.cassette
    told = f"{counted(events, 'event')}, {counted(size, 'byte')}, {lasting(clean.seconds * 1000)}"
    yield "clean run", f"{told}: {clean.answer}"
    faults = len(report.by_fault())
    yield "faults", f"{faults:,} of {report.catalogue:,}, places {report.positions}"
    yield "seed", str(report.seed)
    yield "version", f"cassette-stream {report.version}"
    yield "expected", ", ".join(report.families) or "no exception at all"
    flags = {flag: sum(flag in it.flags for it in report.tried) for flag in Flag}
    if any(flags.values()):
        yield (
            "flags",
            ", ".join(f"{n:,} {flag.replace('_', ' ')}" for flag, n in flags.items() if n),
        )
    for why, those in unfired(report).items():
        names = {it.fault: sum(one.fault == it.fault for one in those) for it in those}
        yield "never struck", f"{why}: {tally(names.items(), 6)}"
    tried = [it for it in report.results if it.recovered is not None]
    if tried:
        failed = not_recovered(report)
        after = f"; not after {tally(((it.rule, 1) for it in failed), 4)}" if failed else ""
        yield "recovered", f"{len(tried) - len(failed):,} of {len(tried):,} times{after}"
    if report.time_by_name:
        yield "real time", f"kept by modules that took it by name: {', '.join(report.time_by_name)}"
    for why, number in real_time(report).items():
        yield "real time", f"{why}: {counted(number, 'trial')}"


def _findings(report: Report, command: str) -> Iterator[str]:
    found = findings(report)
    if found:
        yield "<h2>What to do</h2>"
    for it in found:
        kind = str(it.kind)
        faults = ", ".join(
            f'<a href="#{shown(anchor(fault))}">{shown(fault)}</a>'
            + (f" ({number:,})" if number > 1 else "")
            for fault, number in it.faults.items()
        )
        yield f'<section class="finding {kind}"><p><span class="v">{kind.replace("_", " ")}</span> '
        yield f"in {counted(len(it.results), 'trial')}: {faults}</p><p>{shown(it.remedy)}</p>"
        if it.flags:
            yield f'<p class="soft">{shown(tally(it.flags.items(), 4))}</p>'
        again = line_of_command(it.worst.rule, command)
        if again is not None:
            yield f'<code class="copy">{shown(again)}</code>'
        yield "</section>"


def _matrix(several: Sequence[Row]) -> Iterator[str]:
    yield '<div class="wide"><table><thead><tr><th>fault</th><th class="name"></th>'
    for column in COLUMNS:
        yield f"<th>{column.replace('_', ' ')}</th>"
    yield "<th>never struck</th></tr></thead><tbody>"
    for row in several:
        info = catalogue().get(row.fault)
        name = info.name if info is not None else ""
        yield f'<tr><th><a href="#{shown(anchor(row.fault))}">{shown(row.fault)}</a></th>'
        yield f'<td class="name">{shown(name)}</td>'
        yield from (_cell(row, column) for column in COLUMNS)
        yield _number(row.unfired, "") + "</tr>"
    yield "</tbody></table></div>"


def _cell(row: Row, column: Verdict | Flag) -> str:
    bad = row.count(column, bad=True)
    return _number(row.count(column), f"bad {column}" if bad else "")


def _number(number: int, kind: str) -> str:
    if not number:
        return '<td class="none">·</td>'
    # Not by colour alone.
    mark = "✕ " if kind else ""
    return f'<td class="{kind}">{mark}{number:,}</td>' if kind else f"<td>{number:,}</td>"
