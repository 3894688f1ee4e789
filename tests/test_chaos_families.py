"""Whose exceptions count as told: those of the library that sent the requests, in its versions."""

from __future__ import annotations

import sys
from types import ModuleType

import httpx
import openai
import pytest

from cassette_stream.chaos.families import families_of

MISTRAL = "mistral-client-python/3.7.0"


class MistralError(Exception):
    pass


class NoResponseError(Exception):
    pass


@pytest.mark.parametrize(
    ("module", "found"),
    [
        ("mistralai.client.errors", (MistralError, NoResponseError)),
        ("mistralai.models", (MistralError,)),
    ],
)
def test_a_library_that_moved_its_exceptions_has_them_in_both_places(
    module: str, found: tuple[type[Exception], ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = module.split(".")
    for upto in range(1, len(parts) + 1):
        name = ".".join(parts[:upto])
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    for error in found:
        monkeypatch.setattr(sys.modules[module], error.__name__, error, raising=False)

    assert families_of("nowhere", [MISTRAL]) == found


def test_what_users_of_litellm_catch_is_what_those_of_openai_do() -> None:
    assert families_of("nowhere", ["litellm/1.109.1"]) == (openai.OpenAIError,)


def test_each_family_is_there_once_whoever_sent_how_many_requests() -> None:
    agents = ["AsyncOpenAI/Python 3", "OpenAI/Python 3", "python-httpx/0.28", "OpenAI/Python 3"]

    assert families_of("nowhere", agents) == (openai.OpenAIError, httpx.HTTPError)


@pytest.mark.sdk
def test_what_google_cannot_read_is_an_error_of_its_own() -> None:
    errors = pytest.importorskip("google.genai.errors", reason="it is in the group 'sdks'")

    assert families_of("nowhere", ["google-genai-sdk/3.6.1 gl-python/3.11"]) == (
        errors.APIError,
        errors.UnknownApiResponseError,
    )
