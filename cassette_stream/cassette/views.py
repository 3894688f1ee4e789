"""What of a request counts when two are compared, as plain JSON values.

In a view nothing is left that must not matter: the order of the query and of the members
of an object, 1 or 1.0, which placeholder stands for a secret, and what is ignored. So two
parts agree if their views are equal, and the words for a difference come from the same
views: verdict and reason cannot part.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Hashable
from hashlib import blake2b
from typing import Any, NoReturn
from urllib.parse import parse_qsl, urlsplit

import msgspec

from cassette_stream.cassette.json_path import Path, drop
from cassette_stream.cassette.model import Request

__all__ = ("PARTS", "Ignored", "Part", "digest")

_HOP_HEADERS = frozenset(
    {"accept-encoding", "connection", "content-length", "host", "transfer-encoding"}
)
"""What the HTTP library or the recorder writes, not the caller."""

_DEEPEST = 100
"""How deep a body may be nested and still count as JSON: what compares it recurses."""

_DEFAULT_PORTS = {"http": 80, "https": 443}
_BOUNDARY = re.compile(r'(?i:boundary)="?([^";]+)"?')
# With its padding: a recorded answer that is part of the next request was redacted at its
# full length, and the same secret in the request was not.
_PLACEHOLDER = re.compile("REDACTED-[1-9][0-9]*-*")
_PLACEHOLDER_BYTES = re.compile(_PLACEHOLDER.pattern.encode())


class Ignored(msgspec.Struct, frozen=True, kw_only=True):
    """What is left out: *fields* of JSON bodies, parameters of the *query*, *headers*."""

    fields: tuple[Path, ...] = ()
    query: frozenset[str] = frozenset()
    headers: frozenset[str] = frozenset()


class Part(msgspec.Struct, frozen=True):
    """A part of a request: the *source* that it is made of, and the *view* of that.

    Equal sources have equal views, so most comparisons end there.
    """

    source: Callable[[Request], Hashable]
    view: Callable[[Any, Ignored], object]


def digest(view: object) -> bytes:
    """Sixteen bytes that are equal for equal views."""
    text = b"=" + view if isinstance(view, bytes) else json.dumps(view, sort_keys=True).encode()
    return blake2b(text, digest_size=16).digest()


def _url(url: str, ignored: Ignored) -> dict[str, object]:
    url = _plain(url)
    try:
        split = urlsplit(url)
        port = split.port
    except ValueError:
        return {"text": url}  # nobody can send it, but a hand may have written it
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
        "query": {name: _sole(sorted(texts)) for name, texts in query.items()},
    }


def _headers(items: tuple[tuple[str, tuple[str, ...]], ...], ignored: Ignored) -> object:
    left_out = _HOP_HEADERS | ignored.headers
    return {
        name: _sole([_BOUNDARY.sub("boundary", _plain(text)) for text in texts])
        for name, texts in items
        if name not in left_out
    }


def _body(source: tuple[bytes, str], ignored: Ignored) -> object:
    body, boundary = source
    if boundary:  # drawn anew for every multipart request
        body = body.replace(b"--" + boundary.encode(), b"--boundary")
    if b"REDACTED-" in body:
        body = _PLACEHOLDER_BYTES.sub(b"REDACTED", body)
    try:
        value = json.loads(body, parse_float=_number, parse_constant=_no_number)
    except (ValueError, RecursionError):
        return body
    if body.count(b"[") + body.count(b"{") > _DEEPEST and _is_deep(value):
        return body
    for path in ignored.fields:
        drop(value, path)
    return value


def _is_deep(value: object) -> bool:
    level = [value]
    for _ in range(_DEEPEST):
        level = [
            inner
            for each in level
            if isinstance(each, dict | list)
            for inner in (each.values() if isinstance(each, dict) else each)
        ]
        if not level:
            return False
    return True


def _body_source(request: Request) -> tuple[bytes, str]:
    for text in request.headers.get("content-type", ()):
        if text.lower().startswith("multipart/") and (found := _BOUNDARY.search(text)):
            return request.body, found[1]
    return request.body, ""


def _number(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        _no_number(text)
    return int(value) if value.is_integer() else value


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number of JSON that a float can hold")


def _plain(text: str) -> str:
    return _PLACEHOLDER.sub("REDACTED", text) if "REDACTED-" in text else text


def _sole(texts: list[str]) -> list[str] | str:
    return texts[0] if len(texts) == 1 else texts


def _part_of_url(name: str) -> Part:
    return Part(lambda request: request.url, lambda url, ignored: _url(url, ignored).get(name, url))


PARTS: dict[str, Part] = {
    "method": Part(lambda request: request.method, lambda method, _: method),
    "url": Part(lambda request: request.url, _url),
    "scheme": _part_of_url("scheme"),
    "host": _part_of_url("host"),
    "port": _part_of_url("port"),
    "path": _part_of_url("path"),
    "query": _part_of_url("query"),
    "headers": Part(lambda request: tuple(request.headers.items()), _headers),
    "body": Part(_body_source, _body),
}
"""The built-in parts, by the name that *match_on* takes."""
