"""Which exceptions the users of the code under test are told to expect.

The user names them, or they are looked up: those that the package of the subject itself
defines, and the root of each client library that made the requests. Whoever uses httpx
by hand is told of its exceptions; whoever uses an SDK is not.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterable

__all__ = ("families_of",)

# The beginning of the user agent that a client library sends, and where the root of the
# exceptions is that its documentation tells to catch.
_ROOTS = {
    "OpenAI/": "openai:OpenAIError",
    "AsyncOpenAI/": "openai:OpenAIError",
    "AzureOpenAI/": "openai:OpenAIError",
    "AsyncAzureOpenAI/": "openai:OpenAIError",
    "Anthropic/": "anthropic:AnthropicError",
    "AsyncAnthropic/": "anthropic:AnthropicError",
    "google-genai-sdk/": "google.genai.errors:APIError",
    "mistral-client-python/": "mistralai.models:MistralError",
    "Groq/": "groq:GroqError",
    "AsyncGroq/": "groq:GroqError",
    "ollama-python/": "ollama:ResponseError",
    "cohere/": "cohere.core:ApiError",
    "litellm/": "litellm.exceptions:APIError",
    "cassette-stream/": "cassette_stream.exceptions:APIError",
    "python-httpx/": "httpx:HTTPError",
    "python-httpx2/": "httpx2:HTTPError",
}


def families_of(module: str, user_agents: Iterable[str]) -> tuple[type[BaseException], ...]:
    """The exceptions that users of a function of *module* are told to expect.

    *user_agents* are those of the requests that it made.
    """
    found = dict.fromkeys(_own(module.partition(".")[0]))
    for agent in user_agents:
        for start, place in _ROOTS.items():
            if agent.startswith(start) and (root := _root(place)) is not None:
                found[root] = None
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
