"""JSON values, and the bytes that they are as a body."""

from __future__ import annotations

import json
from typing import TypeAlias

__all__ = ("JSON", "compact")

JSON: TypeAlias = "bool | int | float | str | list[JSON] | dict[str, JSON] | None"


def compact(value: JSON) -> bytes:
    """*value* as JSON without blanks, in the order of its keys."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.encode()
