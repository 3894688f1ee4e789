"""The model endpoints, as httpx and the official SDKs see them over a real socket."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import anthropic
import httpx
import openai
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies_completions import completions, cuts, tight_calls
from support import SOAK

from cassette_stream.cassette.model import Request
from cassette_stream.chunks import (
    ChatCompletionMessageToolCall,
    Choices,
    Function,
    Message,
    ModelResponse,
)
from cassette_stream.dialects import anthropic as anthropic_dialect
from cassette_stream.dialects import openai_chat, openai_responses
from cassette_stream.dialects.errors import status_error
from cassette_stream.exceptions import BadRequestError, UnfiredRuleError
from cassette_stream.script import Emit, Head, Wait
from cassette_stream.server import LoopbackServer, complete, streamed
from cassette_stream.server.endpoints import Endpoints

some = settings(max_examples=150 if SOAK else 25, deadline=None)


@pytest.fixture(scope="module")
def server() -> Iterator[LoopbackServer]:
    with LoopbackServer() as server:
        yield server


@pytest.fixture
def fresh() -> Iterator[LoopbackServer]:
    with LoopbackServer() as server:
        yield server


ASK = {"model": "m", "max_tokens": 500, "messages": [{"role": "user", "content": "count to 3"}]}
WEATHER = {
    "type": "object",
    "properties": {
        "city": {"type": "string"},
        "unit": {"enum": ["C", "F"]},
        "n": {"type": "integer"},
    },
    "required": ["city", "unit"],
}


@pytest.fixture(scope="module")
def openai_client(server: LoopbackServer) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=server.openai_url, api_key="loopback", max_retries=0) as client:
        yield client


@pytest.fixture(scope="module")
def anthropic_client(server: LoopbackServer) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(
        base_url=server.anthropic_url, api_key="loopback", max_retries=0
    ) as client:
        yield client


def openai_said(message: Any) -> tuple[Any, ...]:
    calls = [(it.id, it.function.name, it.function.arguments) for it in message.tool_calls or ()]
    thought = getattr(message, "reasoning_content", None)
    return message.content or "", thought or "", message.refusal or "", calls


@some
@given(completion=completions(max_choices=2), pieces=cuts(), interleave=st.booleans())
def test_openais_sdk_reads_the_completion(
    server: LoopbackServer,
    openai_client: openai.OpenAI,
    completion: ModelResponse,
    pieces: Any,
    interleave: bool,
) -> None:
    events = list(
        openai_chat.encode(completion, pieces=pieces, interleave=interleave, include_usage=True)
    )
    server.script("/v1/chat/completions", lambda _: streamed(events))
    heard: dict[int, dict[str, Any]] = {}
    usage = None
    stream = openai_client.chat.completions.create(
        model="m", messages=[], stream=True, stream_options={"include_usage": True}
    )
    for chunk in stream:
        usage = chunk.usage or usage
        for choice in chunk.choices:
            kept = heard.setdefault(
                choice.index, {"content": "", "reasoning_content": "", "refusal": "", "calls": {}}
            )
            for name in ("content", "reasoning_content", "refusal"):
                kept[name] += getattr(choice.delta, name, None) or ""
            for call in choice.delta.tool_calls or ():
                told = kept["calls"].setdefault(call.index, [call.id, call.function.name, ""])
                told[2] += call.function.arguments
            kept["finish"] = choice.finish_reason

    for choice in completion.choices:
        kept = heard[choice.index]
        content, thought, refusal, calls = openai_said(choice.message)
        assert (kept["content"], kept["reasoning_content"]) == (content, thought)
        assert (kept["refusal"], kept["finish"]) == (refusal, choice.finish_reason)
        assert [tuple(call) for call in kept["calls"].values()] == calls
    told_usage = usage and (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens)
    sent = completion.usage
    assert told_usage == (sent and (sent.prompt_tokens, sent.completion_tokens, sent.total_tokens))


@some
@given(completion=completions(max_choices=2))
def test_openais_sdk_reads_the_whole_body(
    server: LoopbackServer, openai_client: openai.OpenAI, completion: ModelResponse
) -> None:
    body = openai_chat.encode_body(completion)
    server.respond(
        [Head(200, (("content-type", "application/json"),)), Emit(body)],
        path="/v1/chat/completions",
    )
    answer = openai_client.chat.completions.create(model="m", messages=[])

    assert (answer.id, answer.created) == (completion.id, completion.created)
    for choice, sent in zip(answer.choices, completion.choices, strict=True):
        assert openai_said(choice.message) == openai_said(sent.message)
        assert choice.finish_reason == sent.finish_reason


def anthropic_sent(message: Message) -> list[tuple[Any, ...]]:
    """The blocks that the SDK should have in the end."""
    blocks: list[tuple[Any, ...]] = [
        (block.thinking, block.signature) if hasattr(block, "thinking") else (block.data,)
        for block in message.thinking_blocks or ()
    ]
    if not blocks and message.reasoning_content:
        blocks = [(message.reasoning_content, "")]
    blocks += [(text,) for text in (message.refusal, message.content) if text]
    blocks += [
        (call.id, call.function.name, json.loads(call.function.arguments))
        for call in message.tool_calls or ()
    ]
    return blocks


def anthropic_heard(message: Any) -> list[tuple[Any, ...]]:
    fields = {
        "thinking": ("thinking", "signature"),
        "redacted_thinking": ("data",),
        "text": ("text",),
        "tool_use": ("id", "name", "input"),
    }
    return [tuple(getattr(it, name) for name in fields[it.type]) for it in message.content]


@some
@given(completion=completions(calls=tight_calls()), pieces=cuts())
def test_anthropics_sdk_reads_the_completion(
    server: LoopbackServer,
    anthropic_client: anthropic.Anthropic,
    completion: ModelResponse,
    pieces: Any,
) -> None:
    events = list(anthropic_dialect.encode(completion, pieces=pieces))
    server.script("/v1/messages", lambda _: streamed(events))
    with anthropic_client.messages.stream(model="m", max_tokens=9, messages=[]) as stream:
        message = stream.get_final_message()
    whole = anthropic_dialect.encode_body(completion)
    server.respond(
        [Head(200, (("content-type", "application/json"),)), Emit(whole)], path="/v1/messages"
    )
    answer = anthropic_client.messages.create(model="m", max_tokens=9, messages=[])

    sent = anthropic_sent(completion.choices[0].message)
    assert anthropic_heard(message) == sent
    assert anthropic_heard(answer) == sent
    assert message.stop_reason == answer.stop_reason
    for usage in filter(None, [completion.usage]):
        heard = message.usage
        read = (heard.cache_read_input_tokens or 0) + (heard.cache_creation_input_tokens or 0)
        assert heard.input_tokens + read == usage.prompt_tokens
        assert heard.output_tokens == usage.completion_tokens


def responses_said(response: Any) -> tuple[Any, ...]:
    """What the SDK has in the end, in the words of `openai_said`."""
    thought = refused = ""
    calls = []
    for item in response.output:
        if item.type == "reasoning":
            thought += "".join(part.text for part in item.summary)
        elif item.type == "function_call":
            calls.append((item.call_id, item.name, item.arguments))
        else:
            refused += "".join(part.refusal for part in item.content if part.type == "refusal")
    return response.output_text, thought, refused, calls


@some
@given(completion=completions(), pieces=cuts(), interleave=st.booleans())
def test_openais_sdk_reads_the_response(
    server: LoopbackServer,
    openai_client: openai.OpenAI,
    completion: ModelResponse,
    pieces: Any,
    interleave: bool,
) -> None:
    events = list(openai_responses.encode(completion, pieces=pieces, interleave=interleave))
    server.script("/v1/responses", lambda _: streamed(events))
    told = list(openai_client.responses.create(model="m", input="hi", stream=True))
    with openai_client.responses.stream(model="m", input="hi") as stream:
        accumulated = [event for event in stream if event.type.endswith("delta")]
    whole = openai_responses.encode_body(completion)
    server.respond(
        [Head(200, (("content-type", "application/json"),)), Emit(whole)], path="/v1/responses"
    )
    answer = openai_client.responses.create(model="m", input="hi")
    (choice,) = completion.choices
    deltas = dict.fromkeys(("output_text", "refusal", "function_call_arguments"), "")
    for event in accumulated:
        kind = event.type.split(".")[1]
        deltas[kind] = deltas.get(kind, "") + event.delta
    content, _, refusal, calls = said = openai_said(choice.message)

    assert [event.sequence_number for event in told] == list(range(len(events)))
    assert responses_said(told[-1].response) == said
    assert responses_said(answer) == said
    assert (deltas["output_text"], deltas["refusal"]) == (content, refusal)
    if not interleave:
        assert deltas["function_call_arguments"] == "".join(call[2] for call in calls)
    assert told[-1].response.status == answer.status
    assert (answer.status == "completed") is (choice.finish_reason in {"stop", "tool_calls"})
    usage = completion.usage
    assert (answer.usage and answer.usage.total_tokens) == (usage and usage.total_tokens)


def test_a_stream_that_is_an_error_is_raised_by_the_sdks(fresh: LoopbackServer) -> None:
    fresh.script("/v1/chat/completions", lambda _: streamed([openai_chat.encode_error(500, "no")]))
    fresh.script("/v1/messages", lambda _: streamed([anthropic_dialect.encode_error(529, "no")]))
    openais = openai.OpenAI(base_url=fresh.openai_url, api_key="x", max_retries=0)
    anthropics = anthropic.Anthropic(base_url=fresh.anthropic_url, api_key="x", max_retries=0)

    with openais, pytest.raises(openai.APIError, match="no"):
        list(openais.chat.completions.create(model="m", messages=[], stream=True))
    with anthropics, pytest.raises(anthropic.APIError, match="overloaded_error"):
        list(anthropics.messages.create(model="m", max_tokens=1, messages=[], stream=True))


def openai_asked(server: LoopbackServer, prompt: str, **body: Any) -> dict[str, Any]:
    ask = {"model": "m", "messages": [{"role": "user", "content": prompt}]} | body
    answer = httpx.post(f"{server.openai_url}/chat/completions", json=ask)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def tool(name: str, schema: Any = WEATHER) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, "parameters": schema}}


def called(answer: dict[str, Any]) -> list[tuple[str, Any]]:
    calls = answer["choices"][0]["message"]["tool_calls"]
    return [(it["function"]["name"], json.loads(it["function"]["arguments"])) for it in calls]


@pytest.mark.parametrize(
    ("prompt", "text"),
    [
        ("Count to 4", "1, 2, 3, 4."),
        ("please count from 3 to 1", "3, 2, 1."),
        ("hi  there", "You said: “hi there”. I am the small model inside"),
        ("", "I am the small model inside cassette-stream."),
    ],
)
def test_the_model_says(fresh: LoopbackServer, prompt: str, text: str) -> None:
    answer = openai_asked(fresh, prompt)

    assert answer["choices"][0]["message"]["content"].startswith(text)
    assert answer["choices"][0]["finish_reason"] == "stop"
    assert openai_asked(fresh, prompt) == answer


@pytest.mark.parametrize(
    ("prompt", "tools", "body", "calls"),
    [
        ("weather in Paris", ["w"], {}, [("w", {"city": "Paris", "unit": "C"})]),
        (
            "weather in Paris and in Berlin, both",
            ["w"],
            {},
            [("w", {"city": "Paris", "unit": "C"}), ("w", {"city": "Berlin", "unit": "C"})],
        ),
        ("use now", ["w", "now"], {}, [("now", {"city": "city", "unit": "C"})]),
        (
            "all of them",
            ["w", "now"],
            {},
            [("w", {"city": "city", "unit": "C"}), ("now", {"city": "city", "unit": "C"})],
        ),
        (
            'say "a b"',
            ["w", "now"],
            {"tool_choice": {"type": "function", "function": {"name": "now"}}},
            [("now", {"city": "a b", "unit": "C"})],
        ),
    ],
    ids=["one", "one twice", "named", "all", "forced"],
)
def test_the_model_calls(
    fresh: LoopbackServer, prompt: str, tools: list[str], body: Any, calls: Any
) -> None:
    answer = openai_asked(fresh, prompt, tools=[tool(name) for name in tools], **body)

    assert called(answer) == calls
    assert answer["choices"][0]["finish_reason"] == "tool_calls"


@pytest.mark.parametrize(
    ("schema", "made"),
    [
        ({}, {}),
        ({"properties": {"a": {"type": "integer"}, "b": {"type": "number"}}}, {"a": 7, "b": 2.5}),
        ({"properties": {"a": {"type": ["BOOLEAN", "null"]}}}, {"a": True}),
        ({"properties": {"a": {"type": "array", "items": {"type": "string"}}}}, {"a": ["a"]}),
        ({"properties": {"a": {"type": "array"}}}, {"a": []}),
        ({"properties": {"a": {"default": 3}, "b": {}, "c": 5}}, {"a": 3, "b": None, "c": None}),
        (
            {"properties": {"a": {"type": "object", "properties": {"b": {"type": "string"}}}}},
            {"a": {"b": "b"}},
        ),
        ({"properties": {"a": {"type": "string"}}, "required": ["zz", 1]}, {}),
        ({"properties": 5}, {}),
    ],
    ids=str,
)
def test_arguments_are_made_from_the_schema(fresh: LoopbackServer, schema: Any, made: Any) -> None:
    assert called(openai_asked(fresh, "7 and 2.5", tools=[tool("f", schema)])) == [("f", made)]


def test_the_model_passes_on_what_tools_return(fresh: LoopbackServer) -> None:
    messages = [
        {"role": "user", "content": "weather?"},
        {"role": "assistant", "content": None},
        {"role": "tool", "tool_call_id": "1", "content": "sunny"},
        {"role": "tool", "tool_call_id": "2", "content": [{"type": "text", "text": "17 degrees"}]},
    ]
    answer = openai_asked(fresh, "", messages=messages, tools=[tool("w")])

    assert answer["choices"][0]["message"]["content"] == "Here is what I found: sunny; 17 degrees."


def test_the_model_keeps_to_what_the_request_asks_for(fresh: LoopbackServer) -> None:
    answer = openai_asked(fresh, "count to 9", n=2, max_tokens=2, reasoning_effort="low")
    first, second = answer["choices"]

    assert (first["message"]["content"], first["finish_reason"]) == ("1, 2,", "length")
    assert second["index"] == 1
    assert first["message"]["reasoning_content"].startswith("The user wants me to count")
    assert answer["usage"]["completion_tokens_details"]["reasoning_tokens"] > 0
    assert openai_asked(fresh, "hi", max_tokens=0)["choices"][0]["message"]["content"] == ""
    silent = openai_asked(fresh, "hi", tools=[tool("w")], tool_choice="none")
    assert silent["choices"][0]["finish_reason"] == "stop"


def test_the_model_speaks_anthropic(fresh: LoopbackServer) -> None:
    with anthropic.Anthropic(base_url=fresh.anthropic_url, api_key="x", max_retries=0) as client:
        asked = {"model": "claude", "max_tokens": 200, "system": "be brief"}
        tools = [{"name": "w", "input_schema": WEATHER}]
        first = client.messages.create(
            **asked,
            messages=[{"role": "user", "content": "weather in Oslo"}],
            tools=tools,
            thinking={"type": "enabled", "budget_tokens": 1024},
        )
        use = first.content[-1]
        result = {"type": "tool_result", "tool_use_id": use.id, "content": "rain"}
        messages = [
            {"role": "user", "content": "weather in Oslo"},
            {"role": "assistant", "content": [use.model_dump()]},
            {"role": "user", "content": [result]},
        ]
        second = client.messages.create(**asked, messages=messages, tools=tools)
        third = client.messages.create(
            **asked, messages=messages[:1], tools=tools, tool_choice={"type": "none"}
        )

    assert [block.type for block in first.content] == ["thinking", "tool_use"]
    assert (use.name, use.input) == ("w", {"city": "Oslo", "unit": "C"})
    assert second.content[0].text == "Here is what I found: rain."
    assert third.stop_reason == "end_turn"


def test_the_model_speaks_responses(fresh: LoopbackServer) -> None:
    with openai.OpenAI(base_url=fresh.openai_url, api_key="x", max_retries=0) as client:
        tools = [{"type": "function", "name": "w", "parameters": WEATHER, "strict": False}]
        asked = {"model": "m", "instructions": "be brief", "tools": tools}
        first = client.responses.create(
            **asked, input="weather in Oslo", reasoning={"effort": "low"}
        )
        called = first.output[-1]
        result = {"type": "function_call_output", "call_id": called.call_id, "output": "rain"}
        items = [{"role": "user", "content": [{"type": "input_text", "text": "weather in Oslo"}]}]
        second = client.responses.create(**asked, input=[*items, called.model_dump(), result])
        with client.responses.stream(**asked, input=items, tool_choice="none") as stream:
            third = stream.get_final_response()
        forced = client.responses.create(
            **asked, input=[], tool_choice={"type": "function", "name": "w"}
        )
        cut = client.responses.create(model="m", input="count to 9", max_output_tokens=2)

    assert [item.type for item in first.output] == ["reasoning", "function_call"]
    assert (called.name, json.loads(called.arguments)) == ("w", {"city": "Oslo", "unit": "C"})
    assert first.usage.output_tokens_details.reasoning_tokens > 0
    assert second.output_text == "Here is what I found: rain."
    assert third.output_text.startswith("You said: “weather in Oslo”.")
    assert forced.output[-1].name == "w"
    assert (cut.output_text, cut.incomplete_details.reason) == ("1, 2,", "max_output_tokens")


GEMINI = {"contents": [{"role": "user", "parts": [{"text": "all of Rome"}]}]}
DECLARED = {"tools": [{"functionDeclarations": [{"name": "w", "parameters": WEATHER}]}]}


@pytest.mark.parametrize("version", ["v1", "v1beta"])
def test_the_model_speaks_gemini(fresh: LoopbackServer, version: str) -> None:
    url = f"{fresh.gemini_url}/{version}/models/gemini-2.5-flash"
    config = {"generationConfig": {"thinkingConfig": {"include_thoughts": True}}}
    events = httpx.post(f"{url}:streamGenerateContent?alt=sse", json=GEMINI | config).text
    whole = httpx.post(f"{url}:generateContent", json=GEMINI | DECLARED).json()

    assert '"thought": true' in events
    assert events.endswith("\r\n\r\n")
    part = whole["candidates"][0]["content"]["parts"][0]["functionCall"]
    assert (part["name"], part["args"]) == ("w", {"city": "Rome", "unit": "C"})
    assert whole["modelVersion"] == "gemini-2.5-flash"


@pytest.mark.parametrize(
    ("response", "text"),
    [({"result": "sunny"}, "sunny"), ({"t": 1}, '{"t": 1}')],
    ids=["wrapped", "object"],
)
def test_the_model_passes_on_what_functions_of_gemini_return(
    fresh: LoopbackServer, response: Any, text: str
) -> None:
    part = {"functionResponse": {"name": "w", "response": response}}
    body = {
        "contents": [{"role": "user", "parts": [part]}],
        "systemInstruction": {"parts": [{"text": "be brief"}]},
        "toolConfig": {"functionCallingConfig": {"mode": "NONE"}},
    }
    answer = httpx.post(f"{fresh.url}/v1beta/models/g:generateContent", json=body | DECLARED)
    said = answer.json()["candidates"][0]["content"]["parts"][0]["text"]

    assert said == f"Here is what I found: {text}."


ENDPOINT = {
    "openai": "/v1/chat/completions",
    "responses": "/v1/responses",
    "anthropic": "/v1/messages",
    "gemini": "/v1beta/models/g:generateContent",
    "cohere": "/v2/chat",
    "ollama": "/api/chat",
    "bedrock converse": "/model/m/converse",
    "bedrock invoke": "/model/m/invoke",
}


TYPED = {"openai", "responses", "anthropic", "gemini"}
TOLD = {
    "cohere": "message",
    "ollama": "error",
    "bedrock converse": "message",
    "bedrock invoke": "message",
}
"""What a message stands in where nothing else is told."""


@pytest.mark.matrix(3)
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'{"model": 5}',
        b"\xff",
        b'{"a": "\xff"}',
        b"[" * 100_000,
        b'{"contents": 1}',
    ],
    ids=["empty", "cut", "list", "wrong type", "no utf-8", "bad text", "deep", "no list"],
)
@pytest.mark.parametrize("dialect", ENDPOINT)
def test_a_body_that_cannot_be_read_is_a_400_in_the_shape_of_the_dialect(
    server: LoopbackServer, dialect: str, body: bytes
) -> None:
    with LoopbackServer() as fresh:
        answer = httpx.post(fresh.url + ENDPOINT[dialect], content=body)
    raised = status_error(400, body=answer.content, headers=answer.headers)

    assert answer.status_code == 400
    assert type(raised) is BadRequestError
    assert raised.message.startswith("the body of this request cannot be read: ")
    if dialect in TYPED:
        assert (raised.type or raised.code or "").lower().startswith("invalid_")
    else:
        assert answer.json() == {TOLD[dialect]: raised.message}


def test_gemini_streams_as_server_sent_events_only(fresh: LoopbackServer) -> None:
    answer = httpx.post(f"{fresh.url}/v1beta/models/g:streamGenerateContent", json=GEMINI)

    assert answer.status_code == 400
    assert "alt=sse" in answer.json()["error"]["message"]


@pytest.mark.parametrize(("method", "path"), [("GET", "/v1/messages"), ("POST", "/v2")])
def test_an_unknown_place_names_the_endpoints(
    fresh: LoopbackServer, method: str, path: str
) -> None:
    answer = httpx.request(method, fresh.url + path)

    assert answer.status_code == 404
    assert f"{method} {path}" in answer.json()["error"]["message"]
    assert "POST /v1/chat/completions" in answer.json()["endpoints"]


def test_a_completion_that_was_told_answers_until_it_is_taken_back(fresh: LoopbackServer) -> None:
    told = Choices(message=Message(content="told"), finish_reason="stop")
    fresh.answer(ModelResponse(id="1", created=1, model="m", choices=[told]))
    texts = [openai_asked(fresh, "count to 2")["choices"][0]["message"]["content"]]
    fresh.answer(None)
    texts.append(openai_asked(fresh, "count to 2")["choices"][0]["message"]["content"])

    assert texts == ["told", "1, 2."]


def test_answers_come_in_turn_and_the_last_one_stays(fresh: LoopbackServer) -> None:
    call = ChatCompletionMessageToolCall(id="call_1", function=Function(name="now", arguments="{}"))
    fresh.answer(Message(tool_calls=[call]), "It is noon.", None)
    choices = [openai_asked(fresh, "count to 2")["choices"][0] for _ in range(4)]

    assert choices[0]["message"]["tool_calls"][0]["function"]["name"] == "now"
    assert [it["message"]["content"] for it in choices] == [None, "It is noon.", "1, 2.", "1, 2."]
    assert [it["finish_reason"] for it in choices] == ["tool_calls", "stop", "stop", "stop"]


@pytest.mark.parametrize(
    ("told", "error"), [((), ValueError), ((b"text",), TypeError), (("a", {}), TypeError)], ids=repr
)
def test_what_no_model_can_say_is_refused(
    fresh: LoopbackServer, told: Any, error: type[Exception]
) -> None:
    with pytest.raises(error, match="answers with"):
        fresh.answer(*told)


def test_a_reset_server_is_as_at_the_start_and_where_it_was(fresh: LoopbackServer) -> None:
    url = fresh.url
    fresh.answer("told")
    fresh.respond([Head(204)], path="/here")
    assert httpx.get(f"{url}/here").status_code == 204
    fresh.wait_for_exchanges(1)
    fresh.reset()

    assert fresh.url == url
    assert fresh.exchanges == ()
    assert httpx.get(f"{url}/here").status_code == 404
    assert openai_asked(fresh, "count to 2")["choices"][0]["message"]["content"] == "1, 2."


def test_what_was_asked_before_a_reset_does_not_end_behind_it(fresh: LoopbackServer) -> None:
    fresh.respond([Head(200), Emit(b"a"), Wait(600)], path="/slow")
    with httpx.stream("GET", f"{fresh.url}/slow") as response:
        assert next(response.iter_raw()) == b"a"
        assert [request.url for request in fresh.requests] == [f"{fresh.url}/slow"]
        fresh.reset()
    assert httpx.get(f"{fresh.url}/next").status_code == 404
    [exchange] = fresh.wait_for_exchanges(1)

    assert exchange.request.url == f"{fresh.url}/next"
    assert [exchange.request] == list(fresh.requests)


def test_a_reset_tells_what_could_not_be_performed_and_forgets_it(fresh: LoopbackServer) -> None:
    fresh.script("/here", lambda _: iter([Emit(b"no head")]))
    assert httpx.get(f"{fresh.url}/here").status_code == 501
    with pytest.raises(ValueError, match="emits after its head"):
        fresh.reset()
    fresh.play([], faults="body.fin@event=4")
    with pytest.raises(UnfiredRuleError):
        fresh.reset()

    fresh.reset()


def test_events_come_at_their_gaps() -> None:
    body = json.dumps(ASK | {"stream": True}).encode()
    request = Request(method="POST", url="http://x/v1/chat/completions", body=body)
    script = Endpoints(gap=0.25, first_gap=0.5).answer(request, complete)
    steps = list(script or ())

    assert isinstance(steps[0], Head)
    assert [step.seconds for step in steps if isinstance(step, Wait)][:3] == [0.5, 0.25, 0.25]


def test_the_environment_leads_the_sdks_here(
    server: LoopbackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    with openai.OpenAI() as openais, anthropic.Anthropic() as anthropics:
        assert str(openais.base_url) == f"{server.openai_url}/"
        assert str(anthropics.base_url).rstrip("/") == server.anthropic_url


def test_a_compressing_server_is_read_by_httpx() -> None:
    with LoopbackServer(compress=True) as server:
        answer = httpx.post(server.openai_url + "/chat/completions", json=ASK | {"stream": True})

    assert answer.headers["content-encoding"] == "gzip"
    assert answer.text.endswith("data: [DONE]\n\n")
