"""Anthropic messages: what is asked, and what comes back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from decoded import arguments, decoded, event_data, everything, normal, streams, told
from hypothesis import given, settings
from hypothesis import strategies as st
from pytest_cassette_stream.strategies import chunkings
from strategies_completions import completions, cuts
from support import SOAK

from cassette_stream.chunks import ModelResponse, Thinking, stream_chunk_builder
from cassette_stream.dialects import anthropic
from cassette_stream.dialects.call import Call
from cassette_stream.exceptions import (
    APIError,
    AuthenticationError,
    EmptyStreamError,
    InternalServerError,
    MalformedStreamError,
    OverloadedError,
    RateLimitError,
    StreamProtocolError,
    StreamTruncatedError,
    UnsupportedParamsError,
)
from cassette_stream.wire import encode_event

many = settings(max_examples=400 if SOAK else 40, deadline=None)

FINISH = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}


def event(kind: str, **fields: Any) -> bytes:
    return encode_event(json.dumps({"type": kind, **fields}), event=kind)


def start(index: int, **block: Any) -> bytes:
    return event("content_block_start", index=index, content_block=block)


def delta(index: int, **fields: Any) -> bytes:
    return event("content_block_delta", index=index, delta=fields)


def stop(index: int) -> bytes:
    return event("content_block_stop", index=index)


def text(index: int, *pieces: str) -> bytes:
    deltas = [delta(index, type="text_delta", text=piece) for piece in pieces]
    return b"".join([start(index, type="text", text=""), *deltas, stop(index)])


def call(index: int, name: str, *pieces: str, **beside: Any) -> bytes:
    block = {"type": "tool_use", "id": f"toolu_{index}", "name": name, "input": {}} | beside
    deltas = [delta(index, type="input_json_delta", partial_json=piece) for piece in pieces]
    return b"".join([start(index, **block), *deltas, stop(index)])


COUNTS = {
    "input_tokens": 25,
    "cache_creation_input_tokens": 10,
    "cache_read_input_tokens": 5,
    "output_tokens": 1,
}
BEGIN = event("message_start", message={"id": "msg_1", "model": "claude-x", "usage": COUNTS})


def end(reason: str, **fields: Any) -> bytes:
    ended = {"stop_reason": reason, "stop_sequence": None} | fields
    last = event("message_delta", delta=ended, usage={"output_tokens": 15})
    return last + event("message_stop")


PING = event("ping")
A5 = BEGIN + start(0, type="text", text="") + PING + text(0, "Hel", "lo")[len(start(0, type="text", text="")) :] + end("end_turn")  # fmt: skip
A6 = (
    BEGIN
    + text(0, "Let me")
    + call(1, "get_weather", "", '{"location"', ': "Paris"}')
    + call(2, "now")
    + end("tool_use")
)
CITATION = {"type": "char_location", "cited_text": "x", "document_index": 0}
A7 = (
    BEGIN
    + start(0, type="thinking", thinking="", signature="")
    + delta(0, type="thinking_delta", thinking="hmm ")
    + delta(0, type="thinking_delta", thinking="ok")
    + delta(0, type="signature_delta", signature="SIG")
    + stop(0)
    + start(1, type="redacted_thinking", data="RRR")
    + stop(1)
    + start(2, type="text", text="")
    + delta(2, type="text_delta", text="Answer")
    + delta(2, type="citations_delta", citation=CITATION)
    + stop(2)
    + end("end_turn")
)
SERVER_TOOLS = (
    BEGIN
    + call(0, "web_search", '{"q":1}', type="server_tool_use", caller={"type": "direct"})
    + start(1, type="web_search_tool_result", tool_use_id="toolu_0", content=[{"url": "u"}])
    + stop(1)
    + text(2, "é 🌍")
    + end("stop_sequence", stop_sequence="END", container={"id": "c"})
)
TRANSCRIPTS = {"text": A5, "tools": A6, "thinking": A7, "server tools": SERVER_TOOLS}
transcripts = pytest.mark.parametrize("body", TRANSCRIPTS.values(), ids=TRANSCRIPTS)


class Thorough(anthropic.Decoder):
    """The same without its quick way."""

    def _quick(self, event: Any) -> None:
        return None


def fold(body: bytes) -> dict[str, Any]:
    """What the events of a message say, read as the format describes them."""
    said: dict[str, Any] = {"text": "", "thinking": "", "signatures": "", "redacted": []}
    blocks: dict[int, dict[str, Any]] = {}
    usage: dict[str, Any] = {}
    for data in event_data(body):
        value = json.loads(data)
        if value["type"] == "message_stop":
            break
        if value["type"] == "message_start":
            said["id"], said["model"] = value["message"]["id"], value["message"]["model"]
            usage |= value["message"]["usage"]
        elif value["type"] == "content_block_start":
            block = blocks[value["index"]] = dict(value["content_block"], json="")
            said["text"] += block.get("text", "")
            said["thinking"] += block.get("thinking", "")
            said["signatures"] += block.get("signature", "")
            if block["type"] == "redacted_thinking":
                said["redacted"].append(block["data"])
        elif value["type"] == "content_block_delta":
            change = value["delta"]
            said["text"] += change.get("text", "")
            said["thinking"] += change.get("thinking", "")
            said["signatures"] += change.get("signature", "")
            blocks[value["index"]]["json"] += change.get("partial_json", "")
        elif value["type"] == "message_delta":
            said["reason"] = value["delta"]["stop_reason"]
            usage |= {name: count for name, count in value["usage"].items() if count is not None}
    said["calls"] = [
        (block["id"], block["name"], json.loads(block["json"]) if block["json"] else block["input"])
        for block in blocks.values()
        if block["type"].endswith("tool_use")
    ]
    cached = usage.get("cache_read_input_tokens") or 0
    written = usage.get("cache_creation_input_tokens") or 0
    said["counts"] = (usage["input_tokens"] + cached + written, usage["output_tokens"], cached)
    return said


def unfolded(body: bytes) -> dict[str, Any]:
    """The same from our chunks."""
    raw = decoded(anthropic.Decoder(), body)
    answers, usage = told(raw)
    answer = answers[0]
    assert usage is not None
    details = usage.prompt_tokens_details
    return {
        "id": raw[0].id,
        "model": raw[0].model,
        "text": answer.text,
        "thinking": answer.reasoning,
        "signatures": "".join(getattr(it, "signature", None) or "" for it in answer.thinking),
        "redacted": [it.data for it in answer.thinking if it.type == "redacted_thinking"],
        "reason": answer.reason,
        "calls": [(it[0], it[1], json.loads(it[2])) for it in answer.calls.values()],
        "counts": (
            usage.prompt_tokens,
            usage.completion_tokens,
            (details.cached_tokens or 0) if details else 0,
        ),
    }


@transcripts
def test_every_boundary_gives_the_same_chunks(body: bytes) -> None:
    whole = everything(anthropic.Decoder(), [body])

    assert whole[1] == "complete"
    assert everything(anthropic.Decoder(), [bytes([byte]) for byte in body]) == whole
    for at in range(1, len(body)):
        assert everything(anthropic.Decoder(), [body[:at], body[at:]]) == whole


@many
@given(data=st.data(), completion=completions(), pieces=cuts())
def test_a_completion_comes_back_however_the_network_cuts_it(
    data: st.DataObject, completion: ModelResponse, pieces: Any
) -> None:
    body = b"".join(anthropic.encode(completion, pieces=pieces))
    decoder = anthropic.Decoder()
    raw = [it for piece in data.draw(chunkings(body)) for it in decoder.feed(piece)]
    raw += decoder.finish()
    answers, usage = told(raw)
    answer, message = answers[0], completion.choices[0].message

    assert (raw[0].id, raw[0].model) == (completion.id, completion.model)
    assert answer.text == (message.refusal or "") + (message.content or "")
    assert [tuple(it) for it in answer.calls.values()] == [
        (it.id, it.function.name, it.function.arguments) for it in message.tool_calls or ()
    ]
    if message.thinking_blocks:
        thoughts = [it for it in message.thinking_blocks if isinstance(it, Thinking)]
        assert answer.reasoning == "".join(it.thinking for it in thoughts)
        assert "".join(getattr(it, "signature", None) or "" for it in answer.thinking) == "".join(
            it.signature or "" for it in thoughts
        )
    else:
        assert answer.reasoning == (message.reasoning_content or "")
    filtered = "content_filter" if message.refusal else completion.choices[0].finish_reason
    assert normal(raw)[-2].choices[0].finish_reason == filtered
    wanted = completion.usage
    assert usage is not None
    if wanted is not None:
        counts = (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens)
        assert counts == (wanted.prompt_tokens, wanted.completion_tokens, wanted.total_tokens)
        assert usage.completion_tokens_details == wanted.completion_tokens_details


@many
@given(completion=completions(), pieces=cuts())
def test_the_quick_way_says_what_the_thorough_one_does(
    completion: ModelResponse, pieces: Any
) -> None:
    body = list(anthropic.encode(completion, pieces=pieces))

    assert everything(anthropic.Decoder(), body) == everything(Thorough(), body)


@given(completion=completions())
@many
def test_a_whole_message_says_what_its_stream_says(completion: ModelResponse) -> None:
    whole = told(anthropic.whole_body(anthropic.encode_body(completion)))
    streamed = told(decoded(anthropic.Decoder(), b"".join(anthropic.encode(completion))))
    for answers, _ in (whole, streamed):
        answers[0].thinking = [it for it in answers[0].thinking if getattr(it, "signature", "")]

    assert arguments(whole[0][0]) == arguments(streamed[0][0])
    for answers, _ in (whole, streamed):
        answers[0].calls = {}
        for block in answers[0].thinking:
            block.thinking = ""
    assert whole == streamed


@many
@given(body=st.sampled_from([*TRANSCRIPTS.values()]), data=st.data())
def test_a_stream_that_is_cut_is_told_from_a_whole_one(body: bytes, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(body) - 1))
    ended = body.index(b"\n", body.rindex(b'"message_delta"'))
    _, ending = everything(anthropic.Decoder(), [body[:at]])

    if at >= ended:
        assert ending == "complete"
    else:
        assert ending[0] in {StreamTruncatedError, EmptyStreamError}


def test_every_public_stream_says_what_its_events_say(corpus: Path) -> None:
    count = 0
    for name, body in streams(corpus, "anthropic"):
        assert (name, unfolded(body)) == (name, fold(body))
        count += 1
        raw = decoded(anthropic.Decoder(), body)
        called = any(choice.delta.tool_calls for it in raw for choice in it.choices)
        finish = normal(raw)[-2].choices[0].finish_reason
        wanted = FINISH[fold(body)["reason"]]
        assert finish == ("tool_calls" if called and wanted == "stop" else wanted)
    print(f"{count} public streams of Anthropic decoded, all of them")


def test_public_streams_do_not_depend_on_the_network_nor_on_the_way(corpus: Path) -> None:
    found = list(streams(corpus, "anthropic"))
    for number, (name, body) in enumerate(found if SOAK else found[::7]):
        whole = everything(anthropic.Decoder(), [body])
        size = 1 + number % 23
        pieces = [body[at : at + size] for at in range(0, len(body), size)]

        assert (name, everything(anthropic.Decoder(), pieces)) == (name, whole)
        assert (name, everything(Thorough(), [body])) == (name, whole)


def test_usage_counts_what_was_cached_and_says_so() -> None:
    usage = told(decoded(anthropic.Decoder(), A5))[1]

    assert usage is not None
    assert usage.prompt_tokens_details is not None
    details = usage.prompt_tokens_details
    assert (details.cached_tokens, details.cache_write_tokens) == (5, 10)
    assert (usage.cache_read_input_tokens, usage.cache_creation_input_tokens) == (5, 10)


def test_thoughts_keep_their_signatures_and_their_blocks() -> None:
    answer = told(decoded(anthropic.Decoder(), A7))[0][0]

    assert [it.model_dump(exclude_none=True) for it in answer.thinking] == [
        {"type": "thinking", "thinking": "hmm ", "index": 0},
        {"type": "thinking", "thinking": "ok", "index": 0},
        {"type": "thinking", "thinking": "", "signature": "SIG", "index": 0},
        {"type": "redacted_thinking", "data": "RRR", "index": 1},
    ]
    assert answer.native == {"citation": [CITATION]}


def test_the_message_that_is_built_of_thoughts_has_them_as_blocks() -> None:
    response = stream_chunk_builder(normal(decoded(anthropic.Decoder(), A7)))
    assert response is not None
    message = response.choices[0].message

    assert (message.reasoning_content, message.content) == ("hmm ok", "Answer")
    assert [it.model_dump(exclude_none=True) for it in message.thinking_blocks or ()] == [
        {"type": "thinking", "thinking": "hmm ok", "signature": "SIG"},
        {"type": "redacted_thinking", "data": "RRR"},
    ]
    (turn,) = asked(message.model_dump())["messages"]
    assert turn["content"] == [
        {"type": "thinking", "thinking": "hmm ok", "signature": "SIG"},
        {"type": "redacted_thinking", "data": "RRR"},
        {"type": "text", "text": "Answer"},
    ]


@pytest.mark.parametrize("depth", range(940, 1000, 3))
def test_what_is_nested_too_deeply_is_an_error_of_ours(depth: int) -> None:
    deep = '{"a":' * depth + "1" + "}" * depth
    block = f'{{"type":"tool_use","id":"t","name":"f","input":{deep}}}'
    opening = f'data: {{"type":"content_block_start","index":0,"content_block":{block}}}\n\n'
    _, ending = everything(anthropic.Decoder(), [BEGIN, opening.encode(), stop(0), end("tool_use")])

    assert ending == "complete" or ending[0] is MalformedStreamError


def test_what_only_this_provider_has_goes_along() -> None:
    raw = decoded(anthropic.Decoder(), SERVER_TOOLS)
    first = next(it.choices[0].delta.tool_calls for it in raw if it.choices)
    last = next(it.choices[0] for it in raw if it.choices and it.choices[0].finish_reason)

    assert first is not None
    assert first[0].provider_specific_fields == {"type": "server_tool_use"}
    assert first[0].caller == {"type": "direct"}
    assert told(raw)[0][0].native["content_blocks"][0][0]["content"] == [{"url": "u"}]
    assert (last.stop_sequence, last.container) == ("END", {"id": "c"})


def complete(*events: bytes) -> bytes:
    return BEGIN + b"".join(events) + end("tool_use")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (complete(call(0, "f")), "{}"),
        (complete(call(0, "f", "")), "{}"),
        (complete(call(0, "f", input={"a": [1]})), '{"a": [1]}'),
        (complete(call(0, "f", '{"b":', "2}", input={"a": 1})), '{"b":2}'),
        (complete(call(0, "f", type="mcp_tool_use", server_name="s")), "{}"),
        (complete(start(0, type="tool_use", id="t", name="f", input={"a": "é"})), '{"a": "é"}'),
    ],
    ids=["no delta", "empty delta", "whole in the start", "both", "of a server", "never closed"],
)
def test_arguments_are_never_empty_nor_doubled(body: bytes, expected: str) -> None:
    answer = told(decoded(anthropic.Decoder(), body))[0][0]

    assert answer.calls[0][2] == expected


def bare(body: bytes) -> bytes:
    """*body* without its ``event:`` lines."""
    return b"".join(line for line in body.splitlines(True) if not line.startswith(b"event:"))


@pytest.mark.parametrize(
    "body",
    [
        bare(A6),
        A6.replace(b"\n", b"\r\n"),
        A6.replace(b"\n", b"\r"),
        A6.replace(b"data: ", b"data:"),
        b"\xef\xbb\xbf" + A6,
        b": comment\n\n" + A6.replace(b"\n\n", b"\n\n: ping\n\n"),
        A6[:-2],
        A6 + text(0, "late"),
        A6 + b"data: [DONE]\n\n",
        A6.replace(b'{"type"', b'\ndata: {"type"'),
        A6.replace(b'"type": "content', b'"x": {"y": 1}, "type": "content'),
        A6.replace(PING, b"") + PING,
        event("weather_report", sun=True) + A6,
        BEGIN + A6,
        A6.replace(b'"type": "message_start", ', b"").replace(b'"type": "message_stop"', b""),
        A6.replace(event("message_stop"), b""),
    ],
    ids=[
        "no event lines",
        "crlf",
        "cr",
        "no blank",
        "byte order mark",
        "comments",
        "no last blank line",
        "events after the end",
        "done",
        "two data lines",
        "unknown keys",
        "no pings",
        "unknown event",
        "started twice",
        "types in the event lines only",
        "no message_stop",
    ],
)
def test_what_is_harmless_changes_nothing(body: bytes) -> None:
    assert told(decoded(anthropic.Decoder(), body)) == told(decoded(anthropic.Decoder(), A6))


HALF = BEGIN + text(0, "Hel")


def error(kind: str) -> bytes:
    return event("error", error={"type": kind, "message": "no"})


@pytest.mark.parametrize(
    ("body", "kind", "says"),
    [
        (b"", EmptyStreamError, "no event"),
        (b": ping\n\n" + PING, EmptyStreamError, "no event"),
        (b"data: [DONE]\n\n", EmptyStreamError, "no event"),
        (HALF, StreamTruncatedError, "without a stop reason"),
        (HALF + event("message_stop"), StreamTruncatedError, "without a stop reason"),
        (BEGIN + start(3, type="text", text=""), StreamTruncatedError, "content block 3"),
        (HALF + b'event: message_delta\ndata: {"type":"mess', StreamTruncatedError, "inside"),
        (HALF + b"data: {oops}\n\n", MalformedStreamError, "no JSON"),
        (HALF + b"data: [1]\n\n", MalformedStreamError, "no JSON object"),
        (HALF + b"data: " + b"[" * 9999 + b"\n\n", MalformedStreamError, "no JSON"),
        (HALF + b'data: {"type":"\xff"}\n\n', MalformedStreamError, "UTF-8"),
        (BEGIN + start(0, type="text", text=12), MalformedStreamError, "text must be a text"),
        (BEGIN + text(0, 12), MalformedStreamError, "text must be a text, not '12'"),  # type: ignore[arg-type]
        (BEGIN + start("0", type="text"), MalformedStreamError, "index must be a number"),  # type: ignore[arg-type]
        (BEGIN + b'data: {"type":"content_block_delta"}\n\n', StreamProtocolError, "its index"),
        (BEGIN + event("content_block_start", index=0, content_block=1), MalformedStreamError, "an object"),
        (BEGIN + delta(0, type="text_delta", text="x"), StreamProtocolError, "not open"),
        (BEGIN + stop(0), StreamProtocolError, "was not open"),
        (BEGIN + start(0, type="text") * 2, StreamProtocolError, "began twice"),
        (
            BEGIN + start(0, type="text") + delta(0, type="input_json_delta", partial_json="{"),
            StreamProtocolError,
            "input_json_delta in a block of text",
        ),
        (
            BEGIN + start(0, type="tool_use", id="t", name="f") + delta(0, type="text_delta", text="x"),
            StreamProtocolError,
            "text_delta in a block of tool_use",
        ),
        (HALF + BEGIN, StreamProtocolError, "began again"),
        (BEGIN + b'data: {"detail":"no"}\n\n', APIError, "no"),
        (BEGIN + b'data: {"message":"no"}\n\n', APIError, "no"),
        (error("overloaded_error"), OverloadedError, "no"),
        (HALF + error("rate_limit_error"), RateLimitError, "no"),
        (HALF + error("authentication_error"), AuthenticationError, "no"),
        (HALF + error("api_error"), InternalServerError, "no"),
        (HALF + b'data: {"error":{"type":"overloaded_error","message":"no"}}\n\n', OverloadedError, "no"),
        (HALF + event("message_delta", delta={"stop_reason": "error"}), InternalServerError, "error"),
        (BEGIN + event("message_delta", delta={"stop_reason": "end_turn"}, usage={"output_tokens": "9"}), MalformedStreamError, "output_tokens must be a number"),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else None,
)  # fmt: skip
def test_nothing_ends_silently(body: bytes, kind: type[APIError], says: str) -> None:
    decoder = anthropic.Decoder()
    chunks = []
    with pytest.raises(kind, match=says):
        for piece in (decoder.feed(body), decoder.finish()):
            for chunk in piece:
                chunks.append(chunk)

    assert told(chunks)[0].get(0, None) is None or told(chunks)[0][0].text in {"", "Hel"}
    assert everything(anthropic.Decoder(), [body])[1] == everything(Thorough(), [body])[1]


@pytest.mark.parametrize(
    ("odd", "says"),
    [
        (b"data: {oops}\n\n", "no JSON"),
        (delta(7, type="text_delta", text="x"), "not open"),
        (stop(7), "was not open"),
        (start(7, type={}), "type must be a text"),
    ],
    ids=["no JSON", "delta of no block", "end of no block", "wrong type"],
)
def test_a_lenient_decoder_leaves_out_what_is_odd_and_says_so(odd: bytes, says: str) -> None:
    decoder = anthropic.Decoder(strict=False)
    answers, _ = told(decoded(decoder, HALF + odd + text(1, "lo") + end("end_turn")))

    assert answers[0].text == "Hello"
    assert [says in warning for warning in decoder.warnings] == [True]


def test_a_lenient_decoder_writes_numbers_as_text_and_keeps_the_end_without_its_usage() -> None:
    decoder = anthropic.Decoder(strict=False)
    last = event("message_delta", delta={"stop_reason": "end_turn"}, usage={"output_tokens": "9"})
    answers, usage = told(decoded(decoder, BEGIN + text(0, 12, "!") + last))  # type: ignore[arg-type]

    assert (answers[0].text, answers[0].reason, usage) == ("12!", "end_turn", None)
    assert decoder.complete
    assert len(decoder.warnings) == 1


def test_deltas_of_a_kind_to_come_are_passed_on() -> None:
    body = BEGIN + start(0, type="compaction", content=None)
    body += delta(0, type="compaction_delta", content="short") + stop(0) + end("end_turn")
    answer = told(decoded(anthropic.Decoder(), body))[0][0]

    assert answer.native["deltas"] == [
        [{"type": "compaction_delta", "content": "short", "index": 0}]
    ]
    assert answer.native["content_blocks"] == [[{"type": "compaction", "content": None}]]


def test_text_that_comes_with_the_start_of_its_block_is_text() -> None:
    cited = start(0, type="text", text="Hi", citations=[CITATION]) + stop(0)
    answer = told(decoded(anthropic.Decoder(), BEGIN + cited + end("end_turn")))[0][0]

    assert (answer.text, answer.native) == ("Hi", {"citation": [CITATION]})


def test_the_end_of_the_message_is_told_apart_from_its_completeness() -> None:
    decoder = anthropic.Decoder()
    list(decoder.feed(A5.replace(event("message_stop"), b"")))

    assert (decoder.complete, decoder.terminal_seen) == (True, False)
    list(decoder.feed(event("message_stop")))
    assert (decoder.complete, decoder.terminal_seen) == (True, True)


def test_a_message_start_may_name_a_container() -> None:
    message = {"id": "m", "model": "c", "container": {"id": "c1"}}
    (chunk,) = anthropic.Decoder().feed(event("message_start", message=message))

    assert chunk.provider_specific_fields == {"container": {"id": "c1"}}


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"  ", EmptyStreamError),
        (b"<!DOCTYPE html><html>", MalformedStreamError),
        (b"[]", MalformedStreamError),
        (b'{"hello": 1}', EmptyStreamError),
        (anthropic.encode_error_body(429, "slow"), RateLimitError),
        (anthropic.encode_error_body(529, "later"), OverloadedError),
        (b'{"type": "message", "content": []}', StreamTruncatedError),
    ],
    ids=["empty", "a page", "a list", "another object", "429", "529", "no stop reason"],
)
def test_a_body_that_is_no_message_is_an_error(body: bytes, kind: type[APIError]) -> None:
    with pytest.raises(kind):
        anthropic.whole_body(body)


def asked(*messages: dict[str, Any], model: str = "claude-x", **params: Any) -> dict[str, Any]:
    return json.loads(anthropic.request(Call(model=model, messages=messages, params=params)).body)


USER = {"role": "user", "content": "Hi"}
WEATHER = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}


def test_a_request_goes_to_the_messages_with_a_version_and_no_key() -> None:
    request = anthropic.request(
        Call(model="claude-x", messages=[USER], stream=True, extra_body={"top_k": 3})
    )

    assert request.path == "/v1/messages"
    assert request.headers["anthropic-version"] == "2023-06-01"
    assert not {"x-api-key", "authorization"} & {name.lower() for name in request.headers}
    assert json.loads(request.body) == {
        "model": "claude-x",
        "messages": [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}],
        "stream": True,
        "max_tokens": 4096,
        "top_k": 3,
    }


def test_a_conversation_becomes_system_texts_and_turns() -> None:
    tool_call = {"id": "t1", "function": {"name": "weather", "arguments": '{"city": "Paris"}'}}
    thoughts = [
        {"type": "thinking", "thinking": "hm", "signature": "S", "index": 0},
        {"type": "thinking", "thinking": "unsigned"},
        {"type": "redacted_thinking", "data": "R", "index": 1},
    ]
    body = asked(
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hi"},
        {"role": "user", "content": [{"type": "text", "text": "there"}, {"type": "text", "text": ""}]},
        {"role": "developer", "content": [{"type": "text", "text": "In French."}]},
        {"role": "assistant", "content": "Well", "thinking_blocks": thoughts, "tool_calls": [tool_call]},
        {"role": "tool", "tool_call_id": "t1", "content": "12 °C"},
        {"role": "tool", "tool_call_id": "t2", "content": [{"type": "text", "text": "x"}]},
        {"role": "tool", "tool_call_id": "t3", "content": None},
        {"role": "user", "content": "And?"},
        {"role": "assistant", "content": None, "refusal": "No."},
    )  # fmt: skip

    assert body["system"] == [
        {"type": "text", "text": "Be brief."},
        {"type": "text", "text": "In French."},
    ]
    assert body["messages"] == [
        {"role": "user", "content": [{"type": "text", "text": "Hi"}, {"type": "text", "text": "there"}]},
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "hm", "signature": "S"},
                {"type": "redacted_thinking", "data": "R"},
                {"type": "text", "text": "Well"},
                {"type": "tool_use", "id": "t1", "name": "weather", "input": {"city": "Paris"}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "t1", "content": "12 °C"},
                {"type": "tool_result", "tool_use_id": "t2", "content": [{"type": "text", "text": "x"}]},
                {"type": "tool_result", "tool_use_id": "t3", "content": ""},
                {"type": "text", "text": "And?"},
            ],
        },
        {"role": "assistant", "content": [{"type": "text", "text": "No."}]},
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("part", "block"),
    [
        (
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,QUI="}},
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "QUI="}},
        ),
        (
            {"type": "image_url", "image_url": "https://x/y.png", "cache_control": {"type": "ephemeral"}},
            {"type": "image", "source": {"type": "url", "url": "https://x/y.png"}, "cache_control": {"type": "ephemeral"}},
        ),
        (
            {"type": "file", "file": {"file_data": "data:application/pdf;base64,QUI=", "filename": "a.pdf"}},
            {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "QUI="}, "title": "a.pdf"},
        ),
        ({"type": "file", "file": {"file_id": "f1"}}, {"type": "document", "source": {"type": "file", "file_id": "f1"}}),
        (
            {"type": "image_url", "image_url": {"url": "data:image/svg+xml;charset=utf-8,%3Csvg/%3E"}},
            {"type": "image", "source": {"type": "base64", "media_type": "image/svg+xml", "data": "PHN2Zy8+"}},
        ),
        ({"type": "refusal", "refusal": "No."}, {"type": "text", "text": "No."}),
        ({"type": "search_result", "source": "s"}, {"type": "search_result", "source": "s"}),
    ],
    ids=["data", "address", "file", "file id", "data in percents", "refusal", "the provider's own"],
)  # fmt: skip
def test_parts_become_blocks(part: dict[str, Any], block: dict[str, Any]) -> None:
    assert asked({"role": "user", "content": [part]})["messages"][0]["content"] == [block]


SCHEMA = {"type": "object", "properties": {}}


@pytest.mark.parametrize(
    ("params", "fields"),
    [
        ({"max_tokens": 5}, {"max_tokens": 5}),
        ({"max_tokens": 5, "max_completion_tokens": 6}, {"max_tokens": 6}),
        ({"stop": "x"}, {"stop_sequences": ["x"]}),
        ({"stop": ["x", "y"]}, {"stop_sequences": ["x", "y"]}),
        ({"temperature": 0.5, "top_p": 1, "top_k": 2}, {"temperature": 0.5, "top_p": 1, "top_k": 2}),
        ({"temperature": None, "stream_options": {"include_usage": True}, "n": 1}, {}),
        ({"user": "u"}, {"metadata": {"user_id": "u"}}),
        ({"reasoning_effort": "low"}, {"thinking": {"type": "enabled", "budget_tokens": 1024}, "max_tokens": 5120}),
        ({"reasoning_effort": "none"}, {"thinking": {"type": "disabled"}}),
        ({"thinking": {"type": "adaptive"}, "reasoning_effort": "low"}, {"thinking": {"type": "adaptive"}}),
        ({"tools": [{"type": "function", "function": {"name": "f", "description": "d", "strict": True}}]},
         {"tools": [{"type": "custom", "name": "f", "description": "d", "strict": True, "input_schema": SCHEMA}]}),
        ({"tools": [{"type": "web_search_20250305", "name": "web_search"}]},
         {"tools": [{"type": "web_search_20250305", "name": "web_search"}]}),
        ({"tool_choice": "auto"}, {"tool_choice": {"type": "auto"}}),
        ({"tool_choice": "required"}, {"tool_choice": {"type": "any"}}),
        ({"tool_choice": "none"}, {"tool_choice": {"type": "none"}}),
        ({"tool_choice": {"type": "function", "function": {"name": "f"}}}, {"tool_choice": {"type": "tool", "name": "f"}}),
        ({"tool_choice": {"type": "any"}}, {"tool_choice": {"type": "any"}}),
        ({"parallel_tool_calls": False}, {}),
        ({"response_format": {"type": "text"}}, {}),
        ({"response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": SCHEMA}}},
         {"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}}),
    ],
    ids=lambda value: ",".join(value)[:60],
)  # fmt: skip
def test_parameters_have_their_names_there(params: dict[str, Any], fields: dict[str, Any]) -> None:
    body = asked(USER, **params)
    for name in ("model", "messages"):
        del body[name]

    assert body == {"max_tokens": 4096} | fields


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        (None, {"type": "auto", "disable_parallel_tool_use": True}),
        ("required", {"type": "any", "disable_parallel_tool_use": True}),
        ("none", {"type": "none"}),
    ],
)
def test_one_call_at_a_time_is_a_matter_of_the_choice(choice: Any, expected: Any) -> None:
    body = asked(USER, tools=[WEATHER], tool_choice=choice, parallel_tool_calls=False)

    assert body["tool_choice"] == expected


@pytest.mark.parametrize(
    ("params", "says"),
    [
        ({"seed": 1, "logprobs": True}, "anthropic has no logprobs, seed; it takes .*max_tokens"),
        ({"n": 2}, "n=1 only, not 2"),
        ({"response_format": {"type": "json_object"}}, "json_schema or text, not 'json_object'"),
    ],
    ids=["unknown", "two answers", "any JSON"],
)
def test_parameters_that_there_are_not_are_refused_unless_dropped(
    params: dict[str, Any], says: str
) -> None:
    with pytest.raises(UnsupportedParamsError, match=says):
        asked(USER, **params)
    dropped = Call(model="m", messages=[USER], params=params, drop_params=True)

    assert json.loads(anthropic.request(dropped).body).keys() == {"model", "messages", "max_tokens"}


@pytest.mark.parametrize(
    ("message", "params", "kind", "says"),
    [
        ({"role": "narrator"}, {}, ValueError, "no messages of role 'narrator'; it takes system"),
        ({"role": "user", "content": 12}, {}, TypeError, "content is a text, a list of parts"),
        ({"role": "user", "content": ["x"]}, {}, TypeError, "a part of content is a mapping"),
        ({"role": "user", "content": [{"type": "input_audio"}]}, {}, ValueError, "takes no audio"),
        ({"role": "user", "content": [{"type": "image_url"}]}, {}, ValueError, "'image_url' is missing"),
        ({"role": "user", "content": [{"type": "image_url", "image_url": 1}]}, {}, TypeError, "url is a text"),
        ({"role": "tool", "content": "x"}, {}, ValueError, "'tool_call_id' is missing"),
        ({"role": "assistant", "tool_calls": [{"id": "t"}]}, {}, ValueError, "'function' is missing"),
        ({"role": "assistant", "tool_calls": [{"id": "t", "function": {"name": "f", "arguments": "["}}]}, {}, ValueError, "must be a JSON object, not '\\['"),
        ("Hi", {}, TypeError, "a message is a mapping"),
        (USER, {"tools": ["f"]}, TypeError, "a tool is a mapping"),
        (USER, {"tool_choice": "maybe"}, ValueError, "auto, required, none"),
        (USER, {"reasoning_effort": "huge"}, ValueError, "low, medium, high, not 'huge'"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused_before_any_request(
    message: Any, params: dict[str, Any], kind: type[Exception], says: str
) -> None:
    with pytest.raises(kind, match=says):
        asked(message, **params)


def test_arguments_may_be_given_as_an_object_or_not_at_all() -> None:
    calls = [
        {"id": "a", "function": {"name": "f", "arguments": {"x": 1}}},
        {"id": "b", "function": {"name": "f", "arguments": ""}},
    ]
    (message,) = asked({"role": "assistant", "tool_calls": calls})["messages"]

    assert [block["input"] for block in message["content"]] == [{"x": 1}, {}]


def test_a_message_may_begin_twice_before_it_says_anything() -> None:
    twice, once = (decoded(anthropic.Decoder(), body) for body in (BEGIN + A5, A5))

    assert told(normal(twice)) == told(normal(once))
