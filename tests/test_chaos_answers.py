"""An answer is the same whoever holds it: ours, the official SDKs', dicts, or their streams."""

from __future__ import annotations

import json
from typing import Any

import anthropic
import openai
import pytest
from breaking import ENCODERS, answer
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter
from strategies_completions import arguments, texts
from support import SOAK

from cassette_stream import ModelResponse
from cassette_stream.chaos import Answer, Call, answer_of
from cassette_stream.chaos.answers import tells_finish
from cassette_stream.chunks import (
    ChatCompletionMessageToolCall,
    Choices,
    CompletionTokensDetails,
    Function,
    Message,
    PromptTokensDetails,
    Usage,
)
from cassette_stream.faults.edit import events_in
from cassette_stream.script import Emit

many = settings(max_examples=300 if SOAK else 20, deadline=None)
RESPONSES: TypeAdapter[Any] = TypeAdapter(openai.types.responses.ResponseStreamEvent)
MESSAGES: TypeAdapter[Any] = TypeAdapter(anthropic.types.RawMessageStreamEvent)


@st.composite
def completions(draw: st.DrawFn) -> ModelResponse:
    """Answers of which every dialect can say every part."""
    calls = [
        ChatCompletionMessageToolCall(id=f"c{n}", function=Function(name=name, arguments=text))
        for n, (name, text) in enumerate(
            draw(
                st.lists(st.tuples(st.sampled_from(["f", "get_weather"]), arguments()), max_size=2)
            )
        )
    ]
    message = Message(role="assistant", content=draw(texts()), tool_calls=calls or None)
    finish = "tool_calls" if calls else draw(st.sampled_from(["stop", "length"]))
    choice = Choices(index=0, message=message, finish_reason=finish)
    usage = Usage(
        prompt_tokens=1,
        completion_tokens=1,
        total_tokens=2,
        prompt_tokens_details=PromptTokensDetails(cached_tokens=0, cache_write_tokens=0),
        completion_tokens_details=CompletionTokensDetails(reasoning_tokens=0),
    )
    return ModelResponse(id="r", created=1, model="m", choices=[choice], usage=usage)


def events_of(dialect: str, response: ModelResponse) -> list[dict[str, Any]]:
    seen = events_in(map(Emit, ENCODERS[dialect].encode(response)))
    return [
        json.loads(it.text) if it.framing == "aws" else it.value
        for it in seen
        if it.data != "[DONE]"
    ]


def as_chunks(response: ModelResponse) -> list[Any]:
    chunk = openai.types.chat.ChatCompletionChunk.model_validate
    return [chunk(value) for value in events_of("openai_chat", response)]


def as_responses(response: ModelResponse) -> list[Any]:
    return [RESPONSES.validate_python(it) for it in events_of("openai_responses", response)]


def as_messages(response: ModelResponse) -> list[Any]:
    # Its SDK does not give the pings away.
    found = [it for it in events_of("anthropic", response) if it["type"] != "ping"]
    return [MESSAGES.validate_python(it) for it in found]


def as_botocore(dialect: str) -> Any:
    """As botocore gives them: an event with its name around it, or a chunk with bytes."""

    def told(response: ModelResponse) -> list[Any]:
        events = events_in(map(Emit, ENCODERS[dialect].encode(response)))
        if dialect == "bedrock_invoke":
            return [{"chunk": {"bytes": seen.text}} for seen in events]
        return [{seen.name: seen.value} for seen in events]

    return told


def as_dicts(dialect: str) -> Any:
    return lambda response: events_of(dialect, response)


FORMS = {
    "ours": lambda response: response,
    "our_dict": lambda response: response.model_dump(),
    "openai_chunks": as_chunks,
    "openai_responses": as_responses,
    "anthropic_events": as_messages,
    "converse_of_botocore": as_botocore("bedrock_converse"),
    "invoke_of_botocore": as_botocore("bedrock_invoke"),
    **{f"{dialect}_dicts": as_dicts(dialect) for dialect in ENCODERS},
}


@pytest.mark.parametrize("form", FORMS)
@many
@given(response=completions())
def test_the_answer_is_the_same_in_every_form(form: str, response: ModelResponse) -> None:
    found = answer_of(FORMS[form](response))
    [choice] = response.choices
    calls = tuple(
        Call(name=it.function.name or "", arguments=it.function.arguments)
        for it in choice.message.tool_calls or ()
    )
    meant = Answer(choice.message.content or "", calls, choice.finish_reason)

    assert found is not None
    assert found.says_the_same(meant)
    assert all(call.is_whole for call in found.calls)


@pytest.mark.parametrize("dialect", ENCODERS)
@many
@given(response=completions(), data=st.data())
def test_a_finish_is_told_by_the_stream_and_not_by_its_beginning(
    dialect: str, response: ModelResponse, data: st.DataObject
) -> None:
    events = list(ENCODERS[dialect].encode(response))
    marks = (b'"finish_reason":"', b'"finishReason": "', b'"stop_reason":"')
    marks += (b'"type":"response.completed"', b'"type":"response.incomplete"')
    marks += (b'"done_reason":"', b'"stopReason":"')
    said = [b"".join(it.text for it in events_in([Emit(event)])) for event in events]
    first = next(n for n, text in enumerate(said) if any(mark in text for mark in marks))
    upto = data.draw(st.integers(0, len(events)))

    assert tells_finish(b"".join(events[:upto])) is (upto > first)


@pytest.mark.parametrize("dialect", ENCODERS)
@many
@given(response=completions())
def test_a_finish_is_told_by_an_answer_that_is_no_stream(
    dialect: str, response: ModelResponse
) -> None:
    assert tells_finish(ENCODERS[dialect].encode_body(response))
    assert not tells_finish(ENCODERS[dialect].encode_error_body(500, "The server broke."))


calls = st.builds(Call, name=st.sampled_from("fg"), arguments=arguments() | st.sampled_from("{["))
answers = st.builds(
    Answer,
    text=st.text("ab", max_size=2),
    calls=st.lists(calls, max_size=2).map(tuple),
    finish_reason=st.sampled_from([None, "stop"]),
)


def rewritten(answer: Answer) -> Answer:
    """The same, with its JSON written otherwise."""
    calls = tuple(
        Call(it.name, json.dumps(it.meant, indent=3)) if it.is_whole else it for it in answer.calls
    )
    return Answer(answer.text, calls, answer.finish_reason)


@given(one=answers, two=answers, three=answers)
def test_saying_the_same_is_an_equivalence(one: Answer, two: Answer, three: Answer) -> None:
    assert one.says_the_same(one)
    assert one.says_the_same(rewritten(one))
    assert one.says_the_same(two) == two.says_the_same(one)
    if one.says_the_same(two) and two.says_the_same(three):
        assert one.says_the_same(three)


@given(answer=answers, letter=st.sampled_from("abc"))
def test_another_text_call_or_finish_is_another_answer(answer: Answer, letter: str) -> None:
    others = [
        Answer(answer.text + letter, answer.calls, answer.finish_reason),
        Answer(answer.text, (*answer.calls, Call("f", "{}")), answer.finish_reason),
        Answer(answer.text, answer.calls, "length"),
    ]

    assert not any(answer.says_the_same(other) for other in others)


@pytest.mark.parametrize(
    "value",
    [None, 7, object(), [], {}, {"a": 1}, [1, 2], [{"a": 1}], int, b"bytes", {"choices": 7}],
    ids=lambda it: type(it).__name__,
)
def test_what_is_no_answer_is_none_and_no_error(value: object) -> None:
    found = answer_of(value)

    assert found is None or found.text == ""


def test_texts_and_their_pieces_are_answers() -> None:
    assert answer_of("abc") == answer_of(["a", "bc"]) == answer_of(("abc",)) == Answer("abc")


@pytest.mark.parametrize(
    ("arguments", "whole"),
    [
        ("{}", True),
        ('{"a": 1}', True),
        ("", False),
        ("[]", False),
        ("{", False),
        ("[" * 99_999, False),
    ],
)
def test_arguments_are_whole_if_they_are_an_object(arguments: str, whole: bool) -> None:
    assert Call("f", arguments).is_whole is whole


@pytest.mark.sdk
def test_what_the_sdk_of_ollama_gives_is_an_answer() -> None:
    ollama = pytest.importorskip("ollama", reason="it is in the group 'sdks'")
    response = answer(calls=True)
    lines = [ollama.ChatResponse(**it) for it in events_of("ollama", response)]
    whole = ollama.ChatResponse(**json.loads(ENCODERS["ollama"].encode_body(response)))

    for value in (lines, whole):
        found = answer_of(value)
        assert found is not None
        assert found.says_the_same(answer_of(response))


@pytest.mark.sdk
def test_what_the_sdk_of_cohere_gives_is_an_answer() -> None:
    cohere = pytest.importorskip("cohere", reason="it is in the group 'sdks'")
    made = pytest.importorskip("cohere.core.unchecked_base_model").construct_type
    response = answer(calls=True)
    events = [
        made(type_=cohere.V2ChatStreamResponse, object_=it) for it in events_of("cohere", response)
    ]
    whole = made(
        type_=cohere.V2ChatResponse, object_=json.loads(ENCODERS["cohere"].encode_body(response))
    )

    for value in (events, whole):
        found = answer_of(value)
        assert found is not None
        assert found.says_the_same(answer_of(response))
