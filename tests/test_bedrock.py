"""Bedrock: streams in AWS frames, read and written as the service does."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import botocore.session  # type: ignore[import-untyped]
import pytest
from botocore.eventstream import EventStreamBuffer  # type: ignore[import-untyped]
from botocore.parsers import EventStreamJSONParser  # type: ignore[import-untyped]
from decoded import arguments, decoded, normal, short, streams, told
from hypothesis import given
from hypothesis import strategies as st
from pytest_cassette_stream.strategies import chunkings
from strategies_completions import completions

from cassette_stream import LoopbackServer
from cassette_stream.chunks import (
    Choices,
    Message,
    ModelResponse,
    RedactedThinking,
    Thinking,
    Usage,
)
from cassette_stream.dialects import anthropic, bedrock_converse, bedrock_invoke
from cassette_stream.dialects.aws_frames import error_frame, exception_frame, frame
from cassette_stream.dialects.call import Call
from cassette_stream.dialects.errors import status_error
from cassette_stream.exceptions import (
    APIError,
    BadRequestError,
    EmptyStreamError,
    InternalServerError,
    MalformedStreamError,
    RateLimitError,
    ServiceUnavailableError,
    StreamProtocolError,
    StreamTruncatedError,
    UnsupportedParamsError,
)
from cassette_stream.wire import EventStreamDecoder, encode_event


def event(kind: str, **fields: Any) -> bytes:
    return frame(kind, json.dumps(fields).encode())


A11 = (
    event("messageStart", role="assistant"),
    event("contentBlockDelta", contentBlockIndex=0, delta={"text": "Hel"}),
    event("contentBlockDelta", contentBlockIndex=0, delta={"text": "lo"}),
    event("contentBlockStop", contentBlockIndex=0),
    event("messageStop", stopReason="end_turn"),
    event(
        "metadata",
        usage={
            "inputTokens": 10,
            "outputTokens": 4,
            "totalTokens": 14,
            "cacheReadInputTokens": 2,
            "cacheWriteInputTokens": 1,
        },
    ),
)


def test_the_golden_transcript() -> None:
    decoder = bedrock_converse.Decoder()
    chunks = normal(decoded(decoder, b"".join(A11)))
    usage = chunks[-1].usage

    assert short(chunks) == ["R C'Hel'", "C'lo'", "F stop", "U 13/4/14"]
    assert usage is not None
    assert usage.prompt_tokens_details is not None
    assert usage.prompt_tokens_details.cached_tokens == 2
    assert usage.prompt_tokens_details.cache_write_tokens == 1
    assert decoder.terminal_seen


def test_a_stream_without_usage_is_complete_and_one_without_a_reason_is_not() -> None:
    decoder = bedrock_converse.Decoder()
    chunks = normal(decoded(decoder, b"".join(A11[:5])))

    assert short(chunks)[-1] == "F stop"
    assert (decoder.complete, decoder.terminal_seen) == (True, False)
    for cut in (b"".join(A11[:4]), b"".join(A11)[:300]):
        with pytest.raises(StreamTruncatedError):
            decoded(bedrock_converse.Decoder(), cut)


@pytest.mark.parametrize(
    ("kind", "status", "error"),
    [
        ("internalServerException", 500, InternalServerError),
        ("modelStreamErrorException", 424, InternalServerError),
        ("validationException", 400, BadRequestError),
        ("throttlingException", 429, RateLimitError),
        ("serviceUnavailableException", 503, ServiceUnavailableError),
    ],
)
def test_an_exception_in_a_stream_is_the_exception_that_it_says(
    kind: str, status: int, error: type[APIError]
) -> None:
    payload = {"message": "no", "originalStatusCode": 418}
    body = A11[0] + A11[1] + exception_frame(kind, json.dumps(payload).encode())
    with pytest.raises(APIError) as caught:
        decoded(bedrock_converse.Decoder(), body)

    assert type(caught.value) is error
    assert (caught.value.status_code, caught.value.message) == (status, "no")
    assert (caught.value.type, caught.value.body) == (kind, payload)


def test_a_corrupted_frame_is_a_malformed_stream() -> None:
    body = bytearray(b"".join(A11))
    body[len(A11[0]) + 40] ^= 1
    with pytest.raises(MalformedStreamError, match="checksum"):
        decoded(bedrock_converse.Decoder(), bytes(body))


def test_every_public_stream_says_what_a_plain_fold_of_its_frames_does(corpus: Path) -> None:
    count = 0
    for name, body in streams(corpus, "bedrock-converse"):
        texts, thoughts, calls, reason, counts = "", "", dict[int, list[str]](), None, {}
        for message in EventStreamDecoder().feed(body):
            value = json.loads(message.payload)
            delta = value.get("delta", {})
            texts += delta.get("text", "")
            thoughts += delta.get("reasoningContent", {}).get("text", "")
            if "start" in value:
                tool = value["start"]["toolUse"]
                calls[value["contentBlockIndex"]] = [tool["toolUseId"], tool["name"], ""]
            if "toolUse" in delta:
                calls[value["contentBlockIndex"]][2] += delta["toolUse"]["input"]
            reason = value.get("stopReason", reason)
            counts = value.get("usage", counts)
        decoder = bedrock_converse.Decoder()
        answers, usage = told(decoded(decoder, body))
        answer = answers[0]
        count += 1

        assert (answer.text, answer.reasoning, answer.reason) == (texts, thoughts, reason), name
        assert [[*it[:2], it[2]] for _, it in sorted(answer.calls.items())] == [
            [id_, tool, text or "{}"] for _, (id_, tool, text) in sorted(calls.items())
        ], name
        assert usage is not None, name
        assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (
            counts["inputTokens"],
            counts["outputTokens"],
            counts["totalTokens"],
        ), name
        assert decoder.terminal_seen, name
    assert count == 32


def test_every_public_stream_of_anthropic_is_read_and_others_are_refused(corpus: Path) -> None:
    read, refused = 0, 0
    for name, body in streams(corpus, "bedrock-invoke"):
        found = list(EventStreamDecoder().feed(body))
        events = [
            json.loads(base64.b64decode(json.loads(it.payload)["bytes"]))
            for it in found
            if it.headers.get(":event-type") == "chunk"
        ]
        if "type" not in events[0]:
            refused += 1
            with pytest.raises(MalformedStreamError, match="no event of Anthropic's"):
                decoded(bedrock_invoke.Decoder(), body)
            continue
        sse = b"".join(encode_event(json.dumps(it), event=it["type"]) for it in events)
        chunks = decoded(bedrock_invoke.Decoder(), body)
        metrics = events[-1]["amazon-bedrock-invocationMetrics"]
        read += 1

        assert chunks[:-1] == decoded(anthropic.Decoder(), sse), name
        assert chunks[-1].provider_specific_fields == {"amazon-bedrock-invocationMetrics": metrics}
    assert read == 24
    assert refused == 28


@pytest.mark.parametrize(
    "payload", [b"{}", b"[]", b'{"bytes":"?"}', b'{"bytes":"/w=="}', b'{"bytes":7}']
)
def test_a_chunk_without_readable_bytes_is_malformed(payload: bytes) -> None:
    with pytest.raises(MalformedStreamError):
        decoded(bedrock_invoke.Decoder(), frame("chunk", payload))


@pytest.mark.parametrize("dialect", [bedrock_converse, bedrock_invoke], ids=["converse", "invoke"])
@given(completion=completions(), data=st.data())
def test_what_is_encoded_is_decoded_however_it_is_cut(
    dialect: Any, completion: ModelResponse, data: st.DataObject
) -> None:
    body = b"".join(dialect.encode(completion))
    decoder = dialect.Decoder()
    pieces = data.draw(chunkings(body))
    chunks = [chunk for piece in pieces for chunk in decoder.feed(piece)]
    chunks += decoder.finish()
    answers, usage = told(chunks)
    answer, message = answers[0], completion.choices[0].message
    whole, _ = told(dialect.whole_body(dialect.encode_body(completion)))
    billed = completion.usage or Usage()

    assert chunks == decoded(dialect.Decoder(), body)
    assert answer.text == (message.refusal or "") + (message.content or "")
    assert answer.reasoning == (message.reasoning_content or "")
    assert [it for _, it in sorted(answer.calls.items())] == [
        [call.id, call.function.name, call.function.arguments] for call in message.tool_calls or ()
    ]
    assert (whole[0].text, whole[0].reasoning, arguments(whole[0]), whole[0].reason) == (
        answer.text,
        answer.reasoning,
        arguments(answer),
        answer.reason,
    )
    assert usage is not None
    assert (usage.prompt_tokens, usage.completion_tokens) == (
        billed.prompt_tokens,
        billed.completion_tokens,
    )
    assert decoder.terminal_seen


SPOKEN: list[dict[str, Any]] = [
    {"role": "system", "content": "be brief"},
    {"role": "user", "content": [
        {"type": "text", "text": "look", "cache_control": {"type": "ephemeral"}},
        {"type": "image_url", "image_url": {"url": "data:image/jpg;base64,AAAA"}},
    ]},
    {"role": "assistant", "content": None, "tool_calls": [
        {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}
    ]},
    {"role": "tool", "tool_call_id": "c1", "content": "done"},
    {"role": "user", "content": "and?"},
]  # fmt: skip


def test_a_conversation_is_asked_as_converse_has_it() -> None:
    function = {"name": "f", "parameters": {"type": "object"}}
    params = {
        "max_tokens": 9,
        "stop": "x",
        "tools": [{"type": "function", "function": function}],
        "tool_choice": "required",
        "reasoning_effort": "low",
    }
    call = Call(model="anthropic.x-v1:0", messages=SPOKEN, stream=True, params=params)
    sent = bedrock_converse.request(call)

    assert sent.path == "/model/anthropic.x-v1%3A0/converse-stream"
    assert sent.headers["accept"] == "application/vnd.amazon.eventstream"
    assert json.loads(sent.body) == {
        "messages": [
            {"role": "user", "content": [
                {"text": "look"},
                {"cachePoint": {"type": "default"}},
                {"image": {"format": "jpeg", "source": {"bytes": "AAAA"}}},
            ]},
            {"role": "assistant", "content": [
                {"toolUse": {"toolUseId": "c1", "name": "f", "input": {"a": 1}}}
            ]},
            {"role": "user", "content": [
                {"toolResult": {"toolUseId": "c1", "content": [{"text": "done"}]}},
                {"text": "and?"},
            ]},
        ],
        "system": [{"text": "be brief"}],
        "inferenceConfig": {"maxTokens": 9, "stopSequences": ["x"]},
        "toolConfig": {
            "tools": [{"toolSpec": {"name": "f", "inputSchema": {"json": {"type": "object"}}}}],
            "toolChoice": {"any": {}},
        },
        "additionalModelRequestFields": {"thinking": {"type": "enabled", "budget_tokens": 1024}},
    }  # fmt: skip
    tools = {"tools": params["tools"], "tool_choice": "none"}
    with pytest.raises(UnsupportedParamsError, match="tool_choice"):
        bedrock_converse.request(Call(model="m", messages=SPOKEN, params=tools))


def test_a_message_is_asked_of_invoke_as_of_anthropic_but_for_its_place() -> None:
    call = Call(model="anthropic.x-v1:0", messages=SPOKEN[:2])
    sent, plain = bedrock_invoke.request(call), anthropic.request(call)
    body = json.loads(plain.body)
    del body["model"]

    assert sent.path == "/model/anthropic.x-v1%3A0/invoke"
    assert json.loads(sent.body) == {"anthropic_version": "bedrock-2023-05-31", **body}


def parsed_by_botocore(operation: str, body: bytes, member: str) -> list[dict[str, Any]]:
    """What botocore reads in the *body* of a stream."""
    model = botocore.session.Session().get_service_model("bedrock-runtime")
    shape = model.operation_model(operation).output_shape.members[member]
    parser = EventStreamJSONParser()
    return [parser.parse(message.to_response_dict(), shape) for message in _messages(body)]


def _messages(body: bytes) -> Any:
    buffer = EventStreamBuffer()
    buffer.add_data(body)
    return buffer


@given(completion=completions())
def test_botocore_reads_what_is_encoded(completion: ModelResponse) -> None:
    message = completion.choices[0].message
    for thought in message.thinking_blocks or ():
        if isinstance(thought, RedactedThinking):  # a blob, which is base64 where it came from
            thought.data = base64.b64encode(thought.data.encode()).decode()
    text = (message.refusal or "") + (message.content or "")
    converse = b"".join(bedrock_converse.encode(completion))
    events = parsed_by_botocore("ConverseStream", converse, "stream")
    deltas = [it["contentBlockDelta"]["delta"] for it in events if "contentBlockDelta" in it]
    invoke = b"".join(bedrock_invoke.encode(completion))
    chunks = parsed_by_botocore("InvokeModelWithResponseStream", invoke, "body")
    native = [json.loads(it["chunk"]["bytes"]) for it in chunks]

    assert "".join(delta.get("text", "") for delta in deltas) == text
    assert "metadata" in events[-1]
    assert "".join(it.get("delta", {}).get("text", "") for it in native) == text
    assert native[-1]["type"] == "message_stop"


def bedrock_client(url: str) -> Any:
    session = botocore.session.Session()
    return session.create_client(
        "bedrock-runtime",
        region_name="us-east-1",
        endpoint_url=url,
        aws_access_key_id="fake",
        aws_secret_access_key="fake",
    )


def test_botocore_hears_the_same_of_all_four_endpoints_of_the_loopback_server() -> None:
    asked = {
        "modelId": "anthropic.claude-x-v1:0",
        "messages": [{"role": "user", "content": [{"text": "Count from 1 to 3"}]}],
    }
    message = {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 50, "messages": [
        {"role": "user", "content": "Count from 1 to 3"}
    ]}  # fmt: skip
    told_ = {"modelId": asked["modelId"], "body": json.dumps(message)}
    with LoopbackServer() as server:
        server.answer("one two three")
        client = bedrock_client(server.url)
        events = list(client.converse_stream(**asked)["stream"])
        whole = client.converse(**asked)
        chunks = list(client.invoke_model_with_response_stream(**told_)["body"])
        body = json.loads(client.invoke_model(**told_)["body"].read())
        with pytest.raises(client.exceptions.ClientError) as refused:
            client.invoke_model(modelId="m", body="{")
        client.close()
    deltas = [it["contentBlockDelta"]["delta"] for it in events if "contentBlockDelta" in it]
    native = [json.loads(it["chunk"]["bytes"]) for it in chunks]

    assert "".join(delta["text"] for delta in deltas) == "one two three"
    assert events[-2]["messageStop"]["stopReason"] == "end_turn"
    assert whole["output"]["message"]["content"] == [{"text": "one two three"}]
    assert "".join(it.get("delta", {}).get("text", "") for it in native) == "one two three"
    assert body["content"] == [{"type": "text", "text": "one two three"}]
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400


@pytest.mark.parametrize(
    ("delta", "said"),
    [
        ({"reasoningContent": {"text": "hm"}}, ["R T'hm'"]),
        ({"reasoningContent": {"signature": "S"}}, ["R index 0 signature 'S' thinking '' type 'thinking'"]),
        ({"reasoningContent": {"redactedContent": "UlI="}}, ["R data 'UlI=' index 0 type 'redacted_thinking'"]),
        ({"citation": {"title": "t"}}, ["R citation"]),
        ({"image": {"source": {}}}, ["R deltas"]),
        ({"text": ""}, []),
    ],
    ids=["thought", "signature", "redacted", "citation", "another kind", "nothing"],
)  # fmt: skip
def test_each_kind_of_delta_has_its_place(delta: dict[str, Any], said: list[str]) -> None:
    body = event("contentBlockDelta", contentBlockIndex=0, delta=delta) + A11[4]

    assert short(normal(decoded(bedrock_converse.Decoder(), body)))[: len(said)] == said


def test_calls_are_counted_by_their_order_and_an_empty_one_has_an_empty_object() -> None:
    def start(index: int, name: str) -> bytes:
        tool = {"toolUseId": f"id{index}", "name": name}
        return event("contentBlockStart", contentBlockIndex=index, start={"toolUse": tool})

    given_ = {"toolUse": {"input": '{"a":1}'}}
    body = b"".join((
        *A11[:4],
        start(3, "f"),
        event("contentBlockDelta", contentBlockIndex=3, delta=given_),
        event("contentBlockStop", contentBlockIndex=3),
        event("ofTomorrow", what=1),
        start(27, "g"),
        event("contentBlockStop", contentBlockIndex=27),
        event("messageStop", stopReason="tool_use", additionalModelResponseFields={"x": 1}),
    ))  # fmt: skip
    answers, _ = told(decoded(bedrock_converse.Decoder(), body))

    assert answers[0].calls == {0: ["id3", "f", '{"a":1}'], 1: ["id27", "g", "{}"]}


@pytest.mark.parametrize(
    "broken",
    [
        event("contentBlockDelta", contentBlockIndex=9, delta={"toolUse": {"input": "{"}}),
        event("contentBlockDelta", delta={"text": "x"}),
        event("messageStart", role="assistant"),
        event("contentBlockStart", contentBlockIndex=0, start={}),
    ],
    ids=["a call that is not open", "no index", "a second beginning", "a block twice"],
)
def test_events_out_of_place_are_an_error(broken: bytes) -> None:
    with pytest.raises(StreamProtocolError):
        decoded(bedrock_converse.Decoder(), A11[0] + A11[1] + broken)

    decoder = bedrock_converse.Decoder(strict=False)
    answers, _ = told(decoded(decoder, A11[0] + A11[1] + broken + b"".join(A11[2:])))
    assert answers[0].text == "Hello"
    assert len(decoder.warnings) == 1


def test_an_error_frame_and_errors_of_http_are_told() -> None:
    for dialect in (bedrock_converse, bedrock_invoke):
        with pytest.raises(InternalServerError, match="oh") as caught:
            decoded(dialect.Decoder(), error_frame("InternalFailure", "oh"))
        assert caught.value.type == "InternalFailure"
        with pytest.raises(APIError, match="nope"):
            dialect.whole_body(b'{"message":"nope"}')
    headers = {"x-amzn-ErrorType": "ThrottlingException:http://internal.amazon.com/"}
    error = status_error(429, body=b'{"Message":"slow"}', headers=headers)

    assert (type(error), error.message, error.type) == (
        RateLimitError,
        "slow",
        "ThrottlingException",
    )


def test_a_body_is_a_stream_by_its_first_byte() -> None:
    for dialect in (bedrock_converse, bedrock_invoke):
        assert dialect.Decoder.is_stream(A11[0])
        assert not dialect.Decoder.is_stream(b"{")


def sent_with(message: dict[str, Any] | None = None, **params: Any) -> dict[str, Any]:
    spoken = [message or {"role": "user", "content": "hi"}]
    call = Call(model=params.pop("model", "anthropic.x"), messages=spoken, params=params)
    body: dict[str, Any] = json.loads(bedrock_converse.request(call).body)
    return body


@pytest.mark.parametrize(
    ("params", "name", "value"),
    [
        ({"top_k": 3}, "additionalModelRequestFields", {"top_k": 3}),
        ({"service_tier": "flex"}, "serviceTier", {"type": "flex"}),
        ({"reasoning_effort": "none"}, "additionalModelRequestFields", {"thinking": {"type": "disabled"}}),
        ({"model": "openai.gpt-oss", "reasoning_effort": "low"}, "additionalModelRequestFields", {"reasoning_effort": "low"}),
        ({"thinking": {"type": "adaptive"}, "reasoning_effort": "low"}, "additionalModelRequestFields", {"thinking": {"type": "adaptive"}}),
        ({"tool_choice": {"function": {"name": "f"}}}, "toolConfig", {"toolChoice": {"tool": {"name": "f"}}}),
        ({"tools": [{"cachePoint": {"type": "default"}}]}, "toolConfig", {"tools": [{"cachePoint": {"type": "default"}}]}),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {"a": 1}}}},
            "outputConfig",
            {"textFormat": {"type": "json_schema", "structure": {"jsonSchema": {"schema": '{"a":1}', "name": "n"}}}},
        ),
    ],
    ids=["top k", "tier", "no effort", "effort of others", "thinking", "a tool", "own tool", "schema"],
)  # fmt: skip
def test_parameters_go_where_converse_has_them(
    params: dict[str, Any], name: str, value: dict[str, Any]
) -> None:
    assert sent_with(**params)[name] == value


@pytest.mark.parametrize(
    ("part", "block"),
    [
        ({"type": "image_url", "image_url": {"url": "s3://b/a.png"}}, {"image": {"format": "png", "source": {"s3Location": {"uri": "s3://b/a.png"}}}}),
        ({"type": "file", "file": {"file_data": "data:application/pdf;base64,AA==", "filename": "a_b.pdf"}}, {"document": {"format": "pdf", "name": "a b", "source": {"bytes": "AA=="}}}),
        ({"type": "refusal", "refusal": "no"}, {"text": "no"}),
        ({"video": {"format": "mp4"}}, {"video": {"format": "mp4"}}),
    ],
    ids=["stored image", "document", "refusal", "own"],
)  # fmt: skip
def test_parts_become_blocks(part: dict[str, Any], block: dict[str, Any]) -> None:
    assert sent_with({"role": "user", "content": [part]})["messages"][0]["content"] == [block]


@pytest.mark.parametrize(
    "message",
    [
        {
            "role": "user",
            "content": [{"type": "image_url", "image_url": {"url": "http://x/a.png"}}],
        },
        {"role": "user", "content": [{"type": "input_audio"}]},
        {"role": "critic", "content": "hm"},
    ],
    ids=["an address", "audio", "a role"],
)
def test_what_converse_does_not_take_is_refused(message: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="bedrock_converse"):
        sent_with(message)


def test_what_an_assistant_thought_and_refused_goes_back_where_it_is_signed() -> None:
    thoughts = [
        {"type": "thinking", "thinking": "hm", "signature": "S"},
        {"type": "thinking", "thinking": "unsigned"},
        {"type": "redacted_thinking", "data": "UlI="},
    ]
    sent = sent_with({"role": "assistant", "thinking_blocks": thoughts, "refusal": "no"})
    [turn] = sent["messages"]

    assert turn["content"] == [
        {"reasoningContent": {"reasoningText": {"text": "hm", "signature": "S"}}},
        {"reasoningContent": {"redactedContent": "UlI="}},
        {"text": "no"},
    ]


def test_a_stored_document_is_named_by_its_ending() -> None:
    file = {"type": "file", "file": {"file_data": "s3://b/notes.MD"}}
    [turn] = sent_with({"role": "user", "content": [file]})["messages"]

    assert turn["content"] == [
        {"document": {
            "format": "md", "name": "document", "source": {"s3Location": {"uri": "s3://b/notes.MD"}}
        }}
    ]  # fmt: skip


def test_a_turn_that_says_nothing_is_left_out_and_two_of_one_role_are_joined() -> None:
    spoken = [
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": None},
        {"role": "user", "content": "b"},
    ]
    sent = json.loads(bedrock_converse.request(Call(model="m", messages=spoken)).body)

    assert sent["messages"] == [{"role": "user", "content": [{"text": "a"}, {"text": "b"}]}]


def test_a_tool_goes_with_its_schema_and_is_cached_where_it_says_so() -> None:
    tool = {
        "type": "function",
        "function": {"name": "f", "description": "", "strict": True},
        "cache_control": {"type": "ephemeral", "ttl": "1h"},
    }
    schema = {"json": {"type": "object", "properties": {}}}

    assert sent_with(tools=[tool])["toolConfig"]["tools"] == [
        {"toolSpec": {"name": "f", "inputSchema": schema, "strict": True}},
        {"cachePoint": {"type": "default", "ttl": "1h"}},
    ]


@pytest.mark.parametrize(
    "params",
    [
        {"stream_options": {"include_usage": True}},
        {"tool_choice": "none"},
        {"response_format": {"type": "text"}},
        {"n": 1},
    ],
    ids=lambda it: next(iter(it)),
)
def test_what_is_so_anyhow_is_not_asked_for(params: dict[str, Any]) -> None:
    assert sent_with(**params).keys() == {"messages"}


def test_a_choice_of_the_providers_own_goes_as_it_is_and_the_newer_limit_wins() -> None:
    sent = sent_with(tool_choice={"any": {}}, max_tokens=1, max_completion_tokens=2)

    assert sent["toolConfig"] == {"toolChoice": {"any": {}}}
    assert sent["inferenceConfig"] == {"maxTokens": 2}


@pytest.mark.parametrize(
    "params",
    [{"tool_choice": "maybe"}, {"reasoning_effort": "much"}],
    ids=lambda it: next(iter(it)),
)
def test_a_word_that_means_nothing_is_refused(params: dict[str, Any]) -> None:
    (given_,) = params.values()
    with pytest.raises(ValueError, match=f"not '{given_}'"):
        sent_with(**params)


TOOLS = [{"type": "function", "function": {"name": "f"}}]


@pytest.mark.parametrize(
    ("params", "left"),
    [
        ({"response_format": {"type": "json_object"}}, {"messages"}),
        ({"n": 2}, {"messages"}),
        ({"logit_bias": {}}, {"messages"}),
        ({"tools": TOOLS, "tool_choice": "none"}, {"messages", "toolConfig"}),
    ],
    ids=["format", "choices", "bias", "no tools"],
)
def test_what_there_is_not_is_refused_or_dropped(params: dict[str, Any], left: set[str]) -> None:
    with pytest.raises(UnsupportedParamsError, match="bedrock_converse"):
        sent_with(**params)

    spoken = [{"role": "user", "content": "hi"}]
    call = Call(model="m", messages=spoken, params=params, drop_params=True)
    assert json.loads(bedrock_converse.request(call).body).keys() == left


TOOL_USE = {"toolUse": {"toolUseId": "c1", "name": "f"}}
MISSING = {
    "in a block": (A11[0] + A11[1], "within content block 0"),
    "in a call": (
        A11[0] + event("contentBlockStart", contentBlockIndex=2, start=TOOL_USE),
        "within content block 2",
    ),
    "behind the blocks": (b"".join(A11[:4]), "without a stop reason"),
    "a stop without a reason": (
        b"".join(A11[:4]) + event("messageStop") + A11[5],
        "without a stop",
    ),
    "in a frame": (A11[0] + A11[1][:-1], "inside an event"),
}


@pytest.mark.parametrize(("body", "where"), MISSING.values(), ids=MISSING)
def test_a_stream_that_is_cut_says_where(body: bytes, where: str) -> None:
    with pytest.raises(StreamTruncatedError, match=where):
        decoded(bedrock_converse.Decoder(), body)


def test_a_call_that_nobody_closed_ends_with_the_message() -> None:
    start = event("contentBlockStart", contentBlockIndex=1, start=TOOL_USE)
    stop = event("messageStop", stopReason="tool_use")
    answers, _ = told(decoded(bedrock_converse.Decoder(), A11[0] + start + stop))

    assert answers[0].calls == {0: ["c1", "f", "{}"]}
    assert answers[0].reason == "tool_use"


def test_a_stop_for_a_failure_is_an_exception() -> None:
    with pytest.raises(InternalServerError, match="broke off"):
        decoded(bedrock_converse.Decoder(), A11[0] + event("messageStop", stopReason="error"))


def test_a_block_of_another_kind_and_a_fragment_of_nothing_are_no_loss() -> None:
    start = event("contentBlockStart", contentBlockIndex=0, start={"image": {"format": "png"}})
    call = event("contentBlockStart", contentBlockIndex=1, start=TOOL_USE)
    empty = event("contentBlockDelta", contentBlockIndex=1, delta={"toolUse": {"input": ""}})
    tier = event("metadata", serviceTier={"type": "flex"}, metrics={"latencyMs": 3})
    body = A11[0] + start + call + empty + A11[4] + tier
    chunks = decoded(bedrock_converse.Decoder(), body)
    answers, usage = told(chunks)

    assert answers[0].native == {"content_blocks": [[{"image": {"format": "png"}}]]}
    assert answers[0].calls == {0: ["c1", "f", "{}"]}
    assert usage is None
    assert chunks[-1].service_tier == "flex"
    assert chunks[-1].provider_specific_fields == {"metrics": {"latencyMs": 3}}


def whole(*blocks: Any, reason: str | None = "end_turn") -> bytes:
    message = {"role": "assistant", "content": list(blocks)}
    return json.dumps({"output": {"message": message}, "stopReason": reason}).encode()


def test_a_whole_answer_has_its_citations_and_blocks_of_other_kinds() -> None:
    cited = {"content": [{"text": "so"}], "citations": [{"title": "t"}]}
    body = whole({"citationsContent": cited}, {"image": {"format": "png"}})
    answers, _ = told(bedrock_converse.whole_body(body))

    assert answers[0].text == "so"
    assert answers[0].native == {
        "citation": [{"title": "t"}],
        "content_blocks": [[{"image": {"format": "png"}}]],
    }


WHOLE: dict[str, tuple[bytes, type[APIError]]] = {
    "blank": (b" ", EmptyStreamError),
    "nothing": (b"{}", EmptyStreamError),
    "a page": (b"<p>", MalformedStreamError),
    "an error": (b'{"message":"no"}', APIError),
    "no reason": (whole({"text": "a"}, reason=None), StreamTruncatedError),
    "a block that is a text": (whole("a"), MalformedStreamError),
    "a block that is a number": (whole({"text": "a"}, 7), MalformedStreamError),
    "a thought that is a text": (whole({"reasoningContent": "hm"}), MalformedStreamError),
    "a thought in a list": (
        whole({"reasoningContent": {"reasoningText": ["hm"]}}),
        MalformedStreamError,
    ),
}


@pytest.mark.parametrize(("body", "kind"), WHOLE.values(), ids=WHOLE)
def test_a_whole_body_that_is_no_message_says_so(body: bytes, kind: type[APIError]) -> None:
    with pytest.raises(APIError) as raised:
        bedrock_converse.whole_body(body)

    assert type(raised.value) is kind


def test_an_exception_has_the_type_of_its_status_or_the_one_that_is_given() -> None:
    for encoded, type_ in (
        (bedrock_converse.encode_error(403, "no"), "accessDeniedException"),
        (bedrock_converse.encode_error(418, "no"), "validationException"),
        (bedrock_converse.encode_error(599, "no"), "internalServerException"),
        (bedrock_converse.encode_error(400, "no", kind="tomorrowException"), "tomorrowException"),
    ):
        [found] = EventStreamDecoder().feed(encoded)
        assert found.headers[":message-type"] == "exception"
        assert found.headers[":exception-type"] == type_
        assert found.payload == b'{"message":"no"}'


def test_a_thought_without_a_signature_and_an_answer_without_an_end_are_sent_so() -> None:
    message = Message(thinking_blocks=[Thinking(thinking="hm")], content="a")
    completion = ModelResponse(
        id="1", created=1, model="m", choices=[Choices(message=message, finish_reason=None)]
    )
    found = EventStreamDecoder().feed(b"".join(bedrock_converse.encode(completion)))
    events = [json.loads(it.payload) for it in found]
    body = json.loads(bedrock_converse.encode_body(completion))

    assert {"stopReason": None} in events
    assert b"signature" not in bedrock_converse.encode_body(completion)
    assert body["output"]["message"]["content"][0] == {
        "reasoningContent": {"reasoningText": {"text": "hm"}}
    }


def test_payloads_that_somebody_kept_say_in_frames_what_they_said(corpus: Path) -> None:
    count = 0
    for name, body in streams(corpus, "bedrock-converse-json"):
        events = [next(iter(json.loads(line).items())) for line in body.splitlines() if line]
        deltas = [value["delta"] for kind, value in events if kind == "contentBlockDelta"]
        tools = [value["start"]["toolUse"] for kind, value in events if kind == "contentBlockStart"]
        framed = b"".join(frame(kind, json.dumps(value).encode()) for kind, value in events)
        answers, _ = told(decoded(bedrock_converse.Decoder(), framed))
        answer, count = answers[0], count + 1

        assert answer.text == "".join(it.get("text", "") for it in deltas), name
        assert answer.reasoning == "".join(
            it.get("reasoningContent", {}).get("text", "") for it in deltas
        ), name
        assert [call[:2] for call in answer.calls.values()] == [
            [it["toolUseId"], it["name"]] for it in tools
        ], name
        assert "".join(call[2] for call in answer.calls.values()) == "".join(
            it.get("toolUse", {}).get("input", "") for it in deltas
        ), name
        # Lines are nothing that the service sends.
        with pytest.raises(MalformedStreamError):
            bedrock_converse.whole_body(body)
    assert count == 5
