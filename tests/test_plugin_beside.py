"""Our plugin beside others, each pair in a run of its own, installed as a user has them."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from inner import INI, MODULE

pytest.importorskip("pytest_recording", reason="the others are in the group 'sdks'")
pytestmark = pytest.mark.plugins

OURS = """
@pytest.mark.cassette("a")
def test_ours_records():
    ask(answer)


@pytest.mark.cassette("a")
def test_ours_plays():
    assert ask(offline) == [b"data: 1\\n\\n", b"data: 2\\n\\n"]


@pytest.mark.cassette("a", faults="body.fin@event=2")
def test_ours_breaks():
    with pytest.raises(httpx.RemoteProtocolError):
        ask(offline)


def test_ours_serves(stream_server):
    stream_server.answer("hi")
    assert "hi" in httpx.post(f"{stream_server.openai_url}/chat/completions", json=ASK).text


ASK = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
"""


@dataclass(frozen=True)
class Other:
    """Another plugin: its module, tests that use it, and how many of them there are."""

    module: str
    tests: str
    count: int
    arguments: tuple[str, ...] = ()
    ini: str = ""


OTHERS = {
    "pytest-recording": Other(
        "pytest_recording.plugin",
        """
@pytest.mark.vcr("theirs.yaml", record_mode="once")
@pytest.mark.parametrize("again", [1, 2])
def test_theirs(again, stream_server):
    if again == 1:
        stream_server.answer("hi")
    assert "hi" in httpx.post(f"{stream_server.openai_url}/chat/completions", json=ASK).text


@pytest.mark.block_network
def test_their_guard():
    with pytest.raises(Exception, match="(?i)network is disabled"):
        httpx.get("http://192.0.2.1", timeout=0.1)


@pytest.mark.block_network
@pytest.mark.cassette("a")
def test_both_guards():
    assert ask(offline)
""",
        4,
    ),
    "cassetter": Other(
        "cassetter.pytest_plugin",
        """
@pytest.mark.vcr("theirs.yaml", record_mode="once")
@pytest.mark.parametrize("again", [1, 2])
def test_theirs(again, stream_server):
    if again == 1:
        stream_server.answer("hi")
    assert "hi" in httpx.post(f"{stream_server.openai_url}/chat/completions", json=ASK).text
""",
        2,
    ),
    "respx": Other(
        "respx.plugin",
        """
def test_theirs(respx_mock):
    respx_mock.get("https://a.test/").respond(text="theirs")
    assert httpx.get("https://a.test/").text == "theirs"


@pytest.mark.cassette("b")
def test_theirs_below_ours(respx_mock, cassette_session):
    respx_mock.post(URL).respond(text="theirs")
    assert httpx.post(URL).text == "theirs"
    assert len(cassette_session.recorded) == 1
""",
        2,
    ),
    "pytest-httpx": Other(
        "pytest_httpx",
        """
def test_theirs(httpx_mock):
    httpx_mock.add_response(text="theirs")
    assert httpx.get("https://a.test/").text == "theirs"


@pytest.mark.cassette("b")
def test_theirs_below_ours(httpx_mock, cassette_session):
    httpx_mock.add_response(text="theirs")
    assert httpx.post(URL).text == "theirs"
    assert len(cassette_session.recorded) == 1
""",
        2,
    ),
    "pytest-asyncio, strict": Other(
        "pytest_asyncio.plugin",
        """
@pytest.mark.asyncio
@pytest.mark.cassette("a")
async def test_theirs():
    async with httpx.AsyncClient() as client:
        assert (await client.post(URL, json={"n": 2})).content.startswith(b"data: 1")
""",
        1,
        ini="asyncio_mode = strict\nasyncio_default_fixture_loop_scope = function\n",
    ),
    "pytest-asyncio, auto": Other(
        "pytest_asyncio.plugin",
        """
from hypothesis import given, settings, strategies as st


@pytest.fixture
async def client():
    async with httpx.AsyncClient() as client:
        yield client


@pytest.mark.cassette("a")
async def test_theirs(client):
    assert (await client.post(URL, json={"n": 2})).content.startswith(b"data: 1")


@pytest.mark.cassette("a")
@settings(deadline=None)
@given(st.integers())
async def test_examples(n):
    async with httpx.AsyncClient() as client:
        assert (await client.post(URL, json={"n": 2})).content.startswith(b"data: 1")
""",
        2,
        ini="asyncio_mode = auto\nasyncio_default_fixture_loop_scope = function\n",
    ),
    "anyio": Other(
        "anyio.pytest_plugin",
        """
@pytest.mark.anyio
@pytest.mark.cassette("a")
async def test_theirs(anyio_backend_name):
    async with httpx.AsyncClient() as client:
        assert (await client.post(URL, json={"n": 2})).content.startswith(b"data: 1")
""",
        2,
    ),
    "xdist": Other("xdist.plugin", "", 0, arguments=("-n2", "--dist=loadgroup")),
    "pytest-randomly": Other("pytest_randomly", "", 0),
}


@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.parametrize("ours_first", [True, False], ids=["ours first", "theirs first"])
def test_ours_and_theirs_do_what_they_do_alone(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, name: str, *, ours_first: bool
) -> None:
    other = OTHERS[name]
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.makeini(
        INI.replace(
            "= error",
            "=\n  error\n  ignore:.*:pytest.PytestDeprecationWarning"
            # What another plugin's guard leaves open is not for us to close.
            "\n  ignore:.*:pytest.PytestUnraisableExceptionWarning",
        )
        + other.ini
    )
    # What records comes first, in whatever order the rest runs.
    pytester.makepyfile(test_it=MODULE + OURS + other.tests)
    plugins = ["pytest_cassette_stream", other.module]
    loaded = [word for it in (plugins if ours_first else plugins[::-1]) for word in ("-p", it)]
    first = pytester.runpytest_subprocess(*loaded, "-k", "records")
    first.assert_outcomes(passed=1, deselected=first.parseoutcomes().get("deselected", 0))
    result = pytester.runpytest_subprocess(*loaded, *other.arguments)

    result.assert_outcomes(passed=4 + other.count)
