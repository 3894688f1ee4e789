"""Cassettes as values: what was asked, what came back, when, and how it ended.

Times are whole microseconds, because the file keeps three decimals of a millisecond
and what is written must read back equal. A body is kept once, in one piece; where the
network cut it is a list of sizes beside it. As text (`repr`) they show placeholders for
what looks like a secret.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, TypeAlias

from cassette_stream.script import FailureKind

__all__ = (
    "FORMAT_VERSION",
    "Cassette",
    "Ending",
    "Frame",
    "Headers",
    "How",
    "Interaction",
    "Later",
    "Request",
    "Response",
    "refit_sizes",
)

FORMAT_VERSION = 1


def refit_sizes(sizes: array[int], length: int) -> array[int]:
    """*sizes* for a body of *length* bytes that they no longer fit.

    Frames stay as long as they lie within the body; the last of them takes what is left.
    """
    kept = array("q")
    total = 0
    for size in sizes:
        if total + size > length:
            break
        kept.append(size)
        total += size
    if not kept and length:
        kept.append(0)
    if kept:
        kept[-1] += length - total
    return kept


Later: TypeAlias = Mapping[str, Any]
"""What a later minor version of the format says, by its keys: kept as it is, and not understood."""

Headers: TypeAlias = Mapping[str, tuple[str, ...]]
"""Lower-case names, each with its values in order, decoded as latin-1."""


class How(StrEnum):
    """How a body ended, by the name that a cassette writes."""

    COMPLETE = "complete"
    CLOSED_BY_CALLER = "closed_by_caller"
    CANCELLED = "cancelled"
    FAILURE = "failure"

    def __repr__(self) -> str:  # as it is written in code
        return f"How.{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Ending:
    """How a body, or a request that got no response, ended.

    *after_us* is the time since the last frame (without frames: since the head; without
    a head: since the request), in microseconds; a complete body has none. *failure* and
    *message* (the text of the exception) are there if and only if *how* is a failure.
    """

    how: How
    after_us: int = 0
    failure: FailureKind | None = None
    message: str = ""
    later: Later = field(default_factory=dict, hash=False, repr=False)

    def __repr__(self) -> str:
        return _repr(self)


@dataclass(frozen=True, slots=True)
class Frame:
    """Bytes as the transport delivered them, and the microseconds before them."""

    gap_us: int
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Request:
    """What was asked. *body* is the whole body, decoded from its transfer coding."""

    method: str
    url: str
    headers: Headers = field(default_factory=dict)
    body: bytes = b""
    later: Later = field(default_factory=dict, repr=False)

    def __repr__(self) -> str:
        return _repr(self)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Response:
    """What came back.

    *head_after_us* counts from sending the request to the head. *sizes* and *gaps_us*
    have one entry per frame; the sizes add up to the length of *body*. *removed_coding*
    names the content coding that the server used and that the body no longer has.
    *reason* is the reason phrase where it is not the standard one.
    """

    status: int
    http_version: str = "HTTP/1.1"
    reason: str | None = None
    headers: Headers = field(default_factory=dict)
    head_after_us: int = 0
    body: bytes = b""
    sizes: array[int] = field(default_factory=lambda: array("q"))
    gaps_us: array[int] = field(default_factory=lambda: array("q"))
    ending: Ending = field(default_factory=lambda: Ending(how=How.COMPLETE))
    removed_coding: str | None = None
    later: Later = field(default_factory=dict, repr=False)

    def __repr__(self) -> str:
        return _repr(self)

    def with_body(self, body: bytes) -> Response:
        """The same with another *body*: frames stay while they lie in it, the last has the rest."""
        sizes = refit_sizes(self.sizes, len(body))
        gaps_us = self.gaps_us[: len(sizes)] or array("q", [0] * len(sizes))
        return replace(self, body=body, sizes=sizes, gaps_us=gaps_us)

    def frames(self) -> Iterator[Frame]:
        """The body as the transport delivered it; each frame's bytes are copied when reached."""
        start = 0
        for size, gap_us in zip(self.sizes, self.gaps_us, strict=True):
            yield Frame(gap_us, self.body[start : start + size])
            start += size


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Interaction:
    """A request and what came of it: a *response*, or the *failure* that came instead of one.

    *recorded_at* is an aware UTC date in whole milliseconds. *incomplete* marks what was
    recovered from a recorder that died.
    """

    recorded_at: datetime
    request: Request
    response: Response | None = None
    failure: Ending | None = None
    incomplete: bool = False
    later: Later = field(default_factory=dict, repr=False)

    def __repr__(self) -> str:
        return _repr(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cassette:
    """One file: a header and the interactions in the order in which their requests started."""

    interactions: tuple[Interaction, ...] = ()
    recorded_with: str = ""
    version: int = FORMAT_VERSION
    minor: int = 0
    later: Later = field(default_factory=dict, repr=False)


def _repr(value: Ending | Request | Response | Interaction) -> str:
    # A test that fails shows what its functions were given, and its output is kept by many.
    from cassette_stream.cassette.redact import shown  # noqa: PLC0415 - it is made of these

    clean = shown(value)
    told = (f"{each.name}={getattr(clean, each.name)!r}" for each in fields(clean) if each.repr)
    return f"{type(value).__name__}({', '.join(told)})"
