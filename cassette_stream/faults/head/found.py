"""The head of a script, and answers that stand in its place.

Waits before the head stay: whatever comes instead comes when the head would have come. A
script without a head, which failed before it, is left whole.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from cassette_stream.faults.seen import Heard, Seen
from cassette_stream.script import Emit, Head, Script, Step

__all__ = ("HTML", "JSON", "Fields", "answer", "before_head", "seen_ahead", "spoken")

Fields = tuple[tuple[str, str], ...]

HTML = "text/html; charset=UTF-8"
JSON = "application/json"

_MOST_STEPS = 10_000


def before_head(script: Script) -> Generator[Step, None, Head | None]:
    """Give what comes before the head of *script*, then return the head; None if it has none."""
    for step in script:
        if isinstance(step, Head):
            return step
        yield step
    return None


def answer(
    head: Head, status: int, body: bytes, *, content_type: str | None, fields: Fields = ()
) -> Script:
    """A whole response with *body*, by the HTTP version of *head*."""
    kind = () if content_type is None else (("content-type", content_type),)
    length = ("content-length", str(len(body)))
    yield Head(status, (*fields, *kind, length), head.http_version)
    if body:
        yield Emit(body)


def seen_ahead(script: Script) -> Seen | None:
    """The next event of *script* that tells its dialect; it is read until one does.

    None if it ends before that, or if 10,000 steps tell nothing.
    """
    heard = Heard()
    for number, _ in enumerate(heard.listen(script)):
        for seen, _ in heard.new:
            if seen.dialect is not None:
                return seen
        heard.new.clear()
        if number == _MOST_STEPS:
            break
    return None


def spoken(seen: Seen) -> Any:
    """The module that speaks as *seen* does, both ways; the event tells its dialect."""
    from cassette_stream import dialects  # noqa: PLC0415 - only those who fake answers pay for it

    in_chunks = seen.dialect == "anthropic" and seen.framing == "aws"
    return getattr(dialects, "bedrock_invoke" if in_chunks else str(seen.dialect))
