"""Encoders: what they send is read back, and is what the providers send."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from decoded import decoded as decoded_by
from decoded import normal
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from otherwise import otherwise
from strategies_completions import completions, cuts, texts
from support import SOAK

from cassette_stream.chunks import (
    ChatCompletionMessageToolCall,
    Choices,
    CompletionTokensDetails,
    Custom,
    Function,
    Message,
    ModelResponse,
    PromptTokensDetails,
    RedactedThinking,
    Thinking,
    Usage,
    stream_chunk_builder,
)
from cassette_stream.dialects import (
    anthropic,
    bedrock_converse,
    bedrock_invoke,
    cohere,
    gemini,
    ollama,
    openai_chat,
    openai_responses,
)
from cassette_stream.dialects.call import Call
from cassette_stream.dialects.encoding import weave, words
from cassette_stream.exceptions import APIError
from cassette_stream.wire import EventStreamDecoder, NDJSONDecoder, ServerSentEvent, SSEDecoder

many = settings(max_examples=300 if SOAK else 40, deadline=None)
DIALECTS = (
    openai_chat,
    openai_responses,
    anthropic,
    gemini,
    cohere,
    ollama,
    bedrock_converse,
    bedrock_invoke,
)
dialects = pytest.mark.parametrize(
    "dialect", DIALECTS, ids=lambda it: it.__name__.rpartition(".")[2]
)
WIRES: dict[ModuleType, Any] = {
    bedrock_converse: EventStreamDecoder,
    bedrock_invoke: EventStreamDecoder,
    ollama: NDJSONDecoder,
}
"""What reads the events of a dialect, where that is not `SSEDecoder`."""


def decoded(items: Iterable[bytes]) -> Iterator[ServerSentEvent]:
    """The event of each item; an item is one whole event and no more."""
    decoder = SSEDecoder()
    for item in items:
        (event,) = decoder.feed(item)
        assert not decoder.pending
        yield event


def call(name: str, arguments: str = "{}", number: int = 0) -> ChatCompletionMessageToolCall:
    function = Function(name=name, arguments=arguments)
    return ChatCompletionMessageToolCall(id=f"call_{number}", function=function)


def completion(*choices: Choices, **fields: Any) -> ModelResponse:
    given = {"id": "id-1", "created": 1, "model": "m", "choices": list(choices)}
    return ModelResponse(**given | fields)


def answer(content: str | None = None, finish: str | None = "stop", **message: Any) -> Choices:
    return Choices(message=Message(content=content, **message), finish_reason=finish)


def openai_fold(items: Iterable[bytes]) -> dict[str, Any]:
    """What a client puts together from the deltas of OpenAI's chunks."""
    seen: dict[str, Any] = {"usage": None, "choices": {}}
    *chunks, done = [event.data for event in decoded(items)]
    assert done == "[DONE]"
    for chunk in map(json.loads, chunks):
        seen["usage"] = chunk.get("usage")
        for choice in chunk["choices"]:
            told = seen["choices"].setdefault(choice["index"], defaultdict(str) | {"calls": {}})
            for name, value in choice["delta"].items():
                if name != "tool_calls":
                    told[name] += value or ""
            for delta in choice["delta"].get("tool_calls", ()):
                kept = told["calls"].setdefault(delta["index"], defaultdict(str))
                kept["id"] += delta.get("id", "")
                kept["name"] += delta["function"].get("name", "")
                kept["arguments"] += delta["function"]["arguments"]
            told["finish"] = choice["finish_reason"]
    return seen


@many
@given(completion=completions(max_choices=3), pieces=cuts(), interleave=st.booleans())
def test_openai_deltas_add_up_to_the_completion(
    completion: ModelResponse, pieces: Any, interleave: bool
) -> None:
    seen = openai_fold(
        openai_chat.encode(completion, pieces=pieces, interleave=interleave, include_usage=True)
    )

    assert list(seen["choices"]) == [choice.index for choice in completion.choices]
    for choice, told in zip(completion.choices, seen["choices"].values(), strict=True):
        message = choice.message
        assert told["role"] == "assistant"
        assert told["content"] == (message.content or "")
        assert told["reasoning_content"] == (message.reasoning_content or "")
        assert told["refusal"] == (message.refusal or "")
        assert told["finish"] == choice.finish_reason
        assert [tuple(kept.values()) for kept in told["calls"].values()] == [
            (item.id, item.function.name, item.function.arguments)
            for item in message.tool_calls or ()
        ]
    counts = seen["usage"] and (seen["usage"]["prompt_tokens"], seen["usage"]["total_tokens"])
    usage = completion.usage
    assert counts == (usage and (usage.prompt_tokens, usage.total_tokens))


@many
@given(completion=completions(), pieces=cuts())
def test_anthropic_deltas_add_up_to_the_completion(completion: ModelResponse, pieces: Any) -> None:
    message = completion.choices[0].message
    blocks: dict[int, dict[str, str]] = {}
    for event in decoded(anthropic.encode(completion, pieces=pieces)):
        value = json.loads(event.data)
        assert value["type"] == event.event
        if event.event == "content_block_start":
            # Blocks come one after the other, counted from 0.
            assert value["index"] == len(blocks)
            blocks[value["index"]] = defaultdict(str, type=value["content_block"]["type"])
        elif event.event == "content_block_delta":
            kind = value["delta"].pop("type")
            (text,) = value["delta"].values()
            blocks[value["index"]][kind] += text
    texts = [block["text_delta"] for block in blocks.values() if block["type"] == "text"]
    inputs = [block["input_json_delta"] for block in blocks.values() if block["type"] == "tool_use"]
    thoughts = [
        (block["thinking_delta"], block["signature_delta"])
        for block in blocks.values()
        if block["type"] == "thinking"
    ]

    assert texts == [text for text in (message.refusal, message.content) if text]
    assert [text or "{}" for text in inputs] == [
        item.function.arguments for item in message.tool_calls or ()
    ]
    signed = [block for block in message.thinking_blocks or () if isinstance(block, Thinking)]
    unsigned = [(message.reasoning_content, "")] if message.reasoning_content else []
    assert thoughts == (
        [(block.thinking, block.signature) for block in signed]
        if message.thinking_blocks
        else unsigned
    )


@many
@given(completion=completions(max_choices=3), pieces=cuts(), interleave=st.booleans())
def test_gemini_parts_add_up_to_the_completion(
    completion: ModelResponse, pieces: Any, interleave: bool
) -> None:
    told: dict[int, dict[str, Any]] = {}
    counts: list[int] = []
    for item in gemini.encode(completion, pieces=pieces, interleave=interleave):
        assert item.endswith(b"\r\n\r\n")
        (event,) = SSEDecoder().feed(item)
        frame = json.loads(event.data)
        counts.append(frame.get("usageMetadata", {}).get("totalTokenCount", 0))
        for candidate in frame["candidates"]:
            kept = told.setdefault(candidate["index"], {"text": "", "thought": "", "calls": []})
            kept["finish"] = candidate.get("finishReason")
            for part in candidate["content"]["parts"]:
                if "functionCall" in part:
                    kept["calls"].append(part["functionCall"])
                else:
                    kept["thought" if part.get("thought") else "text"] += part["text"]

    assert counts == sorted(counts)
    assert counts[-1] == (completion.usage.total_tokens if completion.usage else 0)
    for choice in completion.choices:
        message, kept = choice.message, told[choice.index]
        assert kept["text"] == (message.content or "")
        assert kept["thought"] == (message.reasoning_content or "")
        assert [(item["name"], item["args"]) for item in kept["calls"]] == [
            (item.function.name, json.loads(item.function.arguments))
            for item in message.tool_calls or ()
        ]
        assert kept["finish"]


@dialects
@settings(many, max_examples=100 if SOAK else 15)
@given(completion=completions(), pieces=cuts())
def test_each_item_of_an_encoder_is_one_event_and_no_more(
    dialect: ModuleType, completion: ModelResponse, pieces: Any
) -> None:
    wire = WIRES.get(dialect, SSEDecoder)()
    found = [list(wire.feed(item)) for item in dialect.encode(completion, pieces=pieces)]

    assert [len(events) for events in found] == [1] * len(found)
    assert not wire.pending


@dialects
@settings(many, max_examples=300 if SOAK else 30)
@given(completion=completions(), strict=st.booleans(), data=st.data())
def test_a_whole_body_with_something_else_in_a_place_is_read_or_refused(
    dialect: ModuleType, completion: ModelResponse, strict: bool, data: st.DataObject
) -> None:
    body = json.dumps(data.draw(otherwise(json.loads(dialect.encode_body(completion)))))

    # Whatever else comes out of it is no exception that anybody is told to expect.
    with suppress(APIError):
        assert normal(dialect.whole_body(body.encode(), strict=strict))


@dialects
@many
@given(completion=completions())
def test_a_mark_of_the_byte_order_before_a_whole_body_says_nothing(
    dialect: ModuleType, completion: ModelResponse
) -> None:
    body = dialect.encode_body(completion)

    assert normal(dialect.whole_body(b"\xef\xbb\xbf" + body)) == normal(dialect.whole_body(body))


TOOL = {"name": "f", "description": "d", "strict": True, "parameters": {"type": "object"}}
SCHEMA = {"name": "n", "schema": {"type": "object"}}
ASKED: dict[str, Any] = {
    "messages": [
        {"role": "system", "content": "be brief"},
        {"role": "user", "content": [
            {"type": "text", "text": "see", "cache_control": {"type": "ephemeral"}},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}},
        ]},
        {
            "role": "assistant",
            "content": "so",
            "refusal": "no",
            "reasoning_content": "hm I will",
            "provider_specific_fields": {"tool_plan": "I will", "thought_signatures": ["s"]},
            "thinking_blocks": [{"type": "thinking", "thinking": "hm", "signature": "s"}],
            "tool_calls": [{"id": "c1", "type": "function", "function": {
                "name": "f", "arguments": "{}"
            }}],
        },
        {"role": "tool", "tool_call_id": "c1", "content": "7"},
    ],
    "params": {
        "max_tokens": 5,
        "stop": ["x"],
        "tools": [{"type": "function", "function": TOOL}],
        "tool_choice": {"type": "function", "function": {"name": "f"}},
        "response_format": {"type": "json_schema", "json_schema": SCHEMA},
        "reasoning_effort": "low",
        "thinking": {"type": "enabled", "budget_tokens": 1024},
        "stream_options": {"include_usage": True},
    },
}  # fmt: skip


@dialects
@settings(many, max_examples=400 if SOAK else 50)
@given(asked=otherwise(ASKED))
def test_a_question_with_something_else_in_a_place_is_asked_or_refused(
    dialect: ModuleType, asked: Any
) -> None:
    # Before a dialect sees them, the client has looked at these.
    assume(isinstance(asked, dict) and asked.keys() == ASKED.keys())
    assume(isinstance(asked["params"], dict) and isinstance(asked["messages"], list))
    assume(all(isinstance(message, dict) for message in asked["messages"]))

    with suppress(APIError, TypeError, ValueError):
        call = Call(model="m", drop_params=True, **asked)
        assert json.loads(dialect.request(call).body)


TOLD_BACK = [it for it in DIALECTS if it is not openai_chat]  # which sends what it is given
NATIVE = "provider_specific_fields"


@pytest.mark.parametrize(
    ("dialect", "said", "told"),
    [
        *((it, {"tool_calls": 7}, "tool_calls is a list, not 7") for it in TOLD_BACK),
        *((it, {"tool_calls": ["f"]}, "a tool call is a mapping, not 'f'") for it in TOLD_BACK),
        (anthropic, {"thinking_blocks": 7}, "thinking_blocks is a list, not 7"),
        (bedrock_converse, {"thinking_blocks": "hm"}, "thinking_blocks is a list, not 'hm'"),
        (gemini, {NATIVE: 7}, f"{NATIVE} is a mapping, not 7"),
        (cohere, {NATIVE: 7}, f"{NATIVE} is a mapping, not 7"),
        (cohere, {"reasoning_content": 7}, "reasoning_content is a text, not 7"),
        (cohere, {"tool_plan": 7}, "tool_plan is a text, not 7"),
    ],
    ids=lambda it: it.__name__.rpartition(".")[2] if isinstance(it, ModuleType) else str(it),
)
def test_what_an_assistant_said_in_another_type_is_told_by_its_name(
    dialect: ModuleType, said: dict[str, Any], told: str
) -> None:
    calls = [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]
    message = {"role": "assistant", "content": "hi", "tool_calls": calls, **said}

    with pytest.raises(TypeError, match=f"^{told}$"):
        dialect.request(Call(model="m", messages=[message]))


@dialects
@settings(many, max_examples=300 if SOAK else 15)
@given(completion=completions(), pieces=cuts())
def test_the_same_completion_gives_the_same_bytes(
    dialect: ModuleType, completion: ModelResponse, pieces: Any
) -> None:
    first, again = (list(dialect.encode(completion, pieces=pieces)) for _ in range(2))

    assert first == again
    assert dialect.encode_body(completion) == dialect.encode_body(completion)


@many
@given(text=texts())
def test_words_join_to_the_text(text: str) -> None:
    assert "".join(words(text)) == text


@given(streams=st.lists(st.lists(st.integers()), max_size=4), interleave=st.booleans())
def test_weaving_keeps_every_stream_in_its_order(
    streams: list[list[int]], interleave: bool
) -> None:
    tagged = [[(number, item) for item in stream] for number, stream in enumerate(streams)]
    woven = list(weave(tagged, interleave=interleave))

    assert [[pair for pair in woven if pair[0] == n] for n in range(len(streams))] == tagged
    assert interleave or woven == [pair for stream in tagged for pair in stream]


def test_interleaved_calls_take_turns() -> None:
    both = answer(finish="tool_calls", tool_calls=[call("f", '{"a":1}'), call("g", '{"b":2}', 1)])
    items = openai_chat.encode(completion(both), pieces=[4], interleave=True)
    chunks = [json.loads(event.data) for event in decoded(items) if event.data != "[DONE]"]
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks]

    assert [delta["tool_calls"][0]["index"] for delta in deltas if "tool_calls" in delta] == [
        0, 1, 0, 1, 0, 1,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("Hello, world!", ["Hello", ",", " world", "!"]),
        ('{"city":"Paris"}', ['{"', "city", '":"', "Paris", '"}']),
        ("a  b ", ["a", "  b", " "]),
        ("x" * 20, ["x" * 16, "x" * 4]),
        ("🌍🌍", ["🌍🌍"]),
        ("", []),
    ],
    ids=["prose", "json", "blanks", "long run", "emoji", "nothing"],
)
def test_words_are_cut_much_as_tokens_are(text: str, pieces: list[str]) -> None:
    assert words(text) == pieces


@dialects
@pytest.mark.parametrize("sizes", [[], [0], [3, -1]], ids=str)
def test_sizes_that_cut_nothing_are_refused_at_the_call(
    dialect: ModuleType, sizes: list[int]
) -> None:
    with pytest.raises(ValueError, match="sizes of pieces must be 1 or more"):
        dialect.encode(completion(answer("hi")), pieces=sizes)


@dialects
def test_pieces_that_lose_text_are_refused(dialect: ModuleType) -> None:
    with pytest.raises(ValueError, match="pieces must join to the text 'hello'"):
        list(dialect.encode(completion(answer("hello")), pieces=lambda text: [text[1:]]))


@pytest.mark.parametrize(
    ("dialect", "named"),
    [
        (openai_responses, "openai_responses"),
        (anthropic, "anthropic"),
        (cohere, "cohere"),
        (ollama, "ollama"),
        (bedrock_converse, "bedrock_converse"),
        (bedrock_invoke, "anthropic"),
    ],
    ids=lambda it: "" if isinstance(it, str) else it.__name__.rpartition(".")[2],
)
def test_a_dialect_of_one_choice_refuses_two(dialect: ModuleType, named: str) -> None:
    two = completion(answer("a"), answer("b"))

    for encode in (dialect.encode, dialect.encode_body):
        with pytest.raises(ValueError, match=f"{named} sends one choice, not 2"):
            encode(two)


@pytest.mark.parametrize(
    "encode",
    [
        pytest.param(encode, id=f"{dialect.__name__.rpartition('.')[2]} {encode.__name__}")
        for dialect in DIALECTS
        if dialect not in {openai_chat, openai_responses}
        for encode in (dialect.encode, dialect.encode_body)
    ],
)
def test_a_custom_tool_is_refused_where_there_is_none(encode: Callable[..., Any]) -> None:
    shell = ChatCompletionMessageToolCall(
        id="call_0", type="custom", custom=Custom(name="sh", input="ls")
    )
    whole = completion(answer(finish="tool_calls", tool_calls=[shell]))

    with pytest.raises(ValueError, match="no custom tools, and 'call_0' calls 'sh'"):
        encode(whole)


def test_openai_tells_the_input_of_a_custom_tool() -> None:
    shell = ChatCompletionMessageToolCall(
        id="call_0", type="custom", custom=Custom(name="sh", input="ls -l")
    )
    whole = completion(answer(finish="tool_calls", tool_calls=[shell]))
    chunks = normal(decoded_by(openai_chat.Decoder(), b"".join(openai_chat.encode(whole))))
    response = stream_chunk_builder(chunks)

    assert response is not None
    assert response.choices[0].message.tool_calls == [shell]
    assert json.loads(openai_chat.encode_body(whole))["choices"][0]["message"]["tool_calls"] == [
        {"id": "call_0", "type": "custom", "custom": {"name": "sh", "input": "ls -l"}}
    ]


@pytest.mark.parametrize(
    "encode",
    [
        pytest.param(encode, id=f"{encode.__module__.split('.')[2]} {encode.__name__}")
        for encode in (
            anthropic.encode_body,
            gemini.encode_body,
            gemini.encode,
            ollama.encode_body,
            ollama.encode,
            bedrock_converse.encode_body,
        )
    ],
)
@pytest.mark.parametrize("arguments", ["[1]", '{"a"', '{"a": NaN}', '{"a": 1e999}'])
def test_arguments_that_are_no_json_object_are_refused_where_the_format_has_objects(
    encode: Callable[[ModelResponse], Any], arguments: str
) -> None:
    with pytest.raises(ValueError, match=r"JSON|delimiter|Out of range"):
        list(encode(completion(answer(tool_calls=[call("f", arguments)]))))


def test_arguments_that_are_cut_are_sent_where_the_format_has_text() -> None:
    cut = completion(answer(tool_calls=[call("f", '{"a')]))

    assert openai_fold(openai_chat.encode(cut))["choices"][0]["calls"][0]["arguments"] == '{"a'
    assert b'"partial_json":"a"' in b"".join(anthropic.encode(cut))
    assert b'{"arguments":"a"}' in b"".join(cohere.encode(cut))
    assert b'{"input":"a"}' in b"".join(bedrock_converse.encode(cut))


@pytest.mark.parametrize(
    ("finish", "told"),
    [
        ("stop", ("end_turn", "STOP", "COMPLETE", "stop", "end_turn")),
        ("length", ("max_tokens", "MAX_TOKENS", "MAX_TOKENS", "length", "max_tokens")),
        ("tool_calls", ("tool_use", "STOP", "TOOL_CALL", "stop", "tool_use")),
        ("function_call", ("tool_use", "STOP", "TOOL_CALL", "stop", "tool_use")),
        (
            "content_filter",
            ("refusal", "SAFETY", "ERROR_TOXIC", "content_filter", "content_filtered"),
        ),
        ("pause_turn", ("pause_turn", "pause_turn", "pause_turn", "pause_turn", "pause_turn")),
    ],
)
def test_a_finish_reason_is_written_in_the_words_of_the_dialect(
    finish: str, told: tuple[str, ...]
) -> None:
    whole = completion(answer("hi", finish))
    anthropics, geminis, coheres, ollamas, converses = told

    assert openai_fold(openai_chat.encode(whole))["choices"][0]["finish"] == finish
    assert json.loads(anthropic.encode_body(whole))["stop_reason"] == anthropics
    assert json.loads(gemini.encode_body(whole))["candidates"][0]["finishReason"] == geminis
    assert json.loads(cohere.encode_body(whole))["finish_reason"] == coheres
    assert json.loads(ollama.encode_body(whole))["done_reason"] == ollamas
    assert json.loads(bedrock_converse.encode_body(whole))["stopReason"] == converses
    assert bedrock_invoke.encode_body(whole) == anthropic.encode_body(whole)


def test_an_answer_that_never_ended_has_no_finish_reason_anywhere() -> None:
    cut = completion(answer("hi", None))

    assert openai_fold(openai_chat.encode(cut))["choices"][0]["finish"] is None
    assert json.loads(anthropic.encode_body(cut))["stop_reason"] is None
    assert "finishReason" not in json.loads(gemini.encode_body(cut))["candidates"][0]
    assert b"finishReason" not in b"".join(gemini.encode(cut))
    assert json.loads(cohere.encode_body(cut))["finish_reason"] is None
    assert json.loads(ollama.encode_body(cut))["done"] is False
    assert b'"done":true' not in b"".join(ollama.encode(cut))
    assert json.loads(bedrock_converse.encode_body(cut))["stopReason"] is None


@pytest.mark.parametrize(
    "dialect",
    [it for it in DIALECTS if it is not openai_responses],  # which has no way to say so
    ids=lambda it: it.__name__.rpartition(".")[2],
)
def test_an_answer_that_never_ended_is_not_read_as_one_that_did(dialect: ModuleType) -> None:
    cut = completion(answer("hi", None))

    decoder = dialect.Decoder()
    for item in dialect.encode(cut):
        list(decoder.feed(item))
    assert not decoder.complete


def test_a_refusal_is_said_in_each_dialect() -> None:
    refused = completion(answer(refusal="I cannot."))
    candidate = json.loads(gemini.encode_body(refused))["candidates"][0]
    message = json.loads(anthropic.encode_body(refused))

    assert json.loads(openai_chat.encode_body(refused))["choices"][0]["message"]["refusal"]
    assert (message["stop_reason"], message["content"][0]["text"]) == ("refusal", "I cannot.")
    assert (candidate["finishReason"], candidate["finishMessage"]) == ("SAFETY", "I cannot.")
    coheres = json.loads(cohere.encode_body(refused))
    converses = json.loads(bedrock_converse.encode_body(refused))
    assert coheres["finish_reason"] == "ERROR_TOXIC"
    assert coheres["message"]["content"] == [{"type": "text", "text": "I cannot."}]
    assert converses["stopReason"] == "content_filtered"
    assert converses["output"]["message"]["content"] == [{"text": "I cannot."}]
    assert json.loads(ollama.encode_body(refused))["message"]["content"] == "I cannot."


def test_bodies_carry_reasoning_calls_and_usage() -> None:
    message = {
        "reasoning_content": "hm",
        "thinking_blocks": [Thinking(thinking="hm", signature="s"), RedactedThinking(data="r")],
        "tool_calls": [call("f", '{"a": 1}')],
    }
    usage = Usage(
        prompt_tokens=10,
        completion_tokens=5,
        total_tokens=15,
        prompt_tokens_details=PromptTokensDetails(cached_tokens=4),
        completion_tokens_details=CompletionTokensDetails(reasoning_tokens=2),
    )
    whole = completion(answer("hi", "tool_calls", **message), usage=usage, service_tier="default")
    openais = json.loads(openai_chat.encode_body(whole))
    anthropics = json.loads(anthropic.encode_body(whole))
    geminis = json.loads(gemini.encode_body(whole))

    assert openais["choices"][0]["message"]["reasoning_content"] == "hm"
    assert openais["usage"]["prompt_tokens_details"] == {"cached_tokens": 4}
    assert openais["service_tier"] == "default"
    assert anthropics["content"] == [
        {"type": "thinking", "thinking": "hm", "signature": "s"},
        {"type": "redacted_thinking", "data": "r"},
        {"type": "text", "text": "hi"},
        {"type": "tool_use", "id": "call_0", "name": "f", "input": {"a": 1}},
    ]
    assert anthropics["usage"] == {
        "input_tokens": 6,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 4,
        "output_tokens": 5,
        "output_tokens_details": {"thinking_tokens": 2},
    }
    assert geminis["usageMetadata"] == {
        "promptTokenCount": 10,
        "candidatesTokenCount": 3,
        "totalTokenCount": 15,
        "cachedContentTokenCount": 4,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 10}],
        "thoughtsTokenCount": 2,
    }


@pytest.mark.parametrize(
    ("dialect", "status", "kind"),
    [
        (openai_chat, 401, "invalid_request_error"),
        (openai_chat, 429, "requests"),
        (openai_chat, 418, "invalid_request_error"),
        (openai_chat, 599, "server_error"),
        (anthropic, 529, "overloaded_error"),
        (anthropic, 418, "invalid_request_error"),
        (anthropic, 599, "api_error"),
        (gemini, 503, "UNAVAILABLE"),
        (gemini, 418, "INVALID_ARGUMENT"),
        (gemini, 599, "INTERNAL"),
    ],
)
def test_an_error_has_the_shape_of_its_dialect(dialect: ModuleType, status: int, kind: str) -> None:
    (event,) = SSEDecoder().feed(dialect.encode_error(status, "nö"))
    in_stream = json.loads(event.data)["error"]
    body = json.loads(dialect.encode_error_body(status, "nö"))["error"]

    assert in_stream == body
    assert kind in body.values()
    assert body["message"] == "nö"
    assert event.event == ("error" if dialect is anthropic else "message")
    assert b"custom" in dialect.encode_error(status, "nö", kind="custom")


def test_the_walk_through_an_anthropic_stream_is_the_providers() -> None:
    whole = completion(answer("Hi there", tool_calls=[call("now")]), id="msg_1")

    assert b"".join(anthropic.encode(whole, pieces=[3])).decode() == (
        'event: message_start\ndata: {"type":"message_start","message":{"model":"m","id":"msg_1",'
        '"type":"message","role":"assistant","content":[],"stop_reason":null,"stop_sequence":null,'
        '"usage":{"input_tokens":0,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,'
        '"output_tokens":0}}}\n\n'
        'event: content_block_start\ndata: {"type":"content_block_start","index":0,'
        '"content_block":{"type":"text","text":""}}\n\n'
        'event: ping\ndata: {"type": "ping"}\n\n'
        'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,'
        '"delta":{"type":"text_delta","text":"Hi "}}\n\n'
        'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,'
        '"delta":{"type":"text_delta","text":"the"}}\n\n'
        'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,'
        '"delta":{"type":"text_delta","text":"re"}}\n\n'
        'event: content_block_stop\ndata: {"type":"content_block_stop","index":0}\n\n'
        'event: content_block_start\ndata: {"type":"content_block_start","index":1,'
        '"content_block":{"type":"tool_use","id":"call_0","name":"now","input":{}}}\n\n'
        'event: content_block_delta\ndata: {"type":"content_block_delta","index":1,'
        '"delta":{"type":"input_json_delta","partial_json":""}}\n\n'
        'event: content_block_stop\ndata: {"type":"content_block_stop","index":1}\n\n'
        'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"end_turn",'
        '"stop_sequence":null},"usage":{"input_tokens":0,"cache_creation_input_tokens":0,'
        '"cache_read_input_tokens":0,"output_tokens":0}}\n\n'
        'event: message_stop\ndata: {"type":"message_stop"}\n\n'
    )


def texts_of(corpus: Path, provider: str, dialect: str) -> Iterator[list[dict[str, Any]]]:
    """The recorded streams of *provider* that hold nothing but text, as their JSON values."""
    folder = corpus / "corpus"
    for line in (folder / "public_index.jsonl").read_text().splitlines():
        row = json.loads(line)
        origin = row["provider"], row["format"], row["framing"], row["provenance"]
        if origin != (provider, dialect, "original", "recorded"):
            continue
        if set(row["features"]) <= {"text", "usage", "ping"}:
            events = SSEDecoder().feed((folder / row["file"]).read_bytes())
            yield [json.loads(event.data) for event in events if event.data != "[DONE]"]


def openai_again(chunks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What the encoder makes of the completion that *chunks* stream, cut where they were."""
    choices = [choice for chunk in chunks for choice in chunk["choices"]]
    pieces = [it["delta"]["content"] for it in choices if it["delta"].get("content")]
    finish = [it["finish_reason"] for it in choices if it["finish_reason"]]
    usages = [chunk["usage"] for chunk in chunks if chunk.get("usage")]
    counts = [{key: it[key] for key in Usage.__struct_fields__[:3]} for it in usages]
    first = chunks[0]
    whole = completion(
        answer("".join(pieces), *finish),
        usage=Usage(**counts[-1]) if counts else None,
        **{key: first.get(key) for key in ("id", "created", "model")},
        **{key: first.get(key) for key in ("system_fingerprint", "service_tier")},
    )
    usage = any("usage" in chunk for chunk in chunks)
    sent = openai_chat.encode(
        whole, pieces=lambda text: pieces if text else [], include_usage=usage
    )
    return [json.loads(event.data) for event in decoded(sent) if event.data != "[DONE]"]


def openai_essence(chunk: dict[str, Any]) -> dict[str, Any]:
    """A chunk without random padding, log probabilities and the details of its usage."""
    essence = {key: value for key, value in chunk.items() if key != "obfuscation"}
    essence["choices"] = [
        it | {"logprobs": None, "delta": {k: v for k, v in it["delta"].items() if k != "refusal"}}
        for it in chunk["choices"]
    ]
    if chunk.get("usage"):
        essence["usage"] = chunk["usage"]["total_tokens"]
    return essence


def anthropic_again(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What the encoder makes of the message that *events* stream, cut where they were."""
    pieces = [it["delta"]["text"] for it in events if it["type"] == "content_block_delta"]
    (start,) = [it["message"] for it in events if it["type"] == "message_start"]
    (end,) = [it for it in events if it["type"] == "message_delta"]
    usage = Usage(
        prompt_tokens=start["usage"]["input_tokens"],
        completion_tokens=end["usage"]["output_tokens"],
    )
    reasons = {"end_turn": "stop", "max_tokens": "length"}
    finish = end["delta"]["stop_reason"]
    whole = completion(
        answer("".join(pieces), reasons.get(finish, finish)),
        id=start["id"],
        model=start["model"],
        usage=usage,
    )
    sent = anthropic.encode(whole, pieces=lambda text: pieces if text else [])
    return [json.loads(event.data) for event in decoded(sent)]


def anthropic_essence(event: dict[str, Any]) -> dict[str, Any]:
    """An event without the account's particulars, and with what counts of its usage."""
    if event["type"] == "message_start":
        message = event["message"]
        return {"message": message | {"usage": message["usage"]["input_tokens"], "stop_details": 0}}
    if event["type"] == "message_delta":
        return {
            "delta": event["delta"] | {"stop_details": 0},
            "usage": event["usage"]["output_tokens"],
        }
    return event


@pytest.mark.parametrize(
    ("provider", "dialect", "again", "essence"),
    [
        ("openai", "openai-chat", openai_again, openai_essence),
        ("anthropic", "anthropic", anthropic_again, anthropic_essence),
    ],
    ids=["openai", "anthropic"],
)
def test_encoders_write_event_for_event_what_the_providers_wrote(
    corpus: Path,
    provider: str,
    dialect: str,
    again: Callable[[list[dict[str, Any]]], list[dict[str, Any]]],
    essence: Callable[[dict[str, Any]], dict[str, Any]],
) -> None:
    # Pings come when the provider thinks fit, so their place says nothing. The few streams
    # that differ are of old or foreign versions of the API, with other fields.
    same = [
        [essence(it) for it in real if it.get("type") != "ping"]
        == [essence(it) for it in again(real) if it.get("type") != "ping"]
        for real in texts_of(corpus, provider, dialect)
        if provider != "openai" or real[0].get("choices")
    ]

    assert len(same) > 100
    assert sum(same) >= 0.95 * len(same)
