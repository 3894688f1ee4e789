"""Values that are known to be secrets, and the spellings in which they may turn up elsewhere.

A value is known because it stood at a secret place, because the user named it, or because a
variable of the environment holds it whose name says so. It is searched for as it is,
JSON-escaped, and within base64 at each of the three alignments; percent signs and other
escapes are undone by `layers` before anything is searched. What may be a word, a number, a
path or an address is not searched for: it would be found where it is no secret.
"""

from __future__ import annotations

import json
import re
from base64 import b64decode, b64encode
from binascii import Error
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from functools import lru_cache
from urllib.parse import unquote_to_bytes

from cassette_stream.cassette.secrets import is_placeholder

__all__ = ("forms", "is_telling", "occurrences", "readings", "secret_variables")

_LONG = 16
_SHORT = 8

_NAME = re.compile(
    r"(?i)(?:\A|_)(?:api_?|access_?|account_?|private_?|secret_?|auth_?)?"
    r"(?:key|token|secret|password|passwd|passphrase|credentials?|pat|jwt|cookie)"
    r"(?:_?(?:id|old|new|dev|prod|test|live|[0-9]+))?\Z|_(?:pwd|pass)\Z"
)
_PUBLIC_NAME = re.compile(r"(?i)public|\Agpg_key\Z")
_HARMLESS = re.compile(
    r"(?i:true|false|null|none|[0-9.,:+-]+)|[a-z][a-z0-9+.-]*://[^@?]*"
    r"|(?:~|\.{1,2})?(?:/[a-z0-9._-]{1,24})+/?|[A-Za-z]:\\[^\n]*"
)
_MIXED = (re.compile(rb"[a-z]"), re.compile(rb"[A-Z]"), re.compile(rb"[0-9]"))
_FEW = 3


def is_telling(value: bytes) -> bool:
    """Whether *value* is long or mixed enough to be no word where it is found again."""
    if len(value) < _SHORT or len(set(value)) < _FEW or is_placeholder(value):
        return False
    return len(value) >= _LONG or all(letters.search(value) for letters in _MIXED)


def secret_variables(environ: Mapping[str, str]) -> dict[str, str]:
    """The variables whose names say that their values are secrets, and whose values may be."""
    return {
        name: value
        for name, value in environ.items()
        if _says_secret(name)
        and not _HARMLESS.fullmatch(value)
        and is_telling(value.encode("utf-8", "surrogatepass"))
    }


@lru_cache(maxsize=1024)
def _says_secret(name: str) -> bool:
    return bool(_NAME.search(name)) and not _PUBLIC_NAME.search(name)


def readings(value: bytes) -> Iterator[bytes]:
    """What *value*, as it stood in a URL, in a JSON string or in a header, stands for.

    The plainest comes first. Of basic credentials the password is one.
    """
    plain = value
    if b"%" in value:
        plain = unquote_to_bytes(value)
    elif b"\\" in value:
        with suppress(ValueError):
            text = json.loads(b'"%b"' % value)
            plain = text.encode("utf-8", "surrogatepass")
    yield plain
    if plain != value:
        yield value
    with suppress(Error, ValueError):
        user, colon, password = b64decode(plain, validate=True).partition(b":")
        if colon and user.isascii() and password.isascii():
            yield password


@lru_cache(maxsize=256)
def forms(value: bytes) -> tuple[bytes, ...]:
    """How *value* may be written, itself first."""
    found = {value: None}
    with suppress(UnicodeDecodeError):
        text = value.decode("utf-8", "surrogatepass")
        once = json.dumps(text)[1:-1]
        found |= dict.fromkeys(
            each.encode("utf-8", "surrogatepass")
            for each in (once, json.dumps(text, ensure_ascii=False)[1:-1], json.dumps(once)[1:-1])
        )
    if len(value) >= _SHORT:
        for shift in range(3):
            core = _base64_core(value, shift)
            found |= dict.fromkeys((core, core.translate(_URL_SAFE)))
    return tuple(found)


_URL_SAFE = bytes.maketrans(b"+/", b"-_")


def _base64_core(value: bytes, shift: int) -> bytes:
    """What of the base64 of a text is the same whatever stands around *value* in it.

    *shift* is how many bytes stand before it, modulo three.
    """
    letters = b64encode(bytes(shift) + value)
    return letters[-(-8 * shift // 6) : 8 * (shift + len(value)) // 6]


_MANY = 500
_PREFIX = 8


def occurrences(needles: Collection[bytes], text: bytes) -> Iterator[tuple[int, bytes]]:
    """Where each of the *needles* stands in *text*."""
    if len(needles) > _MANY:
        yield from _of_many(needles, text)
        return
    for needle in needles:
        start = text.find(needle)
        while start >= 0:
            yield start, needle
            start = text.find(needle, start + len(needle))


def _of_many(needles: Collection[bytes], text: bytes) -> Iterator[tuple[int, bytes]]:
    """The same in one pass, for however many."""
    by_prefix: dict[bytes, list[bytes]] = {}
    for needle in needles:
        by_prefix.setdefault(needle[:_PREFIX], []).append(needle)
    for prefix in by_prefix:
        if len(prefix) < _PREFIX:
            yield from occurrences([prefix], text)
    for at in range(len(text) - _PREFIX + 1):
        if (found := by_prefix.get(text[at : at + _PREFIX])) is not None:
            for needle in found:
                if text.startswith(needle, at):
                    yield at, needle
