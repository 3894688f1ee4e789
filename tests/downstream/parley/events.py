"""Server-sent events, as browsers read them."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from typing import NamedTuple

_LINE_END = re.compile(r"\r\n?|\n")


class Event(NamedTuple):
    event: str
    data: str
    id: str


class Decoder:
    """Takes bytes as they come, and gives events as they are complete."""

    def __init__(self) -> None:
        self._utf8 = codecs.getincrementaldecoder("utf-8")("replace")
        self._at_start, self._after_cr = True, False
        self._line: list[str] = []
        self._event, self._data, self._id = "", list[str](), ""

    def feed(self, chunk: bytes) -> Iterator[Event]:
        text = self._utf8.decode(chunk)
        if not text:
            return
        if self._at_start:
            text, self._at_start = text.removeprefix("\ufeff"), False
        if self._after_cr:
            text = text.removeprefix("\n")
        self._after_cr = text.endswith("\r")
        *ended, rest = _LINE_END.split(text)
        for end in ended:
            line = "".join([*self._line, end])
            self._line.clear()
            if line:
                self._take(line)
            else:
                yield from self._dispatch()
        self._line.append(rest)

    def _take(self, line: str) -> None:
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            self._data.append(value)
        elif name == "event":
            self._event = value
        elif name == "id" and "\0" not in value:
            self._id = value

    def _dispatch(self) -> Iterator[Event]:
        if self._data:
            yield Event(self._event or "message", "\n".join(self._data), self._id)
        self._event, self._data = "", []
