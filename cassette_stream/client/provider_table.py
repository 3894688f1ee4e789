"""The providers, a row each, and whose a model is when its name does not say.

A row says everything that one provider of a known dialect does its own way; a provider that
speaks OpenAI chat completions needs no more than a row. No list of models stands here, since
such a list ages: a bare name goes by how it begins.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, Protocol
from urllib.parse import quote

from cassette_stream.chunks import ModelResponseStream
from cassette_stream.client import bedrock, vertex
from cassette_stream.client.access import Access
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
from cassette_stream.dialects.call import Call, HttpRequest
from cassette_stream.dialects.decoding import EventDecoder

__all__ = ("ARGUMENTS", "BARE_NAMES", "PROVIDERS", "Dialect", "Provider")


class Dialect(Protocol):
    """What the client needs of a module in `cassette_stream.dialects`."""

    def request(self, call: Call) -> HttpRequest: ...
    def whole_body(self, body: bytes, *, strict: bool = True) -> list[ModelResponseStream]: ...
    def Decoder(self, *, strict: bool = True) -> EventDecoder: ...  # noqa: N802 - a class


def _as_it_is(call: Call) -> Call:
    return call


def _plain(base: str, model: str) -> str:  # noqa: ARG001 - a place is asked for with both
    return base


def _with_v1(base: str, model: str) -> str:  # noqa: ARG001
    return base if base.endswith("/v1") else f"{base}/v1"


def _without_v1(base: str, model: str) -> str:  # noqa: ARG001
    return base.removesuffix("/v1")


def _without_v2_chat(base: str, model: str) -> str:  # noqa: ARG001
    return base.removesuffix("/chat").removesuffix("/v2")


def _without_api(base: str, model: str) -> str:  # noqa: ARG001
    return base.removesuffix("/api")


def _deployment(base: str, model: str) -> str:
    """Azure's place for *model*, whichever of the addresses in its portal *base* is."""
    if base.endswith("/openai/v1"):
        return base
    if "/openai/deployments/" in base:
        return base.removesuffix("/chat/completions")
    return f"{base.removesuffix('/openai')}/openai/deployments/{quote(model, safe='')}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """One provider: where it is, how it wants its key, and what it wants asked otherwise.

    Attributes:
        name: The prefix of its models' names.
        dialect: The wire format.
        below: The wire formats of models whose names begin with a word and a slash.
        base: Where it is; None where the caller has to say.
        also: Other addresses of it.
        keys: The environment variables with its key, the first that is set counts.
        tokens: Those with a bearer token, asked after *keys*.
        key_header: The header of the key; in ``authorization`` it is a bearer token too.
        needs_key: Whether a request without a key makes no sense.
        bases: The environment variables with another base, the first that is set counts.
        arguments: Arguments of `completion` that are no parameters of a model: they are looked
            up like environment variables.
        other_access: Those of them that stand for a key, and so win over one of the environment.
        headers: Further headers, each with the argument or variables of its value.
        version: The argument and the variable with ``api-version``, if it wants one.
        adapt: What it wants asked otherwise.
        place: What a dialect's path is appended to, from the base and the model.
        origin: Its base, from the model and the environment, where it has many.
        inside: What a dialect's path is appended to after all, from the place and the same.
        access: What lets a request in where there is no key, from the base and the same.
    """

    name: str
    dialect: Dialect = openai_chat
    below: Mapping[str, Dialect] = field(default_factory=dict)
    base: str | None = None
    also: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    tokens: tuple[str, ...] = ()
    key_header: str = "authorization"
    needs_key: bool = True
    bases: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    other_access: tuple[str, ...] = ()
    headers: tuple[tuple[str, tuple[str, ...]], ...] = ()
    version: tuple[str, str] | None = None
    adapt: Callable[[Call], Call] = _as_it_is
    place: Callable[[str, str], str] = _plain
    origin: Callable[[str, Mapping[str, str]], str] | None = None
    inside: Callable[[str, str, Mapping[str, str]], str] | None = None
    access: Callable[[str, str, Mapping[str, str]], Access] | None = None


def _cohere(name: str) -> Provider:
    return Provider(
        name=name,
        dialect=cohere,
        base="https://api.cohere.com",
        also=("https://api.cohere.ai",),
        keys=("COHERE_API_KEY", "CO_API_KEY"),
        bases=("COHERE_API_BASE", "CO_API_URL"),
        place=_without_v2_chat,
    )


def _compatible(
    name: str,
    base: str | None = None,
    *,
    also: tuple[str, ...] = (),
    keys: tuple[str, ...] = (),
    needs_key: bool = True,
    bases: tuple[str, ...] = (),
    headers: tuple[tuple[str, tuple[str, ...]], ...] = (),
    adapt: Callable[[Call], Call] = _as_it_is,
    place: Callable[[str, str], str] = _plain,
) -> Provider:
    """The row of a provider of OpenAI chat completions; variables are ``NAME_API_...``."""
    return Provider(
        name=name,
        base=base,
        also=also,
        keys=keys or (f"{name.upper()}_API_KEY",),
        needs_key=needs_key,
        bases=bases or (f"{name.upper()}_API_BASE",),
        headers=headers,
        adapt=adapt,
        place=place,
    )


_without_stream_options = openai_chat.without_stream_options

_ROWS = (
    Provider(
        name="openai",
        below={"responses": openai_responses},
        base="https://api.openai.com/v1",
        keys=("OPENAI_API_KEY",),
        bases=("OPENAI_BASE_URL", "OPENAI_API_BASE"),
        arguments=("organization",),
        headers=(("openai-organization", ("organization", "OPENAI_ORGANIZATION")),),
    ),
    Provider(
        name="azure",
        keys=("AZURE_OPENAI_API_KEY", "AZURE_API_KEY"),
        tokens=("AZURE_AD_TOKEN",),
        key_header="api-key",
        bases=("AZURE_API_BASE",),
        arguments=("api_version",),
        version=("api_version", "AZURE_API_VERSION"),
        place=_deployment,
    ),
    _compatible("azure_ai"),
    Provider(
        name="anthropic",
        dialect=anthropic,
        base="https://api.anthropic.com",
        keys=("ANTHROPIC_API_KEY",),
        tokens=("ANTHROPIC_AUTH_TOKEN",),
        key_header="x-api-key",
        bases=("ANTHROPIC_API_BASE", "ANTHROPIC_BASE_URL"),
        place=_without_v1,
    ),
    Provider(
        name="gemini",
        dialect=gemini,
        base="https://generativelanguage.googleapis.com/v1beta",
        keys=("GEMINI_API_KEY", "GOOGLE_API_KEY"),
        key_header="x-goog-api-key",
        bases=("GEMINI_API_BASE",),
    ),
    Provider(
        name="bedrock",
        dialect=bedrock_converse,
        below={"converse": bedrock_converse, "invoke": bedrock_invoke},
        tokens=("AWS_BEARER_TOKEN_BEDROCK",),
        needs_key=False,
        bases=("AWS_BEDROCK_RUNTIME_ENDPOINT", "AWS_ENDPOINT_URL_BEDROCK_RUNTIME"),
        arguments=bedrock.ARGUMENTS,
        other_access=bedrock.OTHER_ACCESS,
        origin=bedrock.origin,
        access=bedrock.signature,
    ),
    Provider(
        name="vertex_ai",
        dialect=gemini,
        needs_key=False,
        bases=("VERTEXAI_API_BASE",),
        arguments=vertex.ARGUMENTS,
        origin=vertex.origin,
        inside=vertex.inside,
        access=vertex.token,
    ),
    _cohere("cohere"),
    _cohere("cohere_chat"),
    _compatible(
        "mistral", "https://api.mistral.ai/v1", adapt=openai_chat.for_mistral, place=_with_v1
    ),
    _compatible("codestral", "https://codestral.mistral.ai/v1", adapt=openai_chat.for_mistral),
    _compatible("groq", "https://api.groq.com/openai/v1", adapt=openai_chat.for_groq),
    _compatible(
        "deepseek",
        "https://api.deepseek.com/v1",
        also=("https://api.deepseek.com",),
        adapt=openai_chat.for_deepseek,
    ),
    _compatible(
        "openrouter",
        "https://openrouter.ai/api/v1",
        keys=("OPENROUTER_API_KEY", "OR_API_KEY"),
        headers=(("http-referer", ("OR_SITE_URL",)), ("x-title", ("OR_APP_NAME",))),
        adapt=openai_chat.for_openrouter,
    ),
    _compatible(
        "together_ai",
        "https://api.together.ai/v1",
        also=("https://api.together.xyz/v1",),
        keys=("TOGETHER_API_KEY", "TOGETHER_AI_API_KEY", "TOGETHERAI_API_KEY", "TOGETHER_AI_TOKEN"),
    ),
    _compatible(
        "fireworks_ai",
        "https://api.fireworks.ai/inference/v1",
        keys=(
            "FIREWORKS_API_KEY",
            "FIREWORKS_AI_API_KEY",
            "FIREWORKSAI_API_KEY",
            "FIREWORKS_AI_TOKEN",
        ),
        bases=("FIREWORKS_API_BASE",),
        adapt=openai_chat.for_fireworks,
    ),
    _compatible("xai", "https://api.x.ai/v1"),
    _compatible(
        "perplexity",
        "https://api.perplexity.ai",
        keys=("PERPLEXITYAI_API_KEY", "PERPLEXITY_API_KEY"),
        adapt=_without_stream_options,
    ),
    _compatible("cerebras", "https://api.cerebras.ai/v1", adapt=_without_stream_options),
    _compatible("nvidia_nim", "https://integrate.api.nvidia.com/v1", adapt=_without_stream_options),
    _compatible(
        "huggingface",
        "https://router.huggingface.co/v1",
        keys=("HF_TOKEN", "HUGGINGFACE_API_KEY"),
        bases=("HF_API_BASE",),
    ),
    _compatible("deepinfra", "https://api.deepinfra.com/v1/openai"),
    _compatible("sambanova", "https://api.sambanova.ai/v1"),
    _compatible("moonshot", "https://api.moonshot.ai/v1"),
    _compatible(
        "dashscope",
        "https://dashscope.aliyuncs.com/compatible-mode/v1",
        also=("https://dashscope-intl.aliyuncs.com/compatible-mode/v1",),
    ),
    _compatible("zai", "https://api.z.ai/api/paas/v4"),
    _compatible("github", "https://models.inference.ai.azure.com"),
    *(
        Provider(
            name=name,
            dialect=ollama,
            base="http://localhost:11434",
            keys=("OLLAMA_API_KEY",),
            needs_key=False,
            bases=("OLLAMA_API_BASE",),
            place=_without_api,
        )
        for name in ("ollama", "ollama_chat")
    ),
    _compatible("hosted_vllm", needs_key=False),
    _compatible("lm_studio", "http://localhost:1234/v1", needs_key=False),
    _compatible("llamafile", "http://127.0.0.1:8080/v1", needs_key=False),
    _compatible("llama_cpp", "http://127.0.0.1:8080/v1", needs_key=False),
    _compatible("custom_openai", needs_key=False),
    _compatible("openai_like", needs_key=False),
)

PROVIDERS: Final = MappingProxyType({row.name: row for row in _ROWS})
"""Every provider that comes with the package, by the prefix of its models' names."""

ARGUMENTS: Final = frozenset(name for row in _ROWS for name in row.arguments)
"""What is an argument of some provider, and so a parameter of no model."""

BARE_NAMES: Final = tuple(
    (re.compile(pattern), name)
    for pattern, name in (
        (r"gpt-|chatgpt-|o\d|ft:gpt-|codex-|computer-use-", "openai"),
        (r"claude", "anthropic"),
        (r"gemini|gemma", "gemini"),
        (
            r"((us|eu|apac|global)\.)?(anthropic|amazon|meta|mistral|cohere|ai21|deepseek)\.",
            "bedrock",
        ),
        (r"command|c4ai-", "cohere"),
        (
            r"mistral|magistral|ministral|codestral|pixtral|devstral|open-mistral|open-mixtral",
            "mistral",
        ),
        (r"deepseek", "deepseek"),
        (r"grok", "xai"),
        (r"sonar", "perplexity"),
    )
)
"""How a name without a prefix begins, and whose it is then; the first that fits counts."""
