"""What a recorder left that died becomes a cassette, and nothing that was there is lost."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner, Result

from cassette_stream import read_cassette, use_cassette
from cassette_stream.cassette.model import How
from cassette_stream.cli import app
from cassette_stream.exceptions import RecordingEndedError
from cassette_stream.storage import Journal, find_journals

URL = "https://api.test/v1/chat"
SSE = {"content-type": "text/event-stream"}
CHUNKS = [b"data: one\n\n", b"data: two\n\n", b"data: [DONE]\n\n"]

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="recorders are forked off here")


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["recover", *map(str, arguments)])


def answered(chunks: list[bytes], dies: bool) -> Any:
    def told() -> Iterator[bytes]:
        yield from chunks
        if dies:
            os._exit(9)

    return lambda _: httpx.Response(200, headers=SSE, content=told())


def die(path: Path, *bodies: str, chunks: list[bytes] = CHUNKS[:2], **options: Any) -> Path:
    """Record answers to *bodies* in a process that dies in the last; give its journal."""
    before = {*find_journals(path.parent)}
    child = os.fork()
    if not child:
        try:
            with use_cassette(path, **options):
                for body in bodies:
                    is_last = body == bodies[-1]
                    transport = httpx.MockTransport(answered(chunks, is_last))
                    with httpx.Client(transport=transport) as client:
                        client.post(URL, json=body)
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    [journal] = {*find_journals(path.parent)} - before
    return journal


def record(path: Path, body: str, **options: Any) -> None:
    transport = httpx.MockTransport(answered(CHUNKS, dies=False))
    with use_cassette(path, **options), httpx.Client(transport=transport) as client:
        client.post(URL, json=body)


def told(path: Path) -> list[tuple[str, bool, int]]:
    return [
        (it.request.body.decode(), it.incomplete, len(it.response.sizes) if it.response else -1)
        for it in read_cassette(path).interactions
    ]


def test_a_cassette_is_made_of_what_is_there(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    journal = die(path, "first", "second")
    done = run(path)

    assert done.exit_code == 0, done.output
    assert f"{path}: 2 interactions recovered from {journal.name}, 1 of them incomplete" in (
        done.output.replace("\n", "")
    )
    assert told(path) == [('"first"', False, 2), ('"second"', True, 2)]
    assert not journal.exists()
    [first, second] = read_cassette(path).interactions
    assert first.response is not None
    assert first.response.ending.how is How.COMPLETE
    assert second.response is not None
    assert second.response.ending.how is How.CANCELLED
    assert second.response.body == b"".join(CHUNKS[:2])


def test_who_reads_on_where_the_recorder_died_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    die(path, "hi")
    run(path)
    read = []
    with (
        use_cassette(path, mode="none"),
        httpx.Client() as client,
        pytest.raises(RecordingEndedError, match="nobody knows what came next"),
        client.stream("POST", URL, json="hi") as response,
    ):
        read += response.iter_raw()

    assert not read or read == CHUNKS[:2]


@pytest.mark.parametrize("mode", ["once", "new_episodes", "all", "rewrite"])
@pytest.mark.parametrize("force", [False, True], ids=["", "force"])
def test_what_is_there_is_replaced_only_by_force(tmp_path: Path, mode: str, force: bool) -> None:
    path, beside = tmp_path / "a.yaml", tmp_path / "a.recovered.yaml"
    if mode == "once":  # somebody else was quicker
        die(path, "same", mode=mode)
        record(path, "same")
    else:
        record(path, "same")
        die(path, "same" if mode in {"all", "rewrite"} else "other", mode=mode)
    before = path.read_bytes()
    done = run(path, *(["--force"] if force else []))

    assert done.exit_code == 0, done.output
    replaces = mode in {"all", "rewrite"}
    assert path.read_bytes().startswith(before) or (replaces and force)
    assert beside.exists() is (replaces and not force)
    whole, broken = ('"same"', False, 3), ('"same"', True, 2)
    match mode, force:
        case "once", _:
            assert told(path) == [whole, broken]
        case "new_episodes", _:
            assert told(path) == [whole, ('"other"', True, 2)]
        case _, True:
            assert told(path) == [broken]
        case _:
            assert (told(path), told(beside)) == ([whole], [broken])


def test_a_second_one_is_added_to_what_was_recovered(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    record(path, "same")
    for size in (1, 2, 2):
        die(path, "same", mode="all", chunks=CHUNKS[:size])
        run(path)

    # One that is there already is not added again.
    assert [it[2] for it in told(tmp_path / "a.recovered.yaml")] == [1, 2]


def test_a_folder_is_searched(tmp_path: Path) -> None:
    for name in ("a", "deep/b"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        die(tmp_path / f"{name}.yaml", name)
    done = run(tmp_path)

    assert done.exit_code == 0
    assert not [*find_journals(tmp_path)]
    assert told(tmp_path / "deep" / "b.yaml") == [('"deep/b"', True, 2)]


def test_a_journal_of_a_process_that_lives_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    transport = httpx.MockTransport(answered(CHUNKS, dies=False))
    with use_cassette(path), httpx.Client(transport=transport) as client:
        client.post(URL)
        done = subprocess.run(
            [sys.executable, "-m", "cassette_stream", "recover", str(path)],
            capture_output=True,
            text=True,
            check=False,
        )

        assert done.returncode == 1
        assert "left alone: its process still records" in done.stdout
        assert not path.exists()
    assert len(told(path)) == 1


@pytest.mark.parametrize("gone", [1, 5, 20])
def test_a_last_record_that_is_torn_is_dropped(tmp_path: Path, gone: int) -> None:
    path = tmp_path / "a.yaml"
    journal = die(path, "hi", chunks=[b"data: 1\n\n", b"data: %s\n\n" % (b"2" * 50)])
    os.truncate(journal, journal.stat().st_size - gone)
    done = run(path)

    assert done.exit_code == 0
    assert "of a last record were dropped" in done.output
    assert told(path) == [('"hi"', True, 1)]


def test_what_is_before_the_damage_is_recovered_and_the_journal_stays(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    journal = die(path, "first", "second")
    data = bytearray(journal.read_bytes())
    at = data.rfind(b"data: two")
    data[at] ^= 1
    journal.write_bytes(data)
    done = run(path)

    assert done.exit_code == 1
    assert "is damaged at byte" in done.output
    assert told(path) == [('"first"', False, 2), ('"second"', True, 1)]
    assert journal.exists()


def test_a_request_to_which_nothing_had_come_is_left_out_and_told_of(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    child = os.fork()
    if not child:
        with (
            use_cassette(path),
            httpx.Client(
                transport=httpx.MockTransport(lambda _: os._exit(9))  # type: ignore[arg-type]
            ) as client,
        ):
            client.post(URL)
    os.waitpid(child, 0)
    done = run(path)

    assert f"nothing had come to POST {URL}" in done.output
    assert "nothing in it can be recovered" in done.output
    assert not [*tmp_path.glob(".*.part")]
    assert not path.exists()


def test_what_was_held_back_is_told_of(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    die(path, "hi", chunks=[b"data: 1\n\n", b"data: tw"])
    done = run(path)
    [interaction] = read_cassette(path).interactions

    assert "8 bytes at the end of bodies might have been part of a secret" in (
        " ".join(done.output.split())
    )
    assert interaction.response is not None
    assert [*interaction.response.sizes] == [9, 8]
    assert interaction.response.body == b"data: 1\n\n********"


@pytest.mark.parametrize("name", ["a.yaml", ".a.yaml.1-ab.part", "."])
def test_where_there_is_no_journal_that_is_said(tmp_path: Path, name: str) -> None:
    done = run(tmp_path / name)

    assert done.exit_code == 2
    assert "error: " in done.output


def test_an_empty_journal_goes(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "a.yaml", b"{}")
    journal.close()
    journal.path.write_bytes(b"")

    assert run(tmp_path).exit_code == 0
    assert not journal.path.exists()


def test_where_the_cassette_cannot_be_written_the_journal_stays(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    journal = die(path, "hi")
    path.mkdir()
    done = run(journal)

    assert done.exit_code == 2
    assert "error: " in done.output
    assert journal.exists()
