"""The arguments of tool calls: JSON text of an object, spelt as models spell it."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial

from hypothesis import strategies as st

from pytest_cassette_stream.strategies.made import made
from pytest_cassette_stream.strategies.options import strategy, whole_number
from pytest_cassette_stream.strategies.texts import texts as all_texts

__all__ = ("json_arguments", "respelt")

_plain = partial(json.dumps, ensure_ascii=False)
_SPELLINGS: tuple[Callable[[object], str], ...] = (
    _plain,
    json.dumps,
    partial(_plain, separators=(",", ":")),
    partial(_plain, indent=2),
    partial(json.dumps, indent="\t"),
    lambda value: _plain(value).replace("/", "\\/"),
    lambda value: f" {_plain(value)}\n",
)
_KEYS = ("city", "a", "größe", "", 'say "hi"')


def json_arguments(
    *, texts: st.SearchStrategy[str] | None = None, max_leaves: int = 3
) -> st.SearchStrategy[str]:
    """JSON text of an object: empty, flat or nested, with and without blanks and escapes.

    Numbers survive a double, no key comes twice in an object. Shrinks to ``{}``.

    Args:
        texts: The texts among its values; by default of any kind.
        max_leaves: About how many values that are no list and no object each of its values has.

    Raises:
        TypeError: *texts* is no strategy, *max_leaves* is no int.
        ValueError: *max_leaves* is less than 1.
    """
    found = all_texts() if texts is None else strategy("texts", texts)
    leaves = (
        st.none()
        | st.booleans()
        | st.integers(-(2**53), 2**53)
        | st.floats(allow_nan=False, allow_infinity=False)
        | found
    )
    keys = st.sampled_from(_KEYS) | st.text(max_size=5)
    values = st.recursive(
        leaves,
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(keys, inner, max_size=2),
        max_leaves=whole_number("max_leaves", max_leaves, low=1),
    )
    objects = st.dictionaries(keys, values, max_size=2)
    return made(_spelt, objects, st.sampled_from(_SPELLINGS))


def _spelt(value: object, spell: Callable[[object], str]) -> str:
    return spell(value)


def respelt(arguments: str) -> str:
    """*arguments* in the one spelling that is left of them where a provider sends values."""
    return _plain(json.loads(arguments))
