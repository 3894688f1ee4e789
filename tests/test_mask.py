"""What is let go of a body before it is over is what the redactor makes of the whole."""

from __future__ import annotations

import json
import re
from array import array
from datetime import UTC, datetime
from itertools import pairwise
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_redact import KINDS

from cassette_stream.cassette.beginnings import Beginnings, spellings
from cassette_stream.cassette.mask import Masker
from cassette_stream.cassette.model import Ending, How, Interaction, Request, Response
from cassette_stream.cassette.redact import Redactor
from cassette_stream.cassette.secrets import PREFIXES, is_placeholder

# Put together here, so that nobody's scanner takes this file for a leak.
KEY = "sk-" + "proj-" + "a7Bc" * 8
TOKEN = "ghp_" + "k9Lm" * 9
BEARER = "q8Zr" * 7
PASSPHRASE = "correct horse battery staple"
EXTRA = "hunter 2, and three"
LINES = "first line of it 7\nand the second B"
SEEN = "Xk7" * 8
BEGIN, END = (f"-----{word} RSA PRIVATE KEY-----" for word in ("BEGIN", "END"))
PEM = "\n".join([BEGIN, "MIIEow" * 10, "IBAAKC" * 10, "AQEA=", END])
REQUEST = Request(
    method="POST",
    url="https://api.test/v1/chat",
    headers={"authorization": (f"Bearer {SEEN}",), "x-api-key": (PASSPHRASE,)},
)
REDACTOR = Redactor(extra=(EXTRA, LINES))
STREAM = "text/event-stream"
SECRETS = [KEY, TOKEN, f"Bearer {BEARER}", PASSPHRASE, EXTRA, SEEN, PEM, LINES]

words = st.sampled_from(
    [
        *SECRETS,
        *(quote(KEY, safe=""), "\\u0073" + KEY[1:]),
        *("sk-", "Bearer ", "hunter", " correct", " horse", "-----BEGIN ", "7" * 40),
        *(
            "Hello",
            ", ",
            " world",
            "\u4f60\u597d",
            "\n",
            '"',
            "{",
            "https://me:",
            "e",
            "%",
            "ya29.",
        ),
    ]
)
texts = st.lists(words, max_size=6).map("".join)


def event(text: str, index: int = 0) -> str:
    return (
        "data: "
        + json.dumps({"id": "chatcmpl-1", "choices": [{"index": index, "text": text}]})
        + "\n\n"
    )


@st.composite
def split(draw: st.DrawFn) -> str:
    """A text in events, one after the other, on one of two lanes."""
    text = draw(texts)
    edges = sorted({0, len(text), *draw(st.lists(st.integers(0, len(text)), max_size=8))})
    index = draw(st.integers(0, 1))
    return "".join(event(text[start:end], index) for start, end in pairwise(edges))


bodies = st.lists(
    st.one_of(split(), texts.map(event), texts, st.just("\n"), st.just("\r\n\r\n")), max_size=5
).map(lambda parts: "".join(parts).encode())
places = st.lists(st.integers(0, 3000), max_size=12)


def cut(body: bytes, places: list[int]) -> list[bytes]:
    edges = sorted({0, len(body), *(place % (len(body) + 1) for place in places)})
    return [body[start:end] for start, end in pairwise(edges)]


def masker(content_type: str = STREAM, redactor: Redactor = REDACTOR) -> Masker:
    redaction = redactor.begin()
    redaction.request(REQUEST)
    return Masker(redaction, content_type)


def whole(body: bytes, content_type: str, redactor: Redactor = REDACTOR) -> bytes:
    response = Response(
        status=200,
        headers={"content-type": (content_type,)},
        body=body,
        sizes=array("q", [len(body)]),
        gaps_us=array("q", [0]),
        ending=Ending(how=How.COMPLETE),
    )
    date = datetime(2026, 1, 1, tzinfo=UTC)
    found = redactor.interaction(Interaction(recorded_at=date, request=REQUEST, response=response))
    assert found.response is not None
    return found.response.body


def even(body: bytes) -> bytes:
    """*body* with placeholders that are all alike.

    Which secret has which number, and whether what repeats itself in two events is one, depends
    on how much of a body is seen.
    """
    return re.sub(rb"[REDACT0-9*]", b"-", body)


@pytest.mark.parametrize("content_type", [STREAM, "application/x-ndjson", "application/json"])
@given(body=bodies, places=places)
def test_what_is_let_go_is_what_the_redactor_makes_of_the_whole(
    content_type: str, body: bytes, places: list[int]
) -> None:
    subject = masker(content_type)
    out, taken = b"", 0
    for chunk in cut(body, places):
        out += subject.feed(chunk)
        taken += len(chunk)

        assert len(out) + subject.held == taken
    out += subject.finish()

    assert even(out) == even(whole(body, content_type))
    assert subject.held == 0


@pytest.mark.parametrize("secret", [*SECRETS[:2], *SECRETS[3:]], ids=lambda it: it[:6])
@given(places=places, pieces=st.lists(st.integers(1, 60), max_size=8))
def test_no_part_of_a_secret_is_ever_let_go(
    secret: str, places: list[int], pieces: list[int]
) -> None:
    edges = sorted({0, len(secret), *(place % len(secret) for place in pieces)})
    parts = [secret[start:end] for start, end in pairwise(edges)]
    body = "".join(map(event, ["Well: ", *parts, " ok"])).encode()
    subject = masker()
    out = b""
    for chunk in cut(body, places):
        out += subject.feed(chunk)
    out += subject.finish()
    said = "".join(
        json.loads(line[6:])["choices"][0]["text"] for line in out.decode().splitlines() if line
    )

    inner = said.removeprefix("Well: ").removesuffix(" ok")
    assert all(is_placeholder(part) for part in re.findall(r"REDACTED-\d+-*|\*+|\S+", inner))


@pytest.mark.parametrize("secret", KINDS.values(), ids=KINDS)
def test_wherever_a_text_breaks_off_in_a_secret_it_is_told(secret: str) -> None:
    beginnings = Beginnings([])

    for size in range(1, len(secret.rpartition(" ")[2])):
        assert beginnings.start(f"The key is {secret[:size]}") is not None, secret[:size]


def test_and_so_it_is_for_each_way_in_which_one_begins() -> None:
    beginnings = Beginnings([])

    for prefix in PREFIXES:
        found = spellings(prefix.decode())
        assert all(re.fullmatch(prefix, text.encode()) for text in found)
        assert all(beginnings.start(it[:size]) == 0 for it in found for size in range(1, len(it)))


@pytest.mark.parametrize(
    "text", ["Hello", "The task", "risk", " word", "e.g. ", "a" * 40, "Note: "]
)
def test_other_texts_are_none(text: str) -> None:
    assert Beginnings([PASSPHRASE]).start(text) is None


@pytest.mark.parametrize("text", ["a c", "so corr", PASSPHRASE[:-1], "Well,cor"])
def test_a_known_secret_is_told_by_its_first_letter(text: str) -> None:
    assert Beginnings([PASSPHRASE]).start(text) == text.index("c")


@pytest.mark.parametrize("pattern", ["a+", "a*", "a)", "x{2}"])
def test_what_cannot_be_spelt_out_is_refused(pattern: str) -> None:
    if "(" not in pattern and ")" in pattern:
        with pytest.raises(ValueError, match="more than letters"):
            spellings(pattern)
    else:
        assert pattern in spellings(pattern)  # letters like any other


@given(
    st.lists(st.sampled_from(["Hello", ",", " world", "! No", " one", "\n\n", "**"]), max_size=9)
)
def test_events_that_begin_no_secret_are_let_go_at_once(pieces: list[str]) -> None:
    subject = masker(redactor=Redactor())

    for piece in pieces:
        chunk = event(piece).encode()
        assert subject.feed(chunk) == chunk
    assert subject.held == 0


def test_a_regular_expression_holds_all_of_a_body() -> None:
    subject = masker(redactor=Redactor(extra=(re.compile(r"begin\s+end"),)))

    assert subject.feed(b"data: begin\n\n") == b""
    assert subject.held == 13
    assert subject.finish() == b"data: begin\n\n"


def test_what_is_held_too_long_is_let_go_at_the_end() -> None:
    subject = masker(redactor=Redactor())
    chunks = [event(piece).encode() for piece in ["sk-", *["aB3" * 20_000] * 6, " so"]]

    assert b"".join(map(subject.feed, chunks)) == b""
    assert subject.held == sum(map(len, chunks))
    assert even(subject.finish()) == even(whole(b"".join(chunks), STREAM, Redactor()))


@pytest.mark.parametrize("size", range(1, 8))
def test_a_token_is_known_by_a_scheme_that_is_in_an_earlier_event(size: int) -> None:
    scheme = "Bearer "
    parts = ["Well: ", scheme[:size], scheme[size:] + BEARER, " ok"]
    body = "".join(map(event, parts)).encode()
    subject = masker(redactor=Redactor())
    out = b"".join(subject.feed(it) for it in body.splitlines(keepends=True)) + subject.finish()

    assert BEARER.encode() not in whole(body, STREAM, Redactor())
    assert even(out) == even(whole(body, STREAM, Redactor()))


@pytest.mark.parametrize("size", range(1, 6))
def test_a_known_secret_is_held_that_begins_with_the_first_letters_of_a_lane(size: int) -> None:
    parts = [PASSPHRASE[:size], PASSPHRASE[size:], " ok"]
    body = "".join(map(event, parts)).encode()
    subject = masker()
    out = b"".join(subject.feed(it) for it in body.splitlines(keepends=True)) + subject.finish()

    assert Beginnings([PASSPHRASE]).start(PASSPHRASE[:size]) == 0
    assert even(out) == even(whole(body, STREAM))
