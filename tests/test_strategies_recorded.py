"""Cassettes as strategies, and failing examples as cassettes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import httpx
import pytest
from drawing import PASTED, drawn, pasted, same, smallest
from hypothesis import Verbosity, example, given, settings
from hypothesis import strategies as st
from pytest_cassette_stream.strategies import (
    cassettes,
    chunk_streams,
    chunkings,
    note_cassette,
    quirks,
    scripts,
)
from pytest_cassette_stream.strategies.wires import CONTENT_TYPES
from support import SOAK

from cassette_stream import (
    Cassette,
    Emit,
    Fail,
    FailureKind,
    Head,
    How,
    Interaction,
    Request,
    Wait,
    read_cassette,
    script_of,
    use_cassette,
    write_cassette,
)

few = settings(max_examples=200 if SOAK else 15)
ENDINGS = ("complete", "failure", "closed_by_caller", "cancelled", "no_response")


def ending_of(interaction: Interaction) -> str:
    if interaction.response is None:
        return "no_response"
    return str(interaction.response.ending.how)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cassettes") / "example.yaml"


@few
@given(cassettes())
def test_a_cassette_is_read_as_it_was_written(path: Path, cassette: Cassette) -> None:
    write_cassette(path, cassette)

    assert read_cassette(path) == cassette


@few
@given(cassettes(endings="complete"))
def test_a_cassette_is_played_to_a_client(path: Path, cassette: Cassette) -> None:
    write_cassette(path, cassette)
    with use_cassette(path, mode="none"), httpx.Client(timeout=None) as client:
        for recorded in cassette.interactions:
            request, response = recorded.request, recorded.response
            assert response is not None
            told = client.request(
                request.method,
                request.url,
                headers={name: texts[0] for name, texts in request.headers.items()},
                content=request.body,
            )
            assert (told.status_code, told.content) == (response.status, response.body)


def test_every_dialect_body_and_ending_is_reached() -> None:
    found = [it for cassette in drawn(cassettes(), 200) for it in cassette.interactions]
    told = [it.response for it in found if it.response is not None]
    types = {name for it in told for name in it.headers.get("content-type", ("",))}
    hosts = {re.split("[/?:]", it.request.url.partition("://")[2])[0] for it in found}

    assert {ending_of(it) for it in found} == {*ENDINGS}
    assert hosts > {"api.openai.com", "api.anthropic.com", "localhost"}
    assert hosts > {"generativelanguage.googleapis.com", "api.cohere.com"}
    assert "bedrock-runtime.us-east-1.amazonaws.com" in hosts
    assert types > {"", "application/json", "text/plain", "image/png", "application/octet-stream"}
    assert types > {*CONTENT_TYPES.values()}
    assert {it.http_version for it in told} == {"HTTP/1.1", "HTTP/2"}
    assert {it.removed_coding for it in told} == {None, "gzip"}
    assert {len(it.sizes) > 1 for it in told} == {0 in it.sizes for it in told} == {True, False}
    assert {it.request.method for it in found} == {"GET", "POST"}
    assert {it.response.status >= 400 for it in found if it.response} == {True, False}


@pytest.mark.parametrize("ending", ENDINGS)
def test_endings_are_those_that_were_asked_for(ending: str) -> None:
    found = [it for each in drawn(cassettes(endings=ending), 10) for it in each.interactions]

    assert {ending_of(it) for it in found} == {ending}


def test_every_kind_of_failure_that_can_be_recorded_is_reached() -> None:
    told = cassettes(dialect="openai_responses", endings=["failure", "no_response"], max_size=1)
    ends = [
        it.failure or it.response.ending
        for each in drawn(told, 400)
        for it in each.interactions
        if it.failure or it.response
    ]

    assert {it.failure for it in ends} == {*FailureKind} - {FailureKind.RECORDING_ENDED}
    assert {it.message != "" for it in ends} == {True, False}


def test_cassettes_of_a_dialect_have_nothing_else() -> None:
    found = drawn(cassettes(dialect=["anthropic"], min_size=2, max_size=2), 10)

    assert {len(it.interactions) for it in found} == {2}
    assert {
        each.request.url.startswith("https://api.anthropic.com/")
        for it in found
        for each in it.interactions
    } == {True}


def test_cassettes_shrink_to_one_empty_answer() -> None:
    [interaction] = smallest(cassettes()).interactions
    assert interaction.response is not None

    assert interaction.request == Request(method="GET", url="http://localhost:8000/")
    assert interaction.response.body == b""
    assert interaction.response.ending.how is How.COMPLETE
    assert smallest(cassettes(min_size=0)).interactions == ()
    [stream] = smallest(cassettes(dialect="openai_chat")).interactions
    assert stream.response is not None
    assert stream.response.body.endswith(b"data: [DONE]\n\n")
    assert len(stream.response.sizes) == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dialect": "openai"}, "nearest: openai_chat"),
        ({"endings": "fin"}, "there are complete"),
        ({"min_size": -1}, "0 or more"),
        ({"min_size": 3, "max_size": 2}, "3 or more"),
        ({"max_size": 1.0}, "a whole number"),
    ],
    ids=str,
)
def test_cassettes_that_there_are_not_are_refused(options: Any, message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        cassettes(**options)


@pytest.mark.parametrize(
    ("strategy", "condition"),
    [
        (cassettes(endings="no_response", min_size=2), lambda _: True),
        (
            cassettes(dialect="gemini", max_size=1),
            lambda it: any(len(sizes_of(one)) > 2 for one in it.interactions),
        ),
    ],
    ids=["without a response", "in frames"],
)
def test_what_is_printed_can_be_pasted(strategy: Any, condition: Any) -> None:
    for value in drawn(strategy, 10):
        assert eval(repr(value), PASTED) == value
    printed, value = pasted(strategy, condition)
    assert printed == value


def sizes_of(interaction: Interaction) -> Any:
    return interaction.response.sizes if interaction.response is not None else ()


def test_a_script_is_noted_as_what_is_played(path: Path) -> None:
    told = scripts(endings=["complete", "failure", "no_response"], max_wait=1)
    for script in drawn(told, 200 if SOAK else 30):
        note_cassette(script, path)
        [interaction] = read_cassette(path).interactions
        played = list(script_of(interaction))
        # Waiting behind the last chunk is to wait for one without bytes.
        ends = [*script, Emit(b"")] if isinstance(script[-1], Wait) else script

        assert plain(played) == plain(ends)
        assert seconds(played) == pytest.approx(seconds(script), abs=1e-5)


def plain(script: list[Any]) -> list[Any]:
    """The steps without waits, which add up, and without the words for an end of a recording."""
    return [
        it.kind if isinstance(it, Fail) and it.kind is FailureKind.RECORDING_ENDED else it
        for it in script
        if not isinstance(it, Wait)
    ]


def seconds(script: list[Any]) -> float:
    return sum(it.seconds for it in script if isinstance(it, Wait))


def test_a_failing_example_is_written_once_and_its_note_says_where(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target, written = tmp_path / "failed" / "example.yaml", []
    monkeypatch.setattr(
        "pytest_cassette_stream.strategies.notes.write_cassette",
        lambda *told: (written.append(told[0]), write_cassette(*told)),
    )

    @settings(same, max_examples=200)
    @given(scripts(endings="complete"))
    def no_chunk_is_empty(script: list[Any]) -> None:
        note_cassette(script, target)
        assert not any(isinstance(it, Emit) for it in script)

    with pytest.raises(AssertionError) as raised:
        no_chunk_is_empty()

    assert written == [target]
    assert f"this example is the cassette {target}" in raised.value.__notes__
    with use_cassette(target, mode="none", match_on=["method"]):
        response = httpx.post("http://any.host/path")
    assert response.content == b"\0"


@pytest.mark.parametrize("verbosity", [Verbosity.normal, Verbosity.verbose], ids=str)
def test_nothing_is_written_for_examples_that_pass(tmp_path: Path, verbosity: Verbosity) -> None:
    @settings(same, max_examples=20, verbosity=verbosity)
    @example(script=[Head(200)])
    @given(scripts())
    def passes(script: list[Any]) -> None:
        note_cassette(script, tmp_path / "never.yaml")

    passes()

    assert list(tmp_path.iterdir()) == []


def test_an_explicit_example_that_fails_is_written(tmp_path: Path) -> None:
    @settings(same)
    @example(script=[Head(204)])
    @given(scripts())
    def fails(script: list[Any]) -> None:
        note_cassette(script, tmp_path / "explicit.yaml")
        raise AssertionError

    with pytest.raises(AssertionError):
        fails()

    [interaction] = read_cassette(tmp_path / "explicit.yaml").interactions
    assert interaction.response is not None
    assert interaction.response.status == 204


def test_a_note_that_cannot_be_written_does_not_hide_the_failure(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")

    @same
    @given(st.just(b"data: a\n\n"))
    def fails(data: bytes) -> None:
        note_cassette(data, tmp_path / "file" / "example.yaml")
        raise AssertionError("the failure")

    with pytest.raises(AssertionError, match="the failure") as raised:
        fails()

    assert any("was not written" in note for note in raised.value.__notes__)


@pytest.mark.parametrize(
    ("strategy", "body"),
    [
        (chunk_streams(dialect="anthropic"), lambda it: it.body),
        (quirks(only="same_index"), lambda it: it.body),
        (chunkings(b"data: a\n\n"), b"".join),
        (st.just(b"data: a\n\n"), lambda it: it),
    ],
    ids=["a stream of a dialect", "a quirk", "chunks", "bytes"],
)
def test_whatever_has_bytes_is_written_at_once_outside_of_a_test(
    tmp_path: Path, strategy: Any, body: Any
) -> None:
    value = smallest(strategy)
    note_cassette(value, tmp_path / "example.yaml")
    [interaction] = read_cassette(tmp_path / "example.yaml").interactions
    assert interaction.response is not None

    assert interaction.response.body == body(value)
    assert ("anthropic" in interaction.request.url) == hasattr(value, "dialect")
    with use_cassette(tmp_path / "example.yaml", mode="none", match_on=["method"]):
        assert httpx.post("http://any.host").content == body(value)


def test_a_cassette_is_written_as_it_is(tmp_path: Path) -> None:
    cassette = smallest(cassettes(min_size=2))
    note_cassette(cassette, tmp_path / "example.yaml")

    assert read_cassette(tmp_path / "example.yaml") == cassette


def test_a_silence_is_kept_as_the_read_timeout_that_ends_it(tmp_path: Path) -> None:
    note_cassette([Head(200), Emit(b"a"), Wait(float("inf"))], tmp_path / "example.yaml")
    [interaction] = read_cassette(tmp_path / "example.yaml").interactions

    assert list(script_of(interaction))[-1] == Fail(FailureKind.READ_TIMEOUT)


@pytest.mark.parametrize(
    ("value", "error"),
    [
        ("data: a", TypeError),
        ([], TypeError),
        ([b"a", "b"], TypeError),
        ([Head(200), Head(200)], ValueError),
        ([Emit(b"a")], ValueError),
        ([Wait(1.0)], ValueError),
    ],
    ids=repr,
)
def test_what_makes_no_cassette_is_refused(
    tmp_path: Path, value: Any, error: type[Exception]
) -> None:
    with pytest.raises(error):
        note_cassette(value, tmp_path / "example.yaml")
