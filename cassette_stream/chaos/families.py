"""Which exceptions the users of the code under test are told to expect.

The user names them, or they are looked up: those that the package of the subject itself
defines, and the roots of each client library that made the requests. Whoever uses httpx
by hand is told of its exceptions; whoever uses an SDK is not.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterable

__all__ = ("families_of",)

# The beginning of the user agent that a client library sends, and where the exceptions are
# that its documentation tells to catch: roots, in the places of its versions.
_OPENAI = ("openai:OpenAIError",)
_ANTHROPIC = ("anthropic:AnthropicError",)
_GROQ = ("groq:GroqError",)
_ROOTS = {
    "OpenAI/": _OPENAI,
    "AsyncOpenAI/": _OPENAI,
    "AzureOpenAI/": _OPENAI,
    "AsyncAzureOpenAI/": _OPENAI,
    "Anthropic/": _ANTHROPIC,
    "AsyncAnthropic/": _ANTHROPIC,
    "google-genai-sdk/": (
        "google.genai.errors:APIError",
        "google.genai.errors:UnknownApiResponseError",
    ),
    "mistral-client-python/": (
        "mistralai.client.errors:MistralError",
        "mistralai.client.errors:NoResponseError",
        "mistralai.models:MistralError",
    ),
    "Groq/": _GROQ,
    "AsyncGroq/": _GROQ,
    "ollama-python/": ("ollama:ResponseError",),
    "cohere/": ("cohere.core:ApiError",),
    # Its exceptions have no root of their own.
    "litellm/": _OPENAI,
    "cassette-stream/": ("cassette_stream.exceptions:APIError",),
    "python-httpx/": ("httpx:HTTPError",),
    "python-httpx2/": ("httpx2:HTTPError",),
}


def families_of(module: str, user_agents: Iterable[str]) -> tuple[type[BaseException], ...]:
    """The exceptions that users of a function of *module* are told to expect.

    *user_agents* are those of the requests that it made.
    """
    found = dict.fromkeys(_own(module.partition(".")[0]))
    for agent in user_agents:
        for start, places in _ROOTS.items():
            if agent.startswith(start):
                found |= dict.fromkeys(root for place in places if (root := _root(place)))
    return tuple(found)


def _root(place: str) -> type[BaseException] | None:
    module, _, name = place.partition(":")
    try:
        root = getattr(importlib.import_module(module), name, None)
    except ImportError:  # a server or a colleague may send any user agent
        return None
    is_error = isinstance(root, type) and issubclass(root, BaseException)
    return root if is_error else None


def _own(package: str) -> list[type[BaseException]]:
    """The exceptions that the modules of *package* define."""
    return [
        value
        for name, module in list(sys.modules.items())
        if name.partition(".")[0] == package and module is not None
        for value in list(vars(module).values())
        if isinstance(value, type)
        and issubclass(value, BaseException)
        and value.__module__.partition(".")[0] == package
    ]
