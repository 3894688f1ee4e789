"""What the caller or the environment says by name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

__all__ = ("first_set",)


def first_set(names: Iterable[str], environ: Mapping[str, str]) -> tuple[str, str] | None:
    """The first of *names* that *environ* has a value for, and the value; an empty one is none."""
    for name in names:
        if value := environ.get(name):
            return name, value
    return None
