"""The 40 kinds of secrets and the 18 places where they may stand, both numbered.

Every secret is made up, and put together from parts, so that nobody's scanner takes this
file for a leak. A kind is *known by its form*, and then it is found anywhere; or it is not,
and then it stood at a place with a name before, as a key does that a server echoes.
"""

from __future__ import annotations

import base64
import gzip
import json
import random
from array import array
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from urllib.parse import quote

from cassette_stream.cassette.model import Ending, How, Interaction, Request, Response
from cassette_stream.script import FailureKind

CHANCE = random.Random(40 * 18)
DIGITS = "0123456789"
CAPITALS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
LETTERS = CAPITALS + CAPITALS.lower()
WORD = LETTERS + DIGITS
HEX = DIGITS + "abcdef"


@dataclass(frozen=True)
class Kind:
    """A kind of secret: its *texts*, one for each way in which it is written.

    *frame* is what stands around it where it is seen, as in ``Basic {}``.
    """

    name: str
    texts: tuple[str, ...]
    by_form: bool = True
    frame: str = "{}"


def some(alphabet: str, size: int) -> str:
    """Random letters, with a digit, a capital and a small letter among the first."""
    return ("a7B" + "".join(CHANCE.choices(alphabet, k=size)))[:size]


def some_hex(size: int) -> str:
    return "".join(CHANCE.choices(HEX, k=size))


def web_token(issuer: str) -> str:
    parts = ({"alg": "RS256", "typ": "JWT"}, {"iss": issuer, "aud": "https://x.test"})
    encoded = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode() for part in parts]
    return ".".join([*(part.rstrip("=") for part in encoded), some(WORD + "-_", 86)])


def pem(kind: str) -> str:
    lines = [some(WORD + "+/", 64) for _ in range(4)]
    begin, end = ("-----" + f"{word} {kind}PRIVATE KEY-----" for word in ("BEGIN", "END"))
    return "\n".join([begin, *lines, some(WORD, 22) + "==", end]) + "\n"


def basic() -> str:
    return base64.b64encode(f"user:{some(WORD, 30)}".encode()).decode()


_KINDS = (
    Kind("openai", ("sk-" + some(WORD, 48),)),
    Kind("openai project", ("sk-" + "proj-" + some(WORD + "-_", 120),)),
    Kind("openai service account", ("sk-" + "svcacct-" + some(WORD + "-_", 120),)),
    Kind("openai admin", ("sk-" + "admin-" + some(WORD + "-_", 120),)),
    Kind("anthropic api", ("sk-" + "ant-api03-" + some(WORD + "-_", 93) + "AA",)),
    Kind("anthropic admin", ("sk-" + "ant-admin01-" + some(WORD + "-_", 93),)),
    Kind("anthropic oauth", ("sk-" + "ant-oat01-" + some(WORD + "-_", 93),)),
    Kind("google", ("AI" + "za" + some(WORD + "-_", 35),)),
    Kind("google access token", ("ya" + "29." + "a0" + some(WORD + "-_", 120),)),
    Kind("private key", (pem(""), pem("RSA "))),
    Kind("azure", (some_hex(32), some(WORD, 84)), by_form=False),
    Kind("json web token", (web_token("https://sts.windows.net/x"), web_token("https://id.test"))),
    Kind("aws access key", ("AK" + "IA" + some(CAPITALS, 17)[1:].upper(),)),
    Kind("aws session key", ("AS" + "IA" + some(CAPITALS, 17)[1:].upper(),)),
    Kind("aws secret", (some(WORD + "+/", 40),), by_form=False),
    Kind("aws session token", ("IQoJ" + "b3JpZ2lu" + some(WORD + "+/", 200) + "==",)),
    Kind("aws signature 4", (some_hex(64),), frame="SignedHeaders=host, Signature={}"),
    Kind("aws signed url", (some_hex(64),), frame="X-Amz-Signature={}"),
    Kind("openrouter", ("sk-" + "or-v1-" + some_hex(64),)),
    Kind("groq", ("gs" + "k_" + some(WORD, 52),)),
    Kind("xai", ("xa" + "i-" + some(WORD, 80),)),
    Kind("perplexity", ("pp" + "lx-" + some(WORD, 48),)),
    Kind("hugging face", ("h" + "f_" + some(LETTERS, 34).replace("7", "q"),)),
    Kind("replicate", ("r" + "8_" + some(WORD, 37),)),
    Kind("fireworks", ("f" + "w_" + some(WORD, 24),)),
    Kind("cerebras", ("cs" + "k-" + some(WORD, 48),)),
    Kind("nvidia", ("nv" + "api-" + some(WORD + "-_", 64),)),
    Kind("databricks", ("da" + "pi" + some_hex(32) + "-2",)),
    Kind("mistral", (some(WORD, 32),), by_form=False),
    Kind("cohere", (some(WORD, 40),), by_form=False),
    Kind("together", (some_hex(64),), by_form=False),
    Kind("deepseek", ("sk-" + "7" + some_hex(31),)),
    Kind("github", ("gh" + "p_" + some(WORD, 36), "github" + "_pat_" + some(WORD, 82))),
    Kind("gitlab", ("gl" + "pat-" + some(WORD + "-_", 20),)),
    Kind("slack", ("xo" + "xb-" + "123456789012-1234567890123-" + some(WORD, 24),)),
    Kind("stripe", ("sk_" + "live_" + some(WORD, 24),)),
    Kind("basic credentials", (basic(),), frame="Basic {}"),
    Kind("user of a url", (some(WORD, 24),), frame="https://user:{}@internal.test/"),
    Kind("cookie", (some(WORD + "-_.", 64),), frame="__cf_bm={}"),
    Kind("organization and project", ("org-" + some(WORD, 24), "proj_" + some(WORD, 24))),
)
KINDS = dict(enumerate(_KINDS, 1))


URL = "https://api.test/v1/chat/completions"
STREAM = {"content-type": ("text/event-stream",)}
JSON = {"content-type": ("application/json",)}


def interaction(
    *,
    url: str = URL,
    headers: dict[str, tuple[str, ...]] | None = None,
    body: bytes = b"",
    answer: bytes | tuple[bytes, ...] = b"",
    answer_headers: dict[str, tuple[str, ...]] | None = None,
    message: str = "",
) -> Interaction:
    chunks = answer if isinstance(answer, tuple) else (answer,)
    failure = Ending(how=How.FAILURE, failure=FailureKind.OTHER, message=message)
    return Interaction(
        recorded_at=datetime(2026, 11, 23, tzinfo=UTC),
        request=Request(method="POST", url=url, headers=headers or {}, body=body),
        response=Response(
            status=200,
            headers=answer_headers or {},
            body=b"".join(chunks),
            sizes=array("q", map(len, chunks)),
            gaps_us=array("q", [0] * len(chunks)),
            ending=failure if message else Ending(how=How.COMPLETE),
        ),
    )


def sse(*texts: str) -> bytes:
    """A stream of chat completions that says *texts*."""
    chunks = [{"choices": [{"index": 0, "delta": {"content": text}}]} for text in texts]
    return b"".join(b"data: %s\n\n" % json.dumps(chunk).encode() for chunk in chunks)


def _json(value: object) -> bytes:
    return json.dumps(value).encode()


def _multipart(text: str) -> Interaction:
    head = 'Content-Disposition: form-data; name="note"'
    return interaction(
        headers={"content-type": ("multipart/form-data; boundary=xx",)},
        body=f"--xx\r\n{head}\r\n\r\n{text}\r\n--xx--\r\n".encode(),
    )


def _split(text: str) -> Interaction:
    """Token by token, as a model prints it: pieces of one to five letters."""
    whole = f"It is {text} for you."
    pieces, at = [], 0
    while at < len(whole):
        size = CHANCE.randint(1, 5)
        pieces.append(whole[at : at + size])
        at += size
    return interaction(answer=sse(*pieces), answer_headers=STREAM)


def _chunks(text: str) -> Interaction:
    body = sse("It is", f" {text} ", "for you")
    middle = len(body) // 2
    return interaction(answer=(body[:middle], body[middle:]), answer_headers=STREAM)


def _gzip(text: str) -> Interaction:
    packed = gzip.compress(_json({"note": f"use {text} now"}) * 3, mtime=0)
    coded = {"content-encoding": ("gzip",), "content-type": ("application/json",)}
    # The answer was cut, so that its coding could not be undone.
    return interaction(headers=coded, body=packed, answer=packed[:-9], answer_headers=coded)


def _header_safe(text: str) -> str:
    return text.replace("\n", "\\n")


_PLACES: dict[str, Callable[[str], Interaction]] = {
    "request header": lambda text: interaction(
        headers={"x-note": (f"use {_header_safe(text)}",), "x-other": (_header_safe(text),)}
    ),
    "query": lambda text: interaction(url=f"{URL}?q={quote(text, safe='')}&b=1"),
    "path": lambda text: interaction(url=f"https://api.test/bot/{quote(text, safe='')}/send"),
    "user of a url": lambda text: interaction(url=f"https://me:{quote(text, safe='')}@api.test/v1"),
    "json field": lambda text: interaction(body=_json({"api_key": text, "note": text})),
    "form field": lambda text: interaction(
        headers={"content-type": ("application/x-www-form-urlencoded",)},
        body=f"client_secret={quote(text)}&note={quote(text)}".encode(),
    ),
    "multipart field": _multipart,
    "response header": lambda text: interaction(
        answer_headers={
            "x-echo": (_header_safe(text),),
            "set-cookie": (f"id={quote(text)}; Path=/",),
        }
    ),
    "response body": lambda text: interaction(
        answer=_json({"output": [{"text": f"it is {text}"}]}), answer_headers=JSON
    ),
    "delta": lambda text: interaction(
        answer=sse("It is", f" {text} ", "for you"), answer_headers=STREAM
    ),
    "split over deltas": _split,
    "split over chunks": _chunks,
    "error that echoes": lambda text: interaction(
        answer=_json({"error": {"message": f"Incorrect API key provided: {text} ."}}),
        answer_headers=JSON,
    ),
    "message of an exception": lambda text: interaction(
        message=f"Illegal header value b'{_header_safe(text)}'"
    ),
    "base64": lambda text: interaction(
        body=_json({"data": base64.b64encode(f"a: {text} ".encode()).decode()}),
        answer=_json({"data": base64.urlsafe_b64encode(f"ab: {text} ".encode()).decode()}),
        answer_headers=JSON,
    ),
    "percent-encoded": lambda text: interaction(
        body=b"go to /%s/" % "".join(f"%{byte:02x}" for byte in text.encode()).encode(),
        answer=b"<a href='/x?y=%s'>" % quote(text, safe="").encode(),
    ),
    "json-escaped": lambda text: interaction(
        body=_json({"arguments": json.dumps({"note": f"the\n{text}"})}),
        answer=_json({"a": text}).replace(b"-", b"\\u002d").replace(b"/", b"\\/"),
        answer_headers=JSON,
    ),
    "gzip": _gzip,
}
PLACES = dict(enumerate(_PLACES.items(), 1))


def case(kind: Kind, text: str, place: Callable[[str], Interaction]) -> Interaction:
    """The secret *text* at the *place*; what has no form of its own was sent as a key, too."""
    found = place(kind.frame.format(text))
    if kind.by_form:
        return found
    headers = {**found.request.headers, "authorization": (f"Bearer {text}",)}
    return replace(found, request=replace(found.request, headers=headers))
