"""What must never come out of the client: others' exceptions, keys, and loose ends."""

from __future__ import annotations

import asyncio
import logging
import pickle
import re
import subprocess
import sys
import traceback
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import httpx2
import pytest
from support import PROJECT
from wires import GEMINI, OPENAI, WIRES, Wire

from cassette_stream import LoopbackServer, use_cassette
from cassette_stream.client import acompletion, completion
from cassette_stream.client.provider_table import PROVIDERS
from cassette_stream.exceptions import (
    APIConnectionError,
    APIError,
    AuthenticationError,
    BadRequestError,
    CassetteError,
    MalformedStreamError,
    UnsupportedParamsError,
)
from cassette_stream.script import Emit, Fail, FailureKind, Head

pytestmark = pytest.mark.matrix(3)

MESSAGES = [{"role": "user", "content": "Hello"}]
STREAM = {"content-type": "text/event-stream"}
KEY = "sk-sentinel-0123456789abcdef"
LIBRARIES = (httpx, httpx2)
wires = pytest.mark.parametrize("wire", WIRES, ids=lambda wire: wire.provider)


@pytest.fixture(autouse=True)
def a_region(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_REGION", "eu-north-1")


# Exceptions of the HTTP libraries.


def failures(library: Any) -> list[type[Exception]]:
    """Every exception that a request or its response may raise."""
    found, left = [], [library.RequestError]
    while left:
        kind = left.pop()
        found.append(kind)
        left += kind.__subclasses__()
    return sorted({kind for kind in found if "httpx" in kind.__module__}, key=str)


def breaking(library: Any, error: Exception) -> Any:
    """A body of *library* that begins and breaks, in both kinds of code."""

    class Breaking(library.SyncByteStream, library.AsyncByteStream):
        def __iter__(self) -> Iterator[bytes]:
            yield OPENAI.hello
            raise error

        async def __aiter__(self) -> AsyncIterator[bytes]:
            yield OPENAI.hello
            raise error

    return Breaking()


def transport(library: Any, kind: type[Exception], *, early: bool) -> Any:
    """One that raises *kind* instead of a response, or in the middle of its body."""

    def handle(_: Any) -> Any:
        if early:
            raise kind("it broke")
        return library.Response(200, headers=STREAM, stream=breaking(library, kind("it broke")))

    return library.MockTransport(handle)


async def everything(stream: Any) -> list[Any]:
    return [chunk async for chunk in await stream]


@pytest.mark.parametrize("early", [True, False], ids=["before the head", "in the body"])
@pytest.mark.parametrize(
    ("library", "kind"),
    [
        pytest.param(library, kind, id=f"{library.__name__}.{kind.__name__}")
        for library in LIBRARIES
        for kind in failures(library)
    ],
)
def test_every_exception_of_an_http_library_is_the_cause_of_one_of_ours(
    library: Any, kind: type[Exception], early: bool
) -> None:
    asked: dict[str, Any] = {"api_key": "k", "num_retries": 0, "stream": True}
    seen = []

    def read() -> None:
        with library.Client(transport=transport(library, kind, early=early)) as client:
            list(completion("openai/m", MESSAGES, http_client=client, **asked))

    async def aread() -> None:
        async with library.AsyncClient(transport=transport(library, kind, early=early)) as client:
            await everything(acompletion("openai/m", MESSAGES, http_client=client, **asked))

    for call in (read, partial(asyncio.run, aread())):
        with pytest.raises(APIError) as caught:
            call()
        seen.append(caught.value)

    assert {type(error.__cause__) for error in seen} == {kind}
    assert type(seen[0]) is type(seen[1])
    assert [error.mid_stream for error in seen] == [not early] * 2
    assert {isinstance(it, APIConnectionError | MalformedStreamError) for it in seen} == {True}


def test_there_are_failures_to_be_tested() -> None:
    names = [{kind.__name__ for kind in failures(library)} for library in LIBRARIES]

    assert all(it >= {"ReadTimeout", "ConnectError", "RemoteProtocolError"} for it in names)


@pytest.mark.parametrize(
    "text",
    ["", "%", "cassette: 1\n---\n{", "\x00", "cassette: 1\n---\nresponse: !!python/none"],
    ids=["empty", "no YAML", "half", "no text", "a tag"],
)
def test_a_cassette_that_cannot_be_read_is_an_error_of_the_toolkit(
    tmp_path: Path, text: str
) -> None:
    (tmp_path / "c.yaml").write_text(text, "utf-8")

    with pytest.raises(CassetteError), use_cassette(tmp_path / "c.yaml", mode="none"):
        completion("openai/m", MESSAGES, api_key="k")


@wires
def test_an_error_can_be_sent_to_another_process(wire: Wire) -> None:
    def handle(_: Any) -> httpx.Response:
        return httpx.Response(200, headers=STREAM, content=wire.hello)

    with httpx.Client(transport=httpx.MockTransport(handle)) as client:
        stream: Any = completion(
            f"{wire.provider}/m", MESSAGES, stream=True, api_key="k", http_client=client
        )
        with pytest.raises(APIError) as caught:
            list(stream)
    back = pickle.loads(pickle.dumps(caught.value))

    assert type(back) is type(caught.value)
    assert str(back) == str(caught.value)
    assert (back.generated_content, back.chunks_yielded) == ("Hello", 1)


# Bad input.


class Sent:
    """Clients that answer nothing, and count what they were asked."""

    def __init__(self) -> None:
        self.requests: list[httpx.Request] = []

    def handle(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        return httpx.Response(500)

    def raised(self, **asked: Any) -> list[Exception]:
        """What `completion` and `acompletion` raise, which must be the same."""
        transport = httpx.MockTransport(self.handle)
        raised: list[Exception] = []
        asked = {"messages": MESSAGES, "stream": True, "num_retries": 0} | asked

        async def call() -> None:
            async with httpx.AsyncClient(transport=transport) as client:
                await acompletion(**asked, http_client=client)

        with httpx.Client(transport=transport) as client:
            for each in (partial(completion, http_client=client, **asked), call):
                try:
                    asyncio.run(call()) if each is call else each()
                except Exception as error:
                    raised.append(error)
        assert len(raised) == 2
        assert type(raised[0]) is type(raised[1])
        assert str(raised[0]) == str(raised[1])
        return raised


@pytest.fixture
def sent() -> Sent:
    return Sent()


@pytest.fixture
def no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for row in PROVIDERS.values():
        for variable in (*row.keys, *row.tokens, *row.bases):
            monkeypatch.delenv(variable, raising=False)


PROMPTS: dict[str, tuple[dict[str, Any], type[Exception], str]] = {
    "unknown prefix": ({"model": "opnai/m"}, BadRequestError, "did you mean 'openai'.*anthropic.*gemini"),
    "no prefix": ({"model": "m"}, BadRequestError, "write PROVIDER/m.*openai"),
    "no model": ({"model": "anthropic/"}, BadRequestError, "no model behind anthropic/"),
    "unknown custom_llm_provider": ({"custom_llm_provider": "x"}, BadRequestError, "Providers are .*openai"),
    "model of another type": ({"model": 5}, TypeError, "model must be a text such as 'gpt-4o', not 5"),
    "messages of another type": ({"messages": "Hello"}, TypeError, "messages must be a list such as"),
    "a message of another type": ({"messages": [7]}, TypeError, r"messages\[0\] must be a mapping, not 7"),
    "a key of another type": ({"api_key": KEY.encode()}, TypeError, "api_key is a text, not bytes"),
    "a base of another type": ({"api_base": 5}, TypeError, "api_base is a text, not int"),
    "a base that is no address": ({"api_base": "ftp://x"}, BadRequestError, "no http:// or https:// address"),
    "stream of another type": ({"stream": "no"}, TypeError, "stream must be True or False, not 'no'"),
    "strict of another type": ({"strict": "no"}, TypeError, "strict must be True or False, not 'no'"),
    "drop_params of another type": ({"drop_params": 2}, TypeError, "drop_params must be True or False, not 2"),
    "stream_options of another type": ({"stream_options": True}, TypeError, "stream_options must be a mapping such as .*, not bool"),
    "timeout of another type": ({"timeout": "1"}, TypeError, "timeout must be a number of seconds or None, not '1'"),
    "a timeout of nothing": ({"timeout": 0}, ValueError, "timeout must be above 0 seconds, not 0; None means no limit"),
    "a timeout below nothing": ({"total_timeout": -1}, ValueError, "total_timeout must be above 0 seconds, not -1"),
    "a timeout that is no number": ({"first_chunk_timeout": float("nan")}, ValueError, "first_chunk_timeout must be above 0 seconds, not nan"),
    "a timeout of the stream that is none": ({"stream_timeout": 0}, ValueError, "stream_timeout must be above 0 seconds, not 0"),
    "fewer than no retries": ({"num_retries": -1}, ValueError, "num_retries must be 0 or more, not -1"),
    "half a retry": ({"num_retries": 1.5}, TypeError, "num_retries must be a whole number, not 1.5"),
    "two counts of retries": ({"num_retries": 1, "max_retries": 2}, ValueError, "num_retries=1 and max_retries=2 are two names for the same"),
    "two addresses": ({"api_base": "http://a", "base_url": "http://b"}, ValueError, "are two names for the same: give one of them"),
    "an address that idna refuses": ({"api_base": "http://xn--/v1"}, ValueError, "no address"),
    "retries of another type": ({"num_retries": "1"}, TypeError, "num_retries must be a whole number, not '1'"),
    "headers of another type": ({"extra_headers": [("a", "b")]}, TypeError, "extra_headers must be a mapping, not list"),
    "the name of a header of another type": ({"extra_headers": {1: "b"}}, TypeError, "names of extra_headers must be texts, not 1"),
    "a header beyond ASCII": ({"extra_headers": {"a": "é"}}, ValueError, r"extra_headers\['a'\] holds what no header can: .*ASCII"),
    "a header of another type": ({"extra_headers": {"a": b"b"}}, TypeError, r"extra_headers\['a'\] must be a text, not bytes"),
    "the name of no header": ({"extra_headers": {"a b": "c"}}, ValueError, "'a b', and no header has such a name"),
    "an empty name": ({"extra_headers": {"": "c"}}, ValueError, "'', and no header has such a name"),
    "a line break in a header": ({"extra_headers": {"a": "b\r\nc: d"}}, ValueError, r"extra_headers\['a'\] holds what no header can"),
    "a body of another type": ({"extra_body": ["a"]}, TypeError, "extra_body must be a mapping, not list"),
    "what is no JSON": ({"extra_body": {"a": {1, 2}}}, TypeError, "'a' cannot be sent as JSON: .* set is not"),
    "a name that JSON has not": ({"extra_body": {("a",): 1}}, TypeError, r"\('a',\) cannot be sent as JSON"),
    "a number that is none": ({"extra_body": {"a": float("nan")}}, ValueError, "'a' cannot be sent as JSON"),
    "half a surrogate pair": ({"extra_body": {"a": "\ud800"}}, ValueError, "half a surrogate pair"),
}  # fmt: skip


@pytest.mark.usefixtures("no_keys")
@wires
@pytest.mark.parametrize(("asked", "kind", "text"), PROMPTS.values(), ids=PROMPTS)
def test_bad_input_is_one_clear_error_before_anything_is_sent(
    sent: Sent, wire: Wire, asked: dict[str, Any], kind: type[Exception], text: str
) -> None:
    for error in sent.raised(**{"model": f"{wire.provider}/m", "api_key": KEY} | asked):
        assert type(error) is kind
        assert re.search(text, str(error))
        assert KEY not in str(error)
    assert sent.requests == []


@pytest.mark.usefixtures("no_keys")
@pytest.mark.parametrize("name", sorted(name for name, row in PROVIDERS.items() if row.needs_key))
def test_a_missing_key_is_an_error_that_names_its_variable(sent: Sent, name: str) -> None:
    base = {} if PROVIDERS[name].base else {"api_base": "https://server/?api-version=1"}
    for error in sent.raised(model=f"{name}/m", **base):
        assert isinstance(error, AuthenticationError)
        assert "give api_key, or set" in str(error)
        assert all(variable in str(error) for variable in PROVIDERS[name].keys)
        assert (error.status_code, error.llm_provider) == (401, name)
    assert sent.requests == []


@pytest.mark.parametrize(  # chat completions are sent as they are given
    "wire", [wire for wire in WIRES if wire is not OPENAI], ids=lambda wire: wire.provider
)
@pytest.mark.parametrize(
    ("asked", "kind", "text"),
    [
        pytest.param({"bananas": 1}, UnsupportedParamsError, "has no bananas; it takes .*temperature.*drop_params=True", id="unknown"),
        pytest.param({"logit_bias": {}}, UnsupportedParamsError, "has no logit_bias; it takes .*temperature", id="unsupported"),
        pytest.param({"tools": [1]}, TypeError, "a tool is a mapping, not 1", id="tools of another type"),
        pytest.param({"tools": [{"type": "function", "function": 1}]}, TypeError, "the function of a tool is a mapping, not 1", id="function of another type"),
        pytest.param({"response_format": 5}, TypeError, "response_format is a mapping, not 5", id="response_format of another type"),
        pytest.param({"messages": [{"role": "hermit", "content": "x"}]}, ValueError, "no messages of role 'hermit'; it takes .*system", id="unknown role"),
        pytest.param({"messages": [{"role": "user", "content": 12}]}, TypeError, "content is a text, a list of parts or None, not 12", id="content of another type"),
    ],
)  # fmt: skip
def test_what_a_format_has_no_word_for_is_an_error_that_names_what_it_takes(
    sent: Sent, wire: Wire, asked: dict[str, Any], kind: type[Exception], text: str
) -> None:
    for error in sent.raised(**{"model": f"{wire.provider}/m", "api_key": KEY} | asked):
        assert type(error) is kind
        assert re.search(text, str(error))
    assert sent.requests == []


@pytest.mark.parametrize("stop", [5, [5], {"a": 1}, b"x"], ids=repr)
@pytest.mark.parametrize("provider", ["anthropic", "gemini"])
def test_a_stop_is_a_text_or_texts(sent: Sent, provider: str, stop: Any) -> None:
    for error in sent.raised(model=f"{provider}/m", api_key=KEY, stop=stop):
        assert type(error) is TypeError
        assert str(error) == f"stop is a text or a list of texts, not {stop!r}"
    assert sent.requests == []


# Keys.


FORM = Head(200, tuple(STREAM.items()))
REFUSED = Emit(b'{"error": {"message": "no such key", "type": "invalid_request_error"}}')
PATHS: dict[str, Callable[[Wire], list[Any]]] = {
    "answered": lambda wire: [FORM, Emit(wire.whole)],
    "401": lambda _: [Head(401), REFUSED],
    "429": lambda _: [Head(429, (("retry-after-ms", "0"),)), REFUSED],
    "500 without a word": lambda _: [Head(500)],
    "redirect": lambda _: [Head(307, (("location", "/elsewhere"),))],
    "reset before the head": lambda _: [Fail(FailureKind.RESET)],
    "no response": lambda _: [Fail(FailureKind.NO_RESPONSE)],
    "reset": lambda wire: [FORM, Emit(wire.hello), Fail(FailureKind.RESET)],
    "cut": lambda wire: [FORM, Emit(wire.hello), Fail(FailureKind.FIN)],
    "broken JSON": lambda wire: [FORM, Emit(wire.hello), Emit(wire.broken)],
    "error event": lambda wire: [FORM, Emit(wire.hello), Emit(wire.failure)],
    "page": lambda _: [Head(200, (("content-type", "text/html"),)), Emit(b"<html>")],
    "empty": lambda _: [FORM],
}


@pytest.fixture(params=["api_key", "environment", "extra_headers"])
def given_key(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The arguments of a call that is made with the key, wherever that stands."""
    if request.param == "api_key":
        return {"api_key": KEY}
    if request.param == "extra_headers":
        headers = {"Authorization": f"Bearer {KEY}", "x-api-key": KEY}
        return {"api_key": "other", "extra_headers": headers}
    for row in PROVIDERS.values():
        for variable in row.keys + row.tokens:
            monkeypatch.setenv(variable, KEY)
    return {}


def texts_of(value: object) -> Iterator[str]:
    """Everything that somebody may print of *value*."""
    yield from (str(value), repr(value))
    if isinstance(value, BaseException):
        yield from traceback.format_exception(value)
        yield repr(vars(value))
        for beside in (value.__cause__, value.__context__):
            if beside is not None:
                yield from (str(beside), repr(beside), *map(str, beside.args))
    else:
        yield from map(repr, vars(value).values())


@wires
@pytest.mark.parametrize("path", PATHS)
def test_a_key_is_in_no_error_no_repr_and_no_log(
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    given_key: dict[str, Any],
    wire: Wire,
    path: str,
) -> None:
    caplog.set_level(logging.DEBUG)
    asked = dict(given_key)
    shown: list[str] = []
    with LoopbackServer() as server:
        server.respond(PATHS[path](wire))
        asked |= {"api_base": server.url + wire.base, "num_retries": 1 if path == "429" else 0}
        try:
            stream: Any = completion(f"{wire.provider}/m", MESSAGES, stream=True, **asked)
            shown += [*texts_of(stream), repr(stream._reading.asked)]
            shown += (repr(chunk) for chunk in stream)
            shown += texts_of(stream)
        except APIError as error:
            shown += texts_of(error)
        requests = [exchange.request for exchange in server.wait_for_exchanges(1)]
        sent = [f"{request.url} {dict(request.headers)}" for request in requests]
    printed = capfd.readouterr()

    assert KEY in "".join(sent)
    assert shown
    assert KEY not in "\n".join(shown)
    assert KEY not in caplog.text
    assert (printed.out, printed.err) == ("", "")


@pytest.mark.parametrize("bad", [f"{KEY}\n", f"{KEY}é", f" {KEY}", f"{KEY}\x7f"], ids=ascii)
@pytest.mark.parametrize("where", ["api_key", "extra_headers", "environment"])
def test_a_key_that_cannot_be_sent_is_not_told(
    monkeypatch: pytest.MonkeyPatch, where: str, bad: str
) -> None:
    asked: dict[str, Any] = {"api_key": "other"}
    if where == "api_key":
        asked = {"api_key": bad}
    elif where == "environment":
        monkeypatch.setenv("OPENAI_API_KEY", bad)
        asked = {}
    else:
        asked["extra_headers"] = {"authorization": bad}
    with LoopbackServer() as server:
        try:
            completion("openai/m", MESSAGES, api_base=server.openai_url, num_retries=0, **asked)
        except (APIError, ValueError) as error:
            shown = "".join(texts_of(error))
        else:
            shown = ""
        # Blanks around a header are none of it.
        sendable = where == "extra_headers" and bad == f" {KEY}"
        sent = server.wait_for_exchanges(1) if sendable else server.exchanges

    assert KEY not in shown
    assert bool(sent) == sendable == (shown == "")


# Loose ends.

PROGRAM = """
import asyncio, gc, sys
import trio
sys.path.insert(0, sys.argv[1])
from wires import OPENAI
from cassette_stream import LoopbackServer
from cassette_stream.client import acompletion, completion
from cassette_stream.exceptions import APIError
from cassette_stream.script import Emit, Fail, FailureKind, Head, Wait

FORM = Head(200, (("content-type", "text/event-stream"),))
ENDS = {
    "whole": [FORM, Emit(OPENAI.whole)],
    "held": [FORM, Emit(OPENAI.whole), Wait(60)],
    "cut": [FORM, Emit(OPENAI.hello), Fail(FailureKind.FIN)],
    "broken": [FORM, Emit(OPENAI.hello), Emit(b"data: {nope\\n\\n"), Wait(60)],
    "refused": [Head(500), Emit(b"{}")],
    "coding": [Head(200, (*FORM.headers, ("content-encoding", "gzip"))), Emit(b"no")],
}

with LoopbackServer() as server:
    for name, steps in ENDS.items():
        server.respond(steps, path=f"/{name}/chat/completions")
    def asked(name):
        return dict(model="openai/m", messages=[{"role": "user", "content": "x"}], api_key="k",
                    stream=True, num_retries=0, api_base=f"{server.url}/{name}")

    def read(name, most):
        stream = completion(**asked(name))
        for number, _ in enumerate(stream):
            if number == most:
                break

    async def aread(name, most):
        async with await acompletion(**asked(name)) as stream:
            number = 0
            async for _ in stream:
                if number == most:
                    break
                number += 1

    for name in ENDS:
        for most in (0, 100):
            for run in (
                lambda: read(name, most),
                lambda: asyncio.run(aread(name, most)),
                lambda: trio.run(aread, name, most),
            ):
                try:
                    run()
                except APIError:
                    pass
                gc.collect()
    untouched = completion(**asked("held"))
    del untouched
    gc.collect()
print("done")
"""


def test_no_stream_leaves_anything_that_the_interpreter_complains_of() -> None:
    # Not in development mode: there asyncio complains of a machine that is busy.
    command = [sys.executable, "-W", "error", "-c", PROGRAM, str(PROJECT / "tests")]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=60, cwd=PROJECT, check=False
    )

    assert (done.stdout, done.stderr) == ("done\n", "")


# Replays.


def nameless(wire: Wire) -> bytes:
    """The answer without an id and a date, and with a call that has no id either."""
    if wire is GEMINI:
        part = b'{"functionCall": {"name": "f"}}'
        body = wire.whole.replace(b'{"text": "Hello"}', part)
    else:
        called = b'"tool_calls": [{"index": 0, "function": {"name": "f", "arguments": "{}"}}]'
        body = wire.whole.replace(b'"content": "Hello"', called)
    return re.sub(rb'"(id|responseId)": "c1",? ?|"created(_at)?": 1,? ?', b"", body).replace(
        b", }", b"}"
    )


@wires
def test_a_recorded_call_is_replayed_equal_even_where_ids_and_dates_are_made(
    tmp_path: Path, wire: Wire
) -> None:
    path = tmp_path / "c.yaml"
    asked: dict[str, Any] = {
        "model": f"{wire.provider}/m",
        "messages": MESSAGES,
        "stream": True,
        "api_key": KEY,
        "stream_options": {"include_usage": True},
    }
    with LoopbackServer() as server:
        server.respond([FORM, Emit(nameless(wire))])
        asked["api_base"] = server.url + wire.base
        with use_cassette(path, mode="once"):
            live = list(completion(**asked))
    replays = []
    for _ in range(2):
        with use_cassette(path, mode="none"):
            replays.append([chunk.model_dump() for chunk in completion(**asked)])
    with use_cassette(path, mode="none"):
        replays.append([it.model_dump() for it in asyncio.run(everything(acompletion(**asked)))])
    ids = {chunk["id"] for chunk in replays[0]}
    calls = [it for chunk in live for it in chunk.choices[0].delta.tool_calls or ()]

    assert replays[0] == replays[1] == replays[2]
    assert len(replays[0]) == len(live) > 1
    assert len(ids) == 1
    assert ids != {""}
    assert len({chunk.id for chunk in live}) == 1
    assert bool(calls) == (wire.provider in {"openai", "gemini"})
    assert KEY not in path.read_text("utf-8")


def test_two_streams_without_an_id_are_told_apart() -> None:
    def handle(_: Any) -> httpx.Response:
        return httpx.Response(200, headers=STREAM, content=nameless(OPENAI))

    with httpx.Client(transport=httpx.MockTransport(handle)) as client:
        answers: list[Any] = [
            completion("openai/m", MESSAGES, api_key="k", http_client=client, stream=True)
            for _ in range(2)
        ]
        ids = [{chunk.id for chunk in answer} for answer in answers]
    calls = [answer.response.choices[0].message.tool_calls[0].id for answer in answers]

    assert len(set.union(*ids)) == len(ids) == 2
    assert calls[0] != calls[1]
