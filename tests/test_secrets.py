"""Forty kinds of secrets at eighteen places, and a thousand texts that are none."""

from __future__ import annotations

import base64
import re
import zlib
from urllib.parse import unquote_to_bytes

import pytest
from secret_cases import KINDS, PLACES, Kind, case

from cassette_stream.cassette import dump_interaction
from cassette_stream.cassette.redact import Redactor

REDACTOR = Redactor()
SHARED = 12
"""As many bytes in a row of a secret as nobody may find."""

BASE64 = re.compile(rb"[\w+/-]{16,}={0,2}")


def decoded(raw: bytes) -> bytes:
    """*raw*, and all that can be made of it by undoing what hides a text."""
    found = [raw, unquote_to_bytes(raw), raw.replace(b"\\/", b"/")]
    found.append(re.sub(rb"\\u00([0-7].)", lambda match: bytes([int(match[1], 16)]), raw))
    for match in BASE64.finditer(raw.replace(b"\n    ", b"")):
        for shift in range(4):
            letters = match[0].rstrip(b"=")[shift:].translate(bytes.maketrans(b"-_", b"+/"))
            inner = base64.b64decode(letters[: len(letters) // 4 * 4])
            found.append(inner)
            if inner.startswith(b"\x1f\x8b"):
                found.append(zlib.decompressobj(31).decompress(inner))
    said = re.findall(rb'"content": "((?:[^"\\]|\\.)*)"', raw)
    found.append(b"".join(said))
    found.append(raw.replace(b"\\n", b"\n"))
    return b"\n".join(found)


def parts(text: str) -> list[bytes]:
    """What must not be found of a secret: its lines, but for those that are no secret."""
    lines = [line for line in text.encode().splitlines() if b"PRIVATE KEY" not in line]
    return [line for line in lines if len(line) > SHARED]


def shared(secret: bytes, text: bytes) -> bytes:
    """The longest part of *secret* that is in *text*, from `SHARED` bytes on."""
    for size in range(len(secret), SHARED - 1, -1):
        for at in range(len(secret) - size + 1):
            if secret[at : at + size] in text:
                return secret[at : at + size]
    return b""


def leaks(text: str, raw: bytes) -> list[bytes]:
    open_text = decoded(raw)
    windows = {
        line[at : at + SHARED] for line in parts(text) for at in range(len(line) - SHARED + 1)
    }
    return [window for window in windows if window in open_text]


CELLS = [
    pytest.param(kind, place, id=f"{number}-{kind.name}-at-{at}-{name}".replace(" ", "_"))
    for number, kind in KINDS.items()
    for at, (name, place) in PLACES.items()
]


def test_there_are_forty_kinds_and_eighteen_places() -> None:
    assert (len(KINDS), len(PLACES), len(CELLS)) == (40, 18, 720)


@pytest.mark.parametrize(("kind", "place"), CELLS)
def test_no_secret_is_in_what_is_written(kind: Kind, place) -> None:
    for text in kind.texts:
        before = case(kind, text, place)
        redacted = REDACTOR.redacted(before)
        after = redacted.interaction
        document = dump_interaction(after)

        assert leaks(text, dump_interaction(before)), "the case holds no secret"
        assert leaks(text, document) == []
        assert leaks(text, repr(after).encode() + repr(redacted.replaced).encode()) == []
        assert list(REDACTOR.scan(document)) == []
        assert REDACTOR.interaction(after) is after
