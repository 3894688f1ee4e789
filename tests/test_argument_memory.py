from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cassette_stream.chunks import arguments
from cassette_stream.chunks.arguments import Arguments

PIECES = st.lists(
    st.tuples(st.text('{}[]"\\ab', max_size=3), st.sampled_from(["", "", "", "text", "closed"]))
)


def outcome(pieces: list[tuple[str, str]]) -> list[object]:
    """All that is seen of arguments that come in *pieces*, looked at in between."""
    together = Arguments()
    seen: list[object] = []
    for piece, asked in pieces:
        seen.append(together.add(piece))
        if asked:
            seen.append(getattr(together, asked))
    return [*seen, together.closed, together.preview(), together.settle(), together.text]


@settings(deadline=None)
@given(pieces=PIECES, most=st.integers(0, 3))
def test_when_pieces_are_joined_makes_no_difference(
    pieces: list[tuple[str, str]], most: int
) -> None:
    expected = outcome(pieces)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(arguments, "_MOST_PARTS", most)
        assert outcome(pieces) == expected


def test_arguments_in_small_pieces_do_not_take_many_times_their_size() -> None:
    together = Arguments()
    together.add('{"x":"')
    tracemalloc.start()
    try:
        for number in range(100_000, 200_000):
            together.add(str(number))
        held = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()

    assert len(together) == 600_006
    assert held < 3 * len(together)
