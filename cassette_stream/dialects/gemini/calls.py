"""Gemini function calls, put together where they come in parts.

A call comes whole, or it begins with its name and goes on in parts without one, each with
values for places in its arguments: ``{"jsonPath": "$.city", "stringValue": "Par",
"willContinue": true}``. It is over with the part that does not say ``willContinue``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, TypeAlias

from cassette_stream.dialects.decoding import field
from cassette_stream.exceptions import MalformedStreamError, StreamProtocolError

__all__ = ("CallParts",)

Path: TypeAlias = tuple[str | int, ...]
"""The names and positions that lead to a place."""

_OF_PARTS: Final = frozenset({"args", "partialArgs", "willContinue"})
_VALUES: Final = ("numberValue", "boolValue", "nullValue")
# One step of a path: .name, [0], ['name'] or ["name"]
_STEP: Final = re.compile(
    r"""\.(?P<name>[^.\[\]'"]+)|\[(?P<at>\d{1,6})\]|\['(?P<single>[^']*)'\]|\["(?P<double>[^"]*)"\]"""
)


class CallParts:
    """The call of one candidate that is being put together, if there is one."""

    __slots__ = ("_call", "_pieces", "_place")

    def __init__(self) -> None:
        self._call: dict[str, Any] | None = None
        self._place: Path | None = None  # of the text that goes on
        self._pieces: list[str] = []

    def add(self, part: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Take a ``functionCall``, and give the calls that are whole with it.

        They have *name*, *args* (an object) and whatever else the first part said, such as *id*.

        Raises:
            MalformedStreamError: A path or a value is none.
            StreamProtocolError: A part without a name, and no call that it could belong to.
        """
        whole: list[dict[str, Any]] = []
        if field(part, "name", str):
            whole += self.finish()
            self._call = {name: it for name, it in part.items() if name not in _OF_PARTS}
            self._call["args"] = {}
        elif self._call is None:
            raise StreamProtocolError("a part of a function call that never began", body=part)
        call: dict[str, Any] = self._call or {}
        call["args"] |= field(part, "args", dict) or {}
        for value in field(part, "partialArgs", list) or ():
            self._note(value)
        return whole if part.get("willContinue") else [*whole, *self.finish()]

    def finish(self) -> list[dict[str, Any]]:
        """The call as far as it came, if one is open."""
        self._settle()
        call, self._call = self._call, None
        return [] if call is None else [call]

    def _note(self, value: object) -> None:
        """Take one of the ``partialArgs``."""
        if not isinstance(value, Mapping):
            raise MalformedStreamError(f"partialArgs must hold objects, not {value!r}", body=value)
        path = _steps(field(value, "jsonPath", str) or "")
        text = field(value, "stringValue", str)
        if text is None or path != self._place:
            self._settle()
        if text is not None:
            self._place = path
            self._pieces.append(text)
            if not value.get("willContinue"):
                self._settle()
        elif kind := next((name for name in _VALUES if name in value), None):
            self._put(path, None if kind == "nullValue" else value[kind])

    def _settle(self) -> None:
        """Put the text that went on in its place: in one piece, so that the cost is linear."""
        place, text = self._place, "".join(self._pieces)
        self._place, self._pieces = None, []
        if place is not None:
            self._put(place, text)

    def _put(self, path: Path, value: object) -> None:
        assert self._call is not None
        arguments = _placed(self._call["args"], path, value)
        if not isinstance(arguments, dict):
            raise MalformedStreamError(f"arguments must be an object, not {arguments!r}")
        self._call["args"] = arguments


def _steps(path: str) -> Path:
    """The place that *path* names.

    Raises:
        MalformedStreamError: It does not begin with ``$``, or does more than to name places.
    """
    steps: list[str | int] = []
    at = 1
    while path.startswith("$") and (found := _STEP.match(path, at)):
        kind, text = found.lastgroup, found[found.lastgroup or 0]
        steps.append(int(text) if kind == "at" else text)
        at = found.end()
    if at != len(path) or not path.startswith("$"):
        raise MalformedStreamError(f"no path to a place in the arguments: {path!r}")
    return tuple(steps)


def _placed(root: Any, path: Path, new: object) -> Any:
    """*root* with *new* at *path*."""
    if not path:
        return new
    step, rest = path[0], path[1:]
    if isinstance(step, str):
        names = root if isinstance(root, dict) else {}
        names[step] = _placed(names.get(step), rest, new)
        return names
    items = root if isinstance(root, list) else []
    if step > len(items):
        raise MalformedStreamError(f"item {step} of a list that has {len(items)} so far")
    if step == len(items):
        items.append(None)
    items[step] = _placed(items[step], rest, new)
    return items
