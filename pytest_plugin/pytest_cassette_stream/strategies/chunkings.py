"""Every way in which a network may cut bytes, and more often where decoders break."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial
from itertools import compress, pairwise

from hypothesis import strategies as st

__all__ = ("chunkings",)

# Where a network is known to cut and decoders are known to break: within a UTF-8
# character, between CR and LF, between the two line ends of a blank line, within a field
# name, within a JSON escape.
_NASTY = re.compile(
    rb"(?=[\x80-\xbf])|(?<=\r)(?=\n)|(?<=\n)(?=\n)|(?<=\n)(?=\r)"
    rb"|(?<=\nda)(?=ta:)|(?<=data:)|(?<=\\)|(?<=\\u..)(?=..)"
)
# A cut that is nearly always there and shrinks away like any other: each place costs a
# choice of its own, so an example with few cuts is always simpler than one with many.
_NEARLY_ALWAYS = st.sampled_from([False, *[True] * 63])
_MOST_PLACES = 512


def chunkings(data: bytes) -> st.SearchStrategy[list[bytes]]:
    """Every way in which a network may cut *data* into chunks.

    The chunks are never empty, and put together they are *data*. Cuts fall anywhere, and
    more often where decoders break; byte by byte is among them (for up to 512 bytes).
    Examples shrink to the fewest and earliest cuts.

    Raises:
        TypeError: *data* is no bytes.
    """
    if not isinstance(data, bytes):
        raise TypeError(f"chunkings cuts bytes, this is {type(data).__name__}: encode it first")
    if len(data) < 2:
        return st.just([data] if data else [])
    anywhere = st.integers(1, len(data) - 1)
    nasty = sorted({it.start() for it in _NASTY.finditer(data) if 0 < it.start() < len(data)})
    cut = st.one_of(anywhere, st.sampled_from(nasty)) if nasty else anywhere
    cuts = [st.sets(cut, max_size=min(len(data) - 1, 40)).map(sorted)]
    cuts += [
        st.tuples(*[_NEARLY_ALWAYS] * len(places)).map(partial(_chosen, places))
        for places in (nasty, range(1, len(data)))
        if 0 < len(places) <= _MOST_PLACES
    ]
    return st.one_of(cuts).map(partial(_cut, data))


def _chosen(places: Sequence[int], chosen: Sequence[bool]) -> list[int]:
    return list(compress(places, chosen))


def _cut(data: bytes, places: Sequence[int]) -> list[bytes]:
    return [data[a:b] for a, b in pairwise([0, *places, len(data)])]
