"""The checksums of AWS event-stream frames, made true again after bytes were replaced."""

from __future__ import annotations

from zlib import crc32

__all__ = ("with_checksums",)

_SMALLEST = 16


def with_checksums(body: bytes, *, before: bytes) -> bytes:
    """The *body* with the checksum of each frame that differs from *before* computed anew.

    Both have the same frames. One that was broken before and is as it was stays broken.
    """
    mended = bytearray(body)
    start = 0
    while start + _SMALLEST <= len(body):
        end = start + int.from_bytes(body[start : start + 4])
        if end < start + _SMALLEST or end > len(body):
            break  # what follows is no frame, and nobody decodes it
        if body[start:end] != before[start:end]:
            mended[end - 4 : end] = crc32(body[start : end - 4]).to_bytes(4)
        start = end
    return bytes(mended)
