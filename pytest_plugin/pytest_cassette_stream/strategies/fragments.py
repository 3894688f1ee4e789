"""Tool calls as the fragments in which OpenAI's chat format streams them.

The first one of a call has its id and its name, the others have pieces of the arguments,
which join to them.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, TypeAlias

from hypothesis import strategies as st

__all__ = ("Json", "continued", "fragments_of", "opened", "pieces_of")

Json: TypeAlias = dict[str, Any]

_MOST_PIECES = 5


def pieces_of(text: str, *, least: int = 1) -> st.SearchStrategy[list[str]]:
    """Ways to cut *text*, which is at least so long, into pieces; fewer and earlier cuts shrink."""
    if len(text) < 2:
        return st.just([text])
    cuts = st.sets(
        st.integers(1, len(text) - 1),
        min_size=least - 1,
        max_size=min(len(text), max(least, _MOST_PIECES)) - 1,
    )
    return cuts.map(
        lambda places: [text[a:b] for a, b in pairwise([0, *sorted(places), len(text)])]
    )


def opened(index: int, call_id: str, name: str, arguments: str = "") -> Json:
    """The first fragment of a call."""
    function = {"name": name, "arguments": arguments}
    return {"index": index, "id": call_id, "type": "function", "function": function}


def continued(index: int, arguments: str) -> Json:
    """A later fragment."""
    return {"index": index, "function": {"arguments": arguments}}


def fragments_of(index: int, call_id: str, name: str, pieces: Sequence[str]) -> list[Json]:
    """All fragments of a call."""
    return [opened(index, call_id, name), *(continued(index, piece) for piece in pieces)]
