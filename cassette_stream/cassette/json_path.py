"""Paths into JSON values: ``metadata.run_id``, ``messages[*].id``, ``tools["x.y"]``.

What a miss prints is what *ignore* takes, so a path can be copied from one to the other.
"""

from __future__ import annotations

import json
import re
from typing import TypeAlias

__all__ = ("Path", "below", "drop", "parse_path", "same_json", "values_at")

Path: TypeAlias = tuple[str | int | None, ...]
"""Names, indices, and None for every one of them."""

_NAME = re.compile(r'[^.:\[\]"*\s]+')
# In quotes stands what JSON takes for a string.
_STEP = re.compile(
    r'\.?(\*|[^.:\[\]"*\s]+)|\[(?:(\*)|(-?[0-9]+)|'
    r'("(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"))\]'
)


def parse_path(text: str) -> Path:
    """The path that *text* spells; ``*`` stands for every name, ``[*]`` for every item.

    Raises:
        ValueError: *text* is no path; the message says where it stops being one.
    """
    # "$" may lead, as in JSONPath; a dot stands between two names and nowhere else.
    at = 1 if re.match(r"\$[.\[]", text) else 0
    path: list[str | int | None] = []
    while at < len(text) or not path:
        match = _STEP.match(text, at)
        dotted = text.startswith(".", at)
        if not match or (dotted and at == 0) or not (dotted or at == 0 or text[at] == "["):
            raise ValueError(
                f"{text!r} is no path into JSON: {text[at:]!r} stands where a step should begin; "
                'write it like metadata.run_id, messages[*].id or tools["x.y"]'
            )
        name, _, index, quoted = match.groups()
        if quoted is not None:
            path.append(str(json.loads(quoted)))
        elif index is not None:
            path.append(int(index))
        else:
            path.append(None if name in {None, "*"} else name)
        at = match.end()
    return tuple(path)


def below(path: str, step: str | int) -> str:
    """The text of the path one *step* below *path*."""
    if isinstance(step, int):
        return f"{path}[{step}]"
    if not _NAME.fullmatch(step):
        return f"{path}[{json.dumps(step, ensure_ascii=False)}]"
    return f"{path}.{step}" if path else step


def drop(tree: object, path: Path) -> None:
    """Take what *path* names out of *tree*, wherever it is there.

    A member of an object goes; an item of a list becomes None, so that the others keep
    their places.
    """
    step, rest = path[0], path[1:]
    if isinstance(tree, dict):
        for name in [name for name in tree if step in {None, name}]:
            if rest:
                drop(tree[name], rest)
            else:
                del tree[name]
    elif isinstance(tree, list):
        for index in _indices(len(tree), step):
            if rest:
                drop(tree[index], rest)
            else:
                tree[index] = None


def values_at(tree: object, path: Path) -> list[object]:
    """What *path* names in *tree*: nothing, one value, or several where it has a ``*``."""
    found = [tree]
    for step in path:
        inner: list[object] = []
        for value in found:
            if isinstance(value, dict):
                inner += [it for name, it in value.items() if step in {None, name}]
            elif isinstance(value, list):
                inner += [value[index] for index in _indices(len(value), step)]
        found = inner
    return found


def same_json(one: object, other: object) -> bool:
    """Whether two values are the same in JSON, where true is not 1 as it is in Python."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same_json(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same_json, one, other))
    return isinstance(one, bool) == isinstance(other, bool) and one == other


def _indices(length: int, step: str | int | None) -> range:
    if step is None:
        return range(length)
    if isinstance(step, int) and -length <= step < length:
        return range(step % length, step % length + 1)
    return range(0)
