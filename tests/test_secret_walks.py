"""Secrets on their way: from a socket through a session into a file, and into what is told."""

from __future__ import annotations

import json
import logging
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from inner import INI
from secret_cases import KINDS, PLACES, case
from test_secrets import leaks

from cassette_stream import (
    Cassette,
    LoopbackServer,
    Redactor,
    read_cassette,
    use_cassette,
    write_cassette,
)
from cassette_stream.cassette.model import Interaction
from cassette_stream.exceptions import CassetteMissError, SecretError, SessionError
from cassette_stream.script import Emit, Fail, FailureKind, Head

CELLS = [
    pytest.param(kind, place, id=f"{number}-{kind.name}-at-{at}-{name}")
    for number, kind in KINDS.items()
    for at, (name, place) in PLACES.items()
]


def steps(interaction: Interaction) -> list[Any]:
    response = interaction.response
    assert response is not None
    pairs = [(name, value) for name, values in response.headers.items() for value in values]
    given: list[Any] = [Head(200, tuple(pairs))]
    given += [Emit(frame.data) for frame in response.frames()]
    return [*given, Fail(FailureKind.RESET)] if response.ending.message else given


def ask(interaction: Interaction, server: str) -> bytes:
    """Send the request to *server* and read what comes, as far as it comes."""
    asked = interaction.request
    url = httpx.URL(asked.url)
    _, _, path = asked.url.partition("://")
    target = f"{server}/{path.partition('/')[2]}"
    if url.userinfo:
        target = target.replace("://", f"://{url.userinfo.decode()}@")
    headers = [(name, value) for name, values in asked.headers.items() for value in values]
    got = b""
    with httpx.Client(trust_env=False) as client:
        request = client.build_request("POST", target, headers=headers, content=asked.body)
        with suppress(httpx.HTTPError):  # it may be cut
            response = client.send(request, stream=True)
            with closing(response):
                for chunk in response.iter_raw():
                    got += chunk
    return got


@pytest.mark.matrix(36)
@pytest.mark.parametrize(("kind", "place"), CELLS)
def test_a_recording_from_a_socket_holds_no_secret_and_plays(
    kind: Any, place: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    secret = kind.texts[0]
    before = case(kind, secret, place)
    path = tmp_path / "a.yaml"
    with LoopbackServer() as server:
        server.respond(steps(before))
        with caplog.at_level(logging.DEBUG, logger="cassette_stream"):
            with use_cassette(path, mode="once") as session:
                live = ask(before, server.url)
            shown = repr((session, session.recorded, session.redactions))
        url = server.url
    with use_cassette(path, mode="none"):
        played = ask(before, url)
    files = b"".join(file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())

    assert session.recorded
    assert len(played) == len(live)
    assert leaks(secret, files) == set()
    assert leaks(secret, shown.encode()) == set()
    assert leaks(secret, caplog.text.encode()) == set()
    assert leaks(secret, " ".join(map(str, tmp_path.rglob("*"))).encode()) == set()


def test_a_recording_with_a_key_plays_with_a_dummy_key(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    key, dummy = KINDS[2].texts[0], "dummy"

    def call(key: str) -> bytes:
        with httpx.Client(trust_env=False) as client:
            body = json.dumps({"api_key": key, "text": "hi"})
            asked = f"{url}/v1?key={key}"
            return client.post(
                asked, content=body, headers={"authorization": f"Bearer {key}"}
            ).content

    with LoopbackServer() as server:
        url = server.url
        server.respond([Head(200), Emit(b"hello")])
        with use_cassette(path, mode="once", match_on=("method", "url", "headers", "body")):
            call(key)
    with use_cassette(path, mode="none", match_on=("method", "url", "headers", "body")):
        played = call(dummy)

    assert played == b"hello"


def test_a_session_reports_what_it_replaced_and_no_value(tmp_path: Path) -> None:
    key, cookie = KINDS[2].texts[0], KINDS[11].texts[0]
    with LoopbackServer() as server, use_cassette(tmp_path / "a.yaml") as session:
        server.respond([Head(200, (("set-cookie", f"id={cookie}; Path=/"),)), Emit(b"x")])
        httpx.post(server.url, headers={"authorization": f"Bearer {key}"}, content=key)
        redactions = session.redactions

    assert [(each.kind, each.place) for each in redactions] == [
        ("header", "request header authorization"),
        ("openai key", "request body"),
        ("cookie", "response header set-cookie"),
    ]
    assert session.redactions == redactions
    assert (
        leaks(key, repr(redactions).encode()) == leaks(cookie, repr(redactions).encode()) == set()
    )


def test_values_of_the_environment_are_read_when_a_session_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    value = "correct-horse-battery"
    cassette = use_cassette(tmp_path / "a.yaml", mode="once")
    monkeypatch.setenv("ACME_PASSWORD", value)
    with LoopbackServer() as server, cassette as session:
        server.respond([Head(200), Emit(b"it is "), Emit(value.encode())])
        httpx.post(server.url, json={"text": value})

    assert value not in (tmp_path / "a.yaml").read_text()
    assert {each.kind for each in session.redactions} == {"value of ACME_PASSWORD"}


def test_the_environment_can_be_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    value = "correct-horse-battery"
    monkeypatch.setenv("ACME_PASSWORD", value)
    with LoopbackServer() as server:
        server.respond([Head(200), Emit(value.encode())])
        with use_cassette(tmp_path / "a.yaml", redact=Redactor(environment=False)) as session:
            httpx.post(server.url)

    assert value in (tmp_path / "a.yaml").read_text()
    assert session.redactions == ()


def test_a_cassette_that_is_written_by_hand_knows_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    value = "correct-horse-battery"
    monkeypatch.setenv("ACME_PASSWORD", value)
    before = case(KINDS[1], value, PLACES[9][1])
    write_cassette(tmp_path / "a.yaml", Cassette(interactions=(before,)))
    [after] = read_cassette(tmp_path / "a.yaml").interactions

    assert value not in (tmp_path / "a.yaml").read_text()
    assert after.response is not None


@pytest.mark.parametrize("number", [2, 10, 17, 37, 38])
@pytest.mark.parametrize("at", [10, 11, 15, 17])
def test_the_last_look_refuses_what_is_split_or_encoded(
    number: int, at: int, tmp_path: Path
) -> None:
    class Blind(Redactor):
        """Looks only where it writes."""

        def interaction(self, interaction: Interaction) -> Interaction:
            return interaction

    kind = KINDS[number]
    before = case(kind, kind.texts[0], PLACES[at][1])
    with pytest.raises(SecretError) as caught:
        write_cassette(tmp_path / "a.yaml", Cassette(interactions=(before,)), redact=Blind())

    assert "line " in str(caught.value)
    assert leaks(kind.texts[0], str(caught.value).encode()) == set()
    assert [file for file in tmp_path.iterdir() if file.suffix == ".yaml"] == []


def test_errors_of_a_session_name_no_secret(tmp_path: Path) -> None:
    key = KINDS[2].texts[0]
    url = f"https://me:{key}@api.test/{key}?key={key}"
    write_cassette(tmp_path / "a.yaml", Cassette())
    with (
        pytest.raises(CassetteMissError) as missed,
        use_cassette(tmp_path / "a.yaml", mode="none") as session,
    ):
        httpx.post(url, headers={"x-api-key": key}, json={"text": key})
    with (
        pytest.raises(SessionError) as closed,
        httpx.Client(transport=session.transport()) as client,
    ):
        client.post(url)

    assert leaks(key, str(missed.value).encode()) == set()
    assert leaks(key, str(closed.value).encode()) == set()


MODULE = """
import httpx
import pytest
from cassette_stream import use_cassette


KEY = "".join({parts!r})


@pytest.mark.cassette(mode="none")
def test_a_miss():
    httpx.post("https://api.test/v1", headers={{"x-api-key": KEY}}, json={{"text": KEY}})


def ask(number):
    return httpx.Client(headers={{"authorization": "Bearer " + KEY}}).post("https://api.test/v1")


@pytest.mark.cassette(mode="once", before_record_request=lambda request: 1 / 0)
def test_a_hook_that_fails():
    ask(1)


def check(request):
    assert request.method == "GET"
    return request


@pytest.mark.cassette(mode="once", before_record_request=check)
def test_a_hook_that_looks():
    ask(2)
"""


# With --tb=long the frames of httpx show what the caller gave to it, headers and all.
@pytest.mark.matrix(2)
@pytest.mark.parametrize("style", ["auto", "short"])
def test_what_pytest_prints_of_our_values_holds_no_secret(
    style: str, pytester: pytest.Pytester
) -> None:
    key = KINDS[2].texts[0]
    pytester.makeini(INI)
    pytester.makepyfile(test_it=MODULE.format(parts=[key[:9], key[9:20], key[20:]]))
    pytester.mkdir("cassettes")
    (pytester.path / "cassettes" / "test_it").mkdir()
    header = "cassette: 1\nrecorded_with: x 1\n"
    (pytester.path / "cassettes" / "test_it" / "test_a_miss.yaml").write_text(header)
    result = pytester.runpytest(f"--tb={style}")
    printed = result.stdout.str() + result.stderr.str()

    result.assert_outcomes(failed=3)
    assert leaks(key, printed.encode()) == set()
