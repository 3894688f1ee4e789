"""Inputs that nobody meant, made from good ones: bytes, lines and JSON changed at random.

The same generator gives the same input, whatever machine it runs on.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ("Material", "mutated")

LONGEST = 400_000
"""Bytes of an input; only what is nested without end comes near."""

_OPENINGS = (b"[", b"{a: ", b'{"a":', b"- ", b"? ", b"[{", b"((", b"|\n ", b'"')
_BYTES = (0x00, 0x09, 0x0A, 0x0D, 0x20, 0x22, 0x27, 0x2D, 0x3A, 0x5C, 0x7F, 0x80, 0xC2, 0xED, 0xFF)
_PIECES = (
    *(b"\r\n", b"\r", b"\n\n", b"\t", b" ", b"  ", b": ", b" #", b"- ", b"? ", b"[", b"]", b"{"),
    *(b"}", b",", b'"', b"'", b"\\", b"&a ", b"*a", b"!!int ", b"!", b"<<: ", b"|", b">-", b"%"),
    *(b"---\n", b"...\n", b"\xef\xbb\xbf", b"\xc2\x85", b"\xe2\x80\xa8", b"\xed\xa0\xbd", b"\0"),
    *(b"\\ud83d", b"\\U00110000", b"\\x", b"null", b"true", b"~", b"NaN", b"-0", b"1e999"),
    *(b"9" * 19, b"1" * 5000, b"data: ", b"event: ", b"id: ", b"retry: ", b"[DONE]", b"<<<<<<< a\n"),
)  # fmt: skip
_VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 2**31, 2**63, 10**30, 1.5, 1e308, "", "x", "\ud83d", "\0", " "),
    *([], {}, [None], [[]], {"": None}, {"type": "x"}, "stop", "error", "[DONE]", {"error": {}}),
)
_JSON_LINE = re.compile(rb"[ \w:-]*?([\[{].*[\]}])\s*")


@dataclass(frozen=True, slots=True)
class Material:
    """What inputs are made of: good *seeds*, and *words* that mean something in them."""

    seeds: Sequence[bytes]
    words: Sequence[bytes] = ()


def mutated(rng: random.Random, material: Material) -> bytes:
    """One input: a seed, changed one to eight times."""
    data = rng.choice(material.seeds)
    for _ in range(rng.choice((1, 1, 1, 2, 2, 3, 5, 8))):
        data = rng.choice(_MUTATIONS)(rng, data, material)
    return data[:LONGEST]


def _span(rng: random.Random, length: int) -> tuple[int, int]:
    """Where a piece begins and ends; most are short."""
    start = rng.randrange(length + 1)
    return start, min(length, start + rng.choice((0, 1, 1, 2, 4, 16, 200)))


def _flip(rng: random.Random, data: bytes, _: Material) -> bytes:
    if not data:
        return data
    changed = bytearray(data)
    changed[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _replace_byte(rng: random.Random, data: bytes, _: Material) -> bytes:
    at = rng.randrange(len(data) + 1)
    return data[:at] + bytes((rng.choice(_BYTES),)) + data[at + 1 :]


def _insert(rng: random.Random, data: bytes, material: Material) -> bytes:
    start, end = _span(rng, len(data))
    piece = rng.choice(rng.choice((_PIECES, material.words or _PIECES)))
    return data[:start] + piece + data[end:]


def _delete(rng: random.Random, data: bytes, _: Material) -> bytes:
    start, end = _span(rng, len(data))
    return data[:start] + data[end:]


def _repeat(rng: random.Random, data: bytes, _: Material) -> bytes:
    start, end = _span(rng, len(data))
    return data[:end] + data[start:end] * rng.choice((1, 1, 2, 100)) + data[end:]


def _cut(rng: random.Random, data: bytes, _: Material) -> bytes:
    at = rng.randrange(len(data) + 1)
    return rng.choice((data[:at], data[at:]))


def _splice(rng: random.Random, data: bytes, material: Material) -> bytes:
    other = rng.choice(material.seeds)
    return data[: rng.randrange(len(data) + 1)] + other[rng.randrange(len(other) + 1) :]


def _nest(rng: random.Random, data: bytes, _: Material) -> bytes:
    # Rarely so deep that it is felt: an input of 200 kB takes as long as a hundred others.
    depth = rng.choice((2, 60, 70, 300)) if rng.random() < 0.98 else 100_000
    at = rng.randrange(len(data) + 1)
    return data[:at] + rng.choice(_OPENINGS) * depth + data[at:]


def _line_ends(rng: random.Random, data: bytes, _: Material) -> bytes:
    old, new = rng.choice(((b"\n", b"\r\n"), (b"\n", b"\r"), (b"\r\n", b"\n"), (b"\n\n", b"\n")))
    return data.replace(old, new, rng.choice((1, 3, -1)))


def _lines(rng: random.Random, data: bytes, material: Material) -> bytes:
    """Whole lines dropped, doubled, moved, indented, or taken from elsewhere."""
    lines = data.splitlines(keepends=True) or [b""]
    at = rng.randrange(len(lines))
    end = min(len(lines), at + rng.choice((1, 1, 1, 2, 5)))
    some = lines[at:end]
    match rng.randrange(6):
        case 0:
            some = []
        case 1:
            some = some * 2
        case 2:
            del lines[at:end]
            at = end = rng.randrange(len(lines) + 1)
        case 3:
            some = [b" " * rng.randint(1, 4) + line for line in some]
        case 4:
            some = [line.removeprefix(b" " * rng.randint(1, 4)) for line in some]
        case _:
            some = [rng.choice(rng.choice(material.seeds).splitlines(keepends=True) or [b""])]
    lines[at:end] = some
    return b"".join(lines)


def _value(rng: random.Random, data: bytes, material: Material) -> bytes:
    """The key or the value of a line replaced by a word, or put in quotes or brackets."""
    lines = data.split(b"\n")
    at = rng.randrange(len(lines))
    key, colon, value = lines[at].partition(b":")
    indent = key[: len(key) - len(key.lstrip())]
    word = rng.choice(rng.choice((_PIECES, material.words or _PIECES)))
    match rng.randrange(5):
        case 0:
            key = indent + word
        case 1:
            value = b" " + word
        case 2:
            value = b' "%b"' % value.strip()
        case 3:
            value = b" [%b]" % value.strip()
        case _:
            value = b" {a: %b}" % value.strip()
    lines[at] = key + (colon or b":") + value
    return b"\n".join(lines)


def _json(rng: random.Random, data: bytes, _: Material) -> bytes:
    """One value in one line of JSON changed, so that all around it still makes sense."""
    found = [line for line in map(_JSON_LINE.fullmatch, data.splitlines()) if line]
    if not found:
        return data
    line = rng.choice(found)
    try:
        value = json.loads(line[1])
    except (ValueError, RecursionError):
        return data
    changed = json.dumps(
        _changed(rng, value), separators=(",", ":"), ensure_ascii=rng.random() < 0.5
    )
    return data.replace(line[1], changed.encode("utf-8", "surrogatepass"), 1)


def _changed(rng: random.Random, value: Any) -> Any:
    if isinstance(value, dict) and value and rng.random() < 0.85:
        name = rng.choice(list(value))
        match rng.randrange(8):
            case 0:
                return {key: item for key, item in value.items() if key != name}
            case 1:
                return value | {rng.choice((name, "x", "", "type", "index")): rng.choice(_VALUES)}
            case _:
                return value | {name: _changed(rng, value[name])}
    if isinstance(value, list) and value and rng.random() < 0.85:
        at = rng.randrange(len(value))
        more = rng.choice(([], [value[at]] * 2, [_changed(rng, value[at])]))
        return value[:at] + more + value[at + 1 :]
    return rng.choice(_VALUES)


_MUTATIONS: tuple[Callable[[random.Random, bytes, Material], bytes], ...] = (
    *(_flip, _replace_byte, _insert, _insert, _delete, _repeat, _cut, _splice, _nest, _line_ends),
    *(_lines, _lines, _lines, _value, _value, _json, _json, _json),
)
