"""What the tests of the encoders draw: public strategies, and every way to cut a text."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from pytest_cassette_stream.strategies import completions, tool_calls
from pytest_cassette_stream.strategies import json_arguments as arguments
from pytest_cassette_stream.strategies.texts import KINDS, texts

from cassette_stream import ChatCompletionMessageToolCall
from cassette_stream.dialects.encoding import words

__all__ = ("TRICKY", "arguments", "completions", "cuts", "texts", "tight_calls")

TRICKY = tuple(KINDS.values())


def cuts() -> st.SearchStrategy[Any]:
    """Every kind of *pieces* that an encoder takes."""
    sizes = st.lists(st.integers(1, 7), min_size=1, max_size=4)
    return sizes | st.sampled_from([words, list, lambda text: [text], lambda text: ["", text, ""]])


def tight_calls() -> st.SearchStrategy[ChatCompletionMessageToolCall]:
    """Calls whose arguments begin at once: Anthropic's SDK takes a first blank for broken JSON."""
    return tool_calls(arguments=arguments().map(str.lstrip))
