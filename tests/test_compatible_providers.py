"""What each provider of OpenAI chat completions does its own way, through `completion`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from wires import DONE, event

from cassette_stream import LoopbackServer
from cassette_stream.chunks import ModelResponse
from cassette_stream.client import completion
from cassette_stream.exceptions import (
    APIError,
    BadGatewayError,
    BadRequestError,
    ContentPolicyViolationError,
    InternalServerError,
    RateLimitError,
)
from cassette_stream.script import Emit, Head

USAGE = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}
ASKED = [{"role": "user", "content": "x"}]
OTHERS = ["xai", "together_ai", "fireworks_ai", "cerebras", "nvidia_nim", "huggingface"]
LOCAL = ["hosted_vllm", "llama_cpp", "lm_studio", "openai_like"]
# These are not asked for the usage: they refuse the question, and report it all the same.
UNASKED = ["cerebras", "mistral", "nvidia_nim", "perplexity"]


def said(delta: Any = None, finish: str | None = None, choice: Any = None, **more: Any) -> bytes:
    """An event with one choice; *choice* and *more* stand beside what the format has."""
    one = {"index": 0, "delta": delta or {}, "finish_reason": finish} | (choice or {})
    head = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    return event(head | {"choices": [one]} | more)


def beside(**fields: Any) -> bytes:
    """An event without a choice."""
    return event({"id": "c1", "created": 1, "model": "m", "choices": []} | fields)


ROLE = said({"role": "assistant", "content": ""})
A, B = said({"content": "a"}), said({"content": "b"})
STOP = said(finish="stop")


@dataclass(frozen=True, slots=True)
class Told:
    """What the caller of `completion` got."""

    chunks: list[Any]
    error: APIError | None
    response: ModelResponse
    sent: Any
    """The body of the request."""

    @property
    def texts(self) -> list[str]:
        return [text for chunk in self.chunks if (text := chunk.choices[0].delta.content)]

    @property
    def finish(self) -> tuple[str | None, str | None]:
        last = self.response.choices[0]
        return last.finish_reason, last.raw_finish_reason


def told(provider: str, *events: bytes, include_usage: bool = False, **params: Any) -> Told:
    """What is told of *events*: the same whether the network brings them together or singly."""
    if include_usage:
        params["stream_options"] = {"include_usage": True}
    together, singly = (_told(provider, parts, params) for parts in ([b"".join(events)], events))

    assert together.response == singly.response
    assert together.chunks == singly.chunks
    assert repr(together.error) == repr(singly.error)
    return singly


def _told(provider: str, parts: Iterable[bytes], params: dict[str, Any]) -> Told:
    requests: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        head = {
            "content-type": "text/event-stream",
            "date": "Thu, 01 Jan 2026 00:00:00 GMT",
            "x-generation-id": "gen-1",
        }
        return httpx.Response(200, headers=head, content=iter(parts))

    chunks: list[Any] = []
    error = None
    with httpx.Client(transport=httpx.MockTransport(answer)) as client:
        asked = {"messages": ASKED, "api_key": "k", "api_base": "http://server/v1"} | params
        stream: Any = completion(f"{provider}/m", stream=True, http_client=client, **asked)
        try:
            for chunk in stream:
                chunks.append(chunk)
        except APIError as raised:
            error = raised
        return Told(chunks, error, stream.response, json.loads(requests[0].content))


def whole(*arguments: Any, **options: Any) -> Told:
    """The same, of a stream that comes to its end; no chunk is without a choice."""
    answer = told(*arguments, **options)

    assert answer.error is None
    assert all(len(chunk.choices) == 1 for chunk in answer.chunks)
    return answer


def failed(*arguments: Any) -> APIError:
    answer = told(*arguments)

    assert answer.error is not None
    return answer.error


# DeepSeek


def test_deepseek_thinks_first_and_then_speaks() -> None:
    answer = whole(
        "deepseek",
        said({"role": "assistant", "content": None, "reasoning_content": ""}),
        said({"content": None, "reasoning_content": "h"}),
        said({"content": None, "reasoning_content": "m"}),
        said({"content": "a", "reasoning_content": None}),
        STOP,
        DONE,
    )

    deltas = [chunk.choices[0].delta for chunk in answer.chunks]
    assert [it.reasoning_content or it.content for it in deltas] == [None, "h", "m", "a", None]
    assert answer.response.choices[0].message.reasoning_content == "hm"


@pytest.mark.parametrize("comment", [": keep-alive\n\n", ": keep-alive\n", ":\n\n"], ids=repr)
def test_deepseek_keeps_a_connection_alive_and_says_nothing_by_it(comment: str) -> None:
    alive = comment.encode()

    assert whole("deepseek", alive, A, alive, alive, B, STOP, alive, DONE).texts == ["a", "b"]


def test_deepseek_counts_what_it_had_cached_on_its_last_chunk() -> None:
    usage = USAGE | {"prompt_cache_hit_tokens": 4, "prompt_cache_miss_tokens": 1}

    answer = whole("deepseek", A, said({"content": ""}, "stop", usage=usage), DONE)

    counted = answer.response.usage
    assert counted is not None
    assert counted.prompt_tokens_details is not None
    assert (counted.prompt_tokens, counted.prompt_tokens_details.cached_tokens) == (5, 4)
    assert counted["prompt_cache_miss_tokens"] == 1


def test_deepseek_may_run_out_of_machines_and_that_is_an_error() -> None:
    answer = told("deepseek", A, said({"content": "b"}, "insufficient_system_resource"), DONE)

    assert answer.texts == ["a", "b"]
    assert type(answer.error) is InternalServerError
    assert answer.response.choices[0].finish_reason is None


def test_what_deepseek_thought_can_be_sent_back_with_its_calls() -> None:
    fragment = {"index": 0, "id": "a", "type": "function"}
    call = {"function": {"name": "f", "arguments": "{}"}} | fragment
    first = whole(
        "deepseek",
        said({"role": "assistant", "reasoning_content": "hm"}),
        said({"tool_calls": [call]}),
        said(finish="tool_calls"),
        DONE,
    )
    message = first.response.choices[0].message.model_dump(exclude_none=True)
    result = {"role": "tool", "tool_call_id": "a", "content": "1"}

    second = whole("deepseek", A, STOP, DONE, messages=[*ASKED, message, result])

    _, back, last = second.sent["messages"]
    assert (back["role"], back["reasoning_content"]) == ("assistant", "hm")
    assert [it["id"] for it in back["tool_calls"]] == ["a"]
    assert last == result


def test_deepseek_is_told_to_think_as_it_wants_to_be_told() -> None:
    thinking = {"type": "enabled"}

    assert whole("deepseek", A, STOP, DONE, thinking=thinking).sent["thinking"] == thinking


# vLLM, SGLang, llama.cpp, LM Studio


@pytest.mark.parametrize("provider", LOCAL)
def test_a_local_servers_own_words_are_kept_where_it_says_them(provider: str) -> None:
    answer = whole(
        provider,
        said({"role": "assistant", "content": ""}, prompt_token_ids=[1, 2]),
        said({"content": "a"}, choice={"stop_reason": None, "token_ids": [5]}),
        said({"content": "b"}, choice={"stop_reason": None, "token_ids": [6, 7]}),
        said({}, "stop", choice={"stop_reason": "END", "token_ids": [8], "matched_stop": 8}),
        DONE,
    )

    choices = [chunk.choices[0] for chunk in answer.chunks]
    assert [it.get("token_ids") for it in choices] == [None, [5], [6, 7], [8]]
    assert (choices[-1]["stop_reason"], choices[-1]["matched_stop"]) == ("END", 8)
    assert answer.chunks[0]["prompt_token_ids"] == [1, 2]
    assert answer.response["prompt_token_ids"] == [1, 2]
    assert answer.response.choices[0]["token_ids"] == [5, 6, 7, 8]
    assert answer.response.choices[0]["stop_reason"] == "END"


@pytest.mark.parametrize("provider", [*LOCAL, *OTHERS, "groq", "openrouter"])
@pytest.mark.parametrize("name", ["reasoning", "reasoning_content"])
def test_reasoning_is_one_thing_under_either_name(provider: str, name: str) -> None:
    answer = whole(provider, said({"role": "assistant", name: "h"}), said({name: "m"}), A, STOP)

    assert answer.response.choices[0].message.reasoning_content == "hm"
    assert answer.texts == ["a"]


CONTINUOUS = [
    said({"role": "assistant", "content": ""}, usage=USAGE | {"completion_tokens": 0}),
    said({"content": "a"}, usage=USAGE | {"completion_tokens": 1, "total_tokens": 6}),
    said({"content": "b"}, "stop", usage=USAGE),
]


@pytest.mark.parametrize("provider", ["hosted_vllm", "xai", "perplexity"])
@pytest.mark.parametrize("last", [[], [beside(usage=USAGE)]], ids=["on each", "and alone"])
@pytest.mark.parametrize("include_usage", [False, True], ids=["unasked", "asked"])
def test_usage_on_every_chunk_is_told_once_and_as_the_last_has_it(
    provider: str, last: list[bytes], include_usage: bool
) -> None:
    answer = whole(provider, *CONTINUOUS, *last, DONE, include_usage=include_usage)

    counted = [chunk.usage for chunk in answer.chunks if chunk.usage is not None]
    assert [it.completion_tokens for it in counted] == [2] * include_usage
    assert answer.chunks[-1].is_usage_only is include_usage
    assert answer.response.usage is not None
    assert answer.response.usage.total_tokens == 7
    assert answer.texts == ["a", "b"]


@pytest.mark.parametrize("provider", LOCAL)
def test_a_request_that_a_server_aborted_is_an_error(provider: str) -> None:
    error = failed(provider, A, said(finish="abort"), DONE)

    assert type(error) is InternalServerError
    assert (error.generated_content, error.mid_stream) == ("a", True)


FRAMES = {
    "error, code 400": ({"error": {"message": "no", "code": 400}}, BadRequestError),
    "error, code 429": ({"error": {"message": "no", "code": 429}}, RateLimitError),
    "error, code 500": (
        {"error": {"message": "no", "type": "InternalServerError", "param": None, "code": 500}},
        InternalServerError,
    ),
    "object, code 400": (
        {"object": "error", "message": "no", "type": "BadRequestError", "code": 400},
        BadRequestError,
    ),
    "object, code 502": ({"object": "error", "message": "no", "code": 502}, BadGatewayError),
}


@pytest.mark.parametrize("provider", LOCAL)
@pytest.mark.parametrize(("frame", "kind"), FRAMES.values(), ids=FRAMES)
def test_either_shape_of_an_error_event_is_the_exception_of_its_code(
    provider: str, frame: Any, kind: type[APIError]
) -> None:
    error = failed(provider, A, event(frame), DONE)

    assert type(error) is kind
    assert (error.message, error.code) == ("no", frame.get("error", frame)["code"])
    assert (error.llm_provider, error.generated_content) == (provider, "a")


def test_llama_cpp_counts_and_times_on_its_finish_chunk() -> None:
    timings = {"prompt_ms": 1.5, "predicted_n": 2}

    answer = whole("llama_cpp", A, said({}, "stop", usage=USAGE, timings=timings), DONE)

    assert answer.chunks[-1].choices[0].finish_reason == "stop"
    assert answer.chunks[-1]["timings"] == answer.response["timings"] == timings
    assert answer.response.usage is not None
    assert answer.response.usage.total_tokens == 7


# Perplexity and the others


def test_perplexity_says_all_that_it_said_beside_what_it_says() -> None:
    def both(delta: str, so_far: str, finish: str | None = None, **more: Any) -> bytes:
        message = {"role": "assistant", "content": so_far}
        return said(
            {"role": "assistant", "content": delta}, finish, choice={"message": message}, **more
        )

    found = {"search_results": [{"url": "u"}], "images": [{"image_url": "i"}]}
    answer = whole(
        "perplexity",
        both("a", "a", citations=["u"], **found),
        both("b", "ab", citations=["u", "v"], **found),
        both("", "ab", "stop", citations=["u", "v"], usage=USAGE, **found),
    )

    assert answer.texts == ["a", "b"]
    assert [chunk.citations for chunk in answer.chunks] == [["u"], ["u", "v"], ["u", "v"]]
    assert all(chunk[name] == it for chunk in answer.chunks for name, it in found.items())
    assert answer.response.choices[0].message.content == "ab"
    assert answer.response.citations == ["u", "v"]
    assert {name: answer.response[name] for name in found} == found


@pytest.mark.parametrize(
    "provider", [*OTHERS, *LOCAL, "deepseek", "groq", "mistral", "openai", "perplexity"]
)
def test_a_usage_chunk_that_nobody_asked_for_is_no_chunk_but_is_counted(provider: str) -> None:
    answer = whole(provider, A, STOP, beside(usage=USAGE), DONE)

    assert not any(chunk.is_usage_only for chunk in answer.chunks)
    assert answer.response.usage is not None
    assert answer.response.usage.total_tokens == 7


@pytest.mark.parametrize("asked", [False, True], ids=["unasked", "asked"])
def test_what_comes_beside_the_usage_is_not_lost_with_it(asked: bool) -> None:
    last = beside(usage=USAGE, citations=["u"], timings={"n": 1})

    answer = whole("xai", A, STOP, last, DONE, include_usage=asked)

    beside_it = {"citations": ["u"], "timings": {"n": 1}}
    assert answer.response.provider_specific_fields == beside_it
    assert [chunk.provider_specific_fields for chunk in answer.chunks[2:]] == [beside_it] * asked


@pytest.mark.parametrize("provider", UNASKED)
def test_who_refuses_to_be_asked_for_the_usage_is_not_asked(provider: str) -> None:
    answer = whole(provider, A, said({}, "stop", usage=USAGE), DONE, include_usage=True)

    assert "stream_options" not in answer.sent
    assert answer.chunks[-1].usage.total_tokens == 7


FINISHES = {
    "together_ai": [("eos", "stop"), ("eos_token", "stop")],
    "huggingface": [("eos", "stop"), ("eos_token", "stop"), ("stop_sequence", "stop")],
    "mistral": [("model_length", "length")],
    "zai": [("sensitive", "content_filter")],
    "azure": [("content_filter", "content_filter")],
    "xai": [("end_turn", "stop")],
    "fireworks_ai": [("max_tokens", "length")],
}


@pytest.mark.parametrize(
    ("provider", "raw", "normal"),
    [(provider, *words) for provider, rows in FINISHES.items() for words in rows],
)
def test_a_providers_word_for_the_end_is_kept_beside_the_normal_one(
    provider: str, raw: str, normal: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AZURE_API_VERSION", "2024-10-21")

    assert whole(provider, A, said(finish=raw), DONE).finish == (normal, raw)


def test_zhipus_network_may_fail_and_that_is_an_error() -> None:
    assert type(failed("zai", A, said(finish="network_error"), DONE)) is InternalServerError


def test_together_says_its_text_twice_and_it_is_read_once() -> None:
    answer = whole(
        "together_ai",
        said({"role": "assistant", "content": "a", "token_id": 5}, choice={"text": "a", "seed": 7}),
        said({"content": "b", "token_id": 6}, choice={"text": "b", "seed": 7}),
        said({"content": "", "token_id": 2}, "eos", choice={"text": "", "seed": 7}, usage=USAGE),
        DONE,
    )

    assert answer.response.choices[0].message.content == "ab"
    assert answer.response.choices[0]["seed"] == 7
    assert [chunk.choices[0].delta["token_id"] for chunk in answer.chunks[:3]] == [5, 6, 2]


# Azure and OpenRouter


def test_azures_filters_speak_beside_the_answer_and_are_no_chunks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AZURE_API_VERSION", "2024-10-21")
    clean = {"hate": {"filtered": False}}
    late = {"hate": {"filtered": False, "severity": "safe"}}
    asynchronous = {"index": 0, "finish_reason": None, "content_filter_offsets": {"end": 2}}

    answer = whole(
        "azure",
        beside(id="", model="", object="", created=0, prompt_filter_results=[{"p": clean}]),
        ROLE,
        said({"content": "a"}, choice={"content_filter_results": clean}),
        STOP,
        beside(choices=[asynchronous | {"content_filter_results": late}]),
        DONE,
    )

    assert answer.texts == ["a"]
    assert [chunk.choices[0].finish_reason for chunk in answer.chunks] == [None, None, "stop"]
    assert answer.chunks[0].provider_specific_fields == {"prompt_filter_results": [{"p": clean}]}
    assert answer.chunks[1].choices[0]["content_filter_results"] == clean
    assert {chunk.id for chunk in answer.chunks} == {"c1"}
    # What the filter says behind the finish no chunk takes along; the answer has it.
    assert answer.response.choices[0]["content_filter_results"] == late
    assert answer.response.choices[0]["content_filter_offsets"] == {"end": 2}


def test_a_prompt_that_azure_blocks_is_a_matter_of_its_policy() -> None:
    inner = {"code": "ResponsibleAIPolicyViolation", "content_filter_result": {}}
    error = {"message": "no", "code": "content_filter", "status": 400, "innererror": inner}
    refusal = httpx.Response(400, json={"error": error})
    with httpx.Client(transport=httpx.MockTransport(lambda _: refusal)) as client:
        options: dict[str, Any] = {"api_key": "k", "http_client": client, "stream": True}
        options["api_base"] = "http://server?api-version=2024-10-21"
        with pytest.raises(ContentPolicyViolationError, match="no") as raised:
            completion("azure/m", ASKED, **options)

    assert raised.value.code == "content_filter"


def test_openrouter_says_who_answers_and_in_whose_words() -> None:
    detail = {"type": "reasoning.text", "text": "hm", "format": "f", "index": 0}
    answer = whole(
        "openrouter",
        b": OPENROUTER PROCESSING\n\n",
        said(
            {"role": "assistant", "content": "", "reasoning": "hm", "reasoning_details": [detail]}
        ),
        b": OPENROUTER PROCESSING\n\n",
        said({"content": "a", "images": [{"image_url": {"url": "i"}}]}, provider="P"),
        said({"content": ""}, "stop", choice={"native_finish_reason": "STOP"}, provider="P"),
        beside(provider="P", usage=USAGE | {"cost": 0.5}),
        DONE,
    )

    message = answer.response.choices[0].message
    assert (message.content, message.reasoning_content) == ("a", "hm")
    assert message["reasoning_details"] == [detail]
    assert message.images == [{"image_url": {"url": "i"}}]
    assert answer.response["provider"] == "P"
    assert answer.chunks[-1].choices[0]["native_finish_reason"] == "STOP"
    assert answer.response.usage is not None
    assert answer.response.usage.cost == 0.5
    assert answer.sent["usage"] == {"include": True}


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (502, BadGatewayError),
        ("502", BadGatewayError),
        ("server_error", InternalServerError),
        ("odd", APIError),
    ],
    ids=repr,
)
def test_an_error_of_openrouter_is_raised_whatever_its_code(
    code: int | str, kind: type[APIError]
) -> None:
    error = {"code": code, "message": "no", "metadata": {"provider_name": "P"}}

    raised = failed("openrouter", A, said({"content": ""}, "error", error=error), DONE)

    assert type(raised) is kind
    assert (raised.message, raised.code) == ("no", code)
    assert (raised.response_headers or {})["x-generation-id"] == "gen-1"


# The corpus

SHOWN: dict[str, tuple[str, frozenset[str]]] = {
    "deepseek": (
        "deepseek",
        frozenset({"reasoning_content", "cached_tokens", "prompt_cache_miss_tokens"}),
    ),
    "huggingface": ("huggingface", frozenset({"time_info", "sla_metrics", "x_groq"})),
    "llamacpp": ("llama_cpp", frozenset({"timings", "reasoning_content"})),
    "perplexity": ("perplexity", frozenset({"citations", "search_results"})),
    "xai": ("xai", frozenset({"reasoning_content", "cached_tokens", "num_sources_used"})),
    "zai": ("zai", frozenset({"reasoning_content"})),
}


def recorded(corpus: Path, maker: str) -> Iterator[bytes]:
    lines = (corpus / "corpus" / "public_index.jsonl").read_text("utf-8").splitlines()
    for row in map(json.loads, lines):
        if (row["provider"], row["format"]) == (maker, "openai-chat"):
            yield (corpus / "corpus" / row["file"]).read_bytes()


def names_in(value: Any) -> Iterator[str]:
    """The keys in *value* that have a value."""
    if isinstance(value, dict):
        for name, item in value.items():
            if item is not None:
                yield name
            yield from names_in(item)
    elif isinstance(value, list):
        for item in value:
            yield from names_in(item)


def spoken(body: bytes) -> str:
    """The text of the first choice in *body*, line by line."""
    texts = []
    for line in body.decode().splitlines():
        if line.startswith("data:") and line[5:].strip() != "[DONE]":
            for choice in json.loads(line[5:]).get("choices") or ():
                if choice.get("index"):
                    continue
                texts.append((choice.get("delta") or {}).get("content") or "")
    return "".join(texts)


@pytest.mark.parametrize(("maker", "row"), SHOWN.items(), ids=SHOWN)
def test_what_a_provider_was_recorded_to_say_is_in_the_answer(
    corpus: Path, maker: str, row: tuple[str, frozenset[str]]
) -> None:
    provider, expected = row
    names: set[str] = set()
    for body in recorded(corpus, maker):
        answer = told(provider, body)

        assert answer.error is None
        assert (answer.response.choices[0].message.content or "") == spoken(body)
        names.update(names_in(answer.response.model_dump()))

    assert expected <= names


# A walk


def test_a_compatible_server_is_spoken_to_over_a_socket() -> None:
    head = Head(200, (("content-type", "text/event-stream"),))
    events = [b": keep-alive\n\n", *CONTINUOUS, DONE]
    with LoopbackServer() as server:
        server.respond([head, *map(Emit, events)])
        stream: Any = completion(
            "hosted_vllm/m", ASKED, stream=True, api_base=f"{server.url}/v1", max_retries=0
        )
        texts = [chunk.choices[0].delta.content or "" for chunk in stream]

        assert "".join(texts) == "ab"
        assert stream.response.usage.completion_tokens == 2
        assert [request.url for request in server.requests] == [f"{server.url}/v1/chat/completions"]
