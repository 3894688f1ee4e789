"""The specification's transcripts: bytes, and the normal form that they have."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from decoded import decoded, normal, short

from cassette_stream.chunks import Usage, stream_chunk_builder
from cassette_stream.client import completion
from cassette_stream.dialects import (
    anthropic,
    bedrock_converse,
    cohere,
    gemini,
    ollama,
    openai_chat,
    openai_responses,
)
from cassette_stream.dialects.aws_frames import frame
from cassette_stream.exceptions import StreamTruncatedError


@dataclass(frozen=True, slots=True, kw_only=True)
class Transcript:
    """A body, the provider that sends it, its normal form, and what is counted in details."""

    provider: str
    body: bytes
    words: list[str]
    counted: dict[str, int] = field(default_factory=dict)


DECODERS = {
    "openai": openai_chat.Decoder,
    "azure": openai_chat.Decoder,
    "openai/responses": openai_responses.Decoder,
    "anthropic": anthropic.Decoder,
    "cohere": cohere.Decoder,
    "bedrock": bedrock_converse.Decoder,
    "gemini": gemini.Decoder,
    "ollama": ollama.Decoder,
}
CONTENT_TYPES = {
    "bedrock": "application/vnd.amazon.eventstream",
    "ollama": "application/x-ndjson",
}


def sse(*events: str, end: str = "\n\n", done: bool = False) -> bytes:
    """The *events*, by their JSON; Anthropic and the Responses API name them as well."""
    lines = []
    for data in events:
        kind = re.match(r'\{"type":"([a-z_.]+)"', data)
        lines.append(f"event: {kind[1]}\n" if kind else "")
        lines.append(f"data: {data}{end}")
    return "".join([*lines, "data: [DONE]\n\n" if done else ""]).encode()


def lines(*values: str) -> bytes:
    return "".join(f"{value}\n" for value in values).encode()


def chat(*choices: str, usage: str = "") -> bytes:
    """Chunks of chat completions, one for each of the *choices*."""
    head = '"id":"c1","object":"chat.completion.chunk","created":1700000000,"model":"gpt-4-0613"'
    events = [f'{{{head},"choices":[{choice}]}}' for choice in choices]
    events += [f'{{{head},"choices":[],"usage":{usage}}}'] if usage else []
    return sse(*events, done=True)


def delta(fields: str, finish: str = "null", index: int = 0) -> str:
    return f'{{"index":{index},"delta":{fields},"finish_reason":{finish}}}'


def calls(fields: str) -> str:
    return delta(f'{{"tool_calls":[{{{fields}}}]}}')


COUNTS = '{"prompt_tokens":5,"completion_tokens":7,"total_tokens":12}'
STARTED = (
    '{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant",'
    '"model":"claude-x","content":[],"stop_reason":null,"stop_sequence":null,"usage":{'
    '"input_tokens":25,"cache_creation_input_tokens":10,"cache_read_input_tokens":5,'
    '"output_tokens":1}}}'
)
HEL, LO, EMPTY, ANS = (f'{{"text":"{text}"}}' for text in ("Hel", "lo", "", "Ans"))
WEATHER = (
    '{"functionCall":{"name":"get_weather","args":{"location":"Paris"}},"thoughtSignature":"S"}'
)
NOW = '{"functionCall":{"name":"now"}}'
THIRD = '{"functionCall":{"name":"third","args":{"a":"é"}}}'
THOUGHT = '{"text":"thinking..","thought":true}'
STOP = ',"finishReason":"STOP"'
SPENT = ',"thoughtsTokenCount":20'
SERVED = '"modelVersion":"gemini-2.5-flash","responseId":"rid1"'


def block(index: int, block: str, *deltas: str) -> list[str]:
    """A content block of Anthropic's, from its start to its stop."""
    return [
        f'{{"type":"content_block_start","index":{index},"content_block":{{{block}}}}}',
        *(
            f'{{"type":"content_block_delta","index":{index},"delta":{{{each}}}}}'
            for each in deltas
        ),
        f'{{"type":"content_block_stop","index":{index}}}',
    ]


def stopped(reason: str) -> list[str]:
    ended = f'"delta":{{"stop_reason":"{reason}","stop_sequence":null}}'
    return [
        f'{{"type":"message_delta",{ended},"usage":{{"output_tokens":15}}}}',
        '{"type":"message_stop"}',
    ]


def counts(answer: int, total: int, more: str = "") -> str:
    return (
        f'"usageMetadata":{{"promptTokenCount":8,"candidatesTokenCount":{answer},'
        f'"totalTokenCount":{total}{more}}}'
    )


def frames(*frames: str) -> bytes:
    """Gemini's *frames*; they are separated by CRLF, and there is no [DONE]."""
    return sse(*(f"{{{fields}}}" for fields in frames), end="\r\n\r\n")


def parts(*parts: str, more: str = "") -> str:
    return f'"candidates":[{{"index":0,"content":{{"parts":[{",".join(parts)}],"role":"model"}}{more}}}]'


A8_TEXT = [
    f"{parts(HEL)},{counts(1, 9)},{SERVED}",
    f"{parts(LO)},{counts(2, 10)},{SERVED}",
    f"{parts(EMPTY, more=STOP)},{counts(3, 11)}",
]
A8_TOOLS = [
    f"{parts(WEATHER, NOW)},{SERVED}",
    f"{parts(THIRD)}",
    A8_TEXT[2],
]
A8_THOUGHTS = [
    f"{parts(THOUGHT)},{counts(0, 28, SPENT)},{SERVED}",
    f"{parts(ANS)}",
    f"{parts(EMPTY, more=STOP)},{counts(4, 32, SPENT)}",
]

TRANSCRIPTS = {
    "A.1 OpenAI text + usage": Transcript(
        provider="openai",
        body=chat(
            delta('{"role":"assistant","content":""}'),
            delta('{"content":"Hel"}'),
            delta('{"content":"lo"}'),
            delta("{}", '"stop"'),
            usage=COUNTS,
        ),
        words=["R C''", "C'Hel'", "C'lo'", "F stop", "U 5/7/12"],
    ),
    "A.2 OpenAI, two tool calls": Transcript(
        provider="openai",
        body=chat(
            calls(
                '"index":0,"id":"call_1","type":"function",'
                '"function":{"name":"get_weather","arguments":""}'
            ),
            calls(r'"index":0,"function":{"arguments":"{\"loc"}'),
            calls(r'"index":0,"function":{"arguments":"\":1}"}'),
            calls(
                '"index":1,"id":"call_2","type":"function","function":{"name":"g2","arguments":""}'
            ),
            calls('"index":1,"function":{"arguments":"{}"}'),
            delta("{}", '"tool_calls"'),
        ),
        words=[
            "R K[0] call_1 get_weather ''",
            "K[0] '{\"loc'",
            "K[0] '\":1}'",
            "K[1] call_2 g2 ''",
            "K[1] '{}'",
            "F tool_calls",
        ],
    ),
    "A.3 OpenAI, content and finish in one chunk, late role": Transcript(
        provider="openai",
        body=chat(delta('{"content":"all"}', '"stop"')),
        words=["R C'all'", "F stop"],
    ),
    "A.3 OpenAI, n=2": Transcript(
        provider="openai",
        body=chat(
            delta('{"content":"A"}'),
            delta('{"content":"B"}', index=1),
            delta("{}", '"length"', index=1),
            delta('{"content":"a"}'),
            delta("{}", '"stop"'),
        ),
        words=["R C'A'", "1: R C'B'", "1: F length", "C'a'", "F stop"],
    ),
    "A.4 OpenAI refusal": Transcript(
        provider="openai",
        body=chat(
            delta('{"role":"assistant","content":null,"refusal":""}'),
            delta('{"refusal":"I can\'t"}'),
            delta("{}", '"stop"'),
        ),
        words=["R", 'refusal "I can\'t"', "F stop"],
    ),
    "A.5 Anthropic text": Transcript(
        provider="anthropic",
        body=sse(
            STARTED,
            '{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}',
            '{"type":"ping"}',
            *block(
                0,
                '"type":"text","text":""',
                '"type":"text_delta","text":"Hel"',
                '"type":"text_delta","text":"lo"',
            )[1:],
            *stopped("end_turn"),
        ),
        words=["R C'Hel'", "C'lo'", "F stop", "U 40/15/55"],
        counted={"cached_tokens": 5, "cache_write_tokens": 10},
    ),
    "A.6 Anthropic tools, one without arguments": Transcript(
        provider="anthropic",
        body=sse(
            STARTED,
            *block(0, '"type":"text","text":""', '"type":"text_delta","text":"Let me"'),
            *block(
                1,
                '"type":"tool_use","id":"toolu_1","name":"get_weather","input":{}',
                '"type":"input_json_delta","partial_json":""',
                r'"type":"input_json_delta","partial_json":"{\"location\""',
                r'"type":"input_json_delta","partial_json":": \"Paris\"}"',
            ),
            *block(2, '"type":"tool_use","id":"toolu_2","name":"now","input":{}'),
            *stopped("tool_use"),
        ),
        words=[
            "R C'Let me'",
            "K[0] toolu_1 get_weather ''",
            "K[0] '{\"location\"'",
            "K[0] ': \"Paris\"}'",
            "K[1] toolu_2 now ''",
            "K[1] '{}'",
            "F tool_calls",
            "U 40/15/55",
        ],
    ),
    "A.7 Anthropic thinking": Transcript(
        provider="anthropic",
        body=sse(
            STARTED,
            *block(
                0,
                '"type":"thinking","thinking":"","signature":""',
                '"type":"thinking_delta","thinking":"hmm "',
                '"type":"thinking_delta","thinking":"ok"',
                '"type":"signature_delta","signature":"SIG"',
            ),
            *block(1, '"type":"redacted_thinking","data":"RRR"'),
            *block(
                2,
                '"type":"text","text":""',
                '"type":"text_delta","text":"Answer"',
                '"type":"citations_delta","citation":{"type":"char_location","cited_text":"x"}',
            ),
            *stopped("end_turn"),
        ),
        words=[
            "R T'hmm '",
            "T'ok'",
            "index 0 signature 'SIG' thinking '' type 'thinking'",
            "data 'RRR' index 1 type 'redacted_thinking'",
            "C'Answer'",
            "citation",
            "F stop",
            "U 40/15/55",
        ],
    ),
    "A.8 Gemini": Transcript(
        provider="gemini",
        body=frames(*A8_TEXT),
        words=["R C'Hel'", "C'lo'", "F stop", "U 8/3/11"],
    ),
    "A.8 Gemini, tools": Transcript(
        provider="gemini",
        body=frames(*A8_TOOLS),
        words=[
            "R K[0] call_* get_weather '{\"location\": \"Paris\"}' K[1] call_* now '{}'",
            'K[2] call_* third \'{"a": "é"}\'',
            "F tool_calls",
            "U 8/3/11",
        ],
    ),
    "A.8 Gemini, thoughts": Transcript(
        provider="gemini",
        body=frames(*A8_THOUGHTS),
        words=["R T'thinking..'", "C'Ans'", "F stop", "U 8/24/32"],
        counted={"reasoning_tokens": 20},
    ),
    "A.9 Cohere v2": Transcript(
        provider="cohere",
        body=sse(
            '{"id":"c1","type":"message-start","delta":{"message":{"role":"assistant"}}}',
            '{"type":"content-start","index":0,"delta":{"message":{"content":{"type":"text",'
            '"text":""}}}}',
            '{"type":"content-delta","index":0,"delta":{"message":{"content":{"text":"Hel"}}}}',
            '{"type":"content-delta","index":0,"delta":{"message":{"content":{"text":"lo"}}}}',
            '{"type":"citation-start","index":0,"delta":{"message":{"citations":{"start":0,"end":3,'
            '"text":"Hel","sources":[]}}}}',
            '{"type":"content-end","index":0}',
            '{"type":"message-end","delta":{"finish_reason":"MAX_TOKENS","usage":{"billed_units":{'
            '"input_tokens":3,"output_tokens":5},"tokens":{"input_tokens":71,"output_tokens":6}}}}',
        ),
        words=["R C'Hel'", "C'lo'", "citation", "F length", "U 71/6/77"],
    ),
    "A.10 Ollama": Transcript(
        provider="ollama",
        body=lines(
            '{"message":{"role":"assistant","content":"Hel"},"done":false}',
            '{"message":{"role":"assistant","content":"lo"},"done":false}',
            '{"message":{"content":""},"done_reason":"stop","done":true,"prompt_eval_count":26,'
            '"eval_count":9}',
        ),
        words=["R C'Hel'", "C'lo'", "F stop", "U 26/9/35"],
    ),
    "A.10 Ollama, tools": Transcript(
        provider="ollama",
        body=lines(
            '{"message":{"tool_calls":[{"function":{"name":"a","arguments":{"x":1}}}]}}',
            '{"message":{"tool_calls":[{"function":{"name":"b","arguments":{}}}]}}',
            '{"message":{"tool_calls":[{"function":{"name":"c","arguments":{"y":2}}}]}}',
            '{"message":{"content":""},"done_reason":"stop","done":true}',
        ),
        words=[
            "R K[0] call_* a '{\"x\": 1}'",
            "K[1] call_* b '{}'",
            "K[2] call_* c '{\"y\": 2}'",
            "F tool_calls",
        ],
    ),
    "A.11 Bedrock ConverseStream": Transcript(
        provider="bedrock",
        body=b"".join(
            (
                frame("messageStart", b'{"role":"assistant"}'),
                frame("contentBlockDelta", b'{"contentBlockIndex":0,"delta":{"text":"Hel"}}'),
                frame("contentBlockDelta", b'{"contentBlockIndex":0,"delta":{"text":"lo"}}'),
                frame("contentBlockStop", b'{"contentBlockIndex":0}'),
                frame("messageStop", b'{"stopReason":"end_turn"}'),
                frame(
                    "metadata",
                    b'{"usage":{"inputTokens":10,"outputTokens":4,"totalTokens":14,'
                    b'"cacheReadInputTokens":2,"cacheWriteInputTokens":1}}',
                ),
            )
        ),
        words=["R C'Hel'", "C'lo'", "F stop", "U 13/4/14"],
        counted={"cached_tokens": 2, "cache_write_tokens": 1},
    ),
    "A.12 Responses API": Transcript(
        provider="openai/responses",
        body=sse(
            '{"type":"response.created","response":{"id":"resp_1","created_at":1,"model":"m"}}',
            '{"type":"response.in_progress","response":{"id":"resp_1","model":"m"}}',
            '{"type":"response.output_item.added","output_index":0,"item":{"type":"reasoning",'
            '"id":"rs_1","summary":[]}}',
            '{"type":"response.reasoning_summary_text.delta","output_index":0,"summary_index":0,'
            '"delta":"think"}',
            '{"type":"response.output_item.done","output_index":0,"item":{"type":"reasoning",'
            '"id":"rs_1","summary":[{"type":"summary_text","text":"think"}]}}',
            '{"type":"response.output_item.added","output_index":1,"item":{"type":"function_call",'
            '"id":"fc_1","call_id":"call_1","name":"f","arguments":""}}',
            r'{"type":"response.function_call_arguments.delta","output_index":1,"delta":"{\"a\""}',
            '{"type":"response.function_call_arguments.delta","output_index":1,"delta":":1}"}',
            '{"type":"response.output_item.done","output_index":1,"item":{"type":"function_call",'
            r'"id":"fc_1","call_id":"call_1","name":"f","arguments":"{\"a\":1}"}}',
            '{"type":"response.output_item.added","output_index":2,"item":{"type":"function_call",'
            '"id":"fc_2","call_id":"call_2","name":"g","arguments":""}}',
            '{"type":"response.function_call_arguments.delta","output_index":2,"delta":"{}"}',
            '{"type":"response.output_item.done","output_index":2,"item":{"type":"function_call",'
            '"id":"fc_2","call_id":"call_2","name":"g","arguments":"{}"}}',
            '{"type":"response.completed","response":{"status":"completed","output":[],"usage":{'
            '"input_tokens":10,"input_tokens_details":{"cached_tokens":4},"output_tokens":20,'
            '"output_tokens_details":{"reasoning_tokens":8},"total_tokens":30}}}',
        ),
        words=[
            "R T'think'",
            "K[0] call_1 f ''",
            "K[0] '{\"a\"'",
            "K[0] ':1}'",
            "K[1] call_2 g ''",
            "K[1] '{}'",
            "F tool_calls",
            "U 10/20/30",
        ],
        counted={"cached_tokens": 4, "reasoning_tokens": 8},
    ),
    "A.13 Azure": Transcript(
        provider="azure",
        body=sse(
            '{"choices":[],"prompt_filter_results":[{"prompt_index":0}],"id":"","model":"",'
            '"object":"","created":0}',
        )
        + chat(
            delta('{"role":"assistant","content":""}'),
            delta('{"content":"Hi"}'),
            '{"index":0,"content_filter_offsets":{"check_offset":1}}',
            delta("{}", '"stop"'),
            '{"index":0,"content_filter_offsets":{"check_offset":2}}',
            usage=COUNTS,
        ),
        words=["R C'' prompt_filter_results", "C'Hi'", "F stop", "U 5/7/12"],
    ),
}
transcripts = pytest.mark.parametrize("it", TRANSCRIPTS.values(), ids=TRANSCRIPTS)


def words_of(chunks: Any) -> list[str]:
    return [re.sub(r"call_[0-9a-f]{8,}", "call_*", line) for line in short(chunks)]


def counted(usage: Usage | None, names: Any) -> dict[str, Any]:
    details = (usage and usage.prompt_tokens_details, usage and usage.completion_tokens_details)
    said = [dict(it) for it in details if it is not None]
    return {name: next((it[name] for it in said if it.get(name)), None) for name in names}


@transcripts
def test_a_transcript_has_its_normal_form(it: Transcript) -> None:
    chunks = normal(decoded(DECODERS[it.provider](), it.body))

    assert words_of(chunks) == it.words
    assert counted(chunks[-1].usage, it.counted) == it.counted


@transcripts
@pytest.mark.parametrize("size", [1, 7, 100_000], ids=["bytes", "pieces", "whole"])
def test_a_caller_of_completion_gets_the_same(it: Transcript, size: int) -> None:
    pieces = (it.body[at : at + size] for at in range(0, len(it.body), size))
    kind = CONTENT_TYPES.get(it.provider, "text/event-stream")
    response = httpx.Response(200, headers={"content-type": kind}, content=pieces)
    with httpx.Client(transport=httpx.MockTransport(lambda _: response)) as client:
        stream: Any = completion(
            f"{it.provider}/m",
            [{"role": "user", "content": "x"}],
            stream=True,
            stream_options={"include_usage": True},
            api_key="k",
            api_base="http://server/v1?api-version=1",
            http_client=client,
        )

        assert words_of(stream) == it.words
        assert stream.complete
        assert stream.warnings == []


def test_a_7_is_built_into_a_message_with_two_thinking_blocks() -> None:
    body = TRANSCRIPTS["A.7 Anthropic thinking"].body
    response = stream_chunk_builder(normal(decoded(anthropic.Decoder(), body)))
    assert response is not None
    message = response.choices[0].message

    assert (message.reasoning_content, message.content) == ("hmm ok", "Answer")
    assert [block.type for block in message.thinking_blocks or ()] == [
        "thinking",
        "redacted_thinking",
    ]


def test_a_8_keeps_the_signature_beside_its_call_and_out_of_its_id() -> None:
    chunks = normal(decoded(gemini.Decoder(), TRANSCRIPTS["A.8 Gemini, tools"].body))
    first, second = chunks[0].choices[0].delta.tool_calls or ()

    assert first.provider_specific_fields == {"thought_signature": "S"}
    assert second.provider_specific_fields is None
    assert first.id is not None
    assert "S" not in first.id


def test_a_8_that_is_cut_after_its_second_frame_is_truncated() -> None:
    with pytest.raises(StreamTruncatedError):
        decoded(gemini.Decoder(), frames(*A8_TEXT[:2]))


def test_a_13_gives_what_azure_thinks_of_the_prompt_with_the_first_chunk() -> None:
    first, *_ = normal(decoded(openai_chat.Decoder(), TRANSCRIPTS["A.13 Azure"].body))

    assert first.provider_specific_fields == {"prompt_filter_results": [{"prompt_index": 0}]}
