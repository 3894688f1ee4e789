"""Cohere's citations, and the annotations of the chat completions API, each from the other.

A citation says which span of the answer rests on which sources, documents or what tools
returned. Only a source that has an address is an annotation as well: there is no other place
for the rest, and none is made up.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from cassette_stream.chunks import Message
from cassette_stream.dialects.decoding import field

__all__ = ("annotations_of", "citations_of")


def annotations_of(citation: Mapping[str, Any]) -> list[dict[str, Any]]:
    """An annotation for each document that has a ``url`` among the sources of *citation*."""
    found = []
    for source in field(citation, "sources", list) or ():
        document = source.get("document") if isinstance(source, dict) else None
        if isinstance(document, dict) and isinstance(document.get("url"), str):
            cited = {
                "start_index": citation.get("start"),
                "end_index": citation.get("end"),
                "url": document["url"],
                "title": document.get("title"),
            }
            kept = {name: it for name, it in cited.items() if it is not None}
            found.append({"type": "url_citation", "url_citation": kept})
    return found


def citations_of(message: Message) -> list[Any]:
    """The citations that *message* came with, else those that its annotations tell."""
    known = (message.provider_specific_fields or {}).get("citations")
    if isinstance(known, list):
        return known
    return list(_cited(message))


def _cited(message: Message) -> Iterator[dict[str, Any]]:
    for note in message.annotations or ():
        cited = note.get("url_citation")
        if isinstance(cited, Mapping):
            start, end = cited.get("start_index"), cited.get("end_index")
            document = {name: cited[name] for name in ("title", "url") if cited.get(name)}
            yield {
                "start": start,
                "end": end,
                "text": (message.content or "")[start:end],
                "sources": [{"type": "document", "id": cited.get("url"), "document": document}],
                "type": "TEXT_CONTENT",
            }
