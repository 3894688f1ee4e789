"""What providers say when they refuse: always an exception of ours, of the class they mean."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cassette_stream import exceptions
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
from cassette_stream.dialects.call import Call, accepted_params, post
from cassette_stream.dialects.errors import _WORDS, finish_error, status_error, stream_error
from cassette_stream.dialects.retry_after import LONGEST_RETRY_AFTER, retry_after
from cassette_stream.exceptions import (
    APIError,
    APIStatusError,
    AuthenticationError,
    BadGatewayError,
    BadRequestError,
    ConflictError,
    ContentPolicyViolationError,
    ContextWindowExceededError,
    InternalServerError,
    NotFoundError,
    OverloadedError,
    PaymentRequiredError,
    PermissionDeniedError,
    RateLimitError,
    RequestTooLargeError,
    ServiceUnavailableError,
    Timeout,
    UnprocessableEntityError,
    UnsupportedParamsError,
)

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just("\ud83d"),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["error", "message", "code", "type", "status", "details", "detail"])
            | st.text(max_size=3),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)


@given(st.integers(300, 599), json_values)
def test_whatever_a_provider_says_is_an_error_of_ours_with_its_status(
    status: int, value: Any
) -> None:
    error = status_error(status, body=json.dumps(value).encode())

    assert isinstance(error, APIStatusError | Timeout)
    assert error.status_code == status
    assert error.message
    assert str(error).encode()


@given(st.integers(300, 599), st.binary(max_size=80))
def test_a_body_that_is_no_json_is_an_error_of_ours_too(status: int, body: bytes) -> None:
    error = status_error(status, body=body)

    assert error.status_code == status
    assert str(error).encode()


@given(json_values)
def test_whatever_an_event_says_is_an_error_of_ours(value: Any) -> None:
    event = {"error": value}

    error = stream_error(event)

    assert isinstance(error, APIError)
    assert str(error).encode()
    assert error.body is event


@given(st.text() | st.floats().map(str) | st.integers().map(str))
def test_any_retry_after_is_a_time_that_can_be_slept_or_none(value: str) -> None:
    for name in ("retry-after", "Retry-After-Ms"):
        wait = retry_after({name: value})

        assert wait is None or 0 <= wait <= LONGEST_RETRY_AFTER


def test_no_word_is_the_beginning_of_another() -> None:
    clashes = [(a, b) for a in _WORDS for b in _WORDS if a != b and b.startswith(a)]

    assert clashes == []


STATUSES = {
    400: BadRequestError,
    401: AuthenticationError,
    402: PaymentRequiredError,
    403: PermissionDeniedError,
    404: NotFoundError,
    408: Timeout,
    409: ConflictError,
    413: RequestTooLargeError,
    418: APIStatusError,
    422: UnprocessableEntityError,
    429: RateLimitError,
    500: InternalServerError,
    502: BadGatewayError,
    503: ServiceUnavailableError,
    504: Timeout,
    524: InternalServerError,
    529: OverloadedError,
    302: APIStatusError,
}


@pytest.mark.parametrize(("status", "kind"), STATUSES.items(), ids=str)
def test_a_status_alone_tells_the_class(status: int, kind: type[APIError]) -> None:
    error = status_error(status, body=b"")

    assert type(error) is kind
    assert str(error) == f"the provider sent the status {status}, and no word with it"


@pytest.mark.parametrize(
    "dialect",
    [
        openai_chat,
        openai_responses,
        anthropic,
        gemini,
        cohere,
        ollama,
        bedrock_converse,
        bedrock_invoke,
    ],
    ids=lambda it: it.__name__.rpartition(".")[2],
)
@pytest.mark.parametrize("status", [status for status in STATUSES if status >= 400])
def test_the_error_that_a_dialect_sends_is_read_as_what_its_status_means(
    dialect: ModuleType, status: int
) -> None:
    error = status_error(status, body=dialect.encode_error_body(status, "n\u00f6"))

    assert type(error) is STATUSES[status]
    assert (error.status_code, error.message) == (status, "n\u00f6")


# The statuses that Bedrock's exceptions stand for; the others are those of 400 and 500.
IN_FRAMES = {
    400: BadRequestError,
    403: PermissionDeniedError,
    404: NotFoundError,
    408: Timeout,
    424: InternalServerError,
    429: RateLimitError,
    500: InternalServerError,
    503: ServiceUnavailableError,
    418: BadRequestError,
    599: InternalServerError,
}
# Cohere and Ollama have no place for a status in a stream.
STREAMED = {
    **{
        ("converse", status): (bedrock_converse, status, kind) for status, kind in IN_FRAMES.items()
    },
    **{("invoke", status): (bedrock_invoke, status, kind) for status, kind in IN_FRAMES.items()},
    ("cohere", 500): (cohere, 500, InternalServerError),
    ("cohere", 504): (cohere, 504, Timeout),
    ("cohere", 429): (cohere, 429, InternalServerError),
    ("ollama", 500): (ollama, 500, APIError),
    ("ollama", 429): (ollama, 429, APIError),
}


@pytest.mark.parametrize(("dialect", "status", "kind"), STREAMED.values(), ids=map(str, STREAMED))
def test_an_error_in_the_middle_of_a_stream_is_what_the_dialect_can_say_of_it(
    dialect: ModuleType, status: int, kind: type[APIError]
) -> None:
    decoder = dialect.Decoder()
    with pytest.raises(APIError) as raised:
        list(decoder.feed(dialect.encode_error(status, "n\u00f6")))

    assert type(raised.value) is kind
    assert "n\u00f6" in str(raised.value)
    assert not decoder.complete


def said(message: str = "no", **fields: Any) -> dict[str, Any]:
    return {"error": {"message": message, **fields}}


REFINED = {
    "openai: context by code": (
        400,
        said(type="invalid_request_error", code="context_length_exceeded"),
        ContextWindowExceededError,
    ),
    "openai: context by text": (
        400,
        said("This model's maximum context length is 8192 tokens.", type="invalid_request_error"),
        ContextWindowExceededError,
    ),
    "anthropic: context by text": (
        400,
        {"type": "error"} | said("prompt is too long: 213462 tokens", type="invalid_request_error"),
        ContextWindowExceededError,
    ),
    "gemini: context by text": (
        400,
        said(
            "The input token count (1200001) exceeds the maximum number of tokens allowed.",
            code=400,
            status="INVALID_ARGUMENT",
        ),
        ContextWindowExceededError,
    ),
    "bedrock: context by text": (
        400,
        {"message": "Input is too long for requested model."},
        ContextWindowExceededError,
    ),
    "cohere: context by text": (
        400,
        {"message": "too many tokens: total number of tokens in the prompt cannot exceed 4081"},
        ContextWindowExceededError,
    ),
    "ollama: context by text": (
        400,
        {"error": "the input length exceeds the context length"},
        ContextWindowExceededError,
    ),
    "bedrock: a model that failed": (
        424,
        {"message": "The model failed", "originalStatusCode": 500},
        InternalServerError,
    ),
    "llama.cpp: context by type": (
        400,
        said("request (2009 tokens)", code=400, type="exceed_context_size_error"),
        ContextWindowExceededError,
    ),
    "openai: policy": (400, said(code="content_policy_violation"), ContentPolicyViolationError),
    "azure: policy": (
        400,
        said(code="content_filter", innererror={"code": "ResponsibleAIPolicyViolation"}),
        ContentPolicyViolationError,
    ),
    "azure: policy in the inner error alone": (
        400,
        said(code=None, innererror={"code": "ResponsibleAIPolicyViolation"}),
        ContentPolicyViolationError,
    ),
    "gemini: key": (
        400,
        said(
            "API key not valid. Please pass a valid API key.",
            code=400,
            status="INVALID_ARGUMENT",
            details=[{"reason": "API_KEY_INVALID"}],
        ),
        AuthenticationError,
    ),
    "a text about contexts is no error of contexts": (
        400,
        said("context window must be a number"),
        BadRequestError,
    ),
    "the status wins over a vaguer word": (429, said(code="insufficient_quota"), RateLimitError),
    "the status wins over another word": (404, said(type="rate_limit_error"), NotFoundError),
    "overloaded with 503": (503, said(type="overloaded_error"), OverloadedError),
    "overloaded with 500": (500, said(type="overloaded_error"), OverloadedError),
    "overloaded with 429": (429, said(type="overloaded_error"), RateLimitError),
}


@pytest.mark.parametrize(("status", "body", "kind"), REFINED.values(), ids=REFINED)
def test_within_a_vague_status_the_words_tell_the_class(
    status: int, body: Any, kind: type[APIError]
) -> None:
    error = status_error(status, body=json.dumps(body).encode())

    assert type(error) is kind
    assert error.status_code == status
    assert error.body == body


IN_BAND = {
    "openai server error": (said(type="server_error", code=None), InternalServerError, 500),
    "openai rate limit": (said(type="requests", code="rate_limit_exceeded"), RateLimitError, 429),
    "quota": (said(type="insufficient_quota", code="insufficient_quota"), RateLimitError, 429),
    "code before type": (
        said(type="invalid_request_error", code="invalid_api_key"),
        AuthenticationError,
        401,
    ),
    "type where the code says nothing": (
        said(type="invalid_request_error", code="tool_use_failed"),
        BadRequestError,
        400,
    ),
    "groq with a status": (
        said(type="invalid_request_error", code="tool_use_failed", status_code=422),
        UnprocessableEntityError,
        422,
    ),
    "openrouter int code": (said(code=502, metadata={"raw": "x"}), BadGatewayError, 502),
    "openrouter string code": (said(code="server_error"), InternalServerError, 500),
    "digits as code": (said(code="429"), RateLimitError, 429),
    "a code that is no status": (said(code=1302), APIError, None),
    "anthropic overloaded": (
        {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}},
        OverloadedError,
        529,
    ),
    "anthropic rate limit": (
        {"type": "error", "error": {"type": "rate_limit_error", "message": "slow"}},
        RateLimitError,
        429,
    ),
    "anthropic api error": ({"type": "api_error", "message": "x"}, InternalServerError, 500),
    "anthropic timeout": ({"type": "timeout_error", "message": "x"}, Timeout, 504),
    "gemini": (said(code=503, status="UNAVAILABLE"), ServiceUnavailableError, 503),
    "gemini in an array": ([said(code=429, status="RESOURCE_EXHAUSTED")], RateLimitError, 429),
    "vllm": (
        {"object": "error", "message": "bad", "type": "BadRequestError", "code": 400},
        BadRequestError,
        400,
    ),
    "mistral": (
        {"object": "error", "message": "no model", "type": "invalid_model", "code": "1500"},
        APIError,
        None,
    ),
    "a bare text": ({"error": "the model crashed"}, APIError, None),
    "a bare text about the context": (
        "This model's maximum context length is 4096 tokens",
        ContextWindowExceededError,
        400,
    ),
    "context by code": (
        said(code="context_length_exceeded"),
        ContextWindowExceededError,
        400,
    ),
    "a detail of FastAPI": ({"detail": [{"msg": "field required"}]}, APIError, None),
    "a proxy around a provider": ({"error": said(type="server_error")}, InternalServerError, 500),
    "nothing": ({}, APIError, None),
}


@pytest.mark.parametrize(("event", "kind", "status"), IN_BAND.values(), ids=IN_BAND)
def test_an_error_within_a_stream_is_told_by_status_code_and_type(
    event: Any, kind: type[APIError], status: int | None
) -> None:
    error = stream_error(event)

    assert type(error) is kind
    assert error.status_code == status
    assert error.body == event


def test_everything_that_was_said_is_on_the_exception() -> None:
    body = said("Slow down", type="requests", code="rate_limit_exceeded", param="model")
    body["request_id"] = "req_1"

    error = status_error(429, body=json.dumps(body).encode(), headers={"Retry-After": "20"})

    assert (str(error), error.message) == ("Slow down", "Slow down")
    assert (error.type, error.code, error.param) == ("requests", "rate_limit_exceeded", "model")
    assert (error.request_id, error.retry_after) == ("req_1", 20.0)


def test_a_page_of_a_proxy_is_quoted_but_is_no_message() -> None:
    page = "<html><head><title>502 Bad Gateway</title>" + "x" * 5_000

    error = status_error(502, body=page.encode())

    assert "502 Bad Gateway" in error.message
    assert len(error.message) < 400
    assert error.body == page


@pytest.mark.parametrize(
    ("made", "phase"),
    [(status_error(504, body=b""), "headers"), (stream_error(said(type="timeout")), "idle")],
    ids=["status", "event"],
)
def test_a_timeout_of_the_provider_says_in_which_phase(made: APIError, phase: str) -> None:
    assert isinstance(made, Timeout)
    assert made.phase == phase


@pytest.mark.parametrize(
    ("reason", "kind"),
    {
        "error": InternalServerError,
        "ERROR": InternalServerError,
        "abort": InternalServerError,
        "network_error": InternalServerError,
        "insufficient_system_resource": InternalServerError,
        "TIMEOUT": Timeout,
        "stop": None,
        "MALFORMED_FUNCTION_CALL": None,
        "": None,
    }.items(),
)
def test_a_finish_reason_that_reports_a_failure_is_an_exception(reason: str, kind: Any) -> None:
    error = finish_error(reason)

    assert error is None if kind is None else type(error) is kind


NOW = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)
WAITS: dict[str, tuple[dict[str, str], float | None]] = {
    "seconds": ({"retry-after": "20"}, 20.0),
    "parts of a second": ({"Retry-After": " 0.5 "}, 0.5),
    "milliseconds": ({"retry-after-ms": "1500"}, 1.5),
    "milliseconds before seconds": ({"retry-after": "20", "retry-after-ms": "1500"}, 1.5),
    "milliseconds that are none": ({"retry-after": "20", "retry-after-ms": "soon"}, 20.0),
    "a date, by the clock of the server": (
        {"retry-after": "Mon, 23 Nov 2026 10:00:30 GMT", "date": "Mon, 23 Nov 2026 10:00:00 GMT"},
        30.0,
    ),
    "a date, by ours": ({"retry-after": "Mon, 23 Nov 2026 12:01:00 GMT"}, 60.0),
    "a date without a zone": ({"retry-after": "Mon, 23 Nov 2026 12:01:00 -0000"}, 60.0),
    "a date that is past": ({"retry-after": "Mon, 23 Nov 2026 11:59:00 GMT"}, 0.0),
    "less than nothing": ({"retry-after": "-5"}, 0.0),
    "infinite": ({"retry-after": "inf"}, LONGEST_RETRY_AFTER),
    "huge": ({"retry-after": "9" * 400}, LONGEST_RETRY_AFTER),
    "no number": ({"retry-after": "nan"}, None),
    "no date": ({"retry-after": "later"}, None),
    "empty": ({"retry-after": ""}, None),
    "absent": ({}, None),
}


@pytest.mark.parametrize(("headers", "wait"), WAITS.values(), ids=WAITS)
def test_retry_after_is_read_in_all_its_forms(headers: dict[str, str], wait: float | None) -> None:
    assert retry_after(headers, now=NOW) == wait


def test_a_date_without_any_clock_says_nothing() -> None:
    assert retry_after({"retry-after": "Mon, 23 Nov 2026 12:01:00 GMT"}) is None


def call(**fields: Any) -> Call:
    return Call(**{"model": "m", "messages": [{"role": "user", "content": "hi"}], **fields})


def test_a_parameter_that_a_dialect_has_not_is_an_error_that_names_the_others() -> None:
    asked = call(params={"seed": 1, "top_p": 0.5})

    with pytest.raises(UnsupportedParamsError) as raised:
        accepted_params(asked, ("top_p", "stop"), dialect="anthropic")

    assert str(raised.value).startswith("anthropic has no seed; it takes stop, top_p;")
    assert (raised.value.status_code, raised.value.param) == (400, "seed")


def test_a_parameter_that_a_dialect_has_not_can_be_dropped() -> None:
    asked = call(params={"seed": 1, "top_p": 0.5}, drop_params=True)

    assert accepted_params(asked, ("top_p",), dialect="anthropic") == {"top_p": 0.5}


def test_a_request_is_json_and_what_is_extra_goes_over_it() -> None:
    request = post("/x", {"a": 1, "b": "é"}, call(stream=True, extra_body={"a": 2}))

    assert request.body == '{"a":2,"b":"é"}'.encode()
    assert request.headers == {"accept": "text/event-stream", "content-type": "application/json"}
    assert post("/x", {}, call()).headers["accept"] == "application/json"


@pytest.mark.parametrize(
    ("value", "kind"),
    [(float("nan"), ValueError), ("a\ud83d", ValueError), (b"x", TypeError), ({1}, TypeError)],
    ids=["nan", "half a surrogate pair", "bytes", "a set"],
)
def test_what_no_json_can_say_is_refused_before_anything_is_sent(value: Any, kind: Any) -> None:
    with pytest.raises(kind) as raised:
        post("/x", {"a": value}, call())

    assert type(raised.value) is kind


def test_every_error_response_of_the_corpus_is_of_the_class_of_its_status(corpus: Path) -> None:
    lines = (corpus / "corpus" / "public_index.jsonl").read_text("utf-8").splitlines()
    rows = [row for row in map(json.loads, lines) if row["format"] == "http-error"]
    kinds: Counter[str] = Counter()
    for row in rows:
        body = (corpus / "corpus" / row["file"]).read_bytes()
        error = status_error(row["status"], body=body)
        kinds[type(error).__name__] += 1

        assert isinstance(error, STATUSES[row["status"]]) or (
            row["provider"] == "google-gemini" and isinstance(error, AuthenticationError)
        )
        assert error.message in body.decode().replace('\\"', '"')
    print(f"\n{len(rows)} error responses: {dict(kinds)}")


def test_every_class_of_the_tree_for_statuses_can_come_out() -> None:
    made = {type(status_error(status, body=b"")) for status in STATUSES}
    made |= {type(status_error(status, body=body)) for status, body, _ in REFINED.values()}
    tree = {
        kind
        for kind in vars(exceptions).values()
        if isinstance(kind, type) and issubclass(kind, APIStatusError)
    }

    assert tree - made == {UnsupportedParamsError}
