"""What was acknowledged is on the disk, whole or noticed, and no secret is."""

from __future__ import annotations

import errno
import json
import os
import stat
import sys
import threading
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cassette_stream import read_cassette, use_cassette
from cassette_stream.cassette.model import How
from cassette_stream.cassette.redact import Redactor
from cassette_stream.exceptions import (
    CassetteError,
    CassetteWriteError,
    IncompleteRecordingWarning,
    JournalWarning,
    SecretError,
)
from cassette_stream.session.notes import Noted, noted
from cassette_stream.storage import Journal, Kind, Record, find_journals, read_journal
from cassette_stream.storage.journal import MAGIC

URL = "https://api.test/v1/chat"
SSE = {"content-type": "text/event-stream"}
# Put together here, so that nobody's scanner takes this file for a leak.
KEY = "sk-" + "proj-" + "a7Bc" * 8
needs_posix = pytest.mark.skipif(sys.platform == "win32", reason="modes and forks of POSIX")

records = st.lists(
    st.builds(
        Record,
        kind=st.sampled_from(Kind),
        number=st.integers(0, 3),
        at=st.floats(0, 1e6),
        size=st.integers(0, 70_000),
        data=st.binary(max_size=40),
    ),
    max_size=8,
)


def written(folder: Path, several: list[Record]) -> Path:
    journal = Journal(folder / "a.yaml", b"{}")
    for it in several:
        journal.add(it.kind, it.number, it.at, it.size, it.data)
    journal.close()
    return journal.path


@given(several=records)
def test_records_are_read_as_they_were_written(
    tmp_path_factory: pytest.TempPathFactory, several: list[Record]
) -> None:
    found = read_journal(written(tmp_path_factory.mktemp("j"), several))

    assert list(found.records[1:]) == several
    assert (found.torn, found.damage) == (0, None)


@given(several=records, data=st.data())
def test_of_a_file_that_was_cut_anywhere_the_whole_records_are_read(
    tmp_path_factory: pytest.TempPathFactory, several: list[Record], data: st.DataObject
) -> None:
    path = written(tmp_path_factory.mktemp("j"), several)
    whole = path.read_bytes()
    size = data.draw(st.integers(0, len(whole)))
    path.write_bytes(whole[:size])
    found = read_journal(path)

    assert found.damage is None
    assert list(found.records) == list(read_whole(path, whole)[: len(found.records)])
    path.write_bytes(whole[: size - found.torn])
    assert read_journal(path).records == found.records
    assert read_journal(path).torn == 0


def read_whole(path: Path, whole: bytes) -> tuple[Record, ...]:
    path.write_bytes(whole)
    return read_journal(path).records


@given(several=records, data=st.data())
def test_no_flipped_bit_goes_unnoticed(
    tmp_path_factory: pytest.TempPathFactory, several: list[Record], data: st.DataObject
) -> None:
    path = written(tmp_path_factory.mktemp("j"), several)
    whole = bytearray(path.read_bytes())
    at = data.draw(st.integers(0, len(whole) - 1))
    whole[at] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(whole)
    if at < len(MAGIC):
        with pytest.raises(CassetteError, match="is no journal"):
            read_journal(path)
        return
    found = read_journal(path)

    assert found.damage is not None
    assert "is damaged at byte" in found.damage
    assert list(found.records) == [*read_whole(path, bytes(whole))][: len(found.records)]


class Provider:
    """Answers with *chunks*, and looks at the journal before each but the first."""

    def __init__(
        self, folder: Path, chunks: list[bytes], headers: dict[str, str] | None = None
    ) -> None:
        self.seen: list[list[Any]] = []
        self.raw: list[bytes] = []
        self._folder = folder
        self._chunks = chunks
        self._headers = headers or SSE

    def __call__(self, _: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers=self._headers, content=self._told())

    def _told(self) -> Iterator[bytes]:
        for chunk in self._chunks:
            yield chunk
            [journal] = find_journals(self._folder)
            self.raw.append(journal.read_bytes())
            self.seen.append(list(noted(read_journal(journal).records)))


def ask(provider: Callable[[httpx.Request], httpx.Response], **options: Any) -> None:
    with httpx.Client(transport=httpx.MockTransport(provider)) as client:
        client.post(URL, **options)


def bodies(seen: list[Any]) -> list[list[bytes]]:
    return [[frame.data for frame in it.interaction.response.frames()] for it in seen]


@given(chunks=st.lists(st.sampled_from([b"data: one\n\n", b"data: ", b"two\n\n", b"\n", b""])))
def test_a_chunk_is_in_the_journal_before_the_caller_asks_for_the_next(
    tmp_path_factory: pytest.TempPathFactory, chunks: list[bytes]
) -> None:
    folder = tmp_path_factory.mktemp("j")
    provider = Provider(folder, chunks)
    with use_cassette(folder / "a.yaml"):
        ask(provider)

    for number, seen in enumerate(provider.seen, 1):
        [frames] = bodies(seen)
        said = b"".join(chunks[:number])
        lines = said[: said.rfind(b"\n") + 1]
        assert [len(frame) for frame in frames] == [len(chunk) for chunk in chunks[:number]]
        assert b"".join(frames) == lines + b"*" * (len(said) - len(lines))
        assert seen[0].missing == len(said) - len(lines)
        assert seen[0].interaction.incomplete
    assert not list(find_journals(folder))


def test_what_ended_is_in_the_journal_as_it_will_be_in_the_cassette(tmp_path: Path) -> None:
    provider = Provider(tmp_path, [b"data: one\n\n", b"data: tw"])
    with use_cassette(tmp_path / "a.yaml") as session:
        ask(provider, json={"key": KEY}, headers={"authorization": f"Bearer {KEY}"})
        [journal] = find_journals(tmp_path)
        [found] = noted(read_journal(journal).records)

        assert isinstance(found, Noted)
        assert (found.interaction,) == session.recorded
        assert found.missing == 0


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_a_coding_is_undone_before_anything_is_taken_down(tmp_path: Path, coding: str) -> None:
    coder = zlib.compressobj(wbits=31 if coding == "gzip" else 15)
    texts = [b"data: one\n\n", f"data: {KEY}\n\n".encode(), b"data: three\n\n"]
    chunks = [coder.compress(text) + coder.flush(zlib.Z_SYNC_FLUSH) for text in texts]
    chunks.append(coder.flush())
    provider = Provider(tmp_path, chunks, {**SSE, "content-encoding": coding})
    with use_cassette(tmp_path / "a.yaml") as session:
        ask(provider)
        [journal] = find_journals(tmp_path)
        [found] = noted(read_journal(journal).records)

        assert isinstance(found, Noted)
        assert (found.interaction,) == session.recorded
    response = provider.seen[1][0].interaction.response
    assert response.removed_coding == coding
    assert response.body == b"data: one\n\n" + b"*" * len(texts[1])


def test_a_body_in_an_unknown_coding_is_taken_down_at_its_end(tmp_path: Path) -> None:
    provider = Provider(tmp_path, [b"\x0b\x02\n", b"\x80\n"], {**SSE, "content-encoding": "br"})
    with use_cassette(tmp_path / "a.yaml"):
        ask(provider)
        [journal] = find_journals(tmp_path)
        [found] = noted(read_journal(journal).records)

    assert [seen[0].missing for seen in provider.seen] == [3, 5]
    assert isinstance(found, Noted)
    assert found.interaction.response is not None
    assert found.interaction.response.body == b"\x0b\x02\n\x80\n"


@pytest.mark.parametrize("cut", range(1, 60, 3))
def test_no_secret_is_ever_in_the_journal(tmp_path: Path, cut: int) -> None:
    body = f'data: {{"text":"Well: {KEY}"}}\n\ndata: [DONE]\n\n'.encode()
    provider = Provider(tmp_path, [body[:cut], body[cut : cut + 9], body[cut + 9 :]])
    with use_cassette(tmp_path / "a.yaml"):
        ask(provider, headers={"authorization": f"Bearer {KEY}"}, json={"say": KEY})

    assert len(provider.raw) == 3
    assert all(KEY[n : n + 8].encode() not in raw for raw in provider.raw for n in range(9, 30))


def test_without_redaction_all_is_taken_down_at_once(tmp_path: Path) -> None:
    provider = Provider(tmp_path, [KEY.encode()[:20], KEY.encode()[20:]])
    with use_cassette(tmp_path / "a.yaml", redact=None):
        ask(provider)

    assert bodies(provider.seen[0]) == [[KEY.encode()[:20]]]


def test_several_interactions_share_a_journal(tmp_path: Path) -> None:
    first, second = (Provider(tmp_path, [b"data: a\n\n", b"data: b\n\n"]) for _ in range(2))
    with (
        use_cassette(tmp_path / "a.yaml"),
        httpx.Client(transport=httpx.MockTransport(first)) as one,
        httpx.Client(transport=httpx.MockTransport(second)) as other,
        one.stream("POST", URL, json=1) as here,
        other.stream("POST", URL, json=2) as there,
    ):
        for _ in zip(here.iter_raw(), there.iter_raw(), strict=True):
            pass

    assert [len(it.interaction.response.sizes) for it in second.seen[-1]] == [2, 2]


def test_threads_share_a_journal(tmp_path: Path) -> None:
    chunks = [b"data: %d\n\n" % n for n in range(30)]

    def respond(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers=SSE, content=iter(chunks))

    with use_cassette(tmp_path / "a.yaml") as session:
        threads = [threading.Thread(target=ask, args=(respond,)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        [journal] = find_journals(tmp_path)
        found = [it.interaction for it in noted(read_journal(journal).records)]  # type: ignore[union-attr]

        assert tuple(found) == session.recorded
        assert len(found) == 8


@needs_posix
def test_it_is_hidden_and_for_its_owner_alone(tmp_path: Path) -> None:
    path = written(tmp_path, [])

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.name.startswith(f".a.yaml.{os.getpid()}-")
    assert path.name.endswith(".part")


@pytest.mark.parametrize("name", ["a.yaml", "[x].yaml", "é" * 100 + ".yaml"])
def test_it_is_found_by_its_cassette_its_name_and_its_folder(tmp_path: Path, name: str) -> None:
    journal = Journal(tmp_path / name, b"{}")
    Journal(tmp_path / "other.yaml", b"{}").close()
    journal.close()

    assert [*find_journals(tmp_path / name)] == [journal.path]
    assert [*find_journals(journal.path)] == [journal.path]
    assert len([*find_journals(tmp_path)]) == 2
    assert not [*find_journals(tmp_path / "none" / "a.yaml")]


def test_nothing_is_made_by_a_session_that_records_nothing(tmp_path: Path) -> None:
    with use_cassette(tmp_path / "deep" / "a.yaml"):
        pass

    assert not [*tmp_path.iterdir()]


def test_it_goes_where_nothing_is_kept(tmp_path: Path) -> None:
    with use_cassette(tmp_path / "a.yaml") as session:
        ask(Provider(tmp_path, [b"data: 1\n\n"]))
        session.discard()

    assert not [*find_journals(tmp_path)]
    assert not (tmp_path / "a.yaml").exists()


def test_what_a_hook_would_take_out_is_not_taken_down(tmp_path: Path) -> None:
    provider = Provider(tmp_path, [b"data: private\n\n"])
    with use_cassette(tmp_path / "a.yaml", before_record_response=lambda _: None):
        ask(provider, json="public")

    assert provider.seen == [[]]
    assert b"p" + b"rivate" not in provider.raw[0]
    assert not [*find_journals(tmp_path)]


def test_a_folder_that_cannot_be_made_is_told_before_a_request_is_sent(tmp_path: Path) -> None:
    provider = Provider(tmp_path, [])
    with use_cassette(tmp_path / "folder" / "a.yaml"):
        (tmp_path / "folder").write_text("a file")
        with pytest.raises(CassetteWriteError, match=r"a\.yaml' cannot be recorded: .*make room"):
            ask(provider)

    assert provider.seen == []


class Full:
    """A disk that takes so many writes to a journal, the next one by half, and no more."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, takes: int) -> None:
        self.takes = takes
        self._write = os.write
        monkeypatch.setattr(os, "write", self)

    def __call__(self, fd: int, data: bytes) -> int:
        self.takes -= 1
        if self.takes >= 0:
            return self._write(fd, data)
        if self.takes == -1:
            return self._write(fd, data[: len(data) // 2])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


# A journal is two writes, a request and a head one each.
@pytest.mark.parametrize("takes", range(3, 7))
def test_a_disk_that_fills_up_breaks_no_stream_and_is_told_in_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, takes: int
) -> None:
    chunks = [b"data: 1\n\n", b"data: 2\n\n", b"data: 3\n\n"]
    provider = Provider(tmp_path, chunks)
    session = use_cassette(tmp_path / "a.yaml").__enter__()
    Full(monkeypatch, takes)
    ask(provider)
    monkeypatch.undo()
    with pytest.warns(JournalWarning, match="was written, but not all of it"):
        session.close()

    [interaction] = read_cassette(tmp_path / "a.yaml").interactions
    assert interaction.response is not None
    assert interaction.response.body == b"".join(chunks)
    for seen in provider.seen:  # half a record was taken back
        assert all(it.interaction.incomplete for it in seen if isinstance(it, Noted))
    assert not [*find_journals(tmp_path)]


@pytest.mark.parametrize("takes", range(3))
def test_on_a_full_disk_no_request_is_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, takes: int
) -> None:
    provider = Provider(tmp_path, [b"data: 1\n\n"])
    with use_cassette(tmp_path / "a.yaml"):
        Full(monkeypatch, takes)
        with pytest.raises(CassetteWriteError, match="No space left on device"):
            ask(provider)
        monkeypatch.undo()

    assert provider.seen == []
    assert not [*find_journals(tmp_path)]


def test_where_the_cassette_cannot_be_written_the_journal_stays_and_is_told_of(
    tmp_path: Path,
) -> None:
    path = tmp_path / "a.yaml"
    with pytest.raises(CassetteWriteError) as caught, use_cassette(path):
        ask(Provider(tmp_path, [b"data: 1\n\n"]))
        path.mkdir()

    [journal] = find_journals(tmp_path)
    assert any(f"what was recorded is in {journal}" in note for note in caught.value.__notes__)
    assert any("cassette-stream recover" in note for note in caught.value.__notes__)
    [found] = noted(read_journal(journal).records)
    assert isinstance(found, Noted)
    assert not found.interaction.incomplete


def test_where_a_secret_is_left_the_journal_goes_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Redactor, "redacted", lambda _, it: _Unredacted(it))
    with pytest.raises(SecretError), use_cassette(tmp_path / "a.yaml"):
        ask(Provider(tmp_path, [f"data: {KEY}\n\n".encode()]))

    assert not [*find_journals(tmp_path)]


class _Unredacted:
    def __init__(self, interaction: object) -> None:
        self.interaction = interaction
        self.replaced = ()


DONE = b"data: [DONE]\n\n"


def record(path: Path, text: str, *, whole: bool, **options: Any) -> None:
    """One answer, of which all is read, or only up to its first event."""
    first = json.dumps({"choices": [{"index": 0, "delta": {"content": text}}]})
    chunks = [f"data: {first}\n\n".encode(), DONE]

    def respond(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers=SSE, content=iter(chunks))

    with (
        use_cassette(path, **options),
        httpx.Client(transport=httpx.MockTransport(respond)) as client,
        client.stream("POST", URL, json={}) as response,
    ):
        stream = response.iter_raw()
        next(stream)
        if whole:
            next(stream)  # and no more, as SDKs do


def texts(path: Path) -> list[str]:
    found = read_cassette(path).interactions
    return [it.response.body.decode() for it in found if it.response is not None]


@pytest.mark.parametrize("mode", ["all", "rewrite"])
def test_a_recording_that_broke_off_replaces_none_that_is_complete(
    tmp_path: Path, mode: str
) -> None:
    path = tmp_path / "a.yaml"
    record(path, "old", whole=True)
    before = path.read_bytes()
    with pytest.warns(IncompleteRecordingWarning, match="keeps the complete recording of POST"):
        record(path, "new", whole=False, mode=mode)

    assert [text.count("old") for text in texts(path)] == [1]
    if mode == "all":
        assert path.read_bytes() == before


@pytest.mark.parametrize("mode", ["all", "rewrite"])
@pytest.mark.parametrize(
    ("old", "new", "options"),
    [
        (True, True, {}),
        (False, True, {}),
        (False, False, {}),
        (True, False, {"keep_incomplete": True}),
    ],
    ids=["both complete", "better", "both broke off", "asked for"],
)
def test_else_it_does(
    tmp_path: Path, mode: str, old: bool, new: bool, options: dict[str, Any]
) -> None:
    path = tmp_path / "a.yaml"
    record(path, "old", whole=old)
    record(path, "new", whole=new, mode=mode, **options)

    assert [text.count("new") for text in texts(path)] == [1]


def test_a_second_try_that_went_well_makes_up_for_the_first(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    record(path, "old", whole=True)
    with use_cassette(path, mode="rewrite"):
        record_again(path, fails=True)
        record_again(path, fails=False)

    found = [it.response.ending.how for it in read_cassette(path).interactions if it.response]
    assert found == [How.FAILURE, How.COMPLETE]


def record_again(path: Path, *, fails: bool) -> None:
    def told() -> Iterator[bytes]:
        yield b"data: 1\n\n"
        if fails:
            raise httpx.ReadError("gone")
        yield DONE

    def respond(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers=SSE, content=told())

    with httpx.Client(transport=httpx.MockTransport(respond)) as client:
        try:
            client.post(URL, json={})
        except httpx.ReadError:
            assert fails


@needs_posix
def test_a_process_that_was_forked_off_has_a_journal_of_its_own(tmp_path: Path) -> None:
    def respond(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers=SSE, content=iter([b"data: 1\n\n"]))

    with use_cassette(tmp_path / "a.yaml"):
        ask(respond)
        child = os.fork()
        if not child:
            ask(respond)
            os._exit(len([*find_journals(tmp_path)]))
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 2

    assert len([*find_journals(tmp_path)]) == 1  # which nobody writes, and recover finds
