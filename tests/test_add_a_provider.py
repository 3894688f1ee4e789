"""A provider of the caller's own, in the format of another or in one of its own."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from cassette_stream import register_provider
from cassette_stream.client import providers, resolve
from cassette_stream.dialects import anthropic, ollama, openai_chat


@pytest.fixture(autouse=True)
def no_provider_stays(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(providers, "_registered", {})
    return


@pytest.mark.parametrize("dialect", [anthropic, ollama, openai_chat], ids=lambda it: it.__name__)
def test_a_registered_provider_speaks_the_dialect_that_it_is_given(dialect: Any) -> None:
    register_provider("acme", base="https://acme.test", dialect=dialect)

    assert resolve("acme/m", environ={}).dialect is dialect


def test_a_registered_provider_speaks_openai_chat_completions_where_nothing_else_is_said() -> None:
    register_provider("acme", base="https://acme.test")

    assert resolve("acme/m", environ={}).dialect is openai_chat


@pytest.mark.parametrize(
    ("dialect", "missing"),
    [
        (None, "request, whole_body, Decoder"),
        ("openai_chat", "request, whole_body, Decoder"),
        (SimpleNamespace(request=print, Decoder=print), "whole_body"),
        (SimpleNamespace(request="/chat", whole_body=print, Decoder=print), "request"),
    ],
    ids=["none", "a_name", "one_missing", "one_that_cannot_be_called"],
)
def test_what_is_no_dialect_is_refused_at_once(dialect: Any, missing: str) -> None:
    with pytest.raises(TypeError, match=f"there is no {missing} in "):
        register_provider("acme", base="https://acme.test", dialect=dialect)

    assert not providers._registered
