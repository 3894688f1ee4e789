"""Recorded interactions as a route of respx, beside routes that are written by hand."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import httpx
import httpx2
import pytest
import respx
from hypothesis import given, settings
from hypothesis import strategies as st
from support import PROJECT, SOAK

from cassette_stream import (
    Session,
    read_cassette,
    run_virtually,
    use_cassette,
    virtual_time,
)
from cassette_stream.exceptions import (
    CassetteMissError,
    RecordingEndedError,
    SessionError,
    UnplayedError,
)

FIXTURES = sorted((PROJECT / "fixtures").glob("*.yaml"))
TEXT = PROJECT / "fixtures" / "openai_text.yaml"
[ASKED] = [it.request for it in read_cassette(TEXT).interactions]
FAULTS = [
    "body.fin@event=2",
    "body.reset@event=3",
    "body.stall@event=2",
    "head.429",
    "connect.refused",
]

Routers = Callable[[], respx.MockRouter]
routers = pytest.mark.parametrize(
    "router",
    [partial(respx.mock, using=using, assert_all_called=False) for using in ("httpcore", "httpx")],
    ids=["httpcore", "httpx"],
)
play = partial(use_cassette, TEXT, mode="none")


def ask(client: httpx.Client, request: Any = ASKED) -> tuple[object, ...]:
    """What a client sees of one answer: its head, its chunks and how it ended."""
    chunks: list[bytes] = []
    try:
        with client.stream(request.method, request.url, content=request.body) as response:
            head = response.status_code, response.http_version, response.headers.multi_items()
            chunks.extend(response.iter_raw())
        return *head, chunks, None
    except (httpx.TransportError, RecordingEndedError) as error:
        return chunks, type(error), str(error)


async def aask(client: httpx.AsyncClient, request: Any = ASKED) -> tuple[object, ...]:
    chunks: list[bytes] = []
    try:
        async with client.stream(request.method, request.url, content=request.body) as response:
            head = response.status_code, response.http_version, response.headers.multi_items()
            async for chunk in response.aiter_raw():
                chunks.append(chunk)
        return *head, chunks, None
    except (httpx.TransportError, RecordingEndedError) as error:
        return chunks, type(error), str(error)


def seen(path: Path, faults: Any, router: Routers | None, backend: str | None) -> object:
    """All that is seen of a cassette, by the session alone or by a *router*, and for how long."""
    requests = [it.request for it in read_cassette(path).interactions]
    options: Any = {"mode": "none", "faults": faults, "allow_repeats": True}

    async def subject(session: Session) -> list[object]:
        async with httpx.AsyncClient(timeout=30) as client:
            return [await aask(client, request) for request in requests]

    with virtual_time() as clock, use_cassette(path, **options) as session:
        mounted = router() if router is not None else None
        if mounted is not None:
            mounted.start()
            session.respx(mounted)
        try:
            if backend is not None:
                found = run_virtually(subject, session, clock=clock, backend=backend)  # type: ignore[arg-type]  # a literal
            else:
                with httpx.Client(timeout=30) as client:
                    found = [ask(client, request) for request in requests]
        finally:
            if mounted is not None:
                assert len(mounted.calls) == len(requests)
                mounted.stop()
        assert len(session.played) == len(requests)
    return found, clock.now()


@pytest.mark.matrix(3)
@routers
@pytest.mark.parametrize("backend", [None, "asyncio", "trio"])
@settings(max_examples=100 if SOAK else 6)
@given(
    played=st.tuples(st.sampled_from(FIXTURES), st.just(()))
    | st.tuples(st.just(TEXT), st.sampled_from(FAULTS))
)
def test_a_router_gives_what_the_session_gives_by_itself_and_takes_as_long(
    router: Routers, backend: str | None, played: tuple[Path, Any]
) -> None:
    alone = seen(*played, None, backend)

    assert seen(*played, router, backend) == alone


@routers
def test_what_is_written_by_hand_before_answers_first_and_what_comes_later_answers_the_rest(
    router: Routers,
) -> None:
    with router() as mock, play() as session, httpx.Client() as client:
        first = mock.get("https://a.test/models").respond(json={"by": "hand"})
        route = session.respx(mock)
        later = mock.get("https://b.test/").respond(204)
        shadowed = mock.post(ASKED.url).respond(500)

        assert client.get("https://a.test/models").json() == {"by": "hand"}
        assert client.get("https://b.test/").status_code == 204
        assert ask(client)[0] == 200
        assert client.post(ASKED.url).status_code == 500  # the cassette has it once
        calls = [it.call_count for it in (first, route, later, shadowed)]
    assert calls == [1, 1, 1, 1]
    assert session.misses == []


@routers
def test_one_that_shadows_it_answers_instead(router: Routers) -> None:
    with router() as mock, play() as session, httpx.Client() as client:
        mock.post(ASKED.url).respond(503)
        route = session.respx(mock)

        assert client.post(ASKED.url).status_code == 503
        assert not route.called
    assert session.unplayed == session.interactions


@routers
def test_a_miss_is_one_of_the_session(router: Routers) -> None:
    with pytest.raises(CassetteMissError, match="nothing is recorded for GET") as caught:
        with router() as mock, play() as session, httpx.Client() as client:
            session.respx(mock)
            with pytest.raises(CassetteMissError):
                client.get("https://a.test/")
            assert len(session.misses) == 1

    assert caught.value is session.misses[0]


def test_matching_is_that_of_the_session() -> None:
    options: Any = {"match_on": ("method", "path"), "allow_repeats": True}
    with respx.mock as mock, play(**options) as session, httpx.Client() as client:
        session.respx(mock)
        other = "https://elsewhere.test/v1/chat/completions"

        assert [client.post(other, json={"any": n}).status_code for n in range(2)] == [200, 200]


def test_all_called_and_all_played_are_told_apart() -> None:
    with pytest.raises(AssertionError, match="some routes were not called"):
        with play() as session, respx.mock() as mock:
            session.respx(mock)
    with pytest.raises(UnplayedError):
        session.check_played()


@respx.mock
def test_it_is_mounted_under_a_decorator() -> None:
    with play() as session, httpx.Client() as client:
        session.respx(respx.mock)

        assert ask(client)[0] == 200


@pytest.mark.anyio
@respx.mock(assert_all_called=True)
async def test_so_it_is_in_asynchronous_code(respx_mock: respx.MockRouter) -> None:
    async with play() as session, httpx.AsyncClient() as client:
        route = session.respx(respx_mock)

        assert (await aask(client))[0] == 200
        assert route.called


@pytest.mark.anyio
async def test_a_synchronous_client_in_asynchronous_code_is_answered_synchronously() -> None:
    async with respx.mock() as mock, play() as session:
        session.respx(mock)
        with httpx.Client() as client:
            assert ask(client)[0] == 200


@pytest.mark.parametrize("is_async", [False, True])
def test_a_router_need_not_mock_anything(is_async: bool) -> None:
    router = respx.Router()
    router.get("https://a.test/").respond(204)

    async def subject() -> tuple[int, object]:
        transport = httpx.MockTransport(router.async_handler)
        async with httpx.AsyncClient(transport=transport) as client:
            return (await client.get("https://a.test/")).status_code, (await aask(client))[0]

    with play() as session:
        session.respx(router)
        if is_async:
            found = anyio.run(subject)
        else:
            with httpx.Client(transport=httpx.MockTransport(router.handler)) as client:
                found = client.get("https://a.test/").status_code, ask(client)[0]

    assert found == (204, 200)


def test_where_no_router_mocks_the_session_answers_by_itself() -> None:
    with play(allow_repeats=True) as session, httpx.Client() as client:
        with respx.mock() as mock:
            route = session.respx(mock)
            ask(client)
        assert ask(client)[0] == 200
        assert route.call_count == 1

        elsewhere = httpx.MockTransport(lambda _: httpx.Response(500))
        with respx.mock(assert_all_called=False) as mock:
            session.respx(mock)
            with httpx.Client(transport=elsewhere) as other:
                assert ask(other)[0] == 200
            assert not mock.calls


def test_clients_of_httpx2_are_answered_by_the_session() -> None:
    with respx.mock(assert_all_called=False) as mock, play() as session:
        session.respx(mock)
        with httpx2.Client() as client:
            answer = client.post(ASKED.url, content=ASKED.body)

        assert answer.status_code == 200
        assert not mock.calls


def test_routers_behind_this_one_answer_the_rest() -> None:
    with play() as session, respx.mock() as mock, respx.mock() as behind, httpx.Client() as client:
        session.respx(mock)
        behind.get("https://b.test/").respond(204)

        assert client.get("https://b.test/").status_code == 204
        assert ask(client)[0] == 200
    assert session.misses == []


def test_a_router_with_a_base_url_has_what_is_below_it() -> None:
    with respx.mock(base_url="https://api.openai.com/v1") as mock, play() as session:
        session.respx(mock)
        with httpx.Client() as client:
            assert ask(client)[0] == 200


def test_what_the_session_looks_away_from_is_left_to_others() -> None:
    with respx.mock() as mock, play(ignore_hosts=["*.test"]) as session, httpx.Client() as client:
        session.respx(mock)
        mock.get("https://b.test/").respond(204)

        assert client.get("https://b.test/").status_code == 204
        assert ask(client)[0] == 200


@pytest.mark.parametrize("mode", ["once", "new_episodes", "all", "rewrite"])
def test_a_session_that_records_is_refused(mode: str, tmp_path: Path) -> None:
    with use_cassette(tmp_path / "new.yaml", mode=mode) as session:
        with pytest.raises(SessionError, match="records, in mode .*: record it without respx"):
            session.respx(respx.mock)


def test_so_is_one_that_is_closed_and_what_is_no_router() -> None:
    with play() as session, httpx2.Client() as client:
        with pytest.raises(TypeError, match=r"not httpx2\.Client; respx mocks httpx"):
            session.respx(client)  # type: ignore[arg-type]  # on purpose
    with pytest.raises(SessionError, match="is closed"):
        session.respx(respx.mock)


def test_the_fixtures_of_both_plugins_go_together_in_virtual_time(
    pytester: pytest.Pytester,
) -> None:
    pytester.makeini("[pytest]\nfilterwarnings = error\n")
    pytester.makepyfile(
        """
import anyio, httpx, pytest

MARKED = dict(mode="none", match_on=("method",), faults="body.stall@event=2", virtual_time=True)


@pytest.fixture
def anyio_backend():
    return "asyncio"


@pytest.mark.anyio
@pytest.mark.cassette("openai_text", **MARKED)
async def test_it(cassette_session, respx_mock):
    by_hand = respx_mock.get("https://a.test/").respond(204)
    recorded = cassette_session.respx(respx_mock)
    start = anyio.current_time()
    async with httpx.AsyncClient(timeout=300) as client:
        assert (await client.get("https://a.test/")).status_code == 204
        with pytest.raises(httpx.ReadTimeout):
            await client.post("https://b.test/")
    assert by_hand.called and recorded.called
    assert 300 <= anyio.current_time() - start < 301
"""
    )
    result = pytester.runpytest_subprocess(
        "-p", "no:cacheprovider", f"--cassette-dir={PROJECT / 'fixtures'}", timeout=120
    )

    result.assert_outcomes(passed=1)
