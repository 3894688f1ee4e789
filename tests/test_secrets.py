"""Forty kinds of secrets at eighteen places: none is in what is written or shown."""

from __future__ import annotations

import base64
import json
import re
import zlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import unquote_to_bytes

import pytest
from decoded import decoded as chunks_of
from decoded import told
from hypothesis import given, settings
from hypothesis import strategies as st
from secret_cases import JSON, KINDS, PLACES, STREAM, Kind, case, interaction, sse
from support import SOAK

from cassette_stream import (
    ChatCompletionMessageToolCall,
    Choices,
    Function,
    Message,
    ModelResponse,
)
from cassette_stream.cassette import dump_interaction
from cassette_stream.cassette.known import secret_variables
from cassette_stream.cassette.model import Interaction
from cassette_stream.cassette.redact import Redactor
from cassette_stream.dialects import anthropic, gemini, openai_chat, openai_responses
from cassette_stream.wire.eventstream import EventStreamDecoder, encode_message

REDACTOR = Redactor()
SHARED = 12
"""As many bytes in a row of a secret as nobody may find."""

BASE64 = re.compile(rb"[\w+/-]{16,}={0,2}")
TO_STANDARD = bytes.maketrans(b"-_", b"+/")


def opened(raw: bytes) -> bytes:
    """*raw*, and all that can be made of it by undoing what hides a text."""
    found = [raw, unquote_to_bytes(raw), raw.replace(b"\\/", b"/"), raw.replace(b"\\n", b"\n")]
    found.append(re.sub(rb"\\u00([0-7].)", lambda match: bytes([int(match[1], 16)]), raw))
    for match in BASE64.finditer(raw.replace(b"\n    ", b"")):
        for shift in range(4):
            letters = match[0].rstrip(b"=")[shift:].translate(TO_STANDARD)
            inner = base64.b64decode(letters[: len(letters) // 4 * 4])
            found.append(inner)
            if inner.startswith(b"\x1f\x8b"):
                found.append(zlib.decompressobj(31).decompress(inner))
    found.append(b"".join(re.findall(rb'"content": "((?:[^"\\]|\\.)*)"', raw)))
    return b"\n".join(found)


def leaks(text: str, raw: bytes) -> set[bytes]:
    """What of the secret *text* is in *raw*, in any form."""
    lines = [line for line in text.encode().splitlines() if b"PRIVATE KEY" not in line]
    windows = {line[at : at + SHARED] for line in lines for at in range(len(line) - SHARED + 1)}
    everything = opened(raw)
    return {window for window in windows if window in everything}


def check(before: Interaction, text: str, redactor: Redactor) -> None:
    redacted = redactor.redacted(before)
    after = redacted.interaction
    document = dump_interaction(after)

    assert leaks(text, dump_interaction(before)), "the case holds no secret"
    assert leaks(text, document) == set()
    assert leaks(text, repr((after, redacted)).encode()) == set()
    assert list(redactor.scan(document)) == []
    assert redactor.interaction(after) is after
    assert before.response is not None
    assert after.response is not None
    assert after.response.sizes == before.response.sizes
    assert len(after.response.body) == len(before.response.body)


def test_there_are_forty_kinds_and_eighteen_places() -> None:
    assert (len(KINDS), len(PLACES)) == (40, 18)


@pytest.mark.matrix(6)
@pytest.mark.parametrize("place", PLACES.values(), ids=[f"{n}-{it[0]}" for n, it in PLACES.items()])
@pytest.mark.parametrize("kind", KINDS.values(), ids=[f"{n}-{it.name}" for n, it in KINDS.items()])
def test_no_secret_is_in_what_is_written(
    kind: Kind, place: tuple[str, Callable[[str], Interaction]]
) -> None:
    for text in kind.texts:
        check(case(kind, text, place[1]), text, REDACTOR)


WITHOUT_FORM = [kind for kind in KINDS.values() if not kind.by_form]


@pytest.mark.parametrize("place", PLACES.values(), ids=[f"{n}-{it[0]}" for n, it in PLACES.items()])
def test_what_has_no_form_is_found_by_the_environment(
    place: tuple[str, Callable[[str], Interaction]],
) -> None:
    for kind in WITHOUT_FORM:
        for text in kind.texts:
            check(place[1](text), text, REDACTOR.knowing({"ACME_API_KEY": text}))


@pytest.mark.matrix(5)
@pytest.mark.parametrize("kind", KINDS.values(), ids=[f"{n}-{it.name}" for n, it in KINDS.items()])
def test_what_is_shown_of_a_live_value_holds_no_secret(kind: Kind) -> None:
    for _, place in PLACES.values():
        before = case(kind, kind.texts[0], place)
        shown = repr(before)

        assert leaks(kind.texts[0], shown.encode()) == set()
        if kind.by_form:
            assert leaks(kind.texts[0], repr((before.request, before.response)).encode()) == set()


# Streams say the same, but for the placeholder.

DIALECTS = {it.__name__.rpartition(".")[2]: it for it in (anthropic, gemini, openai_chat, openai_responses)}  # fmt: skip
secrets = st.sampled_from(
    [kind for kind in KINDS.values() if kind.by_form and "\n" not in kind.texts[0]]
).map(lambda kind: kind.frame.format(kind.texts[0]))


def completion(text: str, *arguments: str) -> ModelResponse:
    calls = [
        ChatCompletionMessageToolCall(
            id=f"call_{number}",
            function=Function(name="note", arguments=json.dumps({"text": argument})),
        )
        for number, argument in enumerate(arguments)
    ]
    message = Message(content=text, tool_calls=calls or None)
    reason = "tool_calls" if calls else "stop"
    choices = [Choices(index=0, message=message, finish_reason=reason)]
    return ModelResponse(id="x1", created=1, model="m", choices=choices)


@pytest.mark.parametrize("dialect", DIALECTS.values(), ids=DIALECTS)
@settings(max_examples=300 if SOAK else 15)
@given(
    said=secrets,
    called=st.lists(secrets, max_size=2, unique=True),
    sizes=st.lists(st.integers(1, 9), min_size=1, max_size=4),
    interleave=st.booleans(),
)
def test_a_redacted_stream_says_the_same_but_for_the_placeholder(
    dialect: Any, said: str, called: list[str], sizes: list[int], interleave: bool
) -> None:
    whole = completion(f"It is {said} for you.", *[f"use {each} now" for each in called])
    options = {} if dialect is anthropic else {"interleave": interleave}
    body = b"".join(dialect.encode(whole, pieces=sizes, **options))
    after = REDACTOR.interaction(interaction(answer=body, answer_headers=STREAM)).response

    assert after is not None
    before, clean = chunks_of(dialect.Decoder(), body), chunks_of(dialect.Decoder(), after.body)
    assert len(before) == len(clean)
    (was, usage), (now, same_usage) = told(before), told(clean)
    assert (usage, was[0].reason) == (same_usage, now[0].reason)
    assert masked(now[0].text) == "It is * for you."
    assert len(now[0].text) == len(was[0].text)
    spelt = [json.loads(arguments) for _, (_, _, arguments) in sorted(now[0].calls.items())]
    assert [masked(each["text"]) for each in spelt] == ["use * now"] * len(called)


def masked(text: str) -> str:
    """*text* with a star for its one secret, of which the frame may stay."""
    found = re.sub(r"REDACTED-\d+-*", "*", text)
    for kind in KINDS.values():
        found = found.replace(kind.frame.format("*"), "*") if kind.frame != "{}" else found
    return found


def test_secrets_of_calls_that_are_told_in_turns_are_kept_apart() -> None:
    one, two = KINDS[1].texts[0], KINDS[20].texts[0]
    body = b"".join(
        openai_chat.encode(completion("", f"a {one} b", f"c {two} d"), pieces=[3], interleave=True)
    )
    redacted = REDACTOR.redacted(interaction(answer=body, answer_headers=STREAM))

    assert sorted(each.kind for each in redacted.replaced) == ["api key", "groq key"]
    assert redacted.interaction.response is not None
    (answers, _) = told(chunks_of(openai_chat.Decoder(), redacted.interaction.response.body))
    spelt = [json.loads(call[2])["text"] for call in answers[0].calls.values()]
    assert [re.sub(r"-{2,}", "", text) for text in spelt] == ["a REDACTED-1 b", "c REDACTED-2 d"]


@pytest.mark.parametrize("cut", [0, 1, 40], ids=["whole", "without its end", "within the last"])
def test_secrets_that_are_split_over_the_elements_of_an_array_are_found(cut: int) -> None:
    key = KINDS[2].texts[0]
    said = ["It is ", key[:9], key[9:60], key[60:], " for you.", "Good", " bye"]
    array = [{"candidates": [{"content": {"parts": [{"text": text}]}}]} for text in said]
    body = json.dumps(array, indent=2).encode()
    body = body[: len(body) - cut]
    after = REDACTOR.interaction(interaction(answer=body, answer_headers=JSON)).response

    assert after is not None
    found = re.findall(rb'"text": "([^"]*)"', after.body)[:5]
    assert b"".join(found).decode() == "It is REDACTED-1" + "-" * (len(key) - 10) + " for you."


BEDROCK = {"content-type": ("application/vnd.amazon.eventstream",)}


@pytest.mark.parametrize("wrapped", [True, False], ids=["wrapped", "plain"])
@pytest.mark.parametrize("size", [4, 1000])
def test_secrets_in_frames_of_aws_are_replaced_and_their_frames_stay_true(
    wrapped: bool, size: int
) -> None:
    secret = KINDS[6].texts[0]
    text = f"It is {secret} ok"
    deltas = [{"type": "d", "text": text[at : at + size]} for at in range(0, len(text), size)]
    payloads = [json.dumps(delta).encode() for delta in deltas]
    if wrapped:
        payloads = [b'{"bytes":"%s"}' % base64.b64encode(each) for each in payloads]
    body = b"".join(encode_message({":event-type": "chunk"}, each) for each in payloads)
    before = interaction(answer=body, answer_headers=BEDROCK)
    after = REDACTOR.interaction(before).response

    assert after is not None
    messages = list(EventStreamDecoder().feed(after.body))  # it checks the sums
    events = [json.loads(message.payload) for message in messages]
    if wrapped:
        events = [json.loads(base64.b64decode(event["bytes"])) for event in events]
    assert "".join(event["text"] for event in events) == (
        "It is REDACTED-1" + "-" * (len(secret) - 10) + " ok"
    )
    assert list(REDACTOR.scan(dump_interaction(replace(before, response=after)))) == []
    assert list(REDACTOR.scan(dump_interaction(before))) != []


def test_a_secret_has_one_number_however_it_is_spelled() -> None:
    key = KINDS[15].texts[0]
    before = interaction(
        headers={"authorization": (f"Bearer {key}",)},
        url="https://api.test/?q=" + "".join(f"%{byte:02X}" for byte in key.encode()),
        body=json.dumps({"a": key.replace("/", "\\/"), "b": json.dumps({"c": key})}).encode(),
        answer=sse("x ", key[:7], key[7:21], key[21:], " y"),
        answer_headers=STREAM,
    )
    redacted = REDACTOR.redacted(before)

    assert {each.placeholder[:10] for each in redacted.replaced} == {"REDACTED-1"}
    assert len(redacted.replaced) == 5


@given(shift=st.integers(0, 7), tail=st.integers(0, 5), url_safe=st.booleans())
def test_a_known_value_is_found_in_base64_at_every_alignment(
    shift: int, tail: int, url_safe: bool
) -> None:
    key = KINDS[11].texts[1]
    encode = base64.urlsafe_b64encode if url_safe else base64.b64encode
    # What stands before keeps the letters from being decoded from where they begin.
    letters = b"!" + b"A" * (shift % 4) + encode(b"\xff" * shift + key.encode() + b"\xfe" * tail)
    before = interaction(headers={"x-api-key": (key,)}, answer=letters)
    after = REDACTOR.interaction(before).response

    assert after is not None
    assert leaks(key, after.body) == set()


def test_a_body_that_was_cut_keeps_no_beginning_of_a_known_secret() -> None:
    key = KINDS[30].texts[0]
    for end in range(12, len(key)):
        before = interaction(
            headers={"api-key": (key,)}, answer=b'data: {"error": "no ' + key[:end].encode()
        )
        after = REDACTOR.interaction(before).response

        assert after is not None
        assert leaks(key, after.body) == set()


# The environment.


@pytest.mark.parametrize(
    "name",
    ["OPENAI_API_KEY", "GITHUB_TOKEN", "DB_PASSWORD", "SECRET", "AWS_SECRET_ACCESS_KEY", "X_API_KEY_2", "apikey", "HF_TOKEN_OLD", "DB_PWD", "STRIPE_SECRET_KEY_TEST", "GCP_CREDENTIALS", "JWT"],
)  # fmt: skip
def test_variables_that_say_so_are_secrets(name: str) -> None:
    assert secret_variables({name: "correct-horse-battery"}) == {name: "correct-horse-battery"}


@pytest.mark.parametrize(
    "name",
    ["PWD", "OLDPWD", "HOME", "PATH", "MAX_TOKENS", "TOKENIZERS_PARALLELISM", "KEYBOARD", "MONKEY_ISLAND", "GPG_KEY", "SSH_PUBLIC_KEY", "SSH_AUTH_SOCK", "SECRET_NAME", "TOKEN_URL", "PASSWORD_FILE", "KEY_PATH", "XAUTHORITY"],
)  # fmt: skip
def test_other_variables_are_none(name: str) -> None:
    assert secret_variables({name: "correct-horse-battery"}) == {}


@pytest.mark.parametrize(
    "value",
    ["", "dummy", "test", "postgres", "changeme", "true", "12345678901234567890", "/run/secrets/key", "~/.ssh/id_rsa", "https://login.test/oauth/token", "xxxxxxxxxxxxxxxxxxxxxxxx", "REDACTED-1", "C:\\Users\\me\\key.json", "********************"],
)  # fmt: skip
def test_values_that_may_stand_anywhere_are_none(value: str) -> None:
    assert secret_variables({"ACME_API_KEY": value}) == {}


@pytest.mark.parametrize(
    "value", ["Tr0ub4dor", "correct-horse-battery", "postgres://me:pw@host/db"]
)
def test_values_that_are_long_or_mixed_are_secrets(value: str) -> None:
    assert secret_variables({"ACME_PASSWORD": value}) == {"ACME_PASSWORD": value}


def test_the_report_names_the_variable_and_never_the_value() -> None:
    value = "correct-horse-battery"
    redacted = REDACTOR.knowing({"ACME_KEY": value}).redacted(interaction(answer=value.encode()))

    assert [each.kind for each in redacted.replaced] == ["value of ACME_KEY"]
    assert value not in repr(redacted)
    assert REDACTOR.knowing({}) is REDACTOR


def test_many_known_values_are_found_as_few_are() -> None:
    values = {f"V{number}_TOKEN": f"value-{number:06}-abcdefgh" for number in range(200)}
    text = " ".join(
        [*values.values(), base64.b64encode(b"x" + values["V7_TOKEN"].encode()).decode()]
    )
    few, many = REDACTOR.knowing({"V7_TOKEN": values["V7_TOKEN"]}), REDACTOR.knowing(values)

    assert [it.kind for it in few.scan(text.encode())] == ["value of V7_TOKEN"] * 2
    found = [it.kind for it in many.scan(text.encode())]
    assert found == [f"value of {name}" for name in values] + ["value of V7_TOKEN"]


# A gzip body.


def test_a_compressed_request_without_a_secret_stays_as_it_is() -> None:
    coded = {"content-encoding": ("gzip",), **JSON}
    body = zlib.compress(b'{"a": 1}', wbits=31)
    request = interaction(headers=coded, body=body).request

    assert REDACTOR.request(request) == request


@pytest.mark.parametrize("wbits", [31, 15], ids=["gzip", "deflate"])
def test_a_compressed_request_with_a_secret_is_kept_as_what_it_holds(wbits: int) -> None:
    coding = "gzip" if wbits == 31 else "deflate"
    coded = {"content-encoding": (coding,), "content-length": ("77",), **JSON}
    body = zlib.compress(b'{"password": "pw", "a": 1}', wbits=wbits)
    request = REDACTOR.request(interaction(headers=coded, body=body).request)

    assert request.body == b'{"password": "REDACTED-1", "a": 1}'
    assert request.headers == JSON
