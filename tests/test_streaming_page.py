"""Every sample of docs/streaming.md, and of the page that it answers, prints what it should."""

from __future__ import annotations

import ast
import re
import typing
from collections.abc import Callable, Iterator
from itertools import takewhile
from pathlib import Path
from typing import Any

import msgspec
import pytest
import tiktoken
from hypothesis import given
from hypothesis import strategies as st
from samples import WAYS, Sample, as_asynchronous, run_sync, samples_of
from support import CORPUS, PROJECT

import cassette_stream
from cassette_stream import (
    ChatCompletionMessageToolCall,
    Choices,
    Function,
    LoopbackServer,
    Message,
    ModelResponse,
    chunks,
    completion,
    use_cassette,
)
from cassette_stream.dialects import (
    anthropic,
    bedrock_converse,
    cohere,
    gemini,
    ollama,
    openai_chat,
    openai_responses,
)
from cassette_stream.script import Emit, Fail, FailureKind, Head, Step, Wait

pytestmark = pytest.mark.matrix(2)

PAGE = (PROJECT / "docs" / "streaming.md").read_text("utf-8")
SAMPLES = samples_of(PAGE)
COUNTED = "1, 2, 3, 4, 5."
MODELS = {
    "openai": "gpt-4o-mini",
    "openai/responses": "openai/responses/gpt-4o-mini",
    "anthropic": "anthropic/claude-sonnet-4-5",
    "gemini": "gemini/gemini-2.5-flash",
    "cohere": "cohere/command-a-03-2025",
    "ollama": "ollama/llama3.2",
    "bedrock": "bedrock/amazon.nova-lite-v1:0",
}
DIALECTS: dict[str, Any] = {
    "openai": openai_chat,
    "openai/responses": openai_responses,
    "anthropic": anthropic,
    "gemini": gemini,
    "cohere": cohere,
    "ollama": ollama,
    "bedrock": bedrock_converse,
}
TYPES = {
    "ollama": "application/x-ndjson",
    "bedrock": "application/vnd.amazon.eventstream",
}
SECTIONS = [
    "Basic usage",
    "Parameters",
    "Response format",
    "Basic streaming",
    "Usage information",
    "The complete response",
    "Finish reasons",
    "Different providers",
    "Function calls",
    "Function calls",
    "Error handling",
    "Custom stream processing",
    "Token counting",
    "Cancelling",
    "Cancelling",
    "Asynchronous code",
    "Best practices",
]
DERIVED = [sample for sample in SAMPLES if "acompletion" not in sample.code]


@pytest.fixture(scope="module")
def standing() -> Iterator[LoopbackServer]:
    with LoopbackServer() as running:
        yield running


@pytest.fixture
def answered(standing: LoopbackServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment leads the samples to a server that answers as it does by default."""
    for name, value in standing.environment.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[LoopbackServer]:
    """The same with a server of the test's own, which may be told what to answer."""
    with LoopbackServer() as running:
        for name, value in running.environment.items():
            monkeypatch.setenv(name, value)
        yield running


@pytest.fixture
def one_token_per_byte(monkeypatch: pytest.MonkeyPatch) -> None:
    """An encoding that is made here, since tiktoken fetches those of models from the network."""
    encoding = tiktoken.Encoding(
        "bytes",
        pat_str=r"\S+|\s+",
        mergeable_ranks={bytes([number]): number for number in range(256)},
        special_tokens={},
    )
    monkeypatch.setattr(tiktoken, "encoding_for_model", lambda _: encoding)


@pytest.fixture(params=list(MODELS))
def provider(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(params=list(WAYS))
def way(request: pytest.FixtureRequest) -> str:
    return request.param


def sample(title: str, number: int = 0) -> Sample:
    return [it for it in SAMPLES if it.title == title][number]


def slug(it: Sample) -> str:
    return it.title.lower().replace(" ", "-")


def ways(*, breaks: bool) -> list[str]:
    """All, but trio where a mere ``break`` leaves the loop: it warns of that, as the page says."""
    return [way for way in WAYS if not (breaks and way == "trio")]


RUNS = [
    pytest.param(it, way, id=f"{slug(it)}-{way}")
    for it in DERIVED
    for way in ways(breaks="break" in it.code and "with completion" not in it.code)
]


def test_the_page_has_its_sections_and_every_program_says_what_it_prints() -> None:
    assert [it.title for it in SAMPLES] == SECTIONS
    assert PAGE.count("```python") == len(SAMPLES)


@pytest.mark.usefixtures("one_token_per_byte", "answered")
@pytest.mark.parametrize(("it", "way"), RUNS)
def test_a_sample_prints_what_stands_below_it(it: Sample, provider: str, way: str) -> None:
    code = it.with_model(MODELS[provider]).code
    assert MODELS[provider] in code

    told = WAYS[way](code)

    assert it.printed_is(told), told


@pytest.mark.usefixtures("answered")
def test_the_asynchronous_sample_is_the_basic_one() -> None:
    it = sample("Asynchronous code")
    (main,) = [node for node in ast.parse(it.code).body if isinstance(node, ast.AsyncFunctionDef)]
    basic = as_asynchronous(sample("Basic usage").code).body

    assert ast.unparse(main.body) == ast.unparse(basic[1:])  # type: ignore[arg-type]
    assert it.printed_is(run_sync(it.code))


@pytest.mark.usefixtures("one_token_per_byte", "answered")
def test_tokens_are_counted_by_the_encoding_that_tiktoken_gives(provider: str, way: str) -> None:
    told = WAYS[way](sample("Token counting").with_model(MODELS[provider]).code)

    assert told == f"{COUNTED!r} is {len(COUNTED)} tokens\n"


# What is written in a text block is compared by rules of its own, which must not be empty ones.


@given(st.lists(st.text(alphabet="ab(.\n…"), max_size=4))
def test_what_is_printed_is_compared_to_the_letter(pieces: list[str]) -> None:
    text = "".join(pieces).replace("…", "")

    assert Sample("", "", text).printed_is(text)
    assert not Sample("", "", text).printed_is(f"{text}c")
    assert not Sample("", "", f"{text}c…").printed_is(text)
    assert Sample("", "", f"…c{text}").printed_is(f"anything\nc{text}")


def test_a_sample_that_would_stay_synchronous_is_refused() -> None:
    with pytest.raises(ValueError, match="no loop"):
        as_asynchronous("from cassette_stream import completion\nfor x in y: pass\n")


# Response format.


def tables(page: str) -> dict[str, dict[str, str]]:
    """The tables of fields: the type of each field, by the class that has it."""
    found = re.findall(r"^\*\*`(\w+)`\*\*.*\n\n((?:\|.*\n)+)", page, re.MULTILINE)
    rows = re.compile(r"^\| `(\w+)` \| `(.+?)` \|", re.MULTILINE)
    return {
        name: {field: kind.replace(r"\|", "|") for field, kind in rows.findall(table)}
        for name, table in found
    }


def test_the_tables_name_fields_that_there_are_with_the_types_that_they_have() -> None:
    told = tables(PAGE)

    assert {name: len(fields) for name, fields in told.items()} == {
        "ModelResponseStream": 6,
        "StreamingChoices": 3,
        "Delta": 3,
        "ChatCompletionDeltaToolCall": 4,
        "Function": 2,
        "Usage": 3,
    }
    for name, fields in told.items():
        annotations = getattr(cassette_stream, name).__annotations__
        assert fields == {field: annotations[field] for field in fields}


def parts(value: object) -> Iterator[msgspec.Struct]:
    """*value* and every object in it."""
    if isinstance(value, list):
        for item in value:
            yield from parts(item)
    if isinstance(value, msgspec.Struct):
        yield value
        for name in value.__struct_fields__:
            yield from parts(getattr(value, name))


@pytest.mark.usefixtures("answered")
@pytest.mark.parametrize("tools", [False, True], ids=["text", "tools"])
def test_what_is_in_a_field_is_of_its_type(provider: str, tools: bool) -> None:
    tool = {"type": "function", "function": {"name": "get_time"}}
    response = completion(
        MODELS[provider],
        [{"role": "user", "content": "Count from 1 to 3"}],
        stream=True,
        stream_options={"include_usage": True},
        tools=[tool] if tools else None,
    )
    seen = set()

    for part in parts(list(response)):
        fields = tables(PAGE).get(type(part).__name__, {})
        hints = typing.get_type_hints(type(part))
        for field in fields:
            msgspec.convert(getattr(part, field), hints[field])  # raises where it is not
        seen.add(type(part).__name__)

    calls = {"ChatCompletionDeltaToolCall", "Function"}
    assert seen >= {"ModelResponseStream", "StreamingChoices", "Delta", "Usage"} | (
        calls if tools else set()
    )


# Finish reasons.


def answer_that_ends(reason: str) -> ModelResponse:
    call = ChatCompletionMessageToolCall(id="c", function=Function(name="f", arguments="{}"))
    calls = [call] if reason == "tool_calls" else None
    message = Message(content="Well.", tool_calls=calls)
    choice = Choices(index=0, message=message, finish_reason=reason)
    return ModelResponse(id="i", created=1, model="m", choices=[choice])


@pytest.mark.parametrize("reason", ["stop", "length", "content_filter", "tool_calls"])
def test_every_finish_reason_is_printed(
    server: LoopbackServer, provider: str, way: str, reason: str
) -> None:
    server.answer(answer_that_ends(reason))

    told = WAYS[way](sample("Finish reasons").with_model(MODELS[provider]).code)

    assert told == f"Well.\nfinished: {reason}\n"


def test_the_finish_reasons_are_those_of_the_table() -> None:
    assert re.findall(r"^\| `(\w+)` \| (?:the model|a limit|the provider)", PAGE, re.MULTILINE) == [
        "stop",
        "length",
        "content_filter",
        "tool_calls",
    ]


# Function calls.


def head_of(provider: str) -> Head:
    return Head(200, (("content-type", TYPES.get(provider, "text/event-stream")),))


def called_without_a_word(provider: str) -> list[Step]:
    """A call of ``get_time`` whose arguments the server leaves out, as many do where it has none."""
    call = ChatCompletionMessageToolCall(id="c", function=Function(name="get_time", arguments="{}"))
    message = Message(tool_calls=[call])
    choice = Choices(index=0, message=message, finish_reason="tool_calls")
    whole = ModelResponse(id="i", created=1, model="m", choices=[choice])
    said = b"".join(DIALECTS[provider].encode(whole))
    without = re.sub(rb'(?<=:)"{}"', b'""', said.replace(b'"args": {},', b""))
    assert re.search(rb'"args"|"(arguments|partial_json)": ?"[^"]', without) is None
    return [head_of(provider), Emit(without)]


@pytest.mark.parametrize("number", [0, 1], ids=["by-hand", "accumulator"])
def test_a_call_without_arguments_can_be_read_as_json(
    server: LoopbackServer, provider: str, way: str, number: int
) -> None:
    server.respond(called_without_a_word(provider))

    told = WAYS[way](sample("Function calls", number).with_model(MODELS[provider]).code)

    assert told.removeprefix("c ") == "get_time {}\n"


# What breaks.


def begun(provider: str, *then: Step, until: int = 3) -> list[Step]:
    """A stream of *provider* that counts, without the number *until* and what follows; *then*."""
    message = Message(content=", ".join(map(str, range(1, until + 2))))
    choice = Choices(index=0, message=message, finish_reason="stop")
    whole = ModelResponse(id="i", created=1, model="m", choices=[choice])
    word = f'" {until}"'.encode()
    events = takewhile(lambda event: word not in event, DIALECTS[provider].encode(whole))
    return [head_of(provider), *map(Emit, events), *then]


def refused(provider: str, status: int) -> list[Step]:
    """A refusal that asks to be asked again at once, so that no test waits."""
    head = Head(status, (("content-type", "application/json"), ("retry-after-ms", "0")))
    return [head, Emit(DIALECTS[provider].encode_error_body(status, "not today"))]


def reported(provider: str) -> list[Step]:
    return begun(provider, Emit(DIALECTS[provider].encode_error(500, "not today")))


def cut(provider: str) -> list[Step]:
    return begun(provider, Fail(FailureKind.FIN))


BROKEN: dict[str, tuple[Callable[[str], list[Step]], int, str, str]] = {
    # what the server does, requests, the text before, the error
    "500": (lambda it: refused(it, 500), 3, "", "InternalServerError"),
    "429": (lambda it: refused(it, 429), 3, "", "RateLimitError"),
    "cut": (cut, 1, "1, 2,", "StreamTruncatedError"),
    "error-event": (reported, 1, "1, 2,", "InternalServerError"),
}


def broken(provider: str, failure: str) -> tuple[list[Step], int, str, str]:
    steps, requests, text, kind = BROKEN[failure]
    # What goes wrong in Ollama is told in words alone.
    untold = provider == "ollama" and failure == "error-event"
    return steps(provider), requests, text, "APIError" if untold else kind


@pytest.mark.parametrize("failure", list(BROKEN))
def test_what_breaks_is_printed_as_an_api_error(
    server: LoopbackServer, provider: str, way: str, failure: str
) -> None:
    steps, requests, text, kind = broken(provider, failure)
    server.respond(steps)

    told = WAYS[way](sample("Error handling").with_model(MODELS[provider]).code)

    said, line, end = told.split("\n")
    assert (said, end) == (text, "")
    why = "the connection was closed before the stream's end" if failure == "cut" else "not today"
    assert line.startswith(f"{kind}: {why}")
    assert f"`{kind}: …`" in PAGE
    assert len(server.wait_for_exchanges(requests)) == requests


@pytest.mark.usefixtures("answered")
def test_silence_is_printed_as_a_timeout(provider: str, way: str, tmp_path: Path) -> None:
    code = sample("Error handling").with_model(MODELS[provider]).code
    assert "timeout=10.0" in code
    with use_cassette(tmp_path / "c.yaml", mode="once"):
        run_sync(code)
    with use_cassette(tmp_path / "c.yaml", mode="none", faults="body.stall@event=6"):
        told = WAYS[way](code)

    said, line, end = told.split("\n")
    assert said
    assert COUNTED.startswith(said)
    assert (line, end) == ("timed out (idle)", "")
    assert f"`{line}`" in PAGE


def test_silence_on_a_socket_is_printed_as_a_timeout(
    server: LoopbackServer, provider: str, way: str
) -> None:
    server.respond(begun(provider, Wait(60)))
    code = sample("Error handling").with_model(MODELS[provider]).code

    told = WAYS[way](code.replace("timeout=10.0", "timeout=0.4"))

    assert told == "1, 2,\ntimed out (idle)\n"


@pytest.mark.parametrize("failure", list(BROKEN))
def test_good_practice_knows_what_came_before_the_error(
    server: LoopbackServer, provider: str, way: str, failure: str
) -> None:
    steps, _, text, kind = broken(provider, failure)
    server.respond(steps)

    told = WAYS[way](sample("Best practices").with_model(MODELS[provider]).code)

    assert told == f"{text}\nbroken by {kind} after {text!r}\n"


# Cancelling.


@pytest.mark.parametrize(
    ("number", "way"),
    [(number, way) for number in (0, 1) for way in ways(breaks=number == 0)],
)
def test_the_server_sees_within_a_second_that_its_reader_left(
    server: LoopbackServer, provider: str, way: str, number: int
) -> None:
    it = sample("Cancelling", number)
    server.respond(begun(provider, Wait(60), until=4))
    left: list[object] = []

    told = WAYS[way](
        it.with_model(MODELS[provider]).code,
        then=lambda: left.append(server.wait_for_disconnect(1.0)),
    )

    assert it.printed_is(told)
    assert len(left) == 1


# The page that ours answers: its samples run but for the name of the module they import from.

THEIRS = "streaming_page.txt"
IMPORTS = {
    "from litellm import": "from cassette_stream import",
    "from litellm.exceptions import": "from cassette_stream.exceptions import",
}
SAID = (
    "You said: “{}”. I am the small model inside cassette-stream. I know nothing at all, but I "
    "say it one word at a time, so that you can record this stream, replay it and break it."
)
STORY, POEM = SAID.format("Write a short story"), SAID.format("Write a poem")
AI, HELLO = SAID.format("Explain AI"), SAID.format("Hello")
LEARNING = SAID.format("Explain machine learning")
PRINTED = [
    STORY,
    "1, 2, 3, 4, 5, 6, 7, 8, 9, 10.\n",
    f"{AI}\n\nTokens used: {2 + len(AI.split())}\n",
    f"{HELLO}\n\nComplete response: {HELLO}\n",
    f"{SAID.format('Explain quantum physics')}\n\nFinished: stop\n",
    SAID.format("Tell me a joke"),
    "Function: get_weather\nArguments: {'location': 'Paris'}\n",
    HELLO,
    f"{POEM}\n\nReceived … chunks in …s\nTotal content length: {len(POEM)} characters\n",
    f"{LEARNING}\n\nGenerated approximately {len(LEARNING.encode())} tokens\n",
    "You said: “Write a very long …\n\nStopping early...\n",
]


CANCELS = 10


@pytest.fixture(scope="module")
def theirs() -> str:
    path = CORPUS / THEIRS
    if not path.is_file():
        pytest.skip(f"no {THEIRS} here: set CASSETTE_STREAM_CORPUS to the folder that holds it")
    return path.read_text("utf-8")


def programs(page: str) -> list[str]:
    """The programs in plain text: from an import on, as far as it is Python."""
    lines = page.splitlines()
    starts = [number for number, line in enumerate(lines) if line.startswith("from litellm import")]
    return [
        longest_program(lines[start:end])
        for start, end in zip(starts, [*starts[1:], len(lines)], strict=True)
    ]


def longest_program(lines: list[str]) -> str:
    """The longest beginning of *lines* that is Python; a word alone on a line is a heading."""
    for end in range(len(lines), 0, -1):
        text = "\n".join(lines[:end]) + "\n"
        try:
            last = ast.parse(text).body[-1]
        except SyntaxError:
            continue
        if not (isinstance(last, ast.Expr) and isinstance(last.value, ast.Name)):
            return text
    raise ValueError(f"no Python begins with {lines[0]!r}")


def ours(program: str) -> str:
    """The *program*, with its imports, and nothing else, changed."""
    for old, new in IMPORTS.items():
        program = program.replace(old, new)
    return program


def test_programs_are_found_in_plain_text() -> None:
    page = "Title\n\nfrom litellm import completion\nx = (\n    1)\n\nfor y in []:\n    pass\n\nMore text\n"
    other = "from litellm import completion\nprint(1)\n\nExamples\n\nFurther text: here\n"

    assert programs(page + other) == [
        "from litellm import completion\nx = (\n    1)\n\nfor y in []:\n    pass\n\n",
        "from litellm import completion\nprint(1)\n\n",
    ]


def test_all_of_their_programs_are_found(theirs: str) -> None:
    found = programs(theirs)

    assert len(found) == len(PRINTED) == 11
    assert [text.count("for chunk in response:") for text in found] == [1] * 11
    assert [number for number, text in enumerate(found) if "break" in text] == [CANCELS]
    assert sum(text.count("completion(") for text in found) == theirs.count("completion(")
    assert all("litellm" not in ours(text) for text in found)


@pytest.mark.usefixtures("one_token_per_byte", "answered")
@pytest.mark.parametrize(
    ("number", "way"),
    [(number, way) for number in range(len(PRINTED)) for way in ways(breaks=number == CANCELS)],
)
def test_their_program_prints_what_it_promises(theirs: str, number: int, way: str) -> None:
    code = ours(programs(theirs)[number])

    told = WAYS[way](code)

    assert Sample("", code, PRINTED[number]).printed_is(told), told


@pytest.mark.parametrize("number", range(len(PRINTED)))
@pytest.mark.usefixtures("one_token_per_byte", "answered")
def test_their_program_does_the_same_for_every_provider(
    theirs: str, number: int, provider: str
) -> None:
    code = ours(programs(theirs)[number]).replace('model="gpt-4"', f'model="{MODELS[provider]}"')
    assert MODELS[provider] in code

    told = run_sync(code)

    assert Sample("", code, PRINTED[number]).printed_is(told), told


def test_their_function_call_needs_no_arguments(
    server: LoopbackServer, theirs: str, provider: str, way: str
) -> None:
    (code,) = [ours(text) for text in programs(theirs) if "json.loads" in text]
    server.respond(called_without_a_word(provider))

    told = WAYS[way](code.replace('model="gpt-4"', f'model="{MODELS[provider]}"'))

    assert told == "Function: get_time\nArguments: {}\n"


def handling(theirs: str) -> str:
    (code,) = [text for text in programs(theirs) if "except Timeout" in text]
    return ours(code)


@pytest.mark.parametrize("failure", list(BROKEN))
def test_their_error_handling_tells_an_api_error(
    server: LoopbackServer, theirs: str, way: str, failure: str
) -> None:
    steps, _, text, _ = BROKEN[failure]
    server.respond(steps("openai"))

    told = WAYS[way](handling(theirs))

    assert told.startswith(f"{text}API error occurred: ")
    assert told.count("\n") == 1


def test_their_error_handling_tells_a_timeout(
    server: LoopbackServer, theirs: str, way: str, tmp_path: Path
) -> None:
    code = handling(theirs)
    assert "timeout=10.0" in code
    with use_cassette(tmp_path / "c.yaml", mode="once"):
        run_sync(code)
    with use_cassette(tmp_path / "c.yaml", mode="none", faults="body.stall@event=3"):
        told = WAYS[way](code)

    assert told == "YouRequest timed out during streaming\n"


@pytest.mark.parametrize("way", ways(breaks=True))
def test_the_server_sees_that_their_reader_left(
    server: LoopbackServer, theirs: str, way: str
) -> None:
    code = ours(programs(theirs)[CANCELS])
    server.respond(begun("openai", Wait(60), until=9))
    left: list[object] = []

    told = WAYS[way](code, then=lambda: left.append(server.wait_for_disconnect(1.0)))

    assert told == "1, 2, 3, 4, 5\n\nStopping early...\n"
    assert len(left) == 1


def test_their_classes_are_ours_with_the_same_types(theirs: str) -> None:
    start = theirs.index("class ModelResponseStream:")
    found = ast.parse(
        longest_program(theirs[start : theirs.index("from litellm", start)].split("\n"))
    )
    names = vars(typing) | vars(chunks) | {"List": list}
    compared = 0

    for kind in found.body:
        assert isinstance(kind, ast.ClassDef)
        hints = typing.get_type_hints(getattr(cassette_stream, kind.name))
        for field in kind.body:
            assert isinstance(field, ast.AnnAssign)
            assert hints[ast.unparse(field.target)] == eval(ast.unparse(field.annotation), names)
            compared += 1

    assert [kind.name for kind in found.body if isinstance(kind, ast.ClassDef)] == [
        "ModelResponseStream",
        "StreamingChoices",
        "Delta",
    ]
    assert compared == 11


@pytest.mark.usefixtures("answered")
def test_their_stream_options_give_a_usage(theirs: str, provider: str) -> None:
    (line,) = re.findall(r"^stream_options=.*$", theirs, re.MULTILINE)
    options = eval(f"dict({line})")

    *_, last = completion(
        MODELS[provider], [{"role": "user", "content": "Hello"}], stream=True, **options
    )

    assert last.usage.total_tokens == 1 + len(HELLO.split())
