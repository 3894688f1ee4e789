"""A file with the tools that a model may call: a JSON list in the shape of chat completions.

What is wrong with it is told with its place, as ``file:line:column: message``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

__all__ = ("read_tools",)

_BLANKS = re.compile(r"[ \t\r\n]*")
_SHAPE = '{"type": "function", "function": {"name": "...", "parameters": {...}}}'


def read_tools(file: Path) -> list[dict[str, object]]:
    """The tools in *file*.

    Raises:
        ValueError: It cannot be read, or holds something else.
    """
    try:
        data = file.read_bytes()
    except OSError as error:
        raise ValueError(f"{file} cannot be read: {error.strerror}") from error
    try:
        return _tools(data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        before = error.object[: error.start].decode()
        where, problem = json.JSONDecodeError("", before, len(before)), "it is no UTF-8"
    except json.JSONDecodeError as error:
        where, problem = error, error.msg
    raise ValueError(f"{file}:{where.lineno}:{where.colno}: {problem}")


def _tools(text: str) -> list[dict[str, object]]:
    tools = []
    for place, value in _items(text):
        if not isinstance(value, dict) or not isinstance(value.get("type"), str):
            raise json.JSONDecodeError(f"this is no tool; give {_SHAPE}", text, place)
        function = value.get("function")
        named = isinstance(function, dict) and isinstance(function.get("name"), str)
        if value["type"] == "function" and not named:
            raise json.JSONDecodeError(
                f"this tool has no function.name; give {_SHAPE}", text, place
            )
        tools.append(value)
    if not tools:
        raise json.JSONDecodeError("there is no tool in this list", text, _after(text, 0))
    return tools


def _items(text: str) -> Iterator[tuple[int, object]]:
    """The items of the list that *text* is, each with its place."""
    decoder = json.JSONDecoder()
    try:
        whole = decoder.decode(text)
    except RecursionError:
        raise json.JSONDecodeError("this is nested too deeply", text, 0) from None
    place = _after(text, 0)
    if not isinstance(whole, list):
        raise json.JSONDecodeError("this is no list of tools", text, place)
    for _ in whole:
        place = _after(text, place + 1)  # behind the bracket or the comma
        value, end = decoder.raw_decode(text, place)
        yield place, value
        place = _after(text, end)


def _after(text: str, place: int) -> int:
    """The place of what follows the blanks at *place*."""
    blanks = _BLANKS.match(text, place)
    return place if blanks is None else blanks.end()
