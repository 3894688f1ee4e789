"""Every way in which a network may cut bytes, and more often where decoders break."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import compress, pairwise
from zlib import crc32

from hypothesis import strategies as st

__all__ = ("chunkings",)

# Where a network is known to cut and decoders are known to break: within a UTF-8
# character, between CR and LF, between the two line ends of a blank line, within a field
# name, within a JSON escape, before and behind the LF between two lines of JSON.
_NASTY = re.compile(
    rb"(?=[\x80-\xbf])|(?<=\r)(?=\n)|(?<=\n)(?=\n)|(?<=\n)(?=\r)"
    rb"|(?<=\nda)(?=ta:)|(?<=data:)|(?<=\\)|(?<=\\u..)(?=..)|(?=\n\{)|(?<=\n)(?=\{)"
)
# A cut that is nearly always there and shrinks away like any other: each place costs a
# choice of its own, so an example with few cuts is always simpler than one with many.
_NEARLY_ALWAYS = st.sampled_from([False, *[True] * 63])
_MOST_PLACES = 512
_PRELUDE = struct.Struct(">III")


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
    places = [*(it.start() for it in _NASTY.finditer(data)), *_in_frames(data)]
    nasty = sorted({place for place in places if 0 < place < len(data)})
    cut = st.one_of(anywhere, st.sampled_from(nasty)) if nasty else anywhere
    cuts = [st.sets(cut, max_size=min(len(data) - 1, 40)).map(sorted)]
    cuts += [
        st.tuples(*[_NEARLY_ALWAYS] * len(places)).map(partial(_chosen, places))
        for places in (nasty, range(1, len(data)))
        if 0 < len(places) <= _MOST_PLACES
    ]
    return st.one_of(cuts).map(partial(_cut, data))


def _in_frames(data: bytes) -> Iterator[int]:
    """Where the parts of AWS frames end: lengths, their checksum, headers, payload, checksum."""
    start = 0
    while len(data) >= start + _PRELUDE.size:
        whole, headers, checksum = _PRELUDE.unpack_from(data, start)
        if whole < _PRELUDE.size or crc32(data[start : start + 8]) != checksum:
            return
        end = start + whole
        head = start + _PRELUDE.size
        yield from (start + 4, start + 8, head, head + headers, end - 4, end)
        start = end


def _chosen(places: Sequence[int], chosen: Sequence[bool]) -> list[int]:
    return list(compress(places, chosen))


def _cut(data: bytes, places: Sequence[int]) -> list[bytes]:
    return [data[a:b] for a, b in pairwise([0, *places, len(data)])]
