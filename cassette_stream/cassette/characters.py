"""Which characters may stand in a cassette as they are."""

from __future__ import annotations

import re

__all__ = ("forbidden",)

_ASCII_TEXT = bytes((0x09, 0x0A, *range(0x20, 0x7F), *range(0x80, 0x100)))
_FORBIDDEN = re.compile(
    rb"[\x00-\x08\x0b-\x1f\x7f]|\xc2[\x80-\x9f]|\xe2\x80[\xa8\xa9]|\xef\xbb\xbf|\xef\xbf[\xbe\xbf]"
)


def forbidden(data: bytes) -> int | None:
    """The offset in *data*, UTF-8, of the first character that cannot stand there as it is.

    Those are control characters but tab and LF, the line ends of YAML 1.1, the byte
    order mark and what is no character. None where there is none.
    """
    # A search for the class costs ten times the deletion of everything else; the second
    # half is for the few multi-byte characters, by the bytes that they begin with.
    if not data.translate(None, _ASCII_TEXT) and (
        data.isascii() or not (b"\xc2" in data or b"\xe2\x80" in data or b"\xef" in data)
    ):
        return None
    found = _FORBIDDEN.search(data)
    return found.start() if found else None
