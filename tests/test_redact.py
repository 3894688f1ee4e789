"""No secret survives, nothing else is touched, and streams stay what they were."""

from __future__ import annotations

import base64
import dataclasses
import json
import random
import re
from array import array
from binascii import crc32
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import SOAK

from cassette_stream.cassette.model import Ending, How, Interaction, Request, Response
from cassette_stream.cassette.redact import Redactor
from cassette_stream.cassette.secrets import is_placeholder, placeholder, scan
from cassette_stream.script import FailureKind

pytestmark = pytest.mark.matrix(3)

CHANCE = random.Random(20261123)
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
WORD = LETTERS + "0123456789"
HEX = "0123456789abcdef"
CAPITALS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
URL = "https://api.test/v1/chat/completions"


def some(alphabet: str, size: int) -> str:
    return "a7B" + "".join(CHANCE.choices(alphabet, k=size - 3)) if size > 3 else "a7B"


def some_hex(size: int) -> str:
    return "".join(CHANCE.choices(HEX, k=size))


def capitals(size: int) -> str:
    return "".join(CHANCE.choices(CAPITALS, k=size))


def token() -> str:
    parts = ({"alg": "RS256", "typ": "JWT"}, {"sub": "me", "aud": "https://x.test"})
    encoded = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode() for part in parts]
    return ".".join([*(part.rstrip("=") for part in encoded), some(WORD + "-_", 86)])


def pem(line_end: str) -> str:
    lines = [some(WORD + "+/", 64) for _ in range(4)]
    begin, end = ("-----" + f"{word} RSA PRIVATE KEY-----" for word in ("BEGIN", "END"))
    return line_end.join([begin, *lines, some(WORD, 22) + "==", end])


# Put together here, so that nobody's scanner takes this file for a leak.
KINDS = {
    "openai": "sk-" + some(WORD, 48),
    "openai project": "sk-" + "proj-" + some(WORD + "-_", 120),
    "openai service account": "sk-" + "svcacct-" + some(WORD + "-_", 120),
    "openai admin": "sk-" + "admin-" + some(WORD + "-_", 120),
    "openai ephemeral": "ek_" + some_hex(48),
    "openai session": "sess-" + some(WORD, 40),
    "anthropic api": "sk-" + "ant-api03-" + some(WORD + "-_", 93) + "AA",
    "anthropic admin": "sk-" + "ant-admin01-" + some(WORD + "-_", 93),
    "anthropic oauth": "sk-" + "ant-oat01-" + some(WORD + "-_", 93),
    "google": "AIza" + some(WORD + "-_", 35),
    "google new": "AQ." + "Ab8" + some(WORD + "-_", 47),
    "google access": "ya29." + "a0" + some(WORD + "-_", 120),
    "google refresh": "1//0" + some(WORD + "-_", 60),
    "google client secret": "GOCSPX-" + some(WORD + "-_", 28),
    "openrouter": "sk-" + "or-v1-" + some_hex(64),
    "deepseek": "sk-" + "7" + some_hex(31),
    "litellm": "sk-" + some(WORD + "-_", 22),
    "langfuse": "sk-" + "lf-00000000-0000-4000-8000-000000000000",
    "helicone": "sk-" + "helicone-" + "-".join(some_hex(7) for _ in range(4)),
    "groq": "gsk_" + some(WORD, 52),
    "xai": "xai-" + some(WORD, 80),
    "perplexity": "pplx-" + some(WORD, 48),
    "hugging face": "hf_" + some(LETTERS, 34).replace("7", "q"),
    "replicate": "r8_" + some(WORD, 37),
    "fireworks": "fw_" + some(WORD, 24),
    "cerebras": "csk-" + some(WORD, 48),
    "nvidia": "nvapi-" + some(WORD + "-_", 64),
    "databricks": "dapi" + some_hex(32) + "-2",
    "together": "tgp_v1_" + some(WORD + "-_", 43),
    "vercel": "vck_" + some(WORD, 56),
    "tavily": "tvly-" + "dev-" + some(WORD, 32),
    "jina": "jina_" + some(WORD, 60),
    "pinecone": "pcsk_" + some(WORD + "_", 70),
    "langsmith": "lsv2_" + "pt_" + some_hex(32) + "_" + some_hex(10),
    "elevenlabs": "sk_" + some_hex(48),
    "aws access key": "AKIA" + capitals(16),
    "aws session key": "ASIA" + capitals(16),
    "aws bedrock": "ABSK" + some(WORD + "+/", 128) + "=",
    "aws bedrock short": "bedrock-api-key-" + some(WORD, 100),
    "github": "ghp_" + some(WORD, 36),
    "github fine-grained": "github_pat_" + some(WORD, 22) + "_" + some(WORD, 59),
    "gitlab": "glpat-" + some(WORD + "-_", 20),
    "slack bot": "xoxb-" + "123456789012-1234567890123-" + some(WORD, 24),
    "slack app": "xapp-" + "1-A0123456789-1234567890123-" + some_hex(64),
    "stripe": "sk_" + "live_" + some(WORD, 24),
    "webhook": "whsec_" + some(WORD + "+/", 32),
    "sendgrid": "SG." + some(WORD + "-_", 22) + "." + some(WORD + "-_", 43),
    "npm": "npm_" + some(WORD, 36),
    "pypi": "pypi-" + "AgEIcHlwaS5vcmc" + some(WORD + "-_", 120),
    "json web token": token(),
    "json web token, encrypted": token() + "." + some(WORD, 40) + "." + some(WORD, 22),
    "pem": pem("\\n"),
}
# These have no shape: only the place tells them.
NAMED = {
    "azure": some_hex(32),
    "azure long": some(WORD, 84),
    "aws secret": some(WORD + "+/", 40),
    "mistral": some(WORD, 32),
    "cohere": some(WORD, 40),
    "short": "pw",
    "words": "correct horse battery staple",
}


def headers_of(**values: str) -> dict[str, tuple[str, ...]]:
    return {name.replace("_", "-"): (value,) for name, value in values.items()}


def interaction(
    *,
    url: str = URL,
    headers: dict[str, tuple[str, ...]] | None = None,
    body: bytes = b"",
    answer: bytes = b"",
    answer_headers: dict[str, tuple[str, ...]] | None = None,
    sizes: tuple[int, ...] = (),
    message: str = "",
    reason: str | None = None,
    failure: str | None = None,
) -> Interaction:
    ending = Ending(how=How.FAILURE, failure=FailureKind.OTHER, message=message)
    response = Response(
        status=200,
        reason=reason,
        headers=answer_headers or {},
        body=answer,
        sizes=array("q", sizes or (len(answer),)),
        gaps_us=array("q", [0] * len(sizes or (0,))),
        ending=ending,
    )
    return Interaction(
        recorded_at=datetime(2026, 11, 23, tzinfo=UTC),
        request=Request(method="POST", url=url, headers=headers or {}, body=body),
        response=None if failure is not None else response,
        failure=None if failure is None else dataclasses.replace(ending, message=failure),
    )


def sse(*values: object) -> bytes:
    return b"".join(b"data: %s\n\n" % json.dumps(value).encode() for value in values)


STREAM = headers_of(content_type="text/event-stream")
JSON = headers_of(content_type="application/json")
FORM = headers_of(content_type="application/x-www-form-urlencoded")
# Places where only the shape tells a secret.
VALUE_PLACES: dict[str, Callable[[str], Interaction]] = {
    "url path": lambda secret: interaction(url=f"https://api.test/bot/{secret}/send"),
    "url query": lambda secret: interaction(url=f"{URL}?q={secret}&b=1"),
    "request header": lambda secret: interaction(headers=headers_of(x_note=f"use {secret}")),
    "request text": lambda secret: interaction(body=f"my key is {secret}, hide it".encode()),
    "request json": lambda secret: interaction(
        body=json.dumps({"messages": [{"content": f'key:\n{secret}\t"'}]}).encode()
    ),
    "request form": lambda secret: interaction(body=f"a=1&b={secret}&c=".encode(), headers=FORM),
    "request bytes": lambda secret: interaction(body=b"\xff\xfe\0" + secret.encode() + b"\0\xff"),
    "response header": lambda secret: interaction(answer_headers=headers_of(x_echo=secret)),
    "response reason": lambda secret: interaction(reason=f"Bad {secret}"),
    "response json": lambda secret: interaction(
        answer=json.dumps({"error": {"message": f"wrong key: {secret}"}}).encode(),
        answer_headers=JSON,
    ),
    "response html": lambda secret: interaction(answer=f"<p>{secret}</p>".encode()),
    "stream delta": lambda secret: interaction(
        answer=sse({"a": 1}, {"delta": f"it is\n{secret}."}, {"b": 2}), answer_headers=STREAM
    ),
    "stream tool call": lambda secret: interaction(
        answer=sse({"arguments": json.dumps({"q": f"a\n{secret}"})}), answer_headers=STREAM
    ),
    "failure after a head": lambda secret: interaction(message=f"boom with {secret!s}"),
    "failure": lambda secret: interaction(failure=f"Invalid header value b'{secret}'"),
}
# Places whose name tells.
NAMED_PLACES: dict[str, Callable[[str], Interaction]] = {
    "authorization": lambda secret: interaction(headers=headers_of(authorization=secret)),
    "bearer": lambda secret: interaction(headers=headers_of(authorization=f"Bearer {secret}")),
    "proxy": lambda secret: interaction(
        headers=headers_of(proxy_authorization=f"Basic {base64.b64encode(secret.encode()).decode()}")
    ),
    "sigv4": lambda secret: interaction(
        headers=headers_of(
            authorization=f"AWS4-HMAC-SHA256 Credential=A/B, SignedHeaders=host, Signature={secret}"
        )
    ),
    "x-api-key": lambda secret: interaction(headers=headers_of(x_api_key=secret)),
    "x-goog-api-key": lambda secret: interaction(headers=headers_of(x_goog_api_key=secret)),
    "cookie": lambda secret: interaction(headers=headers_of(cookie=f"a=b; __cf_bm={secret}; c=d")),
    "set-cookie": lambda secret: interaction(
        answer_headers={"set-cookie": (f"a={secret}; path=/; HttpOnly", f"__cf_bm={secret}")}
    ),
    "organization": lambda secret: interaction(answer_headers=headers_of(openai_organization=secret)),
    "key=": lambda secret: interaction(url=f"{URL}?alt=sse&key={quote(secret)}"),
    "X-Amz-Signature=": lambda secret: interaction(
        url=f"{URL}?X-Amz-Signature={quote(secret)}&X-Amz-Date=1"
    ),
    "user": lambda secret: interaction(url=f"https://me:{quote(secret, safe='')}@api.test/"),
    "location": lambda secret: interaction(
        answer_headers=headers_of(location=f"/cb?code={quote(secret)}#access_token={quote(secret)}")
    ),
    "request field": lambda secret: interaction(
        body=json.dumps({"mcp": {"apiKey": secret, "model": "m"}}).encode()
    ),
    "request field in arguments": lambda secret: interaction(
        body=json.dumps({"arguments": json.dumps({"password": secret, "a": "b"})}).encode()
    ),
    "response field": lambda secret: interaction(
        answer=json.dumps({"access_token": secret, "expires_in": 3600}, indent=1).encode(),
        answer_headers=JSON,
    ),
    "response that was cut": lambda secret: interaction(
        answer=b'{"refresh_token": ' + json.dumps(secret).encode()[:-1], answer_headers=JSON
    ),
    "form field": lambda secret: interaction(
        body=f"grant=x&client_secret={quote(secret)}".encode(), headers=FORM
    ),
    "multipart field": lambda secret: interaction(
        headers=headers_of(content_type="multipart/form-data; boundary=xx"),
        body=f'--xx\r\nContent-Disposition: form-data; name="api_key"\r\n\r\n{secret}\r\n--xx--'.encode(),
    ),
    "url in a failure": lambda secret: interaction(
        failure=f"Client error for url '{URL}?key={quote(secret)}'"
    ),
}  # fmt: skip


def forms(secret: str) -> list[bytes]:
    """How a secret may stand in a text."""
    return [
        form.encode()
        for form in {
            secret,
            json.dumps(secret)[1:-1],
            json.dumps(json.dumps(secret)[1:-1])[1:-1],
            quote(secret),
            quote(secret, safe=""),
            base64.b64encode(secret.encode()).decode(),
        }
    ]


def bytes_of(each: Interaction) -> bytes:
    """All that a cassette would hold of *each*."""
    body = each.response.body if each.response else b""
    told = "\n".join(_texts(dataclasses.asdict(each)))
    return told.encode("utf-8", "surrogatepass") + b"\n" + each.request.body + b"\n" + body


def _texts(value: object) -> list[str]:
    if isinstance(value, dict):
        return [text for each in value.values() for text in _texts(each)]
    if isinstance(value, list | tuple):
        return [text for each in value for text in _texts(each)]
    return [str(value)]


def decoded(raw: bytes) -> list[object]:
    return [json.loads(line[6:]) for line in raw.split(b"\n") if line.startswith(b"data: ")]


@pytest.mark.parametrize("place", VALUE_PLACES)
@pytest.mark.parametrize("kind", KINDS)
def test_no_kind_of_secret_survives_at_any_place(kind: str, place: str) -> None:
    secret = KINDS[kind]
    before = VALUE_PLACES[place](secret)
    redacted = Redactor().redacted(before)
    after = bytes_of(redacted.interaction)

    assert secret.encode() in bytes_of(before) or "\\" in secret
    for form in forms(secret):
        assert form not in after
    assert longest_shared(secret.encode(), after) < 12
    assert [each.placeholder for each in redacted.replaced] != []
    assert list(Redactor().scan(after)) == []
    assert Redactor().interaction(redacted.interaction) is redacted.interaction


@pytest.mark.parametrize("place", NAMED_PLACES)
@pytest.mark.parametrize("kind", [*NAMED, "openai project", "json web token", "anthropic api"])
def test_what_stands_at_a_named_place_does_not_survive(kind: str, place: str) -> None:
    secret = (NAMED | KINDS)[kind]
    before = NAMED_PLACES[place](secret)
    redacted = Redactor().redacted(before)
    after = bytes_of(redacted.interaction)

    for form in forms(secret):
        assert form not in after or form == b"pw"  # two letters are somewhere in any text
    assert 1 <= len(redacted.replaced) <= 3
    assert all(each.placeholder.encode() in after for each in redacted.replaced)
    assert Redactor().interaction(redacted.interaction) is redacted.interaction


def longest_shared(secret: bytes, text: bytes) -> int:
    """How many bytes in a row of *secret* are somewhere in *text*, up to 12."""
    return next(
        (
            size
            for size in range(12, 0, -1)
            if any(secret[at : at + size] in text for at in range(len(secret) - size + 1))
        ),
        0,
    )


# Streams.

secrets = st.sampled_from(sorted(KINDS.values())).filter(lambda secret: "\\" not in secret)
prose = st.text(alphabet='abc de.\n"\\{}:\u00e9\U0001f600-', max_size=20)


@given(texts=st.lists(prose | secrets, max_size=6), data=st.data())
def test_a_redacted_stream_keeps_its_length_its_frames_and_its_events(
    texts: list[str], data: st.DataObject
) -> None:
    # A blank ends each: what follows a key without one may be a part of it.
    answer = sse(*({"delta": {"content": text + " "}} for text in texts))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(answer)), max_size=5)))
    sizes = tuple(end - start for start, end in zip([0, *cuts], [*cuts, len(answer)], strict=True))
    before = interaction(answer=answer, answer_headers=STREAM, sizes=sizes)
    after = Redactor().interaction(before)

    assert before.response is not None
    assert after.response is not None
    frames = list(after.response.frames())
    assert [len(frame.data) for frame in frames] == list(sizes)
    assert after.response.sizes == before.response.sizes
    for old, new in zip(decoded(answer), decoded(after.response.body), strict=True):
        text, kept = old["delta"]["content"], new["delta"]["content"]  # type: ignore[index]

        assert len(text) == len(kept)
        text, kept = text[:-1], kept[:-1]
        assert is_placeholder(kept) if text in KINDS.values() else text == kept


@given(
    url=st.sampled_from(["", "/a", "?key=", "?q="]),
    secret=secrets | st.sampled_from(sorted(NAMED.values())),
    texts=st.lists(prose | secrets | st.just("REDACTED-3"), min_size=4, max_size=4),
)
def test_redacting_twice_changes_nothing(url: str, secret: str, texts: list[str]) -> None:
    one, two, three, four = texts
    before = interaction(
        url=URL + url + quote(secret),
        headers=headers_of(authorization=secret, x_note=one.replace("\n", "")),
        body=json.dumps({"password": two, "q": one, "arguments": json.dumps({"secret": four})}).encode(),
        answer=json.dumps({"access_token": three, "text": two + secret}).encode(),
        answer_headers=JSON,
        message=four,
    )  # fmt: skip
    once = Redactor().redacted(before)
    twice = Redactor().redacted(once.interaction)

    assert twice.interaction is once.interaction
    assert twice.replaced == ()


@given(
    secret=secrets | st.sampled_from(sorted(NAMED.values())), texts=st.lists(secrets, max_size=3)
)
def test_a_request_is_redacted_the_same_whatever_answers_it(secret: str, texts: list[str]) -> None:
    before = interaction(
        headers=headers_of(api_key=secret),
        body=json.dumps({"q": [*texts, secret]}).encode(),
        answer=b"REDACTED-9 " + json.dumps({"id_token": secret + "x"}).encode(),
        message=secret,
    )

    assert Redactor().interaction(before).request == Redactor().request(before.request)


# What is no secret.

HARMLESS = [
    '{"id":"chatcmpl-BFuVjLcbW4Pu5yXl5hUvKqyIyR3Hn","system_fingerprint":"fp_86d0290411"}',
    '{"id":"toolu_01HcYv6zKAuz2NMSbNNmiXXs","type":"tool_use"}',
    '{"id":"call_DdmO9pD3xa9XTPNJ32zg2hcA","id2":"resp_67ccd3a9da748190baa7f1570fe91ac604becb25"}',
    '{"usage":{"max_tokens":5,"prompt_tokens":7},"token":"Hello","tokens":"many","key":"value"}',
    '{"type":"signature_delta","signature":"EqQBCgIYAhIM1gbcDa9GJwZA2b3hGgxBdjrkzLoky3dl1pkiMOYds=="}',
    '{"image":"data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk"}',
    '{"trace":"4bf92f3577b34da6a3ce929d0e0e4736","sha":"da39a3ee5e6b4b0d3255bfef95601890afd80709"}',
    '{"properties":{"password":{"type":"string"},"api_key":{"title":"Api Key"}},"required":["password"]}',
    "a key begins with sk- or sk-proj- or AIza, and a task-oriented risk-averse disk-cache does not",
    '<div class="sk-chasing-dot sk-folding-cube-with-many-small-squares-42"></div>',
    "Basic internationalisation, basic understanding/knowledge and Bearer authentication-mechanisms",
    "Authorization: Bearer YOUR_API_KEY_GOES_HERE_AND_NOWHERE_ELSE",
    "-----BEGIN PRIVATE KEY----- is how a private key begins, and much text may come after that",
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9 alone, and eyJ0eXBlIjoibWVzc2FnZV9zdGFydCJ9 in frames",
    "hf_transfer and hf_hub_download, r8_g8_b8_a8, fw_update_available_for_this_device, npm_config",
    "xai-grok-code-fast-1-with-a-very-long-suffix, gsk_, glpat-, xoxb-, https://x.test/?next=sig",
]  # fmt: skip


@pytest.mark.parametrize("text", HARMLESS)
def test_what_only_looks_a_little_like_a_secret_is_left_alone(text: str) -> None:
    before = interaction(
        url=URL + "?page_token=abc&monkey=1",
        headers=headers_of(user_agent="x/1 (key)", traceparent="00-4bf92f3577b34da6-00f067aa0ba902b7-01"),
        body=text.encode(),
        answer=text.encode(),
        message=text,
    )  # fmt: skip

    assert Redactor().interaction(before) is before


@settings(max_examples=10_000 if SOAK else 1_000)
@given(
    st.text(max_size=60)
    | st.binary(max_size=60).map(lambda raw: base64.b64encode(raw).decode())
    | st.binary(max_size=60).map(lambda raw: base64.urlsafe_b64encode(raw).decode())
    | st.uuids().map(lambda each: f"{each} {each.hex}")
    | st.from_regex(r"\A(?:[a-z]{1,12}[-_ ]){1,8}[a-z]{1,12}\Z")
)
def test_clean_texts_are_left_alone(text: str) -> None:
    raw = text.encode("utf-8", "surrogatepass")
    before = interaction(url=f"{URL}?q={quote(raw)}", body=raw, answer=raw, message=text)

    assert Redactor().interaction(before) is before


def test_no_stream_of_the_corpus_is_touched_but_by_what_is_secret(corpus: Any) -> None:
    lines = (corpus / "corpus" / "public_index.jsonl").read_text("utf-8").splitlines()
    names = [json.loads(line)["file"] for line in lines]
    bodies = {name: (corpus / "corpus" / name).read_bytes() for name in names}
    hit = {
        name: [finding.kind for finding in found]
        for name, body in bodies.items()
        if (found := list(scan(body)))
    }

    assert len(lines) > 2000
    # An error that says whose limit was hit.
    organization = "openai/prism__stream-unknown-error-responses-1__46ca351c.sse"
    assert hit == {organization: ["openai project", "openai organization"]}
    for name in names if SOAK else names[::20]:
        kind = "vnd.amazon.eventstream" if bodies[name][:1] == b"\0" else "text/event-stream"
        before = interaction(answer=bodies[name], answer_headers=headers_of(content_type=kind))

        assert name == organization or Redactor().interaction(before) is before, name


# Numbers, echoes, reports.


def test_a_secret_has_one_number_wherever_it_stands() -> None:
    one, two, three = KINDS["openai"], KINDS["groq"], NAMED["azure"]
    redacted = Redactor().redacted(
        interaction(
            url=f"{URL}?key={two}",
            headers=headers_of(authorization=f"Bearer {one}", api_key=three),
            body=f"{three} {one}".encode(),
            answer=f"wrong key {three}, wrong key {one}".encode(),
            message=f"no {two}",
        )
    )
    request, response = redacted.interaction.request, redacted.interaction.response

    assert request.url == f"{URL}?key=REDACTED-1"
    assert request.headers == headers_of(authorization="Bearer REDACTED-2", api_key="REDACTED-3")
    assert request.body == b"REDACTED-3 REDACTED-2"
    assert response is not None
    assert response.body == (
        b"wrong key REDACTED-3" + b"-" * 22 + b", wrong key REDACTED-2" + b"-" * (len(one) - 10)
    )
    assert response.ending.message == "no REDACTED-1"
    assert [(each.kind, each.place, each.placeholder[:10]) for each in redacted.replaced] == [
        ("query parameter key", "request url", "REDACTED-1"),
        ("header", "request header authorization", "REDACTED-2"),
        ("header", "request header api-key", "REDACTED-3"),
        ("known secret", "request body", "REDACTED-3"),
        ("api key", "request body", "REDACTED-2"),
        ("known secret", "response body", "REDACTED-3"),
        ("api key", "response body", "REDACTED-2"),
        ("groq key", "failure message", "REDACTED-1"),
    ]


def test_a_later_redactor_counts_on_from_the_numbers_that_are_there() -> None:
    once = Redactor().interaction(
        interaction(body=KINDS["openai"].encode(), answer=KINDS["groq"].encode() + b" codename x")
    )
    twice = Redactor(extra=["codename"]).interaction(once)

    assert twice.request.body == b"REDACTED-1"
    assert twice.response is not None
    assert re.findall(rb"REDACTED-\d|\*+", twice.response.body) == [b"REDACTED-2", b"*" * 8]
    again = Redactor(extra=[re.compile("x$")]).interaction(twice)
    assert again.request.body == b"REDACTED-1"


def test_words_at_secret_places_stay_words_elsewhere() -> None:
    after = Redactor().interaction(
        interaction(headers=headers_of(authorization="Bearer dummy"), body=b"a dummy")
    )

    assert after.request.body == b"a dummy"


def test_headers_keep_what_is_no_secret() -> None:
    before = interaction(
        headers=headers_of(authorization="bearer  abc", cookie="a=1; b; c=; d=2", accept="x"),
        answer_headers={"set-cookie": ("id=1; Path=/; Expires=Wed, 21 Oct 2026 07:28:00 GMT",)},
    )
    after = Redactor().interaction(before)

    assert after.request.headers == headers_of(
        authorization="bearer  REDACTED-1",
        cookie="a=REDACTED-2; REDACTED-3; c=; d=REDACTED-4",
        accept="x",
    )
    assert after.response is not None
    assert after.response.headers == {
        "set-cookie": ("id=REDACTED-2; Path=/; Expires=Wed, 21 Oct 2026 07:28:00 GMT",)
    }


@pytest.mark.parametrize(
    ("body", "after"),
    [
        (b'{"API-Key" :\n "a\\"b", "x": 1}', b'{"API-Key" :\n "REDACTED-1", "x": 1}'),
        (b'{"password": ""}', b'{"password": ""}'),
        (b'{"password": null, "secret": 7}', b'{"password": null, "secret": 7}'),
        (b'{"my_password": "a", "passwords": "b"}', b'{"my_password": "a", "passwords": "b"}'),
        (
            b'{"a": "{\\"secret\\": \\"x\\\\\\"y\\\\n\\", \\"b\\": 1}"}',
            b'{"a": "{\\"secret\\": \\"REDACTED-1\\", \\"b\\": 1}"}',
        ),
        (b'{"secret": "***"}', b'{"secret": "***"}'),
        (b'{"secret": "REDACTED-5---"}', b'{"secret": "REDACTED-5---"}'),
    ],
)
def test_fields_are_replaced_whole_and_nothing_around_them(body: bytes, after: bytes) -> None:
    assert Redactor().request(Request(method="POST", url=URL, body=body)).body == after


def test_fields_of_streams_are_left_to_their_shape() -> None:
    answer = sse({"arguments": '{"password": "open sesame"}', "password": "open sesame"})

    for name in ("text/event-stream", "application/x-ndjson", "application/jsonl"):
        before = interaction(answer=answer, answer_headers=headers_of(content_type=name))
        assert Redactor().interaction(before) is before


def test_a_key_with_line_ends_keeps_them() -> None:
    answer = f"a\n{pem(chr(10))}\nb\n".encode()
    after = Redactor().interaction(interaction(answer=answer)).response

    assert after is not None
    assert [len(line) for line in after.body.split(b"\n")] == list(map(len, answer.split(b"\n")))
    assert re.fullmatch(rb"a\nREDACTED-1[-\n]*\nb\n", after.body)
    assert list(scan(after.body)) == []


def test_frames_of_aws_get_true_checksums_and_broken_ones_stay_broken() -> None:
    def frame(payload: bytes, *, wrong: int = 0) -> bytes:
        head = (16 + len(payload)).to_bytes(4) + bytes(4)
        rest = head + crc32(head).to_bytes(4) + payload
        return rest + (crc32(rest) ^ wrong).to_bytes(4)

    key = KINDS["openai"].encode()
    kind = headers_of(content_type="application/vnd.amazon.eventstream")
    before = frame(b"one") + frame(b" %s " % key) + frame(b"two", wrong=1)
    hidden = b" REDACTED-1" + b"-" * (len(key) - 10) + b" "

    for tail in (b"", b"\0", b"\0" * 40, b"\xff" * 20):
        after = Redactor().interaction(interaction(answer=before + tail, answer_headers=kind))
        assert after.response is not None
        assert after.response.body == (
            frame(b"one") + frame(hidden) + frame(b"two", wrong=1) + tail
        )


# Options.


@pytest.mark.parametrize(
    ("extra", "text", "after"),
    [
        ("acme corp", 'for "acme corp"', 'for "REDACTED-1"'),
        ("a/b c", "?x=a%2Fb%20c", "?x=REDACTED-1"),
        ('say "hi"', '{"a": "say \\"hi\\""}', '{"a": "REDACTED-1"}'),
        ("caf\u00e9", '"caf\\u00e9" caf\u00e9', '"REDACTED-1" REDACTED-1'),
        (re.compile(r"user-\d+"), "user-17 user-x user-17", "REDACTED-1 user-x REDACTED-1"),
        (re.compile(r"ACME", re.IGNORECASE), "Acme acme", "REDACTED-1 REDACTED-2"),
        (re.compile(r"\b(?=x)|yz"), "xyz", "xREDACTED-1"),
    ],
)
def test_extra_secrets_are_found_in_every_spelling(
    extra: str | re.Pattern[str], text: str, after: str
) -> None:
    redactor = Redactor(extra=[extra])
    request = redactor.request(Request(method="POST", url=URL, body=text.encode()))

    assert request.body.decode() == after
    assert redactor.request(request) == request
    assert list(redactor.scan(text.encode()))
    assert not list(redactor.scan(request.body))


def test_extra_secrets_never_hit_a_placeholder() -> None:
    redactor = Redactor(extra=["REDACTED", re.compile("[A-Z]{3}|[0-9]|-+")])
    request = Request(method="POST", url=URL, body=b"REDACTED-12---")

    assert redactor.request(request).body == request.body


@pytest.mark.parametrize(
    ("extra", "error", "words"),
    [
        ("", ValueError, "empty"),
        (re.compile("a*"), ValueError, "matches the empty text: 'a*'"),
        (re.compile("\u00e9"), ValueError, "applied to bytes"),
        (7, TypeError, "not 7"),
    ],
)
def test_extras_that_cannot_work_are_refused(
    extra: Any, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=re.escape(words)):
        Redactor(extra=[extra])


def test_the_names_of_places_can_be_chosen() -> None:
    redactor = Redactor(headers=["X-Mine"], query=["mine"], fields=["my_own"])
    request = redactor.request(
        Request(
            method="POST",
            url=f"{URL}?mine=a&key=b",
            headers=headers_of(x_mine="a", authorization="b"),
            body=b'{"myOwn": "a", "password": "b"}',
        )
    )

    assert request.url == f"{URL}?mine=REDACTED-1&key=b"
    assert request.headers == headers_of(x_mine="REDACTED-1", authorization="b")
    assert request.body == b'{"myOwn": "REDACTED-1", "password": "b"}'


def test_no_names_at_all_are_a_choice_too() -> None:
    request = Request(method="POST", url=f"{URL}?key=a", body=b'{"": "a", "password": "b"}')

    assert Redactor(headers=(), query=(), fields=()).request(request) == request


def test_a_lone_surrogate_is_no_obstacle() -> None:
    before = interaction(failure=f"\ud800 {KINDS['openai']}")

    assert Redactor().interaction(before).failure == dataclasses.replace(
        before.failure or Ending(how=How.FAILURE), message="\ud800 REDACTED-1"
    )


# Placeholders.


@given(number=st.integers(1, 10**9), secret=st.binary(min_size=1, max_size=40))
def test_a_placeholder_has_the_length_of_the_secret_and_is_known_again(
    number: int, secret: bytes
) -> None:
    like = placeholder(number, secret)

    assert len(like) == len(secret)
    assert is_placeholder(like)
    assert is_placeholder(placeholder(number).decode())
    assert re.fullmatch(rb"[A-Z0-9*\r\n-]+", like)


@pytest.mark.parametrize("text", ["", "REDACTED", "REDACTED-0", "REDACTED-1x", "x REDACTED-1"])
def test_other_texts_are_no_placeholders(text: str) -> None:
    assert not is_placeholder(text)
