"""Content codings: compressed data that is cut or corrupt, and heads that are wrong of it.

Each chunk is compressed and flushed by itself, so boundaries and times stay, and what
comes before the place can be read. What a client says of the rest is genuine.
"""

from __future__ import annotations

import importlib
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain
from typing import Any, TypeAlias

from cassette_stream.exceptions import PlanError
from cassette_stream.faults.info import FaultInfo
from cassette_stream.faults.inside import INSIDES
from cassette_stream.faults.parameter import Parameter
from cassette_stream.faults.place import PLACES, Place, check_place
from cassette_stream.faults.reframe import reframed, replacing, without
from cassette_stream.faults.seek import Found
from cassette_stream.script import Emit, Fail, Head, Script, Step

__all__ = (
    "ENCODING_LIE",
    "ENCODING_MISSING",
    "GZIP_CORRUPT",
    "GZIP_CUT",
    "EncodingLie",
    "EncodingMissing",
    "GzipCorrupt",
    "GzipCut",
)

_CODING = Parameter(
    name="coding",
    default="gzip",
    choices=("gzip", "br", "zstd"),
    description="What the body is compressed with; br and zstd need a package that can.",
)
_PACKAGES = {
    "br": ("brotli", "brotlicffi"),
    "zstd": ("zstandard", "compression.zstd", "backports.zstd"),
}
_BAD = b"\xff"  # no block of any of the three begins like this

_Coder: TypeAlias = tuple[Callable[[bytes], bytes], Callable[[], bytes]]
"""Compresses and flushes what comes, and gives what ends it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GzipCut:
    """The body is compressed, and the compressed data ends *at* a place; HTTP sees a whole body.

    A stream without the place is left whole.
    """

    at: Place
    coding: str = "gzip"

    def __post_init__(self) -> None:
        check_place(self.at)
        _coder(self.coding)

    def __call__(self, script: Script) -> Script:
        coded = _Coded(self.coding)
        for step in self._cut(script, coded):
            yield coded(step)

    def _cut(self, script: Script, coded: _Coded) -> Script:
        found = yield from reframed(script, self.at, coded.head)
        if found is not None:
            before, _ = found.split()
            yield from before


@dataclass(frozen=True, slots=True, kw_only=True)
class GzipCorrupt:
    """The body is compressed, and one byte of the compressed data is wrong *at* a place.

    A stream without the place is left whole.
    """

    at: Place
    coding: str = "gzip"

    def __post_init__(self) -> None:
        check_place(self.at)
        _coder(self.coding)

    def __call__(self, script: Script) -> Script:
        coded = _Coded(self.coding)
        found: Found | None = None

        def before() -> Script:
            nonlocal found
            found = yield from reframed(script, self.at, coded.head)

        for step in before():
            yield coded(step)
        if found is None:
            return
        first, after = found.split()
        yield from map(coded, first)
        is_whole = True
        coded.spoil()
        for step in chain(after, script):
            is_whole = not isinstance(step, Fail)
            yield coded(step)
        if is_whole:
            yield coded.end()


@dataclass(frozen=True, slots=True)
class EncodingLie:
    """The head says that the body is compressed, and it is not.

    A body that is compressed is left as it is.
    """

    def __call__(self, script: Script) -> Script:
        for step in script:
            if isinstance(step, Head) and "content-encoding" not in dict(step.headers):
                yield replacing(step, "content-encoding", "gzip")
            else:
                yield step


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodingMissing:
    """The body is compressed, and the head does not say so."""

    coding: str = "gzip"

    def __post_init__(self) -> None:
        _coder(self.coding)

    def __call__(self, script: Script) -> Script:
        coded, last = _Coded(self.coding), None
        for step in script:
            last = step
            if isinstance(step, Head):
                coded.head(step, 0)
                yield without(step, "content-encoding", "content-length")
            else:
                yield coded(step)
        if coded.begun and not isinstance(last, Fail):
            yield coded.end()


class _Coded:
    """A body on its way through a compressor, from its head on."""

    def __init__(self, coding: str) -> None:
        self.begun = False
        self._coding = coding
        self._squeeze, self._finish = _coder(coding)
        self._bad = False

    def head(self, head: Head, _: int) -> Head:
        """What *head* says of the compressed body."""
        self.begun = True
        told = dict(head.headers).get("content-encoding")
        codings = f"{told}, {self._coding}" if told else self._coding
        return replacing(without(head, "content-length"), "content-encoding", codings)

    def __call__(self, step: Step) -> Step:
        if not (self.begun and isinstance(step, Emit) and step.data):
            return step
        return Emit(self._spoilt(self._squeeze, step.data))

    def spoil(self) -> None:
        """Let the first byte of what comes next be wrong."""
        self._bad = True

    def end(self) -> Emit:
        return Emit(self._spoilt(self._finish))

    def _spoilt(self, make: Callable[..., bytes], *data: bytes) -> bytes:
        if not self._bad:
            return make(*data)
        self._bad = False
        begun = self._squeeze(b"")  # what stands before the first block, if this is the first
        return begun + _BAD + make(*data)[1:]


def _coder(coding: str) -> _Coder:
    """A compressor.

    Raises:
        PlanError: There is no such coding, or no package that can do it.
    """
    _CODING.read(coding)
    if coding == "gzip":
        gzip = zlib.compressobj(wbits=16 + zlib.MAX_WBITS)
        return lambda data: gzip.compress(data) + gzip.flush(zlib.Z_SYNC_FLUSH), gzip.flush
    package = _package(coding)
    if coding == "br":
        br = package.Compressor()
        return lambda data: br.process(data) + br.flush(), br.finish
    zstd = package.ZstdCompressor()
    if package.__name__ != "zstandard":  # the one of the standard library
        return lambda data: zstd.compress(data, zstd.FLUSH_BLOCK), zstd.flush
    zstd, block = zstd.compressobj(), package.COMPRESSOBJ_FLUSH_BLOCK
    return lambda data: zstd.compress(data) + zstd.flush(block), zstd.flush


def _package(coding: str) -> Any:
    for name in _PACKAGES[coding]:
        try:
            return importlib.import_module(name)
        except ImportError:
            continue
    names = " or ".join(_PACKAGES[coding])
    raise PlanError(f"coding is {coding!r}, and nothing here can do that: install {names}")


GZIP_CUT = FaultInfo(
    id="body.gzip_cut",
    name="compressed data cut",
    expect="raises",
    transport="nothing for gzip and br; for zstd DecodingError: Zstandard data is incomplete",
    description="The compressed data ends within the answer, and the framing around it is whole.",
    reference="measured",
    places=PLACES,
    insides=INSIDES,
    make=GzipCut,
    parameters=(_CODING,),
)

GZIP_CORRUPT = FaultInfo(
    id="body.gzip_corrupt",
    name="compressed data corrupt",
    expect="raises",
    transport="DecodingError: Error -3 while decompressing data: invalid block type",
    description="One byte of the compressed data is wrong.",
    reference="measured",
    places=PLACES,
    insides=INSIDES,
    make=GzipCorrupt,
    parameters=(_CODING,),
)

ENCODING_LIE = FaultInfo(
    id="body.encoding_lie",
    name="Content-Encoding of a body that is not compressed",
    expect="raises",
    transport="DecodingError: Error -3 while decompressing data: incorrect header check",
    description="The head says gzip, and the body is plain.",
    reference="diegosouzapw/OmniRoute#2561",
    make=EncodingLie,
)

ENCODING_MISSING = FaultInfo(
    id="body.encoding_missing",
    name="compressed body without Content-Encoding",
    expect="raises",
    transport="nothing: the compressed bytes are delivered as they are",
    description="The body is compressed, and its head does not say so.",
    reference="measured",
    make=EncodingMissing,
    parameters=(_CODING,),
)
