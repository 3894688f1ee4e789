"""`cassette-stream faults`: the catalogue, and everything about one of its faults."""

from __future__ import annotations

import json
import math
import shlex
import sys
from collections.abc import Iterable, Iterator

from rich.console import Console
from rich.text import Text

from cassette_stream.chaos.remedies import advice_on
from cassette_stream.cli.terminal import console, count, glyphs_of, row
from cassette_stream.cli.timeline import ASCII
from cassette_stream.exceptions import PlanError
from cassette_stream.faults import FaultInfo, Parameter, catalogue, parse_rule
from cassette_stream.faults.framing import FRAMINGS
from cassette_stream.faults.info import LAYERS
from cassette_stream.faults.parameter import shown
from cassette_stream.faults.rule import info_of

__all__ = ("WORDS", "example_of", "run")

WORDS = {
    "raises": "harmful",
    "tolerates": "benign",
    "either": "either",
    "undetectable": "undetectable",
}
"""What a fault is, by what a correct client does."""

_MEANINGS = (
    ("harmful", "a correct client tells its user"),
    ("benign", "it gives the full answer"),
    ("either", "it does one of both"),
    ("undetectable", "the bytes do not show it"),
)
_LAYERS = {
    "connect": "before there is a connection",
    "head": "status and headers, or none",
    "body": "bytes, their framing and their end",
    "sse": "lines and events",
    "json": "the data of an event",
    "sem": "what the events say",
    "end": "the client's own side, once the answer is there",
}
_STYLES = {"raises": "red", "tolerates": "green", "either": "yellow", "undetectable": "magenta"}
_ID, _WORD = 25, 14
"""Columns of an id, and of the word beside it."""
_EXAMPLES = {
    "event": "event=3",
    "byte": "byte=100",
    "chunk": "chunk=2",
    "after_text": "after_text=20",
    "time": "time=900ms",
    "when": "when=choices[0].finish_reason==stop",
}


def run(id_: str | None, *, layer: str | None, as_json: bool) -> None:
    """Print the catalogue, or its row *id_*.

    Raises:
        UnknownFaultError: There is no such fault; the message names the nearest.
    """
    chosen = [
        info
        for info in ([info_of(id_)] if id_ is not None else catalogue().values())
        if layer in {None, info.layer}
    ]
    if as_json:
        told = [_told(info) for info in chosen]
        json.dump(told if id_ is None else told[0], sys.stdout, indent=2, ensure_ascii=False)
        sys.stdout.write("\n")
    elif id_ is None:
        _list(chosen, console())
    else:
        _show(chosen[0], console())


def example_of(info: FaultInfo) -> str:
    """A line that tells the fault, as the command takes it."""
    place = next((_EXAMPLES[place] for place in info.places), "")
    if place.startswith("event") and info.insides:
        inside = "json" if "json" in info.insides else info.insides[0]
        return f"{info.id}@{place},inside={inside}"
    chosen = (
        f"{parameter.name}={choice}"
        for parameter in info.parameters
        for choice in parameter.choices
        if choice != parameter.default
    )
    for choice in (*chosen, ""):
        told = ",".join(filter(None, (place, choice)))
        line = f"{info.id}@{told}" if told else info.id
        if _works(line):
            break
    return line


def _works(line: str) -> bool:
    """Whether *line* is a rule here: a coding may take a package that is not installed."""
    try:
        parse_rule(line)
    except PlanError:
        return False
    return True


def _list(infos: Iterable[FaultInfo], out: Console) -> None:
    infos = list(infos)
    star = "*" if glyphs_of(out) is ASCII else "★"
    for layer in LAYERS:
        those = [info for info in infos if info.layer == layer]
        if those:
            row(out, Text.assemble((layer, "bold"), (f"  {_LAYERS[layer]}", "dim")))
            for info in those:
                _line(info, out, star)
            out.print()
    common = sum(info.common for info in infos)
    row(out, f"{count(len(infos), 'fault')}, {common} of them {star}: reported most")
    for word, meaning in _MEANINGS:
        row(out, meaning, label=f"{word:<{_WORD}}", indent=_WORD)
    row(out, "cassette-stream faults ID tells all about one", label=f"{'more':<{_WORD}}", indent=14)


def _line(info: FaultInfo, out: Console, star: str) -> None:
    mark = star if info.common else " "
    text = Text(info.name)
    anywhere = set(info.places) == _EXAMPLES.keys()
    places = "anywhere" if anywhere else ", ".join(info.places)
    text.append(f"  {places}" if places else "", "dim")
    begin = Text.assemble((f"{mark} ", "yellow"), info.id.ljust(_ID))
    begin.append(f"{WORDS[info.expect]:<{_WORD}}", _STYLES[info.expect])
    indent = begin.cell_len
    for number, line in enumerate(text.wrap(out, max(20, out.width - indent))):
        line.rstrip()
        head = begin if number == 0 else Text(" " * indent)
        out.print(head, line, sep="", soft_wrap=True)


def _show(info: FaultInfo, out: Console) -> None:
    row(out, Text.assemble((info.id, "bold"), "  ", (info.name, "dim")))
    for label, text in _rows(info):
        row(out, text, label=f"{label:<11}", indent=11)
    # On one line, however long: it is there to be copied.
    out.print(Text.assemble((f"{'as in':<11}", "dim"), _command(info)), soft_wrap=True)


def _command(info: FaultInfo) -> str:
    if info.kind == "probe":
        return f"cassette-stream chaos MODULE:FUNCTION --cassette FILE --fault {info.id}"
    return f"cassette-stream play FILE --fault {shlex.quote(example_of(info))}"


def _rows(info: FaultInfo) -> Iterator[tuple[str, str]]:
    yield "what", info.description
    common = "; one of the twenty that are reported most" if info.common else ""
    yield "kind", f"{WORDS[info.expect]}, {info.kind}{common}"
    advice = list(advice_on(info.id, info.expect))
    for number, text in enumerate(advice):
        yield "client" if number == 0 else "", f"a correct one {text}" if number == 0 else text
    for dialect, expect in sorted(info.expects.items()):
        yield "", f"of {dialect}: {next(advice_on('', expect))}"
    yield "transport", info.transport
    if info.places:
        yield "places", ", ".join(info.places)
    if info.insides:
        yield "inside", ", ".join(info.insides)
    for parameter in info.parameters:
        yield "takes", f"{parameter.name}: {_accepted(parameter)}"
        yield "", parameter.description
    yield "dialects", ", ".join(sorted(info.dialects)) if info.dialects is not None else "all"
    if info.framings is not None:
        yield "framings", ", ".join(FRAMINGS[it] for it in sorted(info.framings))
    yield "seen in", info.reference


def _accepted(parameter: Parameter) -> str:
    default = shown(parameter.default) if parameter.default != "" else "empty"
    return f"{parameter.accepted()}; {default} if not given"


def _told(info: FaultInfo) -> dict[str, object]:
    return {
        "id": info.id,
        "name": info.name,
        "layer": info.layer,
        "kind": info.kind,
        "common": info.common,
        "expect": info.expect,
        "expect_by_dialect": dict(sorted(info.expects.items())),
        "description": info.description,
        "client": list(advice_on(info.id, info.expect)),
        "transport": info.transport,
        "places": list(info.places),
        "inside": list(info.insides),
        "parameters": [_told_parameter(parameter) for parameter in info.parameters],
        "dialects": None if info.dialects is None else sorted(info.dialects),
        "framings": None if info.framings is None else sorted(info.framings),
        "reference": info.reference,
        "example": example_of(info),
    }


def _told_parameter(parameter: Parameter) -> dict[str, object]:
    is_number = not isinstance(parameter.default, str | bool)
    low, high = (parameter.low, parameter.high) if is_number else (None, None)
    default = "inf" if parameter.default == math.inf else parameter.default
    return {
        "name": parameter.name,
        "default": default,
        "description": parameter.description,
        "accepts": parameter.accepted(),
        "unit": parameter.unit or None,
        "low": low,
        "low_is_excluded": parameter.above if is_number else None,
        "high": None if high == math.inf else high,
        "choices": list(parameter.choices) or None,
    }
