"""JSON bodies as YAML that a person can read, where not even a digit gets lost on the way.

A body goes under ``json:`` only if what is read back is an equal value; else it stays text.
"""

from __future__ import annotations

import json
from typing import TypeGuard

from cassette_stream.cassette.json_values import JSON, compact
from cassette_stream.cassette.scalars import MAX_KEY, inline, string

__all__ = ("exact_json", "write_json")

MAX_DEPTH = 62
"""Lists and maps within each other; the reader takes two more, for what is around them."""

MAX_NODES = 100_000
"""Beyond that many values nobody reads it as YAML, and reading it is slow."""


def exact_json(body: bytes) -> dict[str, JSON] | list[JSON] | None:
    """The value of *body* where it is a JSON object or array that YAML holds exactly; else None.

    None for text that is no JSON, a key that is twice in an object or too long for YAML,
    numbers that are not finite, lone surrogates, and nesting or size that nobody can read.
    """
    if body.lstrip()[:1] not in (b"{", b"["):
        return None
    try:
        value: dict[str, JSON] | list[JSON] = json.loads(
            body.decode(), object_pairs_hook=_unique, parse_constant=_refuse
        )
        compact(value)
    except (ValueError, RecursionError):
        # Not UTF-8, not JSON, refused below, an infinity that was written as 1e999, or a
        # lone surrogate that was written as \ud800: all are kinds of ValueError.
        return None
    return value if _fits(value) else None


def _unique(pairs: list[tuple[str, JSON]]) -> dict[str, JSON]:
    value = dict(pairs)
    if len(value) < len(pairs):
        raise ValueError
    return value


def _refuse(constant: str) -> JSON:
    raise ValueError(constant)


def _fits(value: dict[str, JSON] | list[JSON]) -> bool:
    """Whether *value* is not too deep, too large, or keyed by what YAML takes for no key."""
    level = [value]
    nodes = 1
    depth = 0
    while level:
        depth += 1
        below: list[JSON] = []
        for item in level:
            if isinstance(item, list):
                below += item
                continue
            if any(len(inline(name)) > MAX_KEY for name in item):
                return False
            nodes += len(item)
            below += item.values()
        nodes += len(below)
        if depth > MAX_DEPTH or nodes > MAX_NODES:
            return False
        level = [item for item in below if isinstance(item, list | dict)]
    return True


def write_json(value: JSON, head: str, indent: int) -> list[str]:
    """The lines of *value* after *head*, which is a key at column *indent* with its colon."""
    out: list[str] = []
    _entry(value, head, indent, out)
    return out


def _entry(value: JSON, head: str, indent: int, out: list[str]) -> None:
    if not _spreads(value):
        out.append(f"{head} {_leaf(value, indent + 2)}")
        return
    out.append(f"{head}\n")
    # The dashes of a list stand below the first letter of its key.
    inner = indent + 2 if isinstance(value, dict) else indent
    _spread(value, " " * inner, inner, out)


def _spread(value: dict[str, JSON] | list[JSON], lead: str, indent: int, out: list[str]) -> None:
    """Lines of a map or list at column *indent*; the first begins with *lead* instead of blanks."""
    pad = " " * indent
    if isinstance(value, dict):
        for name, item in value.items():
            _entry(item, f"{lead}{inline(name)}:", indent, out)
            lead = pad
        return
    for item in value:
        if _spreads(item):
            _spread(item, f"{lead}- ", indent + 2, out)
        else:
            out.append(f"{lead}- {_leaf(item, indent + 2)}")
        lead = pad


def _spreads(value: JSON) -> TypeGuard[dict[str, JSON] | list[JSON]]:
    """Whether *value* takes lines of its own: maps do, and lists but of numbers, unless empty."""
    if isinstance(value, list):
        return any(isinstance(item, str | list | dict) for item in value)
    return isinstance(value, dict) and bool(value)


def _leaf(value: JSON, indent: int) -> str:
    match value:
        case str():
            return string(value, indent)
        case dict():
            return "{}\n"
        case list():
            return f"[{', '.join(map(_number, value))}]\n"
        case _:
            return f"{_number(value)}\n"


def _number(value: JSON) -> str:
    """Numbers, and the other words of JSON."""
    text = json.dumps(value)
    # A reader of YAML 1.1 takes 1e+16 for a string, and 1.0e+16 for what it is.
    return text.replace("e", ".0e") if isinstance(value, float) and "." not in text else text
