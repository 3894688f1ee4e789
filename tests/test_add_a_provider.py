"""A provider of the caller's own, and the programs of docs/add-a-provider.md as they stand there."""

from __future__ import annotations

import importlib.util
import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from hypothesis import Phase, settings
from support import PROJECT

from cassette_stream import LoopbackServer, completion, register_provider, use_cassette
from cassette_stream.client import providers, resolve
from cassette_stream.dialects import anthropic, ollama, openai_chat
from cassette_stream.exceptions import (
    APIConnectionError,
    APIError,
    MalformedStreamError,
    OverloadedError,
    StreamTruncatedError,
    UnfiredRuleError,
    UnsupportedParamsError,
)
from cassette_stream.script import Emit, Head

PAGE = (PROJECT / "docs" / "add-a-provider.md").read_text("utf-8")
PROGRAMS = dict(re.findall(r"^```python\n# (\w+)\.py\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE))
LAWS = re.findall(r"^def (test_\w+)", PROGRAMS["test_parley"], re.MULTILINE)
PRINTED = PAGE.partition("It prints\n\n```\n")[2].partition("```")[0]
ASKED = [{"role": "user", "content": "Hi"}]
LINES = b'["say","Hel"]\n["say","lo"]\n["end","stop",5,2]\n'

HASTY = (
    "type('Hasty', (Lines,), {'feed': lambda _, data: map(ServerSentEvent, "
    "data.decode('utf-8', 'replace').splitlines())})(), strict"
)

few = settings(max_examples=20, deadline=None)
until_one_fails = settings(few, max_examples=100, phases=[Phase.generate], database=None)


@pytest.fixture(autouse=True)
def no_provider_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(providers, "_registered", {})


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., ModuleType]:
    """Loads a program of the page, so that the others can import it."""

    def load(name: str, *changes: tuple[str, str]) -> ModuleType:
        source = PROGRAMS[name]
        for old, new in changes:
            assert source.count(old) == 1, old
            source = source.replace(old, new)
        path = tmp_path / f"{name}.py"
        path.write_text(source, "utf-8")
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, name, module)
        spec.loader.exec_module(module)
        return module

    return load


# Registering


@pytest.mark.parametrize("dialect", [anthropic, ollama, openai_chat], ids=lambda it: it.__name__)
def test_a_registered_provider_speaks_the_dialect_that_it_is_given(dialect: Any) -> None:
    register_provider("acme", base="https://acme.test", dialect=dialect)

    assert resolve("acme/m", environ={}).dialect is dialect


def test_a_registered_provider_speaks_openai_chat_completions_where_nothing_else_is_said() -> None:
    register_provider("acme", base="https://acme.test")

    assert resolve("acme/m", environ={}).dialect is openai_chat


@pytest.mark.parametrize(
    ("dialect", "missing"),
    [
        (None, "request, whole_body, Decoder"),
        ("openai_chat", "request, whole_body, Decoder"),
        (SimpleNamespace(request=print, Decoder=print), "whole_body"),
        (SimpleNamespace(request="/chat", whole_body=print, Decoder=print), "request"),
    ],
    ids=["none", "a_name", "one_missing", "one_that_cannot_be_called"],
)
def test_what_is_no_dialect_is_refused_at_once(dialect: Any, missing: str) -> None:
    with pytest.raises(TypeError, match=f"there is no {missing} in "):
        register_provider("acme", base="https://acme.test", dialect=dialect)

    assert not providers._registered


# The page


@pytest.mark.parametrize("law", LAWS)
def test_the_dialect_of_the_page_keeps_its_laws(
    program: Callable[..., ModuleType], law: str
) -> None:
    program("parley")

    few(getattr(program("test_parley"), law))()


@pytest.mark.parametrize(
    ("law", "old", "new"),
    [
        ("test_what_is_sent_is_read", "completion_tokens=written", "completion_tokens=read"),
        (
            "test_any_way_to_cut_the_bytes_gives_the_same",
            "Lines(), strict",
            HASTY,
        ),
        ("test_half_a_stream_is_no_answer", "return self._complete", "return self._seen"),
        (
            "test_the_quick_way_and_the_thorough_way_are_one",
            "read_say(event.data).text",
            "read_say(event.data).text.strip()",
        ),
    ],
    ids=LAWS,
)
def test_each_law_of_the_page_finds_what_breaks_it(
    program: Callable[..., ModuleType], law: str, old: str, new: str
) -> None:
    program("parley", (old, new))
    broken = until_one_fails(getattr(program("test_parley"), law))

    with pytest.raises((AssertionError, APIError, pytest.fail.Exception)):
        broken()


def test_a_provider_of_the_page_is_asked(
    program: Callable[..., ModuleType], capsys: pytest.CaptureFixture[str]
) -> None:
    program("acme")

    assert capsys.readouterr().out == "1, 2, 3, 4, 5.\n"


def test_the_dialect_of_the_page_is_spoken(
    program: Callable[..., ModuleType], capsys: pytest.CaptureFixture[str]
) -> None:
    program("parley")
    program("speak")

    assert capsys.readouterr().out == PRINTED


def answering(server: LoopbackServer, *pieces: bytes) -> None:
    head = Head(200, (("content-type", "application/x-ndjson"),))
    server.respond([head, *map(Emit, pieces)], path="/talk")


def text_of(chunks: Iterable[Any]) -> str:
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks)


@pytest.mark.parametrize("fault", ["body.fin@event=1", "json.cut@event=1", "sem.usage"])
def test_what_needs_an_event_says_that_it_finds_none_in_lines_of_ones_own(
    program: Callable[..., ModuleType], tmp_path: Path, fault: str
) -> None:
    with LoopbackServer() as server:
        register_provider("parley", base=server.url, dialect=program("parley"))
        answering(server, LINES)
        with use_cassette(tmp_path / "parley.yaml", mode="all"):
            text_of(completion("parley/m", ASKED, stream=True))

    with (
        pytest.raises(UnfiredRuleError),
        use_cassette(tmp_path / "parley.yaml", mode="none", faults=fault),
    ):
        assert text_of(completion("parley/m", ASKED, stream=True)) == "Hello"


def test_a_dialect_of_ones_own_is_recorded_replayed_and_broken(
    program: Callable[..., ModuleType], tmp_path: Path
) -> None:
    cassette = tmp_path / "parley.yaml"
    with LoopbackServer() as server:
        register_provider("parley", base=server.url, dialect=program("parley"))
        answering(server, LINES[:5], LINES[5:])
        with use_cassette(cassette, mode="all"):
            live = text_of(completion("parley/m", ASKED, stream=True))
    with use_cassette(cassette, mode="none"):
        replayed = text_of(completion("parley/m", ASKED, stream=True))
    with (
        use_cassette(cassette, mode="none", faults="body.fin@byte=20"),
        pytest.raises(StreamTruncatedError) as cut,
    ):
        text_of(completion("parley/m", ASKED, stream=True))
    with (
        use_cassette(cassette, mode="none", faults="body.reset@byte=20"),
        pytest.raises(APIConnectionError) as reset,
    ):
        text_of(completion("parley/m", ASKED, stream=True))

    assert live == replayed == "Hello"
    assert cut.value.generated_content == reset.value.generated_content == "Hel"


@pytest.mark.parametrize(
    ("last", "error", "words"),
    [
        (b'["fault",{"code":"overloaded","message":"later"}]\n', OverloadedError, "later"),
        (b'["sing","la"]\n', MalformedStreamError, 'no line of parley: \'\\["sing"'),
        (b'["say",5]\n', MalformedStreamError, "no line of parley"),
        (b"", StreamTruncatedError, "without a line that says why"),
    ],
    ids=["its_error", "a_kind_that_there_is_not", "a_number_for_a_text", "nothing"],
)
def test_what_goes_wrong_in_a_dialect_of_ones_own_has_the_class_that_it_has_in_any(
    program: Callable[..., ModuleType], last: bytes, error: type[APIError], words: str
) -> None:
    with LoopbackServer() as server:
        register_provider("parley", base=server.url, dialect=program("parley"))
        answering(server, LINES[:14], last)
        with pytest.raises(error, match=words) as raised:
            text_of(completion("parley/m", ASKED, stream=True))

    assert raised.value.generated_content == "Hel"


def test_a_line_that_is_not_understood_is_left_out_where_that_is_allowed(
    program: Callable[..., ModuleType],
) -> None:
    with LoopbackServer() as server:
        register_provider("parley", base=server.url, dialect=program("parley"))
        answering(server, b'["sing","la"]\n', LINES)
        stream = completion("parley/m", ASKED, stream=True, strict=False)
        text = text_of(stream)

    assert text == "Hello"
    assert any("no line of parley" in warning for warning in stream.warnings)


def test_a_request_of_the_page_says_what_was_asked_and_nothing_else(
    program: Callable[..., ModuleType],
) -> None:
    with LoopbackServer() as server:
        register_provider("parley", base=server.url, dialect=program("parley"))
        answering(server, LINES)
        text_of(completion("parley/m", ASKED, stream=True, max_tokens=7))
        with pytest.raises(UnsupportedParamsError, match="parley has no temperature"):
            completion("parley/m", ASKED, temperature=0.5)
        with pytest.raises(ValueError, match="parley has texts of system, user, assistant"):
            completion("parley/m", [{"role": "tool", "content": "Hi"}])
        (exchange,) = server.wait_for_exchanges(1)

    assert exchange.request.body == (
        b'{"model":"m","turns":[{"who":"guest","text":"Hi"}],"stream":true,"limit":7}'
    )


@pytest.mark.parametrize("stream", [True, False])
def test_a_body_that_is_no_stream_is_read_as_strictly_as_one(
    program: Callable[..., ModuleType], stream: bool
) -> None:
    body = b'{"text":5,"why":"stop"}'
    with LoopbackServer() as server:
        register_provider("parley", base=server.url, dialect=program("parley"))
        answering(server, body)
        with pytest.raises(MalformedStreamError, match="text must be a text, not '5'"):
            answer_of(completion("parley/m", ASKED, stream=stream))
        text = answer_of(completion("parley/m", ASKED, stream=stream, strict=False))

    assert text == "5"


def answer_of(answer: Any) -> str:
    return answer.choices[0].message.content if hasattr(answer, "choices") else text_of(answer)
