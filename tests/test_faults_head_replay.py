"""Faults of heads and connections in replays of a cassette: by hand, by the SDKs, by our client."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anthropic
import anyio
import httpx
import httpx2
import openai
import pytest
from breaking import ENCODERS, Scripted, answer
from support import PROJECT
from test_faults_head import SPECS

from cassette_stream import LoopbackServer, acompletion, chaos, completion, use_cassette
from cassette_stream.clock import RealClock
from cassette_stream.exceptions import (
    APIConnectionError,
    APIStatusError,
    CassetteMissError,
    MalformedStreamError,
    RateLimitError,
)
from cassette_stream.faults import parse
from cassette_stream.script import Emit, Head
from cassette_stream.transport.httpx import sync_transport

pytestmark = pytest.mark.matrix(4)

FIXTURES = PROJECT / "fixtures"
CHAT = FIXTURES / "openai_text.yaml"
CHAT_URL = "https://api.openai.com/v1/chat/completions"
MESSAGES: Any = [{"role": "user", "content": "Count from 1 to 10"}]
BODY = {
    "model": "gpt-4o-mini",
    "messages": MESSAGES,
    "stream": True,
    "stream_options": {"include_usage": True},
}
LIBRARIES = [httpx, httpx2]
libraries = pytest.mark.parametrize("library", LIBRARIES, ids=lambda it: it.__name__)
is_async = pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])


@pytest.fixture(autouse=True)
def _nobody_sleeps(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> Any:
        raise AssertionError("somebody was about to sleep")

    monkeypatch.setattr(RealClock, "sleep_until", refuse)
    monkeypatch.setattr(RealClock, "asleep_until", refuse)


def replaying(path: Path, **options: Any) -> Any:
    return use_cassette(path, mode="none", **options)


def post(library: Any, url: str = CHAT_URL, *, is_async: bool, **options: Any) -> Any:
    if not is_async:
        with library.Client(**options) as client:
            return client.post(url, json=BODY)

    async def main() -> Any:
        async with library.AsyncClient(**options) as client:
            return await client.post(url, json=BODY)

    return anyio.run(main)


@libraries
@is_async
def test_who_follows_a_login_redirect_lands_on_a_page(library: Any, *, is_async: bool) -> None:
    with replaying(CHAT, faults="head.redirect_login") as session:
        response = post(library, is_async=is_async, follow_redirects=True)

        assert [strike.rule.fault for strike in session.strikes] == ["head.redirect_login"]
    assert (response.status_code, response.url.path) == (200, "/login")
    assert response.headers["content-type"].startswith("text/html")
    assert "Sign in" in response.text
    assert [it.status_code for it in response.history] == [302]
    assert response.request.method == "GET"


@libraries
@is_async
def test_who_does_not_follow_sees_the_redirect(library: Any, *, is_async: bool) -> None:
    with replaying(CHAT, faults="head.redirect_login"):
        response = post(library, is_async=is_async)

    assert (response.status_code, response.headers["location"]) == (302, "/login")


@libraries
@is_async
def test_a_loop_is_left_after_as_many_redirects_as_allowed(library: Any, *, is_async: bool) -> None:
    with replaying(CHAT, faults="head.redirect_loop") as session:
        with pytest.raises(library.TooManyRedirects, match="Exceeded maximum allowed redirects"):
            post(library, is_async=is_async, follow_redirects=True, max_redirects=5)

        assert [strike.occasion.attempt for strike in session.strikes] == [1, 2, 3, 4, 5, 6]


@libraries
def test_a_loop_that_ends_is_a_detour(library: Any) -> None:
    with replaying(CHAT, faults="head.redirect_loop@times=3") as session:
        response = post(library, is_async=False, follow_redirects=True)

        assert len(session.strikes) == 3
    assert (response.status_code, str(response.url)) == (200, CHAT_URL)


def test_a_path_to_which_no_fault_led_is_a_miss() -> None:
    never = "head.redirect_login@attempt=2 never fired"
    with pytest.raises(CassetteMissError, match="/login") as caught:
        with replaying(CHAT, faults="head.redirect_login@attempt=2"):
            post(httpx, is_async=False)
            httpx.get("https://api.openai.com/login")

    assert any(never in note for note in caught.value.__notes__)


def test_the_page_is_at_the_host_that_was_asked_and_nowhere_else() -> None:
    with pytest.raises(CassetteMissError), replaying(CHAT, faults="head.redirect_login"):
        post(httpx, is_async=False)

        assert httpx.get("https://api.openai.com/login").status_code == 200
        httpx.get("https://other.test/login")


def ask(*, is_async: bool, **options: Any) -> Any:
    """Our client's answer to the recorded request."""
    told: dict[str, Any] = {
        "model": "openai/gpt-4o-mini",
        "messages": MESSAGES,
        "stream": True,
        "stream_options": {"include_usage": True},
        "api_key": "none",
    } | options
    if not is_async:
        chunks = completion(**told)
        return list(chunks) and chunks.response

    async def main() -> Any:
        chunks = await acompletion(**told)
        return [chunk async for chunk in chunks] and chunks.response

    return anyio.run(main)


@pytest.mark.parametrize("fault", ["head.redirect_login", "head.redirect_loop"])
@is_async
def test_our_client_does_not_follow(fault: str, *, is_async: bool) -> None:
    with replaying(CHAT, faults=fault) as session, pytest.raises(APIStatusError):
        ask(is_async=is_async)

    assert len(session.strikes) == 1


@libraries
def test_with_a_client_that_follows_it_finds_a_page_or_a_loop(library: Any) -> None:
    with library.Client(follow_redirects=True) as client:
        with replaying(CHAT, faults="head.redirect_login"), pytest.raises(MalformedStreamError):
            ask(is_async=False, http_client=client)
        with replaying(CHAT, faults="head.redirect_loop") as session:
            with pytest.raises(APIConnectionError, match="TooManyRedirects"):
                ask(is_async=False, http_client=client)

            assert len(session.strikes) == 21  # once round, and not again


@pytest.mark.parametrize(
    "fault",
    ["head.429@retry_after=30", "head.503", "head.close", "connect.timeout", "connect.write_reset"],
)
@is_async
def test_a_retry_in_virtual_time_finds_the_recording(fault: str, *, is_async: bool) -> None:
    with replaying(CHAT):
        clean = ask(is_async=is_async)
    at = "," if "@" in fault else "@"
    with replaying(CHAT, faults=f"{fault}{at}attempt=1..2") as session:
        answer = ask(is_async=is_async, num_retries=2)

    assert answer.choices[0].message.content == clean.choices[0].message.content
    assert len(session.strikes) == 2


@is_async
def test_after_enough_retries_the_last_failure_is_raised(*, is_async: bool) -> None:
    with (
        replaying(CHAT, faults="head.429@form=ms,retry_after=60") as session,
        pytest.raises(RateLimitError) as caught,
    ):
        ask(is_async=is_async, num_retries=2)

    assert (caught.value.num_retries, caught.value.retry_after) == (2, 60)
    assert len(session.strikes) == 3


# The official SDKs, which follow redirects.


def sdk_of(provider: str, *, is_async: bool) -> Any:
    module: Any = {"openai": openai, "anthropic": anthropic}[provider]
    name = {"openai": "OpenAI", "anthropic": "Anthropic"}[provider]
    return getattr(module, ("Async" if is_async else "") + name)(api_key="none", max_retries=0)


def stream_of(client: Any, provider: str) -> Any:
    if provider == "openai":
        return client.chat.completions.create(**BODY)
    return client.messages.create(
        model="claude-sonnet-4-5", max_tokens=2048, messages=MESSAGES, stream=True
    )


def events_of(provider: str, *, is_async: bool) -> Any:
    if not is_async:
        with sdk_of(provider, is_async=False) as client:
            return list(stream_of(client, provider))

    async def main() -> Any:
        async with sdk_of(provider, is_async=True) as client:
            return [event async for event in await stream_of(client, provider)]

    return anyio.run(main)


def sdks(test: Any) -> Any:
    # The recorded model is on its way out, and the SDK says so.
    old = pytest.mark.filterwarnings("ignore:The model:DeprecationWarning")
    return old(pytest.mark.parametrize("provider", ["openai", "anthropic"])(test))


@sdks
@is_async
def test_the_sdks_take_a_login_page_for_an_empty_stream(provider: str, *, is_async: bool) -> None:
    with replaying(FIXTURES / f"{provider}_text.yaml", faults="head.redirect_login"):
        assert events_of(provider, is_async=is_async) == []


@sdks
@is_async
@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ("connect.refused", "APIConnectionError"),
        ("connect.tls_untrusted", "APIConnectionError"),
        ("connect.timeout", "APITimeoutError"),
        ("connect.pool_timeout", "APITimeoutError"),
        ("head.close", "APIConnectionError"),
        ("head.stall", "APITimeoutError"),
        ("head.garbage", "APIConnectionError"),
        ("head.redirect_loop", "APIConnectionError"),
        ("head.401", "AuthenticationError"),
        ("head.403_html", "PermissionDeniedError"),
        ("head.429", "RateLimitError"),
        ("head.500", "InternalServerError"),
        ("head.502_html", "InternalServerError"),
        ("head.504_empty", "InternalServerError"),
    ],
)
def test_the_sdks_raise_what_they_document(
    provider: str, fault: str, kind: str, *, is_async: bool
) -> None:
    module: Any = {"openai": openai, "anthropic": anthropic}[provider]
    with replaying(FIXTURES / f"{provider}_text.yaml", faults=fault):
        with pytest.raises(getattr(module, kind)):
            events_of(provider, is_async=is_async)


# On a socket, performed by the loopback server.

INSTANT = {"head.delay@seconds=20": "head.delay@seconds=0.01"}
WAITLESS = [
    Head(200, (("content-type", "text/event-stream"),)),
    *map(Emit, ENCODERS["openai_chat"].encode(answer())),
]


def seen(library: Any, transport: Any, url: str) -> Any:
    """What a client meets: its exception, or status, type and body."""
    with library.Client(transport=transport, timeout=library.Timeout(60, read=0.5)) as client:
        try:
            with client.stream("POST", url, content=b"{}") as response:
                return response.status_code, response.headers.get("content-type"), response.read()
        except library.TransportError as error:
            return type(error), str(error), type(error.__cause__).__name__


@libraries
@pytest.mark.parametrize("spec", SPECS)
def test_a_server_does_the_same_on_a_socket(library: Any, spec: str) -> None:
    fault = parse(INSTANT.get(spec, spec))
    with LoopbackServer() as server:
        server.script(None, lambda _: fault(iter(WAITLESS)))
        url = f"{server.url}/v1"
        real = seen(library, library.HTTPTransport(), url)
    desk = Scripted(lambda _: fault(iter(WAITLESS)))

    assert seen(library, sync_transport(library, desk, library.MockTransport(None)), url) == real


def test_a_sweep_follows_a_redirect_to_its_page() -> None:
    def subject() -> str:
        response: httpx.Response = post(httpx, is_async=False, follow_redirects=True)
        return response.text

    report = chaos.sweep(subject, CHAT, faults=["head.redirect_login", "head.redirect_loop"])

    assert [result.verdict for result in report.results] == ["silent", "raised"]
