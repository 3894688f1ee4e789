"""Gemini generateContent: what is asked, and what comes back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from decoded import arguments, decoded, event_data, everything, normal, short, streams, told
from hypothesis import given, settings
from hypothesis import strategies as st
from pytest_cassette_stream.strategies import chunkings
from strategies_completions import completions, cuts
from support import SOAK

from cassette_stream.chunks import ModelResponse, stream_chunk_builder
from cassette_stream.dialects import gemini
from cassette_stream.dialects.call import Call
from cassette_stream.exceptions import (
    APIError,
    EmptyStreamError,
    InternalServerError,
    MalformedStreamError,
    PermissionDeniedError,
    RateLimitError,
    ServiceUnavailableError,
    StreamProtocolError,
    StreamTruncatedError,
    UnsupportedParamsError,
)

many = settings(max_examples=400 if SOAK else 40, deadline=None)

# Three public streams have no finish reason: their source made them to look like that.
VERTEX = "google-vertex"
CUT_SHORT = {
    "generative-ai-swift__streaming-failure-empty-content__82e021a6",
    "vertexai-sdk-test-data__streaming-failure-malformed-content__32b1099d",
    "vertexai-sdk-test-data__streaming-success-quotes-escaped__0700f3b0",
}
FINISH = {
    "STOP": "stop",
    "MAX_TOKENS": "length",
    "SAFETY": "content_filter",
    "RECITATION": "content_filter",
    "OTHER": "content_filter",
    "PROHIBITED_CONTENT": "content_filter",
    "FAKE_ENUM": "FAKE_ENUM",
}


def frame(*candidates: dict[str, Any], **fields: Any) -> bytes:
    value = {"candidates": list(candidates)} if candidates else {}
    return f"data: {json.dumps(value | fields, ensure_ascii=False)}\r\n\r\n".encode()


def said(*parts: Any, index: int | None = 0, **fields: Any) -> dict[str, Any]:
    number = {} if index is None else {"index": index}
    return {"content": {"parts": list(parts), "role": "model"}} | number | fields


def counts(prompt: int, answer: int, total: int, **more: int) -> dict[str, Any]:
    told_ = {"promptTokenCount": prompt, "candidatesTokenCount": answer, "totalTokenCount": total}
    return {"usageMetadata": told_ | more}


HEAD = {"modelVersion": "gemini-2.5-flash", "responseId": "rid1"}
HEL = frame(said({"text": "Hel"}), **counts(8, 1, 9), **HEAD)
LO = frame(said({"text": "lo"}), **counts(8, 2, 10), **HEAD)
END = frame(said({"text": ""}, finishReason="STOP"), **counts(8, 3, 11), **HEAD)
TEXT = HEL + LO + END
WEATHER = {"functionCall": {"name": "get_weather", "args": {"location": "Paris"}}}
TOOLS = (
    frame(said(WEATHER | {"thoughtSignature": "S"}, {"functionCall": {"name": "now"}}), **HEAD)
    + frame(said({"functionCall": {"name": "third", "args": {"a": "é"}, "id": "native"}}))
    + END
)
THOUGHTS = (
    frame(said({"text": "thinking..", "thought": True}), **counts(8, 0, 28, thoughtsTokenCount=20))
    + frame(said({"text": "Ans"}))
    + frame(said(finishReason="STOP"), **counts(8, 4, 32, thoughtsTokenCount=20))
)
TWO = (
    frame(said({"text": "A"}), said({"text": "B"}, index=1), **HEAD)
    + frame(said({"text": "b"}, index=1, finishReason="MAX_TOKENS"))
    + frame(said({"text": "a"}, finishReason="STOP"))
)
TRANSCRIPTS = {"text": TEXT, "tools": TOOLS, "thoughts": THOUGHTS, "two": TWO}
transcripts = pytest.mark.parametrize("body", TRANSCRIPTS.values(), ids=TRANSCRIPTS)


def as_array(body: bytes) -> bytes:
    """The frames of *body* as the provider sends them without ``alt=sse``."""
    frames = [json.dumps(json.loads(data), indent=2) for data in event_data(body)]
    return ("[" + ",\r\n".join(frames) + "\n]\n").encode()


class Thorough(gemini.Decoder):
    """The same without its quick way."""

    def _quick(self, event: Any) -> None:
        return None


def placed(root: Any, path: str, value: Any) -> None:
    """Put *value* at a path of names alone, behind the text that stands there."""
    *way, last = path.removeprefix("$.").split(".")
    for name in way:
        root = root.setdefault(name, {})
    root[last] = root.get(last, "") + value if isinstance(value, str) else value


def fold(frames: list[dict[str, Any]]) -> dict[str, Any]:
    """What the frames of a response with one candidate say, read as the format describes."""
    out: dict[str, Any] = {"text": "", "thoughts": "", "calls": [], "reason": None}
    counted: dict[str, Any] = {}
    for value in frames:
        usage = value.get("usageMetadata", {})
        counted = usage if "promptTokenCount" in usage else counted
        if "blockReason" in value.get("promptFeedback", {}):
            out["reason"] = "content_filter"
        for candidate in value.get("candidates", ()):
            out["reason"] = candidate.get("finishReason", out["reason"])
            out["reason"] = "STOP" if out["reason"] == 1 else out["reason"]
            for part in (candidate.get("content") or {}).get("parts", ()):
                out["thoughts" if part.get("thought") else "text"] += part.get("text", "")
                asked = part.get("functionCall")
                if asked is None:
                    continue
                if "name" in asked:
                    out["calls"].append((asked["name"], asked.get("args", {})))
                for piece in asked.get("partialArgs", ()):
                    (spelt,) = [it for name, it in piece.items() if name.endswith("Value")]
                    placed(out["calls"][-1][1], piece["jsonPath"], spelt)
    names = ("promptTokenCount", "candidatesTokenCount", "thoughtsTokenCount", "toolUsePromptTokenCount")  # fmt: skip
    prompt, answer, thoughts, tools = (counted.get(name) or 0 for name in names)
    total = counted.get("totalTokenCount") or prompt + answer + thoughts + tools
    # In every public stream nothing overlaps.
    assert prompt + tools + answer + thoughts == total
    out["counts"] = (prompt + tools, answer + thoughts, total)
    return out


def unfolded(body: bytes) -> dict[str, Any]:
    """The same from our chunks."""
    answers, usage = told(decoded(gemini.Decoder(), body))
    (answer,) = answers.values()
    return {
        "text": answer.text,
        "thoughts": answer.reasoning,
        "calls": arguments(answer),
        "reason": answer.reason,
        "counts": (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens)
        if usage
        else (0, 0, 0),
    }


def frames_of(body: bytes) -> list[dict[str, Any]]:
    if body.lstrip().startswith(b"["):
        found: list[dict[str, Any]] = json.loads(body)
        return found
    return [json.loads(data) for data in event_data(body)]


@transcripts
@pytest.mark.parametrize("form", [bytes, as_array], ids=["events", "array"])
def test_every_boundary_gives_the_same_chunks(body: bytes, form: Any) -> None:
    body = form(body)
    whole = everything(gemini.Decoder(), [body])

    assert whole[1] == "complete"
    assert everything(gemini.Decoder(), [bytes([byte]) for byte in body]) == whole
    for at in range(1, len(body)):
        assert everything(gemini.Decoder(), [body[:at], body[at:]]) == whole


@transcripts
def test_an_array_says_what_a_stream_of_events_says(body: bytes) -> None:
    assert everything(gemini.Decoder(), [as_array(body)]) == everything(gemini.Decoder(), [body])


@many
@given(
    data=st.data(),
    completion=completions(max_choices=3),
    pieces=cuts(),
    interleave=st.booleans(),
    form=st.sampled_from([bytes, as_array]),
)
def test_a_completion_comes_back_however_the_network_cuts_it(
    data: st.DataObject, completion: ModelResponse, pieces: Any, interleave: bool, form: Any
) -> None:
    body = form(b"".join(gemini.encode(completion, pieces=pieces, interleave=interleave)))
    decoder = gemini.Decoder()
    raw = [it for piece in data.draw(chunkings(body)) for it in decoder.feed(piece)]
    raw += decoder.finish()
    answers, usage = told(raw)
    finishes = {it.choices[0].index: it.choices[0].finish_reason for it in normal(raw) if it.choices[0].finish_reason}  # fmt: skip

    assert (raw[0].id, raw[0].model) == (completion.id, completion.model)
    assert answers.keys() == {choice.index for choice in completion.choices}
    for choice in completion.choices:
        answer, message = answers[choice.index], choice.message
        assert answer.text == (message.content or "")
        assert answer.reasoning == (message.reasoning_content or "")
        assert answer.refusal == (message.refusal or "")
        assert arguments(answer) == [
            (it.function.name, json.loads(it.function.arguments)) for it in message.tool_calls or ()
        ]
        assert [it[0] for it in answer.calls.values()] == [it.id for it in message.tool_calls or ()]
        filtered = "content_filter" if message.refusal else choice.finish_reason
        assert finishes[choice.index] == filtered
    wanted = completion.usage
    assert (usage is None) == (wanted is None)
    if usage is not None and wanted is not None:
        found = (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens)
        assert found == (wanted.prompt_tokens, wanted.completion_tokens, wanted.total_tokens)


@many
@given(completion=completions(max_choices=2), pieces=cuts())
def test_the_quick_way_says_what_the_thorough_one_does(
    completion: ModelResponse, pieces: Any
) -> None:
    body = list(gemini.encode(completion, pieces=pieces))

    assert everything(gemini.Decoder(), body) == everything(Thorough(), body)


@many
@given(completion=completions(max_choices=2))
def test_a_whole_response_says_what_its_stream_says(completion: ModelResponse) -> None:
    whole = told(gemini.whole_body(gemini.encode_body(completion)))

    assert whole == told(decoded(gemini.Decoder(), b"".join(gemini.encode(completion))))


@many
@given(body=st.sampled_from([TEXT, TOOLS, THOUGHTS]), array=st.booleans(), data=st.data())
def test_a_stream_that_is_cut_is_told_from_a_whole_one(
    body: bytes, array: bool, data: st.DataObject
) -> None:
    body = as_array(body) if array else body
    at = data.draw(st.integers(0, len(body) - 1))
    _, ending = everything(gemini.Decoder(), [body[:at]])

    if at > body.rindex(b"}"):
        assert ending == "complete"
    else:
        assert ending[0] in {StreamTruncatedError, EmptyStreamError}


def test_every_public_stream_says_what_its_frames_say(corpus: Path) -> None:
    found = list(streams(corpus, "gemini", "gemini-jsonarray"))
    index = (corpus / "corpus" / "public_index.jsonl").read_text("utf-8")
    vertex = {row["id"] for row in map(json.loads, index.splitlines()) if row["provider"] == VERTEX}
    for name, body in found:
        if name in CUT_SHORT:
            with pytest.raises(StreamTruncatedError, match="without a finish reason"):
                decoded(gemini.Decoder(), body)
            continue
        expected = fold(frames_of(body))
        assert (name, unfolded(body)) == (name, expected)
        finish = next(
            choice.finish_reason
            for it in normal(decoded(gemini.Decoder(), body))
            for choice in it.choices
            if choice.finish_reason
        )
        wanted = FINISH.get(expected["reason"], expected["reason"])
        assert finish == ("tool_calls" if expected["calls"] and wanted == "stop" else wanted)
    arrays = sum(body.lstrip().startswith(b"[") for _, body in found)
    print(
        f"{len(found) - len(CUT_SHORT)} public streams of Gemini decoded, {arrays} of them arrays; "
        f"{len(CUT_SHORT)} have no finish reason: {', '.join(sorted(CUT_SHORT))}"
    )

    # Vertex AI speaks the same.
    assert len(vertex.intersection(name for name, _ in found)) >= 30


def test_public_streams_do_not_depend_on_the_network_nor_on_the_way(corpus: Path) -> None:
    found = list(streams(corpus, "gemini", "gemini-jsonarray"))
    for number, (name, body) in enumerate(found if SOAK else found[::7]):
        whole = everything(gemini.Decoder(), [body])
        size = 1 + number % 23
        pieces = [body[at : at + size] for at in range(0, len(body), size)]

        assert (name, everything(gemini.Decoder(), pieces)) == (name, whole)
        assert (name, everything(Thorough(), [body])) == (name, whole)


def test_calls_are_counted_over_the_whole_stream_and_always_have_an_id() -> None:
    answer = told(decoded(gemini.Decoder(), TOOLS))[0][0]

    assert arguments(answer) == [("get_weather", {"location": "Paris"}), ("now", {}), ("third", {"a": "é"})]  # fmt: skip
    assert [text for _, _, text in answer.calls.values()] == ['{"location": "Paris"}', "{}", '{"a": "é"}']  # fmt: skip
    ids = [made for made, _, _ in answer.calls.values()]
    assert [made[:5] for made in ids] == ["call_", "call_", "nativ"]
    assert len(set(ids)) == 3


def test_a_replay_gives_the_same_ids() -> None:
    assert everything(gemini.Decoder(), [TOOLS]) == everything(gemini.Decoder(), [TOOLS])


def test_each_candidate_has_its_own_end() -> None:
    assert short(normal(decoded(gemini.Decoder(), TWO))) == [
        "R C'A'",
        "1: R C'B'",
        "1: C'b'",
        "C'a'",
        "F stop",
        "1: F length",
    ]


def test_a_candidate_without_an_index_has_its_place_in_the_list() -> None:
    body = frame(said({"text": "A"}, index=None), said({"text": "B"}, index=None))
    ends = frame(*[said(index=None, finishReason="STOP")] * 2)
    answers, _ = told(decoded(gemini.Decoder(), body + ends))

    assert {index: it.text for index, it in answers.items()} == {0: "A", 1: "B"}


def test_a_candidate_may_go_on_after_a_finish_reason_and_the_last_one_counts() -> None:
    body = frame(said({"text": "A"}, finishReason="STOP"))
    body += frame(said({"text": "B"}, finishReason="STOP")) + frame({"finishReason": "RECITATION"})

    assert short(normal(decoded(gemini.Decoder(), body))) == ["R C'A'", "C'B'", "F content_filter"]


def partial(*values: dict[str, Any], more: bool = True, **fields: Any) -> bytes:
    call = fields | ({"partialArgs": list(values)} if values else {})
    return frame(said({"functionCall": call | ({"willContinue": True} if more else {})}))


def at(path: str, **value: Any) -> dict[str, Any]:
    return {"jsonPath": path, **value}


@pytest.mark.parametrize(
    ("body", "calls"),
    [
        (partial(at("$.a", numberValue=2), at("$.b", boolValue=False), name="f", more=False), [("f", {"a": 2, "b": False})]),
        (
            partial(name="f")
            + partial(at("$.id", stringValue="A", willContinue=True))
            + partial(at("$.id", stringValue="B", willContinue=True))
            + partial(at("$.id", stringValue=""))
            + partial(at("$.n", nullValue="NULL_VALUE"))
            + partial(more=False),
            [("f", {"id": "AB", "n": None})],
        ),
        (
            partial(at("$.l[0].x", stringValue="p"), at("$['a b'][0]", numberValue=1), name="f")
            + partial(at('$.l[0]["y"]', stringValue="q"), at("$.l[1]", stringValue="r"), more=False),
            [("f", {"l": [{"x": "p", "y": "q"}, "r"], "a b": [1]})],
        ),
        (partial(at("$.a", stringValue="x", willContinue=True), name="f"), [("f", {"a": "x"})]),
        (partial(name="f") + partial(name="g", more=False), [("f", {}), ("g", {})]),
        (partial(name="f", args={"a": 1}) + partial(at("$.b", stringValue="c"), more=False), [("f", {"a": 1, "b": "c"})]),
        (
            partial(at("$.a", stringValue="x", willContinue=True), name="f")
            + partial(at("$.b", stringValue="y"), at("$.a", stringValue="z"), at("$"), more=False),
            [("f", {"a": "z", "b": "y"})],
        ),
    ],
    ids=["at once", "text in pieces", "nested", "never closed", "no arguments", "with args", "another place"],
)  # fmt: skip
def test_calls_in_parts_are_put_together(body: bytes, calls: list[Any]) -> None:
    assert arguments(told(decoded(gemini.Decoder(), body + END))[0][0]) == calls


def test_a_long_text_in_many_parts_is_joined_once() -> None:
    piece = partial(at("$.a", stringValue="abcd", willContinue=True))
    body = partial(name="f") + piece * 5000 + partial(more=False) + END
    ((_, value),) = arguments(told(decoded(gemini.Decoder(), body))[0][0])

    assert value == {"a": "abcd" * 5000}


@pytest.mark.parametrize(
    ("part", "field", "expected"),
    [
        (
            {"inlineData": {"mimeType": "image/png", "data": "QUI="}},
            "images",
            [{"type": "image_url", "index": 0, "image_url": {"url": "data:image/png;base64,QUI="}}],
        ),
        ({"inlineData": {"mimeType": "text/csv", "data": "QQ=="}}, "provider_specific_fields",
         {"parts": [{"inlineData": {"mimeType": "text/csv", "data": "QQ=="}}]}),
        ({"executableCode": {"code": "1"}}, "provider_specific_fields", {"parts": [{"executableCode": {"code": "1"}}]}),
        ({"text": "x", "thoughtSignature": "S"}, "provider_specific_fields", {"thought_signatures": ["S"]}),
        ({"text": "", "thoughtSignature": "S"}, "provider_specific_fields", {"thought_signatures": ["S"]}),
        ({"text": "x", "thought": True}, "reasoning_content", "x"),
        ({"text": "x", "thought": True}, "thinking_blocks", None),
        ({"text": "x", "thought": True, "thoughtSignature": "S"}, "thinking_blocks",
         [{"type": "thinking", "thinking": "x", "signature": "S", "index": 0}]),
    ],
    ids=["image", "file", "code", "signed text", "signature alone", "thought", "unsigned", "signed thought"],
)  # fmt: skip
def test_parts_of_every_kind_have_a_place(part: dict[str, Any], field: str, expected: Any) -> None:
    raw = decoded(gemini.Decoder(), frame(said(part), **HEAD) + END)
    delta = raw[1].choices[0].delta.model_dump(exclude_none=True)

    assert delta.get(field) == expected


def test_sound_keeps_its_kind() -> None:
    sound = {"inlineData": {"mimeType": "audio/L16;rate=24000", "data": "QUI="}}
    audio = decoded(gemini.Decoder(), frame(said(sound)) + END)[1].choices[0].delta.audio

    assert audio is not None
    assert (audio.data, audio.mime_type) == ("QUI=", "audio/L16;rate=24000")


def test_what_only_this_provider_has_goes_along() -> None:
    rated = said({"text": "x"}, safetyRatings=[{"category": "C"}])
    last = said(finishReason="STOP", finishMessage="done", groundingMetadata={"g": 1})
    alone = {"citationMetadata": {"c": 1}, "index": 0}
    feedback = {"safetyRatings": []}
    created = {"createTime": "2026-05-04T20:01:02.264968Z", "turnToken": "t", "promptFeedback": feedback}  # fmt: skip
    raw = decoded(gemini.Decoder(), frame(rated, **created) + frame(alone) + frame(last))

    assert raw[0].created == 1777924862
    assert (raw[0].turnToken, raw[0].provider_specific_fields) == (
        "t",
        {"promptFeedback": feedback},
    )
    assert raw[1].choices[0].safetyRatings == [{"category": "C"}]
    assert raw[2].choices[0].citationMetadata == {"c": 1}
    end = raw[3].choices[0]
    assert (end.finishMessage, end.groundingMetadata) == ("done", {"g": 1})
    assert end.delta.refusal is None


@pytest.mark.parametrize("time", ["yesterday", "2026-05-04T20:01:02"], ids=["no date", "no zone"])
def test_a_time_that_is_none_is_not_made_up(time: str) -> None:
    assert next(gemini.Decoder().feed(frame(said({"text": "x"}), createTime=time))).created == 0


def test_log_probabilities_are_those_of_chat_completions() -> None:
    result = {
        "chosenCandidates": [{"token": "Hi", "logProbability": -0.1}, {"token": "!", "logProbability": -2}],
        "topCandidates": [{"candidates": [{"token": "Hi", "logProbability": -0.1}]}],
    }  # fmt: skip
    logprobs = decoded(gemini.Decoder(), frame(said({"text": "Hi!"}, logprobsResult=result)) + END)[1].choices[0].logprobs  # fmt: skip

    assert logprobs is not None
    assert [(it.token, it.logprob, len(it.top_logprobs)) for it in logprobs.content or ()] == [
        ("Hi", -0.1, 1),
        ("!", -2.0, 0),
    ]


def test_a_blocked_prompt_is_an_end() -> None:
    blocked = {"blockReason": "SAFETY", "blockReasonMessage": "Reasons"}
    chunks = normal(decoded(gemini.Decoder(), frame(promptFeedback=blocked, **counts(8, 0, 8))))

    assert short(chunks) == ["R refusal 'Reasons' promptFeedback", "F content_filter", "U 8/0/8"]
    assert chunks[1].choices[0].raw_finish_reason == "SAFETY"
    assert chunks[0].provider_specific_fields == {"promptFeedback": blocked}


@pytest.mark.parametrize(
    ("reason", "finish", "abnormal"),
    [
        ("STOP", "stop", False),
        (1, "stop", False),
        (2, "length", False),
        (77, "77", True),
        ("SPII", "content_filter", False),
        ("IMAGE_SAFETY", "content_filter", False),
        ("MODEL_ARMOR", "content_filter", False),
        ("CONTINUATION", "length", False),
        ("MALFORMED_FUNCTION_CALL", "MALFORMED_FUNCTION_CALL", True),
        ("WHATEVER", "WHATEVER", True),
    ],
)
def test_finish_reasons_have_their_meaning(reason: Any, finish: str, abnormal: bool) -> None:
    last = normal(decoded(gemini.Decoder(), frame(said({"text": "x"}, finishReason=reason))))[-1]

    assert (last.choices[0].finish_reason, last.choices[0].abnormal_finish) == (finish, abnormal)


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        (counts(8, 4, 32, thoughtsTokenCount=20), (8, 24, 32)),
        (counts(8, 24, 32, thoughtsTokenCount=20), (8, 24, 32)),
        (counts(8, 4, 15, toolUsePromptTokenCount=3), (11, 4, 15)),
        (counts(8, 4, 12, toolUsePromptTokenCount=3), (8, 4, 12)),
        ({"usageMetadata": {"promptTokenCount": 8, "candidatesTokenCount": 4}}, (8, 4, 12)),
        ({"usageMetadata": {"promptTokenCount": 8, "totalTokenCount": 8}}, (8, 0, 8)),
    ],
    ids=["thoughts beside", "thoughts within", "tools billed", "tools not billed", "no total", "no answer"],
)  # fmt: skip
def test_the_total_tells_what_overlaps(usage: dict[str, Any], expected: tuple[int, ...]) -> None:
    found = told(decoded(gemini.Decoder(), frame(said(finishReason="STOP"), **usage)))[1]

    assert found is not None
    assert (found.prompt_tokens, found.completion_tokens, found.total_tokens) == expected


def test_usage_says_what_it_was_spent_on_and_keeps_what_it_does_not_know() -> None:
    details = {
        "cachedContentTokenCount": 5,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 6}, {"modality": "NEW"}],
        "candidatesTokensDetails": [{"modality": "IMAGE", "tokenCount": 3}, {"modality": "VIDEO", "tokenCount": 1}],
        "trafficType": "ON_DEMAND",
    }  # fmt: skip
    usage = counts(8, 3, 11)["usageMetadata"] | details
    body = frame(said(finishReason="STOP"), usageMetadata=usage)
    found = told(decoded(gemini.Decoder(), body))[1]

    assert found is not None
    assert found.prompt_tokens_details is not None
    assert found.completion_tokens_details is not None
    assert (found.prompt_tokens_details.cached_tokens, found.prompt_tokens_details.text_tokens) == (
        5,
        6,
    )
    assert found.completion_tokens_details.image_tokens == 3
    assert found.trafficType == "ON_DEMAND"


def test_a_frame_that_counts_nothing_does_not_wipe_out_the_counts() -> None:
    silent = frame(said({"text": "x"}), usageMetadata={"trafficType": "ON_DEMAND"}, **HEAD)
    usage = told(decoded(gemini.Decoder(), END + silent))[1]

    assert usage is not None
    assert usage.total_tokens == 11


@pytest.mark.parametrize(
    "body",
    [
        TEXT.replace(b"\r\n", b"\n"),
        TEXT.replace(b"\r\n", b"\r"),
        TEXT.replace(b"data: ", b"data:"),
        b"\xef\xbb\xbf" + TEXT,
        b": comment\r\n\r\n" + TEXT,
        TEXT[:-4],
        TEXT + b"data: [DONE]\n\n" + LO,
        TEXT.replace(b"data: ", b"event: message\r\ndata: "),
        TEXT.replace(b"data: {", b"data: {\r\ndata: "),
        HEL + frame(**counts(8, 1, 9)) + LO + END,
        HEL + frame({"content": {}, "index": 0}) + LO + END,
        HEL + b"data: \r\n\r\n" + LO + END,
        HEL + frame(said({"text": "l"}, {"text": "o"}), **HEAD) + END,
        b"\xef\xbb\xbf\n " + as_array(TEXT),
        json.dumps(json.loads(as_array(TEXT))).encode(),
    ],
    ids=[
        "lf", "cr", "no blank", "byte order mark", "comments", "no last blank line", "done",
        "event lines", "two data lines", "usage alone", "no parts", "no data", "two parts",
        "array with a byte order mark", "array on one line",
    ],
)  # fmt: skip
def test_what_is_harmless_changes_nothing(body: bytes) -> None:
    assert told(decoded(gemini.Decoder(), body)) == told(decoded(gemini.Decoder(), TEXT))


def error(code: int, status: str) -> bytes:
    return gemini.encode_error(code, "no", kind=status)


OPEN = b'[{"candidates": [{"content": {"parts": [{"text": "Hel"}]}}]}'


@pytest.mark.parametrize(
    ("body", "kind", "says"),
    [
        (b"", EmptyStreamError, "no event"),
        (b"\n\r\n", EmptyStreamError, "no event"),
        (b"\xef\xbb", StreamTruncatedError, "inside an event"),
        (b"[]", EmptyStreamError, "no event"),
        (b"data: [DONE]\n\n", EmptyStreamError, "no event"),
        (frame(hello=1), EmptyStreamError, "no event"),
        (frame(**counts(8, 0, 8)), StreamTruncatedError, "before any candidate"),
        (HEL, StreamTruncatedError, "without a finish reason for candidate 0"),
        (HEL + LO, StreamTruncatedError, "without a finish reason"),
        (TWO[: TWO.rindex(b"data")], StreamTruncatedError, "for candidate 0$"),
        (HEL + b'data: {"candidates', StreamTruncatedError, "inside an event"),
        (OPEN, StreamTruncatedError, "inside an event"),
        (OPEN + b"]", StreamTruncatedError, "without a finish reason"),
        (OPEN + b" x", MalformedStreamError, ", or ] must come"),
        (b"[{oops}]", MalformedStreamError, "no JSON"),
        (HEL + b"data: {oops}\n\n", MalformedStreamError, "no JSON"),
        (HEL + b"data: [1]\n\n", MalformedStreamError, "no JSON object"),
        (HEL + b'data: {"detail":"no"}\n\n', APIError, "no"),
        (HEL + b'data: {"message":"no"}\n\n', APIError, "no"),
        (HEL + b'data: {"x":"\xff"}\n\n', MalformedStreamError, "UTF-8"),
        (frame(said({"text": 12})), MalformedStreamError, "text must be a text, not '12'"),
        (frame(said("x")), MalformedStreamError, "a part must be an object"),
        (frame("x"), MalformedStreamError, "a candidate must be an object"),  # type: ignore[arg-type]
        (frame(candidates=1), MalformedStreamError, "candidates must be a list"),
        (frame(said({"text": "x"}, index="0")), MalformedStreamError, "index must be a number"),  # type: ignore[arg-type]
        (frame(said(finishReason="STOP"), usageMetadata={"promptTokenCount": "8"}), MalformedStreamError, "promptTokenCount must be"),
        (frame(said(logprobsResult={"chosenCandidates": [{"token": "a", "logProbability": "x"}]} )) + END, MalformedStreamError, "logProbability must be"),
        (partial(more=False), StreamProtocolError, "never began"),
        (partial(at("a"), name="f"), MalformedStreamError, "no path"),
        (partial(at("$..a"), name="f"), MalformedStreamError, "no path"),
        (partial(at("$[2]", numberValue=1), name="f"), MalformedStreamError, "item 2 of a list that has 0"),
        (partial(at("$[0]", numberValue=1), name="f"), MalformedStreamError, "arguments must be an object"),
        (partial("x", name="f"), MalformedStreamError, "partialArgs must hold objects"),  # type: ignore[arg-type]
        (error(429, "RESOURCE_EXHAUSTED"), RateLimitError, "no"),
        (HEL + error(503, "UNAVAILABLE"), ServiceUnavailableError, "no"),
        (HEL + error(500, "INTERNAL"), InternalServerError, "no"),
        (OPEN + b',{"error":{"code":403,"message":"no","status":"PERMISSION_DENIED"}}]', PermissionDeniedError, "no"),
        (frame(said({"text": "Hel"}, finishReason="ERROR")), InternalServerError, "ERROR"),
    ],
)  # fmt: skip
def test_nothing_ends_silently(body: bytes, kind: type[APIError], says: str) -> None:
    with pytest.raises(kind, match=says):
        decoded(gemini.Decoder(), body)

    assert everything(Thorough(), [body])[1] == everything(gemini.Decoder(), [body])[1]


def test_what_came_before_an_error_is_still_given() -> None:
    chunks, ending = everything(gemini.Decoder(), [HEL + b"data: {oops}\n\n"])

    assert chunks[-1]["choices"][0]["delta"]["content"] == "Hel"
    assert ending[0] is MalformedStreamError


def test_what_goes_back_to_the_model_is_what_it_sent() -> None:
    response = stream_chunk_builder(normal(decoded(gemini.Decoder(), TOOLS)))
    assert response is not None
    (content,) = asked(response.choices[0].message.model_dump())["contents"]
    first, second, third = content["parts"]

    assert first["thoughtSignature"] == "S"
    assert first["functionCall"].items() >= WEATHER["functionCall"].items()
    assert second["functionCall"]["args"] == {}
    assert third == {"functionCall": {"name": "third", "args": {"a": "é"}, "id": "native"}}


def test_a_cut_stream_still_says_what_was_billed_so_far() -> None:
    chunks, _ = everything(gemini.Decoder(), [HEL + LO])

    assert chunks[-1]["usage"]["total_tokens"] == 10


def test_a_lenient_decoder_leaves_out_what_is_odd_and_says_so() -> None:
    decoder = gemini.Decoder(strict=False)
    odd = b"data: {oops}\n\n" + frame(said("x")) + partial(more=False)
    last = frame(said({"text": 12}, finishReason="STOP"), usageMetadata={"promptTokenCount": "8"})
    answers, usage = told(decoded(decoder, HEL + odd + last))

    assert (answers[0].text, answers[0].reason, usage) == ("Hel12", "STOP", None)
    assert len(decoder.warnings) == 4


def test_completeness_is_told_from_the_end_of_an_array() -> None:
    decoder = gemini.Decoder()
    body = as_array(TEXT)
    list(decoder.feed(body[: body.rindex(b"]")]))

    assert (decoder.complete, decoder.terminal_seen) == (True, False)
    list(decoder.feed(b"]"))
    assert (decoder.complete, decoder.terminal_seen) == (True, True)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"  ", EmptyStreamError),
        (b"<!DOCTYPE html><html>", MalformedStreamError),
        (b"[1]", MalformedStreamError),
        (b'{"hello": 1}', EmptyStreamError),
        (gemini.encode_error_body(429, "slow"), RateLimitError),
        (b"[" + gemini.encode_error_body(403, "no") + b"]", PermissionDeniedError),
        (b'{"candidates": [{"content": {}}]}', StreamTruncatedError),
    ],
    ids=["empty", "a page", "a list", "another object", "429", "403 in a list", "no finish reason"],
)
def test_a_body_that_is_no_response_is_an_error(body: bytes, kind: type[APIError]) -> None:
    with pytest.raises(kind):
        gemini.whole_body(body)


def test_a_whole_body_may_be_an_array() -> None:
    assert told(gemini.whole_body(as_array(TEXT))) == told(decoded(gemini.Decoder(), TEXT))


def asked(*messages: Any, model: str = "gemini-2.5-flash", **params: Any) -> dict[str, Any]:
    request = gemini.request(Call(model=model, messages=messages, params=params))
    body: dict[str, Any] = json.loads(request.body)
    return body


USER = {"role": "user", "content": "Hi"}
CONTENTS = [{"role": "user", "parts": [{"text": "Hi"}]}]


@pytest.mark.parametrize(
    ("model", "stream", "path"),
    [
        ("gemini-2.5-flash", True, "/models/gemini-2.5-flash:streamGenerateContent?alt=sse"),
        ("gemini-2.5-flash", False, "/models/gemini-2.5-flash:generateContent"),
        ("tunedModels/mine", True, "/tunedModels/mine:streamGenerateContent?alt=sse"),
        ("a b?c#d", False, "/models/a%20b%3Fc%23d:generateContent"),
    ],
)
def test_a_request_goes_to_its_model_without_a_key(model: str, stream: bool, path: str) -> None:
    request = gemini.request(
        Call(model=model, messages=[USER], stream=stream, extra_body={"labels": {"a": "b"}})
    )

    assert request.path == path
    assert "x-goog-api-key" not in {name.lower() for name in request.headers}
    assert json.loads(request.body) == {"contents": CONTENTS, "labels": {"a": "b"}}


def test_a_conversation_becomes_instructions_and_contents() -> None:
    signed = {"provider_specific_fields": {"thought_signature": "S"}}
    calls = [
        {"id": "c1", "function": {"name": "weather", "arguments": '{"city": "Paris"}'}, **signed},
        {"function": {"name": "now", "arguments": ""}},
    ]
    body = asked(
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hi"},
        {"role": "user", "content": [{"type": "text", "text": "there"}]},
        {"role": "assistant", "content": "Well", "provider_specific_fields": {"thought_signatures": ["T"]}},
        {"role": "assistant", "content": None, "tool_calls": calls},
        {"role": "tool", "tool_call_id": "c1", "content": "12 °C"},
        {"role": "tool", "name": "now", "content": [{"type": "text", "text": "noon"}]},
        {"role": "developer", "content": "In French."},
        {"role": "user", "content": ""},
    )  # fmt: skip

    assert body == {
        "systemInstruction": {"parts": [{"text": "Be brief."}, {"text": "In French."}]},
        "contents": [
            {"role": "user", "parts": [{"text": "Hi"}, {"text": "there"}]},
            {
                "role": "model",
                "parts": [
                    {"text": "Well", "thoughtSignature": "T"},
                    {
                        "functionCall": {"name": "weather", "args": {"city": "Paris"}, "id": "c1"},
                        "thoughtSignature": "S",
                    },
                    {"functionCall": {"name": "now", "args": {}}},
                ],
            },
            {
                "role": "user",
                "parts": [
                    {"functionResponse": {"name": "weather", "response": {"content": "12 °C"}, "id": "c1"}},
                    {"functionResponse": {"name": "now", "response": {"content": "noon"}}},
                ],
            },
        ],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        ({"type": "image_url", "image_url": {"url": "data:image/png;base64,QUI="}}, {"inlineData": {"mimeType": "image/png", "data": "QUI="}}),
        ({"type": "image_url", "image_url": "gs://b/x.png"}, {"fileData": {"fileUri": "gs://b/x.png"}}),
        ({"type": "input_audio", "input_audio": {"format": "wav", "data": "QUI="}}, {"inlineData": {"mimeType": "audio/wav", "data": "QUI="}}),
        ({"type": "file", "file": {"file_data": "data:application/pdf;base64,QUI="}}, {"inlineData": {"mimeType": "application/pdf", "data": "QUI="}}),
        ({"type": "file", "file": {"file_id": "https://f/1"}}, {"fileData": {"fileUri": "https://f/1"}}),
        ({"type": "refusal", "refusal": "No."}, {"text": "No."}),
        ({"videoMetadata": {"fps": 1}}, {"videoMetadata": {"fps": 1}}),
    ],
    ids=["data", "address", "audio", "file", "file id", "refusal", "the provider's own"],
)  # fmt: skip
def test_parts_have_their_shape_there(part: dict[str, Any], expected: dict[str, Any]) -> None:
    assert asked({"role": "user", "content": [part]})["contents"][0]["parts"] == [expected]


SCHEMA = {"type": "object", "properties": {"strict": {"type": "string"}}}


def function(**fields: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": "f"} | fields}


def choice(mode: str, **fields: Any) -> dict[str, Any]:
    return {"toolConfig": {"functionCallingConfig": {"mode": mode} | fields}}


@pytest.mark.parametrize(
    ("params", "fields"),
    [
        (
            {"max_tokens": 5, "temperature": 0.5, "top_p": 1, "top_k": 2, "stop": "x", "n": 2, "seed": 7,
             "presence_penalty": 0.1, "frequency_penalty": 0.2, "logprobs": True, "top_logprobs": 3},
            {"generationConfig": {
                "maxOutputTokens": 5, "temperature": 0.5, "topP": 1, "topK": 2, "stopSequences": ["x"], "candidateCount": 2,
                "seed": 7, "presencePenalty": 0.1, "frequencyPenalty": 0.2, "responseLogprobs": True, "logprobs": 3}},
        ),
        ({"max_tokens": 5, "max_completion_tokens": 6, "stop": ["x", "y"]}, {"generationConfig": {"maxOutputTokens": 6, "stopSequences": ["x", "y"]}}),
        ({"seed": None, "stream_options": {"include_usage": True}, "parallel_tool_calls": True}, {}),
        ({"response_format": {"type": "text"}}, {}),
        ({"response_format": {"type": "json_object"}}, {"generationConfig": {"responseMimeType": "application/json"}}),
        ({"response_format": {"type": "json_schema", "json_schema": {"schema": SCHEMA}}},
         {"generationConfig": {"responseMimeType": "application/json", "responseJsonSchema": SCHEMA}}),
        ({"modalities": ["text", "image"]}, {"generationConfig": {"responseModalities": ["TEXT", "IMAGE"]}}),
        ({"tools": [function(description="d"), {"googleSearch": {}}]},
         {"tools": [{"functionDeclarations": [{"name": "f", "description": "d"}]}, {"googleSearch": {}}]}),
        ({"tools": [function(parameters=SCHEMA)], "web_search_options": {}},
         {"tools": [{"functionDeclarations": [{"name": "f", "parameters": SCHEMA}]}, {"googleSearch": {}}]}),
        ({"tools": [function(parameters={"$schema": "s", "additionalProperties": False, "properties": {
            "additionalProperties": {"type": "array", "items": {"strict": True}, "default": {"strict": 1}}}, "anyOf": [{"$id": "i"}]})]},
         {"tools": [{"functionDeclarations": [{"name": "f", "parameters": {"properties": {
             "additionalProperties": {"type": "array", "items": {}, "default": {"strict": 1}}}, "anyOf": [{}]}}]}]}),
        ({"tools": [function(parameters={"$defs": {}, "strict": 1})]},
         {"tools": [{"functionDeclarations": [{"name": "f", "parametersJsonSchema": {"$defs": {}, "strict": 1}}]}]}),
        ({"tool_choice": "auto"}, choice("AUTO")),
        ({"tool_choice": "required"}, choice("ANY")),
        ({"tool_choice": "none"}, choice("NONE")),
        ({"tool_choice": function()}, choice("ANY", allowedFunctionNames=["f"])),
        ({"reasoning_effort": "low"}, {"generationConfig": {"thinkingConfig": {"thinkingBudget": 1024, "includeThoughts": True}}}),
        ({"reasoning_effort": "none"}, {"generationConfig": {"thinkingConfig": {"thinkingBudget": 0, "includeThoughts": False}}}),
        ({"reasoning_effort": "low", "model": "gemini-3-pro"}, {"generationConfig": {"thinkingConfig": {"thinkingLevel": "low", "includeThoughts": True}}}),
        ({"thinking": {"type": "enabled", "budget_tokens": 9}, "reasoning_effort": "low"},
         {"generationConfig": {"thinkingConfig": {"thinkingBudget": 9, "includeThoughts": True}}}),
        ({"thinking": {"type": "enabled"}}, {"generationConfig": {"thinkingConfig": {"includeThoughts": True}}}),
        ({"thinking": {"type": "disabled"}}, {"generationConfig": {"thinkingConfig": {"thinkingBudget": 0, "includeThoughts": False}}}),
    ],
)  # fmt: skip
def test_parameters_have_their_names_there(params: dict[str, Any], fields: dict[str, Any]) -> None:
    assert asked(USER, **params) == {"contents": CONTENTS} | fields


@pytest.mark.parametrize(
    ("params", "says"),
    [
        ({"user": "u", "logit_bias": {}}, "gemini has no logit_bias, user; it takes .*max_tokens"),
        ({"parallel_tool_calls": False}, "parallel_tool_calls=True only, not False"),
    ],
    ids=["unknown", "one call at a time"],
)
def test_parameters_that_there_are_not_are_refused_unless_dropped(
    params: dict[str, Any], says: str
) -> None:
    with pytest.raises(UnsupportedParamsError, match=says):
        asked(USER, **params)
    dropped = Call(model="m", messages=[USER], params=params, drop_params=True)

    assert json.loads(gemini.request(dropped).body) == {"contents": CONTENTS}


@pytest.mark.parametrize(
    ("message", "params", "kind", "says"),
    [
        ({"role": "narrator"}, {}, ValueError, "no messages of role 'narrator'; it takes system"),
        ({"role": "user", "content": [{"type": "hologram"}]}, {}, ValueError, "no parts of type 'hologram'"),
        ({"role": "tool", "tool_call_id": "c9", "content": "x"}, {}, ValueError, "'c9', and no assistant"),
        (USER, {"tool_choice": "maybe"}, ValueError, "auto, required, none"),
        (USER, {"reasoning_effort": "huge"}, ValueError, "low, medium, high, not 'huge'"),
        (USER, {"response_format": {"type": "xml"}}, ValueError, "not 'xml'"),
        (USER, {"response_format": "json"}, TypeError, "response_format is a mapping"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused_before_any_request(
    message: Any, params: dict[str, Any], kind: type[Exception], says: str
) -> None:
    with pytest.raises(kind, match=says):
        asked(message, **params)
