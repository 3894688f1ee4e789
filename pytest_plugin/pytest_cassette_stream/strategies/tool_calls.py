"""Tool calls of a whole answer."""

from __future__ import annotations

from collections.abc import Iterable

from hypothesis import strategies as st

from cassette_stream import ChatCompletionMessageToolCall, Custom, Function
from pytest_cassette_stream.strategies.json_arguments import json_arguments
from pytest_cassette_stream.strategies.made import made
from pytest_cassette_stream.strategies.options import flag, strategy, words
from pytest_cassette_stream.strategies.texts import texts

__all__ = ("idents", "tool_calls")

_LETTERS = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_NAMES = ("get_weather", "now", "f-1")


def tool_calls(
    *,
    names: Iterable[str] | None = None,
    arguments: st.SearchStrategy[str] | None = None,
    custom_tools: bool = False,
) -> st.SearchStrategy[ChatCompletionMessageToolCall]:
    """Calls of a function, as `cassette_stream.ChatCompletionMessageToolCall`.

    Shrinks to a call of the first of *names* with the smallest of *arguments*.

    Args:
        names: The functions that are called; by default any that all providers allow.
        arguments: JSON texts; by default `json_arguments`.
        custom_tools: Call custom tools too, which take any text. OpenAI alone has those.

    Raises:
        TypeError: *names* are no texts, *arguments* is no strategy, *custom_tools* no bool.
        ValueError: There are no *names*, or one is empty.
    """
    known = (
        st.sampled_from(_NAMES) | st.text(f"{_LETTERS}_-", min_size=1, max_size=64)
        if names is None
        else st.sampled_from(words("names", names))
    )
    spelt = json_arguments() if arguments is None else strategy("arguments", arguments)
    ids = idents("call_") | idents("toolu_")
    calls = made(_function_call, ids, known, spelt)
    if not flag("custom_tools", custom_tools):
        return calls
    return calls | made(_custom_call, ids, known, texts())


def idents(prefix: str) -> st.SearchStrategy[str]:
    """Ids as providers make them; the simplest are 0, 1, 2, and differ from each other."""
    return st.integers(0, 2**64 - 1).map(lambda number: prefix + _in_letters(number))


def _in_letters(number: int) -> str:
    more, last = divmod(number, len(_LETTERS))
    return (_in_letters(more) if more else "") + _LETTERS[last]


def _function_call(id_: str, name: str, arguments: str) -> ChatCompletionMessageToolCall:
    return ChatCompletionMessageToolCall(id=id_, function=Function(name=name, arguments=arguments))


def _custom_call(id_: str, name: str, text: str) -> ChatCompletionMessageToolCall:
    custom = Custom(name=name, input=text)
    return ChatCompletionMessageToolCall(id=id_, type="custom", custom=custom)
