"""Ollama's chat: what its lines say, what is asked for, and the way there and back."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from decoded import Told, arguments, decoded, everything, normal, short, streams, told
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pytest_cassette_stream.strategies import chunkings
from strategies_completions import completions, cuts
from support import SOAK

from cassette_stream.chunks import Choices, Message, ModelResponse, ModelResponseStream
from cassette_stream.dialects import ollama
from cassette_stream.dialects.call import Call
from cassette_stream.exceptions import (
    APIError,
    ContextWindowExceededError,
    EmptyStreamError,
    MalformedStreamError,
    StreamTruncatedError,
    UnsupportedParamsError,
)
from cassette_stream.server import LoopbackServer
from cassette_stream.server.answers import streamed, whole

many = settings(max_examples=300 if SOAK else 40, deadline=None)


def lines(*values: dict[str, Any]) -> bytes:
    return b"".join(json.dumps(value).encode() + b"\n" for value in values)


def says(done: bool = False, /, *, beside: dict[str, Any] | None = None, **message: Any) -> Any:
    head = {"model": "m", "created_at": "2026-07-30T14:17:28.349123456Z"}
    message = {"role": "assistant", "content": "", **message}
    return {**head, "message": message, "done": done, **(beside or {})}


def calls(*names: str) -> list[dict[str, Any]]:
    return [{"function": {"index": 0, "name": name, "arguments": {}}} for name in names]


END = says(
    True, beside={"done_reason": "stop", "prompt_eval_count": 26, "eval_count": 9, "eval_duration": 5}
)  # fmt: skip


@many
@given(completion=completions(), pieces=cuts(), data=st.data())
def test_what_is_encoded_is_decoded_however_it_is_cut(
    completion: ModelResponse, pieces: Any, data: st.DataObject
) -> None:
    message = completion.choices[0].message
    body = b"".join(ollama.encode(completion, pieces=pieces))
    outcome = everything(ollama.Decoder(), [body])
    whole = ollama.whole_body(ollama.encode_body(completion))
    called = [
        (call.function.name, json.loads(call.function.arguments))
        for call in message.tool_calls or ()
    ]

    assert everything(ollama.Decoder(), data.draw(chunkings(body))) == outcome
    for chunks in (decoded(ollama.Decoder(), body), whole):
        answers, usage = told(chunks)
        answer = answers.get(0, Told())
        assert answer.text == (message.refusal or "") + (message.content or "")
        assert answer.reasoning == (message.reasoning_content or "")
        assert arguments(answer) == called
        if completion.usage is not None:
            assert usage is not None
            assert usage.prompt_tokens == completion.usage.prompt_tokens
            assert usage.completion_tokens == completion.usage.completion_tokens


def test_the_golden_text_has_its_normal_form() -> None:
    body = lines(says(content="Hel"), says(content="lo"), END)

    assert short(normal(decoded(ollama.Decoder(), body))) == [
        "R C'Hel'", "C'lo'", "F stop", "U 26/9/35",
    ]  # fmt: skip


def test_calls_are_counted_over_the_stream_and_have_ids() -> None:
    body = lines(says(tool_calls=calls("a")), says(tool_calls=calls("b", "c")), END)
    first, again = decoded(ollama.Decoder(), body), decoded(ollama.Decoder(), body)
    (answer,) = told(first)[0].values()

    assert [(index, name, text) for index, (_, name, text) in answer.calls.items()] == [
        (0, "a", "{}"), (1, "b", "{}"), (2, "c", "{}"),
    ]  # fmt: skip
    assert len({id_ for id_, _, _ in answer.calls.values()}) == 3
    assert [chunk.model_dump() for chunk in first] == [chunk.model_dump() for chunk in again]
    assert "F tool_calls" in short(normal(first))


ENDS: dict[str, tuple[bytes, type[APIError], str]] = {
    "nothing": (b"", EmptyStreamError, "no event of any use"),
    "blank lines": (b"\n\r\n", EmptyStreamError, "no event of any use"),
    "not done": (lines(says(content="a")), StreamTruncatedError, "without a line that is done"),
    "within a line": (lines(says(content="a")) + b'{"mo', StreamTruncatedError, "inside an event"),
    "[DONE] alone": (lines(says(content="a")) + b"[DONE]\n", StreamTruncatedError, "after"),
    "an error": (lines(says(content="a"), {"error": "it fell"}), APIError, "it fell"),
    "too long": (
        lines({"error": "the input exceeds the available context size"}),
        ContextWindowExceededError,
        "context size",
    ),
    "events": (b'data: {"a":1}\n\n', MalformedStreamError, "server-sent events where lines"),
    "no JSON": (b"<p>\n", MalformedStreamError, "no JSON"),
    "done is a word": (lines({"done": "yes"}), MalformedStreamError, "done must be true or false"),
    "a call is a word": (lines(says(tool_calls=["a"])), MalformedStreamError, "must be an object"),
    "no arguments": (
        lines(says(tool_calls=[{"function": {"name": "f", "arguments": 1}}])),
        MalformedStreamError,
        "arguments must be an object",
    ),
    "no logprob": (
        lines(says(beside={"logprobs": [{"token": "a"}]})), MalformedStreamError, "its logprob",
    ),
    "a failure": (lines(says(True, beside={"done_reason": "error"})), APIError, "broke off"),
}  # fmt: skip


@pytest.mark.parametrize(("body", "kind", "message"), ENDS.values(), ids=ENDS)
def test_a_broken_stream_is_told(body: bytes, kind: type[APIError], message: str) -> None:
    with pytest.raises(kind, match=message.replace("[", r"\[")):
        decoded(ollama.Decoder(), body)


@pytest.mark.parametrize(
    ("reason", "finish"),
    [
        ("stop", "stop"),
        ("length", "length"),
        ("load", "load"),
        ("unload", "unload"),
        (None, "stop"),
    ],
)
def test_a_done_line_ends_the_answer(reason: str | None, finish: str) -> None:
    decoder = ollama.Decoder()
    chunks = decoded(decoder, lines(says(True, beside={"done_reason": reason})) + b"junk\n")

    assert told(chunks)[0][0].reason == finish
    assert decoder.complete
    assert decoder.terminal_seen


def test_what_has_no_place_goes_along() -> None:
    token = {"token": "a", "logprob": -0.5, "bytes": [97]}
    first = says(content="a", thinking="b", images=["aGk="], beside={"logprobs": [token], "x": 1})
    chunks = decoded(ollama.Decoder(), lines(first, {"status": "of another kind"}, END))
    choice = chunks[1].choices[0]

    assert (chunks[0].created, chunks[0].model, chunks[0].extras) == (1785421048, "m", {"x": 1})
    assert (choice.delta.content, choice.delta.reasoning_content) == ("a", "b")
    assert choice.delta.provider_specific_fields == {"images": ["aGk="]}
    assert choice.logprobs is not None
    assert choice.logprobs.content[0].bytes == [97]  # type: ignore[index]  # there is one
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.extras == {"eval_duration": 5}


def body_of(messages: list[dict[str, Any]], *, drop: bool = False, **params: Any) -> Any:
    made = Call(model="qwen3", messages=messages, params=params, drop_params=drop)
    return json.loads(ollama.request(made).body)


HI = [{"role": "user", "content": "hi"}]
PARAMS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "options": (
        {"max_tokens": 5, "temperature": 0, "stop": "x", "frequency_penalty": 0.0},
        {"options": {"num_predict": 5, "temperature": 0, "stop": ["x"], "frequency_penalty": 0.0}},
    ),
    "the newer limit": (
        {"max_completion_tokens": 6, "max_tokens": 5}, {"options": {"num_predict": 6}},
    ),
    "JSON": ({"response_format": {"type": "json_object"}}, {"format": "json"}),
    "text": ({"response_format": {"type": "text"}}, {}),
    "a schema": (
        {"response_format": {"type": "json_schema", "json_schema": {"schema": {"a": 1}}}},
        {"format": {"a": 1}},
    ),
    "an effort": ({"reasoning_effort": "high"}, {"think": True}),
    "no effort": ({"reasoning_effort": "none"}, {"think": False}),
    "thoughts": ({"thinking": {"type": "disabled"}, "reasoning_effort": "low"}, {"think": False}),
    "no tools": ({"tools": [{"function": {"name": "f"}}], "tool_choice": "none"}, {}),
    "tools": (
        {"tools": [{"function": {"name": "f"}}], "tool_choice": "auto"},
        {"tools": [{"function": {"name": "f"}}]},
    ),
    "as they are": ({"keep_alive": "5m", "stream_options": {}}, {"keep_alive": "5m"}),
}  # fmt: skip


@pytest.mark.parametrize(("params", "fields"), PARAMS.values(), ids=PARAMS)
def test_a_parameter_is_asked_in_ollamas_words(
    params: dict[str, Any], fields: dict[str, Any]
) -> None:
    assert body_of(HI, **params) == {
        "model": "qwen3", "messages": HI, "stream": False, **fields,
    }  # fmt: skip


@pytest.mark.parametrize("params", [{"tool_choice": "required"}, {"logit_bias": {}}, {"n": 2}])
def test_what_there_is_not_is_refused_or_dropped(params: dict[str, Any]) -> None:
    with pytest.raises(UnsupportedParamsError, match="ollama"):
        body_of(HI, **params)

    assert body_of(HI, drop=True, **params) == body_of(HI)


@pytest.mark.parametrize(
    ("params", "problem"),
    [
        ({"reasoning_effort": "huge"}, "reasoning_effort is one of"),
        ({"response_format": {"type": "xml"}}, "not 'xml'"),
    ],
)
def test_a_value_that_there_is_not_is_refused(params: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        body_of(HI, **params)


def test_a_conversation_is_told_in_ollamas_words() -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}}
    call = {"id": "c1", "function": {"name": "f", "arguments": '{"x":1}'}}
    sent = body_of(
        [
            {"role": "developer", "content": "be brief"},
            {"role": "user", "content": [{"type": "text", "text": "see"}, image]},
            {"role": "assistant", "reasoning_content": "hm", "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "c1", "content": "7"},
            {"role": "assistant", "content": None, "refusal": "no"},
        ]
    )
    made = {"id": "c1", "function": {"name": "f", "arguments": {"x": 1}}}

    assert sent["messages"] == [
        {"role": "system", "content": "be brief"},
        {"role": "user", "content": "see", "images": ["aGk="]},
        {"role": "assistant", "content": "", "thinking": "hm", "tool_calls": [made]},
        {"role": "tool", "content": "7", "tool_name": "f", "tool_call_id": "c1"},
        {"role": "assistant", "content": "no"},
    ]


@pytest.mark.parametrize(
    ("message", "problem"),
    [
        ({"role": "narrator"}, "role 'narrator'"),
        ({"role": "user", "content": [{"type": "input_audio"}]}, "parts of type 'input_audio'"),
        (
            {"role": "user", "content": [{"type": "image_url", "image_url": "http://a/b"}]},
            "fetches no images",
        ),
        ({"role": "tool", "tool_call_id": "c9", "content": ""}, "a tool answers call 'c9'"),
    ],
    ids=["role", "audio", "image", "call"],
)
def test_a_message_that_cannot_be_sent_is_refused(message: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        body_of([message])


def test_a_call_without_an_id_is_sent_without_one_and_a_tool_may_name_itself() -> None:
    call = {"function": {"name": "f", "arguments": "{}"}}
    sent = body_of(
        [
            {"role": "assistant", "tool_calls": [call]},
            {"role": "tool", "name": "f", "content": "7"},
        ]
    )["messages"]

    assert sent[0]["tool_calls"] == [{"function": {"name": "f", "arguments": {}}}]
    assert sent[1] == {"role": "tool", "content": "7", "tool_name": "f"}


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b" ", EmptyStreamError),
        (b"{}", EmptyStreamError),
        (b"<p>", MalformedStreamError),
        (b"data: {}", MalformedStreamError),
        (b"\xff", MalformedStreamError),
        (ollama.encode_error_body(500, "no"), APIError),
        (lines(says(content="a")), StreamTruncatedError),
    ],
    ids=["blank", "nothing", "a page", "an event", "no UTF-8", "an error", "not done"],
)
def test_a_whole_body_that_is_no_answer_says_so(body: bytes, kind: type[APIError]) -> None:
    with pytest.raises(APIError) as raised:
        ollama.whole_body(body)

    assert type(raised.value) is kind


def test_an_answer_without_an_end_is_sent_so_and_an_error_is_read_as_one() -> None:
    message = Message(content="a", reasoning_content="hm")
    completion = ModelResponse(
        id="1", created=1, model="m", choices=[Choices(message=message, finish_reason=None)]
    )
    body = b"".join(ollama.encode(completion))

    assert b'"done":true' not in body
    for sent in (body, ollama.encode_body(completion)):
        with pytest.raises(StreamTruncatedError):
            decoded(ollama.Decoder(), sent + b"\n")
    with pytest.raises(APIError, match="<n\u00f6>"):
        decoded(ollama.Decoder(), body + ollama.encode_error(500, "<n\u00f6>"))


def test_a_line_that_comes_alone_is_read_at_once() -> None:
    decoder = ollama.Decoder()
    first = decoder.read(lines(says(content="a")))
    assert not isinstance(first, ModelResponseStream)
    assert [chunk.choices[0].delta.content for chunk in first if chunk.choices] == ["a"]
    second = decoder.read(lines(says(content="b")))

    assert isinstance(second, ModelResponseStream)
    assert second.choices[0].delta.content == "b"


def test_a_stream_is_asked_for_as_lines() -> None:
    sent = ollama.request(Call(model="gpt-oss:20b", messages=HI, stream=True,
                               params={"reasoning_effort": "minimal"}))  # fmt: skip

    assert sent.path == "/api/chat"
    assert sent.headers["accept"] == "application/x-ndjson"
    assert json.loads(sent.body)["stream"] is True
    assert json.loads(sent.body)["think"] == "low"


@pytest.mark.parametrize(
    ("start", "is_stream"),
    [
        (b'{"model"', True),
        (b"{", True),
        (b'{\n  "error"', False),
        (b"<p>", False),
        (b"data:", False),
    ],
)
def test_a_stream_is_told_by_its_first_bytes(start: bytes, is_stream: bool) -> None:
    assert ollama.Decoder.is_stream(start) is is_stream


def fold(body: bytes) -> tuple[str, str, list[tuple[str, Any]], tuple[int, int] | None]:
    """What the lines of a recorded body say, put together without the decoder."""
    text = thoughts = ""
    called, counts = [], None
    for line in filter(None, map(bytes.strip, body.split(b"\n"))):
        value = json.loads(line)
        said = value.get("message") or value
        text += said.get("content") or said.get("response") or ""
        thoughts += said.get("thinking") or ""
        functions = [call["function"] for call in said.get("tool_calls") or ()]
        called += [(it["name"], it["arguments"]) for it in functions]
        if "eval_count" in value:
            counts = value.get("prompt_eval_count", 0), value["eval_count"]
    return text, thoughts, called, counts


def test_every_public_stream_is_read_as_a_plain_fold_reads_it(corpus: Path) -> None:
    count = 0
    for name, body in streams(corpus, "ollama"):
        answers, usage = told(decoded(ollama.Decoder(), body))
        answer = answers[0]
        counts = usage and (usage.prompt_tokens, usage.completion_tokens)
        count += 1

        assert (answer.text, answer.reasoning, arguments(answer), counts) == fold(body), name
    assert count == 22


def _heard(parts: list[Any]) -> tuple[str, str, list[tuple[str, Any]], str | None]:
    """What the SDK's responses say together."""
    said = [part.message for part in parts]
    called = [call.function for it in said for call in it.tool_calls or ()]
    return (
        "".join(it.content or "" for it in said),
        "".join(it.thinking or "" for it in said),
        [(it.name, dict(it.arguments)) for it in called],
        parts[-1].done_reason,
    )


@pytest.mark.sdk
@settings(many, max_examples=15)
@given(completion=completions())
def test_ollamas_sdk_reads_what_was_told(completion: ModelResponse) -> None:
    sdk = pytest.importorskip("ollama", reason="ollama is in the group 'sdks'")
    # The SDK breaks lines there too, as str.splitlines does; no server escapes it.
    assume("\x85".encode() not in b"".join(ollama.encode(completion)))
    choice = completion.choices[0]
    said = choice.message
    told_ = (
        (said.refusal or "") + (said.content or ""),
        said.reasoning_content or "",
        [(it.function.name, json.loads(it.function.arguments)) for it in said.tool_calls or ()],
        "stop" if choice.finish_reason == "tool_calls" else choice.finish_reason,
    )

    async def hear(host: str) -> list[Any]:
        async with sdk.AsyncClient(host=host) as client:
            return [
                [part async for part in await client.chat(model="m", messages=[], stream=True)],
                [await client.chat(model="m", messages=[])],
            ]

    with LoopbackServer() as server, sdk.Client(host=server.ollama_url) as client:
        server.answer(completion)
        ways = [list(client.chat(model="m", messages=[], stream=True))]
        ways += [[client.chat(model="m", messages=[])], *asyncio.run(hear(server.ollama_url))]

    assert [_heard(way) for way in ways] == [told_] * 4


@pytest.mark.sdk
def test_ollamas_sdk_raises_the_error_of_a_line_and_of_a_body() -> None:
    sdk = pytest.importorskip("ollama", reason="ollama is in the group 'sdks'")
    with LoopbackServer() as server, sdk.Client(host=server.ollama_url) as client:
        server.script("/api/chat", lambda _: streamed([ollama.encode_error(500, "n\u00f6")]))
        with pytest.raises(sdk.ResponseError, match="n\u00f6"):
            list(client.chat(model="m", messages=[], stream=True))
        server.reset()
        server.script("/api/chat", lambda _: whole(404, ollama.encode_error_body(404, "gone")))
        with pytest.raises(sdk.ResponseError, match="gone") as raised:
            client.chat(model="m", messages=[])

    assert raised.value.status_code == 404
