"""The Responses API: what is asked, what is sent, and what is read from that."""

from __future__ import annotations

import contextlib
import copy
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pytest_cassette_stream.strategies import chunkings
from strategies_completions import completions, cuts
from support import SOAK

from cassette_stream.chunks import (
    ChatCompletionMessageToolCall,
    Choices,
    Custom,
    Function,
    Message,
    ModelResponse,
    ModelResponseStream,
    NormalForm,
    ResponseAccumulator,
    Usage,
)
from cassette_stream.dialects.call import Call
from cassette_stream.dialects.openai_responses import (
    Decoder,
    decoder,
    encode,
    encode_body,
    encode_error,
    encode_error_body,
    request,
    whole_body,
)
from cassette_stream.exceptions import (
    APIError,
    BadRequestError,
    EmptyStreamError,
    InternalServerError,
    MalformedStreamError,
    RateLimitError,
    StreamProtocolError,
    StreamTruncatedError,
    UnsupportedParamsError,
)
from cassette_stream.wire import encode_event

many = settings(max_examples=400 if SOAK else 40, deadline=None)


def decoded(chunks: Iterable[bytes], *, strict: bool = True) -> Iterator[ModelResponseStream]:
    reader = Decoder(strict=strict)
    for chunk in chunks:
        yield from reader.feed(chunk)
    yield from reader.finish()


def normal(chunks: Iterable[bytes], *, strict: bool = True) -> list[ModelResponseStream]:
    form = NormalForm(include_usage=True)
    return [*form.feed(decoded(chunks, strict=strict)), *form.end()]


def told(chunks: Iterable[ModelResponseStream]) -> dict[str, Any]:
    """What a caller puts together from chunks in normal form."""
    kept: dict[str, Any] = {"content": "", "reasoning": "", "refusal": "", "calls": {}}
    kept |= {"finish": None, "usage": None}
    for chunk in chunks:
        (choice,) = chunk.choices
        delta = choice.delta
        kept["content"] += delta.content or ""
        kept["reasoning"] += delta.reasoning_content or ""
        kept["refusal"] += delta.refusal or ""
        for call in delta.tool_calls or ():
            named = call.custom or call.function
            known = kept["calls"].setdefault(call.index, [call.id, named.name, ""])
            known[0] = known[0] or call.id
            known[2] += call.custom.input if call.custom else call.function.arguments
        kept["finish"] = kept["finish"] or choice.finish_reason
        if chunk.usage is not None:
            usage = chunk.usage
            prompt, spoken = usage.prompt_tokens_details, usage.completion_tokens_details
            kept["usage"] = (
                usage.prompt_tokens,
                usage.completion_tokens,
                usage.total_tokens,
                prompt and prompt.cached_tokens,
                spoken and spoken.reasoning_tokens,
            )
    kept["calls"] = [tuple(call) for call in kept["calls"].values()]
    return kept


def events_of(body: bytes) -> list[dict[str, Any]]:
    """The events of a stream by the plainest reading there is, up to the one that ends it."""
    events = []
    for block in re.split(r"\n\n", re.sub(r"\r\n?", "\n", body.decode().removeprefix("\ufeff"))):
        lines = [line[5:] for line in block.split("\n") if line.startswith("data:")]
        data = "\n".join(lines).strip()
        if data and data != "[DONE]":
            events.append(json.loads(data))
            if events[-1]["type"] in {"response.completed", "response.incomplete"}:
                break
    return events


def fold(body: bytes) -> dict[str, Any]:
    """What a stream says, by the wire format: calls and reasoning from their items when done."""
    content, refusal, reasoning, calls = "", "", [], []
    events = events_of(body)
    for event in events:
        match event["type"]:
            case "response.output_text.delta":
                content += event["delta"]
            case "response.refusal.delta":
                refusal += event["delta"]
            case "response.output_item.done":
                item = event["item"]
                if item["type"] == "function_call":
                    calls.append((item["call_id"], item["name"], item["arguments"]))
                elif item["type"] == "reasoning":
                    parts = item.get("summary") or item.get("content") or []
                    reasoning += [part["text"] for part in parts if part["text"]]
    response = events[-1]["response"]
    reason = (response.get("incomplete_details") or {}).get("reason")
    usage = response.get("usage")
    return {
        "content": content,
        "reasoning": "\n\n".join(reasoning),
        "refusal": refusal,
        "calls": calls,
        "finish": {"max_output_tokens": "length"}.get(reason, reason)
        or ("tool_calls" if calls else "stop"),
        "usage": usage
        and (
            usage["input_tokens"],
            usage["output_tokens"],
            usage["total_tokens"],
            usage.get("input_tokens_details", {}).get("cached_tokens"),
            usage.get("output_tokens_details", {}).get("reasoning_tokens"),
        ),
    }


@pytest.fixture(scope="module")
def streams(corpus: Path) -> dict[str, bytes]:
    index = (corpus / "corpus" / "public_index.jsonl").read_text("utf-8").splitlines()
    rows = [row for row in map(json.loads, index) if row["format"] == "openai-responses"]
    return {row["file"]: (corpus / "corpus" / row["file"]).read_bytes() for row in rows}


# Streams of the corpus that end in an error, each with the reason.
BROKEN = {
    # A person cut the closing brace of two events away.
    "openai/ai__parallel-tool-call-wrapper.1__1e1b9727.sse": MalformedStreamError,
    # Samples of single events, without an end.
    "openai/client__ResponseApplyPatchCallOperationDiffDone__d373227a.sse": StreamTruncatedError,
    "openai/client__ResponseCreatedResponse__35f7f504.sse": StreamTruncatedError,
    "openai/client__ResponseOutputItemToolSearchCallAdded__0cd6704f.sse": StreamTruncatedError,
    "openai/client__ResponseOutputItemToolSearchOutputDone__ce39113f.sse": StreamTruncatedError,
    "openai/client__ResponseReasoningTextDelta__291069c3.sse": StreamTruncatedError,
    "openai/client__ResponseReasoningTextDone__457ea324.sse": StreamTruncatedError,
    # A person left most deltas out: the numbers of the others show it.
    "openai/ai__openai-phase.1__39bad97a.sse": StreamProtocolError,
    # Stored without its blank lines: all of it is one event.
    "openai/client__ResponseCodeInterpreterCreate__23b465c3.sse": StreamTruncatedError,
    # The provider reports an error, by a code of its own.
    "openai/prism__stream-unknown-error-responses-1__46ca351c.sse": APIError,
}


def test_every_public_stream_says_what_its_events_say(streams: dict[str, bytes]) -> None:
    counts: Counter[str] = Counter()
    for name, body in streams.items():
        if name in BROKEN:
            with pytest.raises(BROKEN[name]) as raised:
                list(decoded([body]))
            counts[type(raised.value).__name__] += 1
            assert type(raised.value) is BROKEN[name], name
            continue
        heard = told(normal([body]))
        counts["streams"] += 1
        counts["calls"] += len(heard["calls"])
        counts["reasoning"] += bool(heard["reasoning"])
        counts["characters"] += len(heard["content"])

        assert heard == fold(body), name
    print(f"\n{len(streams)} streams: {dict(counts)}")


def again(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What the encoder makes of the answer that *events* stream, cut where they were."""
    pieces = [it["delta"] for it in events if it["type"] == "response.output_text.delta"]
    response = events[-1]["response"]
    usage = response["usage"]
    reason = (response.get("incomplete_details") or {}).get("reason")
    answer = ModelResponse(
        id=response["id"],
        created=response["created_at"],
        model=response["model"],
        choices=[
            Choices(
                message=Message(content="".join(pieces)),
                finish_reason={None: "stop", "max_output_tokens": "length"}[reason],
            )
        ],
        usage=Usage(
            prompt_tokens=usage["input_tokens"],
            completion_tokens=usage["output_tokens"],
            total_tokens=usage["total_tokens"],
        ),
    )
    return events_of(b"".join(encode(answer, pieces=lambda text: pieces if text else [])))


# What depends on the account, on the request, or on the day's version of the API.
PARTICULAR = frozenset({"id", "item_id", "obfuscation", "phase"})
SAID = ("object", "created_at", "status", "error", "incomplete_details", "model", "output")


def essence(value: Any) -> Any:
    if isinstance(value, dict) and value.get("object") == "response":
        usage = (value.get("usage") or {}).get("total_tokens")
        return [essence(value.get(name)) for name in SAID] + [usage]
    if isinstance(value, dict):
        return {key: essence(it) for key, it in value.items() if key not in PARTICULAR}
    return [essence(it) for it in value] if isinstance(value, list) else value


def test_the_encoder_writes_event_for_event_what_the_provider_wrote(
    streams: dict[str, bytes],
) -> None:
    same = []
    for name in sorted(set(streams) - set(BROKEN)):
        real = events_of(streams[name])
        items = [it["item"]["type"] for it in real if it["type"] == "response.output_item.done"]
        recorded = name.startswith("openai/") and "created_at" in real[-1]["response"]
        if recorded and items == ["message"] and fold(streams[name])["content"]:
            same.append(essence(real) == essence(again(real)))

    assert len(same) > 100
    assert sum(same) >= 0.95 * len(same)


@many
@given(data=st.data())
def test_public_streams_are_read_alike_however_the_network_cuts(
    streams: dict[str, bytes], data: st.DataObject
) -> None:
    name = data.draw(st.sampled_from(sorted(set(streams) - set(BROKEN))))
    chunks = data.draw(chunkings(streams[name]))

    assert list(decoded(chunks)) == list(decoded([streams[name]]))


@many
@given(completion=completions(), pieces=cuts(), interleave=st.booleans())
def test_a_decoder_gives_back_what_its_encoder_was_told(
    completion: ModelResponse, pieces: Any, interleave: bool
) -> None:
    chunks = normal(encode(completion, pieces=pieces, interleave=interleave))
    accumulator = ResponseAccumulator()
    for chunk in chunks:
        accumulator.add(chunk)
    answer = accumulator.response()
    (choice,), (sent,) = answer.choices, completion.choices

    assert (answer.id, answer.created, answer.model) == (
        completion.id,
        completion.created,
        completion.model,
    )
    assert (answer.usage, answer.service_tier) == (completion.usage, completion.service_tier)
    assert choice.finish_reason == sent.finish_reason
    assert choice.message.tool_calls == sent.message.tool_calls
    for name in ("content", "reasoning_content", "refusal"):
        assert (getattr(choice.message, name) or "") == (getattr(sent.message, name) or "")
    assert told(normal_of(whole_body(encode_body(completion)))) == told(chunks)


def normal_of(chunks: Iterable[ModelResponseStream]) -> list[ModelResponseStream]:
    form = NormalForm(include_usage=True)
    return [*form.feed(chunks), *form.end()]


@many
@given(completion=completions(), pieces=cuts())
def test_the_quick_way_gives_what_the_other_gives(completion: ModelResponse, pieces: Any) -> None:
    events = list(encode(completion, pieces=pieces))
    quick = list(decoded(events))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decoder, "_delta", lambda _: msgspec.json.decode("no"))
        slow = list(decoded(events))

    assert quick == slow


def test_every_boundary_gives_the_same_chunks() -> None:
    body = b"".join(encode(WALKED, pieces=[9])).replace(b"\n", b"\r\n")
    whole = list(decoded([body]))

    assert all(
        list(decoded([body[:place], body[place:]])) == whole for place in range(1, len(body))
    )
    assert list(decoded(body[place : place + 1] for place in range(len(body)))) == whole


JSON = st.none() | st.booleans() | st.integers() | st.text(max_size=3) | st.just([1]) | st.just({})


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    keys = value if isinstance(value, dict) else range(len(value) if isinstance(value, list) else 0)
    for key in keys:
        yield value, key
        yield from places(value[key])


@settings(max_examples=1500 if SOAK else 150, deadline=None)
@given(data=st.data(), strict=st.booleans())
def test_nothing_leaks_but_exceptions_of_ours(data: st.DataObject, strict: bool) -> None:
    body = json.loads(encode_body(WALKED))
    container, key = data.draw(st.sampled_from([*places(body)]))
    container[key] = data.draw(JSON)
    with contextlib.suppress(APIError):
        assert whole_body(json.dumps(body).encode(), strict=strict)
    events = [json.loads(event.split(b"data: ", 1)[1]) for event in encode(WALKED, pieces=[9])]
    container, key = data.draw(st.sampled_from([*places(copy.copy(events))]))
    container[key] = data.draw(JSON)
    try:
        heard = list(decoded(map(event_of, events), strict=strict))
    except APIError as error:
        failed = type(error)
    else:
        failed = None if heard[-1].choices[0].finish_reason else AssertionError

    assert failed is not AssertionError
    assert strict or failed not in {MalformedStreamError, StreamProtocolError}


def event_of(value: object) -> bytes:
    return encode_event(json.dumps(value, ensure_ascii=False))


def call(number: int, name: str, arguments: str = "{}") -> ChatCompletionMessageToolCall:
    return ChatCompletionMessageToolCall(
        id=f"call_{number}", function=Function(name=name, arguments=arguments)
    )


def completion(finish: str | None = "stop", **message: Any) -> ModelResponse:
    choice = Choices(message=Message(**message), finish_reason=finish)
    return ModelResponse(id="resp_1", created=1, model="m", choices=[choice])


WALKED = completion(
    "tool_calls",
    reasoning_content="hm – 🤔",
    content="Grüße, 世界 🌍",
    annotations=[{"type": "url_citation", "url_citation": {"url": "https://a.b", "title": "t"}}],
    tool_calls=[call(1, "f", '{"a": [1, "é"]}'), call(2, "g")],
)


def test_everything_that_a_message_holds_comes_back() -> None:
    custom = ChatCompletionMessageToolCall(
        id="call_2", type="custom", custom=Custom(name="sh", input="ls -l")
    )
    items = [
        {
            "type": "reasoning",
            "id": "rs_1",
            "summary": [{"type": "summary_text", "text": text} for text in ("one", "two")],
            "encrypted_content": "gAAA",
        }
    ]
    sent = completion(
        "tool_calls",
        reasoning_items=items,
        content="so",
        annotations=WALKED.choices[0].message.annotations,
        tool_calls=[call(1, "f"), custom],
    )
    accumulator = ResponseAccumulator()
    for chunk in normal(encode(sent, pieces=[2])):
        accumulator.add(chunk)
    message = accumulator.response().choices[0].message

    assert message.reasoning_content == "one\n\ntwo"
    assert message.reasoning_items == items
    assert message.content == "so"
    assert message.annotations == WALKED.choices[0].message.annotations
    assert message.tool_calls == [call(1, "f"), custom]


def created(**fields: Any) -> dict[str, Any]:
    response = {"id": "resp_1", "created_at": 1.5, "model": "m"} | fields
    return {"type": "response.created", "response": response}


def ended(kind: str = "completed", **fields: Any) -> dict[str, Any]:
    return {"type": f"response.{kind}", "response": {"status": kind, "output": []} | fields}


def text_delta(text: Any, index: int = 0, **fields: Any) -> dict[str, Any]:
    event = {"type": "response.output_text.delta", "output_index": index, "delta": text}
    return event | fields


def added(index: int, **item: Any) -> dict[str, Any]:
    return {"type": "response.output_item.added", "output_index": index, "item": item}


def done(index: int, **item: Any) -> dict[str, Any]:
    return {"type": "response.output_item.done", "output_index": index, "item": item}


def arguments(index: int, delta: Any) -> dict[str, Any]:
    kind = "response.function_call_arguments.delta"
    return {"type": kind, "output_index": index, "delta": delta}


def function(number: int, name: str = "f", text: str = "") -> dict[str, Any]:
    item = {"type": "function_call", "id": f"fc_{number}", "call_id": f"call_{number}"}
    return item | {"name": name, "arguments": text}


def said(text: str) -> dict[str, Any]:
    return {"type": "message", "content": [{"type": "output_text", "text": text}]}


def heard(*events: dict[str, Any], strict: bool = True) -> dict[str, Any]:
    return told(normal(map(event_of, events), strict=strict))


F = ("call_1", "f", '{"a":1}')


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([arguments(0, '{"a"'), arguments(0, ""), arguments(0, ":1}")], [F]),
        ([done(0, **function(1, text='{"a":1}'))], [F]),
        ([arguments(0, '{"a"'), done(0, **function(1, text='{"a":1}'))], [F]),
        ([arguments(0, '{"a":1}'), done(0, **function(1, text='{"a": 1}'))], [F]),
        (
            [
                arguments(0, '{"a":1}'),
                {
                    "type": "response.function_call_arguments.done",
                    "output_index": 0,
                    "arguments": '{"a":1}',
                },
                done(0, **function(1, text='{"a":1}')),
                done(0, **function(1, text='{"a":1}')),
            ],
            [F],
        ),
        (
            [
                arguments(0, '{"a":1}'),
                done(0, **function(1, text='{"a":1}')),
                added(0, **function(2, "g")),
                arguments(0, "{}"),
                done(0, **function(2, "g", "{}")),
            ],
            [F, ("call_2", "g", "{}")],
        ),
        (
            [
                added(7, **function(2, "g")),
                arguments(7, '{"b"'),
                arguments(0, '{"a":'),
                arguments(7, ":2}"),
                arguments(0, "1}"),
            ],
            [F, ("call_2", "g", '{"b":2}')],
        ),
        ([arguments(0, '{"a":1}'), done(3, **function(2, "g", "{}"))], [F, ("call_2", "g", "{}")]),
        ([done(0, **function(1))], [("call_1", "f", "{}")]),
    ],
    ids=[
        "an empty delta",
        "told when it is done",
        "the rest told when it is done",
        "written anew when it is done",
        "told again and again",
        "two at the same place",
        "two interleaved, places with gaps",
        "one that was never added",
        "without arguments",
    ],
)
def test_a_tool_call_comes_once_and_whole(events: list[Any], expected: list[Any]) -> None:
    result = heard(created(), added(0, **function(1)), *events, ended())

    assert result["calls"] == expected
    assert result["finish"] == "tool_calls"


def test_a_call_that_only_the_last_event_tells_is_not_lost() -> None:
    output = [function(1, text='{"a":1}'), function(2, "g", "{}")]
    events = [created(), text_delta("hi"), added(4, **function(2, "g", "{}")), ended(output=output)]

    assert heard(*events)["calls"] == [("call_2", "g", "{}"), F]


@pytest.mark.parametrize(
    ("begun", "finished"),
    [({"call_id": None}, {}), ({}, {"call_id": None})],
    ids=["comes late", "is said once"],
)
def test_an_id_belongs_to_the_call_at_its_place(begun: Any, finished: Any) -> None:
    item = function(1, text="{}")
    events = [added(0, **item | begun), done(0, **item | finished), ended(output=[item])]

    assert heard(created(), *events)["calls"] == [("call_1", "f", "{}")]


@pytest.mark.parametrize(
    "events",
    [
        [text_delta("h"), text_delta("i"), done(0, **said("hi"))],
        [added(0, type="message"), done(0, **said("hi"))],
        [ended(output=[said("hi")])],
        [text_delta("h"), done(0, **said("never")), added(0, type="message"), done(0, **said("i"))],
        [text_delta("hi", 0, content_index=1), done(0, **said("hi")), ended(output=[said("hi")])],
        [text_delta("hi", 1), ended(output=[said("hi")])],
        [{"type": "response.output_text.delta", "delta": "hi"}, ended(output=[said("hi")])],
    ],
    ids=[
        "deltas",
        "when it is done",
        "in the end",
        "two at the same place",
        "the part counted otherwise",
        "the place counted otherwise",
        "no place at all",
    ],
)
def test_text_comes_once(events: list[Any]) -> None:
    assert heard(created(), *events, ended())["content"] == "hi"


def test_reasoning_is_told_in_paragraphs() -> None:
    kinds = ["response.reasoning_summary_text.delta", "response.reasoning_text.delta"]
    events = [
        {"type": kinds[0], "output_index": 0, "summary_index": 0, "delta": "a"},
        {"type": kinds[0], "output_index": 0, "summary_index": 0, "delta": "b"},
        {"type": kinds[0], "output_index": 0, "summary_index": 1, "delta": "c"},
        {"type": kinds[1], "output_index": 2, "content_index": 0, "delta": "d"},
        done(4, type="reasoning", summary=[], content=[{"type": "reasoning_text", "text": "e"}]),
        done(5, type="reasoning", summary=[{"text": "f"}, {"text": "g"}]),
    ]

    assert heard(created(), *events, ended())["reasoning"] == "ab\n\nc\n\nd\n\ne\n\nf\n\ng"


def test_events_that_say_nothing_make_no_chunk() -> None:
    note = {"type": "response.output_text.annotation.added", "output_index": 0, "annotation": None}
    silent = {"type": "response.reasoning_text.delta", "output_index": 0, "delta": ""}
    empty = [note, silent, text_delta(""), done(0, type="image_generation_call", result=None)]

    assert len(list(decoded(map(event_of, [created(), *empty, ended()])))) == 1


def test_an_answer_that_never_ended_has_no_last_event() -> None:
    with pytest.raises(StreamTruncatedError):
        list(decoded(encode(completion(None, content="hi"))))
    with pytest.raises(ValueError, match="openai_responses sends one choice, not 0"):
        encode(ModelResponse(id="1", created=1, model="m", choices=[]))


def test_reasoning_that_can_be_sent_back_is_passed_on_once() -> None:
    item = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAA"}
    chunks = list(decoded(map(event_of, [created(), done(0, **item), ended(output=[item])])))

    assert [chunk.choices[0].delta.reasoning_items for chunk in chunks] == [[item], None]


def test_log_probabilities_annotations_and_images_are_passed_on() -> None:
    note = {"type": "file_citation", "file_id": "file_1", "index": 3}
    events = [
        created(),
        text_delta("hi", logprobs=[{"token": "hi", "logprob": -0.5, "top_logprobs": []}]),
        {"type": "response.output_text.annotation.added", "output_index": 0, "annotation": note},
        done(0, **said("hi") | {"content": [{"text": "hi", "annotations": [note]}]}),
        done(1, type="image_generation_call", result="QUJD", output_format="webp"),
        done(2, type="message", content=[{"text": "!", "annotations": [note]}]),
        ended(output=[{"type": "image_generation_call", "result": "QUJD"}]),
    ]
    chunks = list(decoded(map(event_of, events)))
    deltas = [chunk.choices[0].delta for chunk in chunks]
    cited = {"type": "file_citation", "file_citation": {"file_id": "file_1", "index": 3}}

    assert chunks[0].choices[0].logprobs.content[0].logprob == -0.5
    assert [delta.annotations for delta in deltas if delta.annotations] == [[cited], [cited]]
    assert [delta.images for delta in deltas if delta.images] == [
        [
            {
                "type": "image_url",
                "index": 0,
                "image_url": {"url": "data:image/webp;base64,QUJD"},
            }
        ]
    ]


@pytest.mark.parametrize(
    ("last", "finish"),
    [
        (ended(), "stop"),
        (ended("incomplete", incomplete_details={"reason": "max_output_tokens"}), "length"),
        (ended("incomplete", incomplete_details={"reason": "content_filter"}), "content_filter"),
        (ended("incomplete", incomplete_details={"reason": "boredom"}), "boredom"),
        (ended("incomplete", incomplete_details=None), "incomplete"),
        (ended("incomplete", incomplete_details=7), "incomplete"),
    ],
    ids=["completed", "length", "filter", "unknown", "no reason", "no details"],
)
def test_why_it_ended(last: dict[str, Any], finish: str) -> None:
    events = [created(), text_delta("hi"), last]
    final = normal(map(event_of, events))[-1].choices[0]

    assert final.finish_reason == finish
    assert final.abnormal_finish is (finish in {"boredom", "incomplete"})


def test_usage_keeps_what_is_the_provider_s_own() -> None:
    billed = {"input_tokens": 3, "output_tokens": 4, "cost": 0.5, "num_sources_used": 0}
    usage = normal([event_of(created()), event_of(ended(usage=billed))])[-1].usage

    assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (3, 4, 7)
    assert (usage.cost, usage.num_sources_used) == (0.5, 0)
    assert usage.prompt_tokens_details is None


def failed(code: Any, message: str = "no") -> dict[str, Any]:
    error = {"code": code, "message": message}
    return {"type": "response.failed", "response": {"status": "failed", "error": error}}


@pytest.mark.parametrize(
    ("event", "kind"),
    [
        (failed("server_error"), InternalServerError),
        (failed("rate_limit_exceeded"), RateLimitError),
        (failed("invalid_prompt"), BadRequestError),
        (failed("image_too_large"), BadRequestError),
        (failed("vector_store_timeout"), APIError),
        (failed(None), APIError),
        ({"type": "response.failed"}, APIError),
        ({"type": "error", "code": "rate_limit_exceeded", "message": "no"}, RateLimitError),
        (
            {"type": "error", "error": {"type": "server_error", "message": "no"}},
            InternalServerError,
        ),
        ({"error": {"type": "invalid_request_error", "message": "no"}}, BadRequestError),
        ({"object": "error", "message": "no", "code": 400}, BadRequestError),
        ({"type": "error", "error": "no"}, APIError),
        (json.loads(encode_error(429, "no").split(b"data: ")[1]), RateLimitError),
        (json.loads(encode_error(503, "no").split(b"data: ")[1]), InternalServerError),
        (json.loads(encode_error(404, "no").split(b"data: ")[1]), BadRequestError),
    ],
    ids=lambda it: it.__name__ if isinstance(it, type) else None,
)
def test_an_error_within_the_stream_is_the_class_that_its_code_says(
    event: dict[str, Any], kind: type[APIError]
) -> None:
    reader = Decoder()
    chunks = reader.feed(b"".join(map(event_of, [created(), text_delta("hi"), event, ended()])))

    assert next(chunks).choices[0].delta.content == "hi"
    with pytest.raises(kind) as raised:
        next(chunks)
    assert type(raised.value) is kind
    assert raised.value.body == event
    assert raised.value.type != "error"
    assert raised.value.message == "no" or "no word with it" in raised.value.message
    assert reader.complete
    assert list(reader.finish()) == []


@pytest.mark.parametrize(
    ("body", "kind", "text"),
    [
        (b"", EmptyStreamError, "no event"),
        (b"data: [DONE]\n\n: ping\n\n", EmptyStreamError, "no event"),
        (event_of(created()), StreamTruncatedError, "without response.completed"),
        (event_of(created()) + event_of(text_delta("hi")), StreamTruncatedError, "without"),
        (event_of(text_delta("hi")) + b"data: [DONE]\n\n", StreamTruncatedError, "without"),
        (event_of(created()) + event_of(ended())[:-10], StreamTruncatedError, "inside an event"),
        (b"data: {\n\n", MalformedStreamError, "no JSON: '{'"),
        (b"data: [1]\n\n", MalformedStreamError, "no JSON object"),
        (b"data: " + b"[" * 100_000 + b"\n\n", MalformedStreamError, "no JSON"),
        (b"data: \xff\n\n", MalformedStreamError, "no UTF-8"),
        (event_of(created()) + event_of({"detail": "no"}), APIError, "no"),
        (event_of(created()) + event_of({"message": "no"}), APIError, "no"),
        (event_of(text_delta(12)), MalformedStreamError, "delta must be a text, not '12'"),
        (event_of(text_delta("hi", "x")), MalformedStreamError, "output_index must be a number"),
        (event_of({"type": "response.completed"}), MalformedStreamError, "without a response"),
        (event_of(done(0) | {"item": None}), MalformedStreamError, "without an item"),
        (event_of(ended(output=5)), MalformedStreamError, "output must be a list, not '5'"),
        (event_of(ended(output=[5])), MalformedStreamError, "output holds what is no object"),
        (event_of(ended(usage={"input_tokens": "x"})), MalformedStreamError, "prompt_tokens"),
        (
            event_of(done(0, **said("x") | {"content": [{"annotations": [{}]}]})),
            MalformedStreamError,
            "without a type",
        ),
        (
            b"".join(
                map(event_of, [done(0, **function(1, text="{")), done(0, **function(1, text="["))])
            ),
            StreamProtocolError,
            "the arguments of f (call_1) were streamed as '{', and told as '['",
        ),
        (event_of(arguments(3, "{}")), StreamProtocolError, "output_index 3, which is no tool"),
        (
            b"".join(
                map(
                    event_of,
                    [
                        added(0, **function(1)),
                        arguments(0, '{"a":1}'),
                        done(0, **function(1, text='{"a":2}')),
                    ],
                )
            ),
            StreamProtocolError,
            "streamed as '{\"a\":1}', and told as",
        ),
    ],
    ids=lambda it: None if isinstance(it, bytes | type) else it,
)
def test_a_stream_that_is_not_whole_is_no_answer(
    body: bytes, kind: type[APIError], text: str
) -> None:
    with pytest.raises(kind, match=re.escape(text)) as raised:
        list(decoded([body]))

    assert type(raised.value) is kind


def test_what_cannot_be_read_is_left_out_and_said_where_that_is_allowed() -> None:
    broken = added(0, **function(1)), arguments(0, "[1]"), done(0, **function(1, text="[2]"))
    events = [created(), text_delta(12), {"type": 5}, arguments(9, "x"), *broken]
    reader = Decoder(strict=False)
    body = b"".join(map(event_of, [*events, ended(usage={"input_tokens": []})]))
    chunks = [*reader.feed(b"data: {\n\n" + body), *reader.finish()]
    result = told(normal_of(chunks))

    assert (result["content"], result["calls"]) == ("12", [("call_1", "f", "[1]")])
    assert [warning[:40] for warning in reader.warnings] == [
        "an event was left out: no JSON: '{': Inp",
        "an event was left out: arguments for the",
        "an event was left out: the arguments of ",
        "usage was left out: a chunk is not as it",
    ]


@pytest.mark.parametrize(
    "variant",
    [
        lambda body: b"\xef\xbb\xbf" + body,
        lambda body: body.replace(b"\n", b"\r\n"),
        lambda body: body.replace(b"\n", b"\r"),
        lambda body: body.replace(b"data: ", b"data:"),
        lambda body: re.sub(rb"event: .*\n", b"", body),
        lambda body: body.replace(b'data: {"type"', b'data: {\ndata: "type"'),
        lambda body: body.replace(b"event: ", b": keep-alive\n\nid: 7\nevent: "),
        lambda body: body.rstrip(b"\n"),
        lambda body: body + b"data: [DONE]\n\n",
        lambda body: body + b"data: {\n\n" + body,
        lambda body: body.replace(b"event: ", b'data: {"type":"keepalive"}\n\nevent: ', 3),
        lambda body: body.replace(
            b"event: ", b'data: {"type":"response.brand_new","delta":{}}\n\nevent: ', 3
        ),
    ],
    ids=[
        "byte order mark",
        "CRLF",
        "CR",
        "no blank after the colon",
        "no event names",
        "data over two lines",
        "comments and ids",
        "no last blank line",
        "[DONE]",
        "anything after the end",
        "keepalives",
        "unknown events",
    ],
)
def test_the_framing_makes_no_difference(variant: Any) -> None:
    body = b"".join(encode(WALKED))

    assert list(decoded([variant(body)])) == list(decoded([body]))


def test_the_end_is_seen_at_the_last_event() -> None:
    *events, last = encode(WALKED)
    reader = Decoder()
    for event in events:
        list(reader.feed(event))

    assert not reader.terminal_seen
    list(reader.feed(last))
    assert reader.terminal_seen
    assert reader.complete


def test_what_was_told_before_an_error_is_still_given() -> None:
    chunks = Decoder().feed(event_of(created()) + event_of(text_delta("hi")) + b"data: {\n\n")

    assert next(chunks).choices[0].delta.content == "hi"
    with pytest.raises(MalformedStreamError):
        next(chunks)


@pytest.mark.parametrize(
    ("body", "kind", "text"),
    [
        (b" \n", EmptyStreamError, "empty"),
        (b"<html>down</html>", MalformedStreamError, "no JSON: '<html>"),
        (b'{"object": "list"}', MalformedStreamError, "no response"),
        (encode_error_body(429, "slow"), RateLimitError, "slow"),
        (json.dumps(failed("server_error")["response"]).encode(), InternalServerError, "no"),
        (encode_body(completion(None, content="hi")), StreamTruncatedError, "in_progress"),
    ],
    ids=["empty", "page", "list", "error", "failed", "not yet"],
)
def test_a_body_that_is_no_answer_is_an_error(body: bytes, kind: type[APIError], text: str) -> None:
    with pytest.raises(kind, match=text):
        whole_body(body)


def test_a_whole_answer_is_a_stream_of_its_items() -> None:
    heard_whole = told(normal_of(whole_body(encode_body(WALKED))))

    assert heard_whole == told(normal(encode(WALKED)))
    assert whole_body(b'{"output": []}')[-1].choices[0].finish_reason == "stop"


def asked(messages: list[Any] | None = None, **params: Any) -> dict[str, Any]:
    stream = params.pop("stream", False)
    call = Call(model="m", messages=messages or [], stream=stream, params=params)
    made = request(call)
    assert made.path == "/responses"
    body = dict(json.loads(made.body))
    assert body.pop("model") == "m"
    return body


def item(role: str, *content: dict[str, Any]) -> dict[str, Any]:
    return {"type": "message", "role": role, "content": list(content)}


CALLED = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}
URL = "data:image/png;base64,QQ=="


@pytest.mark.parametrize(
    ("messages", "instructions", "items"),
    [
        (
            [{"role": "user", "content": "hi", "name": "Ada"}],
            None,
            [item("user", {"type": "input_text", "text": "hi"})],
        ),
        (
            [
                {"role": "system", "content": "be brief"},
                {
                    "role": "system",
                    "content": [{"type": "text", "text": "be"}, {"type": "text", "text": " kind"}],
                },
                {"role": "developer", "content": "no jokes"},
                {"role": "system", "content": "later"},
            ],
            "be brief\n\nbe kind",
            [
                item("developer", {"type": "input_text", "text": "no jokes"}),
                item("system", {"type": "input_text", "text": "later"}),
            ],
        ),
        (
            [
                {
                    "role": "user",
                    "content": [
                        {"type": "image_url", "image_url": {"url": URL, "detail": "low"}},
                        {"type": "image_url", "image_url": URL},
                        {"type": "file", "file": {"file_id": "file_1"}},
                        {"type": "input_audio", "input_audio": {"data": "QQ==", "format": "wav"}},
                    ],
                }
            ],
            None,
            [
                item(
                    "user",
                    {"type": "input_image", "image_url": URL, "detail": "low"},
                    {"type": "input_image", "image_url": URL},
                    {"type": "input_file", "file_id": "file_1"},
                    {"type": "input_audio", "input_audio": {"data": "QQ==", "format": "wav"}},
                )
            ],
        ),
        (
            [
                {
                    "role": "assistant",
                    "content": "wait",
                    "reasoning_items": [{"type": "reasoning", "encrypted_content": "gAAA"}],
                    "tool_calls": [CALLED],
                },
                {"role": "tool", "tool_call_id": "call_1", "content": "42"},
                {
                    "role": "tool",
                    "tool_call_id": "call_2",
                    "content": [{"type": "text", "text": "a"}],
                },
                {"role": "tool", "tool_call_id": "call_3", "content": None},
            ],
            None,
            [
                {"type": "reasoning", "encrypted_content": "gAAA"},
                item("assistant", {"type": "output_text", "text": "wait"}),
                {"type": "function_call", "call_id": "call_1", "name": "f", "arguments": '{"a":1}'},
                {"type": "function_call_output", "call_id": "call_1", "output": "42"},
                {
                    "type": "function_call_output",
                    "call_id": "call_2",
                    "output": [{"type": "input_text", "text": "a"}],
                },
                {"type": "function_call_output", "call_id": "call_3", "output": ""},
            ],
        ),
        (
            [
                {
                    "role": "assistant",
                    "content": None,
                    "tool_calls": [
                        {"id": "call_1", "type": "custom", "custom": {"name": "sh", "input": "ls"}},
                        {"id": "call_2", "function": {"name": "g", "arguments": ""}},
                        {"id": "call_3", "function": {"name": "g", "arguments": {"a": 1}}},
                    ],
                },
                {"role": "tool", "tool_call_id": "call_1", "content": "x"},
            ],
            None,
            [
                {"type": "custom_tool_call", "call_id": "call_1", "name": "sh", "input": "ls"},
                {"type": "function_call", "call_id": "call_2", "name": "g", "arguments": "{}"},
                {
                    "type": "function_call",
                    "call_id": "call_3",
                    "name": "g",
                    "arguments": '{"a": 1}',
                },
                {"type": "custom_tool_call_output", "call_id": "call_1", "output": "x"},
            ],
        ),
        (
            [
                {"role": "assistant", "content": "", "refusal": "I cannot."},
                {"role": "assistant", "content": [{"type": "refusal", "refusal": "no"}]},
            ],
            None,
            [
                item("assistant", {"type": "refusal", "refusal": "I cannot."}),
                item("assistant", {"type": "refusal", "refusal": "no"}),
            ],
        ),
    ],
    ids=["user", "instructions", "parts", "tools", "odd calls", "refusals"],
)
def test_a_conversation_becomes_items(messages: Any, instructions: Any, items: Any) -> None:
    body = asked(messages)

    assert body.get("instructions") == instructions
    assert body["input"] == items


GRAMMAR = {"type": "grammar", "grammar": {"syntax": "lark", "definition": "start: X"}}
SCHEMA = {"name": "n", "schema": {"type": "object"}, "strict": True}


@pytest.mark.parametrize(
    ("params", "body"),
    [
        ({"stream": True}, {"stream": True}),
        ({"max_tokens": 5}, {"max_output_tokens": 5}),
        ({"max_completion_tokens": 6, "max_tokens": 5}, {"max_output_tokens": 6}),
        ({"temperature": 0.5, "top_p": None}, {"temperature": 0.5}),
        ({"max_tokens": None, "tools": None, "n": 1}, {}),
        ({"reasoning_effort": "low"}, {"reasoning": {"effort": "low"}}),
        (
            {"reasoning_effort": {"effort": "low", "summary": "auto"}},
            {"reasoning": {"effort": "low", "summary": "auto"}},
        ),
        ({"stream_options": {"include_usage": True}}, {}),
        (
            {"stream_options": {"include_usage": True, "include_obfuscation": False}},
            {"stream_options": {"include_obfuscation": False}},
        ),
        (
            {"logprobs": True, "top_logprobs": 2},
            {"include": ["message.output_text.logprobs"], "top_logprobs": 2},
        ),
        ({"logprobs": False}, {}),
        (
            {"response_format": {"type": "json_schema", "json_schema": SCHEMA}, "verbosity": "low"},
            {"text": {"format": {"type": "json_schema"} | SCHEMA, "verbosity": "low"}},
        ),
        ({"response_format": {"type": "json_object"}}, {"text": {"format": {"type": "json_object"}}}),
        (
            {"tools": [{"type": "function", "function": {"name": "f"}}]},
            {"tools": [{"type": "function", "name": "f", "parameters": None, "strict": False}]},
        ),
        (
            {"tools": [{"type": "function", "function": {"name": "f", "description": "d", "parameters": {}, "strict": True}}]},
            {"tools": [{"type": "function", "name": "f", "description": "d", "parameters": {}, "strict": True}]},
        ),
        (
            {"tools": [{"type": "custom", "custom": {"name": "sh", "format": GRAMMAR}}, {"type": "custom", "custom": {"name": "s"}}, {"type": "web_search"}]},
            {
                "tools": [
                    {"type": "custom", "name": "sh", "format": {"type": "grammar", "syntax": "lark", "definition": "start: X"}},
                    {"type": "custom", "name": "s"},
                    {"type": "web_search"},
                ]
            },
        ),
        ({"tool_choice": "required"}, {"tool_choice": "required"}),
        (
            {"tool_choice": {"type": "function", "function": {"name": "f"}}},
            {"tool_choice": {"type": "function", "name": "f"}},
        ),
        (
            {"tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [{"type": "function", "function": {"name": "f"}}]}}},
            {"tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "f"}]}},
        ),
        ({"tool_choice": {"type": "web_search"}}, {"tool_choice": {"type": "web_search"}}),
    ],
    ids=lambda it: ",".join(it) or "nothing",
)  # fmt: skip
def test_a_parameter_is_spelled_as_the_api_spells_it(params: Any, body: Any) -> None:
    assert asked(**params) == {"input": []} | body


def test_what_the_api_does_not_know_is_refused_or_dropped() -> None:
    call = Call(model="m", messages=[], params={"seed": 1, "n": 2, "user": "u"})

    with pytest.raises(UnsupportedParamsError, match=r"openai_responses has no seed; it takes"):
        request(call)
    with pytest.raises(UnsupportedParamsError, match=r"takes n=1 only, not 2"):
        request(Call(model="m", messages=[], params={"n": 2}))
    dropped = Call(
        model="m", messages=[], params=call.params, drop_params=True, extra_body={"store": False}
    )
    assert json.loads(request(dropped).body) == {
        "model": "m",
        "input": [],
        "user": "u",
        "store": False,
    }


@pytest.mark.parametrize(
    ("messages", "kind", "text"),
    [
        (["hi"], TypeError, "a message is a mapping, not 'hi'"),
        ([{"role": "user", "content": 5}], TypeError, "content is a text, a list of parts or None"),
        ([{"role": "user", "content": ["hi"]}], TypeError, "a part of content is a mapping"),
        ([{"role": "user", "content": [{"type": "text"}]}], ValueError, "'text' is missing beside"),
        ([{"role": "function", "content": "x"}], ValueError, "no messages of role 'function'"),
        ([{"role": "tool", "content": "x"}], ValueError, "'tool_call_id' is missing"),
        ([{"role": "assistant", "tool_calls": [{}]}], ValueError, "'id' is missing"),
        ([{"role": "assistant", "tool_calls": [{"id": "1"}]}], ValueError, "'function' is missing"),
        (
            [{"role": "assistant", "tool_calls": ["f"]}],
            TypeError,
            "a tool call is a mapping",
        ),
        (
            [{"role": "user", "content": [{"type": "image_url", "image_url": 5}]}],
            TypeError,
            "an image's url is a text",
        ),
    ],
    ids=lambda it: it if isinstance(it, str) else None,
)
def test_messages_that_make_no_sense_are_refused(
    messages: Any, kind: type[Exception], text: str
) -> None:
    with pytest.raises(kind, match=text):
        asked(messages)


@pytest.mark.parametrize(
    "params",
    [{"tools": 5}, {"tools": ["f"]}, {"response_format": "json"}, {"stream_options": True}],
    ids=str,
)
def test_parameters_of_the_wrong_type_are_refused(params: Any) -> None:
    with pytest.raises(TypeError, match=r"is a (list|mapping), not"):
        asked(**params)


def said_in_words(text: str, reason: str = "stop") -> ModelResponse:
    choice = Choices(message=Message(role="assistant", content=text), finish_reason=reason)
    return ModelResponse(id="resp_1", created=1, model="m", choices=[choice])


def renumbered(events: Iterable[bytes], number_of: Any) -> list[bytes]:
    """*events* with the number that *number_of* gives each; None for none."""
    found = []
    for index, event in enumerate(events):
        number = number_of(index)
        field = b"" if number is None else b'"sequence_number":%d' % number
        found.append(re.sub(rb'"sequence_number":\d+', field, event).replace(b",}", b"}"))
        found[-1] = found[-1].replace(b",,", b",")
    return found


@pytest.mark.parametrize("how", ["lost", "doubled", "moved"])
@given(data=st.data())
def test_an_event_that_is_lost_doubled_or_moved_is_told_by_the_numbers(
    how: str, data: st.DataObject
) -> None:
    answer = said_in_words("one two three four five six")
    events = list(encode(answer))
    # What is moved behind the last event is lost.
    index = data.draw(st.integers(1, len(events) - 3))
    others = events[:index] + events[index + 1 :]
    place = {"lost": [], "doubled": [events[index]] * 2, "moved": []}[how]
    broken = others[:index] + place + others[index:]
    if how == "moved":
        broken.insert(index + 1, events[index])
    reader = Decoder(strict=False)
    for event in broken:
        list(reader.feed(event))

    assert any("was due" in warning for warning in reader.warnings)
    with pytest.raises(StreamProtocolError, match=r"came where event .* was due"):
        list(decoded(broken))


@pytest.mark.parametrize(
    "number_of",
    [
        lambda _: None,
        lambda _: 0,
        lambda index: index + 3,
        lambda index: None if index < 3 else index,
        lambda index: None if index % 4 == 3 else index,
        lambda index: None if index % 4 == 3 else index - (index + 1) // 4,
    ],
    ids=["none", "constant", "from 3", "late", "with gaps", "some do not count"],
)
def test_servers_number_their_events_as_they_like(number_of: Any) -> None:
    answer = said_in_words("one two three four five six")
    plain = told(normal(encode(answer)))

    assert told(normal(renumbered(encode(answer), number_of))) == plain


def test_a_response_does_not_begin_again_in_its_middle() -> None:
    answer = said_in_words("one two")
    events = renumbered(encode(answer), lambda _: None)
    first_word = next(index for index, it in enumerate(events) if b"output_text.delta" in it)

    assert told(normal([events[0], *events])) == told(normal(events))
    with pytest.raises(StreamProtocolError, match="began again"):
        list(decoded([*events[: first_word + 1], *events]))


@pytest.mark.parametrize("reason", ["error", "network_error"])
def test_a_response_that_is_incomplete_for_a_failure_raises(reason: str) -> None:
    answer = said_in_words("one", reason)

    with pytest.raises(InternalServerError, match=f"finish reason '{reason}'"):
        list(decoded(encode(answer)))


def test_a_failure_is_told_whatever_its_number() -> None:
    events = list(encode(said_in_words("one two three")))[:7]

    with pytest.raises(RateLimitError, match="slow"):
        list(decoded([*events, encode_error(429, "slow", sequence_number=0)]))
