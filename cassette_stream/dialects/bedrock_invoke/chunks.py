"""The chunks of InvokeModelWithResponseStream: events of a model's own, base64 in AWS frames."""

from __future__ import annotations

from base64 import b64encode
from binascii import Error as Base64Error
from binascii import a2b_base64

import msgspec

from cassette_stream.dialects.aws_frames import Frame, Frames, frame
from cassette_stream.dialects.decoding import UNREADABLE
from cassette_stream.dialects.encoding import compact
from cassette_stream.exceptions import MalformedStreamError

__all__ = ("CHUNK", "ChunkFrames", "chunk_frame")

CHUNK = "chunk"


class _Chunk(msgspec.Struct, gc=False):
    bytes: str


_chunk = msgspec.json.Decoder(_Chunk).decode


class ChunkFrames(Frames):
    """The same frames, but what a chunk holds is its data."""

    __slots__ = ()

    def _opened(self, found: Frame) -> Frame:
        if found.kind != "event" or found.event != CHUNK:
            return found
        try:
            data = a2b_base64(_chunk(found.data).bytes, strict_mode=True).decode()
        except (*UNREADABLE, Base64Error, ValueError) as error:
            raise MalformedStreamError(
                f"a chunk without readable bytes: {found.data[:100]!r}: {error}", body=found.data
            ) from error
        return Frame(data, CHUNK, kind="event")


def chunk_frame(event: str) -> bytes:
    """The frame of a chunk that holds an *event*, which is JSON."""
    return frame(CHUNK, compact({"bytes": b64encode(event.encode()).decode()}).encode())
