"""When a live request is a recorded one, and if not, why.

Each part of a request (its URL, its body ...) has a plain view: a tree of dicts, lists and
scalars in which nothing is left that must not matter. Two parts agree if their views are
equal as JSON values, and the words for a difference come from the same two views, so the
verdict and its reason cannot part. Views are cut down to a digest that is kept, because
one live request is held against all that are recorded. Placeholders of secrets are all
equal; both requests have been redacted.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import TypeAlias
from urllib.parse import parse_qsl, urlsplit

from cassette_stream.cassette.differences import clipped, differences
from cassette_stream.cassette.json_path import Path, drop, parse_path
from cassette_stream.cassette.json_view import Tree, canonical, tree_of
from cassette_stream.cassette.model import Request
from cassette_stream.cassette.secrets import PLACEHOLDER

__all__ = ("DEFAULT_MATCH_ON", "Live", "Matcher", "Matchers", "matchers")

Matcher: TypeAlias = Callable[[Request, Request], str | None]
"""Takes the recorded and the live request; gives None, or the difference in words."""

DEFAULT_MATCH_ON = ("method", "url", "body")

_LINES = 18
"""How many lines all differences have together, as long as each has two."""

_HOP_HEADERS = frozenset(
    {"accept-encoding", "connection", "content-length", "host", "transfer-encoding"}
)
"""What the HTTP library or the recorder writes, not the caller."""

_DEFAULT_PORTS = {"http": 80, "https": 443}
_BOUNDARY = re.compile(r'(?i:boundary)="?([^";]+)"?')


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ignored:
    fields: tuple[Path, ...]
    query: frozenset[str]
    headers: frozenset[str]


def _url(url: str, ignored: _Ignored) -> dict[str, Tree]:
    try:
        split = urlsplit(_plain(url))
        port = split.port
    except ValueError:
        return {"text": url}  # no URL that anybody could send, but a hand may have edited it
    query: dict[str, list[str]] = {}
    for name, text in parse_qsl(split.query, keep_blank_values=True, errors="surrogateescape"):
        if name not in ignored.query:
            query.setdefault(name, []).append(text)
    return {
        "scheme": split.scheme,
        "user": split.netloc.rpartition("@")[0],
        "host": split.hostname or "",
        "port": port or _DEFAULT_PORTS.get(split.scheme),
        "path": split.path or "/",
        "query": {name: sorted(texts) for name, texts in query.items()},
    }


def _headers(items: tuple[tuple[str, tuple[str, ...]], ...], ignored: _Ignored) -> Tree:
    names = _HOP_HEADERS | ignored.headers
    return {
        name: [
            _BOUNDARY.sub("boundary", _plain(text)) if name == "content-type" else _plain(text)
            for text in texts
        ]
        for name, texts in items
        if name not in names
    }


def _body(source: tuple[bytes, str], ignored: _Ignored) -> Tree | bytes:
    body, boundary = source
    if boundary:  # httpx draws one for every multipart request
        body = body.replace(b"--" + boundary.encode("latin-1", "replace"), b"--boundary")
    if b"REDACTED-" in body:
        body = PLACEHOLDER.sub(b"REDACTED", body)
    tree = tree_of(body)
    if not isinstance(tree, bytes):
        for path in ignored.fields:
            drop(tree, path)
    return tree


def _plain(text: str) -> str:
    return _PLACEHOLDER_TEXT.sub("REDACTED", text) if "REDACTED-" in text else text


_PLACEHOLDER_TEXT = re.compile(PLACEHOLDER.pattern.decode())


def _body_source(request: Request) -> tuple[bytes, str]:
    texts = request.headers.get("content-type", ())
    if texts and texts[0].startswith("multipart/"):
        found = _BOUNDARY.search(texts[0])
        return request.body, found[1] if found else ""
    return request.body, ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """*source* is what the part is made of; equal sources have equal views."""

    source: Callable[[Request], Hashable]
    view: Callable[..., Tree | bytes]


def _part_of_url(name: str) -> _Part:
    return _Part(
        source=lambda request: request.url,
        view=lambda url, ignored: _url(url, ignored).get(name, url),
    )


_PARTS = {
    "method": _Part(source=lambda request: request.method, view=lambda method, _: method),
    "url": _Part(source=lambda request: request.url, view=_url),
    **{name: _part_of_url(name) for name in ("scheme", "host", "port", "path", "query")},
    "headers": _Part(source=lambda request: tuple(request.headers.items()), view=_headers),
    "body": _Part(source=_body_source, view=_body),
}


class Matchers:
    """What makes a recorded request and a live one the same; `matchers` makes one."""

    def __init__(self, match_on: Sequence[str | Matcher], ignored: _Ignored) -> None:
        self.match_on = tuple(match_on)
        self._ignored = ignored
        self._digests: dict[tuple[str, Hashable], bytes] = {}

    def against(self, live: Request) -> Live:
        """The *live* request, prepared once, to be held against recorded ones."""
        return Live(live, self)

    def _digest(self, name: str, source: Hashable) -> bytes:
        tree = _PARTS[name].view(source, self._ignored)
        kind, text = (b"b", tree) if isinstance(tree, bytes) else (b"j", canonical(tree))
        return blake2b(kind + text, digest_size=16).digest()
"""
