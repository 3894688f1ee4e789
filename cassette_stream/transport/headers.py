"""Headers of an HTTP library as a cassette keeps them."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ("headers_of",)


def headers_of(pairs: Iterable[tuple[bytes, bytes]]) -> dict[str, tuple[str, ...]]:
    """Raw header lines as a cassette keeps them: lower-case name, values in order."""
    grouped: dict[str, list[str]] = {}
    for name, value in pairs:
        grouped.setdefault(name.decode("latin-1").lower(), []).append(value.decode("latin-1"))
    return {name: tuple(values) for name, values in grouped.items()}
