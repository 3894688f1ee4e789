"""Bedrock: streams in AWS frames, read and written as the service does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from decoded import decoded, normal, short, streams, told

from cassette_stream.dialects import bedrock_converse
from cassette_stream.dialects.aws_frames import exception_frame, frame
from cassette_stream.exceptions import (
    APIError,
    BadRequestError,
    InternalServerError,
    MalformedStreamError,
    RateLimitError,
    ServiceUnavailableError,
    StreamTruncatedError,
)
from cassette_stream.wire import EventStreamDecoder


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
