"""Changing how a body is framed: the head that promises it, and what comes of the promise.

A fault that changes the head changes it before it is known whether the stream has its
place. So everything is held back until the place is found, and a stream without the
place comes out as it went in.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from itertools import chain
from typing import TypeAlias

from cassette_stream.faults.info import Fault
from cassette_stream.faults.place import Place
from cassette_stream.faults.seek import Found, seek
from cassette_stream.script import Emit, Fail, Framing, Head, Script, Step, Wait, framing_of

__all__ = (
    "Reframe",
    "chunked",
    "over_http2",
    "promising",
    "reframed",
    "replacing",
    "sought",
    "unmeasured",
    "without",
)

Reframe: TypeAlias = Callable[[Head, int], Head]
"""The head to tell instead, for a head and the bytes of its body before the place."""

_MOST_HELD = 100_000
_HTTP_1_ONLY = ("connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade")


def sought(script: Script, at: Place) -> Generator[Step, None, Found | None]:
    """As `seek`, for a place in the body; a moment before the head is none."""
    begun: list[Step] = []  # as it came; a moment cuts a wait in two

    def noted() -> Script:
        for step in script:
            if not (begun and isinstance(begun[-1], Head)):
                begun.append(step)
            yield step

    held: list[Step] = []
    has_head = False
    looking = seek(noted(), at)
    while True:
        try:
            held.append(next(looking))
        except StopIteration as end:
            found: Found | None = end.value
            break
        has_head = has_head or isinstance(held[-1], Head)
        if has_head:
            yield from held
            held.clear()
    if has_head:
        return found
    yield from begun
    yield from script
    return None


def reframed(script: Script, at: Place, change: Reframe) -> Generator[Step, None, Found | None]:
    """As `sought`, with the head as *change* gives it.

    A place is none either if it is so far from the beginning that more than 100,000 steps
    would have to be held back.
    """
    held: list[Step] = []
    looking = sought(script, at)
    found: Found | None = None
    while len(held) < _MOST_HELD:
        try:
            held.append(next(looking))
        except StopIteration as end:
            found = end.value
            break
    if found is None:
        yield from held
        late = yield from looking  # None, unless it was given up
        if late is not None:
            yield from late.steps
            yield from script
        return None
    before = sum(len(step.data) for step in held if isinstance(step, Emit)) + found.at
    for step in held:
        yield change(step, before) if isinstance(step, Head) else step
    return found


def unmeasured(script: Script, rewrite: Fault) -> Script:
    """What *rewrite* makes of *script*, whose head promises no length that became untrue.

    A body of known length is taken whole. Where it is changed, and neither fails nor has
    another head, no length is promised.
    """
    begun: list[Step] = []
    for step in script:
        begun.append(step)
        if not isinstance(step, Wait):
            break
    head = begun[-1] if begun else None
    if not (isinstance(head, Head) and framing_of(head) is Framing.LENGTH):
        yield from rewrite(chain(begun, script))
        return
    whole = [*begun, *script]
    told = list(rewrite(iter(whole)))
    is_untrue = told != whole and head in told and not isinstance(told[-1], Fail)
    for step in told:
        yield without(head, "content-length") if is_untrue and step == head else step


def chunked(head: Head) -> Head:
    """*head*, of a body in chunks; one in chunks stays as it is."""
    if framing_of(head) is Framing.CHUNKED and head.http_version == "HTTP/1.1":
        return head
    fields = without(head, "content-length", "connection").headers
    return Head(head.status, fields, "HTTP/1.1", head.reason)


def over_http2(head: Head) -> Head:
    """*head*, as HTTP/2 tells it of a body of unknown length."""
    fields = without(head, "content-length", *_HTTP_1_ONLY).headers
    return Head(head.status, fields, "HTTP/2")


def promising(head: Head, size: int) -> Head:
    """*head*, of a body of *size* bytes; by HTTP/1, for HTTP/2 cannot be wrong of that."""
    told = replacing(without(head, "transfer-encoding"), "content-length", str(size))
    if told.http_version != "HTTP/2":
        return told
    return Head(told.status, told.headers, "HTTP/1.1", told.reason)


def replacing(head: Head, name: str, value: str) -> Head:
    """*head*, with that field and no other of its name; it keeps its place."""
    number = next((n for n, (it, _) in enumerate(head.headers) if it == name), len(head.headers))
    fields = [field for field in head.headers if field[0] != name]
    fields.insert(number, (name, value))
    return Head(head.status, tuple(fields), head.http_version, head.reason)


def without(head: Head, *names: str) -> Head:
    """*head*, without the fields of these names."""
    fields = tuple(field for field in head.headers if field[0] not in names)
    return Head(head.status, fields, head.http_version, head.reason)
