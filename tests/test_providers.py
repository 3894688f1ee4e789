"""Where a model is: whose its name says it is, the address, the credentials, the dialect."""

from __future__ import annotations

import copy
import os
import pickle
import pprint
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cassette_stream.client import providers
from cassette_stream.client.credentials import Hidden
from cassette_stream.client.provider_table import BARE_NAMES
from cassette_stream.client.providers import (
    PROVIDERS,
    Endpoint,
    Provider,
    register_provider,
    resolve,
)
from cassette_stream.dialects import (
    anthropic,
    bedrock_converse,
    bedrock_invoke,
    gemini,
    openai_chat,
    openai_responses,
)
from cassette_stream.dialects.call import Call
from cassette_stream.exceptions import AuthenticationError, BadRequestError

KEY = "sk-4f1c-never-shown"
ELSEWHERE = "https://elsewhere.test/v1"
AZURE = {"AZURE_API_BASE": "https://me.openai.azure.com", "AZURE_API_VERSION": "2024-10-21"}

VERTEX = {"VERTEXAI_PROJECT": "mine", "VERTEXAI_LOCATION": "europe-west4"}
SITES = {"vertex_ai": VERTEX, "bedrock": {"AWS_REGION": "eu-north-1"}}

rows = pytest.mark.parametrize("row", PROVIDERS.values(), ids=list(PROVIDERS))
variables = pytest.mark.parametrize(
    ("row", "variable"),
    [(row, variable) for row in PROVIDERS.values() for variable in row.keys + row.tokens],
    ids=[variable for row in PROVIDERS.values() for variable in row.keys + row.tokens],
)


@pytest.fixture(autouse=True)
def nothing_registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(providers, "_registered", {})


def surroundings(row: Provider, **more: str) -> dict[str, str]:
    """An environment that has all that *row* asks for, but for a key."""
    base = {} if row.base or row.origin else {row.bases[0]: ELSEWHERE}
    version = {row.version[1]: "2024-10-21"} if row.version else {}
    return {**base, **version, **SITES.get(row.name, {}), **more}


def on_the_wire(endpoint: Endpoint) -> httpx.Request:
    """What a client would send."""
    call = Call(model=endpoint.model, messages=[{"role": "user", "content": "hi"}], stream=True)
    asked = endpoint.dialect.request(endpoint.adapt(call))
    headers = {**asked.headers, **endpoint.headers}
    return httpx.Request("POST", endpoint.url(asked.path), headers=headers, content=asked.body)


def texts_of(endpoint: Endpoint) -> Iterator[str]:
    values = [getattr(endpoint, name) for name in endpoint.__slots__]
    for thing in (endpoint, values, endpoint.headers, endpoint.query):
        yield from (repr(thing), str(thing), f"{thing}", pprint.pformat(thing))


def outcome(model: str, base: str | None, environ: dict[str, str]) -> Endpoint | BadRequestError:
    try:
        return resolve(model, api_base=base, environ=environ)
    except BadRequestError as error:
        return error


# Laws


@rows
def test_every_row_makes_a_request_that_http_can_carry(row: Provider) -> None:
    sent = on_the_wire(resolve(f"{row.name}/m", api_key=KEY, environ=surroundings(row)))

    assert sent.method == "POST"
    assert sent.url.is_absolute_url
    assert "//" not in sent.url.path
    assert [value for value in sent.headers.values() if KEY in value] == [
        f"Bearer {KEY}" if row.key_header == "authorization" else KEY
    ]


@variables
def test_every_variable_of_a_key_is_found_and_sent(row: Provider, variable: str) -> None:
    sent = on_the_wire(resolve(f"{row.name}/m", environ=surroundings(row, **{variable: KEY})))

    bearer = variable in row.tokens or row.key_header == "authorization"
    header = "authorization" if bearer else row.key_header
    assert sent.headers[header] == (f"Bearer {KEY}" if bearer else KEY)


@rows
def test_the_first_variable_that_is_set_has_the_key_and_an_argument_beats_them(
    row: Provider,
) -> None:
    names = row.keys + row.tokens
    environ = surroundings(row, **{name: f"key-{at}" for at, name in enumerate(names)})

    for at, name in enumerate(names):
        values = resolve(f"{row.name}/m", environ=environ).headers.values()
        assert any(value.endswith(f"key-{at}") for value in values)
        environ[name] = ""
    others = dict.fromkeys(names, "other")
    given = resolve(f"{row.name}/m", api_key=KEY, environ={**environ, **others})
    assert any(value.endswith(KEY) for value in given.headers.values())


@rows
def test_the_first_variable_that_is_set_has_the_base_and_an_argument_beats_them(
    row: Provider,
) -> None:
    environ = surroundings(row, **{name: f"https://{name[-4:]}.test" for name in row.bases})

    for name in row.bases:
        assert resolve(f"{row.name}/m", api_key=KEY, environ=environ).base.startswith(environ[name])
        environ[name] = ""
    environ[row.bases[0]] = ELSEWHERE
    given = resolve(f"{row.name}/m", api_key=KEY, api_base="http://127.0.0.1:9", environ=environ)
    assert given.base.startswith("http://127.0.0.1:9")


@rows
def test_without_a_key_nothing_is_sent_and_every_variable_is_named(row: Provider) -> None:
    if not row.needs_key:
        endpoint = resolve(f"{row.name}/m", environ=surroundings(row))

        assert dict(endpoint.headers) == {}
        return
    with pytest.raises(AuthenticationError, match="give api_key, or set") as raised:
        resolve(f"{row.name}/m", environ=surroundings(row))

    assert raised.value.status_code == 401
    assert (raised.value.llm_provider, raised.value.model) == (row.name, "m")
    assert all(name in str(raised.value) for name in row.keys + row.tokens)


@rows
def test_a_row_without_an_address_asks_for_one_and_names_its_variables(row: Provider) -> None:
    if row.base is not None:
        assert resolve(f"{row.name}/m", api_key=KEY, environ={}).base.startswith(row.base)
        return
    if row.origin is not None:
        environ = SITES[row.name]
        expected = row.origin("m", environ)
        assert resolve(f"{row.name}/m", api_key=KEY, environ=environ).base.startswith(expected)
        return
    with pytest.raises(BadRequestError, match="has no address of its own; give api_base") as raised:
        resolve(f"{row.name}/m", api_key=KEY, environ={})

    assert all(name in str(raised.value) for name in row.bases)


@variables
def test_a_key_is_in_no_text_of_an_endpoint(row: Provider, variable: str) -> None:
    environ = surroundings(row, **{variable: KEY})
    endpoint = resolve(f"{row.name}/m", environ=environ)
    here = resolve(f"{row.name}/m", api_base=f"{ELSEWHERE}?key={KEY}", environ=environ)

    assert not [text for text in (*texts_of(endpoint), *texts_of(here)) if KEY in text]
    assert here.query["key"] == KEY


@pytest.mark.parametrize("bad", ["\n", "\r\nx-other: 1", " ", "é", "\x00", "\x7f", "\ud800"])
@rows
def test_a_key_that_no_header_can_hold_is_refused_and_in_no_text(row: Provider, bad: str) -> None:
    """The HTTP library would refuse it too, and quote it."""
    variables = (row.keys + row.tokens)[:1]
    environ = surroundings(row, **dict.fromkeys(variables, KEY + bad))
    for source in ({"api_key": KEY + bad}, *({"environ": environ} for _ in variables)):
        with pytest.raises(AuthenticationError, match=f"position {len(KEY) + 1} of") as raised:
            resolve(f"{row.name}/m", **{"environ": surroundings(row), **source})

        told = "".join(traceback.format_exception(raised.value)) + repr(vars(raised.value))
        assert KEY not in told
        assert str(raised.value).startswith("api_key" if "api_key" in source else variables[0])


ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=30)


@given(
    model=ANY_TEXT | ANY_TEXT.map("azure/{}".format),
    base=st.none() | ANY_TEXT | ANY_TEXT.map("https://a.test{}".format),
)
def test_whatever_is_asked_there_is_an_endpoint_or_an_error_of_ours(
    model: str, base: str | None
) -> None:
    keys = {name: KEY for row in PROVIDERS.values() for name in row.keys}
    found = outcome(model, base, {**keys, **AZURE})

    if isinstance(found, BadRequestError):
        assert KEY not in str(found)
        assert found.status_code == 400
    else:
        assert found.model
        assert found.provider in PROVIDERS
        assert found.url("/chat/completions").startswith(f"{found.base}/chat/completions")


@given(
    host=st.from_regex(r"[a-z0-9.-]{0,12}", fullmatch=True), path=st.text("/.%2eEv1", max_size=9)
)
def test_an_address_that_only_resembles_a_providers_gets_no_key(host: str, path: str) -> None:
    for near in (
        f"https://{host}api.groq.com/openai/v1",
        f"https://api.groq.com{host}/openai/v1",
        f"https://{host}/https://api.groq.com/openai/v1",
        f"https://{host}?https://api.groq.com/openai/v1",
        f"https://api.groq.com/openai/{path}",
    ):
        found = outcome("any-model", near, {"GROQ_API_KEY": KEY})
        if isinstance(found, Endpoint) and found.headers:
            url = httpx.URL(found.url("/chat/completions"))

            assert url.host == "api.groq.com"
            assert url.path.startswith("/openai/v1/")


@given(query=st.dictionaries(st.text(min_size=1), st.text() | st.binary(), min_size=1))
def test_a_query_arrives_as_it_was_given_whatever_path_it_follows(
    query: dict[str, str | bytes],
) -> None:
    own = urlencode(query)
    endpoint = resolve("gpt-4o", api_base=f"{ELSEWHERE}?{own}", api_key=KEY, environ={})

    for path, before in (("/chat/completions", ""), ("/models/m:generate?alt=sse", "alt=sse&")):
        arrived = urlsplit(endpoint.url(path)).query
        assert parse_qsl(arrived, True, errors="surrogateescape") == parse_qsl(
            before + own, True, errors="surrogateescape"
        )


# Cases


@pytest.mark.parametrize(
    ("model", "provider"),
    [
        ("gpt-4", "openai"),
        ("gpt-99", "openai"),
        ("chatgpt-4o-latest", "openai"),
        ("o3", "openai"),
        ("o1-mini", "openai"),
        ("ft:gpt-4o:mine::7", "openai"),
        ("codex-mini-latest", "openai"),
        ("computer-use-preview", "openai"),
        ("claude-opus-9", "anthropic"),
        ("claude-3-5-sonnet-20240620", "anthropic"),
        ("gemini-2.5-flash", "gemini"),
        ("gemma-3-27b-it", "gemini"),
        ("command-a-03-2025", "cohere"),
        ("c4ai-aya-expanse-8b", "cohere"),
        ("mistral-large-latest", "mistral"),
        ("magistral-small", "mistral"),
        ("ministral-8b", "mistral"),
        ("codestral-latest", "mistral"),
        ("pixtral-12b", "mistral"),
        ("devstral-medium", "mistral"),
        ("open-mistral-7b", "mistral"),
        ("open-mixtral-8x7b", "mistral"),
        ("deepseek-chat", "deepseek"),
        ("grok-4", "xai"),
        ("sonar-pro", "perplexity"),
    ],
    ids=str,
)
def test_a_bare_name_goes_by_how_it_begins(model: str, provider: str) -> None:
    endpoint = resolve(model, api_key=KEY, environ={})

    assert (endpoint.provider, endpoint.model) == (provider, model)


@pytest.mark.parametrize(
    ("model", "name", "dialect"),
    [
        ("anthropic.claude-3-5-sonnet-20240620-v1:0", None, bedrock_converse),
        ("us.anthropic.claude-sonnet-4-v1:0", None, bedrock_converse),
        ("apac.amazon.nova-lite-v1:0", None, bedrock_converse),
        ("mistral.mistral-large-2402-v1:0", None, bedrock_converse),
        ("deepseek.r1-v1:0", None, bedrock_converse),
        ("bedrock/amazon.nova-lite-v1:0", "amazon.nova-lite-v1:0", bedrock_converse),
        ("bedrock/converse/amazon.nova-lite-v1:0", "amazon.nova-lite-v1:0", bedrock_converse),
        ("bedrock/invoke/us.anthropic.claude-v1:0", "us.anthropic.claude-v1:0", bedrock_invoke),
        ("bedrock/invoke/arn:aws:bedrock:eu-west-1:1:inference-profile/m", "arn:aws:bedrock:eu-west-1:1:inference-profile/m", bedrock_invoke),
        ("bedrock/arn:aws:bedrock:eu-west-1:1:inference-profile/eu.m", "arn:aws:bedrock:eu-west-1:1:inference-profile/eu.m", bedrock_converse),
    ],
)  # fmt: skip
def test_a_model_of_bedrock_has_the_dialect_that_its_name_says(
    model: str, name: str | None, dialect: object
) -> None:
    endpoint = resolve(model, api_key=KEY, environ={"AWS_REGION": "eu-west-1"})

    assert (endpoint.provider, endpoint.model) == ("bedrock", name or model)
    assert endpoint.dialect is dialect
    assert endpoint.base == "https://bedrock-runtime.eu-west-1.amazonaws.com"
    assert endpoint.headers == {"authorization": f"Bearer {KEY}"}


@pytest.mark.parametrize(
    ("model", "argument", "value", "environ", "expected"),
    [
        ("gpt-4o", "organization", "org-2", {"OPENAI_ORGANIZATION": "org-1"}, "org-2"),
        ("azure/d", "api_version", "2025-01-01", AZURE, "?api-version=2025-01-01"),
        ("azure/d", "api_version", "2025-01-01", {**AZURE, "AZURE_API_BASE": "https://u.test?api-version=v1"}, "api-version=2025-01-01"),
        ("bedrock/m", "aws_region_name", "us-west-2", SITES["bedrock"], "https://bedrock-runtime.us-west-2."),
        ("vertex_ai/g", "vertex_location", "us-east1", VERTEX, "https://us-east1-aiplatform.googleapis.com/v1/projects/mine/locations/us-east1/"),
        ("vertex_ai/g", "vertex_project", "yours", VERTEX, "/v1/projects/yours/locations/europe-west4/"),
    ],
    ids=["organization", "api_version", "api_version over a query", "region", "location", "project"],
)  # fmt: skip
def test_an_argument_wins_over_the_variables_it_stands_for(
    model: str, argument: str, value: str, environ: dict[str, str], expected: str
) -> None:
    endpoint = resolve(model, api_key=KEY, params={argument: value}, environ=environ)
    sent = on_the_wire(endpoint)

    assert argument in endpoint.arguments
    assert expected in f"{sent.url} {[*sent.headers.values()]}"
    # A name in the environment is no argument, and an empty argument is none.
    for params in ({}, {argument: ""}):
        there = resolve(model, api_key=KEY, params=params, environ={**environ, argument: "x!"})
        as_ever = resolve(model, api_key=KEY, environ=environ)
        assert on_the_wire(there).url == on_the_wire(as_ever).url
        assert there.headers == as_ever.headers


@pytest.mark.parametrize(
    ("model", "params", "error", "message"),
    [
        ("gpt-4o", {"organization": 1}, TypeError, "organization is a text, not int"),
        ("gpt-4o", {"organization": "Großes"}, BadRequestError, "organization holds a letter that no header can"),
        ("bedrock/m", {"aws_region_name": "evil.test/"}, BadRequestError, "aws_region_name is no region such as"),
        ("bedrock/m", {"aws_region_name": "eu", "aws_access_key_id": "A"}, BadRequestError, "aws_access_key_id and aws_secret_access_key are given together"),
        ("vertex_ai/g", {"vertex_location": "evil.test/"}, BadRequestError, "vertex_location is no location such as"),
    ],
)  # fmt: skip
def test_an_argument_that_cannot_be_is_named(
    model: str, params: dict[str, object], error: type[Exception], message: str
) -> None:
    environ = {**VERTEX, "OPENAI_API_KEY": KEY}
    with pytest.raises(error, match=message):
        resolve(model, params=params, environ=environ)


def test_every_rule_for_bare_names_leads_to_a_row() -> None:
    assert {name for _, name in BARE_NAMES} <= {*PROVIDERS}


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("llama3", "'llama3' does not say whose model it is; write PROVIDER/llama3. Providers are"),
        ("", "'' does not say whose model it is"),
        ("o", "'o' does not say whose model it is"),
        ("my-gpt-4", "'my-gpt-4' does not say whose model it is"),
        ("GPT-4o", "'GPT-4o' does not say whose model it is"),
        ("opnai/gpt-4o", "there is no provider 'opnai', which 'opnai/gpt-4o' asks for; did you mean 'openai'?"),
        ("OpenAI/gpt-4o", "there is no provider 'OpenAI', which 'OpenAI/gpt-4o' asks for; did you mean 'openai'?"),
        ("xyz123/gpt-4o", "there is no provider 'xyz123', which 'xyz123/gpt-4o' asks for. Provid"),
        ("/gpt-4o", "'/gpt-4o' does not say whose model it is"),
    ],
    ids=repr,
)  # fmt: skip
def test_a_name_that_leads_nowhere_is_one_error_that_names_the_providers(
    model: str, message: str
) -> None:
    with pytest.raises(BadRequestError) as raised:
        resolve(model, api_key=KEY, environ={})

    assert str(raised.value).startswith(message)
    assert raised.value.status_code == 400
    assert all(name in str(raised.value) for name in PROVIDERS)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("groq/", "there is no model behind groq/"),
        ("openai/responses/", "there is no model behind openai/"),
        ("azure/a\ud800", r"'a\ud800' is no model: it holds a character that cannot be printed"),
        ("groq/a\n", r"'a\n' is no model: it holds a character that cannot be printed"),
    ],
    ids=ascii,
)
def test_a_model_has_a_name(model: str, message: str) -> None:
    with pytest.raises(BadRequestError) as raised:
        resolve(model, api_key=KEY, environ=AZURE)

    assert str(raised.value) == message


@pytest.mark.parametrize(
    ("asked", "provider", "model"),
    [
        ({"model": "groq/llama-3"}, "groq", "llama-3"),
        ({"model": "openrouter/openai/gpt-4o"}, "openrouter", "openai/gpt-4o"),
        ({"model": "together_ai/meta-llama/Llama-3"}, "together_ai", "meta-llama/Llama-3"),
        ({"model": "gpt-4o", "custom_llm_provider": "groq"}, "groq", "gpt-4o"),
        ({"model": "openai/gpt-oss-20b", "custom_llm_provider": "groq"}, "groq", "openai/gpt-oss-20b"),
        ({"model": "groq/llama-3", "custom_llm_provider": "groq"}, "groq", "llama-3"),
        ({"model": "gpt-4o", "api_base": ELSEWHERE}, "openai", "gpt-4o"),
        ({"model": "claude-9", "api_base": ELSEWHERE}, "anthropic", "claude-9"),
        ({"model": "my-own", "api_base": ELSEWHERE}, "openai_like", "my-own"),
        ({"model": "meta-llama/Llama-3", "api_base": ELSEWHERE}, "openai_like", "meta-llama/Llama-3"),
        ({"model": "deepseek-ai/R1", "api_base": ELSEWHERE}, "openai_like", "deepseek-ai/R1"),
        ({"model": "groq/llama", "api_base": "https://api.x.ai/v1"}, "groq", "llama"),
        ({"model": "gpt-4o", "api_base": "https://api.x.ai/v1"}, "xai", "gpt-4o"),
    ],
    ids=str,
)  # fmt: skip
def test_the_caller_says_whose_a_model_is_then_its_prefix_then_the_address_then_its_beginning(
    asked: dict[str, str], provider: str, model: str
) -> None:
    endpoint = resolve(**asked, api_key=KEY, environ={})

    assert (endpoint.provider, endpoint.model) == (provider, model)


def test_a_provider_that_the_caller_names_has_to_exist() -> None:
    with pytest.raises(BadRequestError, match="there is no provider 'grok', which 'm' asks for"):
        resolve("m", custom_llm_provider="grok", environ={})


@pytest.mark.parametrize(
    ("base", "provider"),
    [
        ("https://api.groq.com/openai/v1", "groq"),
        ("https://api.groq.com/openai/v1/", "groq"),
        ("https://API.groq.com:443/openai/v1?a=b", "groq"),
        ("https://api.groq.com/openai/v1/below", "groq"),
        ("https://api.together.xyz/v1", "together_ai"),
        ("https://api.deepseek.com/beta", "deepseek"),
        ("https://api.perplexity.ai", "perplexity"),
        ("https://api.groq.com/openai/v10", "openai_like"),
        ("https://api.groq.com/openai", "openai_like"),
        ("https://api.groq.com/openai/v1/../../other", "openai_like"),
        ("https://api.groq.com/openai/v1/%2e%2e/other", "openai_like"),
        ("http://api.groq.com/openai/v1", "openai_like"),
        ("https://api.groq.com:8443/openai/v1", "openai_like"),
        ("https://api.groq.com.evil.test/openai/v1", "openai_like"),
        ("https://evilapi.groq.com/openai/v1", "openai_like"),
        ("https://evil.test/api.groq.com/openai/v1", "openai_like"),
        ("https://evil.test/?https://api.groq.com/openai/v1", "openai_like"),
        ("http://localhost:1234/v1", "openai_like"),
    ],
)
def test_an_address_is_a_providers_by_scheme_host_port_and_path(base: str, provider: str) -> None:
    environ = {name: name for row in PROVIDERS.values() for name in row.keys}
    endpoint = resolve("any", api_base=base, environ=environ)

    assert endpoint.provider == provider
    key = PROVIDERS[provider].keys[0]
    assert endpoint.headers["authorization"] == f"Bearer {key}"


@pytest.mark.parametrize(
    ("base", "message"),
    [
        ("", "api_base is no http:// or https:// address: ''"),
        ("localhost:8000/v1", "api_base is no http:// or https:// address: 'localhost:8000/v1'"),
        ("ftp://a.test", "api_base is no http:// or https:// address: 'ftp://a.test'"),
        ("https://", "api_base is no http:// or https:// address: 'https://'"),
        ("https://a.test:port?k=hush", "api_base is no http:// or https:// address: 'https://a.test:port'"),
        ("https://a.test:0", "api_base is no http:// or https:// address: 'https://a.test:0'"),
        ("https://[::1", "api_base is no http:// or https:// address: 'https://[::1'"),
        ("https://a.test\n", r"api_base is no http:// or https:// address: 'https://a.test\n'"),
        ("https://a.test/a b", "api_base is no http:// or https:// address: 'https://a.test/a b'"),
        ("https://me:hush@a.test", "api_base holds an '@'; a user's name and password do not belong"),
        ("https://me:hu/sh@a.test", "api_base holds an '@'; a user's name and password do not belong"),
        ("https://a.test/v1?k=hush#here", "api_base has a part behind '#', which no server gets: 'https://a.test/v1'"),
    ],
    ids=repr,
)  # fmt: skip
def test_a_base_that_is_no_address_is_refused_and_shows_no_secret(base: str, message: str) -> None:
    sources = {"api_base": {"api_base": base}}
    if base:  # a variable that is empty is none
        sources["OPENAI_API_BASE"] = {"environ": {"OPENAI_API_BASE": base, "OPENAI_BASE_URL": ""}}
    for named, source in sources.items():
        with pytest.raises(BadRequestError) as raised:
            resolve("gpt-4o", api_key=KEY, **{"environ": {}, **source})

        assert str(raised.value).startswith(message.replace("api_base", named, 1))
        assert "hush" not in str(raised.value)
        assert "hu/sh" not in str(raised.value)


@pytest.mark.parametrize(
    ("asked", "url"),
    [
        ({"model": "gpt-4o"}, "https://api.openai.com/v1/chat/completions"),
        ({"model": "gpt-4o", "api_base": "http://127.0.0.1:9/v1/"}, "http://127.0.0.1:9/v1/chat/completions"),
        ({"model": "openai/responses/gpt-5"}, "https://api.openai.com/v1/responses"),
        ({"model": "responses/gpt-5", "custom_llm_provider": "openai"}, "https://api.openai.com/v1/responses"),
        ({"model": "groq/responses/x"}, "https://api.groq.com/openai/v1/chat/completions"),
        ({"model": "claude-9"}, "https://api.anthropic.com/v1/messages"),
        ({"model": "claude-9", "api_base": "https://proxy.test/v1/"}, "https://proxy.test/v1/messages"),
        ({"model": "claude-9", "api_base": "https://proxy.test/a"}, "https://proxy.test/a/v1/messages"),
        (
            {"model": "gemini/gemini-2.5-pro"},
            "https://generativelanguage.googleapis.com/v1beta/models/gemini-2.5-pro:streamGenerateContent?alt=sse",
        ),
        (
            {"model": "gemini/g", "api_base": "https://proxy.test?a=b"},
            "https://proxy.test/models/g:streamGenerateContent?alt=sse&a=b",
        ),
        ({"model": "mistral/m", "api_base": "http://127.0.0.1:9"}, "http://127.0.0.1:9/v1/chat/completions"),
        ({"model": "mistral/m", "api_base": "http://127.0.0.1:9/v1"}, "http://127.0.0.1:9/v1/chat/completions"),
        ({"model": "hosted_vllm/m", "api_base": "http://gpu:8000/v1"}, "http://gpu:8000/v1/chat/completions"),
        ({"model": "azure_ai/m", "api_base": "https://me.ai.test"}, "https://me.ai.test/chat/completions"),
        (
            {"model": "azure/my dep/1"},
            "https://me.openai.azure.com/openai/deployments/my%20dep%2F1/chat/completions?api-version=2024-10-21",
        ),
        (
            {"model": "azure/d", "api_base": "https://u.test/openai/"},
            "https://u.test/openai/deployments/d/chat/completions?api-version=2024-10-21",
        ),
        (
            {"model": "azure/d", "api_base": "https://u.test/openai/deployments/e/chat/completions?api-version=7"},
            "https://u.test/openai/deployments/e/chat/completions?api-version=7",
        ),
        (
            {"model": "vertex_ai/gemini-2.5-pro"},
            ("https://europe-west4-aiplatform.googleapis.com/v1/projects/mine/locations/europe-west4"
            "/publishers/google/models/gemini-2.5-pro:streamGenerateContent?alt=sse"),
        ),
        (
            {"model": "vertex_ai/g", "api_base": "https://u.test/a?b=c"},
            ("https://u.test/a/v1/projects/mine/locations/europe-west4/publishers/google/models/g"
            ":streamGenerateContent?alt=sse&b=c"),
        ),
        (
            {"model": "vertex_ai/g", "api_base": "https://u.test/v1/projects/p/locations/l/publishers/google"},
            ("https://u.test/v1/projects/p/locations/l/publishers/google/models/g"
            ":streamGenerateContent?alt=sse"),
        ),
        ({"model": "azure/d", "api_base": "https://u.test/openai/v1"}, "https://u.test/openai/v1/chat/completions"),
        (
            {"model": "azure/v1"},
            "https://me.openai.azure.com/openai/deployments/v1/chat/completions?api-version=2024-10-21",
        ),
    ],
    ids=str,
)  # fmt: skip
def test_requests_go_to_where_the_provider_wants_them(asked: dict[str, str], url: str) -> None:
    sent = on_the_wire(resolve(**asked, api_key=KEY, environ=AZURE | VERTEX))

    assert str(sent.url) == url


@pytest.mark.parametrize(
    ("location", "host"),
    [
        ("global", "aiplatform.googleapis.com"),
        ("us", "aiplatform.us.rep.googleapis.com"),
        ("eu", "aiplatform.eu.rep.googleapis.com"),
        ("us-central1", "us-central1-aiplatform.googleapis.com"),
    ],
)
def test_a_location_of_vertex_has_its_host(location: str, host: str) -> None:
    environ = {"GOOGLE_CLOUD_PROJECT": "my-project", "GOOGLE_CLOUD_LOCATION": location}
    endpoint = resolve("vertex_ai/gemini-3", api_key=KEY, environ=environ)

    at = f"https://{host}/v1/projects/my-project/locations/{location}/publishers/google"
    assert endpoint.base == at


def test_the_file_of_a_service_account_says_the_project(tmp_path: Path) -> None:
    file = tmp_path / "account.json"
    environ = {"VERTEXAI_LOCATION": "global", "GOOGLE_APPLICATION_CREDENTIALS": str(file)}
    file.write_text('{"type": "service_account", "project_id": "of-file"}')
    endpoint = resolve("vertex_ai/gemini-3", api_key=KEY, environ=environ)

    assert "/projects/of-file/" in endpoint.base
    file.write_text("{")
    with pytest.raises(BadRequestError, match="which cannot be read: JSONDecodeError"):
        resolve("vertex_ai/gemini-3", api_key=KEY, environ=environ)
    file.write_text('{"type": "authorized_user"}')
    with pytest.raises(BadRequestError, match="wants to know the project"):
        resolve("vertex_ai/gemini-3", api_key=KEY, environ=environ)


@pytest.mark.parametrize(
    ("model", "environ", "message"),
    [
        ("claude-opus-4", VERTEX, "vertex_ai asks models of Google alone, such as gemini-2.5-pro, and 'claude-opus-4' is"),
        ("meta/llama-4", VERTEX, "vertex_ai asks models of Google alone"),
        ("gemini-3", {"VERTEXAI_PROJECT": "p"}, "vertex_ai wants to know the location; give vertex_location, or set VERTEXAI_LOCATION or GOOGLE"),
        ("gemini-3", {"VERTEXAI_LOCATION": "us"}, "vertex_ai wants to know the project; give vertex_project, or set VERTEXAI_PROJECT or GOOGLE"),
        ("gemini-3", {**VERTEX, "VERTEXAI_LOCATION": "evil.test/"}, "VERTEXAI_LOCATION is no location such as 'europe-west4': 'evil.test/'"),
    ],
    ids=str,
)  # fmt: skip
def test_what_vertex_cannot_be_asked_is_said(
    model: str, environ: dict[str, str], message: str
) -> None:
    with pytest.raises(BadRequestError) as raised:
        resolve(f"vertex_ai/{model}", api_key=KEY, environ=environ)

    assert str(raised.value).startswith(message)


def test_a_token_that_is_given_needs_nobody_to_be_asked_for_another() -> None:
    given = resolve("vertex_ai/g", api_key=KEY, environ=VERTEX)

    assert given.headers == {"authorization": f"Bearer {KEY}"}
    assert given.access is None
    assert resolve("vertex_ai/g", environ=VERTEX).access is not None


def test_azure_wants_to_be_told_the_version() -> None:
    with pytest.raises(
        BadRequestError, match=r"give api_version, set AZURE_API_VERSION, or end api"
    ):
        resolve("azure/d", api_key=KEY, api_base="https://u.test?api-version=", environ={})


@pytest.mark.parametrize(
    ("model", "environ", "headers"),
    [
        ("gpt-4o", {}, {"authorization": f"Bearer {KEY}"}),
        (
            "gpt-4o",
            {"OPENAI_ORGANIZATION": "org-1"},
            {"authorization": f"Bearer {KEY}", "openai-organization": "org-1"},
        ),
        ("claude-9", {}, {"x-api-key": KEY}),
        ("gemini/g", {}, {"x-goog-api-key": KEY}),
        ("azure/d", AZURE, {"api-key": KEY}),
        ("azure_ai/d", {"AZURE_AI_API_BASE": ELSEWHERE}, {"authorization": f"Bearer {KEY}"}),
        (
            "openrouter/m",
            {"OR_SITE_URL": "https://me.test", "OR_APP_NAME": "My App"},
            {"authorization": f"Bearer {KEY}", "http-referer": "https://me.test", "x-title": "My App"},
        ),
        ("lm_studio/m", {}, {"authorization": f"Bearer {KEY}"}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_credentials_stand_where_the_provider_looks_for_them(
    model: str, environ: dict[str, str], headers: dict[str, str]
) -> None:
    assert resolve(model, api_key=KEY, environ=environ).headers == headers


def test_anthropics_version_is_the_dialects_matter_and_is_sent() -> None:
    sent = on_the_wire(resolve("claude-9", api_key=KEY, environ={}))

    assert sent.headers["anthropic-version"] == "2023-06-01"
    assert sent.headers["x-api-key"] == KEY


def test_a_header_of_the_environment_that_cannot_be_sent_is_refused_by_its_variable() -> None:
    with pytest.raises(BadRequestError, match="OR_APP_NAME holds a letter that no header can"):
        resolve("openrouter/m", api_key=KEY, environ={"OR_APP_NAME": "Großes"})


def test_an_empty_key_is_none_and_the_environment_is_not_asked_instead() -> None:
    with pytest.raises(AuthenticationError, match="OPENAI_API_KEY"):
        resolve("gpt-4o", api_key="", environ={"OPENAI_API_KEY": KEY})

    environ = {"LM_STUDIO_API_KEY": KEY}
    assert dict(resolve("lm_studio/m", api_key="", environ=environ).headers) == {}


def test_a_server_that_is_nobodys_never_gets_the_key_of_openai() -> None:
    endpoint = resolve("my-own", api_base=ELSEWHERE, environ={"OPENAI_API_KEY": KEY})

    assert dict(endpoint.headers) == {}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("model", None),
        ("model", 7),
        ("custom_llm_provider", 7),
        ("api_base", httpx.URL(ELSEWHERE)),
        ("api_key", b"sk-hush"),
    ],
)
def test_what_is_no_text_is_a_type_error_that_says_which(name: str, value: object) -> None:
    with pytest.raises(TypeError, match=f"{name} is a text, not {type(value).__name__}") as raised:
        resolve(**{"model": "gpt-4o", "environ": {}, name: value})

    assert "hush" not in str(raised.value)


@pytest.mark.parametrize(
    ("model", "dialect"),
    [
        ("gpt-4o", openai_chat),
        ("openai/responses/gpt-5", openai_responses),
        ("claude-9", anthropic),
        ("gemini/g", gemini),
        ("groq/m", openai_chat),
    ],
)
def test_a_dialect_is_the_module(model: str, dialect: object) -> None:
    assert resolve(model, api_key=KEY, environ={}).dialect is dialect


@pytest.mark.parametrize(
    ("model", "adapt"),
    [
        ("mistral/m", openai_chat.for_mistral),
        ("codestral/m", openai_chat.for_mistral),
        ("groq/m", openai_chat.for_groq),
        ("deepseek/m", openai_chat.for_deepseek),
        ("openrouter/m", openai_chat.for_openrouter),
        ("fireworks_ai/m", openai_chat.for_fireworks),
        ("cerebras/m", openai_chat.without_stream_options),
        ("nvidia_nim/m", openai_chat.without_stream_options),
        ("perplexity/m", openai_chat.without_stream_options),
    ],
)
def test_what_a_provider_wants_otherwise_goes_with_it(
    model: str, adapt: Callable[[Call], Call]
) -> None:
    assert resolve(model, api_key=KEY, environ={}).adapt is adapt


def test_what_a_provider_takes_as_others_do_stays_as_it_is() -> None:
    call = Call(model="m", messages=[], params={"stream_options": {"include_usage": True}})

    assert resolve("xai/m", api_key=KEY, environ={}).adapt(call) is call


# Providers of the caller's own


def test_a_registered_provider_is_one_like_the_others() -> None:
    register_provider("acme", base="https://acme.test/v1", key_env=["ACME_KEY", "ACME_TOKEN"])

    endpoint = resolve("acme/m/1", environ={"ACME_TOKEN": KEY})
    assert (endpoint.provider, endpoint.model) == ("acme", "m/1")
    assert endpoint.headers == {"authorization": f"Bearer {KEY}"}
    assert endpoint.url("/chat/completions") == "https://acme.test/v1/chat/completions"
    assert resolve("m", api_base="https://acme.test/v1", api_key=KEY, environ={}).provider == "acme"
    assert resolve("m", custom_llm_provider="acme", api_key=KEY, environ={}).provider == "acme"
    with pytest.raises(AuthenticationError, match="ACME_KEY or ACME_TOKEN"):
        resolve("acme/m", environ={})
    with pytest.raises(BadRequestError, match="did you mean 'acme'.* acme, anthropic"):
        resolve("acne/m", environ={})


def test_a_registered_provider_without_a_variable_needs_no_key_but_sends_one() -> None:
    register_provider("acme", base="http://localhost:1/v1", base_env="ACME_BASE")

    assert dict(resolve("acme/m", environ={}).headers) == {}
    assert resolve("acme/m", api_key=KEY, environ={}).headers["authorization"] == f"Bearer {KEY}"
    assert resolve("acme/m", environ={"ACME_BASE": ELSEWHERE}).base == ELSEWHERE


def test_the_last_registration_of_a_prefix_counts() -> None:
    register_provider("acme", base="https://one.test", key_env="ONE")
    register_provider("acme", base="https://two.test")

    assert resolve("acme/m", environ={}).base == "https://two.test"


@pytest.mark.parametrize("prefix", ["ollama", "ollama_chat"])
@pytest.mark.parametrize("end", ["", "/", "/api"])
def test_ollama_is_asked_at_one_place_with_a_key_or_without(prefix: str, end: str) -> None:
    base = {"OLLAMA_API_BASE": f"http://gpu:11434{end}"}

    assert resolve(f"{prefix}/m", environ={}).base == "http://localhost:11434"
    assert resolve(f"{prefix}/m", environ=base).base == "http://gpu:11434"


@pytest.mark.parametrize(
    ("prefix", "base", "message"),
    [
        ("openai", ELSEWHERE, "openai is there already; give another prefix, or api_base at the"),
        ("", ELSEWHERE, "a prefix is lower-case letters, digits, '_', '-' and '.', not ''"),
        ("a/b", ELSEWHERE, "a prefix is lower-case letters, digits, '_', '-' and '.', not 'a/b'"),
        ("Acme", ELSEWHERE, "a prefix is lower-case letters, digits, '_', '-' and '.', not 'Acme'"),
        ("acme", "acme.test", "base is no http:// or https:// address: 'acme.test'"),
    ],
)
def test_what_cannot_be_registered_is_refused_at_once(prefix: str, base: str, message: str) -> None:
    with pytest.raises(ValueError) as raised:
        register_provider(prefix, base=base)

    assert str(raised.value).startswith(message)
    assert prefix == "openai" or prefix not in providers._registered


@pytest.mark.parametrize("given_as", [KEY, [KEY], ["ACME_KEY", ""], ""], ids=repr)
@pytest.mark.parametrize("argument", ["key_env", "base_env"])
def test_a_key_in_place_of_its_variables_name_is_refused_and_not_shown(
    argument: str, given_as: str | list[str]
) -> None:
    if argument == "base_env" and isinstance(given_as, list):
        given_as = given_as[-1]
    with pytest.raises(ValueError, match="names of environment variables, not values") as raised:
        register_provider("acme", base=ELSEWHERE, **{argument: given_as})

    assert KEY not in str(raised.value)


# Values


def test_hidden_values_are_a_mapping_that_shows_names_only() -> None:
    hidden = Hidden({"authorization": KEY})

    assert repr(hidden) == "<authorization: hidden>"
    assert repr(Hidden({})) == "<nothing>"
    assert {**hidden} == {"authorization": KEY} == hidden
    assert len(hidden) == 1
    assert copy.deepcopy(hidden) == pickle.loads(pickle.dumps(hidden)) == hidden
    assert httpx.Headers(hidden)["Authorization"] == KEY


def test_the_environment_of_the_process_is_asked_where_no_other_is_given(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("OPENAI_BASE_URL", ELSEWHERE)
    endpoint = resolve("gpt-4o")

    assert endpoint.headers["authorization"] == f"Bearer {os.environ['OPENAI_API_KEY']}"
    assert endpoint.base == ELSEWHERE


def test_a_model_to_an_endpoint_in_one_walk() -> None:
    environ = {"GROQ_API_KEY": KEY, "OPENAI_API_KEY": "another"}
    endpoint = resolve("groq/llama-3.3-70b-versatile", environ=environ)
    sent = on_the_wire(endpoint)

    assert str(sent.url) == "https://api.groq.com/openai/v1/chat/completions"
    assert sent.headers["authorization"] == f"Bearer {KEY}"
    assert b'"model":"llama-3.3-70b-versatile"' in sent.content
    assert repr(endpoint) == (
        "Endpoint(provider='groq', model='llama-3.3-70b-versatile', "
        "base='https://api.groq.com/openai/v1', headers=<authorization: hidden>, query=<nothing>)"
    )
