"""When a rule applies: to which request, at which attempt, to what kind of request.

A request is counted by its place among those that the code under test makes, an attempt
by how often it asked for the same recorded interaction: a retry is the next attempt of
the same request.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from cassette_stream.cassette.json_path import parse_path, same_json, values_at
from cassette_stream.exceptions import PlanError

if TYPE_CHECKING:
    from cassette_stream.cassette.model import Request

__all__ = ("Match", "Occasion", "Span", "span_of")


@dataclass(frozen=True, slots=True)
class Span:
    """The whole numbers from *first* to *last*, both included; no *last* is no end."""

    first: int
    last: int | None = None

    def __contains__(self, number: int) -> bool:
        return self.first <= number and (self.last is None or number <= self.last)

    def __str__(self) -> str:
        if self.first == self.last:
            return str(self.first)
        return f"{self.first}..{'' if self.last is None else self.last}"


def span_of(name: str, value: object) -> Span:
    """The span that a number, a pair of numbers or a text such as ``1..2`` stands for.

    Raises:
        PlanError: It stands for none, or for one that does not begin at 1 or later.
    """
    if isinstance(value, Span):
        return value
    first: object = value
    last: object = value
    if isinstance(value, tuple) and len(value) == 2:
        first, last = value
    elif isinstance(value, str):
        low, dots, high = value.strip().partition("..")
        first = _int(low)
        last = first if not dots else None if not high else _int(high) or 0
    if isinstance(first, int) and not isinstance(first, bool) and first >= 1:
        if last is None:
            return Span(first)
        if isinstance(last, int) and last >= first:
            return Span(first, last)
    raise PlanError(f"{name} is {value!r}; it can be a number from 1, or as in 1..2 or 2..")


def _int(text: str) -> int | None:
    # No run has more requests than 18 digits count, and Python reads no more than 4,300.
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 18 else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Occasion:
    """One request that is about to be answered.

    Attributes:
        request: The request.
        number: Its number among the requests, counted from 1; a retry has that of the first.
        attempt: How often it was asked, this time included.
    """

    request: Request
    number: int
    attempt: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """What a request is like; ``*`` and ``?`` stand for anything, and what is None does not count.

    Attributes:
        method: Its method.
        host: Its host.
        path: The path of its URL.
        model: The model that its body names, or its path where the body does not.
        headers: Headers by name.
        body: Values by their path in its JSON body, as in ``{"tools[*].type": "function"}``.

    Raises:
        PlanError: A pattern is no text, or a path is none.
    """

    method: str | None = None
    host: str | None = None
    path: str | None = None
    model: str | None = None
    headers: Mapping[str, str] | None = None
    body: Mapping[str, object] | None = None

    def __post_init__(self) -> None:
        for name in ("headers", "body"):
            told = getattr(self, name)
            if told is not None and not (
                isinstance(told, Mapping) and all(isinstance(key, str) for key in told)
            ):
                raise PlanError(f"{name} is {told!r}; it can be a map from text")
            # None and nothing are the same.
            object.__setattr__(self, name, dict(told) if told else None)
        patterns = {name: getattr(self, name) for name in ("method", "host", "path", "model")}
        for name, pattern in (patterns | dict(self.headers or {})).items():
            if pattern is not None and not isinstance(pattern, str):
                raise PlanError(f"{name} is {pattern!r}; it can be a text, * stands for anything")
        try:
            for path in self.body or ():
                parse_path(path)
        except ValueError as error:
            raise PlanError(f"body: {error}") from None

    def __call__(self, request: Request) -> bool:
        url = urlsplit(request.url)
        told = (
            (self.method and self.method.upper(), request.method.upper()),
            (self.host and self.host.lower(), url.hostname or ""),
            (self.path, url.path),
            (self.model, _model(request, url.path) if self.model is not None else ""),
        )
        if any(pattern is not None and not fnmatchcase(it, pattern) for pattern, it in told):
            return False
        for name, pattern in (self.headers or {}).items():
            if not any(fnmatchcase(it, pattern) for it in request.headers.get(name.lower(), ())):
                return False
        tree = _json(request) if self.body else None
        return all(
            any(same_json(value, it) for it in values_at(tree, parse_path(path)))
            for path, value in (self.body or {}).items()
        )


def _json(request: Request) -> object:
    try:
        return json.loads(request.body)
    except (ValueError, RecursionError):
        return None


def _model(request: Request, path: str) -> str:
    tree = _json(request)
    if isinstance(tree, dict) and isinstance(tree.get("model"), str):
        return str(tree["model"])
    # As in /v1beta/models/gemini-2.5-flash:streamGenerateContent
    if "/models/" in path:
        return path.rpartition("/models/")[2].partition(":")[0]
    # As in /model/amazon.nova-lite-v1%3A0/converse-stream
    model, _, _ = path.removeprefix("/model/").partition("/")
    return unquote(model) if path.startswith("/model/") else ""
