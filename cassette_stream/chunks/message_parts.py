"""Parts of a message that do not simply add up: reasoning blocks, speech, and fields."""

from __future__ import annotations

from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Iterable
from io import StringIO
from typing import Final

from msgspec.structs import replace

from cassette_stream.chunks.parts import Audio, Json, RedactedThinking, Thinking, ThinkingBlock

__all__ = ("Fields", "Speech", "Thoughts")


class Thoughts:
    """Reasoning blocks: text is collected until a signature, another block or the end."""

    def __init__(self) -> None:
        self._blocks: list[ThinkingBlock] = []
        self._text = StringIO()
        self._index: int | None = None
        self._open = False

    def add(self, pieces: Iterable[ThinkingBlock]) -> None:
        for piece in pieces:
            if isinstance(piece, RedactedThinking):
                self._close(None)
                self._blocks.append(RedactedThinking(data=piece.data, extras=piece.extras))
                continue
            if self._open and self._index != piece.index:
                self._close(None)
            self._open = True
            self._index = piece.index
            self._text.write(piece.thinking)
            if piece.signature is not None:
                self._close(piece.signature)

    def blocks(self) -> list[ThinkingBlock]:
        """The blocks so far; one without a signature never got one."""
        rest = [Thinking(thinking=self._text.getvalue())] if self._open else []
        return [*map(replace, self._blocks), *rest]

    def _close(self, signature: str | None) -> None:
        if self._open:
            text = self._text.getvalue()
            self._blocks.append(Thinking(thinking=text, signature=signature))
            self._text = StringIO()
            self._open = False


class Speech:
    """Spoken output: every piece of its data is base64 of its own, padding and all."""

    def __init__(self) -> None:
        self._last = Audio()
        self._data: list[str] = []
        self._transcript: list[str] = []

    def add(self, piece: Audio) -> None:
        self._last.id = piece.id or self._last.id
        self._last.expires_at = piece.expires_at or self._last.expires_at
        self._last.extras = {**(self._last.extras or {}), **(piece.extras or {})} or None
        if piece.data:
            self._data.append(piece.data)
        if piece.transcript:
            self._transcript.append(piece.transcript)

    def whole(self) -> Audio:
        return Audio(
            id=self._last.id,
            expires_at=self._last.expires_at,
            data=_joined_base64(self._data) if self._data else None,
            transcript="".join(self._transcript) if self._transcript else None,
            extras=self._last.extras,
        )


def _joined_base64(pieces: list[str]) -> str:
    try:
        return b64encode(b"".join(map(b64decode, pieces))).decode()
    except Base64Error:
        # One text that was cut anywhere, not pieces of their own.
        return "".join(pieces)


class Fields:
    """A provider's own fields: a later value replaces, a later list adds."""

    def __init__(self) -> None:
        self._fields: Json = {}
        self._texts: dict[str, StringIO] = {}

    def add(self, more: Json) -> None:
        for name, value in more.items():
            if isinstance(value, list):
                known = self._fields.get(name)
                if not isinstance(known, list):
                    known = self._fields[name] = []
                known.extend(value)
            elif name == _ONE_BY_ONE:
                self.add({"citations": [value]})
            elif name in _IN_PIECES and isinstance(value, str):
                self._texts.setdefault(name, StringIO()).write(value)
            else:
                self._fields[name] = value

    def whole(self) -> Json | None:
        fields = {
            name: list(value) if isinstance(value, list) else value
            for name, value in self._fields.items()
        }
        return fields | {name: text.getvalue() for name, text in self._texts.items()} or None


# Anthropic's and Cohere's citations come singly; the message has them all.
_ONE_BY_ONE: Final = "citation"
# Cohere's plan comes as its text does; the message has the whole.
_IN_PIECES: Final = frozenset({"tool_plan"})
