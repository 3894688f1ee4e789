"""Credentials that others hand out: signatures of AWS, tokens of Google's, and who waits for them."""

from __future__ import annotations

import asyncio
import datetime as dt
import hashlib
import hmac
import json
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote, urlsplit

import google.auth
import pytest
from botocore import exceptions as of_botocore
from botocore.session import Session
from google.auth import exceptions as of_google
from hypothesis import given
from hypothesis import strategies as st
from support import PROJECT

from cassette_stream import LoopbackServer, use_cassette
from cassette_stream.cassette.model import Request
from cassette_stream.chunks import stream_chunk_builder
from cassette_stream.client import acompletion, bedrock, completion, providers, vertex
from cassette_stream.client.access import Vault
from cassette_stream.client.provider_table import Provider
from cassette_stream.exceptions import (
    APIConnectionError,
    APIError,
    AuthenticationError,
    BadRequestError,
    PermissionDeniedError,
    Timeout,
    UnguardedConnectionError,
)
from cassette_stream.script import Emit, Head, Script, Wait

SECRET, ID, TOKEN = "wJalr-never-shown", "AKIDNEVERSHOWN", "session-never-shown"
MESSAGES = [{"role": "user", "content": "Count from 1 to 3"}]
COUNTED = "1, 2, 3."
THEN = dt.datetime(2026, 11, 26, 9, 30, tzinfo=dt.UTC)
# The signature is no dialect's matter.
SIGNED = Provider(name="signed", needs_key=False, access=bedrock.signature, bases=("SIGNED_BASE",))
KEYS = {"AWS_ACCESS_KEY_ID": ID, "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_SESSION_TOKEN": TOKEN}


@pytest.fixture(autouse=True)
def nobody_is_known(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in (*KEYS, "AWS_PROFILE", "AWS_DEFAULT_REGION", "GOOGLE_CLOUD_PROJECT"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "CLOUDSDK_CONFIG", "HOME"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_REGION", "eu-north-1")
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    monkeypatch.setenv("VERTEXAI_PROJECT", "mine")
    monkeypatch.setenv("VERTEXAI_LOCATION", "global")
    monkeypatch.setattr(providers, "_registered", {"signed": SIGNED})
    monkeypatch.setattr(bedrock, "_vault", Vault("AWS_", "HOME"))
    monkeypatch.setattr(vertex, "_vault", Vault("GOOGLE_", "HOME"))


@pytest.fixture
def aws_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def server() -> Iterator[LoopbackServer]:
    with LoopbackServer() as running:
        yield running


def expected(url: str, headers: Mapping[str, str], body: bytes) -> str:
    """The signature, by AWS's description of it and nobody's code."""
    named = headers["authorization"].partition("SignedHeaders=")[2].partition(",")[0]
    scope = headers["authorization"].partition(f"Credential={ID}/")[2].partition(",")[0]
    lines = [f"{name}:{' '.join(headers[name].split())}" for name in named.split(";")]
    path = quote(urlsplit(url).path, safe="/~-._")
    asked = "\n".join(
        ["POST", path, "", *lines, "", named, hashlib.sha256(body).hexdigest()]
    ).encode()
    text = (
        f"AWS4-HMAC-SHA256\n{headers['x-amz-date']}\n{scope}\n{hashlib.sha256(asked).hexdigest()}"
    )
    key = f"AWS4{SECRET}".encode()
    for part in (*scope.split("/"), text):
        key = hmac.digest(key, part.encode(), "sha256")
    return key.hex()


def is_signed(request: Request) -> bool:
    headers = {name: values[0] for name, values in request.headers.items()}
    said = headers.get("authorization", "").partition("Signature=")[2]
    return bool(said) and said == expected(request.url, headers, request.body)


def ask(server: LoopbackServer, model: str = "signed/m", **more: Any) -> str:
    base = f"{server.url}/v1" if model.startswith("signed") else server.url
    options = {"api_base": base, "num_retries": 0, "stream": True} | more
    return "".join(
        it.choices[0].delta.content or "" for it in completion(model, MESSAGES, **options)
    )


async def aask(server: LoopbackServer, model: str = "signed/m", **more: Any) -> str:
    base = f"{server.url}/v1" if model.startswith("signed") else server.url
    options = {"api_base": base, "num_retries": 0, "stream": True} | more
    chunks = await acompletion(model, MESSAGES, **options)
    return "".join([it.choices[0].delta.content or "" async for it in chunks])


def refused(server: LoopbackServer, kind: type[Exception], model: str, **more: Any) -> Any:
    """The error of both ways, of which nothing was sent to the model."""
    with pytest.raises(kind) as raised:
        ask(server, model, **more)
    with pytest.raises(kind) as araised:
        asyncio.run(aask(server, model, **more))

    assert str(raised.value) == str(araised.value)
    assert not [it for it in server.requests if "chat/completions" in it.url or ":stream" in it.url]
    return raised.value


def hands_out(server: LoopbackServer, **more: Any) -> None:
    """Let *server* hand out AWS credentials as a container's host does."""
    until = dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)
    told = {
        "AccessKeyId": ID,
        "SecretAccessKey": SECRET,
        "Token": TOKEN,
        "Expiration": f"{until:%Y-%m-%dT%H:%M:%SZ}",
    }
    body = json.dumps(told | more).encode()
    server.respond([Head(200, (("content-type", "application/json"),)), Emit(body)], path="/aws")


# Laws


@given(
    path=st.lists(
        st.text("aZ09:%+ é~_-.@", min_size=1).filter(lambda it: it.strip(".")), min_size=1
    ),
    body=st.binary(),
)
def test_whatever_is_sent_is_signed_as_aws_describes_it(path: list[str], body: bytes) -> None:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in KEYS.items():
            patch.setenv(name, value)
        url = "https://bedrock-runtime.eu-north-1.amazonaws.com/" + "/".join(
            quote(part, safe="") for part in path
        )
        sent = {"content-type": "application/json", "host": urlsplit(url).netloc, "accept": "a/b"}
        found = bedrock.Signature("eu-north-1").headers(url, sent, body)

    assert set(found) == {"authorization", "x-amz-date", "x-amz-security-token"}
    assert found["x-amz-security-token"] == TOKEN
    signature = found["authorization"].partition("Signature=")[2]
    assert signature == expected(url, sent | found, body)


# Cases


@pytest.mark.usefixtures("aws_keys")
def test_the_signature_is_the_one_of_boto_for_the_same_request(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import botocore.auth
    from botocore.awsrequest import AWSResponse
    from botocore.exceptions import ClientError
    from botocore.session import Session

    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda: THEN)
    sent: list[Any] = []

    def keep(request: Any, **_: Any) -> AWSResponse:
        sent.append(request)
        return AWSResponse(request.url, 400, {}, SimpleNamespace(stream=lambda: [b"{}"]))

    client = Session().create_client("bedrock-runtime", region_name="eu-north-1")
    client.meta.events.register("before-send.*", keep)
    with pytest.raises(ClientError):
        client.converse(
            modelId="arn:aws:bedrock:eu-north-1:1:inference-profile/eu.m-v1:0",
            messages=[{"role": "user", "content": [{"text": "hi"}]}],
        )
    client.close()
    theirs = {
        name.lower(): value.decode() if isinstance(value, bytes) else value
        for name, value in sent[0].headers.items()
    }
    host = urlsplit(sent[0].url).netloc
    ours = bedrock.Signature("eu-north-1").headers(
        sent[0].url, {"host": host, "content-type": theirs["content-type"]}, sent[0].body
    )

    assert ours == {name: theirs[name] for name in ours}


def test_a_key_that_is_given_signs_and_nobody_is_asked(
    server: LoopbackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", "of the environment")
    given = {name.lower(): value for name, value in KEYS.items()}
    model = "bedrock/m"

    assert ask(server, model, **given) == asyncio.run(aask(server, model, **given)) == COUNTED
    assert [is_signed(it) for it in server.requests] == [True] * 2
    assert [it.headers["x-amz-security-token"] for it in server.requests] == [(TOKEN,)] * 2
    # It is this call's, and no other's.
    assert "AWS credentials, and none were found" in str(
        refused(server, AuthenticationError, "signed/m")
    )
    sent = json.loads(server.requests[0].body)
    assert not sent.keys() & {*given, "additionalModelRequestFields"}


def test_a_profile_that_is_given_signs_and_says_the_region(
    server: LoopbackServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "credentials"
    other = "AKIDOTHER"
    file.write_text(
        f"[a]\naws_access_key_id = {ID}\naws_secret_access_key = {SECRET}\nregion = sa-east-1\n"
        f"[b]\naws_access_key_id = {other}\naws_secret_access_key = {SECRET}\nregion = ca-west-1\n"
    )
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
    monkeypatch.delenv("AWS_REGION")
    for profile in ("a", "b", "a"):
        assert ask(server, "bedrock/m", aws_profile_name=profile) == COUNTED

    scopes = [it.headers["authorization"][0].split("/") for it in server.requests]
    assert [(it[0].rpartition("=")[2], it[2]) for it in scopes] == [
        (ID, "sa-east-1"),
        (other, "ca-west-1"),
        (ID, "sa-east-1"),
    ]
    assert is_signed(server.requests[0])
    error = refused(server, BadRequestError, "bedrock/m", aws_profile_name="c")
    assert "(c) could not be found" in str(error)


@pytest.mark.usefixtures("aws_keys")
def test_each_attempt_is_signed_anew_and_arrives_as_it_was_signed(server: LoopbackServer) -> None:
    answers = iter([[Head(503, (("retry-after-ms", "1"),))], None] * 2)

    def once(_: Request) -> Script | None:
        steps = next(answers)
        return None if steps is None else iter(steps)

    server.script("/v1/chat/completions", once)

    assert ask(server, num_retries=1) == asyncio.run(aask(server, num_retries=1)) == COUNTED
    assert [is_signed(it) for it in server.requests] == [True] * 4
    altered = replace(server.requests[0], body=server.requests[0].body + b" ")
    assert not is_signed(altered)


def test_without_credentials_it_is_said_what_to_set(server: LoopbackServer) -> None:
    error = refused(server, AuthenticationError, "signed/m")

    assert "AWS_BEARER_TOKEN_BEDROCK, or AWS_ACCESS_KEY_ID" in str(error)
    assert (error.status_code, error.llm_provider, error.model) == (401, "signed", "m")


@pytest.mark.parametrize(
    ("model", "module", "extra"),
    [("signed/m", "botocore", "bedrock"), ("vertex_ai/g", "google.auth", "vertex")],
)
def test_without_the_extra_it_is_said_how_to_install_it(
    server: LoopbackServer, monkeypatch: pytest.MonkeyPatch, model: str, module: str, extra: str
) -> None:
    for name in [it for it in sys.modules if it == module or it.startswith(f"{module}.")]:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setitem(sys.modules, module, None)
    error = refused(server, AuthenticationError, model)

    assert f"pip install 'cassette-stream[{extra}]'" in str(error)


def test_a_file_of_google_that_is_none_is_no_access(
    server: LoopbackServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "missing.json"))
    error = refused(server, AuthenticationError, "vertex_ai/g")

    assert "gcloud auth application-default login" in str(error)


@pytest.mark.parametrize(
    ("raised", "kind", "text"),
    [
        (of_botocore.ConnectTimeoutError(endpoint_url="u"), Timeout, "no AWS credentials in time"),
        (of_botocore.ReadTimeoutError(endpoint_url="u"), Timeout, "no AWS credentials in time"),
        (of_botocore.EndpointConnectionError(endpoint_url="u"), APIConnectionError, "the way to AWS credentials is broken"),
        (of_botocore.SSLError(endpoint_url="u", error="e"), APIConnectionError, "the way to AWS credentials is broken"),
        (of_botocore.ProfileNotFound(profile=SECRET), AuthenticationError, "there are no AWS credentials: ProfileNotFound"),
        (of_botocore.ClientError({"Error": {"Message": SECRET}}, "AssumeRole"), AuthenticationError, "there are no AWS credentials: ClientError"),
        (RuntimeError(SECRET), AuthenticationError, "there are no AWS credentials: RuntimeError"),
    ],
    ids=lambda it: type(it).__name__ if isinstance(it, Exception) else "",
)  # fmt: skip
def test_why_there_are_no_credentials_of_aws_has_a_class(
    server: LoopbackServer,
    monkeypatch: pytest.MonkeyPatch,
    raised: Exception,
    kind: type[APIError],
    text: str,
) -> None:
    def fail(_: Session) -> None:
        raise raised

    monkeypatch.setattr(Session, "get_credentials", fail)
    error = refused(server, kind, "signed/m")

    assert type(error) is kind
    assert str(error).startswith(text)
    assert SECRET not in str(error)
    assert error.__cause__ is raised
    assert getattr(error, "phase", "headers") == "headers"


def test_a_way_to_tokens_that_is_broken_is_told_as_one(
    server: LoopbackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = of_google.TransportError("it broke")

    class Broken:
        valid = False

        def refresh(self, _: object) -> None:
            raise broken

    monkeypatch.setattr(google.auth, "default", lambda **_: (Broken(), "p"))
    error = refused(server, APIConnectionError, "vertex_ai/g")

    assert str(error) == "the way to a token is broken: it broke"
    assert error.__cause__ is broken


def test_a_profile_that_is_not_there_says_no_region(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "elsewhere")
    with pytest.raises(ValueError, match="the AWS profile does not say the region: .*elsewhere"):
        bedrock.origin("m", {})
    with pytest.raises(ValueError, match="the AWS profile does not say the region: .*elsewhere"):
        bedrock.signature("https://proxy.test", "m", {})


def test_a_signature_without_a_region_says_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [it for it in sys.modules if it.partition(".")[0] == "botocore"]:
        monkeypatch.setitem(sys.modules, name, None)  # nor is there a profile then
    with pytest.raises(ValueError, match="needs the region, which https://proxy.test does not say"):
        bedrock.signature("https://proxy.test", "m", {})


def test_what_is_held_is_held_for_each_environment_and_for_a_few(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    vault = Vault("OURS_")
    held = []
    for number in range(9):
        monkeypatch.setenv("OURS_KEY", str(number))
        held.append(vault.here())
        assert vault.here() is held[-1]

    assert len(set(map(id, held))) == 9
    monkeypatch.setenv("OURS_KEY", "1")
    assert vault.here() is held[1]
    monkeypatch.setenv("OURS_KEY", "0")
    assert vault.here() is not held[0]


def test_credentials_that_are_handed_out_are_asked_for_once_by_twenty_threads(
    server: LoopbackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    hands_out(server)
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{server.url}/aws")
    with ThreadPoolExecutor(20) as pool:
        texts = set(pool.map(lambda _: ask(server), range(20)))

    asked = [it for it in server.requests if it.url.endswith("/aws")]
    assert (texts, len(asked)) == ({COUNTED}, 1)
    assert all(is_signed(it) for it in server.requests if it not in asked)


@pytest.fixture
def account(server: LoopbackServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A service account of Google's whose tokens are handed out by *server*."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(65537, 2048).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    account = {"type": "service_account", "project_id": "p", "private_key_id": "1", "private_key": key.decode(), "client_email": "me@p.test", "token_uri": f"{server.url}/token"}  # fmt: skip
    file = tmp_path / "account.json"
    file.write_text(json.dumps(account))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(file))


def tokens(server: LoopbackServer, status: int = 200, **told: Any) -> None:
    body = json.dumps(told).encode()
    server.respond(
        [Head(status, (("content-type", "application/json"),)), Emit(body)], path="/token"
    )


@pytest.mark.usefixtures("account")
def test_a_token_of_google_is_asked_for_once_and_again_when_it_expires(
    server: LoopbackServer,
) -> None:
    tokens(server, access_token="first", expires_in=3600, token_type="Bearer")
    with ThreadPoolExecutor(20) as pool:
        assert set(pool.map(lambda _: ask(server, "vertex_ai/g"), range(20))) == {COUNTED}
    asked = [it for it in server.requests if it.url.endswith("/token")]
    said = {it.headers["authorization"][0] for it in server.requests if it not in asked}
    assert (len(asked), said) == (1, {"Bearer first"})

    tokens(server, access_token="second", expires_in=3600, token_type="Bearer")
    vertex._vault.here().credentials.expiry = dt.datetime(2020, 1, 1)
    assert asyncio.run(aask(server, "vertex_ai/g")) == COUNTED
    assert server.requests[-1].headers["authorization"][0] == "Bearer second"
    assert "/v1/projects/mine/locations/global/publishers/google/" in server.requests[-1].url
    access = providers.resolve("vertex_ai/g").access
    assert access is not None
    assert access.secrets() == ("second",)


@pytest.mark.usefixtures("account")
def test_a_token_that_is_refused_is_no_access_and_the_answer_is_not_shown(
    server: LoopbackServer,
) -> None:
    tokens(server, 400, error="invalid_grant", id_token=SECRET)
    error = refused(server, AuthenticationError, "vertex_ai/g")

    assert str(error) == "there is no token: RefreshError"
    assert error.__cause__ is not None


@pytest.mark.usefixtures("account")
def test_who_waits_for_a_token_waits_no_longer_than_in_all(server: LoopbackServer) -> None:
    server.script("/token", lambda _: iter([Wait(60)]))
    error = refused(server, Timeout, "vertex_ai/g", total_timeout=0.05)

    assert error.phase == "total"
    assert str(error).startswith(f"there were no credentials for {server.url}")
    assert str(error).endswith("after 0.05 s")


class Slow:
    """Access that notes who asks."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.asked_by: list[int] = []

    def is_fresh(self) -> bool:
        return False

    def refresh(self) -> None:
        self.asked_by.append(threading.get_ident())
        if self.error is not None:
            raise self.error

    def headers(self, url: str, headers: Mapping[str, str], body: bytes) -> dict[str, str]:
        return {"authorization": "Bearer slow"}

    def secrets(self) -> tuple[str, ...]:
        return ("slow",)


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Slow:
    access = Slow()
    monkeypatch.setitem(providers._registered, "signed", replace(SIGNED, access=lambda *_: access))
    return access


def test_the_event_loop_goes_on_while_credentials_are_asked_for(
    server: LoopbackServer, slow: Slow
) -> None:
    assert asyncio.run(aask(server)) == COUNTED
    assert slow.asked_by != [threading.get_ident()]
    assert ask(server, timeout=None) == COUNTED
    assert slow.asked_by[1] == threading.get_ident()


def test_what_stops_the_asking_is_the_callers_to_see(server: LoopbackServer, slow: Slow) -> None:
    slow.error = APIConnectionError("the way to a token is broken")
    error = refused(server, APIConnectionError, "signed/m")
    assert (error.llm_provider, error.model, error.max_retries) == ("signed", "m", 0)

    slow.error = ZeroDivisionError("a bug")
    refused(server, ZeroDivisionError, "signed/m")


def test_an_authorization_of_the_callers_own_needs_no_other(
    server: LoopbackServer, slow: Slow
) -> None:
    assert ask(server, extra_headers={"Authorization": "Bearer mine"}) == COUNTED
    assert (slow.asked_by, server.requests[0].headers["authorization"]) == ([], ("Bearer mine",))


def test_an_open_cassette_that_refuses_the_connection_says_so_itself(
    server: LoopbackServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", "https://hands-out.test/aws")
    with use_cassette(tmp_path / "c.yaml"), pytest.raises(UnguardedConnectionError) as raised:
        ask(server)

    assert "hands-out.test" in str(raised.value)
    assert any("name that host in ignore_hosts" in note for note in raised.value.__notes__)


@pytest.mark.parametrize(
    ("base", "environ", "region"),
    [
        ("https://bedrock-runtime.us-west-2.amazonaws.com", {"AWS_REGION": "eu-north-1"}, "us-west-2"),
        ("https://proxy.test", {"AWS_REGION": "eu-north-1", "AWS_DEFAULT_REGION": "us-east-1"}, "eu-north-1"),
        ("https://proxy.test", {"AWS_DEFAULT_REGION": "us-east-1"}, "us-east-1"),
    ],
)  # fmt: skip
def test_the_region_is_the_hosts_or_the_environments(
    base: str, environ: dict[str, str], region: str
) -> None:
    assert bedrock.signature(base, "m", environ)._region == region
    arn = "arn:aws:bedrock:ap-south-1:123:inference-profile/apac.m"
    assert bedrock.origin(arn, environ) == "https://bedrock-runtime.ap-south-1.amazonaws.com"


def test_a_profile_says_the_region_and_nobody_a_wrong_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("AWS_REGION")
    with pytest.raises(ValueError, match="bedrock wants to know the region; give aws_region"):
        bedrock.origin("m", {})
    with pytest.raises(
        ValueError, match="AWS_REGION is no region such as 'us-east-1': 'evil.test/'"
    ):
        bedrock.origin("m", {"AWS_REGION": "evil.test/"})
    file = tmp_path / "config"
    file.write_text("[default]\nregion = sa-east-1\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(file))

    assert bedrock.origin("m", {}) == "https://bedrock-runtime.sa-east-1.amazonaws.com"


# Walks

AWS_MODEL = "eu.anthropic.m-v1:0"
WALKS: dict[str, tuple[str, str | None]] = {
    "cohere": ("cohere/m", SECRET),
    "ollama": ("ollama/m", SECRET),
    "converse with a token": (f"bedrock/{AWS_MODEL}", SECRET),
    "converse, signed": (f"bedrock/{AWS_MODEL}", None),
    "invoke with a token": (f"bedrock/invoke/{AWS_MODEL}", SECRET),
    "invoke, signed": (f"bedrock/invoke/{AWS_MODEL}", None),
    "vertex with a token": ("vertex_ai/g", SECRET),
}
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {"type": "object", "properties": {"location": {"type": "string"}}},
    },
}


def answers(server: LoopbackServer, model: str, key: str | None) -> list[dict[str, Any]]:
    """What is said to a text and to a tool, streamed and whole, in both kinds of code."""
    said = []
    for more in (
        {"messages": MESSAGES, "reasoning_effort": "low"},
        {"messages": [{"role": "user", "content": "Weather in Paris?"}], "tools": [WEATHER]},
    ):
        asked: dict[str, Any] = {
            "model": model,
            "api_base": server.url,
            "api_key": key,
            "num_retries": 0,
            **more,
        }

        async def both(asked: dict[str, Any] = asked) -> list[Any]:
            stream = await acompletion(**asked, stream=True)
            chunks = [chunk async for chunk in stream]
            return [stream_chunk_builder(chunks), await acompletion(**asked)]

        streamed = stream_chunk_builder(completion(**asked, stream=True))
        for answer in (streamed, completion(**asked), *asyncio.run(both())):
            assert answer is not None
            [choice] = answer.choices
            said.append(choice.model_dump())
    return said


@pytest.mark.parametrize(("model", "key"), WALKS.values(), ids=WALKS)
def test_what_a_provider_says_is_recorded_without_secrets_and_replayed_without_access(
    server: LoopbackServer,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    model: str,
    key: str | None,
) -> None:
    if key is None:
        for name, value in KEYS.items():
            monkeypatch.setenv(name, value)
    file = tmp_path / "walk.yaml"
    with use_cassette(file):
        live = answers(server, model, key)
    requests = server.requests
    sent = [it.headers["authorization"][0] for it in requests]
    signatures = [it.rpartition("Signature=")[2] for it in sent]
    text = file.read_text()

    assert {(it["message"]["content"], it["finish_reason"]) for it in live[:4]} == {
        (COUNTED, "stop")
    }
    [thought] = {it["message"]["reasoning_content"] for it in live[:4]}
    assert thought.startswith("The user wants")
    calls = [call["function"] for it in live[4:] for call in it["message"]["tool_calls"]]
    assert calls == [{"name": "get_weather", "arguments": '{"location": "Paris"}'}] * 4
    assert {it["finish_reason"] for it in live[4:]} == {"tool_calls"}
    assert len(requests) == 8
    assert sent == [f"Bearer {key}"] * 8 if key else all(map(is_signed, requests))
    assert [it for it in (*signatures, SECRET, ID, TOKEN) if it in text] == []

    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "dummy")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "dummy")
    monkeypatch.delenv("AWS_SESSION_TOKEN", raising=False)
    for dummy in ["dummy"] if key else ["dummy", None]:
        with use_cassette(file, mode="none"):
            assert answers(server, model, dummy) == live
    assert server.requests == requests


@pytest.mark.usefixtures("aws_keys")
def test_a_signed_call_is_recorded_without_its_secrets_and_replayed_with_others(
    server: LoopbackServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "signed.yaml"
    with use_cassette(file):
        assert ask(server) == COUNTED
    text = file.read_text()
    signature = server.requests[0].headers["authorization"][0].partition("Signature=")[2]
    assert len(signature) == 64
    assert not [secret for secret in (signature, SECRET, ID, TOKEN) if secret in text]

    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "dummy")
    monkeypatch.delenv("AWS_SESSION_TOKEN")
    with use_cassette(file, mode="none") as session:
        assert ask(server) == COUNTED
        session.rewind()
        assert asyncio.run(aask(server)) == COUNTED
    assert len(server.requests) == 1


@pytest.mark.usefixtures("aws_keys")
def test_a_refusal_that_quotes_a_signed_request_is_recorded_without_its_secrets(
    server: LoopbackServer, tmp_path: Path
) -> None:
    def quote(request: Request) -> Script:
        said = "\n".join(f"{name}:{values[0]}" for name, values in request.headers.items())
        return iter([Head(403), Emit(json.dumps({"message": said}).encode())])

    server.script(f"/model/{AWS_MODEL.replace(':', '%3A')}/converse-stream", quote)
    file = tmp_path / "refused.yaml"
    with use_cassette(file), pytest.raises(PermissionDeniedError):
        ask(server, f"bedrock/{AWS_MODEL}")
    [signed] = server.requests[0].headers["authorization"]
    text = file.read_text()

    assert "x-amz-security-token:REDACTED" in text
    assert [it for it in (ID, TOKEN, signed.rpartition("=")[2]) if it in text] == []


@pytest.mark.usefixtures("aws_keys")
def test_no_text_of_an_endpoint_or_an_error_holds_a_secret(server: LoopbackServer) -> None:
    endpoint = providers.resolve("signed/m", api_base=server.url)
    server.respond([Head(403)])
    with pytest.raises(APIError) as raised:
        ask(server)

    for text in (repr(endpoint), repr(endpoint.access), str(raised.value), repr(raised.value)):
        assert not [secret for secret in (SECRET, ID, TOKEN) if secret in text]


def test_nothing_is_imported_for_credentials_before_they_are_asked_for() -> None:
    program = (
        "import sys, cassette_stream.client as c\n"
        "c.resolve('vertex_ai/g', environ={'VERTEXAI_PROJECT': 'p', 'VERTEXAI_LOCATION': 'us'})\n"
        "print(sorted({'botocore', 'google.auth', 'requests'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        timeout=30,
        cwd=PROJECT,
        check=False,
    )

    assert done.stdout.strip() == "[]", done.stderr
