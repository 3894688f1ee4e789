"""What a run tells of its cassettes: beside a failure, at the end, of what was left over."""

from __future__ import annotations

from pathlib import Path

import pytest
from inner import INI, MODULE

RECORDS = """
@pytest.mark.cassette("a")
def test_records():
    ask(answer)
    ask(answer, 3)
"""


@pytest.fixture
def recorded(pytester: pytest.Pytester) -> Path:
    """The cassette "a" of two interactions, and an ini file."""
    pytester.makeini(INI)
    pytester.makepyfile(test_records=MODULE + RECORDS)
    pytester.runpytest("-q").assert_outcomes(passed=1)
    (pytester.path / "test_records.py").unlink()
    return pytester.path / "cassettes" / "a.yaml"


def test_the_summary_counts_and_names_what_was_recorded(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(MODULE + RECORDS + RECORDS.replace("records", "replays"))
    result = pytester.runpytest("-p", "no:randomly")

    result.stdout.fnmatch_lines(
        ["*= cassettes =*", "2 recorded, 2 replayed", "recorded cassettes/a.yaml"]
    )


def test_a_run_without_cassettes_has_no_summary(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_it(): pass")

    pytester.runpytest().stdout.no_fnmatch_line("*= cassettes =*")


def test_the_summary_adds_up_what_workers_did(pytester: pytest.Pytester, recorded: Path) -> None:
    pytester.makepyfile(
        MODULE
        + """
@pytest.mark.cassette("a", faults="body.split")
@pytest.mark.parametrize("n", range(4))
def test_it(n):
    ask(offline)
    ask(offline, 3)
"""
    )
    result = pytester.runpytest_subprocess("-n2", "--cassette-mode=none")

    result.assert_outcomes(passed=4)
    result.stdout.fnmatch_lines("8 replayed, 8 faults struck")


@pytest.mark.parametrize(
    ("setting", "outcomes"),
    [
        ("", {"passed": 2, "warnings": 1}),
        ("unplayed='ignore'", {"passed": 2}),
        ("unplayed='fail'", {"passed": 2, "errors": 1}),
    ],
    ids=["default", "ignore", "fail"],
)
def test_what_was_not_played_is_told_as_it_is_set(
    pytester: pytest.Pytester, setting: str, outcomes: dict[str, int]
) -> None:
    pytester.makeini(INI.replace("error", "default"))
    pytester.makepyfile(
        MODULE
        + f"""
@pytest.mark.cassette({setting})
@pytest.mark.parametrize("again", [1, 2])
def test_it(again):
    ask(answer, again)
    if TWICE:
        ask(answer, 7)
"""
    )
    text = next(pytester.path.glob("test_*.py"))
    source = text.read_text()
    text.write_text(source.replace("TWICE", "again == 1"))
    pytester.runpytest().assert_outcomes(passed=2)
    text.write_text(source.replace("TWICE", "False").replace("(answer", "(offline"))
    result = pytester.runpytest("--cassette-mode=none")

    result.assert_outcomes(**outcomes)
    result.stdout.fnmatch_lines("2 replayed, 1 unplayed")
    if setting != "unplayed='ignore'":
        result.stdout.fnmatch_lines(["*1 of the interactions in * never played:*"])
        result.stdout.fnmatch_lines(["*--cassette-mode=rewrite, or let it be with unplayed=*"])


def test_a_cassette_that_tests_share_need_not_be_played_whole_by_one_of_them(
    pytester: pytest.Pytester, recorded: Path
) -> None:
    pytester.makepyfile(
        f"{MODULE}\n@pytest.mark.cassette('a')\ndef test_it(): assert ask(offline)\n"
    )
    pytester.runpytest("--cassette-mode=none").assert_outcomes(passed=1)
    result = pytester.runpytest("--cassette-mode=none", "--cassette-unplayed=fail")

    result.assert_outcomes(passed=1, errors=1)


def test_a_failing_test_tells_what_was_delivered_and_what_struck(
    pytester: pytest.Pytester, recorded: Path
) -> None:
    pytester.makepyfile(
        MODULE
        + """
@pytest.mark.cassette("a", faults="body.fin@event=2")
def test_it():
    ask(offline)
"""
    )
    result = pytester.runpytest("--cassette-mode=none")

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "*cassette *a.yaml (mode none)*",
            "body.fin@event=2 struck request 1, attempt 1",
            "POST https://api.test/v1/chat: 9 bytes were delivered, of which the last are:",
            "  data: 1",
        ]
    )
    assert "data: 2" not in "\n".join(result.stdout.lines)


def test_a_failing_test_tells_of_the_last_events_only(
    pytester: pytest.Pytester, recorded: Path
) -> None:
    text = "x" * 300
    pytester.makepyfile(
        MODULE
        + f"""
def many(request):
    chunks = [b"data: %d\\r\\n\\r\\n" % n for n in range(50)] + [b"data: {text}\\n\\n"]
    return httpx.Response(200, content=iter(chunks))


@pytest.mark.cassette
def test_it():
    for n in range(5):
        ask(many, n)
    assert False
"""
    )
    result = pytester.runpytest("--cassette-keep-failed")
    told = "\n".join(result.stdout.lines).partition("(mode once)")[2]

    assert told.count("POST https://api.test") == 3
    assert "  data: 49" in told
    assert "  data: 48" in told
    assert "  data: 47" not in told
    assert "x" * 190 + "…" in told.replace("data: ", "")
    assert (pytester.path / "cassettes").exists()


def test_a_failing_test_tells_the_miss_that_an_sdk_swallowed(
    pytester: pytest.Pytester, recorded: Path
) -> None:
    pytester.makepyfile(
        MODULE
        + """
@pytest.mark.cassette("a")
def test_it():
    try:
        ask(offline, 4)
    except Exception:
        raise OSError("something went wrong") from None
"""
    )
    result = pytester.runpytest("--cassette-mode=none")

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "*OSError: something went wrong",
            "*cassette *a.yaml (mode none)*",
            "nothing is recorded for POST *; nearest: interaction 1 of 2, *",
            "  body: n: 2 != 4",
        ]
    )


@pytest.mark.parametrize("way", ["option", "ini", "marker"])
def test_what_a_failing_test_recorded_is_kept_if_that_is_asked_for(
    pytester: pytest.Pytester, way: str
) -> None:
    pytester.makeini(INI + ("cassette_keep_failed = true\n" if way == "ini" else ""))
    marker = "cassette(keep_failed=True)" if way == "marker" else "cassette"
    pytester.makepyfile(
        f"{MODULE}\n@pytest.mark.{marker}\ndef test_it():\n    ask(answer)\n    assert False\n"
    )
    result = pytester.runpytest(*(["--cassette-keep-failed"] if way == "option" else []))

    result.assert_outcomes(failed=1)
    assert len(list(pytester.path.rglob("*.yaml"))) == 1


def test_secrets_are_in_no_report(pytester: pytest.Pytester) -> None:
    key = "sk-proj-" + "a1B2" * 12
    pytester.makepyfile(
        MODULE
        + f"""
def echo(request):
    return httpx.Response(200, content=b"data: your key is {key[:20]}" b"{key[20:]}\\n\\n")


@pytest.mark.cassette
def test_it():
    ask(echo)
    assert False
"""
    )
    result = pytester.runpytest("--cassette-keep-failed", "--show-capture=all")
    result.assert_outcomes(failed=1)

    assert key not in "\n".join(result.stdout.lines)
    assert "REDACTED-1" in "\n".join(result.stdout.lines)
