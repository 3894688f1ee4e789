"""A thousand texts that hold no secret are left as they are, and hostile ones cost no time."""

from __future__ import annotations

import base64
import json
import random
import uuid
from collections.abc import Callable, Iterator
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from secret_cases import JSON, STREAM, interaction, sse
from support import SOAK

from cassette_stream.cassette import dump_interaction
from cassette_stream.cassette.lanes import lanes, texts
from cassette_stream.cassette.layers import encoded, inflated, views
from cassette_stream.cassette.redact import Redactor

REDACTOR = Redactor().knowing({"ACME_API_KEY": "correct-horse-battery-staple"})
CHANCE = random.Random(1000)
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
WORD = LETTERS + "0123456789"
HEX = "0123456789abcdef"


def some(alphabet: str, size: int) -> str:
    return "".join(CHANCE.choices(alphabet, k=size))


def bits(size: int) -> bytes:
    return CHANCE.randbytes(size)


def b64(size: int) -> str:
    return base64.b64encode(bits(size)).decode()


PROSE = [
    "The quick brown fox jumps over the lazy dog, and nobody was told the password.",
    "Der Schlüssel liegt unter der Fußmatte: sk- beginnt ein Schlüssel, mehr nicht.",
    "Le mot de passe n’est pas ici ; Basic authentication est expliquée plus loin.",
    "La contraseña va en la cabecera Authorization: Bearer y nada más.",
    "パスワードは環境変数に入れてください。トークンは書かないこと。",
    "密码请放在环境变量里，不要写进代码。令牌也一样。",
    "Ключ хранится в переменной окружения OPENAI_API_KEY, а не в коде.",
    "المفتاح محفوظ في متغير بيئة وليس هنا",
    "비밀번호는 환경 변수에 저장하세요 🔑🔐",
    "כתובת הדואר אינה סוד, והמפתח איננו כאן",
]
CODE = [
    'client = OpenAI(api_key=os.environ["OPENAI_API_KEY"])',
    "export ANTHROPIC_API_KEY=sk-ant-...  # put yours here",
    "Authorization: Bearer $TOKEN",
    "git clone https://example.com/user/repo.git && export PASSWORD=",
    "DATABASE_URL=postgres://localhost:5432/app",
    ".sk-fading-circle .sk-circle12:before { animation-delay: -0.1s }",
    "const token = await getToken({ audience: 'https://api.test' });",
    "if (max_tokens > 4096) { throw new Error('max_tokens: too many') }",
    "curl -H 'x-api-key: YOUR_KEY' https://api.test/v1/messages",
    "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
]
MODELS = [
    "gpt-4o-mini-2024-07-18", "claude-3-5-sonnet-20241022", "gemini-2.5-flash-preview-05-20",
    "accounts/fireworks/models/llama-v3p1-405b-instruct", "deepseek-r1-distill-qwen-32b",
    "us.anthropic.claude-sonnet-4-20250514-v1:0", "mistral-large-2411", "sonar-reasoning-pro",
    "meta-llama/Llama-3.3-70B-Instruct-Turbo", "xai-grok-code-fast-1",
]  # fmt: skip
GENERATORS: dict[str, Callable[[], str]] = {
    "uuid": lambda: str(uuid.UUID(bytes=bits(16))),
    "trace id": lambda: f"00-{some(HEX, 32)}-{some(HEX, 16)}-01",
    "sha-1": lambda: some(HEX, 40),
    "sha-256": lambda: f"sha256:{some(HEX, 64)}",
    "etag": lambda: f'W/"{some(HEX, 32)}"',
    "git commit": lambda: f"commit {some(HEX, 40)} by me",
    "chat id": lambda: f"chatcmpl-{some(WORD, 29)}",
    "message id": lambda: f"msg_{some(WORD, 24)}",
    "response id": lambda: f"resp_{some(HEX, 48)}",
    "call id": lambda: f"call_{some(WORD, 24)}",
    "tool use id": lambda: f"toolu_{some(WORD, 24)}",
    "item id": lambda: f"rs_{some(HEX, 50)}",
    "request id": lambda: f"req_{some(WORD, 24)}",
    "fingerprint": lambda: f"fp_{some(HEX, 10)}",
    "file id": lambda: f"file-{some(WORD, 24)}",
    "ray": lambda: f"{some(HEX, 16)}-FRA",
    "signature of a thought": lambda: b64(CHANCE.randint(150, 400)),
    "encrypted thought": lambda: "gAAAAAB" + base64.urlsafe_b64encode(bits(120)).decode(),
    "image": lambda: "data:image/png;base64,iVBORw0KGgo" + b64(CHANCE.randint(60, 600)),
    "jpeg": lambda: "/9j/4AAQSkZJRg" + b64(200),
    "embedding": lambda: b64(4 * 128),
    "obfuscation": lambda: some(WORD, CHANCE.randint(1, 16)),
    "prose": lambda: " ".join(CHANCE.sample(PROSE, 3)),
    "words": lambda: " ".join(some(LETTERS, CHANCE.randint(1, 24)) for _ in range(12)),
    "kebab": lambda: "-".join(some(LETTERS.lower(), CHANCE.randint(2, 9)) for _ in range(7)),
    "code": lambda: "\n".join(CHANCE.sample(CODE, 3)),
    "url": lambda: f"https://api.test/v1/{some(HEX, 12)}?page_token={some(WORD, 20)}&n=1#top",
    "mail": lambda: f"write to {some(LETTERS, 8)}@example.com about https://example.com/a",
    "model": lambda: CHANCE.choice(MODELS),
    "usage": lambda: json.dumps(
        {"max_tokens": CHANCE.randint(1, 9999), "prompt_tokens": 7, "token": some(LETTERS, 9)}
    ),
    "date": lambda: f"2026-11-{CHANCE.randint(1, 30):02}T09:30:12.{CHANCE.randint(100, 999)}Z",
    "number": lambda: str(CHANCE.getrandbits(200)),
    "phone": lambda: f"+49 {CHANCE.randint(100, 999)} {CHANCE.randint(1000000, 9999999)}",
    "percent": lambda: quote(" ".join(CHANCE.sample(PROSE, 2))),
    "escapes": lambda: json.dumps(" ".join(CHANCE.sample(PROSE, 2))),
    "hex dump": lambda: " ".join(f"{byte:02x}" for byte in bits(24)),
    "public key": lambda: f"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI{some(WORD, 43)} me@host",
    "container": lambda: f"registry.test/app@sha256:{some(HEX, 64)}",
    "semver": lambda: f"1.2.{CHANCE.randint(0, 99)}-alpha.{CHANCE.randint(0, 9)}+{some(HEX, 7)}",
    "path": lambda: f"/usr/lib/python3.11/site-packages/{some(LETTERS.lower(), 9)}/__init__.py",
}
EACH = 25


def test_there_are_a_thousand_clean_texts() -> None:
    assert len(GENERATORS) * EACH == 1000


@pytest.mark.parametrize("make", GENERATORS.values(), ids=GENERATORS)
def test_clean_texts_are_not_altered_anywhere(make: Callable[[], str]) -> None:
    made = [make() for _ in range(EACH)]
    for text in made:
        before = interaction(
            url=f"https://api.test/{quote(text[:40])}?q={quote(text)}",
            headers={"x-note": (text.replace("\n", " ").encode().decode("latin-1"),)},
            body=json.dumps({"text": text, "arguments": json.dumps({"a": text})}).encode(),
            answer=json.dumps({"text": text}).encode(),
            answer_headers=JSON,
            message=text,
        )

        assert REDACTOR.interaction(before) is before
        assert list(REDACTOR.scan(dump_interaction(before))) == []
    # Told piece by piece, one after the other.
    told = made if SOAK else made[:5]
    pieces = [text[at : at + 3] for text in told for at in range(0, len(text), 3)]
    stream = interaction(answer=sse(*pieces), answer_headers=STREAM)
    assert REDACTOR.interaction(stream) is stream


@pytest.mark.parametrize(
    "text",
    [
        "git clone https://user:password@example.com/repo.git",
        "postgres://postgres:postgres@localhost:5432/app",
        "mysql://root:secret123@db/app",
    ],
)
def test_examples_of_users_in_urls_are_left_in_bodies(text: str) -> None:
    before = interaction(body=text.encode(), answer=sse(text), answer_headers=STREAM)

    assert REDACTOR.interaction(before) is before


@settings(max_examples=2_000 if SOAK else 50)
@given(
    st.lists(
        st.text(max_size=20)
        | st.binary(max_size=40).map(lambda raw: base64.b64encode(raw).decode())
        | st.uuids().map(str)
        | st.from_regex(r"\A(?:[a-z]{1,9}[-_ ./]){1,6}[a-z]{1,9}\Z"),
        max_size=8,
    )
)
def test_streams_of_clean_texts_are_not_altered(said: list[str]) -> None:
    before = interaction(answer=sse(*said), answer_headers=STREAM)

    assert REDACTOR.interaction(before) is before


# The way back from what is found to where it stands.


def plain(body: bytes) -> list[bytes]:
    """The contents of a stream that `sse` made, read by another way."""
    lines = [line[6:] for line in body.split(b"\n") if line.startswith(b"data: ")]
    return [json.loads(line)["choices"][0]["delta"]["content"] for line in lines]


@given(said=st.lists(st.text(max_size=9), min_size=2, max_size=6), data=st.data())
def test_a_lane_leads_back_to_the_bytes_of_each_piece(said: list[str], data: st.DataObject) -> None:
    body = sse(*said)
    whole = "".join(said).encode("utf-8", "surrogatepass")
    [lane] = [lane for lane in lanes(body) if lane.text == whole][:1]
    characters = "".join(said)
    start = data.draw(st.integers(0, len(characters)))
    end = data.draw(st.integers(start, len(characters)))
    spans = lane.back(
        *(len(characters[:at].encode("utf-8", "surrogatepass")) for at in (start, end))
    )
    read = "".join(json.loads(b'"%s"' % body[begin:after]) for begin, after in spans)

    assert read == characters[start:end]
    assert len(set(said)) == 1 or whole in list(texts(body))


@given(parts=st.lists(st.binary(max_size=4) | st.sampled_from([b"%41", b"%2f", b"\\/", b"\\u0041"]), max_size=9), data=st.data())  # fmt: skip
def test_a_view_leads_back_to_what_means_its_text(parts: list[bytes], data: st.DataObject) -> None:
    raw = b"".join(parts)
    for view in views(raw):
        start = data.draw(st.integers(0, len(view.text)))
        end = data.draw(st.integers(start, len(view.text)))
        begin, after = view.back(start, end)
        again = [inner.text for inner in views(raw[begin:after])]

        assert view.text[start:end] in (*again, raw[begin:after])


@given(st.lists(st.binary(min_size=18, max_size=60), min_size=1, max_size=5), st.data())
def test_base64_holds_what_was_put_in_and_takes_what_is_put_back(
    parts: list[bytes], data: st.DataObject
) -> None:
    coded = [data.draw(st.sampled_from([base64.b64encode, base64.urlsafe_b64encode]))(part) for part in parts]  # fmt: skip
    raw = b'"' + b'","'.join(coded) + b'"'
    base64s = encoded(raw)

    assert base64s is not None
    if not any({*b"-_"} & {*each} and {*b"+/"} & {*each} for each in coded):
        assert all(part in base64s.text for part in parts)
    assert base64s.with_text(base64s.text, raw) == raw
    other = bytes(255 - byte for byte in base64s.text)
    assert len(base64s.with_text(other, raw)) == len(raw)


@given(st.binary(max_size=400), st.integers(0, 400))
def test_a_coding_is_undone_as_far_as_it_goes(body: bytes, cut: int) -> None:
    import zlib

    packed = zlib.compress(body, wbits=31)

    assert (inflated(packed, "") or b"") == body
    assert body.startswith(inflated(packed[:cut], "") or b"")
    assert inflated(body, "br") is None or body.startswith(b"\x1f\x8b")


# A search whose time is not linear would not come to an end here.

MEGABYTE = 1_000_000


def hostile() -> Iterator[tuple[str, bytes]]:
    for part in [
        b"a", b"-", b"%", b"%2", b"%20", b"\\", b"\\u00", b"\\u0041", b"\\/", b'"', b'\\"', b"=", b"://", b"://a:1a",
        b"://a@", b"sk-", b"sk-a1B", b"/sk-", b"eyJ", b"eyJaaaaaaaaaaaa.", b".eyJaaaaaaaaaaaaaa", b"Bearer ", b"Bearer a1", b"Basic a",
        b"sig=", b"&sig=a", b"__cf_bm=", b"-----BEGIN ", b"-----BEGIN A ", b"-----BEGIN PRIVATE KEY-----",
        b"-----BEGIN PRIVATE KEY-----\nAAAAAAAAAAAAAAAAAAAA\n", b'"password":"', b'"password":"a\\', b'\\"password\\":\\"a',
        b'name="password"\r\n', b'name="password"\r\n\r\na', b"password=", b"&password=a", b"REDACTED-", b"REDACTED-1 ", b"data: ",
        b"data: {\n", b'data: {"a":"b"}\n\n', b"[", b'{"a":', b'["a",', b"QUJDQUJDQUJDQUJDQUJDQUJD ", b"correct-horse-battery-",
        b"correct-horse-battery-staple ", b'{"password":"a1B2c3D4e5F6g7H8"}', b"\r\n", b"\0", b"\xff", b"\x1f\x8b\x08", b"org-", b"AKIA",
    ]:  # fmt: skip
        yield part.decode("latin-1"), part


@pytest.mark.matrix(9)
@pytest.mark.parametrize("part", [part for _, part in hostile()], ids=[repr(it) for it, _ in hostile()])  # fmt: skip
@pytest.mark.parametrize("kind", ["application/json", "text/event-stream", "multipart/form-data"])
def test_much_of_anything_is_searched_at_once(part: bytes, kind: str) -> None:
    body = (part * (MEGABYTE // len(part)))[: MEGABYTE // (4 if SOAK else 16)]
    coded = {"content-type": (kind,)}
    before = interaction(headers=coded, body=body, answer=body, answer_headers=coded)
    after = REDACTOR.interaction(before)

    assert after.response is not None
    assert len(after.response.body) == len(body)
    assert REDACTOR.interaction(after) is after
