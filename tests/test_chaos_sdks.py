"""A sweep finds in the official SDKs what was measured of them on raw sockets.

`MEASURED` is what a probe that shares no code with ours found, in its words: openai 3.54,
anthropic 2.12, google-genai 3.4, a timeout of two seconds, no retries. The verdicts of a
sweep are the same, but for `DIFFERENCES`, each of which has its reason.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from sweeping import MATCH_ON, QUESTION, record

from cassette_stream import chaos
from cassette_stream.chaos import Result, Verdict
from cassette_stream.faults import Rule, parse_rule
from cassette_stream.faults.dialect import Dialect

TIMEOUT = 2.0
PATIENCE = 60.0
"""Seconds after which a stream that goes on is a hang; virtual ones."""

# What happens, the same as a rule, where N is the event with the emoji, and what came of it in
# openai, anthropic and google-genai. EXC: an exception of the client's own; LEAK: one of
# somebody else; SILENT: it returned, and something is lost or wrong; FALSE: harmless, and
# refused by an exception of either kind; -: not measured.
MEASURED = """
server closes before the head      | head.close                           | EXC    | EXC    | LEAK
RST before the head                | head.reset                           | EXC    | EXC    | LEAK
read timeout before the head       | head.stall                           | EXC    | EXC    | LEAK
401                                | head.401                             | EXC    | EXC    | EXC
403                                | head.403_html                        | EXC    | EXC    | EXC
408                                | head.408                             | EXC    | EXC    | EXC
429                                | head.429@form=seconds                | EXC    | EXC    | EXC
500                                | head.500                             | EXC    | EXC    | EXC
502                                | head.502_html                        | EXC    | EXC    | EXC
503                                | head.503                             | EXC    | EXC    | EXC
504                                | head.504_empty                       | EXC    | EXC    | EXC
529                                | head.529                             | EXC    | EXC    | EXC
redirect to a login page           | head.redirect_login                  | SILENT | SILENT | EXC
200 HTML                           | head.200_html                        | SILENT | SILENT | EXC
200 JSON error                     | head.200_json_error                  | SILENT | SILENT | EXC
200 JSON completion                | head.200_json_completion             | SILENT | SILENT | -
200 empty body                     | head.200_empty@kind=empty            | SILENT | SILENT | SILENT
200 only comments                  | head.200_empty@kind=comments         | SILENT | SILENT | EXC
200 only the terminator            | head.200_empty@kind=terminator       | SILENT | SILENT | -
FIN at an event boundary           | body.fin@event=N                     | EXC    | LEAK   | LEAK
FIN inside JSON                    | body.fin@event=N,inside=json         | EXC    | LEAK   | LEAK
RST mid-stream                     | body.reset@event=N                   | EXC    | LEAK   | LEAK
stall after the head               | body.stall@event=1                   | EXC    | LEAK   | LEAK
stall mid-stream                   | body.stall@event=N                   | EXC    | LEAK   | LEAK
slow drip, a byte per 0.5 s        | body.drip@event=N,every=0.5          | HANG   | HANG   | HANG
keep-alives only                   | sse.keepalive_stall@event=N,every=1  | HANG   | HANG   | EXC
clean end at an event boundary     | body.clean_end@event=N               | SILENT | SILENT | SILENT
clean end inside JSON              | body.clean_end@event=N,inside=json   | SILENT | SILENT | EXC
clean end inside a character       | body.clean_end@event=N,inside=utf8   | LEAK   | LEAK   | EXC
FIN on a close-delimited body      | body.eof_delimited@event=N           | SILENT | SILENT | SILENT
Content-Length too short           | body.length_short@event=N            | SILENT | SILENT | SILENT
gzip cut, framing whole            | body.gzip_cut@event=N                | SILENT | SILENT | SILENT
brotli cut                         | body.gzip_cut@event=N,coding=br      | SILENT | SILENT | EXC
bad chunk framing                  | body.bad_chunk@event=N               | EXC    | LEAK   | LEAK
in-band error event                | sem.error_event@event=N              | EXC    | EXC    | EXC
error and choices                  | sem.error_with_choices@event=N       | EXC    | -      | -
finish_reason "error"              | sem.finish_abnormal@reason=error     | SILENT | SILENT | -
bare JSON error line               | sse.bare_error@event=N               | SILENT | SILENT | EXC
a chunk with nothing but a detail  | sem.error_detail@event=N             | SILENT | SILENT | SILENT
cut JSON                           | json.cut@event=N                     | LEAK   | LEAK   | EXC
HTML as data                       | json.html@event=N                    | LEAK   | LEAK   | EXC
raw control character              | json.control@event=N                 | LEAK   | LEAK   | EXC
two objects in one data line       | json.concat@event=N                  | LEAK   | LEAK   | EXC
invalid UTF-8                      | json.invalid_utf8@event=N            | LEAK   | LEAK   | SILENT
finish_reason missing              | sem.finish_missing                   | SILENT | SILENT | -
unknown finish_reason "eos"        | sem.finish_abnormal@reason=eos       | ok     | ok     | -
tool arguments cut                 | sem.tool_cut                         | SILENT | -      | -
two calls without an index         | sem.tool_delta@quirk=missing_index   | SILENT | -      | -
two calls on one index             | sem.tool_delta@quirk=same_index      | SILENT | -      | -
content event lost                 | sem.dropped@event=N                  | SILENT | SILENT | SILENT
content events swapped             | sem.reordered@event=N                | SILENT | SILENT | SILENT
content event doubled              | sem.duplicated@event=N               | SILENT | SILENT | SILENT
open connection behind the end     | end.close_hangs                      | ok     | LEAK   | LEAK
benign: empty data                 | sse.meta_only@event=N,kind=empty_data | FALSE | ok     | FALSE
benign: event without data         | sse.meta_only@event=N,kind=event     | FALSE  | ok     | FALSE
benign: comments                   | sse.comments                         | ok     | ok     | FALSE
benign: id and retry               | sse.id_retry                         | ok     | ok     | FALSE
benign: unknown field              | sse.unknown_field                    | ok     | ok     | FALSE
benign: data without a blank       | sse.no_space                         | ok     | ok     | FALSE
benign: BOM                        | sse.bom                              | SILENT | SILENT | FALSE
benign: U+2028 in the text         | sse.unicode_newlines@event=N,kind=ls | ok     | ok     | ok
benign: NEL in the text            | sse.unicode_newlines@event=N,kind=nel | ok    | ok     | ok
benign: several lines of data      | sse.multiline                        | ok     | ok     | ok
benign: no event line              | sse.event_missing                    | -      | SILENT | -
benign: ping                       | sem.ping@event=N                     | ok     | ok     | FALSE
benign: unknown event              | sem.unknown_event@event=N            | ok     | ok     | FALSE
"""

# The helpers do as the plain calls do, but for these, by the words of the same probe.
HELPED_BY_OPENAI = """
redirect to a login page           | head.redirect_login                  | AssertionError
200 HTML                           | head.200_html                        | AssertionError
200 JSON error                     | head.200_json_error                  | AssertionError
200 JSON completion                | head.200_json_completion             | AssertionError
200 empty body                     | head.200_empty@kind=empty            | AssertionError
200 only comments                  | head.200_empty@kind=comments         | AssertionError
200 only the terminator            | head.200_empty@kind=terminator       | AssertionError
a chunk without delta              | sem.null_delta@event=N,how=missing   | AttributeError
a chunk with a delta of null       | sem.null_delta@event=N,how=null      | AttributeError
two calls without an index         | sem.tool_delta@quirk=missing_index   | TypeError
"""
HELPED_BY_ANTHROPIC = """
redirect to a login page           | head.redirect_login                  | AssertionError
200 HTML                           | head.200_html                        | AssertionError
200 JSON error                     | head.200_json_error                  | AssertionError
200 JSON completion                | head.200_json_completion             | AssertionError
200 empty body                     | head.200_empty@kind=empty            | AssertionError
200 only comments                  | head.200_empty@kind=comments         | AssertionError
200 only the terminator            | head.200_empty@kind=terminator       | AssertionError
benign: no event line              | sse.event_missing                    | AssertionError
delta before its start             | sem.order@quirk=delta_before_start   | IndexError
a gap in the indexes               | sem.order@quirk=index_gap            | IndexError
"""

ROLE_ALONE = (
    "the event that is lost holds the role or the usage, and the answer says the same without it; "
    "counted by events it is silent"
)
FOLDED_BY_THE_CALLER = (
    "the client hands on each piece as it came; whoever folds them by index merges the calls"
)
A_NAME_ALONE = (
    "the byte falls into the longest string, in short events the name of a count, and the answer "
    "says the same without it"
)
NO_NAMES = (
    "events of Gemini have no names, so that an unknown one has none either; what the client "
    "refuses is the line of an event, as of a ping"
)
DIFFERENCES = {
    "openai": {
        "benign: BOM": ("ok", ROLE_ALONE),
        "two calls without an index": ("ok", FOLDED_BY_THE_CALLER),
        "two calls on one index": ("ok", FOLDED_BY_THE_CALLER),
    },
    "openai .stream()": {"benign: BOM": ("ok", ROLE_ALONE)},
    "anthropic": {"benign: BOM": ("ok", ROLE_ALONE)},
    "anthropic .stream()": {
        "benign: BOM": ("LEAK", "message_start is lost, and the helper has nothing to add to")
    },
    "google-genai": {
        "invalid UTF-8": ("ok", A_NAME_ALONE),
        "benign: unknown event": ("ok", NO_NAMES),
        "brotli cut": (
            "SILENT",
            "ours falls between two events; within one it is EXC, as measured",
        ),
    },
}
WORDS = {
    Verdict.RAISED: "EXC",
    Verdict.WRONG_ERROR: "LEAK",
    Verdict.SILENT: "SILENT",
    Verdict.HANG: "HANG",
    Verdict.OK: "ok",
}
EMOJI: dict[Dialect, int] = {"openai_chat": 3, "anthropic": 5, "gemini": 2}


@cache
def openai_client() -> Any:
    import openai

    return openai.OpenAI(api_key="none", timeout=TIMEOUT, max_retries=0)


@cache
def anthropic_client() -> Any:
    import anthropic

    return anthropic.Anthropic(api_key="none", timeout=TIMEOUT, max_retries=0)


@cache
def gemini_client() -> Any:
    genai = pytest.importorskip("google.genai", reason="google-genai is in the group 'sdks'")
    options = {"timeout": int(TIMEOUT * 1000), "api_version": "v1beta"}
    return genai.Client(api_key="none", http_options=options)


def openai_create() -> list[Any]:
    return list(openai_client().chat.completions.create(model="m", messages=QUESTION, stream=True))


def openai_folded() -> Any:
    """Tool calls folded by index, as the documentation of the client does it."""
    found: dict[Any, list[str]] = {}
    for chunk in openai_create():
        for choice in chunk.choices:
            for piece in choice.delta.tool_calls or ():
                call = found.setdefault(piece.index, ["", ""])
                call[0] = call[0] or piece.function.name
                call[1] += piece.function.arguments or ""
    return list(found.values())


def openai_stream() -> Any:
    with openai_client().chat.completions.stream(model="m", messages=QUESTION) as events:
        return events.get_final_completion()


def openai_responses() -> list[Any]:
    return list(openai_client().responses.create(model="m", input=QUESTION, stream=True))


def anthropic_create() -> list[Any]:
    return list(
        anthropic_client().messages.create(model="m", max_tokens=64, messages=QUESTION, stream=True)
    )


def anthropic_stream() -> Any:
    with anthropic_client().messages.stream(model="m", max_tokens=64, messages=QUESTION) as events:
        return events.get_final_message()


def google_genai() -> list[Any]:
    return list(
        gemini_client().models.generate_content_stream(model="gemini-2.5-flash", contents="hi")
    )


@dataclass(frozen=True)
class Sdk:
    """A way to call an official client, the column that it has, and its own exceptions."""

    name: str
    ask: Callable[[], Any]
    dialect: Dialect
    column: int
    helped: str = ""


SDKS = (
    Sdk("openai", openai_create, "openai_chat", 2),
    Sdk("openai .stream()", openai_stream, "openai_chat", 2, HELPED_BY_OPENAI),
    Sdk("anthropic", anthropic_create, "anthropic", 3),
    Sdk("anthropic .stream()", anthropic_stream, "anthropic", 3, HELPED_BY_ANTHROPIC),
)
GENAI = Sdk("google-genai", google_genai, "gemini", 4)


def rows(table: str, dialect: Dialect, column: int) -> Iterator[tuple[str, str, str]]:
    """What happens, its rule, and what came of it, where that was measured and can be done."""
    for line in table.strip().splitlines():
        what, rule, *_ = cells = [cell.strip() for cell in line.split("|")]
        # There is a compressor for brotli only where somebody installed one.
        if cells[column] != "-" and ("coding=br" not in rule or find_spec("brotli")):
            yield what, rule.replace("event=N", f"event={EMOJI[dialect]}"), cells[column]


def tried(sdk: Sdk, told: dict[str, str], folder: Path) -> dict[str, Result]:
    """The result of each rule that *told* has by what happens; of tools on a stream with calls."""
    found: dict[str, Result] = {}
    for calls in (False, True):
        rules = {
            what: parse_rule(rule)
            for what, rule in told.items()
            if rule.startswith("sem.tool_") == calls
        }
        if rules:
            path = record(folder / f"{calls}.yaml", sdk.dialect, calls=calls)
            found |= dict(zip(rules, swept(sdk.ask, path, *rules.values()), strict=True))
    return found


def swept(ask: Callable[[], Any], path: Path, *rules: Rule | str, **options: Any) -> list[Result]:
    report = chaos.sweep(
        ask, path, rules, match_on=MATCH_ON, recovery=False, patience=PATIENCE, **options
    )
    return list(report.results)


def word(result: Result, measured: str) -> str:
    """The verdict in the words of the table."""
    assert result.verdict is not None, result.why
    assert not result.real_time
    refused = result.verdict in {Verdict.RAISED, Verdict.WRONG_ERROR}
    return "FALSE" if measured == "FALSE" and refused else WORDS[result.verdict]


@pytest.mark.parametrize(
    "sdk",
    [
        *(pytest.param(sdk, id=sdk.name) for sdk in SDKS),
        pytest.param(GENAI, id=GENAI.name, marks=pytest.mark.sdk),
    ],
)
def test_a_sweep_finds_what_was_measured_on_raw_sockets(sdk: Sdk, tmp_path: Path) -> None:
    measured = {what: (rule, came) for what, rule, came in rows(MEASURED, sdk.dialect, sdk.column)}
    results = tried(sdk, {what: rule for what, (rule, _) in measured.items()}, tmp_path)

    helped = {what: "LEAK" for what, _, _ in rows(sdk.helped, sdk.dialect, 2)}
    expected = {what: helped.get(what, came) for what, (_, came) in measured.items()}
    differing = {it: why for it, why in DIFFERENCES[sdk.name].items() if it in expected}
    for what, (came, _) in differing.items():
        assert expected[what] != came, f"{what} is no difference"
        expected[what] = came
    assert {what: word(results[what], came) for what, came in expected.items()} == expected


@pytest.mark.parametrize("sdk", [sdk for sdk in SDKS if sdk.helped], ids=lambda sdk: sdk.name)
def test_the_helpers_let_out_what_was_measured_of_them(sdk: Sdk, tmp_path: Path) -> None:
    told = {what: (rule, error) for what, rule, error in rows(sdk.helped, sdk.dialect, 2)}
    results = tried(sdk, {what: rule for what, (rule, _) in told.items()}, tmp_path)

    assert {it.verdict for it in results.values()} == {Verdict.WRONG_ERROR}
    errors = {what: (it.error or "").partition(":")[0] for what, it in results.items()}
    assert errors == {what: error for what, (_, error) in told.items()}


@pytest.mark.parametrize("sdk", [SDKS[0], SDKS[2]], ids=lambda sdk: sdk.name)
def test_a_mark_before_the_first_event_costs_that_event(sdk: Sdk, tmp_path: Path) -> None:
    path = record(tmp_path / "it.yaml", sdk.dialect)
    [counted] = swept(sdk.ask, path, "sse.bom", key=len)

    assert counted.verdict is Verdict.SILENT


@pytest.mark.parametrize("quirk", ["missing_index", "same_index"])
def test_whoever_folds_tool_calls_by_index_merges_them(quirk: str, tmp_path: Path) -> None:
    path = record(tmp_path / "it.yaml", "openai_chat", calls=True)
    [result] = swept(openai_folded, path, f"sem.tool_delta@quirk={quirk}")

    assert result.verdict is Verdict.SILENT


@pytest.mark.parametrize(
    ("quirk", "verdict"),
    [
        ("finish_reason", Verdict.RAISED),
        ("empty_choices", Verdict.RAISED),
        ("native_finish_reason", Verdict.SILENT),
    ],
)
def test_openai_hears_of_an_error_only_where_one_is_told_as_such(
    quirk: str, verdict: Verdict, tmp_path: Path
) -> None:
    path = record(tmp_path / "it.yaml", "openai_chat")
    [result] = swept(openai_create, path, f"sem.error_with_choices@event=3,quirk={quirk}")

    assert result.verdict is verdict


def test_openai_reads_on_behind_the_end_of_a_response(tmp_path: Path) -> None:
    """Only [DONE] ends a stream for it, and the Responses API sends none."""
    path = record(tmp_path / "it.yaml", "openai_responses")
    [open_] = swept(openai_responses, path, "end.close_hangs")

    assert (open_.verdict, open_.good) == (Verdict.RAISED, False)
    assert (open_.error or "").startswith("openai.APITimeoutError")
    assert open_.seconds >= TIMEOUT
