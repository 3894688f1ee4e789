"""The failing example as a cassette that can be played without Hypothesis.

A file is written where an example has failed, once it is as small as it will be: never for
each of those that Hypothesis tries.
"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

from hypothesis import currently_in_test_context, note
from hypothesis.control import cleanup, current_build_context

from cassette_stream import Cassette, write_cassette
from cassette_stream.exceptions import CassetteError
from pytest_cassette_stream.strategies.recordings import cassette_of

__all__ = ("note_cassette",)


def note_cassette(value: object, path: str | Path) -> None:
    """Make *value* the cassette at *path*, if the test fails with it.

    Within a test of Hypothesis that is done when the smallest failing example has failed,
    and the note of that example says where the file is. Elsewhere it is done at once.

    The request of what is no cassette is a POST without a body, to the provider of a stream
    whose dialect is known: play it with ``use_cassette(path, match_on=["method"])``.

    Args:
        value: A cassette; a script as `scripts` draws it; the bytes of a stream, or the chunks
            of them that `chunkings` draws; or what has its bytes as its ``body``, as what
            `chunk_streams`, `sse_streams` and `quirks` draw.
        path: The file; what stood there is replaced, folders that are missing are made.

    Raises:
        TypeError: No cassette can be made of *value*.
        ValueError: *value* is a script that nobody can perform.
        CassetteError: Outside of a test: the file could not be written.
    """
    cassette = cassette_of(value)
    if not currently_in_test_context():
        write_cassette(path, cassette)
    elif current_build_context().is_final:
        note(f"this example is the cassette {path}")
        # An explicit example is final, too, and may well pass.
        cleanup(partial(_write_if_failed, cassette, path))


def _write_if_failed(cassette: Cassette, path: str | Path) -> None:
    error = sys.exception()
    if error is None:
        return
    try:
        write_cassette(path, cassette)
    except CassetteError as own:
        # What failed first is what counts.
        error.add_note(f"the cassette of this example was not written: {own}")
