"""The laws find what is planted, by the smallest stream that shows it, and nothing else."""

from __future__ import annotations

import json
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
from functools import cache, partial
from types import SimpleNamespace
from typing import Any

import planted_accumulators as accumulators
import planted_decoders as decoders
import pytest
from botocore.eventstream import EventStream
from botocore.parsers import EventStreamJSONParser
from botocore.session import get_session
from hypothesis import find, given, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import NoSuchExample
from pytest_cassette_stream.laws import (
    FRAMING_RULES,
    QUIRKS,
    SSE_RULES,
    LawError,
    check_accumulator,
    check_decoder,
)
from pytest_cassette_stream.laws.cost import costs_are_linear
from pytest_cassette_stream.laws.framing import Framing, framings
from pytest_cassette_stream.laws.long_streams import long_streams
from pytest_cassette_stream.laws.said import said_by
from pytest_cassette_stream.laws.whatwg import events_of, streams
from pytest_cassette_stream.strategies import chunk_streams, completions, sse_streams
from pytest_cassette_stream.strategies.carried import CARRIED
from pytest_cassette_stream.strategies.wires import bytes_of
from support import SOAK

from cassette_stream import (
    ModelResponseStream,
    NormalForm,
    ResponseAccumulator,
    ToolCallAccumulator,
    dialects,
    stream_chunk_builder,
)
from cassette_stream.exceptions import StreamTruncatedError
from cassette_stream.wire import EventStreamDecoder, ServerSentEvent, SSEDecoder

DIALECTS = tuple(CARRIED)
DEFAULT = settings(max_examples=100, deadline=None)
"""What Hypothesis does where nobody says otherwise."""
FEW = settings(max_examples=100 if SOAK else 5, deadline=None)
SENT_AGAIN = ("cumulative_arguments", "final_copy")
"""What only a latch can take, and the planted accumulators have none."""


def broken(check: Any, *args: Any, **options: Any) -> LawError:
    with pytest.raises(LawError) as raised:
        check(*args, **options)
    return raised.value


# Who -> the smallest stream, what comes of it, what should.
X = [{"event": "message", "data": "x", "id": ""}]
DECODERS: dict[str, tuple[Any, list[bytes], Any, Any]] = {
    "lost last event": (decoders.lost_last_event, [b"data: x\n\n"], [], X),
    "split UTF-8": (
        decoders.split_utf8,
        [b"data: \xc3", b"\xa9\n\n"],
        [{"event": "message", "data": "\ufffd\ufffd", "id": ""}],
        [{"event": "message", "data": "é", "id": ""}],
    ),
    "BOM": (decoders.bom, [b"\xef\xbb\xbfdata: x\n\n"], [], X),
    "CR": (decoders.cr, [b"data: x\r\r"], [], X),
    "U+2028": (
        decoders.u2028,
        ["data: \u2028\n\n".encode()],
        [{"event": "message", "data": "", "id": ""}],
        [{"event": "message", "data": "\u2028", "id": ""}],
    ),
}


@pytest.mark.parametrize("drawn_by", range(10 if SOAK else 1))
@pytest.mark.parametrize(("decode", "stream", "came", "expected"), DECODERS.values(), ids=DECODERS)
def test_a_planted_bug_of_a_decoder_is_shrunk_to_its_known_stream(
    decode: Any, stream: list[bytes], came: Any, expected: Any, drawn_by: int
) -> None:
    found = broken(check_decoder, decode, exclude="invalid_utf8", settings=DEFAULT, seed=drawn_by)

    assert (found.stream, found.came, found.expected) == (stream, came, expected)


OPENED = {"id": "call_a", "name": "get_weather", "arguments": "{}"}


def call(call_id: str = "call_a", name: str = "get_weather", arguments: str = "{}") -> Any:
    return call_id, name, arguments


ACCUMULATORS: dict[str, tuple[Any, set[str], list[Any], list[Any] | None]] = {
    "merge by index 0": (
        accumulators.MergeByIndex0,
        set(),
        [call(name="f"), call("call_b", "f")],
        [call(name="f", arguments="{}{}")],
    ),
    "name repeated": (
        accumulators.NameRepeated,
        {"repeated_name"},
        [call()],
        [call(name="get_weatherget_weather")],
    ),
    "arguments as object": (
        accumulators.ArgumentsAsObject,
        {"object_arguments"},
        [call(arguments='{"city": null}')],
        [call(arguments="{'city': None}")],
    ),
    "id change": (accumulators.IdChange, {"empty_id"}, [call()], [call("made_0")]),
    "finish before last fragment": (
        accumulators.FinishBeforeLastFragment,
        {"content_after_finish"},
        [call(name="f", arguments='{"a": "x"}')],
        [call(name="f", arguments='{"a": "x')],
    ),
    "empty arguments": (
        accumulators.EmptyArguments,
        {"no_arguments"},
        [call()],
        [call(arguments="")],
    ),
}


def calls_of(said: Any) -> list[Any]:
    return [(it.id, it.name, it.arguments) for it in said.calls]


@pytest.mark.matrix(3)
@pytest.mark.parametrize("drawn_by", range(10 if SOAK else 1))
@pytest.mark.parametrize(
    ("make", "quirk", "expected", "came"), ACCUMULATORS.values(), ids=ACCUMULATORS
)
def test_a_planted_bug_of_an_accumulator_is_shrunk_to_its_known_calls(
    make: Any, quirk: set[str], expected: list[Any], came: list[Any], drawn_by: int
) -> None:
    found = broken(
        check_accumulator,
        accumulators.fed(make),
        exclude=SENT_AGAIN,
        settings=DEFAULT,
        seed=drawn_by,
    )

    assert found.seen.keys() == quirk
    assert calls_of(found.expected) == expected
    assert calls_of(found.came) == came
    assert accumulators.fed(make)(found.stream) == {
        "role": "assistant",
        "content": found.came.text,
        "tool_calls": [dict(zip(OPENED, it, strict=True)) for it in came],
    }


def test_a_planted_quadratic_join_is_found_by_what_it_costs() -> None:
    found = broken(
        check_accumulator,
        accumulators.fed(accumulators.QuadraticJoin),
        exclude=QUIRKS,
        settings=settings(max_examples=1),
    )

    assert found.law == "eight times the chunks cost about eight times the time"
    assert "times what" in found.came


def test_the_planted_accumulator_without_a_bug_keeps_all_laws() -> None:
    check_accumulator(
        accumulators.fed(accumulators.Accumulator), exclude=SENT_AGAIN, settings=FEW, seed=1
    )


@pytest.mark.parametrize("decode", [decoders.correct, decoders.correct_by_hand])
def test_a_correct_decoder_of_events_keeps_all_laws(decode: Any) -> None:
    check_decoder(decode, settings=settings(DEFAULT, max_examples=100 if SOAK else 10))


def strict(chunks: Iterable[bytes]) -> Iterator[ServerSentEvent]:
    decoder = SSEDecoder()
    for chunk in chunks:
        yield from decoder.feed(chunk)
    yield from decoder.finish()


def test_our_strict_decoder_keeps_all_laws_but_for_bytes_that_are_no_utf8() -> None:
    check_decoder(strict, exclude="invalid_utf8", settings=FEW)

    assert broken(check_decoder, strict, settings=DEFAULT, seed=1).seen.keys() == {"invalid_utf8"}


def decoded(dialect: str, chunks: Iterable[bytes]) -> Iterator[ModelResponseStream]:
    decoder, form = getattr(dialects, dialect).Decoder(), NormalForm()
    for chunk in chunks:
        yield from form.feed(decoder.feed(chunk))
    yield from form.feed(decoder.finish())
    yield from form.end()


@pytest.mark.parametrize("dialect", DIALECTS)
def test_our_decoders_of_the_dialects_keep_all_laws(dialect: str) -> None:
    check_decoder(partial(decoded, dialect), dialect=dialect, settings=FEW)


@cache
def events_of_amazon(operation: str) -> Any:
    return get_session().get_service_model("bedrock-runtime").operation_model(operation)


def by_botocore(operation: str, chunks: Iterable[bytes]) -> Any:
    """The events as Amazon's own decoder gives them; those of a model in them, if there are."""
    shape = events_of_amazon(operation).get_event_stream_output()
    raw = SimpleNamespace(stream=lambda: chunks)
    events = EventStream(raw, shape, EventStreamJSONParser(), operation)
    return [json.loads(it["chunk"]["bytes"]) if "chunk" in it else it for it in events]


@pytest.mark.parametrize(
    ("dialect", "operation"),
    [
        ("bedrock_converse", "ConverseStream"),
        ("bedrock_invoke", "InvokeModelWithResponseStream"),
    ],
)
def test_the_decoder_of_botocore_keeps_all_laws(dialect: str, operation: str) -> None:
    check_decoder(partial(by_botocore, operation), dialect=dialect, settings=FEW)


OF_LINES = ("line_crlf", "line_blank", "line_unended")
OF_FRAMES = ("header_added", "headers_reversed", "padding")
# An event line that is left out changes nothing where there is none.
OF_EVENTS = sorted(FRAMING_RULES.keys() - {*OF_LINES, *OF_FRAMES, "event_missing"})


@pytest.mark.parametrize(
    ("dialect", "wire", "rules"),
    [
        ("openai_chat", "sse", OF_EVENTS),
        ("ollama", "lines", OF_LINES),
        ("bedrock_converse", "frames", OF_FRAMES),
    ],
    ids=["events", "lines", "frames"],
)
def test_every_rule_of_framing_changes_bytes_and_nothing_that_they_say(
    dialect: str, wire: str, rules: list[str]
) -> None:
    @settings(DEFAULT, max_examples=30)
    @given(chunk_streams(dialect=dialect), st.sampled_from(rules))
    def check(stream: Any, rule: str) -> None:
        body = Framing(wire, frozenset({rule}))(stream.body)
        decoder = getattr(dialects, dialect).Decoder()
        told = stream_chunk_builder([*decoder.feed(body), *decoder.finish()])

        assert body != stream.body
        assert said_by(told) == said_by(stream.expected)

    check()


@pytest.mark.parametrize(
    ("dialect", "rules"),
    [
        ("cohere", {*OF_EVENTS, "event_missing"}),
        ("ollama", OF_LINES),
        ("bedrock_invoke", OF_FRAMES),
    ],
    ids=["events", "lines", "frames"],
)
def test_a_stream_is_framed_by_the_rules_of_its_own_kind(dialect: str, rules: Any) -> None:
    needed: set[str] = set()

    @seed(1)
    @settings(DEFAULT, max_examples=100)
    @given(framings(dialect, FRAMING_RULES))
    def collect(framing: Framing) -> None:
        needed.update(framing.seen)

    collect()

    assert needed == {*rules}


def each_chunk_is_lines(chunks: Iterable[bytes]) -> list[Any]:
    lines = [line for chunk in chunks for line in chunk.split(b"\n") if line.strip()]
    return [json.loads(line) for line in lines]


def no_line_without_its_end(chunks: Iterable[bytes]) -> list[Any]:
    lines = b"".join(chunks).split(b"\n")[:-1]
    return [json.loads(line) for line in lines if line.strip()]


def blank_lines_are_json(chunks: Iterable[bytes]) -> list[Any]:
    lines = b"".join(chunks).removesuffix(b"\n").split(b"\n")
    return [json.loads(line) for line in lines]


def each_chunk_is_frames(chunks: Iterable[bytes]) -> list[str]:
    return [text for chunk in chunks for text in texts_of_frames(chunk)]


def headers_in_order(chunks: Iterable[bytes]) -> list[str]:
    return texts_of_frames(b"".join(chunks), first=":event-type")


def no_other_headers(chunks: Iterable[bytes]) -> list[str]:
    return texts_of_frames(b"".join(chunks), count=3)


def texts_of_frames(body: bytes, first: str = "", count: int = 0) -> list[str]:
    texts = []
    while body:
        length = int.from_bytes(body[:4], "big")
        [message] = EventStreamDecoder().feed(body[:length])
        if first and next(iter(message.headers)) != first:
            raise ValueError("what is that")
        if count and len(message.headers) != count:
            raise ValueError("what is that")
        delta = json.loads(message.payload).get("delta") or {}
        texts.append(delta.get("text") or "")
        body = body[length:]
    return texts


MISREAD: dict[Any, tuple[str, set[str]]] = {
    each_chunk_is_lines: ("ollama", {"cuts"}),
    no_line_without_its_end: ("ollama", {"line_unended"}),
    blank_lines_are_json: ("ollama", {"line_blank"}),
    each_chunk_is_frames: ("bedrock_converse", {"cuts"}),
    headers_in_order: ("bedrock_converse", {"headers_reversed"}),
    no_other_headers: ("bedrock_converse", {"header_added"}),
}


@pytest.mark.matrix(3)
@pytest.mark.parametrize("decode", MISREAD, ids=lambda it: it.__name__)
def test_a_planted_bug_of_lines_or_frames_is_found_by_what_it_takes(decode: Any) -> None:
    dialect, seen = MISREAD[decode]
    found = broken(check_decoder, decode, dialect=dialect, settings=DEFAULT, seed=1)

    assert found.seen.keys() == seen


FORMS = {
    "a whole answer": lambda chunks: stream_chunk_builder(decoded("openai_chat", chunks)),
    "events": lambda chunks: [
        json.loads(event.data) for event in strict(chunks) if event.data != "[DONE]"
    ],
    "texts": lambda chunks: [
        chunk.choices[0].delta.content or ""
        for chunk in decoded("openai_chat", chunks)
        if chunk.choices
    ],
    "one text": lambda chunks: "".join(
        chunk.choices[0].delta.content or "" for chunk in decoded("openai_chat", chunks)
    ),
}


@pytest.mark.parametrize("decode", FORMS.values(), ids=FORMS)
def test_a_decoder_of_a_dialect_may_give_any_form_of_an_answer(decode: Any) -> None:
    check_decoder(decode, dialect="openai_chat", settings=FEW)


EVENTS = {
    "tuples": lambda event: (event.event, event.data),
    "mappings": lambda event: {"data": event.data, "id": event.id},
    "data as text": lambda event: event.data,
    "None for what was not said": lambda event: {
        "event": None if event.event == "message" else event.event,
        "data": event.data,
        "id": event.id or None,
    },
}


@pytest.mark.parametrize("form", EVENTS.values(), ids=EVENTS)
def test_events_may_have_any_form(form: Any) -> None:
    check_decoder(lambda chunks: map(form, decoders.correct(chunks)), settings=FEW)

    lost = broken(check_decoder, lambda chunks: map(form, decoders.lost_last_event(chunks)))
    assert lost.stream == [b"data: x\n\n"]


async def by_async_for(chunks: AsyncIterable[bytes]) -> AsyncIterator[ServerSentEvent]:
    decoder = SSEDecoder(errors="replace")
    async for chunk in chunks:
        for event in decoder.feed(chunk):
            yield event
    for event in decoder.finish():
        yield event


async def by_await(chunks: AsyncIterable[bytes]) -> list[ServerSentEvent]:
    return [event async for event in by_async_for(chunks)]


@pytest.mark.parametrize("decode", [by_async_for, by_await])
def test_an_asynchronous_decoder_is_checked_as_any_other(decode: Any) -> None:
    check_decoder(decode, settings=settings(FEW, max_examples=3))


def test_an_asynchronous_decoder_is_found_out_as_any_other() -> None:
    async def decode(chunks: AsyncIterable[bytes]) -> AsyncIterator[str]:
        async for chunk in chunks:
            for line in chunk.decode("utf-8", "replace").split("\n"):
                if line.startswith("data: "):
                    yield line.removeprefix("data: ")

    found = broken(check_decoder, decode, exclude=SSE_RULES.keys() - {"utf8"}, seed=1)

    assert found.law == "any way to cut the bytes gives the same"
    assert found.stream == [b"d", b"ata: x\n\n"]


def by_decoder(dialect: str, events: Iterable[Any]) -> Any:
    """The answer of our decoder for whole events of JSON."""
    decoder, accumulator = getattr(dialects, dialect).Decoder(strict=False), ResponseAccumulator()
    for event in events:
        for chunk in decoder.feed(bytes_of(dialect, event)):
            accumulator.add(chunk)
    try:
        for chunk in decoder.finish():
            accumulator.add(chunk)
    except StreamTruncatedError:  # a beginning says what it says
        pass
    return accumulator.response()


@pytest.mark.parametrize("dialect", DIALECTS)
def test_our_accumulator_keeps_all_laws_in_every_dialect(dialect: str) -> None:
    check_accumulator(partial(by_decoder, dialect), dialect=dialect, cost=False, settings=FEW)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_stream_chunk_builder_keeps_all_laws_of_our_chunks_in_every_dialect(dialect: str) -> None:
    check_accumulator(stream_chunk_builder, dialect=dialect, as_="chunks", cost=False, settings=FEW)


def event_of(value: Any) -> Any:
    """The JSON of an event that an SDK gives as *value*."""
    if not isinstance(value, dict):
        return value.model_dump(mode="json", exclude_none=True)
    return json.loads(value["chunk"]["bytes"]) if "chunk" in value else value


@pytest.mark.parametrize(
    "dialect",
    [
        "bedrock_converse",
        "bedrock_invoke",
        pytest.param("cohere", marks=pytest.mark.sdk),
        pytest.param("ollama", marks=pytest.mark.sdk),
    ],
)
def test_our_accumulator_keeps_all_laws_of_the_objects_of_an_sdk(dialect: str) -> None:
    if not dialect.startswith("bedrock"):
        pytest.importorskip(dialect, reason=f"{dialect} is in the group 'sdks'")
    check_accumulator(
        lambda objects: by_decoder(dialect, map(event_of, objects)),
        dialect=dialect,
        as_="sdk",
        cost=False,
        settings=FEW,
    )


def calls_by_index(lines: Iterable[Any]) -> Any:
    """Ollama's index is taken for the place of the call."""
    calls = {
        call["function"]["index"]: (call["id"], call["function"]["name"], call["function"])
        for line in lines
        for call in line["message"].get("tool_calls", ())
    }
    return [(id_, name, function["arguments"]) for id_, name, function in calls.values()]


def calls_by_id(lines: Iterable[Any]) -> Any:
    """Ollama's calls are thought to have ids."""
    return [
        (call["id"], call["function"]["name"], call["function"]["arguments"])
        for line in lines
        for call in line["message"].get("tool_calls", ())
    ]


def plan_as_text(events: Iterable[Any]) -> str:
    """Cohere's plan is taken for text."""
    said = [event["delta"]["message"] for event in events if event["type"].endswith("-delta")]
    return "".join(it.get("tool_plan") or it.get("content", {}).get("text", "") for it in said)


def input_as_it_came(events: Iterable[Any]) -> Any:
    """Bedrock's call without input is thought to have empty deltas."""
    calls: list[tuple[str, str, str]] = []
    for event in events:
        if start := event.get("contentBlockStart"):
            tool, pieces = start["start"]["toolUse"], []
            calls.append((tool["toolUseId"], tool["name"], ""))
        elif tool := event.get("contentBlockDelta", {}).get("delta", {}).get("toolUse"):
            pieces.append(tool["input"])
            calls[-1] = (*calls[-1][:2], "".join(pieces) or "{}")
    return calls


NATIVE: dict[str, tuple[str, Any]] = {
    "ollama_same_index": ("ollama", calls_by_index),
    "ollama_missing_id": ("ollama", calls_by_id),
    "cohere_tool_plan": ("cohere", plan_as_text),
    "bedrock_no_input": ("bedrock_converse", input_as_it_came),
}


@pytest.mark.matrix(2)
@pytest.mark.parametrize(("quirk", "dialect", "accumulate"), [(q, *it) for q, it in NATIVE.items()])
def test_a_planted_misreading_of_a_provider_is_found_by_its_quirk(
    quirk: str, dialect: str, accumulate: Any
) -> None:
    others = QUIRKS.keys() - {quirk}
    told = {"dialect": dialect, "cost": False, "settings": settings(FEW, max_examples=20)}

    check_accumulator(accumulate, exclude=QUIRKS, seed=1, **told)
    assert broken(check_accumulator, accumulate, exclude=others, seed=1, **told).seen.keys() == {
        quirk
    }


@given(data=st.data(), dialect=st.sampled_from(DIALECTS))
@settings(FEW, max_examples=200 if SOAK else 40)
def test_a_whole_answer_says_what_its_stream_says(data: st.DataObject, dialect: str) -> None:
    completion = data.draw(completions(dialect=dialect))
    body = getattr(dialects, dialect).encode_body(completion)

    assert said_by(completion).is_told_by(said_by(json.loads(body)))


@pytest.mark.matrix(2)
@pytest.mark.parametrize("as_", ["dicts", "chunks", "sdk"])
def test_stream_chunk_builder_keeps_all_laws(as_: Any) -> None:
    check_accumulator(stream_chunk_builder, as_=as_, settings=FEW)


def test_our_accumulator_of_tool_calls_keeps_all_laws() -> None:
    def accumulate(chunks: Iterable[Any]) -> Any:
        accumulator = ToolCallAccumulator()
        for chunk in chunks:
            for choice in chunk["choices"]:
                accumulator.add(choice["delta"].get("tool_calls"))
        return accumulator.calls

    check_accumulator(accumulate, settings=FEW)


WHOLE = accumulators.fed(accumulators.Accumulator)


def is_over(chunks: list[Any]) -> bool:
    return any(choice["finish_reason"] for chunk in chunks for choice in chunk["choices"])


def upper_until_the_end(chunks: Iterable[Any]) -> Any:
    given = list(chunks)
    said = WHOLE(given)
    return said if is_over(given) else said | {"content": said["content"].upper()}


def without_calls_until_the_end(chunks: Iterable[Any]) -> Any:
    given = list(chunks)
    said = WHOLE(given)
    return said if is_over(given) or len(given) % 2 else said | {"tool_calls": []}


def nothing_until_the_end(chunks: Iterable[Any]) -> Any:
    given = list(chunks)
    if not is_over(given):
        raise RuntimeError("incomplete")
    return WHOLE(given)


def prefix_law(accumulate: Any) -> LawError:
    found = broken(
        check_accumulator, accumulate, exclude=QUIRKS, settings=DEFAULT, seed=1, cost=False
    )

    assert found.law.startswith("every beginning of a stream is taken")
    return found


def test_a_text_that_changes_is_found() -> None:
    found = prefix_law(upper_until_the_end)

    assert found.came.text == "x"
    assert "text='X'" in found.expected


def test_a_call_that_goes_away_is_found() -> None:
    found = prefix_law(without_calls_until_the_end)

    assert found.came.calls == ()
    assert len(found.stream) == 2


def test_a_beginning_that_raises_is_found() -> None:
    found = prefix_law(nothing_until_the_end)

    assert isinstance(found.came, RuntimeError)
    assert len(found.stream) == 1
    assert "came:     raised RuntimeError: incomplete" in str(found)


def test_a_message_says_the_law_the_stream_and_who_sends_it() -> None:
    found = broken(check_decoder, decoders.bom, settings=DEFAULT, seed=1)

    assert str(found).splitlines() == [
        "this law is broken: what comes out is what the stream says",
        "",
        r"    chunks = [b'\xef\xbb\xbfdata: x\n\n']",
        "",
        "  came:     []",
        "  expected: [{'event': 'message', 'data': 'x', 'id': ''}]",
        "",
        "what is special about it, and who sends that:",
        f"  bom: {SSE_RULES['bom']}",
    ]
    assert not getattr(found, "__notes__", [])


def test_the_chunks_of_a_message_are_python_one_chunk_a_line() -> None:
    found = broken(
        check_accumulator,
        accumulators.fed(accumulators.MergeByIndex0),
        settings=DEFAULT,
        seed=1,
        exclude=SENT_AGAIN,
    )
    lines = str(found).partition("    chunks = ")[2].partition("\n\n")[0]

    assert eval(lines) == found.stream
    assert len(lines.splitlines()) == len(found.stream) + 2


@pytest.mark.matrix(3)
@pytest.mark.parametrize("rule", SSE_RULES)
def test_a_rule_that_is_excluded_is_not_needed(rule: str) -> None:
    with pytest.raises(NoSuchExample):
        find(
            streams(rules=SSE_RULES.keys() - {rule}),
            lambda stream: rule in stream.rules,
            settings=settings(max_examples=20, database=None),
        )


def test_every_rule_is_needed_by_some_stream_of_two_hundred() -> None:
    needed: set[str] = set()

    @seed(1)
    @settings(DEFAULT, max_examples=200)
    @given(streams(rules=SSE_RULES))
    def collect(stream: Any) -> None:
        needed.update(stream.rules)

    collect()

    assert needed == SSE_RULES.keys()


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("as_", ["dicts", "chunks"])
def test_a_long_stream_has_as_many_pieces_as_it_is_asked_for(dialect: str, as_: Any) -> None:
    for stream in long_streams(dialect, as_):
        assert len(stream(100)) - len(stream(10)) == 90
        assert stream(100)[-1] is not None


def test_linear_code_is_never_found_to_be_quadratic() -> None:
    [texts, arguments] = long_streams("openai_chat", "dicts")
    for _ in range(100 if SOAK else 2):
        costs_are_linear(accumulators.fed(accumulators.Accumulator), texts)
        costs_are_linear(accumulators.fed(accumulators.Accumulator), arguments)


@pytest.mark.parametrize(
    ("check", "options", "message"),
    [
        (check_decoder, {"exclude": ["bomb"]}, "bomb"),
        (check_decoder, {"dialect": "openai"}, "dialect is one of"),
        (check_decoder, {"dialect": "gemini", "exclude": "utf8"}, "utf8"),
        (check_decoder, {"settings": 100}, "settings must be"),
        (check_decoder, {"seed": "x"}, "seed must be a number"),
        (check_decoder, {"seed": True}, "seed must be a number"),
        (check_accumulator, {"exclude": "quirk"}, "quirk"),
        (check_accumulator, {"dialect": None}, "dialect is one of"),
        (check_accumulator, {"as_": "dict"}, "as_ is one of"),
        (check_accumulator, {"cost": 1}, "cost is True or False"),
    ],
)
def test_wrong_options_are_refused_at_the_call(check: Any, options: Any, message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        check(lambda chunks: pytest.fail("called"), **options)


@pytest.mark.parametrize("check", [check_decoder, check_accumulator])
def test_what_is_no_function_is_refused(check: Any) -> None:
    with pytest.raises(TypeError, match="must be a function, not 1"):
        check(1)


@pytest.mark.parametrize(
    ("check", "given", "options"),
    [
        (check_decoder, [1], {}),
        (check_decoder, 1, {}),
        (check_decoder, "text", {}),
        (check_decoder, [object()], {"dialect": "openai_chat"}),
        (check_accumulator, 1, {}),
        (check_accumulator, {"answer": "x"}, {}),
        (check_accumulator, [1], {}),
    ],
)
def test_what_gives_neither_events_nor_answers_is_refused(
    check: Any, given: Any, options: Any
) -> None:
    with pytest.raises(TypeError, match="gives|this is none|neither content"):
        check(lambda _: given, seed=1, **options)


def test_the_names_of_all_rules_and_quirks_are_told() -> None:
    assert {"bom", "cr", "utf8", "id_alone", "no_final_blank"} <= SSE_RULES.keys()
    assert {"bom", "event_missing"} <= FRAMING_RULES.keys()
    assert {"line_crlf", "padding"} <= FRAMING_RULES.keys()
    assert {"same_index", "content_after_finish", *NATIVE} <= QUIRKS.keys()


@settings(FEW)
@given(sse_streams(invalid_utf8=True))
def test_what_is_expected_of_events_is_what_the_streams_say(stream: Any) -> None:
    assert tuple(events_of(stream.body)) == stream.events
