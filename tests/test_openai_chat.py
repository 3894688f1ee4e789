"""OpenAI chat completions: what is asked, and what is made of the answer."""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from decoded import short
from hypothesis import given, settings
from hypothesis import strategies as st
from pytest_cassette_stream.strategies import chunkings
from strategies_completions import completions, cuts
from support import SOAK

from cassette_stream.chunks import NO_INDEX, ModelResponse, ModelResponseStream, Usage
from cassette_stream.chunks.normal_form import NormalForm
from cassette_stream.dialects.call import Call
from cassette_stream.dialects.openai_chat import (
    Decoder,
    encode,
    encode_body,
    encode_error,
    for_deepseek,
    for_fireworks,
    for_groq,
    for_mistral,
    for_openrouter,
    request,
    whole_body,
    without_stream_options,
)
from cassette_stream.exceptions import (
    APIError,
    BadGatewayError,
    BadRequestError,
    EmptyStreamError,
    InternalServerError,
    MalformedStreamError,
    RateLimitError,
    StreamTruncatedError,
)

many = settings(max_examples=500 if SOAK else 60, deadline=None)

DONE = b"data: [DONE]\n\n"


def event(value: Any) -> bytes:
    return b"data: " + json.dumps(value).encode() + b"\n\n"


def chunk(delta: Any = None, finish: str | None = None, index: int = 0, **fields: Any) -> bytes:
    choice = {"index": index, "delta": delta or {}, "finish_reason": finish}
    return event({"id": "c1", "object": "chat.completion.chunk", "choices": [choice]} | fields)


def decode(
    pieces: bytes | Iterable[bytes], *, strict: bool = True
) -> tuple[list[ModelResponseStream], APIError | None, Decoder]:
    """The chunks of a body, the error that ended it, and the decoder after it."""
    decoder = Decoder(strict=strict)
    chunks: list[ModelResponseStream] = []
    try:
        for piece in [pieces] if isinstance(pieces, bytes) else pieces:
            chunks += decoder.feed(piece)
        chunks += decoder.finish()
    except APIError as error:
        return chunks, error, decoder
    return chunks, None, decoder


def outcome(pieces: Iterable[bytes]) -> Any:
    """All that a caller can tell apart."""
    decoder = Decoder()
    chunks = []
    try:
        for piece in pieces:
            for each in decoder.feed(piece):
                chunks.append(each)
        for each in decoder.finish():
            chunks.append(each)
    except APIError as error:
        return chunks, type(error), error.message, error.body
    return chunks, decoder.complete, decoder.terminal_seen


def normal(chunks: Iterable[ModelResponseStream]) -> list[ModelResponseStream]:
    form = NormalForm(include_usage=True)
    return [*form.feed(chunks), *form.end()]


def read(body: bytes) -> list[ModelResponseStream]:
    """The chunks of a body that is whole, in normal form."""
    chunks, error, decoder = decode(body)

    assert error is None
    assert decoder.complete
    return normal(chunks)


def raised_by(body: bytes) -> APIError:
    error = decode(body)[1]

    assert error is not None
    return error


def folded(chunks: Iterable[ModelResponseStream]) -> dict[str, Any]:
    """What normal chunks come to: texts, calls and finish reason of each choice, and usage."""
    choices: dict[int, dict[str, Any]] = {}
    usage = None
    for each in chunks:
        if each.usage is not None:
            usage = each.usage
            continue
        (choice,) = each.choices
        answer = choices.setdefault(choice.index, empty_answer())
        for kind in ("content", "reasoning_content", "refusal"):
            answer[kind] += choice.delta[kind] or ""
        for call in choice.delta.tool_calls or ():
            if call.index == len(answer["calls"]):
                answer["calls"].append(["", "", ""])
            told = answer["calls"][call.index]
            told[0] += call.id or ""
            told[1] += call.function.name or ""
            told[2] += call.function.arguments
        answer["finish"] = choice.finish_reason or answer["finish"]
    return {
        "choices": choices,
        "usage": usage and [usage.prompt_tokens, usage.completion_tokens, usage.total_tokens],
    }


def empty_answer() -> dict[str, Any]:
    return {"content": "", "reasoning_content": "", "refusal": "", "calls": [], "finish": None}


# Laws


@many
@given(
    completion=completions(max_choices=3),
    pieces=cuts(),
    interleave=st.booleans(),
    include_usage=st.booleans(),
)
def test_what_the_encoder_was_told_is_what_the_decoder_tells(
    completion: ModelResponse, pieces: Any, interleave: bool, include_usage: bool
) -> None:
    body = b"".join(
        encode(completion, pieces=pieces, interleave=interleave, include_usage=include_usage)
    )

    assert folded(read(body)) == told(completion, include_usage)


@many
@given(completion=completions(max_choices=3))
def test_a_whole_body_comes_to_the_same_as_the_stream(completion: ModelResponse) -> None:
    assert folded(normal(whole_body(encode_body(completion)))) == told(completion, True)


def told(completion: ModelResponse, include_usage: bool) -> dict[str, Any]:
    choices = {}
    for choice in completion.choices:
        message = choice.message
        choices[choice.index] = {
            "content": message.content or "",
            "reasoning_content": message.reasoning_content or "",
            "refusal": message.refusal or "",
            "calls": [
                [call.id, call.function.name, call.function.arguments]
                for call in message.tool_calls or ()
            ],
            "finish": choice.finish_reason,
        }
    usage = completion.usage if include_usage else None
    return {
        "choices": choices,
        "usage": usage and [usage.prompt_tokens, usage.completion_tokens, usage.total_tokens],
    }


@many
@given(data=st.data(), completion=completions(max_choices=2), broken=st.booleans())
def test_a_stream_is_the_same_wherever_the_network_cut(
    data: st.DataObject, completion: ModelResponse, broken: bool
) -> None:
    events = list(encode(completion, include_usage=True))
    if broken:
        place = data.draw(st.integers(0, len(events)))
        odd = st.sampled_from(list(BREAKS.values()))
        events[place:place] = [data.draw(odd)]
    body = b"".join(events)

    assert outcome(data.draw(chunkings(body))) == outcome([body])


scalars = st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=4)
texts = st.none() | st.text(max_size=4)
tool_deltas = st.fixed_dictionaries(
    {},
    optional={
        "index": st.none() | st.integers(0, 2),
        "id": texts | st.just("null"),
        "type": st.sampled_from([None, "function", "custom"]),
        "function": st.none()
        | st.fixed_dictionaries({}, optional={"name": texts, "arguments": texts}),
        "custom": st.none() | st.fixed_dictionaries({}, optional={"name": texts}),
    },
)
deltas = st.fixed_dictionaries(
    {},
    optional={
        "role": texts,
        "content": texts,
        "refusal": texts,
        "reasoning_content": texts,
        "tool_calls": st.none() | st.lists(tool_deltas, max_size=2),
        "function_call": st.none() | st.fixed_dictionaries({"arguments": texts}),
        "audio": st.none() | st.fixed_dictionaries({}, optional={"data": texts, "id": texts}),
        "reasoning": scalars,
        "channel": scalars,
    },
)
chunk_values = st.fixed_dictionaries(
    {
        "choices": st.lists(
            st.fixed_dictionaries(
                {"delta": st.none() | deltas},
                optional={
                    "index": st.none() | st.integers(0, 2),
                    "finish_reason": st.sampled_from([None, "", "stop", "tool_calls", "odd"]),
                    "logprobs": st.none() | st.just({"content": None}),
                    "native_finish_reason": st.sampled_from([None, "stop", "odd"]),
                    "message": st.none() | st.just({"content": "a"}),
                    "seed": scalars,
                },
            ),
            max_size=2,
        )
    },
    optional={
        "id": texts,
        "object": st.just("chat.completion.chunk"),
        "created": st.none() | st.integers(0, 2**31),
        "model": texts,
        "system_fingerprint": texts,
        "service_tier": texts,
        "obfuscation": texts,
        "usage": st.none()
        | st.fixed_dictionaries(
            {}, optional={"prompt_tokens": st.integers(0, 9), "total_tokens": st.none()}
        ),
        "provider": scalars,
        "error": st.none(),
        "prompt_filter_results": st.none() | st.just([]),
        "x_groq": st.none() | st.just({"usage": {"prompt_tokens": 1}}),
    },
)


@settings(max_examples=1_000 if SOAK else 200, deadline=None)
@given(st.lists(chunk_values, min_size=1, max_size=3))
def test_the_quick_way_to_read_a_chunk_and_the_thorough_one_agree(values: list[Any]) -> None:
    quick, thorough = Decoder(), Decoder()
    begun = {"choices": [{"index": index, "delta": {"content": ""}} for index in range(3)]}
    for value in [begun, *values]:
        assert list(quick.feed(event(value))) == list(thorough.take(value))
        assert quick.complete == thorough.complete


KEYS = [
    "choices",
    "delta",
    "content",
    "error",
    "message",
    "index",
    "usage",
    "tool_calls",
    "function",
    "id",
    "created",
    "object",
    "finish_reason",
    "x_groq",
    "audio",
    "arguments",
    "logprobs",
    "detail",
    "role",
    "cost",
    "custom",
    "input",
    "name",
]

odd_values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(KEYS),
            inner,
            max_size=4,
        )
    ),
    max_leaves=15,
)


@settings(max_examples=2_000 if SOAK else 300, deadline=None)
@given(st.lists(odd_values, max_size=3), st.booleans())
def test_whatever_json_comes_is_read_or_is_an_error_of_ours(
    values: list[Any], strict: bool
) -> None:
    body = b"".join(map(event, values))

    chunks, error, decoder = decode(body, strict=strict)

    assert decoder.complete or error is not None
    assert all(isinstance(each, ModelResponseStream) for each in chunks)


@many
@given(st.binary(max_size=60), st.booleans())
def test_whatever_bytes_come_are_read_or_are_an_error_of_ours(noise: bytes, strict: bool) -> None:
    body = chunk({"content": "a"}) + b"data: " + noise + b"\n\n"

    chunks, error, _ = decode(body, strict=strict)

    assert chunks[0].choices[0].delta.content == "a"
    assert error is not None


# The corpus

TRUNCATED: dict[str, tuple[type[APIError], str]] = {
    "client__ChatCompletionKeepAlive__4a00aec2": (
        StreamTruncatedError,
        "the recording stops inside its last event",
    ),
    "client__CreateStreamedResponseFixture__11e0057b": (
        StreamTruncatedError,
        "the recording stops inside its last event",
    ),
    "llm__test_tools_streaming_variant_b__72d88d01": (
        StreamTruncatedError,
        "[DONE] without a finish reason",
    ),
    "pydantic-ai__test_snowflake_thinking_streaming__684feae8": (
        StreamTruncatedError,
        "[DONE] without a finish reason",
    ),
    "semantic-kernel__chat_completion_with_data_streaming_test_response__e3baf694": (
        StreamTruncatedError,
        "Azure's retired 'on your data' format, without a finish reason",
    ),
    "tensorzero__chat_completions_streaming_example__9fa922af": (
        StreamTruncatedError,
        "lines of JSON, not an event stream",
    ),
    "tensorzero__chat_completions_streaming_json_example__a12bcd2e": (
        StreamTruncatedError,
        "lines of JSON, not an event stream",
    ),
    "pydantic-ai__test_tool_use_failed_error_streaming__25e98858": (
        BadRequestError,
        "Groq's error event",
    ),
    "pydantic-ai__test_tool_use_failed_error_streaming_with_text__952e74de": (
        BadRequestError,
        "Groq's error event",
    ),
}


@pytest.fixture(scope="module")
def streams(corpus: Path) -> dict[str, bytes]:
    lines = (corpus / "corpus" / "public_index.jsonl").read_text("utf-8").splitlines()
    rows = [row for row in map(json.loads, lines) if row["format"] == "openai-chat"]
    return {row["id"]: (corpus / "corpus" / row["file"]).read_bytes() for row in rows}


def wire_events(body: bytes) -> Iterator[dict[str, Any]]:
    """The JSON of each event up to ``[DONE]``, by the letter of the format."""
    data: list[str] = []
    for line in [*re.split(r"\r\n|\r|\n", body.decode()), ""]:
        if line.startswith("data:"):
            data.append(line[5:].removeprefix(" "))
        elif not line and data:
            text, data = "\n".join(data), []
            if text.strip() == "[DONE]":
                return
            yield json.loads(text)


def wire_answer(body: bytes) -> dict[str, Any]:
    """What a stream comes to, folded from its JSON by the rules of the specification."""
    choices: dict[int, dict[str, Any]] = {}
    usage = None
    for value in wire_events(body):
        usage = value.get("usage") or value.get("x_groq", {}).get("usage") or usage
        for choice in value.get("choices") or ():
            answer = choices.setdefault(choice.get("index") or 0, empty_answer() | {"slots": {}})
            delta = choice.get("delta") or {}
            for kind, text in wire_texts(delta):
                answer[kind] += text
            for fragment in delta.get("tool_calls") or ():
                wire_call(answer, fragment)
            answer["finish"] = answer["finish"] or choice.get("finish_reason")
    for answer in choices.values():
        del answer["slots"]
        answer["finish"] = {"eos": "stop"}.get(answer["finish"], answer["finish"])
        if answer["calls"] and answer["finish"] == "stop":
            answer["finish"] = "tool_calls"
        for call in answer["calls"]:
            call[2] = call[2] or "{}"
    if usage is not None:
        counts = [usage.get("prompt_tokens") or 0, usage.get("completion_tokens") or 0]
        usage = [*counts, usage.get("total_tokens") or sum(counts)]
    return {"choices": choices, "usage": usage}


def wire_texts(delta: dict[str, Any]) -> Iterator[tuple[str, str]]:
    content = delta.get("content") or ""
    for part in content if isinstance(content, list) else [{"type": "text", "text": content}]:
        if part["type"] == "text":
            yield "content", part["text"]
        elif part["type"] == "thinking":
            yield from (("reasoning_content", inner["text"]) for inner in part["thinking"])
    yield "reasoning_content", delta.get("reasoning_content") or delta.get("reasoning") or ""
    yield "refusal", delta.get("refusal") or ""


def wire_call(answer: dict[str, Any], fragment: dict[str, Any]) -> None:
    slots, index = answer["slots"], fragment.get("index")
    function = fragment.get("function") or {}
    call = slots.get(index)
    fresh_id = fragment.get("id") and call is not None and fragment["id"] != call[0]
    if call is None or (fresh_id and (function.get("name") or index is None)):
        call = slots[index] = ["", "", ""]
        answer["calls"].append(call)
    call[0] = call[0] or fragment.get("id") or ""
    call[1] = call[1] or function.get("name") or ""
    call[2] += function.get("arguments") or ""


def with_made_ids(answer: dict[str, Any], ours: dict[str, Any]) -> dict[str, Any]:
    """*answer* with an id for each call that came without one: *ours*, if it looks like one."""
    for index, choice in answer["choices"].items():
        for number, call in enumerate(choice["calls"]):
            if not call[0]:
                made = ours["choices"][index]["calls"][number][0]
                call[0] = made if made.startswith("call_") else "no id"
    return answer


def test_every_public_stream_is_what_its_json_says(streams: dict[str, bytes]) -> None:
    refused: dict[str, type[APIError]] = {}
    made: Counter[str] = Counter()
    for name, body in streams.items():
        chunks, error, _ = decode(body)
        if error is not None:
            refused[name] = type(error)
            continue
        answer = folded(normal(chunks))
        made["streams"] += 1
        made["chunks"] += len(chunks)
        made["calls"] += sum(len(choice["calls"]) for choice in answer["choices"].values())

        assert with_made_ids(wire_answer(body), answer) == answer, name

    assert refused == {name: kind for name, (kind, _) in TRUNCATED.items()}
    print(f"\n{len(streams)} streams: {dict(made)}, {len(refused)} refused:")
    for name, (kind, reason) in TRUNCATED.items():
        print(f"  {name}: {kind.__name__}: {reason}")


def test_every_public_stream_is_the_same_wherever_the_network_cut(
    streams: dict[str, bytes],
) -> None:
    rng = random.Random(11)
    for name, body in streams.items():
        for count in (1, 7, 40) if SOAK else (rng.choice([1, 7, 40]),):
            places = sorted({rng.randrange(1, len(body)) for _ in range(count)})
            pieces = [body[a:b] for a, b in zip([0, *places], [*places, None], strict=True)]

            assert outcome(pieces) == outcome([body]), name


def test_a_small_public_stream_is_the_same_at_every_boundary(streams: dict[str, bytes]) -> None:
    small = sorted(streams.values(), key=len)[: 300 if SOAK else 25]
    for body in small:
        whole = outcome([body])

        assert outcome(body[at : at + 1] for at in range(len(body))) == whole
        for at in range(1, len(body)):
            assert outcome([body[:at], body[at:]]) == whole


# The failure matrix

A = chunk({"content": "a"})
STOP = chunk(finish="stop")

BREAKS: dict[str, bytes] = {
    "malformed JSON": b'data: {"choices": [\n\n',
    "a page": b"data: <html></html>\n\n",
    "a scalar": b"data: null\n\n",
    "an array": b"data: []\n\n",
    "two objects in one line": b"data: {}{}\n\n",
    "half a surrogate pair": b'data: {"choices":[{"delta":{"content":"\\ud83d"}}]}\n\n',
    "nested too deep": b"data: " + b'{"a":' * 20_000 + b"\n\n",
    "a number of thousands of digits": b'data: {"created":' + b"9" * 5_000 + b"}\n\n",
    "a comment sent as data": b"data: : OPENROUTER PROCESSING\n\n",
    "bytes that are no UTF-8": b'data: {"choices":[{"delta":{"content":"\xff"}}]}\n\n',
    "content that is a number": chunk({"content": 12}),
    "choices that are a text": event({"choices": "a"}),
    "a choice that is a text": event({"choices": ["a"]}),
    "a delta that is a list": event({"choices": [{"delta": [1]}]}),
    "a call that is a number": chunk({"tool_calls": [1]}),
    "usage that is a text": event({"choices": [], "usage": "a"}),
    "an index that is a text": event({"choices": [{"index": "a", "delta": {}}]}),
    "a date that is a text": chunk({"content": "x"}, created="tomorrow"),
}


@pytest.mark.parametrize("broken", BREAKS.values(), ids=BREAKS)
def test_what_cannot_be_read_is_told_after_what_came_before(broken: bytes) -> None:
    chunks, error, _ = decode(A + broken + STOP + DONE)

    assert [each.choices[0].delta.content for each in chunks] == ["a"]
    assert type(error) is MalformedStreamError


LENIENT = {name: it for name, it in BREAKS.items() if "UTF-8" not in name and "is a n" not in name}


@pytest.mark.parametrize("broken", LENIENT.values(), ids=LENIENT)
def test_what_cannot_be_read_may_be_left_out_and_is_counted(broken: bytes) -> None:
    chunks, error, decoder = decode(A + broken + STOP + DONE, strict=False)

    assert error is None
    assert len(chunks) == 2
    assert len(decoder.warnings) == 1


def test_a_number_where_a_text_belongs_may_be_written_as_one() -> None:
    chunks, error, _ = decode(chunk({"content": 12}) + STOP, strict=False)

    assert error is None
    assert chunks[0].choices[0].delta.content == "12"


WHOLE = {
    "as it should be": A + STOP + DONE,
    "no [DONE]": A + STOP,
    "content and finish in one chunk": chunk({"content": "a"}, "stop"),
    "cut after the finish": A + STOP + b'data: {"choi',
    "no blank line after the last event": (A + STOP)[:-2],
    "no blank line after [DONE]": (A + STOP + DONE)[:-2],
    "a byte order mark": b"\xef\xbb\xbf" + A + STOP,
    "one event over two data lines": A.replace(b'"choices"', b'\ndata: "choices"') + STOP,
    "no blank after the colon": (A + STOP + DONE).replace(b"data: ", b"data:"),
    "two blanks before [DONE]": A + STOP + b"data:  [DONE]\n\n",
    "CRLF": (A + STOP + DONE).replace(b"\n", b"\r\n"),
    "CR": (A + STOP + DONE).replace(b"\n", b"\r"),
    "comments": b": OPENROUTER PROCESSING\n\n:\n" + A + b": keep-alive\n\n" + STOP,
    "pings": b"event: ping\ndata: ping\n\n" + A + b'event: ping\ndata: {"type":"ping"}\n\n' + STOP,
    "events without data": b"event: keepalive\n\nretry: 5\n\ndata:\n\n" + A + STOP,
    "event names": b"event: chunk\n" + A + b"event: completion\n" + STOP,
    "an event of a kind yet to come": A + event({"type": "news", "text": "x"}) + STOP,
    "an event without choices": event({"id": "c1"}) + A + event({"choices": None}) + STOP,
    "a delta that is null": event({"choices": [{"index": 0, "delta": None}]}) + A + STOP,
    "no delta": event({"choices": [{"index": 0, "content_filter_offsets": {}}]}) + A + STOP,
    "no index": A.replace(b'"index": 0, ', b"") + STOP,
    "two finish chunks": A + STOP + STOP + DONE,
    "an empty finish reason": chunk({"content": "a"}, "") + STOP,
    "silence after the finish": A + STOP + chunk({"content": ""}) + chunk() + DONE,
    "events after [DONE]": A + STOP + DONE + chunk({"content": "b"}) + encode_error(500, "x"),
    "the role in every chunk": chunk({"role": "assistant", "content": "a"})
    + chunk({"role": "assistant"}, "stop"),
    "no tool calls in a list": chunk({"content": "a", "tool_calls": []}) + STOP,
    "no id, no model": chunk({"content": "a"}, id=None, model=None) + STOP,
    "a text about an error": chunk({"content": "a"}, error=None) + STOP,
}


@pytest.mark.parametrize("body", WHOLE.values(), ids=WHOLE)
def test_a_stream_that_is_whole_gives_its_text_and_its_end(body: bytes) -> None:
    answer = folded(read(body))["choices"]

    assert answer == {0: empty_answer() | {"content": "a", "finish": "stop"}}


def test_terminal_seen_tells_whether_done_came() -> None:
    assert decode(A + STOP + DONE)[2].terminal_seen
    assert not decode(A + STOP)[2].terminal_seen


CUT = {
    "a clean end without finish": (A, "the stream ended without a finish reason for choice 0"),
    "[DONE] without finish": (
        A + DONE,
        "the stream ended after [DONE], but without a finish reason for choice 0",
    ),
    "half an event": (A + b'data: {"choi', "the stream ended inside an event"),
    "half an event and nothing else": (b'data: {"choi', "the stream ended inside an event"),
    "one of two choices is open": (
        A + chunk({"content": "b"}, index=1) + STOP,
        "the stream ended without a finish reason for choice 1",
    ),
    "what belongs to the response, and no choice": (
        event({"choices": [], "prompt_filter_results": []}),
        "the stream ended before any answer began",
    ),
}


@pytest.mark.parametrize(("body", "message"), CUT.values(), ids=CUT)
def test_a_stream_that_ends_before_its_answer_does_is_truncated(body: bytes, message: str) -> None:
    error = raised_by(body)

    assert type(error) is StreamTruncatedError
    assert str(error) == message


EMPTY = {
    "nothing": b"",
    "[DONE] alone": DONE,
    "comments": b": keep-alive\n\n: keep-alive\n",
    "pings": b'event: ping\ndata: {"type":"ping"}\n\n',
    "events of another kind": event({"id": "c1"}),
}


@pytest.mark.parametrize("body", EMPTY.values(), ids=EMPTY)
def test_a_stream_without_a_chunk_is_empty(body: bytes) -> None:
    assert type(raised_by(body)) is EmptyStreamError


ERRORS = {
    "openai": (encode_error(500, "no"), InternalServerError),
    "named error": (b"event: error\n" + encode_error(500, "no"), InternalServerError),
    "named error, no error key": (
        b"event: error\n" + event({"message": "no", "type": "server_error"}),
        InternalServerError,
    ),
    "openrouter, int code": (
        chunk({"content": ""}, "error", error={"code": 502, "message": "no"}),
        BadGatewayError,
    ),
    "openrouter, string code": (
        chunk({"content": ""}, "error", error={"code": "server_error", "message": "no"}),
        InternalServerError,
    ),
    "openrouter, no choices": (
        event({"choices": [], "error": {"code": 429, "message": "no"}}),
        RateLimitError,
    ),
    "vllm": (
        event({"object": "error", "message": "no", "type": "BadRequestError", "code": 400}),
        BadRequestError,
    ),
    "mistral": (
        event({"object": "error", "message": "no", "type": "invalid_model", "code": "1500"}),
        APIError,
    ),
    "groq, in its own field": (
        event({"choices": [], "x_groq": {"id": "r", "error": "no"}}),
        APIError,
    ),
    "a bare text": (event({"error": "no"}), APIError),
    "a message": (event({"message": "no"}), APIError),
    "a detail": (event({"detail": "no"}), APIError),
    "google, in an array": (
        event([{"error": {"code": 429, "message": "no", "status": "RESOURCE_EXHAUSTED"}}]),
        RateLimitError,
    ),
}


@pytest.mark.parametrize("before", [b"", A], ids=["first", "later"])
@pytest.mark.parametrize(("broken", "kind"), ERRORS.values(), ids=ERRORS)
def test_an_error_of_the_provider_is_an_exception(
    before: bytes, broken: bytes, kind: type[APIError]
) -> None:
    chunks, error, _ = decode(before + broken + DONE)

    assert len(chunks) == len(before[:1])
    assert type(error) is kind
    assert error.message == "no"


@pytest.mark.parametrize(
    "finish", ["error", "abort", "network_error", "insufficient_system_resource"]
)
def test_a_finish_reason_that_reports_a_failure_is_raised_after_the_last_words(finish: str) -> None:
    chunks, error, decoder = decode(A + chunk({"content": "b"}, finish))

    assert [each.choices[0].delta.content for each in chunks] == ["a", "b"]
    assert type(error) is InternalServerError
    assert not decoder.complete


def test_the_last_words_of_a_chunk_that_reports_an_error_come_before_it() -> None:
    chunks, error, _ = decode(chunk({"content": "b"}, "error", error={"code": 502}))

    assert [each.choices[0].delta.content for each in chunks] == ["b"]
    assert type(error) is BadGatewayError


def test_an_error_is_told_though_the_rest_of_its_chunk_cannot_be_read() -> None:
    assert type(raised_by(event({"choices": [1], "error": {"code": 502}}))) is BadGatewayError


def test_a_failure_that_only_the_provider_behind_reports_is_raised() -> None:
    choice = {"index": 0, "delta": {}, "finish_reason": None, "native_finish_reason": "error"}

    assert type(raised_by(A + event({"choices": [choice]}))) is InternalServerError


def test_an_unknown_finish_reason_is_passed_on() -> None:
    (*_, last) = read(A + chunk(finish="odd"))

    assert last.choices[0].finish_reason == "odd"
    assert last.choices[0].abnormal_finish


WHOLE_BODIES = {
    "an error": (b'{"error": {"message": "no", "type": "server_error"}}', InternalServerError),
    "an error over many lines": (b'{\n "error": {\n  "code": 429\n }\n}\n', RateLimitError),
    "an error in an array": (b'[{"error": {"code": 429}}]', RateLimitError),
    "a page": (b"<!doctype html><html></html>", MalformedStreamError),
    "no UTF-8": (b'{"a": "\xff"}', MalformedStreamError),
    "a text": (b"upstream connect error", MalformedStreamError),
    "a list": (b"[]", MalformedStreamError),
    "JSON, and then events": (b'{"choices": []}\n\n' + A, MalformedStreamError),
    "a byte order mark": (b'\xef\xbb\xbf{"error": {"code": 429}}', RateLimitError),
    "nothing": (b" \n", EmptyStreamError),
    "an object of another kind": (b"{}", EmptyStreamError),
    "no finish reason": (b'{"choices": [{"message": {"content": "a"}}]}', StreamTruncatedError),
    "odd choices": (b'{"choices": [1]}', MalformedStreamError),
    "odd calls": (b'{"choices": [{"message": {"tool_calls": [1]}}]}', MalformedStreamError),
}


@pytest.mark.parametrize(("body", "kind"), WHOLE_BODIES.values(), ids=WHOLE_BODIES)
def test_a_whole_body_that_is_no_completion_is_an_error(body: bytes, kind: type[APIError]) -> None:
    with pytest.raises(APIError) as raised:
        whole_body(body)

    assert type(raised.value) is kind


def test_a_body_that_was_finished_takes_no_more() -> None:
    decoder = Decoder()
    list(decoder.feed(A + STOP))
    list(decoder.finish())

    with pytest.raises(ValueError, match="after finish"):
        decoder.feed(A)


# What providers do otherwise

ROLE = chunk({"role": "assistant", "content": ""})


def only(delta: Any, **fields: Any) -> Any:
    """The delta that the decoder gives for a *delta* in the middle of a stream."""
    chunks, _, _ = decode(ROLE + chunk(delta, **fields) + STOP)
    return chunks[1].choices[0].delta


def test_reasoning_has_one_name() -> None:
    assert only({"reasoning": "hm"}).reasoning_content == "hm"
    assert only({"reasoning_content": "hm", "content": None}).reasoning_content == "hm"
    assert only({"reasoning": "a", "reasoning_content": "b"}).reasoning_content == "b"


def test_the_parts_of_mistral_are_texts_in_their_order() -> None:
    parts = [
        {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}, {"type": "image"}]},
        {"type": "thinking", "thinking": "m"},
        {"type": "text", "text": "a"},
        "b",
        {"type": "reference", "reference_ids": [1]},
        7,
        {"type": "thinking", "thinking": [{"type": "text", "text": "oh"}]},
    ]
    body = chunk({"role": "assistant", "content": parts}, "stop") + DONE

    chunks = read(body)

    assert short(chunks) == ["R T'hmm'", "C'ab'", "content_parts", "T'oh'", "F stop"]
    kept = [each.choices[0].delta.provider_specific_fields for each in chunks]
    assert [{"content_parts": [parts[4], 7]}] == [it for it in kept if it]


def test_an_empty_list_of_parts_says_nothing() -> None:
    assert only({"content": []}) == only({})


def test_a_tool_call_of_mistral_is_whole_and_its_null_id_is_none() -> None:
    function = {"name": "now", "arguments": {"zone": "é"}}
    (fragment,) = only(
        {"tool_calls": [{"id": "null", "type": None, "function": function}]}
    ).tool_calls

    assert (fragment.id, fragment.type, fragment.index) == (None, "function", NO_INDEX)
    assert (fragment.function.name, fragment.function.arguments) == ("now", '{"zone": "é"}')


def test_a_call_without_a_function_says_nothing() -> None:
    (fragment,) = only({"tool_calls": [{"index": 0, "id": "a", "function": None}]}).tool_calls

    assert (fragment.function.name, fragment.function.arguments) == (None, "")


def test_a_custom_tool_keeps_its_input() -> None:
    fragment = {"index": 0, "id": "a", "type": "custom", "custom": {"name": "sh", "input": "ls"}}
    (read_back,) = only({"tool_calls": [fragment]}).tool_calls

    assert read_back.type == "custom"
    assert (read_back.custom.name, read_back.custom.input) == ("sh", "ls")


def test_the_older_way_to_call_is_kept() -> None:
    call = only({"function_call": {"name": "now", "arguments": None}}).function_call

    assert (call.name, call.arguments) == ("now", "")


def test_a_spoken_answer_ends_with_the_date_of_its_audio() -> None:
    body = (
        chunk({"audio": {"id": "a1", "transcript": "Hi"}})
        + chunk({"audio": {"data": "AAAA"}})
        + chunk({"audio": {"expires_at": 1780697172}})
        + DONE
    )

    chunks, error, decoder = decode(body)

    assert error is None
    assert decoder.complete
    assert [each.choices[0].finish_reason for each in chunks] == [None] * 3
    assert [each.choices[0].delta.audio.data for each in chunks] == [None, "AAAA", None]


def test_log_probabilities_come_with_their_words() -> None:
    token = {"token": "a", "logprob": -0.5, "bytes": [97], "top_logprobs": None}
    choice = {"index": 0, "delta": {"content": "a"}, "logprobs": {"content": [token]}}

    first, _ = read(event({"choices": [choice]}) + STOP)

    (told,) = first.choices[0].logprobs.content
    assert (told.token, told.logprob, told.bytes, told.top_logprobs) == ("a", -0.5, [97], [])


def test_what_is_unknown_is_kept() -> None:
    choice = {
        "index": 0,
        "delta": {"content": "a", "channel": "final"},
        "content_filter_results": {"hate": {"filtered": False}},
    }
    body = event({"choices": [choice], "provider": "Novita", "citations": ["u"]}) + STOP

    first, _ = read(body)

    assert first.provider == "Novita"
    assert first.citations == ["u"]
    assert first.choices[0]["content_filter_results"] == {"hate": {"filtered": False}}
    assert first.choices[0].delta["channel"] == "final"


def test_the_message_that_perplexity_repeats_is_ignored() -> None:
    choice = {"index": 0, "delta": {"content": "b"}, "message": {"content": "ab"}}

    assert folded(read(A + event({"choices": [choice]}) + STOP))["choices"][0]["content"] == "ab"


USAGES: dict[str, tuple[dict[str, Any], Callable[[Usage], Any], Any]] = {
    "groq, in its own field": (
        {"x_groq": {"usage": {"prompt_tokens": 1, "completion_tokens": 2, "queue_time": 0.5}}},
        lambda it: (it.prompt_tokens, it.completion_tokens, it.total_tokens, it["queue_time"]),
        (1, 2, 3, 0.5),
    ),
    "groq, both": (
        {"usage": {"prompt_tokens": 4}, "x_groq": {"usage": {"prompt_tokens": 1}}},
        lambda it: it.prompt_tokens,
        4,
    ),
    "no total": (
        {"usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": None}},
        lambda it: it.total_tokens,
        3,
    ),
    "deepseek": (
        {"usage": {"prompt_tokens": 9, "prompt_cache_hit_tokens": 4}},
        lambda it: (it.prompt_tokens_details.cached_tokens, it["prompt_cache_hit_tokens"]),
        (4, 4),
    ),
    "deepseek, both": (
        {"usage": {"prompt_cache_hit_tokens": 4, "prompt_tokens_details": {"cached_tokens": 5}}},
        lambda it: it.prompt_tokens_details.cached_tokens,
        5,
    ),
    "perplexity": (
        {"usage": {"prompt_tokens": 1, "cost": {"request_cost": 0.1, "total_cost": 0.25}}},
        lambda it: (it.cost, it["cost_details"]),
        (0.25, {"request_cost": 0.1, "total_cost": 0.25}),
    ),
    "openrouter": ({"usage": {"cost": 0.5, "is_byok": False}}, lambda it: it.cost, 0.5),
}


@pytest.mark.parametrize(("fields", "look", "expected"), USAGES.values(), ids=USAGES)
def test_usage_is_found_wherever_a_provider_puts_it(
    fields: dict[str, Any], look: Callable[[Usage], Any], expected: Any
) -> None:
    (*_, last) = read(A + chunk(finish="stop", **fields))

    assert look(last.usage) == expected


@pytest.mark.parametrize(
    ("created", "expected"), [("1700000000", 1_700_000_000), (1.5, 1), ("12.5", 12)], ids=repr
)
def test_a_date_may_be_a_text_or_have_a_fraction(created: Any, expected: int) -> None:
    chunks, _, _ = decode(chunk({"content": "a"}, created=created))

    assert chunks[0].created == expected


# Requests


def ask(**fields: Any) -> Call:
    return Call(**{"model": "m", "messages": [{"role": "user", "content": "hi"}], **fields})


def body_of(asked: Call) -> Any:
    return json.loads(request(asked).body)


def test_a_request_carries_what_was_given_and_nothing_else() -> None:
    asked = ask(stream=True, params={"temperature": 0, "foo": "bar"}, extra_body={"top_k": 1})

    assert request(asked).path == "/chat/completions"
    assert body_of(asked) == {
        "model": "m",
        "messages": [{"role": "user", "content": "hi"}],
        "stream": True,
        "temperature": 0,
        "foo": "bar",
        "top_k": 1,
    }


def test_a_request_for_a_whole_answer_does_not_speak_of_streams() -> None:
    assert "stream" not in body_of(ask())


def test_mistral_wants_any_and_simple_schemas_and_no_names() -> None:
    schema = {
        "type": "object",
        "$schema": "x",
        "additionalProperties": False,
        "properties": {"strict": {"type": "object", "$id": "x", "properties": {}}},
        "anyOf": [{"$id": "x"}, {"type": "null"}],
    }
    tool = {"type": "function", "function": {"name": "f", "strict": True, "parameters": schema}}
    messages = [
        {"role": "user", "content": "hi", "name": "Ann"},
        {"role": "tool", "content": "1", "name": "f", "tool_call_id": "a"},
    ]
    params = {"tools": [tool], "tool_choice": "required", "stream_options": {}}

    body = body_of(for_mistral(ask(messages=messages, params=params)))

    assert body["tool_choice"] == "any"
    assert body["tools"][0]["function"] == {
        "name": "f",
        "parameters": {
            "type": "object",
            "properties": {"strict": {"type": "object", "properties": {}}},
            "anyOf": [{}, {"type": "null"}],
        },
    }
    assert body["messages"] == [{"role": "user", "content": "hi"}, messages[1]]
    assert "stream_options" not in body
    assert params["tool_choice"] == "required"


def test_mistral_takes_other_choices_as_they_are() -> None:
    asked = for_mistral(ask(params={"tool_choice": "auto"}))

    assert asked.params == {"tool_choice": "auto"}


def test_groq_wants_no_nulls_of_the_assistant() -> None:
    messages = [
        {"role": "assistant", "content": None, "tool_calls": []},
        {"role": "user", "content": None},
    ]

    asked = for_groq(ask(messages=messages))

    assert asked.messages == [{"role": "assistant", "tool_calls": []}, messages[1]]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}], "ab"),
        ("a", "a"),
        ([{"type": "image_url"}], [{"type": "image_url"}]),
        (["a"], ["a"]),
        ([], ""),
    ],
    ids=repr,
)
def test_deepseek_wants_one_text(content: Any, expected: Any) -> None:
    (message,) = for_deepseek(ask(messages=[{"role": "user", "content": content}])).messages

    assert message == {"role": "user", "content": expected}


def test_openrouter_is_asked_for_the_usage() -> None:
    assert for_openrouter(ask()).params == {"usage": {"include": True}}
    assert for_openrouter(ask(params={"usage": None})).params == {"usage": None}


def test_a_bare_name_is_a_model_of_fireworks() -> None:
    assert for_fireworks(ask()).model == "accounts/fireworks/models/m"
    assert for_fireworks(ask(model="accounts/me/models/m")).model == "accounts/me/models/m"


def test_stream_options_can_be_left_out() -> None:
    params = {"stream_options": {"include_usage": True}, "seed": 1}

    assert without_stream_options(ask(params=params)).params == {"seed": 1}


def test_what_comes_behind_the_end_may_be_broken() -> None:
    said = (
        b'data: {"id":"c","choices":[{"index":0,"delta":{"content":"hi"},"finish_reason":"stop"}]}'
    )
    decoder = Decoder()
    chunks = list(decoder.feed(said + b"\n\ndata: [DONE]\n\ndata: \xff\n\n"))
    chunks += decoder.finish()

    assert [chunk.choices[0].delta.content for chunk in chunks] == ["hi"]
    assert decoder.complete


def test_a_body_that_is_no_utf_8_is_malformed() -> None:
    from cassette_stream.dialects.decoding import json_object

    with pytest.raises(MalformedStreamError):
        json_object(b'{"a": "\xff"}')
