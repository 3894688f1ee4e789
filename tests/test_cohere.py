"""Cohere's v2 chat: what the encoder sends is read back, and every event means what it says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from decoded import arguments, decoded, event_data, everything, normal, short, streams, told
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies_completions import completions, cuts
from support import SOAK

from cassette_stream import LoopbackServer
from cassette_stream.chunks import Choices, Message, ModelResponse, stream_chunk_builder
from cassette_stream.client import completion
from cassette_stream.client.providers import resolve
from cassette_stream.dialects import cohere
from cassette_stream.dialects.call import Call
from cassette_stream.dialects.errors import status_error
from cassette_stream.exceptions import (
    APIError,
    AuthenticationError,
    ContextWindowExceededError,
    EmptyStreamError,
    InternalServerError,
    MalformedStreamError,
    StreamProtocolError,
    StreamTruncatedError,
    Timeout,
    UnsupportedParamsError,
)

many = settings(max_examples=300 if SOAK else 30, deadline=None)


def said(response: ModelResponse) -> tuple[Any, ...]:
    """What an answer says; a refusal is text at Cohere, and a reason to stop."""
    (choice,) = response.choices
    message = choice.message
    calls = [(it.id, it.function.name, it.function.arguments) for it in message.tool_calls or ()]
    finish = "content_filter" if message.refusal else choice.finish_reason
    text = (message.refusal or "") + (message.content or "")
    usage = response.usage
    counts = usage and (usage.prompt_tokens, usage.completion_tokens)
    return response.id, text, message.reasoning_content or "", calls, finish, counts


def built(chunks: Any) -> ModelResponse:
    response = stream_chunk_builder(normal(chunks))
    assert response is not None
    return response


@many
@given(whole=completions(), pieces=cuts(), interleave=st.booleans())
def test_what_is_sent_is_read_back(whole: ModelResponse, pieces: Any, interleave: bool) -> None:
    body = b"".join(cohere.encode(whole, pieces=pieces, interleave=interleave))
    streamed = built(decoded(cohere.Decoder(), body))

    assert said(streamed) == said(whole)
    assert said(built(cohere.whole_body(cohere.encode_body(whole)))) == said(whole)


@many
@given(whole=completions(), pieces=cuts(), data=st.data())
def test_where_the_network_cuts_and_which_way_is_taken_changes_nothing(
    whole: ModelResponse, pieces: Any, data: st.DataObject
) -> None:
    body = b"".join(cohere.encode(whole, pieces=pieces, interleave=True))
    places = sorted(data.draw(st.sets(st.integers(0, len(body)), max_size=6)))
    cut = [body[a:b] for a, b in zip([0, *places], [*places, len(body)], strict=True)]
    # A null that says nothing takes every event the thorough way.
    slow = body.replace(b'"type":"content-delta"', b'"type":"content-delta","new":null')
    slow = slow.replace(b'"type":"tool-call-delta"', b'"type":"tool-call-delta","new":null')
    outcome = everything(cohere.Decoder(), [body])

    assert outcome[1] == "complete"
    assert everything(cohere.Decoder(), cut) == outcome
    assert everything(cohere.Decoder(), [slow]) == outcome


def event(kind: str, index: int | None = None, end: Any = None, **parts: Any) -> bytes:
    value: dict[str, Any] = {"type": kind} | ({} if index is None else {"index": index})
    delta = end if end is not None else {"message": parts} if parts else None
    value |= {} if delta is None else {"delta": delta}
    return f"event: {kind}\ndata: {json.dumps(value)}\n\n".encode()


def called(index: int, name: str, *pieces: str) -> bytes:
    call = {"id": f"{name}_1", "type": "function", "function": {"name": name, "arguments": ""}}
    deltas = [
        event("tool-call-delta", index, tool_calls={"function": {"arguments": it}}) for it in pieces
    ]
    start = event("tool-call-start", index, tool_calls=call)
    return b"".join([start, *deltas, event("tool-call-end", index)])


START = b'data: {"id":"c-1","type":"message-start","delta":{"message":{"role":"assistant"}}}\n\n'
OPEN = event("content-start", 0, content={"type": "text", "text": ""})
HEL = event("content-delta", 0, content={"text": "Hel"})
LO = event("content-delta", 0, content={"text": "lo"})
CLOSE = event("content-end", 0)
USAGE = {
    "billed_units": {"input_tokens": 3, "output_tokens": 5},
    "tokens": {"input_tokens": 71, "output_tokens": 6},
}
END = event("message-end", end={"finish_reason": "COMPLETE", "usage": USAGE})
SOURCE = {"type": "document", "id": "d", "document": {"title": "T", "url": "https://a.example"}}
CITATION = {"start": 0, "end": 3, "text": "Hel", "sources": [SOURCE], "type": "TEXT_CONTENT"}
CITED = event("citation-start", 0, citations=CITATION) + event("citation-end", 0)
CUT = event("message-end", end={"finish_reason": "MAX_TOKENS", "usage": USAGE})
THINK = event("content-start", 0, content={"type": "thinking", "thinking": ""})
PLAN = event("tool-plan-delta", tool_plan="I ") + event("tool-plan-delta", tool_plan="will")

READ = {
    "A.9": (
        START + OPEN + HEL + LO + CITED + CLOSE + CUT,
        ["R C'Hel'", "C'lo'", "citation", "F length", "U 71/6/77"],
    ),
    "thoughts": (
        THINK + event("content-delta", 0, content={"thinking": "hm"}) + CLOSE + END,
        ["R T'hm'", "F stop", "U 71/6/77"],
    ),
    "a plan and two calls, one without arguments": (
        PLAN + called(0, "f", '{"a"', ":1}") + called(1, "g") + END,
        [
            "R T'I ' tool_plan",
            "T'will' tool_plan",
            "K[0] f_1 f ''",
            "K[0] '{\"a\"'",
            "K[0] ':1}'",
            "K[1] g_1 g ''",
            "K[1] '{}'",
            "F tool_calls",
            "U 71/6/77",
        ],
    ),
    "billed units alone": (
        event(
            "message-end",
            end={"finish_reason": "X", "usage": {"billed_units": {"input_tokens": 3.0}}},
        ),
        ["R", "F X", "U 3/0/3"],
    ),
    "debug, and a kind to come": (
        event("debug") + event("new-thing") + OPEN + HEL + END,
        ["R C'Hel'", "F stop", "U 71/6/77"],
    ),
}


@pytest.mark.parametrize(("body", "words"), READ.values(), ids=READ)
def test_a_stream_has_its_normal_form(body: bytes, words: list[str]) -> None:
    assert short(normal(decoded(cohere.Decoder(), body))) == words


def test_citations_and_the_plan_are_whole_in_the_message() -> None:
    body = START + OPEN + HEL + LO + CITED + CLOSE + PLAN + called(0, "f") + END
    response = built(decoded(cohere.Decoder(), body))
    again = built(decoded(cohere.Decoder(), b"".join(cohere.encode(response))))
    (note,) = response.choices[0].message.annotations or ()

    assert response.choices[0].message.provider_specific_fields == {
        "citations": [CITATION],
        "tool_plan": "I will",
    }
    assert note["url_citation"] == {
        "start_index": 0,
        "end_index": 3,
        "url": "https://a.example",
        "title": "T",
    }
    assert again.choices[0].message == response.choices[0].message


BROKEN = {
    "empty": (b"", EmptyStreamError),
    "cut": (START + OPEN + HEL, StreamTruncatedError),
    "no reason": (START + event("message-end", end={}), StreamTruncatedError),
    "a delta of nothing": (START + HEL, StreamProtocolError),
    "began twice": (START + OPEN + OPEN, StreamProtocolError),
    "an end of nothing": (START + CLOSE, StreamProtocolError),
    "text among thoughts": (THINK + HEL, StreamProtocolError),
    "the message twice": (START + OPEN + START, StreamProtocolError),
    "a fragment of no call": (
        event("tool-call-delta", 0, tool_calls={"function": {"arguments": "{"}}),
        StreamProtocolError,
    ),
    "cut in a call": (called(0, "f")[:-120], StreamTruncatedError),
    "a call twice": (called(0, "f")[:-60] + called(0, "g"), StreamProtocolError),
    "the end of no call": (event("tool-call-end", 0), StreamProtocolError),
    "an error event": (b'event: error\ndata: {"type":"error","message":"nope"}\n\n', APIError),
    "no index": (event("content-end"), StreamProtocolError),
    "no JSON": (b"data: {\n\n", MalformedStreamError),
    "a wrong type": (OPEN + event("content-delta", 0, content={"text": 12}), MalformedStreamError),
    "failed": (
        event("message-end", end={"finish_reason": "ERROR", "error": "nö"}),
        InternalServerError,
    ),
    "out of time": (cohere.encode_error(504, "nö"), Timeout),
    "too long": (
        event("message-end", end={"finish_reason": "ERROR", "error": "prompt is too long: 9"}),
        ContextWindowExceededError,
    ),
    "an error of a proxy": (b'data: {"message":"nope"}\n\n', APIError),
}


@pytest.mark.parametrize(("body", "kind"), BROKEN.values(), ids=BROKEN)
def test_a_stream_that_is_broken_says_so(body: bytes, kind: type[APIError]) -> None:
    with pytest.raises(APIError) as raised:
        decoded(cohere.Decoder(), body)

    assert type(raised.value) is kind
    assert ("nö" in str(raised.value)) == (b"n\\u00f6" in body or "nö".encode() in body)


def test_what_is_odd_is_left_out_and_said_where_strict_is_off() -> None:
    decoder = cohere.Decoder(strict=False)
    body = OPEN + event("content-delta", 0, content={"text": 12}) + b"data: {\n\n" + LO + END

    assert short(normal(decoded(decoder, body))) == ["R C'12'", "C'lo'", "F stop", "U 71/6/77"]
    assert len(decoder.warnings) == 1


def fold(body: bytes) -> tuple[Any, ...]:
    """What a stream says, by its JSON and none of our code."""
    text, thought, finish, usage = "", "", None, None
    calls: dict[int, list[str]] = {}
    for data in event_data(body):
        if data == "[DONE]":
            continue
        value = json.loads(data)
        delta = value.get("delta") or {}
        message = delta.get("message") or {}
        match value["type"]:
            case "content-start" | "content-delta":
                text += message["content"].get("text") or ""
                thought += message["content"].get("thinking") or ""
            case "tool-plan-delta":
                thought += message["tool_plan"]
            case "tool-call-start":
                call = message["tool_calls"]
                calls[value["index"]] = [call["function"]["name"], call["function"]["arguments"]]
            case "tool-call-delta":
                calls[value["index"]][1] += message["tool_calls"]["function"]["arguments"]
            case "message-end":
                finish, usage = delta["finish_reason"], delta["usage"]["tokens"]
    made = [(name, json.loads(spelt or "{}")) for name, spelt in calls.values()]
    return text, thought, made, finish, (usage["input_tokens"], usage["output_tokens"])


def test_every_public_stream_says_what_its_json_says(corpus: Path) -> None:
    count = 0
    for name, body in streams(corpus, "cohere-v2"):
        answers, usage = told(decoded(cohere.Decoder(), body))
        answer, count = answers[0], count + 1
        assert usage is not None
        counts = usage.prompt_tokens, usage.completion_tokens
        found = answer.text, answer.reasoning, arguments(answer), answer.reason, counts

        assert found == fold(body), name
    assert count == 27


def asked(**fields: Any) -> dict[str, Any]:
    fields = {"model": "m", "messages": [{"role": "user", "content": "hi"}]} | fields
    request = cohere.request(Call(**fields))
    assert request.path == "/v2/chat"
    return dict(json.loads(request.body))


TOOL = {"type": "function", "function": {"name": "f", "parameters": {}}}
STRICT = {"type": "function", "function": {"name": "f", "parameters": {}, "strict": True}}
SCHEMA = {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}}}
PARAMS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "names": ({"top_p": 0.5, "top_k": 3, "stop": "x"}, {"p": 0.5, "k": 3, "stop_sequences": ["x"]}),
    "the newer limit": ({"max_tokens": 1, "max_completion_tokens": 2}, {"max_tokens": 2}),
    "required": ({"tool_choice": "required"}, {"tool_choice": "REQUIRED"}),
    "none": ({"tool_choice": "none"}, {"tool_choice": "NONE"}),
    "auto": ({"tool_choice": "auto", "n": 1, "stream_options": {}}, {}),
    "effort": (
        {"reasoning_effort": "low"},
        {"thinking": {"type": "enabled", "token_budget": 1024}},
    ),
    "no effort": ({"reasoning_effort": "none"}, {"thinking": {"type": "disabled"}}),
    "thinking": (
        {"thinking": {"type": "enabled", "budget_tokens": 9}},
        {"thinking": {"type": "enabled", "token_budget": 9}},
    ),
    "a schema": (
        {"response_format": SCHEMA},
        {"response_format": {"type": "json_object", "json_schema": {"type": "object"}}},
    ),
    "strict tools": ({"tools": [STRICT]}, {"tools": [TOOL], "strict_tools": True}),
}


@pytest.mark.parametrize(("params", "sent"), PARAMS.values(), ids=PARAMS)
def test_parameters_go_out_in_coheres_words(params: Any, sent: Any) -> None:
    body = asked(params=params)
    del body["model"], body["messages"]

    assert body == sent


NAMED = {"type": "function", "function": {"name": "f"}}


@pytest.mark.parametrize(
    "params",
    [{"tool_choice": NAMED}, {"n": 2}, {"user": "u"}, {"response_format": {"type": "xml"}}],
    ids=lambda it: next(iter(it)),
)
def test_what_cohere_has_not_is_refused_or_dropped(params: Any) -> None:
    with pytest.raises(UnsupportedParamsError):
        asked(params=params)

    assert asked(params=params, drop_params=True).keys() == {"model", "messages"}


def test_a_conversation_has_the_fields_that_cohere_knows() -> None:
    call = {"id": "1", "type": "function", "index": 0, "function": {"name": "f", "arguments": "{}"}}
    plan = {"tool_plan": "I will"}
    image = {"type": "image_url", "image_url": "data:image/png;base64,AA=="}
    messages = [
        {"role": "developer", "content": "brief", "name": "x"},
        {"role": "user", "content": [image]},
        {
            "role": "assistant",
            "content": None,
            "reasoning_content": "hm I will",
            "provider_specific_fields": plan,
            "tool_calls": [call],
        },
        {"role": "tool", "tool_call_id": "1", "content": "ok"},
    ]
    del call["index"]

    assert asked(messages=messages, extra_body={"documents": ["d"]}) == {
        "model": "m",
        "documents": ["d"],
        "messages": [
            {"role": "system", "content": "brief"},
            {"role": "user", "content": [image | {"image_url": {"url": image["image_url"]}}]},
            {
                "role": "assistant",
                "content": [{"type": "thinking", "thinking": "hm "}],
                "tool_plan": "I will",
                "tool_calls": [call],
            },
            messages[3],
        ],
    }


@pytest.mark.parametrize("base", ["", "/v2", "/v2/chat"], ids=repr)
def test_a_base_that_says_more_leads_to_the_same_place(base: str) -> None:
    environ = {"COHERE_API_BASE": f"https://h.example{base}", "CO_API_KEY": "k"}

    assert resolve("cohere/m", environ=environ).url("/v2/chat") == "https://h.example/v2/chat"


@pytest.fixture
def server() -> Iterator[LoopbackServer]:
    with LoopbackServer() as server:
        yield server


def test_our_client_asks_the_loopback_server(server: LoopbackServer) -> None:
    at = {"api_base": server.cohere_url, "api_key": "k"}
    question = [{"role": "user", "content": "Count to 3"}]
    stream: Any = completion("cohere/m", question, stream=True, **at)
    whole: Any = completion("cohere_chat/m", question, **at)

    assert "".join(chunk.choices[0].delta.content or "" for chunk in stream) == "1, 2, 3."
    assert whole.choices[0].message.content == "1, 2, 3."
    assert httpx.post(f"{server.cohere_url}/v2/chat", content=b"{").status_code == 400


def test_an_error_of_cohere_is_of_the_class_of_its_status() -> None:
    error = status_error(401, body=cohere.encode_error_body(401, "invalid api token"))
    long = "too many tokens: total number of tokens in the prompt cannot exceed 4081"

    assert type(error) is AuthenticationError
    assert str(error) == "invalid api token"
    assert (
        type(status_error(400, body=cohere.encode_error_body(400, long)))
        is ContextWindowExceededError
    )


@pytest.mark.sdk
@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
def test_the_official_sdk_reads_what_we_send(server: LoopbackServer, *, is_async: bool) -> None:
    sdk = pytest.importorskip("cohere", reason="cohere is in the group 'sdks'")
    import anyio

    body = {"model": "m", "messages": [{"role": "user", "content": "Count to 3"}]}
    options = {"base_url": server.cohere_url, "api_key": "k"}

    async def ask() -> tuple[list[Any], Any]:
        async with httpx.AsyncClient() as http:
            client = sdk.AsyncClientV2(**options, httpx_client=http)
            return [it async for it in client.chat_stream(**body)], await client.chat(**body)

    if is_async:
        events, whole = anyio.run(ask)
    else:
        with httpx.Client() as http:
            client = sdk.ClientV2(**options, httpx_client=http)
            events, whole = list(client.chat_stream(**body)), client.chat(**body)
    deltas = [it.delta.message.content.text for it in events if it.type == "content-delta"]

    assert "".join(deltas) == whole.message.content[0].text == "1, 2, 3."
    assert events[-1].delta.finish_reason == whole.finish_reason == "COMPLETE"
    assert events[-1].delta.usage.tokens == whole.usage.tokens


@pytest.mark.parametrize(
    "message",
    [
        {"role": "critic", "content": "x"},
        {"role": "user", "content": [{"type": "file", "file": {}}]},
        {"role": "tool", "content": "x"},
    ],
    ids=["role", "file", "no id"],
)
def test_a_message_that_cohere_cannot_take_is_refused(message: Any) -> None:
    with pytest.raises(ValueError, match=r"cohere (has|takes) no|is missing"):
        asked(messages=[message])


@pytest.mark.parametrize(
    "params",
    [{"tool_choice": "maybe"}, {"reasoning_effort": "much"}],
    ids=lambda it: next(iter(it)),
)
def test_a_word_that_means_nothing_is_refused(params: Any) -> None:
    with pytest.raises(ValueError, match="is"):
        asked(params=params)


def test_a_refusal_goes_back_as_text() -> None:
    part = {"type": "refusal", "refusal": "no"}
    document = {"type": "document", "document": {"data": {}}}
    messages = [
        {"role": "assistant", "refusal": "no", "content": "x"},
        {"role": "assistant", "content": [part, {"type": "text", "text": "y"}, document]},
    ]
    first, second = asked(messages=messages)["messages"]

    assert [it["text"] for it in first["content"]] == ["no", "x"]
    assert second["content"] == [
        {"type": "text", "text": "no"},
        {"type": "text", "text": "y"},
        document,
    ]


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b" ", EmptyStreamError),
        (b"{}", EmptyStreamError),
        (b"<p>", MalformedStreamError),
        (b'{"message":"no"}', APIError),
        (b'{"message":{"content":[]}}', StreamTruncatedError),
    ],
    ids=["blank", "nothing", "a page", "an error", "no reason"],
)
def test_a_whole_body_that_is_no_message_says_so(body: bytes, kind: type[APIError]) -> None:
    with pytest.raises(APIError) as raised:
        cohere.whole_body(body)

    assert type(raised.value) is kind


def test_log_probabilities_and_contents_of_other_kinds_are_kept() -> None:
    other = event("content-start", 1, content={"type": "chart", "n": 1})
    probable = HEL.replace(b'"index": 0', b'"index": 0, "logprobs": {"text": "Hel"}')
    response = built(decoded(cohere.Decoder(), OPEN + probable + CLOSE + other + END))

    assert response.choices[0].message.provider_specific_fields == {
        "logprobs": [{"text": "Hel"}],
        "contents": [{"type": "chart", "n": 1, "index": 1}],
    }


def test_what_is_missing_from_a_stream_that_was_cut_is_said() -> None:
    start = called(0, "f").partition(b"event: tool-call-end")[0]
    for body, where in (
        (START + start, "within tool call 0"),
        (START + OPEN + HEL, "within content 0"),
        (START + event("message-end", end={}), "with its last event, but without a finish"),
    ):
        with pytest.raises(StreamTruncatedError, match=where):
            decoded(cohere.Decoder(), body)


def test_a_call_that_nobody_closed_ends_with_the_message() -> None:
    start = called(0, "f").partition(b"event: tool-call-end")[0]
    answers, _ = told(decoded(cohere.Decoder(), START + start + END))

    assert answers[0].calls == {0: ["f_1", "f", "{}"]}


def test_annotations_are_told_as_citations_and_a_plan_as_what_it_is() -> None:
    cited = {"start_index": 0, "end_index": 3, "url": "https://a.example", "title": "T"}
    notes: Any = [{"type": "url_citation", "url_citation": cited}, {"type": "other"}]
    message = Message(
        content="Hello",
        reasoning_content="hm I will",
        annotations=notes,
        provider_specific_fields={"tool_plan": "I will"},
    )
    sent = ModelResponse(
        id="1", created=1, model="m", choices=[Choices(message=message, finish_reason="stop")]
    )
    streamed = built(decoded(cohere.Decoder(), b"".join(cohere.encode(sent))))
    read = built(cohere.whole_body(cohere.encode_body(sent)))
    body = json.loads(cohere.encode_body(sent))

    for found in (streamed, read):
        said_ = found.choices[0].message
        assert said_.annotations == notes[:1]
        assert said_.reasoning_content == "hm I will"
        assert (said_.provider_specific_fields or {})["tool_plan"] == "I will"
    assert body["message"]["tool_plan"] == "I will"
    assert body["message"]["content"][0] == {"type": "thinking", "thinking": "hm "}
    assert body["message"]["citations"][0]["text"] == "Hel"


@pytest.mark.parametrize("kind", ["text", "json_object"])
def test_a_format_that_cohere_has_goes_as_it_is(kind: str) -> None:
    assert asked(params={"response_format": {"type": kind}})["response_format"] == {"type": kind}
