"""What an encoder sends, the provider's official SDK hears as it was told.

Texts, reasoning, refusals, tool calls, finish reasons and usage, wherever the format has a
place for them, of the stream and of the whole body.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterable
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from official_sdks import (
    QUESTION,
    Anthropic,
    BedrockConverse,
    BedrockInvoke,
    Cohere,
    Gemini,
    Heard,
    Ollama,
    OpenAIChat,
    OpenAIResponses,
    Wire,
    anthropic_client,
    bedrock_client,
    cohere_client,
    counts_of_chat,
    counts_of_cohere,
    counts_of_converse,
    gemini_client,
    openai_client,
    take_candidate,
)
from strategies_completions import completions, cuts, texts, tight_calls
from support import SOAK

from cassette_stream.chunks import (
    ChatCompletionMessageToolCall,
    Choices,
    Custom,
    Message,
    ModelResponse,
    RedactedThinking,
    Thinking,
    Usage,
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

many = settings(max_examples=400 if SOAK else 30, deadline=None)


@pytest.fixture(scope="module")
def genai() -> None:
    pytest.importorskip("google.genai", reason="google-genai is in the group 'sdks'")


@st.composite
def with_custom_tools(draw: st.DrawFn, *, max_choices: int = 1) -> ModelResponse:
    """The same completions, where some calls are for custom tools: OpenAI alone has those."""
    completion = draw(completions(max_choices=max_choices))
    for choice in completion.choices:
        calls = choice.message.tool_calls or []
        for place, call in enumerate(calls):
            if draw(st.booleans()):
                custom = Custom(name=call.function.name, input=draw(texts()))
                calls[place] = ChatCompletionMessageToolCall(
                    id=call.id, type="custom", custom=custom
                )
    return completion


def said(heard: Heard) -> dict[int, tuple[Any, ...]]:
    """What the SDK heard; arguments to the letter."""
    assert heard.error is None
    return {
        index: (
            answer.text,
            answer.reasoning,
            answer.refusal,
            [(call.id, call.name, call.spelt) for call in answer.calls.values()],
            answer.finish,
        )
        for index, answer in heard.answers.items()
    }


def sent(choice: Any, finish: str | None) -> tuple[Any, ...]:
    """What a choice says, ours or that of OpenAI's SDK."""
    message = choice.message
    return (
        message.content or "",
        getattr(message, "reasoning_content", None) or "",
        message.refusal or "",
        calls_of(choice),
        finish,
    )


def calls_of(choice: Any) -> list[tuple[str, str, str]]:
    return [
        (call.id, call.custom.name, call.custom.input)
        if call.type == "custom"
        else (call.id, call.function.name, call.function.arguments)
        for call in choice.message.tool_calls or ()
    ]


def counts(usage: Usage | None) -> tuple[int | None, ...] | None:
    return usage and counts_of_chat(usage)


@many
@given(
    completion=with_custom_tools(max_choices=3),
    pieces=cuts(),
    interleave=st.booleans(),
    include_usage=st.booleans(),
)
def test_openais_sdk_hears_what_a_chat_was_told(
    completion: ModelResponse, pieces: Any, interleave: bool, include_usage: bool
) -> None:
    events = openai_chat.encode(
        completion, pieces=pieces, interleave=interleave, include_usage=include_usage
    )
    heard = OpenAIChat.hear(b"".join(events))
    with openai_client(openai_chat.encode_body(completion), 200, "application/json") as client:
        whole = client.chat.completions.create(model="m", messages=QUESTION)
    told = {it.index: sent(it, it.finish_reason) for it in completion.choices}

    assert said(heard) == told
    assert heard.counts == (counts(completion.usage) if include_usage else None)
    assert {it.index: sent(it, it.finish_reason) for it in whole.choices} == told
    assert (whole.usage and counts_of_chat(whole.usage)) == counts(completion.usage)
    assert (whole.id, whole.model) == (completion.id, completion.model)


RESPONSE_ENDS = {"length": "max_output_tokens", "content_filter": "content_filter"}


@many
@given(completion=with_custom_tools(), pieces=cuts(), interleave=st.booleans())
def test_openais_sdk_hears_what_a_response_was_told(
    completion: ModelResponse, pieces: Any, interleave: bool
) -> None:
    body = b"".join(openai_responses.encode(completion, pieces=pieces, interleave=interleave))
    heard = OpenAIResponses.hear(body)
    with openai_client(body) as client:
        *_, last = client.responses.create(model="m", input="hi", stream=True)
    with openai_client(openai_responses.encode_body(completion), 200, "application/json") as client:
        whole = client.responses.create(model="m", input="hi")
    (choice,) = completion.choices
    finish = RESPONSE_ENDS.get(choice.finish_reason or "", "completed")

    assert said(heard) == {0: sent(choice, finish)}
    assert heard.counts == counts(completion.usage)
    assert last.response.output_text == (choice.message.content or "")
    assert whole.to_dict() == last.response.to_dict()


def thoughts(choice: Choices) -> str:
    """The reasoning as Anthropic sends it: that of the blocks, if there are any."""
    message = choice.message
    if not message.thinking_blocks:
        return message.reasoning_content or ""
    return "".join(it.thinking for it in message.thinking_blocks if isinstance(it, Thinking))


STOPS = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use"}


def sent_to_anthropic(choice: Choices) -> tuple[Any, ...]:
    """A refusal is text there, and a reason to stop."""
    message = choice.message
    finish = STOPS.get(choice.finish_reason or "", "refusal")
    calls = [(id_, name, "" if spelt == "{}" else spelt) for id_, name, spelt in calls_of(choice)]
    text = (message.refusal or "") + (message.content or "")
    return text, thoughts(choice), "", calls, "refusal" if message.refusal else finish


def anthropic_counts(usage: Usage | None) -> tuple[int | None, ...]:
    """Usage cannot be left out there."""
    asked, answered, total, cached, thought = counts(usage) or (0, 0, 0, 0, None)
    return asked, answered, total, cached or 0, thought


@many
@given(completion=completions(calls=tight_calls()), pieces=cuts())
def test_anthropics_sdk_hears_what_a_message_was_told(
    completion: ModelResponse, pieces: Any
) -> None:
    body = b"".join(anthropic.encode(completion, pieces=pieces))
    heard = Anthropic.hear(body)
    with anthropic_client(body) as client:
        with client.messages.stream(model="m", max_tokens=64, messages=QUESTION) as stream:
            streamed = stream.get_final_message()
    with anthropic_client(anthropic.encode_body(completion), 200, "application/json") as client:
        whole = client.messages.create(model="m", max_tokens=64, messages=QUESTION)
    (choice,) = completion.choices

    assert said(heard) == {0: sent_to_anthropic(choice)}
    assert heard.counts == anthropic_counts(completion.usage)
    assert blocks_of(streamed.content) == blocks_sent(choice.message)
    for name in ("id", "model", "content", "stop_reason", "usage"):
        assert streamed.to_dict()[name] == whole.to_dict()[name]


def blocks_of(content: list[Any]) -> list[Any]:
    """What is thought and called, each block by what is particular to it."""
    found: list[Any] = []
    for block in content:
        if block.type == "thinking":
            found.append((block.thinking, block.signature))
        elif block.type != "text":
            found.append(block.data if block.type == "redacted_thinking" else block.input)
    return found


def blocks_sent(message: Message) -> list[Any]:
    unsigned = [Thinking(thinking=message.reasoning_content)] if message.reasoning_content else []
    return [
        (it.thinking, it.signature or "") if isinstance(it, Thinking) else it.data
        for it in message.thinking_blocks or unsigned
    ] + [json.loads(call.function.arguments) for call in message.tool_calls or ()]


GEMINI_ENDS = {"length": "MAX_TOKENS", "content_filter": "SAFETY"}
# Only for Vertex does the SDK pass on the message of a candidate that was stopped.
clients = pytest.mark.parametrize("vertex", [False, True], ids=["gemini", "vertex"])


def sent_to_gemini(choice: Choices, *, vertex: bool) -> tuple[Any, ...]:
    """A refusal ends the answer there; arguments are objects, not text."""
    finish = GEMINI_ENDS.get(choice.finish_reason or "", "STOP")
    text, reasoning, refusal, calls, _ = sent(choice, None)
    spelt = [(id_, name, json.loads(arguments)) for id_, name, arguments in calls]
    end = "SAFETY" if refusal else finish
    return text, reasoning, refusal if vertex else "", spelt, end


def said_by_gemini(heard: Heard) -> dict[int, tuple[Any, ...]]:
    return {
        index: (*texts, [(id_, name, json.loads(spelt)) for id_, name, spelt in calls], finish)
        for index, (*texts, calls, finish) in said(heard).items()
    }


@pytest.mark.sdk
@clients
@many
@given(completion=completions(max_choices=3), pieces=cuts(), interleave=st.booleans())
def test_geminis_sdk_hears_what_a_response_was_told(
    genai: None, vertex: bool, completion: ModelResponse, pieces: Any, interleave: bool
) -> None:
    events = gemini.encode(completion, pieces=pieces, interleave=interleave)
    heard = Gemini.hear(b"".join(events), vertex=vertex)
    wire, client = gemini_client(vertex=vertex)
    wire.set(gemini.encode_body(completion), 200, "application/json")
    whole = client.models.generate_content(model="m", contents="hi")
    read = Heard()
    for candidate in whole.candidates:
        take_candidate(read.answer(candidate.index), candidate)
    told = {choice.index: sent_to_gemini(choice, vertex=vertex) for choice in completion.choices}

    assert said_by_gemini(heard) == told
    assert said_by_gemini(read) == told
    assert gemini_counts(heard.counts) == gemini_counts(counts(completion.usage))
    assert (whole.response_id, whole.model_version) == (completion.id, completion.model)


def gemini_counts(told: Iterable[int | None] | None) -> list[int] | None:
    """Nothing cached and nothing thought is not said there."""
    return None if told is None else [count or 0 for count in told]


COHERE_ENDS = {"stop": "COMPLETE", "length": "MAX_TOKENS", "tool_calls": "TOOL_CALL"}


def sent_to_cohere(choice: Choices) -> tuple[Any, ...]:
    """A refusal is text there, and a reason to stop; a call without arguments spells none."""
    message = choice.message
    finish = COHERE_ENDS.get(choice.finish_reason or "", "ERROR_TOXIC")
    calls = [(id_, name, "" if spelt == "{}" else spelt) for id_, name, spelt in calls_of(choice)]
    text = (message.refusal or "") + (message.content or "")
    end = "ERROR_TOXIC" if message.refusal else finish
    return text, message.reasoning_content or "", "", calls, end


@pytest.mark.sdk
@many
@given(completion=completions(), pieces=cuts(), interleave=st.booleans())
def test_coheres_sdk_hears_what_a_message_was_told(
    completion: ModelResponse, pieces: Any, interleave: bool
) -> None:
    pytest.importorskip("cohere", reason="cohere is in the group 'sdks'")
    heard = Cohere.hear(b"".join(cohere.encode(completion, pieces=pieces, interleave=interleave)))
    with Wire(cohere.encode_body(completion), 200, "application/json").client(httpx) as http:
        whole = cohere_client(http).chat(model="m", messages=QUESTION)
    (choice,) = completion.choices
    text, thought, _, calls, finish = sent_to_cohere(choice)
    told = counts(completion.usage)

    assert said(heard) == {0: (text, thought, "", calls, finish)}
    assert heard.counts == (told and (*told[:4], None))
    assert "".join(getattr(it, "text", "") for it in whole.message.content or ()) == text
    assert [
        (it.id, it.function.name, it.function.arguments) for it in whole.message.tool_calls or ()
    ] == calls_of(choice)
    assert (whole.id, whole.finish_reason) == (completion.id, finish)
    assert (whole.usage and counts_of_cohere(whole.usage)) == heard.counts


CONVERSE_ENDS = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use"}


@many
@given(completion=completions(), pieces=cuts())
def test_botocore_hears_what_converse_was_told(completion: ModelResponse, pieces: Any) -> None:
    (choice,) = completion.choices
    message = choice.message
    for block in message.thinking_blocks or ():
        if isinstance(block, RedactedThinking):  # a blob, which is base64 where it came from
            block.data = b64encode(block.data.encode()).decode()
    heard = BedrockConverse.hear(b"".join(bedrock_converse.encode(completion, pieces=pieces)))
    wire, client = bedrock_client()
    wire.set(bedrock_converse.encode_body(completion), 200, "application/json")
    whole = client.converse(modelId="m", messages=[])
    content = whole["output"]["message"]["content"]
    text = (message.refusal or "") + (message.content or "")
    finish = CONVERSE_ENDS.get(choice.finish_reason or "", "content_filtered")
    end = "content_filtered" if message.refusal else finish
    calls = [(id_, name, "" if spelt == "{}" else spelt) for id_, name, spelt in calls_of(choice)]

    assert said(heard) == {0: (text, thoughts(choice), "", calls, end)}
    assert converse_counts(heard.counts) == converse_counts(counts(completion.usage))
    assert "".join(it.get("text", "") for it in content) == text
    assert [it["toolUse"]["input"] for it in content if "toolUse" in it] == [
        json.loads(call.function.arguments) for call in message.tool_calls or ()
    ]
    assert whole["stopReason"] == end
    assert counts_of_converse(whole["usage"]) == heard.counts


def converse_counts(told: Iterable[int | None] | None) -> list[int]:
    """Usage cannot be left out there, and what was thought is not told."""
    asked, answered, total, cached, _ = (0, 0, 0, 0, 0) if told is None else told
    return [count or 0 for count in (asked, answered, total, cached)]


@many
@given(completion=completions(calls=tight_calls()), pieces=cuts())
def test_anthropics_sdk_hears_what_was_told_in_chunks_of_bedrock(
    completion: ModelResponse, pieces: Any
) -> None:
    heard = BedrockInvoke.hear(b"".join(bedrock_invoke.encode(completion, pieces=pieces)))
    (choice,) = completion.choices

    assert said(heard) == {0: sent_to_anthropic(choice)}
    assert heard.counts == anthropic_counts(completion.usage)


SDKS = pytest.mark.parametrize(
    ("sdk", "dialect"),
    [
        pytest.param(OpenAIChat, openai_chat, id="openai chat"),
        pytest.param(OpenAIResponses, openai_responses, id="openai responses"),
        pytest.param(Anthropic, anthropic, id="anthropic"),
        pytest.param(BedrockConverse, bedrock_converse, id="bedrock converse"),
        pytest.param(BedrockInvoke, bedrock_invoke, id="bedrock invoke"),
        pytest.param(Cohere, cohere, id="cohere", marks=pytest.mark.sdk),
        pytest.param(Gemini, gemini, id="gemini", marks=pytest.mark.sdk),
        pytest.param(Ollama, ollama, id="ollama", marks=pytest.mark.sdk),
    ],
)
OPTIONAL = {Cohere: "cohere", Ollama: "ollama"}


def only_if_there(sdk: Any) -> None:
    if package := OPTIONAL.get(sdk):
        pytest.importorskip(package, reason=f"{package} is in the group 'sdks'")


def told_by(error: Any) -> str:
    """What *error* says. Anthropic's SDK quotes the bytes of a frame."""
    return str(error).replace(repr("n\u00f6".encode())[2:-1], "n\u00f6")


def status_of(error: Any) -> int:
    if type(error).__module__.startswith("botocore"):
        return int(error.response["ResponseMetadata"]["HTTPStatusCode"])
    return int(getattr(error, "status_code", None) or error.code)


@SDKS
@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500, 503])
def test_an_sdk_raises_the_error_of_a_body(sdk: Any, dialect: Any, status: int) -> None:
    only_if_there(sdk)
    heard = sdk.hear(dialect.encode_error_body(status, "nö"), status, "application/json")
    error: Any = heard.error

    assert "nö" in told_by(error)
    assert status_of(error) == status
    assert not heard.answers


@SDKS
@pytest.mark.parametrize("status", [400, 429, 500])
def test_an_sdk_tells_the_error_in_the_middle_of_a_stream(
    sdk: Any, dialect: Any, status: int
) -> None:
    answer = Choices(message=Message(content="Hello, you"), finish_reason="stop")
    completion = ModelResponse(id="id-1", created=1, model="m", choices=[answer])
    only_if_there(sdk)
    events = dialect.encode(completion, pieces=[5])
    heard = sdk.hear(up_to_a_text(dialect, events) + dialect.encode_error(status, "nö"))

    assert heard.answer().text == "Hello"
    assert heard.answer().finish is None
    assert "nö" in told_by(heard.error)


def up_to_a_text(dialect: Any, events: Iterable[bytes]) -> bytes:
    """The *events* to the first with a text in it."""
    body, decoder = b"", dialect.Decoder()
    for event in events:
        body += event
        chunks = list(decoder.feed(event))
        if any(choice.delta.content for chunk in chunks for choice in chunk.choices):
            break
    return body
