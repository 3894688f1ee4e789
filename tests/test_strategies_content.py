"""Strategies for what streams say: every value is valid, comes back, and shows itself."""

from __future__ import annotations

import json
import re
import sys
from base64 import b64decode
from collections.abc import Callable, Iterable, Iterator
from copy import deepcopy
from functools import cache
from types import SimpleNamespace
from typing import Any, TypeVar

import httpx
import pytest
from botocore.eventstream import EventStream, EventStreamBuffer
from botocore.parsers import EventStreamJSONParser
from botocore.session import get_session
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from official_sdks import QUESTION, Wire, anthropic_client, gemini_client, openai_client
from pytest_cassette_stream import strategies
from pytest_cassette_stream.strategies import (
    ChunkStream,
    SSEStream,
    chunk_streams,
    chunkings,
    completions,
    json_arguments,
    sdk,
    sse_events,
    sse_streams,
    tool_calls,
)
from pytest_cassette_stream.strategies.carried import CARRIED
from pytest_cassette_stream.strategies.texts import KINDS
from support import SOAK

import cassette_stream
from cassette_stream import (
    ChatCompletionMessageToolCall,
    Choices,
    Custom,
    Function,
    Message,
    ModelResponse,
    RedactedThinking,
    Thinking,
    stream_chunk_builder,
)
from cassette_stream import dialects as formats
from cassette_stream.wire import ServerSentEvent, SSEDecoder, encode_event

T = TypeVar("T")

DIALECTS = tuple(CARRIED)
INTERLEAVED = ("openai_chat", "openai_responses", "gemini", "cohere")
many = settings(max_examples=500 if SOAK else 25)
few = settings(max_examples=50 if SOAK else 5)
each_dialect = pytest.mark.parametrize("dialect", DIALECTS)

# What a test has imported in which a repr is pasted.
NAMES: dict[str, Any] = {
    name: getattr(room, name)
    for room in (cassette_stream, cassette_stream.wire, strategies)
    for name in room.__all__
}


def drawn(strategy: st.SearchStrategy[T], count: int = 200) -> list[T]:
    """The first *count* examples, the same in every run, with every health check on."""
    found: list[T] = []

    @settings(max_examples=count, derandomize=True, database=None, phases=[Phase.generate])
    @given(strategy)
    def collect(value: T) -> None:
        found.append(value)

    collect()
    return found


# Laws


@given(event=sse_events())
def test_an_event_comes_back_from_its_bytes(event: ServerSentEvent) -> None:
    body = encode_event(event.data, event=event.event, id=event.id, retry=event.retry)

    assert list(SSEDecoder().feed(body)) == [event]


@many
@given(stream=sse_streams(), data=st.data())
def test_an_event_stream_has_the_events_that_it_says_however_it_is_cut(
    stream: SSEStream, data: st.DataObject
) -> None:
    assert tuple(SSEDecoder().decode(data.draw(chunkings(stream.body)))) == stream.events


@many
@given(stream=sse_streams(invalid_utf8=True))
def test_what_is_no_utf8_is_read_as_a_browser_does(stream: SSEStream) -> None:
    decoder = SSEDecoder(errors="replace")

    assert (*decoder.feed(stream.body), *decoder.finish()) == stream.events


@given(text=json_arguments())
def test_arguments_are_json_of_an_object_that_has_no_key_twice(text: str) -> None:
    def once(pairs: list[tuple[str, object]]) -> dict[str, object]:
        assert len(dict(pairs)) == len(pairs)
        return dict(pairs)

    assert isinstance(json.loads(text, object_pairs_hook=once, parse_constant=pytest.fail), dict)


@many
@given(completion=completions(max_choices=3), interleave=st.booleans())
def test_every_encoder_takes_a_completion_without_custom_tools(
    completion: ModelResponse, interleave: bool
) -> None:
    several = [name for name in DIALECTS if CARRIED[name].several_choices]
    for dialect in several if completion.choices[1:] else DIALECTS:
        options = {"interleave": interleave} if dialect in INTERLEAVED else {}
        assert list(getattr(formats, dialect).encode(completion, **options))


@many
@given(completion=completions(max_choices=3))
def test_calls_of_a_choice_have_ids_of_their_own(completion: ModelResponse) -> None:
    for place, choice in enumerate(completion.choices):
        ids = [call.id for call in choice.message.tool_calls or ()]

        assert len(set(ids)) == len(ids)
        assert choice.index == place
        assert choice.finish_reason


@each_dialect
@many
@given(data=st.data())
def test_a_decoder_and_an_accumulator_make_of_a_stream_what_it_expects(
    dialect: str, data: st.DataObject
) -> None:
    stream = data.draw(chunk_streams(dialect=dialect, as_="chunks"))

    assert stream_chunk_builder(stream.chunks) == stream.expected


@pytest.mark.parametrize("dialect", ["openai_chat", "openai_responses"])
@few
@given(data=st.data())
def test_calls_of_custom_tools_come_back_as_well(dialect: str, data: st.DataObject) -> None:
    calls = tool_calls(custom_tools=True)
    answers = completions(dialect=dialect, calls=calls, min_calls=1)
    stream = data.draw(chunk_streams(dialect=dialect, as_="chunks", completions=answers))

    assert stream_chunk_builder(stream.chunks) == stream.expected


@each_dialect
@few
@given(data=st.data())
def test_dicts_are_what_the_events_say(dialect: str, data: st.DataObject) -> None:
    stream = data.draw(chunk_streams(dialect=dialect))

    assert stream.body == b"".join(stream.events)
    assert stream.chunks == [*EVENTS.get(dialect, in_data_lines)(stream.body)]


def in_data_lines(body: bytes) -> Iterator[Any]:
    for line in body.splitlines():
        if line.startswith(b"data: {"):
            yield json.loads(line.removeprefix(b"data: "))


def in_frames(body: bytes) -> Iterator[tuple[str, Any]]:
    """The types and payloads of the messages, as Amazon's own decoder reads them."""
    buffer = EventStreamBuffer()
    buffer.add_data(body)
    for message in buffer:
        yield message.headers[":event-type"], json.loads(message.payload)


EVENTS: dict[str, Callable[[bytes], Iterable[Any]]] = {
    "ollama": lambda body: map(json.loads, body.splitlines()),
    "bedrock_converse": lambda body: ({kind: value} for kind, value in in_frames(body)),
    "bedrock_invoke": lambda body: (
        json.loads(b64decode(value["bytes"])) for _, value in in_frames(body)
    ),
}
"""What is in a body that has no data lines."""


@few
@given(stream=chunk_streams())
def test_code_that_changes_chunks_does_not_spoil_the_stream(stream: ChunkStream) -> None:
    first = stream.chunks
    kept = deepcopy(first)
    for chunk in first:
        chunk.clear()

    assert stream.chunks == kept


REPRS = {
    "json_arguments": json_arguments(),
    "tool_calls": tool_calls(custom_tools=True),
    "completions": completions(max_choices=2),
    "sse_events": sse_events(),
    "sse_streams": sse_streams(invalid_utf8=True),
    "chunk_streams": chunk_streams(),
}


@pytest.mark.parametrize("strategy", REPRS.values(), ids=REPRS)
@many
@given(data=st.data())
def test_a_value_shows_itself_as_what_makes_it(
    strategy: st.SearchStrategy[object], data: st.DataObject
) -> None:
    value = data.draw(strategy)

    assert eval(repr(value), NAMES) == value


@pytest.mark.parametrize("strategy", REPRS.values(), ids=REPRS)
def test_hypothesis_prints_an_example_as_what_makes_it(strategy: st.SearchStrategy[object]) -> None:
    failed: list[object] = []

    @settings(
        derandomize=True,
        database=None,
        max_examples=100,
        phases=[Phase.generate],
        report_multiple_bugs=False,
        print_blob=False,
    )
    @given(value=strategy)
    def fails(value: object) -> None:
        if len(repr(value)) > 60:
            failed.append(value)
            pytest.fail("as it should")

    with pytest.raises(pytest.fail.Exception) as caught:
        fails()
    printed = "\n".join(caught.value.__notes__).removeprefix("Failing test case: fails")

    assert eval(f"dict{printed}", NAMES) == {"value": failed[-1]}


# What is reached, how it shrinks


def texts_of(completion: ModelResponse) -> str:
    messages = [choice.message for choice in completion.choices]
    said = [(it.content, it.reasoning_content, it.refusal) for it in messages]
    return "\n".join(text for texts in said for text in texts if text)


@cache
def streams_of(dialect: str) -> list[ChunkStream]:
    return drawn(chunk_streams(dialect=dialect), 100)


def test_every_kind_of_text_is_reached() -> None:
    said = [texts_of(it.completion) for dialect in DIALECTS for it in streams_of(dialect)]
    missed = [kind for kind, sample in KINDS.items() if not any(sample in text for text in said)]

    assert not missed


def seen(completion: ModelResponse) -> Iterable[object]:
    """What there is of a completion, as words."""
    yield f"{len(completion.choices)} choices"
    yield "usage" if completion.usage else "no usage"
    for choice in completion.choices:
        message, calls = choice.message, choice.message.tool_calls or []
        yield choice.finish_reason
        yield f"{len(calls)} calls"
        yield "reasoning" if message.reasoning_content else "no reasoning"
        yield "content" if message.content else "no content"
        yield from ["refusal"] if message.refusal else []
        yield from (type(block) for block in message.thinking_blocks or ())
        for call in calls:
            yield "no arguments" if json.loads(call.function.arguments) == {} else "arguments"
            yield from ["spread"] if "\n" in call.function.arguments else []
            yield from ["escaped"] if "\\u" in call.function.arguments else []


COMMON = {
    *("1 choices", "usage", "stop", "length", "content_filter", "tool_calls"),
    *("0 calls", "1 calls", "2 calls", "3 calls", "reasoning", "no reasoning"),
    *("content", "no content", "no arguments", "arguments"),
}
SPELT = {"spread", "escaped"}
SEVERAL = {"2 choices", "3 choices"}
REACHED = {
    "openai_chat": {*COMMON, *SPELT, *SEVERAL, "no usage", "refusal"},
    "openai_responses": {*COMMON, *SPELT, "no usage", "refusal"},
    "anthropic": {*COMMON, *SPELT, Thinking, RedactedThinking},
    # Arguments go as values there. Controls are escaped however they are spelt.
    "gemini": {*COMMON, *SEVERAL, "no usage", "escaped"},
    "cohere": {*COMMON, *SPELT, "no usage"},
    "ollama": {*COMMON, "no usage", "escaped"},
    "bedrock_converse": {*COMMON, *SPELT, Thinking, RedactedThinking},
    "bedrock_invoke": {*COMMON, *SPELT, Thinking, RedactedThinking},
}


@each_dialect
def test_everything_that_a_dialect_carries_is_reached_and_nothing_else(dialect: str) -> None:
    streams = streams_of(dialect)

    assert {word for it in streams for word in seen(it.completion)} == REACHED[dialect]
    assert {it.interleave for it in streams} == (
        {False, True} if dialect in INTERLEAVED else {False}
    )


def test_every_kind_of_pieces_is_reached() -> None:
    pieces = {it.pieces for dialect in DIALECTS for it in streams_of(dialect)}

    assert pieces > {None, (1_000,)}
    assert any(sizes and 0 in sizes for sizes in pieces)


def test_any_dialect_is_reached() -> None:
    assert {it.dialect for it in drawn(chunk_streams(), 100)} == set(DIALECTS)


def test_every_spelling_of_an_event_stream_is_reached() -> None:
    streams = drawn(sse_streams(), 250)
    bodies = [it.body for it in streams]
    spellings = {
        "LF": lambda it: b"\n" in it and b"\r" not in it,
        "CRLF": lambda it: b"\r\n" in it and b"\n" not in it.replace(b"\r\n", b""),
        "CR": lambda it: b"\r" in it and b"\n" not in it,
        "mixed": lambda it: b"\r\n" in it and b"\n" in it.replace(b"\r\n", b""),
        "byte order mark": lambda it: it.startswith(b"\xef\xbb\xbf"),
        "a mark too many": lambda it: b"\xef\xbb\xbfdata" in it,
        "comment": lambda it: b": ping" in it,
        "no blank": lambda it: re.search(rb"data:[^ \r\n]", it),
        "no colon": lambda it: b"data\n" in it or b"data\r" in it,
        "unknown field": lambda it: b"Data: x" in it,
        "id": lambda it: b"id: 1" in it,
        "id with NUL": lambda it: b"\0b" in it,
        "retry": lambda it: b"3000" in it,
        "bad retry": lambda it: b"1e3" in it,
        "not finished": lambda it: bool(it) and not it.endswith((b"\n", b"\r")),
        "nothing": lambda it: it == b"",
    }
    missed = [name for name, has in spellings.items() if not any(map(has, bodies))]

    assert not missed
    events = [event for it in streams for event in it.events]
    assert any("\n" in event.data for event in events)
    assert any(event.data == "" for event in events)
    assert any(event.retry == 3000 for event in events)
    assert any(event.id for event in events)
    assert any(event.event != "message" for event in events)
    assert not all(it.events for it in streams)


def answer(content: str | None = None, *, finish: str = "stop", **message: Any) -> ModelResponse:
    choice = Choices(message=Message(content=content, **message), finish_reason=finish)
    return ModelResponse(id="chatcmpl-0", created=0, model="gpt-4o", choices=[choice])


def called(*names: str) -> list[ChatCompletionMessageToolCall]:
    return [
        ChatCompletionMessageToolCall(id=id_, function=Function(name="f", arguments="{}"))
        for id_ in names
    ]


FIRST: dict[str, tuple[st.SearchStrategy[Any], object]] = {
    "arguments": (json_arguments(), "{}"),
    "a call": (tool_calls(names=["f", "g"]), *called("call_0")),
    "an answer": (completions(), answer()),
    "an event": (sse_events(), ServerSentEvent("")),
    "an event stream": (sse_streams(), SSEStream(b"", ())),
    "a stream": (
        chunk_streams(),
        ChunkStream("openai_responses", replace(answer(), id="resp_0", model="gpt-5")),
    ),
}


@pytest.mark.parametrize(("strategy", "expected"), FIRST.values(), ids=FIRST)
def test_the_simplest_example_of_all_is_the_known_one(
    strategy: st.SearchStrategy[Any], expected: object
) -> None:
    assert drawn(strategy, 1) == [expected]


SIMPLEST: dict[str, tuple[st.SearchStrategy[Any], Callable[[Any], object], object]] = {
    "nested arguments": (
        json_arguments(texts=st.just("")),
        lambda it: "[[" in it,
        '{"city": [[]]}',
    ),
    "a custom call": (
        tool_calls(custom_tools=True),
        lambda it: it.custom is not None,
        ChatCompletionMessageToolCall(
            id="call_0", type="custom", custom=Custom(name="get_weather", input="")
        ),
    ),
    "an answer with text": (
        completions(max_calls=0),
        lambda it: it.choices[0].message.content,
        answer("0"),
    ),
    "an answer with a call": (
        completions(calls=tool_calls(names=["f"]), texts=st.just("")),
        lambda it: it.choices[0].message.tool_calls,
        answer(finish="tool_calls", tool_calls=called("call_0")),
    ),
    "an event": (
        sse_streams(),
        lambda it: it.events,
        SSEStream(b"data: \n\n", (ServerSentEvent(""),)),
    ),
    "CR": (sse_streams(), lambda it: b"\r" in it.body.replace(b"\r\n", b""), SSEStream(b"\r", ())),
    "a stream of two calls in turns": (
        chunk_streams(
            dialect="openai_chat",
            completions=completions(
                dialect="openai_chat",
                min_calls=2,
                calls=tool_calls(names=["f"], arguments=st.just("{}")),
                texts=st.just(""),
            ),
        ),
        lambda it: it.interleave,
        ChunkStream(
            "openai_chat",
            answer(finish="tool_calls", tool_calls=called("call_0", "call_1")),
            interleave=True,
        ),
    ),
}


@pytest.mark.parametrize(("strategy", "wanted", "expected"), SIMPLEST.values(), ids=SIMPLEST)
def test_an_example_shrinks_to_the_known_one(
    strategy: st.SearchStrategy[Any], wanted: Callable[[Any], object], expected: object
) -> None:
    found = find(
        strategy,
        lambda it: bool(wanted(it)),
        # Explaining takes four times as long as shrinking, and nobody reads it here.
        settings=settings(
            derandomize=True,
            database=None,
            max_examples=100,
            phases=[Phase.generate, Phase.shrink],
        ),
    )

    assert found == expected


# Options


def test_options_say_what_there_may_be() -> None:
    told = drawn(
        completions(
            texts=st.just("so"),
            reasoning=False,
            min_calls=1,
            max_calls=2,
            calls=tool_calls(names=["f"], arguments=st.just('{"a": 1}')),
        ),
        50,
    )
    messages = [it.choices[0].message for it in told]

    assert {it.content for it in messages} == {None, "so"}
    assert not any(it.reasoning_content or it.thinking_blocks for it in messages)
    assert {len(it.tool_calls or ()) for it in messages} == {1, 2}
    assert {call.function.name for it in messages for call in it.tool_calls or ()} == {"f"}
    assert {event.data for event in drawn(sse_events(data=st.just("a\r\nb")), 10)} == {"a\nb"}
    assert set(drawn(json_arguments(texts=st.just("a")).filter(lambda it: '"a"' in it), 5))


REFUSED: dict[str, tuple[Callable[[], object], type[Exception], str]] = {
    "texts": (lambda: json_arguments(texts="a"), TypeError, "strategy, not 'a'"),  # type: ignore[arg-type]
    "leaves": (lambda: json_arguments(max_leaves=0), ValueError, "max_leaves is 0"),
    "leaves of none": (lambda: json_arguments(max_leaves=True), TypeError, "max_leaves is True"),
    "one name": (lambda: tool_calls(names="f"), TypeError, r"write \['f'\]"),
    "no name": (lambda: tool_calls(names=[]), ValueError, "one text or more"),
    "an empty name": (lambda: tool_calls(names=["f", ""]), ValueError, "none is empty"),
    "a number": (lambda: tool_calls(names=[1]), TypeError, "texts, not 1"),  # type: ignore[list-item]
    "custom": (lambda: tool_calls(custom_tools=1), TypeError, "True or False"),  # type: ignore[arg-type]
    "dialect": (lambda: completions(dialect="openai"), ValueError, "one of openai_chat, "),
    "choices": (lambda: completions(max_choices=0), ValueError, "max_choices is 0"),
    "several": (lambda: completions(dialect="anthropic", max_choices=2), ValueError, "one choice"),
    "calls": (lambda: completions(min_calls=2, max_calls=1), ValueError, "2 or more"),
    "data": (lambda: sse_events(data="x"), TypeError, "strategy, not 'x'"),  # type: ignore[arg-type]
    "utf8": (lambda: sse_streams(invalid_utf8=1), TypeError, "True or False"),  # type: ignore[arg-type]
    "form": (lambda: chunk_streams(as_="json"), ValueError, "one of dicts, chunks, sdk"),  # type: ignore[arg-type]
    "stream": (lambda: chunk_streams(dialect="x"), ValueError, "not 'x'"),
    "answers": (lambda: chunk_streams(completions=completions()), ValueError, "give dialect="),
    "pieces": (lambda: ChunkStream("openai_chat", answer(), (0,)), ValueError, "none of (0,)"),
    "no pieces": (lambda: ChunkStream("openai_chat", answer(), ()), ValueError, "none of ()"),
    "negative": (lambda: ChunkStream("openai_chat", answer(), (-1, 2)), ValueError, "is -1"),
    "a list": (lambda: ChunkStream("openai_chat", answer(), [3]), TypeError, "a tuple"),  # type: ignore[arg-type]
    "turns": (lambda: ChunkStream("anthropic", answer(), interleave=True), ValueError, "is False"),
    "lines in turns": (
        lambda: ChunkStream("ollama", answer(), interleave=True),
        ValueError,
        "ollama sends one after the other",
    ),
    "custom tools": (
        lambda: ChunkStream(
            "gemini",
            answer(
                tool_calls=[
                    ChatCompletionMessageToolCall(id="c", custom=Custom(name="f", input="x"))
                ]
            ),
        ),
        ValueError,
        "no custom tools",
    ),
}


@pytest.mark.parametrize(("call", "error", "text"), REFUSED.values(), ids=REFUSED)
def test_an_option_that_is_none_is_refused_at_the_call(
    call: Callable[[], object], error: type[Exception], text: str
) -> None:
    with pytest.raises(error) as caught:
        call()

    assert text.replace("\\", "") in str(caught.value)


# Official SDKs


def heard_by_openai(stream: ChunkStream) -> list[Any]:
    with openai_client(stream.body) as client:
        return [*client.chat.completions.create(model="m", messages=QUESTION, stream=True)]


def heard_by_openai_responses(stream: ChunkStream) -> list[Any]:
    with openai_client(stream.body) as client:
        return [*client.responses.create(model="m", input="hi", stream=True)]


def heard_by_anthropic(stream: ChunkStream) -> list[Any]:
    with anthropic_client(stream.body) as client:
        return [*client.messages.create(model="m", max_tokens=64, messages=QUESTION, stream=True)]


def heard_by_gemini(stream: ChunkStream) -> list[Any]:
    wire, client = gemini_client()
    wire.set(stream.body, 200, "text/event-stream")
    told = [*client.models.generate_content_stream(model="m", contents="hi")]
    for response in told:
        response.sdk_http_response = None
    return told


def heard_by_cohere(stream: ChunkStream) -> list[Any]:
    cohere: Any = pytest.importorskip("cohere", reason="cohere is in the group 'sdks'")
    wire = Wire(stream.body)
    with wire.client(httpx) as client:
        speaks = cohere.ClientV2(api_key="k", httpx_client=client)
        return [*speaks.chat_stream(model="m", messages=QUESTION)]


def heard_by_ollama(stream: ChunkStream) -> list[Any]:
    ollama: Any = pytest.importorskip("ollama", reason="ollama is in the group 'sdks'")
    wire = Wire(stream.body, content_type="application/x-ndjson")
    with wire.client(httpx) as client:
        speaks = ollama.Client(transport=client._transport)
        return [*speaks.chat(model="m", messages=QUESTION, stream=True)]


def heard_by_botocore(operation: str) -> Callable[[ChunkStream], list[Any]]:
    def hear(stream: ChunkStream) -> list[Any]:
        service = get_session().get_service_model("bedrock-runtime")
        shape = service.operation_model(operation).get_event_stream_output()
        raw = SimpleNamespace(stream=lambda: iter([stream.body]))
        return [*EventStream(raw, shape, EventStreamJSONParser(), operation)]

    return hear


@pytest.mark.parametrize(
    ("dialect", "hear"),
    [
        ("openai_chat", heard_by_openai),
        ("openai_responses", heard_by_openai_responses),
        ("anthropic", heard_by_anthropic),
        pytest.param("gemini", heard_by_gemini, marks=pytest.mark.sdk),
        pytest.param("cohere", heard_by_cohere, marks=pytest.mark.sdk),
        pytest.param("ollama", heard_by_ollama, marks=pytest.mark.sdk),
        ("bedrock_converse", heard_by_botocore("ConverseStream")),
        ("bedrock_invoke", heard_by_botocore("InvokeModelWithResponseStream")),
    ],
    ids=lambda it: it if isinstance(it, str) else "",
)
@few
@given(data=st.data())
def test_the_objects_of_an_sdk_are_those_that_it_gives_itself(
    dialect: str, hear: Callable[[ChunkStream], list[Any]], data: st.DataObject
) -> None:
    for package in PACKAGES.get(dialect, ()):
        pytest.importorskip(package, reason=f"{package} is in the group 'sdks'")
    stream = data.draw(chunk_streams(dialect=dialect, as_="sdk"))

    ours, heard = stream.chunks, hear(stream)

    assert [*map(dumped, ours)] == [*map(dumped, heard)]
    assert [type(it) for it in ours] == [type(it) for it in heard]


PACKAGES = {"gemini": ["google.genai"], "cohere": ["cohere"], "ollama": ["ollama"]}


def dumped(value: Any) -> Any:
    return value if isinstance(value, dict) else value.model_dump()


@pytest.mark.parametrize(
    ("dialect", "package", "module"),
    [
        ("openai_chat", "openai", "openai.types.chat"),
        ("openai_responses", "openai", "openai.types.responses"),
        ("anthropic", "anthropic", "anthropic.types"),
        ("gemini", "google-genai", "google.genai.types"),
        ("cohere", "cohere", "cohere.v2.types"),
        ("ollama", "ollama", "ollama"),
        ("bedrock_converse", "botocore", "botocore.parsers"),
        ("bedrock_invoke", "botocore", "botocore.parsers"),
    ],
)
def test_an_sdk_that_is_not_installed_is_named_when_it_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, dialect: str, package: str, module: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    sdk.builder.cache_clear()

    with pytest.raises(ModuleNotFoundError, match=f"pip install {package}"):
        chunk_streams(dialect=dialect, as_="sdk")
    chunk_streams(dialect=dialect)
