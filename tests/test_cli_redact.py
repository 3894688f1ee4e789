"""The command that takes secrets out of cassettes, and the one that finds them."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest
from secret_cases import KINDS, PLACES, case, interaction, sse
from support import PROJECT
from typer.testing import CliRunner, Result

from cassette_stream.cassette import Cassette, Interaction, dumps, loads
from cassette_stream.cli import app

KEY = KINDS[2].texts[0]
OTHER = KINDS[11].texts[0]
CLEAN = interaction(answer=b"nothing", body=b'{"a": 1}')
SECRETS = interaction(
    headers={"authorization": (f"Bearer {OTHER}",)},
    body=b'{"note": "%s"}' % KEY.encode(),
    answer=sse("one", f" {KEY} ", "two"),
    answer_headers={"content-type": ("text/event-stream",)},
)
SPLIT = interaction(
    answer=sse("It is ", KEY[:9], KEY[9:40], KEY[40:], " for you"),
    answer_headers={"content-type": ("text/event-stream",)},
)


def run(*arguments: object, **env: str | None) -> Result:
    return CliRunner(env={"COLUMNS": "80", **env}).invoke(app, [str(each) for each in arguments])


def written(path: Path, *interactions: Interaction) -> Path:
    path.write_bytes(dumps(Cassette(interactions=interactions, recorded_with="by hand 1")))
    return path


def place(file: Path, text: str, which: int = 0) -> str:
    lines = file.read_text("utf-8").splitlines()
    number = [number for number, line in enumerate(lines) if text in line][which]
    return f"{file}:{number + 1}:{lines[number].index(text) + 1}: "


def test_secrets_are_replaced_and_all_else_keeps_its_bytes(tmp_path: Path) -> None:
    file = written(tmp_path / "a.yaml", CLEAN, SECRETS, CLEAN)
    file.write_bytes(file.read_bytes().replace(b"---\n", b"---\n# a note\n", 1))
    header, first, _, last = file.read_bytes().split(b"---\n")
    told = [
        place(file, OTHER) + "header, request header authorization",
        place(file, KEY) + "openai key, request body",
        place(file, KEY, 1) + "openai key, response body",
    ]
    result = run("redact", file)
    after = file.read_bytes()

    assert (result.exit_code, result.stdout.splitlines()) == (0, told)
    assert result.stderr == "1 cassette, 3 secrets replaced\n"
    assert KEY.encode() not in after
    assert OTHER.encode() not in after
    assert after.split(b"---\n")[:2] + after.split(b"---\n")[3:] == [header, first, last]
    clean = loads(after, file="a").interactions[1]
    assert clean.response is not None
    assert SECRETS.response is not None
    assert clean.response.sizes == SECRETS.response.sizes
    assert run("redact", file).stderr == "1 cassette, 0 secrets replaced\n"
    assert run("lint", file).exit_code == 0


def test_check_tells_and_writes_nothing(tmp_path: Path) -> None:
    file = written(tmp_path / "a.yaml", CLEAN, SECRETS)
    before = file.read_bytes()
    result = run("redact", "--check", tmp_path)

    assert result.exit_code == 1
    assert result.stderr == "1 cassette, 3 secrets found\n"
    assert len(result.stdout.splitlines()) == 3
    assert KEY not in result.stdout
    assert OTHER not in result.stdout
    assert file.read_bytes() == before
    assert run("redact", file).exit_code == run("redact", "--check", file).exit_code == 0


def test_a_file_without_secrets_is_not_written(tmp_path: Path) -> None:
    file = written(tmp_path / "a.yaml", CLEAN)
    before = file.read_bytes().replace(b"\n", b"\r\n")
    file.write_bytes(before)
    state = file.stat()
    result = run("redact", file)

    assert (result.exit_code, result.stdout) == (0, "")
    assert (file.read_bytes(), file.stat().st_ino) == (before, state.st_ino)


def test_a_secret_that_is_split_over_events_is_told_where_it_begins(tmp_path: Path) -> None:
    file = written(tmp_path / "a.yaml", SPLIT)
    begin = place(file, KEY[:9])
    found, linted = run("redact", "--check", file), run("lint", file)
    run("redact", file)
    after = file.read_text("utf-8")

    assert found.stdout == begin + "openai key, response body\n"
    assert linted.stdout.startswith(begin + "this looks like a secret (openai key, ")
    assert len(linted.stdout.splitlines()) == 1
    pieces = re.findall(r'"content": "([RE0-9A-Z-]+)"', after)
    assert "".join(pieces) == "REDACTED-1" + "-" * (len(KEY) - 10)
    assert [len(piece) for piece in pieces] == [9, 31, len(KEY) - 40]


def test_what_stands_in_a_comment_is_left_and_told(tmp_path: Path) -> None:
    file = written(tmp_path / "a.yaml", CLEAN)
    file.write_bytes(b"# my key: %s\n" % KEY.encode() + file.read_bytes())
    result = run("redact", file)

    assert result.exit_code == 1
    assert result.stdout.splitlines()[-1] == (f"{file}:1:11: take this out by hand: openai key")


def test_a_file_that_cannot_be_read_hides_no_other(tmp_path: Path) -> None:
    broken = written(tmp_path / "a.yaml", SECRETS)
    broken.write_bytes(broken.read_bytes().replace(b"method:", b"methd:"))
    before = broken.read_bytes()
    good = written(tmp_path / "b.yaml", SECRETS)
    result = run("redact", tmp_path)

    assert result.exit_code == 1
    assert f"{broken}:" in result.stdout
    assert broken.read_bytes() == before
    assert KEY.encode() not in good.read_bytes()
    assert run("redact", tmp_path / "nowhere.yaml").exit_code == 2


def test_values_of_the_environment_are_secrets(tmp_path: Path) -> None:
    text = "correct-horse-battery"
    file = written(tmp_path / "a.yaml", interaction(answer=f"say {text}".encode()))

    assert run("lint", file).exit_code == 0
    result = run("redact", file, ACME_PASSWORD=text)
    assert result.stdout == (place(file, "REDACTED-1") + "value of ACME_PASSWORD, response body\n")
    assert text.encode() not in file.read_bytes()


@pytest.mark.matrix(24)
@pytest.mark.parametrize("at", PLACES)
@pytest.mark.parametrize("number", KINDS)
def test_every_secret_is_found_in_its_file_and_taken_out(
    number: int, at: int, tmp_path: Path
) -> None:
    kind, (_, where) = KINDS[number], PLACES[at]
    file = written(tmp_path / "a.yaml", CLEAN, case(kind, kind.texts[0], where))
    lines = file.read_text("utf-8").count("\n")
    found = run("lint", file).stdout.splitlines()
    told = [int(re.sub(r"\A.*?\.yaml:(\d+):.*", r"\1", line)) for line in found]

    assert told
    assert all(1 <= line <= lines for line in told)
    assert run("redact", file).exit_code == 0
    assert run("lint", file).stdout == ""
    assert run("redact", "--check", file).stderr == "1 cassette, 0 secrets found\n"


def test_lint_names_line_ends_that_git_made_and_mends_them(tmp_path: Path) -> None:
    file = written(tmp_path / "a.yaml", CLEAN)
    good = file.read_bytes()
    file.write_bytes(good.replace(b"\n", b"\r\n"))
    before = run("lint", file)
    fixed = run("lint", "--fix", file)

    assert before.exit_code == 1
    assert before.stdout.startswith(f"{file}:1:12: every line end is CRLF, as git has it")
    assert "'*.yaml -text' into .gitattributes" in before.stdout
    assert (fixed.exit_code, fixed.stdout) == (0, "")
    assert fixed.stderr == f"{file}: line ends mended\n1 cassette, 0 problems\n"
    assert file.read_bytes() == good


def test_lint_names_line_ends_that_were_half_changed(tmp_path: Path) -> None:
    file = written(tmp_path / "a.yaml", CLEAN)
    file.write_bytes(file.read_bytes().replace(b"\n", b"\r\n", 3))
    result = run("lint", file)

    assert result.exit_code == 1
    assert ".gitattributes" in result.stdout


def test_lint_finds_secrets_of_a_file_that_is_no_cassette(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_bytes(b"cassette: 1\nkey: %s\n" % KEY.encode())
    result = run("lint", file)

    assert result.exit_code == 1
    assert f"{file}:2:6: this looks like a secret (openai key)" in result.stdout


def test_the_fixtures_hold_no_secret() -> None:
    result = run("redact", "--check", PROJECT / "fixtures")

    assert (result.exit_code, result.stdout) == (0, "")


def test_a_failure_before_the_head_is_redacted_too(tmp_path: Path) -> None:
    failed = dataclasses.replace(
        interaction(message=f"no {KEY}"), response=None, failure=interaction(message=f"no {KEY}").response.ending  # type: ignore[union-attr]
    )  # fmt: skip
    file = written(tmp_path / "a.yaml", failed)

    assert run("redact", file).stdout == place(file, "REDACTED-1") + "openai key, failure message\n"
