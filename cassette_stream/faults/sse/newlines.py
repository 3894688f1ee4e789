"""Other line ends, all through a body: those of comments and of unfinished lines as well."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, cycle
from typing import Literal, TypeAlias, get_args

from cassette_stream.exceptions import PlanError
from cassette_stream.faults.framing import frames_begin
from cassette_stream.script import Emit, Script, Step

__all__ = ("LINE_ENDS", "LineEnds", "Newlines")

LineEnds: TypeAlias = Literal["crlf", "cr", "mixed", "crlf_split"]

LINE_ENDS: tuple[str, ...] = get_args(LineEnds)

_LINE_END = re.compile(rb"\r\n|\r|\n")
_CYCLES = {
    "crlf": (b"\r\n",),
    "crlf_split": (b"\r\n",),
    "cr": (b"\r",),
    # In another order a CR and the LF after it would be one line end.
    "mixed": (b"\n", b"\r", b"\r\n"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Newlines:
    """Lines end with CRLF, with CR, or with LF, CR and CRLF in turn.

    ``crlf_split`` is CRLF with each cut between two chunks. A chunk that is emptied goes.
    AWS frames have no lines, and are left whole.
    """

    kind: LineEnds = "crlf"

    def __post_init__(self) -> None:
        if self.kind not in LINE_ENDS:
            raise PlanError(f"kind is {self.kind!r}; it can be {', '.join(LINE_ENDS)}")

    def __call__(self, script: Script) -> Script:
        writer = _Writer(cycle(_CYCLES[self.kind]))
        for step in script:
            if isinstance(step, Emit) and step.data:
                script = chain([step], script)
                break
            yield step
        else:
            return
        if frames_begin(step.data):
            yield from script
            return
        for step in writer.rewrite(script):
            if self.kind == "crlf_split" and isinstance(step, Emit):
                yield from map(Emit, re.split(rb"(?<=\r)(?=\n)", step.data))
            else:
                yield step


class _Writer:
    """Writes other line ends, where half of one may be in the next chunk."""

    def __init__(self, ends: Iterator[bytes]) -> None:
        self._ends = ends
        self._end = b""  # the line end whose LF begins the next chunk

    def rewrite(self, script: Script) -> Iterator[Step]:
        # A chunk that ends with a CR waits for the next byte: only that tells whether a LF
        # still belongs to it.
        waiting: list[Step] = []
        for step in script:
            if waiting and isinstance(step, Emit) and step.data:
                yield from self._written(waiting, goes_on=step.data.startswith(b"\n"))
                waiting = []
            waiting.append(step)
            if not (isinstance(waiting[0], Emit) and waiting[0].data.endswith(b"\r")):
                yield from self._written(waiting, goes_on=False)
                waiting = []
        yield from self._written(waiting, goes_on=False)

    def _written(self, steps: list[Step], *, goes_on: bool) -> Iterator[Step]:
        for step in steps:
            if not isinstance(step, Emit) or not step.data:
                yield step
            elif data := self._other(step.data, goes_on=goes_on):
                yield Emit(data)

    def _other(self, data: bytes, *, goes_on: bool) -> bytes:
        begun, self._end = self._end, b""
        start = 1 if begun else 0
        last = len(data) - 1 if goes_on else len(data)
        told = _LINE_END.sub(lambda _: next(self._ends), data[start:last])
        if begun == b"\r\n":
            told = b"\n" + told
        if goes_on:
            self._end = next(self._ends)
            told += b"\r" if self._end == b"\r\n" else self._end
        return told
