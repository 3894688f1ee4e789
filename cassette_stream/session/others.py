"""What others have written to a cassette while a session recorded for it.

Sessions that race for one file record the same, and one copy is enough: each plays it from
the start. But what one session recorded twice it asked for twice, and needs twice. So of
each interaction there is in the end what the session had read, and on top the *larger* of
two numbers: how many others have added, and how many the session recorded.

Two interactions are the same if they would be written alike had they taken no time: the
dates, the gaps, where the network cut the body, and the header ``date`` do not count; all
else does.
"""

from __future__ import annotations

import re
from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime

from cassette_stream.cassette import CassetteReader, dump_interaction
from cassette_stream.cassette.model import Ending, Interaction
from cassette_stream.exceptions import CassetteFormatError

__all__ = ("added", "not_there")

# In column 0 these stand nowhere else. What we have written ourselves is alike to the byte
# where it says the same; what was edited by hand may not be, and then counts as another.
_REQUEST = re.compile(rb"\nrequest:\n(.*?)\n(?:response|failure):\n", re.DOTALL)


def added(kept: CassetteReader, seen: CassetteReader | None) -> Iterator[int]:
    """The places of what was added to a file.

    Args:
        kept: What the file holds.
        seen: What it held when the session read it; None if it was not there.
    """
    before = Counter(seen.document(place) for place in range(len(seen))) if seen else Counter()
    for place in range(len(kept)):
        document = kept.document(place)
        if before[document]:
            before[document] -= 1
        else:
            yield place


def not_there(
    recorded: Sequence[Interaction],
    documents: Sequence[bytes],
    kept: CassetteReader,
    seen: CassetteReader | None,
) -> Iterator[bytes]:
    """The *documents* of what was *recorded*, but for those that others have added."""
    there = _contents(kept, seen, {_request(document) for document in documents})
    for interaction, document in zip(recorded, documents, strict=True):
        content = _content(interaction) if there else b""
        if there[content]:
            there[content] -= 1
        else:
            yield document


def _contents(
    kept: CassetteReader, seen: CassetteReader | None, asked: set[bytes]
) -> Counter[bytes]:
    """The contents of what was added, each with how often, as far as it was *asked* for here."""
    contents: Counter[bytes] = Counter()
    for place in added(kept, seen):
        # Others wait meanwhile, so that nothing else is read.
        if _request(kept.document(place)) in asked:
            # What cannot be read is nothing that was recorded here; it stays as it is.
            with suppress(CassetteFormatError):
                contents[_content(kept.interaction(place))] += 1
    return contents


def _request(document: bytes) -> bytes:
    found = _REQUEST.search(document)
    return found[1] if found else b""


def _content(interaction: Interaction) -> bytes:
    """The interaction as it would be written, had it taken no time."""
    response = interaction.response
    if response is not None:
        response = replace(
            response,
            headers={name: each for name, each in response.headers.items() if name != "date"},
            head_after_us=0,
            sizes=array("q"),
            gaps_us=array("q"),
            ending=_at_once(response.ending),
        )
    return dump_interaction(
        replace(
            interaction,
            recorded_at=datetime.min.replace(tzinfo=UTC),
            response=response,
            failure=interaction.failure and _at_once(interaction.failure),
        )
    )


def _at_once(ending: Ending) -> Ending:
    return replace(ending, after_us=0)
